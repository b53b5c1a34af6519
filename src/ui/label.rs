//! What a piece of text is. How that looks is decided here alone.

use console::Style;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// A command that runs now.
    Command,
    /// What only those read who asked for more.
    Detail,
    /// Something is as it should be.
    Good,
    /// Something is not.
    Bad,
    /// The word before what to type next.
    Next,
    /// The word before a warning, and the caret under its place.
    Warning,
    /// The word before an error, and the caret under its place.
    Error,
}

impl Label {
    pub(super) fn style(self) -> Style {
        let plain = Style::new();
        match self {
            Self::Command => plain.cyan(),
            Self::Detail => plain.dim(),
            Self::Good => plain.green(),
            Self::Bad => plain.red(),
            Self::Next => plain.cyan().bold(),
            Self::Warning => plain.yellow().bold(),
            Self::Error => plain.red().bold(),
        }
    }
}

/// True for a line that begins as lain's own do.
pub(super) fn is_ours(line: &str) -> bool {
    ["next:", "tip:", "error:", "warning:"].iter().any(|label| line.starts_with(label))
}
