//! What `lain lint --fix` writes: all changes of a file at once, or none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Problem;
use crate::error::{Error, Result};
use crate::files::write_new;
use crate::resolved::layers::Layers;
use crate::values::edit;

/// A value that solves a problem, in the file that the problem names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fix {
    /// The keys that lead there.
    pub path: Vec<String>,
    /// The new text of the value.
    pub value: String,
}

/// A problem and, where its file may be changed, what solves it.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// The problem.
    pub problem: Problem,
    /// What `--fix` writes.
    pub fix: Option<Fix>,
}

/// A line that was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: usize,
    /// What it was.
    pub before: String,
    /// What it is now.
    pub after: String,
}

/// What became of the fixes.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What was changed, by file and line.
    pub changes: Vec<Change>,
    /// What is still wrong; the hint of a problem that could not be fixed says why.
    pub left: Vec<Problem>,
}

/// True for a file that exists and is not in one of the folders `protected`, which belong to the administrators. Links are
/// followed: an app may link a cluster's file into its own chart.
pub(crate) fn editable(path: &Path, protected: &[PathBuf]) -> bool {
    let Ok(real) = fs::canonicalize(path) else { return false };
    let within = |folder: &PathBuf| fs::canonicalize(folder).is_ok_and(|folder| real.parent() == Some(&folder));
    real.is_file() && !protected.iter().any(within)
}

/// Applies every fix, those of one `resources` together or not at all: a request without its limit may be refused by
/// Kubernetes. A file is written in one step, keeps its mode, and stays a link where it is one.
///
/// # Errors
/// A file changed since it was read, or cannot be written: then all files are as they were.
pub(crate) fn apply(dir: &Path, layers: &Layers, findings: Vec<Finding>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut files: BTreeMap<PathBuf, Open> = BTreeMap::new();
    let mut groups: BTreeMap<Vec<String>, Vec<(Problem, Fix)>> = BTreeMap::new();
    for Finding { problem, fix } in findings {
        let Some(fix) = fix else {
            outcome.left.push(problem);
            continue;
        };
        if !files.contains_key(&problem.at.path) {
            files.insert(problem.at.path.clone(), Open::read(dir, layers, &problem.at.path)?);
        }
        groups.entry(fix.path[..fix.path.len().saturating_sub(2)].to_vec()).or_default().push((problem, fix));
    }
    for group in groups.into_values() {
        let mut edited: BTreeMap<PathBuf, String> = BTreeMap::new();
        let refused = group.iter().find_map(|(problem, fix)| {
            let path = &problem.at.path;
            let text = edited.get(path).unwrap_or(&files[path].text);
            match edit::set(text, &fix.path, &fix.value) {
                Ok(text) => {
                    edited.insert(path.clone(), text);
                    None
                }
                Err(refused) => Some(format!("{}:{}: {}", path.display(), refused.line, refused.why)),
            }
        });
        match refused {
            None => edited.into_iter().for_each(|(path, text)| {
                files.entry(path).and_modify(|file| file.text = text);
            }),
            Some(why) => outcome.left.extend(group.into_iter().map(|(mut problem, fix)| {
                problem.hint = format!("{} # by hand: {why}", shown(&fix));
                problem
            })),
        }
    }
    let mut written: Vec<&Open> = vec![];
    for (path, file) in files.iter().filter(|(_, file)| file.text != file.original) {
        if let Err(error) = write_new(&file.real, file.text.as_bytes()) {
            // What belongs together stays together; a file that was just written can be written again.
            written.iter().for_each(|file| drop(write_new(&file.real, file.original.as_bytes())));
            return Err(error);
        }
        written.push(file);
        outcome.changes.extend(changes(path, &file.original, &file.text));
    }
    Ok(outcome)
}

/// A file that is being changed.
struct Open {
    /// Where it really is, links followed.
    real: PathBuf,
    original: String,
    text: String,
}

impl Open {
    fn read(dir: &Path, layers: &Layers, path: &Path) -> Result<Self> {
        let full = Some(dir.join(path)).filter(|full| full.is_file()).unwrap_or_else(|| path.to_path_buf());
        let real = fs::canonicalize(&full).map_err(|error| Error::io("read", path, &error))?;
        let original = fs::read_to_string(&real).map_err(|error| Error::io("read", path, &error))?;
        let seen = layers.layers.iter().find(|layer| layer.path.as_deref() == Some(path)).map(|layer| &layer.node.span.source.text);
        if seen.map(String::as_str) != Some(original.strip_prefix('\u{feff}').unwrap_or(&original)) {
            return Err(Error::refused(format!("{} changed while lain looked at it; it is left as it is", path.display()))
                .hint("lain lint --fix # once more"));
        }
        Ok(Self { real, text: original.clone(), original })
    }
}

/// `limits.memory: 450Mi`
fn shown(fix: &Fix) -> String {
    let last_two = fix.path.len().saturating_sub(2);
    format!("{}: {}", fix.path[last_two..].join("."), fix.value)
}

/// Lines that differ. A fix replaces what is on one line by what is on one line.
fn changes(path: &Path, before: &str, after: &str) -> Vec<Change> {
    let pairs = before.lines().zip(after.lines()).enumerate().filter(|(_, (before, after))| before != after);
    pairs
        .map(|(index, (before, after))| Change {
            path: path.to_path_buf(),
            line: index + 1,
            before: before.trim().to_owned(),
            after: after.trim().to_owned(),
        })
        .collect()
}
