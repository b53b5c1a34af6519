//! The older tool's chart and ours, with the same values, object by object as parsed data: equal but for the rows of
//! docs/chart-differences.md. Each row is shown by values of its own, with exactly the differences it makes.

#[path = "support/objects.rs"]
mod objects;
#[path = "older_chart/rows.rs"]
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use objects::{Namespace, feed, id, kubectl, rig};
use rows::{COMMON, ELSEWHERE, EVERYTHING, ROWS, VALUES};
use serde_json::Value as Json;

/// Shows how helm reads a stream of documents.
const PROBE: &str = r#"
{{- $seen := list }}
{{- range regexSplit "(?m)^---" (.Files.Get "stream.yaml") -1 }}{{ $seen = append $seen (fromYaml .) }}{{ end }}
seen: {{ toJson $seen }}
"#;

/// Both charts, beside the same values.
struct Charts {
    folder: tempfile::TempDir,
}

impl Charts {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        older_chart(folder.path());
        for file in lain::render::chart::without_values("dummy", None).expect("a chart") {
            let path = folder.path().join("ours").join(&file.path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, &file.bytes).expect("a file");
        }
        for chart in ["older", "ours"] {
            fs::write(folder.path().join(chart).join("values.yaml"), VALUES).expect("values");
        }
        Self { folder }
    }

    /// What a chart makes of the values, or what helm says when it makes nothing of them.
    fn render(&self, chart: &str, values: &str, kubernetes: &str) -> Result<String, String> {
        let file = self.folder.path().join(format!("{chart}.yaml"));
        fs::write(&file, values).expect("values");
        let mut command = Command::new(Path::new(&rig("LAIN_RIG_TOOLS")).join("helm-3.17.3/helm"));
        command.args(["template", "dummy"]).arg(self.folder.path().join(chart)).arg("--values").arg(&file);
        let (done, stdout, stderr) = feed(command.args(["--kube-version", kubernetes, "--namespace", "elsewhere"]), b"");
        if done { Ok(stdout) } else { Err(stderr) }
    }

    /// The objects of a stream as helm and kubectl read it, by kind and name: `y` is true, and of a key that comes twice the later counts.
    fn read(&self, stream: &str) -> BTreeMap<String, Json> {
        let probe = self.folder.path().join("probe");
        fs::create_dir_all(probe.join("templates")).expect("a folder");
        fs::write(probe.join("Chart.yaml"), "apiVersion: v2\nname: probe\nversion: 0.1.0\n").expect("Chart.yaml");
        fs::write(probe.join("templates/probe.yaml"), PROBE).expect("a template");
        fs::write(probe.join("stream.yaml"), stream).expect("a stream");
        let mut command = Command::new(Path::new(&rig("LAIN_RIG_TOOLS")).join("helm-3.17.3/helm"));
        let (done, stdout, stderr) = feed(command.args(["template", "probe"]).arg(&probe), b"");
        assert!(done, "{stderr}");
        let seen = stdout.lines().find_map(|line| line.strip_prefix("seen: ")).expect("what helm read");
        let objects: Vec<Json> = serde_json::from_str(seen).expect("JSON");
        assert!(objects.iter().all(|object| object.get("Error").is_none()), "{objects:?}\n{stream}");
        objects.into_iter().filter(|object| object.get("kind").is_some()).map(|object| (id(&object), object)).collect()
    }

    /// Every difference of the two.
    fn differences(&self, values: &str, kubernetes: &str) -> Vec<Difference> {
        let ours = self.render("ours", values, kubernetes).unwrap_or_else(|said| panic!("our chart: {said}\n{values}"));
        let Ok(older) = self.render("older", values, kubernetes) else {
            return vec![Difference { at: "the chart".into(), older: "does not render".into(), ours: "renders".into() }];
        };
        let mut found = Vec::new();
        // Our own reader refuses a key that comes twice.
        if older.split("\n---").any(|document| lain::values::parse::parse(Path::new("older"), document.to_owned()).is_err()) {
            found.push(Difference { at: "the chart".into(), older: "has a key twice".into(), ours: "has it once".into() });
        }
        let (older, ours) = (self.read(&older), self.read(&ours));
        for name in older.keys().chain(ours.keys()).collect::<BTreeSet<_>>() {
            match (older.get(name), ours.get(name)) {
                (Some(older), Some(ours)) => compare(&format!("{name} "), older, ours, &mut found),
                (older, ours) => {
                    let show = |object: Option<&Json>| object.map_or("nothing", |_| "an object").to_owned();
                    found.push(Difference { at: name.clone(), older: show(older), ours: show(ours) });
                }
            }
        }
        found
    }
}

