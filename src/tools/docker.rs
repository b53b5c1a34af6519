//! docker, through its command line.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value as Json;

use super::call::Call;
use crate::env::Patience;
use crate::error::{Error, Kind, NotStarted, Result};
use crate::interrupt;
use crate::ui::Ui;

/// How to get buildx.
pub(crate) const INSTALL_BUILDX: &str = "apt-get install docker-buildx # or docker-buildx-plugin; https://docs.docker.com/go/buildx/";

/// How long a short question may take.
const ANSWER: Duration = Duration::from_secs(20);

/// The docker client, pointed at one daemon.
#[derive(Debug)]
pub(crate) struct Docker<'a> {
    ui: &'a Ui,
    host: Option<String>,
    config: Option<&'a Path>,
    answer: &'a Answer,
    pub(super) patience: Patience,
    /// How long a short question may take.
    within: Duration,
}

/// Whether the daemon answers: asked once a run.
pub(crate) type Answer = OnceLock<Result<()>>;

impl<'a> Docker<'a> {
    /// The docker client; `host` overrides its own choice of daemon.
    pub(crate) fn new(ui: &'a Ui, host: Option<&str>, answer: &'a Answer) -> Self {
        Self { ui, host: host.map(str::to_owned), config: None, answer, patience: Patience::default(), within: ANSWER }
    }

