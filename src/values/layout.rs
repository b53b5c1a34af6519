//! Lines inside brackets and quotes may stand anywhere: at their key's column, left of it, behind a tab. helm reads them; the parser here
//! wants them right of their block. They are moved there before it reads them, and every place is told as it was written.
//!
//! Moving is safe where such a line is nothing but inside brackets or quotes, since blanks at its start mean nothing there. This file finds
//! those lines by itself; [`Layout::holds`] compares with what the parser saw.

use std::collections::BTreeMap;

/// A text with lines moved.
pub(super) struct Layout {
    /// The text as the parser reads it; it has as many lines as before.
    pub text: String,
    /// How many blanks were put in front of a line.
    pub pads: BTreeMap<usize, usize>,
    /// Where blanks were put, in bytes of the new text, and how many up to there.
    moved: Vec<(usize, usize)>,
    /// Lines that begin inside brackets or quotes.
    inside: Vec<usize>,
    /// Tabs behind a key that became blanks, in characters of the new text.
    tabs: Vec<usize>,
}

/// Where the parser saw brackets, quotes and scalars.
#[derive(Default)]
pub(super) struct Seen {
    /// First and last line that begin inside brackets or quotes, in the order they end.
    pub lines: Vec<(usize, usize)>,
    /// Start and end of scalars, in characters, in their order.
    pub scalars: Vec<(usize, usize)>,
}

impl Layout {
    /// The text laid out anew, up to what is never closed; none where nothing is to be moved.
    pub(super) fn of(text: &str) -> Option<Self> {
        let mut scan = Scan::new(text);
        scan.block();
        scan.finish()
    }

    /// Where a byte of the new text was written.
    pub(super) fn written(&self, at: usize) -> usize {
        let before = self.moved.partition_point(|(place, _)| *place < at);
        at - before.checked_sub(1).map_or(0, |last| self.moved[last].1)
    }

    /// True when nothing but what the parser saw inside brackets and quotes was moved.
    pub(super) fn holds(&self, seen: &Seen) -> bool {
        let mut ranges = seen.lines.clone();
        ranges.sort_unstable();
        let (mut at, mut reach) = (0, 0);
        let lines = self.inside.iter().all(|line| {
            while let Some((_, last)) = ranges.get(at).filter(|(first, _)| first <= line) {
                reach = reach.max(*last);
                at += 1;
            }
            reach >= *line
        });
        let is_text = |tab: &usize| {
            let before = seen.scalars.partition_point(|(start, _)| start <= tab);
            before > 0 && seen.scalars[before - 1].1 > *tab
        };
        lines && !self.tabs.iter().any(is_text)
    }
}

/// Follows blocks as libyaml does, as far as it takes to know what is inside brackets and quotes.
struct Scan<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// Where it reads, in bytes.
    at: usize,
    line: usize,
    line_start: usize,
    /// The columns of the blocks around.
    indents: Vec<usize>,
    out: String,
    /// How much of the text is in `out`.
    copied: usize,
    pads: BTreeMap<usize, usize>,
    moved: Vec<(usize, usize)>,
    inside: Vec<usize>,
    tabs: Vec<usize>,
}

