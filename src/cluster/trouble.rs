//! What is wrong with a pod, or with what makes pods: in whose words, and how long it may go on before it counts. Pure.

use std::collections::HashMap;
use std::time::Duration;

use super::objects::{Condition, ContainerStatus, Event, Job, Metadata, Pod, Reason, Workload, holding};

/// Restarts after which a crash loop is taken for lasting.
const CRASHES: u64 = 3;
/// How long a pod may be unschedulable (a cluster may be adding nodes).
const UNSCHEDULABLE: Duration = Duration::from_secs(90);
/// How long an image pull may fail (a registry may hiccup).
const PULL: Duration = Duration::from_secs(15);
/// How long what a pod needs may be missing.
const START: Duration = Duration::from_secs(10);
/// How long the server may refuse new pods while nothing else moves.
const CREATE: Duration = Duration::from_secs(15);

/// What a trouble counts as: its grace goes on while its words change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// The image does not come.
    Pull,
    /// Something that the container needs is missing.
    Start,
    /// It ends again and again.
    Crash,
    /// No node takes the pod.
    Place,
    /// A volume does not come.
    Mount,
    /// The server takes no more pods.
    Create,
    /// The controller gave up waiting.
    Deadline,
    /// A Job failed for good.
    Job,
}

/// Why something will not become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// `pod`, `deployment`, `statefulset`, `job`
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What it counts as.
    pub class: Class,
    /// `ImagePullBackOff`, `CrashLoopBackOff`, `Unschedulable`...
    pub reason: String,
    /// The server's words, as sent.
    pub message: String,
    /// How long it may go on before it counts; none for what may well pass.
    pub grace: Option<Duration>,
    /// The log that may tell more.
    pub log: Option<LogAt>,
    /// Which state of which template made it, or which Job.
    pub template: Option<String>,
}

impl Trouble {
    /// How long it may go on where a cluster sets a budget for what may pass; none for what is borne as long as the rollout. An image that does not come
    /// and what is missing do not get better by waiting, and room that other pods make does not depend on how long.
    pub(super) fn bearable(&self, budget: Option<Duration>) -> Option<Duration> {
        match self.class {
            Class::Crash => budget.or(self.grace),
            Class::Place | Class::Create => self.grace.map(|grace| budget.unwrap_or(grace)),
            Class::Pull | Class::Start | Class::Mount | Class::Deadline | Class::Job => self.grace,
        }
    }
}

/// What of several bad things stands first and is explained: what lasts before what may pass, what tells why before what only waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// It crashed so often that it will again, or its controller gave up.
    Lasts,
    /// Something that it needs is missing.
    Missing,
    /// It is refused: an image, a pod.
    Refused,
    /// It crashed, and may get over it.
    Crashed,
    /// It is bad, and nobody says why.
    Untold,
    /// It waits: for room, for what may come yet.
    Waits,
    /// Its template is not the newest: it goes once others serve.
    Past,
    /// It has only begun.
    Begins,
}

impl Trouble {
    /// Where it stands among others.
    pub(crate) fn rank(&self) -> Rank {
        match self.class {
            Class::Crash if self.grace.is_none() => Rank::Crashed,
            _ if self.grace.is_none() => Rank::Waits,
            Class::Crash | Class::Deadline | Class::Job => Rank::Lasts,
            Class::Start | Class::Mount => Rank::Missing,
            Class::Pull | Class::Create => Rank::Refused,
            Class::Place => Rank::Waits,
        }
    }
}

/// The same of a pod that crashed so often: it stays while its container runs between two crashes.
pub(super) fn rank_of_crashes(restarts: u64) -> Option<Rank> {
    (restarts > 0).then_some(if restarts < CRASHES { Rank::Crashed } else { Rank::Lasts })
}

/// A container's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogAt {
    /// The pod.
    pub pod: String,
    /// The container in it.
    pub container: String,
    /// That of its run before is the one worth reading.
    pub is_previous: bool,
}

