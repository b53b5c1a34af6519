//! Following a rollout: tells what changes, and how it ends. It prints nothing, and its clock is given.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::clock::Clock;
use super::judge::{JobStanding, Progress, View, told_of};
use super::look::Looks;
use super::templates::Generations;
use super::trouble::{Class, Trouble, says_little};
use crate::error::{Error, Result};
use crate::tools::server::may_pass;

/// How long the API server may fail before it answered once: who never saw it does not know that it is the right one.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(700);
/// What is not ready is told again after so long without a change.
const STILL: Duration = Duration::from_secs(20);

/// What a follower sees that was not so before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A workload has more or fewer ready pods, or is to have; or it still waits.
    Workload(Progress),
    /// A Job stands otherwise.
    Job(JobStanding),
    /// Something is in trouble, which may pass.
    Trouble(Trouble),
    /// The server does not answer; the words say why.
    Blind(String),
    /// It answers again.
    Sees,
}

/// How following ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// Everything that there is, is ready.
    Ready(View),
    /// Something cannot become ready.
    Stuck {
        /// Why.
        trouble: Box<Trouble>,
        /// The end of its log, if it has one.
        log: Option<String>,
        /// What is warned of, newest first, where the trouble itself does not say why.
        warnings: Vec<String>,
    },
    /// It takes too long.
    Late {
        /// These are not ready.
        waiting: Vec<Progress>,
        /// What is warned of, newest first.
        warnings: Vec<String>,
    },
}

/// Follows a rollout, look by look.
pub(crate) struct Follower<'a> {
    looks: Box<dyn Looks + 'a>,
    clock: &'a dyn Clock,
    sink: Box<dyn FnMut(&Event) + 'a>,
    /// What was last told of each object, by kind and name.
    told: BTreeMap<(&'static str, String), String>,
    /// When a workload was told last.
    told_at: Option<Instant>,
    /// Since when each object is in each trouble, and the words that told most.
    since: BTreeMap<(String, Class), (Instant, String)>,
    /// What there was before the change that is followed; none where no change is.
    before: Option<Before>,
    /// Given up by their controllers at the first look: that was about something before.
    given_up: Option<BTreeSet<String>>,
    /// How long what may pass may go on; each trouble's own time where none.
    budget: Option<Duration>,
    /// Since when the server does not answer, and what it said.
    silent: Option<(Instant, Error)>,
    has_seen: bool,
}

/// What there was before a change.
#[derive(Debug)]
struct Before {
    /// Templates and Jobs; none where the server did not say.
    templates: Option<BTreeSet<String>>,
    /// Of the workloads; none where the server did not say.
    generations: Option<Generations>,
}

impl Before {
    /// The change itself made it, for sure.
    fn lacks(&self, template: Option<&String>) -> bool {
        template.zip(self.templates.as_ref()).is_some_and(|(template, known)| !known.contains(template))
    }
}

impl<'a> Follower<'a> {
    /// Follows what `looks` sees; `sink` is told what changes.
    pub(crate) fn new(looks: impl Looks + 'a, clock: &'a dyn Clock, sink: impl FnMut(&Event) + 'a) -> Self {
        Self {
            looks: Box::new(looks),
            clock,
            sink: Box::new(sink),
            told: BTreeMap::new(),
            told_at: None,
            since: BTreeMap::new(),
            before: None,
            given_up: None,
            budget: None,
            silent: None,
            has_seen: false,
        }
    }

    /// What may pass may go on for so long.
    pub(crate) fn bearing(self, budget: Option<Duration>) -> Self {
        Self { budget, ..self }
    }

    /// Follows a change that is about to be made: takes what is there now as known, and only what changes from here on is told. Troubles are told in
    /// any case. The Jobs that the change makes belong to it.
    ///
    /// # Errors
    /// The server refuses the question. One that does not answer is looked at again later.
    pub(crate) fn start_from_now(&mut self) -> Result<()> {
        let Some(view) = self.look()? else {
            self.before = Some(Before { templates: None, generations: None });
            return Ok(());
        };
        // That a rollout is over though pods are old is to be known of this change too.
        let is_known = |event: &Event| !matches!(event, Event::Trouble(_) | Event::Workload(Progress { note: Some(_), .. }));
        let news = news(&view).filter(is_known);
        self.told.extend(news.map(|event| (about(&event), state(&event))));
        self.before = Some(Before { templates: Some(view.templates), generations: Some(view.generations) });
        Ok(())
    }

