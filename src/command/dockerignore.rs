//! `lain dockerignore`: what `build` would use.

use std::fs;

use clap::Args;

use crate::error::{Error, Result};
use crate::images::context;
use crate::session::Session;
use crate::ui::{Format, TEXT};

/// Print the .dockerignore that build uses: your own, or one derived from .gitignore
#[derive(Args, Debug)]
pub struct Dockerignore {}

impl Dockerignore {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        TEXT
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let own = session.dir.join(".dockerignore");
        if own.is_file() {
            return session.ui.result(&fs::read_to_string(&own).map_err(|error| Error::io("read", &own, &error))?);
        }
        session.ui.result(&context::ignore(session)?.to_string())
    }
}
