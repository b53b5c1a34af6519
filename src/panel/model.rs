//! What the panel knows. It is changed by what is told and typed, and by nothing else.

use std::cell::Cell;
use std::collections::VecDeque;

use jiff::Timestamp;

use super::sheet::wrap_exactly;
use crate::cluster::judge::View;
use crate::cluster::standing::{Inside, Standing};
use crate::cluster::trouble::LogAt;
use crate::cluster::usage::Now;
use crate::release::links::Address;
use crate::release::status::{Subject, UrlAnswer};

/// So many lines of a log are kept.
pub(super) const KEPT: usize = 20_000;
/// How long something that was done is told, in seconds.
const SAID: i64 = 10;

/// What is told.
#[derive(Clone, Debug)]
pub(super) enum Msg {
    /// How the release stands.
    Seen(Box<View>),
    /// Why that cannot be seen.
    Unseen(String),
    /// The API server answers.
    Answers,
    /// It did not answer.
    Silent,
    /// What helm has deployed: `revision 12, 1764170405-ab12`.
    Runs(String),
    /// What pods use.
    Used(Now),
    /// Whether the address of this number answers.
    Url(usize, UrlAnswer),
    /// The end of a log, or why it cannot be seen.
    Tail(LogAt, Result<Vec<String>, String>),
    /// All of a page, where it is no log: of the pod that it is about.
    Page(String, Result<Vec<String>, String>),
    /// Something was done, or could not be.
    Said(String),
}

/// What the keys are about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Pods.
    #[default]
    Pods,
    /// What is typed filters them.
    Filter,
    /// Whether this pod is to be restarted.
    Restart(String),
    /// The help.
    Help,
    /// One log or the events of a pod.
    Page,
}

/// What is read on a page of its own.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// The pod.
    pub pod: String,
    /// The container whose log it is; none for events.
    pub container: Option<String>,
    /// The lines, oldest first.
    pub lines: VecDeque<String>,
    /// Older lines that were not kept.
    pub dropped: usize,
    /// So many rows below the last one that is shown; none while it is followed. Drawing puts right what is too far up.
    pub below: Cell<usize>,
    /// How wide it was drawn.
    pub width: Cell<usize>,
    /// What is to be said of it: that it is on its way, that it ended.
    pub words: String,
}

impl Page {
    /// A page that nothing is known of yet.
    pub(super) fn new(pod: &str, container: Option<&str>) -> Self {
        let words = "asking...".to_owned();
        let (pod, container, lines) = (pod.to_owned(), container.map(str::to_owned), VecDeque::new());
        Self { pod, container, lines, dropped: 0, below: Cell::default(), width: Cell::default(), words }
    }

    /// One more line; the oldest goes where there are too many. Whoever reads further up goes on reading there.
    pub(super) fn push(&mut self, line: String) {
        if self.below.get() > 0 {
            self.below.set(self.below.get() + wrap_exactly(&line, self.width.get()).len());
        }
        self.lines.push_back(line);
        if self.lines.len() > KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
    }
}

/// Everything that is drawn.
#[derive(Clone, Debug)]
pub(super) struct Model {
    /// The release.
    pub release: String,
    /// The cluster and the namespace, as far as they have names.
    pub place: String,
    /// The same where there is little room: `test/team`.
    pub short_place: String,
    /// Which revision of helm's it is, and of which image; empty where that is not known.
    pub runs: String,
    /// What time it is.
    pub now: Timestamp,
    /// How the release stands; none before that is known.
    pub view: Option<View>,
    /// Why it cannot be seen.
    pub unseen: Option<String>,
    /// When the API server answered last, and whether it did when it was asked last.
    pub heard: (Timestamp, bool),
    /// What pods use; none before that is known.
    pub used: Option<Now>,
    /// The addresses; each is empty before it was asked.
    pub urls: Vec<UrlAnswer>,
    /// The end of the log that explains.
    pub tail: Option<(LogAt, Result<Vec<String>, String>)>,
    /// The pod that was selected; the worst is explained where none was.
    pub selected: Option<String>,
    /// What pods' names or states are to hold.
    pub filter: String,
    /// What the keys are about.
    pub mode: Mode,
    /// What is read.
    pub page: Option<Page>,
    /// What to type next about what is explained.
    pub next: Option<String>,
    /// So many lines up in the log that explains. Drawing puts right what is too far.
    pub above: Cell<usize>,
    /// The first line of the help that is shown; as this.
    pub help_from: Cell<usize>,
    /// What was done last, and when.
    pub said: Option<(Timestamp, String)>,
}

