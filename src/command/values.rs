//! `lain values`: the effective values, and where each came from.

use clap::Args;

use crate::error::{Error, Result};
use crate::session::Session;
use crate::ui::Format;
use crate::values::layers::Layers;
use crate::values::node::{Node, Value};
use crate::values::write::to_yaml;

/// Print the effective values: every layer merged as helm merges them
#[derive(Args, Debug)]
#[command(after_help = "  lain values -o json | jq .deployments\n  lain values --explain deployments.web.command")]
pub struct Values {
    /// For every value under KEY (a.b.c), print the file and line it comes from and what it overrides
    #[arg(long, value_name = "KEY")]
    explain: Option<String>,
    /// As `lain deploy --set` would
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Values {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let layers = session.load_layers(&self.set)?;
        if session.cluster_name().is_none() {
            session.ui.warn("no cluster is chosen: the cluster's own values are missing (lain use CLUSTER)");
        }
        if let Some(key) = &self.explain {
            return explain(session, &layers, key);
        }
        match session.ui.format() {
            Format::Json => session.ui.result_json(&layers.merged.to_json()),
            _ => session.ui.result(&to_yaml(&layers.merged.to_json())),
        }
    }
}

fn explain(session: &Session, layers: &Layers, key: &str) -> Result<()> {
    let path: Vec<&str> = key.split('.').filter(|step| !step.is_empty()).collect();
    let Some(node) = find(&layers.merged, &path) else {
        return Err(Error::failed(format!("no layer sets `{key}`")).hint("lain values"));
    };
    let mut leaves = Vec::new();
    collect(node, &mut path.iter().map(|step| (*step).to_owned()).collect(), &mut leaves);
    let mut out = String::new();
    for leaf in leaves {
        let steps: Vec<&str> = leaf.iter().map(String::as_str).collect();
        let mut found: Vec<&Node> = layers.layers.iter().filter_map(|layer| find(&layer.node, &steps)).collect();
        let Some(last) = found.pop() else { continue };
        out += &format!("{}: {}\n  from {}\n", leaf.join("."), shown(last), last.span.location());
        for earlier in found.iter().rev() {
            out += &format!("  over {} ({})\n", earlier.span.location(), shown(earlier));
        }
    }
    session.ui.result(&out)
}

fn find<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, step| node.get(step))
}

/// Lists are leaves: merging replaces them whole.
fn collect(node: &Node, path: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) {
    match &node.value {
        Value::Map(map) if !map.is_empty() => {
            for (key, entry) in map {
                path.push(key.clone());
                collect(&entry.node, path, leaves);
                path.pop();
            }
        }
        _ => leaves.push(path.clone()),
    }
}

fn shown(node: &Node) -> String {
    node.to_json().to_string()
}
