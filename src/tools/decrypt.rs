//! sops and age, which decrypt a file of secrets: the plain text comes through a pipe and nowhere else.

use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::call::Call;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ui::Ui;

/// A key service of a cloud may be slow.
const LONGEST: Duration = Duration::from_secs(60);
/// The identities of age themselves, as sops names it.
const KEY: &str = "SOPS_AGE_KEY";
/// A file of them, as sops names it.
const KEY_FILE: &str = "SOPS_AGE_KEY_FILE";

/// The variables that hold a key; only who decrypts gets them.
pub(crate) const KEYS: [&str; 1] = [KEY];

/// `sops --decrypt`, whatever keys the file names.
///
/// # Errors
/// sops is missing or cannot decrypt it.
pub(crate) fn sops(ui: &Ui, file: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let call = Call::new(ui, "sops").args(["--decrypt", "--input-type", "yaml", "--output-type", "yaml"]).operand(file).needs(KEY);
    let call = call.install_hint("install sops: https://github.com/getsops/sops/releases # the file is encrypted by it");
    plain(&call).map_err(|error| error.or_hint(format!("{KEY_FILE}=FILE or {KEY}=AGE-SECRET-KEY-... # where sops finds an age key")))
}

/// `age --decrypt`, with the identities of a file that was typed, of `SOPS_AGE_KEY`, of `SOPS_AGE_KEY_FILE`, or of sops' own place for them.
///
/// # Errors
/// age is missing, there is no identity, or none that fits.
pub(crate) fn age(ui: &Ui, env: &Env, file: &Path, identity: Option<&Path>) -> Result<Zeroizing<Vec<u8>>> {
    let call = Call::new(ui, "age").arg("--decrypt").install_hint("install age: https://github.com/FiloSottile/age#installation");
    let call = match (identity, env.get(KEY)) {
        (None, Some(key)) => call.option("--identity", "-").stdin(key.as_bytes()),
        (typed, _) => {
            let named = typed.map(Path::to_path_buf).or_else(|| env.get(KEY_FILE).map(PathBuf::from)).or_else(|| usual(env));
            let found = named.ok_or_else(|| {
                Error::failed(format!("{} is encrypted by age, and there is no identity to decrypt it", file.display()))
                    .hint(format!("{KEY_FILE}=FILE lain secret push # or {KEY}, or --identity FILE"))
            })?;
            call.option("--identity", found)
        }
    };
    plain(&call.operand(file)).map_err(|error| error.or_hint("lain secret push --identity FILE # one of the recipients' keys"))
}

/// Where sops looks for age keys when nothing is said.
fn usual(env: &Env) -> Option<PathBuf> {
    let config = env.get("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| env.home().map(|home| home.join(".config")))?;
    Some(config.join("sops/age/keys.txt")).filter(|file| file.is_file())
}

fn plain(call: &Call<'_>) -> Result<Zeroizing<Vec<u8>>> {
    let out = call.clone().timeout(LONGEST).read()?;
    Ok(Zeroizing::new(out.stdout))
}
