//! The lock of a release: who holds it, who waits, who takes it over, and that it is given back.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{HELM, Place, Ran};

const VALUES: &str = "\
deployments:
  web: {image: python:3.13-slim, imagePullPolicy: IfNotPresent, command: [sleep, \"1000\"], replicaCount: 1, terminationGracePeriodSeconds: 1}
";
const HOOK: &str = "\
jobs:
  slow:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    annotations: {\"helm.sh/hook\": pre-upgrade, \"helm.sh/hook-delete-policy\": before-hook-creation}
    command: [sleep, \"100\"]
    resources: {requests: {cpu: 1m}}
";
/// Somebody else's lock, by clocks that are far off.
const LEASE: &str = r#"{"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "lain-APP",
    "annotations": {"lain.dev/run": "other", "lain.dev/doing": "rollback", "lain.dev/until": "2026-01-01T00:05:00Z"}},
    "spec": {"holderIdentity": "eve-via-https://git.example.com/jobs/9", "leaseDurationSeconds": LIVES,
    "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "RENEWED.000000Z"}}"#;

fn lock(place: &Place, lives: u32, renewed: &str) {
    let lease = LEASE.replace("APP", &place.appname).replace("LIVES", &lives.to_string()).replace("RENEWED", renewed);
    let mut child = place.kubectl_command(&["create", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("kubectl");
    child.stdin.take().expect("stdin").write_all(lease.as_bytes()).expect("a pipe");
    assert!(child.wait().expect("an end").success());
}

fn leases(place: &Place) -> String {
    place.kubectl(&["get", "leases", "-o", "name"]).ok().stdout
}

/// Until the log of a run that goes on holds these words.
fn until_said(log: &std::path::Path, words: &str) {
    let end = Instant::now() + Duration::from_secs(60);
    while !fs::read_to_string(log).unwrap_or_default().contains(words) {
        assert!(Instant::now() < end, "never `{words}`:\n{}", fs::read_to_string(log).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_second_run_waits_or_says_whose_it_is() {
    let place = Place::new(HELM).with_values(VALUES);
    place.lain(&["deploy", "--ignore-lint"]).ok();
    assert_eq!(leases(&place), "", "given back");

    // Its own times say that it is long over; the server wrote it just now.
    lock(&place, 60, "2026-01-01T00:00:01");
    let words =
        "is being rolled back by eve (https://git.example.com/jobs/9) since 2026-01-01 00:00:00 UTC, until 00:05:00 UTC at the latest";
    for args in [&["deploy", "--ignore-lint"][..], &["redeploy"], &["rollback"], &["delete", "--yes"]] {
        let ran = place.lain(args).exits(3).says(words).says("next: lain status -s # wait until it is done, then the same command again");
        ran.says(&format!("next: lain admin unlock {}", place.appname)).never_says("waiting for it");
    }
    // A pipeline waits, within its time.
    let ci = |args: &[&str]| Ran::of(&place.lain_command(args).env("CI", "true").output().expect("lain runs"));
    ci(&["deploy", "--ignore-lint", "--timeout", "3s"])
        .exits(3)
        .says("waiting for it, 3 s at most; Ctrl-C leaves")
        .says("3 s were not enough");
    let log = place.root.path().join("second.log");
    let file = fs::File::create(&log).expect("a log");
    let mut second =
        place.lain_command(&["deploy", "--ignore-lint"]).env("CI", "true").stderr(file).stdout(Stdio::null()).spawn().expect("lain");
    until_said(&log, "waiting for it");

    place
        .lain(&["admin", "unlock"])
        .exits(3)
        .says(words)
        .says("; last renewed ")
        .says("there is no terminal to ask at")
        .says("unlock dummy-")
        .says("--yes");
    place.lain(&["admin", "unlock", "--yes"]).ok().says(words).says("broke the lock");
    place.lain(&["admin", "unlock", "nobodys", "--yes"]).ok().says("nobody holds the lock of release nobodys");
    assert!(second.wait().expect("an end").success(), "it goes on: {}", fs::read_to_string(&log).expect("a log"));
    assert_eq!(leases(&place), "");

    // The other way round: its own times say that it lives, and it was not renewed for longer than that.
    lock(&place, 1, "2036-01-01T00:00:00");
    std::thread::sleep(Duration::from_secs(3));
    let ran = place.lain(&["deploy", "--ignore-lint"]).ok();
    ran.says("was left behind by eve (https://git.example.com/jobs/9) and not renewed since 2036-01-01 00:00:00 UTC: taken over");
    assert_eq!(leases(&place), "");

    // --force asks nobody.
    lock(&place, 60, "2026-01-01T00:00:01");
    place.lain(&["delete", "--force"]).ok().says(words).says("going on all the same (--force)");
}

#[test]
fn it_is_given_back_on_every_way_out() {
    let place = Place::new(HELM).with_values(&format!("{VALUES}{HOOK}"));
    place.lain(&["deploy", "--ignore-lint"]).ok();
    place.lain(&["deploy", "--ignore-lint", "--set", "deployments.web.replicaCount=x"]).exits(1);
    assert_eq!(leases(&place), "", "after an error");
    for signal in ["-INT", "-TERM"] {
        let log = place.root.path().join("cut.log");
        let file = fs::File::create(&log).expect("a log");
        let args = ["deploy", "--ignore-lint", "--auto-pilot"];
        let mut child =
            place.lain_command(&args).env("USER", "a\"b,c={$(x)}\n-d").stderr(file).stdout(Stdio::null()).spawn().expect("lain");
        until_said(&log, "helm upgrade");
        assert_eq!(leases(&place), format!("lease.coordination.k8s.io/lain-{}\n", place.appname));
        let held = place.field(&format!("lease/lain-{}", place.appname), "{.spec.holderIdentity}");
        assert_eq!(held, "a\"b,c={$(x)}\n-d", "plain text, whatever it is");
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
        assert_eq!(child.wait().expect("an end").code(), Some(130), "{}", fs::read_to_string(&log).expect("a log"));
        assert_eq!(leases(&place), "", "after {signal}");
    }
}

/// A service account for its namespace alone: all that helm needs, and no Leases.
#[test]
fn without_the_right_to_leases_it_goes_on() {
    let place = Place::new(HELM).with_values(VALUES);
    let user = format!("system:serviceaccount:{}:robot", place.namespace);
    place
        .kubectl(&[
            "create",
            "role",
            "robot",
            "--verb=*",
            "--resource=secrets,services,pods,pods/log,deployments.apps,replicasets.apps,statefulsets.apps,jobs.batch",
        ])
        .ok();
    place.kubectl(&["create", "rolebinding", "robot", "--role=robot", &format!("--serviceaccount={}:robot", place.namespace)]).ok();
    let kubeconfig = place.home().join(".kube/kubeconfig-test");
    let text = fs::read_to_string(&kubeconfig).expect("a kubeconfig");
    assert!(text.contains("user: {token: "), "{text}");
    fs::write(&kubeconfig, text.replace("user: {token: ", &format!("user: {{as: \"{user}\", token: "))).expect("a kubeconfig");
    let as_robot = place.kubectl(&["auth", "can-i", "create", "leases"]);
    assert_eq!(as_robot.stdout.trim(), "no", "{} {}", as_robot.stdout, as_robot.stderr);
    let ran = place.lain(&["deploy", "--ignore-lint"]).ok();
    assert_eq!(ran.stderr.matches("warning: this account may not make Leases (403)").count(), 1, "{}", ran.stderr);
    fs::write(&kubeconfig, text).expect("a kubeconfig");
}

/// Each a process of its own: all who wait get their turn, and what one was told is done is there.
#[test]
fn many_at_once_lose_nothing() {
    let place = Place::new(HELM).with_values(VALUES);
    let start = |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = place.lain_command(&args);
        command.env("CI", "true").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("lain runs")
    };
    let ends = |running: Vec<std::process::Child>| -> Vec<Ran> {
        running.into_iter().map(|child| Ran::of(&child.wait_with_output().expect("an end"))).collect()
    };
    let deploy = |n: u32| {
        ["deploy", "--ignore-lint", "--timeout", "10m", "--set"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("deployments.web.env.N=n{n}")])
    };
    for ran in ends((0..4).map(|n| start(deploy(n).collect())).collect()) {
        ran.ok();
    }
    let history = place.helm(&["history", &place.appname]).ok().stdout;
    assert!(
        history.lines().count() == 5 && history.lines().last().is_some_and(|last| last.starts_with('4') && last.contains("deployed")),
        "{history}"
    );

    let edits = (0..6).map(|n| start(vec!["env".into(), "add".into(), format!("KEY_{n}=value")])).collect();
    let ends = ends(edits);
    assert!(ends.iter().any(|ran| ran.code == 0));
    for (n, ran) in ends.into_iter().enumerate() {
        if ran.code != 0 {
            assert!(ran.stderr.contains("error: ") && (ran.stderr.contains("next: ") || ran.stderr.contains("tip: ")), "{}", ran.stderr);
            continue;
        }
        assert_eq!(place.field(&format!("secret/{}-env", place.appname), &format!("{{.data.KEY_{n}}}")), "dmFsdWU=", "KEY_{n} is there");
    }
    assert_eq!(leases(&place), "");
}
