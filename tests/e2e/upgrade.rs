//! Releases of the older tool's chart, and values files of its users, live on here.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use crate::chart::helm;
use crate::support::Place;

/// The older tool's own chart, made by the older tool.
fn older_chart(place: &Place) {
    let rig = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/rig");
    let out = Command::new(rig).arg("old-lain").output().expect("the rig");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let lain = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let bin = std::path::Path::new(&lain).parent().expect("a folder");
    place.lain(&["use", "test"]).ok();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
    // It goes on to lint with tools of its own and may fail there; what counts is the chart it wrote.
    let _ = Command::new(&lain)
        .args(["init", "--appname", &place.appname])
        .current_dir(&place.app)
        .env("PATH", path)
        .env("HOME", place.home())
        .env("LAIN_CLUSTER_VALUES_DIR", place.root.path().join("clusters"))
        .output()
        .expect("the older tool");
    assert!(place.app.join("chart/templates/deployment.yaml").is_file(), "the older tool wrote a chart");
    place.edit("chart/values.yaml", |text| text.replace("base: python:latest", "base: python:3.13-slim"));
}

/// Everything a values file of the older tool may hold that makes objects.
const MORE: &str = r#"
statefulSets:
  store:
    replicaCount: 1
    command: [sleep, "100000"]
    resources: {limits: {cpu: 1000m, memory: 80Mi}, requests: {cpu: 10m, memory: 80Mi}}
deployments:
  scaled:
    replicaCount: 1
    hpa: {maxReplicas: 3}
    command: [sleep, "100000"]
    resources: {limits: {cpu: 1000m, memory: 80Mi}, requests: {cpu: 10m, memory: 80Mi}}
cronjobs:
  nightly:
    schedule: "0 17 * * *"
    command: [echo, done]
    resources: {limits: {cpu: 1000m, memory: 80Mi}, requests: {cpu: 10m, memory: 80Mi}}
"#;

#[test]
fn an_older_chart_deploys_unchanged_and_upgrades_in_place() {
    let place = Place::new("3.17.3");
    let app = place.appname.clone();
    fs::write(place.app.join("run.py"), include_str!("../../examples/dummy/run.py")).expect("run.py");
    let _ = Command::new("chmod").arg("+x").arg(place.app.join("run.py")).status();
    fs::write(place.app.join("requirements.txt"), "pytest\n").expect("requirements.txt");
    older_chart(&place);
    fs::write(place.app.join("chart/values-test.yaml"), MORE).expect("values-test.yaml");
    place.commit("an app of the older tool");
    place.lain(&["secret", "show"]).ok();

    // Its chart, its values, our tool.
    place.lain(&["deploy", "--build", "--wait"]).ok();
    place.answers(&format!("{app}-web"), "BAR");

    let kinds = "deployments,statefulsets,cronjobs,services,ingresses,horizontalpodautoscalers";
    let objects = || {
        place.kubectl(&["get", kinds, "-o", "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{\"\\n\"}{end}"]).ok().stdout
    };
    let (before, selectors) = (objects(), place.field("deployments", "{.items[*].spec.selector}"));
    for name in [
        format!("Deployment/{app}-web"),
        format!("StatefulSet/{app}-store"),
        format!("CronJob/{app}-nightly"),
        format!("Ingress/{app}-rig-example-com-{app}-web"),
        format!("HorizontalPodAutoscaler/{app}-scaled"),
    ] {
        assert!(before.contains(&name), "{name} in\n{before}");
    }
    let pods = || place.field("pods", "{range .items[*]}{.metadata.name} {.metadata.uid}{\"\\n\"}{end}");
    let pods_before = pods();

    // Our templates, the same values, plain helm: nothing is re-created and no pod is rolled.
    place.lain(&["init", "--template-only"]).ok();
    let tag = place.lain(&["meta"]).ok().stdout;
    let clusters = place.root.path().join("clusters/values-test.yaml");
    place
        .helm(&[
            "upgrade",
            &app,
            "chart",
            "-f",
            &clusters.to_string_lossy(),
            "-f",
            "chart/values-test.yaml",
            "--set-string",
            &format!("imageTag={},cluster=test,user=tester", tag.trim()),
            "--wait",
        ])
        .ok();
    let after = objects();
    for line in before.lines() {
        assert!(after.contains(line), "{line} was re-created:\n{after}");
    }
    assert_eq!(selectors, place.field("deployments", "{.items[*].spec.selector}"));
    assert_eq!(pods_before, pods(), "no pod template changed, so no pod was rolled");

    // And by our own deploy: pods now follow their Secrets, which rolls them once; objects stay.
    place.lain(&["deploy", "--wait"]).ok();
    for line in before.lines() {
        assert!(objects().contains(line), "{line} was re-created");
    }

    // helm 4, whose default is server-side apply for new releases, goes on with it.
    let helm4 = std::env::var("LAIN_RIG_TOOLS").expect("LAIN_RIG_TOOLS");
    let place = place.with_env("PATH", &format!("{helm4}/helm-4.3.1:{}", std::env::var("PATH").expect("PATH")));
    place.edit("chart/values.yaml", |text| text.replace("FOO: BAR", "FOO: BAZ"));
    place.lain(&["deploy", "--wait"]).ok();
    place.answers(&format!("{app}-web"), "BAZ");
}

