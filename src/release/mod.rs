//! A release in the cluster: its Secrets, its rollout, what is said about it.

pub mod announce;
pub mod backups;
pub mod deployed;
pub mod links;
pub mod mend;
pub mod pending;
pub mod record;
pub mod refusal;
pub mod rollout;
pub mod secret_data;
pub mod secret_text;
pub mod secrets;
