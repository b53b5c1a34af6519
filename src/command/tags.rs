//! `lain tags`: what the registry has of this app.

use clap::Args;

use crate::error::Result;
pub use crate::images::tags::newest;
use crate::images::tags::sorted;
use crate::session::Session;
use crate::ui::Format;

/// List the newest tags in the registry, with the line that deploys each
#[derive(Args, Debug)]
pub struct Tags {
    /// How many
    #[arg(short = 'n', default_value_t = 10, value_name = "COUNT")]
    count: usize,
}

impl Tags {
    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let repository = session.repository()?;
        let all = sorted(session.registry_of(&repository)?.tags()?);
        let tags: Vec<&str> = all.iter().take(self.count).map(String::as_str).collect();
        match session.ui.format() {
            Format::Json => session.ui.result_json(&serde_json::json!({"version": 1, "repository": repository, "tags": tags})),
            _ if all.is_empty() => {
                session.ui.say(&format!("{repository} has no tags yet"));
                session.ui.hint("lain build --push");
                Ok(())
            }
            _ => {
                session.ui.result(&tags.iter().map(|tag| format!("lain deploy --set imageTag={tag}")).collect::<Vec<_>>().join("\n"))?;
                if tags.len() < all.len() {
                    session.ui.say(&format!("{} of {} tags; lain tags -n {} lists all", tags.len(), all.len(), all.len()));
                }
                Ok(())
            }
        }
    }
}
