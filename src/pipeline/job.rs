//! One job of a merged pipeline.

use super::expression::Variables;
use super::merged::Merged;
use super::yaml::Node;
use crate::values::node::Span;

/// Keys of the top that are no jobs (GitLab's `Entry::Root`).
pub(crate) const TOP: &[&str] = &[
    "default",
    "include",
    "before_script",
    "image",
    "services",
    "after_script",
    "variables",
    "stages",
    "types",
    "cache",
    "workflow",
    "spec",
];

/// A job, hidden ones not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job<'m> {
    pub name: &'m str,
    pub node: &'m Node,
    pub key: &'m Span,
}

impl<'m> Job<'m> {
    /// Every job that GitLab would take for one: it has a script, or starts another pipeline.
    pub(crate) fn all(merged: &'m Merged) -> Vec<Self> {
        let is_job = |name: &str, node: &Node| {
            !name.starts_with('.') && !TOP.contains(&name) && ["script", "run", "trigger"].iter().any(|key| node.get(key).is_some())
                || (name == "pages" && node.map().is_some())
        };
        let uncertain = |name: &String| merged.uncertain.contains(name) && !name.starts_with('.');
        merged
            .root
            .iter()
            .filter(|(name, entry)| is_job(name, &entry.node) || (uncertain(name) && entry.node.map().is_some()))
            .map(|(name, entry)| Self { name, node: &entry.node, key: &entry.key })
            .collect()
    }

    /// Where a key stands, or the job.
    pub(crate) fn at(&self, key: &str) -> &'m Span {
        self.node.map().and_then(|map| map.get(key)).map_or(self.key, |entry| &entry.key)
    }

    pub(crate) fn stage(&self) -> &'m str {
        self.node.get("stage").and_then(Node::text).unwrap_or("test")
    }

    /// A key of its own, or the one that `default:` or the top gives it, where `inherit` lets it.
    pub(crate) fn inherited(&self, merged: &'m Merged, key: &str) -> Option<&'m Node> {
        if let Some(own) = self.node.get(key) {
            return Some(own);
        }
        let lets = match self.node.get("inherit").and_then(|inherit| inherit.get("default")) {
            None => true,
            Some(node) => node.bool().unwrap_or_else(|| node.texts().iter().any(|text| text.text() == Some(key))),
        };
        let top = |key: &str| merged.root.get(key).map(|entry| &entry.node);
        let of_default = top("default").and_then(|default| default.get(key));
        let of_top = || matches!(key, "image" | "services" | "before_script" | "after_script" | "cache").then(|| top(key)).flatten();
        if lets { of_default.or_else(of_top) } else { None }
    }

    /// The variables of the top, where `inherit` lets it.
    pub(crate) fn inherited_variables(&self, merged: &Merged) -> Variables {
        let mut all = values(merged.root.get("variables").map(|entry| &entry.node));
        if let Some(node) = self.node.get("inherit").and_then(|inherit| inherit.get("variables")) {
            let names: Vec<String> = node.texts().iter().filter_map(|text| text.scalar()).collect();
            match node.bool() {
                Some(true) => {}
                Some(false) => all.clear(),
                None => all.retain(|name, _| names.contains(name)),
            }
        }
        all
    }

    /// The environment's name and what is done to it; `start` when nothing is said.
    pub(crate) fn environment(&self) -> Option<(&'m str, &'m str)> {
        let node = self.node.get("environment")?;
        let name = node.text().or_else(|| node.get("name")?.text())?;
        Some((name, node.get("action").and_then(Node::text).unwrap_or("start")))
    }

    /// It changes an environment.
    pub(crate) fn is_deploy(&self) -> bool {
        self.environment().is_some_and(|(_, action)| action == "start")
    }

    /// Every line of its scripts.
    pub(crate) fn script(&self, merged: &'m Merged) -> Vec<&'m Node> {
        let parts = [self.inherited(merged, "before_script"), self.node.get("script"), self.inherited(merged, "after_script")];
        parts.into_iter().flatten().flat_map(Node::texts).collect()
    }
}

/// Variables of a `variables:` block: plain, or with `value`.
pub(crate) fn values(node: Option<&Node>) -> Variables {
    let of = |node: &Node| node.get("value").unwrap_or(node).scalar().unwrap_or_default();
    node.and_then(Node::map).into_iter().flatten().map(|(name, entry)| (name.clone(), of(&entry.node))).collect()
}
