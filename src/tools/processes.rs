//! Processes of this machine, as Linux's `/proc` shows them: whether one that said its name is gone, and whether one still runs.
//!
//! A name holds what makes it one of its kind: the boot, the process namespace, the user (others' processes may be hidden), the number, and when it was
//! started, since numbers come again. Elsewhere nothing is known, and nobody is taken for gone.

use std::fs;
use std::path::Path;

/// The name of this process; none where there is no `/proc`.
pub(crate) fn own() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{}/{pid}/{}", here()?, started(pid)?))
}

/// True when a process of this very machine, namespace and user had that name, and is gone.
pub(crate) fn is_gone(name: &str) -> bool {
    let Some((number, start)) = here().and_then(|here| name.strip_prefix(&here)?.strip_prefix('/')?.split_once('/')) else { return false };
    number.parse().is_ok_and(|pid| started(pid).is_none_or(|known| known != start))
}

/// True when a program with all these words among its arguments runs here.
pub(crate) fn runs(program: &str, words: &[&str]) -> bool {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| {
        let line = String::from_utf8_lossy(&line).into_owned();
        let mut args = line.split('\0');
        let is_it = args.next().is_some_and(|first| Path::new(first).file_name().is_some_and(|name| name == program));
        let args: Vec<&str> = args.collect();
        is_it && words.iter().all(|word| args.contains(word))
    })
}

fn here() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}/{}", boot.trim(), namespace.display(), rustix::process::getuid().as_raw()))
}

/// When a process was started, in ticks since the boot; none of one that is over, though its parent does not know yet.
fn started(pid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect(); // its name may hold anything
    (!matches!(*fields.first()?, "Z" | "X")).then(|| fields.get(19).map(|start| (*start).to_owned()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_gone_for_sure_is_gone() {
        let own = own().expect("Linux");
        assert!(!is_gone(&own));
        let (rest, start) = own.rsplit_once('/').expect("a name");
        assert!(is_gone(&format!("{rest}/{start}0")), "its number is another's by now");
        let (here, _) = rest.rsplit_once('/').expect("a name");
        assert!(is_gone(&format!("{here}/4194305/{start}")), "no such number");
        for other in ["", "x", &own.replacen(|c: char| c.is_ascii_hexdigit(), "z", 1), here, &format!("{here}/x/{start}")] {
            assert!(!is_gone(other), "{other}");
        }
    }

    #[test]
    fn who_runs_is_found_by_words_of_its_own() {
        let test = std::env::current_exe().expect("a path");
        let name = test.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(runs(name, &[]) && !runs(name, &["no such word"]) && !runs("no-such-program", &[]));
    }
}
