//! helm's `--set` language.
//!
//! helm gets the user's own words (`--set ...`); this reading is for what lain decides from values
//! (the tag to look up, `build` overrides, the release name). `tests/values_like_helm` compares it with real helms.

use std::iter::Peekable;
use std::rc::Rc;
use std::str::Chars;

use super::node::{Entry, Map, Node, Source, Span, Value};
use crate::error::{Error, Result};

/// helm's bound for an index of a list.
const MAX_INDEX: usize = 65_536;
/// helm's bound for the dots of a key.
const MAX_LEVELS: usize = 30;
/// 2^53: whole numbers beyond it are not all 64 bit floats.
const EXACT: u64 = 9_007_199_254_740_992;

/// Parses one `--set` argument: `a.b=c,d[0]=e,f={x,y}`, with backslash escapes. `as_text` reads it as `--set-string` does.
///
/// # Errors
/// As [`apply_set`].
pub fn parse_set(argument: &str, as_text: bool) -> Result<Node> {
    let mut root = Node { value: Value::Map(Map::new()), span: argument_span(argument) };
    apply_set(&mut root, argument, as_text)?;
    Ok(root)
}

/// Does to `base` what helm does with one `--set` argument to all that came before: an index changes one item of a list that is there.
///
/// # Errors
/// What helm does not take: a part without `=`, an unclosed `{` or `[`, a step into what is no map or list. What helm takes but drops
/// without a word: an empty key, an index without `=`, nothing behind `list[0].key=`. A whole number that lain cannot carry exactly.
pub fn apply_set(base: &mut Node, argument: &str, as_text: bool) -> Result<()> {
    let mut reader = Reader { rest: argument.chars().peekable(), as_text, span: argument_span(argument) };
    while reader.rest.peek().is_some() {
        reader
            .key(base, 0)
            .map_err(|why| Error::usage(format!("--set {argument}: {why}")).hint("--set KEY=VALUE, such as --set imageTag=xxx"))?;
    }
    Ok(())
}

fn argument_span(argument: &str) -> Span {
    Span { source: Rc::new(Source::new("--set", argument)), line: 1, column: 1, length: argument.chars().count().max(1) }
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

/// A step of a key as helm's `--set` takes it.
pub fn escape_key(text: &str) -> String {
    escape_value(text).replace('.', "\\.")
}

/// Why an argument cannot be read.
type Because<T> = std::result::Result<T, String>;

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    as_text: bool,
    span: Span,
}

