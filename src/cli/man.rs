//! `lain man`: a man page on stdout.

use clap::{Args, CommandFactory};

use crate::cli::Lain;
use crate::command::Command;
use crate::error::{Error, Result};
use crate::model::name::nearest;
use crate::session::Session;

/// Print a man page
#[derive(Args, Debug)]
#[command(after_help = "  lain man | man -l -\n  lain man deploy | man -l -")]
pub struct Man {
    /// A command's own page
    command: Option<String>,
}

impl Command for Man {
    fn run(self, session: &Session) -> Result<()> {
        let mut top = Lain::command();
        top.build();
        let page = match &self.command {
            None => top,
            Some(name) => {
                let found = top.find_subcommand(name).map(|found| found.clone().name(format!("lain-{name}")));
                found.ok_or_else(|| {
                    let error = Error::usage(format!("no command `{name}`"));
                    match nearest(name, top.get_subcommands().map(clap::Command::get_name)) {
                        Some(near) => error.hint(format!("lain man {near}")),
                        None => error.hint("lain --help"),
                    }
                })?
            }
        };
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text).map_err(|error| Error::failed(format!("cannot render the page: {error}")))?;
        session.ui.result(&String::from_utf8_lossy(&text))
    }
}