/// One thing that differs.
struct Difference {
    /// `Kind/name path`.
    at: String,
    older: String,
    ours: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} -> {}", self.at, self.older, self.ours)
    }
}

fn older_chart(folder: &Path) {
    let out = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/rig")).arg("old-lain").output().expect("the rig");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let lain = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    let (home, app) = (folder.join("home"), folder.join("app"));
    fs::create_dir_all(home.join(".kube")).expect("a folder");
    fs::create_dir_all(&app).expect("a folder");
    fs::write(folder.join("values-test.yaml"), "registry: r.example.com\n").expect("cluster values");
    let kubeconfig = home.join(".kube/kubeconfig-test");
    fs::copy(rig("LAIN_E2E_KUBECONFIG"), &kubeconfig).expect("a kubeconfig");
    std::os::unix::fs::symlink(kubeconfig, home.join(".kube/config")).expect("a link");
    let path = format!("{}:{}", lain.parent().expect("a folder").display(), std::env::var("PATH").expect("PATH"));
    // It goes on to lint with tools of its own and may fail there; what counts is the chart it wrote.
    let out = Command::new(&lain)
        .args(["init", "--appname", "dummy"])
        .current_dir(&app)
        .env("PATH", path)
        .env("HOME", &home)
        .env("LAIN_CLUSTER_VALUES_DIR", folder)
        .output()
        .expect("the older tool");
    fs::rename(app.join("chart"), folder.join("older")).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&out.stderr)));
}

/// What a map or a list holds, by the step that leads there. Items of lists are called by their name where all have one.
fn children(value: &Json) -> Option<BTreeMap<String, &Json>> {
    match value {
        Json::Object(fields) => Some(fields.iter().map(|(key, value)| (format!(".{key}"), value)).collect()),
        Json::Array(items) => {
            let name = |key: &str| {
                items.iter().map(|item| item[key].as_str()).collect::<Option<BTreeSet<_>>>().filter(|names| names.len() == items.len())
            };
            let key = ["name", "mountPath", "ip"].into_iter().find(|key| name(key).is_some());
            let step =
                |place: usize, item: &Json| key.map_or_else(|| place.to_string(), |key| item[key].as_str().unwrap_or_default().to_owned());
            Some(items.iter().enumerate().map(|(place, item)| (format!("[{}]", step(place, item)), item)).collect())
        }
        _ => None,
    }
}

fn compare(at: &str, older: &Json, ours: &Json, found: &mut Vec<Difference>) {
    match (children(older), children(ours)) {
        (Some(theirs), Some(own)) if older.is_object() == ours.is_object() => {
            for step in theirs.keys().chain(own.keys()).collect::<BTreeSet<_>>() {
                let at = format!("{at}{step}").replace(" .", " ");
                match (theirs.get(step), own.get(step)) {
                    (Some(older), Some(ours)) => compare(&at, older, ours, found),
                    (older, ours) => {
                        let show = |value: Option<&&Json>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
                        found.push(Difference { at, older: show(older), ours: show(ours) });
                    }
                }
            }
        }
        _ if older == ours => {}
        _ => found.push(Difference { at: at.to_owned(), older: older.to_string(), ours: ours.to_string() }),
    }
}

/// Takes out what differs for all apps; which rows of the first table that was.
fn take_common(found: &mut Vec<Difference>) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    found.retain(|difference| {
        let row = COMMON.iter().find(|row| (row.is)(&difference.at, &difference.older, &difference.ours));
        seen.extend(row.map(|row| row.name));
        row.is_none()
    });
    seen
}

#[test]
fn the_charts_differ_only_as_the_document_says() {
    let charts = Charts::new();
    let mut seen = BTreeSet::new();
    for kubernetes in ["1.20.2", "1.24.0", "1.37.0"] {
        for values in [EVERYTHING, ELSEWHERE] {
            let mut found = charts.differences(values, kubernetes);
            seen.extend(take_common(&mut found));
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert!(found.is_empty(), "on {kubernetes}:\n{}", found.join("\n"));
        }
    }
    for row in ROWS {
        let mut found = charts.differences(row.values, row.on);
        seen.extend(take_common(&mut found));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, row.differences, "{}", row.name);
        assert!(!found.is_empty(), "{}: nothing differs any more", row.name);
    }
    let common: BTreeSet<&str> = COMMON.iter().map(|row| row.name).collect();
    assert_eq!(seen, common, "each row for all apps was seen");
}

