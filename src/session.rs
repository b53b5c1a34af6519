//! One run: its flags, environment, output and, on demand, the app's values, the chosen cluster and the tools.
//!
//! Everything costly is asked when it is first needed and then kept, so that `lain image` starts no helm
//! and `lain --version` reads no file.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::env::Env;
use crate::error::{Error, Result};
use crate::files::{self, Folder};
use crate::globals::Globals;
use crate::http::api_server::Connection;
use crate::http::credentials;
use crate::http::gitlab::Gitlab;
use crate::http::proxy::Proxies;
use crate::http::registry::Registry;
use crate::kubeconfig::aim::{Aim, aim};
use crate::kubeconfig::look::{Look, look};
use crate::kubeconfig::{self, Choice};
use crate::model::app::App;
use crate::model::cluster::Cluster;
use crate::model::image::repository_in;
use crate::model::version::Version;
use crate::resolved::chart::{CHART_FILE, Chart};
use crate::resolved::clusters::{ClusterFile, cluster_of, known_clusters};
use crate::resolved::helm_values::HelmValues;
use crate::resolved::layers::{APP_VALUES, Layers};
use crate::resolved::{Asked, Resolved, Sources};
use crate::tools::cosign;
use crate::tools::decrypt;
use crate::tools::docker::{Answer, Docker};
use crate::tools::git::{Commit, Git, Head};
use crate::tools::helm::Helm;
use crate::tools::kubectl::Kubectl;
use crate::tools::later::Later;
use crate::tools::target::Target;
use crate::ui::Ui;

/// One run.
#[derive(Debug)]
pub(crate) struct Session {
    /// The output.
    pub ui: Ui,
    /// The environment.
    pub env: Env,
    /// The flags of every command.
    pub globals: Globals,
    /// Where the app is: the folder that holds `chart/`. Where lain was started when there is none.
    pub dir: PathBuf,
    /// Where lain was started: what paths that are typed count from.
    pub cwd: PathBuf,
    choice: OnceCell<Option<Choice>>,
    cluster_file: OnceCell<Option<Rc<ClusterFile>>>,
    resolved: OnceCell<Resolved>,
    authority: OnceCell<Cluster>,
    withheld: Cell<bool>,
    image_tag: OnceCell<String>,
    own_tag: OnceCell<String>,
    head: OnceCell<Head>,
    remote_url: OnceCell<String>,
    server: OnceCell<Version>,
    docker_answer: Answer,
    docker_config: OnceCell<Option<Folder>>,
    target: OnceCell<Target>,
    connection: Connection,
    helm_version: Later,
    kubectl_version: Later,
}

impl Session {
    /// A run in the current folder, or for the app that this is a folder of.
    ///
    /// # Errors
    /// The current folder is gone, or a cluster's name is none.
    pub(crate) fn new(ui: Ui, env: Env, globals: Globals) -> Result<Self> {
        let mut session = Self::here(ui, env, globals)?;
        if let Some(above) = session.app_above() {
            session.dir = above.to_path_buf();
            session.globals.values = session.globals.values.iter().map(|path| session.seen_from_app(path)).collect();
        }
        Ok(session)
    }

    /// The app that the current folder is one of: the nearest above it, in the same repository. None when the folder has a chart of its own,
    /// and outside a repository: what stands in `/tmp` may be anybody's.
    pub(crate) fn app_above(&self) -> Option<&Path> {
        if self.cwd.join("chart").is_dir() {
            return None;
        }
        let top = files::repository_of(&self.cwd)?;
        let ceilings: Vec<&Path> = self.env.get("GIT_CEILING_DIRECTORIES").unwrap_or_default().split(':').map(Path::new).collect();
        let is_looked_at = |folder: &&Path| folder.starts_with(top) && (*folder == self.cwd || !ceilings.contains(folder));
        self.cwd.ancestors().take_while(is_looked_at).find(|folder| folder.join(APP_VALUES).is_file())
    }

