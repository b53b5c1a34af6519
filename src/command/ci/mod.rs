//! `lain ci`: what concerns a pipeline of GitLab's as a whole.

mod lint;
mod templates;

use clap::{Args, Subcommand};

use super::Command;
use crate::error::Result;
use crate::session::Session;
use crate::ui::Format;

/// Check a GitLab pipeline without GitLab, or write the templates for one
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "  lain ci lint\n  lain ci lint --list\n  lain ci templates ci-templates --image registry.example.com/lain:5.0.0"
)]
pub struct Ci {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    Lint(lint::Lint),
    Templates(templates::Templates),
}

impl Command for Ci {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];
    // A pipeline is the repository's, not an app's.
    const IS_HERE: bool = true;

    fn formats(&self) -> &'static [Format] {
        match &self.verb {
            Verb::Lint(lint) => lint.formats(),
            Verb::Templates(_) => &[Format::Text],
        }
    }

    fn run(self, session: &Session) -> Result<()> {
        match self.verb {
            Verb::Lint(lint) => lint.run(session),
            Verb::Templates(templates) => templates.run(session),
        }
    }
}
