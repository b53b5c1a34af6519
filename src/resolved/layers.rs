//! The one place that finds, loads and merges values files.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::clusters::{ClusterFile, own_cluster_file};
use crate::error::{Error, Kind, Result};
use crate::model::aliases::{ALIASES, canonical};
use crate::model::cluster::{ADMINISTRATORS, CREDENTIALS, has_login, is_secret, looks_like_credential};
use crate::model::name::{MAX_LABEL, canary_of, is_slip, nearest, review_of, to_label, within};
use crate::model::schema;
use crate::values::merge::{coalesce, overlay};
use crate::values::node::{Map, Node, Value};
use crate::values::parse::{parse, read_file, read_file_as};
use crate::values::set::{apply_set, parse_set};
use crate::values::typed::typed;

/// The app's own values file.
pub const APP_VALUES: &str = "chart/values.yaml";

/// Stands for the file that the values of a canary would come from.
pub const CANARY: &str = "--canary";
/// The same of a review.
pub const REVIEW: &str = "--review";

/// One file or argument that contributed values.
#[derive(Debug)]
pub struct Layer {
    /// The file; none for `--set` and for what makes a canary.
    pub path: Option<PathBuf>,
    /// What it says.
    pub node: Node,
    /// A `--set`, as it was given.
    set: Option<String>,
    /// The administrators' file of the cluster.
    of_cluster: bool,
}

impl Layer {
    /// A `--set`, as it was given; none for all else.
    pub fn argument(&self) -> Option<&str> {
        self.set.as_deref()
    }
}

/// All values that apply, in order, and their merge.
#[derive(Debug)]
pub struct Layers {
    /// From `chart/values.yaml` to `--set`; later wins.
    pub layers: Vec<Layer>,
    /// What helm will see.
    pub merged: Node,
    /// The same with every alias under its key; none where nobody wrote one.
    canonical: OnceCell<Option<Node>>,
}

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The chosen cluster, if any.
    pub cluster: Option<&'a str>,
    /// What its administrators wrote, if anything.
    pub cluster_file: Option<&'a ClusterFile>,
    /// `-f FILE`, in order.
    pub extra: &'a [PathBuf],
    /// As a canary beside the app.
    pub canary: bool,
    /// As a review of this name beside the app.
    pub review: Option<&'a str>,
    /// `--set`, in order.
    pub set: &'a [String],
}

impl Layers {
    /// Loads everything that applies to the app in `dir`.
    ///
    /// # Errors
    /// No `chart/values.yaml`, an unreadable or invalid file.
    pub fn load(dir: &Path, wanted: &Wanted<'_>) -> Result<Self> {
        let app = PathBuf::from(APP_VALUES);
        if !dir.join(&app).is_file() {
            return Err(Error::failed(format!("no {APP_VALUES} in {}", dir.display())).hint("lain init"));
        }
        let file = |path: PathBuf| -> Result<Layer> {
            let node = read_relative(dir, &path)?;
            Ok(Layer { path: Some(path), node, set: None, of_cluster: false })
        };
        let mut layers = vec![file(app)?];
        if let Some(of_cluster) = wanted.cluster_file {
            layers.push(Layer { path: Some(of_cluster.path.clone()), node: of_cluster.node.clone(), set: None, of_cluster: true });
        }
        if let Some(own) = wanted.cluster.and_then(|name| own_cluster_file(dir, name)) {
            layers.push(file(own)?);
        }
        for path in wanted.extra {
            layers.push(file(path.clone())?);
        }
        let files = layers.len();
        for argument in wanted.set {
            layers.push(Layer { path: None, node: parse_set(argument, false)?, set: Some(argument.clone()), of_cluster: false });
        }
        if wanted.canary {
            let text = canary_values(&merge(&layers[..files])?, &merge(&layers)?)?;
            let node = parse(Path::new(CANARY), text)?;
            layers.insert(files, Layer { path: None, node, set: None, of_cluster: false });
        }
        if let Some(name) = wanted.review {
            let node = parse(Path::new(REVIEW), review_values(&merge(&layers)?, name)?)?;
            layers.insert(files, Layer { path: None, node, set: None, of_cluster: false });
        }
        let merged = merge(&layers)?;
        Ok(Self { layers, merged, canonical: OnceCell::new() })
    }

