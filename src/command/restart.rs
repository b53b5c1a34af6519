//! `lain restart`: new pods from the same template.

use clap::Args;

use super::Command;
use crate::cluster::look;
use crate::error::Result;
use crate::model::name::is_label;
use crate::release::restart::{Wanted, restart};
use crate::resolved::layers::APP_VALUES;
use crate::session::Session;

/// Delete pods, so that Kubernetes makes new ones with the current Secrets
#[derive(Args, Debug)]
#[command(
    after_help = "  lain restart --graceful\n  lain restart web worker\n  lain restart shop            # where no app is: that release"
)]
pub struct Restart {
    /// Only these procs; outside of an app's folder, the release
    procs: Vec<String>,
    /// Instead, what this selects, of whatever app; may be repeated
    #[arg(short = 'l', long, value_name = "SELECTOR", conflicts_with = "procs")]
    selector: Vec<String>,
    /// One pod at a time, each after the one before is ready again
    #[arg(long)]
    graceful: bool,
    /// Wait until everything is ready
    #[arg(long)]
    wait: bool,
}

impl Command for Restart {
    fn run(self, session: &Session) -> Result<()> {
        let (mut procs, mut selectors) = (self.procs, self.selector);
        if let [release] = &procs[..]
            && is_label(release)
            && !session.dir.join(APP_VALUES).is_file()
        {
            selectors.push(look::of_release(release));
            procs.clear();
        }
        let wanted = Wanted { procs, selectors, graceful: self.graceful || session.globals.auto_pilot, wait: self.wait };
        let release = restart(session, &wanted)?;
        session.ui.done(&format!("restarted {release}"));
        Ok(())
    }
}
