//! `lain admin delete-bad-pod`: pods that are bad and stay so go, for what keeps them to make others.

use std::collections::BTreeSet;

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::{Change, Changes, Outcome, Question, tell};
use crate::cluster::bad::{Bad, What, bad, may_be_bad};
use crate::cluster::{everywhere, look};
use crate::error::{Error, Kind, Result};
use crate::model::duration::age;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::tools::raw::Method;
use crate::ui::{Answer, Format, Table};

/// So many reasons are told in the server's words, each once.
const TOLD: usize = 5;

/// Delete pods of the namespace that are bad and stay so, of Jobs the Job; shows them first, and asks
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin delete-bad-pod --dry-run\n  lain admin delete-bad-pod --yes\n\nBad is what crashes again and again, what no node takes, what lacks its image, a Secret or a volume, what was evicted; a Job that failed.\nWhat may pass yet is left out."
)]
pub(super) struct DeleteBadPod {
    /// Pods too that nobody makes again
    #[arg(long)]
    bare: bool,
    /// Only show what would go
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
}

impl DeleteBadPod {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        session.require_cluster()?;
        let kubectl = session.kubectl()?;
        let found = find(&kubectl)?;
        let is_text = session.ui.format() == Format::Text;
        let mut answer = Pods::of(kubectl.namespace(), found, self.bare);
        let count = answer.going().count();
        if is_text {
            session.ui.answer(&answer)?;
        }
        let mut told: Vec<&str> = vec![];
        for it in answer.bad.iter().filter(|it| !it.message.is_empty()) {
            if told.len() < TOLD && !told.contains(&&*it.message) {
                told.push(&it.message);
                session.ui.say(&format!("{}: {}", it.id(), it.message));
            }
        }
        let bare = answer.bad.len() - count;
        if bare > 0 {
            let (pods, them) = if bare == 1 { ("pod is", "it") } else { ("pods are", "them") };
            session.ui.say(&format!("{bare} bad {pods} left alone: nobody would make {them} again (--bare deletes {them} too)"));
        }
        if count == 0 {
            super::nothing_in(session, &kubectl, &format!("nothing to delete in namespace {}", kubectl.namespace()))?;
        }
        if self.dry_run || count == 0 {
            return if is_text { Ok(()) } else { session.ui.answer(&answer) };
        }
        let again = if self.bare { "lain admin delete-bad-pod --bare" } else { "lain admin delete-bad-pod" };
        let these = if count == 1 { "this".to_owned() } else { format!("these {count}") };
        let (question, instead) = (format!("delete {these}?"), format!("{again} --yes # does it to what is listed above"));
        if Question::of_change(&question, &instead).agreed(session, self.yes)? {
            // Much may have happened while somebody thought about it.
            let now = find(&kubectl)?;
            let now: BTreeSet<&str> = now.iter().map(|now| &*now.uid).collect();
            for it in answer.bad.iter_mut().filter(|it| it.outcome == Outcome::WouldGo) {
                if !now.contains(&*it.uid) {
                    it.outcome = Outcome::Left;
                    session.ui.say(&format!("{} is not bad any more, or gone: left alone", it.id()));
                }
            }
        }
        let failed = delete(session, &kubectl, &mut answer.bad);
        if !is_text {
            session.ui.answer(&answer)?;
        }
        let outcomes: Vec<Outcome> = answer.bad.iter().map(|it| it.outcome).collect();
        tell(session, &outcomes, failed)
    }
}

fn find(kubectl: &Kubectl<'_>) -> Result<Vec<Bad>> {
    let objects = everywhere::selected(kubectl, &look::KINDS, "", may_be_bad)?;
    let events = everywhere::warnings(kubectl).or_else(|error| match error.kind() {
        Kind::Interrupted => Err(error),
        _ => Ok(vec![]), // they only say more of it
    })?;
    Ok(bad(&objects, &events, Timestamp::now()))
}

/// Each only while it is the one that was shown.
fn delete<'s>(session: &'s Session, kubectl: &'s Kubectl<'s>, all: &mut [OfBad]) -> Option<Error> {
    let mut changes = Changes::new(session, kubectl);
    for it in all.iter_mut().filter(|it| it.outcome == Outcome::WouldGo) {
        let (root, many) = if it.kind == "job" { ("/apis/batch/v1", "jobs") } else { ("/api/v1", "pods") };
        let path = format!("{root}/namespaces/{}/{many}/{}", kubectl.namespace(), it.name);
        let body =
            json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", "preconditions": {"uid": it.uid}});
        let change = Change { method: Method::Delete, path, body, done: Outcome::Deleted, moved: "is another by now" };
        it.outcome = changes.send(&it.id(), &change, || {
            Error::failed(format!("this account may not delete {many} of namespace {} (403)", kubectl.namespace()))
                .hint(format!("kubectl auth can-i delete {many} # ask your administrator for this right"))
        });
        if it.outcome == Outcome::Deleted {
            session.ui.detail(&format!("deleted {}", it.id()));
        }
        if changes.is_over {
            break;
        }
    }
    changes.failed
}

#[derive(Serialize)]
struct Pods {
    version: u32,
    namespace: String,
    bad: Vec<OfBad>,
}

#[derive(Serialize)]
struct OfBad {
    /// `pod`, `job`
    kind: &'static str,
    name: String,
    #[serde(skip)]
    uid: String,
    reason: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip)]
    old: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    outcome: Outcome,
}

impl OfBad {
    fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}

impl Pods {
    fn of(namespace: &str, found: Vec<Bad>, with_bare: bool) -> Self {
        let now = Timestamp::now().as_second();
        let bad = found.into_iter().map(|it| OfBad {
            kind: if it.what == What::Job { "job" } else { "pod" },
            name: it.name,
            uid: it.uid,
            reason: it.reason,
            message: it.message,
            since: it.since.map(|since| since.to_string()),
            old: it.since.map(|since| now.saturating_sub(since.as_second())),
            owner: it.owner,
            outcome: if it.what == What::Bare && !with_bare { Outcome::Stays } else { Outcome::WouldGo },
        });
        Self { version: 1, namespace: namespace.to_owned(), bad: bad.collect() }
    }

    fn going(&self) -> impl Iterator<Item = &OfBad> {
        self.bad.iter().filter(|it| it.outcome == Outcome::WouldGo)
    }
}

impl Answer for Pods {
    fn text(&self) -> String {
        if self.bad.is_empty() {
            return String::new();
        }
        let mut table = Table::new(["NAME", "WRONG", "SINCE", "OWNER", ""]);
        for it in &self.bad {
            // Its name is in those of its pods.
            let owner = it.owner.as_deref().map_or("nobody", |owner| owner.split('/').next().unwrap_or_default());
            let outcome = if it.outcome == Outcome::Stays { "stays" } else { "goes" };
            table.row([it.id(), it.reason.clone(), it.old.map(age).unwrap_or_default(), owner.to_owned(), outcome.to_owned()]);
        }
        table.narrow(&[0, 1]);
        table.to_string().trim_end().to_owned()
    }
}
