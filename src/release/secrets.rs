//! The app's two Secrets: `APP-env` (environment) and `APP-secret` (files).
//!
//! Plain values live in memory, on kubectl's stdin, and in a 0600 file while an editor is open; never in arguments. Memory that held them is wiped.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::backups;
use super::refusal;
use super::secret_data::{BINARY, Data, MASK, check_whole, decoded, wipe};
use crate::error::{Error, Result};
use crate::model::app::App;
use crate::model::hex::hex;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::may_pass;
use crate::ui::Ui;
use crate::values::write::to_yaml;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Keys become environment variables.
    Env,
    /// Keys become files.
    Files,
}

/// One of the app's Secrets as the server has it.
#[derive(Clone, Debug)]
pub(crate) struct AppSecret {
    /// Its name.
    pub name: String,
    object: Json,
}

impl Drop for AppSecret {
    fn drop(&mut self) {
        wipe(&mut self.object["data"]);
    }
}

/// What an edit did, in keys only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// New keys.
    pub added: Vec<String>,
    /// Keys that are gone.
    pub removed: Vec<String>,
    /// Keys with another value.
    pub changed: Vec<String>,
}

impl Purpose {
    /// The Secret's name.
    pub(crate) fn name(self, app: &App) -> String {
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
pub(crate) fn fetch(kubectl: &Kubectl<'_>, name: &str) -> Result<Option<AppSecret>> {
    Ok(kubectl.find("secret", name)?.map(|object| AppSecret::new(name, object)))
}

/// Fetches a Secret, making it with its first example when there is none.
///
/// # Errors
/// As [`fetch`].
pub(crate) fn fetch_or_create(ui: &Ui, kubectl: &Kubectl<'_>, app: &App, purpose: Purpose, example: bool) -> Result<AppSecret> {
    let name = purpose.name(app);
    match fetch(kubectl, &name)? {
        Some(found) => Ok(found),
        None => create(ui, kubectl, app, purpose, example),
    }
}

fn create(ui: &Ui, kubectl: &Kubectl<'_>, app: &App, purpose: Purpose, example: bool) -> Result<AppSecret> {
    let name = purpose.name(app);
    let data = if example { purpose.first_data() } else { json!({}) };
    let object = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": app.appname}}
    });
    ui.say(&format!("Secret {name} is not there yet: creating it"));
    match kubectl.send(&["create"], &object) {
        Err(error) if error.tool().is_some_and(|tool| tool.says("AlreadyExists")) => {} // another run was quicker
        sent => drop(sent?),
    }
    fetch(kubectl, &name)?.ok_or_else(|| Error::failed(format!("Secret {name} was created but cannot be read")))
}

impl AppSecret {
    /// A Secret as the server printed it.
    pub(super) fn new(name: &str, object: Json) -> Self {
        Self { name: name.to_owned(), object }
    }

    /// Keys and raw values.
    pub(crate) fn data(&self) -> Data {
        decoded(&self.object["data"])
    }

