//! What a deploy would change, for people: one set of lines, which a terminal, a note in GitLab and a page show each in their way.

use serde_json::Value as Json;
use similar::{ChangeTag, TextDiff};

use crate::model::changes::{Action, Change, Diff};
use crate::model::diff::{Difference, Field};
use crate::model::text::bounded;
use crate::values::write::to_yaml;

/// Cells of a line that stands alone in a file.
pub(crate) const WIDTH: usize = 100;
/// Characters of one line.
const LONGEST: usize = 4000;
/// Lines around what differs in a long text.
const AROUND: usize = 2;
/// Characters of a note: a tenth of what GitLab takes, and more than anybody reads.
const NOTE: usize = 100_000;
/// Characters of one object in a note.
const OBJECT: usize = 20_000;

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It comes.
    Add,
    /// It goes.
    Remove,
    /// It is another.
    Change,
    /// Somebody changed it in the cluster, or it would be refused.
    Warn,
    /// To know.
    Plain,
}

/// One line; its sign comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it is.
    pub tone: Tone,
    /// The line.
    pub text: String,
}

fn line(tone: Tone, text: String) -> Line {
    let sign = match tone {
        Tone::Add => '+',
        Tone::Remove => '-',
        Tone::Change => '~',
        Tone::Warn => '!',
        Tone::Plain => ' ',
    };
    Line { tone, text: format!("{sign} {}", bounded(&text.replace(['\n', '\r'], " "), LONGEST)).trim_end().to_owned() }
}

/// What is compared, in one line.
pub(crate) fn heading(diff: &Diff) -> String {
    let Diff { release, cluster, .. } = diff;
    let tag = |tag: &Option<String>| tag.as_ref().map_or_else(String::new, |tag| format!(", image tag {tag}"));
    let before = match diff.revision {
        Some(revision) => format!("revision {revision}{}", tag(&diff.recorded_tag)),
        None => "nothing yet".to_owned(),
    };
    match &diff.planned_tag {
        None => format!("release {release} in cluster {cluster}: what runs, against {before}"),
        Some(_) if diff.planned_tag == diff.recorded_tag => {
            format!("release {release} in cluster {cluster}: {before}, to the same image tag")
        }
        Some(planned) => format!("release {release} in cluster {cluster}: {before}, to image tag {planned}"),
    }
}

/// The whole diff in lines, those of one value on one line where they fit into so many cells.
pub(crate) fn lines(diff: &Diff, width: usize) -> Vec<Line> {
    let mut out: Vec<Line> = diff.changes.iter().flat_map(|change| object(change, width)).collect();
    out.extend(ends(diff));
    out
}

