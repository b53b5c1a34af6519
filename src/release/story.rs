//! What a deploy went through, for those who read it later: its phases, what was seen and when, the end of logs. Without secrets, as all that is printed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::follow::Event;
use crate::ui::{Ui, printable};

/// So many sights are kept: the first and the last ones. A rollout of hours repeats itself.
const SIGHTS: usize = 400;

/// A part of a deploy that took its time.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Phase {
    /// `checks`, `preparation`, `image`, `upgrade`, `rollout`, `tests`, `message`
    pub name: String,
    /// When it began, in seconds after `started`.
    pub at: f64,
    /// How long it took.
    pub seconds: f64,
}

/// Something that was seen in the cluster.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct Sight {
    /// When, in seconds after `started`.
    pub at: f64,
    /// `workload`, `job`, `trouble`, or `server`: the API server did not answer, or does again
    pub kind: String,
    /// `deployment/dummy-web`; empty for the server.
    pub object: String,
    /// The line that people were told.
    pub text: String,
    /// Of a workload: new pods that are ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<u64>,
    /// Of a workload: pods that are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<u64>,
}

/// The end of a log that tells why something failed.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub(crate) struct LogEnd {
    /// `pod/dummy-web-5c...`
    pub object: String,
    /// Its last lines.
    pub text: String,
}

/// What is known of a release before and after.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The release.
    pub release: Option<String>,
    /// Where it is.
    pub namespace: Option<String>,
    /// The tag of its image.
    pub tag: Option<String>,
    /// The whole image, where it was given as one.
    pub image: Option<String>,
    /// The tag before.
    pub previous_tag: Option<String>,
    /// helm's number of it, once it is in the cluster.
    pub revision: Option<u32>,
}

/// The parts of a story.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// In the order in which they began.
    pub phases: Vec<Phase>,
    /// In the order of time.
    pub timeline: Vec<Sight>,
    /// In the order of time.
    pub logs: Vec<LogEnd>,
    /// What is known by now.
    pub facts: Facts,
}

/// A story that goes on.
#[derive(Debug)]
pub(crate) struct Story<'s> {
    ui: &'s Ui,
    begun: Instant,
    /// When it began: 2026-11-26T17:00:00Z.
    pub started: String,
    told: Mutex<Told>,
}

/// A phase that goes on; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    story: &'a Story<'a>,
    index: usize,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let now = self.story.seconds();
        let mut told = self.story.told();
        let phase = &mut told.phases[self.index];
        phase.seconds = round(now - phase.at);
    }
}

impl<'s> Story<'s> {
    /// It begins now.
    pub(crate) fn begin(ui: &'s Ui) -> Self {
        Self { ui, begun: Instant::now(), started: Timestamp::now().strftime("%FT%TZ").to_string(), told: Mutex::default() }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long it goes on.
    pub(crate) fn seconds(&self) -> f64 {
        round(self.begun.elapsed().as_secs_f64())
    }

    /// A phase begins.
    pub(crate) fn phase(&'s self, name: &str) -> Running<'s> {
        let at = self.seconds();
        let mut told = self.told();
        told.phases.push(Phase { name: name.to_owned(), at, seconds: 0.0 });
        Running { story: self, index: told.phases.len() - 1 }
    }

    /// Something was seen, and told in these words.
    pub(crate) fn saw(&self, event: &Event, line: &str) {
        let (kind, object, pods) = match event {
            Event::Workload(it) => ("workload", it.name.clone(), Some((it.ready, it.wanted))),
            Event::Job(it) => ("job", format!("job/{}", it.name), None),
            Event::Trouble(it) => ("trouble", format!("{}/{}", it.kind, it.name), None),
            Event::Blind(_) | Event::Sees => ("server", String::new(), None),
        };
        let (ready, wanted) = pods.unzip();
        let sight = Sight { at: self.seconds(), kind: kind.to_owned(), object, text: self.clean(line), ready, wanted };
        let timeline = &mut self.told().timeline;
        if timeline.len() == SIGHTS {
            timeline.remove(SIGHTS / 2);
        }
        timeline.push(sight);
    }

    /// The end of a log was shown.
    pub(crate) fn log(&self, object: String, text: &str) {
        let text = self.clean(text);
        self.told().logs.push(LogEnd { object, text });
    }

    /// More is known.
    pub(crate) fn knows(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.told().facts);
    }

    /// All of it so far.
    pub(crate) fn so_far(&self) -> Told {
        self.told().clone()
    }

    /// Text of whatever origin, as it is printed.
    pub(crate) fn clean(&self, text: &str) -> String {
        printable(&self.ui.redact(text))
    }
}

/// To milliseconds.
fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_story_has_no_secrets_and_an_end() {
        let ui = Ui::default();
        ui.hide("hunter2");
        let story = Story::begin(&ui);
        drop(story.phase("checks"));
        story.saw(&Event::Blind("no".into()), "cannot see hunter2\u{1b}[2J");
        for _ in 0..SIGHTS + 5 {
            story.saw(&Event::Sees, "again");
        }
        story.log("pod/a".into(), "pass: hunter2");
        story.knows(|facts| facts.revision = Some(2));
        let told = story.so_far();
        assert_eq!((told.phases[0].name.as_str(), told.facts.revision), ("checks", Some(2)));
        assert_eq!(told.timeline[0].text, "cannot see ***\\u{1b}[2J");
        assert_eq!((told.timeline.len(), told.logs[0].text.as_str()), (SIGHTS, "pass: ***"));
    }
}
