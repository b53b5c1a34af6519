//! What is in the cluster: typed objects, one query a look, one judge of how they stand, one follower of what changes.

pub mod follow;
pub mod judge;
pub mod look;
pub mod objects;
pub mod usage;
