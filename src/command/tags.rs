//! `lain tags`: what the registry has of this app.

use clap::Args;

use crate::error::Result;
use crate::http::registry::Registry;
use crate::model::meta::time_of_tag;
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
        let tags = newest(session, &repository, self.count)?;
        match session.ui.format() {
            Format::Json => session.ui.result_json(&serde_json::json!({"version": 1, "repository": repository, "tags": tags})),
            _ if tags.is_empty() => {
                session.ui.say(&format!("{repository} has no tags yet"));
                session.ui.hint("lain build --push");
                Ok(())
            }
            _ => session.ui.result(&tags.iter().map(|tag| format!("lain deploy --set imageTag={tag}")).collect::<Vec<_>>().join("\n")),
        }
    }
}

/// The newest tags that name commits, newest first.
///
/// # Errors
/// The registry cannot be asked.
pub fn newest(session: &Session, repository: &str, count: usize) -> Result<Vec<String>> {
    let mut tags: Vec<(i64, String)> =
        Registry::of(session, repository)?.tags()?.into_iter().filter_map(|tag| Some((time_of_tag(&tag)?, tag))).collect();
    tags.sort_unstable_by(|a, b| b.cmp(a));
    Ok(tags.into_iter().take(count).map(|(_, tag)| tag).collect())
}
