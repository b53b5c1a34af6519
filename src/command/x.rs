//! `lain x`: a command in a running pod.

use clap::Args;

use super::Command;
use crate::cluster::look;
use crate::error::{Error, Result};
use crate::model::app::{App, ProcKind};
use crate::model::proc::Proc;
use crate::model::quantity::Quantity;
use crate::session::Session;

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

impl Command for X {
    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let proc = match &self.proc {
            Some(proc) => proc.as_str(),
            None => largest(app).ok_or_else(|| Error::usage("the app has no deployment to go into").hint("lain x PROC"))?,
        };
        let kubectl = session.kubectl()?;
        let release = app.release();
        let running = look::running(&kubectl, &look::of_proc(release, proc))?;
        let pod = running.ok_or_else(|| Error::failed(format!("no pod of {release}-{proc} is running")).hint("lain status -s"))?;
        let tty = session.ui.has_terminal();
        let start = |words: &[&str]| kubectl.exec(&pod.metadata.name, proc, tty, words);
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
    let memory = |proc: &Proc| Quantity::of_json(&proc.resources.as_ref()?["limits"]["memory"]).ok();
    let mut best: Option<(&str, Option<Quantity>)> = None;
    for (_, name, proc) in app.procs().filter(|(kind, _, _)| *kind == ProcKind::Deployment) {
        let size = memory(proc);
        if best.is_none_or(|(_, most)| size > most) {
            best = Some((name, size));
        }
    }
    best.map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse;
    use std::path::Path;

    #[test]
    fn the_deployment_with_most_memory() {
        let chosen = |memories: &[(&str, &str)]| {
            let proc = |(name, memory): &(&str, &str)| format!("  {name}: {{resources: {{limits: {{memory: {memory}}}}}}}");
            let procs: Vec<String> = memories.iter().map(proc).collect();
            let node = parse(Path::new("values.yaml"), format!("appname: a\ndeployments:\n{}\n", procs.join("\n"))).expect("values");
            largest(&App::read(&node).expect("an app")).map(str::to_owned)
        };
        for memories in [
            [("big", "1Ti"), ("small", "900Gi")],
            [("big", "1.5Gi"), ("small", "1Gi")],
            [("big", "2e9"), ("small", "1G")],
            [("big", "1073741825"), ("small", "1Gi")],
            [("big", "1Gi"), ("small", "1Gi")],
        ] {
            assert_eq!(chosen(&memories).as_deref(), Some("big"), "{memories:?}");
            if memories[0].1 != memories[1].1 {
                let [big, small] = memories;
                assert_eq!(chosen(&[small, big]).as_deref(), Some("big"), "{memories:?}");
            }
        }
    }
}
