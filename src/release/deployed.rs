//! What a deploy tells those who come after it: `lain deploy -o json` writes it, `lain-notify deploy` and the report read it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::links;
use super::story::{LogEnd, Phase, Sight, Story, Told};
use crate::error::{Error, Kind};
use crate::model::dotenv;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// How a deploy ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The cluster has it; where the rollout was followed, everything is ready.
    #[default]
    Deployed,
    /// It was tried and failed.
    Failed,
    /// A check said no before anything was changed.
    Refused,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

/// What a deploy came to.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeployAnswer {
    /// Shape of this result: 1. What is added later does not change it.
    pub version: u32,
    /// How it ended.
    #[serde(default)]
    pub outcome: Outcome,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do next, where it did not end well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// The release.
    pub release: String,
    /// The namespace it is in.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The cluster it went to.
    #[serde(default)]
    pub cluster: Option<String>,
    /// The tag of its image; empty where it was not known yet.
    pub image_tag: String,
    /// The whole image, where it was given as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The tag that ran before.
    #[serde(default)]
    pub previous_image_tag: Option<String>,
    /// helm's number of it.
    #[serde(default)]
    pub revision: Option<u32>,
    /// Where it can be reached.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Who deployed it.
    #[serde(default)]
    pub executor: String,
    /// When it began: 2026-11-26T17:00:00Z.
    #[serde(default)]
    pub started: Option<String>,
    /// How long it took.
    #[serde(default)]
    pub seconds: f64,
    /// Its parts.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// What was seen in the cluster meanwhile.
    #[serde(default)]
    pub timeline: Vec<Sight>,
    /// The ends of logs that tell why something failed.
    #[serde(default)]
    pub logs: Vec<LogEnd>,
}

impl DeployAnswer {
    /// What a deploy came to; none where it did not even get to know of which release.
    pub(crate) fn of(session: &Session, story: &Story<'_>, error: Option<&Error>) -> Option<Self> {
        let outcome = match error.map(Error::kind) {
            None => Outcome::Deployed,
            Some(Kind::Interrupted) => Outcome::Interrupted,
            Some(Kind::Refused) => Outcome::Refused,
            Some(_) => Outcome::Failed,
        };
        let Told { phases, timeline, logs, facts } = story.so_far();
        let urls = || Some(links::urls(session.app().ok()?, session.cluster().ok()?));
        Some(Self {
            version: 1,
            outcome,
            reason: error.map(|error| story.clean(&error.to_string())),
            next: error.map(Error::hints).unwrap_or_default().iter().map(|hint| story.clean(&session.ui.aimed(hint))).collect(),
            release: facts.release?,
            namespace: facts.namespace,
            cluster: session.cluster_name(),
            image_tag: facts.tag.unwrap_or_default(),
            image: facts.image,
            previous_image_tag: facts.previous_tag,
            revision: facts.revision,
            urls: urls().unwrap_or_default(),
            executor: session.env.executor(),
            started: Some(story.started.clone()),
            seconds: story.seconds(),
            phases,
            timeline,
            logs,
        })
    }
}

impl Answer for DeployAnswer {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Dotenv];

    /// People are told as it goes, on stderr.
    fn text(&self) -> String {
        String::new()
    }

    fn dotenv(&self) -> Option<String> {
        let url = self.urls.first().map_or("", String::as_str);
        Some(dotenv::lines([("LAIN_RELEASE", self.release.as_str()), ("LAIN_IMAGE_TAG", &self.image_tag), ("LAIN_URL", url)]))
    }
}
