//! `lain admin`: what is done beside the ordinary, or about a whole cluster.

mod cleanup_registry;
mod cleanup_reviews;
mod unlock;

use std::ffi::OsString;

use clap::{Args, Subcommand};

use super::Command;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::ui::{Format, TEXT};

/// Delete old images and the reviews of closed merge requests, break the lock that a dead run left on a release
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
    Unlock(unlock::Unlock),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Those of the older tool that are not here, and what to type instead.
pub(crate) const OLDER: &[(&str, &str)] = &[
    ("delete-bad-ing", "kubectl get ingress && kubectl delete ingress NAME"),
    ("delete-bad-pod", "kubectl get pods && kubectl delete pod NAME"),
    ("list-images", "lain tags # of one app, in its folder"),
    ("list-singletons", "kubectl get deployments"),
    ("status", "kubectl get pods,ingress --all-namespaces"),
    ("x", "kubectl exec POD -- COMMAND"),
    ("stop-cvm", MACHINES),
    ("start-cvm", MACHINES),
    ("turn", MACHINES),
    ("list-waste", "lain lint # in the folder of an app"),
    ("migrate-registry", "lain push IMAGE --pull --registry REGISTRY"),
    ("list-unused-ingress", "kubectl get ingress"),
    ("get", "kubectl get KIND --all-namespaces -o json | jq '.items[] | select(.metadata.annotations.KEY == \"VALUE\").metadata.name'"),
    ("post-alerts", "amtool alert add NAME KEY=VALUE"),
];

const MACHINES: &str = "kubectl get nodes # machines are started and stopped where they are rented";

impl Command for Admin {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn formats(&self) -> &'static [Format] {
        match &self.verb {
            Verb::CleanupRegistry(_) | Verb::CleanupReviews(_) => Self::FORMATS,
            Verb::Unlock(_) | Verb::Other(_) => TEXT,
        }
    }

    fn run(self, session: &Session) -> Result<()> {
        match self.verb {
            Verb::CleanupRegistry(cleanup) => cleanup.run(session),
            Verb::CleanupReviews(cleanup) => cleanup.run(session),
            Verb::Unlock(unlock) => unlock.run(session),
            Verb::Other(words) => Err(unknown(&words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default())),
        }
    }
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
