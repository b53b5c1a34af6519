//! Changes one scalar of a values text and nothing else: comments, order, quotes, indentation, CRLF and BOM stay.
//!
//! Every edit is read again and compared with the text before; one that would change anything but its path is refused.

use std::collections::HashMap;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput};
use serde_json::Value as Json;

use super::layout::Layout;
use super::node::{Node, Value};
use super::parse::parse;
use super::scalar::{needs_quotes, resolve_plain};
use super::write::{double_quoted, quoted_if_needed};

/// Why an edit was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The line that stands against it, from 1.
    pub line: usize,
    /// The reason, in plain words.
    pub why: String,
}

/// The text with the scalar at `path` (keys from the top) set to `value`. What was quoted stays quoted; what was plain is
/// read as YAML reads it, so `8080` becomes a number there. Keys that are missing are put behind their neighbours.
///
/// # Errors
/// The text is no values file, the place is no scalar, or shares its text with another place (anchors, `<<`).
pub fn set(text: &str, path: &[String], value: &str) -> Result<String, Refused> {
    let before = parse(Path::new("values"), text.to_owned()).map_err(|error| Refused { line: 1, why: error.to_string() })?;
    let (mark, body) = text.strip_prefix('\u{feff}').map_or(("", text), |body| ("\u{feff}", body));
    let editor = Editor { text: body, tree: Tree::read(body).ok_or_else(|| Refused { line: 1, why: "it cannot be read".into() })? };
    let (at, new) = editor.change(path, value)?;
    let after = format!("{mark}{}{new}{}", &body[..at.start], &body[at.end..]);
    if !differs_only_at(&before, &after, path, value) {
        return Err(editor.refuse(at.start, "the change would change more than this place"));
    }
    Ok(after)
}

/// True when both hold the same data but for `path`, which now holds `value`.
fn differs_only_at(before: &Node, after: &str, path: &[String], value: &str) -> bool {
    let Ok(after) = parse(Path::new("values"), after.to_owned()) else { return false };
    let (mut before, mut after) = (before.to_json(), after.to_json());
    let as_text = Json::String(value.to_owned());
    let Some(new) = at_path(&mut after, path) else { return false };
    if *new != as_text && *new != plain_json(value) {
        return false;
    }
    let new = new.take();
    *at_path(&mut after, path).unwrap_or(&mut Json::Null) = new.clone();
    let mut place = &mut before;
    for key in path {
        let Json::Object(map) = place else { return false };
        place = map.entry(key.as_str()).or_insert_with(|| Json::Object(serde_json::Map::new()));
    }
    *place = new;
    before == after
}

fn at_path<'a>(root: &'a mut Json, path: &[String]) -> Option<&'a mut Json> {
    path.iter().try_fold(root, |node, key| node.as_object_mut()?.get_mut(key))
}

fn plain_json(text: &str) -> Json {
    match resolve_plain(text) {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(flag),
        Value::Number(_) => parse(Path::new("value"), format!("v: {text}\n")).map_or(Json::Null, |node| node.to_json()["v"].clone()),
        _ => Json::String(text.to_owned()),
    }
}

struct Editor<'a> {
    text: &'a str,
    tree: Tree,
}

type Place = std::ops::Range<usize>;

