//! One file a command, named after it: its flags (clap) and its verb.

pub(crate) mod admin;
pub(crate) mod assign_mr;
pub(crate) mod build;
pub(crate) mod cherry;
pub(crate) mod ci;
pub(crate) mod compose;
pub(crate) mod create_job;
pub(crate) mod delete;
pub(crate) mod deploy;
pub(crate) mod diff;
pub(crate) mod dockerfile;
pub(crate) mod dockerignore;
pub(crate) mod doctor;
pub(crate) mod env;
pub(crate) mod get_values;
pub(crate) mod history;
pub(crate) mod image;
pub(crate) mod init;
pub(crate) mod job;
pub(crate) mod lint;
pub(crate) mod logs;
pub(crate) mod meta;
pub(crate) mod mr_note;
pub(crate) mod notify_deploy;
pub(crate) mod notify_secret;
pub(crate) mod prepare;
pub(crate) mod push;
pub(crate) mod redeploy;
pub(crate) mod restart;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod save;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod send_msg;
pub(crate) mod set_canary_group;
pub(crate) mod status;
pub(crate) mod tags;
pub(crate) mod template;
pub(crate) mod update_image;
pub(crate) mod use_cluster;
pub(crate) mod values;
pub(crate) mod version;
pub(crate) mod wait;
pub(crate) mod wait_mr_approval;
pub(crate) mod x;

use crate::error::Result;
use crate::session::Session;
use crate::ui::{Format, TEXT};

/// What the command line asks of each command.
pub(crate) trait Command: Sized {
    /// The shapes that its result has in any of its forms, text first.
    const FORMATS: &'static [Format] = TEXT;

    /// It is about the current folder, not about the app that this may be a folder of.
    const IS_HERE: bool = false;

    /// Those of the form that was typed.
    fn formats(&self) -> &'static [Format] {
        Self::FORMATS
    }

    /// Does it.
    fn run(self, session: &Session) -> Result<()>;
}
