//! The app's two Secrets: `APP-env` (environment) and `APP-secret` (files).
//!
//! Plain values live in memory, on kubectl's stdin, and in a 0600 file while an editor is open; never in arguments.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::model::app::App;
use crate::tools::kubectl::Kubectl;
use crate::ui::Ui;
use crate::values::node::{Node, Value};
use crate::values::write::to_yaml;

/// Label of backups; its value is the Secret they were taken of.
const BACKUP_LABEL: &str = "lain.dev/backup-of";
/// Backups kept of each Secret.
const BACKUPS: usize = 10;
/// What stands for a value that is not text.
const BINARY: &str = "<binary, kept as it is>";

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Keys become environment variables.
    Env,
    /// Keys become files.
    Files,
}

/// One of the app's Secrets as the server has it.
#[derive(Clone, Debug)]
pub struct AppSecret {
    /// Its name.
    pub name: String,
    object: Json,
}

/// What an edit did, in keys only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// New keys.
    pub added: Vec<String>,
    /// Keys that are gone.
    pub removed: Vec<String>,
    /// Keys with another value.
    pub changed: Vec<String>,
}

impl Purpose {
    /// The Secret's name.
    pub fn name(self, app: &App) -> String {
        match self {
            Self::Env => app.env_secret(),
            Self::Files => app.file_secret(),
        }
    }

    /// What a Secret of this purpose starts with: the seed's example for files, nothing for environment.
    fn first_data(self) -> Json {
        match self {
            Self::Env => json!({}),
            Self::Files => json!({"topsecret.txt": STANDARD.encode("I\nAM\nBATMAN")}),
        }
    }
}

/// Fetches a Secret; none when there is none.
///
/// # Errors
/// The server does not answer or refuses.
pub fn fetch(kubectl: &Kubectl<'_>, name: &str) -> Result<Option<AppSecret>> {
    Ok(kubectl.find("secret", name)?.map(|object| AppSecret { name: name.to_owned(), object }))
}

/// Fetches a Secret, making it with its first example when there is none.
///
/// # Errors
/// As [`fetch`].
pub fn fetch_or_create(ui: &Ui, kubectl: &Kubectl<'_>, app: &App, purpose: Purpose, example: bool) -> Result<AppSecret> {
    let name = purpose.name(app);
    if let Some(found) = fetch(kubectl, &name)? {
        return Ok(found);
    }
    let data = if example { purpose.first_data() } else { json!({}) };
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": app.appname}}
    });
    ui.say(&format!("Secret {name} is not there yet: creating it"));
    match kubectl.send(&["create"], &object) {
        Err(error) if error.to_string().contains("AlreadyExists") => {} // another run was quicker
        sent => drop(sent?),
    }
    fetch(kubectl, &name)?.ok_or_else(|| Error::failed(format!("Secret {name} was created but cannot be read")))
}

impl AppSecret {
    /// Keys and raw values.
    pub fn data(&self) -> BTreeMap<String, Vec<u8>> {
        let data = self.object["data"].as_object().into_iter().flatten();
        data.map(|(key, value)| (key.clone(), STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default())).collect()
    }

    /// The Secret as the seed shows it: decoded, without the fields that no application developer needs.
    pub fn to_yaml(&self, mask: bool) -> String {
        let data: serde_json::Map<String, Json> = self
            .data()
            .into_iter()
            .map(|(key, value)| {
                let text = if mask { "***".to_owned() } else { String::from_utf8(value).unwrap_or_else(|_| BINARY.to_owned()) };
                (key, Json::String(text))
            })
            .collect();
        to_yaml(&json!({
            "apiVersion": "v1", "data": data, "kind": "Secret",
            "metadata": {"name": self.name, "namespace": self.object["metadata"]["namespace"]},
            "type": self.object["type"]
        }))
    }

