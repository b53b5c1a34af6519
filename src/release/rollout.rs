//! Following a rollout: what is ready, what cannot become ready and why.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::tools::kubectl::Kubectl;
use crate::ui::{Ui, printable};

/// Restarts after which a crash loop is taken for lasting.
const CRASHES: u64 = 3;
/// How long a pod may be unschedulable (a cluster may be adding nodes).
const UNSCHEDULABLE: Duration = Duration::from_secs(90);
/// How long an image pull may fail (a registry may hiccup).
const PULL: Duration = Duration::from_secs(15);
/// How long the API server may fail while a rollout is followed.
const SILENCE: Duration = Duration::from_secs(30);
/// Between two looks.
pub const PAUSE: Duration = Duration::from_millis(700);

/// How one workload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `deployment/dummy-web`
    pub name: String,
    /// Pods that are new and ready.
    pub ready: u64,
    /// Pods that are wanted.
    pub wanted: u64,
    /// The rollout is over.
    pub done: bool,
}

/// Why a pod will not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The pod.
    pub pod: String,
    /// The container, when one is to blame.
    pub container: Option<String>,
    /// `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`...
    pub reason: String,
    /// The server's words.
    pub message: String,
    /// How long it may go on before it counts.
    grace: Duration,
    /// It has logs worth reading; of the previous run when it crashed.
    pub previous: bool,
}

/// One look at the release.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Deployments and `StatefulSets`.
    pub workloads: Vec<Progress>,
    /// Jobs and how they stand.
    pub jobs: Vec<(String, String)>,
    /// What is wrong.
    pub troubles: Vec<Trouble>,
}

/// The selector of everything a release's chart makes.
pub fn selector(app: &str, release: &str) -> String {
    format!("app.kubernetes.io/name={app},helm.sh/chart={release}")
}

/// Looks once.
///
/// # Errors
/// The server does not answer.
pub fn look(kubectl: &Kubectl<'_>, selector: &str) -> Result<View> {
    let list: Json = kubectl.select("deployments,statefulsets,jobs,pods", selector)?;
    Ok(judge(&list))
}

/// Reads a list of workloads and pods. Pure.
pub fn judge(list: &Json) -> View {
    let mut view = View::default();
    let mut current_images: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let items = || list["items"].as_array().into_iter().flatten();
    for job in items().filter(|item| item["kind"] == "Job") {
        let count = |key: &str| job["status"][key].as_u64().unwrap_or(0);
        let state = if count("succeeded") > 0 {
            "done"
        } else if count("failed") > 0 && count("active") == 0 {
            "failed"
        } else {
            "running"
        };
        view.jobs.push((text(&job["metadata"]["name"]).to_owned(), state.to_owned()));
    }
    for item in items().filter(|item| matches!(item["kind"].as_str(), Some("Deployment" | "StatefulSet"))) {
        let kind = item["kind"].as_str().unwrap_or_default().to_lowercase();
        let (spec, status) = (&item["spec"], &item["status"]);
        let number = |value: &Json| value.as_u64().unwrap_or(0);
        let wanted = spec["replicas"].as_u64().unwrap_or(1);
        let updated = number(&status["updatedReplicas"]);
        let seen = number(&status["observedGeneration"]) >= number(&item["metadata"]["generation"]);
        let ready = if kind == "statefulset" {
            number(&status["readyReplicas"]).min(updated.max(number(&status["currentReplicas"])))
        } else {
            number(&status["availableReplicas"]).min(updated)
        };
        let total = number(&status["replicas"]);
        let current = kind != "statefulset" || updated >= wanted || status["currentRevision"] == status["updateRevision"];
        let done = seen && ready >= wanted && total == wanted && current;
        view.workloads.push(Progress {
            name: format!("{kind}/{}", text(&item["metadata"]["name"])),
            ready: if seen { ready } else { 0 },
            wanted,
            done,
        });
        let instance = text(&spec["selector"]["matchLabels"]["app.kubernetes.io/instance"]).to_owned();
        let images = spec["template"]["spec"]["containers"].as_array().into_iter().flatten();
        current_images.insert(instance, images.map(|container| text(&container["image"]).to_owned()).collect());
    }
    for pod in items().filter(|item| item["kind"] == "Pod" && item["metadata"]["deletionTimestamp"].is_null()) {
        // Pods of the revision before may be in any state; only those of the new template count.
        let instance = text(&pod["metadata"]["labels"]["app.kubernetes.io/instance"]);
        let images: Vec<&str> =
            pod["spec"]["containers"].as_array().into_iter().flatten().map(|container| text(&container["image"])).collect();
        if current_images.get(instance).is_some_and(|current| images == *current) {
            view.troubles.extend(trouble_of(pod));
        }
    }
    view
}

