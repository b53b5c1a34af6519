//! The pieces of Kubernetes' API that values speak of. Fields as in the API reference; what is not listed passes through.

// Much of it is only read to be checked: that it can be read is what lain wants to know.
#![allow(dead_code)]

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::text::Text;

/// Requests and limits of a container.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Resources {
    /// What is set aside.
    pub requests: Option<Amounts>,
    /// Where it is slowed down (cpu) or killed (memory).
    pub limits: Option<Amounts>,
}

/// Amounts by resource. Others than these (`nvidia.com/gpu`) pass through.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Amounts {
    /// Cores: `250m` is a quarter of one.
    #[schemars(with = "Option<Amount>")]
    pub cpu: Option<Json>,
    /// Bytes, with Mi or Gi.
    #[schemars(with = "Option<Amount>")]
    pub memory: Option<Json>,
    /// Bytes on the node's disk.
    #[serde(rename = "ephemeral-storage")]
    #[schemars(with = "Option<Amount>")]
    pub ephemeral_storage: Option<Json>,
}

/// A quantity: a number, or text such as `500m` or `64Mi`.
#[derive(Debug, JsonSchema)]
#[schemars(extend("type" = ["string", "number"], "format" = "quantity"))]
pub(crate) struct Amount(#[allow(dead_code)] Json);

/// When a container counts as started, ready or alive.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Probe {
    /// Good when it answers 200 to 399.
    pub http_get: Option<HttpGet>,
    /// Good when the port accepts.
    pub tcp_socket: Option<TcpSocket>,
    /// Good when it ends with 0.
    pub exec: Option<Exec>,
    /// Good when the health service says SERVING.
    pub grpc: Option<IndexMap<String, Json>>,
    /// Seconds before the first.
    pub initial_delay_seconds: Option<u32>,
    /// Seconds between two; 10 when not given.
    pub period_seconds: Option<u32>,
    /// Seconds to answer; 1 when not given.
    pub timeout_seconds: Option<u32>,
    /// How many good ones make it good; 1 when not given.
    pub success_threshold: Option<u32>,
    /// How many bad ones make it bad; 3 when not given.
    pub failure_threshold: Option<u32>,
    /// Seconds between the request to end and the kill, after this probe failed.
    pub termination_grace_period_seconds: Option<u32>,
}

/// An HTTP request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpGet {
    /// `/` when not given.
    pub path: Option<Text>,
    /// Number or name.
    pub port: Option<Port>,
    /// Host, the pod when not given.
    pub host: Option<Text>,
    /// HTTP or HTTPS.
    pub scheme: Option<Text>,
    /// Headers.
    pub http_headers: Option<Vec<IndexMap<String, Json>>>,
}

/// A connection.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct TcpSocket {
    /// Number or name.
    pub port: Option<Port>,
    /// Host, the pod when not given.
    pub host: Option<Text>,
}

/// A command in the container.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct Exec {
    /// One word an item.
    pub command: Option<Vec<Text>>,
}

/// A port's number, or the name of one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("type" = ["integer", "string"], "minimum" = 1, "maximum" = 65535, "x-lint" = "L025"))]
pub(crate) struct Port(#[allow(dead_code)] Json);

/// What runs after the start and before the end.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Lifecycle {
    /// Right after the start.
    pub post_start: Option<Handler>,
    /// Before the request to end.
    pub pre_stop: Option<Handler>,
}

/// One of what a lifecycle may run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Handler {
    /// A command.
    pub exec: Option<Exec>,
    /// An HTTP request.
    pub http_get: Option<HttpGet>,
    /// Kept for old files; Kubernetes does nothing with it.
    pub tcp_socket: Option<TcpSocket>,
    /// A pause.
    pub sleep: Option<IndexMap<String, Json>>,
}

/// An autoscaler.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hpa {
    /// Fewest pods; replicaCount when not given.
    pub min_replicas: Option<u32>,
    /// Most pods.
    pub max_replicas: u32,
    /// Metrics in Kubernetes' own words; 80% CPU when not given.
    pub metrics: Option<Vec<IndexMap<String, Json>>>,
    /// How fast up and down.
    pub behavior: Option<IndexMap<String, Json>>,
}

/// A mount. `name` defaults to the app's Secret; other fields of Kubernetes pass through.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    /// Where in the container.
    pub mount_path: Text,
    /// Which key of the Secret, or which path of the volume.
    pub sub_path: Option<Text>,
    /// Which volume.
    pub name: Option<Text>,
    /// Not to be written.
    #[schemars(with = "Option<bool>")]
    pub read_only: Option<Json>,
}

/// A line for /etc/hosts.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct HostAlias {
    /// The address.
    pub ip: Text,
    /// Its names.
    pub hostnames: Vec<Text>,
}

/// A policy of the network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub(crate) struct NetworkPolicy {
    /// Which traffic, in Kubernetes' own words.
    pub spec: Option<IndexMap<String, Json>>,
}
