//! Which bracket or quote was never closed: a parser notices that later, often a line below.

use std::rc::Rc;

use saphyr_parser::{Marker, ScanError};

use super::node::{Source, Span};
use crate::error::Error;

/// The parser's words for what it finds where a closing bracket is missing. The same words may be about a missing comma.
const MISSING: [&str; 6] = [
    "illegal placement of ':' indicator",
    "while parsing a flow sequence",
    "while parsing a flow mapping",
    "invalid indentation in flow construct",
    "did not find expected node content",
    "block sequence entries are not allowed",
];

/// A sign that opens something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// Where it stands, in characters.
    pub at: usize,
    /// `[`, `{`, `"` or `'`.
    pub sign: char,
}

/// The error at the place where something was opened that the parser missed the end of; none when that is not what it is about. `open` are the
/// brackets that were open behind the last value, which ended at character `last`.
pub(super) fn explain(source: &Rc<Source>, error: &ScanError, open: &[Opening], last: usize) -> Option<Error> {
    let (info, noticed) = (error.info(), *error.marker());
    let (opening, at) = if info.contains("quoted scalar") && !info.contains("trailing content") {
        // These point to the quote.
        let sign = source.text.chars().nth(noticed.index()).filter(|sign| matches!(sign, '"' | '\''))?;
        if info.contains("escape") || is_ended(&source.text, noticed.index(), sign) {
            return None; // It is closed; what is wrong is something else.
        }
        (Opening { at: noticed.index(), sign }, where_a_text_ends(source, noticed, info))
    } else {
        let scan = Scan::new(open).read(&source.text, last, noticed.index());
        if info.contains("trailing content") {
            (scan.text?, Some(noticed.line()))
        } else {
            let opening = *scan.open.last().filter(|_| MISSING.iter().any(|words| info.contains(words)))?;
            (opening, Some(noticed.line()))
        }
    };
    let place = place(source, opening.at);
    let is_end = source.text.chars().skip(noticed.index()).all(char::is_whitespace);
    if at == Some(place.line) || (matches!(opening.sign, '[' | '{') && !is_end && is_closed(source, &place, opening, &noticed)) {
        return None;
    }
    let noticed = match at {
        _ if is_end => "at the end of the file".to_owned(),
        None => "at the end of the file".to_owned(),
        Some(line) if line == noticed.line() => {
            format!("on line {line}, column {}: {info}", source.span(line, noticed.col() + 1, 1).column)
        }
        Some(line) => format!("on line {line}"),
    };
    let (what, hint) = match opening.sign {
        '[' => ("`[`", "write the `]` where the list ends"),
        '{' => ("`{`", "write the `}` where the map ends"),
        '"' => ("double quote", "write the closing quote; text that goes on below is indented deeper than its key"),
        _ => (
            "single quote",
            "write the closing quote (an apostrophe in such a text is written twice); text that goes on below is indented deeper than its key",
        ),
    };
    Some(place.error(format!("not valid YAML: the {what} that opens here is not closed; noticed {noticed}")).hint(hint))
}

/// The line that ends a text whose closing quote is missing; none for the end of the file.
fn where_a_text_ends(source: &Source, start: Marker, info: &str) -> Option<usize> {
    let below = source.text.lines().enumerate().skip(start.line()).filter(|(_, line)| !line.trim().is_empty());
    let mut below = below.filter(|(_, line)| !info.contains("document indicator") || line.starts_with("---") || line.starts_with("..."));
    if info.contains("end of stream") { None } else { below.next().map(|(index, _)| index + 1) }
}

/// True when the quote has its other half further on, with nothing behind it that it would have torn in two.
fn is_ended(text: &str, at: usize, sign: char) -> bool {
    let mut chars = text.chars().skip(at + 1).peekable();
    while let Some(c) = chars.next() {
        if sign == '"' && c == '\\' {
            chars.next();
        } else if c == sign && (sign == '"' || chars.next_if_eq(&sign).is_none()) {
            let behind = chars.find(|c| !matches!(c, ' ' | '\t'));
            return behind.is_none_or(|c| matches!(c, '\n' | '\r' | '#' | ',' | ']' | '}' | ':'));
        }
    }
    false
}

/// True when the bracket is closed further on, before a line that stands as far left as the one that opens it.
fn is_closed(source: &Source, place: &Span, opening: Opening, noticed: &Marker) -> bool {
    let indent = |number: usize| source.line(number).len() - source.line(number).trim_start_matches(' ').len();
    if noticed.line() > place.line && indent(noticed.line()) <= indent(place.line) {
        return false;
    }
    !Scan::new(&[]).read(&source.text, opening.at, usize::MAX).open.contains(&opening)
}

fn place(source: &Rc<Source>, at: usize) -> Span {
    let (mut line, mut column) = (1, 1);
    let mut before = source.text.chars().take(at).peekable();
    while let Some(c) = before.next() {
        if c == '\n' || (c == '\r' && before.peek() != Some(&'\n')) {
            (line, column) = (line + 1, 1);
        } else {
            column += 1;
        }
    }
    source.span(line, column, 1)
}

/// What is open at some place. Values that the parser told of are behind it, so this reads little.
struct Scan {
    open: Vec<Opening>,
    /// The last text between quotes.
    text: Option<Opening>,
}

impl Scan {
    fn new(open: &[Opening]) -> Self {
        Self { open: open.to_vec(), text: None }
    }

