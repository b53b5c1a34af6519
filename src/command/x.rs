//! `lain x`: a command in a running pod.

use clap::Args;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::model::app::{App, ProcKind};
use crate::session::Session;
use crate::ui::{Format, TEXT};

/// Run a command in a running pod; its exit code is ours
#[derive(Args, Debug)]
#[command(after_help = "  lain x                 # bash, or sh\n  lain x web -- env\n  lain x worker -- python3 manage.py shell")]
pub struct X {
    /// The proc; without one, the deployment with most memory
    proc: Option<String>,
    /// The command; bash (or sh) without one
    #[arg(last = true)]
    command: Vec<String>,
}

impl X {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        TEXT
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let proc = match &self.proc {
            Some(proc) => proc.as_str(),
            None => largest(app).ok_or_else(|| Error::usage("the app has no deployment to go into").hint("lain x PROC"))?,
        };
        let kubectl = session.kubectl()?;
        let instance = format!("{}-{proc}", app.release());
        let running = kubectl.question(["get", "pods", "--output", "json", "--field-selector", "status.phase=Running"]);
        let running = running.option("--selector", format!("app.kubernetes.io/instance={instance}"));
        let list: Json = kubectl.answer(&running)?;
        let pods = list["items"].as_array().into_iter().flatten();
        let pod =
            pods.into_iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null()).and_then(|pod| pod["metadata"]["name"].as_str());
        let pod = pod.ok_or_else(|| Error::failed(format!("no pod of {instance} is running")).hint("lain status -s"))?;
        let tty = session.ui.has_terminal();
        let start = |words: &[&str]| {
            kubectl
                .call(["exec", if tty { "-it" } else { "-i" }])
                .operand(pod)
                .option("--container", proc)
                .end_of_options()
                .command(words)
                .interact()
        };
        let words: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let code = if words.is_empty() {
            match start(&["bash"])? {
                126 | 127 => start(&["sh"])?, // no bash in this image
                code => code,
            }
        } else {
            start(&words)?
        };
        if code == 0 { Ok(()) } else { Err(Error::child(code)) }
    }
}

/// The deployment with the largest memory limit; the first of equals.
fn largest(app: &App) -> Option<&str> {
    let memory =
        |resources: &Option<Json>| resources.as_ref().and_then(|resources| bytes(resources["limits"]["memory"].as_str()?)).unwrap_or(0);
    let mut best: Option<(&str, u64)> = None;
    for (_, name, proc) in app.procs().filter(|(kind, _, _)| *kind == ProcKind::Deployment) {
        let size = memory(&proc.resources);
        if best.is_none_or(|(_, most)| size > most) {
            best = Some((name, size));
        }
    }
    best.map(|(name, _)| name)
}

/// A memory quantity in bytes.
fn bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().ok()?;
    let unit: u64 = match &text[split..] {
        "" => 1,
        "k" => 1000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "G" => 1_000_000_000,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}
