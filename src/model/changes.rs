//! What a deploy would change, object by object: what helm has recorded, what is to be, what runs.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::api_versions::Api;
use super::diff::{self, Difference, Field, States};
use super::manifest::Object;

/// The annotation in which helm writes which release an object is of.
pub(crate) const HELM_RELEASE: &str = "meta.helm.sh/release-name";
/// The pod annotation that has pods follow their Secrets; what stands in it is made of them.
const CHECKSUM: &str = "lain.dev/secrets-checksum";
/// In place of what is nobody's to read.
pub(crate) const MASK: &str = "***";

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It leaves the release and stays in the cluster: `helm.sh/resource-policy: keep`.
    Keep,
    /// It stays as it is, though somebody changed it in the cluster.
    Stay,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    /// What becomes of it.
    pub action: Action,
    /// `apps/v1`
    pub api_version: String,
    /// `Deployment`
    pub kind: String,
    /// None of its own: the release's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// One of helm's hooks: made and run at its time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
    /// Somebody deleted it in the cluster.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// What to know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why helm or the server would refuse it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The fields that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// All of a new one, without what is nobody's to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Json>,
}

impl Change {
    fn of(object: &Object, action: Action, fields: Vec<Field>) -> Self {
        let mut fields = fields;
        let is_secret = object.kind() == "Secret";
        fields.iter_mut().for_each(|field| mask(field, is_secret));
        let follows = fields.iter().any(|field| field.path.ends_with(CHECKSUM));
        Self {
            action,
            api_version: object.api_version().to_owned(),
            kind: object.kind().to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            hook: object.annotation("helm.sh/hook").is_some(),
            gone: false,
            notes: if follows { vec!["the app's Secrets were changed: its pods are replaced".to_owned()] } else { vec![] },
            refused: None,
            fields,
            object: (action == Action::Create).then(|| masked(object.json(), is_secret)),
        }
    }

    fn noted(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Somebody changed it in the cluster, or deleted it there.
    pub(crate) fn is_drift(&self) -> bool {
        self.gone || self.fields.iter().any(|field| field.difference != Difference::Change)
    }

    /// `deployment/shop-web`, in a namespace of its own `deployment/shop-web in NAMESPACE`.
    pub(crate) fn title(&self) -> String {
        let at = if self.namespace.is_empty() { String::new() } else { format!(" in {}", self.namespace) };
        format!("{}/{}{at}", self.kind.to_lowercase(), self.name)
    }
}

/// All that a deploy would change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diff {
    /// Shape of this result.
    pub version: u32,
    /// The release.
    pub release: String,
    /// The cluster.
    pub cluster: String,
    /// The revision that it is compared with; none where there is no release yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// The image tag of that revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_tag: Option<String>,
    /// The image tag that would be deployed; none where drift alone was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_tag: Option<String>,
    /// Objects that would be made.
    pub create: usize,
    /// Objects that would be changed.
    pub update: usize,
    /// Objects that would be deleted.
    pub delete: usize,
    /// Objects that somebody changed in the cluster.
    pub drift: usize,
    /// What helm says, where it could not go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What could not be looked at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Jobs that every deploy runs anew.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs_again: Vec<String>,
    /// What differs.
    pub changes: Vec<Change>,
}

impl Diff {
    /// Counts what differs.
    pub(crate) fn count(&mut self) {
        let count = |action| self.changes.iter().filter(|change| change.action == action).count();
        (self.create, self.update, self.delete) = (count(Action::Create), count(Action::Update), count(Action::Delete));
        self.drift = self.changes.iter().filter(|change| change.is_drift()).count();
    }

    /// A deploy would change something.
    pub(crate) fn changes_something(&self) -> bool {
        self.create + self.update + self.delete > 0
    }

    /// `1 to create, 2 to update, 1 to delete`
    pub(crate) fn summary(&self) -> String {
        if self.planned_tag.is_none() {
            return if self.drift == 0 {
                "nothing was changed in the cluster".to_owned()
            } else {
                format!("{} changed in the cluster", self.drift)
            };
        }
        let mut words: Vec<String> = [(self.create, "to create"), (self.update, "to update"), (self.delete, "to delete")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if words.is_empty() {
            words.push("nothing to change".to_owned());
        }
        if self.drift > 0 {
            words.push(format!("{} changed in the cluster", self.drift));
        }
        words.join(", ")
    }
}

/// What runs of an object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Live<'a> {
    /// Nobody could tell.
    #[default]
    Unknown,
    /// It is not there.
    Missing,
    /// This.
    Found(&'a Json),
}

impl<'a> Live<'a> {
    fn json(self) -> Option<&'a Json> {
        match self {
            Live::Found(json) => Some(json),
            Live::Unknown | Live::Missing => None,
        }
    }
}

