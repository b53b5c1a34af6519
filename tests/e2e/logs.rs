//! `lain logs`: what there is, also of containers that ended.

use std::time::{Duration, Instant};

use crate::support::Place;

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
    let said = place.lain(&["logs", "--previous"]).ok().stdout;
    assert_eq!(said, "boom\n");
}
