//! The cluster, as administrators describe it in `values-CLUSTER.yaml`.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value as Json;

use super::duration;
use super::image::repository_in;
use super::kubernetes::HostAlias;
use super::text::{Text, whole};

/// What only the administrator's own file says: what is run, whom the cluster's logins go to, and by what way. An app that could would have them sent
/// to a host of its own.
pub const ADMINISTRATORS: [&str; 15] = [
    "registry_token_fetch_cmd",
    "registry_token_type",
    "registry_insecure",
    "registry_endpoint_use_https",
    "harbor_token",
    "dockerhub_username",
    "dockerhub_password",
    "access_key_id",
    "access_key_secret",
    "secrets_env",
    "remote_docker",
    "gitlab",
    "kube_context",
    "signature",
    "require_signature",
];

/// A cluster. Unknown keys are kept and reach the chart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Cluster {
    /// Where images are pushed: `host[:port]/path`.
    pub registry: Option<Text>,
    /// Where pods pull from, when that differs.
    #[serde(rename = "internalRegistry")]
    pub internal_registry: Option<Text>,
    /// Completes bare ingress hosts: `HOST.DOMAIN`.
    pub domain: Option<Text>,
    /// Completes bare ingress hosts: `HOST` + suffix.
    pub domain_suffix: Option<Text>,
    /// Where everything lives; the kubeconfig's own when not given.
    pub namespace: Option<Text>,
    /// The pods' service account.
    #[serde(rename = "serviceAccountName")]
    #[schemars(with = "Option<Text>")]
    pub service_account_name: Option<Json>,
    /// lain's own image, for `lain job` where no app is and for `--delete-after`: `REGISTRY/lain:latest` when not given.
    pub lain_image: Option<Text>,
    /// What `lain use` prints beside the name.
    pub extra_docs: Option<Text>,
    /// Credentials that come from environment variables: key to name, or to `{env_name, hint, required}`.
    #[schemars(with = "Option<IndexMap<String, FromEnv>>")]
    pub secrets_env: Option<IndexMap<String, Json>>,
    /// Lines for /etc/hosts of every container.
    #[serde(rename = "clusterHostAliases")]
    #[schemars(with = "Option<Vec<HostAlias>>")]
    pub cluster_host_aliases: Option<Json>,
    /// Lines for /etc/hosts of every container, where the app has none.
    #[serde(rename = "hostAliases")]
    #[schemars(with = "Option<Vec<HostAlias>>")]
    pub host_aliases: Option<Json>,
    /// The class of inner ingresses.
    #[serde(rename = "ingressClass")]
    #[schemars(with = "Option<Text>")]
    pub ingress_class: Option<Json>,
    /// The class of public ingresses.
    #[serde(rename = "externalIngressClass")]
    #[schemars(with = "Option<Text>")]
    pub external_ingress_class: Option<Json>,
    /// Whether the class goes into `ingressClassName`; else into the annotation.
    #[serde(rename = "supportsIngressClassName")]
    #[schemars(with = "Option<bool>")]
    pub supports_ingress_class_name: Option<Json>,
    /// The issuer that cert-manager asks: ingresses have TLS.
    #[serde(rename = "clusterIssuer")]
    pub cluster_issuer: Option<Text>,
    /// A Secret with a certificate: inner ingresses have TLS.
    #[serde(rename = "ingressTLSSecretName")]
    pub ingress_tls_secret_name: Option<Text>,
    /// A Secret with a certificate: public ingresses have TLS.
    #[serde(rename = "externalIngressTLSSecretName")]
    #[schemars(with = "Option<Text>")]
    pub external_ingress_tls_secret_name: Option<Json>,
    /// The port of inner ingress URLs.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 65535), extend("x-lint" = "L025"))]
    pub ingress_internal_port: Option<u16>,
    /// The port of outer ingress URLs.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 1, max = 65535), extend("x-lint" = "L025"))]
    pub ingress_external_port: Option<u16>,
    /// Grafana's address.
    pub grafana_url: Option<Text>,
    /// Kibana's host.
    pub kibana: Option<Text>,
    /// Prometheus' address.
    pub prometheus: Option<Text>,
    /// The queries behind lint's advice.
    #[schemars(with = "Option<PqlTemplate>")]
    pub pql_template: Option<Json>,
    /// What a core and a GiB cost, for `lain admin list-waste`: `{cpu: 20, memory: 3, currency: CNY, per: month}`.
    pub price: Option<Price>,
    /// Alertmanager's address.
    #[schemars(with = "Option<Text>")]
    pub alertmanager: Option<Json>,
    /// GitLab's address.
    pub gitlab: Option<Text>,
    /// A docker daemon to use with `--remote-docker`.
    pub remote_docker: Option<Text>,
    /// The buildx builder that builds images, as `docker buildx ls` names it; docker itself when not given.
    pub buildx_builder: Option<Text>,
    /// Keep the builder's cache in the registry: `true`, or another registry for it. With `buildx_builder`.
    #[schemars(with = "Option<BuildCache>")]
    pub build_cache: Option<Text>,
    /// Where base images come from in place of the registry they name, the longest name that fits first: `{docker.io: harbor.example.com/proxy}`.
    pub image_mirrors: Option<IndexMap<String, Text>>,
    /// The rented machines that the older tool started and stopped; lain does neither.
    pub instance_ids: Option<Json>,
    /// The `JuiceFS` volume, as older clusters name it.
    pub jfs: Option<Json>,
    /// Accepted and ignored: every registry is spoken to alike.
    pub registry_type: Option<Text>,
    /// Speak TLS to the registry without checking it, or plain http.
    pub registry_insecure: Option<bool>,
    /// A command that prints a token for the registry, as for ECR; run without a shell.
    pub registry_token_fetch_cmd: Option<Text>,
    /// The scheme that token is sent with: `Basic` or `Bearer`, which is meant when not given.
    pub registry_token_type: Option<Text>,
    /// Whether the registry's API is spoken to over https, whatever the host is called.
    pub registry_endpoint_use_https: Option<bool>,
    /// Aliyun's and Tencent's credentials; accepted, docker's own are used.
    #[schemars(with = "Option<Text>")]
    pub access_key_id: Option<Json>,
    /// See `access_key_id`.
    #[schemars(with = "Option<Text>")]
    pub access_key_secret: Option<Json>,
    /// Harbor's token: base64 of `user:password`.
    pub harbor_token: Option<Text>,
    /// Docker Hub's user.
    pub dockerhub_username: Option<Text>,
    /// Docker Hub's password or token.
    pub dockerhub_password: Option<Text>,
    /// Claims that an app mounts with `useClusterSpec: true`.
    #[serde(rename = "clusterPersistentVolumeClaims")]
    #[schemars(with = "Option<IndexMap<String, Option<IndexMap<String, Json>>>>")]
    pub cluster_persistent_volume_claims: Option<Json>,
    /// The context in the kubeconfig; for the GitLab agent `path/to/project:agent`.
    pub kube_context: Option<Text>,
    /// Return to the last good release when a deploy fails.
    pub rollback_on_failure: Option<bool>,
    /// How long a rollout bears what may pass (a crash loop, a pod that no node takes, pods that the server refuses) before it counts as failed: `5m`.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<Text>", extend("format" = "duration", "examples" = ["5m"]))]
    pub progress_budget: Option<Duration>,
    /// The helm that changes releases, where another is `helm` here: 3 for the program `helm3`, 4 for `helm4`.
    #[serde(default, deserialize_with = "whole")]
    #[schemars(range(min = 3, max = 4))]
    pub helm_version: Option<u32>,
    /// How images are signed, and whose signature counts.
    pub signature: Option<Signature>,
    /// What runs of an app's own images is signed, as `signature` says: everything else is refused.
    pub require_signature: Option<bool>,
    /// Accepted, unused.
    pub pypi_index: Option<Json>,
}

