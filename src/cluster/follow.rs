//! Following a rollout: tells what changes, and how it ends. It prints nothing, and its clock is given.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::judge::{Progress, Trouble, View};
use super::look::Looks;
use crate::error::{Kind, Result};
use crate::interrupt;

/// How long the API server may fail while a rollout is followed.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(700);

/// The time, and how it passes.
pub(crate) trait Clock {
    /// What time it is.
    fn now(&self) -> Instant;

    /// Lets time pass.
    ///
    /// # Errors
    /// Ctrl-C.
    fn sleep(&self, duration: Duration) -> Result<()>;
}

/// The clock on the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall;

impl Clock for Wall {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, duration: Duration) -> Result<()> {
        interrupt::sleep(duration)
    }
}

/// What a follower sees that was not so before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A workload has more or fewer ready pods, or is to have.
    Workload(Progress),
    /// A Job stands otherwise.
    Job {
        /// Its name.
        name: String,
        /// `done`, `failed`, `running`
        state: &'static str,
    },
    /// A pod is in trouble, which may pass.
    Trouble(Trouble),
}

/// How following ends.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// Everything that there is, is ready.
    Ready(View),
    /// A pod cannot become ready.
    Stuck {
        /// Why.
        trouble: Trouble,
        /// The end of its log, if it has one.
        log: Option<String>,
    },
    /// It takes too long; these are not ready.
    Late(Vec<Progress>),
}

/// Follows a rollout, look by look.
pub(crate) struct Follower<'a> {
    looks: Box<dyn Looks + 'a>,
    clock: &'a dyn Clock,
    sink: Box<dyn FnMut(&Event) + 'a>,
    /// What was last told of each object, by kind and name.
    told: BTreeMap<(&'static str, String), String>,
    /// Since when each pod is in each trouble.
    since: BTreeMap<(String, String), Instant>,
}

impl<'a> Follower<'a> {
    /// Follows what `looks` sees; `sink` is told what changes.
    pub(crate) fn new(looks: impl Looks + 'a, clock: &'a dyn Clock, sink: impl FnMut(&Event) + 'a) -> Self {
        Self { looks: Box::new(looks), clock, sink: Box::new(sink), told: BTreeMap::new(), since: BTreeMap::new() }
    }

    /// Takes what is there now as known: only what changes from here on is told. Troubles are told in any case.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn start_from_now(&mut self) -> Result<()> {
        let view = self.looks.look()?;
        let news = news(&view).filter(|event| !matches!(event, Event::Trouble(_)));
        self.told.extend(news.map(|event| (about(&event), state(&event))));
        Ok(())
    }

    /// Looks once, tells what is new. Returns the view and the trouble that outlasted its grace, if any.
    ///
    /// # Errors
    /// The server does not answer.
    pub(crate) fn step(&mut self) -> Result<(View, Option<Trouble>)> {
        let view = self.looks.look()?;
        for event in news(&view) {
            let state = state(&event);
            if self.told.insert(about(&event), state.clone()).is_none_or(|before| before != state) {
                (self.sink)(&event);
            }
        }
        self.since.retain(|(pod, reason), _| view.troubles.iter().any(|trouble| trouble.pod == *pod && trouble.reason == *reason));
        let now = self.clock.now();
        let mut lasting = None;
        for trouble in &view.troubles {
            let first = self.since.entry((trouble.pod.clone(), trouble.reason.clone())).or_insert(now);
            if now.duration_since(*first) >= trouble.grace {
                lasting = Some(trouble.clone());
            }
        }
        Ok((view, lasting))
    }

    /// Follows until everything is ready, something cannot become ready, or time is up.
    ///
    /// # Errors
    /// Ctrl-C, or the server does not answer for longer than it may: what was deployed goes on without lain.
    pub(crate) fn until_the_end(&mut self, timeout: Duration) -> Result<End> {
        let started = self.clock.now();
        let mut silent = None;
        loop {
            let now = self.clock.now();
            match self.step() {
                Ok((view, _)) if view.is_done() => return Ok(End::Ready(view)),
                Ok((_, Some(trouble))) => return Ok(End::Stuck { log: self.looks.end_of_log(&trouble), trouble }),
                Ok((view, None)) => {
                    silent = None;
                    if self.clock.now().duration_since(started) > timeout {
                        return Ok(End::Late(view.workloads.into_iter().filter(|workload| !workload.is_done).collect()));
                    }
                }
                Err(error) => {
                    let since = *silent.get_or_insert(now);
                    if error.kind() != Kind::Failed || self.clock.now().duration_since(since) >= SILENCE.min(timeout) {
                        return Err(error);
                    }
                }
            }
            self.clock.sleep(PAUSE)?;
        }
    }
}