impl Model {
    /// Nothing is known yet.
    pub(super) fn new(release: &str, cluster: Option<&str>, namespace: Option<&str>) -> Self {
        let named = |what: &str, name: Option<&str>| name.map(|name| format!("{what} {name}"));
        let place: Vec<String> = [named("cluster", cluster), named("namespace", namespace)].into_iter().flatten().collect();
        let now = Timestamp::now();
        Self {
            release: release.to_owned(),
            place: place.join(", "),
            short_place: [cluster, namespace].into_iter().flatten().collect::<Vec<_>>().join("/"),
            runs: String::new(),
            now,
            view: None,
            unseen: None,
            heard: (now, true),
            used: None,
            urls: vec![],
            tail: None,
            selected: None,
            filter: String::new(),
            mode: Mode::Pods,
            page: None,
            next: None,
            above: Cell::default(),
            help_from: Cell::default(),
            said: None,
        }
    }

    /// These addresses will be asked.
    pub(super) fn expect(&mut self, addresses: &[Address]) {
        let asked =
            |it: &Address| UrlAnswer { url: it.url.clone(), state: String::new(), good: false, promised: it.is_promised, is_bad: false };
        self.urls = addresses.iter().map(asked).collect();
    }

    /// Something is told.
    pub(super) fn hear(&mut self, msg: Msg) {
        match msg {
            Msg::Seen(view) => {
                self.unseen = None;
                if let Some(gone) = self.selected.take_if(|name| !view.pods.iter().any(|pod| pod.name == *name)) {
                    self.say(format!("pod {gone} is gone"));
                }
                self.view = Some(*view);
            }
            Msg::Unseen(why) => self.unseen = Some(why),
            Msg::Answers => self.heard = (self.now, true),
            Msg::Silent => self.heard.1 = false,
            Msg::Runs(runs) => self.runs = runs,
            Msg::Used(used) => self.used = Some(used),
            Msg::Url(at, answer) => {
                if let Some(known) = self.urls.get_mut(at) {
                    *known = answer;
                }
            }
            Msg::Tail(at, told) => self.tail = Some((at, told)),
            Msg::Page(pod, told) => {
                if let Some(page) = self.page.as_mut().filter(|page| page.container.is_none() && page.pod == pod) {
                    (page.lines, page.words) = match told {
                        Ok(lines) if lines.is_empty() => (VecDeque::new(), "the server tells nothing of it now".to_owned()),
                        Ok(lines) => (lines.into(), String::new()),
                        Err(why) => (std::mem::take(&mut page.lines), why),
                    };
                }
            }
            Msg::Said(words) => self.say(words),
        }
    }

    /// Something is to be known for a while.
    pub(super) fn say(&mut self, words: String) {
        self.said = Some((self.now, words));
    }

    /// What was said lately.
    pub(super) fn said(&self) -> Option<&str> {
        let (at, words) = self.said.as_ref()?;
        (self.now.as_second() - at.as_second() < SAID).then_some(words)
    }

    /// How many seconds the API server has not answered; none where it does.
    pub(super) fn silent(&self) -> Option<i64> {
        let (at, is_there) = self.heard;
        (!is_there).then(|| (self.now.as_second() - at.as_second()).max(0))
    }

    /// The pods that the filter leaves, bad ones first.
    pub(super) fn pods(&self) -> Vec<&Standing> {
        let wanted = self.filter.to_lowercase();
        let holds = |pod: &&Standing| pod.name.to_lowercase().contains(&wanted) || pod.state.to_lowercase().contains(&wanted);
        self.view.iter().flat_map(|view| &view.pods).filter(holds).collect()
    }

    /// The place of the selected pod among these.
    pub(super) fn place_of(&self, pods: &[&Standing]) -> Option<usize> {
        let name = self.selected.as_ref()?;
        pods.iter().position(|pod| pod.name == *name)
    }

    /// What is explained: the selected pod, else the first that a filter leaves, else the worst.
    pub(super) fn subject(&self) -> Option<Subject> {
        let view = self.view.as_ref()?;
        match &self.selected {
            Some(name) => Subject::of_pod(view, name),
            None if self.filter.is_empty() => Subject::worst(view),
            None => Subject::of_pod(view, &self.pods().first()?.name),
        }
    }

    /// The pod that keys are about: that of what is explained, the first where nothing is.
    ///
    /// # Errors
    /// There is none, in words.
    pub(super) fn pod(&self) -> Result<&Standing, String> {
        let first = || self.pods().first().copied().ok_or_else(|| "there is no pod".to_owned());
        let Some(subject) = self.subject() else { return first() };
        let found = subject.pod().and_then(|name| self.view.as_ref()?.pods.iter().find(|pod| pod.name == name));
        found.ok_or_else(|| format!("there is no pod of {}; j k select another", subject.words.object))
    }

    /// A container, as far as it is known.
    pub(super) fn container(&self, pod: &str, container: &str) -> Option<&Inside> {
        self.view.as_ref()?.pods.iter().find(|it| it.name == pod)?.container(container)
    }
}