/// What is to know of the whole.
fn ends(diff: &Diff) -> Vec<Line> {
    let mut out = vec![];
    if !diff.runs_again.is_empty() {
        out.push(line(
            Tone::Plain,
            format!(
                "runs again, as with every deploy: {}",
                diff.runs_again.iter().map(|name| format!("job/{name}")).collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    out.extend(diff.notes.iter().map(|note| line(Tone::Warn, note.clone())));
    out.extend(diff.refused.iter().map(|why| line(Tone::Warn, format!("helm would refuse this deploy: {why}"))));
    out
}

fn object(change: &Change, width: usize) -> Vec<Line> {
    let (tone, what) = match change.action {
        Action::Create => (Tone::Add, ""),
        Action::Update => (Tone::Change, ""),
        Action::Delete => (Tone::Remove, ""),
        Action::Keep => (Tone::Plain, " leaves the release and stays in the cluster"),
        Action::Stay => (Tone::Plain, " stays as it is"),
    };
    let hook = if change.hook { " (hook)" } else { "" };
    let mut out = vec![line(tone, format!("{}{hook}{what}", change.title()))];
    out.extend(change.refused.iter().map(|why| line(Tone::Warn, format!("  refused: {why}"))));
    out.extend(change.notes.iter().map(|note| line(Tone::Plain, format!("  # {note}"))));
    out.extend(change.fields.iter().flat_map(|it| field(it, width)));
    if let Some(object) = &change.object {
        out.extend(to_yaml(object).lines().map(|text| line(Tone::Add, format!("  {text}"))));
    }
    out
}

fn field(field: &Field, width: usize) -> Vec<Line> {
    let Field { path, recorded, live, planned, .. } = field;
    if field.secret {
        return vec![match field.difference {
            Difference::Change => line(Tone::Change, format!("  {path}: is changed (secret)")),
            Difference::Drift => line(Tone::Warn, format!("  {path}: was changed in the cluster (secret); a deploy sets it back")),
            Difference::Extra => line(Tone::Warn, format!("  {path}: was added in the cluster (secret), and stays")),
        }];
    }
    match field.difference {
        Difference::Change => {
            let mut out = changed(path, recorded.as_ref(), planned.as_ref(), width);
            if let Some(live) = live {
                let what = if planned.as_ref() == Some(live) { "runs already".to_owned() } else { format!("{} runs", short(live)) };
                out.push(line(Tone::Warn, format!("    {what}: it was changed in the cluster")));
            }
            out
        }
        Difference::Drift => {
            let mut out = match (live, recorded) {
                (None, _) => vec![line(Tone::Warn, format!("  {path}: was taken away in the cluster; a deploy sets it back"))],
                (Some(live), Some(recorded)) if is_short(live) && is_short(recorded) => {
                    vec![line(
                        Tone::Warn,
                        format!("  {path}: {} runs, {} was deployed; a deploy sets it back", short(live), short(recorded)),
                    )]
                }
                _ => vec![line(Tone::Warn, format!("  {path}: was changed in the cluster; a deploy sets it back:"))],
            };
            if out[0].text.ends_with(':') {
                out.extend(block(live.as_ref(), recorded.as_ref()));
            }
            out
        }
        Difference::Extra => {
            let what = if recorded.is_some() { "was changed in the cluster, and stays" } else { "was added in the cluster, and stays" };
            match live {
                Some(live) if is_short(live) => vec![line(Tone::Warn, format!("  {path}: {what}: {}", short(live)))],
                Some(live) => {
                    let mut out = vec![line(Tone::Warn, format!("  {path}: {what}:"))];
                    out.extend(text_of(live).lines().map(|text| line(Tone::Plain, format!("    {text}"))));
                    out
                }
                None => vec![line(Tone::Warn, format!("  {path}: was taken away in the cluster, and stays so"))],
            }
        }
    }
}

fn changed(path: &str, before: Option<&Json>, after: Option<&Json>, width: usize) -> Vec<Line> {
    let one = |tone, value: &Json| {
        if is_short(value) {
            return vec![line(tone, format!("  {path}: {}", short(value)))];
        }
        let mut out = vec![line(tone, format!("  {path}:"))];
        out.extend(text_of(value).lines().map(|text| line(tone, format!("    {text}"))));
        out
    };
    match (before, after) {
        (None, None) => vec![],
        (Some(before), None) => one(Tone::Remove, before),
        (None, Some(after)) => one(Tone::Add, after),
        (Some(before), Some(after)) => {
            let inline = format!("  {path}: {} -> {}", short(before), short(after));
            if is_short(before) && is_short(after) && inline.chars().count() + 2 <= width {
                return vec![line(Tone::Change, inline)];
            }
            let mut out = vec![line(Tone::Change, format!("  {path}:"))];
            out.extend(block(Some(before), Some(after)));
            out
        }
    }
}

/// Two values in lines, only what differs and a little around it.
fn block(before: Option<&Json>, after: Option<&Json>) -> Vec<Line> {
    let text = |value: Option<&Json>| value.map(text_of).unwrap_or_default();
    let (before, after) = (text(before), text(after));
    let differences = TextDiff::from_lines(&before, &after);
    let mut out = vec![];
    for group in differences.grouped_ops(AROUND) {
        if !out.is_empty() {
            out.push(line(Tone::Plain, "    ...".to_owned()));
        }
        for change in group.iter().flat_map(|op| differences.iter_changes(op)) {
            let tone = match change.tag() {
                ChangeTag::Delete => Tone::Remove,
                ChangeTag::Insert => Tone::Add,
                ChangeTag::Equal => Tone::Plain,
            };
            out.push(line(tone, format!("    {}", change.value().trim_end_matches(['\n', '\r']))));
        }
    }
    out
}

fn is_short(value: &Json) -> bool {
    match value {
        Json::String(text) => !text.contains('\n'),
        Json::Array(items) => items.iter().all(|item| !item.is_object() && !item.is_array() && is_short(item)) && short(value).len() <= 60,
        Json::Object(map) => {
            map.values().all(|value| !value.is_object() && !value.is_array() && is_short(value)) && value.to_string().len() <= 60
        }
        _ => true,
    }
}

/// A value on one line; text that could be taken for something else in quotes.
fn short(value: &Json) -> String {
    match value {
        Json::String(text)
            if text.is_empty() || text.trim() != text || text.parse::<f64>().is_ok() || matches!(&**text, "true" | "false" | "null") =>
        {
            value.to_string()
        }
        Json::String(text) => text.clone(),
        _ => value.to_string(),
    }
}

fn text_of(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        value if is_short(value) => short(value),
        value => to_yaml(value),
    };
    if text.ends_with('\n') { text } else { text + "\n" }
}

/// What GitLab's merge request widget reads: `artifacts:reports:terraform`.
pub(crate) fn terraform(diff: &Diff) -> String {
    format!("{{\"create\":{},\"update\":{},\"delete\":{}}}", diff.create, diff.update, diff.delete)
}

/// A note for a merge request, short enough for one.
pub(crate) fn markdown(diff: &Diff) -> String {
    let mut out = format!("**{}**\n\n{}\n", escaped(&heading(diff)), escaped(&diff.summary()));
    let mut left = 0;
    for change in &diff.changes {
        let lines = object(change, WIDTH);
        let text: String = lines.iter().fold(String::new(), |all, line| all + &line.text + "\n");
        let text =
            if text.chars().count() > OBJECT { format!("{}\n  (cut; the job's log has all)\n", bounded(&text, OBJECT)) } else { text };
        // A longer fence than any that stands in the text.
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest.max(2) + 1);
        let summary = lines.first().map_or("", |line| line.text.as_str());
        let part = format!("\n<details><summary><code>{}</code></summary>\n\n{fence}diff\n{text}{fence}\n\n</details>\n", escaped(summary));
        if out.len() + part.len() > NOTE {
            left += 1;
        } else {
            out += &part;
        }
    }
    if left > 0 {
        out += &format!("\n{left} more: the job's log has all.\n");
    }
    for line in ends(diff) {
        out += &format!("\n{}\n", escaped(line.text.trim_start_matches(['!', ' '])));
    }
    out
}

/// Text in HTML, and in Markdown that HTML may stand in.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '`' => out += "&#96;",
            '*' => out += "&#42;",
            '_' => out += "&#95;",
            '[' => out += "&#91;",
            ']' => out += "&#93;",
            '@' => out += "&#64;",
            '\\' => out += "&#92;",
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<style>
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:70em;margin:1em auto;padding:0 1em}
pre{font:13px/1.5 ui-monospace,monospace;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere;margin:.3em 0 1em}
summary{font-family:ui-monospace,monospace;cursor:pointer;overflow-wrap:anywhere;padding:.2em 0}
.add{color:#1a7f37}.remove{color:#cf222e}.change{color:#9a6700}.warn{color:#bc4c00;font-weight:600}
@media (prefers-color-scheme:dark){.add{color:#3fb950}.remove{color:#ff7b72}.change{color:#d29922}.warn{color:#ffa657}}
</style>
";

/// One page that needs nothing else.
pub(crate) fn html(diff: &Diff) -> String {
    let span = |line: &Line| {
        let class = match line.tone {
            Tone::Add => "add",
            Tone::Remove => "remove",
            Tone::Change => "change",
            Tone::Warn => "warn",
            Tone::Plain => return format!("{}\n", escaped(&line.text)),
        };
        format!("<span class=\"{class}\">{}</span>\n", escaped(&line.text))
    };
    let mut out = format!(
        "{PAGE}<title>{} in {}: {}</title>\n</head>\n<body>\n",
        escaped(&diff.release),
        escaped(&diff.cluster),
        escaped(&diff.summary())
    );
    out += &format!("<h1>{}</h1>\n<p>{}</p>\n", escaped(&diff.summary()), escaped(&heading(diff)));
    for change in &diff.changes {
        let lines = object(change, WIDTH);
        let Some((head, rest)) = lines.split_first() else { continue };
        let open = if change.action == Action::Create { "" } else { " open" };
        out += &format!("<details{open}><summary>{}</summary>\n<pre>", span(head).trim_end());
        rest.iter().for_each(|line| out += &span(line));
        out += "</pre></details>\n";
    }
    for line in ends(diff) {
        out += &format!("<p>{}</p>\n", span(&line).trim_end());
    }
    out + "</body>\n</html>\n"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn diff(fields: &Json) -> Diff {
        let web = json!({"action": "update", "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "fields": fields});
        let counts = json!({"version": 1, "release": "shop", "cluster": "test", "create": 0, "update": 1, "delete": 0, "drift": 0, "changes": [web]});
        serde_json::from_value(counts).expect("a diff")
    }

    fn text(fields: &Json, width: usize) -> String {
        lines(&diff(fields), width).into_iter().map(|line| line.text + "\n").collect()
    }

    #[test]
    fn a_value_is_on_one_line_where_it_fits() {
        let image =
            json!([{"path": "spec.image", "difference": "change", "recorded": "r.example.com/a:1", "planned": "r.example.com/a:2"}]);
        assert_eq!(text(&image, 100), "~ deployment/web\n~   spec.image: r.example.com/a:1 -> r.example.com/a:2\n");
        assert_eq!(text(&image, 40), "~ deployment/web\n~   spec.image:\n-     r.example.com/a:1\n+     r.example.com/a:2\n");
        let odd = json!([{"path": "a", "difference": "change", "recorded": "1", "planned": 1}, {"path": "b", "difference": "change", "recorded": true, "planned": ""}]);
        assert_eq!(text(&odd, 60), "~ deployment/web\n~   a: \"1\" -> 1\n~   b: true -> \"\"\n");
        let long: Vec<String> = (0..40).map(|line| format!("line {line}")).collect();
        let before = long.join("\n");
        let told = text(
            &json!([{"path": "data.x", "difference": "change", "recorded": before, "planned": before.replace("line 20\n", "other\n")}]),
            60,
        );
        assert_eq!(told.lines().count(), 8, "{told}");
        assert!(told.contains("-     line 20\n+     other\n"), "{told}");
    }

    #[test]
    fn nothing_in_it_leaves_its_place() {
        let words = "````\n</details><script>alert(1)</script> ![x](http://evil) @all";
        let evil = json!([{"path": "data.<b>", "difference": "change", "recorded": "x\ny", "planned": words}]);
        let page = html(&diff(&evil));
        assert!(!page.contains("<script") && !page.contains("<b>") && page.contains("&lt;script&gt;"), "{page}");
        let note = markdown(&diff(&evil));
        assert!(note.contains("\n`````diff\n") && note.contains("\n`````\n\n</details>"), "a longer fence: {note}");
        let many: Vec<Json> = (0..3000)
            .map(|at| json!({"path": format!("data.{at}"), "difference": "change", "recorded": "x".repeat(99), "planned": "y"}))
            .collect();
        let mut large = diff(&json!(many));
        large.changes = std::iter::repeat_n(large.changes[0].clone(), 40).collect();
        let note = markdown(&large);
        assert!(
            note.len() < NOTE + 200 && note.contains("more: the job's log has all") && note.contains("(cut; the job's log has all)"),
            "{}",
            note.len()
        );
        assert_eq!(terraform(&large), r#"{"create":0,"update":1,"delete":0}"#);
    }
}
