//! The revisions of a release, as helm's records and git tell of them: when, who, from which pipeline, which image and commit, how it ended.

use serde::Serialize;

use super::handle::Handle;
use super::record::Record;
use crate::error::Result;
use crate::model::tag::sha_of_tag;
use crate::session::Session;
use crate::tools::helm::Revision;

/// The helm value that says which verb made a revision, where it was not `deploy`.
pub(crate) const ACTION: &str = "deploy_action";
/// Between a rollback's description and who went back: its values are those of the revision that it goes back to.
const BY: &str = "; by ";
/// What stands in the record of a revision whose pods could not become ready.
pub(super) const NOT_READY: &str = "its pods could not become ready";

/// One revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    /// Counts from 1.
    pub revision: u32,
    /// It is the one that runs: the newest that came to a good end.
    pub runs: bool,
    /// When it was begun, as RFC 3339 writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// `install`, `deploy`, `redeploy`, `rollback`, `uninstall`.
    pub kind: String,
    /// The revision that a rollback went back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_to: Option<u32>,
    /// `good`, `failed`, `under way`, `deleted`; how long a revision that is under way may take is not told here.
    pub ended: &'static str,
    /// helm's own word for it: `deployed`, `superseded`, `failed`, `pending-upgrade`, ...
    pub status: String,
    /// What helm wrote of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The pipeline's job that it was made in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_url: Option<String>,
    /// The image tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_tag: Option<String>,
    /// The whole image that was given instead of a tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The repository that it was deployed from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<String>,
    /// The commit that the tag names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Committed>,
}

/// A commit, as far as this clone knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Committed {
    /// Its whole id.
    pub sha: String,
    /// None where this clone does not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// As `subject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
}

/// All revisions that helm kept, newest first; empty when there is no such release. Where helm keeps its records elsewhere (`HELM_DRIVER`), what
/// `helm history` tells: no image and nobody's name.
///
/// # Errors
/// The server does not answer, or a record is no helm's.
pub(crate) fn of(handle: &Handle<'_>) -> Result<Vec<Entry>> {
    let records = Record::all(&handle.kubectl, &handle.name)?;
    let mut entries: Vec<Entry> = if records.is_empty() {
        handle.helm.history(&handle.name)?.iter().map(listed).collect()
    } else {
        records.iter().map(kept).collect()
    };
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.revision));
    if let Some(running) = entries.iter_mut().find(|entry| entry.status == "deployed") {
        running.runs = true;
    }
    Ok(entries)
}

/// Adds what git knows of these commits; a clone that lacks some, or no clone at all, is no fault.
pub(crate) fn add_commits(session: &Session, entries: &mut [Entry]) {
    let shas: Vec<&str> = entries.iter().filter_map(|entry| Some(entry.commit.as_ref()?.sha.as_str())).collect();
    let known = if shas.is_empty() { vec![] } else { session.git().commits(&shas).unwrap_or_default() };
    for commit in entries.iter_mut().filter_map(|entry| entry.commit.as_mut()) {
        if let Some(found) = known.iter().find(|known| known.sha == commit.sha) {
            (commit.subject, commit.author) = (Some(found.subject.clone()), Some(found.author.clone()));
        }
    }
}

/// Writes into the record of a rollback who went back. For words alone: whether it worked is not told.
pub(crate) fn sign_rollback(handle: &Handle<'_>, revision: u32) {
    let is_unsigned = |text: &str| text.starts_with("Rollback to") && !text.contains(BY);
    note(handle, revision, is_unsigned, &format!("{}{}", BY.trim_start_matches("; "), handle.session.env.executor()));
}

/// Writes into the record of a revision, which helm calls deployed, that its pods could not become ready. For words alone, as above.
pub(super) fn note_failure(handle: &Handle<'_>, revision: u32) {
    note(handle, revision, |_| true, NOT_READY);
}

fn note(handle: &Handle<'_>, revision: u32, is_wanted: impl Fn(&str) -> bool, words: &str) {
    let Ok(Some(record)) = Record::fetch(&handle.kubectl, &handle.name, revision) else { return };
    if record.description().is_some_and(|text| is_wanted(&text))
        && let Ok(secret) = record.with_note(words)
    {
        let _ = handle.kubectl.send(&["replace"], &secret);
    }
}