impl<'t> Scan<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            line: 1,
            line_start: 0,
            indents: Vec::new(),
            out: String::with_capacity(text.len()),
            copied: 0,
            pads: BTreeMap::new(),
            moved: Vec::new(),
            inside: Vec::new(),
            tabs: Vec::new(),
        }
    }

    fn finish(mut self) -> Option<Layout> {
        self.out.push_str(&self.text[self.copied..]);
        if self.out == self.text {
            return None;
        }
        let characters = |at: &usize| if self.out.is_ascii() { *at } else { self.out[..*at].chars().count() };
        let tabs = self.tabs.iter().map(characters).collect();
        Some(Layout { text: self.out, pads: self.pads, moved: self.moved, inside: self.inside, tabs })
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// True when nothing, a blank or a line end stands so many bytes further on.
    fn ends(&self, further: usize) -> bool {
        self.bytes.get(self.at + further).is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
    }

    fn column(&self) -> usize {
        self.at - self.line_start
    }

    fn new_line(&mut self) {
        self.at += if self.bytes[self.at..].starts_with(b"\r\n") { 2 } else { 1 };
        (self.line, self.line_start) = (self.line + 1, self.at);
    }

    fn skip_line(&mut self) {
        while self.byte().is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn is_comment(&self) -> bool {
        self.byte() == Some(b'#') && (self.at == self.line_start || matches!(self.bytes[self.at - 1], b' ' | b'\t'))
    }

    fn is_document_mark(&self) -> bool {
        self.column() == 0 && (self.bytes[self.at..].starts_with(b"---") || self.bytes[self.at..].starts_with(b"...")) && self.ends(3)
    }

    fn roll(&mut self, column: usize) {
        if self.indents.last().is_none_or(|last| *last < column) {
            self.indents.push(column);
        }
    }

    fn block(&mut self) {
        // Whether a token was on this line, and where the one began that may turn out to be a key.
        let (mut fresh, mut start) = (true, None);
        while let Some(byte) = self.byte() {
            match byte {
                b'\n' | b'\r' => {
                    self.new_line();
                    (fresh, start) = (true, None);
                    continue;
                }
                b' ' | b'\t' => {
                    self.at += 1;
                    continue;
                }
                _ if self.is_comment() => {
                    self.skip_line();
                    continue;
                }
                _ => {}
            }
            let column = self.column();
            if std::mem::take(&mut fresh) {
                self.indents.retain(|indent| *indent <= column);
            }
            match byte {
                b'-' | b'.' if self.is_document_mark() => {
                    self.indents.clear();
                    self.at += 3;
                }
                b'-' | b'?' if start.is_none() && self.ends(1) => {
                    self.roll(column);
                    self.at += 1;
                }
                b':' if self.ends(1) => {
                    self.roll(start.unwrap_or(column));
                    self.at += 1;
                    if start.take().is_some() {
                        self.take_tabs();
                    }
                }
                b'|' | b'>' => self.block_text(),
                b'"' | b'\'' | b'[' | b'{' => {
                    start.get_or_insert(column);
                    let line = self.line + 1;
                    let (before, copied) = ((self.out.len(), self.moved.len(), self.inside.len()), self.copied);
                    let closed = if matches!(byte, b'[' | b'{') { self.flow() } else { self.quoted() };
                    if closed.is_none() {
                        // The parser says so, at its place.
                        self.out.truncate(before.0);
                        self.moved.truncate(before.1);
                        self.pads.split_off(&line);
                        self.inside.truncate(before.2);
                        self.copied = copied;
                        return;
                    }
                }
                b'&' | b'*' | b'!' => {
                    start.get_or_insert(column);
                    while !self.ends(0) {
                        self.at += 1;
                    }
                }
                _ => {
                    start.get_or_insert(column);
                    self.plain();
                }
            }
        }
    }

    /// Tabs between a key's colon and its value become blanks.
    fn take_tabs(&mut self) {
        while let Some(byte @ (b' ' | b'\t')) = self.byte() {
            if byte == b'\t' {
                self.out.push_str(&self.text[self.copied..self.at]);
                self.tabs.push(self.out.len());
                self.out.push(' ');
                self.copied = self.at + 1;
            }
            self.at += 1;
        }
    }

    /// A plain text, to the line on which it ends: `: ` and ` #` end it, and a line that stands no deeper than its block.
    fn plain(&mut self) {
        loop {
            while let Some(byte) = self.byte() {
                if matches!(byte, b'\n' | b'\r') || (byte == b':' && self.ends(1)) || self.is_comment() {
                    break;
                }
                self.at += 1;
            }
            let here = (self.at, self.line, self.line_start);
            while matches!(self.byte(), Some(b'\n' | b'\r')) {
                self.new_line();
                while matches!(self.byte(), Some(b' ' | b'\t')) {
                    self.at += 1;
                }
            }
            let deeper = self.indents.last().is_none_or(|indent| self.column() > *indent);
            if self.at == here.0 || self.byte().is_none() || !deeper || self.is_comment() || self.is_document_mark() {
                (self.at, self.line, self.line_start) = here;
                return;
            }
        }
    }

    /// `|` or `>`, and the lines below it that belong to it.
    fn block_text(&mut self) {
        let header = self.at;
        self.skip_line();
        let depth = self.bytes[header + 1..self.at].iter().take(2).find(|byte| byte.is_ascii_digit());
        let around = self.indents.last().copied();
        let mut indent = depth.map(|digit| around.unwrap_or(0) + usize::from(digit - b'0'));
        let mut deepest = around.map_or(1, |around| around + 1);
        while self.byte().is_some() {
            let before = (self.at, self.line, self.line_start);
            self.new_line();
            while self.byte() == Some(b' ') && indent.is_none_or(|indent| self.column() < indent) {
                self.at += 1;
            }
            deepest = deepest.max(self.column());
            if matches!(self.byte(), Some(b'\n' | b'\r')) {
                continue;
            }
            if self.column() < *indent.get_or_insert(deepest) {
                (self.at, self.line, self.line_start) = before;
                return;
            }
            self.skip_line();
        }
    }

    /// A text between quotes, the closing one included.
    fn quoted(&mut self) -> Option<()> {
        let quote = self.byte()?;
        self.at += 1;
        loop {
            match self.byte()? {
                b'\n' | b'\r' => drop(self.new_line_inside()),
                b'\\' if quote == b'"' && !matches!(self.bytes.get(self.at + 1), Some(b'\n' | b'\r')) => self.at += 2,
                byte if byte == quote && quote == b'\'' && self.bytes.get(self.at + 1) == Some(&quote) => self.at += 2,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return Some(());
                    }
                }
            }
        }
    }

    /// A list or map in brackets, the closing one included.
    fn flow(&mut self) -> Option<()> {
        let mut open = Vec::new();
        // Quotes inside a plain text are text.
        let (mut plain, mut quoted) = (false, false);
        loop {
            let byte = self.byte()?;
            let was_quoted = std::mem::take(&mut quoted);
            match byte {
                b'\n' | b'\r' => {
                    let moved = self.new_line_inside();
                    if plain && moved.is_some_and(|tab| self.indents.last().is_some_and(|indent| tab <= *indent)) {
                        return None; // helm refuses such a tab behind a plain text.
                    }
                    continue;
                }
                _ if self.is_comment() => {
                    self.skip_line();
                    plain = false;
                    continue;
                }
                b'"' | b'\'' if !plain => {
                    self.quoted()?;
                    quoted = true;
                    continue;
                }
                b'[' | b'{' => {
                    open.push(byte + 2); // In ASCII the closing one stands two further on.
                    plain = false;
                }
                b']' | b'}' => {
                    open.pop().filter(|closing| *closing == byte)?;
                    (plain, quoted) = (false, true);
                    if open.is_empty() {
                        self.at += 1;
                        return Some(());
                    }
                }
                b',' => plain = false,
                b':' if was_quoted || self.ends(1) || matches!(self.bytes.get(self.at + 1), Some(b',' | b'[' | b']' | b'{' | b'}')) => {
                    plain = false;
                }
                b'&' | b'*' | b'!' if !plain => {
                    while !self.ends(1) && !matches!(self.bytes[self.at + 1], b',' | b'[' | b']' | b'{' | b'}') {
                        self.at += 1;
                    }
                }
                b' ' | b'\t' => quoted = was_quoted,
                b'?' if !plain && self.ends(1) => {}
                _ => plain = true,
            }
            self.at += 1;
        }
    }

    /// A line that begins inside brackets or quotes is moved right of its block; tabs in front of it become blanks. The column of the first tab.
    fn new_line_inside(&mut self) -> Option<usize> {
        self.new_line();
        if self.is_document_mark() {
            return None; // It ends the document, here too.
        }
        let start = self.at;
        while matches!(self.byte(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let (width, wanted) = (self.at - start, self.indents.last().map_or(1, |indent| indent + 2));
        let blank = matches!(self.byte(), None | Some(b'\n' | b'\r'));
        let pad = if blank { 0 } else { wanted.saturating_sub(width) };
        let tab = self.bytes[start..self.at].iter().position(|byte| *byte == b'\t');
        if pad > 0 || tab.is_some() {
            self.out.push_str(&self.text[self.copied..start]);
            let all = self.moved.last().map_or(0, |(_, all)| *all) + pad;
            self.moved.push((self.out.len(), all));
            self.out.extend(std::iter::repeat_n(' ', pad + width));
            self.copied = self.at;
            self.inside.push(self.line);
        }
        if pad > 0 {
            self.pads.insert(self.line, pad);
        }
        tab
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn laid(text: &str, expected: Option<&str>) {
        assert_eq!(Layout::of(text).map(|layout| layout.text).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn lines_inside_are_moved() {
        laid("a:\n  b: [\n  1,\n2\n]\nc: 'x\ny'\n", Some("a:\n  b: [\n    1,\n    2\n    ]\nc: 'x\n  y'\n"));
        laid("- {a: 1,\n\tb: \"x\n\n  y\"}\n", Some("- {a: 1,\n  b: \"x\n\n  y\"}\n"));
        laid("a:\t1\n", Some("a: 1\n"));
        laid("a: [\nb]\nc: [\nd: 1\n", Some("a: [\n  b]\nc: [\nd: 1\n"));
    }

    #[test]
    fn blocks_and_what_only_looks_open_stay() {
        for text in [
            "a: |\n  [\n  \"\nb: 1\n",
            "a: it's\nb: x [y\nc: 1 # '\nd: \"#\"\n",
            "a: x\n  [y\nb: z\n",
            "- |\n  {\n- >2\n     '\n",
            "a: [it's, 'it''s', \"\\\"\"] # [\nb: 1\n",
            "a: |\n\n\n",
            "a: [\n",
            "a: [}\n]\n",
            "a: 'x\n---\n    y'\n",
            "a: [\nb }\n",
        ] {
            laid(text, None);
        }
    }

    #[test]
    fn places_are_told_as_written() {
        let written = "a: [\nb,\n中\n]\nc: 1\n";
        let layout = Layout::of(written).expect("is moved");
        for part in ["a: [", "b,", "中", "]", "c: 1"] {
            let at = layout.text.find(part).expect("still there");
            assert_eq!(layout.written(at), written.find(part).expect("there"), "{part}");
        }
    }

    #[test]
    fn what_the_parser_saw_otherwise_does_not_hold() {
        let layout = Layout::of("a: [\nx\n]\nb:\t1\n").expect("is moved");
        let seen = |lines: &[(usize, usize)], scalars: &[(usize, usize)]| Seen { lines: lines.to_vec(), scalars: scalars.to_vec() };
        assert!(layout.holds(&seen(&[(2, 3)], &[(0, 1), (7, 8), (13, 14)])));
        assert!(!layout.holds(&seen(&[(2, 2)], &[])));
        assert!(!layout.holds(&seen(&[(2, 3)], &[(10, 20)])));
    }
}