    /// The generations of the workloads before the change; none where the server did not say.
    pub(crate) fn generations_before(&self) -> Option<&Generations> {
        self.before.as_ref()?.generations.as_ref()
    }

    /// Looks once; none when the server does not answer, which is told once.
    fn look(&mut self) -> Result<Option<View>> {
        match self.looks.look() {
            Ok(view) => {
                if self.silent.take().is_some() {
                    (self.sink)(&Event::Sees);
                }
                self.has_seen = true;
                let given_up = || view.troubles.iter().filter(|it| it.class == Class::Deadline).map(|it| it.name.clone()).collect();
                match &mut self.given_up {
                    None => self.given_up = Some(given_up()),
                    Some(known) => {
                        let now: BTreeSet<String> = given_up();
                        known.retain(|name| now.contains(name));
                    }
                }
                Ok(Some(view))
            }
            Err(error) if may_pass(&error) => {
                if self.silent.is_none() {
                    (self.sink)(&Event::Blind(error.to_string()));
                    self.silent = Some((self.clock.now(), error));
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Looks once, tells what is new. Returns the view and the trouble that outlasted its grace, if any; nothing when the server does not answer.
    ///
    /// # Errors
    /// The server refuses the question.
    pub(crate) fn step(&mut self) -> Result<Option<(View, Option<Trouble>)>> {
        let Some(view) = self.look()? else { return Ok(None) };
        let at = self.clock.now();
        let is_still = at.duration_since(*self.told_at.get_or_insert(at)) >= STILL;
        for event in news(&view) {
            let state = state(&event);
            let is_news = self.told.insert(about(&event), state.clone()).is_none_or(|before| before != state);
            let waits = matches!(&event, Event::Workload(workload) if !workload.is_done);
            if is_news || (is_still && waits) {
                (self.sink)(&event);
                if matches!(event, Event::Workload(_)) {
                    self.told_at = Some(at);
                }
            }
        }
        // Between two crashes a container runs: that is no end of its crash loop.
        let goes_on = |key: &(String, Class)| key.1 == Class::Crash && !view.is_done();
        self.since.retain(|key, _| goes_on(key) || view.troubles.iter().any(|trouble| key_of(trouble) == *key));
        let now = self.clock.now();
        let mut lasting: Option<Trouble> = None;
        for trouble in &view.troubles {
            let Some(grace) = trouble.bearable(self.budget).filter(|_| self.counts(trouble)) else {
                self.since.remove(&key_of(trouble));
                continue;
            };
            let (first, words) = self.since.entry(key_of(trouble)).or_insert_with(|| (now, String::new()));
            if !says_little(&trouble.message) {
                words.clone_from(&trouble.message);
            }
            // A Job that failed has failed, also where all else is ready.
            if now.duration_since(*first) >= grace && (lasting.is_none() || trouble.class == Class::Job) {
                let message = if says_little(&trouble.message) && !words.is_empty() { words.clone() } else { trouble.message.clone() };
                lasting = Some(Trouble { message, ..trouble.clone() });
            }
        }
        Ok(Some((view, lasting)))
    }

    /// The trouble may end what is followed: a Job's where the change made the Job, a controller's where it gave up on what is there now.
    fn counts(&self, trouble: &Trouble) -> bool {
        let is_job = trouble.template.as_ref().is_some_and(|template| template.starts_with("job/"));
        let is_old = trouble.class == Class::Deadline && self.given_up.as_ref().is_some_and(|known| known.contains(&trouble.name));
        !is_old && (!is_job || self.is_new(trouble.template.as_ref()))
    }

    fn is_new(&self, template: Option<&String>) -> bool {
        self.before.as_ref().is_some_and(|before| before.lacks(template))
    }

    /// Looks once while the change is made. Returns the trouble that cannot end well, of what the change made itself: what was there before may well
    /// be what it mends. A Job that failed is for helm to tell.
    ///
    /// # Errors
    /// The server refuses the question.
    pub(crate) fn step_of_change(&mut self) -> Result<Option<Trouble>> {
        let found = self.step()?.and_then(|(_, trouble)| trouble);
        Ok(found.filter(|trouble| trouble.class != Class::Job && self.is_new(trouble.template.as_ref())))
    }

    /// A Job of the change that failed, if there is one.
    ///
    /// # Errors
    /// The server refuses the question.
    pub(crate) fn failed_job(&mut self) -> Result<Option<Trouble>> {
        let found = self.step()?.and_then(|(_, trouble)| trouble);
        Ok(found.filter(|trouble| trouble.class == Class::Job))
    }

    /// The end of the log that tells more about a trouble.
    pub(crate) fn end_of_log(&self, trouble: &Trouble) -> Option<String> {
        self.looks.end_of_log(trouble.log.as_ref()?)
    }

    /// Follows until everything is ready, something cannot become ready, or time is up.
    ///
    /// # Errors
    /// Ctrl-C, the server refuses the question, or it does not answer for longer than it may: what was deployed goes on without lain.
    pub(crate) fn until_the_end(&mut self, timeout: Duration) -> Result<End> {
        let started = self.clock.now();
        loop {
            let seen = self.step()?;
            let passed = self.clock.now().duration_since(started);
            match seen {
                Some((view, None)) if view.is_done() && !self.has_jobs(&view) => return Ok(End::Ready(view)),
                // What is ready is ready; a Job of the change may have failed all the same.
                Some((view, Some(trouble))) if view.is_done() && trouble.class != Class::Job && !self.has_jobs(&view) => {
                    return Ok(End::Ready(view));
                }
                Some((view, Some(trouble))) => {
                    let about = format!("{}/{}", trouble.kind, trouble.name);
                    let warnings = if trouble.class == Class::Deadline { self.warnings(view, &[&about]) } else { vec![] };
                    return Ok(End::Stuck { log: self.end_of_log(&trouble), trouble: Box::new(trouble), warnings });
                }
                Some((view, None)) if passed > timeout && view.is_done() => return Ok(End::Ready(view)), // its Jobs run on
                Some((view, None)) if passed > timeout => {
                    let waiting: Vec<Progress> = view.workloads.iter().filter(|workload| !workload.is_done).cloned().collect();
                    let about: Vec<&str> = waiting.iter().map(|it| it.name.as_str()).collect();
                    return Ok(End::Late { warnings: self.warnings(view, &about), waiting });
                }
                Some(_) => {}
                None => self.may_be_silent(passed, timeout)?,
            }
            self.looks.wait(self.clock, PAUSE)?;
        }
    }

    /// Lets time pass, `most` at most: until something may have changed.
    ///
    /// # Errors
    /// Ctrl-C.
    pub(crate) fn wait(&self, most: Duration) -> Result<()> {
        self.looks.wait(self.clock, most)
    }

    /// Something changed since the last look, as far as it is told.
    pub(crate) fn has_news(&self) -> bool {
        self.looks.has_news()
    }

    /// What these are warned of now; what they were when the server does not say.
    fn warnings(&self, view: View, objects: &[&str]) -> Vec<String> {
        told_of(&self.looks.look_closely().map_or(view.warnings, |now| now.warnings), objects)
    }

    fn may_be_silent(&self, passed: Duration, timeout: Duration) -> Result<()> {
        let Some((since, error)) = &self.silent else { return Ok(()) };
        let silent = self.clock.now().duration_since(*since).as_secs();
        if passed <= timeout && (self.has_seen || passed < SILENCE) {
            return Ok(());
        }
        Err(error.clone().context(format!("how it stands is not known: the API server has not answered for {silent} s")))
    }

    /// Jobs that the change made are under way; helm's hooks are helm's to wait for.
    fn has_jobs(&self, view: &View) -> bool {
        view.jobs.iter().any(|job| !job.is_hook && job.state != "done" && self.is_new(job.id.as_ref()))
    }
}

fn key_of(trouble: &Trouble) -> (String, Class) {
    (format!("{}/{}", trouble.kind, trouble.name), trouble.class)
}

fn news(view: &View) -> impl Iterator<Item = Event> {
    let workloads = view.workloads.iter().cloned().map(Event::Workload);
    let jobs = view.jobs.iter().cloned().map(Event::Job);
    workloads.chain(jobs).chain(view.troubles.iter().cloned().map(Event::Trouble))
}

fn about(event: &Event) -> (&'static str, String) {
    match event {
        Event::Workload(workload) => ("workload", workload.name.clone()),
        Event::Job(job) => ("job", job.name.clone()),
        Event::Trouble(trouble) => ("trouble", format!("{}/{}", trouble.kind, trouble.name)),
        Event::Blind(_) | Event::Sees => ("server", String::new()),
    }
}

/// What makes an event news.
fn state(event: &Event) -> String {
    match event {
        Event::Workload(workload) => {
            // As many may be ready before the rollout is over: old pods are still there, or the controller has not seen the change.
            let words = if workload.is_done { "done" } else { workload.doing.unwrap_or_default() };
            format!("{}/{} {}", workload.ready, workload.wanted, workload.note.unwrap_or(words))
        }
        // That it begins to log is news for who reads that.
        Event::Job(job) => job.log.as_ref().map_or_else(|| job.state.to_owned(), |at| format!("{} {}", job.state, at.pod)),
        Event::Trouble(trouble) => match trouble.class {
            Class::Pull => "an image that does not come".to_owned(), // ErrImagePull and ImagePullBackOff take turns
            _ => trouble.reason.clone(),
        },
        Event::Blind(why) => why.clone(),
        Event::Sees => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::trouble::LogAt;
    use std::cell::{Cell, RefCell};

    /// Time passes when somebody sleeps.
    struct Still {
        start: Instant,
        passed: Cell<Duration>,
    }

    impl Still {
        fn new() -> Self {
            Self { start: Instant::now(), passed: Cell::new(Duration::ZERO) }
        }
    }

    impl Clock for Still {
        fn now(&self) -> Instant {
            self.start + self.passed.get()
        }

        fn sleep(&self, duration: Duration) -> Result<()> {
            self.passed.set(self.passed.get() + duration);
            Ok(())
        }
    }

    /// What is seen at which look; the last stays.
    struct Script(RefCell<Vec<Result<View>>>);

    impl Script {
        fn new(looks: Vec<Result<View>>) -> Self {
            Self(RefCell::new(looks))
        }
    }

    impl Looks for Script {
        fn look(&self) -> Result<View> {
            let mut looks = self.0.borrow_mut();
            if looks.len() > 1 { looks.remove(0) } else { looks[0].clone() }
        }

        fn end_of_log(&self, at: &LogAt) -> Option<String> {
            Some(format!("log of {}", at.container))
        }
    }

    fn view(ready: u64, troubles: &[Trouble]) -> View {
        let workload = Progress { name: "deployment/a".into(), ready, wanted: 2, new: 2, is_done: ready == 2, note: None, doing: None };
        View { workloads: vec![workload], jobs: vec![job("running")], troubles: troubles.to_vec(), ..View::default() }
    }

    fn job(state: &'static str) -> JobStanding {
        JobStanding { name: "j".into(), state, is_hook: false, id: Some("job/j@1".into()), log: None }
    }

    fn trouble(reason: &str, seconds: u64) -> Trouble {
        Trouble {
            kind: "pod",
            name: "p".into(),
            class: Class::Pull,
            reason: reason.into(),
            message: String::new(),
            grace: Some(Duration::from_secs(seconds)),
            log: Some(LogAt { pod: "p".into(), container: "web".into(), is_previous: false }),
            template: Some("deployment/a@2".into()),
        }
    }

    /// The end, what was told, and how many seconds it took.
    fn follow(looks: Vec<Result<View>>, timeout: u64) -> (Result<End>, Vec<String>, u64) {
        let (clock, told) = (Still::new(), RefCell::new(vec![]));
        let sink = |event: &Event| told.borrow_mut().push(format!("{} {}", about(event).1, state(event)));
        let end = Follower::new(Script::new(looks), &clock, sink).until_the_end(Duration::from_secs(timeout));
        (end, told.take(), clock.passed.get().as_secs())
    }

    #[test]
    fn what_changes_is_told_once() {
        let (end, told, _) = follow(vec![Ok(view(0, &[])), Ok(view(0, &[])), Ok(view(1, &[])), Ok(view(2, &[]))], 60);
        assert!(matches!(end, Ok(End::Ready(_))), "{end:?}");
        assert_eq!(told, ["deployment/a 0/2 ", "j running", "deployment/a 1/2 ", "deployment/a 2/2 done"]);
    }

    #[test]
    fn what_still_waits_is_told_again() {
        let (_, told, _) = follow(vec![Ok(view(1, &[]))], 50);
        assert_eq!(told, ["deployment/a 1/2 ", "j running", "deployment/a 1/2 ", "deployment/a 1/2 "]);
        let doing = |doing| {
            let mut view = view(1, &[]);
            view.workloads[0].doing = doing;
            Ok(view)
        };
        let (_, told, _) = follow(vec![doing(Some("no node yet")), doing(Some("started")), Ok(view(2, &[]))], 50);
        assert_eq!(told, ["deployment/a 1/2 no node yet", "j running", "deployment/a 1/2 started", "deployment/a 2/2 done"]);
    }

    #[test]
    fn what_was_there_before_is_no_news() {
        let (clock, told) = (Still::new(), RefCell::new(vec![]));
        let looks = Script::new(vec![Ok(view(1, &[trouble("ErrImagePull", 15)])), Ok(view(1, &[trouble("ErrImagePull", 15)]))]);
        let mut follower = Follower::new(looks, &clock, |event: &Event| told.borrow_mut().push(about(event).1));
        follower.start_from_now().expect("a look");
        follower.step().expect("a look");
        drop(follower);
        assert_eq!(told.take(), ["pod/p"]);
    }

    #[test]
    fn a_note_is_told_of_each_change() {
        let (clock, told) = (Still::new(), RefCell::new(vec![]));
        let paused = || {
            let mut view = view(2, &[]);
            view.workloads[0].note = Some("paused");
            Ok(view)
        };
        let mut follower = Follower::new(Script::new(vec![paused()]), &clock, |event: &Event| told.borrow_mut().push(about(event).1));
        follower.start_from_now().expect("a look");
        follower.step().expect("a look");
        follower.step().expect("a look");
        drop(follower);
        assert_eq!(told.take(), ["deployment/a"]);
    }

    #[test]
    fn a_trouble_has_its_grace() {
        let (end, told, seconds) = follow(vec![Ok(view(0, &[])), Ok(view(0, &[trouble("ErrImagePull", 15)]))], 60);
        assert!(matches!(&end, Ok(End::Stuck { trouble, log: Some(log), .. }) if trouble.name == "p" && log == "log of web"), "{end:?}");
        assert!((15..18).contains(&seconds), "{seconds} s");
        assert_eq!(told.last().map(String::as_str), Some("pod/p an image that does not come"));
        // It passes, and comes back: the time is counted anew.
        let mut looks: Vec<Result<View>> = (0..15).map(|_| Ok(view(0, &[trouble("ErrImagePull", 15)]))).collect();
        looks.push(Ok(view(0, &[])));
        looks.extend((0..15).map(|_| Ok(view(1, &[trouble("ErrImagePull", 15)]))));
        looks.push(Ok(view(2, &[])));
        assert!(matches!(follow(looks, 60).0, Ok(End::Ready(_))));
        assert!(matches!(follow(vec![Ok(view(2, &[trouble("ErrImagePull", 0)]))], 60).0, Ok(End::Ready(_))), "what is ready is ready");
    }

    #[test]
    fn a_budget_is_counted_from_the_first_crash_through_the_runs_between() {
        let crash =
            |grace: Option<u64>| Trouble { class: Class::Crash, grace: grace.map(Duration::from_secs), ..trouble("CrashLoopBackOff", 0) };
        // It waits for 7 s and runs for 7 s, again and again.
        let looks = |grace: Option<u64>| -> Vec<Result<View>> {
            let waits = std::iter::repeat_n(Ok(view(0, &[crash(grace)])), 10);
            let runs = std::iter::repeat_n(Ok(view(0, &[])), 10);
            waits.chain(runs).cycle().take(200).collect()
        };
        let end = |budget: Option<u64>, looks: Vec<Result<View>>| {
            let clock = Still::new();
            let mut follower = Follower::new(Script::new(looks), &clock, |_| {}).bearing(budget.map(Duration::from_secs));
            (follower.until_the_end(Duration::from_secs(120)).expect("an end"), clock.passed.get().as_secs())
        };
        let (stuck, seconds) = end(Some(30), looks(None));
        assert!(matches!(stuck, End::Stuck { .. }) && (30..33).contains(&seconds), "{stuck:?} after {seconds} s");
        let (stuck, seconds) = end(Some(50), looks(Some(0)));
        assert!(
            matches!(stuck, End::Stuck { .. }) && (55..58).contains(&seconds),
            "the run at 50 s may be the good one: {stuck:?}, {seconds} s"
        );
        assert!(matches!(end(None, looks(Some(0))), (End::Stuck { .. }, 0)), "after too many restarts it lasts");
        assert!(matches!(end(None, looks(None)).0, End::Late { .. }), "first crashes are borne");
        // What comes right in time is right.
        let recovers = || looks(None).into_iter().take(30).chain([Ok(view(2, &[]))]).collect();
        assert!(matches!(end(Some(30), recovers()).0, End::Ready(_)));
    }

    #[test]
    fn time_runs_out() {
        let (end, _, seconds) = follow(vec![Ok(view(1, &[]))], 10);
        assert!(matches!(&end, Ok(End::Late { waiting, .. }) if waiting.len() == 1 && waiting[0].ready == 1), "{end:?}");
        assert!((10..12).contains(&seconds), "{seconds} s");
    }

    #[test]
    fn a_server_may_be_silent_as_long_as_there_is_time() {
        let fails = |times: usize| (0..times).map(|_| Err(Error::failed("no answer"))).collect::<Vec<_>>();
        // For 56 s; it is told once, and once that it answers again.
        let (end, told, seconds) = follow([vec![Ok(view(1, &[]))], fails(80), vec![Ok(view(2, &[]))]].concat(), 100);
        assert!(matches!(end, Ok(End::Ready(_))) && (55..60).contains(&seconds), "{end:?}, {seconds} s");
        assert_eq!(told[2..], [" no answer", " ", "deployment/a 2/2 done"].map(str::to_owned), "{told:?}");
        // Until time is up.
        let (end, _, seconds) = follow([vec![Ok(view(1, &[]))], fails(1)].concat(), 100);
        assert!((100..102).contains(&seconds), "{seconds} s");
        assert!(end.is_err_and(|error| error.to_string().contains("has not answered for 99 s: no answer")));
        // Who never answered may be the wrong one.
        let (end, _, seconds) = follow(fails(1), 60);
        assert!(end.is_err() && (30..32).contains(&seconds), "{seconds} s");
        let (end, _, seconds) = follow(fails(1), 5);
        assert!(end.is_err() && (5..7).contains(&seconds), "{seconds} s");
        let (end, _, seconds) = follow(vec![Err(Error::interrupted())], 60);
        assert!(end.is_err() && seconds == 0);
    }

    #[test]
    fn an_answer_is_final() {
        let says = |words: &str| {
            let tool = crate::error::ToolFailure { program: "kubectl".into(), code: 1, stderr: words.into() };
            Err(Error::failed("`kubectl get` failed").caused_by(tool))
        };
        for (words, is_final) in [
            ("error: You must be logged in to the server (Unauthorized)", true),
            ("Error from server (Forbidden): pods is forbidden: User \"x\" cannot list resource", true),
            ("Unable to connect to the server: x509: certificate signed by unknown authority", true),
            ("error: context \"x\" does not exist", true),
            ("Error from server: etcdserver: leader changed", false),
            ("Unable to connect to the server: net/http: TLS handshake timeout", false),
            ("Error from server (TooManyRequests): too many requests", false),
            ("The connection to the server 10.0.0.1:6443 was refused - did you specify the right host or port?", false),
            ("Unable to connect to the server: dial tcp: lookup k8s on 10.0.0.2:53: no such host", false),
        ] {
            let (end, _, seconds) = follow(vec![Ok(view(1, &[])), says(words), Ok(view(2, &[]))], 60);
            assert_eq!((end.is_err(), seconds), (is_final, u64::from(!is_final)), "{words}");
        }
        let missing = Error::failed("kubectl is not installed").caused_by(crate::error::NotStarted { program: "kubectl".into() });
        assert!(follow(vec![Err(missing)], 60).0.is_err_and(|error| error.to_string().contains("not installed")));
    }

    #[test]
    fn words_that_change_do_not_begin_the_grace_anew() {
        let real = Trouble { message: "rpc error: nothing:here: not found".into(), ..trouble("ErrImagePull", 15) };
        let back_off = Trouble { message: "Back-off pulling image".into(), ..trouble("ImagePullBackOff", 15) };
        let mut looks = vec![];
        for _ in 0..20 {
            looks.extend([Ok(view(0, std::slice::from_ref(&real))), Ok(view(0, std::slice::from_ref(&back_off)))]);
        }
        looks.push(Ok(view(0, std::slice::from_ref(&back_off))));
        let (end, told, seconds) = follow(looks, 60);
        assert!((15..18).contains(&seconds), "{seconds} s");
        assert_eq!(told.iter().filter(|line| line.starts_with("pod/p")).count(), 1, "{told:?}");
        assert!(matches!(&end, Ok(End::Stuck { trouble, .. }) if trouble.message.contains("not found")), "{end:?}");
    }

    /// What a follower of a change finds: the trouble that ends the change, and how following ends after it.
    fn change(before: Result<View>, after: &View) -> (Option<Trouble>, End) {
        let clock = Still::new();
        let mut follower = Follower::new(Script::new(vec![before, Ok(after.clone())]), &clock, |_| {});
        follower.start_from_now().expect("a look");
        let stops = (0..30).find_map(|_| {
            clock.sleep(PAUSE).expect("time passes");
            follower.step_of_change().expect("a look")
        });
        (stops, follower.until_the_end(Duration::from_secs(60)).expect("an end"))
    }

    #[test]
    fn a_change_is_ended_by_what_it_made_itself() {
        let known = |ids: &[&str], view: View| View { templates: ids.iter().map(|id| (*id).to_owned()).collect(), ..view };
        let bad = || View { jobs: vec![], ..view(0, &[trouble("ErrImagePull", 15)]) };
        let (stops, end) = change(Ok(known(&["deployment/a@1"], view(2, &[]))), &bad());
        assert!(stops.is_some() && matches!(end, End::Stuck { .. }));
        // The pods that the deploy is to mend were in trouble before it.
        let (stops, end) = change(Ok(known(&["deployment/a@2"], bad())), &bad());
        assert!(stops.is_none() && matches!(end, End::Stuck { .. }), "they still are, once it is made");
        let (stops, _) = change(Err(Error::failed("no answer")), &bad());
        assert!(stops.is_none(), "nobody knows what was there before");
    }

    #[test]
    fn jobs_of_the_change_belong_to_it() {
        let with = |job: JobStanding, troubles: &[Trouble]| View { jobs: vec![job], ..view(2, troubles) };
        let failed = Trouble {
            kind: "job",
            name: "j".into(),
            class: Class::Job,
            template: Some("job/j@1".into()),
            ..trouble("BackoffLimitExceeded", 0)
        };
        let none = || Ok(View::default());
        let (stops, end) = change(none(), &with(job("failed"), std::slice::from_ref(&failed)));
        assert!(stops.is_none(), "helm tells of its hooks, and waits for no other");
        assert!(matches!(&end, End::Stuck { trouble, log: Some(_), .. } if trouble.kind == "job"), "{end:?}");
        let clock = Still::new();
        let mut follower = Follower::new(Script::new(vec![none(), Ok(with(job("running"), &[]))]), &clock, |_| {});
        follower.start_from_now().expect("a look");
        assert!(matches!(follower.until_the_end(Duration::from_secs(20)), Ok(End::Ready(_))), "one that runs on is no failure");
        assert!((20..22).contains(&clock.passed.get().as_secs()), "but it is waited for");
        // One of a deploy before is nobody's business, nor is any where no change is followed.
        let before = View { templates: ["job/j@1".to_owned()].into(), ..View::default() };
        assert!(matches!(change(Ok(before), &with(job("failed"), std::slice::from_ref(&failed))).1, End::Ready(_)));
        let (end, _, seconds) = follow(vec![Ok(with(job("failed"), &[failed]))], 60);
        assert!(matches!(end, Ok(End::Ready(_))) && seconds == 0);
    }

    #[test]
    fn what_a_controller_gave_up_on_before_is_not_given_up_now() {
        let late = Trouble { kind: "deployment", class: Class::Deadline, ..trouble("ProgressDeadlineExceeded", 0) };
        let (end, _, _) =
            follow(vec![Ok(view(0, std::slice::from_ref(&late))), Ok(view(1, std::slice::from_ref(&late))), Ok(view(2, &[]))], 60);
        assert!(matches!(end, Ok(End::Ready(_))), "{end:?}");
        let looks = vec![Ok(view(0, std::slice::from_ref(&late))), Ok(view(0, &[])), Ok(view(0, std::slice::from_ref(&late)))];
        assert!(matches!(follow(looks, 60).0, Ok(End::Stuck { .. })));
    }
}
