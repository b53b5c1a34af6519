//! What lists of a whole cluster cost: the time and the peak of lain's own memory for 500, 1,000, 2,000 and 5,000 pods, with a release, its Deployment,
//! `ReplicaSet`, Service, Ingress and record of helm's for every five of them, and a registry with as many tags. The objects are the rig's own, recorded from
//! its API server and multiplied with other names; a server replays them page by page. `cargo bench --bench lists` prints the curves; nothing is asserted.
//! With `LAIN_BENCH_BRIEF` it is the smallest size, once: that it runs.

#[path = "../tests/support/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use server::{Answer, Asked, Server};

const SIZES: [usize; 4] = [500, 1000, 2000, 5000];
/// So many pods has a release.
const PODS: usize = 5;
/// One pod of so many never starts.
const BAD: usize = 10;
const ROUNDS: usize = 3;

/// Each command, and what it lists.
const COMMANDS: [&[&str]; 12] = [
    &["status", "-s"],
    &["tags"],
    &["version"],
    &["admin", "get", "pods", "--annotations", "bench/of=it"],
    &["admin", "get", "cm", "--annotations", "bench/of=it"],
    &["admin", "list-singletons"],
    &["admin", "list-unused-ingress"],
    &["admin", "delete-bad-pod", "--dry-run"],
    &["admin", "delete-bad-ing", "--dry-run"],
    &["admin", "status", "-s"],
    &["admin", "list-images"],
    &["admin", "cleanup-registry", "--dry-run"],
];

/// An app of which one process runs and one never starts.
const VALUES: &str = "\
deployments:
  web: &proc
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [\"sleep\", \"3600\"]
    podAnnotations: {bench/of: it}
    containerPort: 5000
    replicaCount: 1
    resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}
  bad:
    <<: *proc
    image: No:Name:AtAll
ingresses:
  - host: bench.example.com
    deployName: web
    paths: [\"/\"]
";

fn rig(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/rig/rig env)\""))
}

/// What the API server answered.
struct Recorded {
    app: String,
    lists: BTreeMap<&'static str, List>,
}

/// A list: its kind and API version, and its items as text.
struct List {
    head: String,
    items: Vec<String>,
}

/// A home, a cluster's values and an app.
struct Place {
    dir: tempfile::TempDir,
    app: String,
}

impl Place {
    fn new() -> Self {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis();
        let place = Self { dir: tempfile::tempdir().expect("a folder"), app: format!("bench-{unique:x}") };
        for folder in ["home/.kube", "clusters", "app/chart"] {
            fs::create_dir_all(place.at(folder)).expect("a folder");
        }
        fs::copy(rig("LAIN_E2E_KUBECONFIG"), place.at("home/.kube/kubeconfig-test")).expect("a kubeconfig");
        for file in lain::render::chart::without_values(&place.app, None).expect("the chart") {
            let path = place.at("app/chart").join(file.path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, file.bytes).expect("the chart");
        }
        fs::write(place.at("app/chart/values.yaml"), format!("appname: {}\n{VALUES}", place.app)).expect("values");
        place.values(&rig("LAIN_E2E_REGISTRY"), "");
        place
    }

