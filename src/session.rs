//! One run: its flags, environment, output and, on demand, the app's values, the chosen cluster and the tools.
//!
//! Everything costly is asked when it is first needed and then kept, so that `lain image` starts no helm
//! and `lain --version` reads no file.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};

use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::files::{all_stays_inside, stays_inside};
use crate::globals::Globals;
use crate::http::registry::Registry;
use crate::kubeconfig::{self, Choice};
use crate::model::app::App;
use crate::model::cluster::{ADMINISTRATORS, Cluster};
use crate::model::image::repository_in;
use crate::resolved::layers::{Layers, Wanted, cluster_file, known_clusters, own_cluster_file};
use crate::tools::docker::{Answer, Docker};
use crate::tools::git::Git;
use crate::tools::helm::Helm;
use crate::tools::kubectl::Kubectl;
use crate::tools::target::Target;
use crate::ui::Ui;
use crate::values::node::Node;

/// One run.
#[derive(Debug)]
pub struct Session {
    /// The output.
    pub ui: Ui,
    /// The environment.
    pub env: Env,
    /// The flags of every command.
    pub globals: Globals,
    /// Where the app is: the folder that holds `chart/`.
    pub dir: PathBuf,
    choice: OnceCell<Option<Choice>>,
    layers: OnceCell<Layers>,
    app: OnceCell<App>,
    cluster: OnceCell<Cluster>,
    authority: OnceCell<Cluster>,
    withheld: Cell<bool>,
    image_tag: OnceCell<String>,
    docker_answer: Answer,
}

impl Session {
    /// A run in the current folder.
    ///
    /// # Errors
    /// The current folder is gone, or a cluster's name is none.
    pub fn new(ui: Ui, env: Env, globals: Globals) -> Result<Self> {
        for name in globals.cluster.iter().chain(&globals.use_cluster) {
            kubeconfig::check_name(name)?;
        }
        let dir = std::env::current_dir().map_err(|error| Error::io("use", Path::new("."), &error))?;
        Ok(Self {
            ui,
            env,
            globals,
            dir,
            choice: OnceCell::new(),
            layers: OnceCell::new(),
            app: OnceCell::new(),
            cluster: OnceCell::new(),
            authority: OnceCell::new(),
            withheld: Cell::new(false),
            image_tag: OnceCell::new(),
            docker_answer: Answer::new(),
        })
    }

    /// What comes before the command itself: `--use`.
    ///
    /// # Errors
    /// The cluster is unknown.
    pub fn begin(&self) -> Result<()> {
        match &self.globals.use_cluster {
            Some(name) => kubeconfig::switch(&self.ui, &self.env, name),
            None => Ok(()),
        }
    }

    /// The chosen cluster: `--cluster`, else where `~/.kube/config` points; none when neither says.
    ///
    /// # Errors
    /// The named cluster has no kubeconfig.
    pub fn choice(&self) -> Result<Option<&Choice>> {
        get_or_try(&self.choice, || kubeconfig::choose(&self.ui, &self.env, self.globals.cluster.as_deref())).map(Option::as_ref)
    }

    /// The chosen cluster's name, where only the name matters: a cluster without a kubeconfig still has values.
    pub fn cluster_name(&self) -> Option<String> {
        match &self.globals.cluster {
            Some(name) => Some(name.clone()),
            None => kubeconfig::linked_cluster(&self.env),
        }
    }

    /// The chosen cluster, for commands that cannot do without.
    ///
    /// # Errors
    /// None is chosen, or the chosen one is unknown.
    pub fn require_cluster(&self) -> Result<&Choice> {
        self.choice()?.ok_or_else(|| {
            let known = known_clusters(&self.env.cluster_values_dirs());
            let list = if known.is_empty() { String::new() } else { format!(" (known: {})", known.join(", ")) };
            Error::usage(format!("no cluster is chosen{list}")).hint("lain use CLUSTER # or --cluster CLUSTER, or LAIN_CLUSTER in CI")
        })
    }

    /// All values that apply here.
    ///
    /// # Errors
    /// See [`Layers::load`]; an unknown cluster.
    pub fn layers(&self) -> Result<&Layers> {
        get_or_try(&self.layers, || self.load_layers(false, &[]))
    }

