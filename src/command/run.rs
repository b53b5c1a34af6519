//! `lain run`: a container of the app's image, to look at what was built.

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::images;
use crate::model::app::App;
use crate::model::proc::Proc;
use crate::session::Session;

/// Run a command in a container of the app's image; its exit code is ours
#[derive(Args, Debug)]
#[command(
    after_help = "  lain run                        # bash, or sh\n  lain run cat treasure.txt\n  lain run --proc web             # that proc's own command"
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
    #[arg(trailing_var_arg = true)]
    command: Vec<String>,
}

impl Command for Run {
    fn run(self, session: &Session) -> Result<()> {
        let docker = session.docker()?;
        docker.check()?;
        let app = session.app()?;
        let proc = match &self.proc {
            Some(name) => {
                let found = app.procs().find(|(_, known, _)| *known == name);
                let known: Vec<&str> = app.procs().map(|(_, known, _)| known).collect();
                let unknown = || Error::usage(format!("there is no proc `{name}`")).hint(format!("lain run --proc {}", known.join("|")));
                Some(found.ok_or_else(unknown)?.2)
            }
            None => None,
        };
        let image = match proc.and_then(|proc| proc.image.as_deref()) {
            Some(image) => image.to_owned(),
            None => self.own_image(session, app, proc)?,
        };
        if !docker.has_image(&image)? {
            docker.pull(&image).map_err(|error| error.hint("lain build # makes it here"))?; // docker run would, without a word of lain's
        }
        let mut command = self.command.clone();
        if let Some(proc) = proc.filter(|_| command.is_empty()) {
            command = proc.command.iter().flatten().map(|word| word.0.clone()).collect();
        }
        let start = |words: &[String]| docker.run(&image, self.user.as_deref(), session.ui.has_terminal(), words);
        let code = if command.is_empty() {
            match start(&["bash".to_owned()])? {
                127 => start(&["sh".to_owned()])?, // no bash in this image
                code => code,
            }
        } else {
            start(&command)?
        };
        match code {
            0 => Ok(()),
            125 => {
                // Docker's own code for what is no command's fault.
                let error = docker.explain(Error::failed("docker could not run the command, and says why above"), "");
                Err(error.or_hint(format!("docker image inspect {image} # is it all right?")))
            }
            127 if app.procs().any(|(_, name, _)| [name] == self.command[..]) => {
                // The older tool's help said that this runs the process.
                let name = &self.command[0];
                session.ui.hint(&format!("lain run --proc {name} # the command of that proc"));
                Err(Error::child(code))
            }
            code => Err(Error::child(code)),
        }
    }
}

impl Run {
    /// What a pod of the proc runs; without one, the app's own image.
    fn own_image(&self, session: &Session, app: &App, proc: Option<&Proc>) -> Result<String> {
        let name = proc.and_then(|proc| proc.build.as_deref());
        let has_no_image = app.build.is_none() && name.is_none();
        if let Some(first) = app.builds.iter().flatten().next().map(|(first, _)| first).filter(|_| has_no_image) {
            let runs = app.procs().find(|(_, _, proc)| proc.build.is_some()).map(|(_, name, _)| name);
            return Err(Error::usage(format!("the app builds several images (`{first}`...), and none of its own"))
                .hint(format!("lain run --proc {}", runs.unwrap_or("PROC"))));
        }
        let repository = images::plan(session, name)?.repository(session)?;
        let tag = match proc.and_then(|proc| proc.image_tag.as_deref()) {
            _ if self.prepare => "prepare",
            Some(tag) => tag,
            None => session.image_tag()?,
        };
        Ok(format!("{repository}:{tag}"))
    }
}
