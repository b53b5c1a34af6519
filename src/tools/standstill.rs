//! Notices a child that stands still: for a long time neither it nor a child of its own reads or writes anything. docker hears of the progress of
//! a push or a pull even where it prints none of it, and nothing at all from a daemon whose registry hangs.

use std::fs;
use std::time::{Duration, Instant};

/// How often a child is looked at.
const PACE: Duration = Duration::from_secs(1);

/// Watches one child.
pub(super) struct Standstill {
    limit: Duration,
    moved: Option<u64>,
    since: Instant,
    looked: Instant,
}

impl Standstill {
    /// A watch that starts now.
    pub(super) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        Self { limit, moved: None, since: now, looked: now }
    }

    /// True once nothing moved for the limit; never where the system does not tell (there is no /proc but on Linux).
    pub(super) fn reached(&mut self, pids: &[u32]) -> bool {
        if self.looked.elapsed() < PACE.min(self.limit) {
            return false;
        }
        self.looked = Instant::now();
        let moved = pids.iter().map(|pid| moved(*pid)).sum::<Option<u64>>();
        if moved.is_none() || moved != self.moved {
            (self.moved, self.since) = (moved, self.looked);
        }
        self.since.elapsed() >= self.limit
    }
}

/// Bytes that a process and its children have read and written so far, files and pipes and connections: `rchar` and `wchar` of proc(5).
fn moved(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let count = |name: &str| io.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
    let of_children = children(pid)?.into_iter().filter_map(moved); // one that just ended has no say
    Some(of_children.sum::<u64>() + count("rchar:")? + count("wchar:")?)
}

fn children(pid: u32) -> Option<Vec<u32>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let children = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok()).collect::<Vec<_>>().join(" ");
    Some(children.split_whitespace().filter_map(|child| child.parse().ok()).collect())
}

/// All that a process started, and what those started; none where the system does not tell.
pub(super) fn below(pid: u32) -> Vec<u32> {
    let children = children(pid).unwrap_or_default();
    children.into_iter().flat_map(|child| below(child).into_iter().chain([child])).collect()
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Watches a shell script for at most ten seconds.
    fn stands_still(script: &str) -> bool {
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::null()).spawn().expect("sh runs");
        let (mut watch, end) = (Standstill::after(Duration::from_secs(3)), Instant::now() + Duration::from_secs(10));
        let mut reached = false;
        while !reached && Instant::now() < end {
            reached = watch.reached(&[child.id()]);
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = child.kill(); // it may have ended
        let _ = child.wait();
        reached
    }

    #[test]
    fn silence_is_not_standstill_but_nothing_at_all_is() {
        assert!(stands_still("exec sleep 12"));
        assert!(!stands_still("for i in $(seq 24); do head -c 1 /dev/zero; sleep 0.5; done"), "it prints to nobody");
        assert!(!stands_still("(for i in $(seq 24); do head -c 1 /dev/zero; sleep 0.5; done) & wait"), "its child does");
    }
}
