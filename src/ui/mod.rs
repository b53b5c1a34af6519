//! The only place that prints.
//!
//! Results go to stdout; everything else (echoed commands, progress, warnings, errors) to stderr.
//! Callers name what a line is (a command, a warning, a step); colours are decided here alone.

mod progress;
mod section;
mod show_error;

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, OnceLock, PoisonError};

use console::{Style, StyledObject};
use indicatif::MultiProgress;

use crate::error::{Error, Result};

pub use progress::Progress;
pub use section::Section;

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal and in GitLab, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The shape of a result on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs; every shape has a `version`.
    Json,
    /// `NAME=value` lines, as GitLab's `artifacts:reports:dotenv` takes them.
    Dotenv,
    /// YAML, where the result is YAML.
    Yaml,
}

/// Where the words go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A person at a terminal: spinners and bars.
    Terminal,
    /// A GitLab job log: collapsible sections, colours, no cursor tricks.
    GitLab,
    /// A pipe or another CI: plain lines.
    Plain,
}

/// How much to say on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Warnings and errors.
    Silent,
    /// Commands, steps, advice.
    Normal,
    /// Also the look-ups that change nothing.
    Verbose,
}

/// The output of one run.
#[derive(Debug)]
pub struct Ui {
    surface: Surface,
    verbosity: Verbosity,
    color: bool,
    format: Format,
    secrets: Mutex<Vec<String>>,
    /// Spinners that are drawn now; what is printed goes above them.
    spinners: OnceLock<MultiProgress>,
}

impl Default for Ui {
    fn default() -> Self {
        Self::new(Color::Auto, false, false, None, Verbosity::Normal, Format::Text)
    }
}

