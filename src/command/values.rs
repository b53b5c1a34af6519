//! `lain values`: the effective values, and where each came from.

use clap::Args;
use indexmap::IndexSet;
use serde::Serialize;
use serde_json::Value as Json;

use super::Command;
use super::get_values::PlainValues;
use crate::error::{Error, Result};
use crate::model::name::nearest;
use crate::resolved::Asked;
use crate::resolved::layers::{CANARY, Layers};
use crate::session::Session;
use crate::ui::{Answer, Format};
use crate::values::node::{Node, Value};

/// Print the effective values: every layer merged as helm merges them
#[derive(Args, Debug)]
#[command(after_help = "  lain values -o json | jq .deployments\n  lain values --explain deployments.web.command")]
pub struct Values {
    /// For every value under KEY (a.b.c), print the file and line it comes from and what it overrides
    #[arg(long, value_name = "KEY")]
    explain: Option<String>,
    /// As for a canary: a release of its own, nginx's canary annotations
    #[arg(long)]
    canary: bool,
    /// As `lain deploy --set` would
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print credentials too, which are masked otherwise
    #[arg(long)]
    reveal: bool,
}

/// What stands for a credential.
const MASK: &str = "***";

/// The ways to values that are not shown.
struct Masked(Vec<Vec<String>>);

impl Masked {
    /// True when a way leads to one of them, or into it.
    fn holds(&self, way: &[String]) -> bool {
        self.0.iter().any(|masked| way.starts_with(masked))
    }

    /// A value on this way with every text, number and flag masked that is a credential; true when there was one. What is taken from the
    /// environment (`${NAME}`) is shown: it is a name.
    fn apply(&self, way: &mut Vec<String>, value: &mut Json) -> bool {
        match value {
            Json::Object(map) => {
                let mut masked = false;
                for (key, value) in map {
                    way.push(key.clone());
                    masked |= self.apply(way, value);
                    way.pop();
                }
                masked
            }
            Json::Null => false,
            Json::String(text) if text.starts_with("${") && text.ends_with('}') => false,
            value => {
                let masked = self.holds(way);
                if masked {
                    *value = MASK.into();
                }
                masked
            }
        }
    }
}

impl Command for Values {
    const FORMATS: &'static [Format] = PlainValues::FORMATS;

    fn formats(&self) -> &'static [Format] {
        if self.explain.is_some() { Explained::FORMATS } else { PlainValues::FORMATS }
    }

    fn run(self, session: &Session) -> Result<()> {
        let resolved = session.resolve(Asked { set: self.set, canary: self.canary, review: None })?;
        let layers = &resolved.layers;
        if session.cluster_name().is_none() {
            session.ui.warn("no cluster is chosen: the cluster's own values are missing (lain use CLUSTER)");
        }
        let ways = if self.reveal { vec![] } else { resolved.credentials().to_vec() };
        // Which variables hold credentials is no secret.
        let masked = Masked(ways.into_iter().filter(|way| way[0] != "secrets_env").collect());
        if let Some(key) = &self.explain {
            return explain(session, layers, key, &masked);
        }
        let mut values = layers.merged.to_json();
        if masked.apply(&mut vec![], &mut values) {
            session.ui.say("credentials are masked; --reveal shows them");
        }
        session.ui.answer(&PlainValues(values))
    }
}

