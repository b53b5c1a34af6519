//! The environment, read once. Nothing else in the crate asks for environment variables.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Error, Result};
use crate::model::duration;
use crate::model::text::bounded;

/// Most characters of a user's name or a job's address, both of which helm and webhooks are told.
const LONGEST: usize = 200;

/// How long a command of docker may stand still: no byte comes from the daemon.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Of a push or a pull.
    pub registry: Duration,
    /// Of a build, whose steps may have nothing to say for long.
    pub build: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { registry: Duration::from_secs(10 * 60), build: Duration::from_secs(60 * 60) }
    }
}

/// PATH without the folders that depend on where lain runs (`.`, an empty one): a repository's own `./helm` is not helm.
pub fn search_path() -> Option<OsString> {
    let path = std::env::var_os("PATH")?;
    let fixed = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    std::env::join_paths(fixed).ok()
}

/// A snapshot of the environment.
#[derive(Clone, Debug, Default)]
pub struct Env {
    variables: BTreeMap<String, String>,
    executable: Option<PathBuf>,
}

impl Env {
    /// This process's environment. Variables that are not UTF-8 are left out.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self { variables: variables.collect(), executable: std::env::current_exe().ok() }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// True for a variable that is set to nothing.
    pub fn is_empty(&self, name: &str) -> bool {
        self.variables.get(name).is_some_and(String::is_empty)
    }

    /// All names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// True for `1`, `true`, `yes`, `on`.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
    }

    /// The home folder.
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }

    /// True in any CI: `CI=true`, or GitLab's own mark (gitlab-ci-local sets `CI=true` with `GITLAB_CI=false`).
    pub fn is_ci(&self) -> bool {
        self.flag("CI") || self.flag("GITLAB_CI")
    }

    /// Which CI this is, for the way words are written.
    pub fn ci_name(&self) -> Option<&'static str> {
        if self.flag("GITLAB_CI") {
            Some("gitlab")
        } else if self.is_ci() {
            Some("ci")
        } else {
            None
        }
    }

    /// Who runs this: in GitLab CI `NAME-via-JOB_URL`, else the user's login name; each cut where it is too long to be one.
    pub fn executor(&self) -> String {
        let get = |name: &str| self.get(name).map(|value| bounded(value, LONGEST));
        let gitlab = get("GITLAB_USER_LOGIN").or_else(|| get("GITLAB_USER_NAME"));
        match (gitlab, get("CI_JOB_URL")) {
            (Some(name), Some(url)) if self.is_ci() => format!("{name}-via-{url}"),
            (Some(name), None) if self.is_ci() => name.into_owned(),
            _ => get("USER").or_else(|| get("LOGNAME")).map_or_else(account_name, Cow::into_owned),
        }
    }

    /// When the runner ends this job: `CI_JOB_STARTED_AT` and `CI_JOB_TIMEOUT`, in seconds; none where GitLab does not say.
    pub fn job_ends(&self) -> Option<Timestamp> {
        let started: Timestamp = self.get("CI_JOB_STARTED_AT")?.parse().ok()?;
        let seconds: i64 = self.get("CI_JOB_TIMEOUT")?.parse().ok()?;
        Timestamp::from_second(started.as_second().checked_add(seconds)?).ok().filter(|_| self.is_ci())
    }

    /// How long docker may stand still: `LAIN_REGISTRY_TIMEOUT` in a push or a pull, `LAIN_BUILD_TIMEOUT` in a build.
    ///
    /// # Errors
    /// One is set and no duration, or none at all.
    pub fn patience(&self) -> Result<Patience> {
        let usual = Patience::default();
        let read = |name: &str, usual: Duration| match self.get(name).map(duration::parse) {
            None => Ok(usual),
            Some(Ok(limit)) if !limit.is_zero() => Ok(limit),
            Some(read) => {
                let why = read.err().unwrap_or_else(|| "it is no time at all".to_owned());
                Err(Error::usage(format!("{name}: {why}")).hint(format!("{name}={}m", usual.as_secs() / 60)))
            }
        };
        Ok(Patience { registry: read("LAIN_REGISTRY_TIMEOUT", usual.registry)?, build: read("LAIN_BUILD_TIMEOUT", usual.build)? })
    }

    /// Folders that may hold `values-CLUSTER.yaml`, in the order they are asked.
    pub fn cluster_values_dirs(&self) -> Vec<PathBuf> {
        if let Some(dir) = self.get("LAIN_CLUSTER_VALUES_DIR") {
            return vec![PathBuf::from(dir)];
        }
        let prefix = self.executable.as_ref().and_then(|path| Some(path.parent()?.parent()?.to_path_buf()));
        let beside = prefix.map(|prefix| prefix.join("share/lain/cluster_values"));
        let config = self.get("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| self.home().map(|home| home.join(".config")));
        beside
            .into_iter()
            .chain([PathBuf::from("/usr/share/lain/cluster_values")])
            .chain(config.map(|config| config.join("lain/cluster_values")))
            .collect()
    }
}

impl FromIterator<(String, String)> for Env {
    /// An environment of one's own making.
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self { variables: variables.into_iter().collect(), executable: None }
    }
}

/// The account of this process: containers often set no USER.
fn account_name() -> String {
    let uid = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let found = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid.to_string()).then(|| name.to_owned())
    });
    found.unwrap_or_else(|| format!("uid-{uid}"))
}
