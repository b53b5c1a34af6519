//! The one guard of what runs: where a cluster asks for signatures, each of the app's own images runs by a digest whose signature was verified, whatever
//! verb starts it. What others made (`image` of a proc) is theirs to sign, and an admission controller's to check.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};

use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::http::registry::Registry;
use crate::images::seal::{in_variable, is_private};
use crate::model::app::App;
use crate::model::builds::{self, DEFAULT_BUILD};
use crate::model::cluster::Signature;
use crate::model::image::{ImageReference, repository_in};
use crate::model::manifest::objects;
use crate::session::Session;
use crate::tools::cosign::{Cosign, PUBLIC_KEY, Sought, Trusted, Verdict};
use crate::ui::printable;

/// The keys of a pod's lists of containers.
const LISTS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

/// What makes sure that signatures count.
pub(super) struct Guard<'s> {
    session: &'s Session,
    cosign: Cosign<'s>,
    trusted: Trusted,
    /// The cluster asks for it, not only whoever types.
    is_rule: bool,
    /// `REPOSITORY@DIGEST` that were good.
    good: RefCell<HashSet<String>>,
}

impl<'s> Guard<'s> {
    /// None where neither the cluster nor whoever types asks for it.
    ///
    /// # Errors
    /// Nothing says whose signature counts, or its key is not there.
    pub(super) fn of(session: &'s Session, asked: bool) -> Result<Option<Self>> {
        let authority = session.authority()?;
        let is_rule = authority.require_signature == Some(true);
        if !is_rule && !asked {
            return Ok(None);
        }
        let trusted = trusted(session, authority.signature.as_ref(), is_rule)?;
        let cosign = Cosign::new(&session.ui, &session.env, session.docker_logins()?, is_private(authority));
        Ok(Some(Self { session, cosign, trusted, is_rule, good: RefCell::default() }))
    }

    /// Why it is asked, for messages.
    fn why(&self) -> String {
        match self.session.cluster_name().filter(|_| self.is_rule) {
            Some(cluster) => format!("cluster {cluster} runs signed images alone (`require_signature`)"),
            None => "--verify asks for a signature".to_owned(),
        }
    }

    /// What the app's own images are called where pods pull them, each with the name that they were pushed under.
    fn own(&self) -> Result<Vec<(String, String)>> {
        let (app, cluster) = (self.session.app()?, self.session.cluster()?);
        let Some(registry) = cluster.registry.as_deref() else { return Ok(vec![]) };
        let places = [Some(registry), cluster.internal_registry.as_deref()];
        let names = names(app);
        let of = |place: &str| names.iter().map(|name| (repository_in(place, name), repository_in(registry, name))).collect::<Vec<_>>();
        Ok(places.into_iter().flatten().flat_map(of).collect())
    }

    /// The name that an image was pushed under, where it is one of the app's own.
    fn pushed(&self, image: &ImageReference) -> Result<Option<String>> {
        let name = whole(&image.name());
        Ok(self.own()?.into_iter().find(|(pulled, _)| whole(pulled) == name).map(|(_, pushed)| pushed))
    }

    /// The images that a chart could run of the app's own, by their digests, as far as the registry has them: for the chart to name them so.
    ///
    /// # Errors
    /// The registry refuses, or does not answer.
    pub(super) fn pins(&self, app: &App, tag: &str) -> Result<Vec<String>> {
        let cluster = self.session.cluster()?;
        let Some(registry) = cluster.registry.as_deref() else { return Ok(vec![]) };
        let pulled = cluster.internal_registry.as_deref().unwrap_or(registry); // as the chart writes it
        let mut wanted: BTreeSet<(String, String)> = names(app).into_iter().map(|name| (name, tag.to_owned())).collect();
        for (_, _, proc) in app.procs() {
            if let (None, Some(own)) = (&proc.image, &proc.image_tag) {
                wanted.insert((app.appname.to_string(), own.to_string()));
            }
        }
        let mut pins = vec![];
        for (name, tag) in wanted {
            if let Some(digest) = self.session.registry_of(&repository_in(registry, &name))?.digest(&tag)? {
                pins.push(format!("{pulled}/{name}:{tag}@{digest}"));
            }
        }
        Ok(pins)
    }

