//! helm's `--set` language, as far as lain itself must understand it.
//!
//! helm gets the user's own words (`--set ...`); this reading is for what lain decides from values
//! (the tag to look up, `build` overrides, the release name).

use std::path::PathBuf;
use std::rc::Rc;

use super::node::{Entry, Map, Node, Source, Span, Value};
use crate::error::{Error, Result};

/// Parses one `--set` argument: `a.b=c,d[0]=e,f={x,y}`, with backslash escapes.
///
/// # Errors
/// A part without `=`, an empty key, or an unclosed `{` or `[`.
pub fn parse_set(argument: &str, as_text: bool) -> Result<Node> {
    let mut root = Node { value: Value::Map(Map::new()), span: span_of(argument) };
    apply_set(&mut root, argument, as_text)?;
    Ok(root)
}

/// Applies one `--set` argument to what files gave, as helm does: `a[0]=x` changes the first item of a list that is there.
///
/// # Errors
/// As [`parse_set`].
pub fn apply_set(root: &mut Node, argument: &str, as_text: bool) -> Result<()> {
    let span = span_of(argument);
    let mut rest = argument.chars().peekable();
    while rest.peek().is_some() {
        let (key, stop) = until(&mut rest, &['=', ',']);
        if stop != Some('=') || key.iter().all(|(c, _)| c.is_whitespace()) {
            return Err(Error::usage(format!("--set {argument}: expected KEY=VALUE")).hint("--set imageTag=xxx"));
        }
        let path = split_key(&key).ok_or_else(|| Error::usage(format!("--set {argument}: `[` without `]`, or an empty key")))?;
        let value = if rest.peek() == Some(&'{') {
            rest.next();
            let (list, stop) = until(&mut rest, &['}']);
            if stop.is_none() {
                return Err(Error::usage(format!("--set {argument}: `{{` without `}}`")));
            }
            if rest.peek() == Some(&',') {
                rest.next();
            }
            let items = split_unescaped(&list, ',').into_iter().map(|text| Node { value: typed(&text, as_text), span: span.clone() });
            Value::Seq(if list.is_empty() { vec![] } else { items.collect() })
        } else {
            let (text, _) = until(&mut rest, &[',']);
            typed(&plain(&text), as_text)
        };
        put(root, &path, Node { value, span: span.clone() });
    }
    Ok(())
}

fn span_of(argument: &str) -> Span {
    Span {
        source: Rc::new(Source::new(PathBuf::from("--set"), argument.to_owned())),
        line: 1,
        column: 1,
        length: argument.chars().count().max(1),
    }
}

/// Puts a value at a path; what is on the way and no map or list gives way to one.
fn put(at: &mut Node, path: &[Step], value: Node) {
    let Some((step, rest)) = path.split_first() else {
        *at = value;
        return;
    };
    let span = value.span.clone();
    let null = || Node { value: Value::Null, span: span.clone() };
    match step {
        Step::Key(key) => {
            if at.as_map().is_none() {
                *at = Node { value: Value::Map(Map::new()), span: span.clone() };
            }
            if let Value::Map(map) = &mut at.value {
                let entry = map.entry(key.clone()).or_insert_with(|| Entry { key_span: span.clone(), node: null() });
                entry.key_span = span.clone();
                put(&mut entry.node, rest, value);
            }
        }
        Step::Index(index) => {
            if !matches!(at.value, Value::Seq(_)) {
                *at = Node { value: Value::Seq(vec![]), span: span.clone() };
            }
            if let Value::Seq(items) = &mut at.value {
                while items.len() <= *index {
                    items.push(null());
                }
                put(&mut items[*index], rest, value);
            }
        }
    }
}

/// Escapes text so that `--set-string KEY=` takes it as one value, whatever it holds.
pub fn escape_value(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | ',' | '{' | '}' | '=' | '[' | ']') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

enum Step {
    Key(String),
    Index(usize),
}

type Chars = Vec<(char, bool)>; // a character, and whether it was escaped

fn until(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, stops: &[char]) -> (Chars, Option<char>) {
    let mut taken = Vec::new();
    while let Some(c) = rest.next() {
        if c == '\\' {
            taken.extend(rest.next().map(|escaped| (escaped, true))); // at the very end it stands for nothing
        } else if stops.contains(&c) {
            return (taken, Some(c));
        } else {
            taken.push((c, false));
        }
    }
    (taken, None)
}

fn plain(chars: &[(char, bool)]) -> String {
    chars.iter().map(|(c, _)| c).collect()
}

fn split_unescaped(chars: &[(char, bool)], at: char) -> Vec<String> {
    chars.split(|(c, escaped)| *c == at && !escaped).map(plain).collect()
}

fn split_key(key: &[(char, bool)]) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in split_unescaped(key, '.') {
        let (name, indexes) = part.split_once('[').map_or((part.as_str(), None), |(name, rest)| (name, Some(rest)));
        if name.is_empty() {
            return None; // helm takes `a.[0]=x` and does nothing
        }
        steps.push(Step::Key(name.to_owned()));
        for index in indexes.into_iter().flat_map(|rest| rest.split('[')) {
            let index: usize = index.strip_suffix(']')?.parse().ok()?;
            if index > 65_536 {
                return None; // helm's own bound
            }
            steps.push(Step::Index(index));
        }
    }
    Some(steps)
}

/// helm's `typedVal`: only these words and plain integers are anything but text.
#[allow(clippy::cast_precision_loss)]
fn typed(text: &str, as_text: bool) -> Value {
    if as_text {
        return Value::String(text.to_owned());
    }
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "0" => Value::Number(0.0),
        _ if !text.starts_with('0') => {
            text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), |number| Value::Number(number as f64))
        }
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(argument: &str) -> String {
        parse_set(argument, false).expect("parses").to_json().to_string()
    }

    #[test]
    fn reads_what_helm_reads() {
        assert_eq!(json("imageTag=xxx"), r#"{"imageTag":"xxx"}"#);
        assert_eq!(json("a.b=1,a.c=true,d=007"), r#"{"a":{"b":1,"c":true},"d":"007"}"#);
        assert_eq!(json(r"a\.b=x\,y"), r#"{"a.b":"x,y"}"#);
        assert_eq!(json("l={a,b},m[1]=z"), r#"{"l":["a","b"],"m":[null,"z"]}"#);
        assert_eq!(json("url=http://x/?a=b"), r#"{"url":"http://x/?a=b"}"#);
        assert!(parse_set("imageTag", false).is_err());
        assert!(parse_set("l={a", false).is_err());
    }

    #[test]
    fn escaped_text_stays_one_value() {
        for text in ["a,b=c", "{x,y}", r"back\slash", "new\nline", "quote\"'", "a[0]", "中文,"] {
            let node = parse_set(&format!("k={}", escape_value(text)), true).expect("parses");
            assert_eq!(node.get("k").and_then(Node::as_str), Some(text));
        }
    }
}
