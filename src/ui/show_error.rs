//! An error as a person reads it: reason, place, the line with a caret, causes, what to type next.

use std::fmt::Write;

use console::Style;

use crate::error::{Error, Kind};
use crate::model::text::bounded;

/// Most characters of a reason, a cause or a hint: a server or a values file may have brought it.
const LONGEST: usize = 8000;

/// Renders an error; `paint` colours a piece, `clean` makes text of others fit to print. Empty for a child's own exit code, which speaks for itself.
pub fn render(error: &Error, paint: impl Fn(&str, &Style) -> String, clean: impl Fn(&str) -> String) -> String {
    if matches!(error.kind(), Kind::Child(_)) && error.message().is_empty() {
        return String::new();
    }
    render_as("error:", &Style::new().red().bold(), error, paint, clean)
}

/// Renders an error under another label.
pub fn render_as(
    label: &str,
    style: &Style,
    error: &Error,
    paint: impl Fn(&str, &Style) -> String,
    clean: impl Fn(&str) -> String,
) -> String {
    let clean = |text: &str| clean(&bounded(text, LONGEST));
    let mut out = String::new();
    let dim = Style::new().dim();
    let label = paint(label, style);
    match error.location() {
        Some(at) => {
            let _ = writeln!(out, "{label} {}: {}", clean(&at.to_string()), clean(error.message()));
            let number = at.line.to_string();
            let gutter = " ".repeat(number.len());
            let text = at.text.replace('\t', " ");
            let shown: String = text.chars().take(160).collect();
            let room = shown.chars().count() + 1;
            if at.column <= room {
                // A character that is shown as several takes the room of several.
                let width = |from: usize, count: usize| clean(&shown.chars().skip(from).take(count).collect::<String>()).chars().count();
                let pad = " ".repeat(width(0, at.column - 1));
                let carets = "^".repeat(width(at.column - 1, at.length).max(1));
                let _ = writeln!(out, " {} {}", paint(&format!("{number} |"), &dim), clean(&shown));
                let _ = writeln!(out, " {} {pad}{}", paint(&format!("{gutter} |"), &dim), paint(&carets, style));
            }
        }
        None => {
            let _ = writeln!(out, "{label} {}", clean(error.message()));
        }
    }
    for cause in error.causes() {
        let _ = writeln!(out, "  because: {}", clean(cause.trim_end()).replace('\n', "\n           "));
    }
    for hint in error.hints() {
        let _ = writeln!(out, "{} {}", paint("next:", &Style::new().cyan().bold()), clean(hint));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Location;

    #[test]
    fn points_at_the_place() {
        let error = Error::failed("`replicaCount` must be a number")
            .at(Location { path: "chart/values.yaml".into(), line: 12, column: 19, length: 5, text: "    replicaCount: \"two\"".into() })
            .hint("replicaCount: 2");
        insta::assert_snapshot!(render(&error, |text, _| text.to_owned(), str::to_owned), @r#"
        error: chart/values.yaml:12:19: `replicaCount` must be a number
         12 |     replicaCount: "two"
            |                   ^^^^^
        next: replicaCount: 2
        "#);
    }
}
