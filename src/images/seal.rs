//! What an image gets once a registry has it: a list of what it is made of (SBOM), and a signature. Both are of its digest, never of a tag.
//!
//! An SBOM is SPDX in JSON, attached as OCI says it ([`Registry::attach`]), which `oras discover`, trivy and registries show. Who signs too attests it: then
//! `cosign verify-attestation --type spdxjson` finds it.

use std::ffi::OsString;
use std::path::Path;

use super::engine::Engine;
use super::publish::targets;
use super::{Goal, ImageResult, Plan};
use crate::error::{Error, NotStarted, Result};
use crate::files::{self, Folder};
use crate::http::registry::Registry;
use crate::model::cluster::Cluster;
use crate::model::image::ImageReference;
use crate::session::Session;
use crate::tools::cosign::{Cosign, ID_TOKEN, PASSWORD, PRIVATE_KEY, SECRETS, Signer, Sought, Trusted, Verdict};
use crate::tools::syft::{INSTALL, Syft};

/// The type of an SBOM in SPDX (<https://www.iana.org/assignments/media-types/application/spdx+json>).
const SPDX: &str = "application/spdx+json";

/// What is wanted of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    /// A list of what it is made of.
    pub sbom: bool,
    /// A signature.
    pub sign: bool,
    /// The key that was typed for it.
    pub key: Option<String>,
}

/// Who makes the SBOM.
enum Lister<'s> {
    Syft(Syft<'s>),
    /// The builder, while it builds.
    Builder,
}

/// Who signs for one cluster, and how.
struct Hand<'s> {
    signer: Signer,
    is_private: bool,
    cosign: Cosign<'s>,
    /// The signer as somebody who is trusted, where that is a key.
    own: Option<Trusted>,
}

/// Everything that sealing needs is there.
pub(crate) struct Sealer<'s> {
    session: &'s Session,
    lister: Option<Lister<'s>>,
    hands: Vec<Hand<'s>>,
}

impl Wish {
    /// Makes sure, before anything is built, of all that will be needed. `goal`: where the image is to go, `line` what to type for one that goes to a
    /// registry.
    ///
    /// # Errors
    /// The image goes to no registry, a program is missing, or there is no key that can be used.
    pub(crate) fn prepare<'s>(&self, session: &'s Session, goal: Goal, plans: &[Plan<'_>], line: &str) -> Result<Sealer<'s>> {
        let mut sealer = Sealer { session, lister: None, hands: vec![] };
        let flags = [("--sbom", self.sbom), ("--sign", self.sign)];
        let asked: Vec<&str> = flags.iter().filter(|(_, is_asked)| *is_asked).map(|(flag, _)| *flag).collect();
        let Some(first) = asked.first() else { return Ok(sealer) };
        if goal == Goal::Keep {
            return Err(Error::usage(format!(
                "{first} is for an image that a registry has: what it makes is kept there, by the image's digest"
            ))
            .hint(format!("{line} {}", asked.join(" "))));
        }
        if self.sign {
            for (name, secret) in SECRETS.iter().filter_map(|name| Some((name, session.env.get(name)?))) {
                if *name != PRIVATE_KEY || !is_file(secret) {
                    session.ui.hide_from_children(secret);
                }
            }
            if goal == Goal::Publish {
                for plan in plans {
                    targets(session, plan)?.iter().try_for_each(|target| self.add(&mut sealer, target.authority()))?;
                }
            } else {
                self.add(&mut sealer, session.authority()?)?;
            }
        }
        if self.sbom {
            sealer.lister = Some(lister(session)?);
        }
        Ok(sealer)
    }

    /// One more who signs, unless that is one of those that are known.
    fn add(&self, sealer: &mut Sealer<'_>, authority: &Cluster) -> Result<()> {
        let signer = self.signer(sealer.session, authority)?;
        if sealer.hand(authority, &signer).is_some() {
            return Ok(());
        }
        let session = sealer.session;
        let is_private = is_private(authority);
        let mut cosign = Cosign::new(&session.ui, &session.env, session.docker_logins()?, is_private);
        let own = cosign.prepare(&signer)?;
        sealer.hands.push(Hand { signer, is_private, cosign, own });
        Ok(())
    }

    /// The key that was typed, that of the environment, the cluster's, else the job's own identity.
    fn signer(&self, session: &Session, authority: &Cluster) -> Result<Signer> {
        if let Some(typed) = &self.key {
            let path = session.cwd.join(typed);
            if !typed.contains("://") && !path.is_file() {
                return Err(Error::usage(format!("--key: there is no file {typed}"))
                    .hint("cosign generate-key-pair # makes cosign.key and cosign.pub"));
            }
            return Ok(Signer::Key(if typed.contains("://") { typed.into() } else { path.into() }));
        }
        if let Some(text) = session.env.get(PRIVATE_KEY) {
            return Ok(Signer::Key(in_variable(PRIVATE_KEY, text)));
        }
        if let Some(key) = authority.signature.as_ref().and_then(|signature| signature.signing_key.as_deref()) {
            return Ok(Signer::Key(if key.contains("://") { key.into() } else { session.beside_clusters(key).into() }));
        }
        if session.env.get(ID_TOKEN).is_some() {
            return Ok(Signer::Identity);
        }
        Err(Error::usage("--sign, and there is nothing to sign with")
            .hint(format!(
                "{PRIVATE_KEY}=\"$(cat cosign.key)\" {PASSWORD}=... # masked variables in GitLab CI; cosign generate-key-pair makes a key"
            ))
            .hint("--key FILE # or an address: awskms://, hashivault://, ...")
            .hint(format!("id_tokens: {{{ID_TOKEN}: {{aud: sigstore}}}} # in the job of GitLab CI: signs without a key")))
    }
}

impl<'s> Sealer<'s> {
    /// True where the builder is to list what it builds.
    pub(crate) fn by_builder(&self) -> bool {
        matches!(self.lister, Some(Lister::Builder))
    }

