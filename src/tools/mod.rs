//! The only place that starts processes. One file a tool; each verb a typed method.

mod bounds;
pub mod call;
pub mod docker;
mod docker_faults;
pub mod editor;
pub mod git;
pub mod helm;
pub mod kubectl;
mod last_words;
pub mod private;
pub mod quote;
pub mod server;
mod standstill;
pub mod target;
