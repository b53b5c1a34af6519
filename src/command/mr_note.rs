//! `lain mr-note`: one note on a merge request, written once and changed in place from then on.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::Command;
use super::cherry::Commits;
use crate::error::{Error, Result};
use crate::http::gitlab::{Note, Request};
use crate::model::changes::Diff;
use crate::model::text::bounded;
use crate::render::changes;
use crate::session::Session;
use crate::ui::printable;

/// Write what a deploy would change, or bring, into one note on a GitLab merge request
#[derive(Args, Debug)]
#[command(
    after_help = "  lain diff -o json > diff.json && lain mr-note diff diff.json\n  lain cherry -o json | lain mr-note changelog\n  lain diff -o markdown | lain mr-note diff --mr 12\n\n\
                  The note is found again by a mark in it, one for each app and cluster, and changed in place.\n\
                  GITLAB_API_TOKEN needs the scope `api`: a job's own token cannot write notes."
)]
pub struct MrNote {
    /// What it is about
    #[arg(value_enum)]
    about: About,
    /// What `lain diff` or `lain cherry` printed, as JSON or Markdown; stdin when not given
    file: Option<PathBuf>,
    /// The project, by path or id; this pipeline's when not given
    #[arg(long)]
    project: Option<String>,
    /// The merge request's number in the project; this pipeline's when not given
    #[arg(long, value_name = "NUMBER")]
    mr: Option<u64>,
}

/// What a note is about.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum About {
    /// What `lain diff` printed
    Diff,
    /// What `lain cherry` printed
    Changelog,
}

/// Most bytes that are read.
const MOST: u64 = 32 << 20;
/// Characters of a note, half of what GitLab takes.
const NOTE: usize = 500_000;

impl Command for MrNote {
    fn run(self, session: &Session) -> Result<()> {
        let text = read(self.file.as_deref())?;
        let (key, body) = self.words(session, &text)?;
        let request = Request::of(&session.env, self.project.as_deref(), self.mr)?;
        let gitlab = session.gitlab()?;
        let name = format!("{}!{}", request.project, request.number);
        let mark = format!("<!-- lain {} {key} -->", self.word());
        let pipeline = session.env.get("CI_PIPELINE_ID").and_then(|id| id.parse::<u64>().ok());
        let body = session.ui.redact(&format!("{mark}\n{}{body}", pipeline.map_or_else(String::new, |id| format!("{PIPELINE}{id} -->\n"))));
        let me = gitlab.me();
        let mut tried = false;
        loop {
            match own(gitlab.notes(&request)?, &mark, me) {
                Some(note) if note.body.trim() == body.trim() => {
                    session.ui.done(&if tried { format!("wrote a note on {name}") } else { format!("the note on {name} says so already") });
                }
                Some(note) if pipeline_of(&note.body) > pipeline && pipeline.is_some() => {
                    session.ui.say(&format!("the note on {name} is of a later pipeline: it stays"));
                }
                Some(note) => {
                    gitlab.change_note(&request, note.id, &body)?;
                    session.ui.done(&format!("changed the note on {name}"));
                }
                None if text.trim().is_empty() => session.ui.say("there is nothing to write"),
                None => match gitlab.add_note(&request, &body) {
                    // It may be there all the same: looked for once more, so that there are never two.
                    Err((_, true)) if !tried => {
                        tried = true;
                        continue;
                    }
                    outcome => {
                        outcome.map_err(|(error, _)| error)?;
                        session.ui.done(&format!("wrote a note on {name}"));
                    }
                },
            }
            return Ok(());
        }
    }
}

/// Begins the line that says of which pipeline a note is.
const PIPELINE: &str = "<!-- pipeline ";

/// The note that this mark stands at the top of, written by ourselves: what others quote is theirs.
fn own(notes: Vec<Note>, mark: &str, me: Option<u64>) -> Option<Note> {
    notes.into_iter().find(|note| !note.system && note.body.lines().next() == Some(mark) && me.is_none_or(|me| me == note.author.id))
}

fn pipeline_of(body: &str) -> Option<u64> {
    body.lines().nth(1)?.strip_prefix(PIPELINE)?.strip_suffix(" -->")?.parse().ok()
}

