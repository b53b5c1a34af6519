//! What values mean, typed. Pure: no files, no processes.

pub mod app;
pub mod cluster;
pub mod duration;
pub mod image;
pub mod meta;
pub mod name;
pub mod quantity;
pub mod text;
