//! What helm keeps of a revision: the Secret `sh.helm.release.v1.RELEASE.vREVISION`, JSON in gzip in base64, as helm 3.0 to 4.3 write it.
//!
//! helm compares each upgrade with the manifest in there, and reads it again to uninstall.

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::cluster::objects::Metadata;
use crate::error::{Error, Result};
use crate::model::text::text_of;
use crate::tools::helm::Revision;
use crate::tools::kubectl::Kubectl;

/// Most that a record may hold once unpacked; the API server takes 1 MiB packed.
const MOST: u64 = 64 << 20;

/// Helm values that differ from run to run though the same runs. Secrets are no part of a release, so their checksum is none either.
pub(crate) const OF_A_RUN: [&str; 5] = ["deploy_action", "deploy_id", "deploy_timeout", "secretsChecksum", "user"];

/// JSON whose values are passed on as they are: reading them would lose digits of numbers.
type Raw = IndexMap<String, Box<RawValue>>;

/// helm's record of one revision.
#[derive(Debug)]
pub(crate) struct Record {
    secret: Json,
    release: Raw,
    manifest: String,
}

impl Record {
    /// The record of this revision; none where helm keeps its records elsewhere (`HELM_DRIVER`).
    ///
    /// # Errors
    /// The server does not answer, or the record is no helm's.
    pub(crate) fn fetch(kubectl: &Kubectl<'_>, release: &str, revision: u32) -> Result<Option<Self>> {
        kubectl.find("secret", &secret_name(release, revision))?.map(Self::of).transpose()
    }

    /// The records of all revisions that helm kept, oldest first; none where it keeps them elsewhere.
    ///
    /// # Errors
    /// As [`Record::fetch`].
    pub(crate) fn all(kubectl: &Kubectl<'_>, release: &str) -> Result<Vec<Self>> {
        let list: Json = kubectl.select("secrets", &selector(release))?;
        let secrets = list["items"].as_array().cloned().unwrap_or_default();
        let mut records = secrets.into_iter().map(Self::of).collect::<Result<Vec<_>>>()?;
        records.sort_by_key(Self::revision);
        Ok(records)
    }

    /// The record of the revision that is deployed; none where there is none.
    ///
    /// # Errors
    /// As [`Record::fetch`].
    pub(crate) fn deployed(kubectl: &Kubectl<'_>, release: &str) -> Result<Option<Self>> {
        let list: Json = kubectl.select("secrets", &format!("{},status=deployed", selector(release)))?;
        let records = list["items"].as_array().cloned().unwrap_or_default().into_iter().map(Self::of).collect::<Result<Vec<_>>>()?;
        Ok(records.into_iter().max_by_key(Self::revision))
    }

    fn of(secret: Json) -> Result<Self> {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let packed = secret["data"]["release"].as_str().unwrap_or_default();
        let release =
            unpack(packed).map_err(|why| Error::failed(format!("{why}")).context(format!("Secret {name} is no record of helm's")))?;
        let manifest = release.get("manifest").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        Ok(Self { secret, release, manifest })
    }

    /// What helm believes to be in the cluster: YAML, one object after another.
    pub(crate) fn manifest(&self) -> &str {
        &self.manifest
    }

    /// The same with its hooks, which are no part of what helm keeps in the cluster.
    pub(crate) fn manifest_and_hooks(&self) -> String {
        let hooks: Json = self.release.get("hooks").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let hooks = hooks.as_array().into_iter().flatten().filter_map(|hook| hook["manifest"].as_str());
        hooks.fold(self.manifest.clone(), |all, hook| all + "\n---\n" + hook)
    }

    /// The image tag that was deployed.
    pub(crate) fn image_tag(&self) -> Option<String> {
        self.value("imageTag")
    }

    /// A text among the values that the revision was made with.
    pub(crate) fn value(&self, key: &str) -> Option<String> {
        let config: Json = serde_json::from_str(self.release.get("config")?.get()).ok()?;
        text_of(&config[key])
    }

    /// What the revision runs: the chart with its values, and what was said on top of them.
    pub(crate) fn runs(&self) -> Json {
        let part = |key: &str| self.release.get(key).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or(Json::Null);
        let (mut config, chart) = (part("config"), part("chart"));
        if let Some(config) = config.as_object_mut() {
            OF_A_RUN.iter().for_each(|key| drop(config.remove(*key)));
        }
        serde_json::json!([config, chart["values"], chart["templates"]])
    }

    /// One of helm's times: `last_deployed`, `deleted`; helm writes the year 1 for never.
    pub(crate) fn time(&self, key: &str) -> Option<Timestamp> {
        self.info(key)?.parse().ok().filter(|time: &Timestamp| time.as_second() > 0)
    }

    /// What helm or lain wrote of the revision: `Upgrade complete`, `Rollback to 3`.
    pub(crate) fn description(&self) -> Option<String> {
        self.info("description")
    }

