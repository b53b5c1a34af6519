//! What went wrong, where, and what to type next.
//!
//! Every fallible function of the crate returns [`Result`]. The binaries print an [`Error`] once, at the end,
//! and take the exit code from its [`Kind`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Which exit code an error ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was tried and failed: 1.
    Failed,
    /// The command line is off: 2.
    Usage,
    /// A check said no (lint, a missing image, a stuck release): 3.
    Refused,
    /// Ctrl-C or SIGTERM: 130.
    Interrupted,
    /// The user's own command ran and ended with this code (`x`, `run`, `job`).
    Child(i32),
}

impl Kind {
    /// The process exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Interrupted => 130,
            Self::Child(code) => u8::try_from(code & 0xff).unwrap_or(1),
        }
    }
}

/// A place in a file of the user's. Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file, as the user would name it.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// How many characters to underline.
    pub length: usize,
    /// The whole line.
    pub text: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// An error for a person: a reason, its place, its causes, and the way on.
#[derive(Clone, Debug)]
pub struct Error {
    inner: Box<Inner>, // boxed: a Result should stay small where nothing goes wrong
}

#[derive(Clone, Debug)]
struct Inner {
    kind: Kind,
    message: String,
    location: Option<Location>,
    causes: Vec<String>,
    hints: Vec<String>,
    source: Option<Arc<Source>>,
}

/// What an error is about, in its own type: for logic, never for print.
type Source = dyn std::error::Error + Send + Sync;

/// A program that ran and failed.
#[derive(Clone)]
pub struct ToolFailure {
    /// As it is called.
    pub program: String,
    /// Its exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// What it said, as far as lain saw it. It may hold secrets: only what the error shows of it is fit for print.
    pub stderr: String,
}

impl ToolFailure {
    /// True when it said these words. They are the program's own.
    pub fn says(&self, words: &str) -> bool {
        self.stderr.contains(words)
    }
}

impl fmt::Debug for ToolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ToolFailure").field("program", &self.program).field("code", &self.code).finish_non_exhaustive()
    }
}

impl fmt::Display for ToolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended with exit code {}", self.program, self.code)
    }
}

impl std::error::Error for ToolFailure {}

/// A program that could not be started: it is missing, or the system refuses.
#[derive(Clone, Debug)]
pub struct NotStarted {
    /// As it is called.
    pub program: String,
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not started", self.program)
    }
}

impl std::error::Error for NotStarted {}

/// What is done with a file that write access does not help with.
const READS: [&str; 4] = ["read", "find", "look at", "use"];

