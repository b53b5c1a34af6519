//! What lint lets pass the API server takes, and what the server takes is no error of lint's: bad values, written and generated, in one release that a real
//! API server is asked of with `--dry-run=server`.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Deserialize as _;
use serde_json::Value as Json;
use support::{App, rig};

const BASE: &str =
    "image: \"redis:7\", command: [x], replicaCount: 1, resources: {limits: {cpu: 1, memory: 64Mi}, requests: {cpu: 1m, memory: 32Mi}}";
/// What no server says at once: pods of such a set are refused when they are made.
const LATER: [&str; 1] = ["a-stateful-set-whose-name-is-longer-than-its-pods-may"];

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("small") % most
    }

    fn text(&mut self, alphabet: &str, most: usize) -> String {
        let signs: Vec<char> = alphabet.chars().collect();
        (0..=self.below(most)).map(|_| signs[self.below(signs.len())]).collect()
    }
}

/// Parts of a deployment.
fn parts() -> Vec<String> {
    let mut found: Vec<String> = [
        "readinessProbe: {}",
        "readinessProbe: {periodSeconds: 3}",
        "readinessProbe: {httpGet: {path: /, port: 80}, tcpSocket: {port: 80}}",
        "readinessProbe: {httpGet: {path: /, port: 70000}}",
        "readinessProbe: {httpGet: {path: /, port: http_x}}",
        "readinessProbe: {httpGet: {path: /, port: 80, scheme: http}}",
        "readinessProbe: {exec: {command: []}}",
        "readinessProbe: {tcpSocket: {port: 80}, successThreshold: 2}",
        "livenessProbe: {tcpSocket: {port: 80}, successThreshold: 2}",
        "startupProbe: {tcpSocket: {port: 80}, successThreshold: 2}",
        "livenessProbe: {tcpSocket: {port: 80}, timeoutSeconds: -1}",
        "lifecycle: {preStop: {}}",
        "lifecycle: {preStop: {exec: {command: [a]}, httpGet: {port: 80}}}",
        "lifecycle: {preStop: {exec: {command: [a]}}}",
        "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}",
        "strategy: {rollingUpdate: {maxSurge: 0%, maxUnavailable: 0}}",
        "strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 1}}",
        "strategy: {rollingUpdate: {maxSurge: 0}}",
        "strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 101%}}",
        "strategy: {rollingUpdate: {maxSurge: one}}",
        "strategy: {type: Recreate, rollingUpdate: {maxSurge: 1}}",
        "strategy: {type: Recreate}",
        "strategy: {type: recreate}",
        "minReadySeconds: -1",
        "terminationGracePeriodSeconds: 0",
        "serviceAccountName: My_Account",
        "volumeMounts: [{name: nosuch, mountPath: /x}]",
        "volumeMounts: [{mountPath: /x, subPath: a}, {mountPath: /x, subPath: b}]",
        "volumeMounts: [{name: here, mountPath: /x, subPath: ../a}]",
        "volumeMounts: [{name: here, mountPath: /x, subPath: /a}]",
        "volumeMounts: [{name: here, mountPath: /x, subPath: a/b}]",
        "volumeMounts: [{name: here, mountPath: relative}]",
        "initContainers: [{name: first, command: [a]}]",
        "initContainers: [{name: first, command: [a]}, {name: first, command: [b]}]",
        "initContainers: [{name: ITSELF, command: [a]}]",
        "initContainers: [{name: first, command: [a], env: {1BAD: x}}]",
        "initContainers: [{name: first, command: [a], volumeMounts: [{name: nosuch, mountPath: /x}]}]",
        "podAnnotations: {\"a b\": x}",
        "podAnnotations: {\"Example.com/a\": x}",
        "podAnnotations: {\"example.com/a/b\": x}",
        "podAnnotations: {\"example.com/a_b.C\": x}",
        "annotations: {\"-a\": x}",
        "hpa: {minReplicas: 0, maxReplicas: 2}",
        "hpa: {minReplicas: 1, maxReplicas: 2}",
    ]
    .map(str::to_owned)
    .into();
    let mut random = Random(7);
    for _ in 0..25 {
        let name = random.text("aB1-_.= $é/", 5);
        found.push(format!("env: {{{}: x}}", Json::String(name)));
    }
    for _ in 0..15 {
        let name = random.text("aB1-_./ ", 6);
        found.push(format!("podAnnotations: {{{}: x}}", Json::String(name)));
    }
    for _ in 0..10 {
        let amount = || ["0", "1", "-1", "0%", "50%", "101%", "\"1\"", "x"];
        let (surge, down) = (amount()[random.below(8)], amount()[random.below(8)]);
        found.push(format!("strategy: {{rollingUpdate: {{maxSurge: {surge}, maxUnavailable: {down}}}}}"));
    }
    for _ in 0..10 {
        let path = random.text("a./", 6);
        found.push(format!("volumeMounts: [{{name: here, mountPath: /x, subPath: {}}}]", Json::String(path)));
    }
    found
}