    /// A path that was typed, as one from the app's folder where it is in there.
    fn seen_from_app(&self, typed: &Path) -> PathBuf {
        let full = files::plain(&self.cwd.join(typed));
        full.strip_prefix(&self.dir).map_or_else(|_| full.clone(), Path::to_path_buf)
    }

    /// A run in the current folder, whatever is above it.
    ///
    /// # Errors
    /// As [`Session::new`].
    pub(crate) fn here(ui: Ui, env: Env, globals: Globals) -> Result<Self> {
        for name in globals.cluster.iter().chain(&globals.use_cluster) {
            kubeconfig::check_name(name)?;
        }
        let dir = std::env::current_dir().map_err(|error| Error::io("use", Path::new("."), &error))?;
        Ok(Self {
            ui,
            env,
            globals,
            cwd: dir.clone(),
            dir,
            choice: OnceCell::new(),
            cluster_file: OnceCell::new(),
            resolved: OnceCell::new(),
            authority: OnceCell::new(),
            withheld: Cell::new(false),
            image_tag: OnceCell::new(),
            own_tag: OnceCell::new(),
            head: OnceCell::new(),
            remote_url: OnceCell::new(),
            server: OnceCell::new(),
            docker_answer: Answer::new(),
            docker_config: OnceCell::new(),
            target: OnceCell::new(),
            connection: Connection::default(),
            helm_version: Later::default(),
            kubectl_version: Later::default(),
        })
    }

    /// What comes before the command itself: `--use`.
    ///
    /// # Errors
    /// The cluster is unknown.
    pub(crate) fn begin(&self) -> Result<()> {
        // LAIN_CLUSTER too: it may have been set for this run alone.
        if let Some(name) = &self.globals.cluster {
            self.ui.hints_go(|flags| flags.lain = format!("--cluster {name}"));
        }
        match &self.globals.use_cluster {
            Some(name) => kubeconfig::switch(&self.ui, &self.env, name),
            None => Ok(()),
        }
    }

    /// The chosen cluster: `--cluster`, else where `~/.kube/config` points; none when neither says.
    ///
    /// # Errors
    /// The named cluster has no kubeconfig.
    pub(crate) fn choice(&self) -> Result<Option<&Choice>> {
        get_or_try(&self.choice, || kubeconfig::choose(&self.ui, &self.env, self.globals.cluster.as_deref())).map(Option::as_ref)
    }

    /// The chosen cluster's name, where only the name matters: a cluster without a kubeconfig still has values.
    pub(crate) fn cluster_name(&self) -> Option<String> {
        match &self.globals.cluster {
            Some(name) => Some(name.clone()),
            None => kubeconfig::linked_cluster(&self.env),
        }
    }

    /// The chosen cluster, for commands that cannot do without.
    ///
    /// # Errors
    /// None is chosen, or the chosen one is unknown.
    pub(crate) fn require_cluster(&self) -> Result<&Choice> {
        self.choice()?.ok_or_else(|| {
            let known = known_clusters(&self.env.cluster_values_dirs());
            let list = if known.is_empty() { String::new() } else { format!(" (known: {})", known.join(", ")) };
            Error::usage(format!("no cluster is chosen{list}")).hint("lain use CLUSTER # or --cluster CLUSTER, or LAIN_CLUSTER in CI")
        })
    }

    /// The values of this run, with what its command asks of them. To be said before anything reads values: a run has one set of them.
    ///
    /// # Errors
    /// See [`Resolved::load`]; an unknown cluster.
    pub(crate) fn resolve(&self, asked: Asked) -> Result<&Resolved> {
        debug_assert!(self.resolved.get().is_none(), "values were read before it was said which");
        get_or_try(&self.resolved, || {
            if let Some(name) = &self.globals.cluster {
                kubeconfig::check_known(&self.env, name)?;
            }
            if self.dir != self.cwd {
                self.ui.say(&format!("the app of {}", self.dir.display()));
            }
            self.load(self.cluster_name().as_deref(), self.cluster_file()?, asked)
        })
    }

