//! `lain logs`: what the app says.

use clap::Args;

use super::Command;
use crate::cluster::look;
use crate::cluster::objects::Pod;
use crate::error::{Error, Result};
use crate::model::app::ProcKind;
use crate::model::name::nearest;
use crate::release::links;
use crate::session::Session;
use crate::tools::call::Call;
use crate::tools::kubectl::Kubectl;
use crate::tools::pulse::Pulse;

/// Follow the log of a proc, or of all
#[derive(Args, Debug)]
#[command(after_help = "  lain logs\n  lain logs web --tail 50\n  lain logs web --previous   # of the container that crashed")]
pub struct Logs {
    /// The proc; all without one
    proc: Option<String>,
    /// How many lines to start from; -1 for all
    #[arg(long, default_value_t = 200, value_name = "LINES", allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..))]
    tail: i64,
    /// Print what there is and end
    #[arg(long)]
    no_follow: bool,
    /// Of the containers before the last restart
    #[arg(long)]
    previous: bool,
    /// Use stern
    #[arg(long, conflicts_with = "previous")]
    stern: bool,
    /// Print the Kibana link instead
    #[arg(long)]
    kibana: bool,
}

impl Command for Logs {
    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let release = app.release();
        let kibana = links::kibana(app, session.cluster()?);
        if self.kibana {
            let link =
                kibana.ok_or_else(|| Error::failed("the cluster values name no kibana").hint("kibana: HOST # in values-CLUSTER.yaml"))?;
            return session.ui.result(&link);
        }
        let mut selector = look::selector(&app.appname, release);
        if let Some(name) = &self.proc {
            let Some((kind, _, _)) = app.procs().find(|(_, known, _)| known == name) else {
                let error = Error::usage(format!("there is no proc `{name}`"));
                return Err(match nearest(name, app.procs().map(|(_, known, _)| known)) {
                    Some(near) => error.hint(format!("lain logs {near}")),
                    None => error.hint("lain values"),
                });
            };
            if matches!(kind, ProcKind::Job | ProcKind::CronJob) {
                let link = kibana.map_or_else(String::new, |link| format!(": {link}"));
                session
                    .ui
                    .say(&format!("containers of a {} go soon after they end; older logs are in your log system{link}", kind.resource()));
            }
            selector = look::of_proc(release, name);
        }
        if self.stern {
            let call = Call::new(&session.ui, "stern").option("--selector", selector);
            let call = session.target()?.flags("--context", call.option("--tail", self.tail.to_string()));
            let call = call.install_hint("https://github.com/stern/stern, or leave --stern away");
            return finish(watched(session, &session.kubectl()?, &call)?);
        }
        let kubectl = session.kubectl()?;
        if self.no_follow || self.previous {
            return self.once(session, &kubectl, &selector);
        }
        finish(watched(session, &kubectl, &kubectl.follow_logs(&selector, self.tail))?)
    }
}

impl Logs {
    /// Pod by pod: before kubectl 1.21 one pod that is going ends `kubectl logs -l` for all, whatever `--ignore-errors` says.
    fn once(&self, session: &Session, kubectl: &Kubectl<'_>, selector: &str) -> Result<()> {
        let found = look::pods(kubectl, selector)?;
        let pods: Vec<&Pod> = found.iter().filter(|pod| !pod.metadata.is_leaving()).collect();
        if pods.is_empty() {
            return Err(Error::failed("there are no pods to read logs of").hint("lain status -s"));
        }
        let calls: Vec<Call<'_>> = if self.previous {
            // kubectl ends at the first container that has none.
            let ended = |pod: &&Pod| {
                pod.status.container_statuses.iter().filter(|it| it.restart_count > 0).map(|it| it.name.clone()).collect::<Vec<_>>()
            };
            let ended: Vec<(&str, String)> =
                pods.iter().flat_map(|pod| ended(pod).into_iter().map(|container| (pod.metadata.name.as_str(), container))).collect();
            ended.iter().map(|(pod, container)| kubectl.previous_log(pod, container, self.tail, ended.len() > 1)).collect()
        } else {
            pods.iter().map(|pod| kubectl.pod_log(&pod.metadata.name, self.tail, pods.len() > 1)).collect()
        };
        if calls.is_empty() {
            return Err(Error::failed("no container has ended and been started again: there is no earlier log").hint("lain logs"));
        }
        let mut outcome = 0;
        for call in calls {
            match watched(session, kubectl, &call)? {
                0 => {}
                code => outcome = code,
            }
        }
        finish(outcome)
    }
}

/// Runs what reads logs, and asks the API server on the side whether it is still there: a log that says nothing looks like one whose server hangs.
fn watched(session: &Session, kubectl: &Kubectl<'_>, call: &Call<'_>) -> Result<i32> {
    Pulse::beside(
        &session.ui,
        kubectl,
        || (),
        |pulse| {
            call.show_while(|| match pulse.is_gone() {
                Some(silent) => {
                    Err(Error::failed(format!("the API server has not answered for {} s; the log was ended", silent.as_secs()))
                        .hint("lain logs # once it is back")
                        .hint("kubectl get --raw /readyz # is it well?"))
                }
                None => Ok(()),
            })
        },
    )
}

fn finish(code: i32) -> Result<()> {
    match code {
        0 => Ok(()),
        code if code > 128 => Err(Error::child(code)),
        code => Err(Error::failed(format!("the log ended with exit code {code}"))
            .hint("lain logs PROC # one proc has fewer streams")
            .hint("lain status -s")),
    }
}
