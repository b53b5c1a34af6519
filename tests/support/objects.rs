//! Charts rendered by real helm, as parsed objects.

#![allow(dead_code)] // each test file uses its own part

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;

/// What the rig's `env` prints; a test without it fails.
pub fn rig(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: tests/rig/rig up && eval \"$(tests/rig/rig env)\", or run tests/run"))
}

/// The helm versions of the rig, the oldest first.
pub const HELMS: [&str; 4] = ["3.9.4", "3.16.4", "3.17.3", "4.3.1"];

/// A cluster for charts that come without one.
pub const CLUSTER: &str = "registry: registry.example.com/team\ndomain: in.example.com\nnamespace: shops\nclusterIssuer: letsencrypt\n";

/// A chart with the values files of one cluster.
pub struct Chart {
    /// For messages: `workers on test`.
    pub name: String,
    /// The helm release.
    pub release: String,
    /// The chart's folder.
    pub folder: PathBuf,
    /// Values files besides the chart's own, later ones win.
    pub files: Vec<PathBuf>,
}

impl Chart {
    /// `helm template` with this version of helm; what it printed.
    #[track_caller]
    pub fn text(&self, helm: &str, more: &[&str]) -> String {
        let mut command = Command::new(Path::new(&rig("LAIN_RIG_TOOLS")).join(format!("helm-{helm}/helm")));
        command.args(["template", &self.release]).arg(&self.folder).args(["--set-string", "imageTag=1e3,cluster=test"]).args(more);
        for file in &self.files {
            command.arg("--values").arg(file);
        }
        let output = command.output().expect("helm runs");
        assert!(output.status.success(), "{}, helm {helm} {more:?}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The objects that helm renders.
    #[track_caller]
    pub fn objects(&self, helm: &str, more: &[&str]) -> Vec<Json> {
        parse(&self.text(helm, more))
    }
}

/// The objects of a YAML stream, read as the API server reads them (YAML 1.1); sorted by kind and name.
#[track_caller]
pub fn parse(text: &str) -> Vec<Json> {
    let mut objects: Vec<Json> = text
        .split("\n---")
        .map(|document| document.trim_start_matches("---"))
        .map(|document| {
            let read = lain::values::parse::parse(Path::new("rendered"), document.to_owned());
            read.unwrap_or_else(|error| panic!("{error:?}\n{document}")).to_json()
        })
        .filter(|object| object.as_object().is_some_and(|fields| !fields.is_empty()))
        .collect();
    objects.sort_by_key(id);
    objects
}

/// `Deployment/shop-web`.
pub fn id(object: &Json) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap_or("?"), object["metadata"]["name"].as_str().unwrap_or("?"))
}

/// The pod inside of an object, if it has one.
pub fn pod(object: &Json) -> Option<&Json> {
    match object["kind"].as_str()? {
        "Pod" => Some(&object["spec"]),
        "CronJob" => Some(&object["spec"]["jobTemplate"]["spec"]["template"]["spec"]),
        "Deployment" | "StatefulSet" | "Job" => Some(&object["spec"]["template"]["spec"]),
        _ => None,
    }
}

/// All containers of a pod, those of its start first.
pub fn containers(pod: &Json) -> impl Iterator<Item = &Json> {
    ["initContainers", "containers"].into_iter().filter_map(|key| pod[key].as_array()).flatten()
}