    /// All values that apply here, those of a canary if asked for, with more `--set` on top.
    ///
    /// # Errors
    /// As [`Session::layers`].
    pub fn load_layers(&self, canary: bool, set: &[String]) -> Result<Layers> {
        let cluster = self.cluster_name();
        let dirs = self.env.cluster_values_dirs();
        if let Some(name) = &self.globals.cluster {
            kubeconfig::check_known(&self.env, name)?;
        }
        self.load(&Wanted { cluster: cluster.as_deref(), cluster_dirs: &dirs, extra: &self.globals.values, canary, set })
    }

    /// Values of the app's, from files of its own that lead nowhere else, and with no say in what is the administrator's.
    ///
    /// # Errors
    /// As [`Layers::load`]; a file of the app's is a link out of the repository; one says what only the cluster's own file may say.
    pub fn load(&self, wanted: &Wanted<'_>) -> Result<Layers> {
        all_stays_inside(&self.dir, Path::new("chart"), wanted.cluster_dirs)?; // helm follows every link
        if let Some(own) = wanted.cluster.and_then(|name| own_cluster_file(&self.dir, name)) {
            stays_inside(&self.dir, &own, wanted.cluster_dirs)?; // it may name another file
        }
        let layers = Layers::load(&self.dir, wanted)?;
        for secret in layers.secrets(&layers.credentials(&self.dir)) {
            self.ui.hide(secret);
        }
        let file = wanted.cluster.and_then(|name| cluster_file(wanted.cluster_dirs, name));
        let said = layers.layers.iter().find(|layer| layer.path.is_some() && layer.path == file).map(|layer| &layer.node);
        for layer in layers.layers.iter().filter(|layer| layer.path.is_none() || layer.path != file) {
            for (key, entry) in layer.node.as_map().into_iter().flatten() {
                let same = said.and_then(|said| said.get(key)).map(Node::to_json);
                if ADMINISTRATORS.contains(&key.as_str()) && same.as_ref() != Some(&entry.node.to_json()) {
                    let place = file.as_ref().map_or_else(|| "values-CLUSTER.yaml".to_owned(), |file| file.display().to_string());
                    let why =
                        format!("`{key}` decides what is run, or where the cluster's logins go: only the cluster's own file says that");
                    return Err(entry
                        .key_span
                        .error(why)
                        .with_kind(Kind::Refused)
                        .hint(format!("remove the line; administrators write it into {place}")));
                }
            }
        }
        Ok(layers)
    }

    /// What the administrator's file says of the chosen cluster, whatever the app's values say: what is run, and where the cluster's own logins go.
    ///
    /// # Errors
    /// The file cannot be read or is invalid.
    pub fn authority(&self) -> Result<&Cluster> {
        get_or_try(&self.authority, || match self.cluster_name() {
            Some(name) => kubeconfig::cluster_values(&self.env, &name),
            None => Ok(Cluster::default()),
        })
    }

    /// Sees to it that children do not get the variables that secrets are in, but for those that cannot do without: what the values name, kubeconfigs that
    /// CI brings, logins of docker and GitLab.
    fn withhold(&self) {
        if self.withheld.replace(true) {
            return;
        }
        let kubeconfigs = self.env.names().filter(|name| name.starts_with("KUBECONFIG_")).map(str::to_owned);
        let mut names: Vec<String> = kubeconfigs.chain(["GITLAB_API_TOKEN", "DOCKER_AUTH_CONFIG"].map(str::to_owned)).collect();
        // Values that cannot be read are told of by whoever needs them.
        if let Ok(authority) = self.authority() {
            names.extend(authority.secret_variables().map(str::to_owned));
        }
        if let Ok(app) = self.app() {
            names.extend(app.secret_variables().map(str::to_owned));
        }
        names.iter().for_each(|name| self.ui.withhold(name));
    }

    /// The typed app.
    ///
    /// # Errors
    /// As [`Session::layers`], or a value of the wrong type.
    pub fn app(&self) -> Result<&App> {
        get_or_try(&self.app, || App::read(&self.layers()?.merged))
    }

    /// The typed cluster values, as the app may have overridden them.
    ///
    /// # Errors
    /// As [`Session::app`].
    pub fn cluster(&self) -> Result<&Cluster> {
        get_or_try(&self.cluster, || self.layers()?.typed())
    }

