//! The tags of an app's images, newest first.

use super::prepared::{PREPARE_TAG, is_own_tag};
use crate::error::Result;
use crate::model::tag::{is_dirty_tag, time_of_tag};
use crate::session::Session;

/// The prepare stage's image and caches; a deploy has no use for them.
const NO_APP: [&str; 3] = [PREPARE_TAG, "buildcache", "buildcache-prepare"];

/// The newest tags that are commits and nothing else, newest first.
///
/// # Errors
/// The registry cannot be asked.
pub(crate) fn newest(session: &Session, repository: &str, count: usize) -> Result<Vec<String>> {
    let tags = sorted(session.registry_of(repository)?.tags()?);
    Ok(tags.into_iter().take_while(|tag| time_of_tag(tag).is_some()).filter(|tag| !is_dirty_tag(tag)).take(count).collect())
}

/// Commits' tags, newest first; then the others by name.
pub(crate) fn sorted(tags: Vec<String>) -> Vec<String> {
    let mut tags: Vec<(Option<i64>, String)> =
        tags.into_iter().filter(|tag| !NO_APP.contains(&tag.as_str()) && !is_own_tag(tag)).map(|tag| (time_of_tag(&tag), tag)).collect();
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
            "prepare-0123456789ab",
            &commit(999, 'c'),
            &commit(1_700_000_000, 'a'),
            "1700000009-short",
            &commit(1_700_000_001, 'b'),
        ];
        let expected = [&commit(1_700_000_001, 'b'), &commit(1_700_000_000, 'a'), &commit(999, 'c'), "1700000009-short", "latest", "v2"];
        assert_eq!(sorted(given.iter().map(ToString::to_string).collect()), expected);
    }
}
