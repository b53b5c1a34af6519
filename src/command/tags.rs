//! `lain tags`: what the registry has of this app.

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::Result;
pub(crate) use crate::images::tags::newest;
use crate::images::tags::sorted;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// List the newest tags in the registry, with the line that deploys each
#[derive(Args, Debug)]
pub struct Tags {
    /// How many
    #[arg(short = 'n', default_value_t = 10, value_name = "COUNT")]
    count: usize,
}

impl Command for Tags {
    const FORMATS: &'static [Format] = TagList::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let repository = session.repository()?;
        let all = sorted(session.registry_of(&repository)?.tags()?);
        let tags = &all[..self.count.min(all.len())];
        session.ui.answer(&TagList { version: 1, repository: &repository, tags })?;
        if session.ui.format() == Format::Json {
            return Ok(());
        }
        if all.is_empty() {
            session.ui.say(&format!("{repository} has no tags yet"));
            session.ui.hint("lain build --push");
        } else if tags.len() < all.len() {
            session.ui.say(&format!("{} of {} tags; lain tags -n {} lists all", tags.len(), all.len(), all.len()));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct TagList<'a> {
    version: u32,
    repository: &'a str,
    tags: &'a [String],
}

impl Answer for TagList<'_> {
    fn text(&self) -> String {
        self.tags.iter().map(|tag| format!("lain deploy --set imageTag={tag}")).collect::<Vec<_>>().join("\n")
    }
}
