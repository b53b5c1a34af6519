//! Completion in real shells: keys are typed into bash, zsh and fish on a terminal (tmux), and the line is read from the screen.

#[path = "support/server.rs"]
mod server;
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use server::{Answer, Server};
use support::{App, VALUES};

/// The longest that a screen is waited for: a machine that is busy gives a cluster no chance to answer in time, and one types Tab again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tag of a commit.
const TAG: &str = "1700000000-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// kubectl of a cluster with two releases, and an app with two files and two variables.
const KUBECTL: &str = r#"case "$*" in
*"get secret "*shop-secret*) printf 'topsecret.txt\nredis.conf\n' ;;
*"get secret "*shop-env*) printf 'MYSQL_HOST\nREDIS_HOST\n' ;;
*"get deployments,"*) printf '{"items": [{"kind": "Deployment", "metadata": {"name": "x", "labels": {"app.kubernetes.io/name": "billing"}}},
    {"kind": "Deployment", "metadata": {"name": "y", "labels": {"app.kubernetes.io/name": "evil\\u001b[31m"}}}]}' ;;
*) exit 1 ;;
esac"#;

const PIPELINE: &str = "promote to prod: {script: [a], when: manual}\n.hidden: {script: [a]}\nbuild: {script: [a]}\n";

fn app(registry: &str, tools: &[&str]) -> App {
    let app = App::new().values(&format!(
        "{VALUES}cronjobs: {{nightly: {{command: [a], schedule: \"0 0 * * *\"}}}}\ncanaryGroups: {{internal: {{a: b}}}}\n"
    ));
    let app = app
        .cluster("test", &format!("registry: {registry}/team\nnamespace: x\n"))
        .cluster("prod", "registry: 127.0.0.1:1/x\n")
        .using("test");
    // A program logs in, so that kubectl is asked.
    let config = "current-context: it\nclusters: [{name: it, cluster: {server: \"https://127.0.0.1:1\"}}]\n\
        contexts: [{name: it, context: {cluster: it, user: it}}]\nusers: [{name: it, user: {exec: {command: login}}}]\n";
    let app = app.home_file(".kube/kubeconfig-test", config);
    let bin = Path::new(env!("CARGO_BIN_EXE_lain")).parent().expect("a folder").display().to_string();
    let path = format!("{bin}:{}/bin:/usr/bin:/bin", app.home().parent().expect("a root").display());
    app.file(".gitlab-ci.yml", PIPELINE).fake("kubectl", KUBECTL).tools(tools).env("PATH", &path).env("TERM", "screen")
}

/// A shell on a terminal; ends when dropped.
struct Screen<'a> {
    app: &'a App,
    socket: PathBuf,
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

