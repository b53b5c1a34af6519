//! Children that end when lain does, whatever ends lain: its memory may be full, it may be killed.
//!
//! The kernel sees to that where it is told so between `fork` and `exec` (prctl(2), `PR_SET_PDEATHSIG`): lain starts itself once more, says it, and becomes
//! the program.

use std::ffi::OsString;
use std::process::ExitCode;

/// The first word of lain as the beginning of such a child. Behind it: whose child, then the program and its words.
pub(super) const MARK: &str = "__tied-to";

/// What to start in the place of a program, so that it ends when this process does.
#[cfg(target_os = "linux")]
pub(super) fn tied(program: OsString, args: Vec<OsString>) -> (OsString, Vec<OsString>) {
    let parent = std::process::id().to_string();
    let words = [OsString::from(MARK), OsString::from(parent), program];
    ("/proc/self/exe".into(), words.into_iter().chain(args).collect())
}

/// What to start in the place of a program: itself, the system knows no better.
#[cfg(not(target_os = "linux"))]
pub(super) fn tied(program: OsString, args: Vec<OsString>) -> (OsString, Vec<OsString>) {
    (program, args)
}

/// Becomes the program, when that is what this process was started for; returns the exit code where that fails.
#[cfg(target_os = "linux")]
pub(crate) fn become_child() -> Option<ExitCode> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal, setpgid};
    use std::os::unix::process::CommandExt;

    let mut words = std::env::args_os().skip(1);
    if words.next()? != MARK {
        return None;
    }
    let parent = words.next()?.into_string().ok()?.parse().ok();
    let program = words.next()?;
    let is_told = set_parent_process_death_signal(Some(Signal::KILL)).is_ok();
    // Its parent may have ended before the kernel was told.
    let is_orphan = getppid().map(|pid| pid.as_raw_nonzero().get()) != parent;
    if !is_told || is_orphan {
        return Some(ExitCode::FAILURE);
    }
    let _ = setpgid(None, None); // a Ctrl-C on the terminal is for lain, which still asks what it leaves behind
    let _ = std::process::Command::new(program).args(words).exec(); // it returns where it fails
    Some(ExitCode::FAILURE)
}

/// Nothing: no child is started this way here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn become_child() -> Option<ExitCode> {
    None
}