    fn read(mut self, text: &str, from: usize, to: usize) -> Self {
        let mut chars = text.chars().enumerate().skip(from).take_while(|(at, _)| *at < to).peekable();
        // Inside a plain text, quotes are text; between brackets it ends at these.
        let (mut plain, mut before) = (false, ' ');
        while let Some((at, c)) = chars.next() {
            let next = chars.peek().map_or(' ', |(_, next)| *next);
            match c {
                '#' if before.is_whitespace() => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
                '\n' if self.open.is_empty() => plain = false,
                '[' | '{' if !plain || !self.open.is_empty() => {
                    self.open.push(Opening { at, sign: c });
                    plain = false;
                }
                ']' | '}' if !self.open.is_empty() => {
                    self.open.pop();
                    plain = false;
                }
                ',' if !self.open.is_empty() => plain = false,
                ':' if next.is_whitespace() || matches!(before, '"' | '\'') => plain = false,
                '-' | '?' if !plain && next.is_whitespace() => {}
                '&' | '!' | '*' if !plain => while chars.next_if(|(_, c)| !c.is_whitespace() && !matches!(c, ',' | ']' | '}')).is_some() {},
                '"' | '\'' if !plain => {
                    self.text = Some(Opening { at, sign: c });
                    while let Some((_, inside)) = chars.next() {
                        let twice = c == '\'' && inside == c && chars.next_if(|(_, next)| *next == c).is_some();
                        if c == '"' && inside == '\\' {
                            chars.next();
                        } else if inside == c && !twice {
                            break;
                        }
                    }
                }
                c if c.is_whitespace() => {}
                _ => plain = true,
            }
            before = c;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use std::path::Path;

    fn error(text: &str) -> String {
        parse(Path::new("v.yaml"), text.to_owned()).expect_err("is refused").to_string().replace("v.yaml:", "")
    }

    /// Where it was opened, and where that was noticed.
    #[track_caller]
    fn opened(text: &str, place: &str, what: &str, noticed: &str) {
        let error = error(text);
        let expected = format!("{place}: not valid YAML: the {what} that opens here is not closed; noticed {noticed}");
        assert!(error.starts_with(&expected), "{text:?}\n{error}\n{expected}");
    }

    #[test]
    fn brackets_are_named_where_they_open() {
        opened("a: [1, b\nnext: x\n", "1:4", "`[`", "on line 2, column 5: ");
        opened("a: [1, 2\nb: [3]\nc: 1\n", "1:4", "`[`", "on line 2, column 2: ");
        opened("a: [1\n", "1:4", "`[`", "at the end of the file");
        opened("a: [", "1:4", "`[`", "at the end of the file");
        opened("a: {\n\n", "1:4", "`{`", "at the end of the file");
        opened("e: {a: 1, b: 2\nc: 3\n", "1:4", "`{`", "on line 2, column 2: ");
        opened("e: {a: 1, b: [2\nc: 3}\n", "1:14", "`[`", "on line 2, column 2: ");
        opened("a: [x: {y\nb: 1\n", "1:8", "`{`", "at the end of the file");
        opened("a: {x: 1\n\n# c ]}\n\nb: 2\n", "1:4", "`{`", "on line 5, column 1: ");
        opened("l:\n- [a, b\n- c\n", "2:3", "`[`", "at the end of the file");
        opened("d:\n  w:\n    c: &x [it's, \"]\", 'it''s]' # ]\n    e: {}\n", "3:11", "`[`", "on line 4, column 5: ");
        opened("前: [\n  '\u{1f680}',\n  y\nb: 1\n", "1:4", "`[`", "on line 4, column 2: ");
        opened("a: [\nx\n]\nb: [1\nc: 2\n", "4:4", "`[`", "on line 5, column 2: ");
        opened("a: [[1], [2], {x: [3]}\r\nb: 1\r\n", "1:4", "`[`", "on line 2, column 1: ");
    }

    #[test]
    fn quotes_are_named_where_they_open() {
        opened("e:\n  A: \"1\n  B: 2\n", "2:6", "double quote", "on line 3");
        opened("e:\n  A: '1\n\n  B: '2'\n", "2:6", "single quote", "on line 4");
        opened("c: [a, \"b]\nd: 1\n", "1:8", "double quote", "at the end of the file");
        opened("\"a: 1\nb: 2\n", "1:1", "double quote", "at the end of the file");
        opened("a: {x: \"1, y: 2}\nb: \"3\"\n", "1:8", "double quote", "on line 2, column 5: ");
        opened("a: [x, 'y]\n---\n", "1:8", "single quote", "on line 2");
    }

    #[test]
    fn what_is_closed_is_not_blamed() {
        for (text, place) in [
            ("a: [\n  x: 1\n  y: 2\n]\n", "3:4: not valid YAML: while parsing"),
            ("a: {\n  x: 1\n  y: 2\n  }\n", "3:"),
            ("a: [1, 2}\n", "1:9: not valid YAML: while parsing a flow sequence"),
            ("a: [1, 2]]\n", "1:10: not valid YAML: misplaced bracket"),
            ("a: [\"1, \"2\"]\n", "1:10: not valid YAML: invalid trailing content"),
            ("a: \"x\" y\nb: 1\n", "1:8: not valid YAML: invalid trailing content"),
            ("a: b: c\n", "1:5: not valid YAML: mapping values"),
            ("a: \"it\\'s\"\n", "1:4: not valid YAML: while parsing a quoted scalar, found unknown escape character"),
            ("a: \"x\ny\" # c\nb: [1, 2}\n", "3:9: not valid YAML: while parsing a flow sequence"),
            ("a: [\n1, 2\n]\nb: 1\n c: 2\n", "5:3: not valid YAML: mapping values"),
        ] {
            let error = error(text);
            assert!(error.starts_with(place) && !error.contains("not closed"), "{text:?}: {error}");
        }
    }
}
