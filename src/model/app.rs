//! The application, as its values say.
//!
//! These types are all there is to say of the values' shape: serde reads values into them, schemars makes the JSON Schema of them, and lint walks values along
//! that schema. What lain itself does not read is kept as JSON, whatever it is (`schemars(with)` says what lint and editors expect), so that a slip in a probe
//! stops no `lain logs`.

use std::borrow::Cow;
use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value as Json;

use super::aliases::canonical;
use super::build_secret::{BuildSecrets, Source};
use super::kubernetes::{HostAlias, NetworkPolicy, VolumeMount};
use super::name::{is_harmless, to_label};
use super::proc::{CronJobs, Deployments, Jobs, Proc, StatefulSets, Tests};
use super::quantity::Quantity;
use super::text::{EnvMap, Text};
use crate::error::Result;
use crate::values::node::Node;
use crate::values::typed::typed;

/// An application: `chart/values.yaml` and what other files change of it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(transform = super::aliases::add_aliases)]
pub struct App {
    /// Names everything in the cluster. Do not change it once the app runs.
    #[schemars(extend("format" = "label"))]
    pub appname: Text,
    /// Deploys the app a second time under another release.
    #[serde(rename = "releaseName")]
    #[schemars(extend("format" = "label"))]
    pub release_name: Option<Text>,
    /// Labels of every object.
    #[schemars(with = "Option<IndexMap<String, Option<Text>>>")]
    pub labels: Option<Json>,
    /// Environment of every container. Passwords belong into `lain env edit`.
    pub env: Option<EnvMap>,
    /// Environment from Secrets or config maps of others (Kubernetes' `envFrom`).
    #[serde(rename = "extraEnvFrom")]
    #[schemars(with = "Option<Vec<IndexMap<String, Json>>>")]
    pub extra_env_from: Option<Json>,
    /// Files and folders mounted in every container.
    #[serde(rename = "volumeMounts")]
    pub volume_mounts: Option<Vec<VolumeMount>>,
    /// Other volumes, in Kubernetes' own words.
    #[schemars(with = "Option<Vec<IndexMap<String, Json>>>")]
    pub volumes: Option<Json>,
    /// Claims by name; each is a volume of the same name.
    #[serde(rename = "persistentVolumeClaims")]
    #[schemars(with = "Option<IndexMap<String, Option<IndexMap<String, Json>>>>")]
    pub persistent_volume_claims: Option<Json>,
    /// Lines for /etc/hosts of every container.
    #[serde(rename = "hostAliases")]
    #[schemars(with = "Option<Vec<HostAlias>>")]
    pub host_aliases: Option<Json>,
    /// Who may talk to the pods.
    #[serde(rename = "networkPolicy")]
    #[schemars(with = "Option<NetworkPolicy>")]
    pub network_policy: Option<Json>,
    /// Long-running processes.
    #[schemars(with = "Option<Deployments>")]
    pub deployments: Option<IndexMap<String, Option<Proc>>>,
    /// Long-running processes with an identity.
    #[serde(rename = "statefulSets")]
    #[schemars(with = "Option<StatefulSets>")]
    pub stateful_sets: Option<IndexMap<String, Option<Proc>>>,
    /// Processes on a schedule.
    #[schemars(with = "Option<CronJobs>")]
    pub cronjobs: Option<IndexMap<String, Option<Proc>>>,
    /// Processes that run to their end with a deploy.
    #[schemars(with = "Option<Jobs>")]
    pub jobs: Option<IndexMap<String, Option<Proc>>>,
    /// Run after each deploy by `helm test`.
    #[schemars(with = "Option<Tests>")]
    pub tests: Option<IndexMap<String, Option<Proc>>>,
    /// Inner domain names. A host without a dot gets the cluster's domain.
    pub ingresses: Option<Vec<Ingress>>,
    /// Public domain names, in full.
    #[serde(rename = "externalIngresses")]
    pub external_ingresses: Option<Vec<Ingress>>,
    /// Annotations of all inner ingresses.
    #[serde(rename = "ingressAnnotations")]
    #[schemars(with = "Option<IndexMap<String, Option<Text>>>")]
    pub ingress_annotations: Option<Json>,
    /// Annotations of all public ingresses.
    #[serde(rename = "externalIngressAnnotations")]
    #[schemars(with = "Option<IndexMap<String, Option<Text>>>")]
    pub external_ingress_annotations: Option<Json>,
    /// Annotations of all Services.
    #[serde(rename = "serviceAnnotations")]
    #[schemars(with = "Option<IndexMap<String, Option<Text>>>")]
    pub service_annotations: Option<Json>,
    /// The tag of the app's image, where lain builds none.
    #[serde(rename = "imageTag")]
    #[schemars(with = "Option<Json>")]
    pub image_tag: Option<Json>,
    /// How the image is built; none when every proc names its own `image`.
    pub build: Option<Build>,
    /// A smaller image for production, with copies from the build stage.
    pub release: Option<Release>,
    /// Several images from one repo, by name: `APP-NAME:TAG`. A proc picks one with `build: NAME`.
    #[schemars(with = "Option<IndexMap<String, NamedBuild>>")]
    pub builds: Option<IndexMap<String, Build>>,
    /// Where deploys and secret edits are told.
    pub webhook: Option<Webhook>,
    /// What the two Secrets are named after in place of the app: a review's own, which lain sets.
    #[serde(rename = "secretsName")]
    #[schemars(skip)]
    pub secrets_name: Option<Text>,
    /// nginx canary annotations by group, for `lain set-canary-group`.
    #[serde(rename = "canaryGroups")]
    pub canary_groups: Option<IndexMap<String, IndexMap<String, Text>>>,
    /// How far back `lain lint` looks for its advice: `7d`.
    #[schemars(with = "Option<Text>", extend("format" = "duration"))]
    pub prometheus_query_range: Option<Json>,
}