    /// What helm will see, with every alias under its key: what lain itself reads.
    pub fn canonical(&self) -> &Node {
        let own = self.canonical.get_or_init(|| match canonical(&self.merged) {
            std::borrow::Cow::Borrowed(_) => None,
            std::borrow::Cow::Owned(node) => Some(node),
        });
        own.as_ref().unwrap_or(&self.merged)
    }

    /// Refuses what only the administrators' file of the cluster may say, wherever else it is said.
    ///
    /// # Errors
    /// The app's files, `-f` or `--set` say such a thing.
    pub fn refuse_foreign_words(&self) -> Result<()> {
        let administrators = self.layers.iter().find(|layer| layer.of_cluster);
        for layer in self.layers.iter().filter(|layer| !layer.of_cluster) {
            for (key, entry) in layer.node.as_map().into_iter().flatten() {
                let same = administrators.and_then(|said| said.node.get(key)).map(Node::to_json);
                if ADMINISTRATORS.contains(&key.as_str()) && same.as_ref() != Some(&entry.node.to_json()) {
                    let file = administrators.and_then(|layer| layer.path.as_ref());
                    let place = file.map_or_else(|| "values-CLUSTER.yaml".to_owned(), |file| file.display().to_string());
                    let why =
                        format!("`{key}` decides what is run, or where the cluster's logins go: only the cluster's own file says that");
                    let what = if layer.set.is_some() { "leave that --set out" } else { "remove the line" };
                    let hint = format!("{what}; administrators write it into {place}");
                    return Err(entry.key_span.error(why).with_kind(Kind::Refused).hint(hint));
                }
            }
        }
        Ok(())
    }

    /// Refuses a key at the top that `--set` gives, that nobody reads, and that is nearly one that is read: helm takes it without a word, and `imagetag=OLD`
    /// would deploy HEAD. Keys of the app's own files and templates are its own.
    ///
    /// # Errors
    /// There is one.
    pub fn refuse_slips(&self, dir: &Path) -> Result<()> {
        let known = || schema::keys(schema::values(), None).chain(schema::keys(schema::cluster(), None));
        let mut templates = None;
        for layer in &self.layers {
            let Some(argument) = layer.argument() else { continue };
            for (key, entry) in layer.node.as_map().into_iter().flatten() {
                let in_files = || self.layers.iter().any(|layer| layer.set.is_none() && layer.node.get(key).is_some());
                if known().any(|word| word == key) || in_files() {
                    continue;
                }
                let meant = match key.as_str() {
                    "image" | "tag" => Some("imageTag"), // where other charts have it
                    _ => nearest(key, known()).filter(|near| is_slip(key, near)),
                };
                let Some(meant) = meant else { continue };
                if templates.get_or_insert_with(|| texts(&dir.join("chart/templates"))).iter().any(|text| reads(text, key)) {
                    continue;
                }
                let hint = match argument.split_once('=') {
                    Some((way, value)) if !value.contains(',') && (way == key || meant == "imageTag") => format!("--set {meant}={value}"),
                    _ => format!("--set {meant}=..."),
                };
                let why = format!("nothing reads `{key}`: did you mean `{meant}`?");
                return Err(entry.key_span.error(why).with_kind(Kind::Refused).hint(hint));
            }
        }
        Ok(())
    }

    /// What makes it a canary or a review, as YAML for helm's stdin.
    pub fn canary(&self) -> Option<&str> {
        let mut sources = self.layers.iter().map(|layer| &layer.node.span.source);
        sources.find(|source| source.path.as_os_str() == CANARY || source.path.as_os_str() == REVIEW).map(|source| source.text.as_str())
    }

