//! `lain restart`: new pods from the same template.

use std::time::Duration;

use clap::Args;

use super::Command;
use crate::cluster::look;
use crate::cluster::objects::Pod;
use crate::error::{Error, Result};
use crate::release::rollout;
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

const PATIENCE: Duration = Duration::from_secs(300);

impl Command for Restart {
    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let release = app.release();
        let selector = look::selector(&app.appname, release);
        let kubectl = session.kubectl()?;
        for name in &self.procs {
            if !app.procs().any(|(_, known, _)| known == name) {
                return Err(Error::usage(format!("there is no proc `{name}`")).hint("lain status -s"));
            }
        }
        let found = look::pods(&kubectl, &selector)?;
        let is_wanted = |pod: &&Pod| {
            let is_asked_for = self.procs.is_empty() || self.procs.iter().any(|name| pod.belongs_to(release, name));
            is_asked_for && !pod.is_over() && !pod.metadata.is_leaving()
        };
        let pods: Vec<&str> = found.iter().filter(is_wanted).map(|pod| pod.metadata.name.as_str()).collect();
        if pods.is_empty() {
            return Err(Error::failed("no pods to restart").hint("lain status -s"));
        }
        if self.graceful || session.globals.auto_pilot {
            for (done, pod) in pods.iter().enumerate() {
                let replaced = kubectl.delete_pod(pod, PATIENCE).and_then(|()| rollout::follow(&session.ui, &kubectl, &selector, PATIENCE));
                replaced.inspect_err(|_| {
                    let more = pods.len() - done - 1;
                    session.ui.say(&format!("stopped at pod {pod}: {done} before it are new and ready, {more} after it run as before; lain restart does all again"));
                })?;
            }
        } else {
            kubectl.begin_to_delete_pods(&pods)?;
            if self.wait {
                rollout::follow(&session.ui, &kubectl, &selector, PATIENCE)?;
            }
        }
        session.ui.done(&format!("restarted {release}"));
        Ok(())
    }
}
