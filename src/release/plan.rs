//! A deploy that was looked through, to be done later as it was seen, or not at all.
//!
//! The file is handed from job to job as an artifact, so nothing in it is nobody's to read: of values given with `--set` it has the keys, of values and
//! Secrets a salted sum that takes long to make.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::deploy::Wanted;
use super::diff::{Compared, of_deploy};
use super::handle::Handle;
use super::image::digest_of;
use super::secrets;
use crate::error::{Error, Kind, Result};
use crate::model::changes::{Action, Change, Diff, MASK};
use crate::model::diff::Field;
use crate::model::hex::hex;
use crate::session::Session;
use crate::ui::printable;
use crate::values::set::parse_set;

/// Shape of the file.
const VERSION: u32 = 1;
/// A file of more bytes is no plan.
const MOST: u64 = 32 << 20;
/// So often a sum is made of itself: who guesses what is in it waits as long each time.
const ROUNDS: usize = 50_000;
/// A shorter text is hidden only where it stands alone: it is a part of other words too.
const LONG: usize = 6;
/// So many things that moved are told.
const TOLD: usize = 10;

/// A deploy that was looked through.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    /// Shape of this file.
    pub version: u32,
    /// The lain that made it.
    pub lain: String,
    /// When, as RFC 3339 writes it.
    pub made: String,
    /// Who.
    pub by: String,
    /// The release.
    pub release: String,
    /// The cluster.
    pub cluster: String,
    /// The newest revision at that time, whatever became of it; 0 for none.
    pub newest: u32,
    /// The image tag.
    pub image_tag: String,
    /// The whole image, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The digest that the registry had of it; none where no pod runs it, or the registry had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The keys that were given with `--set`, but for `imageTag`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Of this file alone.
    pub salt: String,
    /// What it was made of.
    pub sums: Sums,
    /// What it changes.
    pub diff: Diff,
}

/// Salted sums of what a plan was made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sums {
    /// The chart's files, without values.
    pub chart: String,
    /// All values, without the cluster's credentials.
    pub values: String,
    /// `APP-env` and `APP-secret`.
    pub secrets: String,
}

/// Makes a plan of a deploy. `set` is what was given with `--set`.
///
/// # Errors
/// As [`of_deploy`].
pub(crate) fn make(session: &Session, wanted: &Wanted, set: &[String]) -> Result<Plan> {
    let mut salt = [0; 32];
    let random = Path::new("/dev/urandom");
    File::open(random).and_then(|mut file| file.read_exact(&mut salt)).map_err(|error| Error::io("read", random, &error))?;
    made(session, wanted, set, hex(&salt))
}

fn made(session: &Session, wanted: &Wanted, set: &[String], salt: String) -> Result<Plan> {
    let handle = Handle::of_app(session)?;
    let Compared { diff, tag, image, newest } = of_deploy(&handle, wanted)?;
    let app = session.app()?;
    let digest = match digest_of(session, app, image.as_ref(), &tag) {
        Ok(digest) => digest,
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(error) => {
            session.ui.warning(&error.context("the plan goes without the digest of its image"));
            None
        }
    };
    let diff = veiled(diff, set)?;
    let mut keys: Vec<String> = set.iter().map(|argument| key(argument)).filter(|key| key != "imageTag").collect();
    keys.sort();
    keys.dedup();
    let slow = |text: &str| (0..ROUNDS).fold(sum(&salt, text.as_bytes()), |last, _| sum(&salt, last.as_bytes()));
    let sums = Sums {
        chart: chart_sum(&session.dir.join("chart"), &salt)?,
        values: slow(&values_of(session)?),
        secrets: slow(&secrets::current_checksum(&handle.kubectl, app)?),
    };
    Ok(Plan {
        version: VERSION,
        lain: env!("CARGO_PKG_VERSION").to_owned(),
        made: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        by: session.env.executor(),
        release: handle.name.clone(),
        cluster: handle.cluster.to_owned(),
        newest,
        image_tag: tag,
        image: image.map(|image| image.to_string()),
        digest,
        set: keys,
        salt,
        sums,
        diff,
    })
}

