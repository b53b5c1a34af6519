//! The `.dockerignore` of a build, and the Dockerfile that may be kept.

use std::fs;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files::{Generated, write_fresh};
use crate::model::hex::hex;
use crate::render::dockerfile::Dockerfile;
use crate::render::dockerignore::line_for;
use crate::session::Session;

/// How a `.dockerignore` of ours begins; a killed run may leave one, the next one takes it away. A checksum of the rest
/// follows: with a line of the user's in it, it is the user's.
const DERIVED: &str = "# derived from .gitignore by lain for one build; may be deleted: ";

/// Leaves the Dockerfile in the app's folder, never over one of the user's own.
///
/// # Errors
/// The folder cannot be written.
pub(super) fn keep(session: &Session, file: &Dockerfile) -> Result<()> {
    let path = session.dir.join("Dockerfile");
    if fs::symlink_metadata(&path).is_err() {
        return write_fresh(&path, file.text.as_bytes());
    }
    if fs::read(&path).ok().as_deref() != Some(file.text.as_bytes()) {
        session.ui.warn("--keep-dockerfile: there is a Dockerfile of your own, it is left as it is");
    }
    Ok(())
}

/// A `.dockerignore` for the time of the build, where the user has none. `secrets` are files in the app's folder that no image may hold.
///
/// # Errors
/// The folder cannot be read or written; a `.dockerignore` of the user's own lets a secret through.
pub(super) fn dockerignore(session: &Session, secrets: &[String]) -> Result<Option<Generated>> {
    let path = session.dir.join(".dockerignore");
    if let Ok(meta) = fs::symlink_metadata(&path) {
        if !meta.is_file() || !fs::read(&path).is_ok_and(|bytes| is_derived(&bytes)) {
            let text = fs::read(&path).unwrap_or_default(); // docker says what it cannot read
            return match secrets.iter().find(|secret| !leaves_out(&String::from_utf8_lossy(&text), secret)) {
                Some(secret) => Err(Error::failed(format!("{secret} is a build secret, and .dockerignore does not leave it out by name"))
                    .hint(format!("echo {} >> .dockerignore", crate::tools::quote::quoted(&line_for(secret))))),
                None => Ok(None),
            };
        }
        fs::remove_file(&path).map_err(|error| Error::io("remove", &path, &error))?;
    }
    let result = session.result_file();
    let more = result.iter().chain(secrets).fold(String::new(), |lines, path| lines + &line_for(path) + "\n");
    let rest = format!("{}.dockerignore\n{more}", crate::images::context::ignore(session)?);
    Generated::write(&path, format!("{DERIVED}{}\n{rest}", checksum(&rest)).as_bytes()).map(Some)
}

/// True for a file that [`dockerignore`] wrote and nobody touched.
fn is_derived(bytes: &[u8]) -> bool {
    let parts = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(DERIVED)?.split_once('\n'));
    parts.is_some_and(|(sum, rest)| sum == checksum(rest))
}

fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text)[..8])
}

/// True when a line names the path and none behind it brings anything back.
fn leaves_out(text: &str, path: &str) -> bool {
    let wanted = line_for(path);
    text.lines().map(str::trim).rev().take_while(|line| !line.starts_with('!')).any(|line| line.trim_start_matches('/') == wanted)
}

#[cfg(test)]
mod tests {
    use super::leaves_out;

    #[test]
    fn the_last_word_on_a_secret() {
        assert!(leaves_out("node_modules\n.npmrc\n", ".npmrc"));
        assert!(leaves_out("*\n!src\n/conf/token\n", "conf/token"));
        assert!(!leaves_out(".npmrc\n!*\n", ".npmrc"));
        assert!(!leaves_out("*.npmrc.bak\n# .npmrc\n", ".npmrc"));
    }
}