    fn values(&self, registry: &str, more: &str) {
        let text = format!("registry: {registry}\ndomain: example.com\nnamespace: {}\n{more}", self.app);
        fs::write(self.at("clusters/values-test.yaml"), text).expect("cluster values");
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.at("app")).env("HOME", self.at("home")).env("LAIN_CLUSTER_VALUES_DIR", self.at("clusters"));
        command.env("NO_COLOR", "1").env_remove("KUBECONFIG").env_remove("CI").stdin(Stdio::null());
        command
    }

    fn kubectl(&self, args: &[&str]) -> String {
        let mut command = self.command("kubectl");
        let out = command.arg("--kubeconfig").arg(rig("LAIN_E2E_KUBECONFIG")).args(args).output().expect("kubectl runs");
        assert!(out.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("UTF-8")
    }

    fn lain(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_lain"));
        command.args(args).args(["--cluster", "test"]);
        command
    }

    /// Deploys it for real, and keeps what the API server then says.
    fn record(&self) -> Recorded {
        self.kubectl(&["create", "namespace", &self.app]);
        let out = self.lain(&["deploy", "--ignore-lint"]).output().expect("lain runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        self.kubectl(&["--namespace", &self.app, "create", "configmap", "mark"]);
        self.kubectl(&["--namespace", &self.app, "annotate", "configmap", "mark", "bench/of=it"]);
        let end = Instant::now() + Duration::from_secs(120);
        while !["Running", "InvalidImageName"].iter().all(|word| self.kubectl(&["--namespace", &self.app, "get", "pods"]).contains(word)) {
            assert!(Instant::now() < end, "the pods do not come so far");
            std::thread::sleep(Duration::from_millis(500));
        }
        let all = [
            ("pods", "/api/v1"),
            ("services", "/api/v1"),
            ("events", "/api/v1"),
            ("configmaps", "/api/v1"),
            ("secrets", "/api/v1"),
            ("deployments", "/apis/apps/v1"),
            ("replicasets", "/apis/apps/v1"),
            ("ingresses", "/apis/networking.k8s.io/v1"),
        ];
        let list = |(kind, root): (&'static str, &str)| {
            let text = self.kubectl(&["get", "--raw", &format!("{root}/namespaces/{}/{kind}", self.app)]);
            let list: Json = serde_json::from_str(&text).expect("a list");
            let items = list["items"].as_array().cloned().expect("items").into_iter().map(|mut item| {
                item["metadata"]["creationTimestamp"] = json!("2026-01-02T03:04:05Z"); // what is young is left out, or not bad yet
                for condition in item["status"]["conditions"].as_array_mut().into_iter().flatten() {
                    condition["lastTransitionTime"] = json!("2026-01-02T03:04:05Z");
                }
                item.to_string()
            });
            let keep = |item: &String| match kind {
                "secrets" => item.contains("helm.sh/release.v1"),
                "events" => item.contains("\"type\":\"Warning\""),
                "configmaps" => item.contains("bench/of"),
                _ => true,
            };
            let head = format!(r#""kind":{},"apiVersion":{}"#, list["kind"], list["apiVersion"]);
            (kind, List { head, items: items.filter(keep).collect() })
        };
        let lists: BTreeMap<_, _> = all.into_iter().map(list).collect();
        self.kubectl(&["delete", "namespace", &self.app, "--wait=false"]);
        lists.iter().for_each(|(kind, list)| assert!(!list.items.is_empty(), "no {kind} are recorded"));
        Recorded { app: self.app.clone(), lists }
    }
}

impl Recorded {
    /// How many of a kind there are beside so many pods.
    fn count(kind: &str, pods: usize) -> usize {
        match kind {
            "pods" => pods,
            "events" => pods / BAD,
            _ => pods / PODS,
        }
    }

    /// One of them: as it was recorded, by another name.
    fn item(&self, kind: &str, number: usize) -> String {
        let all = &self.lists[kind].items;
        let is_bad = |item: &&String| item.contains("No:Name:AtAll") || item.contains(&format!("{}-bad", self.app));
        let chosen =
            if kind == "events" || number % BAD == BAD - 1 { all.iter().find(is_bad) } else { all.iter().find(|item| !is_bad(item)) };
        // A uid is a name too.
        let mut item: Json = serde_json::from_str(chosen.unwrap_or(&all[0])).expect("an object");
        item["metadata"]["uid"] = json!(format!("00000000-0000-0000-0000-{number:012}"));
        if kind == "configmaps" {
            item["metadata"]["name"] = json!(format!("mark-{number}"));
        }
        item.to_string()
            .replace(&format!("{}-", self.app), &format!("{}-{number}-", self.app))
            .replace(&format!("{}.v1", self.app), &format!("{}-{number}.v1", self.app))
    }
}

/// The API server, Prometheus and the registry of so many pods.
fn replay(recorded: &Arc<Recorded>, pods: usize) -> Server {
    let (recorded, heads) = (Arc::clone(recorded), Arc::clone(recorded));
    let items: Mutex<BTreeMap<String, Arc<Vec<String>>>> = Mutex::default();
    let others: Mutex<BTreeMap<String, Option<String>>> = Mutex::default();
    let of_kind = move |kind: &str| {
        let known = items.lock().expect("no panic").get(kind).cloned();
        known.unwrap_or_else(|| {
            let made: Vec<String> = (0..Recorded::count(kind, pods)).map(|number| recorded.item(kind, number)).collect();
            Arc::clone(items.lock().expect("no panic").entry(kind.to_owned()).or_insert(Arc::new(made)))
        })
    };
    Server::new(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default();
        let kind = path.rsplit('/').next().unwrap_or_default();
        if path.contains("/v2/") {
            return registry(asked, path, pods);
        }
        if path.contains("/query") {
            let result: Vec<Json> = of_kind("ingresses")
                .iter()
                .enumerate()
                .map(|(number, _)| json!({"metric": {"host": format!("{number}.example.com")}, "value": [1_760_000_000, "5"]}))
                .collect();
            return Answer::json(200, &json!({"status": "success", "data": {"resultType": "vector", "result": result}}).to_string());
        }
        let is_list = ["pods", "services", "events", "configmaps", "secrets", "deployments", "replicasets", "ingresses"].contains(&kind);
        if is_list && !path.contains("metrics.k8s.io") {
            let all = of_kind(kind);
            // One release of them all; the largest has 200 pods.
            let is_own = asked.field("labelSelector").is_some_and(|words| words.contains("app.kubernetes.io/name="));
            let all = &all[..if is_own { all.len().min(Recorded::count(kind, 200)) } else { all.len() }];
            let at: usize = asked.field("continue").map_or(0, |token| token.parse().expect("a number"));
            let most = asked.field("limit").map_or(usize::MAX, |limit| limit.parse().expect("a number"));
            let end = at.saturating_add(most).min(all.len());
            let next = if end < all.len() { end.to_string() } else { String::new() };
            let body = format!(
                r#"{{{},"metadata":{{"resourceVersion":"7","continue":"{next}"}},"items":[{}]}}"#,
                heads.lists[kind].head,
                all[at..end].join(",")
            );
            return Answer::json(200, &body);
        }
        if ["statefulsets", "daemonsets", "jobs", "cronjobs"].contains(&kind) {
            return Answer::json(200, r#"{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}"#);
        }
        // Which kinds there are, its version: as the real one says.
        let known = others.lock().expect("no panic").get(path).cloned();
        let text = known.unwrap_or_else(|| {
            let out = Command::new("kubectl").args(["--kubeconfig", &rig("LAIN_E2E_KUBECONFIG"), "get", "--raw", path]).output();
            let text = out.ok().filter(|out| out.status.success()).map(|out| String::from_utf8_lossy(&out.stdout).into_owned());
            others.lock().expect("no panic").insert(path.to_owned(), text.clone());
            text
        });
        match text {
            Some(text) => Answer::json(200, &text),
            None => Answer::json(404, r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"no","code":404}"#),
        }
    })
}

/// `tags` tags, in one repository, and a repository for every five of them.
fn registry(asked: &Asked, path: &str, tags: usize) -> Answer {
    let page = |key: &str, all: &dyn Fn(usize) -> String, count: usize, more: Json| {
        let most: usize = asked.field("n").map_or(usize::MAX, |n| n.parse().expect("a number"));
        let last = asked.field("last");
        let at = last.map_or(0, |last| (0..count).position(|number| all(number) == last).map_or(count, |at| at + 1));
        let end = at.saturating_add(most).min(count);
        let mut body = json!({key: (at..end).map(all).collect::<Vec<_>>()});
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let reply = Answer::json(200, &body.to_string());
        let link = format!("<{path}?n={most}&last={}>; rel=\"next\"", all(end.max(1) - 1));
        if end < count { reply.with("Link", &link) } else { reply }
    };
    if path.ends_with("/_catalog") {
        return page("repositories", &|number| format!("team/app-{number:05}"), tags / PODS, json!({}));
    }
    if let Some(name) = path.strip_prefix("/v2/").and_then(|path| path.strip_suffix("/tags/list")) {
        let count = if name.contains("/app-") { PODS } else { tags };
        return page("tags", &|number| format!("{}-{number:040x}", 1_700_000_000 + number), count, json!({"name": name}));
    }
    if let Some((_, reference)) = path.split_once("/manifests/") {
        let layer = |size: usize| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "size": size, "digest": format!("sha256:{:064x}", size)});
        let body = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": layer(1000),
            "layers": (0..8).map(|at| layer(1_000_000 + at)).collect::<Vec<_>>(), "annotations": {"of": reference}})
        .to_string();
        return Answer::Reply(200, vec![("Content-Type".to_owned(), "application/vnd.oci.image.manifest.v1+json".to_owned())], body);
    }
    Answer::json(200, "{}")
}

