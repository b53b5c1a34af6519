//! `lain dockerignore`: what `build` would use.

use std::fs;

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::images::context;
use crate::session::Session;

/// Print the .dockerignore that build uses: your own, or one derived from .gitignore
#[derive(Args, Debug)]
pub struct Dockerignore {}

impl Command for Dockerignore {
    fn run(self, session: &Session) -> Result<()> {
        let own = session.dir.join(".dockerignore");
        if own.is_file() {
            return session.ui.result(&fs::read_to_string(&own).map_err(|error| Error::io("read", &own, &error))?);
        }
        session.ui.result(&context::ignore(session)?.to_string())
    }
}
