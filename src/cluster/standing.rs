//! How single pods stand, for people. Pure.

use std::collections::HashMap;

use jiff::Timestamp;

use super::objects::{ContainerStatus, Pod};
use super::trouble::{self, LogAt, Rank, Trouble, Warnings};

/// What a new pod does whose containers run: its readiness probe has not passed.
pub(crate) const STARTED: &str = "started, not ready yet";
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
    /// It was told to go.
    pub is_leaving: bool,
    /// What it does before it is ready, where no trouble says more.
    pub doing: Option<&'static str>,
    /// Where it stands among those that are bad.
    pub rank: Rank,
    /// Why no other takes its place once it is deleted; none where one does.
    pub is_last: Option<&'static str>,
    /// Its containers; those that begin before the others stand last.
    pub containers: Vec<Inside>,
    /// The log that tells most of it; none before a container ran.
    pub log: Option<LogAt>,
}

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inside {
    /// The container.
    pub name: String,
    /// Why it does not run; none where it does.
    pub rests: Option<String>,
    /// Why it never began, and so has no log; none where it did.
    pub unbegun: Option<String>,
}

impl Standing {
    /// One of its containers.
    pub(crate) fn container(&self, name: &str) -> Option<&Inside> {
        self.containers.iter().find(|it| it.name == name)
    }

    /// It is to stay and does not serve, or it is to end and cannot.
    pub(crate) fn is_bad(&self) -> bool {
        !self.is_good && !self.is_leaving
    }
}

/// How pods stand, bad ones first: the worst of them, and those that stay before those that are leaving anyway.
pub(super) fn standings<'p>(
    pods: impl IntoIterator<Item = &'p Pod>,
    troubles: &[Trouble],
    warnings: &Warnings<'_>,
    is_past: impl Fn(&Pod) -> bool,
) -> Vec<Standing> {
    let of_pods = troubles.iter().filter(|trouble| trouble.kind == "pod");
    let troubles: HashMap<&str, &Trouble> = of_pods.map(|trouble| (trouble.name.as_str(), trouble)).collect();
    let trouble = |pod: &Pod| troubles.get(pod.metadata.name.as_str()).copied();
    let mut found: Vec<Standing> = pods.into_iter().map(|pod| standing(pod, trouble(pod), warnings, is_past(pod))).collect();
    found.sort_by_cached_key(|it| (it.is_good, it.is_over, it.is_leaving, it.rank, it.name.clone()));
    found
}

fn standing(pod: &Pod, trouble: Option<&Trouble>, warnings: &Warnings<'_>, is_past: bool) -> Standing {
    let statuses = &pod.status.container_statuses;
    let (ready, wanted) = (statuses.iter().filter(|status| status.ready).count(), pod.spec.containers.len());
    let phase = &pod.status.phase;
    let reason = |status: &ContainerStatus| {
        [&status.state.waiting, &status.state.terminated].into_iter().find_map(|state| state.as_ref()?.reason.clone())
    };
    let mut reasons = statuses.iter().filter_map(reason);
    // As kubectl has it: what an init container waits for, or how it failed.
    let init = pod.status.init_container_statuses.iter().find_map(|status| {
        let is_bad = status.state.waiting.is_some() || status.state.terminated.as_ref().is_some_and(|end| end.exit_code != 0);
        reason(status).filter(|reason| is_bad && reason != "PodInitializing").map(|reason| format!("Init:{reason}"))
    });
    let is_leaving = pod.metadata.is_leaving();
    let is_succeeded = phase == "Succeeded";
    let restarts = statuses.iter().map(|status| status.restart_count).sum();
    let doing = doing(pod).filter(|_| !is_succeeded && !is_leaving);
    let of_init: u64 = pod.status.init_container_statuses.iter().map(|status| status.restart_count).sum();
    let crashes = || trouble::rank_of_crashes(restarts + of_init).filter(|_| !pod.is_over());
    let rank = match trouble.map(Trouble::rank) {
        _ if is_past => Rank::Past,
        Some(rank) => crashes().map_or(rank, |crashes| crashes.min(rank)),
        // What has only begun is no trouble yet.
        None => crashes().unwrap_or(if doing.is_some() { Rank::Begins } else { Rank::Untold }),
    };
    let is_served = ready == wanted && phase == "Running";
    Standing {
        name: pod.metadata.name.clone(),
        ready,
        wanted,
        state: if is_leaving { "Terminating".to_owned() } else { init.or_else(|| reasons.next()).unwrap_or_else(|| phase.clone()) },
        restarts,
        created: pod.metadata.created(),
        is_good: is_succeeded || (!is_leaving && (is_served || is_on_its_way(pod, warnings))),
        is_over: is_succeeded,
        is_leaving,
        doing,
        rank,
        is_last: match pod.metadata.owner() {
            _ if pod.is_over() => Some("it is over"),
            None => Some("nobody makes it again"),
            Some(_) => None,
        },
        containers: pod.spec.containers.iter().chain(&pod.spec.init_containers).map(|it| inside(pod, &it.name)).collect(),
        log: trouble::log_of(pod),
    }
}

