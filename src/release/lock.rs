//! The lock of a release: a Lease that whoever changes the release holds, renews, and gives back on every way out.
//!
//! It is asked for on a thread of its own, so that it costs no time beside lint; [`Lock::enter`] waits for it. A run that is killed gives nothing back: its
//! Lease is taken over once it was not renewed for [`LIVES`], or at once where it was a process of this machine, by a replacement that fails when somebody
//! else was quicker.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::handle::Handle;
use super::lease::{Doing, Holder, LIVES, name_of, path_of, shown, stamp_of};
use super::pending;
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::tools::call::Stop;
use crate::tools::helm::MARGIN;
use crate::tools::kubectl::Kubectl;
use crate::tools::processes;
use crate::tools::raw::{Answered, Method};
use crate::tools::server::{may_pass, until_it_answers};
use crate::ui::{Surface, Ui};

/// Between two renewals: two of them may fail.
const RENEWS: Duration = Duration::from_secs(15);
/// Between two looks at somebody else's.
const PACE: Duration = Duration::from_secs(2);
/// How often it is said again that it waits.
const SAYS: Duration = Duration::from_secs(60);
/// How soon it is seen that the run leaves.
const TICK: Duration = Duration::from_millis(50);
/// How often a server that fails is asked again.
const TRIES: usize = 6;
/// How long it is asked again: one question to a silent server takes most of it.
const BEARS: Duration = Duration::from_secs(30);
/// How long a question may go on when nobody waits for its answer any more.
const LEAVES: Duration = Duration::from_secs(2);

/// What is done while somebody else holds the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// Wait, so long at most.
    Wait(Duration),
    /// Say whose it is, at once.
    Refuse,
    /// Go on without: `--force`.
    GoOn,
}

impl Busy {
    /// Where somebody looks, or a pipeline: wait. Elsewhere a run would stand still unseen.
    pub(crate) fn usual(handle: &Handle<'_>, most: Duration) -> Self {
        let waits = handle.session.env.is_ci() || handle.session.ui.surface() == Surface::Terminal;
        if waits { Self::Wait(most) } else { Self::Refuse }
    }
}

/// Does something to a release under its lock, which is asked for at once. `most` is how long the work may take.
///
/// # Errors
/// Those of `work`, whose first step is [`Lock::enter`].
pub(crate) fn hold<T>(
    handle: &Handle<'_>,
    doing: Doing,
    most: Duration,
    busy: Busy,
    work: impl FnOnce(&Lock<'_>) -> Result<T>,
) -> Result<T> {
    hold_and(handle, doing, most, busy, &|| {}, work)
}

/// The same, and begins something once the lock is held, beside the first steps of the work: questions whose answers no other run changes any more. Not
/// where a dead run left something half-way: that is seen to first.
///
/// # Errors
/// As [`hold`].
pub(crate) fn hold_and<T>(
    handle: &Handle<'_>,
    doing: Doing,
    most: Duration,
    busy: Busy,
    ahead: &(dyn Fn() + Sync),
    work: impl FnOnce(&Lock<'_>) -> Result<T>,
) -> Result<T> {
    let holder = Holder::new(pending::run_id(), handle.session.env.executor(), doing, most + MARGIN);
    let lock = Lock {
        ui: &handle.session.ui,
        kubectl: &handle.kubectl,
        release: &handle.name,
        holder,
        busy,
        ahead,
        now: Mutex::new(Now { stage: Stage::Asking, is_over: false }),
        changed: Condvar::new(),
        stop: Stop::within(LEAVES),
    };
    thread::scope(|scope| {
        scope.spawn(|| lock.keep());
        let _leaving = Leaving(&lock);
        work(&lock)
    })
}

/// The lock of one run.
pub(crate) struct Lock<'l> {
    ui: &'l Ui,
    kubectl: &'l Kubectl<'l>,
    release: &'l str,
    holder: Holder,
    busy: Busy,
    ahead: &'l (dyn Fn() + Sync),
    now: Mutex<Now>,
    changed: Condvar,
    stop: Stop,
}

struct Now {
    stage: Stage,
    /// The work is done.
    is_over: bool,
}

#[derive(Clone)]
enum Stage {
    Asking,
    /// Ours; after whom it was left behind by.
    Held(Option<Box<Holder>>),
    /// Somebody else's.
    Busy(Box<Holder>),
    /// The cluster has no Leases for us.
    Without,
    Failed(Error),
}

/// Says when dropped, in whatever way, that the work is done.
struct Leaving<'a>(&'a Lock<'a>);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.now().is_over = true;
        self.0.stop.ask();
        self.0.changed.notify_all();
    }
}

