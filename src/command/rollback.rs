//! `lain rollback`: one good release back.

use clap::Args;

use super::Command;
use crate::error::Result;
use crate::release::rollback::rollback;
use crate::session::Session;

/// Go back to the last good release, chart and values included; Secrets stay as they are
#[derive(Args, Debug)]
pub struct Rollback {
    /// Wait until everything is ready; always so in CI
    #[arg(long)]
    wait: bool,
}

impl Command for Rollback {
    fn run(self, session: &Session) -> Result<()> {
        let back = rollback(session, self.wait || session.env.is_ci())?;
        let app = session.app()?;
        session.ui.done(&format!("release {} is back at revision {}, image tag {}", back.release, back.revision, back.tag));
        session.ui.say(&format!("{} and {} are not part of a release and stay as they are; `lain env edit` and `lain secret edit` change them, then `lain redeploy`", app.env_secret(), app.file_secret()));
        Ok(())
    }
}
