//! How a release stands: what is ready, what cannot become ready and why. Pure.
//!
//! A rollout is over when the workload's strategy lets no more happen: helm's `--wait` and `kubectl rollout status` count alike, but for helm's looking
//! away from `OnDelete`, and from as many pods as may be unavailable.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;

use super::objects::{ContainerStatus, Event, Job, Object, Pod, Workload, holding};
use super::standing::{Standing, doing, standings};
use super::templates::{self, Generations, Templates, generations, id_of_job, is_seen};
use super::trouble::{self, LogAt, Trouble, Warnings};

/// So many warnings are told.
const WARNINGS: usize = 6;
/// What a warning is about that tells why there are no others.
const UNSEEN: &str = "not to be seen";

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
    /// Why it is over though pods do not have the newest template.
    pub note: Option<&'static str>,
    /// What one of its new pods does that is not ready yet; or what it waits for where they are all ready.
    pub doing: Option<&'static str>,
}

/// How one Job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobStanding {
    /// Its name.
    pub name: String,
    /// `done`, `failed`, `running`
    pub state: &'static str,
    /// It is one of helm's hooks: helm waits for it.
    pub is_hook: bool,
    /// Tells it from one of the same name before; none for those that a Cron Job makes.
    pub id: Option<String>,
    /// Where its newest pod logs, once its own container has begun.
    pub log: Option<LogAt>,
}

/// One look at a release.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// Deployments and `StatefulSets`.
    pub workloads: Vec<Progress>,
    /// Jobs.
    pub jobs: Vec<JobStanding>,
    /// Pods, bad ones first.
    pub pods: Vec<Standing>,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
    /// The newest templates, and the Jobs, each by what tells it from those before.
    pub templates: BTreeSet<String>,
    /// What each workload's object has come to.
    pub generations: Generations,
    /// The kinds that this account may not list (403), where that is borne.
    pub refused: Vec<&'static str>,
    /// What controllers and nodes warn of, newest first.
    pub warnings: Vec<Warning>,
}

/// What a controller or a node warns of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// `pod/dummy-web-1`
    pub object: String,
    /// What keeps that: `deployment/dummy-web`; itself where nothing does.
    pub keeper: String,
    /// In a word: `Unhealthy`
    pub reason: String,
    /// In a sentence.
    pub message: String,
}

/// The newest of the warnings about these, and about what they keep. What several pods of one keeper are warned of is told of the newest, with how many
/// there are.
pub(crate) fn told_of(warnings: &[Warning], objects: &[&str]) -> Vec<String> {
    let is_about = |it: &&Warning| objects.contains(&&*it.object) || objects.contains(&&*it.keeper) || it.object == UNSEEN;
    let mut others: BTreeMap<(&str, &str), (&str, BTreeSet<&str>)> = BTreeMap::new();
    for it in warnings.iter().filter(is_about) {
        others.entry((&it.keeper, &it.reason)).or_insert_with(|| (&it.object, BTreeSet::new())).1.insert(&it.object);
    }
    let tell = |it: &Warning| {
        let (first, all) = &others[&(&*it.keeper, &*it.reason)];
        let count = if all.len() > 1 { format!(" (x{})", all.len()) } else { String::new() };
        let reason = if it.reason.is_empty() { String::new() } else { format!("{}{count}: ", it.reason) };
        (*first == it.object).then(|| format!("{}: {reason}{}", it.object, it.message))
    };
    warnings.iter().filter(is_about).filter_map(tell).take(WARNINGS).collect()
}

impl View {
    /// Everything is ready.
    pub(crate) fn is_done(&self) -> bool {
        self.workloads.iter().all(|workload| workload.is_done)
    }

    /// Nothing is on its way.
    pub(crate) fn is_settled(&self) -> bool {
        self.is_done() && !self.jobs.iter().any(|job| job.id.is_some() && job.state == "running")
    }

    /// The trouble that explains most: what cannot pass before what may.
    pub(crate) fn worst(&self) -> Option<&Trouble> {
        self.troubles.iter().min_by_key(|trouble| trouble.rank())
    }

    /// The account may not see what is warned of.
    pub(super) fn sees_no_warnings(&mut self, why: &str) {
        let (object, reason, message) = (UNSEEN.to_owned(), String::new(), why.to_owned());
        self.warnings.push(Warning { keeper: object.clone(), object, reason, message });
    }

    /// There is nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.workloads.is_empty() && self.jobs.is_empty()
    }
}

