//! docker and registries that fail: what to say then, and how long to wait for them.

use super::call::Call;
use super::docker::Docker;
use crate::error::{Error, Kind, Result};

/// What registries and docker say when a login is missing or does not reach so far.
const REFUSALS: [&str; 6] =
    ["denied", "unauthorized", "authentication required", "no basic auth credentials", "403 Forbidden", "HTTP 403 response"];
/// What docker says when a registry answers that it has no such image. Some say "denied" to all who may not know.
const ABSENCES: [&str; 5] = [
    "manifest unknown",
    "not found",
    "name unknown",
    "repository name not known",
    "repository does not exist or may require 'docker login'",
];

impl<'a> Docker<'a> {
    /// Runs a docker command; when it fails, the daemon is asked whether it is the reason.
    ///
    /// # Errors
    /// docker is missing, or the command fails.
    pub(crate) fn run_explained(&self, call: Call<'a>) -> Result<()> {
        let (code, output) = call.stream()?;
        if code == 0 { Ok(()) } else { Err(self.explain(call.streamed_failure(code, &output), &output)) }
    }

    /// Says why a docker command failed, where the daemon is the reason: it went away, or is full. `output` is what docker printed, as far as
    /// lain saw it.
    pub(crate) fn explain(&self, error: Error, output: &str) -> Error {
        if error.kind() != Kind::Failed {
            return error;
        }
        match self.ask() {
            Err(gone) if gone.kind() == Kind::Failed => gone.context(format!("{}: the docker daemon went away", error.message())),
            Err(gone) => gone,
            Ok(()) if output.to_ascii_lowercase().contains("no space left on device") => {
                error.hint("docker system df # the disk of the docker daemon is full; docker system prune makes room")
            }
            Ok(()) => error,
        }
    }

    /// As [`Docker::explain`], where docker's words are the error's causes.
    pub(super) fn explain_cause(&self, error: Error) -> Error {
        let output = error.tool().map(|tool| tool.stderr.clone()).unwrap_or_default();
        self.explain(error, &output)
    }

    /// The error of a push or a pull, with the way on.
    pub(super) fn refusal(&self, error: Error, output: &str, verb: &str, image: &str) -> Error {
        let error = self.explain(error, output);
        if error.kind() != Kind::Failed {
            return error;
        }
        let registry = image.split_once('/').map(|(host, _)| host).filter(|host| host.contains(['.', ':']) || *host == "localhost");
        error.or_hint(if REFUSALS.iter().any(|words| output.contains(words)) {
            format!("docker login {}", registry.unwrap_or_default()).trim_end().to_owned()
        } else {
            format!("docker {verb} {image} # by hand, when the registry is back")
        })
    }

    /// A docker command that a registry has a part in: stopped when it stands still for too long.
    pub(super) fn registry_call(&self, verb: &'static str, image: &str) -> Call<'a> {
        let hint = format!("docker {verb} {image} # by hand, when the registry answers; LAIN_REGISTRY_TIMEOUT=30m waits longer");
        self.call().arg(verb).operand(image).standstill(self.patience.registry, hint)
    }

    /// `docker pull`.
    ///
    /// # Errors
    /// docker is missing, or the pull fails or stands still.
    pub(crate) fn pull(&self, image: &str) -> Result<()> {
        let call = self.registry_call("pull", image);
        let (code, output) = call.stream()?;
        if code == 0 { Ok(()) } else { Err(self.refusal(call.streamed_failure(code, &output), &output, "pull", image)) }
    }

    /// As [`Docker::pull`]; false where the registry has no such image, or would not say so to everyone.
    ///
    /// # Errors
    /// As [`Docker::pull`]: what the registry has is not known then.
    pub(crate) fn pull_if_there(&self, image: &str) -> Result<bool> {
        let call = self.registry_call("pull", image);
        let (code, mut output) = call.stream()?;
        if code != 0 && output.is_empty() {
            // docker drew on the terminal itself; the reason can be had once more.
            let again = call.capture()?;
            if again.ok() {
                return Ok(true);
            }
            output = again.stderr;
        }
        if code == 0 || ABSENCES.iter().any(|words| output.contains(words)) {
            return Ok(code == 0);
        }
        Err(self.refusal(call.streamed_failure(code, &output), &output, "pull", image))
    }
}
