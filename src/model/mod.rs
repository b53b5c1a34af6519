//! What values mean, typed. Pure: no files, no processes.

pub mod aliases;
pub mod api_versions;
pub mod app;
pub mod build_secret;
pub mod cluster;
pub mod dotenv;
pub mod duration;
pub mod hex;
pub mod image;
pub mod kubernetes;
pub mod manifest;
pub mod name;
pub mod proc;
pub mod quantity;
pub mod schedule;
pub mod schema;
pub mod tag;
pub mod text;
pub mod version;
