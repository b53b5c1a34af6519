//! One good release back.

use std::time::Duration;

use super::announce::{self, DeployMessage};
use super::handle::{Handle, for_words, no_release};
use super::lease::{Doing, shown};
use super::lock::{Busy, Lock, hold};
use super::record::Record;
use super::signature::Guard;
use super::{deadline, history, mend, pending, rollout};
use crate::error::{Error, Kind, Result};
use crate::model::app::App;
use crate::model::tag::sha_of_tag;
use crate::session::Session;
use crate::tools::call::Stop;
use crate::tools::helm::{Revision, USUAL};
use crate::tools::pulse::Pulse;
use crate::ui::printable;

/// How long helm may take to end once the server is silent.
const WINDS_UP: Duration = Duration::from_secs(10);

/// What a rollback came to.
#[derive(Clone, Debug)]
pub(crate) struct RolledBack {
    /// The release.
    pub release: String,
    /// The revision that it is back at.
    pub revision: u32,
    /// The image tag of that revision; empty where the server did not say.
    pub tag: String,
}

/// Goes back to the last good release of the app, says so, and with `wait` follows until everything is ready.
///
/// # Errors
/// There is none, one rollback was done already, another run is at work, or helm or the server refuses.
pub(crate) fn rollback(session: &Session, wait: bool) -> Result<RolledBack> {
    let handle = Handle::of_app(session)?;
    let busy = Busy::usual(&handle, deadline::within(session, USUAL.most));
    hold(&handle, Doing::Rollback, USUAL.most, busy, |lock| rollback_locked(&handle, lock, wait))
}

fn rollback_locked(handle: &Handle<'_>, lock: &Lock<'_>, wait: bool) -> Result<RolledBack> {
    let Handle { session, name: release, .. } = handle;
    let app = session.app()?;
    lock.enter()?;
    deadline::require(session, USUAL.timeout)?;
    let history = handle.history()?;
    let Some(newest) = history.last() else {
        return Err(no_release(&handle.kubectl, release, false));
    };
    handle.refuse_others(newest)?;
    let goal = next(handle, newest, &history)?;
    let revision = goal.revision;
    let (previous_tag, tag) = (handle.tag_for_words(None)?, handle.tag_for_words(Some(revision))?.unwrap_or_default());
    session.ui.say(&preview(session, newest.revision, &goal, &tag)?);
    back_to(handle, newest.revision, revision)?;
    announce::tell(
        session,
        &DeployMessage {
            action: "rollback",
            release: release.clone(),
            tag: tag.clone(),
            previous_tag,
            rollback_revision: Some(revision),
            ..DeployMessage::default()
        },
    )?;
    if wait {
        follow(handle, app)?;
    }
    Ok(RolledBack { release: release.clone(), revision, tag })
}

/// Where it goes.
struct Goal {
    revision: u32,
    /// Later good ones that run the same as what runs now, newest first.
    over: Vec<u32>,
    /// None where helm keeps its records elsewhere.
    record: Option<Record>,
}

fn next(handle: &Handle<'_>, newest: &Revision, history: &[Revision]) -> Result<Goal> {
    let (release, kubectl) = (&handle.name, &handle.kubectl);
    let fetch = |revision| Record::fetch(kubectl, release, revision);
    let is_rollback = newest.description.starts_with("Rollback to");
    if is_rollback && newest.status == "deployed" {
        return Err(Error::refused(format!(
            "release {release} was just rolled back ({}); lain goes back one release only",
            newest.description
        ))
        .hint("git checkout COMMIT && lain deploy # any other version, with its own chart")
        .hint(format!("helm history {release} && helm rollback {release} REVISION # if you know helm")));
    }
    // What was cut off is undone, whatever it was to run.
    let is_half_way = is_rollback || pending::is_under_way(&newest.status);
    let now = if is_half_way { None } else { fetch(newest.revision)?.map(|record| record.runs()) };
    let mut over = vec![];
    for revision in good(history) {
        let record = fetch(revision)?;
        if now.is_none() || record.as_ref().map(Record::runs) != now {
            return Ok(Goal { revision, over, record });
        }
        over.push(revision);
    }
    if !over.is_empty() {
        return Err(Error::refused(format!(
            "release {release} has nothing else to go back to: {} as revision {} does",
            same(&over),
            newest.revision
        ))
        .hint("lain deploy --set imageTag=TAG # lain tags lists them")
        .hint("git checkout COMMIT && lain deploy # any other version, with its own chart"));
    }
    let error = Error::refused(format!("release {release} has no earlier good revision to go back to"));
    Err(match newest.status.as_str() {
        // A deploy alone would be told to go back first.
        status if pending::is_under_way(status) => error
            .context(format!("release {release} is left in {status} by its first deploy"))
            .hint("lain deploy --auto-pilot # takes the half-made first release away, then deploys")
            .hint("lain delete # takes it away"),
        _ => error.hint("lain deploy --set imageTag=TAG").hint("lain delete"),
    })
}

