//! Who tells the panel: each pane is asked for on its own clock, in its own thread. They end when nobody listens any more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;
use std::time::Duration;

use jiff::Timestamp;

use super::model::{KEPT, Msg, Page};
use crate::cluster::clock::Wall;
use crate::cluster::follow::{Event as Seen, Follower};
use crate::cluster::look::{self, Selected};
use crate::cluster::objects::Event;
use crate::cluster::trouble::LogAt;
use crate::cluster::usage::Meter;
use crate::error::Kind;
use crate::interrupt;
use crate::model::duration;
use crate::model::text::bounded;
use crate::release::links::Address;
use crate::release::record::Record;
use crate::release::status;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;
use crate::ui::{Ui, plain};

/// Between the first two looks, and between all others where no watch tells: from the second on watches do.
const LOOKS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3));
/// Between two questions whether the API server answers.
const PULSE: Duration = Duration::from_secs(3);
/// Between two questions for what is used: metrics servers measure no oftener.
const USAGE: Duration = Duration::from_secs(15);
/// Between two looks at helm's record where nothing moves.
const RECORD: Duration = Duration::from_secs(60);
/// Between two questions to an address.
const URLS: Duration = Duration::from_secs(10);
/// Between two looks at the end of a log.
const TAIL: Duration = Duration::from_secs(3);
/// Between two questions for events, and before a log that ended is followed again.
const AGAIN: Duration = Duration::from_secs(5);
/// So many addresses are asked.
const MOST_URLS: usize = 30;
/// So many last lines of the log that explains.
const LINES: u32 = 60;
/// So many characters of a line are kept.
const LONGEST: usize = 4000;

/// Where to ask.
pub(super) struct Places<'a> {
    pub ui: &'a Ui,
    pub kubectl: &'a Kubectl<'a>,
    pub budget: Option<Duration>,
    pub meter: Meter<'a>,
    pub addresses: Vec<Address>,
}

/// Everybody who asks.
pub(super) struct Feeds<'a> {
    places: &'a Places<'a>,
    sender: SyncSender<Msg>,
    shared: Arc<Shared>,
}

/// What threads and panel have in common.
#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    /// The number of the page that is read.
    page: AtomicU32,
    wanted: Mutex<Option<LogAt>>,
    changed: Condvar,
    /// Something else runs than when helm's record was read.
    is_moved: AtomicBool,
    heard: Mutex<Heard>,
}

/// What was heard of the log that is read, and not taken yet.
#[derive(Default)]
struct Heard {
    lines: VecDeque<String>,
    dropped: usize,
    /// It is told from its beginning again.
    is_anew: bool,
    words: Option<String>,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) || interrupt::received()
    }

    fn wanted(&self) -> MutexGuard<'_, Option<LogAt>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_read(&self, number: u32) -> bool {
        !self.is_over() && self.page.load(Ordering::SeqCst) == number
    }

    /// Lets time pass, as long as something goes on.
    fn wait(&self, time: Duration, goes_on: impl Fn() -> bool) -> bool {
        let end = std::time::Instant::now() + time;
        while goes_on() && !self.is_over() {
            let Some(left) = end.checked_duration_since(std::time::Instant::now()) else { return true };
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        false
    }

    /// Waits until another log is wanted, for so long at most.
    fn wait_for_wish(&self, known: Option<&LogAt>, most: Duration) -> Option<LogAt> {
        let wanted = self.wanted();
        let is_same = |wanted: &mut Option<LogAt>| wanted.as_ref() == known && !self.is_over();
        let (wanted, _) = self.changed.wait_timeout_while(wanted, most, is_same).unwrap_or_else(PoisonError::into_inner);
        wanted.clone()
    }
}

impl<'a> Feeds<'a> {
    pub(super) fn new(places: &'a Places<'a>, sender: SyncSender<Msg>) -> Self {
        Self { places, sender, shared: Arc::default() }
    }

