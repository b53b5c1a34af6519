//! An account that may touch its own namespace alone: what a team's pipeline often has.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::Place;

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
    place.kubectl(&["create", "serviceaccount", "team"]).ok();
    place.kubectl(&["create", "rolebinding", "team", "--role=team", &format!("--serviceaccount={}:team", place.namespace)]).ok();
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
