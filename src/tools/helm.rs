//! helm 3.8 to 4.x, through its command line. What differs between versions is asked here.

use std::cell::OnceCell;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::call::Call;
use super::server::{advise, ask};
use super::target::Target;
use crate::error::{Error, Result};
use crate::model::version::Version;
use crate::ui::Ui;

/// What helm may take beyond its `--timeout`, which counts its waits and not its requests.
pub const MARGIN: Duration = Duration::from_secs(15);
/// Bound of a question to the cluster.
const QUESTION: Duration = Duration::from_secs(60);

/// The oldest helm that works.
const OLDEST: Version = Version { major: 3, minor: 8, patch: 0 };

/// helm, pointed at one cluster.
#[derive(Debug)]
pub struct Helm<'a> {
    ui: &'a Ui,
    dir: &'a Path,
    target: Target,
    version: OnceCell<Version>,
}

/// One release as `helm list -o json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub struct ReleaseInfo {
    /// Release name.
    pub name: String,
    /// `deployed`, `failed`, `pending-upgrade`, ...
    pub status: String,
    /// Newest revision, text in this output.
    pub revision: String,
    /// When it last changed.
    pub updated: String,
}

/// One revision as `helm history -o json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub struct Revision {
    /// Counts from 1.
    pub revision: u32,
    /// `deployed`, `superseded`, `failed`, `pending-...`
    pub status: String,
    /// When.
    #[serde(default)]
    pub updated: String,
    /// What helm or lain wrote: "Upgrade complete", "Rollback to 3", ...
    #[serde(default)]
    pub description: String,
}

impl<'a> Helm<'a> {
    /// helm for the chart in `dir`.
    pub fn new(ui: &'a Ui, dir: &'a Path, target: Target) -> Self {
        Self { ui, dir, target, version: OnceCell::new() }
    }

    fn bare(&self) -> Call<'a> {
        Call::new(self.ui, "helm").dir(self.dir).install_hint("install helm 3.8 or newer: https://helm.sh/docs/intro/install/")
    }

    /// helm's version, asked once.
    ///
    /// # Errors
    /// helm is missing or older than 3.8.
    pub fn version(&self) -> Result<Version> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        // The same words in helm 3 and 4; `version --client` left with helm 4.
        let out = self.bare().lookup().args(["version", "--template", "{{.Version}}"]).capture()?;
        let text = out.text();
        let version = Version::parse(&text).ok_or_else(|| {
            let said = if text.is_empty() { out.stderr.trim() } else { &text };
            let said = said.lines().next().unwrap_or("it prints nothing");
            Error::failed(said).context("cannot tell helm's version").hint("helm version # does it work by itself?")
        })?;
        if version < OLDEST {
            return Err(Error::failed(format!("helm {version} is too old; lain needs {OLDEST} or newer"))
                .hint("install helm 3.8 or newer: https://helm.sh/docs/intro/install/"));
        }
        Ok(*self.version.get_or_init(|| version))
    }

    /// A helm command without a cluster (`template`, `lint`). Its version is asked only when it fails: one process less.
    pub fn local(&self) -> Call<'a> {
        self.bare()
    }

    /// A helm command that asks the cluster something.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub fn call(&self, verb: &[&'static str]) -> Result<Call<'a>> {
        self.version()?;
        Ok(self.target.flags("--kube-context", self.bare().args(verb.iter().copied()).timeout(QUESTION)))
    }

    /// A helm command that changes a release, with its `--timeout`. It gets `most` in all: helm counts each of its waits anew, and does not count how
    /// long the server takes to answer.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub fn change(&self, verb: &[&'static str], timeout: Duration, most: Duration) -> Result<Call<'a>> {
        let hint = "lain status -s # how it stands now; the server took too long to answer helm";
        let seconds = format!("{}s", timeout.as_secs());
        Ok(self.call(verb)?.option("--timeout", seconds).timeout(most + MARGIN).leaves("the release may be half-way", hint))
    }

    /// The flag that returns to the last good release when an upgrade fails; helm 4 renamed it.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub fn rollback_flag(&self) -> Result<&'static str> {
        Ok(if self.version()?.major >= 4 { "--rollback-on-failure" } else { "--atomic" })
    }

    /// The newest state of one release, whatever its status; none when there is no such release.
    ///
    /// # Errors
    /// helm is missing or the cluster does not answer.
    pub fn release(&self, name: &str) -> Result<Option<ReleaseInfo>> {
        // `-a` left helm 4's list (all statuses are shown); the explicit states mean the same to both.
        let filter = format!("^{name}$");
        let all = if self.version()?.major >= 4 { &[][..] } else { &["--all"][..] };
        let call = self.call(&["list"])?.lookup().args(all.iter().copied()).args(["--output", "json"]).option("--filter", filter);
        let out = ask(self.ui, &call)?;
        if !out.ok() {
            return Err(advise(call.failure(out.code, &out.stderr), &out.stderr));
        }
        Ok(out.json::<Vec<ReleaseInfo>>()?.into_iter().find(|release| release.name == name))
    }

    /// All revisions, oldest first; empty when there is no such release.
    ///
    /// # Errors
    /// helm is missing or the cluster does not answer.
    pub fn history(&self, name: &str) -> Result<Vec<Revision>> {
        let out = ask(self.ui, &self.call(&["history", "--max", "256", "--output", "json"])?.operand(name).lookup())?;
        if out.ok() {
            return out.json();
        }
        if out.stderr.contains("release: not found") {
            return Ok(vec![]);
        }
        Err(advise(self.bare().arg("history").operand(name).failure(out.code, &out.stderr), &out.stderr))
    }

    /// The values a revision was deployed with; `revision` none means the newest. None when there is no such release.
    ///
    /// # Errors
    /// helm is missing or the cluster does not answer.
    pub fn values(&self, name: &str, revision: Option<u32>, all: bool) -> Result<Option<serde_json::Value>> {
        let mut call = self.call(&["get", "values", "--output", "json"])?.operand(name).lookup();
        if all {
            call = call.arg("--all");
        }
        if let Some(revision) = revision {
            call = call.option("--revision", revision.to_string());
        }
        let out = ask(self.ui, &call)?;
        if out.ok() {
            return out.json().map(Some);
        }
        if out.stderr.contains("release: not found") {
            return Ok(None);
        }
        Err(advise(call.failure(out.code, &out.stderr), &out.stderr))
    }
}