    /// Begins to ask.
    pub(super) fn start<'scope>(&self, scope: &'scope Scope<'scope, 'a>) {
        let places = self.places;
        let begin = |work: fn(&Places<'a>, &SyncSender<Msg>, &Shared)| {
            let (sender, shared) = (self.sender.clone(), Arc::clone(&self.shared));
            scope.spawn(move || work(places, &sender, &shared));
        };
        begin(pods);
        begin(pulse);
        begin(record);
        begin(usage);
        begin(tail);
        for (at, address) in places.addresses.iter().enumerate().take(MOST_URLS) {
            let (sender, shared) = (self.sender.clone(), Arc::clone(&self.shared));
            scope.spawn(move || {
                while sender.send(Msg::Url(at, status::ask(places.meter.proxies, address))).is_ok() && shared.wait(URLS, || true) {}
            });
        }
    }

    /// This log explains now.
    pub(super) fn want(&self, at: Option<LogAt>) {
        let mut wanted = self.shared.wanted();
        if *wanted != at {
            *wanted = at;
            self.shared.changed.notify_all();
        }
    }

    /// Nobody reads the page any more.
    pub(super) fn close(&self) -> u32 {
        let number = self.shared.page.fetch_add(1, Ordering::SeqCst) + 1;
        *self.shared.heard() = Heard::default();
        number
    }

    /// The log of a container is followed.
    pub(super) fn follow<'scope>(&self, scope: &'scope Scope<'scope, 'a>, pod: String, container: String) {
        let (number, places, shared) = (self.close(), self.places, Arc::clone(&self.shared));
        scope.spawn(move || follow(places, &shared, number, &pod, &container));
    }

    /// The events of a pod are asked for, again and again.
    pub(super) fn events<'scope>(&self, scope: &'scope Scope<'scope, 'a>, pod: String) {
        let (number, places, shared, sender) = (self.close(), self.places, Arc::clone(&self.shared), self.sender.clone());
        scope.spawn(move || {
            let told = || sender.send(Msg::Page(pod.clone(), events(places, &pod))).is_ok();
            while told() && shared.wait(AGAIN, || shared.is_read(number)) {}
        });
    }

    /// A pod is deleted.
    pub(super) fn restart<'scope>(&self, scope: &'scope Scope<'scope, 'a>, pod: String) {
        let (places, sender) = (self.places, self.sender.clone());
        scope.spawn(move || {
            let words = match places.kubectl.begin_to_delete_pods(&[&pod]) {
                Ok(()) => format!("pod {pod} is told to go; another takes its place"),
                Err(error) => format!("pod {pod} was not restarted: {error}"),
            };
            sender.send(Msg::Said(plain(&words)))
        });
    }

    /// What was heard of the log goes to its page. True where something was.
    pub(super) fn tell(&self, page: &mut Page) -> bool {
        let mut heard = self.shared.heard();
        let is_news = !heard.lines.is_empty() || heard.words.is_some();
        if heard.is_anew && !heard.lines.is_empty() {
            (page.lines, page.dropped, heard.is_anew) = (VecDeque::new(), 0, false);
        }
        page.dropped += std::mem::take(&mut heard.dropped);
        heard.lines.drain(..).for_each(|line| page.push(clean(self.places.ui, &line)));
        if let Some(words) = heard.words.take() {
            page.words = words;
        }
        is_news
    }

    /// Everybody ends.
    pub(super) fn end(&self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
    }
}

/// Pods, workloads and Jobs, as watches tell.
fn pods(places: &Places<'_>, sender: &SyncSender<Msg>, shared: &Shared) {
    let looks = Selected::new(places.kubectl, places.meter.selector).seeing_what_it_may();
    // Why it cannot be seen, once a time; the pulse says for how long.
    let tell = |event: &Seen| {
        if let Seen::Blind(why) = event {
            let _ = sender.send(Msg::Unseen(why.clone())); // nobody listens any more: the next word ends this
        }
    };
    let mut follower = Follower::new(looks, &Wall, tell).bearing(places.budget);
    let mut pause = LOOKS.0;
    let mut templates = BTreeSet::new();
    while !shared.is_over() {
        let told = match follower.step() {
            Ok(Some((view, _))) => {
                if view.templates != templates {
                    templates.clone_from(&view.templates);
                    shared.is_moved.store(true, Ordering::SeqCst);
                }
                sender.send(Msg::Seen(Box::new(view)))
            }
            Ok(None) => sender.send(Msg::Silent),
            Err(error) if error.kind() == Kind::Interrupted => return,
            Err(error) => sender.send(Msg::Unseen(error.to_string())),
        };
        if told.is_err() || follower.wait(pause).is_err() {
            return;
        }
        pause = LOOKS.1;
    }
}

/// Whether the API server answers: a watch that says nothing looks like one whose server hangs.
fn pulse(places: &Places<'_>, sender: &SyncSender<Msg>, shared: &Shared) {
    loop {
        let msg = if places.kubectl.has_a_pulse() { Msg::Answers } else { Msg::Silent };
        if shared.is_over() || sender.send(msg).is_err() || !shared.wait(PULSE, || true) {
            return;
        }
    }
}

/// Which revision runs: helm's record is read where other templates are there, and now and then. Whoever may not read it sees none.
fn record(places: &Places<'_>, sender: &SyncSender<Msg>, shared: &Shared) {
    loop {
        shared.is_moved.store(false, Ordering::SeqCst);
        if let Ok(Some(record)) = Record::deployed(places.kubectl, places.meter.release) {
            let revision = record.revision().map(|revision| format!("revision {revision}"));
            let parts: Vec<String> = revision.into_iter().chain(record.image_tag()).collect();
            if sender.send(Msg::Runs(clean(places.ui, &parts.join(", ")))).is_err() {
                return;
            }
        }
        // helm writes the record when the objects are there.
        let _ = shared.wait(TAIL, || true);
        let _ = shared.wait(RECORD, || !shared.is_moved.load(Ordering::SeqCst));
        if shared.is_over() {
            return;
        }
    }
}

