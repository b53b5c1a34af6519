//! What hangs: servers that take a request and never answer, children that do not end.

use std::fs;
use std::time::{Duration, Instant};

use crate::gate::Gate;
use crate::place::{HELM, Place, SLEEPER};
use crate::races::HOOK;
use crate::server::{Answer, Asked, Server};
use crate::support::{App, VALUES};

const REGISTRY: &str = "registry: 127.0.0.1:1/team\nnamespace: default\n";

/// A gate before the cluster of this place, which reaches it as `--cluster gate`.
fn gate_before(place: &Place) -> Gate {
    let gate = Gate::new();
    fs::write(place.home().join(".kube/kubeconfig-gate"), gate.kubeconfig()).expect("a kubeconfig");
    let values = place.root.path().join("clusters");
    fs::copy(values.join("values-test.yaml"), values.join("values-gate.yaml")).expect("cluster values");
    gate
}

/// an accident: a program ignores the request to end, and what it started holds its output open => it is killed with all that it started, and the command goes on to its reason
#[test]
fn a_child_that_will_not_end() {
    let app = App::new().fake("docker", "trap '' TERM INT\nsleep 300 &\nwhile :; do sleep 1; done").cluster("test", REGISTRY).using("test");
    app.tools(&["sleep"]).committed().run(&["build"]).exits(1).says("did not end within 20 s and was stopped").within(50);
}

/// an accident: a program ends, and what it left running holds its output open => lain takes what the program said and goes on
#[test]
fn a_grandchild_that_holds_the_pipe() {
    let script = "sleep 60 &\necho '{\"serverVersion\": {\"gitVersion\": \"v1.2.3\"}}'\necho 'the reason' >&2; exit 7";
    let app = App::new().fake("kubectl", script).tools(&["sleep", "helm"]).cluster("test", REGISTRY).using("test");
    app.committed().run(&["restart"]).exits(1).says("the reason").within(20);
}

/// the cluster: takes every change and never answers => the deploy ends soon after its `--timeout`, says that it may be half-way, and the next deploy goes on once that one is surely over
#[test]
fn changes_that_hang_end_with_the_deploy() {
    let place = Place::new(HELM).with_values(SLEEPER);
    let gate = gate_before(&place);
    place.lain(&["deploy", "--ignore-lint"]).ok();
    gate.hold(&["PATCH", "PUT", "DELETE"]);
    let started = Instant::now();
    let arguments = ["deploy", "--ignore-lint", "--cluster", "gate", "--timeout", "5", "--set", "deployments.web.command={sleep,1001}"];
    let ran =
        place.lain(&arguments).exits(1).says("did not end within 20 s and was stopped: the release may be half-way").says("lain status -s");
    assert!(started.elapsed() < Duration::from_secs(75), "{:?}\n{}", started.elapsed(), ran.stderr);
    assert!(gate.seen("PATCH") > 0, "something was held");
    // The mark that it is over could not be made either: whoever comes next is told to wait, and for how long.
    let ran = place.lain(&["deploy", "--ignore-lint"]);
    if ran.code == 3 && ran.stderr.contains("is being deployed by tester since") {
        ran.says("it counts as cut off").never_says("rollback");
    } else {
        ran.exits(3).says("is stuck in pending-upgrade");
    }
    while started.elapsed() < Duration::from_secs(80) {
        std::thread::sleep(Duration::from_millis(500));
    }
    place.lain(&["deploy", "--ignore-lint"]).exits(3).says("is stuck in pending-upgrade").says("lain rollback");
    place.lain(&["deploy", "--ignore-lint", "--auto-pilot"]).ok().says("going back first");
}

/// the cluster: takes a deletion and never answers => `restart` ends, says that it may yet be done, and asks only once
#[test]
fn a_deletion_that_hangs_ends() {
    let place = Place::new(HELM).with_values(SLEEPER);
    let gate = gate_before(&place);
    place.lain(&["deploy", "--ignore-lint"]).ok();
    gate.hold(&["DELETE"]);
    let started = Instant::now();
    place.lain(&["restart", "--cluster", "gate"]).exits(1).says("it may have done it, or do it yet").says("lain status -s");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert_eq!(gate.seen("DELETE"), 1, "what may have been done is not asked for again");
}

