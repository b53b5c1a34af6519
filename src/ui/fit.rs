//! Text in so many cells of a terminal: a Chinese character takes two. What is cut has `…`.

use console::measure_text_width;

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
