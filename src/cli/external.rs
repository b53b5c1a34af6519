//! `lain foo`: runs `lain-foo` from PATH, as git and cargo do.

use std::ffi::OsString;

use clap::CommandFactory;

use crate::cli::Lain;
use crate::env::search_path;
use crate::error::{Error, Result};
use crate::model::name::nearest;
use crate::session::Session;
use crate::tools::call::Call;

/// Runs `lain-WORD` with the rest of the words; its exit code is ours.
///
/// # Errors
/// There is no such program; the error names the nearest command.
pub(crate) fn run(session: &Session, words: &[OsString]) -> Result<()> {
    let (first, rest) = words.split_first().ok_or_else(|| Error::usage("no command given").hint("lain --help"))?;
    let name = first.to_string_lossy();
    let program = format!("lain-{name}");
    if which::which_in(&program, search_path(), ".").is_err() {
        let top = Lain::command();
        let names: Vec<&str> = top.get_subcommands().map(clap::Command::get_name).collect();
        let error = Error::usage(format!("no command `{name}`, and no `{program}` on PATH"));
        return Err(match nearest(&name, names) {
            Some(near) => error.hint(format!("lain {near}")),
            None => error.hint("lain --help"),
        });
    }
    match Call::new(&session.ui, &program).command(rest).whole_environment().lookup().interact()? {
        0 => Ok(()),
        code => Err(Error::child(code)),
    }
}
