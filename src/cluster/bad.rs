//! Pods that are bad and stay so, and the Jobs of such: one look at a namespace, as the one judge sees it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::judge::judge;
use super::objects::{Condition, Event, Job, Metadata, Object, Pod, holding};
use super::templates::Templates;
use super::trouble::{self, Class, Warnings};

/// What goes when a bad pod is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    /// A Job, with its pods.
    Job,
    /// The pod: what keeps it makes another.
    Pod,
    /// A pod that nobody makes again.
    Bare,
}

/// A bad pod, or a Job that failed or has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    /// What it is.
    pub what: What,
    /// Its name.
    pub name: String,
    /// Tells it from one of the same name before.
    pub uid: String,
    /// `CrashLoopBackOff`, `Evicted`...
    pub reason: String,
    /// More of it; may be empty.
    pub message: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// `ReplicaSet/shop-web-5d4f`; none for one that nobody keeps.
    pub owner: Option<String>,
}

/// False for a pod that serves, of which nothing need be kept to tell what is bad: but for those of Jobs, by which the Job is judged.
pub(crate) fn may_be_bad(object: &Object) -> bool {
    let Object::Pod(pod) = object else { return true };
    let serves = pod.is("Ready") && pod.status.container_statuses.iter().all(|status| status.ready);
    !serves || pod.metadata.owner().is_some_and(|owner| owner.kind == "Job")
}

/// What is bad and lasts, by kind and name. A trouble that may pass yet, and what is leaving anyway, is not.
pub(crate) fn bad(objects: &[Object], events: &[Event], now: Timestamp) -> Vec<Bad> {
    let (templates, warnings) = (Templates::of(objects), Warnings::of(events));
    let jobs: BTreeMap<&str, &Job> = objects.iter().filter_map(job).collect();
    let view = judge(objects, events);
    let failed: BTreeSet<&str> = view.jobs.iter().filter(|job| job.state == "failed").map(|job| &*job.name).collect();
    let mut found = vec![];
    for (name, job) in jobs.iter().filter(|(name, job)| failed.contains(*name) && !job.metadata.is_leaving()) {
        let said = holding(&job.status.conditions, "Failed");
        let told = view.troubles.iter().find(|trouble| trouble.class == Class::Job && trouble.name == *name);
        let reason = said.map(|said| said.reason.clone()).filter(|reason| !reason.is_empty()).unwrap_or_else(|| "Failed".to_owned());
        let message = told.map(|told| told.message.clone()).or_else(|| said.map(|said| said.message.clone())).unwrap_or_default();
        found.push(of(What::Job, &job.metadata, (&reason, &message), said.and_then(Condition::since)));
    }
    for object in objects {
        let Object::Pod(pod) = object else { continue };
        let owner = pod.metadata.owner();
        if pod.metadata.is_leaving() || pod.status.phase == "Succeeded" || owner.is_some_and(|owner| owner.kind == "Node") {
            continue; // a node's own pods come from its files
        }
        let is_job = owner.is_some_and(|owner| owner.kind == "Job");
        let Some((reason, message)) = of_pod(pod, is_job, &templates, &warnings, now) else { continue };
        let since = since(pod);
        if !is_job {
            let what = if owner.is_some() { What::Pod } else { What::Bare };
            found.push(of(what, &pod.metadata, (&reason, &message), since));
        } else if let Some(job) = owner.and_then(|owner| jobs.get(&*owner.name)).filter(|job| !job.metadata.is_leaving()) {
            found.push(of(What::Job, &job.metadata, (&reason, &message), since));
        }
    }
    found.sort_by(|a, b| (a.what, &a.name).cmp(&(b.what, &b.name)));
    found.dedup_by(|a, b| a.uid == b.uid && a.what == b.what); // the first stays: what the Job says of itself
    found
}

fn job(object: &Object) -> Option<(&str, &Job)> {
    match object {
        Object::Job(job) => Some((&*job.metadata.name, job)),
        _ => None,
    }
}

fn of(what: What, metadata: &Metadata, (reason, message): (&str, &str), since: Option<Timestamp>) -> Bad {
    Bad {
        what,
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        since: since.or_else(|| metadata.created()),
        owner: metadata.owner().map(|owner| format!("{}/{}", owner.kind, owner.name)),
    }
}

