//! `kubectl proxy` on a unix socket in a private folder: kubectl's own logins and contexts, one process for all questions of a run. Never a TCP port: any
//! user of the machine could ask there.

use std::io::{self, BufRead, BufReader, PipeReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use duct::{Expression, Handle};
use tempfile::TempDir;

use super::call::Call;
use super::target::Target;
use crate::interrupt;
use crate::ui::Ui;

/// The longest path that a unix socket can have, in bytes, without the NUL at its end (`sockaddr_un`, the shortest of all systems).
const LONGEST: usize = 103;
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(5);
/// What it says once it serves.
const SERVES: &str = "Starting to serve on";

/// One `kubectl proxy`. It ends with this, and with lain.
#[derive(Debug)]
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    started: Instant,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    stage: Stage,
    handle: Option<Arc<Handle>>,
    folder: Option<TempDir>,
    /// Where its socket is reached.
    door: PathBuf,
    /// Keeps the socket's place in the system.
    kept: Option<std::os::fd::OwnedFd>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starts,
    Serves,
    /// It ended, was ended, or never came to serve.
    Gone,
}

impl Proxy {
    /// Starts it, without waiting for it. None where it cannot be: kubectl is missing, or there is no place for a socket.
    pub(super) fn start(ui: &Ui, target: &Target) -> Option<Self> {
        let folder = place()?;
        let door = folder.path().join("s");
        let call = Call::new(ui, "kubectl").arg("proxy").option("--unix-socket", &door).lookup();
        // What it serves is the whole API server; the namespace is each question's own.
        let target = Target { namespace: None, ..target.clone() };
        let expression = target.flags("--context", call).begin_tied().ok()?;
        let (reader, writer) = io::pipe().ok()?;
        let state = State { stage: Stage::Starts, handle: None, folder: Some(folder), door, kept: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let keeper = Arc::clone(&shared);
        // The kernel ends the child when the thread that started it ends.
        std::thread::spawn(move || keeper.keep(expression.stdout_file(writer).stderr_null(), reader));
        Some(Self { shared, started: Instant::now() })
    }

    /// Where its socket is, once it serves; waits for that. None when it does not.
    pub(crate) fn door(&self) -> Option<PathBuf> {
        let mut state = self.shared.lock();
        while state.stage == Stage::Starts {
            let left = PATIENCE.saturating_sub(self.started.elapsed());
            if left.is_zero() || interrupt::received() {
                drop(state);
                self.shared.end();
                return None;
            }
            let waited = self.shared.changed.wait_timeout(state, left.min(Duration::from_millis(50)));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        (state.stage == Stage::Serves).then(|| state.door.clone())
    }

    /// True when it runs no more soon: who asks it sees its end before the system tells.
    pub(crate) fn ends_within(&self, bound: Duration) -> bool {
        let state = self.shared.lock();
        let waited = self.shared.changed.wait_timeout_while(state, bound, |state| state.stage != Stage::Gone);
        waited.unwrap_or_else(PoisonError::into_inner).0.stage == Stage::Gone
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        self.shared.end();
    }

    /// It runs no more.
    pub(crate) fn is_gone(&self) -> bool {
        self.shared.lock().stage == Stage::Gone
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the child and waits for its end.
    fn keep(self: Arc<Self>, expression: Expression, reader: PipeReader) {
        let mut state = self.lock();
        if state.stage == Stage::Gone {
            return;
        }
        let Ok(handle) = expression.start().map(Arc::new) else {
            state.stage = Stage::Gone;
            return self.changed.notify_all();
        };
        state.handle = Some(Arc::clone(&handle));
        drop((state, expression)); // it holds the write end: the reader would never see the end
        let listener = Arc::clone(&self);
        std::thread::spawn(move || listener.listen(reader));
        let _ = handle.wait();
        self.end();
    }

    /// Hears that it serves. What it says later is read too: it must not wait for a reader.
    fn listen(&self, reader: PipeReader) {
        let mut lines = BufReader::new(reader).lines();
        let serves = lines.next().and_then(Result::ok).is_some_and(|line| line.starts_with(SERVES));
        let mut state = self.lock();
        if !serves {
            drop(state);
            return self.end();
        }
        if state.stage == Stage::Starts {
            if let Some(kept) = kept(&state.door) {
                state.door = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&kept)));
                state.kept = Some(kept);
                state.folder = None;
            }
            state.stage = Stage::Serves;
            self.changed.notify_all();
        }
        drop(state);
        lines.for_each(drop);
    }

    fn end(&self) {
        let mut state = self.lock();
        state.stage = Stage::Gone;
        state.folder = None;
        self.changed.notify_all();
        if let Some(handle) = state.handle.take() {
            drop(state);
            kill_group(&handle);
            let _ = handle.kill(); // it may just have ended; it has nothing to tidy, so that nobody need wait for it
        }
    }
}

/// Where kubectl is a script that starts the real one, that one too: the child is the first of its own process group (`super::tied`).
#[cfg(target_os = "linux")]
fn kill_group(handle: &Handle) {
    use rustix::process::{Pid, Signal, kill_process_group};
    for pid in handle.pids().into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        let _ = kill_process_group(pid, Signal::KILL); // there is none yet where it has only just begun
    }
}

#[cfg(not(target_os = "linux"))]
fn kill_group(_handle: &Handle) {}

/// A folder of this user's own, short enough for a socket's path.
fn place() -> Option<TempDir> {
    let fits = |folder: &TempDir| folder.path().join("s").as_os_str().as_bytes().len() <= LONGEST;
    let made = tempfile::tempdir().ok().filter(fits);
    made.or_else(|| tempfile::tempdir_in("/tmp").ok().filter(fits))
}

/// Takes the socket out of the file system, where this process alone can still reach it: then nothing is left behind, whatever ends lain. None where the
/// system cannot do that.
#[cfg(target_os = "linux")]
fn kept(door: &Path) -> Option<std::os::fd::OwnedFd> {
    use rustix::fs::{Mode, OFlags, open};
    let kept = open(door, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).ok()?;
    Path::new("/proc/self/fd").is_dir().then_some(kept)
}

#[cfg(not(target_os = "linux"))]
fn kept(_door: &Path) -> Option<std::os::fd::OwnedFd> {
    None
}
