//! A canary under way: who gets it, and how it ends. It was begun by `deploy --canary`.
//!
//! Traffic is sent by annotations that nginx's ingress controller, its forks and successors read on the canary's own Ingresses ([`send`]); another way to send
//! it, such as weights of a Gateway, takes the place of that one function.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::delete::{Secrets, take_away};
use super::deploy::{Deployed, Wanted, Which, deploy_locked};
use super::handle::Handle;
use super::lease::Doing;
use super::lock::{Busy, Lock, hold};
use super::story::Story;
use super::{canary_owner, deadline, pending};
use crate::cluster::look;
use crate::cluster::objects::{List, Named};
use crate::error::{Error, Result};
use crate::model::app::App;
use crate::model::name::{canary_of, nearest};
use crate::session::Session;
use crate::tools::helm::USUAL;

const PREFIX: &str = "nginx.ingress.kubernetes.io/";
/// What a group may say (ingress-nginx, annotations reference); what one group says goes with the next.
const KNOWN: [&str; 5] = ["canary-by-header", "canary-by-header-value", "canary-by-header-pattern", "canary-by-cookie", "canary-weight"];

/// Sends the traffic of a group of `canaryGroups` to the canary. Returns its Ingresses.
///
/// # Errors
/// There is no such group, no canary, no Ingress, it is somebody else's, or the server refuses.
pub(crate) fn send_group(session: &Session, group: &str, force: bool) -> Result<Vec<String>> {
    let app = session.app()?;
    let annotations = annotations_of(app, group)?;
    under_lock(session, force, |canary, _| send(canary, app, &annotations))
}

/// Takes the canary away.
///
/// # Errors
/// There is none, it is somebody else's, another run is at work on it, or helm or the server refuses.
pub(crate) fn abort(session: &Session, force: bool) -> Result<()> {
    under_lock(session, force, |canary, _| take_away(canary, &Secrets::Stay, force))
}

/// Deploys what the canary runs as the app, waits, then takes the canary away.
///
/// # Errors
/// As [`abort`], or the app does not become ready: the canary stays then.
pub(crate) fn finish(session: &Session, force: bool) -> Result<Deployed> {
    let story = Story::begin(&session.ui);
    let wanted = Wanted { which: Which::Canarys, wait: true, ..Wanted::default() };
    under_lock(session, force, |canary, lock| {
        let deployed = deploy_locked(session, &wanted, None, &story, lock)?;
        take_away(canary, &Secrets::Stay, force)?;
        Ok(deployed)
    })
}

/// Under the app's lock: its canary is there, and ours to touch.
fn under_lock<T>(session: &Session, force: bool, work: impl FnOnce(&Handle<'_>, &Lock<'_>) -> Result<T>) -> Result<T> {
    let app = Handle::of_app(session)?;
    let canary = Handle::named(session, canary_of(&app.name))?;
    let busy = Busy::usual(&app, deadline::within(session, USUAL.most));
    hold(&app, Doing::Canary, USUAL.most, busy, |lock| {
        lock.enter()?;
        if pending::newest(&canary.kubectl, &canary.name).is_none() {
            return Err(Error::refused(format!("no canary of {} is under way ({})", app.name, canary.name)).hint("lain deploy --canary"));
        }
        canary_owner::require(&canary, force)?;
        work(&canary, lock)
    })
}

fn annotations_of(app: &App, group: &str) -> Result<BTreeMap<String, String>> {
    let groups = app.canary_groups.iter().flatten();
    if let Some((_, annotations)) = groups.clone().find(|(name, _)| *name == group) {
        return Ok(annotations.iter().map(|(key, value)| (key.clone(), value.to_string())).collect());
    }
    let names: Vec<&str> = groups.map(|(name, _)| name.as_str()).collect();
    if names.is_empty() {
        let error = Error::usage("the values have no `canaryGroups`, so there is nobody to send to the canary");
        return Err(error.hint("chart/values.yaml # canaryGroups: {ten: {nginx.ingress.kubernetes.io/canary-weight: \"10\"}}"));
    }
    let near = nearest(group, names.iter().copied()).unwrap_or(names[0]);
    Err(Error::usage(format!("there is no group `{group}` in `canaryGroups`; there are: {}", names.join(", ")))
        .hint(format!("lain set-canary-group {near}")))
}

/// Writes a group's annotations on the canary's Ingresses, in place of those of the group before.
fn send(canary: &Handle<'_>, app: &App, annotations: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let list: List<Named> = canary.kubectl.select("ingresses", &look::selector(&app.appname, &canary.name))?;
    if list.items.is_empty() {
        return Err(Error::refused(format!("canary {} has no Ingress, so no traffic can be sent to it", canary.name))
            .hint("chart/values.yaml # `ingresses` and `externalIngresses`")
            .hint("lain set-canary-group --final # or --abort"));
    }
    let mut wanted: serde_json::Map<String, Json> = KNOWN.iter().map(|key| (format!("{PREFIX}{key}"), Json::Null)).collect();
    wanted.extend(annotations.iter().map(|(key, value)| (key.clone(), json!(value))));
    let patch = json!({"metadata": {"annotations": wanted}});
    let mut names = vec![];
    for Named { metadata } in list.items {
        canary.kubectl.patch_ingress(&metadata.name, &patch)?;
        names.push(metadata.name);
    }
    Ok(names)
}