    /// The values of this run.
    ///
    /// # Errors
    /// As [`Session::resolve`].
    pub(crate) fn resolved(&self) -> Result<&Resolved> {
        match self.resolved.get() {
            Some(resolved) => Ok(resolved),
            None => self.resolve(Asked::default()),
        }
    }

    /// The app's values on another cluster than the chosen one.
    ///
    /// # Errors
    /// As [`Session::resolve`].
    pub(crate) fn resolved_for(&self, cluster: &str) -> Result<Resolved> {
        let file = ClusterFile::find(&self.env.cluster_values_dirs(), cluster)?.map(Rc::new);
        self.load(Some(cluster), file, Asked::default())
    }

    fn load(&self, cluster: Option<&str>, cluster_file: Option<Rc<ClusterFile>>, asked: Asked) -> Result<Resolved> {
        let dirs = self.env.cluster_values_dirs();
        let sources = Sources { dir: &self.dir, cluster, cluster_file, cluster_dirs: &dirs, extra: &self.globals.values };
        Resolved::load(&sources, asked, |secret| self.ui.hide(secret))
    }

    /// What the administrators wrote of the chosen cluster.
    fn cluster_file(&self) -> Result<Option<Rc<ClusterFile>>> {
        get_or_try(&self.cluster_file, || match self.cluster_name() {
            Some(name) => Ok(ClusterFile::find(&self.env.cluster_values_dirs(), &name)?.map(Rc::new)),
            None => Ok(None),
        })
        .cloned()
    }

    /// All values that apply here, one by one and merged.
    ///
    /// # Errors
    /// As [`Session::resolve`].
    pub(crate) fn layers(&self) -> Result<&Layers> {
        Ok(&self.resolved()?.layers)
    }

    /// What the administrators' file says of the chosen cluster, whatever the app's values say: what is run, and where the cluster's own logins go.
    ///
    /// # Errors
    /// The file cannot be read or is invalid.
    pub(crate) fn authority(&self) -> Result<&Cluster> {
        get_or_try(&self.authority, || self.cluster_file()?.map_or_else(|| Ok(Cluster::default()), |file| file.cluster().cloned()))
    }

    /// Whether the values were written for the older tool's chart.
    pub(crate) fn has_older_chart(&self) -> bool {
        Chart::read(&std::fs::read_to_string(self.dir.join(CHART_FILE)).unwrap_or_default()).is_older()
    }

    /// What administrators say of any cluster.
    ///
    /// # Errors
    /// The file cannot be read or is invalid.
    pub(crate) fn cluster_of(&self, name: &str) -> Result<Cluster> {
        cluster_of(&self.env.cluster_values_dirs(), name)
    }

    /// Sees to it that children do not get the variables that secrets are in, but for those that cannot do without: what the values name, kubeconfigs that
    /// CI brings, logins of docker and GitLab.
    fn withhold(&self) {
        if self.withheld.replace(true) {
            return;
        }
        let kubeconfigs = self.env.names().filter(|name| name.starts_with("KUBECONFIG_")).map(str::to_owned);
        let mut names: Vec<String> = kubeconfigs
            .chain(
                ["GITLAB_API_TOKEN", "DOCKER_AUTH_CONFIG", "CI_REGISTRY_PASSWORD"]
                    .into_iter()
                    .chain(decrypt::KEYS)
                    .chain(cosign::SECRETS)
                    .map(str::to_owned),
            )
            .collect();
        // Values that cannot be read are told of by whoever needs them.
        if let Ok(authority) = self.authority() {
            names.extend(authority.secret_variables().map(str::to_owned));
        }
        if let Ok(app) = self.app() {
            names.extend(app.secret_variables().map(str::to_owned));
        }
        names.iter().for_each(|name| self.ui.withhold(name));
    }

    /// Whether an app is here.
    pub(crate) fn has_app(&self) -> bool {
        self.dir.join(APP_VALUES).is_file()
    }

    /// The typed app.
    ///
    /// # Errors
    /// As [`Session::resolve`], or a value of the wrong type.
    pub(crate) fn app(&self) -> Result<&App> {
        self.resolved()?.app()
    }