/// A diff without the texts that were given with `--set`, wherever the chart wrote them.
fn veiled(diff: Diff, set: &[String]) -> Result<Diff> {
    let given =
        set.iter().filter(|argument| key(argument) != "imageTag").map(|argument| parse_set(argument, true)).collect::<Result<Vec<_>>>()?;
    let mut texts = vec![];
    given.iter().for_each(|node| node.texts(&mut texts));
    texts.retain(|text| !text.is_empty());
    if texts.is_empty() {
        return Ok(diff);
    }
    let broken = |error: serde_json::Error| Error::failed(format!("the plan cannot be written: {error}"));
    let mut json = serde_json::to_value(&diff).map_err(broken)?;
    for list in ["changes", "notes", "refused"] {
        veil(&mut json[list], &texts);
    }
    json.as_object_mut().into_iter().for_each(|map| map.retain(|_, value| !value.is_null()));
    serde_json::from_value(json).map_err(broken)
}

/// What differs and all of a new object: names, paths and kinds are the chart's.
fn veil(json: &mut Json, texts: &[&str]) {
    match json {
        Json::String(text) => {
            for hidden in texts {
                if text == hidden {
                    MASK.clone_into(text);
                } else if hidden.len() >= LONG {
                    *text = text.replace(hidden, MASK);
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| veil(item, texts)),
        Json::Object(map) => {
            let chart = ["action", "apiVersion", "kind", "name", "namespace", "path", "difference"];
            map.iter_mut().filter(|(key, _)| !chart.contains(&key.as_str())).for_each(|(_, value)| veil(value, texts));
        }
        _ => {}
    }
}

/// The key of `KEY=VALUE`.
fn key(argument: &str) -> String {
    argument.split_once('=').map_or(argument, |(key, _)| key).to_owned()
}

fn sum(salt: &str, bytes: &[u8]) -> String {
    let mut sum = Sha256::new();
    sum.update(salt.as_bytes());
    sum.update(bytes);
    hex(&sum.finalize())
}

/// All values in one text, the image tag aside: it is told by itself.
fn values_of(session: &Session) -> Result<String> {
    let resolved = session.resolved()?;
    let mut values = resolved.layers.canonical().to_json();
    if let Some(map) = values.as_object_mut() {
        map.remove("imageTag");
    }
    for way in resolved.credentials() {
        let Some((last, above)) = way.split_last() else { continue };
        let holder = above.iter().try_fold(&mut values, |node, step| node.get_mut(step));
        if let Some(map) = holder.and_then(Json::as_object_mut) {
            map.remove(last);
        }
    }
    Ok(values.to_string())
}

/// All that is in the chart's folder but values files, which count by what they come to.
fn chart_sum(chart: &Path, salt: &str) -> Result<String> {
    let mut files = BTreeMap::new();
    let mut todo = vec![chart.to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| Error::io("read", &folder, &error))?.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_values = folder == chart && name.starts_with("values") && path.extension().is_some_and(|it| it == "yaml" || it == "yml");
            if path.is_dir() {
                todo.push(path);
            } else if !is_values {
                let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, &error))?;
                files.insert(path.strip_prefix(chart).unwrap_or(&path).to_owned(), sum(salt, &bytes));
            }
        }
    }
    Ok(sum(salt, format!("{files:?}").as_bytes()))
}

