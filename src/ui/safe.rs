//! Text of others on a terminal: what would move the cursor, set a title, fill the clipboard or turn the reading order is shown, not done.
//!
//! Commit messages, pod names, logs, file names and server errors all may hold such characters. They are shown as Rust writes them,
//! `\u{1b}`: plain ASCII, so that a log file and a terminal say the same.

use std::borrow::Cow;
use std::fmt::Write;

/// The longest escape sequence that is looked at as one; what is longer is shown as text.
const LONGEST: usize = 4096;

/// True for what never reaches a terminal as it is: C0 but for line ends and tabs, DEL, C1, and the characters that turn the reading order or
/// end a line without a line end (Unicode's `Bidi_Control`, U+2028, U+2029).
pub fn is_unsafe(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// `text` with every unsafe character shown as `\u{..}`. A line end of Windows becomes one of Unix.
pub fn printable(text: &str) -> String {
    let text = if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut out, c));
    out
}

/// One line of text without the colours that it has, and fit to be drawn: blanks for tabs and line ends.
pub(crate) fn plain(text: &str) -> String {
    printable(&console::strip_ansi_codes(text)).replace(['\n', '\t'], " ")
}

fn push(out: &mut String, c: char) {
    if is_unsafe(c) {
        let _ = write!(out, "{}", c.escape_unicode()); // a String takes all
    } else {
        out.push(c);
    }
}

/// Lets a child's text through as it comes, piece by piece: its colours (SGR) may pass, other escape sequences are left out, what is no
/// whole sequence is shown. A lone carriage return, which would write over the line, ends it.
#[derive(Debug, Default)]
pub(super) struct Filter {
    state: State,
    coloured: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    Return,
    /// An escape sequence that has begun, from its ESC on.
    Sequence(String),
}

/// What a sequence that has begun is.
enum Seen {
    /// More has to come.
    Open,
    /// It ends here and is a colour.
    Colour,
    /// It ends here, and does something else.
    Other,
    /// It is none.
    None,
}

impl Filter {
    /// Passes a piece on to `out`; what may go on in the next piece is kept.
    pub(super) fn pass(&mut self, piece: &str, out: &mut String) {
        for c in piece.chars() {
            self.step(c, out);
        }
    }

    /// Nothing comes any more. Colours end here too.
    pub(super) fn end(&mut self, out: &mut String) {
        match std::mem::take(&mut self.state) {
            State::Sequence(begun) => begun.chars().for_each(|c| push(out, c)),
            State::Return => out.push('\n'),
            State::Text => {}
        }
        if std::mem::take(&mut self.coloured) {
            out.push_str("\x1b[0m");
        }
    }

    fn step(&mut self, c: char, out: &mut String) {
        match std::mem::take(&mut self.state) {
            State::Return if c == '\r' => self.state = State::Return,
            State::Return => {
                out.push('\n');
                if c != '\n' {
                    self.step(c, out);
                }
            }
            State::Text => match c {
                '\x1b' => self.state = State::Sequence(c.to_string()),
                '\r' => self.state = State::Return,
                c => push(out, c),
            },
            State::Sequence(mut begun) => {
                begun.push(c);
                match seen(&begun) {
                    Seen::Open if begun.len() < LONGEST => self.state = State::Sequence(begun),
                    Seen::Colour => {
                        self.coloured = !matches!(begun.as_str(), "\x1b[m" | "\x1b[0m");
                        out.push_str(&begun);
                    }
                    Seen::Other => {}
                    Seen::Open | Seen::None => {
                        begun.pop();
                        begun.chars().for_each(|c| push(out, c));
                        self.step(c, out);
                    }
                }
            }
        }
    }
}

/// The sequences of ECMA-48: CSI, and the strings (OSC, DCS, SOS, PM, APC), which end with BEL or ST. A string over several lines is none.
fn seen(begun: &str) -> Seen {
    let rest = &begun[1..];
    let Some(last) = rest.chars().next_back() else { return Seen::Open };
    match rest.as_bytes()[0] {
        b'[' | b'(' | b')' if rest.len() == 1 => Seen::Open,
        b'[' => match last {
            'm' if rest[1..rest.len() - 1].bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':')) => Seen::Colour,
            '\x40'..='\x7e' => Seen::Other,
            '\x20'..='\x3f' => Seen::Open,
            _ => Seen::None,
        },
        b']' | b'P' | b'X' | b'^' | b'_' => match last {
            '\x07' => Seen::Other,
            '\\' if rest.ends_with("\x1b\\") => Seen::Other,
            '\n' => Seen::None,
            _ => Seen::Open,
        },
        // Sets of characters (what `tput sgr0` prints), and what is two characters long.
        b'(' | b')' | b'7' | b'8' | b'c' | b'=' | b'>' | b'D' | b'E' | b'H' | b'M' => Seen::Other,
        _ => Seen::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_are_shown() {
        let text = "a\u{1b}]0;t\u{7}b\u{9b}2J\u{202e}c\u{2066}d\u{200f}e\u{61c}f\u{2028}g\u{7f}\th\ni\r\nj\rk";
        let shown = "a\\u{1b}]0;t\\u{7}b\\u{9b}2J\\u{202e}c\\u{2066}d\\u{200f}e\\u{61c}f\\u{2028}g\\u{7f}\th\ni\nj\\u{d}k";
        assert_eq!(printable(text), shown);
        assert_eq!(printable("简体中文 é 👩\u{200d}🚀"), "简体中文 é 👩\u{200d}🚀"); // a joiner is part of an emoji
    }

    fn filtered(pieces: &[&str]) -> String {
        let (mut filter, mut out) = (Filter::default(), String::new());
        pieces.iter().for_each(|piece| filter.pass(piece, &mut out));
        filter.end(&mut out);
        out
    }

    #[test]
    fn colours_pass_and_nothing_else() {
        for (from, to) in [
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1b[38;5;8mgrey", "\x1b[38;5;8mgrey\x1b[0m"), // and they end with the text
            ("\x1b[01;31m\x1b[Kerror\x1b[m\x1b[K", "\x1b[01;31merror\x1b[m"), // as gcc and grep write it
            ("\x1b[2J\x1b[H\x1b[?25lx", "x"),
            ("\x1b]0;title\x07x\x1b]52;c;cm0gLXJm\x1b\\y", "xy"),
            ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
            ("\x1bP+q544e\x1b\\x\x1b_y\x1b\\\x1bcz", "xz"),
            ("\x1b]0;never ended\nx", "\\u{1b}]0;never ended\nx"),
            ("\x1b[>4;2mx", "x"), // xterm's keys, no colour
            ("a\x1b", "a\\u{1b}"),
            ("\x1bé", "\\u{1b}é"),
            ("\x1b\x1b[31mx", "\\u{1b}\x1b[31mx\x1b[0m"),
            ("\u{9b}2J\u{202e}\x08\x00", "\\u{9b}2J\\u{202e}\\u{8}\\u{0}"),
            ("10%\r20%\r\nok\r", "10%\n20%\nok\n"),
            ("section_start:1:x\r\x1b[0Kevil", "section_start:1:x\nevil"),
        ] {
            assert_eq!(filtered(&[from]), to, "{from:?}");
            let single: Vec<String> = from.chars().map(String::from).collect();
            assert_eq!(filtered(&single.iter().map(String::as_str).collect::<Vec<_>>()), to, "{from:?}, a character at a time");
        }
        let endless = format!("\x1b]{}", "x".repeat(3 * LONGEST));
        assert_eq!(filtered(&[&endless]), endless.replace('\x1b', "\\u{1b}"));
    }
}
