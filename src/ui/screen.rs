//! The terminal that spinners and boards are drawn on, also while its size changes.

use std::io;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use console::{Term, measure_text_width};
use indicatif::{ProgressDrawTarget, TermLike};

/// Redraws a second, at most.
const RATE: u8 = 15;

/// stderr. Each draw begins by going back to the first row of the one before; after a change of width that is elsewhere, as terminals flow what is on them
/// anew: rows that were full to the edge are one paragraph.
#[derive(Debug)]
struct Screen {
    term: Term,
    /// The width of the last draw.
    width: AtomicU16,
    /// What the last draw filled.
    cells: AtomicUsize,
    /// Blanks up to the edge that were not written yet: behind the last row none are, so that the `^C` of a terminal stands there and begins no other row.
    blanks: AtomicUsize,
}

/// stderr, for what is drawn in place.
pub(super) fn target() -> ProgressDrawTarget {
    let screen =
        Screen { term: Term::buffered_stderr(), width: AtomicU16::new(0), cells: AtomicUsize::new(0), blanks: AtomicUsize::new(0) };
    ProgressDrawTarget::term_like_with_hz(Box::new(screen), RATE)
}

impl Screen {
    /// Takes away what was drawn at another width, and makes room for so many rows below: the cursor is where it would be.
    fn flow(&self, rows: usize) -> io::Result<()> {
        let (width, cells) = (self.width(), self.cells.swap(0, Ordering::Relaxed));
        if self.width.swap(width, Ordering::Relaxed) == width || cells == 0 {
            return Ok(());
        }
        let filled = cells.div_ceil(width.max(1).into());
        self.term.move_cursor_up(filled - 1)?;
        self.term.write_str("\r\x1b[J")?;
        self.term.write_str(&"\n".repeat(rows))
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.term.size().1
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.flow(n)?;
        self.term.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.term.move_cursor_left(n)
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.term.write_line(s)
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        let blanks = self.blanks.swap(0, Ordering::Relaxed);
        if !s.is_empty() && s.bytes().all(|byte| byte == b' ') {
            self.blanks.store(blanks + s.len(), Ordering::Relaxed);
            return Ok(());
        }
        self.cells.fetch_add(blanks + measure_text_width(s), Ordering::Relaxed);
        self.term.write_str(&" ".repeat(blanks))?;
        self.term.write_str(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.term.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        if self.blanks.swap(0, Ordering::Relaxed) > 0 {
            self.term.write_str("\x1b[K")?;
        }
        self.term.flush()
    }
}
