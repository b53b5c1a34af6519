//! Model to artefacts in memory. No processes, no sockets; writing is the caller's.

pub(crate) mod bars;
pub(crate) mod changes;
pub mod chart;
pub(crate) mod compose;
pub(crate) mod dockerfile;
pub mod dockerignore;
mod fill;
pub(crate) mod glob;
pub(crate) mod message;
pub(crate) mod report;
