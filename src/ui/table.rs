//! Rows below a head, columns as wide as they are on a terminal: a Chinese character takes two cells.

use std::fmt;

use console::measure_text_width;

use super::printable;

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

impl<const COLUMNS: usize> fmt::Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| measure_text_width(&row[column])).max().unwrap_or(0);
        let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
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
}