/// An ingress.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// A full host, or a bare word completed by the cluster's domain.
    pub host: Text,
    /// The deployment behind it.
    pub deploy_name: Text,
    /// Paths, `/` when none.
    pub paths: Option<Vec<Text>>,
    /// Annotations of this one.
    #[schemars(with = "Option<IndexMap<String, Option<Text>>>")]
    pub annotations: Option<Json>,
    /// Another class than the cluster's.
    #[schemars(with = "Option<Text>")]
    pub ingress_class: Option<Json>,
}

/// How an image is built.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(transform = require_base)]
pub struct Build {
    /// The image to start from; empty where there is none.
    #[serde(default)]
    pub base: Text,
    /// In `builds`: start from what another one of them makes, instead of `base`.
    #[schemars(skip)]
    pub from: Option<Text>,
    /// Build-time environment, in the image too. `${NAME}` comes from your shell or CI job.
    pub env: Option<EnvMap>,
    /// The slow part, built once by `lain prepare`.
    #[schemars(with = "Option<Prepare>")]
    pub prepare: Option<Preparation>,
    /// Commands.
    pub script: Option<Vec<Text>>,
    /// Working directory, `/lain/app` when not given.
    pub workdir: Option<Text>,
    /// What scripts read at `/run/secrets/NAME` and no image keeps: names of environment variables, or where each comes from. Needs `BuildKit`.
    pub secrets: Option<BuildSecrets>,
    /// What the image is to run on: `linux/amd64`, `linux/arm64`. The builder's own platform when not given.
    pub platforms: Option<Vec<Text>>,
    /// With `builds`: this image's own release stage.
    pub release: Option<Release>,
}

impl Build {
    /// The prepare stage, where it is the build's own.
    pub fn own_prepare(&self) -> Option<&Prepare> {
        match &self.prepare {
            Some(Preparation::Own(prepare)) => Some(prepare),
            _ => None,
        }
    }
}

/// Which prepare image a build starts from.
#[derive(Clone, Debug)]
pub enum Preparation {
    /// Its own.
    Own(Prepare),
    /// That of another one of `builds`.
    Of(Text),
}