fn usage(places: &Places<'_>, sender: &SyncSender<Msg>, shared: &Shared) {
    while sender.send(Msg::Used(places.meter.read(places.kubectl))).is_ok() && shared.wait(USAGE, || true) {}
}

/// The end of the log that explains.
fn tail(places: &Places<'_>, sender: &SyncSender<Msg>, shared: &Shared) {
    let mut known = None;
    while !shared.is_over() {
        let wanted = shared.wait_for_wish(known.as_ref(), TAIL);
        if let Some(at) = &wanted {
            let told = status::end_of_log(places.kubectl, at, LINES);
            let told = told.map(|lines| lines.iter().map(|line| clean(places.ui, line)).collect());
            if shared.is_over() || sender.send(Msg::Tail(at.clone(), told)).is_err() {
                return;
            }
        }
        known = wanted;
    }
}

/// A line of somebody else: without secrets, colours and control characters, and of no more than some length.
fn clean(ui: &Ui, line: &str) -> String {
    plain(&ui.redact(&bounded(line, LONGEST)))
}

/// Follows a log while it is read; what ended is told from its beginning again, once there is more.
fn follow(places: &Places<'_>, shared: &Arc<Shared>, number: u32, pod: &str, container: &str) {
    loop {
        let (is_done, keeper) = (Arc::new(AtomicBool::new(false)), Arc::clone(shared));
        let done = Arc::clone(&is_done);
        let is_refused = Arc::new(AtomicBool::new(false));
        let refused = Arc::clone(&is_refused);
        let mut is_first = true;
        let is_heard = places.kubectl.hear_log(pod, container, move |line| {
            let Some(line) = line.filter(|_| keeper.is_read(number)) else {
                done.store(true, Ordering::SeqCst);
                return false;
            };
            let is_answer = std::mem::take(&mut is_first);
            if let Some(why) = is_answer.then(|| refusal(line)).flatten() {
                keeper.heard().words = Some(why);
                refused.store(true, Ordering::SeqCst);
                done.store(true, Ordering::SeqCst);
                return false;
            }
            let text = String::from_utf8_lossy(line);
            let line = bounded(text.trim_end_matches(['\r', '\n']), LONGEST).into_owned();
            let mut heard = keeper.heard();
            heard.words = Some("followed".to_owned());
            heard.lines.push_back(line);
            if heard.lines.len() > KEPT {
                heard.lines.pop_front();
                heard.dropped += 1;
            }
            true
        });
        if is_heard {
            while shared.is_read(number) && !is_done.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(100));
            }
        } else {
            // No connection: its end, again and again.
            let at = LogAt { pod: pod.to_owned(), container: container.to_owned(), is_previous: false };
            let told = status::end_of_log(places.kubectl, &at, 1000);
            if shared.is_read(number) {
                let mut heard = shared.heard();
                match told {
                    Ok(lines) => heard.lines = lines.into(),
                    Err(why) => heard.words = Some(why),
                }
            }
        }
        if !shared.is_read(number) {
            return;
        }
        {
            let mut heard = shared.heard();
            heard.is_anew = true;
            if !is_refused.load(Ordering::SeqCst) {
                heard.words = Some("it ended, or was cut off".to_owned());
            }
        }
        if !shared.wait(AGAIN, || shared.is_read(number)) {
            return;
        }
    }
}

/// Why the server has no log: it answers with a `Status` in place of lines while a container waits to start.
fn refusal(line: &[u8]) -> Option<String> {
    let status: serde_json::Value = serde_json::from_slice(line).ok()?;
    (status["kind"] == "Status" && status["status"] == "Failure").then(|| status["message"].as_str().map(plain))?
}

/// What the server tells of a pod, oldest first.
fn events(places: &Places<'_>, pod: &str) -> Result<Vec<String>, String> {
    let mut events: Vec<Event> = look::events_of_pod(places.kubectl, pod).map_err(|error| {
        let may_not = is_forbidden(&error);
        if may_not { "this account may not list events (403)".to_owned() } else { plain(&error.to_string()) }
    })?;
    events.sort_by_key(Event::last);
    let now = Timestamp::now().as_second();
    let line = |event: &Event| {
        let age = event.last().map_or_else(|| "?".to_owned(), |at| duration::age(now - at.as_second()));
        clean(places.ui, &format!("{age:>5} ago  {:7}  {}: {}", event.what, event.reason, event.message.trim_end()))
    };
    Ok(events.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_waits_says_so_in_words() {
        let answer = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"container \"web\" is waiting to start","code":400}"#;
        assert_eq!(refusal(answer.as_bytes()).as_deref(), Some("container \"web\" is waiting to start"));
        for line in [r#"{"kind": "Pod"}"#, "listening", r#"{"kind":"Status","status":"Success"}"#] {
            assert_eq!(refusal(line.as_bytes()), None);
        }
    }
}