/// `revisions 4, 3 run the same image, chart and values`
fn same(over: &[u32]) -> String {
    let (s, verb) = if over.len() == 1 { ("", "runs") } else { ("s", "run") };
    let list = over.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    format!("revision{s} {list} {verb} the same image, chart and values")
}

/// Where it goes, in a line, before it goes: revision, image, what git knows of that, when and who.
///
/// # Errors
/// The run is interrupted.
fn preview(session: &Session, from: u32, goal: &Goal, tag: &str) -> Result<String> {
    let Goal { revision, over, record } = goal;
    let over = if over.is_empty() { String::new() } else { format!("; {} as revision {from} does: stepped over", same(over)) };
    Ok(format!("going back from revision {from} to revision {revision}: {}{over}", known_of(session, record.as_ref(), tag)?))
}

/// What a revision runs, as people know it: image, what git knows of that, when and who.
///
/// # Errors
/// The run is interrupted.
pub(super) fn known_of(session: &Session, record: Option<&Record>, tag: &str) -> Result<String> {
    let value = |key: &str| record.and_then(|record| record.value(key)).filter(|text| !text.is_empty());
    let image = value("imageRef").unwrap_or_else(|| format!("tag {}", if tag.is_empty() { "unknown" } else { tag }));
    let commit = match sha_of_tag(tag) {
        Some(sha) => for_words(session.commit(sha))?.flatten(),
        None => None,
    };
    let mut words = vec![format!("image {image}")];
    words.extend(commit.map(|commit| format!("`{}`", printable(&commit.subject).replace('\n', " "))));
    let made = record.and_then(|record| record.time("last_deployed"));
    words.extend(made.map(|time| format!("of {}", time.strftime("%Y-%m-%d %H:%M:%S UTC"))));
    words.extend(value("user").map(|user| format!("by {}", shown(&user))));
    Ok(words.join(", "))
}

fn follow(handle: &Handle<'_>, app: &App) -> Result<()> {
    rollout::follow(handle.session, &handle.kubectl, &handle.selector(app), USUAL.timeout).map(|_| ())
}