/// Hosts and paths of an ingress. A host without a dot is completed by the cluster's domain.
fn addresses() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = [
        ("shop.example.com", "/"),
        ("Shop.example.com", "/"),
        ("shop_1.example.com", "/"),
        ("https://a.example.com", "/"),
        ("b.example.com:8080", "/"),
        ("c.example.com/path", "/"),
        ("d.example.com.", "/"),
        ("10.0.0.1", "/"),
        ("*.e.example.com", "/"),
        ("*e.example.com", "/"),
        ("-f.example.com", "/"),
        ("g..example.com", "/"),
        ("h.example.com", "api"),
        ("i.example.com", "/a/../b"),
        ("j.example.com", "/a//b"),
        ("k.example.com", "/a/.."),
        ("l.example.com", "/a%2fb"),
        ("m.example.com", "/api/v1.2/~x"),
        ("n.example.com", "/a(/|$)(.*)"),
    ]
    .map(|(host, path)| (host.to_owned(), path.to_owned()))
    .into();
    let mut random = Random(11);
    for number in 0..15 {
        found.push((format!("r{number}{}.example.com", random.text("aB-_.", 4)), "/".to_owned()));
        found.push((format!("p{number}.example.com"), random.text("/a.%2f", 8)));
    }
    found
}

/// `chart/values.yaml`, a case a line; what each line is.
fn values() -> (String, BTreeMap<usize, String>) {
    let mut text = "appname: shop\nvolumes: [{name: here, emptyDir: {}}]\ndeployments:\n".to_owned();
    let mut cases = BTreeMap::new();
    let case = |text: &mut String, line: String, cases: &mut BTreeMap<usize, String>| {
        cases.insert(text.lines().count() + 1, line.trim().to_owned());
        *text += &line;
        text.push('\n');
    };
    writeln!(text, "  target: {{{BASE}, containerPort: 80, readinessProbe: {{tcpSocket: {{port: 80}}}}}}").expect("text");
    for (number, part) in parts().into_iter().enumerate() {
        let name = format!("c{number}");
        case(&mut text, format!("  {name}: {{{BASE}, {}}}", part.replace("ITSELF", &name)), &mut cases);
    }
    let long = "x".repeat(56);
    case(&mut text, format!("  {long}-58: {{{BASE}}}"), &mut cases);
    case(&mut text, format!("  {long}-svc: {{{BASE}, containerPort: 80, readinessProbe: {{tcpSocket: {{port: 80}}}}}}"), &mut cases);
    text += "cronjobs:\n";
    for length in [46, 47, 48, 57] {
        case(&mut text, format!("  j{}: {{image: \"redis:7\", schedule: \"1 1 * * *\"}}", "y".repeat(length - 1)), &mut cases);
    }
    case(&mut text, "  k1: {image: \"redis:7\", schedule: \"1 1 * * *\", successfulJobsHistoryLimit: -1}".to_owned(), &mut cases);
    text += "statefulSets:\n";
    case(&mut text, format!("  {}: {{{BASE}}}", LATER[0]), &mut cases);
    case(&mut text, format!("  s1: {{{BASE}, updateStrategy: {{type: Recreate}}}}"), &mut cases);
    case(&mut text, format!("  s2: {{{BASE}, updateStrategy: {{type: OnDelete}}}}"), &mut cases);
    text += "ingresses:\n";
    for (host, path) in addresses() {
        let line = format!("- {{host: {}, deployName: target, paths: [{}]}}", Json::String(host), Json::String(path));
        case(&mut text, line, &mut cases);
    }
    (text, cases)
}