    /// Which revision; helm counts from 1.
    pub(crate) fn revision(&self) -> Option<u32> {
        self.release.get("version")?.get().parse().ok()
    }

    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, ...
    pub(crate) fn status(&self) -> Option<String> {
        self.info("status")
    }

    fn info(&self, key: &str) -> Option<String> {
        let info: Json = serde_json::from_str(self.release.get("info")?.get()).ok()?;
        info[key].as_str().map(str::to_owned)
    }

    /// The revision as `helm history` tells it; none where the record lacks its number or its status.
    pub(crate) fn told(&self) -> Option<Revision> {
        Some(Revision {
            revision: self.revision()?,
            status: self.status()?,
            updated: self.info("last_deployed").unwrap_or_default(),
            description: self.description().unwrap_or_default(),
        })
    }

    /// The values that the revision was made with, beside the chart's own.
    pub(crate) fn config(&self) -> Json {
        self.release.get("config").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    /// An annotation of the Secret; helm drops it when it writes the record anew.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.secret["metadata"]["annotations"][key].as_str()
    }

    /// True when the values it was deployed with hold something on one of these ways.
    pub(crate) fn holds(&self, ways: &[Vec<String>]) -> bool {
        let config = self.release.get("config").and_then(|raw| serde_json::from_str::<Json>(raw.get()).ok()).unwrap_or_default();
        ways.iter().any(|way| way.iter().try_fold(&config, |node, step| node.get(step)).is_some_and(|end| !end.is_null()))
    }

    /// The Secret without what the values hold on these ways; none where they hold nothing there. All else stays byte for byte.
    ///
    /// # Errors
    /// The record cannot be written.
    pub(crate) fn without(mut self, ways: &[Vec<String>]) -> Result<Option<Json>> {
        if !self.holds(ways) {
            return Ok(None);
        }
        let config = self.release.get("config").map_or("{}", |raw| raw.get());
        let config = ways.iter().try_fold(config.to_owned(), |config, way| removed(&config, way)).map_err(broken)?;
        self.release.insert("config".to_owned(), RawValue::from_string(config).map_err(broken)?);
        self.secret["data"]["release"] = pack(&self.release).map_err(broken)?.into();
        Ok(Some(self.secret))
    }

    /// True when the server merged this revision (helm 4's server-side apply), false when helm did.
    pub(crate) fn is_server_side(&self) -> bool {
        self.release.get("apply_method").is_some_and(|method| method.get() == "\"ssa\"")
    }

    /// The Secret with another manifest, and a word about it for `helm history`.
    ///
    /// # Errors
    /// The record holds no description.
    pub(crate) fn with_manifest(mut self, manifest: &str, note: &str) -> Result<Json> {
        self.release.insert("manifest".to_owned(), serde_json::value::to_raw_value(manifest).map_err(broken)?);
        self.with_note(note)
    }

    /// The Secret with a word for `helm history` behind what it says already.
    ///
    /// # Errors
    /// The record cannot be written.
    pub(crate) fn with_note(mut self, note: &str) -> Result<Json> {
        let info = self.release.get("info").map_or("{}", |raw| raw.get());
        let mut info: Raw = serde_json::from_str(info).map_err(broken)?;
        let before: String = info.get("description").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let description = if before.contains(note) { before } else { format!("{before}; {note}") };
        info.insert("description".to_owned(), serde_json::value::to_raw_value(&description).map_err(broken)?);
        self.release.insert("info".to_owned(), serde_json::value::to_raw_value(&info).map_err(broken)?);
        self.secret["data"]["release"] = pack(&self.release).map_err(broken)?.into();
        Ok(self.secret)
    }
}

#[allow(clippy::needless_pass_by_value)] // as map_err wants it
fn broken(error: serde_json::Error) -> Error {
    Error::failed(format!("helm's record cannot be written: {error}"))
}

/// A JSON map without what stands at the end of a way; as it is where nothing does.
fn removed(map: &str, way: &[String]) -> serde_json::Result<String> {
    let Ok(mut entries) = serde_json::from_str::<Raw>(map) else { return Ok(map.to_owned()) };
    match way {
        [] => {}
        [last] => drop(entries.shift_remove(last)),
        [first, rest @ ..] => {
            if let Some(entry) = entries.get_mut(first) {
                *entry = RawValue::from_string(removed(entry.get(), rest)?)?;
            }
        }
    }
    serde_json::to_string(&entries)
}

/// Selects the Secrets that helm keeps a release's revisions in.
pub(crate) fn selector(release: &str) -> String {
    format!("owner=helm,name={release}")
}

/// Selects those of all releases.
pub(crate) const OF_ALL: &str = "owner=helm";
/// Records of one answer: each may be of 1 MiB.
pub(crate) const PAGE: u32 = 10;

/// A record as it lies in its Secret, where many are read and little is wanted of each.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Packed {
    /// Its head: helm's labels tell the release.
    pub metadata: Metadata,
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    release: String,
}

impl Packed {
    /// All that helm kept of the revision: its chart, its values, its manifest.
    ///
    /// # Errors
    /// It is no record of helm's.
    pub(crate) fn text(&self) -> Result<String> {
        unzip(&self.data.release).map_err(|why| Error::failed(format!("{why}")))
    }
}

