//! `lain admin`: what is done beside the ordinary, or about a whole cluster.

mod cleanup_registry;
mod cleanup_reviews;
mod list_images;
mod list_singletons;
mod list_unused_ingress;
mod unlock;

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::Command;
use crate::error::{Error, Result};
use crate::model::image::repository_in;
use crate::model::name::is_label;
use crate::session::Session;
use crate::ui::{Format, TEXT};

/// Delete old images and reviews of closed merge requests, list what a cluster and a registry have, break the lock that a dead run left on a release
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "  lain admin cleanup-registry --dry-run\n  lain admin cleanup-reviews --dry-run\n  lain admin unlock shop"
)]
pub struct Admin {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    CleanupRegistry(cleanup_registry::CleanupRegistry),
    CleanupReviews(cleanup_reviews::CleanupReviews),
    ListImages(list_images::ListImages),
    ListSingletons(list_singletons::ListSingletons),
    ListUnusedIngress(list_unused_ingress::ListUnusedIngress),
    Unlock(unlock::Unlock),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Those of the older tool that are not here, and what to type instead.
pub(crate) const OLDER: &[(&str, &str)] = &[
    ("delete-bad-ing", "kubectl get ingress && kubectl delete ingress NAME"),
    ("delete-bad-pod", "kubectl get pods && kubectl delete pod NAME"),
    ("status", "kubectl get pods,ingress --all-namespaces"),
    ("x", "kubectl exec POD -- COMMAND"),
    ("stop-cvm", MACHINES),
    ("start-cvm", MACHINES),
    ("turn", MACHINES),
    ("list-waste", "lain lint # in the folder of an app"),
    ("migrate-registry", "lain push IMAGE --pull --registry REGISTRY"),
    ("get", "kubectl get KIND --all-namespaces -o json | jq '.items[] | select(.metadata.annotations.KEY == \"VALUE\").metadata.name'"),
    ("post-alerts", "amtool alert add NAME KEY=VALUE"),
];

const MACHINES: &str = "kubectl get nodes # machines are started and stopped where they are rented";

impl Command for Admin {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn formats(&self) -> &'static [Format] {
        match &self.verb {
            Verb::Unlock(_) | Verb::Other(_) => TEXT,
            _ => Self::FORMATS,
        }
    }

    fn run(self, session: &Session) -> Result<()> {
        match self.verb {
            Verb::CleanupRegistry(cleanup) => cleanup.run(session),
            Verb::CleanupReviews(cleanup) => cleanup.run(session),
            Verb::ListImages(list) => list.run(session),
            Verb::ListSingletons(list) => list.run(session),
            Verb::ListUnusedIngress(list) => list.run(session),
            Verb::Unlock(unlock) => unlock.run(session),
            Verb::Other(words) => Err(unknown(&words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default())),
        }
    }
}

/// The repositories of these apps in a registry; of all that it lists, where none is named.
fn repositories(session: &Session, registry: &str, apps: &[String]) -> Result<Vec<String>> {
    if let Some(wrong) = apps.iter().find(|app| !is_label(app)) {
        return Err(Error::usage(format!("`{wrong}` is no app name")));
    }
    let named: BTreeSet<String> = if apps.is_empty() {
        session.registry_of(&repository_in(registry, "x"))?.beside()?.into_iter().collect()
    } else {
        apps.iter().cloned().collect()
    };
    Ok(named.iter().map(|app| repository_in(registry, app)).collect())
}

fn unknown(verb: &str) -> Error {
    match OLDER.iter().find(|(known, _)| *known == verb) {
        Some((_, instead)) => {
            Error::usage(format!("`admin {verb}` is a word of the older tool: what concerns a whole cluster is not here yet"))
                .hint(*instead)
        }
        None => Error::usage(format!("no command `admin {verb}`")).hint("lain admin --help"),
    }
}
