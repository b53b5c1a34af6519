//! A Secret as the user edits it: what `lain secret show` prints, back to data; and what Kubernetes takes.
//!
//! No error here repeats a value, nor a word that stands where a key should.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::secret_data::{BINARY, Data, MASK};
use super::secrets::{AppSecret, Purpose};
use crate::error::{Error, Kind, Result};
use crate::model::hex::hex;
use crate::values::node::{Entry, Map, Node, Span, Value};
use crate::values::parse::{NotAMap, parse_secret};

/// A key, in characters (a DNS subdomain's length, of the API server too).
const MAX_KEY: usize = 253;

/// A text that was read, not yet held against the Secret it is for.
#[derive(Debug)]
pub(crate) struct SecretText {
    root: Node,
}

impl SecretText {
    /// Reads a text; `path` is only for messages.
    ///
    /// # Errors
    /// It is no YAML map, or a map of something else than a Secret.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self> {
        let root = parse_secret(path, text).map_err(|error| {
            if error.source::<NotAMap>().is_some() {
                let here = error.location().cloned();
                let made = Error::failed("this is no Secret: keys and values stand below `data:`").hint("lain secret show # the shape");
                return here.into_iter().fold(made, Error::at);
            }
            error
        })?;
        Ok(Self { root })
    }

    /// The data that the text stands for; placeholders of binary values keep their bytes.
    ///
    /// # Errors
    /// It is another Secret's text, or `data` is missing, or holds what a Secret cannot.
    pub(crate) fn data(&self, secret: &AppSecret) -> Result<Data> {
        self.check_frame(secret)?;
        let before = secret.data();
        let Some(entry) = self.root.get("data") else {
            return Err(self.root.span.error("`data:` is missing").hint("data: {} # to empty the Secret"));
        };
        let mut data = Data::new();
        match &entry.value {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in map {
                    if let Err(why) = check_key(key) {
                        return Err(value.key_span.error(format!("this key {why}")).hint(KEY_RULE));
                    }
                    let Value::String(text) = &value.node.value else {
                        let why = format!("`{key}` is {}, a Secret holds text", value.node.value.kind());
                        return Err(value.node.span.error(why).hint(format!("{key}: \"{MASK}\" # your value between quotes")));
                    };
                    data.insert(key.clone(), value_of(key, text, before.get(key), &value.node.span)?);
                }
            }
            other => return Err(entry.span.error(format!("`data` must be a map, this is {}", other.kind())).hint("data: {}")),
        }
        Ok(data)
    }

    /// What stands around `data` may not be changed: it would be lost without a word.
    fn check_frame(&self, secret: &AppSecret) -> Result<()> {
        let known = ["apiVersion", "data", "kind", "metadata", "type"];
        let empty = Map::new();
        let root = self.root.as_map().unwrap_or(&empty);
        if let Some((_, entry)) = root.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            return Err(entry.key_span.error("lain takes `data` alone from here").hint("put this key and its value below `data:`"));
        }
        let metadata = self.root.get("metadata").and_then(Node::as_map).unwrap_or(&empty);
        if let Some((_, entry)) = metadata.iter().find(|(key, _)| !["name", "namespace"].contains(&key.as_str())) {
            let why = "this is more than lain prints of a Secret; in what kubectl prints, values are base64, and lain takes them for text";
            return Err(entry.key_span.error(why).hint("lain secret show # the shape"));
        }
        let other = |entry: Option<&Entry>, now: Option<&str>| {
            let node = &entry?.node;
            (node.as_str()? != now?).then(|| node.span.clone())
        };
        let (name, namespace) = (&secret.name, secret.namespace());
        if let Some(span) = other(metadata.get("name"), Some(name)) {
            return Err(span
                .error(format!("this is the text of another Secret than {name}"))
                .with_kind(Kind::Refused)
                .hint("lain secret apply -f FILE # in the folder of its app; lain env apply -f FILE for variables"));
        }
        if let Some(span) = other(metadata.get("namespace"), namespace) {
            let why = format!("this is the text of a Secret in another namespace than {}", namespace.unwrap_or_default());
            return Err(span.error(why).with_kind(Kind::Refused).hint("lain use # is this the right cluster?"));
        }
        if let Some(span) = other(root.get("type"), secret.kind()) {
            let why = format!("Kubernetes lets nobody change the type of a Secret; this one is {}", secret.kind().unwrap_or_default());
            return Err(span.error(why).hint("leave `type:` as it was"));
        }
        Ok(())
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.root.wipe();
    }
}

fn value_of(key: &str, text: &str, before: Option<&Zeroizing<Vec<u8>>>, span: &Span) -> Result<Zeroizing<Vec<u8>>> {
    let before = before.filter(|bytes| text == BINARY && std::str::from_utf8(bytes).is_err() || text.as_bytes() == bytes.as_slice());
    match before {
        Some(bytes) => Ok(bytes.clone()),
        None if text == BINARY => Err(span
            .error(format!("`{key}` stands for bytes that the Secret has not under this name"))
            .hint(format!("lain secret add {key} # from a file of that name"))),
        None if text == MASK => {
            Err(span.error(format!("`{key}` is the mask that stands for a value in CI, not a value")).hint("lain secret show --reveal"))
        }
        None => Ok(Zeroizing::new(text.as_bytes().to_vec())),
    }
}

/// What may be a key, in a few words.
pub(crate) const KEY_RULE: &str = "a key has letters, digits, `-`, `_` and `.` alone, 253 at most, and does not start with `..`";

