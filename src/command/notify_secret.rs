//! `lain-notify secret`: the message about a changed Secret, in keys alone.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::release::announce;
use crate::release::secrets::Changes;
use crate::session::Session;

/// Tell the webhook which keys of a Secret changed, never their values
#[derive(Args, Debug)]
#[command(
    after_help = "  lain-notify secret shop-env --added API_TOKEN --changed DB_HOST,DB_USER\n  lain-notify secret shop-env --before before.json --after after.json\n\n\
                  `lain env` and `lain secret` send this by themselves: it is for what other programs changed.\n\
                  Files are what `kubectl get secret NAME -o json` prints."
)]
pub struct NotifySecret {
    /// The Secret's name
    name: String,
    /// A key that came; may be repeated, or several with commas
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    added: Vec<String>,
    /// A key that went
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    removed: Vec<String>,
    /// A key whose value is another
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    changed: Vec<String>,
    /// The Secret as it was
    #[arg(long, value_name = "FILE", requires = "after", conflicts_with_all = ["added", "removed", "changed"])]
    before: Option<PathBuf>,
    /// The Secret as it is; without --before it is new
    #[arg(long, value_name = "FILE", conflicts_with_all = ["added", "removed", "changed"])]
    after: Option<PathBuf>,
    /// Fail when the webhook cannot be reached
    #[arg(long)]
    strict: bool,
}

impl Command for NotifySecret {
    fn run(self, session: &Session) -> Result<()> {
        let changes = match &self.after {
            Some(after) => Changes::between(&self.before.as_deref().map_or_else(|| Ok(String::new()), read)?, &read(after)?)
                .map_err(|error| error.hint("kubectl get secret NAME -o json > after.json"))?,
            None => Changes { added: self.added, removed: self.removed, changed: self.changed },
        };
        if changes.is_empty() {
            session.ui.say("no key changed: nothing to send");
            return Ok(());
        }
        if announce::send_changes(session, &self.name, &changes, self.strict)? {
            session.ui.done("sent");
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))
}