/// A Job's pod is to come to its end, not to serve: what is only on its way there is as it should be.
fn is_on_its_way(pod: &Pod, warnings: &Warnings<'_>) -> bool {
    let all = || pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let failed = |status: &ContainerStatus| status.state.terminated.as_ref().is_some_and(|end| end.exit_code != 0);
    pod.metadata.owner().is_some_and(|owner| owner.kind == "Job")
        && !pod.is_over()
        && !all().any(failed)
        && trouble::of_pod(pod, &[], warnings).is_none_or(|it| it.rank() == Rank::Waits && it.grace.is_none())
}

fn inside(pod: &Pod, name: &str) -> Inside {
    let mut statuses = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    let unbegun = trouble::unbegun(pod, name);
    let state = statuses.find(|status| status.name == name).map(|status| &status.state);
    let why = state.and_then(|state| state.waiting.as_ref().or(state.terminated.as_ref()));
    let rests = why.map(|why| why.reason.clone().unwrap_or_else(|| "it ended".to_owned()));
    Inside { name: name.to_owned(), rests: rests.or_else(|| unbegun.clone()), unbegun }
}

/// What a pod does before it is ready; none where it is, or where its trouble says more.
pub(super) fn doing(pod: &Pod) -> Option<&'static str> {
    let waits = |reason: &str| {
        let waiting = pod.status.container_statuses.iter().filter_map(|status| status.state.waiting.as_ref());
        waiting.into_iter().any(|waiting| waiting.reason.as_deref() == Some(reason))
    };
    match pod.status.phase.as_str() {
        _ if pod.is("Ready") => None,
        "Pending" if !pod.is("PodScheduled") => Some("no node yet"),
        "Pending" if waits("PodInitializing") => Some("its init containers run"),
        "Pending" if waits("ContainerCreating") => Some("pulling image or mounting volumes"),
        "Running" if pod.status.container_statuses.iter().all(|status| status.state.waiting.is_none()) => Some(STARTED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::objects::List;
    use super::*;
    use serde_json::{Value as Json, json};

    #[test]
    fn what_a_new_pod_does_is_seen() {
        let pod = |phase: &str, conditions: Json, waiting: &str| -> Pod {
            let state = if waiting.is_empty() { json!({"running": {}}) } else { json!({"waiting": {"reason": waiting}}) };
            serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"containers": [{}]}, "status":
                {"phase": phase, "conditions": conditions, "containerStatuses": [{"state": state}]}}))
            .expect("a pod")
        };
        let placed = || json!([{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]);
        assert_eq!(doing(&pod("Pending", json!([]), "")), Some("no node yet"));
        assert_eq!(doing(&pod("Pending", placed(), "ContainerCreating")), Some("pulling image or mounting volumes"));
        assert_eq!(doing(&pod("Pending", placed(), "PodInitializing")), Some("its init containers run"));
        assert_eq!(doing(&pod("Running", placed(), "")), Some("started, not ready yet"));
        assert_eq!(doing(&pod("Running", placed(), "CrashLoopBackOff")), None, "that is told as its trouble");
        assert_eq!(doing(&pod("Running", json!([{"type": "Ready", "status": "True"}]), "")), None);
    }

    #[test]
    fn a_jobs_pod_on_its_way_is_as_it_should_be() {
        let stands = |phase: &str, state: Json| {
            let pod: Pod = serde_json::from_value(
                json!({"metadata": {"name": "p", "ownerReferences": [{"kind": "Job", "name": "j", "controller": true}]},
                "spec": {"containers": [{"name": "c"}]}, "status": {"phase": phase, "containerStatuses": [{"name": "c", "state": state}]}}),
            )
            .expect("a pod");
            let found = standings(&[pod], &[], &Warnings::of(&[]), |_| false).remove(0);
            (found.is_bad(), found.is_last.is_none())
        };
        assert_eq!(stands("Pending", json!({"waiting": {"reason": "ContainerCreating"}})), (false, true));
        assert_eq!(stands("Running", json!({"running": {}})), (false, true));
        assert_eq!(stands("Succeeded", json!({"terminated": {"reason": "Completed"}})), (false, false));
        assert_eq!(stands("Pending", json!({"waiting": {"reason": "ErrImagePull"}})), (true, true));
        assert_eq!(stands("Running", json!({"waiting": {"reason": "CrashLoopBackOff"}})), (true, true));
        assert_eq!(stands("Failed", json!({"terminated": {"reason": "Error", "exitCode": 1}})), (true, false));
    }

    /// As rows stand, so is the worst chosen, whatever state a crash is in when it is looked at.
    #[test]
    fn the_worst_is_first_between_two_crashes_too() {
        let pod = |name: &str, restarts: u64, state: Json| {
            json!({"kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Running",
                "conditions": [{"type": "PodScheduled", "status": "True"}], "containerStatuses": [{"name": "c", "restartCount": restarts, "state": state}]}})
        };
        for state in [
            json!({"waiting": {"reason": "CrashLoopBackOff"}}),
            json!({"running": {}}),
            json!({"terminated": {"reason": "Error", "exitCode": 3}}),
        ] {
            let waits = |reason: &str| json!({"waiting": {"reason": reason}});
            let pods = [
                pod("a-new", 0, json!({"running": {}})),
                pod("b-first-crash", 1, state.clone()),
                pod("c-pull", 0, waits("ImagePullBackOff")),
                pod("d-lacks", 0, waits("CreateContainerConfigError")),
                pod("e-crash", 7, state.clone()),
            ];
            let list: List<super::super::objects::Object> = serde_json::from_value(json!({"items": pods})).expect("objects");
            let view = super::super::judge::judge(&list.items, &[]);
            let names: Vec<&str> = view.pods.iter().map(|pod| &*pod.name).collect();
            assert_eq!(names, ["e-crash", "d-lacks", "c-pull", "b-first-crash", "a-new"], "{state}");
        }
    }

    #[test]
    fn bad_pods_come_first() {
        let pods: List<Pod> = serde_json::from_value(json!({"items": [
            {"metadata": {"name": "good"}, "spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 2}]}},
            {"metadata": {"name": "done"}, "spec": {"containers": [{}]}, "status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]}},
            {"metadata": {"name": "a-leaving", "deletionTimestamp": "2026-11-26T17:20:05Z"}, "spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true}]}},
            {"metadata": {"name": "bad"}, "spec": {"containers": [{}, {}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 1}, {"restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}},
        ]})).expect("pods");
        let shown = |it: &Standing| format!("{} {}/{} {} {}", it.name, it.ready, it.wanted, it.state, it.restarts);
        let rows: Vec<String> = standings(&pods.items, &[], &Warnings::of(&[]), |_| false).iter().map(shown).collect();
        assert_eq!(rows, ["bad 1/2 CrashLoopBackOff 5", "a-leaving 1/1 Terminating 0", "good 1/1 Running 2", "done 0/1 Completed 0"]);
    }
}
