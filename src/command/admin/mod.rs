//! `lain admin`: what is done beside the ordinary, or about a whole cluster.

mod amounts;
mod cleanup_registry;
mod cleanup_reviews;
mod delete_bad_ing;
mod delete_bad_pod;
mod get;
mod list_images;
mod list_singletons;
mod list_unused_ingress;
pub(crate) mod list_waste;
mod migrate_registry;
mod post_alerts;
pub(crate) mod status;
mod unlock;
mod x;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value as Json;

use super::Command;
use crate::cluster::everywhere::Seen;
use crate::error::{Error, Kind, Result};
use crate::model::app::App;
use crate::model::duration;
use crate::model::image::repository_in;
use crate::model::name::{is_label, nearest};
use crate::session::Session;
use crate::tools::call::Stop;
use crate::tools::kubectl::Kubectl;
use crate::tools::raw::{Answered, Method};
use crate::ui::{Format, TEXT};

/// Delete old images, reviews of closed merge requests, bad pods and rules that lead nowhere; list what a cluster and a registry have; break a dead run's lock
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "  lain admin cleanup-registry --dry-run\n  lain admin cleanup-reviews --dry-run\n  lain admin delete-bad-pod\n  lain admin x -- cat /etc/os-release\n  lain admin unlock shop"
)]
pub struct Admin {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    CleanupRegistry(cleanup_registry::CleanupRegistry),
    CleanupReviews(cleanup_reviews::CleanupReviews),
    DeleteBadIng(delete_bad_ing::DeleteBadIng),
    DeleteBadPod(delete_bad_pod::DeleteBadPod),
    Get(get::Get),
    ListImages(list_images::ListImages),
    ListSingletons(list_singletons::ListSingletons),
    ListUnusedIngress(list_unused_ingress::ListUnusedIngress),
    ListWaste(list_waste::ListWaste),
    MigrateRegistry(migrate_registry::MigrateRegistry),
    PostAlerts(post_alerts::PostAlerts),
    Status(status::Status),
    Unlock(unlock::Unlock),
    X(x::X),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// Those of the older tool that are not here, and what to type instead.
pub(crate) const OLDER: &[(&str, &str)] = &[("stop-cvm", MACHINES), ("start-cvm", MACHINES), ("turn", MACHINES)];

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
            Verb::DeleteBadIng(delete) => delete.run(session),
            Verb::DeleteBadPod(delete) => delete.run(session),
            Verb::Get(get) => get.run(session),
            Verb::ListImages(list) => list.run(session),
            Verb::ListSingletons(list) => list.run(session),
            Verb::ListUnusedIngress(list) => list.run(session),
            Verb::ListWaste(list) => list.run(session),
            Verb::MigrateRegistry(migrate) => migrate.run(session),
            Verb::PostAlerts(post) => post.run(session),
            Verb::Status(status) => status.run(session),
            Verb::Unlock(unlock) => unlock.run(session),
            Verb::X(x) => x.run(session),
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
        let all: BTreeSet<String> = session.registry_of(&repository_in(registry, "x"))?.beside()?.into_iter().collect();
        if all.is_empty() {
            session.ui.say(&format!("{registry} lists no repositories"));
        }
        all
    } else {
        apps.iter().cloned().collect()
    };
    Ok(named.iter().map(|app| repository_in(registry, app)).collect())
}

/// That apps which were typed have no images there; none where no such one was.
fn without_images(registry: &str, apps: &[String]) -> Option<Error> {
    let words = format!("{registry} has no images of {}", apps.join(", "));
    (!apps.is_empty()).then(|| Error::failed(words).hint("lain admin list-images # what there is"))
}

/// This folder's app; `instead` is typed where there is none.
fn app_here<'s>(session: &'s Session, instead: &[&str]) -> Result<&'s App> {
    if session.has_app() {
        return session.app();
    }
    let error = Error::usage("which one? There is no app in this folder");
    Err(instead.iter().fold(error, |error, hint| error.hint(*hint)))
}

/// Says that nothing was found, where the namespace is there.
fn nothing_in(session: &Session, kubectl: &Kubectl<'_>, words: &str) -> Result<()> {
    if let Some(error) = kubectl.lacks_namespace()? {
        return Err(error);
    }
    session.ui.say(words);
    Ok(())
}

/// Why what was found is not all.
fn of_one(namespace: &str) -> String {
    format!("of namespace {namespace} alone: this account may not read the others")
}

/// Says that what was found is not all.
fn say_if_one(session: &Session, kubectl: &Kubectl<'_>, seen: Seen) {
    if seen == Seen::One {
        session.ui.warn(&of_one(kubectl.namespace()));
    }
}

/// How far to look back.
fn period(text: &str) -> Result<Duration, String> {
    duration::parse(text).and_then(|time| if time.as_secs() == 0 { Err("nothing to look back on".to_owned()) } else { Ok(time) })
}