/// The first and the last cell of each row of the table under a heading.
fn table(heading: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/chart-differences.md")).expect("the document");
    let section = text.split("\n## ").find(|section| section.starts_with(heading)).expect("the heading").to_owned();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(2);
    let cells =
        |line: &str| line.trim_start_matches("| ").trim_end_matches(" |").split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    rows.map(|line| (cells(line)[0].clone(), cells(line).pop().expect("a cell"))).collect()
}

#[test]
fn the_document_lists_these_rows_and_says_what_rolls() {
    let names = |rows: &[(String, String)]| rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&table("For all apps")), COMMON.iter().map(|row| row.name).collect::<Vec<_>>());
    let written = table("Only where the values ask for it");
    assert_eq!(names(&written), ROWS.iter().map(|row| row.name).collect::<Vec<_>>());
    for (row, (_, rolls)) in ROWS.iter().zip(written) {
        // A new pod template is what makes Kubernetes replace pods that run.
        let runs = |at: &str| at.starts_with("Deployment/") || at.starts_with("StatefulSet/");
        let replaces = row.differences.iter().any(|at| runs(at) && at.contains(" spec.template."));
        match rolls.trim_matches('*').split([',', ' ']).next().expect("a word") {
            "yes" => assert!(replaces, "{}: {rolls}", row.name),
            "no" => assert!(!replaces || row.differences[0].starts_with("the chart"), "{}: {rolls}", row.name),
            "never" => {
                // Refused by helm, by the server, or an image of that name cannot be pulled.
                let broken = ["does not render", "%!s(<nil>)"].iter().any(|words| row.differences[0].contains(words));
                assert!(row.refused || broken, "{}: {rolls}", row.name);
            }
            "next" => assert!(row.differences.iter().all(|at| !runs(at)), "{}: {rolls}", row.name),
            "new" => assert!(row.differences.iter().all(|at| at.ends_with("nothing -> an object")), "{}: {rolls}", row.name),
            other => panic!("{}: `{other}`", row.name),
        }
    }
}

#[test]
fn an_api_server_refuses_what_the_document_says() {
    let charts = Charts::new();
    let home = tempfile::tempdir().expect("a folder"); // kubectl remembers there what the server knows
    let namespace = Namespace::new(); // what somebody else runs would be compared with these objects
    for row in ROWS {
        let applied = |text: &str| {
            let mut command = kubectl();
            command.env("HOME", home.path()).args(["apply", "--namespace", &namespace.0, "--dry-run=server", "-f", "-"]);
            feed(&mut command, text.as_bytes())
        };
        if let Ok(text) = charts.render("older", row.values, "1.20.2") {
            let (done, _, stderr) = applied(&text);
            assert_eq!(done, !row.refused, "{}, the older chart: {stderr}", row.name);
        }
        let ours = charts.render("ours", row.values, "1.20.2").expect("ours");
        let (done, _, stderr) = applied(&ours);
        assert!(done, "{}: {stderr}", row.name);
    }
}

/// What charts before May 2022 lacked, 0.1.11 and ours have: the second column of that table.
#[test]
fn two_defaults_are_younger_than_some_charts() {
    let rows = table("Charts before May 2022");
    assert_eq!(rows.len(), 2, "{rows:?}");
    let charts = Charts::new();
    let values = "deployments: {web: {command: [a], replicaCount: 1}}\nstatefulSets: {db: {command: [a], replicaCount: 1}}\n\
                  cronjobs: {tidy: {command: [a], schedule: '* * * * *'}}\n";
    for chart in ["older", "ours"] {
        let objects = objects::parse(&charts.render(chart, values, "1.20.2").expect("a chart"));
        let pods: Vec<(&str, &Json)> =
            objects.iter().filter_map(|object| Some((object["kind"].as_str()?, objects::pod(object)?))).collect();
        assert_eq!(pods.len(), 3, "{chart}: a Deployment, a StatefulSet, a CronJob");
        for (kind, pod) in pods {
            assert_eq!(pod["terminationGracePeriodSeconds"], 100, "{chart} {kind}");
            if kind == "CronJob" {
                assert_eq!(pod["containers"][0]["imagePullPolicy"], "IfNotPresent", "{chart}");
            }
        }
    }
}
