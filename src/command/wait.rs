//! `lain wait`: until everything is ready.

use std::time::Duration;

use clap::Args;

use super::Command;
use crate::cluster::look;
use crate::error::{Error, Result};
use crate::globals;
use crate::model::name::nearest;
use crate::release::rollout;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;

/// So many apps are listed; more are counted.
const MAX_APPS: usize = 20;

/// Wait until all pods are ready; fail at once when that cannot happen
#[derive(Args, Debug)]
pub struct Wait {
    /// Another app than this folder's
    app: Option<String>,
    /// Only what this selects, on top
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Vec<String>,
    /// Longest time: 10m, 1h30m, or seconds
    #[arg(long, default_value = "5m", value_name = "TIME", value_parser = globals::timeout)]
    timeout: Duration,
    /// The longest time as the older tool counted it: so many times three seconds
    #[arg(long, value_name = "COUNT", conflicts_with = "timeout", value_parser = clap::value_parser!(u32).range(1..=28800))]
    tries: Option<u32>,
}

/// What the older tool slept between two looks.
const TRY: Duration = Duration::from_secs(3);

impl Command for Wait {
    fn run(self, session: &Session) -> Result<()> {
        let mut selector = match &self.app {
            Some(app) => look::of_app(app),
            None => look::selector(&session.app()?.appname, session.app()?.release()),
        };
        for more in &self.selector {
            selector = format!("{selector},{more}");
        }
        let kubectl = session.kubectl()?;
        let most = self.tries.map_or(self.timeout, |tries| TRY * tries);
        let view = rollout::follow(session, &kubectl, &selector, most)?;
        if view.is_empty() && !look::has_cron_jobs(&kubectl, &selector)? {
            return Err(self.nothing(session, &kubectl, &selector)?);
        }
        session.ui.done("everything is ready");
        Ok(())
    }
}

impl Wait {
    /// What is waited for is not there: what is.
    fn nothing(&self, session: &Session, kubectl: &Kubectl<'_>, selector: &str) -> Result<Error> {
        let nothing = |why: String| Error::failed(format!("there is nothing to wait for: {why}"));
        let namespace = session.target()?.namespace.map_or_else(String::new, |namespace| format!(" in namespace {namespace}"));
        let apps = look::apps(kubectl)?;
        let own = self.app.as_deref().map_or_else(|| session.app().map(|app| &*app.appname), Ok)?;
        if apps.contains(own) && !self.selector.is_empty() {
            return Ok(nothing(format!("`{selector}` selects no pods{namespace}")).hint("kubectl get pods --show-labels # what there is"));
        }
        let Some(typed) = &self.app else {
            let release = session.app()?.release();
            return Ok(nothing(format!("release {release} is not deployed{namespace}")).hint("lain deploy"));
        };
        let there = match apps.len() {
            0 => "there are none".to_owned(),
            count => {
                let more =
                    count.checked_sub(MAX_APPS).filter(|more| *more > 0).map_or_else(String::new, |more| format!(" and {more} more"));
                format!("there are {}{more}", apps.iter().take(MAX_APPS).map(String::as_str).collect::<Vec<_>>().join(", "))
            }
        };
        let error = nothing(format!("no app `{typed}`{namespace}; {there}"));
        Ok(match nearest(typed, apps.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("lain wait {near}")),
            None if apps.is_empty() => error.hint("lain deploy # in the folder of the app"),
            None => error.hint("lain wait APP # one of these"),
        })
    }
}