/// What controllers and nodes warn of, by the kind and the name of what it is about, newest first.
pub(super) struct Warnings<'a>(HashMap<(&'a str, &'a str), Vec<&'a Event>>);

impl<'a> Warnings<'a> {
    /// In any order.
    pub(super) fn of(events: &'a [Event]) -> Self {
        let mut events: Vec<&Event> = events.iter().collect();
        events.sort_by_cached_key(|event| std::cmp::Reverse(event.last()));
        let mut found: HashMap<_, Vec<&Event>> = HashMap::new();
        for event in events {
            found.entry((&*event.involved_object.kind, &*event.involved_object.name)).or_default().push(event);
        }
        Self(found)
    }

    /// Those about one object.
    pub(super) fn about<'b>(&'b self, kind: &'b str, metadata: &'b Metadata) -> impl Iterator<Item = &'a Event> + 'b {
        let is_it = move |event: &&&Event| {
            let object = &event.involved_object;
            object.uid.is_empty() || metadata.uid.is_empty() || object.uid == metadata.uid
        };
        self.0.get(&(kind, &*metadata.name)).into_iter().flatten().filter(is_it).copied()
    }

    fn saying(&self, kind: &str, metadata: &Metadata, reason: &str, words: &[&str]) -> Option<&'a Event> {
        let says = |event: &&Event| event.reason == reason && words.iter().any(|word| event.message.contains(word));
        self.about(kind, metadata).find(says)
    }
}

/// What is wrong with a pod; `own` are the containers that its template names, all where that is not known. What a mesh injected is blamed last: it often
/// falls with the app.
pub(super) fn of_pod(pod: &Pod, own: &[&str], warnings: &Warnings<'_>) -> Option<Trouble> {
    let statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let found = statuses.filter_map(|status| Some((is_injected(own, status), of_container(pod, status, warnings)?)));
    let worst = found.min_by_key(|(is_injected, trouble)| (trouble.grace.is_none(), *is_injected, trouble.class == Class::Crash));
    worst.map(|(_, trouble)| trouble).or_else(|| unplaced(pod)).or_else(|| unmounted(pod, warnings))
}

fn is_injected(own: &[&str], status: &ContainerStatus) -> bool {
    !own.is_empty() && !own.contains(&&*status.name)
}

fn bare(pod: &Pod, class: Class, reason: &str, message: &str, grace: Option<Duration>) -> Trouble {
    let (name, reason, message) = (pod.metadata.name.clone(), reason.to_owned(), message.to_owned());
    Trouble { kind: "pod", name, class, reason, message, grace, log: None, template: None }
}

fn of_container(pod: &Pod, status: &ContainerStatus, warnings: &Warnings<'_>) -> Option<Trouble> {
    let waiting = status.state.waiting.as_ref()?;
    let reason = waiting.reason.as_deref().unwrap_or_default();
    let (class, grace) = match reason {
        "ImagePullBackOff" | "ErrImagePull" => (Class::Pull, PULL),
        "InvalidImageName" | "ErrImageNeverPull" | "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            (Class::Start, START)
        }
        "CrashLoopBackOff" => (Class::Crash, Duration::ZERO),
        _ => return None,
    };
    let message = match class {
        // "Back-off pulling image" hides why.
        Class::Pull if says_little(&waiting.message) => {
            let event = warnings.saying("Pod", &pod.metadata, "Failed", &["Failed to pull image"]);
            event.map_or_else(|| waiting.message.clone(), |event| event.message.clone())
        }
        Class::Crash => status.last_state.terminated.as_ref().map_or_else(|| waiting.message.clone(), |end| end_of(&status.name, end)),
        _ => waiting.message.clone(),
    };
    let log = LogAt { pod: pod.metadata.name.clone(), container: status.name.clone(), is_previous: class == Class::Crash };
    let may_pass = class == Class::Crash && status.restart_count < CRASHES;
    Some(Trouble { log: Some(log), ..bare(pod, class, reason, &message, (!may_pass).then_some(grace)) })
}