impl<'de> Deserialize<'de> for Preparation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Preparation;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map, or the name of one of `builds`")
            }
            fn visit_str<E>(self, name: &str) -> std::result::Result<Preparation, E> {
                Ok(Preparation::Of(Text(name.to_owned())))
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> std::result::Result<Preparation, A::Error> {
                Prepare::deserialize(de::value::MapAccessDeserializer::new(map)).map(Preparation::Own)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// `base` is read without, so that the error can say what may stand in its place.
fn require_base(schema: &mut Schema) {
    schema.insert("required".to_owned(), serde_json::json!(["base"]));
    if let Some(base) = schema.pointer_mut("/properties/base").and_then(Json::as_object_mut) {
        base.shift_remove("default");
    }
}

/// One of `builds` to editors and lint: a [`Build`] that may start from another one.
struct NamedBuild;

impl JsonSchema for NamedBuild {
    fn schema_name() -> Cow<'static, str> {
        "NamedBuild".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Build::json_schema(generator);
        let (name, own) = (generator.subschema_for::<Text>(), generator.subschema_for::<Prepare>());
        schema.remove("required");
        if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
            let from = serde_json::json!({"description": "Start from what another one of `builds` makes, instead of `base`; `default` is `build`.", "anyOf": [name, {"type": "null"}]});
            properties.insert("from".to_owned(), from);
            let prepare = serde_json::json!({"description": "The slow part, built once by `lain prepare`; or the name of another one of `builds`, to start from its prepare image.", "anyOf": [own, name, {"type": "null"}]});
            properties.insert("prepare".to_owned(), prepare);
        }
        schema
    }
}

/// The prepare stage.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Prepare {
    /// Build-time environment.
    pub env: Option<EnvMap>,
    /// Commands.
    pub script: Option<Vec<Text>>,
    /// What survives of the working directory, relative to it.
    #[schemars(with = "Option<Vec<KeptPath>>")]
    pub keep: Option<Vec<Text>>,
    /// Files of the app's folder that it is made from, as `requirements/*.txt`: where one changes, it is made anew. Without them, those that its script
    /// names, and the usual ones of dependencies (`requirements*.txt`, `package-lock.json`, `go.sum` and their like).
    pub files: Option<Vec<Text>>,
}

/// A path below the working directory, without `*`.
#[derive(Debug, JsonSchema)]
#[schemars(extend("format" = "kept-path"))]
pub(crate) struct KeptPath(#[allow(dead_code)] String);

/// The release stage.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub struct Release {
    /// The image to start from, `build.base` when not given.
    pub dest_base: Option<Text>,
    /// Environment.
    pub env: Option<EnvMap>,
    /// What is copied from the build stage.
    pub copy: Option<Vec<Copy>>,
    /// Commands.
    pub script: Option<Vec<Text>>,
    /// Working directory, `/lain/app` when not given.
    pub workdir: Option<Text>,
}

/// A path copied from the build stage.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Copy {
    /// To the same path.
    Path(Text),
    /// To another one.
    To {
        /// In the build stage.
        src: Text,
        /// In the release image; `src` when not given.
        dest: Option<Text>,
    },
}

/// Where deploys are told.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Webhook {
    /// The address; `${NAME}` is taken from the environment.
    pub url: Option<Text>,
    /// Only these clusters.
    pub clusters: Option<Vec<Text>>,
    /// Slack's channel.
    pub channel: Option<Text>,
    /// Which provider (feishu, lark, slack, dingtalk, wecom, generic), when the host does not tell.
    #[serde(rename = "type")]
    pub kind: Option<Text>,
    /// The signing secret; `${NAME}` is taken from the environment.
    pub secret: Option<Text>,
    /// The body of a generic webhook.
    pub template: Option<Text>,
    /// Messages about deploys as text (the default) or as cards, with links as buttons.
    pub format: Option<Shape>,
    /// The language of what lain says there: en (the default) or zh.
    pub lang: Option<Language>,
}

/// What messages look like.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Shape {
    /// Lines of text.
    #[default]
    Text,
    /// What the provider shows as a card.
    Card,
}

/// The language of a room: its readers' own, whatever the locale of whoever sends.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Chinese.
    Zh,
}

/// Default working directory of every stage.
pub(crate) const WORKDIR: &str = "/lain/app";

impl App {
    /// The variables of the environment that hold secrets for this app: of its webhook, of its builds.
    pub fn secret_variables(&self) -> impl Iterator<Item = &str> {
        let webhook = self.webhook.iter().flat_map(|webhook| [&webhook.url, &webhook.secret]).flatten();
        let of_webhook = webhook.filter_map(|text| text.strip_prefix("${")?.strip_suffix('}'));
        let builds = self.build.iter().chain(self.builds.iter().flat_map(IndexMap::values));
        let secrets = builds.filter_map(|build| build.secrets.as_ref()).flat_map(|secrets| &secrets.0);
        of_webhook.chain(secrets.filter_map(|secret| match &secret.source {
            Source::Env(variable) => Some(variable.as_str()),
            Source::File(_) => None,
        }))
    }

