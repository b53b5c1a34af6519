//! `lain doctor`: what would stop a command.

use clap::Args;

use super::Command;
use crate::doctor::{Check, Diagnosis, Told, diagnose};
use crate::error::{Error, Result};
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Say what of this machine, this job, the registry and the cluster would stop a command
#[derive(Args, Debug)]
#[command(
    after_help = "  lain doctor\n  lain doctor -v                  # what is good in full, and the questions\n  lain doctor registry rights     # these alone\n  lain doctor -o json | jq '.checks[] | select(.state == \"bad\")'\n\n\
                        Nothing is changed: an upload to the registry is begun and cancelled, the webhook is sent nothing. Ends with exit code 3 where something is bad, with 0 where all that is found are warnings. Whatever hangs, it ends within 15 seconds."
)]
pub struct Doctor {
    /// What to look at; all of it when not given
    #[arg(value_enum, value_name = "CHECK")]
    checks: Vec<Check>,
}

impl Command for Doctor {
    const FORMATS: &'static [Format] = Told::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let diagnosis: Diagnosis = diagnose(session, &self.checks)?;
        session.ui.answer(&Told { diagnosis: &diagnosis, in_full: session.ui.is_verbose() })?;
        // No words of its own: what is bad was shown.
        if diagnosis.good { Ok(()) } else { Err(Error::child(3)) }
    }
}