    /// Reads an edited YAML of [`AppSecret::to_yaml`] back into data; binary placeholders keep their bytes.
    ///
    /// # Errors
    /// `data` is missing, or holds something that is not text.
    pub fn read_edited(&self, edited: &Node) -> Result<BTreeMap<String, Vec<u8>>> {
        let before = self.data();
        let Some(entry) = edited.get("data") else {
            return Err(edited.span.error("`data:` is missing").hint("data: {} # to empty the Secret"));
        };
        let mut data = BTreeMap::new();
        match &entry.value {
            Value::Null => {}
            Value::Map(map) => {
                for (key, value) in map {
                    let legal = !key.is_empty()
                        && key.len() <= 253
                        && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
                    if !legal {
                        return Err(value.key_span.error(format!("`{key}` cannot be a key: letters, digits, `-`, `_` and `.`")));
                    }
                    let Value::String(text) = &value.node.value else {
                        let location = value.node.span.location();
                        let written: String = location.text.chars().skip(location.column - 1).collect();
                        return Err(value
                            .node
                            .span
                            .error(format!("`{key}` is {}, a Secret holds text", value.node.value.kind()))
                            .hint(format!("{key}: \"{}\"", written.trim())));
                    };
                    let bytes = before.get(key).filter(|_| text == BINARY).cloned().unwrap_or_else(|| text.clone().into_bytes());
                    data.insert(key.clone(), bytes);
                }
            }
            other => return Err(entry.span.error(format!("`data` must be a map, this is {}", other.kind()))),
        }
        Ok(data)
    }

    /// What applying `data` would change.
    pub fn changes(&self, data: &BTreeMap<String, Vec<u8>>) -> Changes {
        let before = self.data();
        Changes {
            added: data.keys().filter(|key| !before.contains_key(*key)).cloned().collect(),
            removed: before.keys().filter(|key| !data.contains_key(*key)).cloned().collect(),
            changed: data
                .iter()
                .filter(|(key, value)| before.get(*key).is_some_and(|old| old != *value))
                .map(|(key, _)| key.clone())
                .collect(),
        }
    }

    /// Applies new data, after a backup of the old. Refuses when someone else changed the Secret meanwhile (resourceVersion).
    ///
    /// # Errors
    /// The server refuses; nothing was changed then.
    pub fn apply(&self, ui: &Ui, kubectl: &Kubectl<'_>, data: &BTreeMap<String, Vec<u8>>) -> Result<()> {
        if !self.data().is_empty() {
            self.back_up(ui, kubectl)?;
        }
        let mut object = self.object.clone();
        let encoded: serde_json::Map<String, Json> =
            data.iter().map(|(key, value)| (key.clone(), Json::String(STANDARD.encode(value)))).collect();
        object["data"] = Json::Object(encoded);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Json::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration"); // it would hold the values once more
            }
        }
        kubectl.send(&["replace"], &object).map(|_| ()).map_err(|error| {
            if error.to_string().contains("the object has been modified") {
                Error::refused(format!("someone else changed {} meanwhile; nothing was applied", self.name))
                    .hint("show it again, then repeat your change")
            } else {
                error
            }
        })
    }

    fn back_up(&self, ui: &Ui, kubectl: &Kubectl<'_>) -> Result<()> {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S-%3f").to_string();
        let name = format!("{}-backup-{stamp}", self.name);
        let object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": self.object["type"], "data": self.object["data"],
            "metadata": {"name": name, "labels": {BACKUP_LABEL: self.name}}
        });
        kubectl.send(&["create"], &object).map_err(|error| error.context("the old Secret cannot be backed up; nothing was changed"))?;
        ui.detail(&format!("backed up as Secret {name}"));
        let selector = format!("{BACKUP_LABEL}={}", self.name);
        let list: Json = kubectl.get(&["secrets", "-l", &selector])?;
        let mut names: Vec<&str> =
            list["items"].as_array().into_iter().flatten().filter_map(|item| item["metadata"]["name"].as_str()).collect();
        names.sort_unstable();
        for old in names.iter().take(names.len().saturating_sub(BACKUPS)) {
            kubectl.call(["delete", "secret", old]).lookup().read()?;
        }
        Ok(())
    }
}

