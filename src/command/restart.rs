//! `lain restart`: new pods from the same template.

use clap::Args;

use super::Command;
use crate::error::Result;
use crate::release::restart::{Wanted, restart};
use crate::session::Session;

/// Delete pods, so that Kubernetes makes new ones with the current Secrets
#[derive(Args, Debug)]
pub struct Restart {
    /// Only these procs
    procs: Vec<String>,
    /// One pod at a time, each after the one before is ready again
    #[arg(long)]
    graceful: bool,
    /// Wait until everything is ready
    #[arg(long)]
    wait: bool,
}

impl Command for Restart {
    fn run(self, session: &Session) -> Result<()> {
        let wanted = Wanted { procs: self.procs, graceful: self.graceful || session.globals.auto_pilot, wait: self.wait };
        let release = restart(session, &wanted)?;
        session.ui.done(&format!("restarted {release}"));
        Ok(())
    }
}
