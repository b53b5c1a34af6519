//! `lain use`: which cluster.

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::{Error, Result};
use crate::kubeconfig;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::ui::{Answer, Format, TEXT};

/// Choose a cluster, or list them
#[derive(Args, Debug)]
#[command(
    name = "use",
    after_help = "  lain use          # list, * marks the current one\n  lain use test     # ~/.kube/config -> ~/.kube/kubeconfig-test"
)]
pub struct Use {
    /// The cluster; none lists them
    #[arg(value_name = "CLUSTER", id = "name")]
    cluster: Option<String>,
    /// Also make the cluster values' `kube_context` and `namespace` the kubeconfig's own defaults
    #[arg(long)]
    set_context: bool,
    /// Of the older tool: starts a cluster's machines where they are rented
    #[arg(long, hide = true, requires = "name")]
    turn: bool,
}

impl Command for Use {
    const FORMATS: &'static [Format] = Clusters::FORMATS;

    fn formats(&self) -> &'static [Format] {
        if self.cluster.is_some() { TEXT } else { Clusters::FORMATS }
    }

    fn run(self, session: &Session) -> Result<()> {
        let Some(name) = &self.cluster else { return list(session) };
        if self.turn && session.cluster_of(name)?.instance_ids.is_some() {
            let why = "lain starts no machines; those of `instance_ids` are started where they are rented";
            return Err(Error::usage(format!("use --turn: {why}")).hint(format!("lain use {name} # once they run")));
        }
        kubeconfig::switch(&session.ui, &session.env, name)?;
        if self.set_context { set_context(session, name) } else { Ok(()) }
    }
}

fn list(session: &Session) -> Result<()> {
    let dirs = session.env.cluster_values_dirs();
    let current = session.cluster_name();
    let known = known_clusters(&dirs);
    if known.is_empty() {
        let places = dirs.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
        session.ui.warn(&format!("no values-CLUSTER.yaml in {places}"));
    }
    let mut clusters = Vec::new();
    for name in known {
        // One broken cluster file must not hide the others.
        let docs = session
            .cluster_of(&name)
            .map_or_else(|error| format!("({error})"), |values| values.extra_docs.map(String::from).unwrap_or_default());
        clusters.push(Listed { current: current.as_deref() == Some(name.as_str()), name, extra_docs: docs });
    }
    session.ui.answer(&Clusters { version: 1, clusters })
}

#[derive(Serialize)]
struct Clusters {
    version: u32,
    clusters: Vec<Listed>,
}

#[derive(Serialize)]
struct Listed {
    name: String,
    current: bool,
    extra_docs: String,
}

impl Answer for Clusters {
    fn text(&self) -> String {
        let lines = self.clusters.iter().map(|Listed { name, current, extra_docs }| {
            let mark = if *current { "* " } else { "  " };
            let docs = extra_docs.trim_end().replace('\n', "\n      ");
            if docs.is_empty() { format!("{mark}{name}\n") } else { format!("{mark}{name}\n      {docs}\n") }
        });
        lines.collect()
    }
}

fn set_context(session: &Session, name: &str) -> Result<()> {
    let values = session.cluster_of(name)?;
    let kubectl = session.kubectl()?;
    if let Some(context) = &values.kube_context {
        kubectl.use_context(context)?;
    }
    if let Some(namespace) = &values.namespace {
        kubectl.use_namespace(namespace)?;
    }
    Ok(())
}
