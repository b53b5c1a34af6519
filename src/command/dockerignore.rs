//! `lain dockerignore`: what `build` would use.

use std::fs;

use clap::Args;

use crate::error::{Error, Result};
use crate::render::dockerignore::from_gitignore;
use crate::session::Session;

/// Print the .dockerignore that build uses: your own, or one derived from .gitignore
#[derive(Args, Debug)]
pub struct Dockerignore {}

impl Dockerignore {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let own = session.dir.join(".dockerignore");
        if own.is_file() {
            return session.ui.result(&fs::read_to_string(&own).map_err(|error| Error::io("read", &own, &error))?);
        }
        let gitignore = fs::read_to_string(session.dir.join(".gitignore")).unwrap_or_default();
        session.ui.result(&from_gitignore(&gitignore))
    }
}