impl Editor<'_> {
    fn refuse(&self, at: usize, why: impl Into<String>) -> Refused {
        Refused { line: self.text[..at].matches('\n').count() + 1, why: why.into() }
    }

    /// Which bytes become which text.
    fn change(&self, path: &[String], value: &str) -> Result<(Place, String), Refused> {
        let mut item = &self.tree.root;
        let mut parent_column = None;
        for (depth, key) in path.iter().enumerate() {
            let (entries, flow) = match &item.kind {
                Kind::Map { entries, flow } => (entries, *flow),
                Kind::Alias => {
                    return Err(self.refuse(item.start, format!("{} is an alias: its text stands elsewhere", name(path, depth))));
                }
                _ => return Err(self.refuse(item.start, format!("{} is no map, so it has no place for `{key}`", name(path, depth)))),
            };
            let Some(entry) = entries.iter().find(|entry| entry.name.as_deref() == Some(key)) else {
                let rest = &path[depth..];
                let merged = entries.iter().find(|entry| entry.merge);
                if let (Some(merge), true) = (merged, rest.len() > 1) {
                    let why = format!("`{key}` may come from elsewhere by `<<`");
                    return Err(self.refuse(merge.key.start, why));
                }
                return self.insert(item, entries, flow, parent_column, rest, value);
            };
            if !flow {
                parent_column = Some(self.column(entry.key.start));
            }
            item = &entry.value;
            if let Some(other) = self.tree.aliases.get(&item.anchor) {
                let line = self.refuse(*other, "").line;
                let why = format!("{} is anchored and used again on line {line}: both would change", name(path, depth + 1));
                return Err(self.refuse(item.start, why));
            }
        }
        self.replace(item, path, value)
    }

    fn replace(&self, item: &Item, path: &[String], value: &str) -> Result<(Place, String), Refused> {
        match &item.kind {
            Kind::Alias => Err(self.refuse(item.start, format!("{} is an alias: its text stands elsewhere", name(path, path.len())))),
            Kind::Scalar(style) => {
                let start = item.start + properties(&self.text[item.start..item.end]);
                let old = &self.text[start..item.end];
                match style {
                    ScalarStyle::SingleQuoted if !value.chars().any(char::is_control) => {
                        Ok((start..item.end, format!("'{}'", value.replace('\'', "''"))))
                    }
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Ok((start..item.end, double_quoted(value))),
                    ScalarStyle::Plain if old.is_empty() => {
                        Err(self.refuse(item.start, format!("{} has no value that could be changed", name(path, path.len()))))
                    }
                    ScalarStyle::Plain => Ok((start..item.end, plain_or_quoted(value))),
                    ScalarStyle::Literal | ScalarStyle::Folded => {
                        Err(self.refuse(item.start, format!("{} is a block of lines", name(path, path.len()))))
                    }
                }
            }
            Kind::Map { .. } | Kind::Seq { .. } => Err(self.refuse(item.start, format!("{} is no single value", name(path, path.len())))),
        }
    }

    fn insert(
        &self,
        map: &Item,
        entries: &[Pair],
        flow: bool,
        parent_column: Option<usize>,
        keys: &[String],
        value: &str,
    ) -> Result<(Place, String), Refused> {
        let Some((key, inner)) = keys.split_first() else { return Err(self.refuse(map.start, "no key is given")) };
        let key = quoted_if_needed(key);
        let Some(last) = entries.last() else {
            let at = map.end - 1; // an empty map is written {}
            return Ok((at..at, format!("{key}: {}", in_flow(inner, value))));
        };
        if flow {
            let at = last.value.end.max(last.key.end);
            let text = format!(", {key}: {}", in_flow(inner, value));
            return Ok((at..at, text));
        }
        let column = self.column(last.key.start);
        let step = parent_column.and_then(|parent| column.checked_sub(parent)).filter(|step| *step > 0).unwrap_or(2);
        let eol = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let mut lines = vec![];
        let mut indent = column;
        let mut opened = key;
        for key in inner {
            lines.push(format!("{}{opened}:", " ".repeat(indent)));
            indent += step;
            opened = quoted_if_needed(key);
        }
        lines.push(format!("{}{opened}: {}", " ".repeat(indent), plain_or_quoted(value)));
        let block = lines.join(eol);
        // Behind a block of lines it could become part of it: then it stands before the first key instead.
        let Some(end) = last.value.last_end().map(|end| end.max(last.key.end)) else {
            let at = entries[0].key.start;
            return Ok((at..at, format!("{}{eol}{}", block.trim_start(), " ".repeat(column))));
        };
        let at = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
        let at = if self.text[..at].ends_with('\r') { at - 1 } else { at };
        Ok((at..at, format!("{eol}{block}")))
    }

    fn column(&self, at: usize) -> usize {
        let line = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        self.text[line..at].chars().count()
    }
}

