//! The tag an app's images carry.

use super::text::bounded;

/// Tag outside git.
pub const NO_GIT_TAG: &str = "latest";

/// `<commit unix time>-<sha>`, the tag of a commit's images; the sha has 40 hex digits, 64 in a SHA-256 repository.
pub fn commit_tag(unix_time: &str, sha: &str) -> String {
    format!("{unix_time}-{sha}")
}

/// The commit's sha in a tag that [`commit_tag`] made.
pub fn sha_of_tag(tag: &str) -> Option<&str> {
    let (time, sha) = tag.split_once('-')?;
    let hex = matches!(sha.len(), 40 | 64) && sha.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit())).then_some(sha)
}

/// The commit's unix time in a tag that [`commit_tag`] made, in seconds; tags sort by it.
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
