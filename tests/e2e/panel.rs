//! `lain status` on a real terminal, as a person uses it: keys go in, the screen is read. tmux is the terminal.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::gate::Gate;
use crate::support::{HELM, Place, Ran, SLEEPER};

/// The longest that a screen is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

const CRASHES: &str = "  crash:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sh, -c, \"echo 数据库连接失败; exit 3\"]
    replicaCount: 1
    terminationGracePeriodSeconds: 1
    resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}
  large:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sleep, \"1000\"]
    replicaCount: 1
    resources: {requests: {cpu: 900, memory: 16Mi}, limits: {cpu: 900, memory: 64Mi}}
";

/// A terminal with a shell in it; ends when dropped.
pub struct Screen<'p> {
    place: &'p Place,
    socket: PathBuf,
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ = self.place.program("tmux").arg("-S").arg(&self.socket).arg("kill-server").output();
    }
}

impl<'p> Screen<'p> {
    pub fn new(place: &'p Place, width: u16, height: u16) -> Self {
        let screen = Self { place, socket: place.root.path().join("tmux") };
        let size = [width.to_string(), height.to_string()];
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &size[0], "-y", &size[1], "env TERM=screen PS1='$ ' sh"]).ok();
        screen
    }

    fn tmux(&self, args: &[&str]) -> Ran {
        Ran::of(&self.place.program("tmux").arg("-S").arg(&self.socket).args(args).output().expect("tmux: tests/rig/rig up installs it"))
    }

    pub fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat()).ok();
    }

    fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"]).ok().stdout
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    fn shows(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if is(&text) {
                return text;
            }
            assert!(Instant::now() < end, "the screen never shows {what}:\n{text}");
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    #[track_caller]
    pub fn says(&self, words: &str) -> String {
        self.shows(words, |text| text.contains(words))
    }
}