fn name(path: &[String], depth: usize) -> String {
    if depth == 0 { "the file".to_owned() } else { format!("`{}`", path[..depth].join(".")) }
}

fn plain_or_quoted(value: &str) -> String {
    let is_text = matches!(resolve_plain(value), Value::String(_));
    let unsafe_in_flow = value.contains(['{', '}', '[', ']', ',']);
    if !value.is_empty() && !unsafe_in_flow && (!is_text || !needs_quotes(value)) { value.to_owned() } else { double_quoted(value) }
}

fn in_flow(keys: &[String], value: &str) -> String {
    keys.iter().rev().fold(plain_or_quoted(value), |inner, key| format!("{{{}: {inner}}}", quoted_if_needed(key)))
}

/// How many bytes anchor and tag take before the value itself.
fn properties(text: &str) -> usize {
    let mut rest = text;
    loop {
        if rest.starts_with(['&', '!']) {
            rest = rest.trim_start_matches(|c: char| !c.is_whitespace());
        } else if rest.starts_with('#') && rest.len() < text.len() {
            rest = rest.trim_start_matches(|c: char| c != '\n');
        } else if rest.starts_with(char::is_whitespace) {
            rest = rest.trim_start();
        } else {
            return text.len() - rest.len();
        }
    }
}

/// Where a scalar's own text ends: the parser counts the comment behind `'it''s'` in.
fn scalar_end(text: &str, start: usize, end: usize, style: ScalarStyle) -> usize {
    let first = start + properties(&text[start..end]);
    let inside = &text.as_bytes()[first..];
    let mut at = 1;
    match style {
        ScalarStyle::SingleQuoted => {
            while at < inside.len() && (inside[at] != b'\'' || inside.get(at + 1) == Some(&b'\'')) {
                at += if inside[at] == b'\'' { 2 } else { 1 };
            }
            first + at + 1
        }
        ScalarStyle::DoubleQuoted => {
            while at < inside.len() && inside[at] != b'"' {
                at += if inside[at] == b'\\' { 2 } else { 1 };
            }
            first + at + 1
        }
        _ => end,
    }
    .min(text.len())
}

/// What stands where, in bytes. Aliases are not followed.
struct Tree {
    root: Item,
    /// For each anchor that is used, where first.
    aliases: HashMap<usize, usize>,
}

struct Item {
    start: usize,
    end: usize,
    /// 0: none.
    anchor: usize,
    kind: Kind,
}

enum Kind {
    Scalar(ScalarStyle),
    Alias,
    Seq { items: Vec<Item>, flow: bool },
    Map { entries: Vec<Pair>, flow: bool },
}

struct Pair {
    /// What helm sees as the key; none for keys that are neither text nor a word for a boolean.
    name: Option<String>,
    merge: bool,
    key: Item,
    value: Item,
}

impl Item {
    /// Tells every place as `written` does.
    fn move_by(&mut self, written: &impl Fn(usize) -> usize) {
        (self.start, self.end) = (written(self.start), written(self.end));
        match &mut self.kind {
            Kind::Scalar(_) | Kind::Alias => {}
            Kind::Seq { items, .. } => items.iter_mut().for_each(|item| item.move_by(written)),
            Kind::Map { entries, .. } => entries.iter_mut().for_each(|pair| {
                pair.key.move_by(written);
                pair.value.move_by(written);
            }),
        }
    }

    /// Where its text ends; none when it ends in a block of lines.
    fn last_end(&self) -> Option<usize> {
        match &self.kind {
            Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded) => None,
            Kind::Map { entries, flow: false } => entries.last().map_or(Some(self.end), |last| {
                let end = last.value.last_end()?;
                Some(end.max(last.key.end))
            }),
            Kind::Seq { items, flow: false } => items.last().map_or(Some(self.end), Item::last_end),
            _ => Some(self.end),
        }
    }
}