impl Plan {
    /// Reads the file.
    ///
    /// # Errors
    /// There is none, or it is no plan of this lain.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let again = "lain deploy --dry-run -o plan # makes one";
        let mut text = String::new();
        let file = File::open(path).map_err(|error| Error::io("read", path, &error).hint(again))?;
        file.take(MOST).read_to_string(&mut text).map_err(|error| Error::io("read", path, &error).hint(again))?;
        let broken = |why: String| Error::failed(why).context(format!("{shown} is no plan of lain's")).hint(again);
        let json: Json = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        match json["version"].as_u64() {
            Some(version) if version == u64::from(VERSION) => serde_json::from_value(json).map_err(|error| broken(error.to_string())),
            Some(version) if json.get("sums").is_some() => {
                let made = printable(json["lain"].as_str().unwrap_or("another version"));
                Err(Error::failed(format!("{shown} has shape {version} of lain {made}, and this lain reads shape {VERSION}")).hint(again))
            }
            _ => Err(broken("it has no `version`".to_owned())),
        }
    }

    /// Refuses a plan of another release or cluster, and one whose `--set` are not given again.
    ///
    /// # Errors
    /// It is one.
    pub(crate) fn refuse_foreign(&self, session: &Session, set: &[String]) -> Result<()> {
        let (release, cluster) = (session.app()?.release(), &session.require_cluster()?.name);
        if (&*self.release, &*self.cluster) != (release, cluster) {
            let error = Error::refused(format!(
                "the plan is for release {} in cluster {}, and this is release {release} in cluster {cluster}",
                printable(&self.release),
                printable(&self.cluster)
            ));
            return Err(error.hint("lain deploy --dry-run -o plan # makes one for here"));
        }
        let given: BTreeSet<String> = set.iter().map(|argument| key(argument)).filter(|key| key != "imageTag").collect();
        let planned: BTreeSet<String> = self.set.iter().cloned().collect();
        if given != planned {
            let list = |keys: &BTreeSet<String>| {
                if keys.is_empty() { "none".to_owned() } else { keys.iter().map(|key| printable(key)).collect::<Vec<_>>().join(", ") }
            };
            let flags: String = planned.iter().fold(String::new(), |all, key| all + &format!(" --set {}=VALUE", printable(key)));
            return Err(Error::refused(format!(
                "the plan was made with --set of {}, and these are given: {}; a plan keeps no values",
                list(&planned),
                list(&given)
            ))
            .hint(format!("lain deploy --plan PLAN{flags}")));
        }
        Ok(())
    }

    /// Refuses when anything that the plan was made of is not as it was.
    ///
    /// # Errors
    /// Something moved; or the server does not answer.
    pub(crate) fn refuse_moved(&self, session: &Session, wanted: &Wanted, set: &[String]) -> Result<()> {
        let now = made(session, wanted, set, self.salt.clone())?;
        let mut moved = self.moved(&now);
        if moved.is_empty() {
            session.ui.say(&format!("the plan of {}, made by {}, still fits: {}", self.made, printable(&self.by), self.diff.summary()));
            return Ok(());
        }
        let more = moved.len().saturating_sub(TOLD);
        moved.truncate(TOLD);
        if more > 0 {
            moved.push(format!("and {more} more"));
        }
        let list: String = moved.iter().fold(String::new(), |all, line| all + "\n  " + &printable(line));
        Err(Error::refused(format!("this is not what was planned on {} by {} any more:{list}", printable(&self.made), printable(&self.by)))
            .hint("lain diff # what a deploy would change now")
            .hint("lain deploy --dry-run -o plan # makes a new one: look through that"))
    }

    /// What is not as it was, causes first.
    fn moved(&self, now: &Self) -> Vec<String> {
        let mut moved = vec![];
        if self.newest != now.newest {
            let was = if self.newest == 0 { "there was none".to_owned() } else { format!("it was {}", self.newest) };
            let is =
                if now.newest == 0 { "there is no release now".to_owned() } else { format!("revision {} is the newest now", now.newest) };
            moved.push(format!("the release: {is}, {was}; lain history says who"));
        }
        let parts = [
            (self.sums.chart == now.sums.chart, "the chart: files of chart/ are others"),
            (self.sums.values == now.sums.values, "the values: files, --set or the cluster's values say something else"),
            (self.sums.secrets == now.sums.secrets, "the app's Secrets: APP-env or APP-secret was changed"),
            (self.image == now.image && self.image_tag == now.image_tag, "the image: another one is asked for"),
        ];
        moved.extend(parts.into_iter().filter(|(same, _)| !same).map(|(_, what)| what.to_owned()));
        if self.digest.is_some() && self.digest != now.digest {
            let digest = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "nothing".to_owned());
            moved.push(format!(
                "the image: {} is {} in the registry now, it was {}",
                self.image_tag,
                digest(&now.digest),
                digest(&self.digest)
            ));
        }
        moved.extend(moved_objects(&self.diff.changes, &now.diff.changes));
        moved
    }
}

