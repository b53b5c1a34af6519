//! What is in the cluster: typed objects, one query a look, one judge of how they stand, one follower of what changes.

pub(crate) mod absent;
pub(crate) mod backends;
pub(crate) mod bad;
pub(crate) mod clock;
pub(crate) mod everywhere;
pub(crate) mod follow;
pub(crate) mod judge;
pub(crate) mod look;
pub(crate) mod objects;
pub(crate) mod overview;
pub(crate) mod sites;
pub(crate) mod standing;
mod store;
pub(crate) mod streams;
pub(crate) mod templates;
pub(crate) mod trouble;
pub(crate) mod usage;
pub(crate) mod waste;
