//! lain and helm must see the same data: a probe chart prints what helm saw, for each helm at hand.

use std::fs;
use std::process::Command;

const TEXTS: &[&str] = &[
    "a: on\nb: Off\nc: y\nd: N\ne: yEs\nf: \"on\"\n",
    "on: 1\ny: 2\n0777: 3\n1.5: 4\nnull: 5\n",
    "a: 0777\nb: 0o777\nc: 0x1F\nd: 0b11\ne: 089\nf: 1_000\ng: 1e3\nh: .5\ni: 1.\nj: +1\nk: -0\nl: 1__0\n",
    "a: 12:30:45\nb: 2026-01-01\nc: 2026-01-01T10:00:00Z\nd: 1.2.3\ne: ~\nf:\ng: Null\nh: 9007199254740993\n",
    "base: &b {x: 1, k: 2}\nz:\n  <<: *b\n  k: 3\nl: [*b, {<<: *b, x: 9}]\n",
    "a: |\n  x\n   y\n\nb: >-\n  x\n  y\nc: 'it''s'\nd: \"tab\\there\"\ne: x # c\nf: x#c\ng: a:b\n",
    "\u{feff}a: 中文\r\nb: [1, 2]\r\nc: {d: e}\r\n",
    "a: !!str 1\nb: !!int \"3\"\nc: !!float 1\nd: !!str on\n",
    "a: []\nb: {}\nc: [[1], [2, [3]]]\nd: \"\"\ne: ''\n",
    "? a\n: 1\nb: -\nc: +\nd: =\ne: '-'\n",
];

fn tools() -> String {
    std::env::var("LAIN_RIG_TOOLS").expect("LAIN_RIG_TOOLS is not set: eval \"$(tests/rig/rig env)\", or run tests/run")
}

fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            map.into_iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key, without_nulls(value))).collect()
        }
        other => other,
    }
}

#[test]
fn every_helm_sees_what_lain_sees() {
    let root = tempfile::tempdir().expect("a folder");
    let chart = root.path().join("chart");
    fs::create_dir_all(chart.join("templates")).expect("a folder");
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: probe\nversion: 0.1.0\n").expect("Chart.yaml");
    fs::write(chart.join("templates/probe.yaml"), "seen: {{ .Values | toJson }}\n").expect("probe");
    let mut differences = Vec::new();
    for text in TEXTS {
        fs::write(chart.join("values.yaml"), text).expect("values");
        let ours = Command::new(env!("CARGO_BIN_EXE_lain"))
            .args(["values", "-o", "json"])
            .current_dir(root.path())
            .env("HOME", root.path())
            .env_remove("LAIN_CLUSTER")
            .output()
            .expect("lain runs");
        for version in ["3.9.4", "3.17.3", "4.3.1"] {
            let helm = Command::new(format!("{}/helm-{version}/helm", tools()))
                .args(["template", "probe"])
                .arg(&chart)
                .output()
                .expect("helm runs");
            let seen = String::from_utf8_lossy(&helm.stdout).into_owned();
            let seen = seen.lines().find_map(|line| line.strip_prefix("seen: ")).map(str::to_owned);
            if !ours.status.success() {
                // Refusing is allowed, with a position.
                let words = String::from_utf8_lossy(&ours.stderr).into_owned();
                assert!(words.contains("chart/values.yaml:"), "{text:?}: {words}");
                continue;
            }
            let ours: serde_json::Value = serde_json::from_slice(&ours.stdout).expect("JSON");
            let theirs: Option<serde_json::Value> = seen.as_deref().and_then(|seen| serde_json::from_str(seen).ok());
            // helm 4 leaves out nulls of the chart's own values, helm 3 keeps them; templates see no difference.
            let (ours, theirs) = if version.starts_with('4') { (without_nulls(ours), theirs.map(without_nulls)) } else { (ours, theirs) };
            if theirs.as_ref() != Some(&ours) {
                differences.push(format!(
                    "helm {version}, {text:?}\n  helm {}\n  lain {ours}",
                    seen.unwrap_or_else(|| String::from_utf8_lossy(&helm.stderr).into_owned())
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
