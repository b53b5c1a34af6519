//! The image of a deploy: in the registry before anything is changed.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::images::{self, tags};
use crate::model::app::App;
use crate::model::image::{ImageReference, is_tag};
use crate::model::tag::{NO_GIT_TAG, dirty_tag};
use crate::resolved::check_tag;
use crate::session::Session;
use crate::tools::changes::hash_of;
use crate::ui::printable;

/// So many changed files are named.
const NAMED: usize = 3;

/// Before HEAD's image is built: changes that no commit has are not to be taken for it. With `dirty` they are built under a tag of their own, in CI they
/// are told of later, else they are refused. Returns what is not in HEAD's image, in words; none where there is nothing.
///
/// # Errors
/// There are changes, or git is missing or refuses.
pub(super) fn changes_to_build(session: &Session, dirty: bool) -> Result<Option<String>> {
    let tag = session.image_tag()?.to_owned();
    if tag == NO_GIT_TAG {
        return Ok(None);
    }
    let changes = session.git().changes(session.result_file().as_deref())?;
    if changes.is_empty() {
        return Ok(None);
    }
    let listed = listed(&changes);
    if dirty {
        let own = dirty_tag(&tag, &hash_of(&session.dir, &changes)?);
        session.ui.say(&format!("changes that are not committed are built as {own}: {listed}"));
        session.tag_as(own);
        return Ok(None);
    }
    if session.env.is_ci() {
        return Ok(Some(listed));
    }
    Err(Error::refused(format!("--build makes the image of a commit, and these changes are not committed: {listed}"))
        .hint("git add --all && git commit # then lain deploy --build")
        .hint("lain deploy --build --dirty # builds what is here and deploys it, as TAG-dirty-HASH")
        .hint("lain deploy # the image of HEAD that the registry has, with the chart that is here"))
}

/// `run.py, lib/a.py and 4 more`
fn listed(changes: &[PathBuf]) -> String {
    let mut named = changes.iter().take(NAMED).map(|path| printable(&path.to_string_lossy()).replace('\n', " "));
    let named = named.by_ref().collect::<Vec<_>>().join(", ");
    match changes.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// What is asked of an image.
pub(super) struct Asked<'a> {
    /// A whole image instead of a tag.
    pub image: Option<&'a ImageReference>,
    /// The tag.
    pub tag: &'a str,
    /// It is to be built where the registry does not have it.
    pub build: bool,
    /// What HEAD's image is without, in words.
    pub uncommitted: Option<&'a str>,
}

/// The registry must have the image, or with `build` it is built, or the ways on are listed.
///
/// # Errors
/// The registry cannot be asked, or the image is not there and not to be built.
pub(super) fn require_image(session: &Session, app: &App, asked: &Asked<'_>) -> Result<()> {
    let ours = app.procs().any(|(_, _, proc)| proc.image.is_none() && proc.image_tag.is_none() && proc.build.is_none());
    let named = app.procs().any(|(_, _, proc)| proc.image.is_none() && proc.build.is_some());
    if session.globals.ignore_lint {
        return Ok(());
    }
    let builds = app.build.is_some() || app.builds.iter().flatten().next().is_some();
    // What HEAD is matters for building alone: a git that does not say it hides no answer of the registry.
    let is_head = asked.image.is_none() && session.image_tag().is_ok_and(|head| head == asked.tag);
    let is_wanted = asked.build || session.globals.auto_pilot;
    if is_head && is_wanted && builds && (ours || named) {
        return build_missing(session, asked);
    }
    if asked.build {
        let why = match asked.image {
            _ if !builds => "the values have no `build`".to_owned(),
            Some(image) => format!("{image} was asked for"),
            None if is_head => "no proc runs an image of this app".to_owned(),
            None => format!("that is for HEAD's image alone, and tag {} was asked for", asked.tag),
        };
        session.ui.say(&format!("--build builds nothing: {why}"));
    }
    if ours { require_there(session, asked, builds) } else { Ok(()) }
}

