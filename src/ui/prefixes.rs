//! Logs of several containers in one stream, as kubectl's `--prefix` tells them apart: `[pod/NAME/CONTAINER] TEXT`. On a terminal each has a short name and
//! a colour of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use console::{Color, Style, measure_text_width};

use super::fit::shorten;
use super::relay::Shown;
use super::{Ui, printable};

/// What no prefix has: red says that something is wrong.
const COLORS: [Color; 5] = [Color::Cyan, Color::Green, Color::Yellow, Color::Magenta, Color::Blue];
/// Cells of a name, where there is room.
const WIDEST: usize = 44;
/// A line that is longer is shown piece by piece.
const LONGEST: usize = 1 << 20;

/// What stands before each line, by kubectl's own name of the container: `POD/CONTAINER`.
#[derive(Debug, Default)]
pub(crate) struct Prefixes(BTreeMap<String, String>);

impl Prefixes {
    /// For these containers (pod, container), in `columns` cells of a terminal. What all pods' names begin with (`shop-`) is left out, and the
    /// container where each pod has but one.
    pub(crate) fn new(ui: &Ui, containers: &[(&str, &str)], common: &str, columns: usize) -> Self {
        let pods: BTreeSet<&str> = containers.iter().map(|(pod, _)| *pod).collect();
        let has_several = pods.len() < containers.len();
        let color = ui.colors_results();
        let names = names(containers, common, has_several, (columns / 4).min(WIDEST));
        let width = names.iter().map(|name| measure_text_width(name)).max().unwrap_or(0);
        let known = containers.iter().zip(&names).enumerate().map(|(at, ((pod, container), name))| {
            let style = Style::new().fg(COLORS[at % COLORS.len()]).force_styling(color);
            let style = if at / COLORS.len() % 2 == 1 { style.bold() } else { style };
            let pad = " ".repeat(width - measure_text_width(name));
            (format!("{pod}/{container}"), style.apply_to(format!("{name}{pad} |")).to_string())
        });
        Self(known.collect())
    }

    /// A line with its short prefix; `line` has no line end.
    fn told(&self, line: &[u8]) -> String {
        let known = line.strip_prefix(b"[pod/").and_then(|rest| {
            let end = rest.windows(2).position(|two| two == b"] ")?;
            Some((self.0.get(std::str::from_utf8(&rest[..end]).ok()?)?, &rest[end + 2..]))
        });
        match known {
            Some((prefix, text)) => format!("{prefix} {}", shown(text)),
            None => shown(line),
        }
    }
}

/// A line of a log: a colour that it leaves on ends with it.
fn shown(line: &[u8]) -> String {
    let mut shown = Shown::default();
    shown.take(line) + &shown.end()
}

/// Names in so many cells; more where some of them would be the same.
fn names(containers: &[(&str, &str)], common: &str, has_several: bool, cells: usize) -> Vec<String> {
    let mut cells = cells.max(8);
    loop {
        let name = |(pod, container): &(&str, &str)| {
            let pod = printable(pod.strip_prefix(common).filter(|rest| !rest.is_empty()).unwrap_or(pod));
            if !has_several {
                return shorten(&pod, cells);
            }
            let container = shorten(&printable(container), cells / 2);
            format!("{}/{container}", shorten(&pod, cells.saturating_sub(1 + measure_text_width(&container))))
        };
        let names: Vec<String> = containers.iter().map(name).collect();
        let is_enough = cells > 600 || names.iter().collect::<BTreeSet<_>>().len() == names.len();
        if is_enough {
            return names;
        }
        cells += 4;
    }
}

impl Prefixes {
    /// As [`Ui::show`], for logs with kubectl's prefixes.
    pub(crate) fn show(&self, reader: &mut impl Read) {
        use std::io::Write;
        let print = |text: &str| io::stdout().lock().write_all(text.as_bytes()).and_then(|()| io::stdout().lock().flush());
        let (mut buffer, mut kept) = (vec![0; 64 << 10], Vec::new());
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..count]);
            let whole = kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let end = if kept.len() - whole > LONGEST { kept.len() } else { whole };
            let text: String = kept[..end].split_inclusive(|byte| *byte == b'\n').map(|line| line_of(self, line)).collect();
            kept.drain(..end);
            if print(&text).is_err() {
                return; // as in Ui::show
            }
        }
        if !kept.is_empty() {
            let _ = print(&self.told(&kept));
        }
    }
}

fn line_of(prefixes: &Prefixes, line: &[u8]) -> String {
    match line.strip_suffix(b"\n") {
        Some(line) => prefixes.told(line) + "\n",
        None => prefixes.told(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{Color as When, Format, Verbosity};

    fn of(names: &[&str], several: bool, cells: usize) -> Vec<String> {
        let containers: Vec<(&str, &str)> = names.iter().map(|name| name.split_once('/').expect("a slash")).collect();
        super::names(&containers, "shop-", several, cells)
    }

    #[test]
    fn names_fit_and_stay_apart() {
        assert_eq!(of(&["shop-web-5c9f7d-x2x9z/web", "shop-web-5c9f7d-abcde/web"], false, 20), ["web-5c9f7d-x2x9z", "web-5c9f7d-abcde"]);
        assert_eq!(of(&["shop-a-very-long-process-5c9f7d-x2x9z/web"], false, 15), ["a-very-…d-x2x9z"]);
        let both = of(&["shop-web-5c9f7d-x2x9z/web", "shop-web-5c9f7d-x2x9z/mesh"], true, 20);
        assert_eq!(both, ["web-5c9f7d-x2x9z/web", "web-5c9…d-x2x9z/mesh"]);
        // What is cut away is what tells them apart: they get more room.
        let twins = of(&["aaaaaaaaaaaaX1aaaaaaaaaaaa/w", "aaaaaaaaaaaaX2aaaaaaaaaaaa/w"], false, 8);
        assert_ne!(twins[0], twins[1]);
        assert_eq!(of(&["shop-/web"], false, 20), ["shop-"]);
    }

    #[test]
    fn lines_get_their_short_names_and_nothing_else_changes() {
        let ui = Ui::new(When::Never, false, false, None, Verbosity::Normal, Format::Text);
        let prefixes = Prefixes::new(&ui, &[("shop-web-1", "web"), ("shop-worker-10", "worker")], "shop-", 80);
        for (line, told) in [
            ("[pod/shop-web-1/web] 数据库", "web-1     | 数据库"),
            ("[pod/shop-worker-10/worker] \u{1b}[31mred", "worker-10 | \u{1b}[31mred\u{1b}[0m"),
            ("[pod/shop-web-1/web] [pod/shop-web-1/web] x", "web-1     | [pod/shop-web-1/web] x"),
            ("[pod/another/web] x", "[pod/another/web] x"),
            ("[info] x] y", "[info] x] y"),
            ("", ""),
        ] {
            assert_eq!(prefixes.told(line.as_bytes()), told);
        }
    }
}
