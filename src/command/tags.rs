//! `lain tags`: what the registry has of this app.

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::Result;
use crate::images::tags::sorted;
use crate::release::versions::{self, Version};
use crate::session::Session;
use crate::ui::{Answer, Format, Ui};

/// List the newest tags in the registry, each as the line that deploys it; its age, author, subject and what runs it as a comment
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
        // Which of them runs is worth a look, and no reason to fail.
        let is_asked = !tags.is_empty() && session.choice().is_ok_and(|choice| choice.is_some());
        let mut running = if is_asked { versions::running(session)? } else { None };
        let versions = versions::known(session, tags, running.as_deref_mut())?;
        session.ui.answer(&TagList { version: 1, repository: &repository, tags, versions })?;
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
    /// What is known of these tags.
    versions: Vec<Version>,
}

impl Answer for TagList<'_> {
    fn text(&self) -> String {
        versions::lines(&self.versions)
    }

    fn styled(&self, ui: &Ui) -> Option<String> {
        versions::cells(ui).map(|cells| versions::fitted_lines(&self.versions, ui, cells))
    }
}
