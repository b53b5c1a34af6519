//! One external command: echoed, redacted, bounded, interruptible.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use duct::{Expression, Handle};

use super::bounds::{self, Bounds, Ended, Tap};
use super::interrupt;
use crate::error::{Error, Result, describe_io};
use crate::ui::{Surface, Ui};

/// How much of a failing child's output is kept for the error.
const TAIL_BYTES: usize = 4096;

/// What a captured command printed.
#[derive(Clone, Debug)]
pub struct Captured {
    /// Exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// stdout, the only stream that is ever parsed.
    pub stdout: Vec<u8>,
    /// stderr, for people.
    pub stderr: String,
}

impl Captured {
    /// True when the code is 0.
    pub fn ok(&self) -> bool {
        self.code == 0
    }

    /// stdout as text, without the last newline.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// stdout as JSON.
    ///
    /// # Errors
    /// It is no JSON of this shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.stdout)
            .map_err(|error| Error::failed(format!("its output is not the JSON that was expected: {error}")))
    }
}

/// A command about to run. Nothing goes through a shell.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    ui: &'a Ui,
    program: String,
    args: Vec<OsString>,
    unshown_args: Vec<OsString>,
    shown_env: Vec<(String, String)>,
    env: Vec<(String, OsString)>,
    stdin: Option<Vec<u8>>,
    dir: Option<PathBuf>,
    bounds: Bounds,
    lookup: bool,
    heard: bool,
    install: String,
    before: Option<String>,
    after: Option<String>,
}

impl<'a> Call<'a> {
    /// `program` is looked up on PATH.
    pub fn new(ui: &'a Ui, program: &str) -> Self {
        Self {
            ui,
            program: program.to_owned(),
            args: vec![],
            unshown_args: vec![],
            shown_env: vec![],
            env: vec![],
            stdin: None,
            dir: None,
            bounds: Bounds::default(),
            lookup: false,
            heard: false,
            install: format!("install {program} and make sure that it is on PATH"),
            before: None,
            after: None,
        }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// More arguments, behind the others and not echoed: a copied line does the same without.
    #[must_use]
    pub fn unshown_args<T: Into<OsString>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.unshown_args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable for the child that is echoed too, so that a copied line does the same.
    #[must_use]
    pub fn shown_env(mut self, name: &str, value: &str) -> Self {
        self.shown_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable for the child that is not echoed.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// What the child reads. Without it the child reads nothing, unless it is interactive.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Where the child runs.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_path_buf());
        self
    }

    /// The longest it may take. Without a word about it, two minutes: what this machine does alone takes seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.bounds.most = Some(timeout);
        self
    }

    /// As long as it moves: the longest that it may stand still, and what to type when it does.
    #[must_use]
    pub fn standstill(mut self, limit: Duration, hint: String) -> Self {
        (self.bounds.most, self.bounds.standstill) = (None, Some((limit, hint)));
        self
    }

    /// What to say when it had to be stopped: what may be half-way then, and what to type.
    #[must_use]
    pub fn leaves(mut self, what: &str, hint: &str) -> Self {
        self.bounds.leaves = Some((what.to_owned(), hint.to_owned()));
        self
    }

    /// Started even after Ctrl-C: it asks what the interrupted run leaves behind. Only for short look-ups.
    #[must_use]
    pub fn last_word(mut self) -> Self {
        self.bounds.is_last_word = true;
        self
    }

    /// It changes nothing: echoed with `--verbose` only.
    #[must_use]
    pub fn lookup(mut self) -> Self {
        self.lookup = true;
        self
    }

    /// What it says is read on a terminal too, where it then prints lines and draws nothing.
    #[must_use]
    pub fn heard(mut self) -> Self {
        self.heard = true;
        self
    }