/// The ways to what is a credential, or leads to one, wherever in the values it stands: lain uses it, the chart has no use for it, and helm would
/// keep it in every release.
pub const CREDENTIALS: [&[&str]; 9] = [
    &["access_key_id"],
    &["access_key_secret"],
    &["dockerhub_password"],
    &["dockerhub_username"],
    &["harbor_token"],
    &["registry_token_fetch_cmd"],
    &["secrets_env"],
    &["webhook", "secret"],
    &["webhook", "url"],
];

/// Those of [`CREDENTIALS`] that name something and are no secret themselves.
const NAMES: [&str; 4] = ["access_key_id", "dockerhub_username", "registry_token_fetch_cmd", "secrets_env"];

/// True for a way to a secret, false for one to a name that belongs to a secret (a user, an environment variable).
pub fn is_secret(way: &[String]) -> bool {
    way.first().is_some_and(|first| !NAMES.contains(&first.as_str()))
}

/// True for a name of a key that says of itself to be a credential: `registry_password`, `minioSecretKey`, `npm-token`. Not those that name a
/// Secret (`ingressTLSSecretName`, `imagePullSecrets`).
pub fn looks_like_credential(name: &str) -> bool {
    let mut words: Vec<String> = vec![];
    let mut start = true;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            start = true;
            continue;
        }
        if start || (c.is_uppercase() && !words.last().is_some_and(|word| word.chars().last().is_some_and(char::is_uppercase))) {
            words.push(String::new());
        }
        start = false;
        words.last_mut().into_iter().for_each(|word| word.push(c));
    }
    let words: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let of_key = |word: &str| matches!(word, "access" | "secret" | "api" | "private");
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [.., kind, "key"] => of_key(kind),
        [.., last] => {
            matches!(last, "token" | "password" | "passwd" | "secret" | "credential" | "credentials")
                || last.strip_suffix("key").is_some_and(of_key)
        }
        [] => false,
    }
}

