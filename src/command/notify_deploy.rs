//! `lain-notify deploy`: the deploy message, from a deploy's own result.

use std::path::PathBuf;

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::release::announce::{self, DeployMessage};
use crate::release::deployed::{DeployAnswer, Outcome};
use crate::session::Session;

/// Send the message about a deploy
#[derive(Args, Debug)]
#[command(after_help = "  lain-deploy deploy -o json > deploy.json\n  lain-notify deploy --result deploy.json")]
pub struct NotifyDeploy {
    /// What `lain-deploy deploy -o json` printed
    #[arg(long, value_name = "FILE")]
    result: PathBuf,
    /// Fail when the webhook cannot be reached
    #[arg(long)]
    strict: bool,
}

impl Command for NotifyDeploy {
    fn run(self, session: &Session) -> Result<()> {
        let text = std::fs::read(&self.result).map_err(|error| Error::io("read", &self.result, &error))?;
        let result: DeployAnswer = serde_json::from_slice(&text).map_err(|error| {
            Error::failed(format!("{}: not a deploy's result: {error}", self.result.display()))
                .hint("lain-deploy deploy -o json > deploy.json")
        })?;
        if result.version != 1 {
            return Err(Error::failed(format!("{}: version {} is newer than this lain-notify", self.result.display(), result.version)));
        }
        let failure = (result.outcome != Outcome::Deployed).then(|| result.reason.unwrap_or_else(|| "it failed".to_owned()));
        let message = DeployMessage {
            action: "deploy",
            release: result.release,
            tag: result.image_tag,
            previous_tag: result.previous_image_tag,
            failure,
            ..DeployMessage::default()
        };
        if announce::send_message(session, &message, self.strict)? {
            session.ui.done("sent");
        }
        Ok(())
    }
}
