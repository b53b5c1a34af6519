//! `lain x`: a command in a running pod.

use clap::Args;

use super::Command;
use crate::cluster::look;
use crate::error::{Error, Result};
use crate::model::name::{is_label, nearest};
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
                let proc =
                    app.largest_deployment().ok_or_else(|| Error::usage("the app has no deployment to go into").hint("lain x PROC"))?;
                if let [first, ..] = words {
                    session.ui.say(&format!("`{first}` is no proc of the app: it is run as a command in {proc}"));
                }
                (proc, words)
            }
        };
        let running = running(proc)?;
        let pod = running.ok_or_else(|| Error::failed(format!("no pod of {release}-{proc} is running")).hint("lain status -s"))?;
        let tty = session.ui.has_terminal();
        let words: Vec<&str> = command.iter().skip_while(|word| *word == "--").map(String::as_str).collect();
        let code = if words.is_empty() {
            kubectl.shell(&pod.metadata.name, proc, tty)?
        } else {
            kubectl.exec(&pod.metadata.name, proc, tty, &words)?
        };
        if code == 0 { Ok(()) } else { Err(Error::child(code)) }
    }
}
