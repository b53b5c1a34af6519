//! `lain x`: a command in a running pod.

use clap::Args;

use super::Command;
use crate::cluster::objects::Pod;
use crate::cluster::{absent, look};
use crate::error::{Error, Result};
use crate::model::app::ProcKind;
use crate::model::name::{is_label, nearest};
use crate::session::Session;
use crate::tools::kubectl::Kubectl;

/// Run a command in a running pod; its exit code is ours
#[derive(Args, Debug)]
#[command(
    after_help = "  lain x                 # bash, or sh\n  lain x web env\n  lain x worker python3 manage.py shell\n  lain x -- ls -la       # where no proc is named\n  lain x -c mesh web     # another container of the pod"
)]
pub struct X {
    /// Another container than the proc's own; stands before the proc
    #[arg(short = 'c', long, value_name = "NAME")]
    container: Option<String>,
    /// The proc, and the command; without a proc the deployment with most memory, without a command bash (or sh)
    #[arg(trailing_var_arg = true, value_names = ["PROC", "COMMAND"], num_args = 0..)]
    words: Vec<String>,
}

impl Command for X {
    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let kubectl = session.kubectl()?;
        let release = app.release();
        let running = |proc: &str| look::running(&kubectl, &look::of_proc(release, proc));
        let is_proc = |word: &str| -> Result<bool> {
            Ok(app.procs().any(|(_, name, _)| name == word) || is_label(word) && !running(word)?.is_empty())
        };
        let (proc, command) = match &self.words[..] {
            [first, rest @ ..] if is_proc(first)? => (first.as_str(), rest),
            [word] if let Some(near) = nearest(word, app.procs().map(|(_, name, _)| name)) => {
                return Err(Error::usage(format!("there is no proc `{word}`")).hint(format!("lain x {near}")));
            }
            words => {
                let proc =
                    app.largest_deployment().ok_or_else(|| Error::usage("the app has no deployment to go into").hint("lain x PROC"))?;
                if let [first, ..] = words {
                    session.ui.say(&format!("`{first}` is no proc of the app: it is run as a command in {proc}"));
                }
                (proc, words)
            }
        };
        let (pod, container) = self.choose(session, &kubectl, proc, running(proc)?)?;
        let tty = session.ui.has_terminal();
        let words: Vec<&str> = command.iter().skip_while(|word| *word == "--").map(String::as_str).collect();
        let code = if words.is_empty() {
            kubectl.shell(&pod, &container, tty).map_err(|error| error.hint(format!("lain x {proc} PROGRAM # one that the image has")))?
        } else {
            kubectl.exec(&pod, &container, tty, &words)?
        };
        if code == 0 { Ok(()) } else { Err(Error::child(code)) }
    }
}

impl X {
    /// The pod and the container to go into: where it runs, and where it serves before where it does not.
    fn choose(&self, session: &Session, kubectl: &Kubectl<'_>, proc: &str, pods: Vec<Pod>) -> Result<(String, String)> {
        let release = session.app()?.release();
        let mut found = vec![];
        for pod in &pods {
            let container = self.container_of(pod, proc)?;
            let status = pod.status.container_statuses.iter().find(|status| status.name == container);
            if status.is_none_or(|status| status.state.waiting.is_none() && status.state.terminated.is_none()) {
                found.push((pod, container));
            }
        }
        if let Some((pod, container)) = found.into_iter().max_by_key(|(pod, _)| pod.is("Ready")) {
            return Ok((pod.metadata.name.clone(), container));
        }
        let kind = session.app()?.procs().find(|(_, name, _)| *name == proc).map(|(kind, _, _)| kind);
        let why = match kind {
            Some(ProcKind::CronJob) => {
                Error::failed("its container is there only while the cronjob runs").hint(format!("lain create-job {proc} # runs it now"))
            }
            Some(kind @ (ProcKind::Job | ProcKind::Test)) => {
                let error = Error::failed(format!("its container is there only while the {} runs", kind.resource()));
                error.hint("lain job --help # a command in a pod of its own, with the image that is deployed")
            }
            _ => absent::why(kubectl, &look::selector(&session.app()?.appname, release), release, Some(proc))?,
        };
        let why = if pods.is_empty() { why } else { why.hint(format!("lain logs {proc} --no-follow")) };
        Err(why.context(format!("no pod of {release}-{proc} is running")).hint("lain status -s"))
    }

    fn container_of(&self, pod: &Pod, proc: &str) -> Result<String> {
        let names: Vec<&str> = pod.spec.containers.iter().map(|it| it.name.as_str()).collect();
        let Some(wanted) = &self.container else {
            // As kubectl chooses, where the chart is another than lain's.
            let marked = pod.metadata.annotation("kubectl.kubernetes.io/default-container").filter(|name| names.contains(name));
            let other = if names.contains(&proc) { None } else { marked.or(names.first().copied()) };
            return Ok(other.unwrap_or(proc).to_owned());
        };
        if names.contains(&wanted.as_str()) {
            return Ok(wanted.clone());
        }
        let error = Error::usage(format!("pod {} has no container `{wanted}`; it has {}", pod.metadata.name, names.join(", ")));
        let near = nearest(wanted, names.iter().copied()).or(names.first().copied()).unwrap_or(proc);
        Err(error.hint(format!("lain x -c {near} {proc}")))
    }
}