    /// Where it lives, when the server said so.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.object["metadata"]["namespace"].as_str()
    }

    /// Its type: `Opaque`.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.object["type"].as_str()
    }

    /// The Secret as the seed shows it: decoded, without the fields that no application developer needs.
    pub(crate) fn to_yaml(&self, mask: bool) -> Zeroizing<String> {
        let text = |value: &[u8]| if mask { MASK.to_owned() } else { std::str::from_utf8(value).unwrap_or(BINARY).to_owned() };
        let data: serde_json::Map<String, Json> = self.data().iter().map(|(key, value)| (key.clone(), Json::String(text(value)))).collect();
        let mut object = json!({
            "apiVersion": "v1", "data": data, "kind": "Secret",
            "metadata": {"name": self.name, "namespace": self.object["metadata"]["namespace"]},
            "type": self.object["type"]
        });
        let written = Zeroizing::new(to_yaml(&object));
        wipe(&mut object);
        written
    }

    /// What applying `data` would change.
    pub(crate) fn changes(&self, data: &Data) -> Changes {
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

    /// Applies new data, after a backup of the old. Refuses when someone else changed the Secret meanwhile (resourceVersion). The server is asked
    /// first, so that what it refuses pushes no backup out; from the backup on, a run that is killed at any point loses nothing.
    ///
    /// # Errors
    /// The server refuses; nothing was changed then.
    pub(crate) fn apply(&self, ui: &Ui, kubectl: &Kubectl<'_>, data: &Data, by: &str) -> Result<()> {
        check_whole(&self.name, &self.object, data)?;
        let mut object = self.object.clone();
        object["data"] = encoded(data);
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("managedFields");
            if let Some(annotations) = metadata.get_mut("annotations").and_then(Json::as_object_mut) {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration"); // it would hold the values once more
            }
        }
        let old = self.data();
        let replace = |words: &[&'static str]| {
            kubectl.send(words, &object).map(|_| ()).map_err(|error| {
                if error.tool().is_some_and(|tool| tool.says("the object has been modified")) {
                    return self.overtaken(kubectl, data);
                }
                refusal::without_values(error, &[&old, data])
            })
        };
        let outcome = self.replace(ui, kubectl, replace, data, by);
        wipe(&mut object["data"]);
        outcome
    }

    /// Somebody else was quicker: what they changed, and what is not applied, in keys.
    fn overtaken(&self, kubectl: &Kubectl<'_>, data: &Data) -> Error {
        let theirs = match fetch(kubectl, &self.name) {
            Ok(Some(now)) => Some(self.changes(&now.data())).filter(|theirs| !theirs.is_empty()).map(|theirs| theirs.summary()),
            Ok(None) => Some("removed it".to_owned()),
            Err(_) => None, // the refusal stands without it
        };
        let theirs = theirs.map_or_else(String::new, |theirs| format!("; theirs: {theirs}"));
        let yours = self.changes(data).summary();
        Error::refused(format!("someone else changed {} meanwhile; nothing was applied{theirs}; yours: {yours}", self.name))
            .hint("show it again, then repeat your change")
    }

    fn replace(
        &self,
        ui: &Ui,
        kubectl: &Kubectl<'_>,
        replace: impl Fn(&[&'static str]) -> Result<()>,
        data: &Data,
        by: &str,
    ) -> Result<()> {
        match replace(&["replace", "--dry-run=server"]) {
            // A webhook of the cluster that has not said what it does in a trial.
            Err(error) if error.tool().is_some_and(|tool| tool.says("does not support dry run")) => {}
            other => other?,
        }
        let kept = backups::keep(ui, kubectl, &self.name, &self.object, by).map_err(|error| {
            refusal::without_values(error, &[&self.data()]).context("the old Secret cannot be backed up; nothing was changed")
        })?;
        if let Err(error) = replace(&["replace"]) {
            // The answer may have been lost on its way, and not the change.
            let is_made = may_pass(&error) && fetch(kubectl, &self.name).is_ok_and(|now| now.is_some_and(|now| now.data() == *data));
            if !is_made {
                return Err(error);
            }
            ui.say(&format!("no answer came to the change; Secret {} is as it was to be", self.name));
        }
        backups::prune(ui, kubectl, &kept);
        Ok(())
    }
}

fn encoded(data: &Data) -> Json {
    Json::Object(data.iter().map(|(key, value)| (key.clone(), Json::String(STANDARD.encode(value)))).collect())
}

impl Changes {
    /// What lies between two Secrets as `kubectl get secret -o json` prints them; an empty text is none.
    ///
    /// # Errors
    /// One of them is something else.
    pub(crate) fn between(before: &str, after: &str) -> Result<Self> {
        let read = |text: &str| -> Result<BTreeMap<String, Json>> {
            if text.is_empty() {
                return Ok(BTreeMap::new());
            }
            // No word of the text is repeated: there are secrets in it.
            let object: Json = serde_json::from_str(text).unwrap_or(Json::Null);
            if object["kind"] != "Secret" {
                return Err(Error::failed("this is no Secret as kubectl prints it in JSON"));
            }
            let keys = ["data", "stringData"].into_iter().filter_map(|part| object[part].as_object());
            Ok(keys.flatten().map(|(key, value)| (key.clone(), value.clone())).collect())
        };
        let (before, after) = (read(before)?, read(after)?);
        let keys = |from: &BTreeMap<String, Json>, is: &dyn Fn(&str, &Json) -> bool| {
            from.iter().filter(|(key, value)| is(key, value)).map(|(key, _)| key.clone()).collect()
        };
        Ok(Self {
            added: keys(&after, &|key, _| !before.contains_key(key)),
            removed: keys(&before, &|key, _| !after.contains_key(key)),
            changed: keys(&after, &|key, value| before.get(key).is_some_and(|old| old != value)),
        })
    }

    /// True when nothing changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    /// Keys only: `added A, B; changed C`.
    pub(crate) fn summary(&self) -> String {
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
pub(crate) fn ensure(ui: &Ui, kubectl: &Kubectl<'_>, app: &App) -> Result<String> {
    let [env, files] = fetch_both(kubectl, app)?;
    let env = env.map_or_else(|| create(ui, kubectl, app, Purpose::Env, false), Ok)?;
    let name = Purpose::Files.name(app);
    let data = files.as_ref().map(AppSecret::data).unwrap_or_default();
    let missing: Vec<&str> = app.secret_files().into_iter().filter(|file| !data.contains_key(*file)).collect();
    if !missing.is_empty() {
        let error = Error::refused(format!("volumeMounts name {}, which Secret {name} does not hold", missing.join(", ")));
        return Err(missing.iter().fold(error, |error, file| error.hint(format!("lain secret add {file}"))));
    }
    let files = files.map_or_else(|| create(ui, kubectl, app, Purpose::Files, false), Ok)?;
    Ok(checksum(&[env.data(), files.data()]))
}

/// The checksum of both Secrets as they are; changes nothing.
///
/// # Errors
/// The server does not answer.
pub(crate) fn current_checksum(kubectl: &Kubectl<'_>, app: &App) -> Result<String> {
    let data = |secret: &Option<AppSecret>| secret.as_ref().map(AppSecret::data).unwrap_or_default();
    let [env, files] = fetch_both(kubectl, app)?;
    Ok(checksum(&[data(&env), data(&files)]))
}

/// The names of both.
pub(super) fn names(app: &App) -> [String; 2] {
    [Purpose::Env, Purpose::Files].map(|purpose| purpose.name(app))
}

/// Both, in one question.
fn fetch_both(kubectl: &Kubectl<'_>, app: &App) -> Result<[Option<AppSecret>; 2]> {
    let names = names(app);
    let mut found: Vec<AppSecret> = vec![];
    for object in kubectl.find_all("secret", &names)? {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        found.push(AppSecret::new(&name, object));
    }
    Ok(names.map(|name| found.iter().position(|secret| secret.name == name).map(|at| found.swap_remove(at))))
}

/// A checksum that changes with any key or value.
fn checksum(all: &[Data]) -> String {
    let mut hash = Sha256::new();
    for data in all {
        for (key, value) in data {
            // Lengths keep "ab"+"c" apart from "a"+"bc".
            hash.update((key.len() as u64).to_le_bytes());
            hash.update(key);
            hash.update((value.len() as u64).to_le_bytes());
            hash.update(value.as_slice());
        }
        hash.update([0xff]);
    }
    hex(&hash.finalize()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::secret_text::SecretText;
    use std::path::Path;

    fn secret(data: Json) -> AppSecret {
        AppSecret::new("dummy-secret", json!({"metadata": {"namespace": "default", "uid": "x"}, "type": "Opaque", "data": data}))
    }

    #[test]
    fn shows_what_the_seed_shows() {
        insta::assert_snapshot!(secret(Purpose::Files.first_data()).to_yaml(false).as_str(), @r"
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
        let read = |text: &str| SecretText::parse(Path::new("s.yaml"), text)?.data(&secret);
        assert_eq!(read(&secret.to_yaml(false)).expect("reads"), secret.data());
        let changes = secret.changes(&read("data: {a: \"no\", d: x}").expect("reads"));
        assert_eq!(changes.summary(), "added d; removed bin, c; changed a");
        assert!(read("data:\n  a: 1").expect_err("refused").to_string().contains("s.yaml:2:6"));
    }

    #[test]
    fn two_secrets_of_kubectl_differ_in_keys() {
        let secret = |data: &str| format!(r#"{{"apiVersion": "v1", "kind": "Secret", "data": {data}}}"#);
        let (before, after) = (secret(r#"{"A": "YQ==", "B": "Yg==", "C": "Yw=="}"#), secret(r#"{"B": "Yg==", "C": "eA==", "D": "ZA=="}"#));
        assert_eq!(Changes::between(&before, &after).expect("two Secrets").summary(), "added D; removed A; changed C");
        assert_eq!(Changes::between("", &after).expect("a new one").summary(), "added B, C, D");
        for wrong in ["A=hunter2", r#"{"kind": "ConfigMap", "data": {"A": "hunter2"}}"#] {
            let error = Changes::between("", wrong).expect_err("no Secret").to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn checksums_tell_keys_and_values_apart() {
        let data =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), Zeroizing::new(v.as_bytes().to_vec()))).collect::<Data>();
        assert_ne!(checksum(&[data(&[("a", "bc")])]), checksum(&[data(&[("ab", "c")])]));
        assert_eq!(checksum(&[data(&[("a", "b")])]), checksum(&[data(&[("a", "b")])]));
    }
}