/// True for an address with a password in it: `https://user:password@host`.
pub fn has_login(text: &str) -> bool {
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.and_then(|authority| authority.rsplit_once('@')).is_some_and(|(login, _)| login.contains(':'))
}

impl Cluster {
    /// The variables of the environment that logins come from (`secrets_env`).
    pub fn secret_variables(&self) -> impl Iterator<Item = &str> {
        self.secrets_env.iter().flatten().filter_map(|(_, entry)| entry.as_str().or_else(|| entry["env_name"].as_str()))
    }

    /// lain's own image, as pods pull it: `lain_image`, else `REGISTRY/lain:latest`. None where no registry is named either.
    pub fn own_image(&self) -> Option<String> {
        let registry = || self.internal_registry.as_deref().or(self.registry.as_deref());
        self.lain_image.as_deref().map(str::to_owned).or_else(|| Some(format!("{}:latest", repository_in(registry()?, "lain"))))
    }
}

/// How images are signed by `cosign`, and whose signature counts: that of a key, or of an identity that an issuer vouches for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)] // a slip in it would let anything pass
pub struct Signature {
    /// The public key: itself (PEM), a file beside this one, or its address (`awskms://`, `gcpkms://`, `azurekms://`, `hashivault://`, `k8s://`).
    pub key: Option<Text>,
    /// Who signed without a key: the subject of the certificate.
    pub identity: Option<Text>,
    /// The same as a regular expression.
    pub identity_regexp: Option<Text>,
    /// Who vouches for the identity: `https://gitlab.com`.
    pub issuer: Option<Text>,
    /// The key that `--sign` signs with: an address, or a file beside this one. `COSIGN_PRIVATE_KEY` and `--key` go before it.
    pub signing_key: Option<Text>,
    /// `false`: signatures are in no transparency log, as where no such server can be reached.
    pub tlog: Option<bool>,
}

