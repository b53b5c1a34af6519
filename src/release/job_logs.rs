//! What the Jobs of a rollout log: the newest line while they run, their last lines when they are over. Why one failed is told elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::cluster::judge::JobStanding;
use crate::cluster::trouble::LogAt;
use crate::interrupt;
use crate::tools::kubectl::Kubectl;
use crate::ui::{Board, Ui, printable};

/// So many last lines of a log are read.
const END_OF_LOG: u32 = 30;
/// So many last lines of a Job that went well are shown.
const LINES: usize = 5;
/// With `--verbose`.
const MANY: usize = 50;
/// How long the end of a log may be on its way.
const LATE: Duration = Duration::from_secs(2);

/// The Jobs that were seen, and what they logged.
pub(super) struct JobLogs<'a> {
    ui: &'a Ui,
    kubectl: &'a Kubectl<'a>,
    /// What is over when it is seen first was made by what is followed.
    is_change: bool,
    seen: BTreeMap<String, Seen>,
}

/// A Job.
struct Seen {
    state: &'static str,
    /// What is heard of its newest pod.
    heard: Option<(LogAt, Heard)>,
}

/// The end of a log, so far.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<(VecDeque<String>, bool)>>);

impl Heard {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<String>, bool)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line more, or the end.
    fn take(&self, line: Option<&[u8]>) -> Option<String> {
        let mut heard = self.lock();
        let Some(line) = line else {
            heard.1 = true;
            return None;
        };
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        if heard.0.len() == MANY {
            heard.0.pop_front();
        }
        heard.0.push_back(line.clone());
        Some(line)
    }

    fn is_over(&self) -> bool {
        self.lock().1
    }

    fn lines(&self) -> Vec<String> {
        self.lock().0.iter().cloned().collect()
    }
}

impl<'a> JobLogs<'a> {
    pub(super) fn new(ui: &'a Ui, kubectl: &'a Kubectl<'a>, is_change: bool) -> Self {
        Self { ui, kubectl, is_change, seen: BTreeMap::new() }
    }

    /// It stands otherwise than it was told last.
    pub(super) fn is_news(&self, job: &JobStanding) -> bool {
        self.seen.get(&job.name).is_none_or(|seen| seen.state != job.state)
    }

    /// Hears what it logs from its start on; shows the end of that once it is done.
    pub(super) fn hear(&mut self, job: &JobStanding, board: &Board<'_>) {
        let before = self.seen.get(&job.name).map(|seen| seen.state);
        let seen = self.seen.entry(job.name.clone()).or_insert(Seen { state: job.state, heard: None });
        seen.state = job.state;
        if job.id.is_none() {
            return; // one of a Cron Job: it is not what is waited for
        }
        let is_new = |at: &&LogAt| seen.heard.as_ref().is_none_or(|(known, _)| known.pod != at.pod);
        if let Some(at) = job.log.as_ref().filter(is_new).filter(|_| job.state == "running") {
            let (heard, pen) = (Heard::default(), board.pen(&format!("job/{}", job.name)));
            let to = heard.clone();
            let tell = move |line: Option<&[u8]>| {
                if let (Some(line), Some(pen)) = (to.take(line).filter(|line| !line.trim().is_empty()), &pen) {
                    pen.write(&line);
                }
                true
            };
            if self.kubectl.hear_log(&at.pod, &at.container, tell) {
                seen.heard = Some((at.clone(), heard));
            }
        }
        if job.state == "done" && before != Some("done") && (before.is_some() || self.is_change) {
            let lines = self.end_of(job);
            self.show(&job.name, &lines);
        }
    }

    fn end_of(&self, job: &JobStanding) -> Vec<String> {
        if let Some((_, heard)) = self.seen.get(&job.name).and_then(|seen| seen.heard.as_ref()) {
            let begun = Instant::now();
            while !heard.is_over() && begun.elapsed() < LATE && interrupt::sleep(Duration::from_millis(20)).is_ok() {}
            let lines = heard.lines();
            if !lines.is_empty() {
                return lines;
            }
        }
        let Some(at) = &job.log else { return vec![] };
        let log = self.kubectl.end_of_container_log(&at.pod, &at.container, false, END_OF_LOG).ok().flatten().unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn show(&self, name: &str, lines: &[String]) {
        let most = if self.ui.is_verbose() { MANY } else { LINES };
        let last = &lines[lines.len().saturating_sub(most)..];
        if !last.is_empty() {
            self.ui.say(&format!("the end of the log of job {name}:"));
            last.iter().for_each(|line| self.ui.say(&format!("  {}", printable(line))));
        }
    }

    /// The ends of those that are gone, as helm's `hook-delete-policy` may want it, before anybody saw how they ended.
    pub(super) fn show_lost(&self) {
        for (name, seen) in self.seen.iter().filter(|(_, seen)| seen.state == "running") {
            if let Some((_, heard)) = seen.heard.as_ref().filter(|(_, heard)| heard.is_over()) {
                self.show(name, &heard.lines());
            }
        }
    }
}
