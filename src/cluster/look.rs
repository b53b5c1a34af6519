//! What the cluster is asked: one query a look.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::judge::{View, judge};
use super::objects::{Event, INSTANCE, List, NAME, Object, Pod};
use super::trouble::LogAt;
use crate::error::Result;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;

/// The selector of everything that a release's chart makes.
pub(crate) fn selector(app: &str, release: &str) -> String {
    format!("{},{}", of_app(app), of_release(release))
}

/// The selector of all that a release has, of whatever app.
pub(crate) fn of_release(release: &str) -> String {
    format!("helm.sh/chart={release}")
}

/// The selector of everything that an app's releases have.
pub(crate) fn of_app(app: &str) -> String {
    format!("{NAME}={app}")
}

/// The selector of the pods of one of a release's processes.
pub(crate) fn of_proc(release: &str, proc: &str) -> String {
    format!("{INSTANCE}={release}-{proc}")
}

/// Where a follower looks.
pub(crate) trait Looks {
    /// How things stand now.
    ///
    /// # Errors
    /// The server does not answer.
    fn look(&self) -> Result<View>;

    /// The same with what is warned of at this very moment.
    ///
    /// # Errors
    /// As [`Looks::look`].
    fn look_closely(&self) -> Result<View> {
        self.look()
    }

    /// The end of a container's log; none when it has no log.
    fn end_of_log(&self, at: &LogAt) -> Option<String>;
}

/// Between two questions for warnings, which are all of the namespace's.
const WARNINGS: Duration = Duration::from_secs(4);

/// Everything that a selector selects.
#[derive(Debug)]
pub(crate) struct Selected<'a> {
    kubectl: &'a Kubectl<'a>,
    selector: &'a str,
    warnings: RefCell<Warnings>,
}

/// What was warned of when that was asked last.
#[derive(Debug)]
struct Warnings {
    events: Vec<Event>,
    /// This account may not know them.
    may_not: bool,
    /// Not to be asked again before.
    next: Instant,
}

impl<'a> Selected<'a> {
    /// What `selector` selects.
    pub(crate) fn new(kubectl: &'a Kubectl<'a>, selector: &'a str) -> Self {
        // What is new has no warnings yet.
        let warnings = Warnings { events: vec![], may_not: false, next: Instant::now() + Duration::from_secs(1) };
        Self { kubectl, selector, warnings: RefCell::new(warnings) }
    }
}

impl Looks for Selected<'_> {
    fn look(&self) -> Result<View> {
        let objects: Vec<Object> = select(self.kubectl, "deployments,statefulsets,replicasets,jobs,pods", self.selector)?;
        let mut warnings = self.warnings.borrow_mut();
        let view = judge(&objects, &warnings.events);
        let asked = Instant::now();
        if view.is_settled() || asked < warnings.next {
            return Ok(view);
        }
        // They are for words and for early ends: a server that does not give them stops nothing.
        match self.kubectl.warnings::<List<Event>>() {
            Ok(list) => warnings.events = list.items,
            Err(error) => warnings.may_not = is_forbidden(&error),
        }
        // A namespace with very many is asked less often.
        warnings.next = Instant::now() + WARNINGS.max(asked.elapsed() * 10);
        let mut view = judge(&objects, &warnings.events);
        if warnings.may_not {
            view.warnings.push("not to be seen: this account may not list events (403)".to_owned());
        }
        Ok(view)
    }

    fn look_closely(&self) -> Result<View> {
        self.warnings.borrow_mut().next = Instant::now();
        self.look()
    }

    fn end_of_log(&self, at: &LogAt) -> Option<String> {
        self.kubectl.end_of_container_log(&at.pod, &at.container, at.is_previous)
    }
}

/// The pods that a selector selects.
///
/// # Errors
/// The server does not answer.
pub(crate) fn pods(kubectl: &Kubectl<'_>, selector: &str) -> Result<Vec<Pod>> {
    select(kubectl, "pods", selector)
}

/// A running pod that stays, if there is one.
///
/// # Errors
/// The server does not answer.
pub(crate) fn running(kubectl: &Kubectl<'_>, selector: &str) -> Result<Option<Pod>> {
    let list: List<Pod> = kubectl.running_pods(selector)?;
    Ok(list.items.into_iter().find(|pod| !pod.metadata.is_leaving()))
}

/// The image of each Deployment, `StatefulSet` and `CronJob`: its first container's.
///
/// # Errors
/// The server does not answer.
pub(crate) fn images(kubectl: &Kubectl<'_>, selector: &str) -> Result<Vec<(String, String)>> {
    let image = |object: &Object| {
        let (metadata, template) = match object {
            Object::Deployment(it) | Object::StatefulSet(it) => (&it.metadata, &it.spec.template),
            Object::CronJob(it) => (&it.metadata, it.template()),
            _ => return None,
        };
        let image = template.spec.containers.first().map_or_else(String::new, |container| container.image.clone());
        Some((metadata.name.clone(), image))
    };
    Ok(select(kubectl, "deployments,statefulsets,cronjobs", selector)?.iter().filter_map(image).collect())
}

/// The apps in the namespace that have something that runs, or runs again and again.
///
/// # Errors
/// The server does not answer.
pub(crate) fn apps(kubectl: &Kubectl<'_>) -> Result<BTreeSet<String>> {
    let list: List<Object> = kubectl.get("deployments,statefulsets,cronjobs")?;
    let name = |object: &Object| match object {
        Object::Deployment(it) | Object::StatefulSet(it) => Some(it.metadata.label(NAME).to_owned()),
        Object::CronJob(it) => Some(it.metadata.label(NAME).to_owned()),
        _ => None,
    };
    Ok(list.items.iter().filter_map(name).filter(|name| !name.is_empty()).collect())
}

/// True when a selector selects Cron Jobs, whose pods come and go.
///
/// # Errors
/// The server does not answer.
pub(crate) fn has_cron_jobs(kubectl: &Kubectl<'_>, selector: &str) -> Result<bool> {
    let found: Vec<Object> = select(kubectl, "cronjobs", selector)?;
    Ok(!found.is_empty())
}

fn select<T: DeserializeOwned>(kubectl: &Kubectl<'_>, kinds: &'static str, selector: &str) -> Result<Vec<T>> {
    kubectl.select::<List<T>>(kinds, selector).map(|list| list.items)
}
