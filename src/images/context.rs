//! What of the app's folder reaches an image build: what git keeps of it.
//!
//! That is every tracked file, ignored or not, and every file that no `.gitignore` and no `.git/info/exclude` ignores. The user's own
//! excludes file (`core.excludesFile`) does not count: the same commit would make other images on another machine.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;
use crate::render::dockerignore::{Ignore, Place};
use crate::session::Session;
use crate::tools::git::Git;
use crate::ui::Ui;

/// The `.dockerignore` for the app's folder, from the `.gitignore` files in it and above it.
///
/// # Errors
/// A `.gitignore` cannot be read; git is missing where there is a repository.
pub(crate) fn ignore(session: &Session) -> Result<Ignore> {
    let mut found = Found { ui: &session.ui, top: &session.dir, ignore: Ignore::default(), kept: vec![], ignored: vec![] };
    let in_git = files::repository_of(&session.dir).is_some();
    let asked = in_git && found.repository("")?;
    found.folder("")?;
    if asked {
        found.ignore.settle(&found.kept, &found.ignored, |folder| files(&session.dir, folder));
    } else {
        found.ignore.settle_alone();
    }
    Ok(found.ignore)
}

struct Found<'a> {
    ui: &'a Ui,
    top: &'a Path,
    ignore: Ignore,
    kept: Vec<String>,
    ignored: Vec<String>,
}

impl Found<'_> {
    /// A repository's `info/exclude`, the `.gitignore` files above the folder, and git's own word on what is in it; false where git
    /// does not answer.
    fn repository(&mut self, folder: &str) -> Result<bool> {
        let dir = self.top.join(folder);
        let git = Git::new(self.ui, &dir);
        let Some(place) = git.place()? else { return Ok(false) };
        if let Some(text) = text(&place.exclude)? {
            let at = if folder.is_empty() { Place::Above(&place.prefix) } else { Place::Below(folder) };
            self.ignore.add_gitignore(&text, at);
        }
        for (at, _) in place.prefix.match_indices('/') {
            let (above, way) = place.prefix.split_at(place.prefix[..at].rfind('/').map_or(0, |slash| slash + 1));
            if let Some(text) = text(&place.top.join(above).join(".gitignore"))? {
                self.ignore.add_gitignore(&text, Place::Above(way));
            }
        }
        let below = |paths: Vec<String>| paths.into_iter().map(|path| joined(folder, &path)).collect::<Vec<_>>();
        let (Some(kept), Some(ignored)) = (git.kept()?, git.ignored()?) else { return Ok(false) };
        self.kept.extend(below(kept));
        self.ignored.extend(below(ignored));
        Ok(true)
    }

    /// The `.gitignore` of a folder, then those of the folders in it that are not left out.
    fn folder(&mut self, folder: &str) -> Result<()> {
        let dir = self.top.join(folder);
        // A submodule, or a repository that git does not look into: the rules outside do not hold in it.
        if !folder.is_empty() && dir.join(".git").exists() {
            self.ignore.send_all_below(folder);
            self.repository(folder)?;
        }
        if let Some(text) = text(&dir.join(".gitignore"))? {
            self.ignore.add_gitignore(&text, Place::Below(folder));
        }
        let Ok(entries) = fs::read_dir(&dir) else { return Ok(()) }; // docker names the folder where it has to read it
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> = folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        for name in names.iter().filter(|name| *name != ".git") {
            let path = joined(folder, name);
            if !self.ignore.leaves_out_folder(&path).surely() {
                self.folder(&path)?;
            }
        }
        Ok(())
    }
}

/// The files below a folder; a link is one.
fn files(top: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(top.join(folder)).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| {
        let path = joined(folder, &entry.file_name().to_string_lossy());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) { files(top, &path) } else { vec![path] }
    });
    below.collect()
}

fn joined(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// A file's text; none where there is no file. git does not follow a link here either.
fn text(path: &Path) -> Result<Option<String>> {
    if !fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
        return Ok(None);
    }
    fs::read(path).map(|bytes| Some(String::from_utf8_lossy(&bytes).into_owned())).map_err(|error| Error::io("read", path, &error))
}
