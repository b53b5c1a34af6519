//! `lain cherry`: the commits that a deploy would bring.

use std::collections::BTreeSet;
use std::fmt::Write;

use clap::Args;
use console::measure_text_width;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Command;
use crate::error::{Error, Result};
use crate::model::tag::sha_of_tag;
use crate::model::text::{bounded, text_of};
use crate::release::handle::Handle;
use crate::render::changes::escaped;
use crate::session::Session;
use crate::tools::git::{Commit, Head};
use crate::ui::{Answer, Format, Ui, columns, cut, plain, printable};

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
        let Some(tag) = text_of(&values["imageTag"]) else {
            let error = Error::failed(format!("release {} was deployed without an image tag", handle.name));
            return Err(error.hint("lain get-values # what it was deployed with"));
        };
        let sha = sha_of_tag(&tag).ok_or_else(|| {
            Error::failed(printable(&format!("release {} runs image tag `{tag}`, which names no commit", handle.name)))
                .hint("lain version # what is known of it")
        })?;
        let git = session.git();
        match git.head()? {
            Head::Commit(_) => {}
            Head::NoCommit => return Err(Error::failed("HEAD has no commit yet").hint("git log")),
            Head::NoRepository => {
                let error = Error::failed(format!("this folder is in no git repository, and release {} runs commit {sha}", handle.name));
                return Err(error.hint("cd CLONE # a clone of the app's repository"));
            }
        }
        let commits = git.commits_between(sha, "HEAD")?.ok_or_else(|| {
            Error::failed(format!("this clone does not have commit {sha}, which release {} runs", handle.name)).hint(git.how_to_fetch())
        })?;
        // Who deploys an older commit takes back what came after it.
        let lost = git.commits_between("HEAD", sha)?.unwrap_or_default().len();
        if lost > 0 {
            let words = if lost == 1 { "a commit that is deployed".to_owned() } else { format!("{lost} commits that are deployed") };
            let them = if lost == 1 { "it" } else { "them" };
            session.ui.warn(&format!("HEAD lacks {words}: a deploy of HEAD takes {them} back"));
            session.ui.hint(&format!("git log HEAD..{sha}"));
        }
        if commits.is_empty() && session.ui.format() == Format::Text {
            session.ui.say("HEAD brings no commit that is not deployed");
            return Ok(());
        }
        let authors: BTreeSet<&str> = commits.iter().map(|commit| commit.author.as_str()).collect();
        let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let words =
            format!("{} by {} that {} does not run yet", count(commits.len(), "commit"), count(authors.len(), "author"), handle.name);
        session.ui.say(&words);
        session.ui.answer(&Commits {
            version: 1,
            release: handle.name.clone(),
            deployed: Some(tag.clone()),
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

    fn styled(&self, ui: &Ui) -> Option<String> {
        let cells = columns().filter(|_| ui.shows_results())?;
        let line = |One { committed, author, subject, .. }: &One| {
            let day = committed.split('T').next().unwrap_or_default();
            let author = cut(&plain(author), (cells / 3).max(10));
            let room = cells.saturating_sub(day.len() + 2 + 3 + measure_text_width(&author));
            let whole = format!("{day}: {} ({author})", cut(&plain(subject), room));
            cut(&whole, cells)
        };
        Some(self.commits.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}
