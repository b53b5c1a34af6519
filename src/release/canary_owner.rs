//! Who started a canary: only they touch it, unless it is forced.

use super::handle::Handle;
use super::lease::shown;
use crate::error::{Error, Result};
use crate::model::text::text_of;

/// Who deployed a release last; none where it does not exist, or does not say.
///
/// # Errors
/// helm is missing, or the server does not answer.
pub(super) fn of(release: &Handle<'_>) -> Result<Option<String>> {
    Ok(release.values(None)?.and_then(|values| text_of(&values["user"])))
}

/// Refuses those who did not start this canary. In CI each job has another address: the name before it counts.
///
/// # Errors
/// Somebody else started it.
pub(super) fn require(canary: &Handle<'_>, force: bool) -> Result<()> {
    let name = |executor: &str| executor.split_once("-via-http").map_or(executor, |(name, _)| name).to_owned();
    let own = canary.session.env.executor();
    match of(canary)? {
        Some(who) if name(&who) != name(&own) && !force => Err(Error::refused(format!(
            "canary {} was started by {}, and is not to be touched by {}",
            canary.name,
            shown(&who),
            shown(&own)
        ))
        .hint("lain set-canary-group --abort --force # takes it away all the same")
        .hint("lain set-canary-group GROUP --force # the same for --final and for a group")),
        _ => Ok(()),
    }
}