#[test]
fn a_panel_is_used_by_hand() {
    let place = Place::new(HELM).with_env("LANG", "C.UTF-8").with_values(&format!("{SLEEPER}{CRASHES}"));
    let gate = Gate::new();
    fs::write(place.home().join(".kube/kubeconfig-test"), gate.kubeconfig()).expect("a kubeconfig");
    place.lain(&["deploy", "--ignore-lint"]).ok();
    let screen = Screen::new(&place, 100, 30);
    let lain = env!("CARGO_BIN_EXE_lain");
    screen.keys(&[&format!("{lain} status; echo ended with $?"), "Enter"]);

    // What crashes is first, and explained; what waits and what serves is below.
    screen.shows("all pods and the log of the one that crashes", |text| {
        let at = |words: &str| text.find(words).unwrap_or(usize::MAX);
        let order = [at("  crash-"), at("  large-"), at("  web-")];
        order.is_sorted() && order[2] < usize::MAX && text.contains("1 good, 2 bad") && text.contains("\n数据库连接失败")
    });

    // A pod is selected, its log read, its events.
    screen.keys(&["/"]);
    screen.keys(&["-l", "large"]);
    screen.says("/large_");
    screen.keys(&["Enter"]);
    screen.keys(&["j"]);
    screen.shows("the pod that waits, alone", |text| {
        text.contains("SELECTED: pod/") && text.contains("Unschedulable") && !text.contains("  web-")
    });
    screen.keys(&["e"]);
    screen.says("FailedScheduling: ");
    screen.keys(&["q"]);
    screen.says("SELECTED: pod/");
    screen.keys(&["Escape"]);
    screen.says("THE FIRST: pod/");
    screen.keys(&["l"]);
    screen.says("it has not begun: Unschedulable");
    screen.keys(&["q", "Escape"]);
    screen.shows("all pods, and the worst", |text| text.contains("  web-") && text.contains("THE WORST: pod/"));
    screen.keys(&["l"]);
    screen.shows("the log", |text| text.contains("LOG of container crash in pod") && text.contains("数据库连接失败"));
    screen.keys(&["q"]);

    // Another size.
    screen.tmux(&["resize-window", "-x", "60", "-y", "20"]).ok();
    screen.shows("a narrower panel", |text| text.contains("RST    AGE") && text.contains("ENDPOINTS") == text.contains("http"));

    // A shell, and back.
    screen.keys(&["G"]);
    screen.shows("the pod that serves", |text| text.contains("\n> web-"));
    screen.keys(&["x"]);
    screen.shows("a prompt", |text| !text.contains("PODS ") && (text.contains("# ") || text.trim_end().ends_with('#')));
    screen.keys(&["echo inside-$((6*7)); sleep 1", "Enter"]);
    screen.says("inside-42");
    screen.keys(&["exit", "Enter"]);
    screen.says("\n> web-");

    // One pod is restarted, once that is said.
    let web =
        || place.kubectl(&["get", "pods", "-l", &format!("app.kubernetes.io/instance={}-web", place.appname), "-o", "name"]).ok().stdout;
    let before = web();
    screen.keys(&["r"]);
    screen.says("[y/N]");
    screen.keys(&["n"]);
    screen.says("nothing was restarted");
    assert_eq!(web(), before);
    screen.keys(&["r"]);
    screen.says("[y/N]");
    screen.keys(&["y"]);
    let end = Instant::now() + PATIENCE;
    while web().contains(before.trim()) {
        assert!(Instant::now() < end, "{before} is still there:\n{}", screen.text());
        std::thread::sleep(Duration::from_millis(300));
    }

    // The API server hangs: that is said, keys go on, and it heals by itself.
    gate.hold(&["GET"]);
    screen.says("API server silent for");
    screen.keys(&["?"]);
    screen.says("HELP");
    screen.keys(&["Space"]);
    screen.says("PODS ");
    gate.hold(&[]);
    screen.shows("no silence any more", |text| text.contains("PODS ") && !text.contains("silent"));

    // Out, also while it hangs; the terminal is as it was.
    gate.hold(&["GET"]);
    screen.says("API server silent for");
    screen.keys(&["q"]);
    screen.says("ended with 0");
    gate.hold(&[]);
    screen.keys(&["stty -a | grep -o ' icanon\\| echo '", "Enter"]);
    screen.shows("a terminal that echoes", |text| text.contains("\n icanon") && text.contains("\n echo"));

    // Where the terminal cannot move its cursor it is printed once.
    screen.keys(&[&format!("clear; TERM=dumb {lain} status >/dev/null; echo dumb ended with $?"), "Enter"]);
    screen.says("dumb ended with 0");
    screen.keys(&[&format!("clear; {lain} status; echo ended with $?"), "Enter"]);
    screen.says("PODS ");
    let pid = place.program("pgrep").args(["-f", &format!("^{lain} status$")]).output().expect("pgrep runs").stdout;
    let pids = String::from_utf8_lossy(&pid).into_owned();
    let mine =
        pids.split_whitespace().filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(place.root.path())));
    for pid in mine {
        place.program("kill").args(["-TERM", pid]).output().expect("kill runs");
    }
    screen.says("ended with 130");
}

/// 196 pods that no node takes, and four that run and need a while to leave.
const MANY: &str = "\
deployments:
  web: &proc
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sleep, \"1000\"]
    replicaCount: 4
    terminationGracePeriodSeconds: 15
    resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}
  many:
    <<: *proc
    replicaCount: 196
    resources: {requests: {cpu: 900, memory: 16Mi}, limits: {cpu: 900, memory: 64Mi}}
";

#[test]
fn two_hundred_pods_are_counted_and_scrolled() {
    let place = Place::new(HELM).with_values(MANY);
    place.lain(&["deploy", "--ignore-lint"]).ok();
    let screen = Screen::new(&place, 80, 24);
    let lain = env!("CARGO_BIN_EXE_lain");
    screen.keys(&[&format!("{lain} status; echo ended with $?"), "Enter"]);
    let text = screen.says("PODS 200: 4 good, 196 bad");
    assert!(text.starts_with(&format!(" {}  cluster test, namespace ", place.appname)), "{text}");
    assert!(text.contains("  ... 0 above, 19"), "what has no room is counted:\n{text}");
    screen.keys(&["G"]);
    screen.shows("the last, which serves", |text| text.contains("\n> web-") && text.contains(" 0 below"));
    screen.keys(&["g"]);
    screen.shows("the first, which waits", |text| text.contains("\n> many-") && text.contains("Unschedulable"));
    screen.keys(&["/", "web-", "Enter"]);
    screen.shows("four alone", |text| text.matches("  web-").count() == 4 && !text.contains("  many-"));

    // One is told to go: that is seen, and what takes its place.
    let web = place.kubectl(&["get", "pods", "-l", &format!("app.kubernetes.io/instance={}-web", place.appname), "-o", "name"]).ok().stdout;
    place.kubectl(&["delete", "--wait=false", web.lines().next().expect("a pod")]).ok();
    screen.shows("one that leaves, and another", |text| {
        text.contains(" 1 leaving") && text.contains("Terminating") && text.matches("  web-").count() == 5
    });
    screen.shows("four again", |text| text.contains("PODS 200: 4 good, 196 bad") && !text.contains("Terminating"));
    screen.keys(&["q"]);
    screen.says("ended with 0");
}

