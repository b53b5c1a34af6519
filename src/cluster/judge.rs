//! How a release stands: what is ready, what cannot become ready and why. Pure.
//!
//! A pod is new when its template is, as helm and `kubectl rollout status` judge: that of the Deployment's newest `ReplicaSet` (`pod-template-hash`), or the
//! `StatefulSet`'s `updateRevision` (`controller-revision-hash`). Pods of the templates before may be in any state.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::objects::{Job, Object, Pod, ReplicaSet, Workload};

/// Restarts after which a crash loop is taken for lasting.
const CRASHES: u64 = 3;
/// How long a pod may be unschedulable (a cluster may be adding nodes).
const UNSCHEDULABLE: Duration = Duration::from_secs(90);
/// How long an image pull may fail (a registry may hiccup).
const PULL: Duration = Duration::from_secs(15);
/// How long what a pod needs may be missing.
const START: Duration = Duration::from_secs(10);

/// How one workload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// `deployment/dummy-web`; `pod/NAME` for a pod that was selected without its workload.
    pub name: String,
    /// Pods that are new and ready.
    pub ready: u64,
    /// Pods that are wanted.
    pub wanted: u64,
    /// Pods that are new.
    pub new: u64,
    /// The rollout is over.
    pub is_done: bool,
}

/// Why a pod will not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The pod.
    pub pod: String,
    /// The container, when one is to blame.
    pub container: Option<String>,
    /// `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`...
    pub reason: String,
    /// The server's words, as sent.
    pub message: String,
    /// How long it may go on before it counts.
    pub grace: Duration,
    /// The container ended: the log worth reading is that of its previous run.
    pub is_crash: bool,
}

/// One look at a release.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// Deployments and `StatefulSets`.
    pub workloads: Vec<Progress>,
    /// Jobs and how they stand: `done`, `failed`, `running`.
    pub jobs: Vec<(String, &'static str)>,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
}

impl View {
    /// Everything is ready.
    pub(crate) fn is_done(&self) -> bool {
        self.workloads.iter().all(|workload| workload.is_done)
    }

    /// There is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.workloads.is_empty() && self.jobs.is_empty()
    }
}

/// Judges everything that was selected: workloads, `ReplicaSets`, Jobs and pods.
pub(crate) fn judge(objects: &[Object]) -> View {
    let templates = Templates::of(objects);
    let staying = templates.ready_and_staying(objects);
    let mut view = View::default();
    for object in objects {
        match object {
            Object::Deployment(it) => view.workloads.push(deployment(it, staying.get(&("deployment", &*it.metadata.name)))),
            Object::StatefulSet(it) => view.workloads.push(stateful_set(it, staying.get(&("statefulset", &*it.metadata.name)))),
            Object::Job(it) => view.jobs.push((it.metadata.name.clone(), state_of(it))),
            Object::Pod(pod) if !pod.metadata.is_leaving() => {
                let is_new = templates.have(pod);
                if is_new {
                    view.troubles.extend(trouble_of(pod));
                }
                if templates.stands_alone(pod) {
                    view.workloads.push(alone(pod, is_new));
                }
            }
            _ => {}
        }
    }
    view
}

/// The newest templates.
struct Templates<'a> {
    /// The Deployment that each `ReplicaSet` is of.
    deployments: BTreeMap<&'a str, &'a str>,
    /// The hash of each Deployment's newest template; none while its controller has not made it.
    hashes: BTreeMap<&'a str, Option<&'a str>>,
    /// The same of each `StatefulSet`.
    revisions: BTreeMap<&'a str, Option<&'a str>>,
    /// Pods alone were selected, and none of what keeps them.
    are_alone: bool,
}