impl Signature {
    /// What is wrong with what it says of whose signature counts, in words that follow its name; none where it names one, or nobody.
    pub fn wrong(&self) -> Option<&'static str> {
        let who = self.identity.is_some() || self.identity_regexp.is_some();
        match (&self.key, who, &self.issuer) {
            (Some(_), true, _) | (Some(_), _, Some(_)) => Some("names a key and an identity, and only one can count"),
            (None, true, None) => Some("names an identity, and no `issuer` that vouches for it"),
            (None, false, Some(_)) => Some("names an `issuer`, and no `identity`: whoever that vouches for would count"),
            _ if self.identity.is_some() && self.identity_regexp.is_some() => Some("names an `identity` and an `identity_regexp`"),
            _ => None,
        }
    }

    /// True where it says whose signature counts.
    pub fn names_somebody(&self) -> bool {
        self.key.is_some() || self.issuer.is_some()
    }
}

/// What is asked for costs so much, used or not.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Price {
    /// A core.
    #[serde(default, deserialize_with = "cost")]
    #[schemars(range(min = 0))]
    pub cpu: Option<f64>,
    /// A GiB of memory.
    #[serde(default, deserialize_with = "cost")]
    #[schemars(range(min = 0))]
    pub memory: Option<f64>,
    /// In which money: `CNY`.
    pub currency: Option<Text>,
    /// For how long; a month when not given.
    #[schemars(with = "Option<Text>", extend("enum" = ["hour", "day", "month", "year", null]))]
    pub per: Option<Per>,
}

fn cost<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let cost: Option<f64> = Option::deserialize(deserializer)?;
    match cost.filter(|cost| !(0.0..1e15).contains(cost)) {
        Some(wrong) => Err(de::Error::invalid_value(de::Unexpected::Float(wrong), &"a number from 0 on")),
        None => Ok(cost),
    }
}

/// The time that a price is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    #[default]
    Month,
    /// A year.
    Year,
}

/// Where a credential comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum FromEnv {
    /// The variable's name.
    Name(Text),
    /// More about it.
    More {
        /// The variable's name.
        env_name: Text,
        /// What to tell those who have it not.
        hint: Option<Text>,
        /// Whether a login ends when it is not set; else docker's own login does.
        required: Option<bool>,
    },
}

/// Where the cache of builds is kept.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)] // read by the schema alone
pub enum BuildCache {
    /// Beside the app's images.
    Here(bool),
    /// In another registry: `host[:port]/path`.
    There(Text),
}

/// Queries with `{appname}`, `{proc_name}` and `{range}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct PqlTemplate {
    /// CPU of a process over time, in cores or millicores as the query says.
    pub cpu: Option<Text>,
    /// Memory of a process, one number, in bytes.
    pub memory_quantile: Option<Text>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::schema;

    #[test]
    fn names_that_say_what_they_are() {
        for name in [
            "harbor_token",
            "registryPassword",
            "npm-token",
            "MINIO_SECRET_KEY",
            "aws.access_key",
            "apiKey",
            "credentials",
            "tlsPrivateKey",
        ] {
            assert!(looks_like_credential(name), "{name}");
        }
        for name in [
            "ingressTLSSecretName",
            "imagePullSecrets",
            "env",
            "secretsChecksum",
            "token_ttl",
            "registry",
            "key",
            "monkey",
            "passwords_file",
        ] {
            assert!(!looks_like_credential(name), "{name}");
        }
        assert!(has_login("https://me:s3cret@prometheus.example.com/x") && !has_login("https://prometheus.example.com/a:b@c"));
    }

    #[test]
    fn the_list_is_of_keys_that_are_there_and_misses_none_that_says_so() {
        let keys: Vec<&str> = schema::keys(schema::cluster(), None).collect();
        let app: Vec<&str> = schema::keys(schema::values(), None).collect();
        for way in CREDENTIALS {
            assert!(keys.contains(&way[0]) || app.contains(&way[0]), "{way:?}");
        }
        for key in keys.into_iter().filter(|key| looks_like_credential(key)) {
            assert!(CREDENTIALS.contains(&&[key][..]), "{key}");
        }
    }
}