/// What is compared.
pub(crate) struct Sides<'a> {
    /// The release.
    pub release: &'a str,
    /// What helm has recorded, hooks among it.
    pub recorded: &'a [Object],
    /// What is to be, hooks among it.
    pub planned: &'a [Object],
    /// Workloads, `Deployment/shop-web`, whose replicas are an autoscaler's of somebody's.
    pub autoscaled: &'a BTreeSet<String>,
    /// The server merges (helm 4), so that drift of custom resources is set back as well.
    pub server_side: bool,
}

/// What comes of it.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What differs: in the order of the plan, then what goes.
    pub changes: Vec<Change>,
    /// Jobs that every deploy runs anew though nothing about them changes.
    pub runs_again: Vec<String>,
}

/// Compares; `live` tells what runs of an object.
pub(crate) fn compare<'l>(sides: &Sides<'_>, live: &dyn Fn(&Object) -> Live<'l>) -> Found {
    let mut found = Found::default();
    let mut left: Vec<&Object> = sides.recorded.iter().collect();
    let mut autoscaled = sides.autoscaled.clone();
    autoscaled.extend(sides.recorded.iter().chain(sides.planned).filter_map(|object| scaled_by(object.json())));
    for object in sides.planned {
        let before = left.iter().position(|other| is_same(other, object)).map(|at| left.remove(at));
        let live = if is_hook(object) { Live::Unknown } else { live(object) };
        let Some(before) = before else {
            found.changes.push(created(sides.release, object, live));
            continue;
        };
        if object.kind() == "Job" && !is_hook(object) {
            match job(before, object, live) {
                Some(change) => found.changes.push(change),
                None => found.runs_again.push(object.name().to_owned()),
            }
            continue;
        }
        if is_hook(object) != is_hook(before) {
            let now = if is_hook(object) { "it becomes a hook of helm's" } else { "it is no hook of helm's any more" };
            found.changes.push(Change::of(object, Action::Update, compared(before, object, Live::Unknown)).noted(now));
            continue;
        }
        found.changes.extend(updated(sides, &autoscaled, before, object, live));
    }
    for object in left {
        found.changes.push(deleted(object, if is_hook(object) { Live::Unknown } else { live(object) }));
    }
    found
}

/// What was changed in the cluster since helm recorded it: no plan is known.
pub(crate) fn drift<'l>(sides: &Sides<'_>, live: &dyn Fn(&Object) -> Live<'l>) -> Found {
    let recorded: Vec<Object> = sides.recorded.iter().filter(|object| !is_hook(object) && object.kind() != "Job").cloned().collect();
    compare(&Sides { recorded: &recorded, planned: &recorded, ..*sides }, live)
}

/// Helm runs it at its time, and does not keep it with the release.
pub(crate) fn is_hook(object: &Object) -> bool {
    object.annotation("helm.sh/hook").is_some()
}

/// `Deployment/shop-web`, where this is an autoscaler of it.
pub(crate) fn scaled_by(object: &Json) -> Option<String> {
    let target = &object["spec"]["scaleTargetRef"];
    (object["kind"] == "HorizontalPodAutoscaler").then_some(())?;
    Some(format!("{}/{}", target["kind"].as_str()?, target["name"].as_str()?))
}

fn group(version: &str) -> &str {
    version.split_once('/').map_or("", |(group, _)| group)
}

/// Which of two helm takes for one; a kind that moved to another group is the same in the cluster.
fn is_same(one: &Object, other: &Object) -> bool {
    let (before, after) = (one.api_version(), other.api_version());
    one.kind() == other.kind()
        && one.name() == other.name()
        && one.namespace() == other.namespace()
        && (group(before) == group(after) || Api::others(before, one.kind()).contains(&after))
}

/// What differs; `status` and the head's identity are no fields of who writes manifests.
fn compared(before: &Object, object: &Object, live: Live<'_>) -> Vec<Field> {
    let live = live.json().map(|json| written(object, json));
    if before.api_version() == object.api_version() {
        let (recorded, planned) = (written(before, before.json()), written(object, object.json()));
        return diff::fields(States { recorded: Some(&recorded), planned: Some(&planned), live: live.as_ref() });
    }
    // Two shapes of one kind: what runs can be had in the newer.
    let planned = written(object, object.json());
    let mut fields = match &live {
        Some(live) => against(live, &planned),
        None => diff::fields(States { recorded: Some(&written(before, before.json())), planned: Some(&planned), live: None }),
    };
    fields.retain(|field| field.path != "apiVersion");
    fields.insert(
        0,
        Field {
            path: "apiVersion".to_owned(),
            difference: Difference::Change,
            recorded: Some(before.api_version().into()),
            live: None,
            planned: Some(object.api_version().into()),
            secret: false,
        },
    );
    fields
}

/// What a plan changes of what runs, where nothing else is known of before.
fn against(live: &Json, planned: &Json) -> Vec<Field> {
    let drift = diff::fields(States { recorded: Some(planned), planned: Some(planned), live: Some(live) });
    let change = |field: Field| Field { difference: Difference::Change, recorded: field.live, live: None, ..field };
    drift.into_iter().filter(|field| field.difference == Difference::Drift).map(change).collect()
}

