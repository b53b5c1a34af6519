//! `lain tags`: what the registry has of this app.

use clap::Args;
use serde::Serialize;

use crate::error::Result;
use crate::model::tag::time_of_tag;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// The prepare stage's image; a deploy has no use for it.
const NO_APP: [&str; 3] = ["prepare", "buildcache", "buildcache-prepare"];

/// List the newest tags in the registry, with the line that deploys each
#[derive(Args, Debug)]
pub struct Tags {
    /// How many
    #[arg(short = 'n', default_value_t = 10, value_name = "COUNT")]
    count: usize,
}

impl Tags {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        TagList::FORMATS
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
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

/// The newest tags that name commits, newest first.
///
/// # Errors
/// The registry cannot be asked.
pub fn newest(session: &Session, repository: &str, count: usize) -> Result<Vec<String>> {
    let tags = sorted(session.registry_of(repository)?.tags()?);
    Ok(tags.into_iter().take_while(|tag| time_of_tag(tag).is_some()).take(count).collect())
}

/// Commits' tags, newest first; then the others by name.
fn sorted(tags: Vec<String>) -> Vec<String> {
    let mut tags: Vec<(Option<i64>, String)> =
        tags.into_iter().filter(|tag| !NO_APP.contains(&tag.as_str())).map(|tag| (time_of_tag(&tag), tag)).collect();
    tags.sort_unstable_by(|(a_time, a), (b_time, b)| b_time.cmp(a_time).then_with(|| a.cmp(b)));
    tags.into_iter().map(|(_, tag)| tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_come_first_newest_first() {
        let commit = |time: u64, c: char| format!("{time}-{}", c.to_string().repeat(40));
        let given = [
            "v2",
            "latest",
            "prepare",
            "buildcache",
            &commit(999, 'c'),
            &commit(1_700_000_000, 'a'),
            "1700000009-short",
            &commit(1_700_000_001, 'b'),
        ];
        let expected = [&commit(1_700_000_001, 'b'), &commit(1_700_000_000, 'a'), &commit(999, 'c'), "1700000009-short", "latest", "v2"];
        assert_eq!(sorted(given.iter().map(ToString::to_string).collect()), expected);
    }
}
