//! The registry that images go to and come from.

use super::{ANSWER, Finding, app_here};
use crate::error::{Kind, Result};
use crate::http::registry::Registry;
use crate::images;
use crate::session::Session;

/// The registry of this run, for one repository or, where no app is, for whatever is in it.
pub(super) fn at(session: &Session) -> Result<(Registry<'_>, String), Finding> {
    let named = if session.has_app() {
        app_here(session)?;
        session.repository()
    } else {
        session.registry_anywhere().map(|registry| format!("{}/lain", registry.trim_end_matches('/')))
    };
    let unnamed = |error: crate::error::Error| match error.kind() {
        Kind::Usage => Finding::unseen("no cluster is chosen, so no registry is known"),
        _ => Finding::bad(&error),
    };
    let name = named.map_err(unnamed)?;
    let registry = session.registry_of(&name).map_err(|error| Finding::bad(&error))?;
    Ok((registry.hurried(ANSWER), name))
}

/// It is reached, takes the login, lets one pull and, where the app builds images, push.
pub(super) fn registry(session: &Session) -> Result<Vec<Finding>> {
    let (registry, name) = match at(session) {
        Ok(found) => found,
        Err(finding) => return Ok(vec![finding]),
    };
    if !session.has_app() {
        registry.greet()?;
        return Ok(vec![Finding::good(format!("{}: log in", session.registry_anywhere()?))]);
    }
    registry.may_pull()?;
    if images::builds_nothing(session)? {
        return Ok(vec![Finding::good(format!("{name}: pull"))]);
    }
    registry.may_push().map_err(|error| error.context(format!("{name} may be pulled from, but not pushed to")))?;
    Ok(vec![Finding::good(format!("{name}: pull, push"))])
}
