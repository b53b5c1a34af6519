//! What YAML 1.1 makes of unquoted text.

use super::{Input, names::PROC_MAPS};
use crate::values::node::{Node, Value};

/// L030: env values that are not text.
pub fn check(input: &mut Input<'_>) {
    let root = input.layers.merged.clone();
    let mut envs: Vec<&Node> = root.get("env").into_iter().collect();
    for map in PROC_MAPS {
        let procs = root.get(map).and_then(Node::as_map).into_iter().flat_map(|procs| procs.values());
        envs.extend(procs.filter_map(|entry| entry.node.get("env")));
    }
    for env in envs {
        for (key, entry) in env.as_map().into_iter().flatten() {
            let node = &entry.node;
            if matches!(node.value, Value::String(_) | Value::Null) {
                continue;
            }
            let seen = node.to_json().to_string();
            let line = node.span.location().text;
            let written: String = line.chars().skip(node.span.column.saturating_sub(1)).take(node.span.length).collect();
            let written = written.trim().to_owned();
            match node.value {
                // An old habit that works: helm prints small whole numbers as they are written.
                Value::Number(_) if written == seen && seen.len() < 7 => {
                    input.warning(
                        "L030",
                        &node.span,
                        format!("env `{key}` is a number, env values are text"),
                        format!("{key}: \"{written}\""),
                    );
                }
                Value::Bool(_) | Value::Number(_) => {
                    input.error(
                        "L030",
                        &node.span,
                        format!("env `{key}`: YAML reads `{written}` as {seen}, so that is what the container would get"),
                        format!("{key}: \"{written}\""),
                    );
                }
                _ => input.error(
                    "L030",
                    &node.span,
                    format!("env `{key}` is {}, env values are text", node.value.kind()),
                    format!("{key}: \"...\""),
                ),
            }
        }
    }
}