    /// The files that helm needs as `-f`: all but the chart's own.
    pub fn files_for_helm(&self) -> impl Iterator<Item = &Path> {
        self.layers.iter().skip(1).filter_map(|layer| layer.path.as_deref())
    }

    /// The ways to all that are credentials: those that lain knows, and what the administrators' file of the cluster calls so and no template mentions.
    pub fn credentials(&self, dir: &Path) -> Vec<Vec<String>> {
        let known = CREDENTIALS.iter().map(|way| way.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>());
        let named = self.layers.iter().filter(|layer| layer.of_cluster).filter_map(|layer| layer.node.as_map()).flatten();
        let named = named.filter(|(name, entry)| looks_like_credential(name) || entry.node.as_str().is_some_and(has_login));
        let mut named: Vec<&String> = named.map(|(name, _)| name).filter(|name| !known.clone().any(|way| way[0] == **name)).collect();
        if !named.is_empty() {
            let templates = texts(&dir.join("chart/templates"));
            named.retain(|name| !templates.iter().any(|text| mentions(text, name)));
        }
        known.clone().chain(named.into_iter().map(|name| vec![name.clone()])).collect()
    }

    /// Those of these ways that lead to something in what is given beyond the app's own file.
    ///
    /// # Errors
    /// A `--set` cannot be read.
    pub fn given<'a>(&self, ways: &'a [Vec<String>]) -> Result<Vec<&'a [String]>> {
        let given = given(&self.layers)?;
        let leads = |way: &&[String]| {
            let end = way.iter().try_fold(&given, |node, step| node.get(step));
            end.is_some_and(|node| !matches!(node.value, Value::Null))
        };
        Ok(ways.iter().map(Vec::as_slice).filter(leads).collect())
    }

    /// The texts that stand at the ends of these ways, in any layer, and are secrets: long enough to tell, no `${NAME}` of the environment.
    pub fn secrets<'a>(&'a self, ways: &[Vec<String>]) -> Vec<&'a str> {
        let mut found = vec![];
        for way in ways.iter().filter(|way| is_secret(way)) {
            for layer in &self.layers {
                way.iter().try_fold(&layer.node, |node, step| node.get(step)).into_iter().for_each(|end| end.texts(&mut found));
            }
        }
        found.retain(|text| text.len() >= 6 && !text.starts_with("${"));
        found
    }

    /// Reads the merged values as a type; a type error points to the line it comes from.
    ///
    /// # Errors
    /// A missing key or a value of another type.
    pub fn typed<T: DeserializeOwned>(&self) -> Result<T> {
        typed(&self.merged)
    }
}

/// A release of its own, named after what the files call it, else after the app as `--set` has it. Its ingresses get no traffic until a group of
/// `canaryGroups` is chosen: what the older tool passed too.
fn canary_values(files: &Node, merged: &Node) -> Result<String> {
    let release = files.get("releaseName").and_then(Node::as_str).or_else(|| merged.get("appname").and_then(Node::as_str));
    let Some(release) = release else {
        return Err(merged.span.error("`appname` is missing, which the canary is named after").hint("appname: NAME"));
    };
    let canary = serde_json::json!({"nginx.ingress.kubernetes.io/canary": "true"});
    Ok(crate::values::write::to_yaml(&serde_json::json!({
        "releaseName": canary_of(release), "ingressAnnotations": canary, "externalIngressAnnotations": canary
    })))
}