/// The log that tells most of a pod: of a container that ended before one that only is not ready. None where none ever ran.
pub(super) fn log_of(pod: &Pod) -> Option<LogAt> {
    let statuses = || pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let waits_again = |status: &&ContainerStatus| status.state.waiting.is_some() && status.last_state.terminated.is_some();
    let failed = |status: &&ContainerStatus| status.state.terminated.as_ref().is_some_and(|end| end.exit_code != 0);
    let ran = |status: &&ContainerStatus| status.state.waiting.is_none();
    let own = || pod.status.container_statuses.iter().filter(ran);
    let at = |status: &ContainerStatus, is_previous| LogAt { pod: pod.metadata.name.clone(), container: status.name.clone(), is_previous };
    let again = statuses().find(waits_again).map(|status| at(status, true));
    again.or_else(|| {
        let found = statuses().find(failed).or_else(|| own().find(|status| !status.ready)).or_else(|| own().next());
        found.or_else(|| statuses().find(ran)).map(|status| at(status, false))
    })
}

/// A message that only says that something will be tried again.
pub(super) fn says_little(message: &str) -> bool {
    message.is_empty() || message.starts_with("Back-off")
}

/// Why a container has no log: it never began.
pub(super) fn unbegun(pod: &Pod, container: &str) -> Option<String> {
    let mut statuses = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let Some(status) = statuses.find(|status| status.name == container) else {
        let unplaced = pod.status.conditions.iter().find(|it| it.what == "PodScheduled" && it.status == "False");
        let known = [unplaced.map_or("", |it| &*it.reason), &*pod.status.reason, &*pod.status.phase];
        return Some(known.into_iter().find(|word| !word.is_empty()).unwrap_or("Pending").to_owned());
    };
    let ends = [&status.state.terminated, &status.last_state.terminated];
    let waiting = status.state.waiting.as_ref();
    match ends.into_iter().flatten().next() {
        Some(end) if matches!(end.reason.as_deref(), Some("ContainerCannotRun" | "StartError")) => Some(end_of(container, end)),
        Some(_) => None,
        None => waiting.map(|waiting| waiting.reason.clone().unwrap_or_else(|| "waiting".to_owned())),
    }
}

/// `container web ended with exit code 3`
fn end_of(container: &str, end: &Reason) -> String {
    match (end.reason.as_deref(), end.exit_code) {
        (Some("OOMKilled"), _) => format!("container {container} used more memory than its limit and was killed (OOMKilled)"),
        (Some("DeadlineExceeded"), _) => format!("container {container} took too long (DeadlineExceeded)"),
        (Some("ContainerCannotRun" | "StartError"), code) => {
            format!("container {container} cannot start (exit code {code}): {}", end.message)
        }
        (_, 0) => format!("container {container} ends by itself, with exit code 0; it is to run for ever"),
        // Not every node says why it killed.
        (_, 137) => format!("container {container} was killed by signal 9 (exit code 137): most often it used more memory than it may"),
        (_, code @ 129..=192) => format!("container {container} was ended by signal {} (exit code {code})", code - 128),
        (_, code) => format!("container {container} ended with exit code {code}"),
    }
}

fn unplaced(pod: &Pod) -> Option<Trouble> {
    let it = pod.status.conditions.iter().find(|condition| condition.what == "PodScheduled" && condition.status == "False")?;
    Some(bare(pod, Class::Place, &it.reason, &it.message, Some(UNSCHEDULABLE)))
}