fn listed(revision: &Revision) -> Entry {
    let (kind, back_to) = kind(revision.revision, &revision.status, &revision.description, None);
    Entry {
        revision: revision.revision,
        when: Some(revision.updated.clone()).filter(|when| !when.is_empty()),
        kind,
        back_to,
        ended: ended(&revision.status, &revision.description),
        status: revision.status.clone(),
        description: revision.description.clone(),
        ..Entry::default()
    }
}

fn kept(record: &Record) -> Entry {
    let value = |key: &str| record.value(key).filter(|text| !text.is_empty());
    let (revision, status) = (record.revision().unwrap_or_default(), record.status().unwrap_or_default());
    let description = record.description().unwrap_or_default();
    let (kind, back_to) = kind(revision, &status, &description, value(ACTION));
    let (user, job_url) = who(if back_to.is_some() { signed(&description) } else { value("user") });
    let image_tag = record.image_tag();
    let sha = image_tag.as_deref().and_then(sha_of_tag);
    Entry {
        revision,
        runs: false,
        when: record.time("last_deployed").map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        kind,
        back_to,
        ended: ended(&status, &description),
        status,
        description,
        user,
        job_url,
        commit: sha.map(|sha| Committed { sha: sha.to_owned(), ..Committed::default() }),
        image_tag,
        image: value("imageRef"),
        repo_url: value("repo_url"),
    }
}

/// What was done, and the revision that a rollback went back to. helm writes `Rollback to 3`; lain may have written more behind it.
fn kind(revision: u32, status: &str, description: &str, action: Option<String>) -> (String, Option<u32>) {
    if let Some(rest) = description.strip_prefix("Rollback to ").or_else(|| description.strip_prefix("Rollback \"")) {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return ("rollback".to_owned(), digits.parse().ok());
    }
    let made = match status {
        "uninstalling" | "uninstalled" => "uninstall",
        "pending-rollback" => "rollback",
        _ => return (action.unwrap_or_else(|| if revision == 1 { "install".to_owned() } else { "deploy".to_owned() }), None),
    };
    (made.to_owned(), None)
}

fn ended(status: &str, description: &str) -> &'static str {
    match status {
        "deployed" | "superseded" if description.contains(NOT_READY) => "failed",
        "deployed" | "superseded" => "good",
        "uninstalled" => "deleted",
        status if status.starts_with("pending") || status == "uninstalling" => "under way",
        _ => "failed",
    }
}

/// Who went back, as [`sign_rollback`] wrote it.
fn signed(description: &str) -> Option<String> {
    let who = description.split_once(BY)?.1;
    Some(who.split("; record mended by lain").next().unwrap_or(who).to_owned())
}

/// `NAME-via-JOB_URL` in its two parts.
fn who(executor: Option<String>) -> (Option<String>, Option<String>) {
    match executor {
        Some(text) => match text.split_once("-via-http") {
            Some((name, rest)) => (Some(name.to_owned()), Some(format!("http{rest}"))),
            None => (Some(text), None),
        },
        None => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done() {
        let of = |revision, status: &str, description: &str, action: Option<&str>| {
            kind(revision, status, description, action.map(str::to_owned))
        };
        assert_eq!(of(1, "superseded", "Install complete", None), ("install".into(), None));
        assert_eq!(of(4, "deployed", "Upgrade complete", None), ("deploy".into(), None));
        assert_eq!(of(4, "failed", "Upgrade \"a\" failed: timed out", Some("redeploy")), ("redeploy".into(), None));
        // The values of a rollback are those of a redeploy, once it goes back to one.
        assert_eq!(of(5, "deployed", "Rollback to 3; record mended by lain", Some("redeploy")), ("rollback".into(), Some(3)));
        assert_eq!(of(5, "pending-rollback", "Preparing rollback", None).0, "rollback");
        assert_eq!(of(5, "uninstalling", "Deletion in progress (or silently failed)", None).0, "uninstall");
    }

    #[test]
    fn who_went_back() {
        let text = "Rollback to 3; by ada-via-https://git.example.com/a/-/jobs/7; record mended by lain";
        let (user, job) = who(signed(text));
        assert_eq!((user.as_deref(), job.as_deref()), (Some("ada"), Some("https://git.example.com/a/-/jobs/7")));
        assert_eq!(signed("Rollback to 3"), None);
        assert_eq!(who(Some("eve".into())), (Some("eve".into()), None));
    }
}
