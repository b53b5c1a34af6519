//! Every example, and what `lain init` writes, for each minor version of Kubernetes from 1.20 to 1.37: it renders, uses the API
//! versions that exist there, keeps to the strict schemas, and a real API server takes it.

#[path = "support/objects.rs"]
mod objects;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use objects::{Chart, HELMS, Namespace, containers, feed, id, kubectl, pod, rig};
use serde_json::{Value as Json, json};

const MINORS: std::ops::RangeInclusive<u32> = 20..=37;

/// Where the schemas of kubernetes-validate begin.
const FIRST_SCHEMA: u32 = 25;

/// Each API that the chart may use: kind, API version, the minor versions of Kubernetes that serve it, from the deprecation guide.
/// A row ends with the last version, or with none.
const SERVED: &[(&str, &str, u32, u32)] = &[
    ("CronJob", "batch/v1beta1", 8, 24),
    ("CronJob", "batch/v1", 21, u32::MAX),
    ("HorizontalPodAutoscaler", "autoscaling/v2beta2", 12, 25),
    ("HorizontalPodAutoscaler", "autoscaling/v2", 23, u32::MAX),
    ("Ingress", "networking.k8s.io/v1", 19, u32::MAX),
    ("NetworkPolicy", "networking.k8s.io/v1", 7, u32::MAX),
    ("Deployment", "apps/v1", 9, u32::MAX),
    ("StatefulSet", "apps/v1", 9, u32::MAX),
    ("Job", "batch/v1", 2, u32::MAX),
    ("Pod", "v1", 0, u32::MAX),
    ("Service", "v1", 0, u32::MAX),
    ("PersistentVolumeClaim", "v1", 0, u32::MAX),
];

fn all_charts(folder: &Path) -> Vec<Chart> {
    let mut charts = objects::examples(folder);
    charts.extend(objects::taught(folder));
    assert!(charts.len() > 10, "examples are found: {}", charts.len());
    charts
}

/// The newest API version that this minor version of Kubernetes serves.
fn api_version(kind: &str, minor: u32) -> Option<&'static str> {
    SERVED.iter().filter(|(known, _, from, to)| *known == kind && (*from..=*to).contains(&minor)).max_by_key(|row| row.2).map(|row| row.1)
}

#[test]
fn each_minor_version_gets_objects_it_knows() {
    let folder = tempfile::tempdir().expect("a folder");
    let charts = all_charts(folder.path());
    let mut batches = Vec::new();
    let mut problems = Vec::new();
    let mut kinds = BTreeSet::new();
    for chart in &charts {
        for minor in MINORS {
            let found = chart.objects("3.17.3", &["--kube-version", &format!("1.{minor}.0")]);
            assert!(!found.is_empty(), "{} on 1.{minor}", chart.name);
            for object in &found {
                let kind = object["kind"].as_str().expect("a kind");
                kinds.insert(kind.to_owned());
                if object["apiVersion"].as_str() != api_version(kind, minor) {
                    problems.push(format!("{} on 1.{minor}: {} is {}", chart.name, id(object), object["apiVersion"]));
                }
            }
            if minor >= FIRST_SCHEMA {
                batches.push(json!({"name": chart.name, "version": format!("1.{minor}"), "objects": found}));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert_eq!(kinds, SERVED.iter().map(|row| row.0.to_owned()).collect(), "the examples make every kind of object");

    let count: usize = batches.iter().map(|batch| batch["objects"].as_array().expect("objects").len()).sum();
    let python = Path::new(&rig("LAIN_RIG_SCHEMAS")).with_file_name("python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/lib/validate.py");
    let (done, stdout, stderr) = feed(Command::new(python).arg(script), Json::from(batches).to_string().as_bytes());
    assert!(done, "{stderr}");
    // A line for each problem, then how many objects were looked at.
    assert_eq!(stdout.trim(), count.to_string());
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let bad = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"port": 80}});
    let old = json!({"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": "c"}, "spec": {}});
    let batches = json!([{"name": "bad", "version": "1.25", "objects": [bad, old]}]).to_string();
    let python = Path::new(&rig("LAIN_RIG_SCHEMAS")).with_file_name("python");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/lib/validate.py");
    let (_, stdout, stderr) = feed(Command::new(python).arg(script), batches.as_bytes());
    assert!(stdout.contains("bad 1.25 Service/s: spec: ") && stdout.contains("'port' was unexpected"), "{stdout}{stderr}");
    assert!(stdout.contains("bad 1.25 CronJob/c: Couldn't find schema") && stdout.ends_with("\n2\n"), "{stdout}{stderr}");
}

