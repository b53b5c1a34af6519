//! The tag an app's images carry.

use super::text::bounded;

/// Tag outside git.
pub const NO_GIT_TAG: &str = "latest";

/// `<commit unix time>-<sha>`, the tag of a commit's images; the sha has 40 hex digits, 64 in a SHA-256 repository.
pub fn commit_tag(unix_time: &str, sha: &str) -> String {
    format!("{unix_time}-{sha}")
}

/// Between a commit's tag and what tells its changes from others.
const DIRTY: &str = "-dirty-";

/// The tag of what is built of changes that no commit has: `TAG-dirty-HASH`.
pub fn dirty_tag(tag: &str, hash: &str) -> String {
    format!("{tag}{DIRTY}{hash}")
}

/// True for a tag that [`dirty_tag`] made.
pub fn is_dirty_tag(tag: &str) -> bool {
    sha_of_tag(tag).is_some() && tag.contains(DIRTY)
}

/// The commit's sha in a tag that [`commit_tag`] made, or [`dirty_tag`] of such a one.
pub fn sha_of_tag(tag: &str) -> Option<&str> {
    let (commit, hash) = tag.split_once(DIRTY).map_or((tag, None), |(commit, hash)| (commit, Some(hash)));
    if hash.is_some_and(|hash| hash.is_empty() || !hash.bytes().all(|b| b.is_ascii_hexdigit())) {
        return None;
    }
    let (time, sha) = commit.split_once('-')?;
    let hex = matches!(sha.len(), 40 | 64) && sha.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit())).then_some(sha)
}

/// The commit's unix time in a tag that names one, in seconds; tags sort by it.
pub fn time_of_tag(tag: &str) -> Option<i64> {
    sha_of_tag(tag)?;
    tag.split_once('-')?.0.parse().ok()
}

/// What to know of HEAD in a GitLab pipeline for merged results or in a merge train: GitLab made the commit that is checked out, and
/// no branch has it. None in other pipelines, and where the job went on to check out something else. `variable` reads the environment.
///
/// Source: GitLab's predefined variables; `CI_MERGE_REQUEST_SOURCE_BRANCH_SHA` is set in these pipelines alone.
pub fn merged_result<'a>(sha: &str, variable: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let merged = matches!(variable("CI_MERGE_REQUEST_EVENT_TYPE")?, "merged_result" | "merge_train");
    if !merged || variable("CI_COMMIT_SHA").is_some_and(|built| built != sha) {
        return None;
    }
    let own = variable("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA").filter(|own| *own != sha)?;
    let branch = bounded(variable("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME").unwrap_or("the branch"), 200);
    let target = bounded(variable("CI_MERGE_REQUEST_TARGET_BRANCH_NAME").unwrap_or("its target"), 200);
    Some(format!("HEAD is GitLab's merge of {branch} ({own}) into {target}: the tag names a commit that lives only in this pipeline"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dirty_tag_names_its_commit() {
        let sha = "a".repeat(40);
        let clean = commit_tag("1700000000", &sha);
        let dirty = dirty_tag(&clean, "0123456789ab");
        assert_eq!(dirty, format!("1700000000-{sha}-dirty-0123456789ab"));
        assert_eq!((sha_of_tag(&dirty), time_of_tag(&dirty)), (Some(&*sha), Some(1_700_000_000)));
        assert!(is_dirty_tag(&dirty) && !is_dirty_tag(&clean) && !is_dirty_tag("v1-dirty-0123456789ab"));
        assert_eq!(sha_of_tag(&format!("{clean}-dirty-mine")), None);
        // Registries take 128 characters: SHA-256 repositories too.
        assert!(super::super::image::is_tag(&dirty_tag(&commit_tag("1700000000", &"b".repeat(64)), "0123456789ab")));
    }
}
