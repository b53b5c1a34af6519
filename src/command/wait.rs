//! `lain wait`: until everything is ready.

use std::time::Duration;

use clap::Args;

use crate::error::Result;
use crate::release::rollout;
use crate::session::Session;
use crate::ui::{Format, TEXT};

/// Wait until all pods are ready; fail at once when that cannot happen
#[derive(Args, Debug)]
pub struct Wait {
    /// Another app than this folder's
    app: Option<String>,
    /// Only what this selects, on top
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Longest time, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS")]
    timeout: u64,
}

impl Wait {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        TEXT
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let mut selector = match &self.app {
            Some(app) => format!("app.kubernetes.io/name={app}"),
            None => rollout::selector(&session.app()?.appname, session.app()?.release()),
        };
        if let Some(more) = &self.selector {
            selector = format!("{selector},{more}");
        }
        rollout::follow(&session.ui, &session.kubectl()?, &selector, Duration::from_secs(self.timeout))?;
        session.ui.done("everything is ready");
        Ok(())
    }
}
