//! `lain image`: the image of HEAD.

use clap::Args;

use crate::error::Result;
use crate::session::Session;

/// Print the image of HEAD: REGISTRY/APPNAME:TAG
#[derive(Args, Debug)]
pub struct Image {}

impl Image {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        session.ui.result(&format!("{}:{}", session.repository()?, session.image_tag()?))
    }
}
