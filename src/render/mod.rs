//! Model to artefacts in memory. No processes, no sockets; writing is the caller's.

pub mod chart;
pub mod compose;
pub mod dockerfile;
pub mod dockerignore;
mod fill;
pub mod glob;
pub mod message;
