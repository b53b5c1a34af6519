//! Releases of the older tool's chart, and values files of its users, live on here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

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

/// What helm keeps of a revision, with other words in it.
fn rewrite_record(place: &Place, release: &str, revision: u32, change: impl Fn(&str) -> String) {
    let name = format!("sh.helm.release.v1.{release}.v{revision}");
    let packed = place.field(&format!("secret/{name}"), "{.data.release}");
    let zipped = STANDARD.decode(STANDARD.decode(packed).expect("base64")).expect("base64");
    let mut text = String::new();
    GzDecoder::new(&zipped[..]).read_to_string(&mut text).expect("gzip");
    let changed = change(&text);
    assert_ne!(changed, text, "{text}");
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    zip.write_all(changed.as_bytes()).expect("gzip");
    let packed = STANDARD.encode(STANDARD.encode(zip.finish().expect("gzip")));
    place.kubectl(&["patch", "secret", &name, "--patch", &format!("{{\"data\":{{\"release\":\"{packed}\"}}}}")]).ok();
}

/// As a release made before the server dropped these versions: this one never had `extensions/v1beta1`.
fn as_made_long_ago(place: &Place, release: &str, revision: u32) {
    rewrite_record(place, release, revision, |text| {
        text.replace(r"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy", r"apiVersion: extensions/v1beta1\nkind: NetworkPolicy")
            .replace(r"apiVersion: apps/v1\nkind: Deployment", r"apiVersion: apps/v1beta2\nkind: Deployment")
    });
}

const POLICY: &str = "networkPolicy:\n  spec: {podSelector: {matchLabels: {app.kubernetes.io/name: nobody}}, policyTypes: [Ingress]}\n";

#[test]
fn a_release_with_api_versions_that_are_gone_goes_on() {
    for version in ["3.9.4", "3.17.3", "4.3.1"] {
        let place = Place::new(version).with_dummy();
        let app = place.appname.clone();
        place.edit("chart/values-test.yaml", |text| text + POLICY);
        place.commit("a network policy");
        place.lain(&["deploy", "--build", "--wait"]).ok();
        let before = ids(&place);
        as_made_long_ago(&place, &app, 1);

        // helm alone cannot go on, and neither can a look at what would happen.
        let gone = "from current release manifest";
        place.helm(&["upgrade", &app, "chart", "--reuse-values"]).exits(1).says(gone);
        place.lain(&["deploy", "--dry-run"]).exits(1).says(gone).says("next: lain deploy # mends");
        let diff = place.lain(&["diff"]).ok().stdout;
        assert!(
            diff.contains("apiVersion: extensions/v1beta1 -> networking.k8s.io/v1") && diff.contains("lain deploy mends it first"),
            "{diff}"
        );

        place.edit("chart/values-test.yaml", |text| text + "env: {MORE: \"yes\"}\n");
        let ran = place.lain(&["deploy", "--wait"]).ok();
        for words in [
            &format!("helm's record of release {app}, revision 1, is mended first; what runs is not touched")[..],
            &format!("Deployment {app}-web: apps/v1 instead of apps/v1beta2, which this server does not serve"),
            &format!("NetworkPolicy {app}: networking.k8s.io/v1 instead of extensions/v1beta1, which this server does not serve"),
        ] {
            assert!(ran.stderr.contains(words), "`{words}` in\n{}", ran.stderr);
        }
        let after = ids(&place);
        for object in [format!("Deployment/{app}-web"), format!("NetworkPolicy/{app}")] {
            assert_eq!(after.get(&object), before.get(&object), "{object}");
        }
        let history = place.helm(&["history", &app]).ok().stdout;
        assert!(history.contains("Install complete; record mended by lain"), "{history}");
        assert!(!place.lain(&["deploy", "--wait", "--set", "env.MORE=other"]).ok().stderr.contains("mended"), "once is enough");

        // Both ends of a rollback: what runs, and what comes back.
        as_made_long_ago(&place, &app, 2);
        as_made_long_ago(&place, &app, 3);
        place.lain(&["rollback", "--wait"]).ok().says("revision 3, is mended").says("revision 2, is mended");
        assert_eq!(ids(&place).get(&format!("Deployment/{app}-web")), before.get(&format!("Deployment/{app}-web")));

        // helm 3.17 leaves a release of such a record behind as `uninstalling`, and says nothing of why.
        as_made_long_ago(&place, &app, 4);
        place.lain(&["delete", "--force"]).ok().says("is mended first");
        let left = ids(&place);
        let kinds = ["Deployment/", "NetworkPolicy/", "Service/", "Ingress/"];
        let kept: Vec<&String> = left.keys().filter(|name| kinds.iter().any(|kind| name.starts_with(kind))).collect();
        assert!(kept.is_empty(), "helm {version}: {kept:?}");
    }
}

