//! Writing files all or nothing, and removing generated ones whatever happens.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Writes a file in one step: readers see the old text or the new one, a failed write leaves the old one.
///
/// # Errors
/// The folder cannot be written, or is full.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let dir = path.parent().unwrap_or(Path::new("."));
    let mode = fs::metadata(path).map_or(0o644, |meta| meta.permissions().mode() & 0o777);
    let permissions = fs::Permissions::from_mode(mode);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(dir).map_err(|error| Error::io("write", path, &error))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_data()).map_err(|error| Error::io("write", path, &error))?;
    file.persist(path).map_err(|error| Error::io("write", path, &error.error))?;
    Ok(())
}

/// As [`write_new`], for what comes bit by bit.
///
/// # Errors
/// As [`write_new`], or what `fill` returns; the old file stays then.
pub fn write_stream(path: &Path, fill: impl FnOnce(&mut fs::File) -> Result<()>) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let dir = path.parent().unwrap_or(Path::new("."));
    let permissions = fs::Permissions::from_mode(0o644);
    let mut fresh = tempfile::Builder::new().permissions(permissions).tempfile_in(dir).map_err(|error| Error::io("write", path, &error))?;
    fill(fresh.as_file_mut())?;
    fresh.persist(path).map_err(|error| Error::io("write", path, &error.error))?;
    Ok(())
}

/// Writes a file that must not be there yet: whole or not at all, and nothing is left of it when the run is killed.
///
/// # Errors
/// Something has its name (a link that leads nowhere too), or the folder cannot be written, or is full.
pub fn write_fresh(path: &Path, bytes: &[u8]) -> Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    #[cfg(target_os = "linux")]
    if let Some(done) = write_nameless(dir, path, bytes) {
        return done.map_err(|error| Error::io("write", path, &error));
    }
    let permissions = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    let mut file = tempfile::Builder::new().permissions(permissions).tempfile_in(dir).map_err(|error| Error::io("write", path, &error))?;
    file.write_all(bytes).map_err(|error| Error::io("write", path, &error))?;
    file.persist_noclobber(path).map_err(|error| Error::io("write", path, &error.error))?;
    Ok(())
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
pub struct Generated {
    path: PathBuf,
    bytes: Vec<u8>,
    inode: Option<u64>,
}

impl Generated {
    /// Writes a file that must not be there yet.
    ///
    /// # Errors
    /// As [`write_fresh`].
    pub fn write(path: &Path, bytes: &[u8]) -> Result<Self> {
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
