//! Text to a tree with positions, seeing what helm sees or refusing with the line.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput, Tag};

use super::node::{Entry, Map, Node, Source, Span, Value};
use super::scalar::{resolve_plain, whole_number};
use super::strict::{self, Tabs};
use crate::error::{Error, Result};

/// Largest values file, in bytes.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Most nodes a file may come to once its anchors are expanded ("billion laughs").
const MAX_NODES: usize = 4_000_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 200;

/// Reads one values file.
///
/// # Errors
/// The file cannot be read, is too large or not UTF-8, is not YAML, or says something that helm would see differently.
pub fn read_file(path: &Path) -> Result<Node> {
    let size = std::fs::metadata(path).map_err(|error| Error::io("read", path, &error))?.len();
    if size > MAX_BYTES as u64 {
        return Err(Error::failed(format!("{}: {size} bytes; a values file may have {MAX_BYTES} at most", path.display())));
    }
    let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::failed(format!("{}:{line}: not UTF-8 text", path.display())).hint(format!("iconv -f GB18030 -t UTF-8 {}", path.display()))
    })?;
    parse(path, text)
}

/// Parses a values text; `path` is only for messages. An empty text is an empty map, as to helm.
///
/// # Errors
/// As [`read_file`], but for reading.
pub fn parse(path: &Path, text: String) -> Result<Node> {
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let source = Rc::new(Source::new(path.to_path_buf(), text));
    strict::whole_text(&source)?;
    let mut builder = Builder {
        source: Rc::clone(&source),
        anchors: HashMap::new(),
        nodes: 0,
        flow: 0,
        tabs: Tabs::find(&source.text),
        slashes: source.text.contains("\\/"),
    };
    let mut parser = Parser::new_from_str(&source.text);
    let root = builder.document(&mut parser)?;
    match root.value {
        Value::Map(_) => Ok(root),
        Value::Null => Ok(Node { value: Value::Map(Map::new()), span: root.span }),
        other => Err(root.span.error(format!("a values file must be a map, this is {}", other.kind())).hint("start with `appname: NAME`")),
    }
}

struct Builder {
    source: Rc<Source>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    /// How many `[` and `{` are open.
    flow: usize,
    tabs: Tabs,
    /// Whether `\/` stands anywhere.
    slashes: bool,
}

type Events<'a> = Parser<'a, StrInput<'a>>;