#[test]
fn every_helm_renders_equal_objects() {
    let folder = tempfile::tempdir().expect("a folder");
    for chart in all_charts(folder.path()) {
        for kubernetes in ["1.20.0", "1.37.0"] {
            let by_helm: BTreeMap<&str, Vec<Json>> =
                HELMS.iter().map(|helm| (*helm, chart.objects(helm, &["--kube-version", kubernetes]))).collect();
            for (helm, found) in &by_helm {
                assert_eq!(found, &by_helm["4.3.1"], "{} with helm {helm} on {kubernetes}", chart.name);
            }
        }
    }
}

#[test]
fn both_languages_teach_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let charts = objects::taught(folder.path());
    let data = |chart: &Chart| {
        let path = chart.folder.join("values.yaml");
        lain::values::parse::read_file(&path).unwrap_or_else(|error| panic!("{error:?}")).to_json()
    };
    let [english, english_all, chinese, chinese_all] = &charts[..] else { panic!("two languages, two ways each") };
    for (ours, theirs) in [(english, chinese), (english_all, chinese_all)] {
        assert_eq!(data(ours), data(theirs), "{} and {}", ours.name, theirs.name);
        assert_eq!(ours.objects("4.3.1", &[]), theirs.objects("4.3.1", &[]), "{} and {}", ours.name, theirs.name);
    }
    // What is taken in goes beyond what stands there.
    assert!(english_all.objects("4.3.1", &[]).len() > 10 + english.objects("4.3.1", &[]).len());
}

/// What server-side apply refuses: lists whose key comes twice. And one number of pods has one owner.
#[test]
fn lists_have_each_key_once_and_autoscaled_things_no_replicas() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut autoscaled = 0;
    for chart in all_charts(folder.path()) {
        let found = chart.objects("3.17.3", &[]);
        for object in &found {
            let Some(pod) = pod(object) else { continue };
            let once = |list: &Json, key: &str, what: &str| {
                let keys: Vec<&Json> = list.as_array().into_iter().flatten().map(|item| &item[key]).collect();
                let different: BTreeSet<String> = keys.iter().map(ToString::to_string).collect();
                assert_eq!(keys.len(), different.len(), "{}: {} has a {what} twice: {list}", chart.name, id(object));
            };
            once(&pod["volumes"], "name", "volume");
            once(&pod["hostAliases"], "ip", "hostAlias");
            for container in containers(pod) {
                once(&container["env"], "name", "variable");
                once(&container["volumeMounts"], "mountPath", "mount");
                assert!(container["env"].as_array().is_some_and(|env| env.len() >= 3), "{}: {}", chart.name, id(object));
            }
        }
        for scaler in found.iter().filter(|object| object["kind"] == "HorizontalPodAutoscaler") {
            let target = &scaler["spec"]["scaleTargetRef"];
            let same = |object: &&Json| object["kind"] == target["kind"] && object["metadata"]["name"] == target["name"];
            let target = found.iter().find(same).unwrap_or_else(|| panic!("{}: {} scales nothing", chart.name, id(scaler)));
            assert!(target["spec"].get("replicas").is_none(), "{}: {}", chart.name, id(target));
            autoscaled += 1;
        }
    }
    assert!(autoscaled > 5, "{autoscaled}");
}