/// The cluster's Prometheus; `so` is said where its values name none.
fn prometheus<'s>(session: &'s Session, so: &str) -> Result<&'s str> {
    let base = session.authority()?.prometheus.as_deref().map(str::trim).filter(|base| !base.is_empty());
    base.ok_or_else(|| {
        Error::failed(format!("the values of the cluster name no `prometheus`, {so}"))
            .hint("prometheus: HOST:PORT # in the cluster's values")
    })
}

/// What became of one of those that were shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// It is shown, and is not to go.
    Stays,
    WouldGo,
    Deleted,
    /// A part of it is gone.
    Edited,
    WasGone,
    /// It is not what was shown any more.
    Left,
    Failed,
}

/// What is asked before something goes.
struct Question<'a> {
    what: &'a str,
    /// Said behind it where it is asked.
    more: &'a str,
    /// What is told where it does not happen.
    otherwise: &'a str,
    /// What to type where there is no terminal to ask at.
    instead: &'a str,
}

impl<'a> Question<'a> {
    fn of_change(what: &'a str, instead: &'a str) -> Self {
        Self { what, more: "", otherwise: "nothing was changed", instead }
    }

    fn of_deletion(what: &'a str, instead: &'a str) -> Self {
        Self { otherwise: "nothing was deleted", ..Self::of_change(what, instead) }
    }

    /// Asks, unless `yes` was typed. True when somebody was asked.
    fn agreed(&self, session: &Session, yes: bool) -> Result<bool> {
        let Self { what, more, otherwise, instead } = self;
        if yes {
            return Ok(false);
        }
        if !session.ui.can_ask() {
            return Err(Error::refused(format!("{what} There is no terminal to ask at; {otherwise}")).hint(*instead));
        }
        if session.ui.ask_no(format!("{what} {more}").trim_end())? { Ok(true) } else { Err(Error::refused(*otherwise)) }
    }
}

/// How long a change that is under way is waited for when the run ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes of what was shown, one after another: one that fails does not stop the rest.
struct Changes<'s> {
    session: &'s Session,
    kubectl: &'s Kubectl<'s>,
    /// The first that failed, or what ended it.
    failed: Option<Error>,
    /// Ctrl-C came: no more of them.
    is_over: bool,
}

/// One change of an object, which the server makes only while it is the one that was shown.
struct Change {
    method: Method,
    path: String,
    body: Json,
    /// What has become of it then.
    done: Outcome,
    /// What is said of one that is not what was shown: `is another by now`.
    moved: &'static str,
}

impl<'s> Changes<'s> {
    fn new(session: &'s Session, kubectl: &'s Kubectl<'s>) -> Self {
        Self { session, kubectl, failed: None, is_over: false }
    }

    /// What became of the object that messages call `id`; `forbidden` is told where this account may not change it.
    fn send(&mut self, id: &str, change: &Change, forbidden: impl FnOnce() -> Error) -> Outcome {
        let ui = &self.session.ui;
        ui.command(&self.kubectl.line_at(change.method, &change.path));
        let error = match self.kubectl.at(change.method, &change.path, Some(&change.body), &Stop::within(PATIENCE)) {
            Ok(Answered::Object(_)) => return change.done,
            Ok(Answered::Absent) => return Outcome::WasGone,
            Ok(Answered::Taken) => {
                ui.say(&format!("{id} {}: left alone", change.moved));
                return Outcome::Left;
            }
            Ok(Answered::Forbidden) => forbidden(),
            Err(error) => error,
        };
        self.is_over = error.kind() == Kind::Interrupted;
        if !self.is_over {
            ui.warn(&format!("{id} stays: {error}"));
        }
        self.failed.get_or_insert(error);
        Outcome::Failed
    }
}

/// Tells what was done; `failed` is the first that could not be, or what ended it.
fn tell(session: &Session, outcomes: &[Outcome], failed: Option<Error>) -> Result<()> {
    let count = |wanted: Outcome| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let words = [
        (count(Outcome::Deleted), "deleted"),
        (count(Outcome::Edited), "edited"),
        (count(Outcome::WasGone), "gone already"),
        (count(Outcome::Left), "left alone"),
    ];
    let done: Vec<String> = words.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    if !done.is_empty() {
        session.ui.done(&done.join(", "));
    }
    let Some(error) = failed else { return Ok(()) };
    let stay = count(Outcome::Failed) + count(Outcome::WouldGo);
    Err(if error.kind() == Kind::Interrupted { error } else { error.context(format!("{stay} could not be changed")) })
}

fn unknown(verb: &str) -> Error {
    if let Some((_, instead)) = OLDER.iter().find(|(known, _)| *known == verb) {
        return Error::usage(format!("`admin {verb}` is a word of the older tool, which lain does not have")).hint(*instead);
    }
    let known = Verb::augment_subcommands(clap::Command::new("admin"));
    let near = nearest(verb, known.get_subcommands().map(clap::Command::get_name));
    let near = near.map_or_else(String::new, |near| format!("; is it `{near}`?"));
    Error::usage(format!("no command `admin {verb}`{near}")).hint("lain admin --help")
}
