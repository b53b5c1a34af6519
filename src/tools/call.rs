//! One external command: echoed, redacted, bounded, interruptible.
//!
//! What lain itself says to a program is written in its source ([`Call::arg`], [`Call::args`]). What comes from values, git, the environment, a registry
//! or a server stands only where the program cannot take it for an option: behind a flag that takes a value ([`Call::option`]), as an operand
//! ([`Call::operand`], refused where it starts with `-`), or behind `--` ([`Call::end_of_options`]).

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use duct::{Expression, Handle};
use zeroize::Zeroizing;

pub(crate) use super::bounds::Stop;
use super::bounds::{self, Bounds, Ended, Tap};
use super::condensed::condensed;
use super::last_words::last_words;
use super::private;
use super::quote::quoted;
use super::tied::tied;
use crate::env::search_path;
use crate::error::{Error, NotStarted, Result, ToolFailure, describe_io};
use crate::interrupt;
use crate::ui::{Prefixes, Surface, Ui};

/// What a captured command printed.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    /// Exit code; 128 + n when signal n ended it.
    pub code: i32,
    /// stdout, the only stream that is ever parsed.
    pub stdout: Vec<u8>,
    /// stderr, for people.
    pub stderr: String,
}

impl Captured {
    /// True when the code is 0.
    pub(crate) fn ok(&self) -> bool {
        self.code == 0
    }

    /// stdout as text, without the last newline.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_owned()
    }

    /// stdout as JSON.
    ///
    /// # Errors
    /// It is no JSON of this shape.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.stdout)
            .map_err(|error| Error::failed(format!("its output is not the JSON that was expected: {error}")))
    }
}