/// A namespace of this test's own, gone in the end.
struct Namespace(String);

impl Namespace {
    fn kubectl(args: &[&str], input: &str) -> (String, String) {
        let mut command = Command::new(Path::new(&rig("LAIN_RIG_TOOLS")).join("kubectl-1.20.2/kubectl"));
        command
            .args(["--kubeconfig", &rig("LAIN_E2E_KUBECONFIG")])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("kubectl");
        child.stdin.take().expect("stdin").write_all(input.as_bytes()).expect("it reads");
        let out = child.wait_with_output().expect("it ends");
        (String::from_utf8_lossy(&out.stdout).into_owned(), String::from_utf8_lossy(&out.stderr).into_owned())
    }

    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("lint-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
        Self::kubectl(&["create", "namespace", &name], "");
        Self(name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Self::kubectl(&["delete", "namespace", &self.0, "--wait=false"], "");
    }
}

/// The words of an object that tell which line of the values it is from: a process's name, or the host and path of an ingress.
fn line_of(object: &Json, values: &str) -> Option<usize> {
    let lines = || values.lines().enumerate().map(|(index, line)| (index + 1, line));
    let name = object["metadata"]["name"].as_str()?;
    if object["kind"] == "Ingress" {
        let rule = &object["spec"]["rules"][0];
        let (host, path) = (rule["host"].as_str()?, rule["http"]["paths"][0]["path"].as_str()?);
        let whole = format!("host: {}, deployName: target, paths: [{}]", Json::String(host.into()), Json::String(path.into()));
        return lines().find(|(_, line)| line.contains(&whole)).map(|(number, _)| number);
    }
    let own = name.strip_prefix("shop-")?;
    lines().find(|(_, line)| line.trim_start().starts_with(&format!("{own}: "))).map(|(number, _)| number)
}

#[test]
fn lint_and_the_server_are_of_one_mind() {
    let namespace = Namespace::new();
    let (text, cases) = values();
    let app = App::new()
        .values(&text)
        .chart()
        .cluster("test", "registry: r.example.com/x\ndomain: example.com\n")
        .using("test")
        .tools(&["helm"])
        .tool("kubectl", "kubectl-1.20.2")
        .committed();
    let kubeconfig = std::fs::read_to_string(rig("LAIN_E2E_KUBECONFIG")).expect("the rig's kubeconfig");
    let app = app.home_file(".kube/kubeconfig-test", &kubeconfig);
    let mut ran = app.run(&["lint", "--simple"]);
    // The one question to the server is bounded, and a loaded machine may take longer: then its version is not known.
    for _ in 0..20 {
        if !ran.stderr.lines().any(|line| line.starts_with("warning: ") && line.contains("[L070]")) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(2));
        ran = app.run(&["lint", "--simple"]);
    }
    assert!(!ran.stderr.contains("[L050]"), "the chart renders it all: {}", ran.stderr);
    let lines = ran.stderr.lines().filter_map(|line| line.strip_prefix("error: chart/values.yaml:")?.split(':').next()?.parse().ok());
    let blamed: BTreeSet<usize> = lines.collect();

