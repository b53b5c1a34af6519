//! Kubernetes objects, as far as they are read. What an object does not have is empty: an older or a newer server is no error.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};

/// What `kubectl get -o json` prints.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub(crate) struct List<T> {
    /// Its objects.
    #[serde(default = "Vec::new", deserialize_with = "or_empty")]
    pub items: Vec<T>,
}

impl<T: DeserializeOwned> List<T> {
    /// The list that a server answered with.
    ///
    /// # Errors
    /// It is none.
    pub(crate) fn read(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(|error| Error::failed(format!("the server's answer is no list: {error}")))
    }
}

/// An object of several kinds asked for at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind")]
pub(crate) enum Object {
    /// Keeps pods of one template, in any order.
    Deployment(Workload),
    /// Keeps pods of one template, numbered.
    StatefulSet(Workload),
    /// What a Deployment made of one state of its template.
    ReplicaSet(ReplicaSet),
    /// Runs pods to their end.
    Job(Job),
    /// Makes Jobs.
    CronJob(CronJob),
    /// Containers on a node.
    Pod(Pod),
    /// Of a kind that nobody asked for.
    #[serde(other)]
    Other,
}

/// The head of every object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub namespace: String,
    /// Tells it from one of the same name before.
    pub uid: String,
    #[serde(deserialize_with = "or_empty")]
    labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_empty")]
    owner_references: Vec<Owner>,
    /// Counts the changes of its `spec`.
    pub generation: u64,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
}

/// An object that made another.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Owner {
    /// `ReplicaSet`
    pub kind: String,
    /// Its name.
    pub name: String,
    controller: bool,
}

impl Metadata {
    /// A label; empty where it is missing.
    pub(crate) fn label(&self, key: &str) -> &str {
        self.labels.get(key).map_or("", String::as_str)
    }

    /// An annotation.
    pub(crate) fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// Who made it and watches over it.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.owner_references.iter().find(|owner| owner.controller)
    }

    /// When it was made.
    pub(crate) fn created(&self) -> Option<Timestamp> {
        self.creation_timestamp.as_deref()?.parse().ok()
    }

    /// It was deleted, and winds up.
    pub(crate) fn is_leaving(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

/// A Deployment or a `StatefulSet`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Workload {
    /// Its head.
    pub metadata: Metadata,
    /// What is wanted.
    pub spec: WorkloadSpec,
    /// What there is.
    #[serde(deserialize_with = "or_empty")]
    pub status: WorkloadStatus,
}

/// What is wanted of a workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WorkloadSpec {
    /// How many pods; none is one.
    pub replicas: Option<u64>,
    /// Its template is not to be followed for now.
    pub paused: bool,
    /// How long a pod must have been ready, in seconds.
    pub min_ready_seconds: u64,
    /// How a `StatefulSet` replaces its pods.
    #[serde(deserialize_with = "or_empty")]
    pub update_strategy: UpdateStrategy,
    /// What its pods are to be.
    pub template: Template,
}

/// How a `StatefulSet` replaces its pods.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct UpdateStrategy {
    /// `RollingUpdate`, `OnDelete`
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "or_empty")]
    rolling_update: RollingUpdate,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct RollingUpdate {
    partition: Option<u64>,
}

impl UpdateStrategy {
    /// How many pods, from number 0 on, keep the template that they have.
    pub(crate) fn staying(&self) -> u64 {
        if self.kind == "OnDelete" { u64::MAX } else { self.rolling_update.partition.unwrap_or(0) }
    }
}

/// What there is of a workload.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct WorkloadStatus {
    /// The generation that its controller has seen.
    pub observed_generation: u64,
    /// Pods of any template.
    pub replicas: u64,
    /// Pods of the newest template.
    pub updated_replicas: u64,
    /// Pods that are ready.
    pub ready_replicas: u64,
    /// Pods that have been ready for `minReadySeconds`.
    pub available_replicas: u64,
    /// Pods of a `StatefulSet`'s template before.
    pub current_replicas: u64,
    /// A `StatefulSet`'s template before.
    pub current_revision: String,
    /// A `StatefulSet`'s newest template.
    pub update_revision: String,
    /// What is true of a Deployment: `ReplicaFailure`, `Progressing`.
    #[serde(deserialize_with = "or_empty")]
    pub conditions: Vec<Condition>,
}