    /// The same for those who wait: a short question may take so long.
    #[must_use]
    pub(crate) fn hurried(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// The same with another patience.
    #[must_use]
    pub(crate) fn with(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// The same with settings and logins from this folder in place of its own.
    #[must_use]
    pub(crate) fn with_config(mut self, folder: Option<&'a Path>) -> Self {
        self.config = folder;
        self
    }

    /// A docker command.
    pub(super) fn call(&self) -> Call<'a> {
        let call = Call::new(self.ui, "docker");
        let call = match self.config {
            // The folder has them, for docker before 28 too.
            Some(folder) => call.env("DOCKER_CONFIG", folder),
            None => call.needs("DOCKER_AUTH_CONFIG"),
        };
        let call = call.install_hint("install docker: https://docs.docker.com/engine/install/");
        match &self.host {
            Some(host) => call.option("--host", host),
            None => call,
        }
    }

    /// Fails with the reason when no daemon answers, so that a build does not fail later with a riddle. A second call waits for the first, so
    /// that one may be sent ahead.
    ///
    /// # Errors
    /// docker is missing, or its daemon does not answer in time.
    pub(crate) fn check(&self) -> Result<()> {
        self.answer.get_or_init(|| self.ask()).clone()
    }

    /// As [`Docker::check`], but asks anew.
    pub(super) fn ask(&self) -> Result<()> {
        let call = self.call().lookup().args(["version", "--format", "{{.Server.Version}}"]).timeout(self.within);
        let reason = match call.capture() {
            Ok(out) if out.ok() && !out.text().is_empty() => return Ok(()),
            Ok(out) => Error::failed(out.stderr.lines().last().unwrap_or("it does not answer").trim()),
            Err(slow) if slow.kind() == Kind::Failed && slow.source::<NotStarted>().is_none() => slow,
            Err(other) => return Err(other), // docker is missing, or Ctrl-C
        };
        Err(no_daemon(reason))
    }

    /// True when docker has its buildx plugin.
    ///
    /// # Errors
    /// docker is missing.
    pub(crate) fn has_buildx(&self) -> Result<bool> {
        Ok(self.call().lookup().args(["buildx", "version"]).timeout(self.within).capture()?.ok())
    }

    /// True when `DOCKER_BUILDKIT=1 docker build` can use `BuildKit`: by the plugin, or up to docker 22 by itself.
    ///
    /// # Errors
    /// docker is missing.
    pub(crate) fn has_buildkit(&self) -> Result<bool> {
        if self.has_buildx()? {
            return Ok(true);
        }
        let out = self.call().lookup().args(["version", "--format", "{{.Client.Version}}"]).timeout(self.within).capture()?;
        let major = out.text().split('.').next().and_then(|major| major.parse::<u32>().ok());
        Ok(major.is_some_and(|major| major < 23))
    }

    /// Where the daemon keeps images, as it says; none where it does not answer.
    pub(crate) fn root(&self) -> Option<PathBuf> {
        let out = self.call().lookup().args(["info", "--format", "{{.DockerRootDir}}"]).timeout(self.within).capture().ok()?;
        Some(PathBuf::from(out.text())).filter(|path| out.ok() && path.is_absolute())
    }

    /// Fails with the reason when there is no such buildx builder.
    ///
    /// # Errors
    /// docker or its plugin is missing, nobody made the builder, or nobody answers where it is said to be.
    pub(crate) fn check_builder(&self, name: &str) -> Result<()> {
        if !self.has_buildx()? {
            return Err(Error::failed(format!("builder {name} needs docker's buildx plugin, which is not installed")).hint(INSTALL_BUILDX));
        }
        let out = self.call().lookup().args(["buildx", "inspect"]).operand(name).timeout(2 * self.within).capture()?;
        let said = out.text();
        let is = |key: &str, value: &str| said.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.trim() == value));
        if out.ok() {
            // The other drivers start what is not running; this one only connects.
            if is("Driver:", "remote") && !is("Status:", "running") {
                return Err(Error::failed(format!("buildx builder {name} does not answer"))
                    .hint(format!("docker buildx inspect {name} # where it is said to be")));
            }
            return Ok(());
        }
        let reason = out.stderr.lines().last().unwrap_or("it does not answer").trim().trim_start_matches("ERROR: ").to_owned();
        Err(Error::failed(reason).context(format!("there is no buildx builder {name}")).hint(format!(
            "docker buildx create --name {name} --driver remote tcp://HOST:1234 # or another driver; docker buildx ls lists builders"
        )))
    }

    /// True when the image is in the daemon's own store.
    ///
    /// # Errors
    /// docker is missing, or its daemon went away.
    pub(crate) fn has_image(&self, image: &str) -> Result<bool> {
        let out = self.inspect("{{.Id}}", image).capture()?;
        if !out.ok() && !out.stderr.to_ascii_lowercase().contains("no such image") {
            self.ask()?;
        }
        Ok(out.ok())
    }

    /// A label of an image in the daemon's own store; none when it has no such label.
    ///
    /// # Errors
    /// docker is missing.
    pub(crate) fn label(&self, image: &str, name: &str) -> Result<Option<String>> {
        let out = self.inspect("{{json .Config.Labels}}", image).capture()?;
        Ok(if out.ok() { label_in(&out.stdout, name) } else { None })
    }

    /// A label of an image in a registry, as a builder sees it; none when it has no such label, and when the builder cannot tell (buildx before 0.10).
    ///
    /// # Errors
    /// docker is missing.
    pub(crate) fn label_in_registry(&self, builder: &str, image: &str, name: &str) -> Result<Option<String>> {
        let words = ["buildx", "imagetools", "inspect", "--format", "{{json .Image}}"];
        let call = self.call().lookup().args(words).option("--builder", builder).operand(image).timeout(Duration::from_secs(60));
        let out = call.capture()?;
        Ok(if out.ok() { label_in(&out.stdout, name) } else { None })
    }

    fn inspect(&self, format: &'static str, image: &str) -> Call<'a> {
        self.call().lookup().args(["image", "inspect", "--format", format]).operand(image).timeout(Duration::from_secs(60))
    }

    /// The digest under which a registry knows a pushed image, if any.
    fn digest(&self, image: &str) -> Result<Option<String>> {
        let repository = image.rsplit_once(':').map_or(image, |(repository, _)| repository);
        let out = self.inspect("{{join .RepoDigests \"\\n\"}}", image).capture()?;
        let text = out.text();
        Ok(text.lines().find_map(|line| line.strip_prefix(repository)?.strip_prefix('@')).map(str::to_owned))
    }

    /// `docker push`, up to three times where the registry had a passing fault (two jobs that push one image at once
    /// make Docker's own registry answer 500). Returns its digest there.
    ///
    /// # Errors
    /// docker is missing or the push fails.
    pub(crate) fn push(&self, image: &str) -> Result<Option<String>> {
        self.push_with(image, Call::stream, Call::streamed_failure)
    }

    /// As [`Docker::push`], for several at once: what docker prints is kept for the error.
    ///
    /// # Errors
    /// As [`Docker::push`].
    pub(crate) fn push_quietly(&self, image: &str) -> Result<Option<String>> {
        let captured = |call: &Call<'_>| {
            let out = call.capture()?;
            Ok(if out.ok() { (0, out.text()) } else { (out.code, out.stderr) })
        };
        self.push_with(image, captured, Call::failure)
    }

    fn push_with(
        &self,
        image: &str,
        run: impl Fn(&Call<'a>) -> Result<(i32, String)>,
        failure: impl Fn(&Call<'a>, i32, &str) -> Error,
    ) -> Result<Option<String>> {
        let mut pauses = [2, 5].into_iter();
        loop {
            let call = self.registry_call("push", image);
            let (code, output) = run(&call)?;
            if code == 0 {
                return match pushed_digest(&output) {
                    None => self.digest(image), // docker drew on the terminal itself
                    digest => Ok(digest),
                };
            }
            let Some(pause) = pauses.next().filter(|_| is_passing_fault(&output)) else {
                return Err(self.refusal(failure(&call, code, &output), &output, "push", image));
            };
            self.ui.warn("the registry failed for a moment; pushing again");
            interrupt::sleep(Duration::from_secs(pause))?;
        }
    }

    /// `docker save`, compressed, into a file that is whole or not there.
    ///
    /// # Errors
    /// docker is missing or fails, or the folder cannot be written.
    pub(crate) fn save(&self, image: &str, path: &Path) -> Result<()> {
        let shown = format!("gzip > {}", path.display());
        let call = self.patient(self.call().arg("save").operand(image).shown_after(&shown));
        crate::files::write_stream(path, |file| {
            let mut gzip = GzEncoder::new(file, Compression::fast());
            call.pour(&mut gzip).map_err(|error| self.explain_cause(error))?;
            gzip.finish().map(|_| ()).map_err(|error| Error::io("write", path, &error))
        })
    }

    /// `docker load`; the names of what was loaded.
    ///
    /// # Errors
    /// docker is missing, or the file is no archive of images.
    pub(crate) fn load(&self, path: &Path) -> Result<Vec<String>> {
        let call = self.patient(self.call().arg("load").option("--input", path));
        let out = call.read().map_err(|error| self.explain_cause(error))?;
        let names: Vec<String> =
            out.text().lines().filter_map(|line| line.strip_prefix("Loaded image: ")).map(|name| name.trim().to_owned()).collect();
        if names.is_empty() {
            return Err(
                Error::failed(format!("{} holds no image with a name", path.display())).hint("lain save IMAGE # makes one that does")
            );
        }
        Ok(names)
    }

    /// `docker tag`.
    ///
    /// # Errors
    /// docker is missing or the source is unknown.
    pub(crate) fn tag(&self, from: &str, to: &str) -> Result<()> {
        self.run_explained(self.call().arg("tag").operands([from, to]))
    }

    /// `docker run` of the user's own words, with the terminal where there is one: the command's exit code. Its container goes with it.
    ///
    /// # Errors
    /// docker is missing.
    pub(crate) fn run(&self, image: &str, user: Option<&str>, has_terminal: bool, words: &[String]) -> Result<i32> {
        let call = self.call().args(["run", "--rm"]).arg(if has_terminal { "-it" } else { "-i" });
        let call = user.iter().fold(call, |call, user| call.option("--user", user));
        call.operand(image).command(words).interact()
    }

    /// `docker build` in a context folder; a step that fails leaves no container (builders without any know the flag too).
    pub(crate) fn build(&self, context: &Path) -> Call<'a> {
        self.patient(self.call().args(["build", "--force-rm"]).dir(context))
    }

    /// As [`Docker::build`], by a buildx builder.
    pub(crate) fn build_by(&self, builder: &str, context: &Path) -> Call<'a> {
        self.patient(self.call().args(["buildx", "build"]).option("--builder", builder).dir(context))
    }

    fn patient(&self, build: Call<'a>) -> Call<'a> {
        let hint = "docker info # does the daemon work? LAIN_BUILD_TIMEOUT=3h gives silent steps more time";
        build.standstill(self.patience.build, hint.to_owned())
    }
}

