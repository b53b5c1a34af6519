//! git, through its command line.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::{Call, Captured};
use crate::error::{Error, Result};
use crate::files;
use crate::model::tag::{NO_GIT_TAG, commit_tag};
use crate::model::text::bounded;
use crate::ui::{Ui, printable};

/// Most characters of a commit's subject or author.
const LONGEST: usize = 200;
/// Most characters of a remote's address.
const LONGEST_URL: usize = 500;
/// What a repository's own configuration may not have run while lain only looks: a monitor of files (`status`, `ls-files`), hooks.
const QUIET: [&str; 2] = ["core.fsmonitor=false", "core.hooksPath=/dev/null"];
/// A bare repository that lies inside of another as plain files is none of the user's, and its configuration is a stranger's (git's documentation of
/// `safe.bareRepository`).
const NOT_INSIDE: &str = "safe.bareRepository=explicit";

/// git in one folder.
#[derive(Debug)]
pub(crate) struct Git<'a> {
    ui: &'a Ui,
    dir: &'a Path,
}

/// What a commit says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commit {
    /// 40 hex digits, 64 in a SHA-256 repository.
    pub sha: String,
    /// Seconds since 1970, the committer's.
    pub time: String,
    /// First line of the message; may hold anything, print it with [`crate::ui::printable`].
    pub subject: String,
    /// Author's name.
    pub author: String,
}

impl Head {
    /// The tag for HEAD's images: `<commit unix time>-<sha>`, `latest` outside git and before the first commit.
    pub(crate) fn image_tag(&self) -> String {
        match self {
            Self::Commit(commit) => commit_tag(&commit.time, &commit.sha),
            Self::NoCommit | Self::NoRepository => NO_GIT_TAG.to_owned(),
        }
    }
}

/// What HEAD is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// A commit.
    Commit(Commit),
    /// A branch that has no commit yet.
    NoCommit,
    /// There is no repository.
    NoRepository,
}

/// Where a folder is in its work tree.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The work tree's top.
    pub top: PathBuf,
    /// The way down from the top, with a slash at the end; empty at the top.
    pub prefix: String,
    /// The `info/exclude` of this clone.
    pub exclude: PathBuf,
}

/// What [`commit_in`] reads.
const COMMIT: &str = "--format=%H%x00%ct%x00%an%x00%s";

/// What the hooks of a commit may take: they are the repository's own programs.
const HOOKS: Duration = Duration::from_secs(15 * 60);

impl<'a> Git<'a> {
    /// git in `dir`.
    pub(crate) fn new(ui: &'a Ui, dir: &'a Path) -> Self {
        Self { ui, dir }
    }