/// The objects that would be changed in another way.
fn moved_objects(planned: &[Change], now: &[Change]) -> Vec<String> {
    let find = |list: &'_ [Change], one: &Change| list.iter().find(|other| other.title() == one.title() && other.hook == one.hook).cloned();
    let mut moved = vec![];
    for before in planned {
        match find(now, before) {
            None => moved.push(format!("{}: nothing would change about it now", before.title())),
            Some(after) => {
                let differs: Vec<&Field> = after
                    .fields
                    .iter()
                    .filter(|field| !before.fields.contains(field))
                    .chain(before.fields.iter().filter(|field| !after.fields.iter().any(|other| other.path == field.path)))
                    .collect();
                if !differs.is_empty() {
                    let paths: Vec<&str> = differs.iter().map(|field| field.path.as_str()).collect();
                    moved.push(format!("{}: {}", before.title(), paths.join(", ")));
                } else if (before.action, before.gone, &before.object) != (after.action, after.gone, &after.object) {
                    moved.push(format!("{}: {} it now, {} it then", before.title(), word(&after), word(before)));
                }
            }
        }
    }
    let new = now.iter().filter(|after| find(planned, after).is_none());
    moved.extend(new.map(|after| {
        let paths: Vec<&str> = after.fields.iter().map(|field| field.path.as_str()).collect();
        let paths = if paths.is_empty() { String::new() } else { format!(": {}", paths.join(", ")) };
        format!("{}: a deploy would {} it now{paths}", after.title(), word(after))
    }));
    moved
}

fn word(change: &Change) -> &'static str {
    match change.action {
        Action::Create => "make",
        Action::Update => "change",
        Action::Delete => "delete",
        Action::Keep => "keep",
        Action::Stay => "leave",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan(changes: &Json) -> Plan {
        let sums = json!({"chart": "c", "values": "v", "secrets": "s"});
        serde_json::from_value(json!({
            "version": 1, "lain": "5.0.0", "made": "2026-11-26T00:00:00Z", "by": "ada", "release": "shop", "cluster": "test", "newest": 4, "imageTag": "v1",
            "digest": "sha256:a", "salt": "00", "sums": sums,
            "diff": {"version": 1, "release": "shop", "cluster": "test", "create": 0, "update": 1, "delete": 0, "drift": 0, "changes": changes},
        }))
        .expect("a plan")
    }

    fn web(replicas: u8) -> Json {
        let field = json!({"path": "spec.replicas", "difference": "change", "recorded": 1, "planned": replicas});
        json!({"action": "update", "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "fields": [field]})
    }

    #[test]
    fn what_moved_is_named() {
        let first = plan(&json!([web(2)]));
        assert!(first.moved(&first).is_empty());
        let mut other = plan(&json!([web(3), {"action": "delete", "apiVersion": "v1", "kind": "Service", "name": "web"}]));
        (other.newest, other.sums.secrets, other.digest) = (5, "x".into(), Some("sha256:b".into()));
        assert_eq!(
            first.moved(&other),
            [
                "the release: revision 5 is the newest now, it was 4; lain history says who",
                "the app's Secrets: APP-env or APP-secret was changed",
                "the image: v1 is sha256:b in the registry now, it was sha256:a",
                "deployment/web: spec.replicas",
                "service/web: a deploy would delete it now",
            ]
        );
        assert_eq!(other.moved(&first).last().map(String::as_str), Some("service/web: nothing would change about it now"));
    }

    #[test]
    fn a_file_of_another_kind_is_no_plan() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        for (text, words) in [
            ("", "is no plan of lain's"),
            ("[1]", "is no plan of lain's"),
            ("{\"version\": 9, \"sums\": {}}", "has shape 9"),
            ("{\"version\": 1}", "missing field"),
        ] {
            fs::write(file.path(), text).expect("written");
            let error = Plan::read(file.path()).expect_err(text);
            assert!(format!("{error}").contains(words) && !error.hints().is_empty(), "{error}");
        }
    }
}
