//! `lain restart`, and where commands go.

use crate::support::Place;

const VALUES: &str = "\
deployments:
  web: {image: python:3.13-slim, imagePullPolicy: IfNotPresent, command: [sleep, \"1000\"], replicaCount: 1, terminationGracePeriodSeconds: 1}
";
const JOB: &str = "\
jobs:
  migrate: {image: python:3.13-slim, imagePullPolicy: IfNotPresent, command: [sleep, \"300\"], resources: {requests: {cpu: 1m}}}
";

#[test]
fn a_job_at_work_is_left_alone() {
    let place = Place::new("3.17.3").with_values(&format!("{VALUES}{JOB}"));
    place.lain(&["deploy", "--ignore-lint"]).ok();
    place.lain(&["wait"]).ok();
    let uid = |proc: &str| {
        let selector = format!("app.kubernetes.io/instance={}-{proc}", place.appname);
        let uids = place.kubectl(&["get", "pods", "--selector", &selector, "-o", "jsonpath={.items[*].metadata.uid}"]).ok().stdout;
        assert_eq!(uids.split_whitespace().count(), 1, "one {proc}: {uids}");
        uids
    };
    let (job, web) = (uid("migrate"), uid("web"));
    let ran = place.lain(&["restart", "--graceful"]).ok();
    assert!(!ran.stderr.contains(&format!("delete pod {}-migrate", place.appname)), "{}", ran.stderr);
    assert!(ran.stderr.contains("pod 1 of 1: waiting until "), "{}", ran.stderr);
    assert_eq!(uid("migrate"), job);
    assert_ne!(uid("web"), web);
    place.lain(&["restart", "migrate"]).exits(2).says("`migrate` ends by itself").says("next: lain deploy");
    place.lain(&["restart", "none"]).exits(2).says("there is no proc `none`");
}

/// As the older tool took them: by a selector, and by the release's name where no app is.
#[test]
fn by_selector_and_by_release() {
    let place = Place::new("3.17.3").with_values(VALUES);
    place.lain(&["deploy", "--ignore-lint"]).ok();
    place.lain(&["wait"]).ok();
    // The one before may still be on its way out.
    let newest = ["get", "pods", "--sort-by", ".metadata.creationTimestamp", "-o", "jsonpath={.items[-1:].metadata.uid}"];
    let uid = || place.kubectl(&newest).ok().stdout;
    let first = uid();
    let selector = format!("app.kubernetes.io/instance={}-web", place.appname);
    place.lain(&["restart", "-l", &selector, "--wait"]).ok().says(&format!("restarted what {selector} selects"));
    place.lain(&["wait"]).ok();
    let second = uid();
    assert!(!first.is_empty() && !second.is_empty() && second != first, "{first} {second}");
    place.lain(&["restart", "-l", "app.kubernetes.io/name=nobody"]).exits(1).says("no pods to restart");
    let elsewhere = place.root.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("a folder");
    let elsewhere = elsewhere.display().to_string();
    place.lain(&["-C", &elsewhere, "restart", &place.appname, "--graceful"]).ok().says("restarted");
    assert_ne!(uid(), second);
}

/// helm alone knows variables that name a namespace, a context or a server.
#[test]
fn helm_goes_where_kubectl_goes() {
    let place = Place::new("3.17.3").with_values(VALUES);
    // The namespace is the context's own; the cluster file names none.
    let cluster = place.root.path().join("clusters/values-test.yaml");
    let text = std::fs::read_to_string(&cluster).expect("cluster values");
    std::fs::write(&cluster, text.replace(&format!("namespace: {}\n", place.namespace), "")).expect("cluster values");
    place.kubectl(&["config", "set-context", "--current"]).ok();
    let place = place
        .with_env("HELM_NAMESPACE", "kube-public")
        .with_env("HELM_KUBECONTEXT", "none")
        .with_env("HELM_KUBEAPISERVER", "https://127.0.0.1:1");
    let ran = place.lain(&["deploy", "--ignore-lint"]).ok();
    let told = format!("--namespace {}", place.namespace);
    let echoed: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("helm ") || line.starts_with("kubectl ")).collect();
    assert!(echoed.len() > 1 && echoed.iter().all(|line| line.contains(&told) && line.contains("context ")), "{echoed:?}");
    for secret in [format!("sh.helm.release.v1.{}.v1", place.appname), format!("{}-env", place.appname)] {
        place.kubectl(&["get", "secret", &secret]).ok();
    }
}
