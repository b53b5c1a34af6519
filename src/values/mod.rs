//! Text to a tree with positions, and merging as helm does. No processes, no printing.

pub mod check;
pub mod edit;
pub mod merge;
pub mod node;
pub mod parse;
pub mod scalar;
pub mod set;
pub mod strict;
pub mod typed;
mod unclosed;
pub mod veil;
pub mod write;
