//! `lain meta`: the tag of HEAD's images.

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::Result;
use crate::model::tag::{NO_GIT_TAG, commit_tag, merged_result};
use crate::session::Session;
use crate::tools::git::Head;
use crate::ui::{Answer, Format, printable};

/// Print the image tag of HEAD: COMMIT_TIME-SHA, `latest` outside git
#[derive(Args, Debug)]
pub struct Meta {}

impl Command for Meta {
    const FORMATS: &'static [Format] = Tag::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let git = session.git();
        if session.env.get("GIT_DIR").is_some() {
            session.ui.warn("GIT_DIR is set: the tag is of that repository, wherever this folder is");
        }
        let tag = match git.head()? {
            Head::Commit(commit) => {
                if let Some(note) = merged_result(&commit.sha, |name| session.env.get(name)) {
                    session.ui.say(&printable(&note));
                }
                if git.is_dirty(session.result_file().as_deref())? {
                    session.ui.warn("the working tree has changes that are not committed: the tag names HEAD, which is without them");
                }
                commit_tag(&commit.time, &commit.sha)
            }
            Head::NoCommit => {
                session.ui.warn("there is no commit yet, and so no tag of its own");
                NO_GIT_TAG.to_owned()
            }
            Head::NoRepository => NO_GIT_TAG.to_owned(),
        };
        session.ui.answer(&Tag { version: 1, tag })
    }
}

#[derive(Serialize)]
struct Tag {
    version: u32,
    tag: String,
}

impl Answer for Tag {
    fn text(&self) -> String {
        self.tag.clone()
    }
}
