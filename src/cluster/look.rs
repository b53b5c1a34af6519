//! What the cluster is asked: one query a look.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::clock::Clock;
use super::everywhere;
use super::judge::{View, judge};
use super::objects::{Event, INSTANCE, List, NAME, Object, Pod};
use super::store::Shelf;
use super::trouble::LogAt;
use crate::error::{Kind, Result};
use crate::interrupt;
use crate::tools::access::Right;
use crate::tools::kubectl::{Kubectl, Listed, News};
use crate::tools::server::{is_forbidden, is_unknown};

/// The selector of everything that a release's chart makes.
pub(crate) fn selector(app: &str, release: &str) -> String {
    format!("{},{}", of_app(app), of_release(release))
}

/// The selector of all that a release has, of whatever app.
pub(crate) fn of_release(release: &str) -> String {
    format!("helm.sh/chart={release}")
}

/// The selector of everything that an app's releases have.
pub(crate) fn of_app(app: &str) -> String {
    format!("{NAME}={app}")
}

/// The selector of the pods of one of a release's processes.
pub(crate) fn of_proc(release: &str, proc: &str) -> String {
    format!("{INSTANCE}={release}-{proc}")
}

/// Where a follower looks.
pub(crate) trait Looks {
    /// How things stand now.
    ///
    /// # Errors
    /// The server does not answer.
    fn look(&self) -> Result<View>;

    /// The same with what is warned of at this very moment.
    ///
    /// # Errors
    /// As [`Looks::look`].
    fn look_closely(&self) -> Result<View> {
        self.look()
    }

    /// Lets time pass, `most` at most: until something may have changed.
    ///
    /// # Errors
    /// Ctrl-C.
    fn wait(&self, clock: &dyn Clock, most: Duration) -> Result<()> {
        clock.sleep(most)
    }

    /// Something was told since the last look.
    fn has_news(&self) -> bool {
        false
    }

    /// The end of a container's log; none when it has no log.
    fn end_of_log(&self, at: &LogAt) -> Option<String>;
}

/// Between two questions for warnings, which are all of the namespace's.
const WARNINGS: Duration = Duration::from_secs(4);

/// Where that question takes long: not longer between two of them than this, since nothing else tells why a pod does not start.
const SELDOM: Duration = Duration::from_secs(12);

/// However well watches tell, all is asked for anew after so long: one of them may be silent for ever.
const ANEW: Duration = Duration::from_secs(15);
/// What comes so soon after one change is told together with it.
const TOGETHER: Duration = Duration::from_millis(60);
/// So many last lines of a log tell why something failed.
const END_OF_LOG: u32 = 30;
/// Ctrl-C is noticed within this time.
const GLANCE: Duration = Duration::from_millis(50);

/// What is looked at.
pub(crate) const KINDS: [&str; 5] = ["deployments", "statefulsets", "replicasets", "jobs", "pods"];

/// The same, as kubectl takes several at once.
const ALL: &str = "deployments,statefulsets,replicasets,jobs,pods";

/// What a selector selects, asked for once.
#[derive(Debug, Default)]
pub(crate) struct Once {
    /// Of all of [`KINDS`].
    pub objects: Vec<Object>,
    /// The kinds that this account may not list (403).
    pub refused: Vec<&'static str>,
}

/// What a selector selects, all kinds at the same time. What this account may not list is left out.
///
/// # Errors
/// The server does not answer.
pub(crate) fn once(kubectl: &Kubectl<'_>, selector: &str) -> Result<Once> {
    let mut once = Once::default();
    for (kind, found) in everywhere::by_kind(kubectl, &KINDS, selector, |_| true) {
        match found {
            Err(error) if is_forbidden(&error) => once.refused.push(kind),
            Err(error) if is_unknown(&error) => {} // then there is none of it
            found => once.objects.extend(found?),
        }
    }
    Ok(once)
}

/// What controllers and nodes warn of in the namespace.
///
/// # Errors
/// As [`once`], or this account may not list events.
pub(crate) fn warnings(kubectl: &Kubectl<'_>) -> Result<Vec<Event>> {
    everywhere::warnings(kubectl)
}

/// What the server tells of a pod, whether it warns or not.
///
/// # Errors
/// As [`warnings`].
pub(crate) fn events_of_pod(kubectl: &Kubectl<'_>, pod: &str) -> Result<Vec<Event>> {
    kubectl.events_of_pod::<List<Event>>(pod).map(|list| list.items)
}

/// Everything that a selector selects.
#[derive(Debug)]
pub(crate) struct Selected<'a> {
    kubectl: &'a Kubectl<'a>,
    selector: &'a str,
    warnings: RefCell<Warnings>,
    known: RefCell<Known>,
}

/// What of: which kind, which of its watches, and what.
type Told = (usize, u32, News);

