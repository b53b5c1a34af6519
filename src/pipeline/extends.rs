//! `extends` and `!reference`, in the order in which GitLab sees to them (`Gitlab::Ci::Config#expand_config`): includes, extends, references.

use std::collections::HashSet;

use super::finding::Finding;
use super::yaml::{Map, Node, Value, deep_merge};
use crate::model::name::nearest;

/// GitLab's `Extendable::Entry::MAX_NESTING_LEVELS`, and that of references.
const MAX_NESTING: usize = 11;

/// Jobs of which not everything is known: they stand on something that was not read.
pub(crate) type Uncertain = HashSet<String>;

/// Resolves every `extends`. `is_whole` is false when not all includes could be read: then a parent that is missing may be in one of them.
pub(crate) fn extend(root: &mut Map, is_whole: bool, findings: &mut Vec<Finding>) -> Uncertain {
    let mut uncertain = Uncertain::new();
    let names: Vec<String> = root.iter().filter(|(_, entry)| entry.node.get("extends").is_some()).map(|(name, _)| name.clone()).collect();
    let before = root.clone();
    for name in names {
        let mut walk = Walk { root: &before, is_whole, path: Vec::new(), is_certain: true, findings };
        if let Some(made) = walk.extended(&name) {
            if !walk.is_certain {
                uncertain.insert(name.clone());
            }
            if let Some(entry) = root.get_mut(&name) {
                entry.node.value = Value::Map(made);
            }
        }
    }
    uncertain
}

struct Walk<'a> {
    root: &'a Map,
    is_whole: bool,
    path: Vec<String>,
    is_certain: bool,
    findings: &'a mut Vec<Finding>,
}

impl Walk<'_> {
    fn extended(&mut self, name: &str) -> Option<Map> {
        let entry = self.root.get(name)?;
        let own = entry.node.map()?;
        let Some(extends) = own.get("extends") else { return Some(own.clone()) };
        let at = &extends.node.span;
        if self.path.iter().any(|known| known == name) || self.path.len() > MAX_NESTING {
            let message = format!("{name}: circular dependency detected in `extends`, or more than {MAX_NESTING} levels");
            self.findings.push(Finding::error("C025", at, message, "extends: a hidden job that extends nothing"));
            return None;
        }
        self.path.push(name.to_owned());
        let mut made = Map::new();
        for parent in extends.node.texts() {
            let wanted = parent.text().unwrap_or_default();
            match self.root.get(wanted).filter(|entry| entry.node.map().is_some()) {
                Some(_) => deep_merge(&mut made, &self.extended(wanted)?),
                None if self.is_whole => self.unknown(name, wanted, parent),
                None => self.is_certain = false,
            }
        }
        self.path.pop();
        deep_merge(&mut made, own);
        Some(made)
    }

    fn unknown(&mut self, name: &str, wanted: &str, at: &Node) {
        if self.path.len() > 1 {
            return; // told where it stands
        }
        let near = nearest(wanted, self.root.keys().map(String::as_str));
        let hint = near.map_or_else(|| format!("write `{wanted}`, or take it out of `extends`"), |near| format!("extends: {near}"));
        self.is_certain = false;
        self.findings.push(Finding::error("C025", &at.span, format!("{name}: unknown keys in `extends` ({wanted})"), hint));
    }
}

/// Resolves every `!reference`.
pub(crate) fn refer(root: &mut Map, is_whole: bool, uncertain: &mut Uncertain, findings: &mut Vec<Finding>) {
    let before = root.clone();
    for (name, entry) in root.iter_mut() {
        let mut resolver = Resolver { root: &before, missing: Vec::new() };
        entry.node = resolver.resolved(&entry.node, 0);
        if resolver.missing.is_empty() {
            continue;
        }
        uncertain.insert(name.clone());
        if is_whole {
            let told = resolver.missing.iter().map(|(node, path)| {
                Finding::error(
                    "C025",
                    &node.span,
                    format!("!reference [{}] could not be found", path.join(", ")),
                    format!("write `{}`, with that key in it", path.first().map_or("the job", String::as_str)),
                )
            });
            findings.extend(told);
        }
    }
}

struct Resolver<'a> {
    root: &'a Map,
    missing: Vec<(Node, Vec<String>)>,
}

impl Resolver<'_> {
    fn resolved(&mut self, node: &Node, depth: usize) -> Node {
        let value = match &node.value {
            Value::Reference(path) => {
                let target = self.target(path).cloned();
                return match target {
                    Some(target) if depth < MAX_NESTING => self.resolved(&target, depth + 1),
                    _ => {
                        self.missing.push((node.clone(), path.clone()));
                        Node { value: Value::Null, span: node.span.clone() }
                    }
                };
            }
            Value::List(items) => Value::List(items.iter().map(|item| self.resolved(item, depth)).collect()),
            Value::Map(map) => {
                let mut map = map.clone();
                map.values_mut().for_each(|entry| entry.node = self.resolved(&entry.node, depth));
                Value::Map(map)
            }
            other => other.clone(),
        };
        Node { value, span: node.span.clone() }
    }

    fn target(&self, path: &[String]) -> Option<&Node> {
        let (first, rest) = path.split_first()?;
        let mut node = &self.root.get(first)?.node;
        for step in rest {
            node = node.get(step)?;
        }
        (!node.is_null()).then_some(node)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::pipeline::yaml::{self, map_to_json};

    fn of(text: &str) -> (serde_json::Value, Vec<String>) {
        let mut root = yaml::read(Path::new("x.yml"), text).expect("YAML").all.remove(0).map().expect("a map").clone();
        let mut findings = Vec::new();
        let mut uncertain = extend(&mut root, true, &mut findings);
        refer(&mut root, true, &mut uncertain, &mut findings);
        (map_to_json(&root), findings.into_iter().map(|finding| finding.message).collect())
    }

    #[test]
    fn parents_merge_deeply_and_lists_are_replaced() {
        let text = ".a: {variables: {X: '1', Y: '1'}, rules: [{if: $A}], tags: [a]}\n.b: {extends: .a, variables: {Y: '2'}}\n.c: {tags: [c]}\n\
                    job: {extends: [.b, .c], variables: {Z: '3'}, rules: [{if: $B}]}\n";
        let job = &of(text).0["job"];
        assert_eq!(job["variables"], serde_json::json!({"X": "1", "Y": "2", "Z": "3"}));
        assert_eq!((&job["rules"], &job["tags"]), (&serde_json::json!([{"if": "$B"}]), &serde_json::json!(["c"])));
    }

    #[test]
    fn circles_and_unknown_parents() {
        assert!(of("a: {extends: b}\nb: {extends: a}\n").1[0].contains("circular dependency"));
        assert_eq!(of("job: {extends: .nobody}\n").1, ["job: unknown keys in `extends` (.nobody)"]);
    }

    #[test]
    fn references_reach_into_jobs_and_through_extends() {
        let text = ".a: {script: [one, [two]]}\n.b: {extends: .a}\njob: {script: [!reference [.b, script], three]}\nno: {script: !reference [.b, nothing]}\n";
        let (made, findings) = of(text);
        assert_eq!(made["job"]["script"], serde_json::json!([["one", ["two"]], "three"]));
        assert_eq!(findings, ["!reference [.b, nothing] could not be found"]);
    }
}