/// A command about to run. Nothing goes through a shell.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    ui: &'a Ui,
    program: String,
    settings: Vec<&'static str>,
    args: Vec<OsString>,
    unshown_args: Vec<OsString>,
    /// Behind `--`, or behind the operand that ends a program's own options.
    options_ended: bool,
    /// The first word that the program would have misread.
    refused: Option<Error>,
    shown_env: Vec<(String, String)>,
    env: Vec<(String, OsString)>,
    /// Variables that it does not get.
    dropped: &'static [&'static str],
    /// Variables with secrets that it gets; none for all of them.
    needs: Option<Vec<String>>,
    stdin: Option<Zeroizing<Vec<u8>>>,
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
    pub(crate) fn new(ui: &'a Ui, program: &str) -> Self {
        Self {
            ui,
            program: program.to_owned(),
            settings: vec![],
            args: vec![],
            unshown_args: vec![],
            options_ended: false,
            refused: None,
            shown_env: vec![],
            env: vec![],
            dropped: &[],
            needs: Some(vec![]),
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

    /// `-c SETTING`, before all other words, as git takes it.
    #[must_use]
    pub(crate) fn setting(mut self, setting: &'static str) -> Self {
        self.settings.push(setting);
        self
    }

    /// One more word of lain's own.
    #[must_use]
    pub(crate) fn arg(mut self, arg: &'static str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More words of lain's own.
    #[must_use]
    pub(crate) fn args(self, args: impl IntoIterator<Item = &'static str>) -> Self {
        args.into_iter().fold(self, Call::arg)
    }

    /// A flag and its value, whatever that is. One that starts with `-` is joined by `=`, so that no program and no reader takes it for a flag of its own.
    #[must_use]
    pub(crate) fn option(mut self, flag: &'static str, value: impl Into<OsString>) -> Self {
        let value = value.into();
        self.look_at(&value);
        if starts_with_dash(&value) {
            let mut joined = OsString::from(flag);
            joined.push("=");
            joined.push(value);
            self.args.push(joined);
        } else {
            self.args.extend([OsString::from(flag), value]);
        }
        self
    }

    /// Flags and their values.
    #[must_use]
    pub(crate) fn options<T: Into<OsString>>(self, options: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        options.into_iter().fold(self, |call, (flag, value)| call.option(flag, value))
    }

    /// As [`Call::option`], behind the others and not echoed: a copied line does the same without.
    #[must_use]
    pub(crate) fn unshown_option(mut self, flag: &'static str, value: impl Into<OsString>) -> Self {
        self.unshown_args.extend([OsString::from(flag), value.into()]);
        self
    }

    /// What a program is to act on: a name, a file. One that starts with `-` would be an option: the command does not start then.
    #[must_use]
    pub(crate) fn operand(mut self, operand: impl Into<OsString>) -> Self {
        let operand = operand.into();
        self.look_at(&operand);
        if starts_with_dash(&operand) && !self.options_ended && self.refused.is_none() {
            let shown = operand.to_string_lossy();
            self.refused = Some(
                Error::refused(format!("`{shown}` starts with `-`: {} would take it for an option, so it was not run", self.program))
                    .hint("lain values # which name is that, and who wrote it?"),
            );
        }
        self.args.push(operand);
        self
    }

    /// As [`Call::operand`], several.
    #[must_use]
    pub(crate) fn operands<T: Into<OsString>>(self, operands: impl IntoIterator<Item = T>) -> Self {
        operands.into_iter().fold(self, Call::operand)
    }

    /// `--`: nothing behind it is an option.
    #[must_use]
    pub(crate) fn end_of_options(mut self) -> Self {
        self.args.push("--".into());
        self.options_ended = true;
        self
    }

    /// The user's own command, behind an operand or a `--` that ends the program's own options: its words are not for the program.
    #[must_use]
    pub(crate) fn command<T: Into<OsString>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        for word in words {
            let word = word.into();
            self.look_at(&word);
            self.args.push(word);
        }
        self
    }

    /// No program can be given a word with a NUL in it.
    fn look_at(&mut self, word: &OsString) {
        if self.refused.is_none() && word.as_encoded_bytes().contains(&0) {
            let shown = word.to_string_lossy().replace('\0', "\\0");
            self.refused = Some(Error::refused(format!("`{shown}` holds a NUL, which no program takes: {} was not run", self.program)));
        }
    }

    /// A variable for the child that is echoed too, so that a copied line does the same.
    #[must_use]
    pub(crate) fn shown_env(mut self, name: &str, value: &str) -> Self {
        self.shown_env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A variable for the child that is not echoed.
    #[must_use]
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// It does not get these variables: they would turn it from what its arguments say.
    #[must_use]
    pub(crate) fn without(mut self, variables: &'static [&'static str]) -> Self {
        self.dropped = variables;
        self
    }

    /// It cannot do without this variable, though a secret is in it.
    #[must_use]
    pub(crate) fn needs(mut self, variable: &str) -> Self {
        self.needs.iter_mut().for_each(|needs| needs.push(variable.to_owned()));
        self
    }

    /// It gets the whole environment, secrets too: nobody but the one who named it knows what it needs.
    #[must_use]
    pub(crate) fn whole_environment(mut self) -> Self {
        self.needs = None;
        self
    }

    /// What the child reads. Without it the child reads nothing, unless it is interactive.
    #[must_use]
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(Zeroizing::new(bytes.into())); // it may be a Secret
        self
    }

    /// Where the child runs.
    #[must_use]
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_path_buf());
        self
    }

    /// The longest it may take. Without a word about it, two minutes: what this machine does alone takes seconds.
    #[must_use]
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.bounds.most = Some(timeout);
        self
    }

    /// As long as it moves: the longest that it may stand still, and what to type when it does.
    #[must_use]
    pub(crate) fn standstill(mut self, limit: Duration, hint: String) -> Self {
        (self.bounds.most, self.bounds.standstill) = (None, Some((limit, hint)));
        self
    }

    /// What to say when it had to be stopped: what may be half-way then, and what to type.
    #[must_use]
    pub(crate) fn leaves(mut self, what: &str, hint: &str) -> Self {
        self.bounds.leaves = Some((what.to_owned(), hint.to_owned()));
        self
    }

    /// Started even after Ctrl-C: it asks what the interrupted run leaves behind. Only for short look-ups.
    #[must_use]
    pub(crate) fn last_word(mut self) -> Self {
        self.bounds.is_last_word = true;
        self
    }

    /// It changes nothing: echoed with `--verbose` only.
    #[must_use]
    pub(crate) fn lookup(mut self) -> Self {
        self.lookup = true;
        self
    }

    /// What it says is read on a terminal too, where it then prints lines and draws nothing.
    #[must_use]
    pub(crate) fn heard(mut self) -> Self {
        self.heard = true;
        self
    }

    /// What to say when the program is missing.
    #[must_use]
    pub(crate) fn install_hint(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.install);
        self
    }

    /// Words of a pipe that stand before the command when it is echoed: where its stdin comes from.
    #[must_use]
    pub(crate) fn shown_before(mut self, pipe: &str) -> Self {
        self.before = Some(pipe.to_owned());
        self
    }

    /// Words of a pipe that stand behind the command when it is echoed: where its stdout goes.
    #[must_use]
    pub(crate) fn shown_after(mut self, pipe: &str) -> Self {
        self.after = Some(format!("| {pipe}"));
        self
    }

    /// The command as a shell would take it.
    pub(crate) fn line(&self) -> String {
        let env = self.shown_env.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let program = std::iter::once(quoted(&self.program));
        let settings = self.settings.iter().map(|setting| format!("-c {}", quoted(setting)));
        let args = settings.chain(self.args.iter().map(|arg| quoted(&arg.to_string_lossy())));
        let before = self.before.iter().cloned();
        before.chain(env).chain(program).chain(args).chain(self.after.iter().cloned()).collect::<Vec<_>>().join(" ")
    }

    /// The program and its first words, for messages.
    pub(crate) fn name(&self) -> String {
        let words = self.args.iter().map(|arg| arg.to_string_lossy().into_owned()).take_while(|arg| !arg.starts_with('-')).take(2);
        std::iter::once(self.program.clone()).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Runs it; what it prints goes to stderr as it comes (stdout belongs to lain's own result).
    ///
    /// # Errors
    /// It is missing, fails, takes too long, or is interrupted. On a log, the error repeats the last lines.
    pub(crate) fn run(self) -> Result<()> {
        let (code, tail) = self.stream()?;
        if code == 0 { Ok(()) } else { Err(self.streamed_failure(code, &tail)) }
    }

    /// As [`Call::run`], but the exit code is the caller's to judge; also returns the last of what it printed.
    ///
    /// # Errors
    /// It is missing, takes too long, or is interrupted.
    pub(crate) fn stream(&self) -> Result<(i32, String)> {
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
    pub(crate) fn pour(&self, to: &mut (impl io::Write + Send)) -> Result<()> {
        self.echo();
        let mut poured = Ok(0);
        let (code, stderr) = self.watched(None, |mut reader| poured = io::copy(&mut reader, to))?; // a reader that is gone ends a child that still writes
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
    pub(crate) fn capture(&self) -> Result<Captured> {
        self.capture_unless(None)
    }

    /// As [`Call::capture`], unless another thread stops it: then what it says to the signal is captured too.
    ///
    /// # Errors
    /// As [`Call::capture`].
    pub(crate) fn capture_until(&self, stop: &Stop) -> Result<Captured> {
        self.capture_unless(Some(stop))
    }

    fn capture_unless(&self, stop: Option<&Stop>) -> Result<Captured> {
        self.echo();
        let mut stdout = Vec::new();
        let (code, stderr) = self.watched(stop, |mut reader| drop(reader.read_to_end(&mut stdout)))?; // what came is what there is
        Ok(Captured { code, stdout, stderr })
    }

    /// Runs it, its stdout read by `read` on the side; the exit code and stderr.
    fn watched(&self, stop: Option<&Stop>, read: impl FnOnce(Tap) + Send) -> Result<(i32, String)> {
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
            let code = self.bounds.wait(&handle, &self.name(), &ended, stop);
            let _ = out.join();
            let err = err.join().unwrap_or_default();
            Ok((code?, err))
        })
    }

    /// Runs it and captures what it prints.
    ///
    /// # Errors
    /// As [`Call::capture`], and when it fails: stderr is the cause.
    pub(crate) fn read(&self) -> Result<Captured> {
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
    pub(crate) fn interact(&self) -> Result<i32> {
        self.interact_while(|| Ok(()))
    }

    /// As [`Call::interact`]; `look` is asked now and then, and its error ends the child.
    ///
    /// # Errors
    /// As [`Call::interact`], or that of `look`.
    pub(crate) fn interact_while(&self, look: impl FnMut() -> Result<()>) -> Result<i32> {
        self.echo();
        let handle = self.start(&self.base()?)?;
        bounds::wait_while(&handle, &Ended::default(), look)
    }

    /// As [`Call::interact_while`], but it only prints: stdout is the result, as it is, to a terminal without what could drive it; colours stay.
    ///
    /// # Errors
    /// As [`Call::interact_while`].
    pub(crate) fn show_while(&self, look: impl FnMut() -> Result<()>) -> Result<i32> {
        self.show_told_apart_while(None, look)
    }

    /// As [`Call::show_while`]; to a terminal its lines go with these in place of kubectl's prefixes.
    ///
    /// # Errors
    /// As [`Call::interact_while`].
    pub(crate) fn show_told_apart_while(&self, prefixes: Option<&Prefixes>, look: impl FnMut() -> Result<()>) -> Result<i32> {
        if !self.ui.shows_results() {
            return self.interact_while(look);
        }
        self.echo();
        let ended = Ended::default();
        let ((mut out, out_end), (mut err, err_end)) = (Tap::new(&ended)?, Tap::new(&ended)?);
        let expression = self.base()?.stdin_null().stdout_file(out_end).stderr_file(err_end);
        let handle = self.start(&expression)?;
        drop(expression); // as in stream
        std::thread::scope(|scope| {
            scope.spawn(move || match prefixes {
                Some(prefixes) => prefixes.show(&mut out),
                None => self.ui.show(&mut out),
            });
            scope.spawn(move || copy_keeping_tail(&mut err, self.ui));
            bounds::wait_while(&handle, &ended, look)
        })
    }

    /// The error for an exit code, with the end of what was printed as its cause.
    pub(crate) fn failure(&self, code: i32, output: &str) -> Error {
        self.failed(code, output, output)
    }

    fn failed(&self, code: i32, output: &str, shown: &str) -> Error {
        let how = if code > 128 { format!("was ended by signal {}", code - 128) } else { format!("failed with exit code {code}") };
        let (what, reason) = (format!("`{}` {how}", self.name()), condensed(&last_words(shown, 12)));
        let error = if reason.is_empty() { Error::failed(what) } else { Error::failed(reason).context(what) };
        error.caused_by(ToolFailure { program: self.program.clone(), code, stderr: output.to_owned() })
    }

    /// The error after [`Call::stream`]: in a plain log the output stands right above, only a collapsed GitLab section hides it.
    pub(crate) fn streamed_failure(&self, code: i32, tail: &str) -> Error {
        self.failed(code, tail, if self.ui.surface() == Surface::GitLab { tail } else { "" })
    }

    fn echo(&self) {
        if self.refused.is_some() {
            return; // it will not run
        }
        if self.lookup {
            self.ui.lookup(&self.line());
        } else {
            self.ui.command(&self.line());
        }
    }

    /// Echoes it, and makes it ready to run beside everything else: it ends when lain does, whatever ends lain.
    ///
    /// # Errors
    /// It is missing.
    pub(super) fn begin_tied(&self) -> Result<Expression> {
        self.echo();
        Ok(self.based(tied)?.stdin_null())
    }

    /// Echoes it without running it: what is done in its place does the same.
    pub(super) fn stand_in(&self) {
        self.echo();
    }

    fn base(&self) -> Result<Expression> {
        self.based(|program, args| (program, args))
    }

    fn based(&self, start: impl FnOnce(OsString, Vec<OsString>) -> (OsString, Vec<OsString>)) -> Result<Expression> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let settings = self.settings.iter().flat_map(|setting| [OsString::from("-c"), OsString::from(setting)]);
        let args: Vec<OsString> = settings.chain(self.args.iter().chain(&self.unshown_args).cloned()).collect();
        let (program, args) = start(self.program()?.into_os_string(), args);
        let mut expression = duct::cmd(program, args).unchecked();
        if let Some(needs) = &self.needs {
            expression = self
                .ui
                .withheld()
                .iter()
                .filter(|name| !needs.contains(name))
                .fold(expression, |expression, name| expression.env_remove(name));
        }
        expression = self.dropped.iter().fold(expression, |expression, name| expression.env_remove(name));
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

    /// Where the program is.
    fn program(&self) -> Result<PathBuf> {
        which::which_in(&self.program, search_path(), ".").map_err(|_| {
            Error::failed(format!("{} is not installed (not found on PATH)", self.program))
                .hint(self.install.clone())
                .caused_by(self.not_started())
        })
    }

    fn not_started(&self) -> NotStarted {
        NotStarted { program: self.program.clone() }
    }

    fn expression(&self) -> Result<Expression> {
        let base = self.base()?;
        Ok(match &self.stdin {
            Some(bytes) => base.stdin_file(private::pipe_of(bytes.clone())?),
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
        let failed = Error::failed(format!("cannot run {}: {}", self.program, describe_io(error))).caused_by(self.not_started());
        match error.kind() {
            io::ErrorKind::NotFound => failed.hint(self.install.clone()),
            io::ErrorKind::ArgumentListTooLong => {
                let variables = self.shown_env.iter().map(|(name, value)| (name.as_str(), value.len()));
                let variables = variables.chain(self.env.iter().map(|(name, value)| (name.as_str(), value.len())));
                let args = self.args.iter().chain(&self.unshown_args).map(|arg| (arg.to_str().unwrap_or_default(), arg.len()));
                let (longest, size) = args.chain(variables).max_by_key(|(_, size)| *size).unwrap_or_default();
                let start: String = longest.chars().take(40).collect();
                failed
                    .context(format!("`{}` is given more than the system lets a program have", self.name()))
                    .hint(format!("make it shorter: the longest argument is {size} bytes, `{start}...`"))
                    .hint("env | wc -c # the environment counts too")
            }
            _ => failed.hint(format!("command -v {} # what is it, and may you run it?", self.program)),
        }
    }

    fn wait(&self, handle: &Handle, ended: &Ended) -> Result<i32> {
        self.bounds.wait(handle, &self.name(), ended, None)
    }
}

fn starts_with_dash(word: &OsString) -> bool {
    word.len() > 1 && word.as_encoded_bytes()[0] == b'-' // `-` alone is stdin, or a name
}

/// Copies until the child closes its end; returns the end of what it said.
fn copy_keeping_tail(reader: &mut impl Read, ui: &Ui) -> String {
    let mut relay = ui.relay();
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        relay.write(&buffer[..count]);
    }
    relay.finish()
}