    fn hand(&self, authority: &Cluster, signer: &Signer) -> Option<&Hand<'s>> {
        self.hands.iter().find(|hand| hand.signer == *signer && hand.is_private == is_private(authority))
    }

    /// Seals what was made of a plan, in each registry that has it.
    ///
    /// # Errors
    /// A registry does not have it, refuses or does not answer; or a program fails.
    pub(crate) fn seal(&self, wish: &Wish, plan: &Plan<'_>, goal: Goal, made: &[ImageResult]) -> Result<()> {
        if self.lister.is_none() && self.hands.is_empty() {
            return Ok(());
        }
        let session = self.session;
        let targets = if goal == Goal::Publish { targets(session, plan)? } else { vec![] };
        for image in made {
            let name = ImageReference::parse(&image.image)?.name();
            let authority = match targets.iter().find(|target| target.repository == name) {
                Some(target) => target.authority(),
                None => session.authority()?,
            };
            self.seal_one(wish, authority, &name, image)?;
        }
        Ok(())
    }

    /// Seals one image in one registry.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub(crate) fn seal_one(&self, wish: &Wish, authority: &Cluster, name: &str, image: &ImageResult) -> Result<()> {
        if self.lister.is_none() && self.hands.is_empty() {
            return Ok(());
        }
        let session = self.session;
        let registry = Registry::new(&session.ui, &session.env, authority, name)?;
        let found = registry.digest(image.digest.as_deref().unwrap_or(&image.tag))?; // and how it is spoken to is known then
        let digest = found.ok_or_else(|| Error::failed(format!("{} has no digest in {}", image.image, registry.whereabouts())))?;
        let _section = session.ui.section("image_seal", &format!("seal {name}@{digest}"));
        let hand = if wish.sign { self.hand(authority, &wish.signer(session, authority)?) } else { None };
        let mut lists = vec![];
        match &self.lister {
            Some(Lister::Syft(syft)) => {
                for part in registry.images_of(&digest)? {
                    lists.extend(self.list(syft, hand, &registry, format!("{name}@{part}"), &part)?);
                }
            }
            Some(Lister::Builder) if registry.images_of(&digest)? == [digest.clone()] => {
                session.ui.warn(&format!("{name}@{digest} was not built now, and carries no SBOM"));
            }
            Some(Lister::Builder) | None => {}
        }
        let Some(hand) = hand else { return Ok(()) };
        // First: cosign 3 takes what it attested for a signature too, so that one that is missing would not show.
        self.sign(hand, &format!("{name}@{digest}"), &registry)?;
        for (part, text) in lists {
            let folder = Folder::temporary("sbom")?;
            let file = folder.path().join("sbom.spdx.json");
            files::write_new(&file, text.as_bytes())?;
            hand.cosign.attest(&part, &file, &hand.signer, &registry.terms())?;
            session.ui.say(&format!("attested the SBOM of {part}"));
        }
        Ok(())
    }

    fn sign(&self, hand: &Hand<'_>, image: &str, registry: &Registry<'_>) -> Result<()> {
        if hand.has(image, Sought::Signature, registry)? {
            self.session.ui.say(&format!("{image} is signed with that key already"));
            return Ok(());
        }
        hand.cosign.sign(image, &hand.signer, &registry.terms())?;
        self.session.ui.say(&format!("signed {image}"));
        Ok(())
    }

    /// The SBOM of an image for one platform, attached; returned with its image where it is still to be attested.
    fn list(
        &self,
        syft: &Syft<'_>,
        hand: Option<&Hand<'_>>,
        registry: &Registry<'_>,
        image: String,
        digest: &str,
    ) -> Result<Option<(String, String)>> {
        let is_attached = registry.has_attached(digest, SPDX)?;
        let is_attested = hand.map_or(Ok(true), |hand| hand.has(&image, Sought::Sbom, registry))?;
        if is_attached && is_attested {
            self.session.ui.say(&format!("{image} has an SBOM already"));
            return Ok(None);
        }
        let text = syft.scan(&image, &registry.terms())?;
        if !is_attached {
            registry.attach(digest, SPDX, &text)?;
            self.session.ui.say(&format!("attached an SBOM to {image}"));
        }
        Ok((!is_attested).then_some((image, text)))
    }
}

