//! Checks of values, each with a stable id. All problems of one run are found, not the first alone.

mod names;
mod procs;
mod surprises;

use std::collections::HashSet;

use crate::error::{Error, Location};
use crate::model::app::App;
use crate::values::layers::Layers;
use crate::values::node::{Node, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A deploy goes on.
    Warning,
    /// A deploy is refused.
    Error,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Problem {
    /// `L012`.
    pub id: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: String,
    /// Where.
    pub at: Location,
}

impl Problem {
    /// As an error to be printed.
    pub fn to_error(&self) -> Error {
        let error = Error::refused(format!("{} [{}]", self.message, self.id)).at(self.at.clone());
        if self.hint.is_empty() { error } else { error.hint(self.hint.clone()) }
    }
}

/// What checks look at.
pub struct Input<'a> {
    /// All layers.
    pub layers: &'a Layers,
    /// The typed app.
    pub app: &'a App,
    problems: Vec<Problem>,
}

impl Input<'_> {
    fn root(&self) -> &Node {
        &self.layers.merged
    }

    /// The node at a path of the merged values, or the nearest above.
    fn span(&self, path: &[&str]) -> Span {
        self.root().nearest(path.iter().copied()).span.clone()
    }

    fn error(&mut self, id: &'static str, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(id, Severity::Error, span, message.into(), hint.into());
    }

    fn warning(&mut self, id: &'static str, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(id, Severity::Warning, span, message.into(), hint.into());
    }

    fn push(&mut self, id: &'static str, severity: Severity, span: &Span, message: String, hint: String) {
        let at = span.location();
        let ignored = at.text.split_once("# lain:ignore").is_some_and(|(_, ids)| ids.split([' ', ',']).any(|word| word == id));
        if !ignored {
            self.problems.push(Problem { id, severity, message, hint, at });
        }
    }
}

/// Runs every check on values that could be typed.
pub fn check(layers: &Layers, app: &App) -> Vec<Problem> {
    let mut input = Input { layers, app, problems: vec![] };
    names::check(&mut input);
    procs::check(&mut input);
    surprises::check(&mut input);
    let mut seen = HashSet::new();
    let mut problems = input.problems;
    problems
        .retain(|problem| seen.insert((problem.id, problem.at.path.clone(), problem.at.line, problem.at.column, problem.message.clone())));
    problems.sort_by(|a, b| (&a.at.path, a.at.line, a.at.column).cmp(&(&b.at.path, b.at.line, b.at.column)));
    problems
}