    /// The registry images go to.
    ///
    /// # Errors
    /// No layer names one.
    pub fn registry(&self) -> Result<&str> {
        let dirs = self.env.cluster_values_dirs();
        let place = dirs.last().map_or_else(String::new, |dir| format!("{}/", dir.display()));
        self.cluster()?.registry.as_deref().ok_or_else(|| match self.cluster_name() {
            Some(name) => Error::failed(format!("the values of cluster {name} name no registry"))
                .hint(format!("registry: HOST/PATH # in {place}values-{name}.yaml")),
            None => Error::usage("no cluster is chosen, so the registry is not known").hint("lain use CLUSTER # or --cluster CLUSTER"),
        })
    }

    /// `REGISTRY/APPNAME`.
    ///
    /// # Errors
    /// As [`Session::registry`].
    pub fn repository(&self) -> Result<String> {
        Ok(repository_in(self.registry()?, &self.app()?.appname))
    }

    /// The tag of HEAD's images.
    ///
    /// # Errors
    /// git refuses the folder.
    pub fn image_tag(&self) -> Result<&str> {
        get_or_try(&self.image_tag, || self.git().image_tag()).map(String::as_str)
    }

    /// Keeps a tag of HEAD that was found out on the side, and returns it.
    pub fn keep_image_tag(&self, tag: String) -> String {
        self.image_tag.get_or_init(|| tag).clone()
    }

    /// The file in the app's folder that the result goes into (`lain-build build -o dotenv > lain.env`): the shell made
    /// it, so it is neither a change of the user's nor part of the image. Relative; none when stdout goes elsewhere.
    pub fn result_file(&self) -> Option<String> {
        let target = std::fs::read_link("/proc/self/fd/1").ok()?; // Linux; elsewhere there is none
        let dir = self.dir.canonicalize().ok()?;
        Some(target.strip_prefix(dir).ok()?.to_str()?.to_owned())
    }

    /// git in the app's folder.
    pub fn git(&self) -> Git<'_> {
        self.withhold();
        Git::new(&self.ui, &self.dir)
    }

    /// docker, local or (`--remote-docker`) the cluster's.
    ///
    /// # Errors
    /// `--remote-docker` without `remote_docker` in the values, or as [`Env::patience`].
    pub fn docker(&self) -> Result<Docker<'_>> {
        self.withhold();
        if !self.globals.remote_docker {
            return Ok(Docker::new(&self.ui, None, &self.docker_answer).with(self.env.patience()?));
        }
        let host = self.authority()?.remote_docker.as_deref();
        let host = host
            .ok_or_else(|| Error::usage("--remote-docker, but the cluster values have no `remote_docker`").hint("remote_docker: HOST"))?;
        let host = if host.contains("://") { host.to_owned() } else { format!("tcp://{host}:2375") };
        Ok(Docker::new(&self.ui, Some(&host), &self.docker_answer).with(self.env.patience()?))
    }

    /// A repository of a registry. What is said of the cluster's own registry, its logins above all, is the administrator's word alone.
    ///
    /// # Errors
    /// The name is no image reference, or the cluster's file is invalid.
    pub fn registry_of(&self, name: &str) -> Result<Registry<'_>> {
        Registry::new(&self.ui, &self.env, self.authority()?, name)
    }

    /// helm without a cluster.
    pub fn local_helm(&self) -> Helm<'_> {
        self.withhold();
        Helm::new(&self.ui, &self.dir, Target::default())
    }

    /// helm on the chosen cluster.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub fn helm(&self) -> Result<Helm<'_>> {
        Ok(Helm::new(&self.ui, &self.dir, self.target()?))
    }

    /// kubectl on the chosen cluster.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub fn kubectl(&self) -> Result<Kubectl<'_>> {
        Ok(Kubectl::new(&self.ui, self.target()?))
    }

    /// Where helm and kubectl go.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub fn target(&self) -> Result<Target> {
        self.withhold();
        let choice = self.require_cluster()?;
        let app_is_here = self.dir.join(crate::resolved::layers::APP_VALUES).is_file();
        let cluster = if app_is_here { self.cluster()?.clone() } else { kubeconfig::cluster_values(&self.env, &choice.name)? };
        let context = self.env.get("KUBE_CONTEXT").filter(|_| self.env.is_ci()).map(str::to_owned).or(self
            .authority()?
            .kube_context
            .clone()
            .map(String::from));
        Ok(Target { kubeconfig: choice.kubeconfig.clone(), context, namespace: cluster.namespace.map(String::from) })
    }
}

fn get_or_try<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