    fn call(&self) -> Call<'a> {
        let call = Call::new(self.ui, "git").dir(self.dir).env("LC_ALL", "C");
        let is_in_another = files::repository_of(self.dir).is_some();
        let settings = QUIET.into_iter().chain(is_in_another.then_some(NOT_INSIDE));
        let call = settings.fold(call, Call::setting);
        call.install_hint("apt-get install git # or your system's package").lookup()
    }

    /// HEAD, whatever branch, worktree or submodule this is.
    ///
    /// # Errors
    /// git is missing, refuses the folder (another owner), or cannot read the repository.
    pub(crate) fn head(&self) -> Result<Head> {
        let out = self.log("HEAD")?;
        if out.ok() {
            return Ok(Head::Commit(commit_in(&out.text())));
        }
        // Without LC_ALL=C these words would be translated.
        if out.stderr.contains("bad revision 'HEAD'") {
            return Ok(Head::NoCommit);
        }
        if out.stderr.contains("not a git repository (or any") {
            return self.broken_above().map_or(Ok(Head::NoRepository), Err);
        }
        Err(self.explain(&out.stderr))
    }

    /// One commit by any name git knows; none where it is not in this clone.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn commit(&self, revision: &str) -> Result<Option<Commit>> {
        let out = self.log(revision)?;
        Ok(out.ok().then(|| commit_in(&out.text())))
    }

    /// Of these commits the ones that this clone has, in any order.
    ///
    /// # Errors
    /// git is missing, or cannot read the repository.
    pub(crate) fn commits(&self, shas: &[&str]) -> Result<Vec<Commit>> {
        let which = ["--no-replace-objects", "log", "--no-walk=unsorted", "--ignore-missing", "--no-show-signature", COMMIT, "--stdin"];
        let out = self.call().args(which).stdin(shas.join("\n")).capture()?;
        if !out.ok() {
            return Err(self.explain(&out.stderr));
        }
        Ok(out.text().lines().map(commit_in).collect())
    }

    /// `git log -1`, as the commit was made: a `git replace` of one clone and a signature's check do not belong to it.
    fn log(&self, revision: &str) -> Result<Captured> {
        self.call().args(["--no-replace-objects", "log", "-1", "--no-show-signature", COMMIT]).operand(revision).end_of_options().capture()
    }

    /// True when tracked files differ from HEAD or untracked ones are not ignored; `except` is not looked at.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn is_dirty(&self, except: Option<&str>) -> Result<bool> {
        let except = except.map(|path| format!(":(exclude,literal){path}"));
        let out =
            self.call().args(["status", "--porcelain", "--untracked-files=normal"]).end_of_options().arg(".").operands(except).capture()?;
        Ok(out.ok() && !out.stdout.is_empty())
    }

    /// What differs from HEAD here and below: tracked files that are changed or gone, and files that nothing ignores; sorted, and relative to this
    /// folder. `except` is not looked at. Nothing where there is no commit.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn changes(&self, except: Option<&str>) -> Result<Vec<PathBuf>> {
        let except = except.map(|path| format!(":(exclude,literal){path}"));
        let tracked = ["diff", "--name-only", "-z", "--relative", "--no-renames", "--no-ext-diff", "HEAD"];
        let mut found = Vec::new();
        for which in [&tracked[..], &["ls-files", "-z", "--others", "--exclude-standard"]] {
            let call = self.call().args(which.iter().copied()).end_of_options().arg(".").operands(except.as_deref());
            let out = call.capture()?;
            if !out.ok() {
                return Ok(vec![]);
            }
            let paths = out.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
            found.extend(paths.map(|path| PathBuf::from(OsStr::from_bytes(path))));
        }
        found.sort();
        Ok(found)
    }

    /// Where this folder is in its work tree; none outside one.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn place(&self) -> Result<Option<Place>> {
        let out = self.call().args(["rev-parse", "--show-toplevel", "--show-prefix", "--git-path", "info/exclude"]).capture()?;
        let text = String::from_utf8_lossy(&out.stdout);
        let mut lines = text.lines();
        let (Some(top), Some(prefix), Some(exclude), true) = (lines.next(), lines.next(), lines.next(), out.ok()) else { return Ok(None) };
        Ok(Some(Place { top: top.into(), prefix: prefix.to_owned(), exclude: self.dir.join(exclude) }))
    }

    /// What git keeps here: tracked files, and files that nothing ignores; none outside a work tree.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn kept(&self) -> Result<Option<Vec<String>>> {
        self.list(&["--cached", "--others"])
    }

    /// What git ignores here: files and, with a slash at the end, whole folders; none outside a work tree.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn ignored(&self) -> Result<Option<Vec<String>>> {
        self.list(&["--others", "--ignored", "--directory"])
    }

    fn list(&self, which: &[&'static str]) -> Result<Option<Vec<String>>> {
        // Not the user's own excludes file: the same commit would make other images on another machine.
        let call =
            self.call().args(["-c", "core.excludesFile=/dev/null", "ls-files", "-z", "--exclude-standard"]).args(which.iter().copied());
        let out = call.capture()?;
        let paths = || out.stdout.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(out.ok().then(|| paths().map(|path| String::from_utf8_lossy(path).into_owned()).collect()))
    }

    /// The address of `origin`, without any credentials in it, cut where it is too long to be one; empty when there is none.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn remote_url(&self) -> Result<String> {
        let out = self.call().args(["remote", "get-url", "origin"]).capture()?;
        Ok(if out.ok() { bounded(&without_credentials(&out.text()), LONGEST_URL).into_owned() } else { String::new() })
    }

    /// True for a clone that has only the newest commits.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn is_shallow(&self) -> Result<bool> {
        Ok(self.call().args(["rev-parse", "--is-shallow-repository"]).capture()?.text() == "true")
    }

    /// True when git knows whose commits are made here.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn has_author(&self) -> Result<bool> {
        Ok(self.call().args(["var", "GIT_AUTHOR_IDENT"]).capture()?.ok())
    }

    /// True when one commit is among those before another; none where this clone does not have both.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn is_ancestor(&self, one: &str, of: &str) -> Result<Option<bool>> {
        let out = self.call().args(["--no-replace-objects", "merge-base", "--is-ancestor"]).operand(one).operand(of).capture()?;
        Ok(match out.code {
            0 => Some(true),
            1 => Some(false),
            _ => None,
        })
    }

    /// `git log --oneline FROM..TO`, newest first, at most `limit` lines; empty when a commit is unknown (shallow clone).
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn subjects_between(&self, from: &str, to: &str, limit: usize) -> Result<Vec<String>> {
        let range = format!("{from}..{to}");
        let call = self.call().args(["log", "--format=%h %an: %s", "--no-merges"]).option("--max-count", limit.to_string());
        let out = call.operand(range).end_of_options().capture()?;
        Ok(if out.ok() { String::from_utf8_lossy(&out.stdout).lines().map(shortened).collect() } else { vec![] })
    }

    /// The commits of `FROM..TO` without merges, newest first; none when this clone does not have one of them.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn commits_between(&self, from: &str, to: &str) -> Result<Option<Vec<Commit>>> {
        let call = self.call().args(["--no-replace-objects", "log", "--no-show-signature", "--no-merges", COMMIT]);
        let out = call.operand(format!("{from}..{to}")).end_of_options().capture()?;
        Ok(out.ok().then(|| String::from_utf8_lossy(&out.stdout).lines().map(commit_in).collect()))
    }

    /// What to type for commits that this clone does not have.
    pub(crate) fn how_to_fetch(&self) -> &'static str {
        if self.is_shallow().unwrap_or(false) {
            "git fetch --unshallow # this clone has only the newest commits"
        } else {
            "git fetch --all"
        }
    }

    /// Those of the paths that git knows.
    ///
    /// # Errors
    /// git is missing or refuses.
    pub(crate) fn tracked(&self, paths: &[String]) -> Result<Vec<String>> {
        if paths.is_empty() {
            return Ok(vec![]);
        }
        let paths = paths.iter().map(String::as_str);
        let out = self.call().args(["ls-files", "-z"]).end_of_options().operands(paths).lookup().capture()?;
        if !out.ok() {
            return Err(self.explain(&out.stderr));
        }
        Ok(String::from_utf8_lossy(&out.stdout).split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
    }

    /// Commits exactly these paths and nothing else that may be staged.
    ///
    /// # Errors
    /// git is missing or refuses.
    pub(crate) fn commit_only(&self, paths: &[&str], message: &str) -> Result<()> {
        let git = || Call::new(self.ui, "git").dir(self.dir);
        git().arg("add").end_of_options().operands(paths).run()?;
        let clean = git().lookup().args(["diff", "--cached", "--quiet"]).end_of_options().operands(paths).capture()?.ok();
        if clean {
            self.ui.say("nothing to commit: the chart is as it was");
            return Ok(());
        }
        git().args(["commit", "--only"]).option("--message", message).end_of_options().operands(paths).timeout(HOOKS).run()
    }

    /// A `.git` here or above that git passes over, because it is no repository.
    fn broken_above(&self) -> Option<Error> {
        let folder = files::repository_of(self.dir)?;
        let place = folder.join(".git");
        // git may have been told not to look this far up (GIT_CEILING_DIRECTORIES, another file system): then there is none.
        let answers = Git::new(self.ui, folder).call().args(["rev-parse", "--git-dir"]).capture();
        (!answers.is_ok_and(|out| out.ok())).then(|| {
            Error::failed(format!("{} is there, but git finds no repository in it", place.display()))
                .hint(format!("ls -la {} # a fresh clone mends it", quoted(&place)))
        })
    }

    fn explain(&self, stderr: &str) -> Error {
        let here = self.dir.display();
        if stderr.contains("dubious ownership") {
            // git's own advice names the repository's top, which may be far above.
            let advice = stderr.lines().map(str::trim).find(|line| line.starts_with("git config "));
            let advice = advice.map_or_else(|| format!("git config --global --add safe.directory {}", quoted(self.dir)), str::to_owned);
            return Error::failed(format!("git does not trust {here}: it belongs to another user")).hint(advice);
        }
        if stderr.contains("not a git repository (or any") {
            return Error::failed(format!("{here} is in no git repository"));
        }
        let fatal = stderr.lines().find_map(|line| line.strip_prefix("fatal: ")).unwrap_or(stderr.trim());
        let error = Error::failed(format!("git cannot read HEAD of {here}: {}", printable(fatal)));
        if fatal.starts_with("not a git repository: ") {
            return error.hint("cat .git; env | grep ^GIT_ # one of them points to a repository that is not here");
        }
        error.hint(format!("git -C {} fsck # what is damaged; a fresh clone mends it", quoted(self.dir)))
    }
}

fn commit_in(line: &str) -> Commit {
    let mut parts = line.splitn(4, '\0').map(str::to_owned);
    let mut part = || parts.next().unwrap_or_default();
    Commit { sha: part(), time: part(), author: shortened(&part()), subject: shortened(&part()) }
}

/// What a commit says of itself is as long as its author likes.
fn shortened(line: &str) -> String {
    bounded(line, LONGEST).into_owned()
}

fn quoted(path: &Path) -> String {
    super::quote::quoted(&path.to_string_lossy())
}

/// `https://user:token@host/x` without `user:token@`, as GitLab's job clones have it.
pub(crate) fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_leave_the_url() {
        assert_eq!(without_credentials("https://gitlab-ci-token:abc@git.example.com/a/b.git"), "https://git.example.com/a/b.git");
        assert_eq!(without_credentials("git@git.example.com:a/b.git"), "git@git.example.com:a/b.git");
    }
}
