//! What our parser reads and go-yaml, so helm, refuses or reads otherwise: refused here, with the line.

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;

use saphyr_parser::{ScalarStyle, Span as ParserSpan};

use super::node::{Source, Span};
use crate::error::Result;

/// Line separators that only YAML 1.1 knows, and directives.
///
/// # Errors
/// The first of them.
pub fn whole_text(source: &Rc<Source>) -> Result<()> {
    let at = |offset: usize| {
        let before = &source.text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Span { source: Rc::clone(source), line: before.matches('\n').count() + 1, column: before[start..].chars().count() + 1, length: 1 }
    };
    if let Some((offset, separator)) = source.text.char_indices().find(|(_, c)| matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}')) {
        let code = u32::from(separator);
        return Err(at(offset)
            .error(format!("an invisible line separator (U+{code:04X}): helm takes it for the end of the line"))
            .hint(format!("take it out, or write \\u{code:04x} between double quotes")));
    }
    let mut offset = 0;
    for line in source.text.split_inclusive('\n') {
        if line.starts_with('%') {
            return Err(at(offset).error("a YAML directive; helm 4 does not read files that have one").hint("take the line out"));
        }
        if !line.trim().is_empty() && !line.starts_with('#') {
            break;
        }
        offset += line.len();
    }
    Ok(())
}

/// Lines, from 1, that have a tab. Few files have any.
#[derive(Debug, Default)]
pub struct Tabs {
    anywhere: HashSet<usize>,
    /// In their indentation, and not known to belong to text or to brackets that began above.
    indented: BTreeSet<usize>,
}

impl Tabs {
    /// Looks for them.
    pub fn find(text: &str) -> Self {
        let mut tabs = Self::default();
        for (index, line) in text.split('\n').enumerate().filter(|(_, line)| line.contains('\t')) {
            tabs.anywhere.insert(index + 1);
            if line.trim_start_matches(' ').starts_with('\t') {
                tabs.indented.insert(index + 1);
            }
        }
        tabs
    }

    /// Text or brackets from one line to another: tabs are fine in the lines that they go on in.
    pub fn allow(&mut self, first: usize, last: usize) {
        if last > first && !self.indented.is_empty() {
            self.indented.retain(|line| *line <= first || *line > last);
        }
    }

    /// A block (`|`, `>`): a tab is text where it stands behind the block's own indentation.
    pub fn allow_block(&mut self, source: &Source, first: usize, last: usize) {
        if self.indented.range(first + 1..=last).next().is_none() {
            return;
        }
        let spaces = |line: usize| source.line(line).bytes().take_while(|byte| *byte == b' ').count();
        let indent = (first + 1..=last).find(|line| !source.line(*line).trim().is_empty()).map_or(0, spaces);
        self.indented.retain(|line| *line <= first || *line > last || spaces(*line) < indent.max(1));
    }

    /// A key or a value outside brackets: no tab may stand between it and its `-`.
    ///
    /// # Errors
    /// One does.
    pub fn check(&self, span: &Span) -> Result<()> {
        if !self.anywhere.contains(&span.line) {
            return Ok(());
        }
        let before: String = span.source.line(span.line).chars().take(span.column - 1).collect();
        let rest = before.trim_end();
        if before[rest.len()..].contains('\t') && rest.ends_with(['-', '?']) {
            return Err(span.error("a tab after the `-`").hint("replace the tab with a space"));
        }
        Ok(())
    }

    /// The first line that is indented with a tab.
    ///
    /// # Errors
    /// There is one.
    pub fn none_left(&self, source: &Rc<Source>) -> Result<()> {
        let Some(line) = self.indented.first().copied() else { return Ok(()) };
        let column = source.line(line).chars().position(|c| c == '\t').map_or(1, |at| at + 1);
        let span = Span { source: Rc::clone(source), line, column, length: 1 };
        Err(span.error("a tab in the indentation").hint("YAML is indented with spaces; replace the tab"))
    }
}

/// Scalars. `raw` is the place of one that may hold `\/`.
///
/// # Errors
/// helm stops at it.
pub fn scalar(text: &str, style: ScalarStyle, span: &Span, in_flow: bool, raw: Option<ParserSpan>) -> Result<()> {
    match style {
        // go-yaml follows an older reading of flow collections.
        ScalarStyle::Plain if in_flow && (text.contains('?') || text.starts_with(':')) => {
            Err(span.error(format!("helm cannot read `{text}` unquoted between brackets")).hint(format!("quote it: \"{text}\"")))
        }
        ScalarStyle::Literal | ScalarStyle::Folded => {
            let blank = |line: &str| line.trim().is_empty();
            let first = text.lines().position(|line| !blank(line)).unwrap_or(usize::MAX);
            if text.lines().take(first.saturating_add(1)).any(|line| line.trim_start_matches(' ').starts_with('\t')) {
                return Err(span
                    .error("the first line of this block is indented with a tab, which helm does not read")
                    .hint("replace the tab with spaces, or write the text between double quotes with \\t"));
            }
            Ok(())
        }
        ScalarStyle::DoubleQuoted if text.contains('/') => {
            let Some(at) = raw else { return Ok(()) };
            let source = &span.source;
            let start = source.offset(at.start.line(), at.start.col() + 1);
            let end = source.offset(at.end.line(), at.end.col() + 1);
            let written = source.text.get(start..end).unwrap_or_default().replace("\\\\", "");
            if written.contains("\\/") {
                return Err(span.error("helm does not know the escape `\\/`").hint("write / without the backslash"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
