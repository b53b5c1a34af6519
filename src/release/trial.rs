//! A deploy on trial: what it would send, and what helm would make of it. Nothing is changed.

use std::path::Path;
use std::time::Duration;

use super::deploy::{Run, Wanted, asked, checked};
use super::handle::Handle;
use super::record::{self, Record};
use super::story::Story;
use super::{pending, secrets};
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::model::image::ImageReference;
use crate::session::Session;

/// Times that a chart writes have another second after this.
const SECOND: Duration = Duration::from_millis(1100);

/// What would be sent, from the same values; nothing is created, built or mended on the way.
///
/// # Errors
/// Lint forbids it, or helm or the server refuses.
pub(crate) fn preview(session: &Session, wanted: &Wanted) -> Result<String> {
    let story = Story::begin(&session.ui);
    let uncommitted = asked(session, wanted)?;
    checked(session, wanted, &story)?;
    let run = Run::begin(session, wanted, uncommitted, &story)?;
    run.warn_of_skew()?;
    let (_, values) = run.values(&secrets::current_checksum(&run.handle.kubectl, run.app)?)?;
    let out = run.upgrade(&values)?.arg("--dry-run").read().map_err(|error| {
        let unreadable = error.tool().is_some_and(|tool| tool.says("current release manifest"));
        if unreadable { error.hint("lain deploy # mends helm's record of the release first, then upgrades") } else { error }
    })?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// What helm would make of a deploy.
pub(crate) struct Trial {
    /// The image tag.
    pub tag: String,
    /// The whole image, where there is one.
    pub image: Option<ImageReference>,
    /// All objects, hooks among them.
    pub manifest: String,
    /// The same made once more, a second later; none where the chart asks for nothing that is another each time.
    pub again: Option<String>,
    /// Why helm could not go on.
    pub refused: Option<Error>,
}

/// Renders a deploy and changes nothing. What differs from deploy to deploy by design is as in the record of the one before, so that it is no change.
///
/// # Errors
/// Lint forbids it where it is asked, the chart cannot be rendered, or the server does not answer.
pub(crate) fn trial(session: &Session, wanted: &Wanted, before: Option<&Record>) -> Result<Trial> {
    let story = Story::begin(&session.ui);
    let uncommitted = asked(session, wanted)?;
    checked(session, wanted, &story)?;
    let run = Run::begin(session, wanted, uncommitted, &story)?;
    let Handle { name: release, helm, kubectl, .. } = &run.handle;
    let (tag, mut values) = run.values(&secrets::current_checksum(kubectl, run.app)?)?;
    for key in record::OF_A_RUN.into_iter().filter(|key| *key != "secretsChecksum") {
        match before.and_then(|record| record.value(key)) {
            Some(value) => values.add(key, value),
            None if matches!(key, pending::ID | pending::TIMEOUT) => values.add(key, "0".to_owned()),
            None => {}
        }
    }
    let (manifest, refused) = match helm.try_upgrade(release, &values) {
        Ok(manifest) => (manifest, None),
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        // A chart that is broken fails once more; what helm only stumbles over in the cluster is shown, and said.
        Err(error) => match helm.render_upgrade(release, &values, run.server) {
            Ok(manifest) => (manifest, Some(error)),
            Err(_) => return Err(error),
        },
    };
    let again = if is_volatile(&session.dir.join("chart")) {
        interrupt::sleep(SECOND)?;
        Some(if refused.is_none() { helm.try_upgrade(release, &values) } else { helm.render_upgrade(release, &values, run.server) }?)
    } else {
        None
    };
    Ok(Trial { tag, image: run.image().cloned(), manifest, again, refused })
}

/// True when a template of the chart asks for the time or for chance, as far as its text tells; a comment may too.
fn is_volatile(chart: &Path) -> bool {
    const WORDS: [&str; 9] = ["rand", "uuidv4", "genCA", "genSelfSigned", "genSigned", "genPrivateKey", "htpasswd", "bcrypt", "shuffle"];
    let asks = |text: &str| {
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| word == "now" || WORDS.iter().any(|known| word.starts_with(known)))
    };
    let mut todo = vec![chart.join("templates"), chart.join("charts")];
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => todo.push(entry.path()),
                _ if std::fs::read(entry.path()).is_ok_and(|bytes| asks(&String::from_utf8_lossy(&bytes))) => return true,
                _ => {}
            }
        }
    }
    false
}
