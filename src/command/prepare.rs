//! `lain prepare`: the slow part of the image, built once.

use clap::Args;

use crate::error::Result;
use crate::images;
use crate::session::Session;

/// Build and push the prepare image, which later builds start from
#[derive(Args, Debug)]
pub struct Prepare {
    /// Do not push it
    #[arg(long)]
    skip_push: bool,
    /// Leave the generated Dockerfile in the folder (never over one of your own)
    #[arg(long)]
    keep_dockerfile: bool,
}

impl Prepare {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let mut results = Vec::new();
        for plan in images::plans(session)?.iter().filter(|plan| plan.has_prepare()) {
            results.push(plan.prepare(session, !self.skip_push, self.keep_dockerfile)?);
        }
        if results.is_empty() {
            session.ui.say("the values have no `build.prepare`: nothing to prepare");
        }
        images::print(session, &results)
    }
}
