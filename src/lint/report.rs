//! Problems in the shapes that other programs take.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::{Problem, Severity};

use crate::files;
use crate::model::check::Check;
use crate::model::hex::hex;

/// A report of problems.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Report {
    /// None
    #[default]
    Text,
    /// One object with all problems
    Json,
    /// For GitLab's `artifacts:reports:codequality`
    Codequality,
    /// For `artifacts:reports:junit`
    Junit,
}

/// The report; none for text. `checks` are all that could have found something. What GitLab reads names files as seen from the top of the repository that the app's folder `dir` is in: its links lead
/// nowhere else (GitLab documentation, "Code Quality report format": `location.path`).
pub(crate) fn write(report: Report, checks: &[Check], problems: &[Problem], dir: &Path) -> Option<String> {
    match report {
        Report::Text => None,
        Report::Json => Some(pretty(&as_json(problems))),
        Report::Codequality => Some(pretty(&as_codequality(problems, &Repository::around(dir)))),
        Report::Junit => Some(as_junit(checks, problems, &Repository::around(dir))),
    }
}

/// The repository that the app is in.
struct Repository<'p> {
    top: Option<&'p Path>,
    dir: &'p Path,
}

impl<'p> Repository<'p> {
    fn around(dir: &'p Path) -> Self {
        Self { top: files::repository_of(dir), dir }
    }

    /// A path from the app's folder as one from the top; as it is where there is no repository, or the file is outside.
    fn path(&self, path: &Path) -> String {
        let full = files::plain(&self.dir.join(path));
        self.top.and_then(|top| full.strip_prefix(top).ok()).unwrap_or(path).display().to_string()
    }
}

fn pretty(json: &Json) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

fn severity(problem: &Problem) -> &'static str {
    match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn as_json(problems: &[Problem]) -> Json {
    let list: Vec<Json> = problems
        .iter()
        .map(|problem| {
            json!({
                "id": problem.id,
                "severity": severity(problem),
                "message": problem.message,
                "hint": problem.hint,
                "path": problem.at.path.display().to_string(),
                "line": problem.at.line,
                "column": problem.at.column,
            })
        })
        .collect();
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    json!({"version": 1, "errors": errors, "warnings": problems.len() - errors, "problems": list})
}

/// The fields that GitLab's widget needs (GitLab documentation, "Code Quality report format"): description, `check_name`, fingerprint, severity, `location.path`,
/// `location.lines.begin`. The fingerprint leaves the line's number out, so that a problem stays the same one when lines above it come and go.
fn as_codequality(problems: &[Problem], repository: &Repository<'_>) -> Json {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let list: Vec<Json> = problems
        .iter()
        .map(|problem| {
            let path = repository.path(&problem.at.path);
            let identity = format!("{}\0{path}\0{}\0{}", problem.id, problem.message, problem.at.text.trim());
            let count = seen.entry(identity.clone()).or_default();
            *count += 1;
            let fingerprint = hex(&Sha256::digest(format!("{identity}\0{count}"))[..16]);
            json!({
                "description": format!("{} [{}]. Instead: {}", problem.message, problem.id, problem.hint),
                "check_name": problem.id,
                "fingerprint": fingerprint,
                "severity": match problem.severity { Severity::Error => "major", Severity::Warning => "minor" },
                "location": {"path": path, "lines": {"begin": problem.at.line}},
            })
        })
        .collect();
    Json::Array(list)
}

/// One test case a check: failed when it found an error; warnings are its output.
fn as_junit(checks: &[Check], problems: &[Problem], repository: &Repository<'_>) -> String {
    let errors: std::collections::HashSet<&str> =
        problems.iter().filter(|problem| problem.severity == Severity::Error).map(|problem| problem.id).collect();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"lain lint\" tests=\"{}\" failures=\"{}\">\n",
        checks.len(),
        errors.len()
    );
    for check in checks {
        let name = xml(&format!("{} {}", check.id, check.title));
        let found: Vec<&Problem> = problems.iter().filter(|problem| problem.id == check.id).collect();
        let Some(first) = found.first() else {
            let _ = writeln!(out, "<testcase classname=\"lain.lint\" name=\"{name}\"/>");
            continue;
        };
        let tell = |problem: &&Problem| format!("{}: {}\ninstead: {}\n", problem.at, problem.message, problem.hint);
        let text = xml(&found.iter().map(tell).collect::<String>());
        let _ = writeln!(out, "<testcase classname=\"lain.lint\" name=\"{name}\" file=\"{}\">", xml(&repository.path(&first.at.path)));
        if errors.contains(check.id) {
            let _ = writeln!(out, "<failure type=\"{}\" message=\"{}\">{text}</failure>", check.id, xml(&first.message));
        } else {
            let _ = writeln!(out, "<system-out>{text}</system-out>");
        }
        out += "</testcase>\n";
    }
    out += "</testsuite>\n</testsuites>";
    out
}

/// Text inside XML 1.0, which has no place for control characters.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\n' => out += "&#10;",
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