impl Tree {
    /// None for what the parser refuses; [`parse`] has said why before.
    fn read(text: &str) -> Option<Self> {
        Self::of(text).or_else(|| {
            let layout = Layout::of(text)?;
            let mut tree = Self::of(&layout.text)?;
            tree.root.move_by(&|at| layout.written(at));
            tree.aliases.values_mut().for_each(|at| *at = layout.written(*at));
            Some(tree)
        })
    }

    fn of(text: &str) -> Option<Self> {
        let mut reader = Reader { text, parser: Parser::new_from_str(text), character: 0, byte: 0, aliases: HashMap::new() };
        loop {
            let (event, span) = reader.next()?;
            match event {
                Event::DocumentStart(_) => {
                    let (event, span) = reader.next()?;
                    let root = reader.item(event, span)?;
                    while reader.next().is_some_and(|(event, _)| !matches!(event, Event::StreamEnd)) {}
                    return Some(Self { root, aliases: reader.aliases });
                }
                Event::StreamEnd => {
                    let at = reader.offset(span.start.index());
                    let kind = Kind::Scalar(ScalarStyle::Plain);
                    return Some(Self { root: Item { start: at, end: at, anchor: 0, kind }, aliases: reader.aliases });
                }
                _ => {}
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
    /// The parser counts characters; these two run along with it.
    character: usize,
    byte: usize,
    aliases: HashMap<usize, usize>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(Event<'a>, ParserSpan)> {
        self.parser.next_event()?.ok()
    }

    fn offset(&mut self, character: usize) -> usize {
        if character >= self.character {
            let mut rest = self.text[self.byte..].chars();
            for _ in self.character..character {
                self.byte += rest.next().map_or(0, char::len_utf8);
            }
        } else {
            let mut before = self.text[..self.byte].chars();
            for _ in character..self.character {
                self.byte -= before.next_back().map_or(0, char::len_utf8);
            }
        }
        self.character = character;
        self.byte
    }

    /// True for a list or map in brackets; a block starts with what is in it.
    fn opens_with(&self, bracket: char, start: usize) -> bool {
        let text = &self.text[start..];
        text[properties(text)..].starts_with(bracket)
    }

    fn item(&mut self, event: Event<'a>, span: ParserSpan) -> Option<Item> {
        let (start, mut end) = (self.offset(span.start.index()), self.offset(span.end.index()));
        let (anchor, kind) = match event {
            Event::Scalar(_, style, anchor, _) => {
                end = scalar_end(self.text, start, end, style);
                (anchor, Kind::Scalar(style))
            }
            Event::Alias(anchor) => {
                self.aliases.entry(anchor).or_insert(start);
                (0, Kind::Alias)
            }
            Event::SequenceStart(anchor, _) => {
                let flow = self.opens_with('[', start);
                let mut items = vec![];
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        end = if flow { self.offset(span.start.index()) + 1 } else { start }; // a comment counts to the bracket
                        break;
                    }
                    items.push(self.item(event, span)?);
                }
                (anchor, Kind::Seq { items, flow })
            }
            Event::MappingStart(anchor, _) => {
                let flow = self.opens_with('{', start);
                let mut entries = vec![];
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        end = if flow { self.offset(span.start.index()) + 1 } else { start }; // a comment counts to the bracket
                        break;
                    }
                    let name = key_name(&event);
                    let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
                    let key = self.item(event, span)?;
                    let (event, span) = self.next()?;
                    let value = self.item(event, span)?;
                    entries.push(Pair { name, merge, key, value });
                }
                (anchor, Kind::Map { entries, flow })
            }
            _ => return None,
        };
        Some(Item { start, end, anchor, kind })
    }
}

fn key_name(event: &Event<'_>) -> Option<String> {
    let Event::Scalar(text, style, _, _) = event else { return None };
    if *style != ScalarStyle::Plain {
        return Some(text.to_string());
    }
    match resolve_plain(text) {
        Value::String(text) => Some(text),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