    /// A whole image by its digest; as it is where the registry does not have it, which others tell of.
    ///
    /// # Errors
    /// As [`Guard::pins`].
    pub(super) fn pinned(&self, image: &ImageReference) -> Result<ImageReference> {
        if image.digest.is_some() {
            return Ok(image.clone());
        }
        let name = self.pushed(image)?.unwrap_or_else(|| image.name());
        let digest = self.session.registry_of(&name)?.digest(image.tag.as_deref().unwrap_or("latest"))?;
        Ok(ImageReference { digest, ..image.clone() })
    }

    /// The same image by its digest, once its signature is known to count.
    ///
    /// # Errors
    /// It has none that counts, the registry does not have it or does not answer, or cosign is missing.
    pub(super) fn verified(&self, image: &ImageReference) -> Result<ImageReference> {
        let image = self.pinned(image)?;
        let name = self.pushed(&image)?.unwrap_or_else(|| image.name());
        let Some(digest) = &image.digest else {
            return Err(Error::refused(format!("{image} is not in the registry, and {}", self.why())).hint("lain tags # what is there"));
        };
        self.require(&name, digest)?;
        Ok(image)
    }

    fn require(&self, name: &str, digest: &str) -> Result<()> {
        let whole = format!("{name}@{digest}");
        if self.good.borrow().contains(&whole) {
            return Ok(());
        }
        let registry: Registry<'_> = self.session.registry_of(name)?;
        if registry.digest(digest)?.is_none() {
            return Err(Error::refused(format!("{whole} is not in the registry, so its signature is not either; {}", self.why()))
                .hint("lain tags # what is there"));
        }
        let verdict = self
            .cosign
            .verify(&whole, Sought::Signature, &self.trusted, &registry.terms())
            .map_err(|error| error.context(format!("the signature of {whole} could not be verified")))?;
        let why = match verdict {
            Verdict::Good => {
                self.session.ui.say(&format!("verified the signature of {whole}"));
                self.good.borrow_mut().insert(whole);
                return Ok(());
            }
            Verdict::Unsigned => format!("{whole} has no signature, and {}", self.why()),
            Verdict::Foreign(said) => {
                format!("{whole} is signed, but not by one whose signature counts here ({}), and {}", printable(&said), self.why())
            }
        };
        Err(Error::refused(why)
            .hint("lain build --push --if-missing --sign # signs the image of HEAD, also one that is there already")
            .hint(format!("cosign sign --key KEY {whole} # any other")))
    }

    /// Every one of the app's own images in a manifest runs by a digest whose signature counts; `asked` is one more that is to.
    ///
    /// # Errors
    /// As [`Guard::verified`]; or one runs by a tag. `instead` says what to type then.
    pub(super) fn require_all(&self, manifest: &str, asked: Option<&ImageReference>, instead: &str) -> Result<()> {
        let objects = objects(manifest).map_err(|why| Error::failed(why).hint("lain template # what the chart makes"))?;
        let mut images = BTreeSet::new();
        objects.iter().for_each(|object| collect(object.json(), &mut images));
        for text in images {
            let Ok(image) = ImageReference::parse(&text) else { continue }; // nothing can run it
            let pushed = self.pushed(&image)?;
            let is_whole = asked.is_some_and(|asked| whole(&asked.name()) == whole(&image.name()));
            if pushed.is_none() && !is_whole {
                continue;
            }
            let Some(digest) = &image.digest else {
                let why = format!("{image} would run by its tag, which may be another image tomorrow, and {}", self.why());
                return Err(Error::refused(why).hint(instead));
            };
            self.require(&pushed.unwrap_or_else(|| image.name()), digest)?;
        }
        Ok(())
    }

