//! Whether this account may pull and push, asked without leaving anything behind.

use std::time::Duration;

use ureq::http::StatusCode;

use super::{Action, Registry, errors_of};
use crate::error::{Error, Result};
use crate::http::client::Method;
use crate::http::url::host_of;

/// Any tag: whether the registry has it is not the question.
const SOME_TAG: &str = "latest";

impl Registry<'_> {
    /// The same for those who wait: each request is made once, and may take so long.
    #[must_use]
    pub(crate) fn hurried(mut self, within: Duration) -> Self {
        self.reach.hurry(within);
        self
    }

    /// Whether it is a registry that takes this login, whatever it lets one do.
    ///
    /// # Errors
    /// The registry refuses, does not answer, or is none.
    pub(crate) fn greet(&self) -> Result<()> {
        let reply = self.ask(Method::Get, "/v2/", "application/json", Action::Pull)?;
        self.expect_ok(&reply)
    }

    /// Whether this repository may be pulled from, whatever is in it.
    ///
    /// # Errors
    /// It may not be; or the registry does not answer, or answers something else.
    pub(crate) fn may_pull(&self) -> Result<()> {
        self.digest(SOME_TAG).map(drop)
    }

    /// Whether this repository may be pushed to: an upload is begun, and cancelled before a byte was sent.
    ///
    /// # Errors
    /// It may not be; or the registry does not answer, or answers something else.
    pub(crate) fn may_push(&self) -> Result<()> {
        let start = format!("/v2/{}/blobs/uploads/", self.place.repository);
        let reply = self.ask(Method::Post, &start, "*/*", Action::Push)?;
        if reply.status == StatusCode::NOT_FOUND && errors_of(&reply).is_some() {
            let (name, repository) = (self.place.name(), &self.place.repository);
            return Err(Error::failed(format!("registry {name} has no repository {repository}, and makes none when something is pushed"))
                .hint(format!("make the repository {repository} in the settings of {name}, then push")));
        }
        self.expect_ok(&reply)?;
        self.cancel(reply.header("location"));
        Ok(())
    }

    /// What is not cancelled here, registries clear away by themselves.
    fn cancel(&self, upload: Option<&str>) {
        let Some(url) = upload.and_then(|location| self.reach.address(location)) else { return };
        if host_of(&url) != self.reach.host() {
            return; // the login is for no other host
        }
        if let Some(path) = url.strip_prefix(&self.reach.base()) {
            let _ = self.ask(Method::Delete, path, "*/*", Action::Push);
        }
    }

    /// The address that its API is at, by the way that led there.
    pub(crate) fn address(&self) -> String {
        format!("{}/v2/", self.reach.base())
    }
}
