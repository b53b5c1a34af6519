//! What a webhook is told. A webhook that stays down warns; it never fails a deploy.

use crate::error::{Error, Kind, Result};
use crate::http::webhook::{Provider, Webhook};
use crate::render::message::{Commit, Message};
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
}

impl DeployMessage {
    /// The words. What git does not tell is left out, with a warning.
    ///
    /// # Errors
    /// The run is interrupted.
    fn render(&self, session: &Session) -> Result<String> {
        let mut message = Message {
            action: self.action,
            release: &self.release,
            cluster: &session.cluster_name().unwrap_or_default(),
            executor: &session.env.executor(),
            tag: &self.tag,
            rollback_revision: self.rollback_revision,
            failure: self.failure.as_deref().map(printable),
            ..Message::default()
        };
        match self.commits(session) {
            Ok((commit, log)) => (message.commit, message.log) = (commit, log),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => session.ui.warning(&error.context("the message goes without commits")),
        }
        Ok(session.ui.redact(&message.render()?))
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
    send_words(session, || message.render(session), strict)
}

/// Sends a text to the app's webhook. Without one, or where it does not apply to this cluster, nothing happens.
///
/// # Errors
/// With `strict`, when the webhook cannot be reached; otherwise that is a warning.
pub(crate) fn send(session: &Session, text: &str, strict: bool) -> Result<bool> {
    send_words(session, || Ok(text.to_owned()), strict)
}

fn send_words(session: &Session, words: impl FnOnce() -> Result<String>, strict: bool) -> Result<bool> {
    let outcome = webhook(session).and_then(|webhook| match webhook {
        Some(webhook) => {
            let text = words()?;
            if webhook.fitted(&text) != text {
                session.ui.warn("the message is longer than the webhook's provider takes: it is cut");
            }
            webhook.send(&session.proxies(), &text).map(|()| true)
        }
        None => Ok(false),
    });
    match outcome {
        Err(error) if !strict && error.kind() != Kind::Interrupted => {
            session.ui.warn(&error.to_string());
            Ok(false)
        }
        other => other,
    }
}

fn webhook(session: &Session) -> Result<Option<Webhook>> {
    let Some(webhook) = &session.app()?.webhook else { return Ok(None) };
    let Some(url) = webhook.url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
    if let (Some(clusters), Some(current)) = (&webhook.clusters, session.cluster_name())
        && !clusters.iter().any(|name| **name == *current)
    {
        return Ok(None);
    }
    let url = from_env(session, url, "webhook.url")?;
    let secret = webhook.secret.as_deref().map(|secret| from_env(session, secret, "webhook.secret")).transpose()?;
    session.ui.hide(&url);
    secret.iter().for_each(|secret| session.ui.hide(secret));
    let provider = Provider::of(webhook.kind.as_deref(), &url)?;
    Ok(Some(Webhook {
        provider,
        url,
        secret,
        channel: webhook.channel.clone().map(String::from),
        template: webhook.template.clone().map(String::from),
    }))
}

/// `${NAME}` is taken from the environment; anything else is itself.
fn from_env(session: &Session, text: &str, key: &str) -> Result<String> {
    match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        None => Ok(text.to_owned()),
        Some(name) => session
            .env
            .get(name)
            .map(str::to_owned)
            .ok_or_else(|| Error::failed(format!("`{key}` is ${{{name}}}, but {name} is not set in the environment"))),
    }
}
