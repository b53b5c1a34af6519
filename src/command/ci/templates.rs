//! `lain ci templates`: the pipeline templates of this version, for a project that others include them from.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::files;
use crate::pipeline::forms;
use crate::session::Session;

/// Write the pipeline templates of this version into a folder
#[derive(Args, Debug)]
#[command(
    after_help = "  lain ci templates ci-templates --image registry.example.com/lain:5.0.0\n  lain ci templates . --form component   # a project for include:component"
)]
pub(super) struct Templates {
    /// Where to
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// What they are included by
    #[arg(long, value_enum, default_value_t)]
    form: Form,
    /// The image that jobs run in where the one who includes them names none
    #[arg(long, value_name = "IMAGE", default_value = forms::IMAGE)]
    image: String,
    /// Write over files that say something else
    #[arg(long)]
    force: bool,
}

/// What GitLab's `include` is given.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Form {
    /// Files that stand alone, for `include:project`, `include:remote` and `include:local`
    #[default]
    Flat,
    /// A project for `include:component`
    Component,
}

impl Templates {
    pub(super) fn run(self, session: &Session) -> Result<()> {
        let folder = &self.folder;
        if !self.image.chars().all(|c| c.is_ascii_alphanumeric() || "._/:@${}-".contains(c)) || self.image.is_empty() {
            return Err(Error::usage(format!("`{}` is no image", self.image)).hint("--image registry.example.com/lain:5.0.0"));
        }
        let files = match self.form {
            Form::Flat => forms::flat(&self.image),
            Form::Component => forms::component(&self.image),
        };
        let others: Vec<String> = files
            .iter()
            .filter(|file| fs::read(folder.join(&file.path)).is_ok_and(|text| text != file.text.as_bytes()))
            .map(|file| folder.join(&file.path).display().to_string())
            .collect();
        if let (Some(first), false) = (others.first(), self.force) {
            let more = if others.len() > 1 { format!(" and {} more say", others.len() - 1) } else { " says".to_owned() };
            return Err(Error::refused(format!("{first}{more} something else; nothing was changed"))
                .hint("the same with --force # writes over them; git diff shows what changed"));
        }
        for file in &files {
            let path = folder.join(&file.path);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(|error| Error::io("make", parent, &error))?;
            files::write_new(&path, file.text.as_bytes())?;
        }
        session.ui.done(&format!("wrote {} files into {}", files.len(), folder.display()));
        Ok(())
    }
}