/// The digest that the registry has of the app's image, or of the whole one; none where no pod runs it, or the registry has none.
///
/// # Errors
/// The registry cannot be asked.
pub(super) fn digest_of(session: &Session, app: &App, image: Option<&ImageReference>, tag: &str) -> Result<Option<String>> {
    if !app.procs().any(|(_, _, proc)| proc.image.is_none()) {
        return Ok(None);
    }
    match image {
        Some(image) if image.digest.is_some() => Ok(image.digest.clone()),
        Some(image) => session.registry_of(&image.name())?.digest(image.tag.as_deref().unwrap_or(tag)),
        None => session.registry_of(&session.repository()?)?.digest(tag),
    }
}

/// Builds and pushes those of the app's images that the registry does not have; `latest` names no commit, so it is always built.
fn build_missing(session: &Session, asked: &Asked<'_>) -> Result<()> {
    for plan in images::plans_to_build(session, None)? {
        let repository = plan.repository(session)?;
        if asked.tag == NO_GIT_TAG || session.registry_of(&repository)?.digest(asked.tag)?.is_none() {
            plan.make(session, &images::Options::default(), images::Goal::Push)?;
            continue;
        }
        let image = format!("{repository}:{}", asked.tag);
        match asked.uncommitted {
            Some(listed) => {
                session.ui.warn(&format!(
                    "{image} is in the registry, so it is not built: changes that are not committed are not in it: {listed}"
                ));
                session.ui.hint("lain deploy --build --dirty # builds them too, under a tag of their own");
            }
            None if asked.build => {
                session.ui.say(&format!("{image} is in the registry, so it is not built; lain build --push builds it anew"));
            }
            None => {}
        }
    }
    Ok(())
}

fn require_there(session: &Session, asked: &Asked<'_>, builds: bool) -> Result<()> {
    let repository = session.repository()?;
    let (name, wanted) = match asked.image {
        Some(image) => (image.name(), image.digest.clone().or(image.tag.clone()).unwrap_or_else(|| "latest".to_owned())),
        None => (repository.clone(), asked.tag.to_owned()),
    };
    let registry = session.registry_of(&name)?;
    if !is_tag(&wanted) && !wanted.contains(':') {
        check_tag(&wanted)?;
    }
    if registry.digest(&wanted)?.is_some() {
        return Ok(());
    }
    if let Some(image) = asked.image {
        return Err(Error::refused(format!("there is no image {image}: looked for `{wanted}` in {}", registry.whereabouts()))
            .hint("lain deploy --image REGISTRY/NAME:TAG # as `docker pull` takes it; without a registry, Docker Hub is meant")
            .hint("lain tags # what is there of this app"));
    }
    let newest = tags::newest(session, &repository, 5)?;
    let mut error = Error::refused(format!("image {repository}:{wanted} is not in the registry"));
    if !newest.is_empty() {
        for tag in newest {
            error = error.hint(format!("lain deploy --set imageTag={tag} # one of the newest tags"));
        }
    }
    Err(if builds {
        error.hint("lain deploy --build # builds and pushes HEAD's image, then deploys it")
    } else {
        error.hint("lain deploy --set imageTag=TAG # lain builds no image of this app: `imageTag` of the values says which one runs")
    })
}

/// The registry must have this tag of an image that a process runs by itself; `--ignore-lint` does not ask. `line` is what to type
/// before another tag.
///
/// # Errors
/// The registry cannot be asked, or does not have it.
pub(super) fn require_tag(session: &Session, repository: &str, tag: &str, line: &str) -> Result<()> {
    check_tag(tag)?;
    if session.globals.ignore_lint || session.registry_of(repository)?.digest(tag)?.is_some() {
        return Ok(());
    }
    let newest = tags::newest(session, repository, 5)?;
    let error = Error::refused(format!("image {repository}:{tag} is not in the registry"));
    let error = newest.iter().fold(error, |error, tag| error.hint(format!("{line}{tag} # one of the newest tags")));
    let is_head = session.image_tag().is_ok_and(|head| head == tag);
    Err(if is_head { error.hint("lain build --push # builds and pushes HEAD's image") } else { error.hint("lain tags") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_changes_are_named() {
        let of = |count: usize| listed(&(1..=count).map(|at| PathBuf::from(format!("f{at}\u{1b}"))).collect::<Vec<_>>());
        assert_eq!(of(1), r"f1\u{1b}");
        assert_eq!(of(3), r"f1\u{1b}, f2\u{1b}, f3\u{1b}");
        assert_eq!(of(5), r"f1\u{1b}, f2\u{1b}, f3\u{1b} and 2 more");
    }
}
