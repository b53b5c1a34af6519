//! What is asked of kubectl for Jobs that a user starts, and for images that a user sets.

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;

use super::call::{Call, Captured};
use super::kubectl::Kubectl;
use crate::error::Result;
use crate::interrupt;

/// The longest for what a Job leaves to be gone.
const GOING: Duration = Duration::from_secs(60);
/// The same when the run is over: nobody waits for it.
const LAST: Duration = Duration::from_secs(15);
/// Of that, for the request.
const AT_LAST: Duration = Duration::from_secs(10);

impl<'a> Kubectl<'a> {
    /// The Job that a `CronJob` would make now, as `kubectl create job --from` makes it; nothing is created.
    ///
    /// # Errors
    /// As [`Kubectl::get`], or there is no such `CronJob`.
    pub(crate) fn job_of_cronjob(&self, cronjob: &str, name: &str) -> Result<Json> {
        let call = self.question(["create", "job", "--dry-run=client", "--output", "json"]);
        self.answer(&call.option("--from", format!("cronjob/{cronjob}")).operand(name))
    }

    /// `kubectl delete job`, and waits until it is gone; one that is gone already is no error.
    ///
    /// # Errors
    /// kubectl is missing, the server refuses, or it takes too long.
    pub(crate) fn delete_job(&self, name: &str) -> Result<()> {
        self.make(&self.change(["delete", "job", "--ignore-not-found"]).operand(name).timeout(GOING))
    }

    /// The same at the end of a run, also of one that is interrupted: nobody waits until it is gone.
    ///
    /// # Errors
    /// kubectl is missing, or the server refuses or does not answer in time.
    pub(crate) fn delete_job_at_last(&self, name: &str) -> Result<()> {
        let call = self.change(["delete", "job", "--ignore-not-found", "--wait=false"]).operand(name);
        self.target().within(AT_LAST, call).timeout(LAST).last_word().read().map(drop)
    }

    /// The log of a container from its start, or from a time on, followed to its end.
    pub(crate) fn follow_container(&self, pod: &str, container: &str, since: Option<&str>) -> Call<'a> {
        let call = self.call(["logs", "--follow"]).operand(pod).option("--container", container);
        match since {
            Some(time) => call.option("--since-time", time),
            None => call,
        }
    }

    /// As [`Kubectl::exec`], but Ctrl-C and SIGTERM of lain end it: what it runs in goes then.
    ///
    /// # Errors
    /// kubectl cannot be started, or the run is interrupted.
    pub(crate) fn exec_until_interrupted(&self, pod: &str, container: &str, has_terminal: bool, words: &[&str]) -> Result<i32> {
        self.execution(pod, container, has_terminal, words).interact_while(interrupt::check)
    }

    /// `kubectl exec` without input, for what the command prints.
    ///
    /// # Errors
    /// kubectl cannot be started, it takes longer than `most`, or the run is interrupted.
    pub(crate) fn output_of(&self, pod: &str, container: &str, words: &[&str], most: Duration) -> Result<Captured> {
        let call = self.call(["exec"]).operand(pod).option("--container", container).lookup().timeout(most);
        call.end_of_options().command(words.iter().copied()).capture()
    }

    /// `kubectl cp` of a folder into a container, which needs `tar` there.
    ///
    /// # Errors
    /// kubectl is missing, or it fails.
    pub(crate) fn copy_into(&self, folder: &Path, pod: &str, container: &str, path: &str) -> Result<()> {
        let call = self.call(["cp"]).option("--container", container).operand(folder).operand(format!("{pod}:{path}"));
        call.timeout(Duration::from_secs(1800)).run()
    }

    /// `kubectl set image`: these containers of one object get these images.
    ///
    /// # Errors
    /// kubectl is missing, or the server refuses.
    pub(crate) fn set_image(&self, object: &str, images: impl IntoIterator<Item = (String, String)>) -> Result<()> {
        let pairs = images.into_iter().map(|(container, image)| format!("{container}={image}"));
        self.make(&self.change(["set", "image"]).operand(object).operands(pairs))
    }

    /// `kubectl patch`, as the kind of the object merges: lists by the names in them.
    ///
    /// # Errors
    /// As [`Kubectl::set_image`].
    pub(crate) fn patch(&self, object: &str, patch: &Json) -> Result<()> {
        self.change(["patch"]).operand(object).option("--patch", patch.to_string()).run()
    }
}
