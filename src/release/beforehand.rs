//! What is seen to in the cluster before helm upgrades: nodes, and Jobs of the deploy before.

use serde::Deserialize;

use crate::cluster::objects::{Job, List, Metadata, Named};
use crate::error::{Error, Result};
use crate::model::app::{App, ProcKind};
use crate::model::text::Text;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;

/// The nodes that a proc names get its label, and no others keep it. An account of one namespace may not: then that is an administrator's work.
///
/// # Errors
/// The server does not answer, or refuses for another reason.
pub(super) fn label_nodes(session: &Session, kubectl: &Kubectl<'_>, app: &App, release: &str) -> Result<()> {
    for (_, name, proc) in app.procs() {
        let Some(nodes) = proc.nodes.as_ref().filter(|nodes| !nodes.is_empty()) else { continue };
        let label = format!("{release}-{name}");
        match label_nodes_of(session, kubectl, name, &label, nodes) {
            Err(error) if is_forbidden(&error) => {
                let words: Vec<&str> = nodes.iter().map(|node| &**node).collect();
                let words = words.join(" ");
                session.ui.warn(&format!(
                    "this account may not look at or label nodes (403): pods of {name} find no node until an administrator has done it"
                ));
                session
                    .ui
                    .hint(&format!("kubectl label --overwrite nodes {words} {label}=true # by an administrator, where it is not done"));
            }
            other => other?,
        }
    }
    Ok(())
}

fn label_nodes_of(session: &Session, kubectl: &Kubectl<'_>, proc: &str, label: &str, nodes: &[Text]) -> Result<()> {
    let have: List<Named> = kubectl.select("nodes", label)?;
    for Named { metadata: Metadata { name: node, .. } } in
        have.items.iter().filter(|node| nodes.iter().all(|named| **named != node.metadata.name))
    {
        session.ui.say(&format!("node {node} is not among `nodes` of {proc} any more: its label goes"));
        kubectl.label_node(node, format!("{label}-"))?;
    }
    for node in nodes {
        kubectl.label_node(node, format!("{label}=true"))?;
    }
    Ok(())
}

/// A Job cannot be changed in place; a finished one of the deploy before makes way. One that still runs is left to helm to refuse.
///
/// # Errors
/// The server does not answer, or refuses.
pub(super) fn delete_finished_jobs(kubectl: &Kubectl<'_>, app: &App, release: &str) -> Result<()> {
    let jobs = app.procs().filter(|(kind, _, _)| *kind == ProcKind::Job);
    let names: Vec<String> = jobs.map(|(_, name, _)| format!("{release}-{name}")).collect();
    for job in kubectl.find_all("job", &names)? {
        let job = Job::deserialize(job).map_err(|error| Error::failed(format!("a Job that lain cannot read: {error}")))?;
        if job.is_finished() {
            kubectl.delete("job", &job.metadata.name)?;
        }
    }
    Ok(())
}