/// Judges everything that was selected: workloads, `ReplicaSets`, Jobs and pods; `events` are the warnings of the namespace, as far as they are known.
pub(crate) fn judge(objects: &[Object], events: &[Event]) -> View {
    let (templates, warnings) = (Templates::of(objects), Warnings::of(events));
    let staying = templates.ready_and_staying(objects);
    let specs = objects.iter().filter_map(|object| match object {
        Object::StatefulSet(it) => Some(templates::id_of_spec(it)),
        _ => None,
    });
    let mut view = View { templates: templates.ids().chain(specs).collect(), generations: generations(objects), ..View::default() };
    let mut pods = Pods::default();
    for object in objects {
        match object {
            Object::Deployment(it) => view.workloads.push(deployment(it, staying.get(&("deployment", &*it.metadata.name)))),
            Object::StatefulSet(it) => view.workloads.push(stateful_set(it, staying.get(&("statefulset", &*it.metadata.name)))),
            Object::Pod(pod) => {
                pods.add(pod, &templates);
                if pod.metadata.is_leaving() {
                    pods.move_on = true;
                    continue;
                }
                let is_new = templates.have(pod);
                let found = pod_trouble(pod, is_new, &templates, &warnings);
                if let (true, Some((kind, name)), Some(what)) = (is_new, templates.keeper(pod), doing(pod)) {
                    pods.doing.insert(format!("{kind}/{name}"), what);
                }
                pods.move_on |= is_new && !pod.is("Ready") && found.as_ref().is_none_or(|trouble| trouble.grace.is_none());
                view.troubles.extend(found);
                if templates.stands_alone(pod) {
                    view.workloads.push(alone(pod, is_new));
                }
            }
            _ => {}
        }
    }
    for object in objects {
        if let Object::Job(job) = object {
            let newest = pods.newest.get(&("job", &*job.metadata.name)).copied();
            let own = newest.map(|pod| templates.own_containers(pod)).unwrap_or_default();
            let (standing, found) = job_standing(job, newest, &own);
            view.jobs.push(standing);
            view.troubles.extend(found);
        }
        view.troubles.extend(workload_trouble(object, &templates, &pods, &warnings));
    }
    for workload in view.workloads.iter_mut().filter(|workload| !workload.is_done) {
        workload.doing = pods.doing.get(&workload.name).copied().or(workload.doing);
    }
    view.warnings = told(objects, &templates, &warnings);
    let pods = objects.iter().filter_map(|object| match object {
        Object::Pod(pod) => Some(pod),
        _ => None,
    });
    view.pods = standings(pods, &view.troubles, &warnings, |pod| templates.are_past(pod));
    view
}

/// What is to be known of all pods.
#[derive(Default)]
struct Pods<'a> {
    /// The newest of each workload and Job.
    newest: BTreeMap<(&'static str, &'a str), &'a Pod>,
    /// How many each has.
    counts: BTreeMap<(&'static str, &'a str), u64>,
    /// Some come or go.
    move_on: bool,
    /// What a new one of each workload does before it is ready.
    doing: BTreeMap<String, &'static str>,
}

impl<'a> Pods<'a> {
    fn add(&mut self, pod: &'a Pod, templates: &Templates<'a>) {
        let Some(keeper) = templates.keeper(pod) else { return };
        *self.counts.entry(keeper).or_default() += 1;
        let known = self.newest.entry(keeper).or_insert(pod);
        if pod.metadata.created() > known.metadata.created() {
            *known = pod;
        }
    }
}

/// What is wrong with a pod that is to become ready, or with one of a Job, which may crash: that is the Job's to judge.
fn pod_trouble<'a>(pod: &'a Pod, is_new: bool, templates: &Templates<'a>, warnings: &Warnings<'_>) -> Option<Trouble> {
    let is_job = templates.job_of(pod).is_some_and(|job| !is_over(job)) && !pod.is_over();
    if !is_new && !templates.keep(pod) && !is_job {
        return None;
    }
    let found = trouble::of_pod(pod, &templates.own_containers(pod), warnings)?;
    let template = templates.id_of(pod);
    (!is_job || found.class != trouble::Class::Crash).then_some(Trouble { template, ..found })
}

