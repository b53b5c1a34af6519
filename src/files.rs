//! Writing files all or nothing, removing generated ones whatever happens, and which files are the repository's own.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};

/// Most files of one chart.
const MOST_FILES: usize = 20_000;

/// Sees to it that the folder of a file that a flag names is there, before anything is done.
///
/// # Errors
/// It is not.
pub(crate) fn can_be_written(flag: &str, path: &Path) -> Result<()> {
    if path.is_dir() || path == Path::new("-") {
        let what = if path.is_dir() { "a folder" } else { "no file's name" };
        return Err(Error::usage(format!("{flag}: {} is {what}", path.display())).hint(format!("{flag} FILE # a file that is written")));
    }
    match path.parent().filter(|it| !it.as_os_str().is_empty() && !it.is_dir()) {
        Some(folder) => {
            let folder = folder.display();
            Err(Error::usage(format!("{flag}: there is no folder {folder}")).hint(format!("mkdir -p {folder}")))
        }
        None => Ok(()),
    }
}

/// Without `.` and `..`, by its words alone: the file may be gone.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut out, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
        out
    })
}

/// The top of the repository that a folder is in: the nearest with a `.git` of any kind, a broken one too (git stops there and says so).
pub(crate) fn repository_of(dir: &Path) -> Option<&Path> {
    dir.ancestors().find(|folder| fs::symlink_metadata(folder.join(".git")).is_ok())
}

/// The top of the repository that a folder is in; the folder itself where there is none.
pub(crate) fn top_of(dir: &Path) -> PathBuf {
    repository_of(dir).unwrap_or(dir).to_path_buf()
}

/// Refuses a file of the repository's that is a link out of it: whoever wrote the link chose a file of this machine for lain to read, show or send.
/// `shown` is how the user knows it, `also` are folders that links may lead to as well. What is not there is left to whoever needs it.
///
/// # Errors
/// It leads out; nothing of it was read.
pub(crate) fn stays_inside(dir: &Path, shown: &Path, also: &[PathBuf]) -> Result<()> {
    let Ok(real) = fs::canonicalize(dir.join(shown)) else { return Ok(()) };
    let within = |folder: &Path| fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder));
    if within(&top_of(dir)) || also.iter().any(|folder| within(folder)) {
        return Ok(());
    }
    Err(Error::refused(format!("{} leads out of the repository, to {}; it was not read", shown.display(), real.display()))
        .hint(format!("ls -l {} # and put a file in the place of the link", shell_words::quote(&shown.to_string_lossy()))))
}

/// As [`stays_inside`], for a folder and everything in it, links followed as helm follows them.
///
/// # Errors
/// Something in it leads out, or it holds more than `MOST_FILES` files.
pub(crate) fn all_stays_inside(dir: &Path, shown: &Path, also: &[PathBuf]) -> Result<()> {
    let mut seen = HashSet::new();
    let mut todo = vec![shown.to_path_buf()];
    while let Some(path) = todo.pop() {
        let full = dir.join(&path);
        let Ok(meta) = fs::symlink_metadata(&full) else { continue };
        if meta.is_symlink() {
            stays_inside(dir, &path, also)?;
        }
        let is_new = full.is_dir() && fs::canonicalize(&full).is_ok_and(|real| seen.insert(real));
        if !is_new {
            continue;
        }
        for entry in fs::read_dir(&full).map_err(|error| Error::io("read", &path, &error))? {
            todo.push(path.join(entry.map_err(|error| Error::io("read", &path, &error))?.file_name()));
        }
        if todo.len() > MOST_FILES {
            return Err(Error::failed(format!("{} holds more than {MOST_FILES} files, too many for a chart", shown.display()))
                .hint(format!("ls -R {} | head", shown.display())));
        }
    }
    Ok(())
}

/// What room a disk has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Bytes that this user may still write.
    pub bytes: u64,
    /// It has no inodes left.
    pub has_no_more_files: bool,
}

/// What room there is where this folder is.
///
/// # Errors
/// It is not there.
pub(crate) fn room_at(folder: &Path) -> Result<Room> {
    let disk = rustix::fs::statvfs(folder).map_err(|error| Error::io("look at", folder, &error.into()))?;
    Ok(Room { bytes: disk.f_bavail.saturating_mul(disk.f_frsize), has_no_more_files: disk.f_files > 0 && disk.f_favail == 0 })
}