    /// What to say when the program is missing.
    #[must_use]
    pub fn install_hint(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.install);
        self
    }

    /// Words of a pipe that stand before the command when it is echoed: where its stdin comes from.
    #[must_use]
    pub fn shown_before(mut self, pipe: &str) -> Self {
        self.before = Some(pipe.to_owned());
        self
    }

    /// Words of a pipe that stand behind the command when it is echoed: where its stdout goes.
    #[must_use]
    pub fn shown_after(mut self, pipe: &str) -> Self {
        self.after = Some(format!("| {pipe}"));
        self
    }

    /// The command as a shell would take it.
    pub fn line(&self) -> String {
        let env = self.shown_env.iter().map(|(name, value)| format!("{name}={}", shell_words::quote(value)));
        let program = std::iter::once(shell_words::quote(&self.program).into_owned());
        let args = self.args.iter().map(|arg| quoted(&arg.to_string_lossy()));
        let before = self.before.iter().cloned();
        before.chain(env).chain(program).chain(args).chain(self.after.iter().cloned()).collect::<Vec<_>>().join(" ")
    }

    /// The program and its first words, for messages.
    pub fn name(&self) -> String {
        let words = self.args.iter().map(|arg| arg.to_string_lossy().into_owned()).take_while(|arg| !arg.starts_with('-')).take(2);
        std::iter::once(self.program.clone()).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it; what it prints goes to stderr as it comes (stdout belongs to lain's own result).
    ///
    /// # Errors
    /// It is missing, fails, takes too long, or is interrupted. On a log, the error repeats the last lines.
    pub fn run(self) -> Result<()> {
        let (code, tail) = self.stream()?;
        if code == 0 { Ok(()) } else { Err(self.streamed_failure(code, &tail)) }
    }

    /// As [`Call::run`], but the exit code is the caller's to judge; also returns the last of what it printed.
    ///
    /// # Errors
    /// It is missing, takes too long, or is interrupted.
    pub fn stream(&self) -> Result<(i32, String)> {
        self.echo();
        let expression = self.expression()?;
        if self.ui.children_may_draw() && !self.heard {
            let handle = self.start(&expression.stdout_to_stderr())?;
            return Ok((self.wait(&handle, &Ended::default())?, String::new()));
        }
        let ended = Ended::default();
        let (mut reader, writer) = Tap::new(&ended)?;
        let expression = expression.stderr_to_stdout().stdout_file(writer);
        let handle = self.start(&expression)?;
        drop(expression); // it holds the write end; the reader would never see the end
        std::thread::scope(|scope| {
            let tail = scope.spawn(move || copy_keeping_tail(&mut reader, self.ui));
            let code = self.wait(&handle, &ended);
            drop(handle);
            let tail = tail.join().unwrap_or_default();
            Ok((code?, tail))
        })
    }

    /// Runs it and pours its stdout into a writer as it comes.
    ///
    /// # Errors
    /// It is missing, fails, or is interrupted; or the writer is full.
    pub fn pour(&self, to: &mut (impl io::Write + Send)) -> Result<()> {
        self.echo();
        let mut poured = Ok(0);
        let (code, stderr) = self.watched(|mut reader| poured = io::copy(&mut reader, to))?; // a reader that is gone ends a child that still writes
        if let Err(error) = poured {
            let made = Error::failed(format!("cannot write what `{}` prints: {}", self.name(), describe_io(&error)));
            return Err(if error.kind() == io::ErrorKind::StorageFull { made.hint("df -h # and make room") } else { made });
        }
        if code == 0 { Ok(()) } else { Err(self.failure(code, &stderr)) }
    }

    /// Runs it and captures what it prints, whatever its exit code.
    ///
    /// # Errors
    /// It is missing, takes too long, or is interrupted.
    pub fn capture(&self) -> Result<Captured> {
        self.echo();
        let mut stdout = Vec::new();
        let (code, stderr) = self.watched(|mut reader| drop(reader.read_to_end(&mut stdout)))?; // what came is what there is
        Ok(Captured { code, stdout, stderr })
    }

    /// Runs it, its stdout read by `read` on the side; the exit code and stderr.
    fn watched(&self, read: impl FnOnce(Tap) + Send) -> Result<(i32, String)> {
        let ended = Ended::default();
        let ((out, out_end), (mut err, err_end)) = (Tap::new(&ended)?, Tap::new(&ended)?);
        let expression = self.expression()?.stdout_file(out_end).stderr_file(err_end);
        let handle = self.start(&expression)?;
        drop(expression); // as in stream
        std::thread::scope(|scope| {
            let out = scope.spawn(move || read(out));
            let err = scope.spawn(move || {
                let mut bytes = Vec::new();
                let _ = err.read_to_end(&mut bytes); // what came is what there is
                String::from_utf8_lossy(&bytes).into_owned()
            });
            let code = self.wait(&handle, &ended);
            let _ = out.join();
            let err = err.join().unwrap_or_default();
            Ok((code?, err))
        })
    }

    /// Runs it and captures what it prints.
    ///
    /// # Errors
    /// As [`Call::capture`], and when it fails: stderr is the cause.
    pub fn read(&self) -> Result<Captured> {
        let captured = self.capture()?;
        if captured.ok() {
            return Ok(captured);
        }
        Err(self.failure(captured.code, &captured.stderr))
    }

    /// Gives it the terminal and returns its exit code.
    ///
    /// # Errors
    /// It is missing or cannot be started.
    pub fn interact(&self) -> Result<i32> {
        self.interact_while(|| Ok(()))
    }

    /// As [`Call::interact`]; `look` is asked now and then, and its error ends the child.
    ///
    /// # Errors
    /// As [`Call::interact`], or that of `look`.
    pub fn interact_while(&self, look: impl FnMut() -> Result<()>) -> Result<i32> {
        self.echo();
        let handle = self.start(&self.base()?)?;
        bounds::wait_while(&handle, look)
    }

    /// The error for an exit code, with the end of what was printed as its cause.
    pub fn failure(&self, code: i32, output: &str) -> Error {
        let how = if code > 128 { format!("was ended by signal {}", code - 128) } else { format!("failed with exit code {code}") };
        let error = Error::failed(format!("`{}` {how}", self.name()));
        let reason = last_lines(&without_debug_log(&console::strip_ansi_codes(output)), 12);
        if reason.is_empty() { error } else { Error::failed(reason).context(error.message()) }
    }

    /// The error after [`Call::stream`]: in a plain log the output stands right above, only a collapsed GitLab section hides it.
    pub fn streamed_failure(&self, code: i32, tail: &str) -> Error {
        self.failure(code, if self.ui.surface() == Surface::GitLab { tail } else { "" })
    }

    fn echo(&self) {
        if self.lookup {
            self.ui.lookup(&self.line());
        } else {
            self.ui.command(&self.line());
        }
    }

    fn base(&self) -> Result<Expression> {
        if which::which(&self.program).is_err() {
            return Err(Error::failed(format!("{} is not installed (not found on PATH)", self.program)).hint(self.install.clone()));
        }
        let mut expression = duct::cmd(self.program.as_str(), self.args.iter().chain(&self.unshown_args)).unchecked();
        for (name, value) in &self.shown_env {
            expression = expression.env(name, value);
        }
        for (name, value) in &self.env {
            expression = expression.env(name, value);
        }
        if let Some(dir) = &self.dir {
            expression = expression.dir(dir);
        }
        Ok(expression)
    }

    fn expression(&self) -> Result<Expression> {
        let base = self.base()?;
        Ok(match &self.stdin {
            Some(bytes) => base.stdin_bytes(bytes.clone()),
            None => base.stdin_null(),
        })
    }

    fn start(&self, expression: &Expression) -> Result<Handle> {
        if !self.bounds.is_last_word {
            interrupt::check()?;
        }
        expression.start().map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &io::Error) -> Error {
        Error::failed(format!("cannot run {}: {}", self.program, describe_io(error))).hint(self.install.clone())
    }

    fn wait(&self, handle: &Handle, ended: &Ended) -> Result<i32> {
        self.bounds.wait(handle, &self.name(), ended)
    }
}

/// A word as a shell takes it; `key=value` needs no quotes behind the first word.
fn quoted(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=' | ':' | ',' | '.' | '/' | '@' | '%');
    if !word.is_empty() && word.chars().all(bare) { word.to_owned() } else { shell_words::quote(word).into_owned() }
}

fn copy_keeping_tail(reader: &mut impl Read, ui: &Ui) -> String {
    let mut tail: Vec<u8> = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(count) = reader.read(&mut buffer) {
        if count == 0 {
            break;
        }
        ui.raw(&buffer[..count]);
        tail.extend_from_slice(&buffer[..count]);
        if tail.len() > 2 * TAIL_BYTES {
            tail.drain(..tail.len() - TAIL_BYTES);
        }
    }
    String::from_utf8_lossy(&tail).into_owned()
}

/// Without the lines of Kubernetes' debug log (`E1123 04:01:33.162316   20158 memcache.go:265] ...`), which repeat each try of a request, where anything
/// else was said.
fn without_debug_log(text: &str) -> String {
    let is_log = |line: &str| {
        let (head, rest) = line.split_at_checked(5).unwrap_or((line, ""));
        head.starts_with(['E', 'W', 'I', 'F']) && head[1..].bytes().all(|byte| byte.is_ascii_digit()) && rest.contains(".go:")
    };
    let mut rest = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if !is_log(line) {
            rest.push(line);
        } else if line.ends_with("err=<") {
            lines.by_ref().take_while(|line| line.trim() != ">").for_each(drop); // its error has several lines
        }
    }
    if rest.iter().all(|line| line.trim().is_empty()) { text.to_owned() } else { rest.join("\n") }
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