/// What pods are to be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Template {
    /// Their containers.
    pub spec: PodSpec,
}

/// What a Deployment made of one state of its template; its pods carry the hash of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReplicaSet {
    /// Its head.
    pub metadata: Metadata,
}

impl ReplicaSet {
    /// Which state of the template it is: the highest is the newest, also when an older state became the newest again.
    pub(crate) fn revision(&self) -> u64 {
        self.metadata.annotation("deployment.kubernetes.io/revision").and_then(|revision| revision.parse().ok()).unwrap_or(0)
    }

    /// The hash of its template, which its pods carry.
    pub(crate) fn hash(&self) -> &str {
        self.metadata.label("pod-template-hash")
    }
}

/// Pods that run to their end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Job {
    /// Its head.
    pub metadata: Metadata,
    /// What it is to run.
    pub spec: JobSpec,
    /// How it stands.
    #[serde(deserialize_with = "or_empty")]
    pub status: JobStatus,
}

/// What a Job is to run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobSpec {
    /// What its pods are to be.
    pub template: Template,
}

impl Job {
    /// It is done or has failed: it will run no more.
    pub(crate) fn is_finished(&self) -> bool {
        self.status.conditions.iter().any(|condition| matches!(&*condition.what, "Complete" | "Failed") && condition.status == "True")
    }
}

/// Any object of which only the head is asked.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    /// Its head.
    pub metadata: Metadata,
}

/// How a Job stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct JobStatus {
    /// Pods at work.
    pub active: u64,
    /// Pods that ended well.
    pub succeeded: u64,
    /// Pods that failed.
    pub failed: u64,
    /// `Complete`, `Failed`
    #[serde(deserialize_with = "or_empty")]
    pub conditions: Vec<Condition>,
}

/// What makes Jobs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CronJob {
    /// Its head.
    pub metadata: Metadata,
    spec: CronJobSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CronJobSpec {
    job_template: JobTemplate,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    spec: WorkloadSpec,
}

impl CronJob {
    /// What the pods of its Jobs are to be.
    pub(crate) fn template(&self) -> &Template {
        &self.spec.job_template.spec.template
    }
}

/// Containers on a node.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Pod {
    /// Its head.
    pub metadata: Metadata,
    /// What it is to run.
    pub spec: PodSpec,
    /// How it stands.
    #[serde(deserialize_with = "or_empty")]
    pub status: PodStatus,
}

/// What a pod is to run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodSpec {
    /// One after another, before the others.
    #[serde(deserialize_with = "or_empty")]
    pub init_containers: Vec<Container>,
    /// Beside each other.
    #[serde(deserialize_with = "or_empty")]
    pub containers: Vec<Container>,
}

/// A container that is to run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Container {
    /// Its name.
    pub name: String,
    /// Where its files come from.
    pub image: String,
}

/// How a pod stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PodStatus {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`
    pub phase: String,
    /// Why it failed as a whole, in a word: `Evicted`.
    pub reason: String,
    /// The same in a sentence.
    pub message: String,
    /// What is true of it.
    #[serde(deserialize_with = "or_empty")]
    pub conditions: Vec<Condition>,
    /// Containers that run before the others.
    #[serde(deserialize_with = "or_empty")]
    pub init_container_statuses: Vec<ContainerStatus>,
    /// Its containers.
    #[serde(deserialize_with = "or_empty")]
    pub container_statuses: Vec<ContainerStatus>,
}

/// What is true of an object, or not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Condition {
    /// `PodScheduled`
    #[serde(rename = "type")]
    pub what: String,
    /// `True`, `False`, `Unknown`
    pub status: String,
    /// Why, in a word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    #[serde(rename = "lastTransitionTime")]
    last_transition_time: Option<String>,
}

impl Condition {
    /// Since when it is so.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.last_transition_time.as_deref()?.parse().ok()
    }
}

/// How a container stands.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ContainerStatus {
    /// The container's name.
    pub name: String,
    /// It serves.
    pub ready: bool,
    /// How many times it ended and was started again.
    pub restart_count: u64,
    /// What it does now.
    #[serde(deserialize_with = "or_empty")]
    pub state: ContainerState,
    /// What became of its run before.
    #[serde(deserialize_with = "or_empty")]
    pub last_state: ContainerState,
}

/// What a container does; none of them while it runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerState {
    /// It is not there yet, or not again.
    pub waiting: Option<Reason>,
    /// It ended.
    pub terminated: Option<Reason>,
}

