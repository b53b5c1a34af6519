//! `lain completions`: shell completions on stdout.

use clap::Args;
use clap_complete::Shell;

use crate::cli::complete;
use crate::command::Command;
use crate::error::Result;
use crate::session::Session;

/// Print shell completions
#[derive(Args, Debug)]
#[command(
    after_help = "  source <(lain completions bash)   # in ~/.bashrc\n  source <(lain completions zsh)    # in ~/.zshrc\n  lain completions fish | source    # in ~/.config/fish/config.fish\n\n\
                  Names of what there is complete, too: clusters, procs, releases, tags, keys of Secrets. The script asks lain itself each time: sourced so, it is never older than lain."
)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Command for Completions {
    fn run(self, session: &Session) -> Result<()> {
        session.ui.result(&complete::script(&self.shell.to_string())?)
    }
}
