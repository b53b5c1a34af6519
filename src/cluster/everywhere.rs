//! Objects of a whole cluster, one after another: no more of them are held than one answer has.

use serde::de::DeserializeOwned;

use super::objects::List;
use crate::error::Result;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;

/// How far was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// All namespaces.
    All,
    /// One namespace: the account may not read more.
    One,
}

/// Gives each object of a kind that a selector selects to `take`: of all namespaces, or of its own where the account may not read the others. `most` come in
/// one answer.
///
/// # Errors
/// The server does not answer, or does not even allow that.
pub(crate) fn each<T: DeserializeOwned>(
    kubectl: &Kubectl<'_>,
    kind: &str,
    selector: &str,
    most: u32,
    mut take: impl FnMut(T),
) -> Result<Seen> {
    let mut page = |text: &str| {
        List::read(text)?.items.into_iter().for_each(&mut take);
        Ok(())
    };
    match kubectl.pages(kind, None, selector, most, &mut page) {
        Ok(()) => Ok(Seen::All),
        Err(error) if is_forbidden(&error) => kubectl.pages(kind, Some(kubectl.namespace()), selector, most, page).map(|()| Seen::One),
        Err(error) => Err(error),
    }
}