/// The error of a daemon that gives no answer, by docker's own words.
fn no_daemon(reason: Error) -> Error {
    let says = |words: &str| reason.message().contains(words);
    let (what, next) = if says("permission denied") {
        ("this account may not use the docker socket", "sudo usermod -aG docker $USER # then log in anew; that group is as good as root")
    } else if says("context not found") || says("is not found on the file system") {
        ("docker has no such context", "docker context ls # then docker context use NAME, or unset DOCKER_CONTEXT")
    } else {
        ("no docker daemon answers", "sudo systemctl start docker # or set DOCKER_HOST; in GitLab CI mount /var/run/docker.sock")
    };
    reason.context(what).hint(next)
}

/// The first value of a key, however deep: several platforms have a config each.
fn label_in(json: &[u8], name: &str) -> Option<String> {
    fn find(json: &Json, name: &str) -> Option<String> {
        match json {
            Json::Object(map) => {
                map.get(name).and_then(Json::as_str).map(str::to_owned).or_else(|| map.values().find_map(|value| find(value, name)))
            }
            Json::Array(items) => items.iter().find_map(|item| find(item, name)),
            _ => None,
        }
    }
    find(&serde_json::from_slice(json).ok()?, name)
}

/// Of `TAG: digest: sha256:... size: 1150`, docker's last line of a push.
fn pushed_digest(output: &str) -> Option<String> {
    let rest = output.rsplit_once("digest: sha256:")?.1;
    let hex = rest.get(..64).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some(format!("sha256:{hex}"))
}

/// True for what a registry or the way to it may get over by itself.
fn is_passing_fault(output: &str) -> bool {
    [
        "unexpected HTTP status: 5",
        "received unexpected HTTP status: 429",
        "toomanyrequests",
        "unexpected EOF",
        "connection reset by peer",
        "TLS handshake timeout",
        "i/o timeout",
    ]
    .iter()
    .any(|words| output.contains(words))
}