/// An object as somebody writes it; a Secret's plain text in the form that the server keeps.
fn written(object: &Object, json: &Json) -> Json {
    let mut json = json.clone();
    let Some(map) = json.as_object_mut() else { return json };
    map.remove("status");
    if let Some(metadata) = map.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.retain(|key, _| matches!(key.as_str(), "labels" | "annotations" | "finalizers"));
    }
    if object.kind() == "Secret"
        && let Some(Json::Object(plain)) = map.remove("stringData")
    {
        use base64::Engine;
        let data = map.entry("data").or_insert_with(|| json!({}));
        for (key, value) in plain {
            data[key] = value.as_str().map_or(Json::Null, |text| base64::engine::general_purpose::STANDARD.encode(text).into());
        }
    }
    json
}

fn created(release: &str, object: &Object, live: Live<'_>) -> Change {
    let Live::Found(json) = live else { return Change::of(object, Action::Create, vec![]) };
    let metadata = &json["metadata"];
    let is_ours = metadata["annotations"][HELM_RELEASE] == release && metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm";
    let mut change = Change::of(object, Action::Update, against(&written(object, json), &written(object, object.json())));
    if is_ours {
        return change.noted("it is in the cluster and not in helm's record: helm takes it over");
    }
    change.refused = Some("it is in the cluster already and not of this release, so helm refuses".to_owned());
    change
}

/// A Job that is done makes way for each deploy's own; none where nothing about it changes.
fn job(before: &Object, object: &Object, live: Live<'_>) -> Option<Change> {
    let fields = compared(before, object, Live::Unknown);
    if fields.is_empty() {
        return None;
    }
    let mut change = Change::of(object, Action::Update, fields);
    let done = |json: &Json| {
        let conditions = json["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|it| it["status"] == "True" && (it["type"] == "Complete" || it["type"] == "Failed"))
    };
    if live.json().is_some_and(|json| !done(json)) {
        change.refused = Some("it still runs, and a Job that runs cannot be changed".to_owned());
        return Some(change);
    }
    Some(change.noted("a Job cannot be changed: it is made anew"))
}

fn updated(sides: &Sides<'_>, autoscaled: &BTreeSet<String>, before: &Object, object: &Object, live: Live<'_>) -> Option<Change> {
    if let Live::Missing = live {
        let change = Change::of(object, Action::Create, vec![]).noted("it was deleted in the cluster");
        return Some(Change { gone: true, ..change });
    }
    let mut fields = compared(before, object, live);
    if autoscaled.contains(&format!("{}/{}", object.kind(), object.name())) {
        fields.retain(|field| field.path != "spec.replicas" || field.difference == Difference::Change);
        fields.iter_mut().filter(|field| field.path == "spec.replicas").for_each(|field| field.live = None);
    }
    // helm 3 patches custom resources by what the record and the plan differ in, and looks at nothing else.
    let group = group(object.api_version());
    let is_custom = group.contains('.') && !group.ends_with(".k8s.io");
    if is_custom && !sides.server_side {
        fields.iter_mut().filter(|field| field.difference == Difference::Drift).for_each(|field| {
            (field.difference, field.planned) = (Difference::Extra, None);
        });
    }
    if fields.is_empty() {
        return None;
    }
    let stays = fields.iter().all(|field| field.difference == Difference::Extra);
    Some(Change::of(object, if stays { Action::Stay } else { Action::Update }, fields))
}

fn deleted(object: &Object, live: Live<'_>) -> Change {
    let keeps = |json: &Json| json["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep";
    if keeps(object.json()) || live.json().is_some_and(keeps) {
        return Change::of(object, Action::Keep, vec![]).noted("helm.sh/resource-policy: keep");
    }
    let change = Change::of(object, Action::Delete, vec![]);
    if let Live::Missing = live { change.noted("it is gone from the cluster already") } else { change }
}

fn mask(field: &mut Field, is_secret: bool) {
    let is_data = is_secret && ["data", "stringData"].iter().any(|start| field.path.starts_with(start));
    if is_data || field.path.contains(CHECKSUM) {
        (field.recorded, field.live, field.planned, field.secret) = (None, None, None, true);
        return;
    }
    for value in [&mut field.recorded, &mut field.live, &mut field.planned].into_iter().flatten() {
        *value = masked(value, false);
    }
}

fn masked(json: &Json, is_secret: bool) -> Json {
    let mut json = json.clone();
    hide_checksums(&mut json);
    for part in ["data", "stringData"].into_iter().filter(|_| is_secret) {
        if let Some(data) = json.get_mut(part).and_then(Json::as_object_mut) {
            data.values_mut().for_each(|value| *value = MASK.into());
        }
    }
    json
}

fn hide_checksums(json: &mut Json) {
    match json {
        Json::Object(map) => map.iter_mut().for_each(|(key, value)| {
            if key == CHECKSUM {
                *value = MASK.into();
            } else {
                hide_checksums(value);
            }
        }),
        Json::Array(items) => items.iter_mut().for_each(hide_checksums),
        _ => {}
    }
}