    /// The typed cluster values, as the app may have overridden them.
    ///
    /// # Errors
    /// As [`Session::app`].
    pub(crate) fn cluster(&self) -> Result<&Cluster> {
        self.resolved()?.cluster()
    }

    /// How long a rollout bears what may pass, where the cluster's values say so.
    ///
    /// # Errors
    /// As [`Session::app`].
    pub(crate) fn progress_budget(&self) -> Result<Option<Duration>> {
        Ok(if self.has_app() { self.cluster()? } else { self.authority()? }.progress_budget)
    }

    /// The registry images go to.
    ///
    /// # Errors
    /// No layer names one.
    pub(crate) fn registry(&self) -> Result<&str> {
        self.cluster()?.registry.as_deref().ok_or_else(|| self.no_registry())
    }

    /// The same where no app need be here: then the administrators' file alone says it.
    ///
    /// # Errors
    /// As [`Session::registry`].
    pub(crate) fn registry_anywhere(&self) -> Result<&str> {
        let cluster = if self.has_app() { self.cluster()? } else { self.authority()? };
        cluster.registry.as_deref().ok_or_else(|| self.no_registry())
    }

    fn no_registry(&self) -> Error {
        let dirs = self.env.cluster_values_dirs();
        let place = dirs.last().map_or_else(String::new, |dir| format!("{}/", dir.display()));
        match self.cluster_name() {
            Some(name) => Error::failed(format!("the values of cluster {name} name no registry"))
                .hint(format!("registry: HOST/PATH # in {place}values-{name}.yaml")),
            None => Error::usage("no cluster is chosen, so the registry is not known").hint("lain use CLUSTER # or --cluster CLUSTER"),
        }
    }

    /// `REGISTRY/APPNAME`.
    ///
    /// # Errors
    /// As [`Session::registry`].
    pub(crate) fn repository(&self) -> Result<String> {
        Ok(repository_in(self.registry()?, &self.app()?.appname))
    }

    /// Has the images of this run carry this tag in place of HEAD's.
    pub(crate) fn tag_as(&self, tag: String) {
        self.own_tag.get_or_init(|| tag);
    }

    /// The tag of the images that are built here: HEAD's, but for [`Session::tag_as`].
    ///
    /// # Errors
    /// git refuses the folder.
    pub(crate) fn image_tag(&self) -> Result<&str> {
        if let Some(own) = self.own_tag.get() {
            return Ok(own);
        }
        get_or_try(&self.image_tag, || Ok(get_or_try(&self.head, || self.git().head())?.image_tag())).map(String::as_str)
    }

