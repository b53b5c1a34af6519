//! What is wrong with a pipeline, and where.

use std::cmp::Ordering;

use crate::error::Location;
use crate::values::node::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Good to know; nothing is wrong with it.
    Note,
    /// It works, and not as meant.
    Warning,
    /// GitLab refuses it, or it defeats what the pipeline is for.
    Error,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Finding {
    /// `C012`, a line of [`super::lint::catalogue`].
    pub id: &'static str,
    /// How bad.
    pub weight: Weight,
    /// What is wrong.
    pub message: String,
    /// What to type instead.
    pub hint: String,
    /// Where.
    pub at: Location,
}

impl Finding {
    pub(crate) fn new(id: &'static str, weight: Weight, at: &Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { id, weight, message: message.into(), hint: hint.into(), at: at.location() }
    }

    pub(crate) fn error(id: &'static str, at: &Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(id, Weight::Error, at, message, hint)
    }

    pub(crate) fn warning(id: &'static str, at: &Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(id, Weight::Warning, at, message, hint)
    }

    pub(crate) fn note(id: &'static str, at: &Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(id, Weight::Note, at, message, hint)
    }

    /// True when the line itself says `# lain:ignore ID`.
    pub fn is_ignored(&self) -> bool {
        let ids = self.at.text.split_once("# lain:ignore").map_or("", |(_, ids)| ids);
        ids.split([' ', ',']).any(|word| word == self.id)
    }

    /// By place, and the worst first there.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let place = |it: &Self| (it.at.path.clone(), it.at.line, it.at.column);
        place(self).cmp(&place(other)).then(other.weight.cmp(&self.weight)).then(self.id.cmp(other.id))
    }
}