/// A release and Secrets of its own, one pod a process, nothing that is there once a cluster (a nodePort, labels of nodes, public names), no schedule; hosts
/// of its own by their first word.
fn review_values(merged: &Node, name: &str) -> Result<String> {
    let appname = merged.get("appname").and_then(Node::as_str);
    let appname =
        appname.ok_or_else(|| merged.span.error("`appname` is missing, which the review is named after").hint("appname: NAME"))?;
    let release = review_of(appname, name).filter(|release| *release != canary_of(appname));
    let release = release.ok_or_else(|| Error::usage(format!("`{name}` cannot name a review")).hint("lain deploy --review my-branch"))?;
    let word = to_label(name);
    let mut own = serde_json::json!({"releaseName": release, "secretsName": release, "review": word});
    let names = |key: &'static str| {
        let aliases = ALIASES.iter().find(|(known, _)| *known == key).map(|(_, aliases)| *aliases);
        std::iter::once(key).chain(aliases.into_iter().flatten().copied()).filter(|key| merged.get(key).is_some()).collect::<Vec<_>>()
    };
    let null = serde_json::Value::Null;
    let alone = serde_json::json!({"replicaCount": 1, "nodePort": null, "nodes": null, "hpa": null});
    let still = serde_json::json!({"suspend": true, "nodes": null});
    let nowhere = serde_json::json!({"nodes": null});
    for (key, change) in [("deployments", &alone), ("statefulSets", &alone), ("cronjobs", &still), ("jobs", &nowhere)] {
        for key in names(key) {
            let procs = merged.get(key).and_then(Node::as_map).into_iter().flatten();
            let there = procs.filter(|(_, entry)| entry.node.as_map().is_some());
            let changed = there.map(|(proc, entry)| {
                // A key that is not there stays out: helm would keep a null.
                let all = change.as_object().into_iter().flatten();
                let kept = all.filter(|(key, value)| !value.is_null() || entry.node.get(key).is_some());
                (proc.clone(), kept.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into())
            });
            own[key] = changed.collect::<serde_json::Map<String, serde_json::Value>>().into();
        }
    }
    for key in names("externalIngresses") {
        own[key] = serde_json::json!([]);
    }
    for key in names("ingresses") {
        let mut list = merged.get(key).map_or(null.clone(), Node::to_json);
        for ingress in list.as_array_mut().into_iter().flatten() {
            let Some(host) = ingress["host"].as_str() else { continue };
            let (first, rest) = host.split_once('.').map_or((host, String::new()), |(first, rest)| (first, format!(".{rest}")));
            ingress["host"] = format!("{}{rest}", within(&format!("{first}-{word}"), MAX_LABEL)).into();
        }
        own[key] = list;
    }
    Ok(crate::values::write::to_yaml(&own))
}

fn merge(layers: &[Layer]) -> Result<Node> {
    let (first, rest) = layers.split_first().expect("the app's own file is always the first layer");
    Ok(if rest.is_empty() { first.node.clone() } else { coalesce(&first.node, &given(layers)?) })
}

/// What is given beyond the app's own file.
fn given(layers: &[Layer]) -> Result<Node> {
    let (first, rest) = layers.split_first().expect("the app's own file is always the first layer");
    let mut given = Node { value: Value::Map(Map::new()), span: first.node.span.clone() };
    for layer in rest {
        match &layer.set {
            Some(argument) => apply_set(&mut given, argument, false)?,
            None => overlay(&mut given, &layer.node),
        }
    }
    Ok(given)
}

/// The texts of all files below a folder; links are not followed.
fn texts(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let below = entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => texts(&entry.path()),
        Ok(kind) if kind.is_file() => {
            fs::read(entry.path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).into_iter().collect()
        }
        _ => vec![],
    });
    below.collect()
}

/// True when `name` stands in `text` as a word of its own.
fn mentions(text: &str, name: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.match_indices(name).any(|(at, _)| !text[..at].ends_with(is_name) && !text[at + name.len()..].starts_with(is_name))
}

/// True when a template reads a key of the values.
fn reads(text: &str, key: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let way = format!(".Values.{key}");
    text.contains(&format!(".Values \"{key}\"")) || text.match_indices(&way).any(|(at, _)| !text[at + way.len()..].starts_with(is_name))
}

fn read_relative(dir: &Path, path: &Path) -> Result<Node> {
    let full = dir.join(path);
    if full.exists() { read_file_as(&full, path) } else { read_file(path) }
}
