//! `lain dockerfile`: what `build` would use.

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::images;
use crate::render::dockerfile::Stage;
use crate::session::Session;

/// Print the Dockerfile that prepare, build or release uses
#[derive(Args, Debug)]
#[command(after_help = "  lain dockerfile --stage prepare\n  lain dockerfile | docker build -f - .")]
pub struct Dockerfile {
    /// Which one; without it, what `lain build` would build
    #[arg(long, value_enum)]
    stage: Option<Stage>,
    /// One of `builds`
    #[arg(long, value_name = "BUILD")]
    name: Option<String>,
    /// The tag of the prepare image to start from, as a merge request's build may use one of its own
    #[arg(long, value_name = "TAG", default_value = images::PREPARE_TAG, hide_default_value = true)]
    prepare_tag: String,
}

impl Command for Dockerfile {
    fn run(self, session: &Session) -> Result<()> {
        let plan = images::plan(session, self.name.as_deref())?;
        let file = plan.dockerfile(session, self.stage.unwrap_or_else(|| plan.final_stage()), Some("REGISTRY"), &self.prepare_tag)?;
        if !file.values.is_empty() {
            let args: Vec<&str> = file.values.iter().map(|(name, _)| name.as_str()).collect();
            session.ui.warn(&format!("values with line breaks are handed over by lain build as build arguments: {}", args.join(", ")));
        }
        if file.text.contains("RUN --mount=type=secret,") {
            session.ui.warn("the secrets are handed over by lain build; docker build by hand needs --secret id=NAME,env=NAME for each");
        }
        if file.text.is_empty() {
            return Err(Error::failed("nothing to build"));
        }
        session.ui.result(&file.text)
    }
}