#[test]
fn a_deploy_ends_in_it() {
    let place = Place::new(HELM).with_values(SLEEPER);
    let screen = Screen::new(&place, 100, 30);
    let lain = env!("CARGO_BIN_EXE_lain");
    screen.keys(&[&format!("{lain} deploy --ignore-lint; echo ended with $?"), "Enter"]);
    let text = screen.shows("the panel, with the revision", |text| text.contains("PODS 1: 1 good") && text.contains("revision 1, "));
    assert!(!text.contains("ended with"), "{text}");
    screen.keys(&["q"]);
    let text = screen.says("ended with 0");
    assert!(text.contains("log of deployment web: lain logs web") && text.contains("deployed "), "what it said stands there:\n{text}");
    for words in ["deploy --ignore-lint --wait", "deploy --ignore-lint --silent", "deploy --ignore-lint -o json"] {
        screen.keys(&[&format!("clear; {lain} {words} > out; echo without one $?"), "Enter"]);
        screen.says("without one 0");
    }
    // Where something failed, that is the last thing that is said.
    screen.keys(&[&format!("clear; {lain} deploy --ignore-lint --set deployments.web.image=No:Name:AtAll; echo failed with $?"), "Enter"]);
    let text = screen.says("failed with 1");
    assert!(text.contains("InvalidImageName"), "{text}");
}

#[test]
fn a_whole_cluster_is_watched() {
    // An address that takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let place = Place::new(HELM).with_values(&format!("{SLEEPER}{CRASHES}"));
    let cluster = place.root.path().join("clusters/values-test.yaml");
    let values = fs::read_to_string(&cluster).expect("cluster values");
    fs::write(&cluster, format!("{values}ingress_external_port: {port}\n")).expect("cluster values");
    place.lain(&["deploy", "--ignore-lint"]).ok();
    let rule = |service: &str| {
        json!({"host": "localhost", "http": {"paths": [{"path": format!("/{service}"), "pathType": "Prefix",
            "backend": {"service": {"name": service, "port": {"number": 80}}}}]}})
    };
    let all = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "here"}, "spec": {"ports": [{"port": 80}]}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "two"}, "spec": {"rules": [rule("here"), rule("gone")]}}]});
    let file = place.root.path().join("all.json");
    fs::write(&file, all.to_string()).expect("written");
    place.kubectl(&["apply", "-f", file.to_str().expect("text")]).ok();
    let screen = Screen::new(&place, 120, 40);
    let lain = env!("CARGO_BIN_EXE_lain");
    screen.keys(&[&format!("{lain} admin status; echo ended with $?"), "Enter"]);
    screen.says(" cluster test  bad: ");
    screen.keys(&["/", &place.namespace, "Enter"]);
    let address = format!("http://localhost:{port}/here");
    let text = screen.shows("what is bad of the namespace", |text| {
        let is_bad = |words: &str| text.lines().any(|line| line.contains(&place.namespace) && line.contains(words));
        ["CrashLoopBackOff", "/gone", &address].iter().all(|words| is_bad(words))
    });
    assert!(text.contains("THE FIRST: ") && text.contains("NO SERVICE"), "{text}");
    // What crashes is explained; the hint leads to its namespace, from wherever it is typed.
    screen.keys(&["j"]);
    let text = screen.says("next: kubectl logs ");
    let hint = text.split("next: ").nth(1).expect("a hint").lines().take_while(|line| !line.starts_with('[')).collect::<Vec<_>>();
    screen.keys(&["q"]);
    screen.says("ended with 0");
    screen.keys(&["clear", "Enter", &hint.join(" "), "Enter"]);
    screen.says("数据库连接失败");
}