/// Writes a file in one step: readers see the old text or the new one, a failed write leaves the old one.
///
/// # Errors
/// The folder cannot be written, or is full.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0o644, |meta| meta.permissions().mode() & 0o777);
    let permissions = fs::Permissions::from_mode(mode);
    let mut file = beside(path, permissions)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_data()).map_err(|error| Error::io("write", path, &error))?;
    file.persist(path).map_err(|error| Error::io("write", path, &error.error))?;
    Ok(())
}

/// As [`write_new`], for what comes bit by bit.
///
/// # Errors
/// As [`write_new`], or what `fill` returns; the old file stays then.
pub(crate) fn write_stream(path: &Path, fill: impl FnOnce(&mut fs::File) -> Result<()>) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut fresh = beside(path, fs::Permissions::from_mode(0o644))?;
    fill(fresh.as_file_mut())?;
    fresh.persist(path).map_err(|error| Error::io("write", path, &error.error))?;
    Ok(())
}

/// Writes a file that must not be there yet: whole or not at all, and nothing is left of it when the run is killed.
///
/// # Errors
/// Something has its name (a link that leads nowhere too), or the folder cannot be written, or is full.
pub(crate) fn write_fresh(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    #[cfg(target_os = "linux")]
    if let Some(done) = write_nameless(dir, path, bytes) {
        return done.map_err(|error| Error::io("write", path, &error));
    }
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    let mut file = beside(path, permissions)?;
    file.write_all(bytes).map_err(|error| Error::io("write", path, &error))?;
    file.persist_noclobber(path).map_err(|error| Error::io("write", path, &error.error))?;
    Ok(())
}

/// A temporary file beside the one that it will be. What a killed run left of the same goes first.
///
/// # Errors
/// The folder cannot be written.
pub(crate) fn beside(path: &Path, permissions: fs::Permissions) -> Result<tempfile::NamedTempFile> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let prefix = format!(".{}{MARK}", path.file_name().unwrap_or_default().to_string_lossy());
    abandoned(dir, &prefix).for_each(|(left, _lock)| drop(fs::remove_file(left))); // another run may have been quicker
    let file = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(permissions)
        .tempfile_in(dir)
        .map_err(|error| Error::io("write", path, &error))?;
    let _ = flock(file.as_file(), FlockOperation::NonBlockingLockExclusive); // without it the file is only never cleared away
    Ok(file)
}

/// A private folder that goes when this is dropped; of one whose run was killed, the next run clears it away.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: tempfile::TempDir,
    _lock: fs::File,
}

impl Folder {
    /// A folder among the temporary files whose name starts with `prefix`. Those of dead runs go first.
    ///
    /// # Errors
    /// The temporary files have no room.
    pub(crate) fn temporary(prefix: &str) -> Result<Self> {
        let dir = std::env::temp_dir();
        Self::new(&dir, prefix, &dir.join(prefix), |_| ())
    }

    /// A folder beside `path`, to put together what will be there. Those of dead runs go first; `rescue` looks at each before.
    ///
    /// # Errors
    /// Nothing can be written there.
    pub(crate) fn beside(path: &Path, rescue: impl Fn(&Path)) -> Result<Self> {
        let dir = path.parent().unwrap_or(Path::new("."));
        Self::new(dir, &format!(".{}", path.file_name().unwrap_or_default().to_string_lossy()), path, rescue)
    }