fn read(file: Option<&Path>) -> Result<String> {
    let mut text = String::new();
    let outcome = match file {
        Some(path) if path != Path::new("-") => std::fs::File::open(path)
            .and_then(|file| file.take(MOST).read_to_string(&mut text))
            .map_err(|error| Error::io("read", path, &error)),
        _ if std::io::stdin().is_terminal() => {
            return Err(Error::usage("nothing is piped in, and no file is named").hint("lain diff -o json | lain mr-note diff"));
        }
        _ => std::io::stdin().lock().take(MOST).read_to_string(&mut text).map_err(|error| Error::io("read", Path::new("stdin"), &error)),
    };
    outcome.map(|_| text)
}

impl MrNote {
    fn word(&self) -> &'static str {
        match self.about {
            About::Diff => "diff",
            About::Changelog => "changelog",
        }
    }

    /// Of which app and cluster it is, and its Markdown.
    fn words(&self, session: &Session, text: &str) -> Result<(String, String)> {
        let cluster = || session.cluster_name().unwrap_or_default();
        // It stands in a comment of HTML, which nothing in it may end.
        let key = |release: &str, cluster: &str| {
            let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '.' | '_');
            format!("{release} {cluster}").chars().filter(plain).collect::<String>().trim().to_owned()
        };
        let unread = |error: serde_json::Error| {
            let from = self.file.as_ref().map_or_else(|| "stdin".to_owned(), |path| path.display().to_string());
            let hint = match self.about {
                About::Diff => "lain diff -o json | lain mr-note diff",
                About::Changelog => "lain cherry -o json | lain mr-note changelog",
            };
            Error::failed(format!("{from}: not a result of lain: {error}")).hint(hint)
        };
        if !text.trim_start().starts_with('{') {
            let release = if session.has_app() { session.app()?.release().to_owned() } else { String::new() };
            let empty = match self.about {
                About::Diff => "Nothing to change.",
                About::Changelog => "No commit that is not deployed.",
            };
            let text = if text.trim().is_empty() { empty.to_owned() } else { without_commands(&bounded(text, NOTE)) };
            return Ok((key(&release, &cluster()), text));
        }
        Ok(match self.about {
            About::Diff => {
                let diff: Diff = serde_json::from_str(text).map_err(unread)?;
                (key(&diff.release, &diff.cluster), printable(&changes::markdown(&diff)))
            }
            About::Changelog => {
                let commits: Commits = serde_json::from_str(text).map_err(unread)?;
                (key(&commits.release, &cluster()), commits.markdown())
            }
        })
    }
}

/// GitLab does what a line of a note says that begins with `/`: `/merge`, `/close`. Here it is text.
fn without_commands(text: &str) -> String {
    let lines =
        text.lines().map(|line| if line.trim_start().starts_with('/') { format!("\\{}", line.trim_start()) } else { line.to_owned() });
    printable(&lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::gitlab::User;

    #[test]
    fn a_note_is_ours_by_its_first_line_and_its_author() {
        let note = |id: u64, body: &str, author: u64, system| Note {
            id,
            body: body.to_owned(),
            system,
            author: User { id: author, ..User::default() },
        };
        let mark = "<!-- lain diff shop test -->";
        let notes = || {
            vec![
                note(1, &format!("> {mark}\nlook"), 7, false),
                note(2, &format!("{mark}\nforged"), 8, false),
                note(3, &format!("{mark}\nsystem"), 7, true),
                note(4, &format!("{mark}\nours"), 7, false),
            ]
        };
        assert_eq!(own(notes(), mark, Some(7)).expect("ours").id, 4);
        assert_eq!(own(notes(), mark, None).expect("a token that does not say whose it is").id, 2);
        assert!(own(notes(), "<!-- lain diff shop prod -->", Some(7)).is_none());
        assert_eq!(pipeline_of(&format!("{mark}\n<!-- pipeline 12 -->\nx")), Some(12));
        assert_eq!(pipeline_of(mark), None);
    }

    #[test]
    fn no_line_is_a_command_for_gitlab() {
        assert_eq!(without_commands("a\n/merge\n  /close\nb /x"), "a\n\\/merge\n\\/close\nb /x");
    }
}
