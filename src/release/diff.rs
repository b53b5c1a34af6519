//! What a deploy would change: helm's record, what helm would make of the values, and what runs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use super::deploy::Wanted;
use super::handle::{Handle, no_release};
use super::record::Record;
use super::{history, trial};
use crate::error::{Error, Kind, Result};
use crate::model::changes::{self, Action, Change, Diff, Found, Live, Sides};
use crate::model::diff::{Difference, States, fields, merged};
use crate::model::image::ImageReference;
use crate::model::manifest::{Object, objects};
use crate::model::text::bounded;
use crate::tools::kubectl::{Kubectl, These};

/// Characters of what a server says of one object.
const LONGEST: usize = 300;
/// What kubectl says of an object that the server did not judge.
const NO_REFUSALS: [&str; 6] = ["is forbidden: User ", "(NotFound)", "(AlreadyExists)", "(Conflict)", "(Timeout)", "(InternalError)"];

/// A diff, and what it was made of.
pub(crate) struct Compared {
    /// The diff.
    pub diff: Diff,
    /// The tag of the image that would run.
    pub tag: String,
    /// The whole image, where there is one.
    pub image: Option<ImageReference>,
    /// The newest revision, whatever became of it; 0 for none.
    pub newest: u32,
}

/// What helm compares an upgrade with: its newest deployed record, else its newest.
struct Before {
    record: Option<Record>,
    revision: Option<u32>,
    newest: u32,
    manifest: String,
}

impl Before {
    fn of(handle: &Handle<'_>) -> Result<Self> {
        let mut records = Record::all(&handle.kubectl, &handle.name)?;
        let newest = records.last().and_then(Record::revision).unwrap_or(0);
        let at = records.iter().rposition(|record| record.status().as_deref() == Some("deployed")).or(records.len().checked_sub(1));
        if let Some(at) = at {
            let record = records.swap_remove(at);
            let manifest = record.manifest_and_hooks();
            return Ok(Self { revision: record.revision(), record: Some(record), newest, manifest });
        }
        // helm may keep its records elsewhere (`HELM_DRIVER`).
        let entries = history::of(handle)?;
        let Some(entry) = entries.first() else { return Ok(Self { record: None, revision: None, newest: 0, manifest: String::new() }) };
        Ok(Self { record: None, revision: Some(entry.revision), newest: entry.revision, manifest: handle.helm.manifest(&handle.name)? })
    }
}

/// What a deploy of this run's values would change.
///
/// # Errors
/// The chart cannot be rendered, a manifest cannot be read, or the server does not answer.
pub(crate) fn of_deploy(handle: &Handle<'_>, wanted: &Wanted) -> Result<Compared> {
    let before = Before::of(handle)?;
    let trial = trial::trial(handle.session, wanted, before.record.as_ref())?;
    let (recorded, planned) = (read(&before.manifest)?, read(&trial.manifest)?);
    let look = Look::at(&handle.kubectl, planned.iter().chain(&recorded))?;
    let found = compared(handle, &before, &recorded, &planned, &look, changes::compare)?;
    let mut diff = told(handle, &before, found, &look);
    look.refuse_unserved(&mut diff, &planned);
    try_out(&handle.kubectl, &mut diff, &recorded, &planned, &look)?;
    if let Some(again) = &trial.again {
        forget_volatile(&mut diff, &planned, &read(again)?);
    }
    diff.planned_tag = Some(trial.tag.clone());
    if let Some(error) = trial.refused {
        if error.tool().is_some_and(|tool| tool.says("current release manifest")) {
            diff.notes.push("helm's record names API versions that this server does not serve: lain deploy mends it first".to_owned());
        } else {
            diff.refused = Some(error.to_string());
        }
    }
    Ok(Compared { diff, tag: trial.tag, image: trial.image, newest: before.newest })
}

/// Leaves out what the chart makes anew each time: the time, chance.
fn forget_volatile(diff: &mut Diff, planned: &[Object], again: &[Object]) {
    let mut forgotten = vec![];
    for change in &mut diff.changes {
        let find = |objects: &'_ [Object]| {
            objects.iter().find(|it| it.kind() == change.kind && it.name() == change.name && it.namespace() == change.namespace).cloned()
        };
        let (Some(first), Some(second)) = (find(planned), find(again)) else { continue };
        let moves = fields(States { recorded: Some(first.json()), planned: Some(second.json()), live: None });
        let paths: BTreeSet<String> = moves.into_iter().map(|field| field.path).collect();
        let before = change.fields.len();
        change.fields.retain(|field| field.difference == Difference::Extra || !paths.contains(&field.path));
        if change.fields.len() < before {
            forgotten.extend(paths.into_iter().map(|path| format!("{} {path}", change.title())));
        }
    }
    diff.changes.retain(|change| {
        let is_empty = change.fields.is_empty() && change.notes.is_empty() && change.refused.is_none();
        change.action != Action::Update || !is_empty
    });
    if !forgotten.is_empty() {
        diff.notes.push(format!("made anew each time, and no change: {}", forgotten.join(", ")));
    }
    diff.count();
}