fn news(view: &View) -> impl Iterator<Item = Event> {
    let workloads = view.workloads.iter().cloned().map(Event::Workload);
    let jobs = view.jobs.iter().map(|(name, state)| Event::Job { name: name.clone(), state });
    workloads.chain(jobs).chain(view.troubles.iter().cloned().map(Event::Trouble))
}

fn about(event: &Event) -> (&'static str, String) {
    match event {
        Event::Workload(workload) => ("workload", workload.name.clone()),
        Event::Job { name, .. } => ("job", name.clone()),
        Event::Trouble(trouble) => ("pod", trouble.pod.clone()),
    }
}

/// What makes an event news.
fn state(event: &Event) -> String {
    match event {
        Event::Workload(workload) => format!("{}/{}", workload.ready, workload.wanted),
        Event::Job { state, .. } => (*state).to_owned(),
        Event::Trouble(trouble) => trouble.reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
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

        fn end_of_log(&self, trouble: &Trouble) -> Option<String> {
            trouble.container.as_ref().map(|container| format!("log of {container}"))
        }
    }

    fn view(ready: u64, troubles: &[Trouble]) -> View {
        let workload = Progress { name: "deployment/a".into(), ready, wanted: 2, new: 2, is_done: ready == 2 };
        View { workloads: vec![workload], jobs: vec![("j".into(), "running")], troubles: troubles.to_vec() }
    }

    fn trouble(reason: &str, seconds: u64) -> Trouble {
        Trouble {
            pod: "p".into(),
            container: Some("web".into()),
            reason: reason.into(),
            message: String::new(),
            grace: Duration::from_secs(seconds),
            is_crash: false,
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
        assert_eq!(told, ["deployment/a 0/2", "j running", "deployment/a 1/2", "deployment/a 2/2"]);
    }

    #[test]
    fn what_was_there_before_is_no_news() {
        let (clock, told) = (Still::new(), RefCell::new(vec![]));
        let looks = Script::new(vec![Ok(view(1, &[trouble("ErrImagePull", 15)])), Ok(view(1, &[trouble("ErrImagePull", 15)]))]);
        let mut follower = Follower::new(looks, &clock, |event: &Event| told.borrow_mut().push(about(event).1));
        follower.start_from_now().expect("a look");
        follower.step().expect("a look");
        drop(follower);
        assert_eq!(told.take(), ["p"]);
    }

    #[test]
    fn a_trouble_has_its_grace() {
        let (end, told, seconds) = follow(vec![Ok(view(0, &[])), Ok(view(0, &[trouble("ErrImagePull", 15)]))], 60);
        assert!(matches!(&end, Ok(End::Stuck { trouble, log: Some(log) }) if trouble.pod == "p" && log == "log of web"), "{end:?}");
        assert!((15..18).contains(&seconds), "{seconds} s");
        assert_eq!(told.last().map(String::as_str), Some("p ErrImagePull"));
        // It passes, and comes back: the time is counted anew.
        let mut looks: Vec<Result<View>> = (0..15).map(|_| Ok(view(0, &[trouble("ErrImagePull", 15)]))).collect();
        looks.push(Ok(view(0, &[])));
        looks.extend((0..15).map(|_| Ok(view(1, &[trouble("ErrImagePull", 15)]))));
        looks.push(Ok(view(2, &[])));
        assert!(matches!(follow(looks, 60).0, Ok(End::Ready(_))));
        assert!(matches!(follow(vec![Ok(view(2, &[trouble("ErrImagePull", 0)]))], 60).0, Ok(End::Ready(_))), "what is ready is ready");
    }

    #[test]
    fn time_runs_out() {
        let (end, _, seconds) = follow(vec![Ok(view(1, &[]))], 10);
        assert!(matches!(&end, Ok(End::Late(waiting)) if waiting.len() == 1 && waiting[0].ready == 1), "{end:?}");
        assert!((10..12).contains(&seconds), "{seconds} s");
    }

    #[test]
    fn a_server_may_be_silent_for_a_while() {
        let fails = |times: usize| (0..times).map(|_| Err(Error::failed("no answer"))).collect::<Vec<_>>();
        let (end, _, _) = follow([fails(20), vec![Ok(view(1, &[]))], fails(20), vec![Ok(view(2, &[]))]].concat(), 60);
        assert!(matches!(end, Ok(End::Ready(_))), "{end:?}");
        let (end, _, seconds) = follow(fails(1), 60);
        assert!(end.is_err() && (30..32).contains(&seconds), "{seconds} s");
        let (end, _, seconds) = follow(fails(1), 5);
        assert!(end.is_err() && (5..7).contains(&seconds), "{seconds} s");
        let (end, _, seconds) = follow(vec![Err(Error::interrupted())], 60);
        assert!(end.is_err() && seconds == 0);
    }
}
