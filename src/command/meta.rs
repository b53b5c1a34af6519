//! `lain meta`: the tag of HEAD's images.

use clap::Args;

use crate::error::Result;
use crate::session::Session;

/// Print the image tag of HEAD: COMMIT_TIME-SHA, `latest` outside git
#[derive(Args, Debug)]
pub struct Meta {}

impl Meta {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        session.ui.result(session.image_tag()?)
    }
}
