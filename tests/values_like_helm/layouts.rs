//! The same data in every layout that YAML has for it: in blocks, between brackets, between quotes, and with each line further left or right.

use serde_json::{Value, json};

use crate::probe::{VERSIONS, ours, read_all, same_numbers};

/// How a list or map between brackets is laid out over lines. Blanks count from the column of the key before it.
struct Frame {
    /// Behind the opening bracket, and in front of the closing one; none where no line ends there.
    open: Option<&'static str>,
    close: Option<&'static str>,
    /// Between two items.
    comma: &'static [&'static str],
}

/// What stands in front of a line, given the column of the key.
fn indents(column: usize) -> Vec<String> {
    let mut all =
        vec![String::new(), " ".repeat(column), " ".repeat(column + 2), " ".repeat(column + 8), "\t".to_owned(), " \t ".to_owned()];
    if column > 0 {
        all.push(" ".repeat(column - 1));
    }
    all.dedup();
    all
}

const FRAMES: &[Frame] = &[
    Frame { open: None, close: None, comma: &[", ", ","] },
    Frame { open: None, close: None, comma: &[",\n", "\n, ", " # c\n,", ", # c [\n", ",\n\n# c '\n"] },
    Frame { open: Some("\n"), close: None, comma: &[",\n"] },
    Frame { open: None, close: Some("\n"), comma: &[", "] },
    Frame { open: Some("\n"), close: Some("\n"), comma: &[",\n", ","] },
    Frame { open: Some(" # c {\n"), close: Some(" # c\n"), comma: &[",\n"] },
    Frame { open: Some("\n\n"), close: Some("\n \n"), comma: &["\n,\n"] },
    Frame { open: Some("\r\n"), close: Some("\r\n"), comma: &[",\r\n"] },
];

/// A text with `indent` in front of every line but the first, and of every empty one.
fn shifted(text: &str, indent: &str) -> String {
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default().to_owned();
    lines.fold(first, |all, line| if line.trim().is_empty() { all + "\n" + line } else { all + "\n" + indent + line })
}

/// One value between brackets. `last` is a comma behind the last item, which YAML allows.
fn flow(value: &Value, frame: &Frame, comma: &str, last: bool, quoted: bool) -> String {
    let text = |text: &str| if quoted || text.contains('#') { Value::from(text).to_string() } else { text.to_owned() };
    let inner: Vec<String> = match value {
        Value::Array(items) => items.iter().map(|item| flow(item, frame, comma, last, quoted)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| format!("{}{}{}", text(key), if quoted { ":" } else { ": " }, flow(value, frame, comma, last, quoted)))
            .collect(),
        Value::String(value) => return text(value),
        other => return other.to_string(),
    };
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    let last = if last && !inner.is_empty() { "," } else { "" };
    format!("{open}{}{}{last}{}{close}", frame.open.unwrap_or_default(), inner.join(comma), frame.close.unwrap_or_default())
}

/// Where a value stands in a file: what comes before it, the column of its key, what comes behind, and the data of the whole.
fn places(value: &Value) -> Vec<(&'static str, usize, &'static str, Value)> {
    vec![
        ("k: ", 0, "\nz: 1\n", json!({"k": value, "z": 1})),
        ("k:\n  ", 0, "", json!({"k": value})),
        ("k:\n  a:\n    b: ", 4, "\n    c: [x]\nz: 1\n", json!({"k": {"a": {"b": value, "c": ["x"]}}, "z": 1})),
        ("k:\n- ", 0, "\n- 'x'\n", json!({"k": [value, "x"]})),
        ("k:\n  - a:\n      ", 4, "\n    b: |\n      [\n", json!({"k": [{"a": value, "b": "[\n"}]})),
        ("k:\n  - - ", 4, "\n    - x [y\n", json!({"k": [[value, "x [y"]]})),
        ("t: >-\n  it's {\nk: &x ", 0, " # \"\n", json!({"t": "it's {", "k": value})),
        ("it's: a\n  [b\nk: ", 0, "\n\n", json!({"it's": "a [b", "k": value})),
    ]
}

/// Texts between quotes and without, each as its lines, and what they mean.
fn quoted() -> Vec<(&'static str, &'static str)> {
    vec![
        ("'a\nb'", "a b"),
        ("\"a\nb\"", "a b"),
        ("'a\n\nb [\n# c'", "a\nb [ # c"),
        ("\"a\\\nb\"", "ab"),
        ("\"a \\\n\\ b\"", "a  b"),
        ("'it''s\n: \"x\"'", "it's : \"x\""),
        ("\"\na: 1\n- b\n\"", " a: 1 - b "),
        ("\"\\\"\n\\\\\n'\"", "\" \\ '"),
        ("'\r\na'", " a"),
        ("'中\n文'", "中 文"),
    ]
}

/// Every layout, and its data.
fn layouts() -> Vec<(String, Value)> {
    let data = [
        json!(["a", "b"]),
        json!({"a": "x", "b": "w"}),
        json!([{"a": ["b", {"c": 1}]}, ["d"], "it's #1"]),
        json!({"a": {"b": ["c", "d"], "e": {}}, "f": [], "g": null}),
    ];
    let mut all = Vec::new();
    for value in &data {
        for (frame, comma) in FRAMES.iter().flat_map(|frame| frame.comma.iter().map(move |comma| (frame, comma))) {
            for (last, quoted) in [(false, false), (false, true), (true, true)] {
                let text = flow(value, frame, comma, last, quoted);
                for (before, column, behind, whole) in places(value) {
                    let shapes = if text.contains('\n') { indents(column) } else { vec![String::new()] };
                    all.extend(shapes.iter().map(|indent| (format!("{before}{}{behind}", shifted(&text, indent)), whole.clone())));
                }
            }
        }
    }
    for (text, value) in quoted() {
        for (before, column, behind, whole) in places(&Value::from(value)) {
            all.extend(indents(column).iter().map(|indent| (format!("{before}{}{behind}", shifted(text, indent)), whole.clone())));
        }
        for (before, column, behind, whole) in places(&json!(["x", value, {value: value}])) {
            if !text.contains("\n\n") && text.len() < 12 {
                let text = format!("[x,\n{text},\n{{? {text}\n: {text}}}]");
                all.extend(indents(column).iter().map(|indent| (format!("{before}{}{behind}", shifted(&text, indent)), whole.clone())));
            }
        }
    }
    all
}

#[test]
fn every_layout_of_the_same_data_is_read() {
    let layouts = layouts();
    let texts: Vec<String> = layouts.iter().map(|(text, _)| text.clone()).collect();
    let seen = VERSIONS.map(|version| read_all(version, &texts));
    let (mut wrong, mut read) = (Vec::new(), 0);
    for (at, (text, data)) in layouts.iter().enumerate() {
        let ours = ours(text).map(|node| same_numbers(&node.to_json())).map_err(|error| error.to_string());
        for (version, seen) in VERSIONS.iter().zip(&seen) {
            match (&ours, &seen[at]) {
                (Ok(ours), Ok(theirs)) if *ours == same_numbers(theirs) => {
                    // What is generated is what it is meant to be.
                    assert_eq!(*ours, same_numbers(data), "{text:?}");
                    read += 1;
                }
                (Err(_), Err(_)) => {}
                (ours, theirs) => wrong.push(format!("helm {version}: {text:?}\n  helm {theirs:?}\n  lain {ours:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), layouts.len(), wrong[..wrong.len().min(20)].join("\n"));
    assert!(read > 3 * layouts.len() * 9 / 10, "{read} of {} layouts in three helms", layouts.len());
}