impl Builder {
    fn document(&mut self, parser: &mut Events<'_>) -> Result<Node> {
        let mut root = None;
        loop {
            let (event, span) = self.next(parser)?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(self
                        .span(span)
                        .error("a second document starts here; helm reads the first and drops the rest without a word")
                        .hint("keep one document a file: remove the `---`"));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next(parser)?;
                    root = Some(self.node(parser, event, span, 0)?);
                }
                Event::StreamEnd => break,
                other => return Err(self.span(span).error(format!("unexpected {other:?}"))),
            }
        }
        self.tabs.none_left(&self.source)?;
        Ok(root.unwrap_or_else(|| Node { value: Value::Null, span: self.span(ParserSpan::default()) }))
    }

    fn next<'a>(&self, parser: &mut Events<'a>) -> Result<(Event<'a>, ParserSpan)> {
        match parser.next_event() {
            Some(Ok(pair)) => Ok(pair),
            Some(Err(error)) => {
                let marker = *error.marker();
                Err(self.span(ParserSpan::empty(marker)).error(format!("not valid YAML: {}", error.info())).hint(syntax_hint(error.info())))
            }
            None => Err(Error::failed(format!("{}: the YAML ends too early", self.source.path.display()))),
        }
    }

    fn span(&self, span: ParserSpan) -> Span {
        let same_line = span.start.line() == span.end.line();
        Span {
            source: Rc::clone(&self.source),
            line: span.start.line().max(1),
            column: span.start.col() + 1,
            length: if same_line { span.len().max(1) } else { 1 },
        }
    }

    fn node<'a>(&mut self, parser: &mut Events<'a>, event: Event<'a>, at: ParserSpan, depth: usize) -> Result<Node> {
        let span = self.span(at);
        if depth > MAX_DEPTH {
            return Err(span.error(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        if self.flow == 0 {
            self.tabs.check(&span)?;
        }
        let before = self.nodes;
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_many(&span));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => self.tabs.allow_block(&span.source, at.start.line(), at.end.line()),
                    _ => self.tabs.allow(at.start.line(), at.end.line()),
                }
                strict::scalar(&text, style, &span, self.flow > 0, self.slashes.then_some(at))?;
                (scalar(&text, style, tag.as_deref(), &span)?, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let opened = self.open(at);
                let mut items = Vec::new();
                loop {
                    let (event, end) = self.next(parser)?;
                    if matches!(event, Event::SequenceEnd) {
                        self.close(opened, at, end);
                        break;
                    }
                    items.push(self.node(parser, event, end, depth + 1)?);
                }
                (Value::Seq(items), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let opened = self.open(at);
                let (map, end) = self.map(parser, depth)?;
                self.close(opened, at, end);
                (Value::Map(map), anchor)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(span.error("an alias inside its own anchor").hint("write the block out instead of pointing at itself"));
                };
                let (value, size) = (&node.value, *size);
                // Counted before it is copied: the check bounds memory, not only the result.
                if self.nodes + size > MAX_NODES {
                    return Err(too_many(&span));
                }
                let value = value.clone();
                self.nodes += size;
                return Ok(Node { value, span });
            }
            other => return Err(span.error(format!("unexpected {other:?}"))),
        };
        let node = Node { value, span };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    /// Counts a `[` or `{`: the parser gives those a place of their own, and block collections the empty one before their first item.
    fn open(&mut self, at: ParserSpan) -> usize {
        let is_flow = self.flow > 0 || (!at.is_empty() && at.start.line() == at.end.line());
        self.flow += usize::from(is_flow);
        usize::from(is_flow)
    }

    fn close(&mut self, opened: usize, at: ParserSpan, end: ParserSpan) {
        if opened > 0 {
            self.flow -= opened;
            self.tabs.allow(at.start.line(), end.end.line());
        }
    }

    fn map(&mut self, parser: &mut Events<'_>, depth: usize) -> Result<(Map, ParserSpan)> {
        let mut map: Map = IndexMap::new();
        let mut merged: HashSet<String> = HashSet::new();
        loop {
            let (event, at) = self.next(parser)?;
            if matches!(event, Event::MappingEnd) {
                return Ok((map, at));
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let plain = match &event {
                Event::Scalar(text, ScalarStyle::Plain, _, None) => Some(text.to_string()),
                _ => None,
            };
            let key = self.node(parser, event, at, depth + 1)?;
            let (event, at) = self.next(parser)?;
            let node = self.node(parser, event, at, depth + 1)?;
            if is_merge {
                merge_into(&mut map, &mut merged, &node)?;
                continue;
            }
            let name = key_name(&key, plain.as_deref())?;
            if let Some(earlier) = map.get(&name).filter(|_| !merged.remove(&name)) {
                return Err(key
                    .span
                    .error(format!(
                        "`{name}` stands twice in this map (first on line {}); helm takes the later one without a word",
                        earlier.key_span.line
                    ))
                    .hint(format!("keep one `{name}:`")));
            }
            map.insert(name, Entry { key_span: key.span, node });
        }
    }
}

fn too_many(span: &Span) -> Error {
    span.error(format!("anchors expand to more than {MAX_NODES} values")).hint("write the repeated blocks out")
}

/// `<<: *base` and `<<: [*a, *b]`: the earlier of a list wins. What stands above the `<<` is overridden, what stands below it overrides: go-yaml
/// goes through a map in its order.
fn merge_into(map: &mut Map, merged: &mut HashSet<String>, node: &Node) -> Result<()> {
    match &node.value {
        Value::Map(more) => {
            for (name, entry) in more {
                merged.insert(name.clone());
                map.insert(name.clone(), entry.clone());
            }
            Ok(())
        }
        Value::Seq(items) => items.iter().rev().try_for_each(|item| merge_into(map, merged, item)),
        other => Err(node.span.error(format!("`<<` merges maps, this is {}", other.kind())).hint("<<: *anchor")),
    }
}

