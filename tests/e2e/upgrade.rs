//! Releases of the older tool's chart, and values files of its users, live on here.

use std::fs;
use std::process::Command;

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