impl Lock<'_> {
    /// Waits for the lock. What a dead run left half-way, from whom it was taken over, counts as cut off.
    ///
    /// # Errors
    /// Somebody else holds it, the server does not answer, or the run is interrupted.
    pub(crate) fn enter(&self) -> Result<()> {
        if let Some(former) = self.wait()? {
            pending::cut_off_work_of(self.kubectl, self.release, &former);
        }
        Ok(())
    }

    fn wait(&self) -> Result<Option<Box<Holder>>> {
        let mut now = self.now();
        loop {
            match &now.stage {
                Stage::Asking => {}
                Stage::Held(former) => return Ok(former.clone()),
                Stage::Without => return Ok(None),
                Stage::Failed(error) => return Err(error.clone()),
                Stage::Busy(holder) => {
                    let text = holder.text(self.release);
                    drop(now);
                    if self.busy == Busy::GoOn {
                        self.ui.warn(&format!("{text}: going on all the same (--force)"));
                        return Ok(None);
                    }
                    return Err(self.refusal(text));
                }
            }
            interrupt::check()?;
            now = self.changed.wait_timeout(now, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn refusal(&self, text: String) -> Error {
        let newest = pending::newest(self.kubectl, self.release).filter(|(_, status)| pending::is_under_way(status));
        let newest = newest.map_or_else(String::new, |(revision, status)| format!(" (revision {revision}, {status})"));
        let waited = match self.busy {
            Busy::Wait(most) => format!(", and {} s were not enough to wait for it", most.as_secs()),
            _ => String::new(),
        };
        let cut_off = format!("; once it is gone for {} s it counts as cut off", LIVES.as_secs());
        Error::refused(format!("{text}{newest}{waited}"))
            .hint(format!("lain status -s # wait until it is done, then the same command again{cut_off}"))
            .hint(format!("lain admin unlock {} # when that run is gone for sure", self.release))
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, stage: Stage) {
        self.now().stage = stage;
        self.changed.notify_all();
    }

    /// Sleeps, but no longer than the work goes on; true when it is over.
    fn is_over_within(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut now = self.now();
        while !now.is_over {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            now = self.changed.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// The thread's own life: asks, renews, gives back.
    fn keep(&self) {
        let taken = self.take();
        if let Ok(Taken::Ours { former: None, .. }) = &taken {
            (self.ahead)();
        }
        match &taken {
            Ok(Taken::Ours { former, .. }) => self.set(Stage::Held(former.clone())),
            Ok(Taken::Theirs(holder)) => self.set(Stage::Busy(holder.clone())),
            Ok(Taken::Without) => self.set(Stage::Without),
            Err(error) => self.set(Stage::Failed(error.clone())),
        }
        match taken {
            Ok(Taken::Ours { lease, .. }) => self.renew_and_give_back(*lease),
            // The server may have made it, though its answer was not waited for.
            Err(error) if error.kind() == Kind::Interrupted || self.now().is_over => self.give_back_what_is_ours(),
            _ => {}
        }
    }

    fn take(&self) -> Result<Taken> {
        let begun = Instant::now();
        let (mut failures, mut failing, mut said) = (0, None::<Instant>, None::<Instant>);
        let mut seen: Option<Seen> = None;
        loop {
            let asked = Instant::now();
            let tried = self.try_to_take(&mut seen);
            if tried.is_ok() {
                (failures, failing) = (0, None);
            }
            match tried {
                Ok(Tried::Theirs(holder)) => match self.busy {
                    Busy::Wait(most) if begun.elapsed() < most => {
                        if said.is_none_or(|said| said.elapsed() >= SAYS) {
                            let before = if said.is_some() { format!("{} s of ", begun.elapsed().as_secs()) } else { String::new() };
                            self.ui.say(&format!(
                                "{}: waiting for it, {before}{} s at most; Ctrl-C leaves",
                                holder.text(self.release),
                                most.as_secs()
                            ));
                            said = Some(Instant::now());
                        }
                        if self.is_over_within(PACE) {
                            return Ok(Taken::Theirs(holder));
                        }
                        interrupt::check()?;
                    }
                    _ => return Ok(Taken::Theirs(holder)),
                },
                Ok(Tried::Done(taken)) => return Ok(taken),
                Ok(Tried::Again) => interrupt::check()?,
                Err(error) => {
                    failures += 1;
                    let is_lost = failures >= TRIES || failing.get_or_insert(asked).elapsed() > BEARS;
                    if is_lost || !may_pass(&error) || self.is_over_within(Duration::from_secs(1)) {
                        // A cause that has a name says more.
                        let is_named = !error.message().starts_with('`');
                        return Err(if is_named {
                            error
                        } else {
                            error.context(format!("the lock of release {} cannot be taken", self.release))
                        });
                    }
                }
            }
        }
    }

    fn try_to_take(&self, seen: &mut Option<Seen>) -> Result<Tried> {
        // Whoever waits looks first: nothing is made while another holds it.
        if seen.is_some()
            && let Answered::Object(lease) = self.ask(Method::Get, &self.path(), None)?
        {
            return self.judge(&lease, seen);
        }
        match self.ask(Method::Create, &self.list(), Some(&self.holder.lease(self.release, None)))? {
            Answered::Object(lease) => return Ok(Tried::Done(Taken::Ours { lease: Box::new(Holder::of(&lease)), former: None })),
            Answered::Forbidden => {
                self.ui.warn(&format!(
                    "this account may not make Leases (403): release {} is changed without a lock, and only helm tells two deploys at a time apart",
                    self.release
                ));
                return Ok(Tried::Done(Taken::Without));
            }
            Answered::Absent => return Ok(Tried::Done(Taken::Without)), // no such namespace, or no Leases: helm says more
            Answered::Taken => {}
        }
        match self.ask(Method::Get, &self.path(), None)? {
            Answered::Object(lease) => self.judge(&lease, seen),
            Answered::Forbidden => Ok(Tried::Done(Taken::Without)),
            _ => Ok(Tried::Again), // it is gone by now
        }
    }

    /// Of a Lease that is there: ours, taken over, or somebody else's.
    fn judge(&self, lease: &Json, seen: &mut Option<Seen>) -> Result<Tried> {
        let holder = Holder::of(lease);
        if holder.run == self.holder.run {
            return Ok(Tried::Done(Taken::Ours { lease: Box::new(holder), former: None })); // made by a try whose answer did not come
        }
        if !self.is_dead(&holder, seen)? {
            return Ok(Tried::Theirs(Box::new(holder)));
        }
        match self.ask(Method::Replace, &self.path(), Some(&self.holder.lease(self.release, Some(&holder))))? {
            Answered::Object(lease) => {
                let since = holder.renewed.map_or_else(String::new, |at| format!(" since {}", at.strftime("%Y-%m-%d %H:%M:%S UTC")));
                let how = if processes::is_gone(&holder.process) {
                    ", whose process is gone".to_owned()
                } else {
                    format!(" and not renewed{since}")
                };
                let who = shown(&holder.who);
                self.ui.warn(&format!("the lock of release {} was left behind by {who}{how}: taken over", self.release));
                Ok(Tried::Done(Taken::Ours { lease: Box::new(Holder::of(&lease)), former: Some(Box::new(holder)) }))
            }
            Answered::Forbidden => Ok(Tried::Theirs(Box::new(holder))),
            _ => Ok(Tried::Again), // somebody was quicker
        }
    }

    /// True when its process is gone for sure, or it was not renewed for as long as it lives: by the server's clock, and where that is not known by how long this run saw it unchanged.
    fn is_dead(&self, holder: &Holder, seen: &mut Option<Seen>) -> Result<bool> {
        if processes::is_gone(&holder.process) {
            return Ok(true);
        }
        if seen.as_ref().is_none_or(|seen| seen.version != holder.version) {
            let age = age(holder, |path, trial| self.ask(Method::Create, path, Some(trial)), &self.list())?.unwrap_or_default();
            *seen = Some(Seen { version: holder.version.clone(), at: Instant::now(), age });
        }
        Ok(seen.as_ref().is_some_and(|seen| seen.age + seen.at.elapsed() > holder.lives))
    }

    fn renew_and_give_back(&self, mut lease: Holder) {
        while !self.is_over_within(RENEWS) {
            match self.ask(Method::Replace, &self.path(), Some(&self.holder.lease(self.release, Some(&lease)))) {
                Ok(Answered::Object(renewed)) => lease = Holder::of(&renewed),
                Ok(Answered::Absent) => {
                    self.ui.warn(&format!("somebody broke the lock of release {} (lain admin unlock): going on without it", self.release));
                    return;
                }
                // A renewal whose answer did not come, or somebody took it over.
                Ok(Answered::Taken) => match self.ask(Method::Get, &self.path(), None) {
                    Ok(Answered::Object(now)) if Holder::of(&now).run == self.holder.run => lease = Holder::of(&now),
                    Ok(Answered::Object(now)) => {
                        let who = shown(&Holder::of(&now).who);
                        self.ui.warn(&format!("the lock of release {} is {who}'s by now: going on without it", self.release));
                        return;
                    }
                    _ => {}
                },
                Ok(Answered::Forbidden) | Err(_) => {} // it may work the next time; until then it lives on
            }
        }
        if lease.version.is_empty() || matches!(self.delete(&lease.version), Ok(Answered::Object(_))) {
            return;
        }
        self.give_back_what_is_ours();
    }

    /// Looks before it deletes, and asks on where the server does not answer; what it cannot delete runs out by itself.
    fn give_back_what_is_ours(&self) {
        let may_be_there = |answered: &Result<Answered>| answered.as_ref().is_err_and(may_pass);
        let is_settled = until_it_answers(|| {
            let kubectl = self.kubectl.last_word();
            match kubectl.at(Method::Get, &self.path(), None, &Stop::within(LEAVES)) {
                Ok(Answered::Object(lease)) => {
                    let holder = Holder::of(&lease);
                    (holder.run != self.holder.run || !may_be_there(&self.delete(&holder.version))).then_some(())
                }
                answered => (!may_be_there(&answered)).then_some(()),
            }
        });
        if is_settled.is_none() {
            self.ui.say(&format!(
                "the lock of release {} cannot be given back, the server does not answer: it runs out by itself within {} s",
                self.release,
                LIVES.as_secs()
            ));
        }
    }

    /// Deletes this very state of the Lease, and nobody else's.
    fn delete(&self, version: &str) -> Result<Answered> {
        delete(&self.kubectl.last_word(), self.release, version)
    }

    /// Whatever the run is at: after Ctrl-C the lock is renewed while helm winds up.
    fn ask(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Answered> {
        let is_held = matches!(self.now().stage, Stage::Held(_));
        if is_held && interrupt::received() {
            return self.kubectl.last_word().at(method, path, body, &self.stop);
        }
        self.kubectl.at(method, path, body, &self.stop)
    }

    fn list(&self) -> String {
        path_of(self.kubectl.namespace())
    }

    fn path(&self) -> String {
        format!("{}/{}", self.list(), name_of(self.release))
    }
}

/// Somebody else's lock, as it was first seen.
struct Seen {
    version: String,
    at: Instant,
    /// How old it was then.
    age: Duration,
}

enum Taken {
    Ours { lease: Box<Holder>, former: Option<Box<Holder>> },
    Theirs(Box<Holder>),
    Without,
}

enum Tried {
    Done(Taken),
    Theirs(Box<Holder>),
    Again,
}

/// Who holds the lock of a release; none where nobody does.
///
/// # Errors
/// The server does not answer, or does not allow it.
pub(crate) fn holder(kubectl: &Kubectl<'_>, release: &str) -> Result<Option<Holder>> {
    let path = format!("{}/{}", path_of(kubectl.namespace()), name_of(release));
    match kubectl.at(Method::Get, &path, None, &Stop::within(LEAVES))? {
        Answered::Object(lease) => Ok(Some(Holder::of(&lease))),
        Answered::Forbidden => {
            Err(Error::refused("this account may not look at Leases (403), which locks are").hint("ask your administrator for this right"))
        }
        Answered::Absent | Answered::Taken => Ok(None),
    }
}

/// How long ago the server took the holder's last renewal, by its own clock: it stamps what it is asked to make on trial. None where it does not say.
fn age(holder: &Holder, ask: impl FnOnce(&str, &Json) -> Result<Answered>, list: &str) -> Result<Option<Duration>> {
    let trial = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"generateName": "lain-clock-"}});
    let now = match ask(&format!("{list}?dryRun=All"), &trial) {
        Ok(Answered::Object(made)) => stamp_of(&made),
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        _ => None, // a webhook that knows no trials
    };
    Ok(holder.age(now))
}

/// Whether the holder of a lock is at work, in words: `, last renewed 12 s ago`; empty where nobody can say.
///
/// # Errors
/// Ctrl-C.
pub(crate) fn life(kubectl: &Kubectl<'_>, holder: &Holder) -> Result<String> {
    if processes::is_gone(&holder.process) {
        return Ok("; its process is gone".to_owned());
    }
    let stop = Stop::within(LEAVES);
    let age = age(holder, |path, trial| kubectl.at(Method::Create, path, Some(trial), &stop), &path_of(kubectl.namespace()))?;
    Ok(age.map_or_else(String::new, |age| {
        let dead = if age > holder.lives { ": its run is gone, and the next command takes it over" } else { "" };
        format!("; last renewed {} s ago{dead}", age.as_secs())
    }))
}

/// Takes the lock of a release away from this very holder, and marks what it left half-way as cut off. False when it is another's by now.
///
/// # Errors
/// The server does not answer, or does not allow it.
pub(crate) fn break_lock(handle: &Handle<'_>, holder: &Holder) -> Result<bool> {
    match delete(&handle.kubectl, &handle.name, &holder.version)? {
        Answered::Object(_) => {
            pending::cut_off_work_of(&handle.kubectl, &handle.name, holder);
            Ok(true)
        }
        Answered::Forbidden => {
            Err(Error::refused("this account may not delete Leases (403)").hint("ask your administrator for this right"))
        }
        Answered::Absent | Answered::Taken => Ok(false),
    }
}

fn delete(kubectl: &Kubectl<'_>, release: &str, version: &str) -> Result<Answered> {
    let path = format!("{}/{}", path_of(kubectl.namespace()), name_of(release));
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": version}});
    kubectl.at(Method::Delete, &path, Some(&options), &Stop::within(LEAVES))
}
