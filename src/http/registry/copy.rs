//! An image from one registry to another, blob by blob, without a docker daemon that compresses every layer once more.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-a-blob-monolithically>

use std::time::Duration;

use serde_json::Value as Json;
use ureq::http::StatusCode;

use super::transfer::{End, pass_on};
use super::{Action, MANIFESTS, Registry, digest_of, is_digest};
use crate::error::{Error, Result};
use crate::http::client::Method;
use crate::http::url::{encode, host_of};

/// Indexes hold images, not indexes of indexes of indexes.
const DEPTH: usize = 3;

impl Registry<'_> {
    /// Copies the image with this digest, whole, to a tag of another registry; what that has already is not sent again. No blob may stand still
    /// for longer than `still`.
    ///
    /// # Errors
    /// Either registry refuses, does not answer, or answers something else.
    pub fn copy(&self, digest: &str, to: &Registry<'_>, tag: &str, still: Duration) -> Result<()> {
        self.copy_manifest(digest, to, tag, still, DEPTH)
    }

    fn copy_manifest(&self, digest: &str, to: &Registry<'_>, reference: &str, still: Duration, depth: usize) -> Result<()> {
        let reply = self.ask(Method::Get, &self.manifest(digest), MANIFESTS, Action::Pull)?;
        self.expect_ok(&reply)?;
        let manifest: Json = serde_json::from_slice(&reply.body).map_err(|_| self.garbage(&reply, "image manifest"))?;
        let text = std::str::from_utf8(&reply.body).ok().filter(|text| digest_of(text.as_bytes()) == digest);
        let kind = manifest["mediaType"].as_str().or_else(|| reply.header("content-type"));
        let (Some(text), Some(kind)) = (text, kind) else { return Err(self.garbage(&reply, "manifest of that digest")) };
        let each = |key: &str| manifest[key].as_array().cloned().unwrap_or_default();
        for image in each("manifests") {
            let (Some(child), true) = (image["digest"].as_str().filter(|digest| is_digest(digest)), depth > 0) else {
                return Err(self.garbage(&reply, "index of images"));
            };
            self.copy_manifest(child, to, child, still, depth - 1)?;
        }
        let config = manifest.get("config").cloned();
        for blob in each("layers").into_iter().chain(config) {
            let (Some(digest), Some(size)) = (blob["digest"].as_str().filter(|digest| is_digest(digest)), blob["size"].as_u64()) else {
                return Err(self.garbage(&reply, "image manifest"));
            };
            // Layers that lie elsewhere (Windows') are in no registry.
            if !blob["mediaType"].as_str().is_some_and(|kind| kind.contains("foreign") || kind.contains("nondistributable")) {
                self.copy_blob(digest, size, to, still)?;
            }
        }
        let put = to.ask(Method::Put(kind, text), &to.manifest(reference), "application/json", Action::Push)?;
        to.expect_ok(&put)
    }

    fn copy_blob(&self, digest: &str, size: u64, to: &Registry<'_>, still: Duration) -> Result<()> {
        let (there, here) = (to.blob(digest), self.blob(digest));
        if to.ask(Method::Head, &there, "*/*", Action::Push)?.status.is_success() {
            return Ok(());
        }
        let mut start = format!("/v2/{}/blobs/uploads/", to.place.repository);
        if self.place.host == to.place.host {
            start += &format!("?mount={}&from={}", encode(digest), encode(&self.place.repository)); // a registry that will not starts an upload
        }
        let reply = to.ask(Method::Post, &start, "*/*", Action::Push)?;
        to.expect_ok(&reply)?;
        if reply.status == StatusCode::CREATED {
            return Ok(());
        }
        let Some(upload) = reply.header("location").and_then(|location| to.reach.address(location)) else {
            return Err(to.garbage(&reply, "place to upload to"));
        };
        // Asked again before each blob, so that a token is fresh when a long one begins.
        let found = self.ask(Method::Head, &here, "*/*", Action::Pull)?;
        self.expect_ok(&found)?;
        let login = |registry: &Registry<'_>, url: &str, action: Action| {
            let known = registry.authorization[action as usize].borrow().clone();
            known.filter(|_| host_of(url) == registry.reach.host()).map(|value| ("Authorization".to_owned(), value)).into_iter().collect()
        };
        let from = format!("{}{here}", self.reach.base());
        let url = format!("{upload}{}digest={}", if upload.contains('?') { '&' } else { '?' }, encode(digest));
        let source = End { line: self.reach.client_in_use().unbounded(), headers: login(self, &from, Action::Pull), url: from };
        let target = End { line: to.reach.client_in_use().unbounded(), headers: login(to, &url, Action::Push), url };
        let status = pass_on(source, target, size, still).map_err(|failure| to.unreachable(failure))?;
        if status == StatusCode::CREATED {
            return Ok(());
        }
        Err(Error::failed(format!("registry {} answers {status} to a layer of {}", to.place.name(), to.place.repository)))
    }
}
