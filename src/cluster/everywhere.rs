//! Objects of a whole cluster or namespace, page by page: what is read is as large as one page, and no more is kept of it than is asked of an object.

use serde::de::DeserializeOwned;

use super::objects::{Event, List, Object};
use crate::error::{Error, Result};
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;

/// Objects of one answer.
const PAGE: u32 = 500;

/// How far was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All namespaces.
    All,
    /// One namespace: the account may not read more.
    One,
}

/// Gives each object of a kind that a selector selects to `take`: of all namespaces, or of its own where the account may not read the others. `most` come in
/// one answer.
///
/// # Errors
/// The server does not answer, or does not even allow that.
pub(crate) fn each<T: DeserializeOwned>(
    kubectl: &Kubectl<'_>,
    kind: &str,
    selector: &str,
    most: u32,
    mut take: impl FnMut(T),
) -> Result<Seen> {
    let mut page = |text: &str| {
        List::read(text)?.items.into_iter().for_each(&mut take);
        Ok(())
    };
    match kubectl.pages(kind, None, &[("labelSelector", selector)], most, &mut page) {
        Ok(()) => Ok(Seen::All),
        Err(error) if is_forbidden(&error) => {
            kubectl.pages(kind, Some(kubectl.namespace()), &[("labelSelector", selector)], most, page).map(|()| Seen::One)
        }
        Err(error) => Err(error),
    }
}

/// All objects of these kinds (deployments, statefulsets, replicasets, jobs, cronjobs, pods) in the namespace, in the order of the kinds. Some may come twice.
///
/// # Errors
/// The server does not answer, or does not allow it.
pub(crate) fn here(kubectl: &Kubectl<'_>, kinds: &[&'static str]) -> Result<Vec<Object>> {
    selected(kubectl, kinds, "", |_| true)
}

/// The same of those that a selector selects, and that are worth keeping.
///
/// # Errors
/// As [`here`].
pub(crate) fn selected(kubectl: &Kubectl<'_>, kinds: &[&'static str], selector: &str, keep: fn(&Object) -> bool) -> Result<Vec<Object>> {
    by_kind(kubectl, kinds, selector, keep).into_iter().map(|(_, found)| found).collect::<Result<Vec<_>>>().map(|found| found.concat())
}

/// The same, each kind with its answer.
pub(crate) fn by_kind(
    kubectl: &Kubectl<'_>,
    kinds: &[&'static str],
    selector: &str,
    keep: fn(&Object) -> bool,
) -> Vec<(&'static str, Result<Vec<Object>>)> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = kinds.iter().map(|kind| (*kind, scope.spawn(move || of_kind(kubectl, kind, selector, keep)))).collect();
        let answer = |(kind, asked): (_, std::thread::ScopedJoinHandle<'_, Result<_>>)| {
            (kind, asked.join().unwrap_or_else(|_| Err(Error::failed(format!("the question for {kind} ended")))))
        };
        asked.into_iter().map(answer).collect()
    })
}

fn of_kind(kubectl: &Kubectl<'_>, kind: &str, selector: &str, keep: fn(&Object) -> bool) -> Result<Vec<Object>> {
    let asked = (kind, selector, keep);
    match kind {
        "deployments" => as_objects(kubectl, asked, Object::Deployment),
        "statefulsets" => as_objects(kubectl, asked, Object::StatefulSet),
        "replicasets" => as_objects(kubectl, asked, Object::ReplicaSet),
        "jobs" => as_objects(kubectl, asked, Object::Job),
        "cronjobs" => as_objects(kubectl, asked, Object::CronJob),
        _ => as_objects(kubectl, asked, Object::Pod),
    }
}

/// A kind, a selector, and what is kept.
type Asked<'a> = (&'a str, &'a str, fn(&Object) -> bool);

fn as_objects<T: DeserializeOwned>(
    kubectl: &Kubectl<'_>,
    (kind, selector, keep): Asked<'_>,
    make: impl Fn(T) -> Object,
) -> Result<Vec<Object>> {
    let mut found = vec![];
    kubectl.pages(kind, Some(kubectl.namespace()), &[("labelSelector", selector)], PAGE, |text| {
        found.extend(List::read(text)?.items.into_iter().map(&make).filter(keep));
        Ok(())
    })?;
    Ok(found)
}

/// What controllers and nodes warn of in the namespace.
///
/// # Errors
/// As [`here`].
pub(crate) fn warnings(kubectl: &Kubectl<'_>) -> Result<Vec<Event>> {
    let mut found = vec![];
    kubectl.pages("events", Some(kubectl.namespace()), &[("fieldSelector", "type=Warning")], PAGE, |text| {
        found.extend(List::<Event>::read(text)?.items);
        Ok(())
    })?;
    Ok(found)
}
