//! What administrators write of their clusters: `values-CLUSTER.yaml` in folders of theirs.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::model::cluster::Cluster;
use crate::values::node::Node;
use crate::values::parse::read_file;
use crate::values::typed::typed;

/// The administrators' file of one cluster, read once.
#[derive(Debug)]
pub struct ClusterFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub node: Node,
    cluster: OnceCell<Cluster>,
}

impl ClusterFile {
    /// Reads the file of a cluster; none where no folder has one.
    ///
    /// # Errors
    /// It cannot be read, or is no YAML that helm takes.
    pub fn find(dirs: &[PathBuf], name: &str) -> Result<Option<Self>> {
        let Some(path) = cluster_file(dirs, name) else { return Ok(None) };
        Self::at(path).map(Some)
    }

    /// Reads one that may be in no folder of theirs.
    ///
    /// # Errors
    /// As [`ClusterFile::find`].
    pub(crate) fn at(path: PathBuf) -> Result<Self> {
        let node = read_file(&path)?;
        Ok(Self { path, node, cluster: OnceCell::new() })
    }

    /// What it says, typed: the administrators' word, whatever an app's values say.
    ///
    /// # Errors
    /// A value of the wrong type.
    pub fn cluster(&self) -> Result<&Cluster> {
        if let Some(cluster) = self.cluster.get() {
            return Ok(cluster);
        }
        let read = typed(&self.node)?;
        Ok(self.cluster.get_or_init(|| read))
    }
}

/// What the administrators say of a cluster; nothing where they wrote no file.
///
/// # Errors
/// As [`ClusterFile::find`] and [`ClusterFile::cluster`].
pub(crate) fn cluster_of(dirs: &[PathBuf], name: &str) -> Result<Cluster> {
    ClusterFile::find(dirs, name)?.map_or_else(|| Ok(Cluster::default()), |file| file.cluster().cloned())
}

/// `values-CLUSTER.yaml` of the first folder that has it.
pub(crate) fn cluster_file(dirs: &[PathBuf], name: &str) -> Option<PathBuf> {
    dirs.iter().map(|dir| dir.join(format!("values-{name}.yaml"))).find(|path| path.is_file())
}

/// All clusters that the folders describe, sorted, each once.
pub(crate) fn known_clusters(dirs: &[PathBuf]) -> Vec<String> {
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
pub(crate) fn own_cluster_file(dir: &Path, name: &str) -> Option<PathBuf> {
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
