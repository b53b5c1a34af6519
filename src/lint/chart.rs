//! The chart around the values: its version, and what helm says of it. Pure; the command runs helm.

use std::path::{Path, PathBuf};

use super::{Problem, Severity};
use crate::error::Location;
use crate::model::version::Version;
use crate::render::chart::CHART_VERSION;
use crate::resolved::chart::{CHART_FILE, Chart};

/// L052: the built-in chart is newer. A larger version says "we own our chart". A warning: what an older chart brings that the cluster does not
/// serve is L053, and an app that deploys today deploys tomorrow.
pub(crate) fn check(chart: &Chart) -> Option<Problem> {
    let node = chart.version.as_ref()?;
    let text = chart.version()?;
    if Version::parse(&text)? >= Version::parse(CHART_VERSION)? {
        return None;
    }
    Some(Problem {
        id: "L052",
        severity: Severity::Warning,
        message: format!("the chart has version {text}, this lain brings {CHART_VERSION}"),
        hint: "lain init --template-only --commit # or, if the chart is your own: a larger version here".into(),
        at: node.span.location(),
    })
}

/// L050: the errors in what `helm lint` printed.
pub(crate) fn helm_errors(output: &str, read: impl Fn(&Path) -> Option<String>) -> Vec<Problem> {
    let lines = output.lines().filter_map(|line| line.trim().strip_prefix("[ERROR] "));
    lines.map(|line| broken("L050", line, &read)).collect()
}

/// L051: a chart that renders nothing.
pub(crate) fn renders_nothing() -> Problem {
    Problem {
        id: "L051",
        severity: Severity::Error,
        message: "the chart renders no objects at all".into(),
        hint: "deployments: # in chart/values.yaml; or, if templates are missing: lain init --template-only".into(),
        at: Location { path: "chart/values.yaml".into(), line: 1, column: 1, length: 1, text: String::new() },
    }
}

/// helm's words, at the place they name: `templates/x.yaml:12:3`.
pub(crate) fn broken(id: &'static str, words: &str, read: impl Fn(&Path) -> Option<String>) -> Problem {
    let words = words.trim().trim_start_matches("Error: ");
    let at = place(words).map(|(path, line, column)| {
        let text = read(&path).and_then(|text| text.lines().nth(line.saturating_sub(1)).map(str::to_owned)).unwrap_or_default();
        Location { path, line, column, length: 1, text }
    });
    let at = at.unwrap_or_else(|| Location { path: CHART_FILE.into(), line: 1, column: 1, length: 1, text: String::new() });
    // The innermost reason comes last: "...: error calling include: ...: execution error at (x:1:2): REASON".
    let words = words.split("\n\nUse --debug").next().unwrap_or_default();
    let reason = words.rsplit_once("): ").map_or(words, |(_, reason)| reason).trim();
    Problem { id, severity: Severity::Error, message: reason.to_owned(), hint: "lain template --debug".into(), at }
}

/// The last `CHART/templates/FILE:LINE[:COLUMN]` in helm's words: the nearest to the reason.
fn place(words: &str) -> Option<(PathBuf, usize, usize)> {
    let start = words.rfind("templates/")?;
    let rest = &words[start..];
    let end = rest.find([')', ' ', '"', '>']).unwrap_or(rest.len());
    let mut parts = rest[..end].trim_end_matches(':').split(':');
    let file = parts.next()?;
    let line = parts.next()?.parse().ok()?;
    let column = parts.next().and_then(|column| column.parse().ok()).unwrap_or(1);
    Some((PathBuf::from("chart").join(file), line, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert!(check(&Chart::read("version: 0.1.11\n")).is_some_and(|problem| problem.at.line == 1));
        assert!(check(&Chart::read("version: 5.0.0\n")).is_none() && check(&Chart::read("version: 99.0.0\n")).is_none());
        assert!(Chart::read("version: 0.1.11\n").is_older() && !Chart::read("version: 5.0.0\n").is_older());
        assert!(Chart::read("version: 5.0.0\nannotations:\n  lain.dev/values-from: \"0.1.11\"\n").is_older());
    }

    #[test]
    fn the_place_that_helm_names() {
        let words = "Error: execution error at (shop/templates/ingress.yaml:4:3): ingresses: host \"a\" has no dot";
        let problem = broken("L050", words, |_| None);
        assert_eq!(
            (problem.at.to_string().as_str(), problem.message.as_str()),
            ("chart/templates/ingress.yaml:4:3", "ingresses: host \"a\" has no dot")
        );
        assert_eq!(broken("L050", "chart directory is missing these dependencies: redis", |_| None).at.to_string(), "chart/Chart.yaml:1:1");
    }
}