/// Why something is as it is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Reason {
    /// In a word: `CrashLoopBackOff`.
    pub reason: Option<String>,
    /// In a sentence.
    pub message: String,
    /// What a container ended with; 128 + n when signal n ended it.
    pub exit_code: i64,
}

/// What leads to Services from outside.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ingress {
    /// Its head.
    pub metadata: Metadata,
    #[serde(deserialize_with = "or_empty")]
    spec: IngressSpec,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct IngressSpec {
    #[serde(deserialize_with = "or_empty")]
    rules: Vec<IngressRule>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct IngressRule {
    host: Option<String>,
}

impl Ingress {
    /// The names that it is asked by; a rule for every name has none.
    pub(crate) fn hosts(&self) -> impl Iterator<Item = &str> {
        self.spec.rules.iter().filter_map(|rule| rule.host.as_deref()).filter(|host| !host.is_empty())
    }
}

/// What a controller or a node says of an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Event {
    /// Of what.
    pub involved_object: Involved,
    /// In a word: `FailedMount`.
    pub reason: String,
    /// In a sentence.
    pub message: String,
    /// `Normal`, `Warning`
    #[serde(rename = "type")]
    pub what: String,
    last_timestamp: Option<String>,
    event_time: Option<String>,
    #[serde(deserialize_with = "or_empty")]
    series: Series,
    #[serde(deserialize_with = "or_empty")]
    metadata: Metadata,
}

/// The object that an event is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Involved {
    /// `Pod`
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Tells it from one of the same name before.
    pub uid: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Series {
    last_observed_time: Option<String>,
}

impl Event {
    /// When it was seen last: newer servers and older ones write that in other places.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        let written = [&self.series.last_observed_time, &self.last_timestamp, &self.event_time];
        written.into_iter().flatten().find_map(|text| text.parse().ok()).or_else(|| self.metadata.created())
    }
}

/// A condition of this type that holds.
pub(crate) fn holding<'a>(conditions: &'a [Condition], what: &str) -> Option<&'a Condition> {
    conditions.iter().find(|known| known.what == what && known.status == "True")
}

impl Pod {
    /// True for a condition that holds.
    pub(crate) fn is(&self, condition: &str) -> bool {
        holding(&self.status.conditions, condition).is_some()
    }

    /// It ran to its end.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }

    /// It is meant to run for ever: what keeps it makes another when it is gone. A Job's pod is to come to its end, and one without a keeper never comes
    /// back.
    pub(crate) fn is_for_ever(&self) -> bool {
        self.metadata.owner().is_some_and(|owner| matches!(owner.kind.as_str(), "ReplicaSet" | "StatefulSet" | "DaemonSet"))
    }

    /// True for a pod of one of a release's processes.
    pub(crate) fn belongs_to(&self, release: &str, proc: &str) -> bool {
        self.metadata.label(INSTANCE) == format!("{release}-{proc}")
    }
}

/// The label that tells a release's processes apart.
pub(crate) const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label with the app's name.
pub(crate) const NAME: &str = "app.kubernetes.io/name";

/// `null` is what is missing.
pub(super) fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_null_is_empty() {
        let list = r#"{"kind": "List", "items": [
            {"kind": "Pod"}, {"kind": "Pod", "metadata": {"labels": null, "deletionTimestamp": null}, "status": {"containerStatuses": null}},
            {"kind": "Deployment", "metadata": {"name": "a", "managedFields": [{"x": 1}]}, "spec": {"template": {"metadata": {"creationTimestamp": null}}}, "status": null},
            {"kind": "Ingress", "spec": {"rules": []}}]}"#;
        let list: List<Object> = serde_json::from_str(list).expect("a list");
        assert!(matches!(&list.items[0], Object::Pod(pod) if pod.metadata.name.is_empty() && !pod.metadata.is_leaving()));
        assert!(matches!(&list.items[1], Object::Pod(pod) if !pod.metadata.is_leaving() && pod.status.container_statuses.is_empty()));
        assert!(matches!(&list.items[2], Object::Deployment(it) if it.metadata.name == "a" && it.spec.replicas.is_none()));
        assert!(matches!(&list.items[3], Object::Other));
        assert!(serde_json::from_str::<List<Object>>(r#"{"items": null}"#).expect("a list").items.is_empty());
    }
}