/// What was changed in the cluster since the last deploy. Needs no checkout.
///
/// # Errors
/// There is no such release, its manifest cannot be read, or the server does not answer.
pub(crate) fn of_drift(handle: &Handle<'_>) -> Result<Diff> {
    let before = Before::of(handle)?;
    if before.revision.is_none() {
        return Err(no_release(&handle.kubectl, &handle.name, false));
    }
    let recorded = read(&before.manifest)?;
    let look = Look::at(&handle.kubectl, &recorded)?;
    let found = compared(handle, &before, &recorded, &[], &look, changes::drift)?;
    Ok(told(handle, &before, found, &look))
}

type Compare<'l> = fn(&Sides<'_>, &dyn Fn(&Object) -> Live<'l>) -> Found;

fn read(manifest: &str) -> Result<Vec<Object>> {
    objects(manifest).map_err(|why| Error::failed(why).hint("lain template # what the chart makes"))
}

fn compared<'l>(
    handle: &Handle<'_>,
    before: &Before,
    recorded: &[Object],
    planned: &[Object],
    look: &'l Look,
    compare: Compare<'l>,
) -> Result<Found> {
    let server_side = before.record.as_ref().is_some_and(Record::is_server_side);
    let mut autoscaled = BTreeSet::new();
    let sides = |autoscaled: &BTreeSet<String>| {
        compare(&Sides { release: &handle.name, recorded, planned, autoscaled, server_side }, &|object| look.live(object))
    };
    let found = sides(&autoscaled);
    let scaled = |change: &Change| change.fields.iter().any(|field| field.path == "spec.replicas" && field.difference == Difference::Drift);
    if !found.changes.iter().any(scaled) {
        return Ok(found);
    }
    // Somebody may have made an autoscaler by hand; who may not list them sees the replicas as drift.
    match handle.kubectl.get::<Json>("horizontalpodautoscalers") {
        Ok(list) => autoscaled.extend(list["items"].as_array().into_iter().flatten().filter_map(changes::scaled_by)),
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(_) => return Ok(found),
    }
    Ok(sides(&autoscaled))
}

fn told(handle: &Handle<'_>, before: &Before, found: Found, look: &Look) -> Diff {
    let mut diff = Diff {
        version: 1,
        release: handle.name.clone(),
        cluster: handle.cluster.to_owned(),
        revision: before.revision,
        recorded_tag: before.record.as_ref().and_then(Record::image_tag),
        notes: look.notes.clone(),
        runs_again: found.runs_again,
        changes: found.changes,
        ..Diff::default()
    };
    diff.count();
    diff
}

/// What runs of some objects.
#[derive(Debug, Default)]
struct Look {
    found: BTreeMap<String, Json>,
    /// Not everything could be asked for: what was not found may be there.
    is_partial: bool,
    /// `apps/v1beta2 Deployment`
    unserved: BTreeSet<String>,
    notes: Vec<String>,
}

fn id(kind: &str, namespace: &str, name: &str) -> String {
    format!("{kind}/{name}/{namespace}")
}

fn version_and_kind(object: &Object) -> String {
    format!("{} {}", object.api_version(), object.kind())
}

impl Look {
    /// Asks in the version of the first of those that are one.
    fn at<'o>(kubectl: &Kubectl<'_>, objects: impl IntoIterator<Item = &'o Object>) -> Result<Self> {
        let mut wanted: BTreeMap<String, &Object> = BTreeMap::new();
        for object in objects.into_iter().filter(|object| !changes::is_hook(object)) {
            let key = format!("{}/{}", id(object.kind(), object.namespace(), object.name()), group(object));
            wanted.entry(key).or_insert(object);
        }
        let mut look = Self::default();
        let name = |object: &&Object| {
            let mut metadata = json!({"name": object.name()});
            if !object.namespace().is_empty() {
                metadata["namespace"] = object.namespace().into();
            }
            json!({"apiVersion": object.api_version(), "kind": object.kind(), "metadata": metadata})
        };
        let mut objects: Vec<&Object> = wanted.into_values().collect();
        if objects.is_empty() {
            return Ok(look);
        }
        let mut these = kubectl.these(&objects.iter().map(name).collect::<Vec<_>>())?;
        if these.lacking.as_ref().is_some_and(|said| said.contains("no matches for kind")) {
            let served = RefCell::new(BTreeMap::<String, Vec<String>>::new());
            let mut lacking = None;
            objects.retain(|object| {
                let mut served = served.borrow_mut();
                let version = object.api_version().to_owned();
                let kinds = served.entry(version).or_insert_with(|| {
                    kubectl.kinds_of(object.api_version()).unwrap_or_else(|error| {
                        lacking = Some(error);
                        vec![]
                    })
                });
                let is_served = kinds.iter().any(|kind| kind == object.kind());
                if !is_served {
                    look.unserved.insert(version_and_kind(object));
                }
                is_served
            });
            if let Some(error) = lacking {
                return Err(error);
            }
            these = if objects.is_empty() { These::default() } else { kubectl.these(&objects.iter().map(name).collect::<Vec<_>>())? };
        }
        if let Some(said) = these.lacking {
            look.is_partial = true;
            look.notes.push(format!("not all that runs could be read: {}", bounded(said.lines().next().unwrap_or_default(), LONGEST)));
        }
        for json in these.found {
            let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
            let (kind, name, namespace) = (text(&json["kind"]), text(&json["metadata"]["name"]), text(&json["metadata"]["namespace"]));
            look.found.insert(id(&kind, &namespace, &name), json.clone());
            look.found.insert(id(&kind, "", &name), json); // who names no namespace means the release's
        }
        Ok(look)
    }

    fn live(&self, object: &Object) -> Live<'_> {
        if self.unserved.contains(&version_and_kind(object)) {
            return Live::Unknown;
        }
        match self.found.get(&id(object.kind(), object.namespace(), object.name())) {
            Some(json) => Live::Found(json),
            None if self.is_partial => Live::Unknown,
            None => Live::Missing,
        }
    }

    /// Says what the server does not know.
    fn refuse_unserved(&self, diff: &mut Diff, planned: &[Object]) {
        for change in &mut diff.changes {
            let what = format!("{} {}", change.api_version, change.kind);
            if self.unserved.contains(&what) {
                let is_planned = planned.iter().any(|object| object.kind() == change.kind && object.name() == change.name);
                if is_planned {
                    change.refused = Some(format!("this server does not serve {what}"));
                } else {
                    change.notes.push(format!("this server does not serve {what} any more"));
                }
            }
        }
    }
}

