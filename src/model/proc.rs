//! One process, and the maps of processes by kind.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;

use super::kubernetes::{Hpa, Lifecycle, Probe, Resources, VolumeMount};
use super::text::{EnvMap, Text, whole};

/// A process.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proc {
    /// The command, one word an item: `["bash", "-c", "cd src && exec ./run.py"]`.
    pub command: Option<Vec<Text>>,
    /// Environment of this process; wins over the app's.
    pub env: Option<EnvMap>,
    /// Somebody else's image.
    pub image: Option<Text>,
    /// A fixed tag of this app's image.
    pub image_tag: Option<Text>,
    /// Which of `builds` it runs.
    pub build: Option<Text>,
    /// `Always` (cronjobs: `IfNotPresent`) when not given.
    #[schemars(with = "Option<PullPolicy>")]
    pub image_pull_policy: Option<Json>,
    /// Where the command runs.
    pub working_dir: Option<Text>,
    /// How many pods.
    #[serde(default, deserialize_with = "whole")]
    pub replica_count: Option<u32>,
    /// The port it listens on; makes a Service.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 65535), extend("x-lint" = "L025"))]
    pub container_port: Option<u16>,
    /// A port on every node.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 30000, max = 32767), extend("x-lint" = "L016"))]
    pub node_port: Option<u16>,
    /// Of the nodePort: TCP when not given.
    #[schemars(with = "Option<Protocol>")]
    pub protocol: Option<Json>,
    /// Shares the node's network.
    #[schemars(with = "Option<bool>")]
    pub host_network: Option<Json>,
    /// What is set aside for each pod (requests) and where it is slowed down or killed (limits).
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<Json>,
    /// No traffic until this succeeds.
    #[schemars(with = "Option<Probe>")]
    pub readiness_probe: Option<Json>,
    /// Restarts a container that hangs.
    #[schemars(with = "Option<Probe>")]
    pub liveness_probe: Option<Json>,
    /// The other probes wait for this one.
    #[schemars(with = "Option<Probe>")]
    pub startup_probe: Option<Json>,
    /// What to do after the start and before the end.
    #[schemars(with = "Option<Lifecycle>")]
    pub lifecycle: Option<Json>,
    /// More pods under load.
    #[schemars(with = "Option<Hpa>")]
    pub hpa: Option<Json>,
    /// How pods are replaced (deployments).
    #[schemars(with = "Option<IndexMap<String, Json>>")]
    pub strategy: Option<Json>,
    /// How pods are replaced (statefulSets).
    #[schemars(with = "Option<IndexMap<String, Json>>")]
    pub update_strategy: Option<Json>,
    /// How many seconds a new pod must stay ready to count.
    #[schemars(with = "Option<u32>")]
    pub min_ready_seconds: Option<Json>,
    /// Nodes it must run on.
    pub nodes: Option<Vec<Text>>,
    /// Any other wish about where to run, in Kubernetes' own words.
    #[schemars(with = "Option<IndexMap<String, Json>>")]
    pub affinity: Option<Json>,
    /// Annotations of its pods.
    #[schemars(with = "Option<IndexMap<String, Option<Text>>>")]
    pub pod_annotations: Option<Json>,
    /// User, group and more of the pod, in Kubernetes' own words.
    #[schemars(with = "Option<IndexMap<String, Json>>")]
    pub pod_security_context: Option<Json>,
    /// Another service account than the app's.
    #[schemars(with = "Option<Text>")]
    pub service_account_name: Option<Json>,
    /// Seconds between the request to end and the kill; 100 when not given.
    #[schemars(with = "Option<u32>")]
    pub termination_grace_period_seconds: Option<Json>,
    /// Files and folders mounted besides the app's.
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// Run to their end before the process starts, with the same image, env and mounts.
    #[schemars(with = "Option<Vec<InitContainer>>")]
    pub init_containers: Option<Json>,
    /// Annotations of the object; for jobs: helm's hooks.
    #[schemars(with = "Option<IndexMap<String, Option<Text>>>")]
    pub annotations: Option<Json>,
    /// How often a failed job is tried again; 0 when not given.
    #[schemars(with = "Option<u32>")]
    pub backoff_limit: Option<Json>,
    /// Longest run of a job, in seconds; 3600 when not given.
    #[serde(default, deserialize_with = "whole")]
    pub active_deadline_seconds: Option<u64>,
    /// How long a finished job stays, in seconds; 86400 when not given.
    #[schemars(with = "Option<u32>")]
    pub ttl_seconds_after_finished: Option<Json>,
    /// When a cronjob runs: minute, hour, day, month, weekday.
    #[schemars(with = "Option<Text>", extend("format" = "schedule"))]
    pub schedule: Option<Text>,
    /// A cronjob that pauses.
    #[schemars(with = "Option<bool>")]
    pub suspend: Option<Json>,
    /// What to do when a run is due while the last one works: `Replace` when not given.
    #[schemars(with = "Option<Concurrency>")]
    pub concurrency_policy: Option<Json>,
    /// How many good runs of a cronjob are kept; 1 when not given.
    #[schemars(with = "Option<u32>")]
    pub successful_jobs_history_limit: Option<Json>,
    /// How many failed runs of a cronjob are kept; 1 when not given.
    #[schemars(with = "Option<u32>")]
    pub failed_jobs_history_limit: Option<Json>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[allow(missing_docs, dead_code)] // for the schema