impl Changes {
    /// True when nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Keys only: `added A, B; changed C`.
    pub fn summary(&self) -> String {
        let part = |word: &str, keys: &[String]| if keys.is_empty() { None } else { Some(format!("{word} {}", keys.join(", "))) };
        [part("added", &self.added), part("removed", &self.removed), part("changed", &self.changed)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Makes sure that the Secrets that pods refer to exist and hold the mounted keys, and returns a checksum of both.
///
/// # Errors
/// A mounted file is in no Secret; the error lists the commands that would add it.
pub fn ensure(ui: &Ui, kubectl: &Kubectl<'_>, app: &App) -> Result<String> {
    let env = fetch_or_create(ui, kubectl, app, Purpose::Env, false)?;
    let name = Purpose::Files.name(app);
    let files = fetch(kubectl, &name)?;
    let data = files.as_ref().map(AppSecret::data).unwrap_or_default();
    let missing: Vec<&str> = app.secret_files().into_iter().filter(|file| !data.contains_key(*file)).collect();
    if !missing.is_empty() {
        let error = Error::refused(format!("volumeMounts name {}, which Secret {name} does not hold", missing.join(", ")));
        return Err(missing.iter().fold(error, |error, file| error.hint(format!("lain secret add {file}"))));
    }
    let files = match files {
        Some(files) => files,
        None => fetch_or_create(ui, kubectl, app, Purpose::Files, false)?,
    };
    Ok(checksum(&[env.data(), files.data()]))
}

/// The checksum of both Secrets as they are; changes nothing.
///
/// # Errors
/// The server does not answer.
pub fn current_checksum(kubectl: &Kubectl<'_>, app: &App) -> Result<String> {
    let data =
        |purpose: Purpose| -> Result<_> { Ok(fetch(kubectl, &purpose.name(app))?.as_ref().map(AppSecret::data).unwrap_or_default()) };
    Ok(checksum(&[data(Purpose::Env)?, data(Purpose::Files)?]))
}

/// A checksum that changes with any key or value.
fn checksum(all: &[BTreeMap<String, Vec<u8>>]) -> String {
    let mut hash = Sha256::new();
    for data in all {
        for (key, value) in data {
            // Lengths keep "ab"+"c" apart from "a"+"bc".
            hash.update((key.len() as u64).to_le_bytes());
            hash.update(key);
            hash.update((value.len() as u64).to_le_bytes());
            hash.update(value);
        }
        hash.update([0xff]);
    }
    hash.finalize().iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse;
    use std::path::Path;

    fn secret(data: Json) -> AppSecret {
        AppSecret {
            name: "dummy-secret".into(),
            object: json!({"metadata": {"namespace": "default", "uid": "x"}, "type": "Opaque", "data": data}),
        }
    }

    #[test]
    fn shows_what_the_seed_shows() {
        insta::assert_snapshot!(secret(Purpose::Files.first_data()).to_yaml(false), @r"
        apiVersion: v1
        data:
          topsecret.txt: |-
            I
            AM
            BATMAN
        kind: Secret
        metadata:
          name: dummy-secret
          namespace: default
        type: Opaque
        ");
    }

    #[test]
    fn edits_survive_the_round_trip() {
        let secret =
            secret(json!({"a": STANDARD.encode("yes"), "bin": STANDARD.encode([0, 159, 146]), "c": STANDARD.encode("x\n y\r\n\n")}));
        let edited = parse(Path::new("s.yaml"), secret.to_yaml(false)).expect("parses");
        assert_eq!(secret.read_edited(&edited).expect("reads"), secret.data());
        let edited = parse(Path::new("s.yaml"), "data: {a: \"no\", d: x}".into()).expect("parses");
        let changes = secret.changes(&secret.read_edited(&edited).expect("reads"));
        assert_eq!(changes.summary(), "added d; removed bin, c; changed a");
        let number = parse(Path::new("s.yaml"), "data: {a: 1}".into()).expect("parses");
        assert!(secret.read_edited(&number).expect_err("refused").to_string().contains("s.yaml:1:11"));
    }

    #[test]
    fn checksums_tell_keys_and_values_apart() {
        let data = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec())).collect::<BTreeMap<_, _>>();
        assert_ne!(checksum(&[data(&[("a", "bc")])]), checksum(&[data(&[("ab", "c")])]));
        assert_eq!(checksum(&[data(&[("a", "b")])]), checksum(&[data(&[("a", "b")])]));
    }
}
