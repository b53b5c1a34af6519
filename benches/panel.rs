//! What the panel of `lain status` costs while it stays open on 200 pods: its CPU where nothing changes, and its memory while an hour's changes pass in a
//! minute: each change is a pod that goes and another that comes, by a name that was never there. A server on loopback says what the API server would;
//! `script` is the terminal. `cargo bench --bench panel` prints the figures; nothing is asserted. `LAIN_BENCH_SECONDS` makes both parts longer or shorter
//! than 60 s; `LAIN_BENCH_BRIEF` has 5: that it runs.

#[path = "../tests/support/server.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value as Json, json};

use server::{Answer, Asked, Server};

const PODS: usize = 200;
/// An hour's: three a second would be a very restless app.
const CHANGES: usize = 10_800;
/// How many of them there were so far.
static CHANGED: AtomicUsize = AtomicUsize::new(0);

fn pod(number: usize, generation: usize) -> Json {
    let name = format!("shop-web-1-{number:03}-{generation:05}");
    let is_good = number % 50 != 7;
    let state =
        if is_good { json!({"running": {}}) } else { json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}) };
    let ready = if is_good { "True" } else { "False" };
    json!({"metadata": {"name": name, "uid": name, "creationTimestamp": "2026-11-26T15:00:00Z", "resourceVersion": "7",
            "labels": {"pod-template-hash": "1", "app.kubernetes.io/name": "shop"}, "annotations": {"secretsChecksum": "0".repeat(64)},
            "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {"f:conditions": {}, "f:containerStatuses": {}, "f:podIP": {}}}}],
            "ownerReferences": [{"kind": "ReplicaSet", "name": "shop-web-1", "controller": true}]},
        "spec": {"nodeName": "node-1", "containers": [{"name": "web", "image": "registry.example.com/team/shop:1764170405-0a1b", "command": ["sleep", "1000"]}]},
        "status": {"phase": "Running", "podIP": "10.1.2.3", "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": ready}],
            "containerStatuses": [{"name": "web", "ready": is_good, "restartCount": if is_good { 0 } else { 7 }, "state": state, "lastState": {}}]}})
}

/// Which of its generations a pod is in after so many changes.
fn generation(number: usize, changed: usize) -> usize {
    changed / PODS + usize::from(number < changed % PODS)
}

/// One change more.
fn change() -> String {
    let changed = CHANGED.fetch_add(1, Ordering::SeqCst);
    let number = changed % PODS;
    let event = |what: &str, generation: usize| format!("{}\n", json!({"type": what, "object": pod(number, generation)}));
    event("DELETED", changed / PODS) + &event("ADDED", changed / PODS + 1)
}

/// The API server of the release; with so much time between two changes, where there are any.
fn api(pause: Option<Duration>) -> Server {
    Server::new(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default();
        let kind = path.rsplit('/').next().unwrap_or_default();
        if asked.field("watch").is_some() {
            return match pause {
                Some(pause) if kind == "pods" => Answer::Watch(change, pause),
                _ => Answer::Watch(String::new, Duration::from_millis(200)),
            };
        }
        let list = |items: Vec<Json>| {
            Answer::json(200, &json!({"kind": "List", "metadata": {"resourceVersion": "7"}, "items": items}).to_string())
        };
        match kind {
            "pods" if !path.contains("metrics.k8s.io") => {
                let changed = CHANGED.load(Ordering::SeqCst);
                list((0..PODS).map(|number| pod(number, generation(number, changed))).collect())
            }
            "events" => {
                let event = |number: usize| json!({"type": "Warning", "involvedObject": {"kind": "Pod", "name": format!("old-{number}")}, "reason": "BackOff", "message": "Back-off"});
                list((0..500).map(event).collect())
            }
            "replicasets" => list(vec![json!({"metadata": {"name": "shop-web-1", "labels": {"pod-template-hash": "1"},
                "ownerReferences": [{"kind": "Deployment", "name": "shop-web", "controller": true}]}})]),
            "deployments" | "statefulsets" | "jobs" | "secrets" => list(vec![]),
            "log" => Answer::Reply(200, vec![], "Traceback (most recent call last):\n".repeat(60)),
            "version" => Answer::json(200, r#"{"gitVersion": "v1.31.0"}"#),
            _ => Answer::json(404, r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"no","code":404}"#),
        }
    })
}