/// What is wrong with what makes pods.
fn workload_trouble<'a>(object: &'a Object, templates: &Templates<'a>, pods: &Pods<'a>, warnings: &Warnings<'_>) -> Option<Trouble> {
    let newest = |kind: &'static str, name: &'a str| pods.newest.get(&(kind, name)).and_then(|pod| pod.metadata.created());
    match object {
        Object::Deployment(it) if is_seen(it) && !it.spec.paused => {
            trouble::of_deployment(it, templates.newest("deployment", &it.metadata.name), pods.move_on)
        }
        // Its controller writes no status, and so has seen nothing, while the server takes none of its pods.
        Object::StatefulSet(it) if pods.counts.get(&("statefulset", &*it.metadata.name)).copied().unwrap_or(0) < wanted(it) => {
            let (kinds, since) = (("statefulset", "StatefulSet"), newest("statefulset", &it.metadata.name));
            trouble::uncreated(kinds, &it.metadata, Some(templates::id_of_spec(it)), since, pods.move_on, warnings)
        }
        Object::Job(it) if it.metadata.owner().is_none() && it.status.active == 0 && !is_over(it) => {
            let (kinds, since) = (("job", "Job"), newest("job", &it.metadata.name));
            trouble::uncreated(kinds, &it.metadata, Some(id_of_job(&it.metadata.name, it)), since, pods.move_on, warnings)
        }
        _ => None,
    }
}

/// The newest warnings about what was selected, each once.
fn told<'a>(objects: &'a [Object], templates: &Templates<'a>, warnings: &Warnings<'_>) -> Vec<Warning> {
    let mut found: Vec<(Option<Timestamp>, Warning)> = vec![];
    let mut known = HashSet::new();
    for object in objects {
        let (kind, metadata) = match object {
            Object::Deployment(it) => ("Deployment", &it.metadata),
            Object::StatefulSet(it) => ("StatefulSet", &it.metadata),
            Object::ReplicaSet(it) => ("ReplicaSet", &it.metadata),
            Object::Job(it) => ("Job", &it.metadata),
            Object::Pod(it) => ("Pod", &it.metadata),
            _ => continue,
        };
        let keeper = match object {
            Object::Pod(pod) if !templates.are_past(pod) => templates.keeper(pod).map(|(kind, name)| format!("{kind}/{name}")),
            Object::ReplicaSet(set) => set.metadata.owner().map(|owner| format!("deployment/{}", owner.name)),
            _ => None,
        };
        let about = format!("{}/{}", kind.to_lowercase(), metadata.name);
        for event in warnings.about(kind, metadata) {
            if known.insert((kind, &*metadata.name, &*event.reason, &*event.message)) {
                let keeper = keeper.clone().unwrap_or_else(|| about.clone());
                let warning = Warning { object: about.clone(), keeper, reason: event.reason.clone(), message: event.message.clone() };
                found.push((event.last(), warning));
            }
        }
    }
    found.sort_by_key(|(last, _)| std::cmp::Reverse(*last));
    found.into_iter().map(|(_, warning)| warning).collect()
}

fn deployment(it: &Workload, staying: Option<&u64>) -> Progress {
    let ready = it.status.available_replicas.min(it.status.updated_replicas);
    let mut progress = progress("deployment", it, staying.map_or(ready, |staying| ready.min(*staying)), true);
    if it.spec.paused {
        // Its controller scales what there is, and follows no template.
        progress.ready = it.status.available_replicas;
        progress.is_done = is_seen(it);
        progress.note = Some("paused: its pods do not follow the template");
    }
    progress
}

fn stateful_set(it: &Workload, staying: Option<&u64>) -> Progress {
    let (status, wanted) = (&it.status, wanted(it));
    let kept = it.spec.update_strategy.staying();
    let is_one = status.current_revision == status.update_revision;
    let is_current = status.updated_replicas >= wanted.saturating_sub(kept) || is_one;
    // Servers before 1.22 do not know `minReadySeconds` of StatefulSets, and drop it.
    let serve = if it.spec.min_ready_seconds > 0 { status.available_replicas } else { status.ready_replicas };
    let old = status.replicas.saturating_sub(status.updated_replicas).min(kept);
    let right = if is_one { status.updated_replicas.max(status.current_replicas) } else { status.updated_replicas + old };
    let ready = serve.min(right);
    let progress = progress("statefulset", it, staying.map_or(ready, |staying| ready.min(*staying)), is_current);
    let note = match kept {
        0 => None,
        u64::MAX => Some("OnDelete: its pods take the new template once they are deleted"),
        _ => Some("partition: the pods below it keep their template"),
    };
    Progress { note: note.filter(|_| !is_one && status.updated_replicas < wanted), ..progress }
}

fn wanted(it: &Workload) -> u64 {
    it.spec.replicas.unwrap_or(1)
}

