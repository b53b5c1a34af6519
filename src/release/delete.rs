//! The release and what it made, away; data of volumes not by accident.

use serde_json::Value as Json;

use super::handle::Handle;
use super::lease::Doing;
use super::lock::{Busy, Lock, hold};
use super::record::Record;
use super::{backups, deadline, mend, pending};
use crate::error::{Error, Kind, Result};
use crate::model::manifest::{Object, objects};
use crate::model::name::canary_of;
use crate::tools::helm::{ReleaseInfo, Revision, USUAL};

/// What becomes of the app's two Secrets, which are no part of a release.
#[derive(Clone, Debug)]
pub(crate) enum Secrets {
    /// They stay.
    Stay,
    /// They go too: those of this app.
    Of(String),
}

/// Deletes a release once `ask` agrees. Returns the claims of its `StatefulSet`s, which stay with their data; none when there is no such release.
/// With `force`, data of volumes may go too, and the work of another run.
///
/// # Errors
/// Data would go, another run is at work, `ask` does not agree, or helm or the server refuses.
pub(crate) fn delete(handle: &Handle<'_>, secrets: &Secrets, force: bool, ask: impl FnOnce() -> Result<()>) -> Result<Option<Vec<String>>> {
    if handle.helm.release(&handle.name)?.is_none() {
        return Ok(None);
    }
    let staying = guard_volumes(handle, force)?;
    ask()?; // nobody else waits while this is thought about
    let busy = if force { Busy::GoOn } else { Busy::usual(handle, deadline::within(handle.session, USUAL.most)) };
    hold(handle, Doing::Delete, USUAL.most, busy, |lock| delete_locked(handle, lock, secrets, force))?;
    Ok(Some(staying))
}

fn delete_locked(handle: &Handle<'_>, lock: &Lock<'_>, secrets: &Secrets, force: bool) -> Result<()> {
    lock.enter()?;
    let canary = canary_of(&handle.name);
    if pending::newest(&handle.kubectl, &canary).is_some() {
        handle.session.ui.say(&format!("its canary {canary} goes with it"));
        take_away(&Handle::named(handle.session, canary)?, &Secrets::Stay, force)?;
    }
    take_away(handle, secrets, force)
}

/// The same under a lock that is held, without a question.
///
/// # Errors
/// Another run is at work, or helm or the server refuses.
pub(crate) fn take_away(handle: &Handle<'_>, secrets: &Secrets, force: bool) -> Result<()> {
    let Handle { session, name: release, helm, kubectl, .. } = handle;
    let found = helm.release(release)?; // it may be another by now
    let number = found.as_ref().and_then(|found| found.revision.parse().ok());
    if let Some((found, revision)) = found.as_ref().zip(number).filter(|_| !force) {
        let ReleaseInfo { status, updated, .. } = found.clone();
        handle.refuse_others(&Revision { revision, status, updated, description: String::new() })?;
    }
    if let Some(revision) = number {
        mend::mend(&session.ui, kubectl, release, Record::fetch(kubectl, release, revision)?, None, &[], &[])?; // helm 3.17 would say no more than "failed to delete release"
    }
    let uninstalled = if found.is_some() { helm.uninstall(release, deadline::limits(session, USUAL, false)) } else { Ok(()) };
    uninstalled.map_err(|error| {
        if let Some(revision) = number {
            pending::mark_cut_off(kubectl, release, revision);
        }
        if error.kind() == Kind::Interrupted {
            session.ui.say(&format!("release {release} may be deleted in part: lain delete goes on, lain deploy brings it back"));
            return error;
        }
        error.or_hint("lain delete # again: what is gone already does not hurt")
    })?;
    if let Secrets::Of(app) = secrets {
        for secret in kubectl.find_all("secret", &[format!("{app}-env"), format!("{app}-secret")])? {
            if let Some(name) = secret["metadata"]["name"].as_str() {
                kubectl.delete("secret", name)?;
            }
        }
        // Their backups hold the same values.
        for name in [format!("{app}-env"), format!("{app}-secret")] {
            for backup in backups::list(kubectl, &name)? {
                kubectl.delete("secret", &backup.name)?;
            }
        }
    }
    Ok(())
}

/// Refuses when volumes with data would go; returns the claims of `StatefulSets`, which neither helm nor Kubernetes deletes.
pub(super) fn guard_volumes(handle: &Handle<'_>, force: bool) -> Result<Vec<String>> {
    let Handle { name: release, helm, kubectl, .. } = handle;
    let objects = match objects(&helm.manifest(release)?) {
        Ok(objects) => objects,
        Err(_) if force => return Ok(vec![]),
        Err(why) => {
            return Err(Error::refused(why)
                .context(format!("whether release {release} has volumes cannot be told"))
                .hint(format!("helm get manifest {release} # what helm believes to be there"))
                .hint("lain delete --force # the data of its volumes goes too, if it has any"));
        }
    };
    let kept = |object: &&Object| object.annotation("helm.sh/resource-policy").is_none_or(|policy| policy.trim() != "keep");
    let going: Vec<&str> = objects.iter().filter(kept).filter(|object| loses_data(object)).map(Object::name).collect();
    if !going.is_empty() && !force {
        return Err(Error::refused(format!(
            "release {release} has PersistentVolumeClaims ({}); a new deploy could not attach their data again",
            going.join(", ")
        ))
        .hint("lain delete --force # the data goes too"));
    }
    let sets: Vec<&Object> = objects.iter().filter(|object| object.kind() == "StatefulSet" && !loses_data(object)).collect();
    if sets.iter().all(|set| templates(set).next().is_none()) {
        return Ok(vec![]);
    }
    let list: Json = kubectl.get("persistentvolumeclaims")?;
    let names = list["items"].as_array().into_iter().flatten().filter_map(|claim| claim["metadata"]["name"].as_str());
    Ok(names.filter(|name| sets.iter().any(|set| is_claim_of(set, name))).map(str::to_owned).collect())
}

/// Data that goes with the release: a claim of its own, or those of a `StatefulSet` that says so.
fn loses_data(object: &Object) -> bool {
    match object.kind() {
        "PersistentVolumeClaim" => true,
        "StatefulSet" => {
            object.spec()["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete" && templates(object).next().is_some()
        }
        _ => false,
    }
}

fn templates(set: &Object) -> impl Iterator<Item = &str> {
    let templates = set.spec()["volumeClaimTemplates"].as_array().into_iter().flatten();
    templates.filter_map(|template| template["metadata"]["name"].as_str())
}

/// Kubernetes names them TEMPLATE-SET-NUMBER.
fn is_claim_of(set: &Object, claim: &str) -> bool {
    templates(set).any(|template| {
        let number = claim.strip_prefix(template).and_then(|rest| rest.strip_prefix('-')?.strip_prefix(set.name())?.strip_prefix('-'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}