/// A panel on a terminal of 100 columns; it ends when dropped.
struct Panel {
    script: Child,
    lain: u32,
    _place: tempfile::TempDir,
}

impl Panel {
    fn open(api: &Server) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        let at = |path: &str| place.path().join(path);
        let write = |path: PathBuf, text: &str| {
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        };
        write(at("app/chart/values.yaml"), "appname: shop\ndeployments: {web: {image: x, command: [\"true\"]}}\n");
        write(at("clusters/values-test.yaml"), "registry: r.example.com\nnamespace: shops\n");
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters: [{{name: it, cluster: {{server: \"http://{}\"}}}}]\n\
             users: [{{name: it, user: {{token: none}}}}]\ncontexts: [{{name: it, context: {{cluster: it, user: it}}}}]\n",
            api.host()
        );
        write(at("home/.kube/kubeconfig-test"), &kubeconfig);
        let line = format!("stty cols 100 rows 40; exec {} status --cluster test", env!("CARGO_BIN_EXE_lain"));
        let mut script = Command::new("script");
        script
            .args(["-qefc", &line, "/dev/null"])
            .current_dir(at("app"))
            .env("HOME", at("home"))
            .env("LAIN_CLUSTER_VALUES_DIR", at("clusters"));
        script.env("TERM", "xterm-256color").env("SHELL", "/bin/sh").env_remove("CI").env_remove("KUBECONFIG");
        let script = script.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("script runs");
        std::thread::sleep(Duration::from_secs(5)); // it comes to rest
        let found = Command::new("pgrep").args(["-P", &script.id().to_string()]).output().expect("pgrep runs").stdout;
        let lain = String::from_utf8_lossy(&found).trim().parse().expect("the panel is open");
        Self { script, lain, _place: place }
    }

    /// CPU time so far, in seconds: of all its threads, without kubectl's.
    fn cpu(&self) -> f64 {
        let text = fs::read_to_string(Path::new("/proc").join(self.lain.to_string()).join("stat")).expect("it runs");
        let fields: Vec<&str> = text.rsplit(") ").next().expect("fields").split(' ').collect();
        let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Its memory, in MB.
    fn memory(&self) -> f64 {
        let text = fs::read_to_string(Path::new("/proc").join(self.lain.to_string()).join("status")).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| rest.split_whitespace().next());
        line.and_then(|kib| kib.parse::<f64>().ok()).expect("a number") * 1024.0 / 1e6
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.lain.to_string()).status();
        let _ = self.script.wait();
    }
}

fn main() {
    let seconds: Option<u64> = std::env::var("LAIN_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let seconds = seconds.unwrap_or(if std::env::var_os("LAIN_BENCH_BRIEF").is_some() { 5 } else { 60 });
    let time = Duration::from_secs(seconds);
    {
        let api = api(None);
        let panel = Panel::open(&api);
        let before = panel.cpu();
        std::thread::sleep(time);
        #[allow(clippy::cast_precision_loss)] // seconds
        let share = (panel.cpu() - before) / seconds as f64 * 100.0;
        println!("{PODS} pods, nothing changes: {share:.2} % of a core over {seconds} s, {:.1} MB", panel.memory());
    }
    let api = api(Some(time / u32::try_from(CHANGES).expect("a number")));
    let panel = Panel::open(&api);
    print!("{PODS} pods, {CHANGES} of them replaced one after another, by what was replaced:");
    for _ in 0..=10 {
        print!("  {} {:.1} MB", CHANGED.load(Ordering::SeqCst), panel.memory());
        std::thread::sleep(time / 10);
    }
    println!();
}
