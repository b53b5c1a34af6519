//! `lain redeploy`: the same image, today's chart and Secrets.

use clap::Args;

use super::Command;
use crate::command::deploy::Deploy;
use crate::error::Result;
use crate::release::deploy::Which;
use crate::session::Session;
use crate::ui::Format;

/// Deploy again with the image tag that runs now, without lint; pods follow changed Secrets
#[derive(Args, Debug)]
pub struct Redeploy {
    #[command(flatten)]
    flags: Deploy,
}

impl Command for Redeploy {
    const FORMATS: &'static [Format] = Deploy::FORMATS;

    fn formats(&self) -> &'static [Format] {
        self.flags.formats()
    }

    fn run(self, session: &Session) -> Result<()> {
        self.flags.deploy(session, Which::Running)
    }
}
