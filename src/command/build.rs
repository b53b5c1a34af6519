//! `lain build`: the app's image.

use clap::Args;

use crate::command::deploy::Deploy;
use crate::error::Result;
use crate::images;
use crate::publish::publish;
use crate::session::Session;

/// Build the app's image from `build` (and `release`) of the values
#[derive(Args, Debug)]
#[command(after_help = "  lain build --push\n  lain build --push -o dotenv > lain.env   # LAIN_IMAGE, LAIN_IMAGE_TAG, LAIN_IMAGE_DIGEST")]
pub struct Build {
    /// Push it afterwards, also as `latest`
    #[arg(long)]
    push: bool,
    /// Push it and deploy it
    #[arg(long)]
    deploy: bool,
    /// Push it to the registry of every configured cluster, side by side
    #[arg(long)]
    publish: bool,
    /// Leave the generated Dockerfile in the folder (never over one of your own)
    #[arg(long)]
    keep_dockerfile: bool,
    /// Use the prepare image of this docker daemon without asking the registry
    #[arg(long)]
    no_pull: bool,
}

impl Build {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let mut results = Vec::new();
        for plan in images::plans(session)? {
            let built = plan.build(session, !self.no_pull, self.keep_dockerfile)?;
            if self.publish {
                results.extend(publish(session, &plan)?);
            } else if self.push || self.deploy {
                results.push(plan.push_built(session)?);
            } else {
                results.push(built);
            }
        }
        images::print(session, &results)?;
        if self.deploy { Deploy::default().run(session) } else { Ok(()) }
    }
}
