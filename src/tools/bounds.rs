//! How long a child may take, and how it is ended: by a signal, then by force.

use std::io::{self, PipeReader, PipeWriter, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use duct::Handle;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};

use super::standstill::{Standstill, below};
use crate::error::{Error, Result, describe_io};
use crate::interrupt::{self, Forwarding};

/// What this machine does alone takes seconds; a slow disk gets more.
const LOCAL: Duration = Duration::from_secs(120);
/// How long a child may take to end after Ctrl-C or SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(20);
/// The same for one whose time is up.
const LATE_GRACE: Duration = Duration::from_secs(10);
/// How long what a killed child leaves (a process of its own, the kernel) is waited for.
const AFTERMATH: Duration = Duration::from_secs(2);
/// Between two looks at a child.
const PACE: Duration = Duration::from_millis(100);
/// How long a pipe is read on once the child is gone and all of its own was read: somebody else holds it open.
const DREGS: Duration = Duration::from_millis(300);
/// The most that a pipe holds (`/proc/sys/fs/pipe-max-size`): what comes later was not the child's.
const PIPE: usize = 1 << 20;

/// Tells a child on another thread to wind up: it gets SIGTERM, and its time is what it may still take.
#[derive(Debug)]
pub(crate) struct Stop {
    is_asked: AtomicBool,
    /// How long it may take from then on.
    patience: Duration,
}

impl Stop {
    /// Not asked for yet.
    pub(crate) fn within(patience: Duration) -> Self {
        Self { is_asked: AtomicBool::new(false), patience }
    }

    /// Asks for it.
    pub(crate) fn ask(&self) {
        self.is_asked.store(true, Ordering::SeqCst);
    }
}

/// What keeps a child from running for ever. There is always something: a time, or a standstill.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    /// The longest it may take.
    pub(super) most: Option<Duration>,
    /// The longest it may stand still, and what to type when it does.
    pub(super) standstill: Option<(Duration, String)>,
    /// What may be half-way when it had to be stopped, and what to type then.
    pub(super) leaves: Option<(String, String)>,
    /// It may start after Ctrl-C.
    pub(super) is_last_word: bool,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { most: Some(LOCAL), standstill: None, leaves: None, is_last_word: false }
    }
}

impl Bounds {
    /// Waits for a child, and ends it when it must.
    ///
    /// # Errors
    /// It took too long, stood still, or Ctrl-C came.
    pub(super) fn wait(&self, handle: &Handle, name: &str, ended: &Ended, stop: Option<&Stop>) -> Result<i32> {
        let _mark = Mark(ended);
        let _forwarding = (!self.is_last_word).then(|| Forwarding::to(handle.pids(), false));
        let started = Instant::now();
        let mut standstill = self.standstill.as_ref().map(|(limit, hint)| (Standstill::after(*limit), limit, hint));
        loop {
            if let Some(code) = end_of(handle, PACE)? {
                return if self.is_last_word { Ok(code) } else { interrupt::check().map(|()| code) };
            }
            if interrupt::received() && !self.is_last_word {
                see_off(handle, GRACE)?;
                return Err(Error::interrupted());
            }
            if let Some(stop) = stop.filter(|stop| stop.is_asked.load(Ordering::SeqCst)) {
                tell(&handle.pids(), Signal::TERM);
                if let Some(code) = end_of(handle, stop.patience)? {
                    return interrupt::check().map(|()| code);
                }
                return Err(self.stop(handle, &format!("`{name}` was told to end, and did not within {} s", stop.patience.as_secs()))?);
            }
            if let Some(most) = self.most.filter(|most| started.elapsed() > *most) {
                return Err(self.stop(handle, &format!("`{name}` did not end within {} s", most.as_secs()))?);
            }
            if let Some((watch, limit, hint)) = &mut standstill
                && watch.reached(&handle.pids())
            {
                return Err(self.stop(handle, &format!("`{name}` stood still for {} s", limit.as_secs()))?.hint(hint.as_str()));
            }
        }
    }

