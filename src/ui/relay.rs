//! A child's words on their way to stderr, as they come.

use super::hidden::Pieces;
use super::safe::Filter;
use super::{Ui, Verbosity};

/// How much of the end is kept for an error.
const TAIL_BYTES: usize = 4096;

/// Copies a child's words piece by piece. A secret is hidden wherever it is cut: what may be its beginning waits for the next piece, and
/// nothing else waits, so that a prompt or a `Step 1/3...` shows at once. What is no UTF-8 is shown as `�`.
#[derive(Debug)]
pub struct Relay<'a> {
    ui: &'a Ui,
    /// The beginning of a character.
    bytes: Vec<u8>,
    filter: Filter,
    pieces: Pieces,
    tail: String,
}

impl<'a> Relay<'a> {
    pub(super) fn new(ui: &'a Ui) -> Self {
        Self { ui, bytes: vec![], filter: Filter::default(), pieces: Pieces::default(), tail: String::new() }
    }

    /// The next piece.
    pub fn write(&mut self, piece: &[u8]) {
        let mut text = String::new();
        decode(&mut self.bytes, piece, |part| self.filter.pass(part, &mut text));
        let told = self.pieces.take(&text, &self.ui.hidden());
        self.print(&told);
    }

    /// Nothing comes any more. Returns the end of what was told.
    pub fn finish(mut self) -> String {
        let mut text = String::new();
        let rest = std::mem::take(&mut self.bytes);
        self.filter.pass(&String::from_utf8_lossy(&rest), &mut text);
        self.filter.end(&mut text);
        let hidden = self.ui.hidden();
        let told = self.pieces.take(&text, &hidden) + &self.pieces.end(&hidden);
        drop(hidden);
        self.print(&told);
        self.tail
    }

    fn print(&mut self, told: &str) {
        if told.is_empty() {
            return;
        }
        if self.ui.verbosity > Verbosity::Silent {
            self.ui.write(told);
        }
        self.tail.push_str(told);
        if self.tail.len() > 2 * TAIL_BYTES {
            let from = (self.tail.len() - TAIL_BYTES..self.tail.len()).find(|at| self.tail.is_char_boundary(*at));
            self.tail.drain(..from.unwrap_or(0));
        }
    }
}

/// A child's result on a terminal: its colours pass, nothing else that moves or sets something. Its secrets are its own.
#[derive(Debug, Default)]
pub struct Shown {
    bytes: Vec<u8>,
    filter: Filter,
}

impl Shown {
    /// What of the next piece can be shown.
    pub fn take(&mut self, piece: &[u8]) -> String {
        let mut text = String::new();
        decode(&mut self.bytes, piece, |part| self.filter.pass(part, &mut text));
        text
    }

    /// Nothing comes any more.
    pub fn end(&mut self) -> String {
        let mut text = String::new();
        let rest = std::mem::take(&mut self.bytes);
        self.filter.pass(&String::from_utf8_lossy(&rest), &mut text);
        self.filter.end(&mut text);
        text
    }
}

/// Reads UTF-8 that may be cut anywhere; `rest` keeps the beginning of a character.
fn decode(rest: &mut Vec<u8>, piece: &[u8], mut to: impl FnMut(&str)) {
    rest.extend_from_slice(piece);
    let mut left = rest.as_slice();
    loop {
        match std::str::from_utf8(left) {
            Ok(text) => {
                to(text);
                left = &[];
                break;
            }
            Err(error) => {
                let (good, bad) = left.split_at(error.valid_up_to());
                to(&String::from_utf8_lossy(good));
                let Some(length) = error.error_len() else {
                    left = bad;
                    break;
                };
                to("\u{fffd}");
                left = &bad[length..];
            }
        }
    }
    let left = left.to_vec();
    *rest = left;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_may_be_cut_and_broken() {
        let bytes = "前\u{fffd}é".as_bytes();
        for size in 1..bytes.len() {
            let mut shown = Shown::default();
            let text: String = bytes.chunks(size).map(|piece| shown.take(piece)).collect();
            assert_eq!(text + &shown.end(), "前\u{fffd}é", "by {size}");
        }
        let mut shown = Shown::default();
        assert_eq!(shown.take(b"a\xff\xfeb\xe5") + &shown.end(), "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn the_tail_is_clean_and_cut_at_a_character() {
        let ui = Ui::new(super::super::Color::Never, false, false, None, Verbosity::Silent, super::super::Format::Text);
        ui.hide("hunter2!");
        let mut relay = ui.relay();
        (0..5000).for_each(|_| relay.write("密码 hunt".as_bytes()));
        relay.write(b"er2!\x1b]0;x");
        relay.write(b"\x07.");
        let tail = relay.finish();
        assert!(tail.len() <= 2 * TAIL_BYTES && tail.ends_with("密码 ***."), "{tail}");
    }
}
