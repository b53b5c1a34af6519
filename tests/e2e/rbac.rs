//! An account that may touch its own namespace alone: what a team's pipeline often has.

use std::fs;
use std::time::{Duration, Instant};

use crate::panel::Screen;
use crate::support::{HELM, Place, SLEEPER};

const ROLE: &str = r#"{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "team"}, "rules": [{
    "apiGroups": ["", "apps", "batch", "networking.k8s.io", "autoscaling"], "verbs": ["*"],
    "resources": ["secrets", "configmaps", "services", "pods", "pods/log", "pods/exec", "persistentvolumeclaims", "deployments", "statefulsets",
                  "replicasets", "jobs", "cronjobs", "ingresses", "networkpolicies", "horizontalpodautoscalers"]}]}"#;

const VALUES: &str = "\
deployments:
  web:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sleep, \"1000\"]
    replicaCount: 1
    terminationGracePeriodSeconds: 0
    nodes: [NODE]
    resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}
";

/// From now on the kubeconfig of `place` is a service account's that may do what [`ROLE`] says: no nodes, no Leases, no events.
fn as_a_team(place: &Place) {
    let role = place.root.path().join("role.json");
    fs::write(&role, ROLE).expect("a role");
    place.kubectl(&["apply", "-f", &role.to_string_lossy()]).ok();
    place.kubectl(&["create", "rolebinding", "team", "--role=team", &format!("--serviceaccount={}:team", place.namespace)]).ok();
    as_an_account(place);
}

/// From now on the kubeconfig of `place` is a service account's that may do nothing, but for what was bound to it.
fn as_an_account(place: &Place) {
    place.kubectl(&["create", "serviceaccount", "team"]).ok();
    let end = Instant::now() + Duration::from_secs(60);
    let token = loop {
        let secret = place.field("serviceaccount/team", "{.secrets[0].name}");
        if !secret.is_empty() {
            break place.kubectl(&["get", "secret", &secret, "-o", "go-template={{.data.token | base64decode}}"]).ok().stdout;
        }
        assert!(Instant::now() < end, "no token for the account");
        std::thread::sleep(Duration::from_millis(200));
    };
    place.kubectl(&["config", "set-credentials", "team", &format!("--token={token}")]).ok();
    place.kubectl(&["config", "set-context", "--current", "--user=team"]).ok();
}

#[test]
fn an_account_of_one_namespace_deploys() {
    let admin = Place::new("3.17.3");
    let node = admin.field("nodes", "{.items[0].metadata.name}");
    let place = Place::new("3.17.3").with_values(&VALUES.replace("NODE", &node));
    let label = format!("{}-web", place.appname);
    place.kubectl(&["label", "node", &node, &format!("{label}=true")]).ok();
    as_a_team(&place);
    place.kubectl(&["get", "nodes"]).exits(1).says("cannot list resource \"nodes\"");

    let ran = place.lain(&["deploy", "--ignore-lint", "--wait"]).ok().says(&format!("deployment/{label}: 1/1 ready"));
    for words in ["may not make Leases (403)", "may not look at or label nodes (403)"] {
        assert_eq!(ran.stderr.matches(words).count(), 1, "one line of `{words}`: {}", ran.stderr);
    }
    place.lain(&["status", "-s"]).ok();
    place.lain(&["restart", "--wait"]).ok();
    for args in [&["logs", "web", "--no-follow"][..], &["x", "web", "--", "true"], &["version"], &["history"], &["get-values"], &["cherry"]]
    {
        place.lain(args).ok();
    }
    let without_logs = r#"[{"op": "remove", "path": "/rules/0/resources/4"}]"#;
    admin.kubectl(&["patch", "role", "team", "--namespace", &place.namespace, "--type", "json", "--patch", without_logs]).ok();
    for args in [&["logs"][..], &["logs", "--no-follow"], &["logs", "web", "--previous"]] {
        place.lain(args).exits(1).says(&format!("this account may not read logs in namespace {} (403)", place.namespace));
    }
    place.lain(&["env", "add", "A=b"]).ok();
    // Why a pod does not come up is not to be seen without events: that is said, once it matters.
    place.edit("chart/values.yaml", |text| {
        text.replace("    replicaCount", "    readinessProbe: {exec: {command: [\"false\"]}}\n    replicaCount")
    });
    place.commit("it never serves");
    place
        .lain(&["deploy", "--ignore-lint", "--wait", "--timeout", "15"])
        .exits(1)
        .says("not ready after 15 s")
        .says("may not list events (403)");
    let status = place.lain(&["status", "--exit-code"]).exits(3).stdout;
    assert!(
        status.contains("not to be seen\nevents: this account may not list them (403)\n") && status.contains("started, not ready yet"),
        "{status}"
    );
    place.lain(&["rollback", "--wait"]).ok();
    place.lain(&["delete", "--yes"]).ok();
    admin.kubectl(&["label", "node", &node, &format!("{label}-")]).ok();
    admin.kubectl(&["delete", "namespace", &place.namespace, "--wait=false"]).ok(); // the account itself may not
}

