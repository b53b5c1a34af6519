//! helm 3.8 to 4.x, through its command line. What differs between versions is asked here.

use std::cell::OnceCell;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::call::{Call, Captured};
use super::later::Later;
use super::quote::quoted;
use super::server::{advise, ask};
use super::target::Target;
use crate::env::search_path;
use crate::error::{Error, Result};
use crate::model::version::Version;
use crate::resolved::helm_values::HelmValues;
use crate::ui::Ui;

/// What helm may take beyond its `--timeout`, which counts its waits and not its requests.
pub(crate) const MARGIN: Duration = Duration::from_secs(15);
/// Bound of a question to the cluster.
const QUESTION: Duration = Duration::from_secs(60);

/// Variables that send helm to another cluster, namespace or user than kubectl, which does not know them (`helm env`).
const OWN_TARGET: [&str; 9] = [
    "HELM_NAMESPACE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEAPISERVER",
    "HELM_KUBETOKEN",
    "HELM_KUBEASUSER",
    "HELM_KUBEASGROUPS",
    "HELM_KUBECAFILE",
    "HELM_KUBETLS_SERVER_NAME",
    "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
];

/// The oldest helm that works.
const OLDEST: Version = Version { major: 3, minor: 8, patch: 0 };

/// The names that helm goes by: its own, and one for each major version where several are installed.
pub(crate) const PROGRAMS: [&str; 3] = ["helm", "helm3", "helm4"];

/// The program for a major version: the one that is called by it where there is one, else helm, whose version tells.
fn program_of(major: Option<u32>) -> &'static str {
    let named = major.and_then(|major| PROGRAMS.into_iter().find(|name| *name == format!("helm{major}")));
    named.filter(|name| which::which_in(name, search_path(), ".").is_ok()).unwrap_or(PROGRAMS[0])
}

/// helm, pointed at one cluster.
#[derive(Debug)]
pub(crate) struct Helm<'a> {
    ui: &'a Ui,
    dir: &'a Path,
    target: Target,
    /// The major version that the values ask for.
    major: Option<u32>,
    /// The program that is run.
    program: &'static str,
    version: OnceCell<Version>,
    /// The question for its version, which may have been asked already.
    later: &'a Later,
}

/// How long a change of a release may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// helm's `--timeout`, for each of its waits.
    pub timeout: Duration,
    /// All in all: helm counts each of its waits anew, and does not count how long the server takes to answer.
    pub most: Duration,
}

/// For a change that waits once.
pub(crate) const USUAL: Limits = Limits { timeout: Duration::from_secs(300), most: Duration::from_secs(300) };

/// One release as `helm list -o json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ReleaseInfo {
    /// Release name.
    pub name: String,
    /// `deployed`, `failed`, `pending-upgrade`, ...
    pub status: String,
    /// Newest revision, text in this output.
    pub revision: String,
    /// When it last changed.
    pub updated: String,
}

/// What `helm upgrade --dry-run -o json` prints of what it made.
#[derive(Debug, Deserialize)]
struct Rendered {
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    hooks: Vec<Hook>,
}

#[derive(Debug, Deserialize)]
struct Hook {
    #[serde(default)]
    manifest: String,
}

