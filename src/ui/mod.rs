//! The only place that prints.
//!
//! Results go to stdout; everything else (echoed commands, progress, warnings, errors) to stderr.
//! Callers name what a line is (a command, a warning, a step); colours are decided here alone.

mod answer;
mod board;
mod fit;
mod fullscreen;
mod hidden;
mod label;
mod prefixes;
mod progress;
mod relay;
mod safe;
mod screen;
mod section;
mod show_error;
mod table;
mod target_flags;
mod typed;

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use console::StyledObject;
use indicatif::MultiProgress;

use crate::error::{Error, Kind, Result};
use hidden::Hidden;

pub use answer::{Answer, TEXT};
pub(crate) use board::{Board, Row, Stand};
pub(crate) use fit::{cut, shorten, wrap};
pub(crate) use fullscreen::Fullscreen;
pub use label::Label;
pub(crate) use prefixes::Prefixes;
pub use progress::Progress;
pub use relay::{Relay, Shown};
pub(crate) use safe::plain;
pub use safe::{is_unsafe, printable};
pub use section::Section;
pub use table::Table;
pub(crate) use target_flags::TargetFlags;
pub(crate) use typed::hint_label;

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
    /// A note for a merge request.
    Markdown,
    /// A page that needs nothing else.
    Html,
    /// What GitLab's merge request widget reads of a plan.
    Terraform,
    /// A deploy to look through and to do later.
    Plan,
}

impl Format {
    /// As it is typed behind `-o`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Dotenv => "dotenv",
            Self::Yaml => "yaml",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Terraform => "terraform",
            Self::Plan => "plan",
        }
    }
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

/// How wide the terminal is that stdout is on; none elsewhere.
pub(crate) fn columns() -> Option<usize> {
    console::Term::stdout().size_checked().map(|(_, columns)| columns.into())
}

/// The same is not said twice within this time, where it is to be said once.
const ONCE: Duration = Duration::from_secs(30);

/// So much of what is said is kept while a panel has the terminal: the last of it.
const KEPT: usize = 100;

