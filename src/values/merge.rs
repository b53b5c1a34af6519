//! Merging as helm merges. Pure.

use super::node::{Entry, Map, Node, Value};

/// helm's merge of `-f` files: maps key by key, anything else replaced whole, null kept as a value.
pub fn overlay(base: &mut Node, over: &Node) {
    match (&mut base.value, &over.value) {
        (Value::Map(base), Value::Map(over)) => {
            for (key, entry) in over {
                match base.get_mut(key) {
                    Some(existing) => {
                        overlay(&mut existing.node, &entry.node);
                        existing.key_span.clone_from(&entry.key_span);
                    }
                    None => {
                        base.insert(key.clone(), entry.clone());
                    }
                }
            }
        }
        _ => base.clone_from(over),
    }
}

/// helm's merge of everything given over the chart's own values: as [`overlay`], but null removes a key the chart has.
pub fn coalesce(chart: &Node, given: &Node) -> Node {
    match (&chart.value, &given.value) {
        (Value::Map(chart), Value::Map(over)) => {
            let mut merged = Map::with_capacity(chart.len() + over.len());
            for (key, entry) in chart {
                match over.get(key) {
                    None => {
                        merged.insert(key.clone(), entry.clone());
                    }
                    Some(given) if matches!(given.node.value, Value::Null) => {}
                    Some(given) => {
                        let node = coalesce(&entry.node, &given.node);
                        merged.insert(key.clone(), Entry { key_span: given.key_span.clone(), node });
                    }
                }
            }
            for (key, entry) in over {
                if !chart.contains_key(key) {
                    merged.insert(key.clone(), entry.clone());
                }
            }
            Node { value: Value::Map(merged), span: given.span.clone() }
        }
        _ => given.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse;
    use std::path::Path;

    fn node(text: &str) -> Node {
        parse(Path::new("v.yaml"), text.to_owned()).expect("parses")
    }

    #[test]
    fn maps_merge_and_the_rest_is_replaced() {
        let mut given = node("a: {x: 1, l: [1, 2]}\nk: null\n");
        overlay(&mut given, &node("a: {l: [3], z: null}\nm: null\n"));
        assert_eq!(given.to_json().to_string(), r#"{"a":{"x":1,"l":[3],"z":null},"k":null,"m":null}"#);
        let merged = coalesce(&node("a: {x: 0, z: 9, w: 5}\nk: 1\n"), &given);
        assert_eq!(merged.to_json().to_string(), r#"{"a":{"x":1,"w":5,"l":[3]},"m":null}"#);
    }
}
