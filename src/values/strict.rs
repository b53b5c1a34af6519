//! What helm's reader takes of a text, where it is stricter than the parser that lain uses, or reads it otherwise.
//!
//! helm reads YAML 1.1 with a port of libyaml; the parser here reads YAML 1.2. Where the two part, the text is refused with its
//! place, never read differently. The table of `docs/values.md` lists these refusals; `tests/values_like_helm` runs them.

use std::rc::Rc;

use super::node::Source;
use crate::error::Result;

/// Refuses characters and directives that helm does not take, or takes otherwise.
///
/// # Errors
/// The place of the first such character or directive.
pub(crate) fn check(source: &Rc<Source>) -> Result<()> {
    if let Some((at, c)) = source.text.char_indices().find(|(_, c)| !is_plain(*c)) {
        let before = &source.text[..at];
        let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let span = source.span(line, source.text[line_start..at].chars().count() + 1, 1);
        let code = u32::from(c);
        return Err(match c {
            '\u{85}' | '\u{2028}' | '\u{2029}' => span
                .error(format!("U+{code:04X} ends a line for helm, but not for other readers of YAML"))
                .hint(format!("remove it, or write it as \\u{code:04x} between double quotes")),
            '\u{feff}' => span
                .error("a byte order mark inside the text; only the first of a file is none of its text")
                .hint("remove it (editors hide it: retype the line)"),
            _ => span
                .error(format!("the control character U+{code:04X}; YAML has no place for it"))
                .hint(format!("remove it, or write it as \\x{:02x} between double quotes", code & 0xff)),
        });
    }
    check_directives(source)?;
    check_separators(source)
}

/// The characters that may stand in a YAML text, less the line ends of YAML 1.1 that YAML 1.2 dropped.
fn is_plain(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// Directives stand before the first document alone; helm 4 reads no file that has one.
fn check_directives(source: &Rc<Source>) -> Result<()> {
    for (index, line) in source.text.lines().enumerate() {
        if line.starts_with('%') {
            let span = source.span(index + 1, 1, line.trim_end().chars().count());
            return Err(span.error("a YAML directive; helm 4 reads no file that has one").hint("remove the line"));
        }
        if !line.starts_with('#') && !line.trim().is_empty() {
            break;
        }
    }
    Ok(())
}

/// helm 4 splits a file at lines that start with `---` before it reads any YAML, and takes nothing but a comment behind.
fn check_separators(source: &Rc<Source>) -> Result<()> {
    if !source.text.contains("---") {
        return Ok(());
    }
    for (index, line) in source.text.lines().enumerate() {
        if let Some(behind) = line.strip_prefix("---").map(str::trim).filter(|behind| !behind.is_empty() && !behind.starts_with('#')) {
            let span = source.span(index + 1, 1, line.trim_end().chars().count());
            return Err(span
                .error(format!("a line that starts with `---` and goes on with `{behind}`: helm 4 takes it for a broken end of a document"))
                .hint("remove the `---`, or quote what starts with it"));
        }
    }
    Ok(())
}

/// Refuses tabs that indent. `inside` tells which lines continue a scalar, where a tab is text.
///
/// # Errors
/// The place of the first tab.
pub(crate) fn check_tabs(source: &Rc<Source>, inside: &[(usize, usize)]) -> Result<()> {
    let mut inside = inside.iter().peekable();
    let mut bytes = 0;
    for number in 1.. {
        if bytes >= source.text.len() {
            break;
        }
        let line = source.line(number);
        // A CR LF counts as two here; the loop only has to end.
        bytes += line.len() + 1;
        while inside.next_if(|(_, last)| *last < number).is_some() {}
        if inside.peek().is_some_and(|(first, _)| *first <= number) {
            continue;
        }
        if let Some(column) = tab_in_indentation(line) {
            return Err(source
                .span(number, column, 1)
                .error("a tab indents this line; YAML is indented with spaces")
                .hint("replace the tab with spaces"));
        }
    }
    Ok(())
}

/// The column of a tab among the blanks, dashes and question marks that a line starts with.
fn tab_in_indentation(line: &str) -> Option<usize> {
    let mut bytes = line.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\t' => return Some(at + 1),
            b' ' => {}
            b'-' | b'?' | b':' if bytes.peek().is_some_and(|(_, next)| matches!(next, b' ' | b'\t')) => {}
            _ => return None,
        }
    }
    None
}

