//! Which changes: what tells a work tree that differs from its commit from every other that does.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::hex::hex;

/// Bytes of a hash that a tag has.
const BYTES: usize = 6;
/// Bytes read at a time.
const BLOCK: usize = 1 << 16;

/// A hash of these files of a folder as they are: names, contents, whether they are programs, where links lead, what is gone. The same everywhere.
///
/// # Errors
/// One of them cannot be read.
pub(crate) fn hash_of(dir: &Path, paths: &[PathBuf]) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut todo: Vec<PathBuf> = paths.iter().rev().cloned().collect();
    while let Some(path) = todo.pop() {
        let more = take(&mut hasher, dir, &path).map_err(|error| Error::io("read", &path, &error))?;
        todo.extend(more.into_iter().rev());
    }
    Ok(hex(&hasher.finalize()[..BYTES]))
}

/// One of them; of a folder (a submodule, a repository in this one) what is in it.
fn take(hasher: &mut Sha256, dir: &Path, path: &Path) -> io::Result<Vec<PathBuf>> {
    let full = dir.join(path);
    let mut note = |what: &[u8], bytes: &[u8]| {
        hasher.update(what);
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    note(b"path", path.as_os_str().as_bytes());
    let Ok(about) = fs::symlink_metadata(&full) else {
        note(b"gone", &[]);
        return Ok(vec![]);
    };
    if about.is_symlink() {
        note(b"link", fs::read_link(&full)?.as_os_str().as_bytes());
    } else if about.is_dir() {
        let entries = fs::read_dir(&full)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
        let mut names: Vec<PathBuf> = entries.into_iter().filter(|name| name != ".git").map(|name| path.join(name)).collect();
        names.sort();
        return Ok(names);
    } else if about.is_file() {
        let is_program = about.permissions().mode() & 0o100 != 0;
        note(if is_program { b"program" } else { b"file" }, &about.len().to_be_bytes());
        let mut file = File::open(&full)?;
        let mut block = vec![0; BLOCK];
        loop {
            match file.read(&mut block)? {
                0 => break,
                read => hasher.update(&block[..read]),
            }
        }
    }
    Ok(vec![])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_differs_is_another_hash() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = dir.path();
        let paths: Vec<PathBuf> = ["a", "gone", "sub"].map(PathBuf::from).to_vec();
        let mut seen = std::collections::BTreeSet::new();
        let now = || hash_of(root, &paths).expect("a hash");
        let mut is_new = |hash: String| {
            assert_eq!(hash.len(), 12, "{hash}");
            seen.insert(hash)
        };
        fs::write(root.join("a"), "one").expect("a file");
        fs::create_dir(root.join("sub")).expect("a folder");
        assert!(is_new(now()));
        assert!(!is_new(now()), "the same again");
        fs::write(root.join("a"), "two").expect("a file");
        assert!(is_new(now()), "contents");
        fs::set_permissions(root.join("a"), fs::Permissions::from_mode(0o755)).expect("a mode");
        assert!(is_new(now()), "a program");
        fs::write(root.join("sub/b"), "").expect("a file");
        assert!(is_new(now()), "below a folder");
        fs::create_dir(root.join("sub/.git")).expect("a folder");
        assert!(!is_new(now()), "git's own is none of it");
        fs::write(root.join("gone"), "").expect("a file");
        assert!(is_new(now()), "there again");
        fs::remove_file(root.join("a")).expect("it goes");
        std::os::unix::fs::symlink("nowhere", root.join("a")).expect("a link");
        assert!(is_new(now()), "a link, wherever it leads");
    }
}