/// What is there, and who tells of it.
#[derive(Debug)]
struct Known {
    shelves: [Shelf; 5],
    sender: Sender<Told>,
    receiver: Receiver<Told>,
    /// Told, and not looked at yet.
    heard: Vec<Told>,
    /// When all was asked for.
    asked: Option<Instant>,
    /// What this account may not list is left out.
    is_lenient: bool,
    /// What it may not list.
    refused: BTreeSet<usize>,
}

impl Known {
    fn new() -> Self {
        let (sender, receiver) = channel();
        let shelves = KINDS.map(Shelf::new);
        Self { shelves, sender, receiver, heard: vec![], asked: None, is_lenient: false, refused: BTreeSet::new() }
    }

    /// All that there is; none where only kubectl can be asked. What is watched is not asked for; the first look watches nothing, it may be the only one.
    fn look(&mut self, kubectl: &Kubectl<'_>, selector: &str) -> Result<Option<Vec<Object>>> {
        let now = Instant::now();
        self.heard.extend(self.receiver.try_iter());
        for (at, number, news) in std::mem::take(&mut self.heard) {
            self.shelves[at].hear(number, news, now);
        }
        let is_first = self.asked.is_none();
        let anew = self.asked.is_none_or(|asked| now.duration_since(asked) >= ANEW);
        let is_known = |at: &usize| self.shelves[*at].is_live() || self.refused.contains(at);
        let asked: Vec<usize> = (0..self.shelves.len()).filter(|at| anew || !is_known(at)).collect();
        for (at, found) in Self::ask(&asked, &self.shelves, kubectl, selector) {
            let found = match found {
                Err(error) if self.is_lenient && is_forbidden(&error) => {
                    self.refused.insert(at);
                    self.shelves[at].put(vec![])?;
                    continue;
                }
                found => found?,
            };
            self.refused.remove(&at);
            let Some((objects, version)) = found else { return Ok(None) };
            let place = &mut self.shelves[at];
            place.put(objects)?;
            if is_first || !place.may_be_watched() {
                continue;
            }
            let (number, sender) = (place.begin(now), self.sender.clone());
            if !kubectl.watch(place.kind, selector, &version, move |news| sender.send((at, number, news)).is_ok()) {
                place.never_began();
            }
        }
        if anew {
            self.asked = Some(now);
        }
        Ok(Some(self.shelves.iter().flat_map(Shelf::objects).cloned().collect()))
    }

    /// Side by side, once the first shows that there is a connection.
    fn ask(asked: &[usize], shelves: &[Shelf], kubectl: &Kubectl<'_>, selector: &str) -> Vec<(usize, Result<Option<Listed>>)> {
        let one = |at: usize| kubectl.known(shelves[at].kind, selector);
        let Some((first, others)) = asked.split_first() else { return vec![] };
        let mut found = vec![(*first, one(*first))];
        if matches!(&found[0].1, Ok(Some(_))) || matches!(&found[0].1, Err(error) if is_forbidden(error)) {
            std::thread::scope(|scope| {
                let others: Vec<_> = others.iter().map(|at| (*at, scope.spawn(move || one(*at)))).collect();
                found.extend(others.into_iter().map(|(at, other)| (at, other.join().unwrap_or(Ok(None)))));
            });
        }
        found
    }

    /// Something was told that nobody has looked at.
    fn has_news(&mut self) -> bool {
        self.heard.extend(self.receiver.try_iter());
        !self.heard.is_empty()
    }
}

/// What was warned of when that was asked last.
#[derive(Debug)]
struct Warnings {
    events: Vec<Event>,
    /// This account may not know them.
    may_not: bool,
    /// Not to be asked again before.
    next: Instant,
}

impl<'a> Selected<'a> {
    /// What `selector` selects.
    pub(crate) fn new(kubectl: &'a Kubectl<'a>, selector: &'a str) -> Self {
        // What is new has no warnings yet.
        let warnings = Warnings { events: vec![], may_not: false, next: Instant::now() + Duration::from_secs(1) };
        Self { kubectl, selector, warnings: RefCell::new(warnings), known: RefCell::new(Known::new()) }
    }

    /// Leaves out what this account may not list, and says so in [`View::refused`].
    pub(crate) fn seeing_what_it_may(self) -> Self {
        self.known.borrow_mut().is_lenient = true;
        self
    }

    fn objects(&self) -> Result<Once> {
        let mut known = self.known.borrow_mut();
        let objects = known.look(self.kubectl, self.selector)?;
        match objects {
            Some(objects) => Ok(Once { objects, refused: known.refused.iter().map(|at| KINDS[*at]).collect() }),
            None if known.is_lenient => once(self.kubectl, self.selector),
            None => Ok(Once { objects: select(self.kubectl, ALL, self.selector)?, refused: vec![] }),
        }
    }
}

