//! The only place with sockets.

pub(crate) mod client;
pub(crate) mod credentials;
mod failure;
pub(crate) mod probe;
pub(crate) mod prometheus;
pub mod registry;
mod reply;
mod retry;
pub(crate) mod url;
pub(crate) mod webhook;
