//! One file a command, named after it: its flags (clap) and its verb.

pub mod completions;
pub mod deploy_values;
pub mod external;
pub mod image;
pub mod man;
pub mod meta;
pub mod template;
pub mod use_cluster;
pub mod values;
