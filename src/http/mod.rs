//! The only place with sockets.

pub mod client;
pub mod credentials;
mod failure;
pub mod probe;
pub mod prometheus;
pub mod registry;
mod reply;
mod retry;
pub mod url;
pub mod webhook;