/// `helm rollback`, once helm can read both what it leaves and what it goes back to.
///
/// # Errors
/// helm or the server refuses.
pub(crate) fn back_to(handle: &Handle<'_>, from: u32, to: u32) -> Result<()> {
    let Handle { session, name: release, helm, kubectl, .. } = handle;
    let goal = Record::fetch(kubectl, release, to)?;
    if let Some(guard) = Guard::of(session, false)? {
        let manifest = goal.as_ref().map(Record::manifest_and_hooks).ok_or_else(|| {
            Error::refused(format!("helm's record of revision {to} cannot be read, so the signatures of what it runs cannot be verified"))
                .hint("lain deploy --set imageTag=TAG # lain tags lists them")
        })?;
        guard.require_all(&manifest, None, "lain deploy --set imageTag=TAG # verifies that image, and runs it by its digest")?;
    }
    mend::mend(&session.ui, kubectl, release, Record::fetch(kubectl, release, from)?, None, &[], &[])?;
    // helm goes back the way that the revision was made.
    let known = mend::mend(&session.ui, kubectl, release, goal, None, &[], &[])?;
    let call = helm.rollback(release, to, deadline::limits(session, USUAL, false))?.args(known.flags().iter().copied());
    // helm waits at a silent server for all of its time.
    let stop = Stop::within(WINDS_UP);
    let (outcome, silent) = Pulse::beside(&session.ui, kubectl, || stop.ask(), |pulse| (call.capture_until(&stop), pulse.is_gone()));
    let error = match outcome {
        Ok(out) if out.ok() => {
            session.ui.raw(&out.stdout);
            history::sign_rollback(handle, from + 1);
            return Ok(());
        }
        Err(error) if error.kind() == Kind::Interrupted => error,
        other => match (silent, other) {
            (Some(silent), _) => Error::failed(format!(
                "the API server has not answered for {} s, so `helm rollback` was ended: the release may be half-way",
                silent.as_secs()
            ))
            .hint("kubectl get --raw /readyz # is it well?"),
            (None, Ok(out)) => call.failure(out.code, &out.stderr),
            (None, Err(error)) => error,
        },
    };
    let left = pending::left_by_rollback(kubectl, release, from, &error.to_string());
    if error.kind() == Kind::Interrupted {
        session.ui.say(&left.words(release));
        return Err(error);
    }
    Err(left.advise(error))
}

/// The newest revision before the current one that once was good. A rollback that did not come to its end goes where it wanted to.
pub(crate) fn target(history: &[Revision]) -> Option<u32> {
    good(history).first().copied()
}

/// As [`target`], and all others that could do, newest first.
fn good(revisions: &[Revision]) -> Vec<u32> {
    let Some((newest, earlier)) = revisions.split_last() else { return vec![] };
    let was_good = |revision: &&Revision| matches!(revision.status.as_str(), "deployed" | "superseded");
    let mut good: Vec<&Revision> = earlier.iter().rev().filter(was_good).collect();
    // Whose pods could not become ready then may be ready later; but rather one of which nobody knows that.
    good.sort_by_key(|revision| revision.description.contains(history::NOT_READY));
    let mut good: Vec<u32> = good.into_iter().map(|revision| revision.revision).collect();
    let wanted = newest.description.strip_prefix("Rollback to ").filter(|_| newest.status != "deployed");
    let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse::<u32>().ok());
    if let Some(wanted) = wanted.and_then(digits) {
        good.sort_by_key(|revision| *revision != wanted); // the others stay in order
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(statuses: &[&str]) -> Vec<Revision> {
        statuses
            .iter()
            .zip(1..)
            .map(|(status, revision)| Revision {
                revision,
                status: (*status).to_owned(),
                updated: String::new(),
                description: String::new(),
            })
            .collect()
    }

    #[test]
    fn goes_back_to_what_was_good() {
        assert_eq!(target(&history(&["superseded", "superseded", "deployed"])), Some(2));
        assert_eq!(target(&history(&["superseded", "failed", "deployed", "failed"])), Some(3));
        assert_eq!(target(&history(&["deployed", "pending-upgrade"])), Some(1));
        assert_eq!(target(&history(&["failed", "failed"])), None);
        assert_eq!(target(&history(&["deployed"])), None);
        let mut never_ready = history(&["superseded", "superseded", "deployed"]);
        never_ready[1].description = format!("Upgrade complete; {}", super::history::NOT_READY);
        assert_eq!(good(&never_ready), [1, 2]);
        // A rollback to 1 that was cut off: 2 is what was to be left.
        let mut cut_off = history(&["superseded", "deployed", "pending-rollback"]);
        cut_off[2].description = "Rollback to 1; record mended by lain".to_owned();
        assert_eq!(target(&cut_off), Some(1));
        cut_off[2].description = "Rollback to 7".to_owned();
        assert_eq!(target(&cut_off), Some(2), "that one is gone");
        assert_eq!(good(&history(&["superseded", "failed", "superseded", "superseded"])), [3, 1], "what is tried in turn");
    }
}
