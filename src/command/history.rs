//! `lain history`: what was done to a release, by whom, and how it ended.

use clap::Args;
use console::{measure_text_width, truncate_str};
use serde::Serialize;

use super::Command;
use crate::error::{Error, Result};
use crate::model::duration::age;
use crate::model::name::is_harmless;
use crate::release::handle::{Handle, no_release};
use crate::release::history::{self, Entry};
use crate::session::Session;
use crate::ui::{Answer, Format, Label, Table, Ui, columns, printable};

/// Cells that the long form leaves free at the left margin.
const INDENT: usize = 6;

/// List what was done to a release: when, by whom, which image and commit, and how it ended; `*` marks what runs
#[derive(Args, Debug)]
#[command(
    after_help = "  lain history\n  lain history RELEASE -n 30\n  lain history -o json | jq -r '.revisions[] | [.revision, .user, .jobUrl] | @tsv'\n  \
                              lain get-values --revision 3   # what a revision was deployed with"
)]
pub struct History {
    /// The release; this folder's without one
    release: Option<String>,
    /// How many, the newest first; helm itself keeps ten
    #[arg(short = 'n', default_value_t = 10, value_name = "COUNT")]
    count: usize,
}

impl Command for History {
    const FORMATS: &'static [Format] = Revisions::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let is_named = self.release.is_some();
        let handle = match self.release {
            Some(release) if !is_harmless(&release) => {
                return Err(Error::usage(format!("`{release}` is no release name")).hint("helm list"));
            }
            Some(release) => Handle::named(session, release)?,
            None => Handle::of_app(session)?,
        };
        let mut entries = history::of(&handle)?;
        if entries.is_empty() {
            return Err(no_release(&handle.kubectl, &handle.name, is_named));
        }
        let all = entries.len();
        entries.truncate(self.count);
        history::add_commits(session, &mut entries);
        session.ui.answer(&Revisions { version: 1, release: &handle.name, cluster: handle.cluster, revisions: entries })?;
        if session.ui.format() == Format::Text && self.count < all {
            session.ui.say(&format!("{} of {all} revisions; lain history -n {all} lists all", self.count));
        }
        Ok(())
    }
}

/// The revisions of a release, newest first.
#[derive(Serialize)]
struct Revisions<'a> {
    version: u32,
    release: &'a str,
    cluster: &'a str,
    revisions: Vec<Entry>,
}

impl Answer for Revisions<'_> {
    fn text(&self) -> String {
        self.table()
    }

    fn styled(&self, ui: &Ui) -> Option<String> {
        let table = self.table();
        match columns() {
            Some(columns) if ui.shows_results() && table.lines().any(|line| measure_text_width(line) > columns) => {
                Some(self.lines(ui, columns))
            }
            _ => Some(table),
        }
    }
}

impl Revisions<'_> {
    /// A line a revision: for wide terminals, and for programs that read lines.
    fn table(&self) -> String {
        let mut table = Table::new(["  REVISION", "WHEN", "KIND", "ENDED", "WHO", "TAG", "COMMIT"]);
        for entry in &self.revisions {
            table.row([
                format!("{} {}", mark(entry), entry.revision),
                entry.when.clone().unwrap_or_default(),
                kind(entry),
                entry.ended.to_owned(),
                who(entry),
                tag(entry),
                subject(entry),
            ]);
        }
        table.to_string().trim_end().to_owned()
    }

    /// Two or three lines a revision, none wider than the terminal.
    fn lines(&self, ui: &Ui, columns: usize) -> String {
        let now = jiff::Timestamp::now().as_second();
        let fitted = |text: &str| truncate_str(&printable(text).replace('\n', " "), columns.saturating_sub(INDENT), "…").into_owned();
        let mut out = String::new();
        for entry in &self.revisions {
            let when = entry.when.as_deref().and_then(|when| when.parse::<jiff::Timestamp>().ok());
            let when = when.map_or_else(String::new, |when| format!(", {} ago", age(now.saturating_sub(when.as_second()))));
            let by = entry.user.as_deref().map_or_else(String::new, |user| format!(" by {user}"));
            let head = fitted(&format!("{}{by}{when}: {}", kind(entry), entry.ended));
            let label = if entry.ended == "good" { Label::Good } else { Label::Bad };
            out += &format!("{} {:<width$}{}\n", mark(entry), entry.revision, ui.emphasis(&head, label), width = INDENT - 2);
            let short = entry.commit.as_ref().map(|commit| commit.sha.chars().take(10).collect::<String>());
            let image = short.or_else(|| entry.image.clone()).or_else(|| entry.image_tag.clone()).unwrap_or_default();
            for line in [format!("{image} {}", subject(entry)), entry.job_url.clone().unwrap_or_default()] {
                if !line.trim().is_empty() {
                    out += &format!("{:INDENT$}{}\n", "", fitted(line.trim()));
                }
            }
        }
        out.trim_end().to_owned()
    }
}

fn mark(entry: &Entry) -> &'static str {
    if entry.runs { "*" } else { " " }
}

fn kind(entry: &Entry) -> String {
    entry.back_to.map_or_else(|| entry.kind.clone(), |revision| format!("{} to {revision}", entry.kind))
}

fn who(entry: &Entry) -> String {
    let user = entry.user.clone().unwrap_or_default();
    entry.job_url.as_ref().map_or_else(|| user.clone(), |url| format!("{user} ({url})"))
}

/// The whole image where it was given one.
fn tag(entry: &Entry) -> String {
    entry.image.clone().or_else(|| entry.image_tag.clone()).unwrap_or_default()
}

fn subject(entry: &Entry) -> String {
    entry.commit.as_ref().and_then(|commit| commit.subject.clone()).unwrap_or_default()
}
