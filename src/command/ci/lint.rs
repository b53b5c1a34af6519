//! `lain ci lint`: what defeats a project's pipeline or will not work, and which jobs each kind of pipeline has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::command::Command;
use crate::error::{Error, Location, Result};
use crate::files;
use crate::lint::report::{self, Report};
use crate::lint::{Problem, Severity};
use crate::model::check::{listed, named};
use crate::pipeline;
use crate::pipeline::lint::catalogue::CHECKS;
use crate::pipeline::lint::{Judged, judge};
use crate::pipeline::{Finding, JobIn, Kind, Project, Weight, When};
use crate::session::Session;
use crate::ui::{Format, TEXT};

/// Check .gitlab-ci.yml with all that it includes: what GitLab refuses, and what defeats it
#[derive(Args, Debug)]
#[command(
    after_help = "  lain ci lint\n  lain ci lint --list\n  lain ci lint --explain C008\n  lain ci lint ci/other.yml --format codequality > gl-code-quality-report.json\n\n\
                        No GitLab is asked. `# lain:ignore C008` at the end of a line keeps that check quiet there."
)]
pub(super) struct Lint {
    /// The file; .gitlab-ci.yml here or at the top of the repository
    file: Option<PathBuf>,
    /// Show every job with the kinds of pipeline that have it
    #[arg(long)]
    list: bool,
    /// Show also what is good to know and no fault
    #[arg(long)]
    notes: bool,
    /// The default branch's name; what git or the file itself says
    #[arg(long, value_name = "NAME")]
    default_branch: Option<String>,
    /// A report on stdout besides the words on stderr
    #[arg(long, value_enum, default_value_t)]
    format: Report,
    /// Say what one check is about, or list all with `all`
    #[arg(long, value_name = "ID", exclusive = true)]
    explain: Option<String>,
}

impl Command for Lint {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn formats(&self) -> &'static [Format] {
        if self.explain.is_some() { TEXT } else { &[Format::Text, Format::Json] }
    }

    fn run(self, session: &Session) -> Result<()> {
        if let Some(id) = &self.explain {
            return explain(session, id);
        }
        let full = self.place(session)?;
        let top = files::top_of(full.parent().unwrap_or(&session.cwd));
        let file = full.strip_prefix(&top).unwrap_or(&full).to_path_buf();
        let project = Project::read(&top, &file).map_err(|error| seen_from(&session.cwd, &top, error))?;
        let branch = self.default_branch.clone().unwrap_or_else(|| default_branch(&top, &full));
        let mut judged = judge(&project, &branch);
        for finding in &mut judged.findings {
            finding.at.path = shown(&session.cwd, &top, &finding.at.path);
        }
        let as_json = session.ui.format() == Format::Json;
        let format = if self.format == Report::Text && as_json { Report::Json } else { self.format };
        let kept: Vec<Finding> = judged.findings.iter().filter(|finding| self.notes || finding.weight > Weight::Note).cloned().collect();
        tell(session, &kept);
        let problems: Vec<Problem> = kept.iter().filter(|finding| finding.weight > Weight::Note).map(problem).collect();
        if let Some(text) = report::write(format, CHECKS, &problems, &session.cwd) {
            session.ui.result(&text)?;
        } else if self.list {
            session.ui.result(&list(&judged.table))?;
        }
        verdict(session, &judged, &shown(&session.cwd, &top, &file), self.list, self.notes)
    }
}

impl Lint {
    /// The file, in full.
    fn place(&self, session: &Session) -> Result<PathBuf> {
        if let Some(file) = &self.file {
            return Ok(files::plain(&session.cwd.join(file)));
        }
        pipeline::file_of(&session.cwd).ok_or_else(|| {
            Error::failed("no .gitlab-ci.yml here, nor at the top of the repository")
                .hint("lain ci lint FILE # where a project has it under another name")
                .hint("lain -C DIR ci lint")
        })
    }
}

/// A path from the top of the repository as the user would name it.
fn shown(cwd: &Path, top: &Path, path: &Path) -> PathBuf {
    let full = top.join(path);
    // A template of the binary is no file here.
    if !full.exists() {
        return path.to_path_buf();
    }
    full.strip_prefix(cwd).map_or_else(|_| full.clone(), Path::to_path_buf)
}

fn seen_from(cwd: &Path, top: &Path, error: Error) -> Error {
    let place = error.location().map(|at| Location { path: shown(cwd, top, &at.path), ..at.clone() });
    match place {
        Some(at) => error.at(at),
        None => error.or_hint("lain ci lint FILE"),
    }
}

/// What git knows of the server's default branch; else `master` where the file speaks of it and not of `main`.
fn default_branch(top: &Path, file: &Path) -> String {
    let head = fs::read_to_string(top.join(".git/refs/remotes/origin/HEAD")).unwrap_or_default();
    if let Some(name) = head.trim().strip_prefix("ref: refs/remotes/origin/").filter(|name| !name.is_empty()) {
        return name.to_owned();
    }
    let text = fs::read_to_string(file).unwrap_or_default();
    let says = |word: &str| text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_' && c != '/').any(|found| found == word);
    let guess = ["main", "master", "develop", "trunk"].into_iter().find(|name| says(name));
    guess.unwrap_or("main").to_owned()
}

fn tell(session: &Session, findings: &[Finding]) {
    for finding in findings {
        match finding.weight {
            Weight::Error => session.ui.error(&problem(finding).to_error()),
            Weight::Warning => session.ui.warning(&problem(finding).to_error()),
            Weight::Note => {
                session.ui.say(&format!("note: {}: {} [{}]\n  instead: {}", finding.at, finding.message, finding.id, finding.hint));
            }
        }
    }
}

