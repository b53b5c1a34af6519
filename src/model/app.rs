//! The application, as its values say.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value as Json;

use super::text::Text;

/// A map of environment variables; a null value stands for none.
pub type EnvMap = IndexMap<String, Option<Text>>;

/// All app keys that lain itself reads. Everything else reaches helm untouched.
#[derive(Clone, Debug, Deserialize)]
pub struct App {
    /// The app's name, a DNS-1123 label.
    pub appname: String,
    /// Deploys the app a second time under another release.
    #[serde(rename = "releaseName")]
    pub release_name: Option<String>,
    /// Environment of every container.
    pub env: Option<EnvMap>,
    /// Files and folders mounted in every container.
    #[serde(rename = "volumeMounts")]
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// Long-running processes.
    #[serde(alias = "deployment", alias = "deploy")]
    pub deployments: Option<IndexMap<String, Option<Proc>>>,
    /// Long-running processes with an identity.
    #[serde(rename = "statefulSets", alias = "statefulSet", alias = "statefulset", alias = "sts")]
    pub stateful_sets: Option<IndexMap<String, Option<Proc>>>,
    /// Processes on a schedule.
    #[serde(alias = "cronjob")]
    pub cronjobs: Option<IndexMap<String, Option<Proc>>>,
    /// Processes that run to their end with a deploy.
    #[serde(alias = "job")]
    pub jobs: Option<IndexMap<String, Option<Proc>>>,
    /// Helm tests.
    pub tests: Option<IndexMap<String, Option<Proc>>>,
    /// Inner ingresses.
    #[serde(alias = "ingress", alias = "ing")]
    pub ingresses: Option<Vec<Ingress>>,
    /// Outer ingresses.
    #[serde(rename = "externalIngresses", alias = "externalIngress", alias = "externalIng")]
    pub external_ingresses: Option<Vec<Ingress>>,
    /// How the image is built; none when every proc names its own `image`.
    pub build: Option<Build>,
    /// A smaller image for production, with copies from the build stage.
    pub release: Option<Release>,
    /// Several images from one repo, by name.
    pub builds: Option<IndexMap<String, Build>>,
    /// Where deploys and secret edits are told.
    pub webhook: Option<Webhook>,
    /// Canary annotations by group.
    #[serde(rename = "canaryGroups")]
    pub canary_groups: Option<IndexMap<String, IndexMap<String, Text>>>,
}

/// One process. Keys that only the chart reads are not listed.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Proc {
    /// The command; its first word has no space.
    pub command: Option<Vec<Text>>,
    /// Environment on top of the app's.
    pub env: Option<EnvMap>,
    /// A foreign image.
    pub image: Option<String>,
    /// Another tag of the app's image.
    #[serde(rename = "imageTag")]
    pub image_tag: Option<Text>,
    /// Which of `builds` it runs.
    pub build: Option<String>,
    /// Where the command runs.
    #[serde(rename = "workingDir")]
    pub working_dir: Option<String>,
    /// How many pods.
    #[serde(rename = "replicaCount")]
    pub replica_count: Option<u32>,
    /// The port it listens on.
    #[serde(rename = "containerPort")]
    pub container_port: Option<u16>,
    /// A port on every node, 30000-32767.
    #[serde(rename = "nodePort")]
    pub node_port: Option<u16>,
    /// Requests and limits.
    pub resources: Option<Json>,
    /// When it may get traffic.
    #[serde(rename = "readinessProbe")]
    pub readiness_probe: Option<Json>,
    /// Autoscaling.
    pub hpa: Option<Json>,
    /// Nodes it must run on.
    pub nodes: Option<Vec<String>>,
    /// Files and folders mounted besides the app's.
    #[serde(rename = "volumeMounts")]
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// Longest run of a job, in seconds.
    #[serde(rename = "activeDeadlineSeconds")]
    pub active_deadline_seconds: Option<u64>,
    /// When a cronjob runs.
    pub schedule: Option<String>,
}

/// A mount. `name` defaults to the app's secret volume.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// Where in the container.
    pub mount_path: String,
    /// Which key of the Secret.
    pub sub_path: Option<String>,
    /// Which volume.
    pub name: Option<String>,
}