/// How much to say on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Not a word: a shell asks for completions.
    Nothing,
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
    /// Somebody asked for colours, whatever stdout is.
    is_forced: bool,
    format: Format,
    hidden: Arc<Mutex<Hidden>>,
    /// Variables of the environment that children do not get.
    withheld: Mutex<BTreeSet<String>>,
    /// Children know secrets: what they print goes through lain.
    children_know: AtomicBool,
    /// The terminal moves its cursor when it is told to.
    can_draw: bool,
    /// Spinners that are drawn now; what is printed goes above them.
    spinners: OnceLock<MultiProgress>,
    /// The board that is drawn now.
    board: Mutex<Option<board::Drawn>>,
    /// Where pasted hints go.
    flags: Mutex<TargetFlags>,
    /// What is said while a panel has the terminal.
    kept: Mutex<Option<Vec<String>>>,
    /// What was said once, and when.
    once: Mutex<Option<(String, Instant)>>,
    /// Fails when a question is not to be waited for any more.
    stop: Option<fn() -> Result<()>>,
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
        let is_forced = color == Color::Always || (color == Color::Auto && force_color);
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => force_color || (!no_color && (tty || surface == Surface::GitLab)),
        };
        Self {
            surface,
            verbosity,
            color,
            is_forced,
            format,
            hidden: Arc::default(),
            withheld: Mutex::default(),
            children_know: AtomicBool::new(false),
            can_draw: true,
            spinners: OnceLock::new(),
            board: Mutex::default(),
            flags: Mutex::default(),
            kept: Mutex::default(),
            once: Mutex::default(),
            stop: None,
        }
    }

    /// A question ends with the error of `stop` once that fails: Ctrl-C.
    #[must_use]
    pub fn stopped_by(mut self, stop: fn() -> Result<()>) -> Self {
        self.stop = Some(stop);
        self
    }

    /// `TERM=dumb`: nothing is drawn in place.
    #[must_use]
    pub fn dumb(mut self, is_dumb: bool) -> Self {
        self.can_draw = !is_dumb;
        self
    }

    /// True when spinners and boards are drawn.
    fn draws(&self) -> bool {
        self.surface == Surface::Terminal && self.can_draw && self.verbosity > Verbosity::Silent
    }

    fn spinners(&self) -> &MultiProgress {
        self.spinners.get_or_init(|| MultiProgress::with_draw_target(screen::target()))
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

    /// True when stderr shows colours.
    pub(crate) fn shows_colors(&self) -> bool {
        self.color
    }

    /// True when stderr is a terminal that children may draw on: nobody stands between, so not once they know secrets.
    pub fn children_may_draw(&self) -> bool {
        self.surface == Surface::Terminal && self.verbosity > Verbosity::Silent && !self.children_know.load(Ordering::Relaxed)
    }

    /// From now on `secret` is printed as `***`, and so are the forms that it is repeated in: base64, URLs, JSON, and the lines of a longer one.
    pub fn hide(&self, secret: &str) {
        self.hidden().add(secret);
    }

    /// As [`Ui::hide`], for a secret that children get to know: from now on all that they print goes through lain.
    pub fn hide_from_children(&self, secret: &str) {
        self.hide(secret);
        self.children_know.store(true, Ordering::Relaxed);
    }

    /// From now on no child gets this variable of the environment, unless it cannot do without.
    pub fn withhold(&self, variable: &str) {
        self.withheld.lock().unwrap_or_else(PoisonError::into_inner).insert(variable.to_owned());
    }

    /// The variables of [`Ui::withhold`].
    pub fn withheld(&self) -> Vec<String> {
        self.withheld.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// `text` with every hidden secret as `***`.
    pub fn redact(&self, text: &str) -> String {
        self.hidden().redact(text)
    }

    fn hidden(&self) -> MutexGuard<'_, Hidden> {
        self.hidden.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Text of whatever origin, fit for stderr: no secrets, no control characters. All that is printed there comes through here, or through a [`Relay`].
    fn clean(&self, text: &str) -> String {
        printable(&self.redact(text))
    }

    /// Echoes an external command before it runs, ready to be copied.
    pub fn command(&self, line: &str) {
        self.line(Verbosity::Normal, &self.paint(&self.clean(line), Label::Command));
    }

    /// Echoes a look-up that changes nothing; only with `--verbose`.
    pub fn lookup(&self, line: &str) {
        self.line(Verbosity::Verbose, &self.paint(&self.clean(line), Label::Detail));
    }

    /// A step or a finding.
    pub fn say(&self, text: &str) {
        self.line(Verbosity::Normal, &self.clean(text));
    }

    /// A step that several threads take at the same time: said by the first of them.
    pub(crate) fn say_once(&self, text: &str) {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        let is_said = once.as_ref().is_some_and(|(said, at)| said == text && at.elapsed() < ONCE);
        *once = Some((text.to_owned(), Instant::now()));
        drop(once);
        if !is_said {
            self.say(text);
        }
    }

    /// Something went well.
    pub fn done(&self, text: &str) {
        self.line(Verbosity::Normal, &self.paint(&self.clean(text), Label::Good));
    }

    /// What to do next.
    pub fn hint(&self, text: &str) {
        let label = self.paint(hint_label(text), Label::Next);
        self.line(Verbosity::Normal, &format!("{label} {}", self.clean(&self.aimed(text))));
    }

    /// From now on what is said to be typed next goes to the same cluster when it is pasted.
    pub(crate) fn hints_go(&self, change: impl FnOnce(&mut TargetFlags)) {
        change(&mut self.flags.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A hint with the flags that make it go to the same cluster when it is pasted.
    pub(crate) fn aimed(&self, hint: &str) -> String {
        self.flags.lock().unwrap_or_else(PoisonError::into_inner).at(hint)
    }

    /// True for those who asked for more words.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity >= Verbosity::Verbose
    }

    /// For those who asked for more words.
    pub fn detail(&self, text: &str) {
        self.line(Verbosity::Verbose, &self.paint(&self.clean(text), Label::Detail));
    }

    /// Something the user should know though it goes on.
    pub fn warn(&self, text: &str) {
        let label = self.paint("warning:", Label::Warning);
        self.line(Verbosity::Silent, &format!("{label} {}", self.clean(text)));
    }

    /// Prints an error with its place, causes and hints.
    pub fn error(&self, error: &Error) {
        // A child's own exit code speaks for itself.
        if !(matches!(error.kind(), Kind::Child(_)) && error.message().is_empty()) {
            self.show_error(Label::Error, error);
        }
    }

    /// Prints a problem that does not stop the run, with its place and hints.
    pub fn warning(&self, error: &Error) {
        self.show_error(Label::Warning, error);
    }

    fn show_error(&self, label: Label, error: &Error) {
        let columns = console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns));
        let paint = |text: &str, label| self.paint(text, label).to_string();
        let text = show_error::render(label, error, columns, paint, |text| self.clean(text), |hint| self.aimed(hint));
        self.line(Verbosity::Silent, text.trim_end_matches('\n'));
    }

    /// Writes a result to stdout, with a last newline. A terminal is spared control characters; a pipe gets the text as it is.
    ///
    /// # Errors
    /// stdout is closed or full.
    pub fn result(&self, text: &str) -> Result<()> {
        if io::stdout().is_terminal() { write_result(&printable(text)) } else { write_result(text) }
    }

    /// As [`Ui::result`], for a text with [`Ui::emphasis`] in it: the rest of it must be [`printable`] already.
    ///
    /// # Errors
    /// As [`Ui::result`].
    pub fn styled_result(&self, text: &str) -> Result<()> {
        write_result(text)
    }

    /// Writes bytes to stdout as they are, but to a terminal without control characters.
    ///
    /// # Errors
    /// As [`Ui::result`].
    pub fn result_bytes(&self, bytes: &[u8]) -> Result<()> {
        let mut out = io::stdout().lock();
        let text = if out.is_terminal() { printable(&String::from_utf8_lossy(bytes)).into_bytes() } else { bytes.to_vec() };
        out.write_all(&text)
            .and_then(|()| out.flush())
            .map_err(|error| Error::failed(format!("cannot write the result to stdout: {}", crate::error::describe_io(&error))))
    }

    /// Copies a child's result to a terminal on stdout as it comes: its colours, nothing else that drives the terminal.
    pub fn show(&self, reader: &mut impl io::Read) {
        let mut shown = Shown::default();
        let mut buffer = vec![0; 64 << 10];
        let print = |text: &str| io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().lock().flush());
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if print(&shown.take(&buffer[..count])).is_err() {
                return; // the terminal is gone; the child gets to know by the closed pipe
            }
        }
        let _ = print(&shown.end());
    }

    /// True when stdout is a terminal.
    pub fn shows_results(&self) -> bool {
        io::stdout().is_terminal()
    }

    /// Asks a yes-or-no question on the terminal; yes is the default.
    ///
    /// # Errors
    /// The terminal is gone, or Ctrl-C came instead of an answer.
    pub fn ask(&self, question: &str) -> Result<bool> {
        let _ = write!(io::stderr().lock(), "{} [Y/n] ", self.clean(question)); // nowhere left to complain
        self.wait_for_answer()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|error| Error::failed(format!("no answer: {}", crate::error::describe_io(&error))))?;
        Ok(!answer.trim().to_lowercase().starts_with('n') && !answer.is_empty())
    }

    /// Asks before something is lost; no is the default.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn ask_no(&self, question: &str) -> Result<bool> {
        let _ = write!(io::stderr().lock(), "{} [y/N] ", self.clean(question)); // nowhere left to complain
        self.wait_for_answer()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).map_err(|error| Error::failed(format!("no answer: {}", crate::error::describe_io(&error))))?;
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Until there is a line to read, or none will come.
    fn wait_for_answer(&self) -> Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let Some(stop) = self.stop else { return Ok(()) };
        let stdin = io::stdin();
        loop {
            // A signal may reach another thread, so poll is not sure to notice it.
            let ready = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&Timespec { tv_sec: 0, tv_nsec: 50_000_000 }));
            if let Err(error) = stop() {
                let _ = writeln!(io::stderr().lock()); // what comes next starts on a line of its own
                return Err(error);
            }
            match ready {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                _ => return Ok(()),
            }
        }
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

    /// For what goes on side by side and is seen again and again, a row each in place.
    pub(crate) fn board(&self) -> Board<'_> {
        Board::new(self)
    }

    /// What is drawn in place comes to its end, and stays as lines: what is said from now on stands below it.
    pub(crate) fn settle(&self) {
        board::settle(self, None);
    }

    /// Copies what a child printed to stderr: without secrets, and of its escape sequences only the colours.
    pub fn raw(&self, bytes: &[u8]) {
        let mut relay = self.relay();
        relay.write(bytes);
        relay.finish();
    }

    /// Copies what a child prints to stderr as it comes, as [`Ui::raw`].
    pub fn relay(&self) -> Relay<'_> {
        Relay::new(self)
    }

    /// Colours for text that is part of a result on stdout: coloured only when stdout shows colours, or somebody asked for them.
    pub fn emphasis(&self, text: &str, label: Label) -> String {
        label.style().force_styling(self.colors_results()).apply_to(printable(text)).to_string()
    }

    /// True when results on stdout are coloured.
    pub(crate) fn colors_results(&self) -> bool {
        self.color && (self.is_forced || io::stdout().is_terminal() || self.surface == Surface::GitLab)
    }

    fn paint<'a>(&self, text: &'a str, label: Label) -> StyledObject<&'a str> {
        label.style().force_styling(self.color).apply_to(text)
    }

    fn line(&self, level: Verbosity, text: &(impl std::fmt::Display + ?Sized)) {
        if self.verbosity >= level {
            self.write(&format!("{text}\n"));
        }
    }

    /// Writes to stderr; or keeps it, while a panel has the terminal.
    fn write(&self, text: &str) {
        if let Some(kept) = self.kept.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            if kept.len() == KEPT {
                kept.remove(0);
            }
            return kept.push(text.to_owned());
        }
        self.above_spinners(|| {
            let mut err = io::stderr().lock();
            let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush()); // nowhere left to complain
        });
    }

    /// From now on what is said is kept.
    fn keep_back(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
    }

    /// What was kept is said.
    fn let_go(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        kept.into_iter().flatten().for_each(|text| self.write(&text));
    }

    fn above_spinners(&self, print: impl FnOnce()) {
        match self.spinners.get() {
            Some(spinners) => spinners.suspend(print),
            None => print(),
        }
    }
}

fn write_result(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()), // `lain tags | head -1`
        Err(error) => Err(Error::failed(format!("cannot write the result to stdout: {}", crate::error::describe_io(&error)))),
        Ok(()) => Ok(()),
    }
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
}
