//! YAML as GitLab reads it (Ruby's Psych, YAML 1.1): `!reference`, merge keys, several documents, and a key that stands twice, whose last one wins.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput};
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::values::node::{Source, Span};

/// Deepest nesting. GitLab's own bound is 100 (`Gitlab::Config::Loader::Yaml::MAX_YAML_DEPTH`).
const MAX_DEPTH: usize = 100;
/// How many values a file may stand for, those of aliases included.
const MAX_NODES: usize = 400_000;

/// A map in the order of the file.
pub(crate) type Map = IndexMap<String, Entry>;

/// One `key: value`.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: Span,
    pub node: Node,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub value: Value,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
    /// `!reference [job, key]`
    Reference(Vec<String>),
}

impl Node {
    pub(crate) fn map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.get(key).map(|entry| &entry.node)
    }

    /// Puts a value under a key of a map.
    pub(crate) fn set(&mut self, key: &str, node: Node) {
        if let Value::Map(map) = &mut self.value {
            map.insert(key.to_owned(), Entry { key: node.span.clone(), node });
        }
    }

    /// A scalar as Ruby's `to_s` writes it; none for lists and maps.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Null => Some(String::new()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Int(number) => Some(number.to_string()),
            Value::Float(number) => Some(format!("{number:?}")),
            Value::Text(text) => Some(text.clone()),
            Value::List(_) | Value::Map(_) | Value::Reference(_) => None,
        }
    }

    /// Every text of a text or of a list at any depth, as scripts and patterns are flattened.
    pub(crate) fn texts(&self) -> Vec<&Node> {
        match &self.value {
            Value::Text(_) => vec![self],
            Value::List(items) => items.iter().flat_map(Node::texts).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Int(number) => Json::from(*number),
            Value::Float(number) => Json::from(*number),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(map) => map_to_json(map),
            Value::Reference(path) => Json::String(format!("!reference [{}]", path.join(", "))),
        }
    }

    /// Lists within a list written out, as GitLab does with scripts and rules.
    pub(crate) fn flatten(&mut self) {
        fn items(list: &[Node]) -> Vec<Node> {
            list.iter().flat_map(|item| item.list().map_or_else(|| vec![item.clone()], items)).collect()
        }
        if let Value::List(list) = &mut self.value {
            *list = items(list);
        }
    }

    /// What a person calls this kind of value.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Reference(_) => "a reference",
        }
    }
}

pub(crate) fn map_to_json(map: &Map) -> Json {
    Json::Object(map.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect())
}

/// `over` merged over `under` as Rails' `deep_merge` does: maps key by key, all else replaced.
pub(crate) fn deep_merge(under: &mut Map, over: &Map) {
    for (key, entry) in over {
        match under.get_mut(key) {
            Some(Entry { node: Node { value: Value::Map(below), .. }, key: span }) if entry.node.map().is_some() => {
                deep_merge(below, entry.node.map().expect("a map"));
                *span = entry.key.clone();
            }
            Some(there) => *there = entry.clone(),
            None => {
                under.insert(key.clone(), entry.clone());
            }
        }
    }
}

/// A key that stands twice in one map: its name, and where the one stands that wins.
#[derive(Clone, Debug)]
pub(crate) struct Twice {
    pub key: String,
    pub first: Span,
    pub second: Span,
}

/// A text that was read.
#[derive(Clone, Debug)]
pub(crate) struct Documents {
    pub all: Vec<Node>,
    pub twice: Vec<Twice>,
}

/// Reads all documents of a text; `path` is for messages.
pub(crate) fn read(path: &Path, text: &str) -> Result<Documents> {
    let source = Rc::new(Source::new(path, text.strip_prefix('\u{feff}').unwrap_or(text)));
    let mut builder = Builder { source: &source, anchors: HashMap::new(), nodes: 0, twice: Vec::new() };
    let mut parser = Parser::new_from_str(&source.text);
    let mut all = Vec::new();
    loop {
        let (event, at) = builder.next(&mut parser)?;
        match event {
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                let (event, at) = builder.next(&mut parser)?;
                all.push(builder.node(&mut parser, event, at, 0)?);
            }
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            other => return Err(builder.span(at).error(format!("unexpected {other:?}"))),
        }
    }
    Ok(Documents { all, twice: builder.twice })
}

type Events<'a> = Parser<'a, StrInput<'a>>;

struct Builder<'s> {
    source: &'s Rc<Source>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    twice: Vec<Twice>,
}

