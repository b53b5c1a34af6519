//! Text to a tree with positions, and merging as helm does. No processes, no printing.

pub(crate) mod check;
pub mod edit;
mod layout;
pub mod merge;
pub mod node;
pub mod parse;
pub(crate) mod scalar;
pub mod set;
pub(crate) mod strict;
pub(crate) mod typed;
mod unclosed;
pub(crate) mod veil;
pub mod write;
