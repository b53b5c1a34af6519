//! The versions of an app: tags in the registry, the commits that they name, the processes that run them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::cluster::look;
use crate::error::Result;
use crate::model::duration::age;
use crate::model::image::ImageReference;
use crate::model::tag::{sha_of_tag, time_of_tag};
use crate::model::text::bounded;
use crate::session::Session;
use crate::ui::Table;

/// Characters of a subject that a line shows; JSON has more.
const SUBJECT: usize = 60;

/// What runs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Running {
    /// The Deployment, `StatefulSet` or `CronJob`.
    pub name: String,
    /// The image of its first container.
    pub image: String,
}

/// One tag, and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Version {
    tag: String,
    /// When its commit was made, as RFC 3339 writes it; none of a tag that names no commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    committed: Option<String>,
    /// The same, in seconds since 1970.
    #[serde(skip)]
    time: Option<i64>,
    /// None where this clone does not have the commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    /// What runs it in the chosen cluster.
    runs: Vec<String>,
}

/// What runs in the chosen cluster.
///
/// # Errors
/// No app, no cluster, or the server does not answer.
pub(crate) fn running(session: &Session) -> Result<Vec<Running>> {
    let app = session.app()?;
    let found = look::images(&session.kubectl()?, &look::selector(&app.appname, app.release()))?;
    Ok(found.into_iter().map(|(name, image)| Running { name, image }).collect())
}

/// What is known of these tags: from git where there is a clone with their commits, and from what runs. Nothing that is missing is a fault here.
pub(crate) fn known(session: &Session, tags: &[String], running: &[Running]) -> Vec<Version> {
    let shas: Vec<&str> = tags.iter().filter_map(|tag| sha_of_tag(tag)).collect();
    let commits = if shas.is_empty() { vec![] } else { session.git().commits(&shas).unwrap_or_default() };
    let commits: BTreeMap<&str, _> = commits.iter().map(|commit| (commit.sha.as_str(), commit)).collect();
    let tag_of = |image: &str| ImageReference::parse(image).ok().and_then(|image| image.tag);
    let running: BTreeSet<(String, &str)> = running.iter().filter_map(|it| Some((tag_of(&it.image)?, it.name.as_str()))).collect();
    let version = |tag: &String| {
        let commit = sha_of_tag(tag).and_then(|sha| commits.get(sha));
        Version {
            tag: tag.clone(),
            committed: time_of_tag(tag).and_then(|time| jiff::Timestamp::from_second(time).ok()).map(|at| at.to_string()),
            time: time_of_tag(tag),
            subject: commit.map(|commit| commit.subject.clone()),
            author: commit.map(|commit| commit.author.clone()),
            runs: running.iter().filter(|(runs, _)| runs == tag).map(|(_, name)| (*name).to_owned()).collect(),
        }
    };
    tags.iter().map(version).collect()
}

/// A line a tag that deploys it when it is pasted; behind it, as a comment, how old it is, whose, what it is about and what runs it.
pub(crate) fn lines(versions: &[Version]) -> String {
    let now = jiff::Timestamp::now().as_second();
    let mut table = Table::<4>::headless();
    for version in versions {
        let old = version.time.map(|at| age(now.saturating_sub(at))).unwrap_or_default();
        let author = version.author.clone().unwrap_or_default();
        let subject = version.subject.as_deref().map(|subject| bounded(subject, SUBJECT).into_owned()).unwrap_or_default();
        let runs = if version.runs.is_empty() { String::new() } else { format!("[runs: {}]", version.runs.join(", ")) };
        let is_known = [&old, &author, &subject, &runs].iter().any(|word| !word.is_empty());
        let comment = if is_known { format!("# {old:>4}") } else { String::new() };
        let about = [subject, runs].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
        table.row([format!("lain deploy --set imageTag={}", version.tag), comment, author, about]);
    }
    table.to_string().trim_end().to_owned()
}
