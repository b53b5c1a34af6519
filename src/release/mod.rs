//! A release in the cluster: its Secrets, its rollout, what is said about it.

pub mod announce;
pub mod autoscaling;
pub mod links;
pub mod rollout;
pub mod secrets;