fn group(object: &Object) -> &str {
    object.api_version().split_once('/').map_or("", |(group, _)| group)
}

/// Asks the server whether it would take what is new and what is changed: immutable fields, quotas, policies. Who may not ask is told nothing.
fn try_out(kubectl: &Kubectl<'_>, diff: &mut Diff, recorded: &[Object], planned: &[Object], look: &Look) -> Result<()> {
    let same = |change: &Change, object: &Object| {
        object.kind() == change.kind && object.name() == change.name && object.namespace() == change.namespace
    };
    let (mut new, mut changed) = (vec![], vec![]);
    for change in
        diff.changes.iter().filter(|change| change.refused.is_none() && !change.hook && !matches!(&*change.kind, "Secret" | "Job"))
    {
        let Some(object) = planned.iter().find(|object| same(change, object)) else { continue };
        match (change.action, look.live(object)) {
            (Action::Create, _) => new.push(object.json().clone()),
            (Action::Update, Live::Found(live)) => {
                let before = recorded.iter().find(|before| same(change, before) && before.api_version() == object.api_version());
                let mut after = merged(before.map(Object::json), object.json(), live);
                if let Some(metadata) = after["metadata"].as_object_mut() {
                    metadata.remove("managedFields");
                    metadata.remove("resourceVersion"); // kubectl takes the newest; its status may have moved since
                }
                changed.push(after);
            }
            _ => {}
        }
    }
    for (verb, objects) in [("create", new), ("replace", changed)] {
        if objects.is_empty() {
            continue;
        }
        let said = match kubectl.would_refuse(verb, &objects) {
            Ok(said) => said,
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(_) => continue,
        };
        for change in diff.changes.iter_mut().filter(|change| change.refused.is_none()) {
            let named = format!("\"{}\"", change.name);
            let line = said.lines().find(|line| line.contains(&named) && line.to_lowercase().contains(&change.kind.to_lowercase()));
            if let Some(line) = line.filter(|line| !NO_REFUSALS.iter().any(|words| line.contains(words))) {
                change.refused = Some(condensed(line));
            }
        }
    }
    Ok(())
}

/// `spec.selector: field is immutable` of what a server says with all that it was sent.
fn condensed(line: &str) -> String {
    let reason = line.split_once(" is invalid: ").map_or(line, |(_, reason)| reason);
    let mut out = String::new();
    let mut rest = reason;
    while let Some((before, after)) = rest.split_once(": Invalid value: ") {
        out += before;
        let end = value_end(after);
        rest = &after[end..];
    }
    bounded(&(out + rest), LONGEST).into_owned()
}

/// Where the value that a server quotes ends: at the `: ` outside its brackets and quotes.
fn value_end(text: &str) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' | '(' if !quoted => depth += 1,
            '}' | ']' | ')' if !quoted => depth -= 1,
            ':' if !quoted && depth <= 0 && text[at..].starts_with(": ") => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_field_and_reason() {
        let said = r#"Error from server (Invalid): Deployment.apps "shop-web" is invalid: spec.selector: Invalid value: v1.LabelSelector{MatchLabels:map[string]string{"a":"x: y"}, MatchExpressions:[]v1.LabelSelectorRequirement(nil)}: field is immutable"#;
        assert_eq!(condensed(said), "spec.selector: field is immutable");
        let said = r#"The Service "a" is invalid: spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"#;
        assert_eq!(condensed(said), "spec.ports[0].port: must be between 1 and 65535, inclusive");
        assert_eq!(condensed("pods \"a\" is forbidden: exceeded quota"), "pods \"a\" is forbidden: exceeded quota");
    }
}