impl Error {
    /// An error of some kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { inner: Box::new(Inner { kind, message: message.into(), location: None, causes: vec![], hints: vec![], source: None }) }
    }

    /// It was tried and failed (exit code 1).
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// The command line is off (exit code 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A check said no (exit code 3).
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// Ctrl-C or SIGTERM (exit code 130).
    pub fn interrupted() -> Self {
        Self::new(Kind::Interrupted, "interrupted")
    }

    /// The user's own command ended with `code`; nothing more is printed.
    pub fn child(code: i32) -> Self {
        Self::new(Kind::Child(code), "")
    }

    /// A file operation failed: "cannot VERB PATH: reason".
    pub fn io(verb: &str, path: &Path, error: &io::Error) -> Self {
        let made = Self::failed(format!("cannot {verb} {}: {}", path.display(), describe_io(error)));
        match error.kind() {
            io::ErrorKind::PermissionDenied if READS.contains(&verb) => {
                made.hint(format!("ls -ld {} # and give yourself read access", path.display()))
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                made.hint(format!("ls -ld {} # and give yourself write access", path.parent().unwrap_or(path).display()))
            }
            io::ErrorKind::NotFound => match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                Some(parent) => made.hint(format!("ls {} # is it there under another name?", parent.display())),
                None => made.hint("ls # is it there under another name?"),
            },
            io::ErrorKind::IsADirectory => made.hint(format!("ls {} # name a file in it", path.display())),
            io::ErrorKind::StorageFull => made.hint("df -h # and make room"),
            _ => made,
        }
    }

    /// Points to the place in the user's file.
    #[must_use]
    pub fn at(mut self, location: Location) -> Self {
        self.inner.location = Some(location);
        self
    }

    /// What to type next. May be called more than once; the same command is not said twice, whatever stands behind its ` # `.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        let command = |hint: &str| hint.split(" # ").next().unwrap_or_default().trim_end().to_owned();
        let hint = hint.into();
        if self.inner.hints.iter().all(|known| command(known) != command(&hint)) {
            self.inner.hints.push(hint);
        }
        self
    }

    /// As [`Error::hint`], where nothing better is known: when there is no hint yet.
    #[must_use]
    pub fn or_hint(self, hint: impl Into<String>) -> Self {
        if self.inner.hints.is_empty() { self.hint(hint) } else { self }
    }

    /// What it comes from, typed: [`Error::source`] gives it back, whatever words come around it on the way up.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.inner.source = Some(Arc::new(source));
        self
    }

    /// Another kind, and so another exit code.
    #[must_use]
    pub fn with_kind(mut self, kind: Kind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// Says what was being done; what was the message becomes the cause.
    #[must_use]
    pub fn context(mut self, message: impl Into<String>) -> Self {
        let earlier = std::mem::replace(&mut self.inner.message, message.into());
        self.inner.causes.insert(0, earlier);
        self
    }

    /// The same error in other words: its reason, causes and hints, each as `words` makes it.
    #[must_use]
    pub fn reworded(mut self, words: impl Fn(&str) -> String) -> Self {
        let inner = &mut *self.inner;
        let texts = std::iter::once(&mut inner.message).chain(&mut inner.causes).chain(&mut inner.hints);
        texts.for_each(|text| *text = words(text));
        self
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// The reason, without its place.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The place in the user's file.
    pub fn location(&self) -> Option<&Location> {
        self.inner.location.as_ref()
    }

    /// The chain of causes, nearest first.
    pub fn causes(&self) -> &[String] {
        &self.inner.causes
    }

    /// What it comes from, when that is of this type.
    pub fn source<T: std::error::Error + 'static>(&self) -> Option<&T> {
        self.inner.source.as_deref()?.downcast_ref()
    }

    /// The program that failed, when one did.
    pub fn tool(&self) -> Option<&ToolFailure> {
        self.source()
    }

    /// What to type next.
    pub fn hints(&self) -> &[String] {
        &self.inner.hints
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.inner.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.inner.message)?;
        self.inner.causes.iter().try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        let mut chain = error.chain().map(ToString::to_string);
        let mut made = Self::failed(chain.next().unwrap_or_default());
        made.inner.causes.extend(chain);
        made.inner.source = Some(Arc::from(Box::<Source>::from(error)));
        made
    }
}

/// Adds what was being done, or what to do next, on the way up.
pub trait ResultExt<T> {
    /// See [`Error::context`].
    fn context(self, message: impl Into<String>) -> Result<T>;
    /// See [`Error::hint`].
    fn hint(self, hint: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for Result<T, E> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().context(message))
    }

    fn hint(self, hint: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().hint(hint))
    }
}

/// An io error in a few plain words, without Rust's "(os error N)".
pub fn describe_io(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(at) => text[..at].to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_stays_whatever_words_come_around_it() {
        let tool = ToolFailure { program: "helm".into(), code: 1, stderr: "Error: hunter2 is no name".into() };
        let error = Error::failed("`helm` failed").caused_by(tool).context("not deployed").reworded(str::to_uppercase).hint("again");
        let tool = error.clone().with_kind(Kind::Refused).tool().cloned().expect("it is a tool's");
        assert!((tool.code, tool.program.as_str()) == (1, "helm") && tool.says("is no name") && !tool.says("x"));
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert!(error.source::<NotStarted>().is_none() && Error::failed("x").tool().is_none());
        assert_eq!(error.or_hint("else").hints(), ["again"]);
        let error = Error::from(anyhow::Error::new(io::Error::other("full")).context("cannot write"));
        assert_eq!(error.to_string(), "cannot write: full");
    }
}