impl<'a> Templates<'a> {
    fn of(objects: &'a [Object]) -> Self {
        let mut found = Self { deployments: BTreeMap::new(), hashes: BTreeMap::new(), revisions: BTreeMap::new(), are_alone: true };
        let mut newest: BTreeMap<&str, &ReplicaSet> = BTreeMap::new();
        for object in objects {
            let Object::ReplicaSet(set) = object else { continue };
            let Some(owner) = set.metadata.owner() else { continue };
            found.deployments.insert(&set.metadata.name, &owner.name);
            let known = newest.entry(&owner.name).or_insert(set);
            if set.revision() > known.revision() {
                *known = set;
            }
        }
        found.hashes = newest.into_iter().map(|(name, set)| (name, Some(set.hash()))).collect();
        for object in objects {
            match object {
                Object::Deployment(it) => {
                    found.are_alone = false;
                    if !is_seen(it) || it.spec.paused {
                        found.hashes.insert(&it.metadata.name, None);
                    }
                }
                Object::StatefulSet(it) => {
                    found.are_alone = false;
                    found.revisions.insert(&it.metadata.name, is_seen(it).then_some(&*it.status.update_revision));
                }
                _ => {}
            }
        }
        found
    }

    /// The pod is of a newest template; without what keeps it, it counts as such.
    fn have(&self, pod: &Pod) -> bool {
        let Some(owner) = pod.metadata.owner() else { return self.are_alone };
        let (newest, label) = match owner.kind.as_str() {
            "ReplicaSet" => (self.deployments.get(&*owner.name).and_then(|name| self.hashes.get(name)), "pod-template-hash"),
            "StatefulSet" => (self.revisions.get(&*owner.name), "controller-revision-hash"),
            _ => return false,
        };
        newest.map_or(self.are_alone, |newest| *newest == Some(pod.metadata.label(label)))
    }

    /// How many pods of each workload are ready and stay, where its pods were selected too: a status is older than a pod that was just deleted.
    fn ready_and_staying<'b>(&'b self, objects: &'b [Object]) -> BTreeMap<(&'static str, &'b str), u64> {
        let mut found = BTreeMap::new();
        for object in objects {
            let Object::Pod(pod) = object else { continue };
            let Some(owner) = pod.metadata.owner() else { continue };
            let keeper = match owner.kind.as_str() {
                "ReplicaSet" if self.have(pod) => self.deployments.get(&*owner.name).map(|name| ("deployment", *name)),
                "StatefulSet" => Some(("statefulset", &*owner.name)),
                _ => None,
            };
            let Some(keeper) = keeper else { continue };
            *found.entry(keeper).or_default() += u64::from(!pod.metadata.is_leaving() && pod.is("Ready"));
        }
        found
    }

    /// The pod is waited for by itself: it is to stay, and what keeps it was not selected. helm's hooks end.
    fn stands_alone(&self, pod: &Pod) -> bool {
        let keeper = pod.metadata.owner().map(|owner| owner.kind.as_str());
        self.are_alone
            && matches!(keeper, None | Some("ReplicaSet" | "StatefulSet"))
            && !pod.is_over()
            && pod.metadata.annotation("helm.sh/hook").is_none()
    }
}

/// The controller has seen the newest `spec`.
fn is_seen(workload: &Workload) -> bool {
    workload.status.observed_generation >= workload.metadata.generation
}

fn deployment(it: &Workload, staying: Option<&u64>) -> Progress {
    let ready = it.status.available_replicas.min(it.status.updated_replicas);
    progress("deployment", it, staying.map_or(ready, |staying| ready.min(*staying)), true)
}

fn stateful_set(it: &Workload, staying: Option<&u64>) -> Progress {
    let status = &it.status;
    let is_current = status.updated_replicas >= wanted(it) || status.current_revision == status.update_revision;
    let ready = status.ready_replicas.min(status.updated_replicas.max(status.current_replicas));
    progress("statefulset", it, staying.map_or(ready, |staying| ready.min(*staying)), is_current)
}

fn wanted(it: &Workload) -> u64 {
    it.spec.replicas.unwrap_or(1)
}

fn progress(kind: &str, it: &Workload, ready: u64, is_current: bool) -> Progress {
    let (wanted, is_seen) = (wanted(it), is_seen(it));
    Progress {
        name: format!("{kind}/{}", it.metadata.name),
        ready: if is_seen { ready } else { 0 },
        wanted,
        new: if is_seen { it.status.updated_replicas } else { 0 },
        is_done: is_seen && ready >= wanted && it.status.replicas == wanted && is_current,
    }
}

