//! What a real helm sees: a chart that prints its values, and one that reads many texts in one call.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use lain::values::node::Node;
use serde_json::Value;
use tempfile::TempDir;

/// The helms that lain supports at both ends, and one between.
pub const VERSIONS: [&str; 3] = ["3.9.4", "3.17.3", "4.3.1"];

fn helm(version: &str) -> Command {
    let tools = std::env::var("LAIN_RIG_TOOLS").expect("LAIN_RIG_TOOLS is not set: eval \"$(tests/rig/rig env)\", or run tests/run");
    Command::new(format!("{tools}/helm-{version}/helm"))
}

/// A chart whose one template prints what helm saw.
pub struct Probe {
    root: TempDir,
}

impl Probe {
    /// The chart, with values that a test may replace.
    pub fn new() -> Self {
        let probe = Self { root: tempfile::tempdir().expect("a folder") };
        probe.file("chart/Chart.yaml", "apiVersion: v2\nname: probe\nversion: 0.1.0\n");
        probe.file("chart/templates/probe.yaml", "seen: {{ .Values | toJson | b64enc }}\n");
        probe.file("chart/values.yaml", "");
        probe
    }

    /// Writes a file of the probe's folder.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// The chart's folder.
    pub fn chart(&self) -> PathBuf {
        self.root.path().join("chart")
    }

    /// What helm sees, or its words of refusal.
    pub fn seen(&self, version: &str, args: &[String]) -> Result<Value, String> {
        let output = helm(version)
            .args(["template", "probe"])
            .arg(self.chart())
            .args(args)
            .current_dir(self.root.path())
            .env("HOME", self.root.path())
            .output()
            .expect("helm runs");
        let stdout = String::from_utf8_lossy(&output.stdout);
        match stdout.lines().find_map(|line| line.strip_prefix("seen: ")) {
            Some(coded) => Ok(decoded(coded)),
            None => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// What helm's YAML reader makes of each text, all in one call: by `fromYaml`, the reader that values files go through too.
/// Its errors come back as text.
pub fn read_all(version: &str, texts: &[String]) -> Vec<Result<Value, String>> {
    let probe = Probe::new();
    for (at, text) in texts.iter().enumerate() {
        probe.file(&format!("chart/cases/{at:05}.yaml"), text);
    }
    probe.file(
        "chart/templates/probe.yaml",
        "{{ range $name, $_ := .Files.Glob \"cases/*\" }}\n{{ $name }}: {{ $.Files.Get $name | fromYaml | toJson | b64enc }}\n{{ end }}\n",
    );
    let output = helm(version).args(["template", "probe"]).arg(probe.chart()).env("HOME", probe.root.path()).output().expect("helm runs");
    assert!(output.status.success(), "helm {version}: {}", String::from_utf8_lossy(&output.stderr));
    let mut seen: Vec<Option<Result<Value, String>>> = texts.iter().map(|_| None).collect();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((name, json)) = line.strip_prefix("cases/").and_then(|rest| rest.split_once(".yaml: ")) else { continue };
        let value = decoded(json);
        seen[name.parse::<usize>().expect("a number")] = Some(match value.get("Error").and_then(Value::as_str) {
            Some(error) => Err(error.to_owned()),
            None => Ok(value),
        });
    }
    seen.into_iter().enumerate().map(|(at, seen)| seen.unwrap_or_else(|| panic!("no answer to {:?}", texts[at]))).collect()
}

/// What a template printed; in base64, because helm reads its output as YAML again.
fn decoded(coded: &str) -> Value {
    let bytes = base64::engine::general_purpose::STANDARD.decode(coded).expect("base64");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// lain's reading of a text.
pub fn ours(text: &str) -> lain::error::Result<Node> {
    lain::values::parse::parse(Path::new("values.yaml"), text.to_owned())
}

/// Numbers with 15 digits, so that 1 and 1.0 are the same, and the last bit, which the reader of JSON may lose, does not count.
pub fn same_numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(format!("the number {:.14e}", number.as_f64().expect("a float") + 0.0)),
        Value::Array(items) => items.iter().map(same_numbers).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(key, value)| (key.clone(), same_numbers(value))).collect()),
        other => other.clone(),
    }
}

/// The same without the nulls of maps.
pub fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), without_nulls(value))).collect(),
        ),
        other => other.clone(),
    }
}

/// A row of the table of refusals in docs/values.md.
pub struct Refusal {
    /// What lain says.
    pub words: String,
    /// A file that is refused.
    pub file: String,
    /// What helm reads in it; none where that is chance.
    pub helm: Option<Value>,
    /// What to write instead.
    pub instead: String,
}

/// The table of refusals.
pub fn refusals() -> Vec<Refusal> {
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/values.md")).expect("docs/values.md");
    let table = document.split("| lain says |").nth(1).expect("the table");
    let text = |cell: &str| serde_json::from_str::<String>(cell.trim_matches('`')).unwrap_or_else(|error| panic!("{error}: {cell}"));
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<Refusal> = rows
        .map(|row| {
            let row = row.replace("\\|", "\u{0}");
            let cells: Vec<String> = row.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
            let [_, words, file, helm, instead, _] = cells.as_slice() else { panic!("four cells: {row}") };
            let helm = helm.starts_with("`{").then(|| serde_json::from_str(helm.trim_matches('`')).expect("JSON"));
            Refusal { words: words.clone(), file: text(file), helm, instead: text(instead) }
        })
        .collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    rows
}