/// Every number of replicas that a Deployment is ever told while something is done.
fn replicas_while(place: &Place, deployment: &str, work: impl FnOnce()) -> Vec<String> {
    let mut watch = place
        .kubectl_command(&["get", deployment, "--watch", "-o", "jsonpath={.spec.replicas}{\"\\n\"}"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("kubectl runs");
    work();
    watch.kill().expect("a watch");
    watch.wait().expect("its end");
    let mut seen = String::new();
    watch.stdout.take().expect("stdout").read_to_string(&mut seen).expect("text");
    assert!(seen.lines().count() > 2, "{seen}");
    let mut seen: Vec<String> = seen.lines().map(str::to_owned).collect();
    seen.dedup();
    seen
}

#[test]
fn an_autoscaled_app_keeps_its_pods_through_the_change_of_charts() {
    for version in ["3.17.3", "4.3.1"] {
        let place = Place::new(version);
        let app = place.appname.clone();
        both_charts(&place);
        for chart in ["older", "chart"] {
            place.edit(&format!("{chart}/values.yaml"), |text| {
                text.replace("replicaCount: 1\n    hpa: {maxReplicas: 2}", "replicaCount: 3\n    hpa: {maxReplicas: 3}")
            });
        }
        place.commit("both charts");
        place.lain(&["use", "test"]).ok();
        helm(&place, "3.9.4", &["install", &app, "older", "--wait", "--wait-for-jobs", "--timeout", "3m"]).ok();
        let scaled = format!("deployment/{app}-scaled");
        let deploy = |more: &[&str]| place.lain(&[&["deploy", "--ignore-lint", "--wait", "--set", "imageTag=v1"], more].concat()).ok();
        let seen = replicas_while(&place, &scaled, || {
            deploy(&[]).says(&format!("Deployment {app}-scaled: without replicas, which are the hpa's"));
            // The next goes on from a record of our own chart.
            deploy(&["--set", "env.MORE=yes"]).never_says("mended");
        });
        assert_eq!(seen, ["3"], "helm {version}");
        assert_eq!(place.field(&scaled, "{.spec.template.spec.containers[0].env[?(@.name==\"MORE\")].value}"), "yes");
    }
}

#[test]
fn an_app_that_gets_an_hpa_keeps_its_pods() {
    for version in ["3.17.3", "4.3.1"] {
        let place = Place::new(version);
        let app = place.appname.clone();
        place.lain(&["init", "--appname", &app]).ok();
        let values = every_kind(&place).replace("replicaCount: 1\n    hpa: {maxReplicas: 2}", "replicaCount: 3");
        fs::write(place.app.join("chart/values.yaml"), &values).expect("values");
        for secret in ["env", "secret"] {
            place.kubectl(&["create", "secret", "generic", &format!("{app}-{secret}"), "--from-literal=A=b"]).ok();
        }
        place.commit("an app");
        place.lain(&["use", "test"]).ok();
        let deploy = || place.lain(&["deploy", "--ignore-lint", "--wait", "--set", "imageTag=v1"]).ok();
        deploy();
        place.edit("chart/values.yaml", |text| {
            text.replace("replicaCount: 3\n", "replicaCount: 3\n    env: {MORE: \"yes\"}\n    hpa: {maxReplicas: 4}\n")
        });
        let scaled = format!("deployment/{app}-scaled");
        let seen = replicas_while(&place, &scaled, || drop(deploy()));
        assert_eq!(seen, ["3"], "helm {version}");
    }
}

#[test]
fn what_somebody_changed_by_hand_is_the_charts_again() {
    // helm 3 merges itself, helm 4 leaves it to the server, which knows whose field it is.
    for version in ["3.17.3", "4.3.1"] {
        let place = Place::new(version).with_dummy();
        let web = format!("deployment/{}-web", place.appname);
        let by_hand = || place.kubectl(&["set", "env", &web, "FOO=HAND"]).ok();
        let foo = || place.field(&web, "{.spec.template.spec.containers[0].env[?(@.name==\"FOO\")].value}");
        place.lain(&["deploy", "--build", "--wait"]).ok();
        by_hand();
        place.edit("chart/values.yaml", |text| text.replace("FOO: BAR", "FOO: BAZ"));
        place.lain(&["deploy", "--wait"]).ok();
        assert_eq!(foo(), "BAZ", "helm {version}");
        by_hand();
        place.lain(&["rollback", "--wait"]).ok();
        assert_eq!(foo(), "BAR", "helm {version}");
    }
}
