//! The only place with sockets.

pub(crate) mod alertmanager;
pub(crate) mod api_server;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod credentials;
mod failure;
pub(crate) mod gitlab;
mod plain_proxy;
pub(crate) mod probe;
pub(crate) mod prometheus;
pub(crate) mod proxy;
mod redirect;
pub mod registry;
mod reply;
mod retry;
mod unix_socket;
pub(crate) mod url;
pub(crate) mod validity;
pub(crate) mod webhook;