    /// The app that merged values describe, under whatever aliases. Its names go into arguments, selectors and paths: none passes that could be anything
    /// but a name there. What Kubernetes takes is lint's matter (L001, L002).
    ///
    /// # Errors
    /// A value of the wrong type, or such a name: the error points to it.
    pub fn read(root: &Node) -> Result<Self> {
        let root = canonical(root);
        let app: Self = typed(&root)?;
        let refuse = |name: &str, node: &Node, what: &str, hint: String| {
            Err(node.span.error(format!("`{name}` cannot be the name of {what}: letters, digits and `-`, and a letter first")).hint(hint))
        };
        for key in ["appname", "releaseName"] {
            let name = if key == "appname" { Some(&app.appname) } else { app.release_name.as_ref() };
            if let (Some(name), Some(node)) = (name.filter(|name| !is_harmless(name)), root.get(key)) {
                return refuse(name, node, "an app", format!("{key}: {}", to_label(name)));
            }
        }
        for (kind, name, _) in app.procs().filter(|(_, name, _)| !is_harmless(name)) {
            let map = root.get(kind.key());
            if let Some(entry) = map.and_then(Node::as_map).and_then(|map| map.get(name)) {
                let named = Node { span: entry.key_span.clone(), ..entry.node.clone() };
                return refuse(name, &named, "a process", format!("{}:", to_label(name)));
            }
        }
        Ok(app)
    }

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

    /// The deployment with the largest memory limit; the first of equals.
    pub fn largest_deployment(&self) -> Option<&str> {
        let memory = |proc: &Proc| Quantity::of_json(&proc.resources.as_ref()?["limits"]["memory"]).ok();
        let mut best: Option<(&str, Option<Quantity>)> = None;
        for (_, name, proc) in self.procs().filter(|(kind, _, _)| *kind == ProcKind::Deployment) {
            let size = memory(proc);
            if best.is_none_or(|(_, most)| size > most) {
                best = Some((name, size));
            }
        }
        best.map(|(name, _)| name)
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

    fn secrets_name(&self) -> &str {
        self.secrets_name.as_deref().unwrap_or(&self.appname)
    }

    /// The Secret whose keys become environment variables.
    pub fn env_secret(&self) -> String {
        format!("{}-env", self.secrets_name())
    }

    /// The Secret whose keys become files.
    pub fn file_secret(&self) -> String {
        format!("{}-secret", self.secrets_name())
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

    /// The values key that holds procs of this kind.
    pub fn key(self) -> &'static str {
        match self {
            Self::Deployment => "deployments",
            Self::StatefulSet => "statefulSets",
            Self::CronJob => "cronjobs",
            Self::Job => "jobs",
            Self::Test => "tests",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse;
    use std::path::Path;

    #[test]
    fn the_deployment_with_most_memory() {
        let chosen = |memories: &[(&str, &str)]| {
            let proc = |(name, memory): &(&str, &str)| format!("  {name}: {{resources: {{limits: {{memory: {memory}}}}}}}");
            let procs: Vec<String> = memories.iter().map(proc).collect();
            let node = parse(Path::new("values.yaml"), format!("appname: a\ndeployments:\n{}\n", procs.join("\n"))).expect("values");
            App::read(&node).expect("an app").largest_deployment().map(str::to_owned)
        };
        for memories in [
            [("big", "1Ti"), ("small", "900Gi")],
            [("big", "1.5Gi"), ("small", "1Gi")],
            [("big", "2e9"), ("small", "1G")],
            [("big", "1073741825"), ("small", "1Gi")],
            [("big", "1Gi"), ("small", "1Gi")],
        ] {
            assert_eq!(chosen(&memories).as_deref(), Some("big"), "{memories:?}");
            if memories[0].1 != memories[1].1 {
                let [big, small] = memories;
                assert_eq!(chosen(&[small, big]).as_deref(), Some("big"), "{memories:?}");
            }
        }
    }
}