    /// Has an object run the app's own images by their digests, once their signatures are known to count.
    ///
    /// # Errors
    /// As [`Guard::verified`].
    pub(super) fn pin(&self, object: &mut Json) -> Result<()> {
        match object {
            Json::Array(items) => items.iter_mut().try_for_each(|item| self.pin(item)),
            Json::Object(map) => {
                for (key, value) in map {
                    if LISTS.contains(&key.as_str()) {
                        for container in value.as_array_mut().into_iter().flatten() {
                            let Some(Ok(image)) = container["image"].as_str().map(ImageReference::parse) else { continue };
                            if self.pushed(&image)?.is_some() {
                                container["image"] = self.verified(&image)?.to_string().into();
                            }
                        }
                    } else {
                        self.pin(value)?;
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// As [`Guard::pin`] of what a Job is to run, where there is an app and its cluster asks for signatures.
///
/// # Errors
/// As [`Guard::of`] and [`Guard::pin`].
pub(super) fn pin(session: &Session, object: &mut Json) -> Result<()> {
    if !session.has_app() {
        return Ok(());
    }
    Guard::of(session, false)?.map_or(Ok(()), |guard| guard.pin(object))
}

/// What the app's own images are called in a registry: `shop`, `shop-admin`.
fn names(app: &App) -> Vec<String> {
    let named = builds::all(app).into_iter().filter_map(|(name, _)| name).filter(|name| *name != DEFAULT_BUILD);
    std::iter::once(app.appname.to_string()).chain(named.map(|name| format!("{}-{name}", app.appname))).collect()
}

/// A repository's name with its host: nothing, `docker.io` and `index.docker.io` are one.
fn whole(name: &str) -> String {
    match ImageReference::parse(name).map(|image| (image.host, image.repository)) {
        Ok((None, repository)) => format!("docker.io/{repository}"),
        Ok((Some(host), repository)) if host == "index.docker.io" => format!("docker.io/{repository}"),
        _ => name.to_owned(),
    }
}

/// The images of all containers in an object.
fn collect(object: &Json, images: &mut BTreeSet<String>) {
    match object {
        Json::Array(items) => items.iter().for_each(|item| collect(item, images)),
        Json::Object(map) => {
            for (key, value) in map {
                if LISTS.contains(&key.as_str()) {
                    let all = value.as_array().into_iter().flatten();
                    images.extend(all.filter_map(|container| container["image"].as_str()).map(str::to_owned));
                } else {
                    collect(value, images);
                }
            }
        }
        _ => {}
    }
}

/// Whose signature counts: as the cluster's file says; where it is no rule of the cluster's, the public key of the environment does too.
fn trusted(session: &Session, said: Option<&Signature>, is_rule: bool) -> Result<Trusted> {
    let cluster = session.cluster_name().unwrap_or_else(|| "CLUSTER".to_owned());
    let key = "signature: {key: cosign.pub} # in values-";
    if let Some(wrong) = said.and_then(Signature::wrong) {
        return Err(Error::refused(format!("`signature` of cluster {cluster} {wrong}")).hint(format!("{key}{cluster}.yaml")));
    }
    let said = said.cloned().unwrap_or_default();
    if let Some(text) = said.key.as_deref() {
        if text.contains("://") {
            return Ok(Trusted::Key(text.into()));
        }
        if text.contains("-----BEGIN") {
            return Ok(Trusted::Pem(text.to_owned()));
        }
        let file = session.beside_clusters(text);
        if !file.is_file() {
            return Err(Error::refused(format!("`signature.key` of cluster {cluster} names a file that is not there: {}", file.display()))
                .hint(format!("cosign public-key --key KEY > {} # or the text of the key itself in its place", file.display())));
        }
        return Ok(Trusted::Key(file.into()));
    }
    if let Some(issuer) = said.issuer {
        let exact = said.identity.map(|who| ("--certificate-identity", who.to_string()));
        if let Some(who) = exact.or_else(|| said.identity_regexp.map(|who| ("--certificate-identity-regexp", who.to_string()))) {
            return Ok(Trusted::Identity { who, issuer: issuer.to_string() });
        }
    }
    match session.env.get(PUBLIC_KEY) {
        Some(text) if !is_rule => Ok(Trusted::Key(in_variable(PUBLIC_KEY, text))),
        _ => {
            let why = if is_rule { "asks for signatures (`require_signature`) and" } else { "does not say whose signature counts: it" };
            let error =
                Error::refused(format!("cluster {cluster} {why} names neither a key nor an identity")).hint(format!("{key}{cluster}.yaml"));
            Err(if is_rule { error } else { error.hint(format!("{PUBLIC_KEY}=\"$(cat cosign.pub)\" # or that, in the environment")) })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn docker_hub_has_several_names() {
        assert_eq!(whole("team/shop"), whole("docker.io/team/shop"));
        assert_eq!(whole("team/shop"), whole("index.docker.io/team/shop"));
        assert_ne!(whole("team/shop"), whole("r.example.com/team/shop"));
    }

    #[test]
    fn every_container_of_every_object_is_seen() {
        let mut images = BTreeSet::new();
        collect(
            &json!({"kind": "CronJob", "image": "no", "spec": {"jobTemplate": {"spec": {"template": {"spec": {
                "initContainers": [{"image": "a"}], "containers": [{"image": "b"}, {"image": "a"}, {}], "volumes": [{"image": {"reference": "no"}}],
            }}}}}}),
            &mut images,
        );
        assert_eq!(images.into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
