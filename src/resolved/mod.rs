//! Which values apply: files, arguments, their order, their merge; read, checked and typed once.

pub(crate) mod chart;
pub(crate) mod clusters;
pub(crate) mod helm_values;
pub mod layers;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::error::{Error, Result};
use crate::files::{all_stays_inside, stays_inside};
use crate::model::app::App;
use crate::model::cluster::Cluster;
use crate::model::image::is_tag;
use crate::model::text::bounded;
use crate::values::node::{Node, Value};
use crate::values::set::{escape_key, parse_set};
use clusters::{ClusterFile, own_cluster_file};
use helm_values::HelmValues;
use layers::{Layers, Wanted};

/// What one command asks of values beyond the files that apply anyway.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `--set`, in order.
    pub set: Vec<String>,
    /// As a canary beside the app.
    pub canary: bool,
    /// As a review of this name beside the app.
    pub review: Option<String>,
}

impl Asked {
    /// With these `--set`.
    pub fn set(set: &[String]) -> Self {
        Self { set: set.to_vec(), ..Self::default() }
    }
}

/// Where values come from.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// The folder that holds `chart/`.
    pub dir: &'a Path,
    /// The chosen cluster.
    pub cluster: Option<&'a str>,
    /// What its administrators wrote.
    pub cluster_file: Option<Rc<ClusterFile>>,
    /// Where administrators write: links of the app's may lead there.
    pub cluster_dirs: &'a [PathBuf],
    /// `-f FILE`, in order.
    pub extra: &'a [PathBuf],
}

/// All that values say to one run. Every decision of lain's own reads this, and helm is told the same.
#[derive(Debug)]
pub struct Resolved {
    /// Each file and argument, and their merge.
    pub layers: Layers,
    asked: Asked,
    cluster_file: Option<Rc<ClusterFile>>,
    credentials: Vec<Vec<String>>,
    app: OnceCell<App>,
    cluster: OnceCell<Cluster>,
}

impl Resolved {
    /// Reads the app's values from files of its own that lead nowhere else, and with no say in what is the administrators'. `hide` is told every secret
    /// before anything is said of it.
    ///
    /// # Errors
    /// As [`Layers::load`]; a file of the app's is a link out of the repository; one says what only the cluster's own file may say.
    pub fn load(sources: &Sources<'_>, asked: Asked, hide: impl FnMut(&str)) -> Result<Self> {
        let Sources { dir, cluster, cluster_dirs, extra, .. } = *sources;
        all_stays_inside(dir, Path::new("chart"), cluster_dirs)?; // helm follows every link
        if let Some(own) = cluster.and_then(|name| own_cluster_file(dir, name)) {
            stays_inside(dir, &own, cluster_dirs)?; // it may name another file
        }
        let cluster_file = sources.cluster_file.clone();
        let wanted = Wanted {
            cluster,
            cluster_file: cluster_file.as_deref(),
            extra,
            canary: asked.canary,
            review: asked.review.as_deref(),
            set: &asked.set,
        };
        let layers = Layers::load(dir, &wanted)?;
        let credentials = layers.credentials(dir);
        layers.secrets(&credentials).into_iter().for_each(hide);
        layers.refuse_foreign_words()?;
        layers.refuse_slips(dir)?;
        Ok(Self { layers, asked, cluster_file, credentials, app: OnceCell::new(), cluster: OnceCell::new() })
    }

    /// The typed app.
    ///
    /// # Errors
    /// A value of the wrong type, or a name that Kubernetes does not take.
    pub fn app(&self) -> Result<&App> {
        kept(&self.app, || App::read(self.layers.canonical()))
    }

    /// The typed cluster values, as the app may have overridden them.
    ///
    /// # Errors
    /// A value of the wrong type.
    pub fn cluster(&self) -> Result<&Cluster> {
        kept(&self.cluster, || self.layers.typed())
    }

    /// What the administrators say of the cluster, whatever the app's values say.
    ///
    /// # Errors
    /// A value of the wrong type.
    pub fn authority(&self) -> Result<Cluster> {
        self.cluster_file.as_ref().map_or_else(|| Ok(Cluster::default()), |file| file.cluster().cloned())
    }

    /// The ways to all that are credentials.
    pub fn credentials(&self) -> &[Vec<String>] {
        &self.credentials
    }

    /// The `imageTag` that the user gave with `--set`, read as text whatever it looks like.
    ///
    /// # Errors
    /// A `--set` cannot be read, or no image can have such a tag.
    pub fn given_tag(&self) -> Result<Option<String>> {
        let mut tag = None;
        for argument in &self.asked.set {
            if let Some(text) = parse_set(argument, true)?.get("imageTag").and_then(Node::as_str) {
                check_tag(text)?;
                tag = Some(text.to_owned());
            }
        }
        Ok(tag)
    }

    /// The tag that is not HEAD's: given with `--set`, or `imageTag` of the values where lain builds no image of the app.
    ///
    /// # Errors
    /// As [`Resolved::given_tag`].
    pub fn chosen_tag(&self) -> Result<Option<String>> {
        let given = self.given_tag()?;
        let has = |key: &str| self.layers.canonical().get(key).filter(|node| !matches!(node.value, Value::Null));
        if given.is_some() || has("build").is_some() || has("builds").is_some() {
            return Ok(given);
        }
        let Some(node) = has("imageTag") else { return Ok(None) };
        let tag = node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned);
        if tag.is_empty() {
            return Ok(None); // as if it were not written
        }
        check_tag(&tag).map_err(|error| error.at(node.span.location()))?;
        Ok(Some(tag))
    }

    /// What helm is told: these values, `own` on top, and nothing that is a credential.
    ///
    /// # Errors
    /// A `--set` cannot be read.
    pub fn for_helm(&self, own: Vec<(&'static str, String)>) -> Result<HelmValues> {
        let step = |way: &[String]| way.iter().map(|step| escape_key(step)).collect::<Vec<_>>().join(".");
        Ok(HelmValues {
            files: self.layers.files_for_helm().map(PathBuf::from).collect(),
            canary: self.layers.canary().map(str::to_owned),
            set: self.asked.set.clone(),
            own,
            stand_ins: vec![],
            withheld: self.layers.given(&self.credentials)?.into_iter().map(step).collect(),
        })
    }

    /// The first that overrides `build` where nothing overrides `appname`, as the user would name it: its image has the name and the tag of another build.
    pub fn foreign_build(&self) -> Option<(&Node, String)> {
        let over = || self.layers.layers.iter().skip(1);
        if over().any(|layer| layer.node.get("appname").is_some()) {
            return None;
        }
        over().find_map(|layer| {
            let name = match (&layer.path, layer.argument()) {
                (Some(path), _) => path.display().to_string(),
                (None, Some(_)) => "--set".to_owned(),
                (None, None) => return None,
            };
            layer.node.get("build").map(|build| (build, name))
        })
    }
}

/// Refuses what no image can have as its tag.
///
/// # Errors
/// It is no tag.
pub fn check_tag(text: &str) -> Result<()> {
    if is_tag(text) {
        return Ok(());
    }
    let shown = bounded(text, 128);
    Err(Error::usage(format!("`{shown}` cannot be an image tag: letters, digits, `_`, `.` and `-`, 128 at most")).hint("lain tags"))
}

fn kept<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
