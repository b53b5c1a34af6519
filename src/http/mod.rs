//! The only place with sockets.

pub mod client;
pub mod credentials;
pub mod prometheus;
pub mod registry;
pub mod webhook;