#[test]
fn a_real_api_server_takes_every_example() {
    let folder = tempfile::tempdir().expect("a folder");
    let namespace = Namespace::new();
    let (done, version, stderr) = feed(kubectl().args(["get", "--raw", "/version"]), b"");
    assert!(done, "{stderr}");
    let version: Json = serde_json::from_str(&version).expect("JSON");
    let version = version["gitVersion"].as_str().expect("a version").to_owned();
    for chart in all_charts(folder.path()) {
        let text = chart.text("3.17.3", &["--kube-version", &version, "--namespace", &namespace.0]);
        let objects = objects::parse(&text).len();
        // As kubectl and helm 3 apply, and as helm 4 does.
        for way in [&["--validate=true"][..], &["--server-side", "--field-manager=helm"]] {
            let mut command = kubectl();
            command.args(["apply", "--namespace", &namespace.0, "--dry-run=server", "-o", "name", "-f", "-"]).args(way);
            let (done, stdout, stderr) = feed(&mut command, text.as_bytes());
            assert!(done, "{} {way:?}:\n{stderr}", chart.name);
            assert_eq!(stdout.lines().count(), objects, "{} {way:?}:\n{stdout}{stderr}", chart.name);
        }
    }
}

#[test]
fn every_example_lints_clean() {
    let clusters = tempfile::tempdir().expect("a folder");
    for name in ["test", "prod"] {
        std::fs::write(clusters.path().join(format!("values-{name}.yaml")), objects::CLUSTER).expect("cluster values");
    }
    for example in objects::apps() {
        let name = example.display();
        let own = Some(example.join("clusters")).filter(|path| path.is_dir());
        for cluster in [None, Some("test"), Some("prod")] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_lain"));
            command
                .current_dir(&example)
                .env("HOME", clusters.path())
                .env("LAIN_CLUSTER_VALUES_DIR", own.as_deref().unwrap_or(clusters.path()))
                .env_remove("LAIN_CLUSTER")
                .args(["lint", "--simple"])
                .args(cluster.map(|cluster| format!("--cluster={cluster}")));
            let (done, _, stderr) = feed(&mut command, b"");
            assert!(done && !stderr.contains("warning"), "{name} on {cluster:?}:\n{stderr}");
        }
    }
    assert!(objects::apps().len() > 11, "every example is found: {:?}", objects::apps());
}

/// What the chart refuses, it explains: which key, and what to write.
#[test]
fn a_chart_that_cannot_render_says_what_to_set() {
    let folder = tempfile::tempdir().expect("a folder");
    let chart = objects::taught(folder.path()).swap_remove(0);
    for (values, words) in [
        (
            "ingresses: [{host: shop, deployName: web}]",
            "ingresses: host \"shop\" has no dot, so it needs the cluster's domain: set domain or domain_suffix",
        ),
        (
            "ingresses: [{host: a.b, deployName: wbe}]",
            "ingresses: host \"a.b\" has deployName \"wbe\", which is no deployment; set it to one of: web",
        ),
        ("externalIngresses: [{deployName: web}]", "externalIngresses: an entry has no host"),
        ("deployments: {web: {hpa: {minReplicas: 2}}}", "web: hpa needs maxReplicas"),
        ("deployments: {web: {command: ./run.py}}", "the command of web must be a list, such as [\"bash\", \"-c\", \"...\"]"),
        (
            "persistentVolumeClaims: {data: {useClusterSpec: true}}",
            "this cluster has no claim \"data\"; its values file must have clusterPersistentVolumeClaims.data",
        ),
        ("networkPolicy: {podSelector: {}}", "networkPolicy needs a spec"),
        ("appname: null", "appname is not set; chart/values.yaml must name the app"),
    ] {
        let file = folder.path().join("more.yaml");
        std::fs::write(&file, values).expect("values");
        for helm in HELMS {
            let mut command = Command::new(Path::new(&rig("LAIN_RIG_TOOLS")).join(format!("helm-{helm}/helm")));
            let (done, _, stderr) = feed(command.args(["template", "shop"]).arg(&chart.folder).arg("--values").arg(&file), b"");
            assert!(!done && stderr.contains(words), "helm {helm}, {values}: {stderr}");
        }
    }
}
