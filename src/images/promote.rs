//! An image that one cluster has tried, for another: by its digest, from registry to registry.

use super::{ImageResult, Plan};
use crate::error::{Error, Kind, Result};
use crate::http::registry::Registry;
use crate::resolved::clusters::known_clusters;
use crate::session::Session;

/// Copies the image of HEAD's tag from the registry of cluster `from` to the chosen one's, as it is there: nothing is built, and no daemon takes
/// part, so the digest stays. Where both are one repository there is nothing to copy.
///
/// # Errors
/// `from` has no values or names no registry, it has no such image, or either registry refuses.
pub(crate) fn promote(session: &Session, plan: &Plan<'_>, from: &str) -> Result<ImageResult> {
    let known = known_clusters(&session.env.cluster_values_dirs());
    if !known.iter().any(|cluster| cluster == from) {
        return Err(Error::usage(format!("cluster {from} has no values: there are {}", known.join(", "))).hint("lain use # lists them"));
    }
    let (tag, there) = (session.image_tag()?, session.resolved_for(from)?);
    let registry = there.cluster()?.registry.as_deref();
    let registry = registry.ok_or_else(|| {
        Error::usage(format!("the values of cluster {from} name no registry")).hint(format!("registry: HOST/PATH # in values-{from}.yaml"))
    })?;
    let (source, target) = (plan.repository_of(registry, &there.app()?.appname), plan.repository(session)?);
    let authority = there.authority()?;
    let has = Registry::new(&session.ui, &session.env, &authority, &source)?;
    let digest = has.digest(tag)?.ok_or_else(|| {
        Error::failed(format!("{source} has no image with tag {tag}, so cluster {from} cannot have tried it"))
            .hint(format!("lain build --push --cluster {from}"))
            .hint(format!("lain tags --cluster {from} # what it has"))
    })?;
    let image = format!("{target}:{tag}");
    if source == target {
        session.ui.say(&format!("{image} is what cluster {from} has too: nothing to copy"));
    } else {
        let progress = session.ui.progress();
        let line = progress.add(&format!("copy {source}:{tag} to {target}"));
        let copied = has.copy(&digest, &session.registry_of(&target)?, tag, session.env.patience()?.registry);
        match &copied {
            Ok(()) => line.done(&format!("copied {source}@{digest} to {image}")),
            Err(error) => line.failed(&format!("{image}: {}", error.message())),
        }
        copied?;
        // The image is there: who needs its signature is told by the deploy.
        match has.copy_attached(&digest, &session.registry_of(&target)?, session.env.patience()?.registry) {
            Ok(0) => {}
            Ok(_) => session.ui.say(&format!("with its signatures and what else is attached to {digest}")),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => session.ui.warning(&error.context("what is attached to the image (signatures, SBOMs) was not copied")),
        }
    }
    Ok(plan.result(image, tag, Some(digest)))
}
