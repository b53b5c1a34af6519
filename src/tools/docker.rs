//! docker, through its command line.

use std::path::Path;
use std::time::Duration;

use super::call::Call;
use super::interrupt;
use crate::error::{Error, Result};
use crate::ui::Ui;

/// The docker client, pointed at one daemon.
#[derive(Debug)]
pub struct Docker<'a> {
    ui: &'a Ui,
    host: Option<String>,
}

impl<'a> Docker<'a> {
    /// The docker client; `host` overrides its own choice of daemon.
    pub fn new(ui: &'a Ui, host: Option<&str>) -> Self {
        Self { ui, host: host.map(str::to_owned) }
    }

    /// A docker command.
    pub fn call(&self) -> Call<'a> {
        let call = Call::new(self.ui, "docker").install_hint("install docker: https://docs.docker.com/engine/install/");
        match &self.host {
            Some(host) => call.args(["--host", host]),
            None => call,
        }
    }

    /// Fails with the reason when no daemon answers, so that a build does not fail later with a riddle.
    ///
    /// # Errors
    /// docker is missing, or its daemon does not answer within 20 s.
    pub fn check(&self) -> Result<()> {
        let out = self.call().lookup().args(["version", "--format", "{{.Server.Version}}"]).timeout(Duration::from_secs(20)).capture()?;
        if out.ok() && !out.text().is_empty() {
            return Ok(());
        }
        let reason = out.stderr.lines().last().unwrap_or("it does not answer").trim().to_owned();
        Err(Error::failed(reason)
            .context("no docker daemon answers")
            .hint("start docker (systemctl start docker), or set DOCKER_HOST, or in GitLab CI mount /var/run/docker.sock"))
    }

    /// True when the image is in the daemon's own store.
    ///
    /// # Errors
    /// docker is missing.
    pub fn has_image(&self, image: &str) -> Result<bool> {
        Ok(self.call().lookup().args(["image", "inspect", "--format", "{{.Id}}", image]).capture()?.ok())
    }

    /// The digest under which a registry knows a pushed image, if any.
    ///
    /// # Errors
    /// docker is missing.
    pub fn digest(&self, image: &str, repository: &str) -> Result<Option<String>> {
        let out = self.call().lookup().args(["image", "inspect", "--format", "{{join .RepoDigests \"\\n\"}}", image]).capture()?;
        let text = out.text();
        Ok(text.lines().find_map(|line| line.strip_prefix(repository)?.strip_prefix('@')).map(str::to_owned))
    }

    /// `docker pull`.
    ///
    /// # Errors
    /// docker is missing or the pull fails.
    pub fn pull(&self, image: &str) -> Result<()> {
        self.call().args(["pull", image]).run()
    }

    /// `docker push`, up to three times where the registry had a passing fault (two jobs that push one image at once
    /// make Docker's own registry answer 500).
    ///
    /// # Errors
    /// docker is missing or the push fails.
    pub fn push(&self, image: &str) -> Result<()> {
        for pause in [2, 5] {
            let call = self.call().args(["push", image]);
            let (code, output) = call.stream()?;
            if code == 0 {
                return Ok(());
            }
            if !is_passing_fault(&output) {
                let error = call.streamed_failure(code, &output);
                let refused = ["denied", "unauthorized", "authentication required"].iter().any(|word| output.contains(word));
                let registry = image.split('/').next().unwrap_or(image);
                return Err(if refused { error.hint(format!("docker login {registry}")) } else { error });
            }
            self.ui.warn("the registry failed for a moment; pushing again");
            interrupt::sleep(Duration::from_secs(pause))?;
        }
        self.call().args(["push", image]).run()
    }

    /// `docker tag`.
    ///
    /// # Errors
    /// docker is missing or the source is unknown.
    pub fn tag(&self, from: &str, to: &str) -> Result<()> {
        self.call().args(["tag", from, to]).run()
    }

    /// Where the daemon listens for builds that need the context folder.
    pub fn build(&self, context: &Path) -> Call<'a> {
        self.call().arg("build").dir(context)
    }
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
