//! How single pods stand, for people. Pure.

use jiff::Timestamp;

use super::objects::{ContainerStatus, Pod};
use super::trouble::{self, LogAt};

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
    /// Its containers.
    pub containers: Vec<String>,
    /// The log that tells most of it; none before a container ran.
    pub log: Option<LogAt>,
}

/// How pods stand, bad ones first, and of these the ones that stay before those that are leaving anyway.
pub(crate) fn standings<'p>(pods: impl IntoIterator<Item = &'p Pod>) -> Vec<Standing> {
    let mut found: Vec<Standing> = pods.into_iter().map(standing).collect();
    // What has only begun is no trouble yet.
    found.sort_by_cached_key(|it| (it.is_good, it.is_over, it.is_leaving, it.doing.is_some(), it.name.clone()));
    found
}

fn standing(pod: &Pod) -> Standing {
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
    Standing {
        name: pod.metadata.name.clone(),
        ready,
        wanted,
        state: if is_leaving { "Terminating".to_owned() } else { init.or_else(|| reasons.next()).unwrap_or_else(|| phase.clone()) },
        restarts: statuses.iter().map(|status| status.restart_count).sum(),
        created: pod.metadata.created(),
        is_good: is_succeeded || (ready == wanted && phase == "Running" && !is_leaving),
        is_over: is_succeeded,
        is_leaving,
        doing: doing(pod).filter(|_| !is_succeeded && !is_leaving),
        containers: pod.spec.containers.iter().map(|container| container.name.clone()).collect(),
        log: trouble::log_of(pod),
    }
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
    fn bad_pods_come_first() {
        let pods: List<Pod> = serde_json::from_value(json!({"items": [
            {"metadata": {"name": "good"}, "spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 2}]}},
            {"metadata": {"name": "done"}, "spec": {"containers": [{}]}, "status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]}},
            {"metadata": {"name": "a-leaving", "deletionTimestamp": "2026-11-26T17:20:05Z"}, "spec": {"containers": [{}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true}]}},
            {"metadata": {"name": "bad"}, "spec": {"containers": [{}, {}]}, "status": {"phase": "Running", "containerStatuses": [{"ready": true, "restartCount": 1}, {"restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}},
        ]})).expect("pods");
        let shown = |it: &Standing| format!("{} {}/{} {} {}", it.name, it.ready, it.wanted, it.state, it.restarts);
        let rows: Vec<String> = standings(&pods.items).iter().map(shown).collect();
        assert_eq!(rows, ["bad 1/2 CrashLoopBackOff 5", "a-leaving 1/1 Terminating 0", "good 1/1 Running 2", "done 0/1 Completed 0"]);
    }
}
