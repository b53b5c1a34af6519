//! lain in a pod: the login is its service account's, and there is no kubeconfig.

use std::path::Path;

use serde_json::json;

use crate::support::{HELM, Place, Ran, SLEEPER, rig};

const CRON: &str = "cronjobs:
  nightly: {image: \"python:3.13-slim\", imagePullPolicy: IfNotPresent, schedule: \"0 3 1 1 *\", command: [sh, -c, \"echo nightly\"]}
";

/// A pod with this test's folders, lain and its tools, each where the machine has it, and an account that may edit the namespace.
fn pod(place: &Place) {
    place.kubectl(&["create", "rolebinding", "edits", "--clusterrole=edit", &format!("--serviceaccount={}:default", place.namespace)]).ok();
    let lain = Path::new(env!("CARGO_BIN_EXE_lain")).parent().expect("a folder").display().to_string();
    let folders = [place.root.path().display().to_string(), rig("LAIN_RIG_TOOLS"), lain.clone()];
    let volumes: Vec<_> =
        folders.iter().enumerate().map(|(at, path)| json!({"name": format!("v{at}"), "hostPath": {"path": path}})).collect();
    let mounts: Vec<_> = folders.iter().enumerate().map(|(at, path)| json!({"name": format!("v{at}"), "mountPath": path})).collect();
    let path = format!("{lain}:{0}/kubectl-1.21.0:{0}/helm-{HELM}:/usr/local/bin:/usr/bin:/bin", rig("LAIN_RIG_TOOLS"));
    let env = [("PATH", path), ("HOME", "/tmp".to_owned()), ("LAIN_CLUSTER", "test".to_owned()), ("NO_COLOR", "1".to_owned())];
    let env = env.into_iter().chain([("LAIN_CLUSTER_VALUES_DIR", place.root.path().join("clusters").display().to_string())]);
    let env: Vec<_> = env.map(|(name, value)| json!({"name": name, "value": value})).collect();
    let container = json!({"name": "lain", "image": "python:3.13-slim", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "1000"],
        "workingDir": place.app.display().to_string(), "env": env, "volumeMounts": mounts});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "inside"},
        "spec": {"containers": [container], "volumes": volumes, "terminationGracePeriodSeconds": 0}});
    let file = place.root.path().join("pod.json");
    std::fs::write(&file, pod.to_string()).expect("written");
    place.kubectl(&["apply", "-f", file.to_str().expect("text")]).ok();
    place.kubectl(&["wait", "--for=condition=Ready", "pod/inside", "--timeout=120s"]).ok();
}

#[test]
fn a_pod_acts_on_its_own_cluster() {
    let place = Place::new(HELM).with_values(&format!("{SLEEPER}{CRON}"));
    let cluster = place.root.path().join("clusters/values-test.yaml");
    let values = std::fs::read_to_string(&cluster).expect("cluster values");
    std::fs::write(&cluster, format!("{values}lain_image: python:3.13-slim\n")).expect("cluster values");
    place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
    pod(&place);
    let inside = |args: &[&str]| -> Ran { place.kubectl(&[&["exec", "inside", "--", "lain"], args].concat()) };
    let said = inside(&["doctor", "kubeconfig", "server", "rights"]);
    assert!(
        said.stdout.contains("by this pod's service account") && !said.stdout.contains("bad: server"),
        "{}{}",
        said.stdout,
        said.stderr
    );
    let status = inside(&["status", "-s"]).ok().stdout;
    assert!(status.contains("Running"), "{status}");
    inside(&["wait", &place.appname, "--timeout", "1m"]).ok();
    inside(&["history"]).ok();
    inside(&["create-job", "nightly"]).ok();
    // Its own Job goes when it ends.
    let job = inside(&["-C", "/tmp", "job", "-i", "--", "echo", "it ran"]).ok().never_says("is not removed");
    assert!(job.stdout.contains("it ran"), "{}", job.stdout);
    inside(&["restart", "web", "--wait"]).ok();
    inside(&["delete", &place.appname, "--yes"]).ok();
}
