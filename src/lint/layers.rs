//! Files beside each other: which are loaded, and what they repeat.

use std::path::Path;

use super::{Input, Problem, Severity};
use crate::error::Location;
use crate::model::name::nearest;
use crate::values::merge::{coalesce, overlay};
use crate::values::node::{Map, Node, Span, Value};

/// L008 a cluster nobody knows, L009 the same as what it overrides, L032 numbers that lose digits.
pub(super) fn check(input: &mut Input<'_>) {
    unknown_clusters(input);
    repetitions(input);
    let mut long = Vec::new();
    long_numbers(input.root, &mut long);
    for (at, seen) in long {
        let written: String = at.location().text.chars().skip(at.column - 1).take(at.length).collect();
        let message = format!("helm reads {written} as {seen}: its last digits change");
        input.error("L032", &at, message, format!("\"{written}\""));
    }
}

/// `test` of `values-test.yaml`.
pub(crate) fn cluster_of(file_name: &str) -> Option<&str> {
    file_name.strip_prefix("values-")?.strip_suffix(".yaml")
}

fn unknown_clusters(input: &mut Input<'_>) {
    let known = &input.surroundings.known_clusters;
    if known.is_empty() {
        return; // nobody told this machine of any
    }
    let used: Vec<&Path> = input.layers.layers.iter().filter_map(|layer| layer.path.as_deref()).collect();
    let mut problems = Vec::new();
    for file in &input.surroundings.values_files {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(cluster) = cluster_of(name) else { continue };
        if used.contains(&file.as_path()) || known.iter().any(|name| name == cluster) {
            continue;
        }
        let hint = match nearest(cluster, known.iter().map(String::as_str)) {
            Some(near) => format!("git mv {} chart/values-{near}.yaml", file.display()),
            None => format!("lain lint -f {} # reads it; this machine knows {}", file.display(), known.join(", ")),
        };
        let text = std::fs::read_to_string(file).ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default();
        problems.push(Problem {
            id: "L008",
            severity: Severity::Warning,
            message: format!("this machine knows no cluster `{cluster}`: this file is read with `-f` alone"),
            hint,
            at: Location { path: file.clone(), line: 1, column: 1, length: text.chars().count().max(1), text },
        });
    }
    problems.into_iter().for_each(|problem| input.keep(problem));
}

/// The app's own `values-CLUSTER.yaml` against everything before it.
fn repetitions(input: &mut Input<'_>) {
    let Some(cluster) = input.surroundings.cluster.clone() else { return };
    let own = Path::new("chart").join(format!("values-{cluster}.yaml"));
    let layers = &input.layers.layers;
    let Some(index) = layers.iter().position(|layer| layer.path.as_deref() == Some(&own)).filter(|index| *index > 0) else { return };
    let mut given = Node { value: Value::Map(Map::new()), span: layers[0].node.span.clone() };
    layers[1..index].iter().for_each(|layer| overlay(&mut given, &layer.node));
    let before = coalesce(&layers[0].node, &given);
    let mut same = Vec::new();
    equal_leaves(&before, &layers[index].node, &mut Vec::new(), &mut same);
    for (path, here, there) in same {
        let there = there.location();
        let message = format!("`{path}` is what {}:{} says already", there.path.display(), there.line);
        // The older tool compared whole keys at the top; a part that is repeated runs as it is written.
        let severity = if path.contains('.') { Severity::Warning } else { Severity::Error };
        input.push("L009", severity, &here, message, "remove the line".into());
    }
}

fn equal_leaves<'a>(before: &Node, over: &'a Node, path: &mut Vec<&'a str>, same: &mut Vec<(String, Span, Span)>) {
    let (Some(before), Some(over)) = (before.as_map(), over.as_map()) else { return };
    for (key, entry) in over {
        let Some(known) = before.get(key) else { continue };
        path.push(key);
        match (&known.node.value, &entry.node.value) {
            (Value::Map(one), Value::Map(other)) if !one.is_empty() && !other.is_empty() => {
                equal_leaves(&known.node, &entry.node, path, same);
            }
            (_, Value::Null) => {}
            _ if known.node.to_json() == entry.node.to_json() => {
                same.push((path.join("."), entry.key_span.clone(), known.key_span.clone()));
            }
            _ => {}
        }
        path.pop();
    }
}

fn long_numbers(node: &Node, found: &mut Vec<(Span, String)>) {
    match &node.value {
        Value::Number(number) => {
            let at = node.span.location();
            let written: String = at.text.chars().skip(at.column - 1).take(at.length).collect();
            let seen = format!("{number:.0}");
            // Only what is written in digits: 1e20 says what it is.
            if written.len() > 15 && written.bytes().all(|byte| byte.is_ascii_digit()) && written != seen {
                found.push((node.span.clone(), seen));
            }
        }
        Value::Seq(items) => items.iter().for_each(|item| long_numbers(item, found)),
        Value::Map(map) => map.values().for_each(|entry| long_numbers(&entry.node, found)),
        _ => {}
    }
}
