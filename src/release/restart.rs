//! New pods from the same template, for what is meant to run for ever: a Job's pod would do its work a second time, or none at all.

use std::time::{Duration, Instant};

use super::{deadline, rollout};
use crate::cluster::follow::PAUSE;
use crate::cluster::look;
use crate::cluster::objects::{Metadata, Pod};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::model::app::{App, ProcKind};
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::may_pass;
use crate::ui::printable;

/// The longest for one pod to go, and for everything to be ready again.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is to be restarted, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Only these procs; all where none is named.
    pub procs: Vec<String>,
    /// In place of the app, what these select.
    pub selectors: Vec<String>,
    /// One pod at a time, each after the one before is ready again.
    pub graceful: bool,
    /// Wait until everything is ready.
    pub wait: bool,
}

/// Deletes the pods of Deployments and `StatefulSet`s, so that Kubernetes makes new ones. Returns the release, or what selects them.
///
/// # Errors
/// There is no such proc or no such pod, the server refuses, or what is waited for does not become ready.
pub(crate) fn restart(session: &Session, wanted: &Wanted) -> Result<String> {
    session.require_cluster()?;
    let kubectl = &session.kubectl()?;
    let (release, selectors) = if wanted.selectors.is_empty() {
        let app = session.app()?;
        refuse_unknown(app, &wanted.procs)?;
        (app.release().to_owned(), vec![look::selector(&app.appname, app.release())])
    } else {
        (format!("what {} selects", wanted.selectors.join(" and ")), wanted.selectors.clone())
    };
    let is_asked_for = |pod: &Pod| wanted.procs.is_empty() || wanted.procs.iter().any(|name| pod.belongs_to(&release, name));
    let runs = |pod: &Pod| pod.is_for_ever() && !pod.is_over() && !pod.metadata.is_leaving();
    let mut pods: Vec<(Metadata, &str)> = Vec::new();
    for selector in &selectors {
        for pod in look::pods(kubectl, selector)?.into_iter().filter(|pod| is_asked_for(pod) && runs(pod)) {
            if pods.iter().all(|(known, _)| known.name != pod.metadata.name) {
                pods.push((pod.metadata, selector));
            }
        }
    }
    if pods.is_empty() {
        return Err(Error::failed("no pods to restart").hint("lain status -s"));
    }
    if wanted.graceful || wanted.wait {
        deadline::require(session, Duration::ZERO)?;
    }
    if wanted.graceful {
        for (done, (metadata, selector)) in pods.iter().enumerate() {
            let pod = &metadata.name;
            session.ui.say(&format!("pod {} of {}: waiting until {pod} has ended, then until everything is ready", done + 1, pods.len()));
            let replaced = kubectl
                .begin_to_delete_pods(&[pod])
                .and_then(|()| deadline::wait(session, PATIENCE, |patience| until_gone(session, kubectl, metadata, patience)))
                .and_then(|()| rollout::follow(session, kubectl, selector, PATIENCE));
            replaced.inspect_err(|_| {
                let more = pods.len() - done - 1;
                session.ui.say(&format!(
                    "stopped at pod {pod}: {done} before it are new and ready, {more} after it run as before; lain restart does all again"
                ));
            })?;
        }
    } else {
        kubectl.begin_to_delete_pods(&pods.iter().map(|(pod, _)| pod.name.as_str()).collect::<Vec<_>>())?;
        for selector in selectors.iter().filter(|_| wanted.wait) {
            rollout::follow(session, kubectl, selector, PATIENCE)?;
        }
    }
    Ok(release)
}

/// Waits until a pod that is being deleted is gone, or another has its name. A server that does not answer is looked at again.
fn until_gone(session: &Session, kubectl: &Kubectl<'_>, pod: &Metadata, patience: Duration) -> Result<()> {
    let end = Instant::now() + patience;
    let mut silent = None;
    loop {
        match kubectl.find("pod", &pod.name) {
            Ok(Some(found)) if found["metadata"]["uid"] == pod.uid.as_str() => silent = None,
            Ok(_) => return Ok(()),
            Err(error) if may_pass(&error) => {
                if silent.is_none() {
                    session.ui.say(&printable(&format!("cannot see whether {} has ended, looking on: {error}", pod.name)));
                }
                silent = Some(error);
            }
            Err(error) => return Err(error),
        }
        if Instant::now() >= end {
            let why = format!("pod {} has not ended after {} s", pod.name, patience.as_secs());
            return Err(match silent {
                Some(error) => error.context(format!("how it stands is not known: {why}")),
                None => Error::failed(why).hint(format!("kubectl describe pod {}", pod.name)),
            });
        }
        interrupt::sleep(PAUSE)?;
    }
}

/// Refuses names of nothing, and of what ends by itself.
fn refuse_unknown(app: &App, procs: &[String]) -> Result<()> {
    for name in procs {
        let kinds: Vec<ProcKind> = app.procs().filter(|(_, known, _)| known == name).map(|(kind, _, _)| kind).collect();
        if kinds.is_empty() {
            return Err(Error::usage(format!("there is no proc `{name}`")).hint("lain status -s"));
        }
        if !kinds.iter().any(|kind| matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet)) {
            return Err(Error::usage(format!("`{name}` ends by itself; only what runs for ever is restarted"))
                .hint("lain deploy # runs a job again"));
        }
    }
    Ok(())
}
