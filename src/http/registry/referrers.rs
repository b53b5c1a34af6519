//! What is attached to an image: documents that refer to its digest, in OCI's own way, and cosign's tags.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests-with-subject>

use std::time::Duration;

use serde_json::{Value as Json, json};
use ureq::http::StatusCode;

use super::{Action, MANIFESTS, Registry, digest_of, errors_of, is_digest};
use crate::error::{Error, Result};
use crate::http::client::Method;
use crate::http::url::{encode, host_of};

/// An index of manifests.
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// A manifest.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// A configuration that says nothing, and itself.
const EMPTY: (&str, &str) = ("application/vnd.oci.empty.v1+json", "{}");
/// cosign's own tags for an image, beside that of registries that do not know referrers: signature, attestations, SBOM.
const COSIGN: [&str; 3] = [".sig", ".att", ".sbom"];

impl Registry<'_> {
    /// The images behind a digest that are for a platform: those of an index, else itself.
    ///
    /// # Errors
    /// The registry has no such image, refuses, or does not answer.
    pub(crate) fn images_of(&self, digest: &str) -> Result<Vec<String>> {
        let (_, manifest) = self.there(digest)?;
        let Some(images) = manifest["manifests"].as_array() else { return Ok(vec![digest.to_owned()]) };
        // An attestation stands beside the images, of a platform that nobody has.
        let images = images.iter().filter(|image| image["platform"]["os"] != "unknown");
        Ok(images.filter_map(|image| image["digest"].as_str()).filter(|digest| is_digest(digest)).map(str::to_owned).collect())
    }

    /// True where a document of this type is attached to an image.
    ///
    /// # Errors
    /// The registry refuses, or does not answer.
    pub(crate) fn has_attached(&self, digest: &str, kind: &str) -> Result<bool> {
        Ok(self.referrers(digest)?.iter().any(|one| one["artifactType"] == kind))
    }

    /// Attaches a text of this type to an image: a manifest of its own that names the image as its subject. A registry that does not know subjects gets
    /// a tag after the image's digest, which clients then look for.
    ///
    /// # Errors
    /// The registry has no such image, refuses, or does not answer.
    pub(crate) fn attach(&self, digest: &str, kind: &str, text: &str) -> Result<()> {
        let (size, image) = self.there(digest)?;
        let image_kind = image["mediaType"].as_str().unwrap_or(if image["manifests"].is_array() { INDEX } else { MANIFEST });
        let part = |kind: &str, text: &str| json!({"mediaType": kind, "digest": digest_of(text.as_bytes()), "size": text.len()});
        self.put_blob(EMPTY.1)?;
        self.put_blob(text)?;
        let made = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let annotations = json!({"org.opencontainers.image.created": made});
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": part(EMPTY.0, EMPTY.1), "layers": [part(kind, text)],
            "subject": {"mediaType": image_kind, "digest": digest, "size": size}, "annotations": annotations,
        })
        .to_string();
        let own = digest_of(manifest.as_bytes());
        let reply = self.ask(Method::Put(MANIFEST, &manifest), &self.manifest(&own), "application/json", Action::Push)?;
        self.expect_ok(&reply)?;
        if reply.header("oci-subject").is_some() {
            return Ok(());
        }
        let mut all = self.tagged(digest)?;
        all.retain(|one| one["digest"] != own.as_str());
        all.push(json!({"mediaType": MANIFEST, "digest": own, "size": manifest.len(), "artifactType": kind, "annotations": annotations}));
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": all}).to_string();
        let reply = self.ask(Method::Put(INDEX, &index), &self.manifest(&tag_of(digest)), "application/json", Action::Push)?;
        self.expect_ok(&reply)
    }

    /// Copies what is attached to an image to another registry that has the same image: signatures, SBOMs. Returns how many things that were.
    ///
    /// # Errors
    /// Either registry refuses, or does not answer.
    pub(crate) fn copy_attached(&self, digest: &str, to: &Registry<'_>, still: Duration) -> Result<usize> {
        let mut count = 0;
        let tag = tag_of(digest);
        for tag in COSIGN.iter().map(|end| format!("{tag}{end}")).chain([tag.clone()]) {
            if let Some(found) = self.digest(&tag)? {
                self.copy(&found, to, &tag, still)?;
                count += 1;
            }
        }
        // Where the registry itself knows what refers to what, there is no tag.
        for one in self.listed(digest)?.unwrap_or_default() {
            let Some(found) = one["digest"].as_str().filter(|digest| is_digest(digest)) else { continue };
            self.copy(found, to, found, still)?;
            count += 1;
        }
        Ok(count)
    }

    /// The bytes and the text of a manifest that is to be there.
    fn there(&self, digest: &str) -> Result<(usize, Json)> {
        let reply = self.ask(Method::Get, &self.manifest(digest), MANIFESTS, Action::Pull)?;
        self.expect_ok(&reply)?;
        let manifest = serde_json::from_slice(&reply.body).map_err(|_| self.garbage(&reply, "image manifest"))?;
        Ok((reply.body.len(), manifest))
    }

    fn referrers(&self, digest: &str) -> Result<Vec<Json>> {
        self.listed(digest)?.map_or_else(|| self.tagged(digest), Ok)
    }

    /// What the registry itself says that refers to an image; none where it does not know such things.
    fn listed(&self, digest: &str) -> Result<Option<Vec<Json>>> {
        let path = format!("/v2/{}/referrers/{}", self.place.repository, encode(digest));
        let reply = self.ask(Method::Get, &path, INDEX, Action::Pull)?;
        if !reply.status.is_success() {
            return Ok(None); // registries that are older answer in many ways
        }
        Ok(serde_json::from_slice::<Json>(&reply.body).ok().and_then(|index| index["manifests"].as_array().cloned()))
    }

    fn tagged(&self, digest: &str) -> Result<Vec<Json>> {
        let reply = self.ask(Method::Get, &self.manifest(&tag_of(digest)), MANIFESTS, Action::Pull)?;
        if reply.status == StatusCode::NOT_FOUND && errors_of(&reply).is_some() {
            return Ok(vec![]);
        }
        self.expect_ok(&reply)?;
        let index: Json = serde_json::from_slice(&reply.body).map_err(|_| self.garbage(&reply, "index of what refers to an image"))?;
        Ok(index["manifests"].as_array().cloned().unwrap_or_default())
    }

    /// A text as a blob, unless it is there.
    fn put_blob(&self, text: &str) -> Result<()> {
        let digest = digest_of(text.as_bytes());
        if self.ask(Method::Head, &self.blob(&digest), "*/*", Action::Push)?.status.is_success() {
            return Ok(());
        }
        let reply = self.ask(Method::Post, &format!("/v2/{}/blobs/uploads/", self.place.repository), "*/*", Action::Push)?;
        self.expect_ok(&reply)?;
        let Some(upload) = reply.header("location").and_then(|location| self.reach.address(location)) else {
            return Err(self.garbage(&reply, "place to upload to"));
        };
        let url = format!("{upload}{}digest={}", if upload.contains('?') { '&' } else { '?' }, encode(&digest));
        let known = self.authorization[Action::Push as usize].borrow().clone();
        let login = known.filter(|_| host_of(&url) == self.reach.host());
        let headers: Vec<(&str, &str)> = login.as_deref().map(|value| ("Authorization", value)).into_iter().collect();
        let put = Method::Put("application/octet-stream", text);
        let reply = self.reach.client_in_use().try_send(put, &url, &headers).map_err(|failure| self.unreachable(failure))?;
        if reply.status == StatusCode::CREATED {
            return Ok(());
        }
        Err(Error::failed(format!("registry {} answers {} to a blob of {}", self.place.name(), reply.status, self.place.repository)))
    }
}

/// The tag that stands for what refers to an image (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>).
fn tag_of(digest: &str) -> String {
    digest.replace(':', "-").chars().take(128).collect()
}