/// The Secret that helm keeps a revision in.
pub(crate) fn secret_name(release: &str, revision: u32) -> String {
    format!("sh.helm.release.v1.{release}.v{revision}")
}

fn unpack(packed: &str) -> anyhow::Result<Raw> {
    Ok(serde_json::from_str(&unzip(packed)?)?)
}

fn unzip(packed: &str) -> anyhow::Result<String> {
    let zipped = STANDARD.decode(STANDARD.decode(packed)?)?;
    let mut text = String::new();
    GzDecoder::new(&zipped[..]).take(MOST).read_to_string(&mut text)?;
    Ok(text)
}

fn pack(release: &Raw) -> serde_json::Result<String> {
    let text = serde_json::to_vec(release)?;
    let mut zip = GzEncoder::new(Vec::new(), Compression::best()); // as helm packs it
    let zipped = zip.write_all(&text).and_then(|()| zip.finish()).map_err(serde_json::Error::io)?;
    Ok(STANDARD.encode(STANDARD.encode(zipped)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_manifest_stays_as_it_was() {
        let text = r#"{"name":"a","info":{"status":"deployed","description":"Upgrade complete"},"config":{"imageTag":"v1","big":12345678901234567890123,"exp":1e3},"manifest":"kind: A\n","version":7}"#;
        let release: Raw = serde_json::from_str(text).expect("JSON");
        let secret = serde_json::json!({"metadata": {"resourceVersion": "5"}, "data": {"release": pack(&release).expect("packed")}});
        let record = |secret: Json| {
            let release = unpack(secret["data"]["release"].as_str().expect("text")).expect("unpacked");
            Record { manifest: String::new(), secret, release }
        };
        let first = record(secret);
        assert_eq!((first.image_tag().as_deref(), first.is_server_side()), (Some("v1"), false));
        let changed = first.with_manifest("kind: B\n", "mended").expect("a Secret");
        assert_eq!(changed["metadata"]["resourceVersion"], "5");
        let again = record(changed).with_manifest("kind: B\n", "mended").expect("a Secret"); // the note is not written twice
        let after = serde_json::to_string(&record(again).release).expect("JSON");
        assert_eq!(after, text.replace("kind: A", "kind: B").replace("Upgrade complete", "Upgrade complete; mended"));
    }

    #[test]
    fn credentials_leave_and_all_else_stays() {
        let text = r#"{"name":"a","config":{"big":12345678901234567890123,"harbor_token":"x","registry":"r","webhook":{"secret":null,"type":"slack","url":"https://x"}},"manifest":"kind: A\n","version":7}"#;
        let record = |text: &str| Record {
            secret: serde_json::json!({"data": {"release": ""}}),
            release: serde_json::from_str(text).expect("JSON"),
            manifest: String::new(),
        };
        let ways =
            [vec!["harbor_token".to_owned()], vec!["webhook".to_owned(), "url".to_owned()], vec!["registry".to_owned(), "x".to_owned()]];
        let secret = record(text).without(&ways).expect("a record").expect("it held some");
        let after = unpack(secret["data"]["release"].as_str().expect("text")).expect("unpacked");
        let wanted = text.replace(r#""harbor_token":"x","#, "").replace(r#","url":"https://x""#, "");
        assert_eq!(serde_json::to_string(&after).expect("JSON"), wanted);
        assert!(record(&wanted).without(&ways).expect("a record").is_none());
    }

    #[test]
    fn the_same_runs_whoever_deploys_it() {
        let runs = |config: &str, chart: &str| {
            let release = serde_json::from_str(&format!(r#"{{"config":{config},"chart":{chart}}}"#)).expect("JSON");
            Record { secret: Json::Null, release, manifest: String::new() }.runs()
        };
        let chart = r#"{"metadata":{"version":"1"},"values":{"env":{"A":"1"}},"templates":[{"name":"a"}]}"#;
        let first = runs(r#"{"imageTag":"v1","user":"ada","deploy_id":"1","deploy_timeout":"300","secretsChecksum":"a"}"#, chart);
        assert_eq!(first, runs(r#"{"deploy_id":"2","imageTag":"v1","user":"eve","secretsChecksum":"b"}"#, chart));
        assert_ne!(first, runs(r#"{"imageTag":"v2"}"#, chart), "another image");
        assert_ne!(first, runs(r#"{"imageTag":"v1"}"#, &chart.replace(r#""1"}}"#, r#""2"}}"#)), "another value");
        assert_ne!(first, runs(r#"{"imageTag":"v1"}"#, &chart.replace(r#"{"name":"a"}"#, "")), "another chart");
    }

    #[test]
    fn what_is_no_record_is_said() {
        for packed in ["", "!", "aGVsbG8=", &STANDARD.encode(STANDARD.encode("hello"))] {
            assert!(unpack(packed).is_err(), "{packed}");
        }
    }
}
