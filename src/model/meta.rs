//! The tag an app's images carry.

/// Tag outside git.
pub const NO_GIT_TAG: &str = "latest";

/// `<commit unix time>-<40 hex sha>`, the tag of a commit's images.
pub fn commit_tag(unix_time: &str, sha: &str) -> String {
    format!("{unix_time}-{sha}")
}

/// The commit's sha in a tag that [`commit_tag`] made.
pub fn sha_of_tag(tag: &str) -> Option<&str> {
    let (time, sha) = tag.split_once('-')?;
    let hex = sha.len() == 40 && sha.bytes().all(|b| b.is_ascii_hexdigit());
    (hex && !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit())).then_some(sha)
}

/// The commit's unix time in a tag that [`commit_tag`] made, in seconds; tags sort by it.
pub fn time_of_tag(tag: &str) -> Option<i64> {
    sha_of_tag(tag)?;
    tag.split_once('-')?.0.parse().ok()
}
