//! The one place that finds, loads and merges values files.

use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::model::cluster::{CREDENTIALS, has_login, is_secret, looks_like_credential};
use crate::values::merge::{coalesce, overlay};
use crate::values::node::{Map, Node, Value};
use crate::values::parse::{parse, read_file, read_file_as};
use crate::values::set::{apply_set, parse_set};
use crate::values::typed::typed;

/// The app's own values file.
pub const APP_VALUES: &str = "chart/values.yaml";

/// Stands for the file that the values of a canary would come from.
pub const CANARY: &str = "--canary";

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

/// All values that apply, in order, and their merge.
#[derive(Debug)]
pub struct Layers {
    /// From `chart/values.yaml` to `--set`; later wins.
    pub layers: Vec<Layer>,
    /// What helm will see.
    pub merged: Node,
}

/// What to load.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The chosen cluster, if any.
    pub cluster: Option<&'a str>,
    /// Where cluster values files may live, first match wins.
    pub cluster_dirs: &'a [PathBuf],
    /// `-f FILE`, in order.
    pub extra: &'a [PathBuf],
    /// As a canary beside the app.
    pub canary: bool,
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
        let mut paths = vec![app];
        let of_cluster = wanted.cluster.and_then(|name| cluster_file(wanted.cluster_dirs, name));
        paths.extend(of_cluster.clone());
        if let Some(own) = wanted.cluster.and_then(|name| own_cluster_file(dir, name)) {
            paths.push(own);
        }
        paths.extend(wanted.extra.iter().cloned());
        let mut layers = Vec::with_capacity(paths.len() + wanted.set.len());
        for path in paths {
            let node = read_relative(dir, &path)?;
            let of_cluster = of_cluster.as_ref() == Some(&path);
            layers.push(Layer { path: Some(path), node, set: None, of_cluster });
        }
        if wanted.canary {
            let text = canary_values(&merge(&layers)?)?;
            layers.push(Layer { path: None, node: parse(Path::new(CANARY), text)?, set: None, of_cluster: false });
        }
        for argument in wanted.set {
            layers.push(Layer { path: None, node: parse_set(argument, false)?, set: Some(argument.clone()), of_cluster: false });
        }
        let merged = merge(&layers)?;
        Ok(Self { layers, merged })
    }

    /// What makes it a canary, as YAML for helm's stdin.
    pub fn canary(&self) -> Option<&str> {
        let mut sources = self.layers.iter().map(|layer| &layer.node.span.source);
        sources.find(|source| source.path.as_os_str() == CANARY).map(|source| source.text.as_str())
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

    /// Those of these ways that lead to something in what is given beyond the app's own file, with these `--set` on top.
    ///
    /// # Errors
    /// A `--set` cannot be read.
    pub fn given<'a>(&self, ways: &'a [Vec<String>], set: &[String]) -> Result<Vec<&'a [String]>> {
        let mut given = given(&self.layers)?;
        set.iter().try_for_each(|argument| apply_set(&mut given, argument, false))?;
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

/// A release of its own, whose ingresses get no traffic until a group of `canaryGroups` is chosen: what the older tool passed too.
fn canary_values(merged: &Node) -> Result<String> {
    let name = |key| merged.get(key).and_then(Node::as_str);
    let Some(release) = name("releaseName").or_else(|| name("appname")) else {
        return Err(merged.span.error("`appname` is missing, which the canary is named after").hint("appname: NAME"));
    };
    let canary = serde_json::json!({"nginx.ingress.kubernetes.io/canary": "true"});
    Ok(crate::values::write::to_yaml(&serde_json::json!({
        "releaseName": format!("{release}-canary"), "ingressAnnotations": canary, "externalIngressAnnotations": canary
    })))
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

fn read_relative(dir: &Path, path: &Path) -> Result<Node> {
    let full = dir.join(path);
    if full.exists() { read_file_as(&full, path) } else { read_file(path) }
}

/// `values-CLUSTER.yaml` of the first folder that has it.
pub fn cluster_file(dirs: &[PathBuf], name: &str) -> Option<PathBuf> {
    dirs.iter().map(|dir| dir.join(format!("values-{name}.yaml"))).find(|path| path.is_file())
}

/// All clusters that the folders describe, sorted, each once.
pub fn known_clusters(dirs: &[PathBuf]) -> Vec<String> {
    let mut names: Vec<String> = dirs
        .iter()
        .filter_map(|dir| fs::read_dir(dir).ok())
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_prefix("values-")?.strip_suffix(".yaml")?.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// `chart/values-CLUSTER.yaml`, or the file it names: git and API downloads flatten a link to a file that holds just its target. Relative.
pub fn own_cluster_file(dir: &Path, name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(format!("chart/values-{name}.yaml"));
    let full = dir.join(&path);
    let size = fs::metadata(&full).ok().filter(fs::Metadata::is_file)?.len();
    if size < 256 {
        let text = fs::read_to_string(&full).unwrap_or_default();
        let target = text.trim();
        let names_a_file = !target.contains(['\n', ':']) && Path::new(target).extension().is_some_and(|ext| ext == "yaml" || ext == "yml");
        if names_a_file {
            let target = Path::new("chart").join(target);
            return dir.join(&target).is_file().then_some(target);
        }
    }
    Some(path)
}