pub(crate) enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// What a Service carries.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[allow(missing_docs, dead_code, clippy::upper_case_acronyms)] // for the schema
pub(crate) enum Protocol {
    TCP,
    UDP,
    SCTP,
}

/// Two runs of a cronjob at once.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[allow(missing_docs, dead_code)] // for the schema
pub(crate) enum Concurrency {
    Allow,
    Forbid,
    Replace,
}

/// A container that runs before the process, with the process's image where it names none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(dead_code)] // read to be checked
pub(crate) struct InitContainer {
    /// Its name.
    #[schemars(extend("format" = "label"))]
    pub name: Text,
    /// The command, one word an item.
    pub command: Option<Vec<Text>>,
    /// Environment besides the app's.
    pub env: Option<EnvMap>,
    /// Somebody else's image.
    pub image: Option<Text>,
    /// A fixed tag of this app's image.
    pub image_tag: Option<Text>,
    /// When the image is pulled.
    #[schemars(with = "Option<PullPolicy>")]
    pub image_pull_policy: Option<Json>,
    /// Where the command runs.
    pub working_dir: Option<Text>,
    /// Requests and limits.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<Json>,
    /// Files and folders mounted besides the app's.
    pub volume_mounts: Option<Vec<VolumeMount>>,
}

/// Makes the schema-only type of one map of procs: what the map's procs need beside the types.
macro_rules! proc_map {
    ($(#[$doc:meta])* $name:ident, $required:expr, $command_unless_image:expr) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let proc = generator.subschema_for::<Proc>();
                let required: &[&str] = &$required;
                let mut one = proc.to_value();
                if let Json::Object(one) = &mut one {
                    if !required.is_empty() {
                        one.insert("required".into(), required.into());
                    }
                    if $command_unless_image {
                        one.insert("anyOf".into(), serde_json::json!([{"required": ["command"]}, {"required": ["image"]}]));
                    }
                }
                json_schema!({"type": "object", "additionalProperties": {"anyOf": [one, {"type": "null"}]}})
            }
        }
    };
}

proc_map!(
    /// Deployments by name. They must say how many, and what they need.
    Deployments, ["replicaCount", "resources"], true
);
proc_map!(
    /// Stateful sets by name. The older tool let them pass without replicaCount and resources.
    StatefulSets, [], true
);
proc_map!(
    /// Cronjobs by name.
    CronJobs, ["schedule"], false
);
proc_map!(
    /// Jobs by name.
    Jobs, [], false
);
proc_map!(
    /// Test pods by name.
    Tests, [], false
);