/// One revision as `helm history -o json` prints it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Revision {
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
    /// helm for the chart in `dir`; of that major version, where one is asked for.
    pub(crate) fn new(ui: &'a Ui, dir: &'a Path, target: Target, major: Option<u32>, later: &'a Later) -> Self {
        let program = program_of(major);
        if program != PROGRAMS[0] {
            ui.hints_go(|flags| flags.helm_program = program);
        }
        Self { ui, dir, target, major, program, version: OnceCell::new(), later }
    }

    /// Starts to ask for helm's version: it is needed soon.
    pub(crate) fn begin_to_ask_version(&self) {
        if self.version.get().is_none() {
            self.later.begin(&self.own_version());
        }
    }

    /// The same words in helm 3 and 4; `version --client` left with helm 4.
    fn own_version(&self) -> Call<'a> {
        self.bare().lookup().args(["version", "--template", "{{.Version}}"])
    }

    fn bare(&self) -> Call<'a> {
        Call::new(self.ui, self.program)
            .dir(self.dir)
            .without(&OWN_TARGET)
            .install_hint("install helm 3.8 or newer: https://helm.sh/docs/intro/install/")
    }

    /// helm's version, asked once.
    ///
    /// # Errors
    /// helm is missing or older than 3.8.
    pub(crate) fn version(&self) -> Result<Version> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        let out = self.later.read(&self.own_version())?;
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
        if let Some(major) = self.major.filter(|major| version.major != *major) {
            return Err(Error::failed(format!("the values say `helm_version: {major}`, and `{}` is {version}", self.program))
                .hint(format!("install helm {major} as `helm{major}`: https://github.com/helm/helm/releases")));
        }
        Ok(*self.version.get_or_init(|| version))
    }

    /// `helm template`, without a cluster. helm's version is asked only when it fails, or must be a certain one: one process less.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub(crate) fn template(&self, release: &str, values: &HelmValues) -> Result<Call<'a>> {
        if self.major.is_some() {
            self.version()?;
        }
        Ok(with(self.bare().arg("template").operands([release, "chart"]), values))
    }

    /// `helm lint`, as [`Helm::template`].
    pub(crate) fn lint(&self, values: &HelmValues) -> Call<'a> {
        with(self.bare().args(["lint", "chart"]), values).lookup()
    }

    /// `helm upgrade --install` of the chart in the folder.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub(crate) fn upgrade(&self, release: &str, values: &HelmValues, limits: Limits) -> Result<Call<'a>> {
        Ok(with(self.change(&["upgrade", "--install"], limits)?.operands([release, "chart"]), values))
    }

    /// What an upgrade would send, hooks among it: `helm upgrade --install --dry-run`, with the server's answers to the chart's questions where helm can
    /// ask them. helm looks at the cluster on the way, and refuses where it could not go on.
    ///
    /// # Errors
    /// As [`Helm::version`]; a chart that cannot be rendered, or a release that helm cannot upgrade.
    pub(crate) fn try_upgrade(&self, release: &str, values: &HelmValues) -> Result<String> {
        let asks = self.version()? >= Version { major: 3, minor: 13, patch: 0 };
        let trial = if asks { "--dry-run=server" } else { "--dry-run" };
        let call = self.call(&["upgrade", "--install", trial, "--output", "json"])?.operands([release, "chart"]);
        let made: Rendered = with(call, values).lookup().read()?.json()?;
        Ok(made.hooks.into_iter().map(|hook| hook.manifest).fold(made.manifest, |all, hook| all + "\n---\n" + &hook))
    }

    /// The same from the chart alone, as of an upgrade: what helm could not go on with stands in it too.
    ///
    /// # Errors
    /// As [`Helm::version`], or a chart that cannot be rendered.
    pub(crate) fn render_upgrade(&self, release: &str, values: &HelmValues, server: Option<Version>) -> Result<String> {
        let version = server.map(|server| ("--kube-version", format!("{}.{}.0", server.major, server.minor)));
        let call = self.call(&["template", "--is-upgrade"])?.operands([release, "chart"]).options(version);
        Ok(String::from_utf8_lossy(&with(call, values).lookup().read()?.stdout).into_owned())
    }

    /// `helm rollback` to a revision.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub(crate) fn rollback(&self, release: &str, revision: u32, limits: Limits) -> Result<Call<'a>> {
        Ok(self.change(&["rollback"], limits)?.operand(release).operand(revision.to_string()))
    }

    /// `helm uninstall`.
    ///
    /// # Errors
    /// helm is missing, the cluster does not answer or refuses.
    pub(crate) fn uninstall(&self, release: &str, limits: Limits) -> Result<()> {
        self.change(&["uninstall"], limits)?.operand(release).run()
    }

    /// `helm test --logs`.
    ///
    /// # Errors
    /// helm is missing, or the run is interrupted. Tests that fail are no error.
    pub(crate) fn test(&self, release: &str, limits: Limits) -> Result<Captured> {
        self.change(&["test", "--logs"], limits)?.operand(release).capture()
    }

    /// What helm believes to be in the cluster: YAML, one object after another.
    ///
    /// # Errors
    /// helm is missing, the cluster does not answer, or there is no such release.
    pub(crate) fn manifest(&self, release: &str) -> Result<String> {
        let out = self.call(&["get", "manifest"])?.operand(release).lookup().read()?;
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// A helm command that asks the cluster something.
    ///
    /// # Errors
    /// As [`Helm::version`].
    fn call(&self, verb: &[&'static str]) -> Result<Call<'a>> {
        self.version()?;
        Ok(self.target.flags("--kube-context", self.bare().args(verb.iter().copied()).timeout(QUESTION)))
    }

    /// A helm command that changes a release.
    fn change(&self, verb: &[&'static str], limits: Limits) -> Result<Call<'a>> {
        let hint = "lain status -s # how it stands now; the server took too long to answer helm";
        let seconds = format!("{}s", limits.timeout.as_secs());
        Ok(self.call(verb)?.option("--timeout", seconds).timeout(limits.most + MARGIN).leaves("the release may be half-way", hint))
    }

    /// The flag that returns to the last good release when an upgrade fails; helm 4 renamed it.
    ///
    /// # Errors
    /// As [`Helm::version`].
    pub(crate) fn rollback_flag(&self) -> Result<&'static str> {
        Ok(if self.version()?.major >= 4 { "--rollback-on-failure" } else { "--atomic" })
    }

    /// The newest state of one release, whatever its status; none when there is no such release.
    ///
    /// # Errors
    /// helm is missing or the cluster does not answer.
    pub(crate) fn release(&self, name: &str) -> Result<Option<ReleaseInfo>> {
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
    pub(crate) fn history(&self, name: &str) -> Result<Vec<Revision>> {
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
    pub(crate) fn values(&self, name: &str, revision: Option<u32>, all: bool) -> Result<Option<serde_json::Value>> {
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

/// A call with values: flags, and what makes a canary on its stdin.
fn with<'a>(call: Call<'a>, values: &HelmValues) -> Call<'a> {
    let call = call.options(values.flags());
    match values.stdin() {
        Some(text) => call.shown_before(&format!("printf %s {} |", quoted(text))).stdin(text),
        None => call,
    }
}