/// Kubernetes' rule for keys of a Secret (`IsConfigMapKey` of its validation); the error says what is wrong without repeating the key, which may be
/// a value in the wrong place.
///
/// # Errors
/// The server would refuse it.
pub(crate) fn check_key(key: &str) -> std::result::Result<(), &'static str> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match key {
        "" => Err("is empty"),
        "." => Err("is `.` alone"),
        _ if key.starts_with("..") => Err("starts with `..`"),
        _ if key.chars().count() > MAX_KEY => Err("is too long"),
        _ if key.contains(char::is_whitespace) => Err("has a space in it"),
        _ if !key.chars().all(legal) => Err("has a character that no key can have"),
        _ => Ok(()),
    }
}

/// What may be the name of a variable, in a few words.
pub(crate) const VARIABLE_RULE: &str = "a name has letters, digits, `-`, `_` and `.` alone, 253 at most, and starts with no digit, which containers before Kubernetes 1.34 would not get";

/// As [`check_key`], for a name that is to become an environment variable on every cluster.
///
/// # Errors
/// The server would refuse it, or kubelet leave it out.
pub(crate) fn check_variable(name: &str) -> std::result::Result<(), &'static str> {
    check_key(name)?;
    if name.starts_with(|c: char| c.is_ascii_digit()) { Err("starts with a digit") } else { Ok(()) }
}

/// Keys that give no environment variable on every cluster: before Kubernetes 1.34 kubelet leaves out those that start with a digit
/// (`IsEnvVarName`; KEP-4369).
pub(crate) fn no_variables(data: &Data, purpose: Purpose) -> Vec<&str> {
    let starts_with_digit = |key: &&str| key.starts_with(|c: char| c.is_ascii_digit());
    if purpose == Purpose::Env { data.keys().map(String::as_str).filter(starts_with_digit).collect() } else { vec![] }
}

/// Each key with a checksum of its value: enough to tell later which were changed.
pub(crate) fn fingerprints(data: &Data) -> BTreeMap<String, String> {
    data.iter().map(|(key, value)| (key.clone(), hex(&Sha256::digest(value)))).collect()
}

/// What was changed from `opened` to `mine`, on top of `now`.
///
/// # Errors
/// Keys that were changed on both sides, not alike.
pub(crate) fn merged(opened: &BTreeMap<String, String>, mut mine: Data, now: &Data) -> std::result::Result<Data, Vec<String>> {
    let (my_prints, their_prints) = (fingerprints(&mine), fingerprints(now));
    let keys: BTreeSet<String> = opened.keys().chain(mine.keys()).chain(now.keys()).cloned().collect();
    let (mut merged, mut torn) = (Data::new(), Vec::new());
    for key in keys {
        let (before, ours, theirs) = (opened.get(&key), my_prints.get(&key), their_prints.get(&key));
        let value = if ours == before {
            now.get(&key).cloned()
        } else if theirs == before || theirs == ours {
            mine.remove(&key)
        } else {
            torn.push(key);
            continue;
        };
        if let Some(value) = value {
            merged.insert(key, value);
        }
    }
    if torn.is_empty() { Ok(merged) } else { Err(torn) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Data> {
        let object = serde_json::json!({"metadata": {"namespace": "prod"}, "type": "Opaque", "data": {}});
        SecretText::parse(Path::new("s.yaml"), text)?.data(&AppSecret::new("shop-env", object))
    }

    #[test]
    fn only_the_data_of_this_secret_is_taken() {
        for (text, why) in [
            ("data: {}\nstringData: {a: hunter2}\n", "`data` alone"),
            ("data: {a: aHVudGVyMg==}\nmetadata: {name: shop-env, uid: x}\n", "base64"),
            ("data: {}\nmetadata: {name: mall-env}\n", "another Secret than shop-env"),
            ("data: {}\nmetadata: {namespace: test}\n", "another namespace than prod"),
            ("data: {}\ntype: kubernetes.io/tls\n", "change the type"),
            ("data: {a: '<binary, kept as it is>'}\n", "has not under this name"),
            ("data: {a: '***'}\n", "the mask"),
            ("data: {a: 4815}\n", "`a` is a number"),
            ("- hunter2\n", "no Secret"),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{text}: {error}");
        }
        assert_eq!(read("data: {a: x}\nmetadata: {name: shop-env, namespace: prod}\n").expect("reads").len(), 1);
    }

    #[test]
    fn both_sides_of_a_change_are_kept() {
        let data = |pairs: &str| -> Data {
            pairs.split_whitespace().map(|pair| (pair[..1].to_owned(), Zeroizing::new(pair.as_bytes()[1..].to_vec()))).collect()
        };
        let merge = |opened: &str, mine: &str, now: &str| merged(&fingerprints(&data(opened)), data(mine), &data(now));
        assert_eq!(merge("a1 b1 c1", "a2 b1 d1", "a1 b2 c1 e1"), Ok(data("a2 b2 d1 e1")));
        assert_eq!(merge("a1", "a2", "a2"), Ok(data("a2")));
        assert_eq!(merge("a1 b1", "a2", "a3 b2 c1"), Err(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn keys_by_the_servers_rule() {
        for key in ["a", "A.b-c_9", "9", ".x", &"k".repeat(253)] {
            assert_eq!(check_key(key), Ok(()), "{key}");
        }
        for key in ["", ".", "..", "..x", "a b", "a\u{1b}", "é", "a/b", &"k".repeat(254)] {
            assert!(check_key(key).is_err(), "{key:?}");
        }
    }
}