fn trouble_of(pod: &Json) -> Option<Trouble> {
    let name = text(&pod["metadata"]["name"]).to_owned();
    let statuses =
        ["initContainerStatuses", "containerStatuses"].iter().flat_map(|key| pod["status"][key].as_array().into_iter().flatten());
    for status in statuses {
        let waiting = &status["state"]["waiting"];
        let reason = text(&waiting["reason"]);
        let restarts = status["restartCount"].as_u64().unwrap_or(0);
        let grace = match reason {
            "ImagePullBackOff" | "ErrImagePull" => PULL,
            "InvalidImageName" | "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => Duration::from_secs(10),
            "CrashLoopBackOff" if restarts >= CRASHES => Duration::ZERO,
            _ => continue,
        };
        return Some(Trouble {
            pod: name,
            container: Some(text(&status["name"]).to_owned()),
            reason: reason.to_owned(),
            message: printable(text(&waiting["message"])),
            grace,
            previous: reason == "CrashLoopBackOff",
        });
    }
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    let unschedulable = conditions.into_iter().find(|condition| condition["type"] == "PodScheduled" && condition["status"] == "False")?;
    Some(Trouble {
        pod: name,
        container: None,
        reason: text(&unschedulable["reason"]).to_owned(),
        message: printable(text(&unschedulable["message"])),
        grace: UNSCHEDULABLE,
        previous: false,
    })
}

fn text(value: &Json) -> &str {
    value.as_str().unwrap_or_default()
}

/// Follows a rollout: says what changes, and when something cannot become ready any more.
pub struct Follower<'a> {
    ui: &'a Ui,
    kubectl: &'a Kubectl<'a>,
    selector: &'a str,
    shown: BTreeMap<String, String>,
    since: BTreeMap<(String, String), Instant>,
}

impl<'a> Follower<'a> {
    /// Follows what `selector` selects.
    pub fn new(ui: &'a Ui, kubectl: &'a Kubectl<'a>, selector: &'a str) -> Self {
        Self { ui, kubectl, selector, shown: BTreeMap::new(), since: BTreeMap::new() }
    }

    /// Takes what is there now as known: only what changes from here on is said.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn start_from_now(&mut self) -> Result<()> {
        let view = look(self.kubectl, self.selector)?;
        for workload in &view.workloads {
            self.shown.insert(workload.name.clone(), format!("{}/{} ready", workload.ready, workload.wanted));
        }
        self.shown.extend(view.jobs.into_iter().map(|(job, state)| (format!("job/{job}"), state)));
        Ok(())
    }

    /// Looks once, says what is new. Returns the view and the trouble that outlasted its grace, if any.
    ///
    /// # Errors
    /// The server does not answer.
    pub fn step(&mut self) -> Result<(View, Option<Trouble>)> {
        let view = look(self.kubectl, self.selector)?;
        for workload in &view.workloads {
            self.tell(&workload.name, format!("{}/{} ready", workload.ready, workload.wanted));
        }
        for (job, state) in &view.jobs {
            self.tell(&format!("job/{job}"), state.clone());
        }
        self.since.retain(|key, _| view.troubles.iter().any(|trouble| trouble.pod == key.0 && trouble.reason == key.1));
        let mut lasting = None;
        for trouble in &view.troubles {
            let first = self.since.entry((trouble.pod.clone(), trouble.reason.clone())).or_insert_with(Instant::now);
            if first.elapsed() >= trouble.grace {
                lasting = Some(trouble.clone());
            }
            self.tell(&format!("pod/{}", trouble.pod), trouble.reason.clone());
        }
        Ok((view, lasting))
    }

    fn tell(&mut self, name: &str, state: String) {
        if self.shown.get(name) != Some(&state) {
            self.ui.say(&format!("{name}: {state}"));
            self.shown.insert(name.to_owned(), state);
        }
    }

    /// Follows until everything is ready.
    ///
    /// # Errors
    /// Something cannot become ready (the pod's own words and the end of its log are shown), or it takes too long.
    pub fn until_ready(&mut self, timeout: Duration) -> Result<()> {
        let started = Instant::now();
        let mut silent = None;
        loop {
            let (view, trouble) = match self.step() {
                Ok(seen) => seen,
                Err(error) if error.kind() == Kind::Failed && silent.get_or_insert_with(Instant::now).elapsed() < SILENCE.min(timeout) => {
                    interrupt::sleep(PAUSE)?; // what was deployed goes on without lain
                    continue;
                }
                Err(error) => return Err(error),
            };
            silent = None;
            if view.workloads.iter().all(|workload| workload.done) {
                return Ok(());
            }
            if let Some(trouble) = trouble {
                return Err(fail(self.ui, self.kubectl, &trouble));
            }
            if started.elapsed() > timeout {
                let waiting: Vec<String> = view
                    .workloads
                    .iter()
                    .filter(|workload| !workload.done)
                    .map(|w| format!("{} {}/{}", w.name, w.ready, w.wanted))
                    .collect();
                return Err(
                    Error::failed(format!("not ready after {} s: {}", timeout.as_secs(), waiting.join(", "))).hint("lain status -s")
                );
            }
            interrupt::sleep(PAUSE)?;
        }
    }
}