/// The folder of each app of the examples: an example, or below it where there are several apps.
pub fn apps() -> Vec<PathBuf> {
    let examples = sorted(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"));
    let folders = examples.iter().filter(|path| path.is_dir());
    let below = folders.flat_map(|example| std::iter::once(example.clone()).chain(sorted(example)));
    below.filter(|folder| folder.join("chart/values.yaml").exists()).collect()
}

/// Every example, on a cluster of no special kind and on each cluster it has values for.
/// `folder` takes the values of that cluster.
pub fn examples(folder: &Path) -> Vec<Chart> {
    let common = folder.join("cluster.yaml");
    fs::write(&common, CLUSTER).expect("cluster values");
    let mut charts = Vec::new();
    for example in apps() {
        let chart = example.join("chart");
        let name = example.file_name().expect("a name").to_string_lossy().into_owned();
        let mut add = |what: &str, release: &str, files: Vec<PathBuf>| {
            charts.push(Chart { name: format!("{name}, {what}"), release: release.to_owned(), folder: chart.clone(), files });
        };
        add("anywhere", &name, vec![common.clone()]);
        let clusters: BTreeSet<String> = [chart.clone(), example.join("clusters")].iter().flat_map(|place| clusters_in(place)).collect();
        for cluster in clusters {
            let file = format!("values-{cluster}.yaml");
            let theirs = Some(example.join("clusters").join(&file)).filter(|path| path.exists()).unwrap_or_else(|| common.clone());
            let own = Some(chart.join(&file)).filter(|path| path.exists());
            add(&format!("on {cluster}"), &name, std::iter::once(theirs).chain(own).collect());
        }
        if example.join("second.yaml").exists() {
            add("a second time", &format!("{name}-two"), vec![common.clone(), example.join("second.yaml")]);
        }
    }
    charts
}

/// The charts that `lain init` writes, as they are and with every example line taken in, in both languages.
pub fn taught(folder: &Path) -> Vec<Chart> {
    use lain::render::chart::{self, Language};
    let common = folder.join("cluster.yaml");
    fs::write(&common, CLUSTER).expect("cluster values");
    let mut charts = Vec::new();
    for (word, language) in [("English", Language::En), ("Chinese", Language::Zh)] {
        let values = chart::values("shop", language).expect("values");
        for (how, values) in [("", values.clone()), (", all of it", take_in(&values))] {
            let chart = folder.join(format!("{word}{how}"));
            for file in chart::without_values("shop", None).expect("a chart") {
                let path = chart.join(&file.path);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                fs::write(path, &file.bytes).expect("a file");
            }
            fs::write(chart.join("values.yaml"), values).expect("values");
            let name = format!("the {word} values of init{how}");
            charts.push(Chart { name, release: "shop".to_owned(), folder: chart, files: vec![common.clone()] });
        }
    }
    charts
}

/// What values.yaml says of itself: lines with one # are examples, without it they work.
fn take_in(values: &str) -> String {
    let line = |line: &str| {
        let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
        rest.strip_prefix("# ").map_or_else(|| line.to_owned(), |example| format!("{indent}{example}"))
    };
    values.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The CLUSTER of each `values-CLUSTER.yaml`.
fn clusters_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![] };
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter_map(|name| Some(name.strip_prefix("values-")?.strip_suffix(".yaml")?.to_owned())).collect()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// Runs a command with this on its stdin: whether it went well, what it printed, what it said.
pub fn feed(command: &mut Command, stdin: &[u8]) -> (bool, String, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut input = child.stdin.take().expect("its stdin");
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(stdin)); // a program that ends early is told by its exit code
        child.wait_with_output().expect("it ends")
    });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// A namespace of this test's own, gone with it.
pub struct Namespace(pub String);

impl Namespace {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
        let own = Self(format!("t-chart-{:x}", now.as_millis()));
        let (done, _, stderr) = feed(kubectl().args(["create", "namespace", &own.0]), b"");
        assert!(done, "{stderr}");
        // Pods are taken only when their account exists: the one that examples name, and the one that Kubernetes makes in a moment.
        let (done, _, stderr) = feed(kubectl().args(["create", "serviceaccount", "apps", "--namespace", &own.0]), b"");
        assert!(done, "{stderr}");
        let end = Instant::now() + Duration::from_secs(60);
        while !feed(kubectl().args(["get", "serviceaccount", "default", "--namespace", &own.0]), b"").0 {
            assert!(Instant::now() < end, "{} gets no account called default", own.0);
            std::thread::sleep(Duration::from_millis(200));
        }
        own
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        feed(kubectl().args(["delete", "namespace", &self.0, "--wait=false"]), b"");
    }
}

/// kubectl with the rig's cluster.
pub fn kubectl() -> Command {
    let mut command = Command::new("kubectl");
    command.arg("--kubeconfig").arg(rig("LAIN_E2E_KUBECONFIG"));
    command
}
