//! The cluster, as administrators describe it in `values-CLUSTER.yaml`.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value as Json;

/// The cluster keys that lain itself reads; the rest is the chart's.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Cluster {
    /// Where images are pushed, `host[:port]/path`.
    pub registry: Option<String>,
    /// Where pods pull from, when that differs.
    #[serde(rename = "internalRegistry")]
    pub internal_registry: Option<String>,
    /// Completes bare ingress hosts: `HOST.DOMAIN`.
    pub domain: Option<String>,
    /// Completes bare ingress hosts: `HOST` + suffix.
    pub domain_suffix: Option<String>,
    /// Where everything lives; the kubeconfig's own when not given.
    pub namespace: Option<String>,
    /// What `lain use` prints beside the name.
    pub extra_docs: Option<String>,
    /// Credentials that come from environment variables.
    pub secrets_env: Option<IndexMap<String, Json>>,
    /// The context in the kubeconfig; for the GitLab agent `path/to/project:agent`.
    pub kube_context: Option<String>,
    /// Return to the last good release when a deploy fails.
    pub rollback_on_failure: Option<bool>,
    /// Grafana's address.
    pub grafana_url: Option<String>,
    /// Kibana's host.
    pub kibana: Option<String>,
    /// Prometheus' address.
    pub prometheus: Option<String>,
    /// GitLab's address.
    pub gitlab: Option<String>,
    /// A docker daemon to use with `--remote-docker`.
    pub remote_docker: Option<String>,
    /// Accepted and ignored: every registry is spoken to alike.
    pub registry_type: Option<String>,
    /// The port of inner ingress URLs.
    pub ingress_internal_port: Option<u16>,
    /// The port of outer ingress URLs.
    pub ingress_external_port: Option<u16>,
    /// Set when ingresses have TLS.
    #[serde(rename = "ingressTLSSecretName")]
    pub ingress_tls_secret_name: Option<String>,
    /// Set when ingresses have TLS.
    #[serde(rename = "clusterIssuer")]
    pub cluster_issuer: Option<String>,
    /// Speak TLS to the registry without checking it, or plain http.
    pub registry_insecure: Option<bool>,
}
