//! `lain set-canary-group`: who gets the canary, and how it ends.

use clap::Args;

use super::Command;
use crate::error::Result;
use crate::release::canary;
use crate::session::Session;

/// Send a group of `canaryGroups` to the canary, make it the app, or take it away
#[derive(Args, Debug)]
#[command(
    after_help = "  lain deploy --canary\n  lain set-canary-group staff\n  lain set-canary-group --final   # what it runs becomes the app\n  lain set-canary-group --abort   # takes it away"
)]
pub struct SetCanaryGroup {
    /// A group of `canaryGroups`
    #[arg(required_unless_present_any = ["abort", "finish"], conflicts_with_all = ["abort", "finish"])]
    group: Option<String>,
    /// Take the canary away
    #[arg(long, conflicts_with = "finish")]
    abort: bool,
    /// Deploy what the canary runs as the app, wait until it is ready, then take the canary away
    #[arg(long = "final")]
    finish: bool,
    /// Also when somebody else started the canary
    #[arg(long)]
    force: bool,
}

impl Command for SetCanaryGroup {
    fn run(self, session: &Session) -> Result<()> {
        if let Some(group) = &self.group {
            let ingresses = canary::send_group(session, group, self.force)?;
            session.ui.done(&format!("the canary gets the traffic of group {group} ({})", ingresses.join(", ")));
            session.ui.hint("lain set-canary-group --final # what it runs becomes the app");
            session.ui.hint("lain set-canary-group --abort # takes it away");
        } else if self.finish {
            let deployed = canary::finish(session, self.force)?;
            session
                .ui
                .done(&format!("release {} runs what its canary ran, image tag {}; the canary is gone", deployed.release, deployed.tag));
        } else {
            canary::abort(session, self.force)?;
            session.ui.done("the canary is gone; the app runs on as it was");
        }
        Ok(())
    }
}
