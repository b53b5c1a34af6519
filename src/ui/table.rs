//! Rows below a head, columns as wide as they are on a terminal: a Chinese character takes two cells.

use std::fmt;

use console::measure_text_width;

use super::{columns, cut, printable, shorten};

/// A name is not made shorter than this.
const SHORTEST: usize = 6;

/// A table; each cell is one line of printable text.
#[derive(Clone, Debug)]
pub struct Table<const COLUMNS: usize> {
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// A table with the names of its columns.
    pub fn new(head: [&str; COLUMNS]) -> Self {
        Self { rows: vec![head.map(str::to_owned)] }
    }

    /// One without: its rows speak for themselves.
    pub(crate) fn headless() -> Self {
        Self { rows: vec![] }
    }

    /// One more row.
    pub fn row(&mut self, cells: [String; COLUMNS]) {
        self.rows.push(cells.map(|cell| printable(&cell).replace(['\n', '\t'], " ")));
    }
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// On a terminal that is too narrow, shortens names in these columns, the longest first, until rows fit: to their heads, and then these too.
    pub(crate) fn narrow(&mut self, names: &[usize]) {
        if let Some(room) = columns() {
            self.narrow_to(room, names);
        }
    }

    /// The same for a room of so many cells.
    pub(crate) fn narrow_to(&mut self, room: usize, names: &[usize]) {
        let mut widths = self.widths();
        let head = |at: usize| self.rows.first().map_or(0, |head| measure_text_width(&head[at])).max(SHORTEST);
        let heads: Vec<usize> = (0..COLUMNS).map(head).collect();
        for least in [heads, vec![SHORTEST; COLUMNS]] {
            while widths.iter().sum::<usize>() + 2 * COLUMNS.saturating_sub(1) > room {
                let longest = names.iter().filter(|at| widths[**at] > least[**at]).max_by_key(|at| widths[**at]);
                let Some(longest) = longest else { break };
                widths[*longest] -= 1;
            }
        }
        for (place, row) in self.rows.iter_mut().enumerate() {
            for at in names {
                row[*at] = if place == 0 { cut(&row[*at], widths[*at]) } else { shorten(&row[*at], widths[*at]) };
            }
        }
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| self.rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
        (0..COLUMNS).map(width).collect()
    }
}

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += cell;
                line.extend(std::iter::repeat_n(' ', width - measure_text_width(cell) + 2));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let mut table = Table::new(["NAME", "BY", "KEYS"]);
        table.row(["web".into(), "王小明".into(), "a, b".into()]);
        table.row(["数据库🚀".into(), "\u{1b}[1m".into(), "c\nd".into()]);
        let expected = "NAME      BY         KEYS\nweb       王小明     a, b\n数据库🚀  \\u{1b}[1m  c d\n";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn names_give_way_where_there_is_no_room() {
        let mut table = Table::new(["NAMESPACE", "APP", "USED"]);
        table.row(["team-of-the-shop".into(), "数据库-with-a-long-name".into(), "0.5 of 2".into()]);
        let whole = table.to_string();
        table.narrow_to(80, &[0, 1]);
        assert_eq!(table.to_string(), whole);
        table.narrow_to(36, &[0, 1]);
        assert_eq!(table.to_string(), "NAMESPACE     APP          USED\nteam-…e-shop  数据…g-name  0.5 of 2\n");
        table.narrow_to(10, &[0, 1]);
        assert_eq!(table.to_string(), "NAMES…  APP     USED\nte…hop  数…ame  0.5 of 2\n");
    }
}
