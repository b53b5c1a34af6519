//! `lain logs`: what the app says.

use clap::Args;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::model::app::ProcKind;
use crate::model::name::nearest;
use crate::release::links;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;

/// Most log streams kubectl follows at once.
const MAX_STREAMS: &str = "20";

/// Follow the log of a proc, or of all
#[derive(Args, Debug)]
#[command(after_help = "  lain logs\n  lain logs web --tail 50\n  lain logs web --previous   # of the container that crashed")]
pub struct Logs {
    /// The proc; all without one
    proc: Option<String>,
    /// How many lines to start from
    #[arg(long, default_value_t = 200, value_name = "LINES")]
    tail: u64,
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

impl Logs {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let release = app.release();
        let kibana = links::kibana(app, session.cluster()?);
        if self.kibana {
            let link =
                kibana.ok_or_else(|| Error::failed("the cluster values name no kibana").hint("kibana: HOST # in values-CLUSTER.yaml"))?;
            return session.ui.result(&link);
        }
        let mut selector = format!("app.kubernetes.io/name={},helm.sh/chart={release}", app.appname);
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
            selector = format!("app.kubernetes.io/instance={release}-{name}");
        }
        if self.stern {
            let call = crate::tools::call::Call::new(&session.ui, "stern").option("--selector", selector);
            let call = session.target()?.flags("--context", call.option("--tail", self.tail.to_string()));
            return finish(call.install_hint("https://github.com/stern/stern, or leave --stern away").show()?);
        }
        let tail = self.tail.to_string();
        let kubectl = session.kubectl()?;
        if self.no_follow || self.previous {
            return self.once(&kubectl, &selector, &tail);
        }
        // A pod that is just going must not end the log of the others.
        let call = kubectl.call(["logs", "--all-containers", "--ignore-errors", "--max-log-requests", MAX_STREAMS, "--follow"]);
        finish(call.option("--selector", selector).option("--tail", tail).show()?)
    }

    /// Pod by pod: before kubectl 1.21 one pod that is going ends `kubectl logs -l` for all, whatever `--ignore-errors` says.
    fn once(&self, kubectl: &Kubectl<'_>, selector: &str, tail: &str) -> Result<()> {
        let list: Json = kubectl.select("pods", selector)?;
        let staying = |pod: &&Json| pod["metadata"]["deletionTimestamp"].is_null();
        let pods: Vec<&str> =
            list["items"].as_array().into_iter().flatten().filter(staying).filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
        if pods.is_empty() {
            return Err(Error::failed("there are no pods to read logs of").hint("lain status -s"));
        }
        let mut outcome = 0;
        for pod in &pods {
            let mut call = kubectl.call(["logs", "--all-containers"]).operand(*pod).option("--tail", tail);
            if self.previous {
                call = call.arg("--previous");
            }
            if pods.len() > 1 {
                call = call.arg("--prefix");
            }
            match call.show()? {
                0 => {}
                code => outcome = code,
            }
        }
        finish(outcome)
    }
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
