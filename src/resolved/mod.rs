//! Which values apply: files, arguments, their order, their merge.

pub mod layers;