fn problem(finding: &Finding) -> Problem {
    let severity = if finding.weight == Weight::Error { Severity::Error } else { Severity::Warning };
    Problem { id: finding.id, severity, message: finding.message.clone(), hint: finding.hint.clone(), at: finding.at.clone() }
}

fn verdict(session: &Session, judged: &Judged, file: &Path, is_listed: bool, has_notes: bool) -> Result<()> {
    for what in &judged.unread {
        session.ui.say(&format!("not read: {what}"));
    }
    let count = |weight| judged.findings.iter().filter(|finding| finding.weight == weight).count();
    let worded = |count: usize, what: &str| if count == 1 { format!("one {what}") } else { format!("{count} {what}s") };
    let (errors, warnings, notes) = (count(Weight::Error), count(Weight::Warning), count(Weight::Note));
    if errors > 0 {
        return Err(Error::refused(format!("ci lint found {}", worded(errors, "error")))
            .hint("mend them, or put `# lain:ignore ID` at the end of the line")
            .hint("lain ci lint --explain ID # what a check is about"));
    }
    let in_some = judged.table.iter().flat_map(|(_, jobs)| jobs).map(|job| job.name.as_str());
    let jobs: BTreeSet<&str> = in_some.chain(judged.elsewhere.iter().map(String::as_str)).collect();
    let pipelines = judged.table.iter().filter(|(_, jobs)| !jobs.is_empty()).count();
    let verdict = if warnings == 0 { "fine".to_owned() } else { format!("no error, {}", worded(warnings, "warning")) };
    let size = format!("{} in {} of {} kinds of pipeline", worded(jobs.len(), "job"), pipelines, judged.table.len());
    session.ui.done(&format!("ci lint: {} is {verdict}: {size}", file.display()).replace(" is no error", ": no error"));
    if !is_listed && session.ui.format() == Format::Text {
        session.ui.say(&summary(&judged.table));
        if !judged.elsewhere.is_empty() {
            session.ui.say("for other branches, tags or variables:");
            session.ui.say(&wrapped(&judged.elsewhere.join(", "), "    ", WIDTH));
        }
    }
    if notes > 0 && !has_notes {
        session.ui.say(&format!("{}: lain ci lint --notes", worded(notes, "note")));
    }
    Ok(())
}

/// How a job starts, in one sign or word.
fn how(job: &JobIn) -> &'static str {
    match (job.when, job.only_on_changes) {
        (When::Manual, _) => "by hand",
        (When::Delayed, _) => "later",
        (When::OnFailure, _) => "on failure",
        (_, true) => "on changes",
        _ => "",
    }
}

/// Cells of a line that everybody's terminal has.
const WIDTH: usize = 60;

/// One line a kind: how many jobs, and how many of them by hand. Kinds that have the same jobs share a line.
fn summary(table: &[(Kind, Vec<JobIn>)]) -> String {
    let mut rows: Vec<(Vec<&str>, &[JobIn])> = Vec::new();
    for (kind, jobs) in table {
        match rows.iter_mut().find(|(_, known)| *known == jobs.as_slice()) {
            Some((kinds, _)) => kinds.push(kind.id),
            None => rows.push((vec![kind.id], jobs)),
        }
    }
    let mut out = Vec::new();
    for (kinds, jobs) in rows {
        let words: Vec<String> = match jobs {
            [] => vec!["no pipeline".to_owned()],
            jobs => {
                jobs.iter().map(|job| if how(job).is_empty() { job.name.clone() } else { format!("{} ({})", job.name, how(job)) }).collect()
            }
        };
        out.push(wrapped(&format!("{}:", kinds.join(", ")), "", WIDTH));
        out.push(wrapped(&words.join(", "), "    ", WIDTH));
    }
    out.join("\n")
}

/// Every job with the kinds that have it.
fn list(table: &[(Kind, Vec<JobIn>)]) -> String {
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for (kind, jobs) in table {
        for job in jobs {
            let cell = if how(job).is_empty() { kind.title.to_owned() } else { format!("{} ({})", kind.title, how(job)) };
            match rows.iter_mut().find(|(name, _)| *name == job.name) {
                Some((_, cells)) => cells.push(cell),
                None => rows.push((&job.name, vec![cell])),
            }
        }
    }
    let without: Vec<String> = table.iter().filter(|(_, jobs)| jobs.is_empty()).map(|(kind, _)| kind.title.to_owned()).collect();
    if !without.is_empty() {
        rows.push(("no pipeline", without));
    }
    let blocks = rows.iter().map(|(name, cells)| {
        let lines: Vec<String> = cells.iter().map(|cell| format!("    {cell}")).collect();
        format!("{name}\n{}", lines.join("\n"))
    });
    blocks.collect::<Vec<_>>().join("\n")
}

/// Words in lines of at most so many cells.
fn wrapped(text: &str, indent: &str, cells: usize) -> String {
    let mut lines: Vec<String> = vec![indent.to_owned()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("a line");
        let is_start = last.len() == indent.len();
        if !is_start && console::measure_text_width(last) + 1 + console::measure_text_width(word) > cells {
            lines.push(format!("{indent}{word}"));
        } else {
            if !is_start {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join("\n")
}

fn explain(session: &Session, id: &str) -> Result<()> {
    if id == "all" {
        return session.ui.result(&listed(CHECKS));
    }
    let check = named(CHECKS, id, "lain ci lint")?;
    let page = include_str!("../../../docs/ci-lint.md");
    let start = format!("## {} ", check.id);
    let text = page.find(&start).map(|at| &page[at..]).unwrap_or_default();
    let end = text[3..].find("\n## ").map_or(text.len(), |at| at + 3);
    session.ui.result(text[..end].trim_end())
}
