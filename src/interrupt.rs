//! Ctrl-C and SIGTERM: children get the signal, the run winds up through ordinary errors, so that
//! every guard that removes a generated file does its work.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_current_process_group, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Error, Result};

static RECEIVED: AtomicI32 = AtomicI32::new(0);
/// What is under way is not wanted any more.
static ABANDONED: AtomicBool = AtomicBool::new(false);
static CHILDREN: Mutex<Vec<Child>> = Mutex::new(Vec::new());

struct Child {
    pid: u32,
    /// An interactive child gets Ctrl-C from the terminal itself; sending it once more would count double.
    interactive: bool,
}

/// Starts listening. Called once, before the first child or generated file.
///
/// # Errors
/// The signal handlers cannot be installed.
pub(crate) fn install() -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|error| Error::failed(format!("cannot listen for signals: {error}")))?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
            RECEIVED.store(signal, Ordering::SeqCst); // under the lock: a child that starts now is told by one of the two, not both
            children.iter().for_each(|child| child.tell(signal));
        }
    });
    Ok(())
}

/// True once Ctrl-C or SIGTERM came.
pub(crate) fn received() -> bool {
    RECEIVED.load(Ordering::SeqCst) != 0 || ABANDONED.load(Ordering::SeqCst)
}

/// Ends all that is under way as SIGTERM does, until this is dropped: who leaves a panel does not wait for its questions.
#[derive(Debug)]
pub(crate) struct Abandoned(());

/// See [`Abandoned`].
pub(crate) fn abandon() -> Abandoned {
    let children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    ABANDONED.store(true, Ordering::SeqCst);
    children.iter().for_each(|child| child.tell(SIGTERM));
    Abandoned(())
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        ABANDONED.store(false, Ordering::SeqCst);
    }
}

/// Ctrl-Z: stops this process group until the shell goes on with it.
pub(crate) fn stop() {
    let _ = kill_current_process_group(Signal::TSTP); // who may not stop goes on
}

/// Fails once Ctrl-C or SIGTERM came. Called between steps.
///
/// # Errors
/// [`Error::interrupted`].
pub(crate) fn check() -> Result<()> {
    if received() { Err(Error::interrupted()) } else { Ok(()) }
}

/// Sleeps, but wakes up early on a signal.
///
/// # Errors
/// [`Error::interrupted`].
pub(crate) fn sleep(duration: std::time::Duration) -> Result<()> {
    let end = std::time::Instant::now() + duration;
    while let Some(left) = end.checked_duration_since(std::time::Instant::now()) {
        check()?;
        std::thread::sleep(left.min(std::time::Duration::from_millis(50)));
    }
    check()
}

/// Forwards signals to these processes until dropped.
pub(crate) struct Forwarding(Vec<u32>);

impl Forwarding {
    pub(crate) fn to(pids: Vec<u32>, interactive: bool) -> Self {
        let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
        for pid in &pids {
            let child = Child { pid: *pid, interactive };
            match RECEIVED.load(Ordering::SeqCst) {
                0 if ABANDONED.load(Ordering::SeqCst) => child.tell(SIGTERM),
                0 => {}
                signal => child.tell(signal), // it came while the child was starting
            }
            children.push(child);
        }
        Self(pids)
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| !self.0.contains(&child.pid));
    }
}

impl Child {
    fn tell(&self, signal: i32) {
        if signal == SIGINT && self.interactive {
            return;
        }
        let kind = match signal {
            SIGINT => Signal::INT,
            SIGHUP => Signal::HUP,
            _ => Signal::TERM,
        };
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, kind); // it may just have ended
        }
    }
}