/// What is wrong with it, once that lasts. That a Job's pod ends badly is the Job's to judge.
fn of_pod<'a>(pod: &'a Pod, is_job: bool, templates: &Templates<'a>, warnings: &Warnings<'_>, now: Timestamp) -> Option<(String, String)> {
    if pod.status.phase == "Failed" {
        let reason = if pod.status.reason.is_empty() { "Failed" } else { &pod.status.reason };
        return (!is_job).then(|| (reason.to_owned(), pod.status.message.clone()));
    }
    let found = trouble::of_pod(pod, &templates.own_containers(pod), warnings)?;
    let grace = i64::try_from(found.grace?.as_secs()).unwrap_or(i64::MAX);
    let lasts = since(pod).is_none_or(|since| now.as_second().saturating_sub(since.as_second()) >= grace);
    (lasts && !(is_job && found.class == Class::Crash)).then_some((found.reason, found.message))
}

/// Since when it has not been ready.
fn since(pod: &Pod) -> Option<Timestamp> {
    let not = |what: &str| pod.status.conditions.iter().find(|it| it.what == what && it.status != "True").and_then(Condition::since);
    not("Ready").or_else(|| not("PodScheduled")).or_else(|| pod.metadata.created())
}

#[cfg(test)]
mod tests {
    use super::super::objects::List;
    use super::*;
    use serde_json::{Value as Json, json};

    fn look(items: &[Json], now: &str) -> Vec<String> {
        let list: List<Object> = serde_json::from_value(json!({"items": items})).expect("objects");
        let found = bad(&list.items, &[], now.parse().expect("a time"));
        let kept: Vec<Object> = list.items.into_iter().filter(may_be_bad).collect();
        assert_eq!(bad(&kept, &[], now.parse().expect("a time")), found, "what is left out is not missed");
        found.iter().map(|it| format!("{:?} {} {} {}", it.what, it.name, it.reason, it.owner.as_deref().unwrap_or("-"))).collect()
    }

    fn pod(name: &str, owner: &str, status: Json) -> Json {
        let owners = if owner.is_empty() { json!([]) } else { json!([{"kind": owner, "name": format!("{name}-of"), "controller": true}]) };
        json!({"kind": "Pod", "metadata": {"name": name, "uid": name, "ownerReferences": owners}, "spec": {"containers": [{"name": "c"}]}, "status": status})
    }

    fn waits(reason: &str, restarts: u64) -> Json {
        json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-27T10:00:00Z"}],
            "containerStatuses": [{"name": "c", "restartCount": restarts, "state": {"waiting": {"reason": reason}}}]})
    }

    fn job(name: &str, status: Json) -> Json {
        json!({"kind": "Job", "metadata": {"name": name, "uid": name}, "status": status})
    }

    #[test]
    fn what_lasts_is_bad_and_nothing_else() {
        let (soon, late) = ("2026-11-27T10:00:05Z", "2026-11-27T11:00:00Z");
        let mut leaving = pod("leaving", "ReplicaSet", waits("CrashLoopBackOff", 9));
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-27T10:00:00Z");
        let all = [
            pod("crash", "ReplicaSet", waits("CrashLoopBackOff", 9)),
            pod("first-crash", "ReplicaSet", waits("CrashLoopBackOff", 1)),
            pod("pull", "DaemonSet", waits("ImagePullBackOff", 0)),
            pod("starts", "ReplicaSet", waits("ContainerCreating", 0)),
            pod(
                "serves",
                "ReplicaSet",
                json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "c", "ready": true}]}),
            ),
            pod("alone", "", waits("CrashLoopBackOff", 9)),
            pod("evicted", "StatefulSet", json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory"})),
            pod("done", "", json!({"phase": "Succeeded"})),
            pod("static", "Node", waits("CrashLoopBackOff", 9)),
            leaving,
        ];
        let lasting = ["Pod crash CrashLoopBackOff ReplicaSet/crash-of", "Pod evicted Evicted StatefulSet/evicted-of"];
        assert_eq!(look(&all, soon), [&lasting[..], &["Bare alone CrashLoopBackOff -"]].concat(), "a pull may yet come");
        let later = look(&all, late);
        assert!(later.contains(&"Pod pull ImagePullBackOff DaemonSet/pull-of".to_owned()) && later.len() == 4, "{later:?}");
    }

    #[test]
    fn of_jobs_the_job_goes_once() {
        let late = "2026-11-27T11:00:00Z";
        let failed = json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}]});
        let all = [
            job("one-of", failed),
            pod("one", "Job", json!({"phase": "Failed"})),
            job("pull-of", json!({"active": 2})),
            pod("pull", "Job", waits("ErrImagePull", 0)),
            job("tries-of", json!({"active": 1, "failed": 1})),
            pod("tries", "Job", json!({"phase": "Failed"})),
            job("loops-of", json!({"active": 1})),
            pod("loops", "Job", waits("CrashLoopBackOff", 9)),
            pod("orphan", "Job", waits("ErrImagePull", 0)),
        ];
        assert_eq!(look(&all, late), ["Job one-of BackoffLimitExceeded -", "Job pull-of ErrImagePull -"]);
    }
}
