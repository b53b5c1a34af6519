//! What was found, as it is told.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::ui::{Answer, Label, Ui, columns, hint_label, printable, wrap};

/// How it is with one of the things that were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// A command would be stopped by it.
    Bad,
    /// No command is stopped by it, and something may still be amiss.
    Warning,
    /// As it should be.
    Good,
    /// It could not be looked at, or there is no such thing here.
    Unseen,
}

/// One thing that was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// What was looked at, as `lain doctor NAME` takes it.
    pub check: String,
    /// How it is.
    pub state: State,
    /// What is wrong, or what it is.
    pub about: String,
    /// Where that comes from, nearest first.
    pub because: Vec<String>,
    /// What to type next.
    pub next: Vec<String>,
}

impl Finding {
    fn new(state: State, about: impl Into<String>) -> Self {
        Self { check: String::new(), state, about: about.into(), because: vec![], next: vec![] }
    }

    /// It is as it should be; `about` says what it is.
    pub(super) fn good(about: impl Into<String>) -> Self {
        Self::new(State::Good, about)
    }

    /// It was not looked at.
    pub(super) fn unseen(why: impl Into<String>) -> Self {
        Self::new(State::Unseen, why)
    }

    /// A command would end with this error.
    pub(super) fn bad(error: &Error) -> Self {
        let about = error.location().map_or_else(|| error.message().to_owned(), |at| format!("{at}: {}", error.message()));
        Self { because: error.causes().to_vec(), next: error.hints().to_vec(), ..Self::new(State::Bad, about) }
    }

    /// No command would.
    pub(super) fn warning(error: &Error) -> Self {
        Self { state: State::Warning, ..Self::bad(error) }
    }

    /// What it is a finding of.
    pub(super) fn of(self, check: &str) -> Self {
        Self { check: check.to_owned(), ..self }
    }

    /// The same without secrets and control characters, each text in one line; what is to be typed goes to the same cluster when it is pasted.
    pub(super) fn clean(self, ui: &Ui) -> Self {
        let line = |text: &String| printable(&ui.redact(text.trim())).replace(['\n', '\t'], " ");
        Self {
            about: line(&self.about),
            because: self.because.iter().map(line).collect(),
            next: self.next.iter().map(|next| line(&ui.aimed(next))).collect(),
            ..self
        }
    }
}

/// All that was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Diagnosis {
    /// Shape of this result.
    pub version: u32,
    /// The chosen cluster.
    pub cluster: Option<String>,
    /// Nothing is bad.
    pub good: bool,
    /// What was found, what is bad first.
    pub checks: Vec<Finding>,
}

impl Diagnosis {
    /// Of these findings.
    pub(super) fn of(cluster: Option<String>, mut checks: Vec<Finding>) -> Self {
        // One reason is told once: a kubeconfig that is bad leads to no server, and a server that does not answer says nothing of this account's rights.
        let because = [
            ("kubeconfig", "server", "see kubeconfig"),
            ("server", "rights", "the API server does not answer"),
            ("kubeconfig", "rights", "see kubeconfig"),
        ];
        let is_bad = |checks: &[Finding], check: &str| checks.iter().any(|one| one.check == check && one.state == State::Bad);
        for (first, then, why) in because {
            if is_bad(&checks, first) && is_bad(&checks, then) {
                checks.retain(|one| one.check != then || one.state != State::Bad);
                checks.push(Finding::unseen(why).of(then));
            }
        }
        checks.sort_by_key(|one| one.state as u8);
        Self { version: 1, cluster, good: checks.iter().all(|one| one.state != State::Bad), checks }
    }
}

/// The same for people.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct Told<'a> {
    /// What was found.
    pub diagnosis: &'a Diagnosis,
    /// Each thing that is good has its line.
    #[serde(skip)]
    pub in_full: bool,
}

impl Answer for Told<'_> {
    fn text(&self) -> String {
        self.written(|words, _| words.to_owned())
    }

    fn styled(&self, ui: &Ui) -> Option<String> {
        Some(self.written(|words, label| ui.emphasis(words, label)))
    }
}

impl Told<'_> {
    fn written(&self, paint: impl Fn(&str, Label) -> String) -> String {
        let columns = columns();
        let mut out = String::new();
        for (state, label, kind) in [(State::Bad, "bad:", Label::Bad), (State::Warning, "warning:", Label::Warning)] {
            for one in self.of(state) {
                out += &line(columns, &paint(label, kind), label, &format!("{}: {}", one.check, one.about));
                for cause in &one.because {
                    out += &line(columns.map(|columns| columns.saturating_sub(2)), "because:", "because:", cause)
                        .lines()
                        .fold(String::new(), |out, line| out + "  " + line + "\n");
                }
                for next in &one.next {
                    out += &format!("{} {next}\n", paint(hint_label(next), Label::Next)); // whole: it is to be pasted
                }
            }
        }
        for (state, label, kind) in [(State::Good, "good:", Label::Good), (State::Unseen, "not looked at:", Label::Detail)] {
            let told =
                self.of(state).map(|one| if one.about.is_empty() { one.check.clone() } else { format!("{} ({})", one.check, one.about) });
            let told: Vec<String> = told.collect();
            let lines = if self.in_full || told.is_empty() { told } else { vec![told.join(", ")] };
            for text in lines {
                out += &line(columns, &paint(label, kind), label, &text);
            }
        }
        out
    }

    fn of(&self, state: State) -> impl Iterator<Item = &Finding> {
        self.diagnosis.checks.iter().filter(move |one| one.state == state)
    }
}

/// A text behind its label, in lines of the terminal's width; `painted` is the label as it is shown.
fn line(columns: Option<usize>, painted: &str, label: &str, text: &str) -> String {
    let Some(columns) = columns else { return format!("{painted} {text}\n") };
    let lines = wrap(&format!("{label} {text}"), columns.saturating_sub(4));
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let _ = match line.strip_prefix(label).filter(|_| at == 0) {
            Some(rest) => writeln!(out, "{painted}{rest}"),
            None => writeln!(out, "    {line}"),
        };
    }
    out
}
