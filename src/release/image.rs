//! The image of a deploy: in the registry before anything is changed.

use crate::error::{Error, Result};
use crate::images::{self, tags};
use crate::model::app::App;
use crate::model::image::{ImageReference, is_tag};
use crate::resolved::check_tag;
use crate::session::Session;

/// The registry must have the image, or with `build` it is built, or the ways on are listed.
///
/// # Errors
/// The registry cannot be asked, or the image is not there and not to be built.
pub(super) fn require_image(session: &Session, app: &App, image: Option<&ImageReference>, tag: &str, build: bool) -> Result<()> {
    let ours = app.procs().any(|(_, _, proc)| proc.image.is_none() && proc.image_tag.is_none() && proc.build.is_none());
    if session.globals.ignore_lint || !ours {
        return Ok(());
    }
    let repository = session.repository()?;
    let (registry, wanted) = match image {
        Some(reference) => {
            let wanted = reference.digest.clone().or(reference.tag.clone()).unwrap_or_else(|| "latest".to_owned());
            (session.registry_of(&reference.name())?, wanted)
        }
        None => (session.registry_of(&repository)?, tag.to_owned()),
    };
    if !is_tag(&wanted) && !wanted.contains(':') {
        check_tag(&wanted)?;
    }
    if registry.digest(&wanted)?.is_some() {
        return Ok(());
    }
    // What HEAD is matters for building alone: a git that does not say it hides no answer of the registry.
    let is_head = image.is_none() && session.image_tag().is_ok_and(|head| head == tag);
    if is_head && (build || session.globals.auto_pilot) {
        for plan in images::plans_to_build(session, None)? {
            plan.make(session, &images::Options::default(), images::Goal::Push)?;
        }
        return Ok(());
    }
    let newest = tags::newest(session, &repository, 5)?;
    let shown = image.map_or_else(|| repository.clone(), ToString::to_string);
    let mut error = Error::refused(format!("image {shown}:{tag} is not in the registry"));
    if !newest.is_empty() {
        let lines: Vec<String> = newest.iter().map(|tag| format!("        lain deploy --set imageTag={tag}")).collect();
        error = error.hint(format!("one of the newest tags:\n{}", lines.join("\n")));
    }
    if app.build.is_none() && app.builds.iter().flatten().next().is_none() {
        return Err(
            error.hint("lain deploy --set imageTag=TAG # lain builds no image of this app: `imageTag` of the values says which one runs")
        );
    }
    Err(error.hint("lain deploy --build # builds and pushes HEAD's image, then deploys it"))
}
