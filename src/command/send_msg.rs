//! `lain send-msg`: words to the app's webhook.

use clap::Args;

use super::Command;
use crate::error::Result;
use crate::release::announce;
use crate::session::Session;

/// Send a text to the webhook in the values
#[derive(Args, Debug)]
#[command(after_help = "  lain send-msg \"the migration is done\"\n  lain send-msg \"$(lain cherry)\"\n\n\
                              Where it goes stands in the values, under webhook. An empty text sends nothing.")]
pub struct SendMsg {
    /// The text; nothing is sent when it is empty
    text: String,
    /// Fail when the webhook cannot be reached
    #[arg(long)]
    strict: bool,
}

impl Command for SendMsg {
    fn run(self, session: &Session) -> Result<()> {
        if self.text.trim().is_empty() {
            session.ui.detail("the text is empty: nothing to send");
            return Ok(());
        }
        if announce::send(session, &self.text, self.strict)? {
            session.ui.done("sent");
        } else {
            session.ui.detail("nothing was sent");
        }
        Ok(())
    }
}
