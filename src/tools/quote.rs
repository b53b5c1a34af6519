//! Words as a shell takes them.

use std::fmt::Write;

use crate::ui::is_unsafe;

/// A word as a shell takes it; `key=value` needs no quotes behind the first word. One that holds control characters, or characters that turn
/// the reading order, is written as bash, zsh and ksh take it, so that a line that is copied from a terminal does the same: `$'\x1b'`.
pub(crate) fn quoted(word: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '=' | ':' | ',' | '.' | '/' | '@' | '%');
    if word.chars().any(is_unsafe) {
        return dollar_quoted(word);
    }
    if !word.is_empty() && word.chars().all(bare) { word.to_owned() } else { shell_words::quote(word).into_owned() }
}

fn dollar_quoted(word: &str) -> String {
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            // Bytes: what `\u` means hangs on the locale.
            c if is_unsafe(c) => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(out, "\\x{byte:02x}"); // a String takes all
            }),
            c => out.push(c),
        }
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        for word in ["a b", "", "user=x", "it's", "\u{1b}]0;x\u{7}it's \\ 简体", "a\u{202e}b\u{9b}1", "cr\rlf\n"] {
            let out = std::process::Command::new("bash").args(["-c", &format!("printf %s {}", quoted(word))]).output().expect("bash runs");
            assert_eq!(String::from_utf8_lossy(&out.stdout), word, "{}", quoted(word));
            assert!(!quoted(word).chars().any(is_unsafe), "{}", quoted(word));
        }
    }
}