/// Commands that only look, and what is seen by the account of one namespace: the exit code, and words.
const LOOKS: &[(&[&str], i32, &str)] = &[
    (&["status", "-s"], 0, "Running"),
    (&["logs", "web", "--no-follow"], 0, ""),
    (&["x", "web", "--", "echo", "inside"], 0, "inside"),
    (&["version"], 0, "web"),
    (&["tags"], 0, "has no tags yet"),
    (&["history"], 0, "install"),
    (&["get-values"], 0, "imageTag"),
    (&["admin", "get", "pods", "--annotations", "x"], 0, "alone: this account may not read the others"),
    (&["admin", "get", "cm", "--annotations", "x"], 0, "alone: this account may not read the others"),
    (&["admin", "get", "nodes", "--annotations", "x"], 1, "does not allow it (403)"),
    (&["admin", "list-singletons"], 0, "alone: this account may not read the others"),
    (&["admin", "delete-bad-pod", "--dry-run"], 0, "nothing to delete"),
    (&["admin", "delete-bad-ing", "--dry-run"], 0, "nothing to delete"),
    (&["admin", "x", "--", "true"], 0, "1 succeeded, 0 failed, 0 not reached"),
    (&["admin", "unlock"], 3, "may not look at Leases (403)"),
];

#[test]
fn each_command_says_what_it_may_not_see() {
    let admin = Place::new(HELM);
    let place = Place::new(HELM).with_values(SLEEPER);
    place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
    let kubeconfig = place.home().join(".kube/kubeconfig-test");
    let master = fs::read_to_string(&kubeconfig).expect("a kubeconfig");
    // An account that may see nothing: each says so, and what to do about it.
    as_an_account(&place);
    for (args, _, _) in LOOKS.iter().filter(|(args, _, _)| !matches!(args[0], "status" | "tags")) {
        let ran = place.lain(args);
        let said: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("(403)")).collect();
        // What lain is, and helm, is shown all the same.
        assert!((ran.code != 0) != (args[0] == "version") && said.len() == 1, "{args:?} ends with {}\n{}", ran.code, ran.stderr);
        assert!(
            ran.stderr.lines().last().is_some_and(|last| last.starts_with("next: ") || last.starts_with("tip: ")),
            "{args:?}\n{}",
            ran.stderr
        );
    }
    let status = place.lain(&["status", "-s"]).ok().says("next: lain doctor rights").stdout;
    assert!(status.contains("no pods are to be seen") && status.contains("\npods: this account may not list them (403)\n"), "{status}");
    place.lain(&["tags"]).ok();
    let screen = Screen::new(&place, 80, 24);
    screen.keys(&[&format!("{} status; echo ended with $?", env!("CARGO_BIN_EXE_lain")), "Enter"]);
    screen.says("pods: this account may not list them (403)");
    screen.keys(&["q"]);
    screen.says("ended with 0");
    // One that may see its own namespace.
    fs::write(&kubeconfig, master).expect("a kubeconfig");
    place.kubectl(&["delete", "serviceaccount", "team"]).ok();
    as_a_team(&place);
    for (args, code, words) in LOOKS {
        let ran = place.lain(args);
        assert!(
            ran.code == *code && (ran.stdout.contains(words) || ran.stderr.contains(words)),
            "{args:?} ends with {}\n{}{}",
            ran.code,
            ran.stdout,
            ran.stderr
        );
        assert_eq!(ran.stderr.matches("(403)").count(), usize::from(*code != 0), "{args:?}\n{}", ran.stderr);
    }
    screen.keys(&[&format!("clear; {} status; echo ended with $?", env!("CARGO_BIN_EXE_lain")), "Enter"]);
    screen.says("PODS 1: 1 good");
    screen.keys(&["e"]);
    screen.says("this account may not list events (403)");
    admin.kubectl(&["delete", "namespace", &place.namespace, "--wait=false"]).ok();
}