fn progress(kind: &str, it: &Workload, ready: u64, is_current: bool) -> Progress {
    let (wanted, is_seen) = (wanted(it), is_seen(it));
    let status = &it.status;
    // More than wanted, all of them new: an autoscaler takes some away, and that is no rollout.
    let none_old =
        status.replicas == wanted || (kind == "deployment" && status.replicas > wanted && status.replicas == status.updated_replicas);
    Progress {
        name: format!("{kind}/{}", it.metadata.name),
        ready: if is_seen { ready.min(wanted) } else { 0 },
        wanted,
        new: if is_seen { status.updated_replicas } else { 0 },
        is_done: is_seen && ready >= wanted && none_old && is_current,
        note: None,
        doing: (is_seen && ready >= wanted && !none_old).then_some("old pods are still there"),
    }
}

fn alone(pod: &Pod, is_new: bool) -> Progress {
    let is_ready = is_new && pod.is("Ready");
    let name = format!("pod/{}", pod.metadata.name);
    Progress { name, ready: is_ready.into(), wanted: 1, new: is_new.into(), is_done: is_ready, note: None, doing: None }
}

/// A Job came to its end, and the server says so.
fn is_over(job: &Job) -> bool {
    holding(&job.status.conditions, "Complete").or_else(|| holding(&job.status.conditions, "Failed")).is_some()
}

/// How a Job stands. A sidecar that goes on when the Job's own containers ended does not count.
fn job_standing(job: &Job, newest: Option<&Pod>, own: &[&str]) -> (JobStanding, Option<Trouble>) {
    let name = &job.metadata.name;
    let id = job.metadata.owner().is_none().then(|| id_of_job(name, job));
    let outlived = newest.filter(|pod| !is_over(job) && pod.status.phase == "Running" && pod.spec.containers.len() > own.len());
    let ended = outlived.filter(|_| !own.is_empty()).and_then(|pod| trouble::end_of_job_pod(pod, own)).map(|(is_good, _)| is_good);
    let failed = holding(&job.status.conditions, "Failed").is_some() || ended == Some(false);
    let state = match &job.status {
        _ if failed => "failed",
        _ if ended == Some(true) => "done",
        status if status.succeeded > 0 => "done",
        status if status.failed > 0 && status.active == 0 => "failed",
        _ => "running",
    };
    let found = id.clone().filter(|_| failed).map(|id| trouble::of_failed_job(name, job, newest, own, id));
    let log = newest.and_then(|pod| {
        let begun = |status: &&ContainerStatus| status.state.waiting.is_none();
        let is_own = |status: &&ContainerStatus| own.is_empty() || own.contains(&&*status.name);
        let status = pod.status.container_statuses.iter().find(|status| is_own(status) && begun(status))?;
        Some(LogAt { pod: pod.metadata.name.clone(), container: status.name.clone(), is_previous: false })
    });
    (JobStanding { name: name.clone(), state, is_hook: job.metadata.annotation("helm.sh/hook").is_some(), id, log }, found)
}

#[cfg(test)]
mod tests {
    use super::super::objects::List;
    use super::*;
    use serde_json::{Value as Json, json};
    use std::time::Duration;

    fn see(items: &[Json]) -> View {
        let list: List<Object> = serde_json::from_value(json!({"items": items})).expect("objects");
        judge(&list.items, &[])
    }

    /// With what is warned of.
    fn see_warned(items: &[Json], events: &[Json]) -> View {
        let list: List<Object> = serde_json::from_value(json!({"items": items})).expect("objects");
        let events: Vec<Event> = events.iter().map(|event| serde_json::from_value(event.clone()).expect("an event")).collect();
        judge(&list.items, &events)
    }

