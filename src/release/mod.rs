//! A release in the cluster: the verbs that change it, on one [`handle`]; its rollout, its Secrets, helm's record of it, what is said about it.

pub(crate) mod announce;
pub(crate) mod backups;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod deployed;
pub(crate) mod diff;
pub(crate) mod handle;
pub(crate) mod history;
mod image;
pub(crate) mod links;
pub(crate) mod mend;
pub(crate) mod pending;
pub(crate) mod plan;
pub(crate) mod record;
pub(crate) mod refusal;
pub(crate) mod restart;
pub(crate) mod rollback;
pub(crate) mod rollout;
pub(crate) mod secret_data;
pub(crate) mod secret_text;
pub(crate) mod secrets;
pub(crate) mod versions;