/// An app of every kind of object, none of whose pods the list of differences names as replaced.
fn every_kind(place: &Place) -> String {
    let sleeper = "image: \"python:3.13-slim\"\n    imagePullPolicy: IfNotPresent\n    command: [sleep, \"100000\"]\n    \
                   terminationGracePeriodSeconds: 1\n    \
                   resources: {limits: {cpu: 1, memory: 80Mi}, requests: {cpu: 1m, memory: 8Mi}}\n";
    format!(
        "appname: {app}
registry: {registry}
domain: rig.example.com
imageTag: v1
cluster: test
namespace: {namespace}
ingressAnnotations: {{nginx.ingress.kubernetes.io/ssl-redirect: \"true\"}}
persistentVolumeClaims:
  data: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 10Mi}}}}}}
volumeMounts:
  - {{name: data, mountPath: /data}}
networkPolicy:
  spec: {{podSelector: {{matchLabels: {{app.kubernetes.io/name: nobody}}}}, policyTypes: [Ingress]}}
deployments:
  web:
    replicaCount: 2
    containerPort: 5000
    env: {{WORD: one}}
    {sleeper}
  scaled:
    replicaCount: 1
    hpa: {{maxReplicas: 2}}
    {sleeper}
statefulSets:
  store:
    replicaCount: 1
    {sleeper}
cronjobs:
  nightly:
    schedule: \"0 17 1 1 *\"
    {sleeper}
jobs:
  once:
    image: \"python:3.13-slim\"
    imagePullPolicy: IfNotPresent
    command: [echo, done]
ingresses:
  - {{host: {app}, deployName: web, paths: [/]}}
",
        app = place.appname,
        namespace = place.namespace,
        registry = Place::registry(),
    )
}

/// Every object of the release, and every pod: its id.
fn ids(place: &Place) -> BTreeMap<String, String> {
    let kinds = "deployments,replicasets,statefulsets,cronjobs,jobs,services,ingresses,horizontalpodautoscalers,persistentvolumeclaims,\
                 networkpolicies,pods";
    let path = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid}{\"\\n\"}{end}";
    let text = place.kubectl(&["get", kinds, "-o", path]).ok().stdout;
    text.lines().filter_map(|line| line.split_once(' ')).map(|(name, id)| (name.to_owned(), id.to_owned())).collect()
}

/// The older tool's chart in older/, ours in chart/, with the same values; both Secrets.
fn both_charts(place: &Place) {
    older_chart(place);
    fs::rename(place.app.join("chart"), place.app.join("older")).expect("the older chart");
    place.lain(&["init", "--appname", &place.appname]).ok();
    for chart in ["older", "chart"] {
        fs::write(place.app.join(chart).join("values.yaml"), every_kind(place)).expect("values");
    }
    for secret in ["env", "secret"] {
        place.kubectl(&["create", "secret", "generic", &format!("{}-{secret}", place.appname), "--from-literal=A=b"]).ok();
    }
}

#[test]
fn every_kind_of_object_outlives_the_change_of_charts() {
    // helm 3 goes on as before; helm 4 of itself does as the release was made, and with server-side apply when told to.
    for (version, more) in [("3.17.3", &[][..]), ("4.3.1", &[]), ("4.3.1", &["--server-side=true"])] {
        let place = Place::new("3.17.3");
        let app = place.appname.clone();
        both_charts(&place);
        helm(&place, "3.9.4", &["install", &app, "older", "--wait", "--wait-for-jobs", "--timeout", "3m"]).ok();
        let before = ids(&place);
        for kind in [
            "Deployment/APP-web",
            "Deployment/APP-scaled",
            "StatefulSet/APP-store",
            "CronJob/APP-nightly",
            "Job/APP-once",
            "Service/APP-web",
            "Ingress/APP-rig-example-com-APP-web",
            "HorizontalPodAutoscaler/APP-scaled",
            "PersistentVolumeClaim/APP-data",
            "NetworkPolicy/APP",
            "Pod/APP-store-0",
        ] {
            assert!(before.contains_key(&kind.replace("APP", &app)), "{kind} in {before:?}");
        }
        let upgrade = |more: &[&str]| helm(&place, version, &[&["upgrade", &app, "chart", "--wait", "--timeout", "3m"], more].concat());
        upgrade(more).ok();
        let mut after = ids(&place);
        // The one thing that is new, as docs/chart-differences.md says.
        assert!(after.remove(&format!("Service/{app}-store")).is_some(), "{after:?}");
        assert_eq!(after, before, "helm {version} {more:?}: nothing was made anew, no pod was replaced");
        assert_eq!(place.field(&format!("deployment/{app}-scaled"), "{.spec.replicas}"), "1");

        // And on from there, with a change.
        upgrade(&[more, &["--set", "deployments.web.env.WORD=two,deployments.web.replicaCount=1"]].concat()).ok();
        let web = format!("deployment/{app}-web");
        assert_eq!(place.field(&web, "{.spec.template.spec.containers[0].env[?(@.name==\"WORD\")].value}"), "two");
        assert_eq!(place.field(&web, "{.spec.replicas}"), "1");
    }
}