impl Hand<'_> {
    /// Whether it did this before, where it can tell.
    fn has(&self, image: &str, sought: Sought, registry: &Registry<'_>) -> Result<bool> {
        let Some(own) = &self.own else { return Ok(false) };
        Ok(matches!(self.cosign.verify(image, sought, own, &registry.terms())?, Verdict::Good))
    }
}

/// A key in a variable, or in the file that it names: GitLab has variables of both kinds.
pub(crate) fn in_variable(name: &str, text: &str) -> OsString {
    if is_file(text) { text.trim().into() } else { format!("env://{name}").into() }
}

fn is_file(text: &str) -> bool {
    !text.contains("-----BEGIN") && Path::new(text.trim()).is_file()
}

/// True where the cluster has no transparency log take part.
pub(crate) fn is_private(authority: &Cluster) -> bool {
    authority.signature.as_ref().and_then(|signature| signature.tlog) == Some(false)
}

/// syft where it is there: the image stays what it is. Else the builder, which makes an index of the image.
fn lister(session: &Session) -> Result<Lister<'_>> {
    let syft = Syft::new(&session.ui, session.docker_logins()?, session.env.patience()?.registry);
    match syft.check() {
        Ok(()) => Ok(Lister::Syft(syft)),
        Err(error) if error.source::<NotStarted>().is_none() => Err(error),
        Err(_) if Engine::of(session)? != Engine::Docker => Ok(Lister::Builder),
        Err(_) => {
            Err(Error::failed("--sbom needs syft, which is not installed, or a builder, which docker itself is not").hint(INSTALL).hint(
                "buildx_builder: NAME # in the cluster values: a builder lists what it builds; docker buildx create --name NAME makes one",
            ))
        }
    }
}
