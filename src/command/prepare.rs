//! `lain prepare`: the slow part of the image, built once.

use clap::Args;

use super::Command;
use crate::error::Result;
use crate::images::{self, Images, Options};
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Build and push the prepare image, which later builds start from
#[derive(Args, Debug)]
pub struct Prepare {
    /// Do not push it
    #[arg(long)]
    skip_push: bool,
    /// Leave the generated Dockerfile in the folder (never over one of your own)
    #[arg(long)]
    keep_dockerfile: bool,
    /// What it is to run on, in place of `build.platforms`: linux/amd64,linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<String>,
}

impl Command for Prepare {
    const FORMATS: &'static [Format] = Images::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let options = Options { pull: true, keep_dockerfile: self.keep_dockerfile, platforms: self.platform };
        let mut results = Vec::new();
        for plan in images::plans(session)?.iter().filter(|plan| plan.has_prepare()) {
            results.push(plan.prepare(session, &options, !self.skip_push)?);
        }
        if results.is_empty() {
            session.ui.say("the values have no `build.prepare`: nothing to prepare");
        }
        images::print(session, &results)
    }
}
