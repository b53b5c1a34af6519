//! What a webhook is told. A webhook that stays down warns; it never fails a deploy.

use super::links;
use super::secrets::Changes;
use crate::error::{Error, Kind, Result};
use crate::http::webhook::{Provider, Webhook};
use crate::model::app::{App, Language, Shape};
use crate::model::card::Card;
use crate::model::name::is_harmless;
use crate::render::message::{Commit, Link, Message, SecretMessage};
use crate::resolved::Resolved;
use crate::session::Session;
use crate::ui::printable;

/// What happened to a release.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeployMessage {
    /// `deploy`, `rollback`, ...
    pub action: &'static str,
    /// The release.
    pub release: String,
    /// The image tag that runs now.
    pub tag: String,
    /// The image tag before.
    pub previous_tag: Option<String>,
    /// The revision gone back to.
    pub rollback_revision: Option<u32>,
    /// The error, when it failed.
    pub failure: Option<String>,
    /// How it ended, where that is more than done or failed.
    pub outcome: Option<&'static str>,
    /// What to do next, when it failed.
    pub next: Vec<String>,
    /// Where it happened and who did it, when that was neither here nor now.
    pub cluster: Option<String>,
    /// See `cluster`.
    pub executor: Option<String>,
    /// How long it took, in seconds.
    pub seconds: Option<u64>,
    /// Objects made, changed, deleted.
    pub counts: Option<[usize; 3]>,
    /// Where to look, first.
    pub links: Vec<Link>,
}

impl DeployMessage {
    /// The message in its parts. What git does not tell is left out, with a warning.
    ///
    /// # Errors
    /// The run is interrupted.
    fn card(&self, session: &Session, app: &App, language: Language) -> Result<Card> {
        let (commit, log) = match self.commits(session) {
            Ok(found) => found,
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => {
                session.ui.warning(&error.context("the message goes without commits"));
                (None, vec![])
            }
        };
        let mut links = self.links.clone();
        links.extend(links_of_pipeline(session));
        if !links.iter().any(|link| link.to == "environment")
            && let Ok(cluster) = session.cluster()
        {
            links.extend(links::urls(app, cluster).into_iter().take(1).map(|url| Link { to: "environment", name: None, url }));
        }
        let message = Message {
            action: self.action,
            release: self.release.clone(),
            outcome: self.outcome.unwrap_or(if self.failure.is_none() { "done" } else { "failed" }),
            cluster: self.cluster.clone().or_else(|| session.cluster_name()).unwrap_or_default(),
            executor: self.executor.clone().unwrap_or_else(|| session.env.executor()),
            tag: self.tag.clone(),
            rollback_revision: self.rollback_revision,
            seconds: self.seconds,
            counts: self.counts,
            commit,
            log,
            failure: self.failure.as_deref().map(printable),
            next: self.next.iter().map(|next| printable(next)).collect(),
            links,
        };
        Ok(message.card(language))
    }

    /// The commit of the tag, and those since the last version.
    fn commits(&self, session: &Session) -> Result<(Option<Commit>, Vec<String>)> {
        let git = session.git();
        let sha = |tag: &str| crate::model::tag::sha_of_tag(tag).map(str::to_owned);
        let Some(now) = sha(&self.tag) else { return Ok((None, vec![])) };
        let commit = session.commit(&now)?.map(|commit| Commit { subject: printable(&commit.subject), author: printable(&commit.author) });
        let log = match self.previous_tag.as_deref().and_then(sha).filter(|before| *before != now) {
            Some(before) => git.subjects_between(&before, &now, 10)?.iter().map(|line| printable(line)).collect(),
            None => vec![],
        };
        Ok((commit, log))
    }
}

/// Where GitLab shows what this job is part of.
fn links_of_pipeline(session: &Session) -> Vec<Link> {
    let get = |name: &str| session.env.get(name).filter(|_| session.env.is_ci()).map(str::to_owned);
    let link = |to, url: Option<String>| url.map(|url| Link { to, name: None, url });
    let project = get("CI_MERGE_REQUEST_PROJECT_URL");
    let request = project.zip(get("CI_MERGE_REQUEST_IID")).map(|(project, number)| format!("{project}/-/merge_requests/{number}"));
    [link("pipeline", get("CI_PIPELINE_URL")), link("merge request", request), link("environment", get("CI_ENVIRONMENT_URL"))]
        .into_iter()
        .flatten()
        .collect()
}

/// Tells the app's webhook what happened, where it has one. A message that cannot be sent is a warning: what was done is done.
///
/// # Errors
/// The run is interrupted.
pub(crate) fn tell(session: &Session, message: &DeployMessage) -> Result<()> {
    send_message(session, message, false).map(drop)
}