    let manifest = app.run(&["template"]).exits(0).stdout;
    let mut of_server: BTreeSet<usize> = BTreeSet::new();
    let mut objects: Vec<Json> =
        serde_yaml::Deserializer::from_str(&manifest).map(|one| Json::deserialize(one).expect("YAML")).filter(Json::is_object).collect();
    // What the chart writes for a server of today, for the rig's old one.
    for object in &mut objects {
        match object["kind"].as_str() {
            Some("CronJob") => object["apiVersion"] = "batch/v1beta1".into(),
            Some("HorizontalPodAutoscaler") => object["apiVersion"] = "autoscaling/v2beta2".into(),
            _ => {}
        }
    }
    let input = objects.iter().fold(String::new(), |text, object| text + &format!("---\n{object}\n"));
    let (stdout, _) =
        Namespace::kubectl(&["apply", "--dry-run=server", "--validate=false", "--namespace", &namespace.0, "-f", "-"], &input);
    let passed: BTreeSet<(String, &str)> = stdout
        .lines()
        .filter_map(|line| {
            let (kind, name) = line.strip_suffix(" created (server dry run)")?.split_once('/')?;
            Some((kind.split('.').next()?.to_owned(), name))
        })
        .collect();
    let mut taken = BTreeSet::new();
    for object in &objects {
        let Some(line) = line_of(object, &text) else { continue };
        taken.insert(line);
        let kind = object["kind"].as_str().expect("a kind").to_lowercase();
        if !passed.contains(&(kind, object["metadata"]["name"].as_str().expect("a name"))) {
            of_server.insert(line);
        }
    }
    assert!(taken.len() > 100 && of_server.len() > 50, "{} of {}", of_server.len(), taken.len());
    let mut wrong = String::new();
    for (line, case) in cases.iter().filter(|(line, case)| taken.contains(line) && !LATER.iter().any(|later| case.contains(later))) {
        if blamed.contains(line) != of_server.contains(line) {
            let lint =
                ran.stderr.lines().find(|words| words.contains(&format!("error: chart/values.yaml:{line}:"))).unwrap_or("lint passes it");
            writeln!(wrong, "{case}\n  {lint}").expect("text");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    let later = cases.iter().filter(|(_, case)| LATER.iter().any(|later| case.contains(later)));
    later.for_each(|(line, case)| assert!(blamed.contains(line), "{case}"));
}

/// The server itself drops what it does not know; kubectl and helm ask for its types first, and refuse.
#[test]
fn fields_that_nobody_knows_are_refused_as_kubectl_refuses_them() {
    let namespace = Namespace::new();
    let parts = [
        ("affinity: {nodeAffinty: {}}", true),
        (
            "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: \"1\", podAffinityTerm: {topologyKey: a}}]}}",
            true,
        ),
        (
            "affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 1, podAffinityTerm: {topologyKey: a}}]}}",
            false,
        ),
        ("affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {topologyKey: a}}}", true),
        ("podSecurityContext: {runAsUser: \"1001\"}", true),
        ("podSecurityContext: {runAsUser: 1001, fsGroup: 1001, sysctls: [{name: a.b, value: \"1\"}]}", false),
        ("podSecurityContext: {runAsNonRoot: \"yes\"}", true),
        ("podSecurityContext: {runAsUsr: 1001}", true),
        ("lifecycle: {preStop: {exec: {command: [a], workingDir: /x}}}", true),
        ("readinessProbe: {httpGet: {path: /, port: 80, httpHeaders: [{name: a, value: b}]}}", false),
        ("readinessProbe: {httpGet: {path: /, port: 80, httpHeaders: {a: b}}}", true),
    ];
    let lines: Vec<String> = parts.iter().enumerate().map(|(at, (part, _))| format!("  p{at}: {{{BASE}, {part}}}\n")).collect();
    let lines = lines.concat();
    let app = App::new().values(&format!("appname: shop\ndeployments:\n{lines}")).chart().tools(&["helm"]);
    let app = app.cluster("test", "registry: r.example.com/x\ndomain: example.com\n").using("test");
    let blamed = app.run(&["lint", "--simple"]).stderr;
    let manifest = app.run(&["template"]).exits(0).stdout;
    let objects: Vec<Json> = serde_yaml::Deserializer::from_str(&manifest).map(|one| Json::deserialize(one).expect("YAML")).collect();
    for (at, (part, refused)) in parts.iter().enumerate() {
        let object = objects.iter().find(|object| object["metadata"]["name"] == format!("shop-p{at}")).expect("an object").to_string();
        let apply = ["apply", "--dry-run=server", "--validate=true", "--namespace", &namespace.0, "-f", "-"];
        let (stdout, stderr) = Namespace::kubectl(&apply, &object);
        assert_eq!(!stdout.contains("created (server dry run)"), *refused, "{part}: {stdout}{stderr}");
        let is_blamed = blamed.contains(&format!("error: chart/values.yaml:{}:", at + 3));
        assert_eq!(is_blamed, *refused, "{part}:\n{blamed}");
    }
}
