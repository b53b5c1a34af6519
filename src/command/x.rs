//! `lain x`: a command in a running pod.

use clap::Args;

use super::Command;
use crate::cluster::look;
use crate::error::{Error, Result};
use crate::model::app::{App, ProcKind};
use crate::model::name::{is_label, nearest};
use crate::model::proc::Proc;
use crate::model::quantity::Quantity;
use crate::session::Session;

/// Run a command in a running pod; its exit code is ours
#[derive(Args, Debug)]
#[command(
    after_help = "  lain x                 # bash, or sh\n  lain x web env\n  lain x worker python3 manage.py shell\n  lain x -- ls -la       # where no proc is named"
)]
pub struct X {
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
        let is_proc =
            |word: &str| -> Result<bool> { Ok(app.procs().any(|(_, name, _)| name == word) || is_label(word) && running(word)?.is_some()) };
        let (proc, command) = match &self.words[..] {
            [first, rest @ ..] if is_proc(first)? => (first.as_str(), rest),
            [word] if let Some(near) = nearest(word, app.procs().map(|(_, name, _)| name)) => {
                return Err(Error::usage(format!("there is no proc `{word}`")).hint(format!("lain x {near}")));
            }
            words => {
                let proc = largest(app).ok_or_else(|| Error::usage("the app has no deployment to go into").hint("lain x PROC"))?;
                if let [first, ..] = words {
                    session.ui.say(&format!("`{first}` is no proc of the app: it is run as a command in {proc}"));
                }
                (proc, words)
            }
        };
        let running = running(proc)?;
        let pod = running.ok_or_else(|| Error::failed(format!("no pod of {release}-{proc} is running")).hint("lain status -s"))?;
        let tty = session.ui.has_terminal();
        let start = |words: &[&str]| kubectl.exec(&pod.metadata.name, proc, tty, words);
        let words: Vec<&str> = command.iter().skip_while(|word| *word == "--").map(String::as_str).collect();
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