impl Looks for Selected<'_> {
    fn look(&self) -> Result<View> {
        let Once { objects, refused } = self.objects()?;
        let mut warnings = self.warnings.borrow_mut();
        let view = View { refused: refused.clone(), ..judge(&objects, &warnings.events) };
        let asked = Instant::now();
        if view.is_settled() || asked < warnings.next {
            return Ok(view);
        }
        // They are for words and for early ends: a server that does not give them stops nothing.
        match everywhere::warnings(self.kubectl) {
            Ok(events) => warnings.events = events,
            Err(error) => warnings.may_not = is_forbidden(&error),
        }
        // A namespace with very many is asked less often.
        warnings.next = Instant::now() + WARNINGS.max((asked.elapsed() * 10).min(SELDOM));
        let mut view = View { refused, ..judge(&objects, &warnings.events) };
        if warnings.may_not {
            view.sees_no_warnings("this account may not list events (403)");
        }
        Ok(view)
    }

    fn look_closely(&self) -> Result<View> {
        self.warnings.borrow_mut().next = Instant::now();
        self.look()
    }

    fn wait(&self, clock: &dyn Clock, most: Duration) -> Result<()> {
        let mut known = self.known.borrow_mut();
        if !known.shelves.iter().any(Shelf::is_live) {
            return clock.sleep(most);
        }
        let end = Instant::now() + most;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|_| known.heard.is_empty()) {
            interrupt::check()?;
            let told = known.receiver.recv_timeout(left.min(GLANCE));
            known.heard.extend(told);
        }
        if known.heard.is_empty() { interrupt::check() } else { interrupt::sleep(TOGETHER) }
    }

    fn has_news(&self) -> bool {
        self.known.borrow_mut().has_news()
    }

    fn end_of_log(&self, at: &LogAt) -> Option<String> {
        self.kubectl.end_of_container_log(&at.pod, &at.container, at.is_previous, END_OF_LOG).ok().flatten()
    }
}

/// The pods that a selector selects.
///
/// # Errors
/// The server does not answer.
pub(crate) fn pods(kubectl: &Kubectl<'_>, selector: &str) -> Result<Vec<Pod>> {
    select(kubectl, "pods", selector)
}

/// Running pods that stay.
///
/// # Errors
/// The server does not answer.
pub(crate) fn running(kubectl: &Kubectl<'_>, selector: &str) -> Result<Vec<Pod>> {
    let list: List<Pod> = kubectl.running_pods(selector)?;
    Ok(list.items.into_iter().filter(|pod| !pod.metadata.is_leaving()).collect())
}

/// False where the server says that this account may not read logs of pods in the namespace: a log that is followed tells of it among what it holds.
///
/// # Errors
/// Ctrl-C.
pub(crate) fn may_read_logs(kubectl: &Kubectl<'_>) -> Result<bool> {
    let right = Right { resource: "pods/log", verb: "get", everywhere: false };
    match kubectl.may([right]) {
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        known => Ok(known.map_or(true, |known| known[&right])),
    }
}

/// The image of each Deployment, `StatefulSet` and `CronJob`: its first container's.
///
/// # Errors
/// The server does not answer.
pub(crate) fn images(kubectl: &Kubectl<'_>, selector: &str) -> Result<Vec<(String, String)>> {
    let image = |object: &Object| {
        let (metadata, template) = match object {
            Object::Deployment(it) | Object::StatefulSet(it) => (&it.metadata, &it.spec.template),
            Object::CronJob(it) => (&it.metadata, it.template()),
            _ => return None,
        };
        let image = template.spec.containers.first().map_or_else(String::new, |container| container.image.clone());
        Some((metadata.name.clone(), image))
    };
    Ok(everywhere::selected(kubectl, &["deployments", "statefulsets", "cronjobs"], selector, |_| true)?.iter().filter_map(image).collect())
}

/// The apps in the namespace that have something that runs, or runs again and again.
///
/// # Errors
/// The server does not answer.
pub(crate) fn apps(kubectl: &Kubectl<'_>) -> Result<BTreeSet<String>> {
    let list: List<Object> = kubectl.get("deployments,statefulsets,cronjobs")?;
    let name = |object: &Object| match object {
        Object::Deployment(it) | Object::StatefulSet(it) => Some(it.metadata.label(NAME).to_owned()),
        Object::CronJob(it) => Some(it.metadata.label(NAME).to_owned()),
        _ => None,
    };
    Ok(list.items.iter().filter_map(name).filter(|name| !name.is_empty()).collect())
}

/// True when a selector selects Cron Jobs, whose pods come and go.
///
/// # Errors
/// The server does not answer.
pub(crate) fn has_cron_jobs(kubectl: &Kubectl<'_>, selector: &str) -> Result<bool> {
    let found: Vec<Object> = select(kubectl, "cronjobs", selector)?;
    Ok(!found.is_empty())
}

fn select<T: DeserializeOwned>(kubectl: &Kubectl<'_>, kinds: &'static str, selector: &str) -> Result<Vec<T>> {
    kubectl.select::<List<T>>(kinds, selector).map(|list| list.items)
}
