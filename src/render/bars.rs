//! What was asked for against what was used, as bars on one page: HTML that needs no network and no script, to be sorted, readable on a phone.

use std::cmp::Ordering;

use serde::Serialize;

use super::fill::fill;
use crate::error::Result;

const TEMPLATE: &str = include_str!("bars.jinja");

/// The page.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Page {
    /// What it is about.
    pub title: String,
    /// What is said first, a paragraph each.
    pub lead: Vec<String>,
    /// Rows of everything together.
    pub totals: Vec<Row>,
    /// By what rows may be sorted: the names of their `ranks`.
    pub sorts: Vec<String>,
    /// Some bars have a better value.
    pub has_better: bool,
    /// The rows, in the first order.
    pub rows: Vec<Row>,
}

/// A name with its bars.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    /// Whose bars.
    pub name: String,
    /// More about it; may be empty.
    pub note: String,
    /// What was asked for and used.
    pub bars: Vec<Bar>,
    /// Its place in each order.
    pub ranks: Vec<usize>,
    /// What it is made of, shown when it is opened.
    pub rows: Vec<Row>,
}

/// Lengths are shares of the largest, in percent; none for what is not known.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Bar {
    /// Of what: `CPU`.
    pub what: String,
    /// The same in words: `0.2 of 4 cores`.
    pub words: String,
    /// What was asked for.
    pub asked: Option<f64>,
    /// What was used.
    pub used: Option<f64>,
    /// What of it is asked for by what nobody measured; it stands at the end of what was asked for.
    pub unknown: Option<f64>,
    /// More was used than asked for.
    pub over: bool,
    /// What would be better to ask for.
    pub better: Option<f64>,
}

impl Bar {
    /// A bar of amounts, the largest of all on the page being `most`.
    pub(crate) fn of(what: &str, words: String, asked: Option<u64>, used: Option<u64>, better: Option<u64>, most: u64) -> Self {
        let share = |amount: Option<u64>| amount.map(|amount| Self::share(amount, most));
        let over = used.zip(asked).is_some_and(|(used, asked)| used > asked);
        let unknown = if used.is_none() { share(asked) } else { None };
        Self { what: what.to_owned(), words, asked: share(asked), used: share(used), unknown, over, better: share(better) }
    }

    /// So much of the longest bar, in percent.
    #[allow(clippy::cast_precision_loss)] // a share
    pub(crate) fn share(amount: u64, most: u64) -> f64 {
        100.0 * amount as f64 / most.max(1) as f64
    }
}

/// The place of each of so many rows in each of these orders.
pub(crate) fn ranks(count: usize, orders: &[&dyn Fn(usize, usize) -> Ordering]) -> Vec<Vec<usize>> {
    let mut ranks = vec![vec![]; count];
    for order in orders {
        let mut all: Vec<usize> = (0..count).collect();
        all.sort_by(|a, b| order(*a, *b));
        all.into_iter().enumerate().for_each(|(place, at)| ranks[at].push(place));
    }
    ranks
}

impl Page {
    /// The page, which says when it was made.
    #[must_use]
    pub(crate) fn made(mut self, now: jiff::Timestamp) -> Self {
        self.lead.push(now.strftime("Made %Y-%m-%d %H:%M UTC.").to_string());
        self
    }

    /// The page as HTML; whatever is in its texts stays text. Who writes it down makes it printable.
    ///
    /// # Errors
    /// The template is broken, which tests rule out.
    pub(crate) fn html(&self) -> Result<String> {
        fill("bars.html", TEMPLATE, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_it_stays_text() {
        let evil = "<script>alert(1)</script>\"'&";
        let row = || Row {
            name: evil.into(),
            note: evil.into(),
            bars: vec![
                Bar::of(evil, evil.into(), Some(1000), Some(250), Some(500), 1000),
                Bar::of("none", String::new(), None, None, None, 0),
                Bar::of("unknown", String::new(), Some(750), None, None, 1000),
            ],
            ranks: vec![0, 1],
            rows: vec![],
        };
        let rows = vec![row(), Row { rows: vec![row()], ..row() }];
        let page = Page {
            title: evil.into(),
            lead: vec![evil.into()],
            totals: vec![row()],
            sorts: vec![evil.into(), "b".into()],
            has_better: true,
            rows,
        };
        let page = page.html().expect("a page");
        assert!(page.trim_start().starts_with("<!doctype html>") && !page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
        assert!(
            page.contains("width:25.000%")
                && page.contains("bar unknown\" style=\"left:0.000%;width:75.000%")
                && page.contains("left:50.000%")
                && page.contains("--r0:0;--r1:1;"),
            "{page}"
        );
        assert!(page.contains("default-src 'none'") && !page.contains("://"), "{page}");
    }
}