fn explain(session: &Session, layers: &Layers, key: &str, masked: &Masked) -> Result<()> {
    let path: Vec<&str> = key.split('.').filter(|step| !step.is_empty()).collect();
    let mut leaves: IndexSet<Vec<String>> = IndexSet::new();
    for node in std::iter::once(&layers.merged).chain(layers.layers.iter().map(|layer| &layer.node)) {
        if let Some(node) = find(node, &path) {
            collect(node, &mut path.iter().map(|step| (*step).to_owned()).collect(), &mut leaves);
        }
    }
    // A map that another layer filled is no leaf.
    let leaves: Vec<Origin> = leaves
        .iter()
        .filter(|leaf| !leaves.iter().any(|other| other.len() > leaf.len() && other.starts_with(leaf)))
        .map(|leaf| Origin::of(layers, leaf, masked))
        .collect();
    if leaves.is_empty() {
        let keys = layers.merged.as_map().into_iter().flat_map(|map| map.keys().map(String::as_str));
        let near = nearest(path.first().copied().unwrap_or_default(), keys).map(|near| format!("lain values --explain {near}"));
        return Err(Error::failed(format!("no layer sets `{key}`")).hint(near.unwrap_or_else(|| "lain values".to_owned())));
    }
    session.ui.answer(&Explained { version: 1, values: leaves })
}

#[derive(Serialize)]
struct Explained {
    version: u32,
    values: Vec<Origin>,
}

impl Answer for Explained {
    fn text(&self) -> String {
        self.values.iter().map(Origin::shown).collect()
    }
}

/// Where one value comes from.
#[derive(Serialize)]
struct Origin {
    key: String,
    /// None for one that a null took away.
    value: Option<Json>,
    removed: bool,
    from: String,
    over: Vec<Overridden>,
}

/// What it took the place of, nearest first.
#[derive(Serialize)]
struct Overridden {
    at: String,
    value: Json,
}

impl Origin {
    fn of(layers: &Layers, leaf: &[String], masked: &Masked) -> Self {
        let steps: Vec<&str> = leaf.iter().map(String::as_str).collect();
        let mut found: Vec<&Node> = layers.layers.iter().filter_map(|layer| find_or_null(&layer.node, &steps)).collect();
        let shown = |node: &Node| {
            let mut value = node.to_json();
            let is_masked = masked.apply(&mut leaf.to_vec(), &mut value);
            (value, is_masked)
        };
        let place = |node: &Node| if shown(node).1 { place(node, Some(leaf)) } else { place(node, None) };
        let value = find(&layers.merged, &steps).map(|node| shown(node).0);
        let last = found.pop();
        let over = found.iter().rev().map(|node| Overridden { at: place(node), value: shown(node).0 }).collect();
        Self { key: leaf.join("."), removed: value.is_none(), value, from: last.map(place).unwrap_or_default(), over }
    }

    fn shown(&self) -> String {
        let mut out = match &self.value {
            Some(value) => format!("{}: {value}\n  from {}\n", self.key, self.from),
            None => format!("{} is not there\n  removed by the null at {}\n", self.key, self.from),
        };
        for earlier in &self.over {
            out += &format!("  over {} ({})\n", earlier.at, earlier.value);
        }
        out
    }
}

/// `chart/values.yaml:4:9`, `--canary`, or `--set a.b=c`; of a masked one its key alone.
fn place(node: &Node, masked: Option<&[String]>) -> String {
    if node.span.source.path.as_os_str() == CANARY {
        return CANARY.to_owned();
    }
    if node.span.source.path.as_os_str() == "--set" {
        return masked.map_or_else(|| format!("--set {}", node.span.source.text), |leaf| format!("--set {}={MASK}", leaf.join(".")));
    }
    node.span.location().to_string()
}

fn find<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, step| node.get(step))
}

/// The node at a path, or a null on the way, which takes everything below it away.
fn find_or_null<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    let Some((step, rest)) = path.split_first() else { return Some(node) };
    let next = node.get(step)?;
    if matches!(next.value, Value::Null) { Some(next) } else { find_or_null(next, rest) }
}

/// Lists are leaves: merging replaces them whole.
fn collect(node: &Node, path: &mut Vec<String>, leaves: &mut IndexSet<Vec<String>>) {
    match &node.value {
        Value::Map(map) if !map.is_empty() => {
            for (key, entry) in map {
                path.push(key.clone());
                collect(&entry.node, path, leaves);
                path.pop();
            }
        }
        _ => {
            leaves.insert(path.clone());
        }
    }
}
