//! What values mean, typed. Pure: no files, no processes.

pub mod aliases;
pub(crate) mod api_versions;
pub(crate) mod app;
pub(crate) mod build_secret;
pub(crate) mod builds;
pub(crate) mod card;
pub(crate) mod changes;
pub mod check;
pub mod cluster;
pub(crate) mod diff;
pub mod dotenv;
pub mod duration;
pub(crate) mod expansion;
pub(crate) mod hex;
pub mod image;
pub(crate) mod kubernetes;
pub(crate) mod login;
pub(crate) mod manifest;
pub(crate) mod name;
pub(crate) mod proc;
pub mod quantity;
pub mod schedule;
pub(crate) mod schema;
pub mod tag;
pub mod text;
pub(crate) mod version;
