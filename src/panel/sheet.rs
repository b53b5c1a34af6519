//! Lines on a panel, one below the other, and how they are told apart.

use std::cell::Cell;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::ui::{cut, wrap};

/// The narrowest and lowest panel.
const SMALLEST: (u16, u16) = (40, 10);

/// How things are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// By the terminal's own 16 colours too; else by bold, underlined and reversed alone.
    pub has_colors: bool,
}

impl Theme {
    pub(super) fn color(self, color: Color) -> Style {
        if self.has_colors { Style::new().fg(color) } else { Style::new() }
    }

    pub(super) fn good(self) -> Style {
        self.color(Color::Green)
    }

    pub(super) fn bad(self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn warning(self) -> Style {
        self.color(Color::Yellow)
    }

    pub(super) fn next(self) -> Style {
        self.color(Color::Cyan)
    }

    pub(super) fn head() -> Style {
        Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    pub(super) fn bar() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub(super) fn quiet() -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }
}

/// Where lines are written, one below the other.
pub(super) struct Sheet<'b> {
    pub buffer: &'b mut Buffer,
    pub area: Rect,
    /// The next line.
    pub row: u16,
}

impl Sheet<'_> {
    pub(super) fn width(&self) -> usize {
        self.area.width.into()
    }

    pub(super) fn left(&self) -> usize {
        self.area.height.saturating_sub(self.row).into()
    }

    /// One more line, where there is room.
    pub(super) fn line(&mut self, line: &Line<'_>) {
        debug_assert!(line.width() <= self.width(), "cut without a sign: {line}");
        if self.row < self.area.height {
            self.buffer.set_line(self.area.x, self.area.y + self.row, line, self.area.width);
            self.row += 1;
        }
    }

    pub(super) fn text(&mut self, text: &str, style: Style) {
        let text = cut(text, self.width());
        self.line(&Line::styled(text, style));
    }

    /// A line that is marked up to the edge.
    pub(super) fn bar(&mut self, text: &str, style: Style) {
        let row = Rect { y: self.area.y + self.row, height: 1, ..self.area };
        if self.row < self.area.height {
            self.buffer.set_style(row, style);
        }
        self.text(text, style);
    }

    /// The line at the top: what it is about, and what is to be known of it at the right.
    pub(super) fn title(&mut self, left: &str, right: &str, is_alarm: bool, theme: Theme) {
        let width = self.width();
        let right = cut(right, width / 2);
        let left = cut(&format!(" {left}"), width.saturating_sub(console_width(&right) + 1));
        let gap = width - console_width(&left) - console_width(&right);
        let bar = Theme::bar();
        let alarm = match theme {
            _ if !is_alarm => bar,
            theme if theme.has_colors => bar.fg(Color::Red),
            _ => bar.add_modifier(Modifier::BOLD),
        };
        self.line(&Line::from(vec![Span::styled(format!("{left}{}", " ".repeat(gap)), bar), Span::styled(right, alarm)]));
    }

    /// What keys do, from so many lines on: what is too far is put right.
    pub(super) fn help(&mut self, keys: &[(&str, &str)], from: &Cell<usize>) {
        let lines: Vec<String> = keys
            .iter()
            .flat_map(|(keys, words)| {
                let parts = wrap(words, self.width().saturating_sub(14)).into_iter().enumerate();
                parts.map(move |(at, line)| format!("  {:12}{line}", if at == 0 { keys } else { "" }))
            })
            .collect();
        let rows = self.left().saturating_sub(1);
        from.set(from.get().min(lines.len().saturating_sub(rows)));
        let below = lines.len().saturating_sub(from.get() + rows);
        let more = match (from.get(), below) {
            (0, 0) => "any other key goes back".to_owned(),
            (above, below) => format!("{above} above, {below} below: j k scroll"),
        };
        self.bar(&format!("HELP  {more}"), Theme::head());
        lines.iter().skip(from.get()).take(rows).for_each(|line| self.text(line, Style::new()));
    }
}

/// Lines that a page key goes.
pub(super) const LEAP: usize = 10;

/// Scrolls the help; false for a key that ends it.
pub(super) fn scroll_help(from: &Cell<usize>, code: KeyCode) -> bool {
    let at = from.get();
    from.set(match code {
        KeyCode::Down | KeyCode::Char('j') => at + 1,
        KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
        KeyCode::PageDown => at + LEAP,
        KeyCode::PageUp => at.saturating_sub(LEAP),
        _ => {
            from.set(0);
            return false;
        }
    });
    true
}

/// Types into a filter. False for the key that ends that: Enter keeps it, Esc empties it.
pub(super) fn type_filter(filter: &mut String, code: KeyCode) -> bool {
    match code {
        KeyCode::Char(c) if !c.is_control() => filter.push(c),
        KeyCode::Backspace => drop(filter.pop()),
        KeyCode::Enter => return false,
        KeyCode::Esc => {
            filter.clear();
            return false;
        }
        _ => {}
    }
    true
}

/// A line's own blanks stay as they are; where it goes on it stands further right.
pub(super) fn wrap_exactly(line: &str, width: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let lead = (line.len() - text.len()).min(width / 2);
    if console_width(line) <= width {
        return vec![line.to_owned()];
    }
    let parts = wrap(text, width.saturating_sub(lead + 2));
    parts.iter().enumerate().map(|(at, part)| format!("{}{part}", " ".repeat(if at == 0 { lead } else { lead + 2 }))).collect()
}

/// How wide a text is, in cells.
pub(super) fn console_width(text: &str) -> usize {
    Span::raw(text).width()
}

/// There is no room for a panel.
pub(super) fn is_too_small(area: Rect) -> bool {
    area.width < SMALLEST.0 || area.height < SMALLEST.1
}

/// Says so, and what prints it once.
pub(super) fn too_small(sheet: &mut Sheet<'_>, command: &str) {
    for line in wrap(&format!("the terminal is too small: {command} prints it once, q leaves"), sheet.width()) {
        sheet.text(&line, Style::new());
    }
}
