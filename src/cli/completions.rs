//! `lain completions`: shell completions on stdout.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Lain;
use crate::command::Command;
use crate::error::Result;
use crate::session::Session;

/// Print shell completions
#[derive(Args, Debug)]
#[command(after_help = "  lain completions bash > /etc/bash_completion.d/lain\n  lain completions zsh > \"${fpath[1]}/_lain\"")]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

impl Command for Completions {
    fn run(self, session: &Session) -> Result<()> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Lain::command(), "lain", &mut text);
        session.ui.result(&String::from_utf8_lossy(&text))
    }
}