    /// One commit, by its whole id; git is not asked for HEAD once more. None where this clone does not have it.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn commit(&self, sha: &str) -> Result<Option<Commit>> {
        match self.head.get() {
            Some(Head::Commit(head)) if head.sha == sha => Ok(Some(head.clone())),
            _ => self.git().commit(sha),
        }
    }

    /// The address of `origin`, asked once; empty when there is none.
    ///
    /// # Errors
    /// git is missing.
    pub(crate) fn remote_url(&self) -> Result<&str> {
        get_or_try(&self.remote_url, || self.git().remote_url()).map(String::as_str)
    }

    /// Asks git for HEAD's tag (with `tag`) and for the address of `origin`, both at a time, where nobody did before: git costs more than values.
    ///
    /// # Errors
    /// git is missing, or refuses the folder.
    pub(crate) fn ask_git(&self, tag: bool) -> Result<()> {
        let git = self.git();
        let (head, url) = std::thread::scope(|scope| {
            let url = self.remote_url.get().is_none().then(|| scope.spawn(|| git.remote_url()));
            let head = (tag && self.head.get().is_none()).then(|| git.head());
            (head, url.map(std::thread::ScopedJoinHandle::join))
        });
        if let Some(head) = head.transpose()? {
            self.head.get_or_init(|| head);
        }
        if let Some(Ok(url)) = url {
            let url = url?;
            self.remote_url.get_or_init(|| url);
        }
        Ok(())
    }

    /// What helm is told of this run's values, the same for `template`, `lint` and `deploy`. Without `tag`, the one that was chosen, else HEAD's.
    ///
    /// # Errors
    /// Values cannot be read, or git is missing.
    pub(crate) fn helm_values(&self, tag: Option<&str>) -> Result<HelmValues> {
        let resolved = self.resolved()?;
        let given = tag.map(str::to_owned).map_or_else(|| resolved.chosen_tag(), |tag| Ok(Some(tag)))?;
        self.ask_git(given.is_none())?;
        let tag = given.map_or_else(|| self.image_tag().map(str::to_owned), Ok)?;
        // `helm get values` answers the audit questions: where, who, from which repo, which image.
        let mut own = vec![("user", self.env.executor()), ("imageTag", tag)];
        if let Some(cluster) = self.cluster_name() {
            own.insert(0, ("cluster", cluster));
        }
        let url = self.remote_url()?;
        if !url.is_empty() {
            own.push(("repo_url", url.to_owned()));
        }
        resolved.for_helm(own)
    }

    /// The file in the app's folder that the result goes into (`lain-build build -o dotenv > lain.env`): the shell made
    /// it, so it is neither a change of the user's nor part of the image. Relative; none when stdout goes elsewhere.
    pub(crate) fn result_file(&self) -> Option<String> {
        let target = std::fs::read_link("/proc/self/fd/1").ok()?; // Linux; elsewhere there is none
        let dir = self.dir.canonicalize().ok()?;
        Some(target.strip_prefix(dir).ok()?.to_str()?.to_owned())
    }

    /// git in the app's folder.
    pub(crate) fn git(&self) -> Git<'_> {
        self.withhold();
        Git::new(&self.ui, &self.dir)
    }

    /// docker, local or (`--remote-docker`) the cluster's.
    ///
    /// # Errors
    /// `--remote-docker` without `remote_docker` in the values, or as [`Env::patience`].
    pub(crate) fn docker(&self) -> Result<Docker<'_>> {
        self.withhold();
        let config = self.docker_logins()?;
        if !self.globals.remote_docker {
            return Ok(Docker::new(&self.ui, None, &self.docker_answer).with(self.env.patience()?).with_config(config));
        }
        let host = self.authority()?.remote_docker.as_deref();
        let host = host
            .ok_or_else(|| Error::usage("--remote-docker, but the cluster values have no `remote_docker`").hint("remote_docker: HOST"))?;
        let host = if host.contains("://") { host.to_owned() } else { format!("tcp://{host}:2375") };
        Ok(Docker::new(&self.ui, Some(&host), &self.docker_answer).with(self.env.patience()?).with_config(config))
    }

    /// The folder that docker, and all that read its logins, find those of this run in; docker's own without one.
    ///
    /// # Errors
    /// The temporary files have no room.
    pub(crate) fn docker_logins(&self) -> Result<Option<&Path>> {
        self.withhold();
        Ok(get_or_try(&self.docker_config, || self.docker_config())?.as_ref().map(Folder::path))
    }

    /// A file that a cluster's file names: beside that, where the path is not a whole one.
    pub(crate) fn beside_clusters(&self, named: &str) -> PathBuf {
        if let (Some(rest), Some(home)) = (named.strip_prefix("~/"), self.env.home()) {
            return home.join(rest);
        }
        let places: Vec<PathBuf> = self.env.cluster_values_dirs().iter().map(|dir| dir.join(named)).collect();
        places.iter().find(|path| path.is_file()).or(places.last()).cloned().unwrap_or_else(|| PathBuf::from(named))
    }

    /// docker's folder with the logins of this run in it, where its environment brings some; gone with the run. All else in it is docker's own.
    fn docker_config(&self) -> Result<Option<Folder>> {
        let Some(config) = credentials::config_of_run(&self.ui, &self.env) else { return Ok(None) };
        let folder = Folder::temporary("docker")?;
        let own = credentials::docker_folder(&self.env).map(std::fs::read_dir).and_then(std::result::Result::ok);
        for entry in own.into_iter().flatten().flatten().filter(|entry| entry.file_name() != credentials::CONFIG) {
            let place = folder.path().join(entry.file_name());
            std::os::unix::fs::symlink(entry.path(), &place).map_err(|error| Error::io("link", &place, &error))?;
        }
        files::write_new(&folder.path().join(credentials::CONFIG), config.as_bytes())?;
        Ok(Some(folder))
    }

    /// GitLab, where the administrators' file or this pipeline says that it is.
    ///
    /// # Errors
    /// Nobody says where it is, or there is no token for it.
    pub(crate) fn gitlab(&self) -> Result<Gitlab> {
        Gitlab::of(&self.env, &self.ui, self.authority()?.gitlab.as_deref())
    }

    /// Which proxy an address is asked by.
    pub(crate) fn proxies(&self) -> Proxies {
        Proxies::of(&self.env)
    }

    /// Those that lead to the API server, as kubectl and helm read them.
    pub(crate) fn proxies_to_cluster(&self) -> Proxies {
        Proxies::of_go(&self.env)
    }

    /// A repository of a registry. What is said of the cluster's own registry, its logins above all, is the administrator's word alone.
    ///
    /// # Errors
    /// The name is no image reference, or the cluster's file is invalid.
    pub(crate) fn registry_of(&self, name: &str) -> Result<Registry<'_>> {
        Registry::new(&self.ui, &self.env, self.authority()?, name)
    }

    /// The helm that the values ask for; values that cannot be read are told of by whoever needs them.
    fn helm_major(&self) -> Option<u32> {
        if self.has_app() { self.cluster() } else { self.authority() }.ok()?.helm_version
    }

    /// helm without a cluster.
    pub(crate) fn local_helm(&self) -> Helm<'_> {
        self.withhold();
        Helm::new(&self.ui, &self.dir, Target::default(), self.helm_major(), &self.helm_version)
    }

    /// helm on the chosen cluster.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub(crate) fn helm(&self) -> Result<Helm<'_>> {
        Ok(Helm::new(&self.ui, &self.dir, self.target()?, self.helm_major(), &self.helm_version))
    }

    /// kubectl on another cluster than the chosen one, asked by itself.
    ///
    /// # Errors
    /// It has no kubeconfig, or its values cannot be read.
    pub(crate) fn kubectl_of(&self, cluster: &str) -> Result<Kubectl<'_>> {
        self.withhold();
        let kubeconfig = kubeconfig::find(&self.ui, &self.env, cluster)?;
        let said = self.cluster_of(cluster)?;
        let context = said.kube_context.map(String::from);
        let namespace = said.namespace.map(String::from);
        let target = Target { kubeconfig: Some(kubeconfig.clone()), context, namespace, ..Target::default() };
        Ok(Kubectl::new(&self.ui, self.aimed(target, Some(kubeconfig))))
    }

    /// kubectl on the chosen cluster.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub(crate) fn kubectl(&self) -> Result<Kubectl<'_>> {
        Ok(Kubectl::new(&self.ui, self.target()?).over(&self.connection, &self.kubectl_version))
    }

    /// Starts what every question to the cluster needs, beside other work: the connection, and helm's version. What cannot be started is told of by whoever
    /// needs it.
    pub(crate) fn begin_to_connect(&self) {
        if let Ok(kubectl) = self.kubectl() {
            kubectl.begin();
        }
        self.local_helm().begin_to_ask_version();
    }

    /// The server's version, asked once; none where it does not answer.
    ///
    /// # Errors
    /// As [`Session::kubectl`], or kubectl is missing.
    pub(crate) fn server(&self) -> Result<Option<Version>> {
        if let Some(server) = self.server.get() {
            return Ok(Some(*server));
        }
        let kubectl = self.kubectl()?;
        let server = kubectl.server_over()?.map_or_else(|| kubectl.versions().map(|versions| versions.server), |server| Ok(Some(server)));
        Ok(self.keep(server?))
    }

    /// The same within a bound, for those who can do without: none without a cluster, without kubectl, or when the server takes too long.
    pub(crate) fn server_within(&self, bound: Duration) -> Option<Version> {
        if let Some(server) = self.server.get() {
            return Some(*server);
        }
        self.choice().ok()??;
        self.keep(self.kubectl().ok()?.server_within(bound))
    }

    /// Of a server that did not answer once, more may be known later.
    fn keep(&self, server: Option<Version>) -> Option<Version> {
        server.map(|server| *self.server.get_or_init(|| server))
    }

    /// kubectl with whatever kubeconfig it takes by itself: for what no cluster is asked for.
    pub(crate) fn any_kubectl(&self) -> Kubectl<'_> {
        self.withhold();
        Kubectl::new(&self.ui, Target::default())
    }

    /// The context that is named for the chosen cluster; none leaves it to the kubeconfig.
    fn context(&self) -> Result<Option<String>> {
        let of_job = self.env.get("KUBE_CONTEXT").filter(|_| self.env.is_ci()).map(str::to_owned);
        Ok(of_job.or(self.authority()?.kube_context.clone().map(String::from)))
    }

    /// The kubeconfig of the chosen cluster; none where there is no home to find it in.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub(crate) fn kubeconfig(&self) -> Result<Option<PathBuf>> {
        let choice = self.require_cluster()?;
        Ok(choice.kubeconfig.clone().or_else(|| kubeconfig::link(&self.env)))
    }

    /// Where the chosen cluster's kubeconfig points; none where it does not say, and in a pod.
    ///
    /// # Errors
    /// As [`Session::kubeconfig`], or the cluster's file is invalid.
    pub(crate) fn aim(&self) -> Result<Option<Aim>> {
        if self.require_cluster()?.pod.is_some() {
            return Ok(None);
        }
        let context = self.context()?;
        Ok(self.kubeconfig()?.and_then(|file| aim(&file, context.as_deref())))
    }

    /// The same, and what of the kubeconfig does not hold; none where there is no home to find it in.
    ///
    /// # Errors
    /// As [`Session::aim`], or why the kubeconfig does not say.
    pub(crate) fn look_at_kubeconfig(&self) -> Result<Option<Look>> {
        let context = self.context()?;
        self.kubeconfig()?.map(|file| look(&file, context.as_deref())).transpose()
    }

    /// Where helm and kubectl go.
    ///
    /// # Errors
    /// No cluster is chosen.
    pub(crate) fn target(&self) -> Result<Target> {
        self.withhold();
        get_or_try(&self.target, || self.find_target()).cloned()
    }

    fn find_target(&self) -> Result<Target> {
        let choice = self.require_cluster()?;
        let app_is_here = self.has_app();
        let cluster = if app_is_here { self.cluster()?.clone() } else { self.cluster_of(&choice.name)? };
        let context = self.context()?;
        let namespace = cluster.namespace.map(String::from);
        let target = Target { kubeconfig: choice.kubeconfig.clone(), context, namespace, ..Target::default() };
        self.ui.hints_go(|flags| {
            (flags.kubectl, flags.helm) = (target.words("--context"), target.words("--kube-context"));
            flags.namespace = target.namespace_words();
        });
        if let Some(pod) = &choice.pod {
            return Ok(Target {
                namespace: target.namespace.or_else(|| Some(pod.clone())),
                base: Some(String::new()),
                is_own_pod: true,
                ..target
            });
        }
        // What is not said here is what the kubeconfig says: told to both tools, whatever variables each of them reads.
        Ok(self.aimed(target, self.kubeconfig()?))
    }

    /// With what this kubeconfig says of all that the target does not.
    fn aimed(&self, target: Target, file: Option<PathBuf>) -> Target {
        let Some(aim) = file.and_then(|file| aim(&file, target.context.as_deref())) else { return target };
        let login = aim.login.filter(|login| self.proxies_to_cluster().on_the_way_to(&login.address).is_none()).map(Arc::new);
        Target {
            context: target.context.or(Some(aim.context)),
            namespace: target.namespace.or(Some(aim.namespace)),
            base: aim.base,
            login,
            ..target
        }
    }
}

fn get_or_try<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}
