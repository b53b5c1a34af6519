//! The logs that pods have: one a container. Pure.

use super::objects::{ContainerStatus, Pod};

/// The log of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The pod.
    pub pod: String,
    /// The container in it.
    pub container: String,
    /// Why there is no log yet; none once the container has begun.
    pub waits: Option<String>,
    /// It ended, and is not begun again.
    pub is_over: bool,
    /// It was begun more than once: there is a log of its run before.
    pub has_earlier: bool,
    /// Its pod was told to go.
    pub is_leaving: bool,
}

impl Stream {
    /// As kubectl's prefix has it.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.pod, self.container)
    }
}

/// All logs of these pods: pods by name, init containers first.
pub(crate) fn streams(pods: &[Pod]) -> Vec<Stream> {
    let mut pods: Vec<&Pod> = pods.iter().collect();
    pods.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    pods.into_iter().flat_map(of_pod).collect()
}

fn of_pod(pod: &Pod) -> impl Iterator<Item = Stream> + '_ {
    let (spec, status) = (&pod.spec, &pod.status);
    let init = spec.init_containers.iter().map(|it| (it, &status.init_container_statuses));
    let all = init.chain(spec.containers.iter().map(|it| (it, &status.container_statuses)));
    all.map(|(container, statuses)| {
        let status = statuses.iter().find(|status| status.name == container.name);
        Stream {
            pod: pod.metadata.name.clone(),
            container: container.name.clone(),
            waits: status.map_or_else(|| Some(status_word(pod)), waits),
            is_over: pod.is_over() || status.is_some_and(|status| status.state.terminated.is_some()),
            has_earlier: status.is_some_and(|status| status.restart_count > 0),
            is_leaving: pod.metadata.is_leaving(),
        }
    })
}

/// What a container waits for that never ran: one that crashed has its last log.
fn waits(status: &ContainerStatus) -> Option<String> {
    let waiting = status.state.waiting.as_ref().filter(|_| status.last_state.terminated.is_none())?;
    Some(waiting.reason.clone().unwrap_or_else(|| "waiting".to_owned()))
}

fn status_word(pod: &Pod) -> String {
    if pod.status.phase.is_empty() { "Pending".to_owned() } else { pod.status.phase.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_has_a_log_and_what_has_an_earlier_one() {
        let pods: Vec<Pod> = serde_json::from_value(json!([
            {"metadata": {"name": "b"}, "spec": {"containers": [{"name": "web"}]}, "status": {"phase": "Pending"}},
            {"metadata": {"name": "a", "deletionTimestamp": "2026-11-26T17:20:05Z"},
             "spec": {"initContainers": [{"name": "migrate"}], "containers": [{"name": "web"}, {"name": "mesh"}, {"name": "boom"}]},
             "status": {"phase": "Running", "initContainerStatuses": [{"name": "migrate", "state": {"terminated": {"exitCode": 0}}}], "containerStatuses": [
                {"name": "mesh", "state": {"waiting": {"reason": "ImagePullBackOff"}}}, {"name": "web", "state": {"running": {}}},
                {"name": "boom", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}]}}]))
        .expect("pods");
        let shown = |it: &Stream| format!("{} {:?} {} {} {}", it.name(), it.waits.as_deref(), it.is_over, it.has_earlier, it.is_leaving);
        let rows: Vec<String> = streams(&pods).iter().map(shown).collect();
        let expected = [
            "a/migrate None true false true",
            "a/web None false false true",
            "a/mesh Some(\"ImagePullBackOff\") false false true",
            "a/boom None false true true",
            "b/web Some(\"Pending\") false false false",
        ];
        assert_eq!(rows, expected);
    }
}
