//! Quantities mean to lain what they mean to a real API server.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use lain::model::quantity::Quantity;
use serde_json::{Value as Json, json};

/// What is read alike on both sides.
const GOOD: &[&str] = &[
    "0",
    "1",
    "0.5",
    ".5",
    "1.",
    "01",
    "+5",
    "-1",
    " 1Gi ",
    "80m",
    "1u",
    "1n",
    "1k",
    "1M",
    "1G",
    "1T",
    "1P",
    "1E",
    "1Ki",
    "1Mi",
    "1Gi",
    "1Ti",
    "1Pi",
    "1Ei",
    "7Ei",
    "8Ei",
    "12Ei",
    "12.5Ei",
    "-12Ei",
    "1e3",
    "1E3",
    "1e+3",
    "1e-3",
    "1e18",
    "9E",
    "10E",
    "1.5Gi",
    "0.1Ki",
    "0.3Ki",
    "1.5m",
    "1500m",
    "9223372036854775808",
    "99999999999999999999999Ki",
    "1000000000",
    "1024Mi",
    "128974848",
    "129e6",
    "129M",
    "123Mi",
];

/// What both sides refuse.
const BAD: &[&str] = &[
    "",
    "1ki",
    "1K",
    "1MB",
    "1Mib",
    "80mb",
    "1e",
    "0x10",
    "1_000",
    "1i",
    "1e1.5",
    "1Mi2",
    "1 Mi",
    "1\u{660}",
    "1E2E",
    "+-1",
    "1.1.1",
    "1EiB",
    "1,5",
    "abc",
    "null",
    "1e3Mi",
    "\u{2212}1",
];

/// What the server takes and lain does not: no number at all, which it reads as zero, and numbers beyond any machine.
const STRICTER: &[&str] = &["+", "-", ".", "Mi", "m", "1e30"];

/// Asks the server to look at a List of `LimitRanges`; returns the memory of those it takes, by index.
fn server(limits: &[Json]) -> Vec<Option<Json>> {
    let item = |(index, limit): (usize, &Json)| json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": format!("probe-{index}")}, "spec": {"limits": [limit]}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": limits.iter().enumerate().map(item).collect::<Vec<_>>()});
    let kubectl = format!("{}/kubectl-1.20.2/kubectl", support::rig("LAIN_RIG_TOOLS"));
    let mut child = Command::new(kubectl)
        .args(["create", "--dry-run=server", "--validate=false", "-o", "json", "-f", "-"])
        .env("KUBECONFIG", support::rig("LAIN_E2E_KUBECONFIG"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("its stdin");
    let text = list.to_string();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("kubectl ends");
    writer.join().expect("a thread").expect("kubectl reads");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(!words.contains("refused - did you") && !words.contains("Unable to connect"), "{words}");
    let mut taken = vec![None; limits.len()];
    let objects = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Json>().map(|object| object.expect("JSON"));
    for object in objects.flat_map(|object| object["items"].as_array().cloned().unwrap_or_else(|| vec![object])) {
        let index: usize = object["metadata"]["name"].as_str().and_then(|name| name.strip_prefix("probe-")?.parse().ok()).expect("a probe");
        taken[index] = Some(object["spec"]["limits"][0].clone());
    }
    taken
}

#[test]
fn the_server_takes_what_lain_takes() {
    let all: Vec<&str> = [GOOD, BAD, STRICTER].concat();
    let limits: Vec<Json> = all.iter().map(|text| json!({"type": "Container", "max": {"memory": text}})).collect();
    for (text, taken) in all.iter().zip(server(&limits)) {
        let ours = Quantity::parse(text);
        assert_eq!(taken.is_some(), GOOD.contains(text) || STRICTER.contains(text), "the server and {text:?}: {taken:?}");
        assert_eq!(ours.is_ok(), GOOD.contains(text), "lain and {text:?}: {ours:?}");
        // Thousandths are the least the server keeps of a limit, rounding up; it writes the rest its own way.
        if let (Ok(ours), Some(theirs)) = (ours, taken.and_then(|limit| limit["max"]["memory"].as_str().map(str::to_owned))) {
            let theirs = Quantity::parse(&theirs).expect("what the server writes");
            assert_eq!((ours.is_negative(), ours.millis()), (theirs.is_negative(), theirs.millis()), "{text}");
        }
    }
}

#[test]
fn the_server_orders_them_alike() {
    // A LimitRange whose minimum is above its maximum is refused: that makes the server compare.
    let positive: Vec<&str> =
        GOOD.iter().copied().filter(|text| Quantity::parse(text).is_ok_and(|quantity| !quantity.is_negative())).collect();
    // The server rounds a limit up to thousandths before it compares.
    let millis = |text: &str| Quantity::parse(text).expect("good").millis();
    let mut pairs = Vec::new();
    for (index, left) in positive.iter().enumerate() {
        for step in [1, 7] {
            pairs.push((*left, positive[(index + step) % positive.len()]));
        }
    }
    pairs.extend([
        ("1024Mi", "1Gi"),
        ("1Gi", "1024Mi"),
        ("0.5", "500m"),
        ("1e3", "1k"),
        ("129e6", "129M"),
        ("12Ei", "8Ei"),
        ("8Ei", "12Ei"),
    ]);
    let limits: Vec<Json> =
        pairs.iter().map(|(min, max)| json!({"type": "Container", "min": {"memory": min}, "max": {"memory": max}})).collect();
    let mut refused = 0;
    for ((min, max), taken) in pairs.iter().zip(server(&limits)) {
        if millis(min) == u64::MAX || millis(max) == u64::MAX {
            continue; // more thousandths than 64 bits hold
        }
        assert_eq!(taken.is_some(), millis(min) <= millis(max), "{min} <= {max}: {taken:?}");
        refused += usize::from(taken.is_none());
    }
    assert!(refused > 10, "only {refused} pairs were out of order: the server did not compare");
}
