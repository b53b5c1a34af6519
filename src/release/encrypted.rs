//! Secrets that are kept encrypted in the repository: `chart/secrets.enc.yaml`, by sops or by age.

use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::secret_data::Data;
use super::secret_text::{KEY_RULE, VARIABLE_RULE, check_key, check_variable};
use super::secrets::Purpose;
use crate::error::{Error, Result};
use crate::session::Session;
use crate::tools::decrypt;
use crate::tools::editor::text_of;
use crate::values::node::{Node, Value};
use crate::values::parse::parse_secret;

/// The file, from the app's folder.
const FILE: &str = "chart/secrets.enc.yaml";
/// How an age file begins, in text and in bytes.
const AGE: [&[u8]; 2] = [b"-----BEGIN AGE ENCRYPTED FILE-----", b"age-encryption.org/v1"];
/// What such a file holds.
const SHAPE: &str = "env: {NAME: value} and secret: {FILE: text} # what the file holds before it is encrypted";

/// What the file holds: variables and files.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// For `APP-env`.
    pub env: Data,
    /// For `APP-secret`.
    pub files: Data,
}

impl Plain {
    /// What it holds for one of the Secrets.
    pub(crate) fn of(&self, purpose: Purpose) -> &Data {
        match purpose {
            Purpose::Env => &self.env,
            Purpose::Files => &self.files,
        }
    }
}

/// The file that applies: the one of the chosen cluster, else the one of all.
///
/// # Errors
/// There is none.
pub(crate) fn find(session: &Session) -> Result<PathBuf> {
    let own = session.cluster_name().map(|cluster| format!("chart/secrets-{cluster}.enc.yaml"));
    let found = own.iter().map(String::as_str).chain([FILE]).find(|file| session.dir.join(file).is_file());
    found.map(PathBuf::from).ok_or_else(|| {
        Error::failed(format!("there is no {FILE}"))
            .hint(SHAPE)
            .hint(format!("sops --encrypt --age RECIPIENT secrets.yaml > {FILE} # keep secrets.yaml out of git"))
    })
}

/// Decrypts a file in memory. `file` is from the app's folder.
///
/// # Errors
/// It is not encrypted, cannot be decrypted, or holds what no Secret can.
pub(crate) fn decrypt(session: &Session, file: &Path, identity: Option<&Path>) -> Result<Plain> {
    let (ui, full) = (&session.ui, session.dir.join(file));
    let bytes = fs::read(&full).map_err(|error| Error::io("read", file, &error))?;
    let plain = if AGE.iter().any(|start| bytes.trim_ascii_start().starts_with(start)) {
        let identity = identity.map(|typed| session.cwd.join(typed));
        decrypt::age(ui, &session.env, &full, identity.as_deref())?
    } else if has_sops(&bytes) {
        decrypt::sops(ui, &full)?
    } else {
        return Err(Error::refused(format!("{} is not encrypted: neither by sops nor by age", file.display()))
            .hint(format!("sops --encrypt --in-place {} # and change the secrets that git has seen", file.display())));
    };
    read(file, &text_of(file, &plain)?)
}

/// sops keeps its own data below a key of this name.
fn has_sops(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"sops:") || line.starts_with(b"\"sops\":"))
}

/// Reads the plain text. No error repeats a value.
fn read(file: &Path, text: &str) -> Result<Plain> {
    let mut root = parse_secret(file, text).map_err(|error| error.or_hint(SHAPE))?;
    let read = plain_of(&root);
    root.wipe();
    read
}

fn plain_of(root: &Node) -> Result<Plain> {
    let mut plain = Plain::default();
    for (section, entry) in root.as_map().into_iter().flatten() {
        let purpose = match section.as_str() {
            "env" => Purpose::Env,
            "secret" => Purpose::Files,
            _ => return Err(entry.key_span.error("this key is neither `env` nor `secret`").hint(SHAPE)),
        };
        let map = match &entry.node.value {
            Value::Map(map) => map,
            Value::Null => continue,
            other => return Err(entry.node.span.error(format!("`{section}` must be a map, this is {}", other.kind())).hint(SHAPE)),
        };
        for (key, value) in map {
            let (checked, rule) = match purpose {
                Purpose::Env => (check_variable(key), VARIABLE_RULE),
                Purpose::Files => (check_key(key), KEY_RULE),
            };
            checked.map_err(|why| value.key_span.error(format!("this key {why}")).hint(rule))?;
            let Value::String(text) = &value.node.value else {
                let why = format!("`{key}` is {}, a Secret holds text", value.node.value.kind());
                return Err(value.node.span.error(why).hint(format!("{key}: \"...\" # your value between quotes")));
            };
            let data = if purpose == Purpose::Env { &mut plain.env } else { &mut plain.files };
            data.insert(key.clone(), Zeroizing::new(text.as_bytes().to_vec()));
        }
    }
    if plain.env.is_empty() && plain.files.is_empty() {
        return Err(root.span.error("it holds no secrets").hint(SHAPE));
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_and_repeats_no_value() {
        let read = |text: &str| read(Path::new("s.enc.yaml"), text);
        let plain = read("env: {A: \"1\"}\nsecret:\n  a.txt: |\n    x\n    y\n").expect("reads");
        assert_eq!(plain.of(Purpose::Env)["A"].as_slice(), b"1");
        assert_eq!(plain.of(Purpose::Files)["a.txt"].as_slice(), b"x\ny\n");
        for (text, says) in [
            ("env:\n  A: 31337\n", "s.enc.yaml:2:3: `A` is a number"),
            ("env: {\"hunter 2\": x}", "this key "),
            ("hunter2: x", "neither `env` nor `secret`"),
            ("env: hunter2", "must be a map"),
            ("env:\n", "it holds no secrets"),
        ] {
            let error = read(text).expect_err("refused").to_string();
            assert!(error.contains(says) && !error.contains("hunter") && !error.contains("31337"), "{error}");
        }
        assert!(has_sops(b"env:\n  A: ENC[x]\nsops:\n    mac: y\n") && !has_sops(b"env: {sops: x}\n"));
    }
}
