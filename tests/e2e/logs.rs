//! `lain logs`: what there is, also of containers that ended.

use std::time::{Duration, Instant};

use crate::support::{Place, Ran};

#[test]
fn previous_shows_what_there_is() {
    let place = Place::new("3.17.3").with_values("deployments: {web: {command: [sleep, '1']}}\n");
    place.lain(&["logs", "--previous"]).exits(1).says("there are no pods to read logs of").says("next: lain status -s");
    let app = place.appname.clone();
    // Made by hand: one container of two has ended before.
    let container = |name: &str, script: &str| serde_json::json!({"name": name, "image": "debian:trixie-slim", "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", script]});
    let calm = container("calm", "echo calm; exec sleep 1000");
    let pod = |name: &str, containers: &[&serde_json::Value]| {
        let labels = serde_json::json!({"app.kubernetes.io/name": app, "helm.sh/chart": app});
        let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"containers": containers, "terminationGracePeriodSeconds": 0}});
        let file = place.tmp().join(format!("{name}.json"));
        std::fs::write(&file, pod.to_string()).expect("a pod");
        place.kubectl(&["apply", "-f", file.to_str().expect("text")]).ok();
    };
    pod("still", &[&calm]);
    place.lain(&["logs", "--previous"]).exits(1).says("no container has ended and been started again").says("next: lain logs");
    // The kubelet keeps the log of one ended container: what runs now must not end while it is read.
    pod("crashing", &[&calm, &container("boom", "echo boom; sleep 10; exit 1")]);
    let end = Instant::now() + Duration::from_secs(60);
    while place.field("pod/crashing", "{.status.containerStatuses[?(@.name==\"boom\")].restartCount}").parse::<u64>().unwrap_or(0) == 0 {
        assert!(Instant::now() < end, "it was never started again");
        std::thread::sleep(Duration::from_millis(300));
    }
    let ran = place.lain(&["logs", "--previous"]).ok().says("never started again, so without an earlier log: crashing/calm, still/calm");
    assert_eq!(ran.stdout, "boom\n");

    // Each kubectl tells several apart in one manner.
    for version in ["1.20.2", "1.37.1"] {
        let tools = std::env::var("LAIN_RIG_TOOLS").expect("the rig");
        let mut command = place.lain_command(&["logs", "--no-follow", "--since", "1h"]);
        let path = format!("{tools}/kubectl-{version}:{}", std::env::var("PATH").expect("PATH"));
        let said = Ran::of(&command.env("PATH", path).output().expect("lain runs")).ok().stdout;
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines, ["[pod/crashing/calm] calm", "[pod/crashing/boom] boom", "[pod/still/calm] calm"], "kubectl {version}");
    }
}

#[test]
fn an_image_without_a_shell_says_so() {
    let place = Place::new("3.17.3").with_values("deployments: {web: {command: [/pause]}}\n");
    let app = place.appname.clone();
    place.lain(&["x"]).exits(1).says(&format!("no pod of {app}-web is running")).says(&format!("there is no {app}-web in namespace"));
    let labels = serde_json::json!({"app.kubernetes.io/instance": format!("{app}-web")});
    let pod = serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "labels": labels},
        "spec": {"containers": [{"name": "web", "image": "pause:local", "imagePullPolicy": "Never"}], "terminationGracePeriodSeconds": 0}});
    let file = place.tmp().join("bare.json");
    std::fs::write(&file, pod.to_string()).expect("a pod");
    place.kubectl(&["apply", "-f", file.to_str().expect("text")]).ok();
    place.kubectl(&["wait", "--for=condition=Ready", "pod/bare", "--timeout=60s"]).ok();
    let ran = place.lain(&["x", "web"]).exits(1).says("the image of container web has no shell, neither bash nor sh");
    ran.says("next: kubectl debug -it bare --image busybox --target web").says("next: lain x web PROGRAM");
    assert_ne!(place.lain(&["x", "web", "nosuch"]).code, 0);
}