impl Builder<'_> {
    fn next<'a>(&self, parser: &mut Events<'a>) -> Result<(Event<'a>, ParserSpan)> {
        match parser.next_event() {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => {
                let span = self.span(ParserSpan::empty(*error.marker()));
                Err(span
                    .error(format!("not valid YAML: {}", error.info()))
                    .hint("mend the line above or this one: a colon, a quote or an indentation"))
            }
            None => Err(Error::failed(format!("{}: the YAML ends too early", self.source.path.display()))),
        }
    }

    fn span(&self, at: ParserSpan) -> Span {
        let length = if at.start.line() == at.end.line() { at.len().max(1) } else { 1 };
        Span { source: Rc::clone(self.source), line: at.start.line().max(1), column: at.start.col() + 1, length }
    }

    fn node<'a>(&mut self, parser: &mut Events<'a>, event: Event<'a>, at: ParserSpan, depth: usize) -> Result<Node> {
        let span = self.span(at);
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(span.error("too deep or too large for GitLab").hint("repeat less: aliases count as what they stand for"));
        }
        let before = self.nodes;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
                (if is_text { Value::Text(text.into_owned()) } else { plain(&text) }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let is_reference = tag.is_some_and(|tag| tag.suffix == "reference" || tag.suffix == "!reference");
                let mut items = Vec::new();
                loop {
                    let (event, at) = self.next(parser)?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(parser, event, at, depth + 1)?);
                }
                let value =
                    if is_reference { Value::Reference(items.iter().filter_map(Node::scalar).collect()) } else { Value::List(items) };
                (value, anchor)
            }
            Event::MappingStart(anchor, _) => (Value::Map(self.map(parser, depth)?), anchor),
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(span.error("an alias inside its own anchor").hint("write the block out"));
                };
                self.nodes += size;
                return Ok(node.clone());
            }
            other => return Err(span.error(format!("unexpected {other:?}"))),
        };
        let node = Node { value, span };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    fn map(&mut self, parser: &mut Events<'_>, depth: usize) -> Result<Map> {
        let mut map = Map::new();
        let mut written: HashMap<String, Span> = HashMap::new();
        loop {
            let (event, at) = self.next(parser)?;
            if matches!(event, Event::MappingEnd) {
                return Ok(map);
            }
            let key = self.node(parser, event, at, depth + 1)?;
            let (event, at) = self.next(parser)?;
            let node = self.node(parser, event, at, depth + 1)?;
            let Some(name) = key.scalar() else {
                return Err(key
                    .span
                    .error(format!("{} cannot be a key", key.kind()))
                    .hint("write the key as one word, in quotes where needed"));
            };
            if name == "<<" && merge_key(&mut map, &node) {
                continue;
            }
            if let Some(first) = written.insert(name.clone(), key.span.clone()) {
                self.twice.push(Twice { key: name.clone(), first, second: key.span.clone() });
            }
            map.insert(name, Entry { key: key.span, node });
        }
    }
}

/// Psych's `<<`: what it brings replaces what stands before it, and of several the first wins. False when it brings no map.
fn merge_key(map: &mut Map, node: &Node) -> bool {
    let sources: Vec<&Map> = match &node.value {
        Value::Map(source) => vec![source],
        Value::List(items) => items.iter().rev().filter_map(Node::map).collect(),
        _ => return false,
    };
    for source in sources {
        map.extend(source.iter().map(|(key, entry)| (key.clone(), entry.clone())));
    }
    true
}

/// A word without quotes, as Psych's scanner takes it.
fn plain(text: &str) -> Value {
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => return Value::Null,
        "yes" | "true" | "on" => return Value::Bool(true),
        "no" | "false" | "off" => return Value::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Value::Text(text.to_owned());
    }
    let digits = text.replace(['_', ','], "");
    let (sign, rest) = digits.strip_prefix('-').map_or((1, digits.trim_start_matches('+')), |rest| (-1, rest));
    let whole = match rest.get(..2) {
        Some("0x") => i64::from_str_radix(&rest[2..], 16).ok(),
        Some("0b") => i64::from_str_radix(&rest[2..], 2).ok(),
        Some(_) if rest.starts_with('0') && rest.bytes().all(|b| b.is_ascii_digit()) => i64::from_str_radix(rest, 8).ok(),
        _ if rest.bytes().all(|b| b.is_ascii_digit()) => rest.parse().ok(),
        _ => None,
    };
    if let Some(whole) = whole {
        return Value::Int(sign * whole);
    }
    let is_float = rest.starts_with(|c: char| c.is_ascii_digit())
        && rest.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    match digits.parse::<f64>() {
        Ok(number) if is_float && rest.contains('.') => Value::Float(number),
        _ => Value::Text(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        read(Path::new("x.yml"), text).unwrap_or_else(|error| panic!("{error}")).all.last().expect("a document").to_json()
    }

    #[test]
    fn words_are_what_psych_takes_them_for() {
        assert_eq!(
            json("[yes, Off, y, 0755, 1.10, 1.2.3, 2026-01-01, ~, '1', -7, 1e3, .5]").to_string(),
            r#"[true,false,"y",493,1.1,"1.2.3","2026-01-01",null,"1",-7,"1e3",".5"]"#
        );
    }

    #[test]
    fn a_merge_key_fills_in_and_of_several_the_first_wins() {
        let text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  y: 3\n";
        assert_eq!(json(text)["c"], serde_json::json!({"x": 1, "z": 2, "y": 3}));
    }

    #[test]
    fn documents_references_and_keys_twice() {
        let read = read(Path::new("x.yml"), "spec:\n---\na: !reference [b, script]\na: 2\n").expect("YAML");
        assert_eq!(read.all.len(), 2);
        assert_eq!((read.twice[0].key.as_str(), read.twice[0].second.line), ("a", 4));
        assert_eq!(json("a: !reference [b, script]")["a"], "!reference [b, script]");
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..9 {
            text += &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", "));
        }
        assert!(read(Path::new("x.yml"), &text).expect_err("refused").to_string().contains("too large"));
    }
}
