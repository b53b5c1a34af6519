//! The only place that starts processes. One file a tool; each verb a typed method.

mod bounds;
pub(crate) mod call;
pub(crate) mod changes;
mod condensed;
pub(crate) mod decrypt;
pub(crate) mod docker;
mod docker_faults;
pub(crate) mod editor;
pub(crate) mod git;
pub(crate) mod helm;
mod jobs;
mod kinds;
pub(crate) mod kubectl;
mod last_words;
pub(crate) mod later;
pub(crate) mod line;
pub(crate) mod private;
pub(crate) mod processes;
pub(crate) mod proxy;
pub(crate) mod quote;
pub(crate) mod raw;
pub(crate) mod server;
mod standstill;
pub(crate) mod target;
pub(crate) mod tied;
mod usage;
mod way;