    fn new(dir: &Path, prefix: &str, shown: &Path, rescue: impl Fn(&Path)) -> Result<Self> {
        let prefix = format!("{prefix}{MARK}");
        for (left, _lock) in abandoned(dir, &prefix) {
            rescue(&left);
            let _ = fs::remove_dir_all(&left); // another run may have been quicker
        }
        let failed = |error| Error::io("write", shown, &error);
        let made = tempfile::Builder::new().prefix(&prefix).tempdir_in(dir).map_err(failed)?;
        let lock = fs::File::open(made.path()).map_err(failed)?;
        let _ = flock(&lock, FlockOperation::NonBlockingLockExclusive); // where there are no locks, it is only never cleared away
        Ok(Self { dir: made, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Part of the name of everything temporary that lain makes. Its lock says that its run lives: the system lets go of it when a process dies, however
/// it dies.
const MARK: &str = ".lain-";
/// Younger than this may be a run that has not locked it yet.
const FRESH: Duration = Duration::from_secs(5);

/// What dead runs of this user left in a folder: files and folders with such a name that nobody holds locked. They are locked here meanwhile.
fn abandoned(dir: &Path, prefix: &str) -> impl Iterator<Item = (PathBuf, fs::File)> {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    let is_ours =
        move |meta: &fs::Metadata| meta.uid() == me && meta.modified().is_ok_and(|then| then.elapsed().is_ok_and(|age| age > FRESH));
    let names = fs::read_dir(dir).into_iter().flatten().flatten().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        // As tempfile makes them: six letters and digits.
        name.strip_prefix(prefix).is_some_and(|rest| rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    });
    let found: Vec<PathBuf> = names.map(|entry| entry.path()).collect();
    found.into_iter().filter_map(move |path| {
        fs::symlink_metadata(&path).ok().filter(|meta| meta.is_dir() || meta.is_file()).filter(is_ours)?;
        let lock = fs::File::open(&path).ok()?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).ok()?;
        Some((path, lock))
    })
}

/// A file without a name that gets one when it is whole; none where the file system knows no such files.
#[cfg(target_os = "linux")]
fn write_nameless(dir: &Path, path: &Path, bytes: &[u8]) -> Option<std::io::Result<()>> {
    use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
    use std::os::fd::AsRawFd;
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    let file = open(dir, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::from_raw_mode(0o644)).ok()?;
    let mut file = fs::File::from(file);
    let number = file.as_raw_fd();
    if let Err(error) = file.write_all(bytes) {
        return Some(Err(error));
    }
    match linkat(CWD, format!("/proc/self/fd/{number}"), CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Err(rustix::io::Errno::NOENT) => None, // no /proc here
        done => Some(done.map_err(Into::into)),
    }
}

/// A generated file that goes away when this is dropped; errors and signals end in drops too. What someone else put in
/// its place, or wrote into it, stays.
#[derive(Debug)]
pub(crate) struct Generated {
    path: PathBuf,
    bytes: Vec<u8>,
    inode: Option<u64>,
}

impl Generated {
    /// Writes a file that must not be there yet.
    ///
    /// # Errors
    /// As [`write_fresh`].
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Self> {
        write_fresh(path, bytes)?;
        Ok(Self { path: path.to_path_buf(), bytes: bytes.to_vec(), inode: inode(path) })
    }
}

impl Drop for Generated {
    fn drop(&mut self) {
        if inode(&self.path) == self.inode && fs::read(&self.path).is_ok_and(|bytes| bytes == self.bytes) {
            let _ = fs::remove_file(&self.path); // someone else may have removed it
        }
    }
}

fn inode(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::symlink_metadata(path).ok().map(|meta| meta.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a file look as old as one that a run left.
    fn age(path: &Path) {
        let then = std::time::SystemTime::now() - FRESH * 2;
        fs::File::open(path).and_then(|file| file.set_modified(then)).expect("a time");
    }

    #[test]
    fn what_dead_runs_left_goes_and_nothing_else() {
        let place = tempfile::tempdir().expect("a folder");
        let at = |name: &str| place.path().join(name);
        let living = Folder::new(place.path(), "x", place.path(), |_| ()).expect("a folder");
        let (mut dead, mut foreign) =
            (vec![at("x.lain-abc123"), at(".a.yaml.lain-abc123")], vec![at("y.lain-abc124"), at("x.lain-abc123.txt")]);
        fs::create_dir(&dead[0]).and_then(|()| fs::write(dead[0].join("a"), "")).expect("a dead run's folder");
        fs::write(&dead[1], "half").expect("a dead run's file");
        fs::create_dir(&foreign[0]).expect("a folder of another name");
        fs::write(&foreign[1], "x").expect("another file");
        std::os::unix::fs::symlink("/", at("x.lain-abc125")).expect("a link");
        foreign.push(at("x.lain-abc125"));
        foreign.push(living.path().to_path_buf());
        dead.iter().chain(foreign.iter().filter(|path| !path.is_symlink())).for_each(|path| age(path));
        let young = at(".a.yaml.lain-abc125");
        fs::write(&young, "x").expect("a file");
        let held = beside(&at("a.yaml"), fs::metadata(&young).expect("a mode").permissions()).expect("a file");
        age(held.path());
        let rescued = std::cell::Cell::new(0);
        let next = Folder::new(place.path(), "x", place.path(), |left| rescued.set(rescued.get() + usize::from(left == dead[0])))
            .expect("a folder");
        write_new(&at("a.yaml"), b"whole").expect("written");
        assert_eq!(rescued.get(), 1);
        dead.retain(|path| path.exists());
        assert_eq!(dead, Vec::<PathBuf>::new());
        foreign.extend([young, held.path().to_path_buf(), next.path().to_path_buf()]);
        foreign.retain(|path| !path.exists());
        assert_eq!(foreign, Vec::<PathBuf>::new(), "these are not surely a dead run's");
    }
}