impl Ui {
    /// An output; `no_color` and `force_color` come from the environment (`NO_COLOR`, `CLICOLOR_FORCE`).
    pub fn new(color: Color, no_color: bool, force_color: bool, ci: Option<&str>, verbosity: Verbosity, format: Format) -> Self {
        let tty = io::stderr().is_terminal();
        let surface = match ci {
            Some("gitlab") => Surface::GitLab,
            None if tty => Surface::Terminal,
            _ => Surface::Plain,
        };
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => force_color || (!no_color && (tty || surface == Surface::GitLab)),
        };
        Self { surface, verbosity, color, format, secrets: Mutex::default(), spinners: OnceLock::new() }
    }

    /// Where the words go.
    pub fn surface(&self) -> Surface {
        self.surface
    }

    /// The shape the user asked results in.
    pub fn format(&self) -> Format {
        self.format
    }

    /// True when lain may ask: a person is at both ends and no CI is in between.
    pub fn can_ask(&self) -> bool {
        self.surface == Surface::Terminal && io::stdin().is_terminal()
    }

    /// True when stdin and stdout are a terminal that a program of the user's can be given.
    pub fn has_terminal(&self) -> bool {
        io::stdin().is_terminal() && io::stdout().is_terminal()
    }

    /// True when stderr is a terminal that children may draw on.
    pub fn children_may_draw(&self) -> bool {
        self.surface == Surface::Terminal && self.verbosity > Verbosity::Silent
    }

    /// From now on `secret` is printed as `***`.
    pub fn hide(&self, secret: &str) {
        if secret.len() >= 3 {
            let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
            if !secrets.iter().any(|known| known == secret) {
                secrets.push(secret.to_owned());
                secrets.sort_by_key(|known| std::cmp::Reverse(known.len())); // a secret may contain another
            }
        }
    }

    /// `text` with every hidden secret as `***`.
    pub fn redact(&self, text: &str) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    /// Echoes an external command before it runs, ready to be copied.
    pub fn command(&self, line: &str) {
        self.line(Verbosity::Normal, &self.paint(&self.redact(line), &Style::new().cyan()));
    }

    /// Echoes a look-up that changes nothing; only with `--verbose`.
    pub fn lookup(&self, line: &str) {
        self.line(Verbosity::Verbose, &self.paint(&self.redact(line), &Style::new().dim()));
    }

    /// A step or a finding.
    pub fn say(&self, text: &str) {
        self.line(Verbosity::Normal, &self.redact(text));
    }

    /// Something went well.
    pub fn done(&self, text: &str) {
        self.line(Verbosity::Normal, &self.paint(&self.redact(text), &Style::new().green()));
    }

    /// What to do next.
    pub fn hint(&self, text: &str) {
        let label = self.paint("next:", &Style::new().cyan().bold());
        self.line(Verbosity::Normal, &format!("{label} {}", self.redact(text)));
    }

    /// For those who asked for more words.
    pub fn detail(&self, text: &str) {
        self.line(Verbosity::Verbose, &self.paint(&self.redact(text), &Style::new().dim()));
    }

    /// Something the user should know though it goes on.
    pub fn warn(&self, text: &str) {
        let label = self.paint("warning:", &Style::new().yellow().bold());
        self.line(Verbosity::Silent, &format!("{label} {}", self.redact(text)));
    }

    /// Prints an error with its place, causes and hints.
    pub fn error(&self, error: &Error) {
        let text = show_error::render(error, |text, style| self.paint(text, style).to_string());
        if !text.is_empty() {
            self.line(Verbosity::Silent, self.redact(&text).trim_end_matches('\n'));
        }
    }

    /// Prints a problem that does not stop the run, with its place and hints.
    pub fn warning(&self, error: &Error) {
        let text =
            show_error::render_as("warning:", &Style::new().yellow().bold(), error, |text, style| self.paint(text, style).to_string());
        self.line(Verbosity::Silent, self.redact(&text).trim_end_matches('\n'));
    }

    /// Writes a result to stdout, with a last newline.
    ///
    /// # Errors
    /// stdout is closed or full.
    pub fn result(&self, text: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        match write!(out, "{text}{end}").and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()), // `lain tags | head -1`
            Err(error) => Err(Error::failed(format!("cannot write the result to stdout: {}", crate::error::describe_io(&error)))),
            Ok(()) => Ok(()),
        }
    }

    /// Writes bytes to stdout as they are.
    ///
    /// # Errors
    /// As [`Ui::result`].
    pub fn result_bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|error| Error::failed(format!("cannot write the result to stdout: {}", crate::error::describe_io(&error))))
    }

    /// Asks a yes-or-no question on the terminal; yes is the default.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn ask(&self, question: &str) -> Result<bool> {
        let _ = write!(io::stderr().lock(), "{question} [Y/n] "); // nowhere left to complain
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|error| Error::failed(format!("no answer: {}", crate::error::describe_io(&error))))?;
        Ok(!answer.trim().to_lowercase().starts_with('n') && !answer.is_empty())
    }

    /// Asks before something is lost; no is the default.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn ask_no(&self, question: &str) -> Result<bool> {
        let _ = write!(io::stderr().lock(), "{question} [y/N] "); // nowhere left to complain
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|error| Error::failed(format!("no answer: {}", crate::error::describe_io(&error))))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Writes a result to stdout as pretty JSON.
    ///
    /// # Errors
    /// As [`Ui::result`].
    pub fn result_json(&self, value: &impl serde::Serialize) -> Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Error::failed(format!("cannot write JSON: {error}")))?;
        self.result(&text)
    }

    /// Starts a section: collapsible in GitLab, a spinner-free heading elsewhere. Ends when dropped.
    pub fn section(&self, name: &str, title: &str) -> Section {
        Section::start(self, name, title)
    }

    /// For several things at once.
    pub fn progress(&self) -> Progress<'_> {
        Progress::new(self)
    }

    /// Copies what a child printed to stderr, as it came but for secrets.
    pub fn raw(&self, bytes: &[u8]) {
        if self.verbosity > Verbosity::Silent {
            let text = self.redact(&String::from_utf8_lossy(bytes));
            self.above_spinners(|| drop(io::stderr().lock().write_all(text.as_bytes()))); // nowhere left to complain
        }
    }

    /// Styles for text that is part of a result on stdout: coloured only when stdout shows colours.
    pub fn emphasis(&self, text: &str, style: &Style) -> String {
        let color = self.color && (io::stdout().is_terminal() || self.surface == Surface::GitLab);
        style.clone().force_styling(color).apply_to(text).to_string()
    }

    fn paint<'a>(&self, text: &'a str, style: &Style) -> StyledObject<&'a str> {
        style.clone().force_styling(self.color).apply_to(text)
    }

    fn line(&self, level: Verbosity, text: &(impl std::fmt::Display + ?Sized)) {
        if self.verbosity >= level {
            self.above_spinners(|| drop(writeln!(io::stderr().lock(), "{text}"))); // nowhere left to complain
        }
    }

    fn above_spinners(&self, print: impl FnOnce()) {
        match self.spinners.get() {
            Some(spinners) => spinners.suspend(print),
            None => print(),
        }
    }
}

/// `text` without control characters, so that a commit message or a pod's log cannot drive the terminal.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_longest_first() {
        let ui = Ui::new(Color::Never, false, false, None, Verbosity::Normal, Format::Text);
        ui.hide("abc");
        ui.hide("abcdef");
        assert_eq!(ui.redact("x abcdef y abc"), "x *** y ***");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("fix \u{1b}[31mred\u{7}\n"), "fix [31mred\n");
    }
}