fn alone(pod: &Pod, is_new: bool) -> Progress {
    let is_ready = is_new && pod.is("Ready");
    Progress { name: format!("pod/{}", pod.metadata.name), ready: is_ready.into(), wanted: 1, new: is_new.into(), is_done: is_ready }
}

fn state_of(job: &Job) -> &'static str {
    match &job.status {
        status if status.succeeded > 0 => "done",
        status if status.failed > 0 && status.active == 0 => "failed",
        _ => "running",
    }
}

fn trouble_of(pod: &Pod) -> Option<Trouble> {
    for status in pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses) {
        let Some(waiting) = &status.state.waiting else { continue };
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let grace = match reason {
            "ImagePullBackOff" | "ErrImagePull" => PULL,
            "InvalidImageName" | "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => START,
            "CrashLoopBackOff" if status.restart_count >= CRASHES => Duration::ZERO,
            _ => continue,
        };
        return Some(Trouble {
            pod: pod.metadata.name.clone(),
            container: Some(status.name.clone()),
            reason: reason.to_owned(),
            message: waiting.message.clone(),
            grace,
            is_crash: reason == "CrashLoopBackOff",
        });
    }
    let unschedulable = pod.status.conditions.iter().find(|condition| condition.what == "PodScheduled" && condition.status == "False")?;
    Some(Trouble {
        pod: pod.metadata.name.clone(),
        container: None,
        reason: unschedulable.reason.clone(),
        message: unschedulable.message.clone(),
        grace: UNSCHEDULABLE,
        is_crash: false,
    })
}

/// How one pod stands, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The pod.
    pub name: String,
    /// Containers that serve.
    pub ready: usize,
    /// Containers that it has.
    pub wanted: usize,
    /// `Running`, `CrashLoopBackOff`, `Terminating`...
    pub state: String,
    /// Restarts of all containers.
    pub restarts: u64,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// As it should be.
    pub is_good: bool,
    /// It ran to a good end.
    pub is_over: bool,
}

/// How pods stand, bad ones first.
pub(crate) fn standings(pods: &[Pod]) -> Vec<Standing> {
    let mut found: Vec<Standing> = pods.iter().map(standing).collect();
    found.sort_by(|a, b| (a.is_good, a.is_over, &a.name).cmp(&(b.is_good, b.is_over, &b.name)));
    found
}

