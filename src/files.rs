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

/// A generated file that goes away when this is dropped; errors and signals end in drops too.
#[derive(Debug)]
pub struct Generated(PathBuf);

impl Generated {
    /// Writes a file that must not be there yet.
    ///
    /// # Errors
    /// It is there, or the folder cannot be written.
    pub fn write(path: &Path, bytes: &[u8]) -> Result<Self> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| Error::io("write", path, &error))?;
        let guard = Self(path.to_path_buf()); // from here on a failed write is cleaned up too
        file.write_all(bytes).map_err(|error| Error::io("write", path, &error))?;
        Ok(guard)
    }
}

impl Drop for Generated {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // someone else may have removed it
    }
}
