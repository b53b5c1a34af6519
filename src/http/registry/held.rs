//! What a registry holds under a name: an image and all that it is made of; and which repositories there are.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value as Json;
use ureq::http::StatusCode;

use super::{Action, MANIFESTS, MAX_PAGES, PAGE, Registry, digest_of, errors_of, is_digest};
use crate::error::{Error, Result};
use crate::http::client::Method;
use crate::http::url::{encode, next_query};
use crate::model::image::ImageReference;

/// Indexes hold images, not indexes of indexes of indexes.
const DEPTH: usize = 3;

/// An image, or an index of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its digest.
    pub digest: String,
    /// The images that it is an index of, and those that they are.
    pub parts: BTreeSet<String>,
    /// Its layers and its configuration, in bytes; none of an index.
    pub bytes: Option<u64>,
}

#[derive(Deserialize)]
struct Catalog {
    repositories: Option<Vec<String>>,
}

impl Registry<'_> {
    /// What a tag or a digest stands for; none where the registry does not have it.
    ///
    /// # Errors
    /// The registry refuses, does not answer, or answers something else.
    pub(crate) fn held(&self, reference: &str) -> Result<Option<Held>> {
        let Some((digest, manifest)) = self.manifest_of(reference)? else { return Ok(None) };
        let mut parts = BTreeSet::new();
        self.add_parts(&manifest, &mut parts, DEPTH)?;
        let size = |part: &Json| part["size"].as_u64();
        let layers = manifest["layers"].as_array().map(|layers| layers.iter().filter_map(size).sum::<u64>());
        Ok(Some(Held { digest, parts, bytes: layers.map(|layers| layers + size(&manifest["config"]).unwrap_or(0)) }))
    }

    fn add_parts(&self, manifest: &Json, parts: &mut BTreeSet<String>, depth: usize) -> Result<()> {
        for part in manifest["manifests"].as_array().into_iter().flatten() {
            let Some(digest) = part["digest"].as_str().filter(|digest| is_digest(digest)) else { continue };
            let is_index = part["mediaType"].as_str().is_none_or(|kind| kind.contains("index") || kind.contains("list"));
            if parts.insert(digest.to_owned())
                && is_index
                && depth > 0
                && let Some((_, inner)) = self.manifest_of(digest)?
            {
                self.add_parts(&inner, parts, depth - 1)?;
            }
        }
        Ok(())
    }

    fn manifest_of(&self, reference: &str) -> Result<Option<(String, Json)>> {
        let reply = self.ask(Method::Get, &self.manifest(reference), MANIFESTS, Action::Pull)?;
        if reply.status == StatusCode::NOT_FOUND && errors_of(&reply).is_some() {
            return Ok(None);
        }
        self.expect_ok(&reply)?;
        let manifest: Option<Json> = serde_json::from_slice(&reply.body).ok();
        let manifest = manifest.filter(|manifest| manifest["schemaVersion"] == 2).ok_or_else(|| self.garbage(&reply, "image manifest"))?;
        Ok(Some((digest_of(&reply.body), manifest)))
    }

    /// The repositories beside this one, each as the last part of its name: `shop` of `team/shop`. Not every registry tells, nor all of them to anybody.
    ///
    /// # Errors
    /// The registry does not list them, refuses, does not answer, or answers something else.
    pub(crate) fn beside(&self) -> Result<Vec<String>> {
        let folder = self.place.repository.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let mut names = BTreeSet::new();
        let mut query = format!("n={PAGE}");
        for _ in 0..MAX_PAGES {
            let reply = self.ask(Method::Get, &format!("/v2/_catalog?{query}"), "application/json", Action::List)?;
            if matches!(
                reply.status,
                StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
            ) {
                return Err(Error::failed(format!("registry {} does not list its repositories ({})", self.place.name(), reply.status))
                    .hint("lain admin list-images --app NAME --app OTHER # those that you name; cleanup-registry takes them too"));
            }
            self.expect_ok(&reply)?;
            let page: Catalog = serde_json::from_slice(&reply.body).map_err(|_| self.garbage(&reply, "list of repositories"))?;
            let page = page.repositories.unwrap_or_default();
            let last = page.last().cloned().filter(|_| page.len() >= PAGE);
            let before = names.len();
            names.extend(
                page.iter()
                    .filter_map(|name| name.strip_prefix(&folder))
                    .filter(|name| !name.contains('/'))
                    .filter(|name| ImageReference::parse(name).is_ok())
                    .map(str::to_owned),
            );
            query = match reply.headers.get_all("link").iter().find_map(|link| next_query(link.to_str().ok()?)) {
                Some(next) if next != query => next,
                None if names.len() > before && last.is_some() => format!("n={PAGE}&last={}", encode(&last.unwrap_or_default())),
                _ => break,
            };
        }
        Ok(names.into_iter().collect())
    }
}
