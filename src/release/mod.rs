//! A release in the cluster: the verbs that change it, on one [`handle`]; its rollout, its Secrets, helm's record of it, what is said about it.

pub mod announce;
pub mod backups;
pub mod delete;
pub mod deploy;
pub mod deployed;
pub mod handle;
mod image;
pub mod links;
pub mod mend;
pub mod pending;
pub mod record;
pub mod refusal;
pub mod rollback;
pub mod rollout;
pub mod secret_data;
pub mod secret_text;
pub mod secrets;
