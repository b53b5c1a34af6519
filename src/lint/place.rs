//! Where in the values, or in a template, something of a rendered object comes from.

use std::path::PathBuf;

use super::api_versions::Rendered;
use crate::error::Location;
use crate::model::app::ProcKind;
use crate::values::node::{Entry, Node, Value};

const KINDS: [ProcKind; 5] = [ProcKind::Deployment, ProcKind::StatefulSet, ProcKind::CronJob, ProcKind::Job, ProcKind::Test];

/// The place of what `keys` lead to: of the process, of the ingress, or of the app; else the template.
pub(super) fn place(root: &Node, rendered: &Rendered, keys: &[String], read: impl Fn(&str) -> Option<String>) -> Location {
    if rendered.kind == "Ingress" {
        let items = ["ingresses", "externalIngresses"].into_iter().filter_map(|key| root.get(key)).flat_map(items);
        let texts: Vec<&str> = keys.iter().skip(1).map(String::as_str).collect();
        let host = texts.first().copied().unwrap_or_default();
        if let Some(item) =
            items.filter_map(|item| Some((item, item.get("host")?.as_str()?))).find(|(_, own)| !own.is_empty() && host.starts_with(own))
        {
            return texts
                .get(1)
                .and_then(|path| holder(item.0.get("paths")?, path))
                .unwrap_or_else(|| item.0.nearest(["host"]))
                .span
                .location();
        }
    }
    for kind in KINDS {
        for (name, entry) in root.get(kind.key()).and_then(Node::as_map).into_iter().flatten() {
            if !rendered.object.name().ends_with(&format!("-{name}")) || !is_of(kind, &rendered.kind) {
                continue;
            }
            return inside(&entry.node, keys).or_else(|| inside(root, keys)).unwrap_or_else(|| entry.key_span.location());
        }
    }
    inside(root, keys).unwrap_or_else(|| template(rendered, read))
}

/// True when this is a key of the app, or of one of its processes.
pub(super) fn knows(root: &Node, key: &str) -> bool {
    let has = |node: &Node| node.get(key).is_some();
    has(root)
        || KINDS.iter().any(|kind| root.get(kind.key()).and_then(Node::as_map).into_iter().flatten().any(|(_, entry)| has(&entry.node)))
}

fn is_of(kind: ProcKind, rendered: &str) -> bool {
    match kind {
        ProcKind::Deployment => matches!(rendered, "Deployment" | "Service" | "HorizontalPodAutoscaler"),
        ProcKind::StatefulSet => matches!(rendered, "StatefulSet" | "Service" | "HorizontalPodAutoscaler"),
        ProcKind::CronJob => rendered == "CronJob",
        ProcKind::Job => rendered == "Job",
        ProcKind::Test => rendered == "Pod",
    }
}

/// The deepest that is there of a way, as long as its first key is.
fn inside(node: &Node, keys: &[String]) -> Option<Location> {
    let (first, rest) = keys.split_first()?;
    let entry = node.as_map()?.get(first)?;
    Some(deepest(entry, rest))
}

fn deepest(entry: &Entry, keys: &[String]) -> Location {
    let Some((first, rest)) = keys.split_first() else { return entry.key_span.location() };
    if let Some(below) = entry.node.as_map().and_then(|map| map.get(first)) {
        return deepest(below, rest);
    }
    // A list: the item that holds the text, and what of it the rest leads to.
    match items(&entry.node).find(|item| holder(item, first).is_some()) {
        Some(item) => inside(item, rest).unwrap_or_else(|| holder(item, first).unwrap_or(item).span.location()),
        None => entry.key_span.location(),
    }
}

fn items(node: &Node) -> impl Iterator<Item = &Node> {
    match &node.value {
        Value::Seq(items) => items.iter(),
        _ => [].iter(),
    }
}

/// The node whose text this is.
fn holder<'n>(node: &'n Node, text: &str) -> Option<&'n Node> {
    match &node.value {
        Value::Map(map) => map.values().find_map(|entry| holder(&entry.node, text)),
        Value::Seq(items) => items.iter().find_map(|item| holder(item, text)),
        _ => Some(node).filter(|node| node.as_str() == Some(text)),
    }
}

fn template(rendered: &Rendered, read: impl Fn(&str) -> Option<String>) -> Location {
    let text = read(&rendered.template).and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default();
    Location { path: PathBuf::from("chart").join(&rendered.template), line: 1, column: 1, length: 1, text }
}
