//! The user's editor on a private file.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::call::Call;
use crate::cli::env::Env;
use crate::error::{Error, Result};
use crate::ui::Ui;

/// A text being edited: 0600 in a 0700 folder that is removed when this is dropped, signals included.
#[derive(Debug)]
pub struct Draft {
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Draft {
    /// Writes the text to a private file.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    pub fn new(name: &str, text: &str) -> Result<Self> {
        let private = fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new()
            .prefix("lain-")
            .permissions(private)
            .tempdir()
            .map_err(|error| Error::io("create", Path::new("a temporary folder"), &error))?;
        let path = dir.path().join(name);
        fs::write(&path, text)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o600)))
            .map_err(|error| Error::io("write", &path, &error))?;
        Ok(Self { dir: Some(dir), path })
    }

    /// Opens `$VISUAL`, `$EDITOR` or vi and waits for it.
    ///
    /// # Errors
    /// There is no editor, or it fails.
    pub fn edit(&self, ui: &Ui, env: &Env) -> Result<()> {
        let editor = env.get("VISUAL").or_else(|| env.get("EDITOR")).unwrap_or("vi");
        let words = shell_words::split(editor).map_err(|_| Error::usage(format!("EDITOR: `{editor}` has an open quote")))?;
        let (program, args) = words.split_first().ok_or_else(|| Error::usage("EDITOR is empty"))?;
        let call = Call::new(ui, program)
            .command(args)
            .command([&self.path])
            .install_hint("export EDITOR=nano # or another editor that is installed")
            .lookup();
        match call.interact()? {
            0 => Ok(()),
            code => Err(Error::failed(format!("the editor {program} ended with exit code {code}; nothing was applied"))),
        }
    }

    /// The text as it is now.
    ///
    /// # Errors
    /// The file is gone or is not UTF-8.
    pub fn text(&self) -> Result<String> {
        fs::read_to_string(&self.path).map_err(|error| Error::io("read", &self.path, &error))
    }

    /// Keeps the file, so that nothing the user wrote is lost, and says where.
    ///
    /// # Errors
    /// It was kept already.
    pub fn keep(&mut self) -> Result<PathBuf> {
        self.dir.take().map(TempDir::keep).ok_or_else(|| Error::failed("the draft was kept already"))?;
        Ok(self.path.clone())
    }
}