/// An ingress. Annotations and the rest are the chart's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// A full host, or a bare word completed by the cluster's domain.
    pub host: String,
    /// The deployment behind it.
    pub deploy_name: String,
    /// Paths, `/` when none.
    pub paths: Option<Vec<String>>,
}

/// How an image is built.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Build {
    /// The image to start from.
    pub base: String,
    /// Build-time environment.
    pub env: Option<EnvMap>,
    /// The slow part, built once.
    pub prepare: Option<Prepare>,
    /// Commands.
    pub script: Option<Vec<Text>>,
    /// Working directory, `/lain/app` when not given.
    pub workdir: Option<String>,
    /// With `builds`: this image's own release stage.
    pub release: Option<Release>,
}

/// The prepare stage.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Prepare {
    /// Build-time environment.
    pub env: Option<EnvMap>,
    /// Commands.
    pub script: Option<Vec<Text>>,
    /// What survives of the working directory, relative to it.
    pub keep: Option<Vec<Text>>,
}

/// The release stage.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Release {
    /// The image to start from, `build.base` when not given.
    pub dest_base: Option<String>,
    /// Environment.
    pub env: Option<EnvMap>,
    /// What is copied from the build stage.
    pub copy: Option<Vec<Copy>>,
    /// Commands.
    pub script: Option<Vec<Text>>,
    /// Working directory, `/lain/app` when not given.
    pub workdir: Option<String>,
}

/// A path copied from the build stage.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Copy {
    /// To the same path.
    Path(String),
    /// To another one.
    To {
        /// In the build stage.
        src: String,
        /// In the release image; `src` when not given.
        dest: Option<String>,
    },
}

/// Where deploys are told.
#[derive(Clone, Debug, Deserialize)]
pub struct Webhook {
    /// The address; `${NAME}` is taken from the environment.
    pub url: Option<String>,
    /// Only these clusters.
    pub clusters: Option<Vec<String>>,
    /// Slack's channel.
    pub channel: Option<String>,
    /// Which provider, when the host does not tell.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// The signing secret; `${NAME}` is taken from the environment.
    pub secret: Option<String>,
    /// The body of a generic webhook.
    pub template: Option<String>,
}

/// Default working directory of every stage.
pub const WORKDIR: &str = "/lain/app";

impl App {
    /// The helm release.
    pub fn release(&self) -> &str {
        self.release_name.as_deref().unwrap_or(&self.appname)
    }

    /// Every proc: kind, name, proc. A proc written as null is left out.
    pub fn procs(&self) -> impl Iterator<Item = (ProcKind, &str, &Proc)> {
        [
            (ProcKind::Deployment, &self.deployments),
            (ProcKind::StatefulSet, &self.stateful_sets),
            (ProcKind::CronJob, &self.cronjobs),
            (ProcKind::Job, &self.jobs),
            (ProcKind::Test, &self.tests),
        ]
        .into_iter()
        .flat_map(|(kind, procs)| procs.iter().flatten().filter_map(move |(name, p)| p.as_ref().map(|p| (kind, name.as_str(), p))))
    }

    /// All mounts of Secret keys: those of the app, then those of procs, each key once.
    pub fn secret_files(&self) -> Vec<&str> {
        let own = self.volume_mounts.iter().flatten();
        let procs = self.procs().flat_map(|(_, _, p)| p.volume_mounts.iter().flatten());
        let mut files: Vec<&str> = own.chain(procs).filter(|m| m.name.is_none()).filter_map(|m| m.sub_path.as_deref()).collect();
        files.sort_unstable();
        files.dedup();
        files
    }

    /// The Secret whose keys become environment variables.
    pub fn env_secret(&self) -> String {
        format!("{}-env", self.appname)
    }

    /// The Secret whose keys become files.
    pub fn file_secret(&self) -> String {
        format!("{}-secret", self.appname)
    }
}

/// What kind of object a proc becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProcKind {
    /// `deployments`
    Deployment,
    /// `statefulSets`
    StatefulSet,
    /// `cronjobs`
    CronJob,
    /// `jobs`
    Job,
    /// `tests`
    Test,
}

impl ProcKind {
    /// As kubectl names it.
    pub fn resource(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::StatefulSet => "statefulset",
            Self::CronJob => "cronjob",
            Self::Job => "job",
            Self::Test => "pod",
        }
    }
}