    fn stop(&self, handle: &Handle, why: &str) -> Result<Error> {
        tell(&handle.pids(), Signal::TERM);
        see_off(handle, LATE_GRACE)?;
        interrupt::check()?;
        Ok(match &self.leaves {
            Some((what, hint)) => Error::failed(format!("{why} and was stopped: {what}")).hint(hint.as_str()),
            None => Error::failed(format!("{why} and was stopped")),
        })
    }
}

/// Waits for a child that has the terminal, or that runs as long as the user wants; an error of `look` ends it.
///
/// # Errors
/// That of `look`.
pub(super) fn wait_while(handle: &Handle, ended: &Ended, mut look: impl FnMut() -> Result<()>) -> Result<i32> {
    let _mark = Mark(ended);
    let _forwarding = Forwarding::to(handle.pids(), true);
    loop {
        if let Some(code) = end_of(handle, PACE)? {
            return Ok(code);
        }
        if let Err(error) = look() {
            tell(&handle.pids(), Signal::TERM);
            see_off(handle, LATE_GRACE)?;
            return Err(error);
        }
    }
}

/// Waits for a child that was told to end; after the grace it is killed, with all that it started.
fn see_off(handle: &Handle, grace: Duration) -> Result<()> {
    if end_of(handle, grace)?.is_none() {
        let started = handle.pids().into_iter().flat_map(below).collect::<Vec<_>>();
        let _ = handle.kill(); // it may just have ended
        tell(&started, Signal::KILL);
        end_of(handle, AFTERMATH)?;
    }
    Ok(())
}

fn end_of(handle: &Handle, within: Duration) -> Result<Option<i32>> {
    let waited = handle.wait_timeout(within).map_err(|error| Error::failed(format!("cannot wait for a child: {}", describe_io(&error))))?;
    Ok(waited.map(|output| exit_code(output.status)))
}

fn tell(pids: &[u32], signal: Signal) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?)) {
        let _ = kill_process(pid, signal); // it may just have ended
    }
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

/// When a child ended: those who read its pipes ask.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended(Arc<OnceLock<Instant>>);

impl Ended {
    fn since(&self) -> Option<Duration> {
        self.0.get().map(Instant::elapsed)
    }
}

/// Says when dropped that nobody waits any more, whatever the reason.
struct Mark<'a>(&'a Ended);

impl Drop for Mark<'_> {
    fn drop(&mut self) {
        self.0.0.get_or_init(Instant::now);
    }
}

/// lain's end of a child's pipe. It ends when all who could write are gone; or soon after the child, when what it started holds the pipe open.
pub(super) struct Tap {
    pipe: PipeReader,
    ended: Ended,
    /// Bytes read since the child's end.
    since: usize,
    /// The pipe was empty once since then.
    drained: bool,
}

impl Tap {
    /// A pipe; the other end is the child's.
    ///
    /// # Errors
    /// This process has no file numbers left.
    pub(super) fn new(ended: &Ended) -> Result<(Self, PipeWriter)> {
        let (pipe, writer) = io::pipe().map_err(|error| Error::failed(format!("cannot make a pipe: {}", describe_io(&error))))?;
        Ok((Self { pipe, ended: ended.clone(), since: 0, drained: false }, writer))
    }
}

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let pace = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        loop {
            let ready = match poll(&mut [PollFd::new(&self.pipe, PollFlags::IN)], Some(&pace)) {
                Err(rustix::io::Errno::INTR) => continue,
                ready => ready? > 0,
            };
            let since = self.ended.since();
            self.drained |= since.is_some() && !ready;
            if since.is_some_and(|since| (self.drained && since > DREGS) || self.since > PIPE) {
                return Ok(0);
            }
            if ready {
                let count = self.pipe.read(buffer)?;
                self.since += if since.is_some() { count } else { 0 };
                return Ok(count);
            }
        }
    }
}