/// A tab where the lines of a block scalar set its indentation: its line and column. `first` is the line of its first word;
/// the lines above it, up to the header, are empty.
pub(crate) fn tab_before_block(source: &Source, first: usize) -> Option<(usize, usize)> {
    let blank = |line: &str| line.bytes().all(|b| matches!(b, b' ' | b'\t'));
    let header = (1..first).rev().find(|number| !blank(source.line(*number))).unwrap_or(0);
    let sign = source.line(header).split(" #").next().and_then(|line| line.split_whitespace().last()).unwrap_or_default();
    if sign.starts_with(['|', '>']) && sign.bytes().any(|b| b.is_ascii_digit()) {
        return None; // The header says how deep the text is indented: a tab behind that is text.
    }
    (header + 1..=first).find_map(|number| {
        let line = source.line(number);
        let spaces = line.len() - line.trim_start_matches(' ').len();
        line[spaces..].starts_with('\t').then_some((number, spaces + 1))
    })
}

/// The line of a block scalar's first word, when `text` starts with its header on line `header`.
pub(crate) fn first_line_behind(text: &str, header: usize) -> usize {
    header + text.lines().skip(1).position(|line| !line.trim().is_empty()).map_or(0, |blank| blank + 1)
}

/// What stands before a value: `&anchor` and `!tag`. Returns both, without their signs, and how many bytes they take.
pub(crate) fn properties(text: &str) -> (Option<&str>, Option<&str>, usize) {
    let (mut anchor, mut tag, mut taken) = (None, None, 0);
    loop {
        let rest = &text[taken..];
        let word = &rest[..rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len())];
        match word.as_bytes().first() {
            Some(b'&') if anchor.is_none() => anchor = Some(&word[1..]),
            Some(b'!') if tag.is_none() => tag = Some(word),
            _ => return (anchor, tag, taken),
        }
        taken += word.len();
        loop {
            let rest = &text[taken..];
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            taken += blank;
            match text[taken..].strip_prefix('#') {
                Some(comment) => taken += 1 + comment.find('\n').unwrap_or(comment.len()),
                None => break,
            }
        }
    }
}

/// True for a name that helm takes for an anchor.
pub(crate) fn is_anchor_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// True when a text between double quotes has the escape `\/`, which YAML 1.1 does not know.
pub(crate) fn has_slash_escape(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next() == Some('/') {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_found() {
        assert_eq!(properties("&a !!str x"), (Some("a"), Some("!!str"), 9));
        assert_eq!(properties("!x # c\n  - 1"), (None, Some("!x"), 9));
        assert_eq!(properties("x &a"), (None, None, 0));
        assert_eq!(properties("&a"), (Some("a"), None, 2));
    }

    #[test]
    fn tabs_are_found() {
        assert_eq!(tab_in_indentation("  \ta: 1"), Some(3));
        assert_eq!(tab_in_indentation("  -\ta"), Some(4));
        assert_eq!(tab_in_indentation("  a:\tb"), None);
        let tab = |text: &str, first| tab_before_block(&Source::new("v.yaml", text), first);
        assert_eq!(tab("k: |\n\n  \ta\n", 3), Some((3, 3)));
        assert_eq!(tab("k: |\n\t\n  a\n", 3), Some((2, 1)));
        assert_eq!(tab("k: |2\n  \ta\n", 2), None);
        assert_eq!(tab("k: |\n  a\n  \tb\n", 2), None);
    }
}