/// the cluster: hangs while its logs are followed => after 20 seconds lain says that it waits, after a minute it ends
#[test]
fn a_log_that_hangs_says_so() {
    let server = Server::new(|_| Answer::Hang);
    let app = App::new().tools(&["kubectl", "helm"]).cluster("test", REGISTRY).kubeconfig("test", &format!("http://{}", server.host()));
    let ran = app.using("test").run(&["logs"]).exits(1).says("has not answered for 2").says("still waiting for it");
    ran.reason("the log was ended").next("lain logs").within(100);
}

/// Enough of an API server for `kubectl get pods` to find none; `fault` comes first.
fn pods(fault: impl Fn(&Asked, usize) -> Option<Answer> + Send + Sync + 'static) -> Server {
    let count = std::sync::atomic::AtomicUsize::new(0);
    Server::new(move |asked| {
        if let Some(answer) = fault(asked, count.fetch_add(1, std::sync::atomic::Ordering::SeqCst)) {
            return answer;
        }
        Answer::json(
            200,
            match asked.target.split('?').next().unwrap_or_default() {
                "/api" => r#"{"kind":"APIVersions","versions":["v1"]}"#,
                "/api/v1" => {
                    r#"{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"pods","singularName":"pod","namespaced":true,"kind":"Pod","verbs":["get","list","delete"]}]}"#
                }
                "/apis" => r#"{"kind":"APIGroupList","apiVersion":"v1","groups":[]}"#,
                _ => r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[]}"#,
            },
        )
    })
}

fn restart(server: &Server) -> crate::support::Ran {
    let app = App::new().values(VALUES).tools(&["kubectl", "helm"]).cluster("test", REGISTRY);
    app.kubeconfig("test", &format!("http://{}", server.host())).using("test").run(&["restart"])
}

/// the cluster: fails for a moment (500, 503, 429, a connection cut off) => what only asks is asked again, which one line says
#[test]
fn a_moment_of_failure_passes() {
    for status in [500, 503, 429] {
        // kubectl asks five times before it gives up.
        let failing =
            pods(move |_, count| (count < 5).then(|| Answer::json(status, r#"{"kind":"Status","status":"Failure","message":"no"}"#)));
        let ran = restart(&failing).exits(1).says("the Kubernetes API server failed for a moment");
        assert_eq!(ran.stderr.matches("asking again").count(), 1, "{}", ran.stderr);
        ran.reason("no pods to restart");
    }
    let cut = pods(|_, count| (count < 2).then(|| Answer::Raw(vec![])));
    restart(&cut).exits(1).reason("no pods to restart");
}

/// the cluster: asks to come back later (429 and Retry-After) => a short wait is kept, a long one ends the command with the reason
#[test]
fn a_wait_that_the_server_asks_for() {
    let busy = |wait: &'static str, times: usize| {
        pods(move |_, count| {
            (count < times).then(|| Answer::json(429, r#"{"kind":"Status","status":"Failure"}"#).with("Retry-After", wait))
        })
    };
    let short = busy("2", 2);
    let started = Instant::now();
    restart(&short).exits(1).reason("no pods to restart");
    assert!(started.elapsed() >= Duration::from_secs(4), "both waits were kept: {:?}", started.elapsed());
    restart(&busy("3600", usize::MAX))
        .exits(1)
        .reason("takes too long, or asks to come back later")
        .next("kubectl get --raw /readyz")
        .within(50);
}

/// the cluster: refuses a change for a moment (503) => the change is not made twice; the command fails
#[test]
fn a_change_is_never_repeated() {
    let pod = r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"default","labels":{},"ownerReferences":[{"apiVersion":"apps/v1","kind":"ReplicaSet","name":"a","uid":"1","controller":true}]},"status":{"phase":"Running"}}]}"#;
    let server = pods(move |asked, _| match asked.method.as_str() {
        "DELETE" => Some(Answer::json(503, r#"{"kind":"Status","status":"Failure","code":503}"#)),
        _ if asked.target.contains("/pods") => Some(Answer::json(200, pod)),
        _ => None,
    });
    restart(&server).exits(1);
    assert_eq!(server.asked().iter().filter(|asked| asked.method == "DELETE").count(), 1);
}

/// the cluster: runs a hook that takes longer than `--timeout` => helm's own words on it, and nothing is left pending
#[test]
fn a_hook_that_takes_too_long() {
    let place = Place::new(HELM).with_values(&format!("{SLEEPER}{}", HOOK.replace("SECONDS", "300")));
    let started = Instant::now();
    place.lain(&["deploy", "--ignore-lint", "--timeout", "5"]).exits(1).says("timed out waiting").never_says("lain rollback");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