/// Follows until everything is ready, something cannot become ready, or time is up.
///
/// # Errors
/// As [`Follower::until_ready`].
pub fn follow(ui: &Ui, kubectl: &Kubectl<'_>, selector: &str, timeout: Duration) -> Result<()> {
    Follower::new(ui, kubectl, selector).until_ready(timeout)
}

fn fail(ui: &Ui, kubectl: &Kubectl<'_>, trouble: &Trouble) -> Error {
    if let Some(container) = &trouble.container {
        let mut call = kubectl.question(["logs", "--tail", "30"]).option("--container", container).operand(&trouble.pod);
        if trouble.previous {
            call = call.arg("--previous");
        }
        if let Ok(out) = call.capture()
            && out.ok()
            && !out.stdout.is_empty()
        {
            ui.say(&format!("the end of the log of {}:", trouble.pod));
            ui.say(&printable(&out.text()));
        }
    }
    let words = if trouble.message.is_empty() { String::new() } else { format!(": {}", trouble.message) };
    let error = Error::failed(format!("pod {} cannot become ready: {}{words}", trouble.pod, trouble.reason));
    match trouble.reason.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" => {
            error.hint("lain tags # is the image in the registry, and may the cluster pull it?")
        }
        "CrashLoopBackOff" => error.hint(format!("kubectl logs --previous {}", trouble.pod)),
        "Unschedulable" => error.hint("lower `resources.requests`, or ask for more nodes"),
        _ => error.hint(format!("kubectl describe pod {}", trouble.pod)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(ready: u64, updated: u64, total: u64, observed: u64) -> Json {
        json!({"kind": "Deployment", "metadata": {"name": "dummy-web", "generation": 2},
               "spec": {"replicas": 2, "selector": {"matchLabels": {"app.kubernetes.io/instance": "dummy-web"}}, "template": {"spec": {"containers": [{"image": "r/dummy:2"}]}}},
               "status": {"observedGeneration": observed, "availableReplicas": ready, "updatedReplicas": updated, "replicas": total}})
    }

    fn pod(image: &str, waiting: &Json, restarts: u64) -> Json {
        json!({"kind": "Pod", "metadata": {"name": "p", "labels": {"app.kubernetes.io/instance": "dummy-web"}}, "spec": {"containers": [{"image": image}]},
               "status": {"containerStatuses": [{"name": "web", "restartCount": restarts, "state": {"waiting": waiting}}]}})
    }

    #[test]
    fn a_rollout_is_over_when_old_pods_are_gone() {
        let done = |item: Json| judge(&json!({"items": [item]})).workloads[0].done;
        assert!(done(deployment(2, 2, 2, 2)));
        assert!(!done(deployment(2, 2, 3, 2)), "an old pod is still there");
        assert!(!done(deployment(2, 2, 2, 1)), "the controller has not seen the new template");
        assert!(!done(deployment(2, 1, 2, 2)), "one pod is still old");
    }

    #[test]
    fn only_new_pods_fail_a_rollout() {
        let waiting = json!({"reason": "ImagePullBackOff", "message": "Back-off"});
        let troubles = |item: Json| judge(&json!({"items": [deployment(0, 1, 2, 2), item]})).troubles;
        assert_eq!(troubles(pod("r/dummy:2", &waiting, 0)).len(), 1);
        assert!(troubles(pod("r/dummy:1", &waiting, 0)).is_empty());
        let crash = json!({"reason": "CrashLoopBackOff"});
        assert!(troubles(pod("r/dummy:2", &crash, 1)).is_empty(), "one crash may pass");
        assert!(troubles(pod("r/dummy:2", &crash, 3))[0].previous);
    }
}
