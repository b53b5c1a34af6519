//! `lain cherry`: the commits that a deploy would bring.

use std::fmt::Write;

use clap::Args;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Command;
use crate::error::{Error, Result};
use crate::model::tag::sha_of_tag;
use crate::model::text::bounded;
use crate::release::handle::Handle;
use crate::render::changes::escaped;
use crate::session::Session;
use crate::tools::git::Commit;
use crate::ui::{Answer, Format, printable};

/// Show the commits between what is deployed and HEAD
#[derive(Args, Debug)]
#[command(after_help = "  lain cherry\n  lain cherry -o json > commits.json\n  lain send-msg \"$(lain cherry)\"")]
pub struct Cherry {}

impl Command for Cherry {
    const FORMATS: &'static [Format] = Commits::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let handle = Handle::of_app(session)?;
        let values = handle.values(None)?;
        // Before the first deploy a merge request's job has nothing to tell, and nothing is wrong.
        let Some(values) = values else {
            session.ui.say(&format!("release {} is not deployed: its first deploy brings all there is", handle.name));
            let none = Commits { version: 1, release: handle.name.clone(), deployed: None, commits: Vec::new() };
            return if session.ui.format() == Format::Text { Ok(()) } else { session.ui.answer(&none) };
        };
        let tag = values["imageTag"].as_str().unwrap_or_default();
        let sha = sha_of_tag(tag).ok_or_else(|| {
            Error::failed(printable(&format!("release {} runs image tag `{tag}`, which names no commit", handle.name)))
                .hint("lain version # what is known of it")
        })?;
        let commits = session.git().commits_between(sha, "HEAD")?.ok_or_else(|| {
            Error::failed(format!("this clone does not have commit {sha}, which release {} runs", handle.name))
                .hint("git fetch --unshallow # in a shallow clone; git fetch --all otherwise")
        })?;
        if commits.is_empty() && session.ui.format() == Format::Text {
            session.ui.say("HEAD brings no commit that is not deployed");
            return Ok(());
        }
        session.ui.answer(&Commits {
            version: 1,
            release: handle.name.clone(),
            deployed: Some(tag.to_owned()),
            commits: commits.into_iter().map(One::of).collect(),
        })
    }
}

/// What a deploy of HEAD would bring, newest first.
#[derive(Deserialize, Serialize, JsonSchema)]
pub(super) struct Commits {
    version: u32,
    /// The release.
    pub release: String,
    /// The image tag that is deployed; none before the first deploy, and no commits then.
    deployed: Option<String>,
    commits: Vec<One>,
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct One {
    sha: String,
    /// When it was committed, as RFC 3339 writes it.
    committed: String,
    author: String,
    subject: String,
}

impl One {
    fn of(commit: Commit) -> Self {
        let time = commit.time.parse().ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
        let Commit { sha, author, subject, .. } = commit;
        Self { sha, committed: time.map(|time| time.to_string()).unwrap_or_default(), author, subject }
    }
}

/// Commits of a note; more are counted.
const LISTED: usize = 100;

impl Commits {
    /// A note for a merge request.
    pub(super) fn markdown(&self) -> String {
        if self.deployed.is_none() {
            return printable(&format!("{} is not deployed yet\n", escaped(&self.release)));
        }
        let mut out = format!("**{} commits** that {} does not run yet\n\n", self.commits.len(), escaped(&self.release));
        for One { sha, author, subject, .. } in self.commits.iter().take(LISTED) {
            let short: String = sha.chars().filter(char::is_ascii_hexdigit).take(8).collect();
            let _ = writeln!(out, "- {short} {} ({})", escaped(&bounded(subject, 200)), escaped(&bounded(author, 100)));
        }
        match self.commits.len().saturating_sub(LISTED) {
            0 => {}
            more => out += &format!("- and {more} more\n"),
        }
        printable(&out)
    }
}

impl Answer for Commits {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Markdown];

    fn shape(&self, format: Format) -> Option<String> {
        (format == Format::Markdown).then(|| self.markdown())
    }

    fn text(&self) -> String {
        let mut out = String::new();
        for One { committed, author, subject, .. } in &self.commits {
            let day = committed.split('T').next().unwrap_or_default();
            let _ = writeln!(out, "{}", printable(&format!("{day}: {subject} ({author})")));
        }
        out.trim_end().to_owned()
    }
}
