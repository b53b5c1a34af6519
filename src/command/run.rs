//! `lain run`: a container of the app's image, to look at what was built.

use clap::Args;

use crate::error::{Error, Result};
use crate::images;
use crate::session::Session;

/// Run a command in a container of the app's image; its exit code is ours
#[derive(Args, Debug)]
#[command(
    after_help = "  lain run                        # bash, or sh\n  lain run -- cat treasure.txt\n  lain run --proc web             # that proc's own command"
)]
pub struct Run {
    /// Run this proc's command
    #[arg(short = 'c', long, value_name = "PROC", conflicts_with = "prepare")]
    proc: Option<String>,
    /// Use the prepare image
    #[arg(long)]
    prepare: bool,
    /// As this user
    #[arg(short = 'u', long, value_name = "UID")]
    user: Option<String>,
    /// The command; bash (or sh) without one
    #[arg(last = true)]
    command: Vec<String>,
}

impl Run {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let docker = session.docker()?;
        docker.check()?;
        let repository = images::plan(session, None)?.repository(session)?;
        let image = format!("{repository}:{}", if self.prepare { "prepare" } else { session.image_tag()? });
        if !docker.has_image(&image)? {
            session.ui.detail("the image is not on this docker daemon; docker run will pull it");
        }
        let mut command = self.command.clone();
        if let Some(name) = &self.proc {
            let app = session.app()?;
            let found = app.procs().find(|(_, known, _)| *known == name);
            let (_, _, proc) = found.ok_or_else(|| Error::usage(format!("there is no proc `{name}`")))?;
            if command.is_empty() {
                command = proc.command.iter().flatten().map(|word| word.0.clone()).collect();
            }
        }
        let start = |words: &[String]| {
            let tty = session.ui.has_terminal();
            let mut call = docker.call().arg("run").arg(if tty { "-it" } else { "-i" });
            if let Some(user) = &self.user {
                call = call.args(["--user", user]);
            }
            call.arg(&image).args(words.iter().cloned()).interact()
        };
        let code = if command.is_empty() {
            match start(&["bash".to_owned()])? {
                127 => start(&["sh".to_owned()])?, // no bash in this image
                code => code,
            }
        } else {
            start(&command)?
        };
        if code == 0 { Ok(()) } else { Err(Error::child(code)) }
    }
}
