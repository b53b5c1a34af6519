//! `lain use`: which cluster.

use clap::Args;

use crate::error::Result;
use crate::kubeconfig;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;
use crate::ui::Format;

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
}

impl Use {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let Some(name) = &self.cluster else { return list(session) };
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
    let mut rows = Vec::new();
    for name in known {
        // One broken cluster file must not hide the others.
        let docs = session
            .cluster_of(&name)
            .map_or_else(|error| format!("({error})"), |values| values.extra_docs.map(String::from).unwrap_or_default());
        rows.push((name.clone(), current.as_deref() == Some(name.as_str()), docs));
    }
    if session.ui.format() == Format::Json {
        let rows: Vec<_> =
            rows.iter().map(|(name, current, docs)| serde_json::json!({"name": name, "current": current, "extra_docs": docs})).collect();
        return session.ui.result_json(&serde_json::json!({"version": 1, "clusters": rows}));
    }
    let lines = rows.iter().map(|(name, current, docs)| {
        let mark = if *current { "* " } else { "  " };
        let docs = docs.trim_end().replace('\n', "\n      ");
        if docs.is_empty() { format!("{mark}{name}\n") } else { format!("{mark}{name}\n      {docs}\n") }
    });
    session.ui.result(&lines.collect::<String>())
}

fn set_context(session: &Session, name: &str) -> Result<()> {
    let values = session.cluster_of(name)?;
    let kubectl = session.kubectl()?;
    if let Some(context) = &values.kube_context {
        kubectl.call(["config", "use-context"]).operand(&**context).run()?;
    }
    if let Some(namespace) = &values.namespace {
        kubectl.call(["config", "set-context", "--current"]).option("--namespace", &**namespace).run()?;
    }
    Ok(())
}
