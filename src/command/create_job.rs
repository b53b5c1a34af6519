//! `lain create-job`: a cron job, now.

use std::time::Duration;

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::model::app::ProcKind;
use crate::model::name::nearest;
use crate::release::job;
use crate::session::Session;

/// How long a `CronJob` without a time of its own is waited for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Run a cron job now, follow its log, and exit with its code
#[derive(Args, Debug)]
#[command(after_help = "  lain create-job nightly")]
pub struct CreateJob {
    /// The proc under `cronjobs`
    cronjob: String,
}

impl Command for CreateJob {
    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let known: Vec<&str> = app.procs().filter(|(kind, _, _)| *kind == ProcKind::CronJob).map(|(_, name, _)| name).collect();
        if !known.contains(&self.cronjob.as_str()) {
            let list = if known.is_empty() { "the app has none".to_owned() } else { format!("there are {}", known.join(", ")) };
            let error = Error::usage(format!("there is no cron job `{}`; {list}", self.cronjob));
            return Err(match nearest(&self.cronjob, known) {
                Some(near) => error.hint(format!("lain create-job {near}")),
                None => error.hint("lain values"),
            });
        }
        job::run_cronjob(session, app.release(), &self.cronjob, LONGEST)
    }
}
