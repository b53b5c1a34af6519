//! A check as a catalogue lists it: those of values and chart, and those of pipelines.

use crate::error::{Error, Result};
use crate::model::name::nearest;

/// A check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check {
    /// `L012`. It never changes its meaning.
    pub id: &'static str,
    /// A few words.
    pub title: &'static str,
    /// Why it is worth a check, in one line.
    pub why: &'static str,
}

pub(crate) const fn check(id: &'static str, title: &'static str, why: &'static str) -> Check {
    Check { id, title, why }
}

/// The check of an id, whatever its case.
///
/// # Errors
/// There is none; `command` is what explains the nearest.
pub(crate) fn named(checks: &'static [Check], id: &str, command: &str) -> Result<&'static Check> {
    checks.iter().find(|check| check.id.eq_ignore_ascii_case(id)).ok_or_else(|| {
        let near = nearest(&id.to_uppercase(), checks.iter().map(|check| check.id)).unwrap_or("all");
        Error::usage(format!("there is no check `{id}`"))
            .hint(format!("{command} --explain {near}"))
            .hint(format!("{command} --explain all # lists them"))
    })
}

/// All of them, a line each.
pub(crate) fn listed(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.title.len()).max().unwrap_or_default() + 2;
    checks.iter().map(|check| format!("{}  {:<width$} {}", check.id, check.title, check.why)).collect::<Vec<_>>().join("\n")
}