/// As [`send`], with the words of a message.
///
/// # Errors
/// As [`send`].
pub(crate) fn send_message(session: &Session, message: &DeployMessage, strict: bool) -> Result<bool> {
    let words = |app: &App, language| message.card(session, app, language).map(Words::Parts);
    send_words(session, message.cluster.as_deref(), words, strict)
}

/// As [`send`], about what became of a Secret: keys alone.
///
/// # Errors
/// As [`send`].
pub(crate) fn send_changes(session: &Session, name: &str, changes: &Changes, strict: bool) -> Result<bool> {
    let keys = [&changes.added, &changes.removed, &changes.changed].map(|keys| keys.iter().map(|key| printable(key)).collect());
    let message = SecretMessage {
        name: printable(name),
        cluster: session.cluster_name().unwrap_or_default(),
        executor: session.env.executor(),
        keys,
    };
    send_words(session, None, |_, language| Ok(Words::Parts(message.card(language))), strict)
}

/// Sends a text to the app's webhook. Without one, or where it does not apply to this cluster, nothing happens.
///
/// # Errors
/// With `strict`, when the webhook cannot be reached; otherwise that is a warning.
pub(crate) fn send(session: &Session, text: &str, strict: bool) -> Result<bool> {
    send_words(session, None, |_, _| Ok(Words::Text(text.to_owned())), strict)
}

/// What is sent.
enum Words {
    /// The user's own, as they are.
    Text(String),
    /// lain's.
    Parts(Card),
}

/// Sends what `words` says to the webhook of the app, as its values are on `cluster` where that is another than the chosen one.
fn send_words(session: &Session, cluster: Option<&str>, words: impl FnOnce(&App, Language) -> Result<Words>, strict: bool) -> Result<bool> {
    let outcome = values_on(session, cluster).and_then(|other| {
        let app = other.as_ref().map_or_else(|| session.app(), Resolved::app)?;
        let current = cluster.map(str::to_owned).or_else(|| session.cluster_name());
        let Some(webhook) = webhook(session, app, current.as_deref())? else { return Ok(false) };
        let language = app.webhook.as_ref().and_then(|webhook| webhook.lang).unwrap_or_default();
        let (body, cut) = match words(app, language)? {
            Words::Text(text) => webhook.body_of_text(&text),
            Words::Parts(card) => webhook.body_of(&card.reworded(|text| session.ui.redact(text))),
        };
        if cut {
            session.ui.warn("the message is longer than the webhook's provider takes: it is cut");
        }
        webhook.send(&session.proxies(), &body).map(|()| true)
    });
    match outcome {
        Err(error) if !strict && error.kind() != Kind::Interrupted => {
            session.ui.warning(&error);
            Ok(false)
        }
        other => other,
    }
}

/// The values of another cluster than the chosen one; none where they are this run's own.
fn values_on(session: &Session, cluster: Option<&str>) -> Result<Option<Resolved>> {
    match cluster {
        Some(cluster) if session.cluster_name().as_deref() != Some(cluster) && is_harmless(cluster) => {
            session.resolved_for(cluster).map(Some)
        }
        _ => Ok(None),
    }
}

/// The webhook of the app's values on this cluster; none where they name none, or not for it.
///
/// # Errors
/// What they say of it is wrong, or a variable that it is in is not set.
pub(crate) fn webhook(session: &Session, app: &App, cluster: Option<&str>) -> Result<Option<Webhook>> {
    let Some(webhook) = &app.webhook else { return Ok(None) };
    let Some(url) = webhook.url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
    if let (Some(clusters), Some(current)) = (&webhook.clusters, cluster)
        && !clusters.iter().any(|name| **name == *current)
    {
        return Ok(None);
    }
    let url = from_env(session, url, "webhook.url")?;
    let secret = webhook.secret.as_deref().map(|secret| from_env(session, secret, "webhook.secret")).transpose()?;
    let provider = Provider::of(webhook.kind.as_deref(), &url)?;
    let webhook = Webhook {
        secret,
        channel: webhook.channel.clone().map(String::from),
        template: webhook.template.clone().map(String::from),
        cards: webhook.format == Some(Shape::Card),
        ..Webhook::to(&url, provider)
    };
    webhook.secrets().for_each(|secret| session.ui.hide(secret));
    Ok(Some(webhook))
}

/// `${NAME}` is taken from the environment; anything else is itself.
fn from_env(session: &Session, text: &str, key: &str) -> Result<String> {
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        None => Ok(text.to_owned()),
        Some(name) => session.env.get(name).map(str::to_owned).ok_or_else(|| {
            Error::failed(format!("`{key}` is ${{{name}}}, but {name} is not set in the environment")).hint(format!(
                "export {name}=... # in GitLab: Settings > CI/CD > Variables; a protected one reaches protected branches alone"
            ))
        }),
    }
}