fn standing(pod: &Pod) -> Standing {
    let statuses = &pod.status.container_statuses;
    let (ready, wanted) = (statuses.iter().filter(|status| status.ready).count(), pod.spec.containers.len());
    let phase = &pod.status.phase;
    let mut reasons = statuses.iter().filter_map(|status| {
        [&status.state.waiting, &status.state.terminated].into_iter().find_map(|state| state.as_ref()?.reason.clone())
    });
    let is_leaving = pod.metadata.is_leaving();
    let is_over = phase == "Succeeded";
    Standing {
        name: pod.metadata.name.clone(),
        ready,
        wanted,
        state: if is_leaving { "Terminating".to_owned() } else { reasons.next().unwrap_or_else(|| phase.clone()) },
        restarts: statuses.iter().map(|status| status.restart_count).sum(),
        created: pod.metadata.created(),
        is_good: is_over || (ready == wanted && phase == "Running" && !is_leaving),
        is_over,
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::List;
    use super::*;
    use serde_json::{Value as Json, json};

    fn see(items: &[Json]) -> View {
        let list: List<Object> = serde_json::from_value(json!({"items": items})).expect("objects");
        judge(&list.items)
    }

    fn deployment(ready: u64, updated: u64, total: u64, observed: u64) -> Json {
        json!({"kind": "Deployment", "metadata": {"name": "dummy-web", "generation": 2}, "spec": {"replicas": 2},
               "status": {"observedGeneration": observed, "availableReplicas": ready, "updatedReplicas": updated, "replicas": total}})
    }

    fn replica_set(hash: &str, revision: &str) -> Json {
        json!({"kind": "ReplicaSet", "metadata": {"name": format!("dummy-web-{hash}"), "labels": {"pod-template-hash": hash},
               "annotations": {"deployment.kubernetes.io/revision": revision}, "ownerReferences": [{"kind": "Deployment", "name": "dummy-web", "controller": true}]}})
    }

    fn owned(kind: &str, owner: &str, labels: &Json, waiting: &Json, restarts: u64) -> Json {
        json!({"kind": "Pod", "metadata": {"name": "p", "labels": labels, "ownerReferences": [{"kind": kind, "name": owner, "controller": true}]},
               "status": {"containerStatuses": [{"name": "web", "restartCount": restarts, "state": {"waiting": waiting}}]}})
    }

    fn pod(hash: &str, waiting: &Json, restarts: u64) -> Json {
        owned("ReplicaSet", &format!("dummy-web-{hash}"), &json!({"pod-template-hash": hash}), waiting, restarts)
    }

    #[test]
    fn a_rollout_is_over_when_old_pods_are_gone() {
        let done = |item: Json| see(&[item]).workloads[0].is_done;
        assert!(done(deployment(2, 2, 2, 2)));
        assert!(!done(deployment(2, 2, 3, 2)), "an old pod is still there");
        assert!(!done(deployment(2, 2, 2, 1)), "the controller has not seen the new template");
        assert!(!done(deployment(2, 1, 2, 2)), "one pod is still old");
        assert!(!done(deployment(1, 2, 2, 2)), "one pod is not available");
    }

    #[test]
    fn a_status_that_is_older_than_its_pods_is_not_believed() {
        let ready = |mut pod: Json| {
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
            pod
        };
        let leaving = |mut pod: Json| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-11-26T17:20:05Z");
            pod
        };
        let of = |pods: &[Json]| see(&[&[deployment(2, 2, 2, 2), replica_set("a", "1")], pods].concat()).workloads.remove(0);
        let new = || ready(pod("a", &Json::Null, 0));
        assert!(of(&[new(), new()]).is_done);
        let one = of(&[new(), leaving(new())]);
        assert_eq!((one.ready, one.is_done), (1, false), "one was just deleted");
        assert!(!of(&[new(), pod("a", &Json::Null, 0)]).is_done, "one is not ready any more");
        assert!(of(&[]).is_done, "pods that were not selected do not tell");
    }

    #[test]
    fn a_stateful_set_is_judged_by_its_revisions() {
        let set = |ready: u64, updated: u64, current: &str| {
            let status = json!({"replicas": 2, "readyReplicas": ready, "updatedReplicas": updated, "currentReplicas": 2 - updated, "currentRevision": current, "updateRevision": "s-2"});
            see(&[json!({"kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {"replicas": 2}, "status": status})]).workloads.remove(0)
        };
        let one = set(2, 1, "s-1");
        assert_eq!((one.name.as_str(), one.ready, one.wanted, one.new, one.is_done), ("statefulset/s", 1, 2, 1, false));
        assert!(set(2, 2, "s-1").is_done && set(2, 0, "s-2").is_done);
        assert!(!set(1, 2, "s-2").is_done);
    }

    #[test]
    fn pods_of_the_newest_template_alone_fail_a_rollout() {
        let waiting = json!({"reason": "ImagePullBackOff", "message": "Back-off"});
        // One image, two templates: the older one became the newest again.
        let sets = [replica_set("aaa", "3"), replica_set("bbb", "2")];
        let troubles = |observed: u64, item: Json| see(&[&[deployment(0, 1, 2, observed), item], &sets[..]].concat()).troubles;
        assert_eq!(troubles(2, pod("aaa", &waiting, 0)).len(), 1);
        assert!(troubles(2, pod("bbb", &waiting, 0)).is_empty());
        assert!(troubles(1, pod("aaa", &waiting, 0)).is_empty(), "the newest template has no pods yet");
        let crash = json!({"reason": "CrashLoopBackOff"});
        assert!(troubles(2, pod("aaa", &crash, 1)).is_empty(), "one crash may pass");
        assert!(troubles(2, pod("aaa", &crash, 3))[0].is_crash);
        let mut leaving = pod("aaa", &crash, 3);
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-26T17:20:05Z");
        assert!(troubles(2, leaving).is_empty());
        assert!(troubles(2, owned("Job", "dummy-migrate", &json!({}), &crash, 3)).is_empty(), "a Job's pods are the Job's");
        let set = json!({"kind": "StatefulSet", "metadata": {"name": "s"}, "status": {"currentRevision": "s-1", "updateRevision": "s-2"}});
        let of = |revision: &str| see(&[set.clone(), owned("StatefulSet", "s", &json!({"controller-revision-hash": revision}), &crash, 3)]);
        assert_eq!((of("s-2").troubles.len(), of("s-1").troubles.len()), (1, 0));
    }

    #[test]
    fn troubles_and_how_long_they_may_go_on() {
        let grace = |state: &Json| {
            see(&[deployment(0, 1, 1, 2), replica_set("a", "1"), pod("a", state, 0)]).troubles.first().map(|it| it.grace.as_secs())
        };
        for (reason, seconds) in
            [("ErrImagePull", Some(15)), ("CreateContainerConfigError", Some(10)), ("ContainerCreating", None), ("CrashLoopBackOff", None)]
        {
            assert_eq!(grace(&json!({"reason": reason})), seconds, "{reason}");
        }
        let mut unplaced = pod("a", &Json::Null, 0);
        unplaced["status"]["conditions"] =
            json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]);
        let trouble = see(&[replica_set("a", "1"), unplaced]).troubles.remove(0);
        assert_eq!((trouble.reason.as_str(), trouble.grace.as_secs(), trouble.container), ("Unschedulable", 90, None));
    }

    #[test]
    fn pods_without_their_workload_are_waited_for_one_by_one() {
        let ready = |mut pod: Json, is: &str| {
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": is}]);
            pod
        };
        let sets = [replica_set("aaa", "1"), replica_set("bbb", "2")];
        let done = |pods: &[Json]| see(&[pods, &sets[..]].concat()).is_done();
        assert!(done(&[ready(pod("bbb", &Json::Null, 0), "True")]));
        assert!(!done(&[ready(pod("bbb", &Json::Null, 0), "False")]));
        assert!(!done(&[ready(pod("bbb", &Json::Null, 0), "True"), ready(pod("aaa", &Json::Null, 0), "True")]), "the old one is to go");
        let bare = json!({"kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Pending"}});
        assert!(!see(std::slice::from_ref(&bare)).is_done());
        assert!(see(&[bare, deployment(2, 2, 2, 2)]).is_done(), "it is nobody's beside workloads");
        let over = json!({"kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Succeeded"}});
        assert!(see(&[over]).is_empty() && see(&[]).is_empty() && see(&[]).is_done());
    }

    #[test]
    fn jobs() {
        let state = |status: Json| see(&[json!({"kind": "Job", "metadata": {"name": "j"}, "status": status})]).jobs.remove(0).1;
        assert_eq!(state(json!({"succeeded": 1, "failed": 1})), "done");
        assert_eq!(state(json!({"failed": 1, "active": 1})), "running");
        assert_eq!(state(json!({"failed": 1})), "failed");
        assert_eq!(state(Json::Null), "running");
    }

    #[test]
    fn bad_pods_come_first() {
        let pods: List<Pod> = serde_json::from_value(json!({"items": [
            {"metadata": {"name": "good"}, "spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 2}]}},
            {"metadata": {"name": "done"}, "spec": {"containers": [{}]}, "status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]}},
            {"metadata": {"name": "leaving", "deletionTimestamp": "2026-11-26T17:20:05Z"}, "spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true}]}},
            {"metadata": {"name": "bad"}, "spec": {"containers": [{}, {}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 1}, {"restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}},
        ]})).expect("pods");
        let shown = |it: &Standing| format!("{} {}/{} {} {}", it.name, it.ready, it.wanted, it.state, it.restarts);
        let rows: Vec<String> = standings(&pods.items).iter().map(shown).collect();
        assert_eq!(rows, ["bad 1/2 CrashLoopBackOff 5", "leaving 1/1 Terminating 0", "good 1/1 Running 2", "done 0/1 Completed 0"]);
    }
}
