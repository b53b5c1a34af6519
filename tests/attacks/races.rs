//! Two runs at once on one release: nobody is told to undo what the other does.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::place::{Place, SLEEPER};

/// A hook that takes a while.
pub const HOOK: &str = "\
jobs:
  slow:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    annotations: {\"helm.sh/hook\": \"pre-install,pre-upgrade\", \"helm.sh/hook-delete-policy\": before-hook-creation}
    command: [sleep, \"SECONDS\"]
    activeDeadlineSeconds: 400
    resources:
      limits: {cpu: 1000m, memory: 64Mi}
      requests: {cpu: 10m, memory: 32Mi}
";

struct Running {
    child: Child,
    log: std::path::PathBuf,
}

fn start(place: &Place, name: &str, args: &[&str]) -> Running {
    let log = place.root.path().join(format!("{}.log", name.split('-').next().expect("a name")));
    let file = fs::File::create(&log).expect("a log");
    let child = place.lain_command(args).env("USER", name).stdout(Stdio::null()).stderr(file).spawn().expect("lain runs");
    Running { child, log }
}

impl Running {
    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(mut self) -> (i32, String) {
        let code = self.child.wait().expect("an end").code().unwrap_or(-1);
        (code, self.said())
    }
}

/// Waits until helm has written that it is at work.
fn under_way(place: &Place, status: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while !place.helm(&["status", &place.appname]).stdout.contains(status) {
        assert!(Instant::now() < end, "never {status}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn second_waits(helm: &str) {
    let place = Place::new(helm).with_values(&format!("{SLEEPER}{}", HOOK.replace("SECONDS", "12")));
    for status in ["pending-install", "pending-upgrade"] {
        let first = start(&place, "ada-via-https://git.example.com/jobs/7", &["deploy", "--ignore-lint"]);
        under_way(&place, status);
        for args in [&["deploy", "--ignore-lint"][..], &["deploy", "--ignore-lint", "--auto-pilot"], &["rollback"], &["delete", "--yes"]] {
            let ran = place.lain(args).exits(3).says("is being deployed by ada (https://git.example.com/jobs/7) since 20").says(status);
            ran.says("next: lain status -s # wait until it is done").never_says("cut off:").never_says("lain rollback").never_says("stuck");
        }
        let (code, said) = first.end();
        assert_eq!(code, 0, "the first is not disturbed: {said}");
    }
    let history = place.helm(&["history", &place.appname]).ok().stdout;
    assert_eq!(history.lines().count(), 3, "two revisions, both of the first: {history}");
}

/// an accident: a second deploy, rollback or deletion while a deploy runs (helm 3) => it hears whose deploy runs since when, and to wait; nothing is undone, with `--auto-pilot` neither
#[test]
fn the_second_waits_for_the_first() {
    second_waits("3.17.3");
}

/// an accident: the same with helm 4 => the same
#[test]
fn the_second_waits_for_the_first_with_helm_4() {
    second_waits("4.3.1");
}

fn together(helm: &str) {
    let place = Place::new(helm).with_values(&format!("{SLEEPER}{}", HOOK.replace("SECONDS", "4")));
    for round in 0..3 {
        let names = ["ada", "bob", "eve"];
        let running: Vec<Running> = names.iter().map(|name| start(&place, name, &["deploy", "--ignore-lint"])).collect();
        let ends: Vec<(i32, String)> = running.into_iter().map(Running::end).collect();
        let all = ends.iter().fold(String::new(), |all, (code, said)| all + &format!("--- {code}\n{said}"));
        let won = ends.iter().filter(|(code, _)| *code == 0).count();
        assert!(won >= 1, "round {round}: somebody wins\n{all}");
        for (code, said) in ends.iter().filter(|(code, _)| *code != 0) {
            assert_eq!(*code, 3, "round {round}: who came second is refused\n{all}");
            assert!(!said.contains("lain rollback"), "round {round}: nobody is told to undo it\n{all}");
            assert!(said.contains("wait until it is done") && said.contains("deployed by "), "round {round}\n{all}");
        }
        assert!(place.helm(&["status", &place.appname]).ok().stdout.contains("STATUS: deployed"), "round {round}\n{all}");
    }
}

/// an accident: three deploys start at the same moment (helm 3) => one goes through; the others hear who was quicker, and nobody is told to undo it
#[test]
fn together_one_wins() {
    together("3.17.3");
}

/// an accident: the same with helm 4 => the same
#[test]
fn together_one_wins_with_helm_4() {
    together("4.3.1");
}