impl Reader<'_> {
    /// Takes characters up to one of `stops`, which is taken as well; a backslash takes the meaning from the next.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut taken = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => taken.extend(self.rest.next()),
                c if stops.contains(&c) => return (taken, Some(c)),
                c => taken.push(c),
            }
        }
        (taken, None)
    }

    fn node(&self, value: Value) -> Node {
        Node { value, span: self.span.clone() }
    }

    fn key(&mut self, data: &mut Node, level: usize) -> Because<()> {
        let (name, stop) = self.until(&['=', '[', ',', '.']);
        if name.is_empty() {
            return Err("an empty key".to_owned());
        }
        if level > MAX_LEVELS {
            return Err(format!("more than {MAX_LEVELS} levels of keys"));
        }
        if !matches!(stop, Some('=' | '[' | '.')) {
            return Err(format!("`{name}` has no value"));
        }
        let span = self.span.clone();
        let Value::Map(map) = &mut data.value else { return Err(format!("`{name}` is to be a key of what is no map")) };
        let empty = match stop {
            Some('[') => Value::Seq(Vec::new()),
            Some('.') => Value::Map(Map::new()),
            _ => Value::Null,
        };
        let fresh = Node { value: empty, span: span.clone() };
        let entry = map.entry(name.clone()).or_insert_with(|| Entry { key_span: span.clone(), node: fresh });
        entry.key_span = span;
        match stop {
            Some('[') => self.item(&mut entry.node, level),
            Some('.') => {
                let Value::Map(_) = entry.node.value else { return Err(format!("`{name}` is no map, but {}", entry.node.value.kind())) };
                self.key(&mut entry.node, level + 1)
            }
            _ => {
                entry.node = self.value()?;
                Ok(())
            }
        }
    }

    /// Behind `[`: an index, and what follows it.
    fn item(&mut self, list: &mut Node, level: usize) -> Because<()> {
        let (text, stop) = self.until(&[']']);
        let index = text.strip_prefix('+').unwrap_or(&text).parse::<usize>().ok().filter(|index| *index <= MAX_INDEX);
        let (Some(index), Some(_)) = (index, stop) else { return Err(format!("`[{text}` is no index from 0 to {MAX_INDEX} with a `]`")) };
        if !matches!(list.value, Value::Seq(_)) {
            return Err(format!("`[{index}]` of what is no list, but {}", list.value.kind()));
        }
        let (between, stop) = self.until(&['[', '.', '=']);
        let Some(stop) = stop.filter(|_| between.is_empty()) else {
            return Err(format!("`[{index}]` is to be followed by `=`, `.` or `[`"));
        };
        let value = if stop == '=' { Some(self.value()?) } else { None };
        let null = self.node(Value::Null);
        let empty = self.node(if stop == '[' { Value::Seq(Vec::new()) } else { Value::Map(Map::new()) });
        let Value::Seq(items) = &mut list.value else { return Err("an index into what is no list".to_owned()) };
        if items.len() <= index {
            items.resize(index + 1, null);
        }
        let item = &mut items[index];
        match (value, stop) {
            (Some(value), _) => *item = value,
            (None, '[') => {
                if matches!(item.value, Value::Null) {
                    *item = empty;
                }
                self.item(item, level)?;
            }
            (None, _) => {
                if !matches!(item.value, Value::Map(_)) {
                    *item = empty;
                }
                self.key(item, level)?;
                if self.ended_empty(item) {
                    return Err(format!("nothing stands behind the last `=`, and helm drops what is below `[{index}]` then"));
                }
            }
        }
        Ok(())
    }

    /// True when the argument ends with `=`.
    fn ended_empty(&mut self, item: &Node) -> bool {
        let empty = |node: &Node| node.as_str() == Some("");
        let ends_bare = self.span.source.text.ends_with('=') && !self.span.source.text.ends_with("\\=");
        self.rest.peek().is_none() && ends_bare && any_leaf(item, &empty)
    }

    fn value(&mut self) -> Because<Node> {
        if self.rest.next_if_eq(&'{').is_none() {
            let (text, _) = self.until(&[',']);
            return self.typed(&text);
        }
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            match stop {
                Some(',') => items.push(self.typed(&text)?),
                Some(_) => {
                    items.push(self.typed(&text)?);
                    self.rest.next_if_eq(&',');
                    return Ok(self.node(Value::Seq(items)));
                }
                None => return Err("`{` without `}`".to_owned()),
            }
        }
    }

    /// Only these words and plain whole numbers are anything but text.
    #[allow(clippy::cast_precision_loss)]
    fn typed(&self, text: &str) -> Because<Node> {
        let word = |word: &str| text.eq_ignore_ascii_case(word);
        let value = match text {
            _ if self.as_text => Value::String(text.to_owned()),
            _ if word("true") => Value::Bool(true),
            _ if word("false") => Value::Bool(false),
            _ if word("null") => Value::Null,
            "0" => Value::Number(0.0),
            _ if text.starts_with('0') => Value::String(text.to_owned()),
            _ => match text.parse::<i64>() {
                Ok(number) if number.unsigned_abs() > EXACT => {
                    return Err(format!("{text} is too large a number to be read alike everywhere; write it in a file, in quotes"));
                }
                Ok(number) => Value::Number(number as f64),
                Err(_) => Value::String(text.to_owned()),
            },
        };
        Ok(self.node(value))
    }
}

fn any_leaf(node: &Node, wanted: &impl Fn(&Node) -> bool) -> bool {
    match &node.value {
        Value::Map(map) => map.values().any(|entry| any_leaf(&entry.node, wanted)),
        Value::Seq(items) => items.iter().any(|item| any_leaf(item, wanted)),
        _ => wanted(node),
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