    fn warning(kind: &str, name: &str, reason: &str, message: &str, at: &str) -> Json {
        json!({"involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": message, "lastTimestamp": format!("2026-11-26T17:20:{at}Z")})
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
        assert_eq!(see(&[deployment(2, 2, 3, 2)]).workloads[0].doing, Some("old pods are still there"));
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
    fn what_a_strategy_lets_stay_is_done() {
        // Of three pods: ready, updated, and what the strategy says; the templates before and now.
        let set = |strategy: Json, ready: u64, updated: u64, min_ready: u64, available: u64| {
            let status = json!({"replicas": 3, "readyReplicas": ready, "updatedReplicas": updated, "availableReplicas": available, "currentReplicas": 3 - updated,
                                "currentRevision": "s-1", "updateRevision": "s-2"});
            let spec = json!({"replicas": 3, "updateStrategy": strategy, "minReadySeconds": min_ready});
            see(&[json!({"kind": "StatefulSet", "metadata": {"name": "s"}, "spec": spec, "status": status})]).workloads.remove(0)
        };
        let on_delete = || json!({"type": "OnDelete"});
        let partition = |at: u64| json!({"type": "RollingUpdate", "rollingUpdate": {"partition": at}});
        for (strategy, ready, updated, is_done, what) in [
            (on_delete(), 3, 0, true, "nobody deleted any"),
            (on_delete(), 3, 1, true, "one was deleted"),
            (on_delete(), 2, 1, false, "it is not ready yet"),
            (partition(2), 3, 0, false, "number 2 is to be new"),
            (partition(2), 3, 1, true, "it is"),
            (partition(2), 2, 1, false, "and not ready"),
            (partition(7), 3, 0, true, "none is to be new"),
            (partition(0), 3, 2, false, "all are to be new"),
            (json!({"type": "RollingUpdate", "rollingUpdate": null}), 3, 3, true, "they are"),
        ] {
            let progress = set(strategy.clone(), ready, updated, 0, 0);
            assert_eq!(progress.is_done, is_done, "{strategy}: {what}: {progress:?}");
        }
        assert!(set(on_delete(), 3, 0, 0, 0).note.is_some_and(|note| note.contains("once they are deleted")));
        assert!(set(partition(2), 3, 1, 0, 0).note.is_some_and(|note| note.contains("partition")));
        assert_eq!(set(on_delete(), 3, 3, 0, 0).note, None);
        let young = set(partition(0), 3, 3, 10, 2);
        assert_eq!((young.ready, young.is_done), (2, false), "one has not been ready for long enough");
    }

    #[test]
    fn deployments_that_follow_nothing_or_are_scaled_on_the_way() {
        let of = |spec: Json, status: Json| {
            see(&[json!({"kind": "Deployment", "metadata": {"name": "d", "generation": 2}, "spec": spec, "status": status})])
                .workloads
                .remove(0)
        };
        let status = |observed: u64, total: u64, updated: u64, available: u64| json!({"observedGeneration": observed, "replicas": total, "updatedReplicas": updated, "readyReplicas": available, "availableReplicas": available});
        let paused = of(json!({"replicas": 2, "paused": true}), status(2, 2, 0, 2));
        assert!(paused.is_done && paused.ready == 2 && paused.note.is_some_and(|note| note.starts_with("paused")), "{paused:?}");
        assert!(!of(json!({"replicas": 2, "paused": true}), status(1, 2, 0, 2)).is_done, "nobody saw that yet");
        let none = json!({"replicas": 0});
        assert!(of(none.clone(), status(2, 0, 0, 0)).is_done && of(none.clone(), json!({"observedGeneration": 2})).is_done);
        assert!(!of(none, status(2, 1, 0, 1)).is_done, "one is still there");
        // An autoscaler took one away, or added one, while all are new.
        assert!(of(json!({"replicas": 2}), status(2, 3, 3, 3)).is_done);
        assert!(!of(json!({"replicas": 3}), status(2, 3, 3, 2)).is_done);
        // A surge: the old ones go last.
        assert!(!of(json!({"replicas": 2}), status(2, 3, 2, 3)).is_done);
    }

    #[test]
    fn pods_that_a_strategy_keeps_are_what_runs() {
        let crash = json!({"reason": "CrashLoopBackOff"});
        let of = |strategy: Json, name: &str| {
            let mut pod = owned("StatefulSet", "s", &json!({"controller-revision-hash": "s-1"}), &crash, 3);
            pod["metadata"]["name"] = json!(name);
            let status = json!({"replicas": 3, "currentRevision": "s-1", "updateRevision": "s-2"});
            let set = json!({"kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {"replicas": 3, "updateStrategy": strategy}, "status": status});
            see(&[set, pod]).troubles.len()
        };
        assert_eq!(of(json!({"type": "OnDelete"}), "s-2"), 1);
        let partition = || json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
        assert_eq!((of(partition(), "s-0"), of(partition(), "s-1")), (1, 0));
    }

    #[test]
    fn what_lies_with_the_workload_is_told() {
        let quota = "pods \"dummy-web-a-x\" is forbidden: exceeded quota: small";
        let failing = |condition: Json, observed: u64| {
            let mut it = deployment(0, 0, 0, observed);
            it["status"]["conditions"] = json!([condition]);
            it
        };
        let refused = || json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": quota});
        let told = |items: &[Json]| {
            see(items).troubles.into_iter().map(|it| (it.reason, it.message, it.grace.map(|grace| grace.as_secs()))).collect::<Vec<_>>()
        };
        assert_eq!(told(&[failing(refused(), 2), replica_set("a", "1")]), [("FailedCreate".into(), quota.into(), Some(15))]);
        assert!(told(&[failing(refused(), 1)]).is_empty(), "that was about the template before");
        let mut leaving = pod("a", &Json::Null, 0);
        leaving["metadata"]["deletionTimestamp"] = json!("2026-11-26T17:20:05Z");
        assert_eq!(told(&[failing(refused(), 2), replica_set("a", "1"), leaving])[0].2, None, "there is room soon");
        assert_eq!(
            told(&[failing(refused(), 2), replica_set("a", "1"), pod("a", &Json::Null, 0)])[0].2,
            None,
            "one starts, then an old one goes"
        );
        let late =
            json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "has timed out progressing"});
        assert_eq!(told(&[failing(late, 2)])[0].2, Some(0));
        assert!(told(&[failing(json!({"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}), 2)]).is_empty());
    }

    #[test]
    fn what_no_condition_says_events_say() {
        let set = |replicas: u64| json!({"kind": "StatefulSet", "metadata": {"name": "s"}, "spec": {"replicas": 2}, "status": {"replicas": replicas, "updateRevision": "s-1"}});
        let words = "create Pod s-0 in StatefulSet s failed error: pods \"s-0\" is forbidden: error looking up service account x/none";
        let event = || warning("StatefulSet", "s", "FailedCreate", words, "30");
        let view = see_warned(&[set(0)], &[event(), warning("StatefulSet", "t", "FailedCreate", "of another", "31")]);
        assert_eq!((view.troubles[0].kind, view.troubles[0].message.as_str()), ("statefulset", words));
        assert_eq!(told_of(&view.warnings, &["statefulset/s"]), [format!("statefulset/s: FailedCreate: {words}")]);
        let mut pod = owned("StatefulSet", "s", &json!({"controller-revision-hash": "s-1"}), &Json::Null, 0);
        pod["metadata"]["creationTimestamp"] = json!("2026-11-26T17:20:40Z");
        assert!(see_warned(&[set(1), pod.clone()], &[event()]).troubles.is_empty(), "one was made since");
        pod["metadata"]["creationTimestamp"] = json!("2026-11-26T17:20:20Z");
        assert!(!see_warned(&[set(1), pod.clone()], &[event()]).troubles.is_empty(), "the next is refused");
        assert!(see_warned(&[set(2), pod.clone(), pod], &[event()]).troubles.is_empty(), "all are there");
        let job = json!({"kind": "Job", "metadata": {"name": "j", "uid": "1"}});
        let view = see_warned(&[job], &[warning("Job", "j", "FailedCreate", "no", "30")]);
        assert_eq!(view.troubles[0].template.as_deref(), Some("job/j@1"));
    }

    #[test]
    fn warnings_are_told_of_what_they_are_about() {
        let named = |mut pod: Json, name: &str| {
            pod["metadata"]["name"] = json!(name);
            pod
        };
        let job = json!({"kind": "Job", "metadata": {"name": "j", "uid": "1"}});
        let pods =
            [named(pod("a", &Json::Null, 0), "w1"), named(pod("a", &Json::Null, 0), "w2"), owned("Job", "j", &json!({}), &Json::Null, 0)];
        let dns = |name: &str, at: &str| warning("Pod", name, "MissingClusterDNS", &format!("of {name}"), at);
        let events = [dns("w1", "10"), dns("w2", "20"), dns("p", "30"), warning("Pod", "w1", "Unhealthy", "no answer", "40")];
        let view = see_warned(&[&[deployment(0, 1, 1, 2), replica_set("a", "1"), job], &pods[..]].concat(), &events);
        assert_eq!(told_of(&view.warnings, &["job/j"]), ["pod/p: MissingClusterDNS: of p"]);
        let told = ["pod/w1: Unhealthy: no answer", "pod/w2: MissingClusterDNS (x2): of w2"];
        assert_eq!(told_of(&view.warnings, &["deployment/dummy-web"]), told);
        assert_eq!(told_of(&view.warnings, &["pod/w1"]), ["pod/w1: Unhealthy: no answer", "pod/w1: MissingClusterDNS: of w1"]);
    }

    #[test]
    fn what_a_volume_lacks() {
        let pending = || {
            let mut pod = pod("a", &json!({"reason": "ContainerCreating"}), 0);
            pod["status"]["phase"] = json!("Pending");
            [deployment(0, 1, 1, 2), replica_set("a", "1"), pod]
        };
        for (message, grace) in [
            ("MountVolume.SetUp failed for volume \"v\" : secret \"none\" not found", Some(10)),
            ("MountVolume.SetUp failed for volume \"v\" : configmap \"none\" not found", Some(10)),
            ("MountVolume.SetUp failed for volume \"v\" : references non-existent secret key: a.conf", Some(10)),
            ("MountVolume.SetUp failed for volume \"v\" : references non-existent config key: a.conf", Some(10)),
            ("Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting for the condition", None),
        ] {
            // kubelet says both, one after the other.
            let events = [warning("Pod", "p", "FailedMount", message, "30"), warning("Pod", "p", "FailedMount", "timed out", "40")];
            let trouble = see_warned(&pending(), &events).troubles.remove(0);
            assert_eq!(trouble.grace.map(|grace| grace.as_secs()), grace, "{message}");
            assert!(grace.is_none() || trouble.message == message, "{}", trouble.message);
        }
        let mut running = pending();
        running[2]["status"]["phase"] = json!("Running");
        let event = warning("Pod", "p", "FailedMount", "secret \"none\" not found", "30");
        assert!(see_warned(&running, &[event]).troubles.is_empty(), "it came since");
    }

    #[test]
    fn the_real_words_of_a_pull_are_told() {
        let back_off = pod("a", &json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\""}), 0);
        let why = "Failed to pull image \"x\": rpc error: not found";
        let events = [warning("Pod", "p", "Failed", "Error: ImagePullBackOff", "40"), warning("Pod", "p", "Failed", why, "30")];
        assert_eq!(see_warned(&[deployment(0, 1, 1, 2), replica_set("a", "1"), back_off], &events).troubles[0].message, why);
    }

    #[test]
    fn how_a_container_ended() {
        let message = |last: Json| {
            let mut pod = pod("a", &json!({"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}), 3);
            pod["status"]["containerStatuses"][0]["lastState"] = json!({"terminated": last});
            see(&[deployment(0, 1, 1, 2), replica_set("a", "1"), pod]).troubles.remove(0).message
        };
        assert!(message(json!({"reason": "OOMKilled", "exitCode": 137})).contains("more memory than its limit and was killed (OOMKilled)"));
        assert_eq!(message(json!({"reason": "Error", "exitCode": 3})), "container web ended with exit code 3");
        assert!(message(json!({"reason": "Error", "exitCode": 143})).contains("signal 15"));
        assert!(message(json!({"reason": "Error", "exitCode": 137})).contains("most often it used more memory than it may"));
        assert!(message(json!({"reason": "Completed", "exitCode": 0})).contains("ends by itself"));
    }

    #[test]
    fn a_sidecar_hides_no_crash_of_the_app() {
        let crash = |name: &str, code: i64| json!({"name": name, "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"reason": "Error", "exitCode": code}}});
        let mut it = deployment(0, 1, 1, 2);
        it["spec"]["template"] = json!({"spec": {"containers": [{"name": "web"}]}});
        let mut both = pod("a", &Json::Null, 0);
        both["status"]["containerStatuses"] = json!([crash("istio-proxy", 255), crash("web", 3)]);
        let found = |pod: &Json| see(&[it.clone(), replica_set("a", "1"), pod.clone()]).troubles.remove(0).log.map(|log| log.container);
        assert_eq!(found(&both).as_deref(), Some("web"));
        both["status"]["containerStatuses"] = json!([crash("istio-proxy", 255), {"name": "web", "state": {"running": {}}}]);
        assert_eq!(found(&both).as_deref(), Some("istio-proxy"));
        // A Job is over when its own containers are, though the sidecar runs on.
        let job = |code: i64| {
            let mut pod = owned("Job", "j", &json!({}), &Json::Null, 0);
            pod["spec"] = json!({"containers": [{"name": "istio-proxy"}, {"name": "migrate"}]});
            pod["status"] = json!({"phase": "Running", "containerStatuses": [{"name": "istio-proxy", "ready": true},
                {"name": "migrate", "state": {"terminated": {"exitCode": code, "reason": "Error"}}}]});
            let job = json!({"kind": "Job", "metadata": {"name": "j", "uid": "1"}, "spec": {"template": {"spec": {"containers": [{"name": "migrate"}]}}},
                             "status": {"active": 1}});
            see(&[job, pod])
        };
        assert_eq!((job(0).jobs[0].state, job(0).troubles.len()), ("done", 0));
        let failed = job(4);
        assert_eq!((failed.jobs[0].state, failed.troubles[0].message.as_str()), ("failed", "container migrate ended with exit code 4"));
    }

    #[test]
    fn jobs_that_fail_for_good_and_those_that_cannot_start() {
        let job = |status: Json, owner: Json| json!({"kind": "Job", "metadata": {"name": "j", "uid": "1", "ownerReferences": owner}, "status": status});
        let over = |what: &str| json!({"failed": 1, "conditions": [{"type": what, "status": "True", "reason": "BackoffLimitExceeded", "message": "reached the limit"}]});
        let trouble = see(&[job(over("Failed"), Json::Null)]).troubles.remove(0);
        assert_eq!((trouble.kind, trouble.reason.as_str(), trouble.message.as_str()), ("job", "BackoffLimitExceeded", "reached the limit"));
        assert!(see(&[job(json!({"failed": 1, "active": 1}), Json::Null)]).troubles.is_empty(), "it tries again");
        assert!(see(&[job(over("Failed"), json!([{"kind": "CronJob", "name": "c", "controller": true}]))]).troubles.is_empty());
        let waits = |reason: &str| {
            see(&[job(json!({"active": 1}), Json::Null), owned("Job", "j", &json!({}), &json!({"reason": reason}), 5)]).troubles
        };
        assert_eq!(waits("ImagePullBackOff")[0].template.as_deref(), Some("job/j@1"));
        assert!(waits("CrashLoopBackOff").is_empty(), "how often it may crash is the Job's to say");
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
        let both =
            [&[deployment(0, 1, 2, 2), pod("bbb", &json!({"reason": "CrashLoopBackOff"}), 9), pod("aaa", &waiting, 0)], &sets[..]].concat();
        assert_eq!(see(&both).pods[0].state, "ImagePullBackOff", "and stand before the others");
        let crash = json!({"reason": "CrashLoopBackOff"});
        let first = &troubles(2, pod("aaa", &crash, 1))[0];
        assert_eq!((first.grace, first.bearable(None)), (None, None), "one crash may pass");
        assert!(troubles(2, pod("aaa", &crash, 3))[0].log.as_ref().is_some_and(|log| log.is_previous));
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
            see(&[deployment(0, 1, 1, 2), replica_set("a", "1"), pod("a", state, 0)])
                .troubles
                .first()
                .and_then(|it| it.grace)
                .map(|grace| grace.as_secs())
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
        assert_eq!((trouble.reason.as_str(), trouble.grace.map(|grace| grace.as_secs()), trouble.log), ("Unschedulable", Some(90), None));
    }

    #[test]
    fn a_budget_is_for_what_may_pass() {
        let budget = |reason: &str, restarts: u64, seconds: u64| {
            let pod = pod("a", &json!({"reason": reason}), restarts);
            let trouble = see(&[deployment(0, 1, 1, 2), replica_set("a", "1"), pod]).troubles.remove(0);
            trouble.bearable(Some(Duration::from_secs(seconds))).map(|time| time.as_secs())
        };
        for (reason, restarts, bears) in [
            ("CrashLoopBackOff", 1, Some(300)),
            ("CrashLoopBackOff", 9, Some(300)),
            ("ImagePullBackOff", 0, Some(15)),
            ("CreateContainerConfigError", 0, Some(10)),
        ] {
            assert_eq!(budget(reason, restarts, 300), bears, "{reason} after {restarts} restarts");
        }
        assert_eq!((budget("CrashLoopBackOff", 1, 0), budget("ErrImagePull", 0, 1)), (Some(0), Some(15)));
        let mut unplaced = pod("a", &Json::Null, 0);
        unplaced["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]);
        let trouble = see(&[replica_set("a", "1"), unplaced]).troubles.remove(0);
        assert_eq!(trouble.bearable(Some(Duration::from_secs(600))), Some(Duration::from_secs(600)), "a cluster that adds nodes slowly");
    }

    #[test]
    fn a_first_crash_hides_nothing_that_lasts() {
        let of = |own: u64| {
            let status = |name: &str, reason: &str, restarts: u64| json!({"name": name, "restartCount": restarts, "state": {"waiting": {"reason": reason}}});
            let mut pod = pod("a", &Json::Null, 0);
            pod["status"]["containerStatuses"] = json!([status("web", "CrashLoopBackOff", own), status("mesh", "ErrImagePull", 0)]);
            let mut deployment = deployment(0, 1, 1, 2);
            deployment["spec"]["template"] = json!({"spec": {"containers": [{"name": "web"}]}});
            see(&[deployment, replica_set("a", "1"), pod]).troubles.remove(0).reason
        };
        assert_eq!((of(1), of(3)), ("ErrImagePull".to_owned(), "CrashLoopBackOff".to_owned()));
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
        let state = |status: Json| see(&[json!({"kind": "Job", "metadata": {"name": "j"}, "status": status})]).jobs.remove(0).state;
        assert_eq!(state(json!({"succeeded": 1, "failed": 1})), "done");
        assert_eq!(state(json!({"failed": 1, "active": 1})), "running");
        assert_eq!(state(json!({"failed": 1})), "failed");
        assert_eq!(state(Json::Null), "running");
    }
}
