//! Checks of values, each with a stable id (see [`catalogue`]). All problems of one run are found, not the first alone.
//!
//! `types` walks the values along the model's schema. What it finds wrong is taken out, and the rest is typed, so that one slip does not hide the others
//! from the checks that need a typed app.

pub(crate) mod advice;
pub(crate) mod api_versions;
mod build;
pub mod catalogue;
pub(crate) mod chart;
pub(crate) mod fields;
pub(crate) mod fix;
mod ingress;
pub(crate) mod layers;
mod names;
pub(crate) mod picture;
mod place;
mod procs;
pub(crate) mod report;
mod resources;
mod secrets;
pub(crate) mod server;
mod signature;
pub(crate) mod sizing;
pub(crate) mod twice;
mod types;

use std::collections::HashSet;
use std::path::PathBuf;
use std::rc::Rc;

use crate::error::{Error, Location};
use crate::model::app::App;
use crate::resolved::layers::Layers;
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

    /// True when the line itself says `# lain:ignore ID`.
    pub fn is_ignored(&self) -> bool {
        is_ignored(&self.at.text, self.id)
    }
}

fn is_ignored(line: &str, id: &str) -> bool {
    line.split_once("# lain:ignore").is_some_and(|(_, ids)| ids.split([' ', ',']).any(|word| word == id))
}

/// What checks know beside the values.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Clusters that have values; nothing is said about unknown ones when there are none.
    pub known_clusters: Vec<String>,
    /// The chosen cluster.
    pub cluster: Option<String>,
    /// `chart/values-*.yaml`, as the user would name them.
    pub values_files: Vec<PathBuf>,
    /// The values were written for the older tool's chart, which asked for less.
    pub older_chart: bool,
}

/// What checks look at.
pub(crate) struct Input<'a> {
    layers: &'a Layers,
    surroundings: &'a Surroundings,
    /// The merged values with every alias under its key.
    root: &'a Node,
    /// What could be typed.
    app: Rc<App>,
    problems: Vec<Problem>,
}

impl Input<'_> {
    /// The node at a path of the merged values, or the nearest above.
    fn span(&self, path: &[&str]) -> Span {
        self.root.nearest(path.iter().copied()).span.clone()
    }

    /// The key at a path: where a proc or a block begins.
    fn key_span(&self, path: &[&str]) -> Span {
        let (last, above) = path.split_last().expect("a path has a key");
        let above = self.root.nearest(above.iter().copied());
        above.as_map().and_then(|map| map.get(*last)).map_or_else(|| above.span.clone(), |entry| entry.key_span.clone())
    }

    fn error(&mut self, id: &'static str, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(id, Severity::Error, span, message.into(), hint.into());
    }

    fn warning(&mut self, id: &'static str, span: &Span, message: impl Into<String>, hint: impl Into<String>) {
        self.push(id, Severity::Warning, span, message.into(), hint.into());
    }

    fn push(&mut self, id: &'static str, severity: Severity, span: &Span, message: String, hint: String) {
        self.keep(Problem { id, severity, message, hint, at: span.location() });
    }

    fn keep(&mut self, problem: Problem) {
        if !problem.is_ignored() {
            self.problems.push(problem);
        }
    }
}

/// Runs every check of values.
pub fn check(layers: &Layers, surroundings: &Surroundings) -> Vec<Problem> {
    let root = layers.canonical();
    let (app, problems) = types::check(root, surroundings.older_chart);
    let mut input = Input { layers, surroundings, root, app: Rc::new(app), problems: vec![] };
    problems.into_iter().for_each(|problem| input.keep(problem));
    names::check(&mut input);
    procs::check(&mut input);
    resources::check(&mut input);
    build::check(&mut input);
    ingress::check(&mut input);
    layers::check(&mut input);
    secrets::check(&mut input);
    signature::check(&mut input);
    if surroundings.older_chart {
        input
            .problems
            .iter_mut()
            .filter(|problem| NEW_CHECKS.contains(&problem.id))
            .for_each(|problem| problem.severity = Severity::Warning);
    }
    sorted(input.problems)
}

/// Checks that the older tool did not make, of what neither helm nor the API server refuses: what deploys today deploys tomorrow, so under its chart they
/// are warnings. Checks that it made in part (L003, L005, L009, L027, L030) say so themselves.
const NEW_CHECKS: [&str; 8] = ["L004", "L010", "L014", "L015", "L022", "L024", "L028", "L032"];

/// By file, line and column; each once.
pub fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    let mut seen = HashSet::new();
    problems
        .retain(|problem| seen.insert((problem.id, problem.at.path.clone(), problem.at.line, problem.at.column, problem.message.clone())));
    problems.sort_by(|a, b| (&a.at.path, a.at.line, a.at.column, a.id).cmp(&(&b.at.path, b.at.line, b.at.column, b.id)));
    problems
}
