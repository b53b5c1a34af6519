//! `lain-notify deploy`: the deploy message, from a deploy's own result.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;

use super::Command;
use crate::error::{Error, Kind, Result};
use crate::model::changes::Diff;
use crate::release::announce::{self, DeployMessage};
use crate::release::deployed::{DeployAnswer, Outcome};
use crate::render::message::Link;
use crate::session::Session;

/// Send the message about a deploy
#[derive(Args, Debug)]
#[command(
    after_help = "  lain-deploy deploy -o json > deploy.json\n  lain-notify deploy --result deploy.json\n  lain-notify deploy --result deploy.json --diff diff.json --manual promote\n\n\
                  Where the message goes and what it looks like stands in the values, under webhook.\n\
                  `lain deploy` tells the webhook by itself: this is for a job of its own, and for a result that another job left."
)]
pub struct NotifyDeploy {
    /// What `lain-deploy deploy -o json` printed
    #[arg(long, value_name = "FILE")]
    result: PathBuf,
    /// What `lain-deploy diff -o json` printed before it: the message counts what changed
    #[arg(long, value_name = "FILE")]
    diff: Option<PathBuf>,
    /// A manual job of this pipeline that waits now: the message leads to it; with `GITLAB_API_TOKEN` to the job itself, else to the pipeline
    #[arg(long, value_name = "JOB")]
    manual: Option<String>,
    /// Fail when the webhook cannot be reached
    #[arg(long)]
    strict: bool,
}

impl Command for NotifyDeploy {
    fn run(self, session: &Session) -> Result<()> {
        let result: DeployAnswer = read(&self.result, "a deploy's result", "lain-deploy deploy -o json > deploy.json")?;
        if result.version != 1 {
            return Err(Error::failed(format!("{}: version {} is newer than this lain-notify", self.result.display(), result.version)));
        }
        let diff: Option<Diff> =
            self.diff.as_deref().map(|path| read(path, "a diff", "lain-deploy diff -o json > diff.json")).transpose()?;
        let outcome = match result.outcome {
            Outcome::Deployed => "done",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
            Outcome::Interrupted => "interrupted",
        };
        let is_well = result.outcome == Outcome::Deployed;
        let mut links = self.manual.as_deref().map(|job| waiting(session, job)).transpose()?.flatten().into_iter().collect::<Vec<_>>();
        links.extend(result.urls.first().map(|url| Link { to: "environment", name: None, url: url.clone() }));
        let message = DeployMessage {
            action: "deploy",
            release: result.release,
            tag: result.image_tag,
            previous_tag: result.previous_image_tag,
            failure: (!is_well).then(|| result.reason.unwrap_or_else(|| "it failed".to_owned())),
            outcome: Some(outcome),
            next: if is_well { vec![] } else { result.next },
            cluster: result.cluster,
            executor: Some(result.executor).filter(|executor| !executor.is_empty()),
            seconds: Some(result.seconds).filter(|seconds| *seconds >= 1.0).and_then(whole),
            counts: diff.map(|diff| [diff.create, diff.update, diff.delete]),
            links,
            ..DeployMessage::default()
        };
        if announce::send_message(session, &message, self.strict)? {
            session.ui.done("sent");
        }
        Ok(())
    }
}

/// Whole seconds of what a file says.
fn whole(seconds: f64) -> Option<u64> {
    std::time::Duration::try_from_secs_f64(seconds).ok().map(|time| time.as_secs())
}

fn read<T: DeserializeOwned>(path: &Path, what: &str, hint: &str) -> Result<T> {
    let text = std::fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    serde_json::from_slice(&text).map_err(|error| Error::failed(format!("{}: not {what}: {error}", path.display())).hint(hint))
}

/// Where a job of this pipeline waits for somebody.
fn waiting(session: &Session, job: &str) -> Result<Option<Link>> {
    let get = |name: &str| session.env.get(name);
    let link = |url: String| Link { to: "waits for", name: Some(job.to_owned()), url };
    let (Some(project), Some(pipeline)) = (get("CI_PROJECT_ID"), get("CI_PIPELINE_ID")) else { return Ok(None) };
    if get("GITLAB_API_TOKEN").is_some() {
        match session.gitlab().and_then(|gitlab| gitlab.waiting_job(project, pipeline, job)) {
            Ok(Some(url)) => return Ok(Some(link(url))),
            Ok(None) => {
                session.ui.warn(&format!("no manual job `{job}` waits in this pipeline"));
                return Ok(None);
            }
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => session.ui.warning(&error.context(format!("the message leads to the pipeline, not to its job `{job}`"))),
        }
    }
    Ok(get("CI_PIPELINE_URL").map(|url| link(url.to_owned())))
}