/// A Secret or a `ConfigMap` that a volume is made of, or a key of it, is missing. What else keeps a volume away may pass.
fn unmounted(pod: &Pod, warnings: &Warnings<'_>) -> Option<Trouble> {
    if pod.status.phase != "Pending" {
        return None;
    }
    let missing = ["secret \"", "configmap \"", "references non-existent"];
    let of_kind = |event: &&Event| event.reason == "FailedMount" || event.reason == "FailedAttachVolume";
    let is_missing = |event: &&Event| missing.iter().any(|words| event.message.contains(words));
    let mut told = warnings.about("Pod", &pod.metadata).filter(of_kind);
    let first = told.next()?;
    let event = std::iter::once(first).chain(told).find(is_missing);
    let grace = event.map(|_| START);
    let event = event.unwrap_or(first);
    Some(bare(pod, Class::Mount, &event.reason, &event.message, grace))
}

/// What is wrong with a Deployment itself; `moves` where pods come or go, so that there may be room for others soon.
pub(super) fn of_deployment(it: &Workload, template: Option<String>, moves: bool) -> Option<Trouble> {
    let conditions = &it.status.conditions;
    let of = |class, condition: &Condition, grace| Trouble {
        kind: "deployment",
        name: it.metadata.name.clone(),
        class,
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        grace,
        log: None,
        template: template.clone(),
    };
    if let Some(failure) = holding(conditions, "ReplicaFailure") {
        return Some(of(Class::Create, failure, (!moves).then_some(CREATE)));
    }
    let late = |condition: &&Condition| condition.what == "Progressing" && condition.reason == "ProgressDeadlineExceeded";
    conditions.iter().find(late).map(|condition| of(Class::Deadline, condition, Some(Duration::ZERO)))
}

/// The server does not take a pod of a `StatefulSet` or of a Job: these have no condition that says so. `since` is when the newest of its pods was made.
pub(super) fn uncreated(
    (kind, api_kind): (&'static str, &str),
    metadata: &Metadata,
    template: Option<String>,
    since: Option<jiff::Timestamp>,
    moves: bool,
    warnings: &Warnings<'_>,
) -> Option<Trouble> {
    let event = warnings.about(api_kind, metadata).find(|event| event.reason == "FailedCreate")?;
    if since.is_some_and(|since| event.last().is_none_or(|last| last < since)) {
        return None;
    }
    let grace = (!moves).then_some(CREATE);
    let (name, reason, message) = (metadata.name.clone(), event.reason.clone(), event.message.clone());
    Some(Trouble { kind, name, class: Class::Create, reason, message, grace, log: None, template })
}

/// How a Job's pod ended, where its own containers ended; a sidecar may go on.
pub(super) fn end_of_job_pod<'p>(pod: &'p Pod, own: &[&str]) -> Option<(bool, Option<&'p ContainerStatus>)> {
    let own: Vec<&ContainerStatus> = pod.status.container_statuses.iter().filter(|status| !is_injected(own, status)).collect();
    let code = |status: &&ContainerStatus| status.state.terminated.as_ref().map(|end| end.exit_code);
    let ended = !own.is_empty() && own.iter().all(|status| code(status).is_some());
    let bad = own.into_iter().find(|status| code(status).is_some_and(|code| code != 0));
    ended.then_some((bad.is_none(), bad))
}

/// A Job that failed; its newest pod tells how. In the server's words where no container ended.
pub(super) fn of_failed_job(name: &str, job: &Job, newest: Option<&Pod>, own: &[&str], template: String) -> Trouble {
    let said = holding(&job.status.conditions, "Failed");
    let bad = newest.and_then(|pod| Some((pod, end_of_job_pod(pod, own)?.1?)));
    let server = said.map(|condition| condition.message.clone()).unwrap_or_default();
    let ended = bad.and_then(|(_, status)| Some(end_of(&status.name, status.state.terminated.as_ref()?)));
    Trouble {
        kind: "job",
        name: name.to_owned(),
        class: Class::Job,
        reason: said.map_or_else(|| "Failed".to_owned(), |condition| condition.reason.clone()),
        message: ended.unwrap_or(server),
        grace: Some(Duration::ZERO),
        log: bad.map(|(pod, status)| LogAt { pod: pod.metadata.name.clone(), container: status.name.clone(), is_previous: false }),
        template: Some(template),
    }
}
