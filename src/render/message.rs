//! What a webhook is told of a release.

use serde::Serialize;

use super::fill::fill;
use crate::error::Result;

const TEMPLATE: &str = include_str!("message.jinja");

/// What happened to a release. Texts of others are printable already.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Message<'a> {
    /// `deploy`, `rollback`, ...
    pub action: &'a str,
    /// The release.
    pub release: &'a str,
    /// The cluster.
    pub cluster: &'a str,
    /// Who did it.
    pub executor: &'a str,
    /// The image tag that runs now.
    pub tag: &'a str,
    /// The revision gone back to.
    pub rollback_revision: Option<u32>,
    /// The commit that the tag is of.
    pub commit: Option<Commit>,
    /// Subjects of the commits since the last version.
    pub log: Vec<String>,
    /// The error, when it failed.
    pub failure: Option<String>,
}

/// A commit, as people know it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Commit {
    /// The first line of its message.
    pub subject: String,
    /// Its author.
    pub author: String,
}

impl Message<'_> {
    /// The words, without a last line end.
    ///
    /// # Errors
    /// The template is broken, which tests rule out.
    pub(crate) fn render(&self) -> Result<String> {
        let mut text = fill("message", TEMPLATE, self)?;
        text.truncate(text.strip_suffix('\n').map_or(text.len(), str::len));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_there_is() {
        let mut message = Message { action: "deploy", release: "shop", cluster: "test", executor: "ada", tag: "v1", ..Message::default() };
        assert_eq!(message.render().expect("renders"), "deploy shop: done\ncluster: test\nexecutor: ada\nversion: v1");
        message.rollback_revision = Some(3);
        message.commit = Some(Commit { subject: "修复 <b> {{ x }}".into(), author: "王".into() });
        message.log = vec!["one".into(), "two".into()];
        message.failure = Some("helm failed".into());
        assert_eq!(
            message.render().expect("renders"),
            "deploy shop: failed\ncluster: test\nexecutor: ada\nversion: v1\nrolled back to revision 3\ncommit: 修复 <b> {{ x }} (王)\n\
             since the last version:\n  one\n  two\nreason: helm failed"
        );
    }
}
