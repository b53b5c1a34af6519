//! What this account may do in the cluster, by what commands need.

use std::collections::{BTreeMap, BTreeSet};

use super::{ANSWER, Finding, app_here, cluster_here};
use crate::error::{Error, NotStarted, Result};
use crate::model::app::{App, ProcKind};
use crate::session::Session;
use crate::tools::access::Right;

/// What a group of commands needs: resources, and what is done with them.
type Needs = [Need];
/// A resource, and verbs.
type Need = (&'static str, &'static [&'static str]);

/// What helm does with each kind of object in a chart.
const MANAGED: &[&str] = &["get", "create", "patch", "delete"];
/// What is done with what is looked at as it changes.
const WATCHED: &[&str] = &["list", "watch"];

/// Commands that need the same.
struct Group {
    name: &'static str,
    needs: Vec<Need>,
    /// What they can do without.
    wants: Vec<Need>,
    /// In all namespaces.
    everywhere: bool,
}

/// Which resources an app's chart makes; of an app that is not known, the usual ones.
fn kinds(app: Option<&App>) -> Vec<&'static str> {
    let Some(app) = app else { return vec!["deployments.apps", "services"] };
    let has = |kind: ProcKind| app.procs().any(|(known, _, _)| known == kind);
    let serves = app.procs().any(|(_, _, proc)| proc.container_port.is_some());
    let is_set = |list: &Option<Vec<_>>| list.as_ref().is_some_and(|list| !list.is_empty());
    [
        (has(ProcKind::Deployment), "deployments.apps"),
        (has(ProcKind::StatefulSet), "statefulsets.apps"),
        (has(ProcKind::CronJob), "cronjobs.batch"),
        (has(ProcKind::Job), "jobs.batch"),
        (has(ProcKind::Test), "pods"),
        (serves, "services"),
        (is_set(&app.ingresses) || is_set(&app.external_ingresses), "ingresses.networking.k8s.io"),
        (app.procs().any(|(_, _, proc)| proc.hpa.is_some()), "horizontalpodautoscalers.autoscaling"),
        (app.network_policy.is_some(), "networkpolicies.networking.k8s.io"),
        (app.persistent_volume_claims.is_some(), "persistentvolumeclaims"),
    ]
    .into_iter()
    .filter_map(|(is_made, kind)| is_made.then_some(kind))
    .collect()
}

fn groups(app: Option<&App>) -> Vec<Group> {
    let mut deploy: Vec<Need> = kinds(app).into_iter().map(|kind| (kind, MANAGED)).collect();
    deploy.extend([("secrets", &["get", "list", "create", "update", "patch", "delete"][..]), ("pods", WATCHED), ("pods/log", &["get"])]);
    let mut wants: Vec<Need> = vec![("leases.coordination.k8s.io", &["get", "create", "update", "delete"]), ("events", &["list"])];
    if app.is_some_and(|app| app.procs().any(|(_, _, proc)| proc.nodes.as_ref().is_some_and(|nodes| !nodes.is_empty()))) {
        wants.push(("nodes", &["get", "list", "patch"]));
    }
    let looked_at = ["pods", "deployments.apps", "statefulsets.apps", "replicasets.apps", "jobs.batch"];
    let group = |name, needs, wants| Group { name, needs, wants, everywhere: false };
    vec![
        group("deploy", deploy, wants),
        group(
            "status and logs",
            looked_at.into_iter().map(|kind| (kind, WATCHED)).chain([("pods/log", &["get"][..])]).collect(),
            vec![("events", &["list"]), ("pods.metrics.k8s.io", &["list"])],
        ),
        group(
            "x, job and restart",
            vec![("pods/exec", &["create"]), ("pods", &["delete"]), ("jobs.batch", &["get", "create", "delete"])],
            vec![],
        ),
        group("env and secret", vec![("secrets", &["get", "list", "create", "update", "delete"])], vec![]),
        Group {
            name: "admin",
            needs: vec![],
            wants: ["pods", "deployments.apps", "statefulsets.apps", "cronjobs.batch", "ingresses.networking.k8s.io"]
                .into_iter()
                .map(|kind| (kind, &["list"][..]))
                .collect(),
            everywhere: true,
        },
    ]
}

/// What commands need, and this account may not.
pub(super) fn rights(session: &Session) -> Result<Vec<Finding>> {
    if let Err(unseen) = cluster_here(session) {
        return Ok(vec![unseen]);
    }
    let kubectl = session.kubectl()?.hurried(ANSWER);
    let groups = groups(app_here(session).ok());
    let all =
        |group: &Group| rights_of(&group.needs, group.everywhere).chain(rights_of(&group.wants, group.everywhere)).collect::<Vec<_>>();
    let asked: BTreeSet<Right> = groups.iter().flat_map(all).collect();
    let known = match kubectl.may(asked) {
        Err(error) if error.source::<NotStarted>().is_some() => return Ok(vec![Finding::unseen("kubectl is not installed")]),
        other => other?,
    };
    let mut found = Vec::new();
    let mut whole = Vec::new();
    for group in &groups {
        let lacks = |needs: &Needs| lacking(rights_of(needs, group.everywhere), &known);
        let (needs, wants) = (lacks(&group.needs), lacks(&group.wants));
        let place = if group.everywhere { "in all namespaces".to_owned() } else { format!("in namespace {}", kubectl.namespace()) };
        let told = |lacks: String, what: &str| {
            let error = Error::failed(format!("{}: this account may not {lacks} {place}{what}", group.name));
            error.hint(if group.everywhere {
                "kubectl auth can-i list pods --all-namespaces # ask your administrator, where you are to look after the whole cluster"
            } else {
                "kubectl auth can-i --list # what it may; ask your administrator for the rest"
            })
        };
        match (needs, wants) {
            (Some(needs), _) => found.push(Finding::bad(&told(needs, ""))),
            (None, Some(wants)) => found
                .push(Finding::warning(&told(wants, if group.everywhere { ": it sees one at a time" } else { "; it goes on without" }))),
            (None, None) => whole.push(group.name),
        }
    }
    if !whole.is_empty() {
        found.push(Finding::good(whole.join("; ")));
    }
    Ok(found)
}

fn rights_of(needs: &Needs, everywhere: bool) -> impl Iterator<Item = Right> {
    needs.iter().flat_map(move |(resource, verbs)| verbs.iter().map(move |verb| Right { resource, verb, everywhere }))
}

/// `create, patch deployments.apps; list pods, events`: those that this account does not have; none where it has all.
fn lacking(rights: impl Iterator<Item = Right>, known: &BTreeMap<Right, bool>) -> Option<String> {
    let mut verbs: Vec<(&str, Vec<&str>)> = Vec::new();
    for right in rights.filter(|right| !known.get(right).copied().unwrap_or(false)) {
        match verbs.iter_mut().find(|(resource, _)| *resource == right.resource) {
            Some((_, verbs)) if verbs.contains(&right.verb) => {}
            Some((_, verbs)) => verbs.push(right.verb),
            None => verbs.push((right.resource, vec![right.verb])),
        }
    }
    // Those that lack the same are told together.
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for (resource, verbs) in verbs {
        let verbs = verbs.join(", ");
        match told.iter_mut().find(|(known, _)| *known == verbs) {
            Some((_, resources)) => resources.push(resource),
            None => told.push((verbs, vec![resource])),
        }
    }
    let told: Vec<String> = told.into_iter().map(|(verbs, resources)| format!("{verbs} {}", resources.join(", "))).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_is_named_by_its_verbs() {
        let right = |resource, verb| Right { resource, verb, everywhere: false };
        let known = BTreeMap::from([(right("pods", "list"), true), (right("pods", "watch"), false)]);
        let rights = || [right("pods", "list"), right("pods", "watch"), right("secrets", "get"), right("secrets", "list")].into_iter();
        assert_eq!(lacking(rights(), &known).as_deref(), Some("watch pods; get, list secrets"));
        let list = ["events", "pods", "nodes"].map(|resource| right(resource, "list"));
        assert_eq!(lacking(list.into_iter(), &known).as_deref(), Some("list events, nodes"));
        assert_eq!(lacking(rights().take(1), &known), None);
    }
}