impl<'a> Screen<'a> {
    fn new(app: &'a App, shell: &str) -> Self {
        let screen = Self { app, socket: app.home().join("tmux") };
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "30", shell]);
        screen
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut command = self.app.command(Path::new("tmux"));
        let out = command.arg("-S").arg(&self.socket).args(args).output().expect("tmux: tests/rig/rig up installs it");
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a line and a Tab, again as long as nothing comes, until the screen shows these words; then gives the line up.
    #[track_caller]
    fn completes(&self, typed: &str, words: &[&str]) {
        let end = Instant::now() + PATIENCE;
        loop {
            self.keys(&["C-u"]);
            self.keys(&["-l", typed]);
            self.keys(&["Tab"]);
            let again = Instant::now() + Duration::from_secs(3);
            while Instant::now() < again {
                let text = self.tmux(&["capture-pane", "-p", "-J"]);
                if words.iter().all(|word| text.contains(word)) {
                    self.keys(&["C-c"]);
                    self.keys(&["-l", "clear"]);
                    self.keys(&["Enter"]);
                    return std::thread::sleep(Duration::from_millis(300));
                }
                assert!(Instant::now() < end, "`{typed}` never completes to {words:?}:\n{text}");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// What is typed, and what is to be seen then.
const LINES: &[(&str, &[&str])] = &[
    ("lain use te", &["lain use test"]),
    ("lain deploy --cluster pr", &["--cluster prod"]),
    ("lain push --from pr", &["--from prod"]),
    ("lain logs w", &["lain logs web"]),
    ("lain create-job n", &["create-job nightly"]),
    ("lain set-canary-group i", &["set-canary-group internal"]),
    ("lain delete b", &["lain delete billing"]),
    ("lain admin unlock b", &["unlock billing"]),
    ("lain deploy --set imageTag=17", &["--set imageTag=1700000000-aaaaaaaa"]),
    ("lain job --image-tag 17", &["--image-tag 1700000000-aaaaaaaa"]),
    ("lain deploy --image 127.0.0.1:", &["/team/shop:1700000000-aaaaaaaa"]),
    ("lain secret show to", &["secret show topsecret.txt"]),
    ("lain env add MY", &["env add MYSQL_HOST="]),
    ("lain doctor regi", &["lain doctor registry"]),
    ("lain-notify deploy --manual pro", &["--manual promote\\ to\\ prod"]),
    ("lain lint --explain al", &["--explain all"]),
];

/// What is quoted already goes on as it was begun.
const QUOTED: &[(&str, &[&str])] = &[
    ("lain-notify deploy --manual promote\\ to", &["--manual promote\\ to\\ prod"]),
    ("lain-notify deploy --manual \"promote t", &["--manual \"promote to prod"]),
];

fn in_shell(name: &str, start: &str, ready: &str, more: &[(&str, &[&str])]) {
    let registry = Server::new(|_| Answer::json(200, &format!("{{\"tags\": [\"{TAG}\"]}}")));
    let app = app(&registry.host(), &[name, "tmux"]);
    let screen = Screen::new(&app, start);
    screen.keys(&["-l", ready]);
    screen.keys(&["Enter"]);
    std::thread::sleep(Duration::from_secs(1));
    for (typed, words) in LINES.iter().chain(more) {
        screen.completes(typed, words);
    }
}

#[test]
fn bash_completes() {
    in_shell("bash", "bash --norc --noprofile", "PS1='$ '; source <(lain completions bash); clear", QUOTED);
}

#[test]
fn zsh_completes() {
    in_shell("zsh", "zsh -f", "PS1='$ '; source <(lain completions zsh); clear", &[]);
}

#[test]
fn fish_completes() {
    in_shell("fish", "fish --no-config", "function fish_prompt; echo '$ '; end; lain completions fish | source; clear", &[]);
}

/// What lain itself offers for a line.
fn offered(app: &App, words: &[&str]) -> (String, Duration) {
    offered_in(&app.dir(), app, words)
}

fn offered_in(folder: &Path, app: &App, words: &[&str]) -> (String, Duration) {
    let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    command.args(["--", "lain"]).args(words).env("LAIN_COMPLETE", "fish").current_dir(folder);
    let started = Instant::now();
    let out = command.output().expect("lain runs");
    assert!(out.status.success() && out.stderr.is_empty(), "{words:?}: {out:?}");
    (String::from_utf8_lossy(&out.stdout).trim().to_owned(), started.elapsed())
}

/// Who types is neither kept waiting nor told why, and what was asked does not run on.
#[test]
fn a_cluster_that_is_away_offers_nothing() {
    let hangs = Server::new(|_| Answer::Hang);
    let app = app(&hangs.host(), &[]);
    let asking = app.home().join("asking");
    let app = app.fake("kubectl", &format!("echo $$ >> {}; exec sleep 1000", asking.display()));
    for words in [&["delete", "b"][..], &["secret", "show", "t"], &["env", "add", "M"], &["deploy", "--set", "imageTag="], &["wait", "b"]] {
        let (text, took) = offered(&app, words);
        assert!(text.is_empty() && took < Duration::from_secs(10), "{words:?}: {text} after {took:?}");
    }
    let end = Instant::now() + Duration::from_secs(20);
    let runs = || {
        let pids = std::fs::read_to_string(&asking).unwrap_or_default();
        let all: Vec<String> = pids.lines().map(str::to_owned).collect();
        all.into_iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect::<Vec<_>>()
    };
    while !runs().is_empty() {
        assert!(Instant::now() < end, "kubectl runs on: {:?}", runs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A name that would drive the terminal is none, and a Secret's values are not asked for.
#[test]
fn names_are_names() {
    let app = app("127.0.0.1:1", &[]);
    let asked = app.home().join("asked");
    let app = app.fake("kubectl", &format!("echo \"$*\" >> {}\n{KUBECTL}", asked.display()));
    let end = Instant::now() + PATIENCE;
    while offered(&app, &["delete", "b"]).0 != "billing" {
        assert!(Instant::now() < end, "{:?}", offered(&app, &["delete", "b"]));
    }
    assert_eq!(offered(&app, &["delete", "e"]).0, "", "a name that would drive the terminal");
    while !offered(&app, &["secret", "show", ""]).0.contains("topsecret.txt") {
        assert!(Instant::now() < end, "{:?}", offered(&app, &["secret", "show", ""]));
    }
    let asked = std::fs::read_to_string(asked).expect("questions");
    let secret = asked.lines().find(|line| line.contains("get secret ")).expect("one about the Secret");
    assert!(secret.contains("{{$key}}") && !secret.contains("{{$value}}"), "{secret}");
}

/// Where the login stands in the kubeconfig, no kubectl is started for names.
#[test]
fn a_cluster_is_asked_without_kubectl_where_that_will_do() {
    let api = Server::new(|asked| {
        if asked.target.ends_with("/secrets/shop-secret") {
            return Answer::json(200, r#"{"kind": "Secret", "data": {"topsecret.txt": "aHVudGVyMg=="}}"#);
        }
        let name =
            if asked.target.ends_with("/deployments") { r#"{"metadata": {"labels": {"app.kubernetes.io/name": "billing"}}}"# } else { "" };
        Answer::json(200, &format!(r#"{{"metadata": {{}}, "items": [{name}]}}"#))
    });
    let app = app("127.0.0.1:1", &[]).fake("kubectl", "exit 1");
    let config = format!(
        "current-context: it\nclusters: [{{name: it, cluster: {{server: \"http://{}\"}}}}]\ncontexts: [{{name: it, context: {{cluster: it}}}}]\n",
        api.host()
    );
    let app = app.home_file(".kube/kubeconfig-test", &config);
    let end = Instant::now() + PATIENCE;
    for (words, name) in [(&["delete", "b"][..], "billing"), (&["restart", "b"], "billing"), (&["secret", "show", "t"], "topsecret.txt")] {
        let folder = if words[0] == "restart" { PathBuf::from("/") } else { app.dir() };
        while offered_in(&folder, &app, words).0 != name {
            assert!(Instant::now() < end, "{words:?}: {:?}", offered_in(&folder, &app, words));
        }
    }
}

/// A line says which app it is about, as it does when it is run; options stand behind names; the words of `lain x` are another program's.
#[test]
fn what_stands_in_the_line_counts() {
    let app = app("127.0.0.1:1", &[]).file("more.yaml", "deployments: {worker: {command: [a]}}\n");
    let folder = app.dir().display().to_string();
    let of = |words: &[&str]| offered_in(Path::new("/"), &app, words).0;
    assert_eq!(of(&["logs", "w"]), "");
    assert_eq!(of(&["-C", &folder, "logs", "w"]), "web");
    assert_eq!(of(&["-C", &folder, "-f", "more.yaml", "logs", "wo"]), "worker");
    assert_eq!(of(&["logs", "-C", &folder, "--use", "prod", "w"]), "web");
    assert_eq!(offered(&app, &["use", ""]).0, "prod\ntest");
    assert!(offered(&app, &["use", "-"]).0.contains("--set-context"));
    assert_eq!(
        [&["x", "web", "--", ""][..], &["x", "web", ""], &["x", "--", ""]].map(|words| offered(&app, words).0.contains("web")),
        [false; 3]
    );
    assert_eq!(offered(&app, &["x", "w"]).0, "web");
    let app = app.env("LAIN_APP_DIR", &folder);
    assert_eq!(offered_in(Path::new("/"), &app, &["logs", "w"]).0, "web");
}
