//! A review beside its app: a release and Secrets of its own, which go together. The app's own are out of its reach: what a review did not make it does not
//! touch.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::backups;
use super::delete::{Secrets, guard_volumes, take_away};
use super::handle::Handle;
use super::lease::Doing;
use super::lock::{Busy, hold};
use super::{deadline, pending};
use crate::cluster::look;
use crate::error::{Error, Result};
use crate::model::app::App;
use crate::model::name::{canary_of, is_label, review_of};
use crate::model::text::text_of;
use crate::session::Session;
use crate::tools::helm::USUAL;

/// Label of the Secrets that a review brought.
const LABEL: &str = "lain.dev/review";
/// The helm value that tells a review's release from all others.
const VALUE: &str = "review";

/// Refuses what is no review where a review is to be, and gives it its Secrets: copies of the app's, once.
///
/// # Errors
/// A release of that name is no review, the chart knows no Secrets of a review's own, or the server does not answer or refuses.
pub(super) fn prepare(handle: &Handle<'_>, app: &App) -> Result<()> {
    let session = handle.session;
    let pods = std::fs::read_to_string(session.dir.join("chart/templates/_pod.tpl")).unwrap_or_default();
    if !pods.contains("lain.secretsName") {
        return Err(
            Error::refused("this chart has no Secrets of a review's own: its pods would read the app's").hint("lain init --template-only")
        );
    }
    refuse_others(handle)?;
    let names = [(format!("{}-env", app.appname), app.env_secret()), (format!("{}-secret", app.appname), app.file_secret())];
    for (from, to) in names {
        let have = handle.kubectl.find_all("secret", &[from.clone(), to.clone()])?;
        let in_cluster = |name: &str| have.iter().find(|secret| secret["metadata"]["name"] == name);
        if in_cluster(&to).is_some() {
            continue;
        }
        let data = in_cluster(&from).map_or_else(|| json!({}), |secret| secret["data"].clone());
        let labels = json!({"app.kubernetes.io/name": app.appname, LABEL: handle.name});
        let copy =
            json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": to, "labels": labels}, "data": data});
        session.ui.say(&format!("Secret {to} is a copy of {from}"));
        handle.kubectl.send(&["create"], &copy)?;
    }
    Ok(())
}

/// Selects the Secrets that a review brought; nothing of a release that is none.
pub(super) fn secrets_of(release: &str) -> String {
    format!("{LABEL}={release}")
}

/// A review that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Review {
    /// What it was called, as a label.
    pub name: String,
    /// Its release.
    pub release: String,
}

/// The reviews of an app in its namespace, by name: those that have Secrets of their own, which is every one.
///
/// # Errors
/// No cluster is chosen, or the server does not answer.
pub(crate) fn all(session: &Session, app: &str) -> Result<Vec<Review>> {
    let list: Json = session.kubectl()?.select("secrets", &format!("{LABEL},{}", look::of_app(app)))?;
    let releases = list["items"].as_array().into_iter().flatten().filter_map(|secret| secret["metadata"]["labels"][LABEL].as_str());
    let releases: BTreeSet<String> = releases.map(str::to_owned).collect();
    let mut found = vec![];
    for release in releases {
        // The name of a long one is not in that of its release; where the release is gone, its Secrets are left.
        let told = Handle::named(session, release.clone())?.values(None)?.and_then(|values| text_of(&values[VALUE]));
        let name = told.or_else(|| release.strip_prefix(&format!("{app}-")).map(str::to_owned));
        if let Some(name) = name.filter(|name| review_of(app, name).as_ref() == Some(&release)) {
            found.push(Review { name, release });
        }
    }
    Ok(found)
}

/// Refuses a release of that name that is no review.
fn refuse_others(handle: &Handle<'_>) -> Result<()> {
    match handle.values(None)? {
        Some(values) if text_of(&values[VALUE]).is_none() => {
            Err(Error::refused(format!("release {} is no review: lain does not touch it as one", handle.name))
                .hint("lain deploy --review ANOTHER-NAME"))
        }
        _ => Ok(()),
    }
}

/// The release of a review.
///
/// # Errors
/// It cannot name a review, or no cluster is chosen.
pub(crate) fn handle<'s>(session: &'s Session, app: &str, review: &str) -> Result<Handle<'s>> {
    let name = review_of(app, review).filter(|name| is_label(app) && *name != canary_of(app));
    let name =
        name.ok_or_else(|| Error::usage(format!("`{review}` of `{app}` cannot be a review")).hint("lain delete --review NAME --app APP"))?;
    Handle::named(session, name)
}

/// Takes a review away with all that it brought: its release, its Secrets, the claims of its `StatefulSet`s. True when there was something.
///
/// # Errors
/// It cannot name a review, a release of that name is none, another run is at work, or helm or the server refuses.
pub(crate) fn delete(session: &Session, app: &str, review: &str, force: bool) -> Result<bool> {
    let handle = handle(session, app, review)?;
    let busy = if force { Busy::GoOn } else { Busy::usual(&handle, deadline::within(session, USUAL.most)) };
    hold(&handle, Doing::Delete, USUAL.most, busy, |lock| {
        lock.enter()?;
        refuse_others(&handle)?;
        let was_there = pending::newest(&handle.kubectl, &handle.name).is_some();
        let claims = if was_there { guard_volumes(&handle, true)? } else { vec![] };
        take_away(&handle, &Secrets::Stay, force)?;
        for claim in claims {
            handle.kubectl.delete("persistentvolumeclaim", &claim)?;
        }
        Ok(delete_secrets(&handle)? || was_there)
    })
}

/// Those that the review brought, and their backups.
fn delete_secrets(handle: &Handle<'_>) -> Result<bool> {
    let names = [format!("{}-env", handle.name), format!("{}-secret", handle.name)];
    let mut found = false;
    for secret in handle.kubectl.find_all("secret", &names)? {
        let Some(name) = secret["metadata"]["name"].as_str().filter(|_| secret["metadata"]["labels"][LABEL].is_string()) else { continue };
        for backup in backups::list(&handle.kubectl, name)? {
            handle.kubectl.delete("secret", &backup.name)?;
        }
        handle.kubectl.delete("secret", name)?;
        found = true;
    }
    Ok(found)
}