/// How long it took, and the most memory that lain itself had, in MB.
fn measure(mut command: Command) -> (Duration, f64) {
    let errors = tempfile::NamedTempFile::new().expect("a file");
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(errors.reopen().expect("a file")).spawn().expect("lain runs");
    let path = format!("/proc/{}/status", child.id());
    let mut most = 0.0_f64;
    let status = loop {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|rest| rest.split_whitespace().next());
        most = most.max(line.and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0 / 1e6);
        if let Some(status) = child.try_wait().expect("a state") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let took = started.elapsed();
    assert!(status.success(), "{command:?}: {}", fs::read_to_string(errors.path()).unwrap_or_default());
    (took, most)
}

fn main() {
    let place = Place::new();
    let recorded = Arc::new(place.record());
    let wanted = std::env::var("LAIN_BENCH_LIST").unwrap_or_default();
    let mut table: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let is_brief = std::env::var_os("LAIN_BENCH_BRIEF").is_some();
    let (sizes, rounds) = if is_brief { (&SIZES[..1], 1) } else { (&SIZES[..], ROUNDS) };
    for &size in sizes {
        let server = replay(&recorded, size);
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters: [{{name: it, cluster: {{server: \"http://{}\"}}}}]\n\
             users: [{{name: it, user: {{token: none}}}}]\ncontexts: [{{name: it, context: {{cluster: it, user: it}}}}]\n",
            server.host()
        );
        fs::write(place.at("home/.kube/kubeconfig-test"), kubeconfig).expect("a kubeconfig");
        place.values(&format!("{}/team", server.host()), &format!("prometheus: {}\n", server.host()));
        for words in COMMANDS.iter().filter(|words| words.join(" ").contains(&wanted)) {
            measure(place.lain(words)); // the first one warms the caches, and makes what is replayed
            let runs: Vec<(Duration, f64)> = (0..rounds).map(|_| measure(place.lain(words))).collect();
            let mut times: Vec<Duration> = runs.iter().map(|(took, _)| *took).collect();
            times.sort();
            let memory = runs.iter().map(|(_, memory)| *memory).fold(0.0, f64::max);
            table.entry(words.join(" ")).or_default().push((times[rounds / 2].as_secs_f64() * 1000.0, memory));
        }
    }
    println!("{:44}{}", "pods", sizes.iter().map(|size| format!("{size:>18}")).collect::<Vec<_>>().concat());
    for (words, row) in table {
        let cells: Vec<String> = row.iter().map(|(took, memory)| format!("{:>18}", format!("{took:.0} ms {memory:.0} MB"))).collect();
        println!("{words:44}{}", cells.concat());
    }
}