/// A key as helm has it: text. Whole numbers are written out; helm shortens others to 32 bits (`1e308` becomes `.inf`), so they are refused.
fn key_name(key: &Node, plain: Option<&str>) -> Result<String> {
    match &key.value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(_) => plain.and_then(whole_number).map(|number| number.to_string()).ok_or_else(|| {
            let shown = plain.map_or_else(|| key.to_json().to_string(), str::to_owned);
            key.span.error(format!("helm changes the number {shown} when it is a key")).hint(format!("quote it: \"{shown}\":"))
        }),
        other => Err(key.span.error(format!("a key must be text, this is {}", other.kind())).hint("quote it")),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Result<Value> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        if plain && matches!(text.to_ascii_lowercase().trim_start_matches(['+', '-']), ".inf" | ".nan") {
            return Err(span
                .error(format!("`{text}` is no number that JSON, and so helm, can carry"))
                .hint(format!("quote it: \"{text}\"")));
        }
        return Ok(if plain { resolve_plain(text) } else { Value::String(text.to_owned()) });
    };
    let name: Cow<'_, str> = if tag.is_yaml_core_schema() { Cow::Borrowed(&tag.suffix) } else { Cow::Owned(tag.to_string()) };
    match (name.as_ref(), resolve_plain(text)) {
        ("str", _) => Ok(Value::String(text.to_owned())),
        ("int" | "float", value @ Value::Number(_)) | ("bool", value @ Value::Bool(_)) | ("null", value @ Value::Null) => Ok(value),
        _ => Err(span.error(format!("the tag `{tag}` does not fit `{text}`")).hint("remove the tag, or quote the value to make it text")),
    }
}

fn syntax_hint(info: &str) -> &'static str {
    if info.contains("tab") {
        "YAML is indented with spaces; replace the tab"
    } else if info.contains("mapping values") || info.contains("simple key") {
        "check the indentation of this line and the one above, and quote text that holds `: `"
    } else {
        "check indentation and quotes on this line and the one above"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        parse(Path::new("values.yaml"), text.to_owned()).expect("parses").to_json().to_string()
    }

    fn error(text: &str) -> String {
        parse(Path::new("values.yaml"), text.to_owned()).expect_err("is refused").to_string()
    }

    #[test]
    fn reads_what_helm_reads() {
        assert_eq!(json("a: on\nb: 0777\n\"c\": '1'\non: x\n"), r#"{"a":true,"b":511,"c":"1","true":"x"}"#);
        assert_eq!(json("base: &b {x: 1, k: 2}\nz:\n  <<: *b\n  k: 3\n"), r#"{"base":{"x":1,"k":2},"z":{"x":1,"k":3}}"#);
        assert_eq!(json("\u{feff}a: 1\r\nb: |\r\n  x\r\n  y\r\n"), r#"{"a":1,"b":"x\ny\n"}"#);
        assert_eq!(json("# nothing\n"), "{}");
    }

    #[test]
    fn refuses_with_a_position() {
        assert!(error("a: 1\nb: 2\na: 3\n").contains("values.yaml:3:1"), "{}", error("a: 1\nb: 2\na: 3\n"));
        assert!(error("a: 1\n---\nb: 2\n").contains("second document"));
        assert!(error("a: [1\n").contains("not valid YAML"));
        assert!(error("- a\n").contains("must be a map"));
        assert!(error("a: &x [*x]\n").contains("values.yaml:1:8"), "{}", error("a: &x [*x]\n"));
    }

    #[test]
    fn a_billion_laughs_end() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let alias = format!("*a{}, ", level - 1).repeat(10);
            text += &format!("a{level}: &a{level} [{}]\n", alias.trim_end_matches(", "));
        }
        assert!(error(&text).contains("anchors expand"));
    }
}
