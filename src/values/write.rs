//! Data to YAML that YAML 1.1 and 1.2 readers understand alike.
//!
//! Our own because the serializers at hand leave `yes` or `0123` unquoted for a YAML 1.1 reader such as helm,
//! or do not write multi-line text as a block, which is what people edit in `lain secret edit`.

use serde_json::Value;

use super::scalar::{needs_escape, needs_quotes};

/// A key that takes more than 1,024 characters needs a `?` before it (YAML 1.2.2, 7.4.2), for go-yaml as well.
const SIMPLE_KEY: usize = 1000;

/// Writes a value as a YAML document, keys in their order.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(&mut out, map.iter(), 0, false),
        Value::Array(items) if !items.is_empty() => write_list(&mut out, items, 0),
        other => {
            write_scalar(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_map<'a>(out: &mut String, entries: impl Iterator<Item = (&'a String, &'a Value)>, depth: usize, inline_first: bool) {
    for (index, (key, value)) in entries.enumerate() {
        if !(inline_first && index == 0) {
            indent(out, depth);
        }
        let key = quoted_if_needed(key);
        if key.len() > SIMPLE_KEY {
            out.push_str("? ");
        }
        out.push_str(&key);
        if key.len() > SIMPLE_KEY {
            out.push('\n');
            indent(out, depth);
        }
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                write_map(out, map.iter(), depth + 1, false);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_list(out, items, depth);
            }
            other => {
                out.push(' ');
                write_scalar(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn write_list(out: &mut String, items: &[Value], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => write_map(out, map.iter(), depth + 1, true),
            Value::Array(inner) if !inner.is_empty() => {
                out.pop();
                out.push('\n');
                write_list(out, inner, depth + 1);
            }
            other => {
                write_scalar(out, other, depth + 1);
                out.push('\n');
            }
        }
    }
}

fn write_scalar(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_text(out, text, depth),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

fn write_text(out: &mut String, text: &str, depth: usize) {
    if !fits_block(text) {
        out.push_str(&quoted_if_needed(text));
        return;
    }
    // `|-` no last newline, `|` exactly one, `|+` more than one; the indentation is spelled out
    // when the text itself starts with a space.
    out.push('|');
    if text.starts_with(' ') || text.starts_with('\n') {
        out.push('2');
    }
    out.push_str(if !text.ends_with('\n') {
        "-"
    } else if text.ends_with("\n\n") {
        "+"
    } else {
        ""
    });
    let body = text.strip_suffix('\n').unwrap_or(text);
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
    }
}

/// A block scalar shows text as it is; it cannot hold carriage returns or other control characters.
fn fits_block(text: &str) -> bool {
    let lines = text.trim_end_matches('\n').contains('\n') || (text.ends_with('\n') && !text.trim_matches('\n').is_empty());
    lines && !text.chars().any(|c| c != '\n' && needs_escape(c))
}

pub(super) fn quoted_if_needed(text: &str) -> String {
    if text.chars().any(needs_escape) {
        return double_quoted(text);
    }
    if needs_quotes(text) { format!("'{}'", text.replace('\'', "''")) } else { text.to_owned() }
}

pub(super) fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if needs_escape(c) => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn writes_what_it_reads() {
        let value = json!({
            "apiVersion": "v1",
            "data": {"topsecret.txt": "I\nAM\nBATMAN", "a": "x\n", "b": "\n", "c": " lead\nx\n\n", "yes": "no", "d": "tab\there\nx\r\n", "e": ""},
            "list": [{"a": 1, "b": [1, "2", []]}, [1, 2], {}],
            "n": null, "t": true, "f": 1.5, "date": "2026-01-01", "zh": "中文: 好", "q": "it's \"x\""
        });
        let text = to_yaml(&value);
        let back = parse(Path::new("x.yaml"), text.clone()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(back.to_json(), value, "{text}");
    }

    #[test]
    fn a_secret_reads_like_the_seed() {
        let value = json!({"apiVersion": "v1", "data": {"topsecret.txt": "I\nAM\nBATMAN"}, "kind": "Secret"});
        assert_eq!(to_yaml(&value), "apiVersion: v1\ndata:\n  topsecret.txt: |-\n    I\n    AM\n    BATMAN\nkind: Secret\n");
    }
}
