//! `lain redeploy`: the same image, today's chart and Secrets.

use clap::Args;

use crate::command::deploy::Deploy;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::ui::Format;

/// Deploy again with the image tag that runs now, without lint; pods follow changed Secrets
#[derive(Args, Debug)]
pub struct Redeploy {
    #[command(flatten)]
    deploy: Deploy,
}

impl Redeploy {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        self.deploy.formats()
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let release = session.app()?.release().to_owned();
        let values = session.helm()?.values(&release, None, false)?;
        let tag = values.as_ref().and_then(|values| values["imageTag"].as_str());
        let tag = tag.ok_or_else(|| {
            Error::failed(format!("there is no release {release} yet, so there is nothing to deploy again")).hint("lain deploy")
        })?;
        let mut deploy = self.deploy;
        deploy.same_tag = Some(tag.to_owned());
        deploy.run(session)
    }
}
