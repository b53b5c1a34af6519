//! Text in so many cells of a terminal: a Chinese character takes two. What is cut has `…`.

use console::measure_text_width;

use super::label::is_ours;

/// `text` in at most so many cells, its end cut off.
pub(crate) fn cut(text: &str, cells: usize) -> String {
    if measure_text_width(text) <= cells {
        return text.to_owned();
    }
    let mut out = head(text, cells.saturating_sub(1)).to_owned();
    if cells > 0 {
        out.push('…');
    }
    out
}

/// `text` in at most so many cells, cut in its middle: names differ at their ends.
pub(crate) fn shorten(text: &str, cells: usize) -> String {
    if measure_text_width(text) <= cells || cells < 3 {
        return cut(text, cells);
    }
    let tail = (cells - 1) / 2 + (cells - 1) % 2;
    let mut at = text.len();
    for (index, _) in text.char_indices().rev() {
        if measure_text_width(&text[index..]) > tail {
            break;
        }
        at = index;
    }
    format!("{}…{}", head(text, cells - 1 - measure_text_width(&text[at..])), &text[at..])
}

/// `text` in lines of at most so many cells, broken at blanks where there are some.
pub(crate) fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(2);
    let mut lines = vec![];
    let mut line = String::new();
    for word in text.split(' ') {
        let used = measure_text_width(&line);
        let blank = usize::from(!line.is_empty());
        if used + blank + measure_text_width(word) <= cells {
            line.extend(std::iter::repeat_n(' ', blank));
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        let mut rest = word;
        while measure_text_width(rest) > cells {
            let part = head(rest, cells);
            lines.push(part.to_owned());
            rest = &rest[part.len()..];
        }
        rest.clone_into(&mut line);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// `text` with its long lines broken at blanks, `used` cells of the first being taken. A word, and what stands between backticks, stays whole however long it
/// is: it may be copied.
pub(super) fn fold(text: &str, cells: usize, used: usize) -> String {
    let mut out = String::new();
    for (number, line) in text.split('\n').enumerate() {
        out += if number > 0 { "\n" } else { "" };
        let mut at = if number > 0 { 0 } else { used };
        if at + measure_text_width(line) <= cells {
            out += line;
            continue;
        }
        for (place, word) in words(line).into_iter().enumerate() {
            let width = measure_text_width(word);
            if at > 0 && at + 1 + width > cells && place > 0 && !is_ours(word) {
                out.push('\n');
                at = width;
            } else {
                out += if place > 0 { " " } else { "" };
                at += width + usize::from(place > 0);
            }
            out += word;
        }
    }
    out
}

/// A line in parts that stay whole.
fn words(line: &str) -> Vec<&str> {
    let (mut found, mut start) = (vec![], 0);
    for (at, _) in line.match_indices(' ') {
        let is_quoted = line[start..at].matches('`').count() % 2 == 1 && line[at..].contains('`');
        if !is_quoted {
            found.push(&line[start..at]);
            start = at + 1;
        }
    }
    found.push(&line[start..]);
    found
}

/// The beginning of `text` that takes at most so many cells.
fn head(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += measure_text_width(c.encode_utf8(&mut [0; 4]));
        if used > cells {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_blanks_alone() {
        assert_eq!(fold("one two three", 9, 0), "one two\nthree");
        assert_eq!(fold("one two three", 9, 3), "one\ntwo three");
        assert_eq!(fold("a\n  in by two words", 9, 9), "a\n  in by\ntwo words");
        assert_eq!(fold("see /a/path/that/is/long now", 9, 0), "see\n/a/path/that/is/long\nnow");
        assert_eq!(fold("type `lain deploy -f x` now", 9, 0), "type\n`lain deploy -f x`\nnow");
        assert_eq!(fold("it's `one two", 9, 0), "it's `one\ntwo");
        assert_eq!(fold("it said next: x", 9, 0), "it said next:\nx", "only lain says what is next");
        assert_eq!((fold("", 9, 0), fold("数据库 连接", 8, 0)), (String::new(), "数据库\n连接".to_owned()));
    }

    #[test]
    fn nothing_is_wider_than_it_may_be() {
        assert_eq!(
            (cut("shop-web", 8), cut("shop-web", 5), cut("数据库", 5), cut("数据库", 4)),
            ("shop-web".into(), "shop…".into(), "数据…".into(), "数…".into())
        );
        assert_eq!(shorten("shop-web-5c9f7d-x2x9z", 11), "shop-…x2x9z");
        assert_eq!((shorten("数据库-web-x2", 8), shorten("abc", 2), shorten("", 0)), ("数…b-x2".into(), "a…".into(), String::new()));
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("数据库连接失败 ok", 6), ["数据库", "连接失", "败 ok"]);
        assert_eq!(wrap("", 6), [""]);
        for text in ["shop-web-5c9f7d-x2x9z", "数据库-连接-失败", "a b c d e f g", "👩‍👩‍👧 family name"] {
            for cells in 0..30 {
                assert!(measure_text_width(&cut(text, cells)) <= cells, "cut {text} {cells}");
                assert!(measure_text_width(&shorten(text, cells)) <= cells, "shorten {text} {cells}: {}", shorten(text, cells));
                assert!(wrap(text, cells).iter().all(|line| measure_text_width(line) <= cells.max(2)), "wrap {text} {cells}");
            }
        }
    }
}
