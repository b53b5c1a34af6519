//! `lain update-image`: another image for single processes.

use std::time::Duration;

use clap::Args;

use super::Command;
use crate::error::Result;
use crate::globals;
use crate::release::update_image::{Wanted, update};
use crate::session::Session;

/// Give single processes HEAD's image, and leave all else of the release as it is
#[derive(Args, Debug)]
#[command(after_help = "  lain update-image worker\n  lain update-image web worker --deduce --wait")]
pub struct UpdateImage {
    /// The procs: of deployments, statefulSets or cronjobs
    #[arg(required = true, value_name = "PROC")]
    procs: Vec<String>,
    /// The newest image in the registry, in place of HEAD's
    #[arg(long)]
    deduce: bool,
    /// Follow until everything is ready; in CI that is so anyway
    #[arg(long)]
    wait: bool,
    /// The longest to wait: 10m, 1h30m, or seconds
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = globals::timeout)]
    timeout: Duration,
}

impl Command for UpdateImage {
    fn run(self, session: &Session) -> Result<()> {
        let wait = (self.wait || session.env.is_ci()).then_some(self.timeout);
        update(session, &Wanted { procs: self.procs, deduce: self.deduce, wait })
    }
}
