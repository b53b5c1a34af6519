//! `lain job`: a command in a Job of its own.

use std::time::Duration;

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::globals;
use crate::model::quantity::Quantity;
use crate::release::job::{self, Image, Wanted};
use crate::session::Session;

/// Run a command in a Kubernetes Job with the app's image, environment, Secrets and mounts
#[derive(Args, Debug)]
#[command(
    after_help = "  lain job                              # a shell in a pod of its own, which goes when you leave\n  lain job --wait -- ./manage.py migrate  # its log and its exit code\n  lain job --head --wait -- ./test.sh    # with HEAD's image\n  lain job -i -- mysql -hdb -uroot       # outside of an app: in lain's own image"
)]
pub struct Job {
    /// The image with this tag; the one that runs without it
    #[arg(long, value_name = "TAG", conflicts_with = "head")]
    image_tag: Option<String>,
    /// HEAD's image
    #[arg(long)]
    head: bool,
    /// Follow its log to the end, and exit with its code; on a terminal that is so anyway
    #[arg(long)]
    wait: bool,
    /// The longest it may take: 10m, 1h30m, or seconds; Kubernetes ends it then
    #[arg(long, default_value = "1h", value_name = "TIME", value_parser = globals::timeout)]
    timeout: Duration,
    /// The most memory it may use
    #[arg(long, default_value = "8Gi", value_name = "QUANTITY", value_parser = memory)]
    memory: String,
    /// As this user, in place of the image's
    #[arg(short = 'u', long, value_name = "UID", value_parser = clap::value_parser!(i64).range(0..))]
    user: Option<i64>,
    /// End one with the same command that still runs
    #[arg(long)]
    force: bool,
    /// Run the command by hand in a pod that sleeps: it may ask, and it has the terminal
    #[arg(short = 'i', long)]
    interactive: bool,
    /// Copy the current folder to /tmp in the container, and open a shell
    #[arg(long)]
    context: bool,
    /// The command; a shell without one
    #[arg(trailing_var_arg = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn memory(text: &str) -> std::result::Result<String, String> {
    let size = Quantity::parse(text)?;
    if size <= Quantity::default() { Err("nothing runs without memory: write 512Mi or 8Gi".to_owned()) } else { Ok(text.trim().to_owned()) }
}

impl Command for Job {
    fn run(self, session: &Session) -> Result<()> {
        if self.context && !self.command.is_empty() {
            return Err(Error::usage("--context opens a shell: there is no command with it").hint("lain job --context # then run it there"));
        }
        let image = match self.image_tag {
            Some(tag) => Image::Tag(tag),
            None if self.head => Image::Head,
            None => Image::Running,
        };
        if image != Image::Running && !session.has_app() {
            return Err(Error::usage("--head and --image-tag are for an app's image, and no app is here").hint("lain -C DIR job --head"));
        }
        let by_hand = self.interactive || self.command.is_empty();
        let wanted = Wanted {
            image,
            command: self.command,
            timeout: self.timeout,
            memory: self.memory,
            user: self.user,
            force: self.force,
            by_hand,
            wait: self.wait || session.ui.has_terminal(),
            context: self.context,
        };
        job::run(session, &wanted)
    }
}
