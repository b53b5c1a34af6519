//! A values tree in which every node still knows where it was written.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use indexmap::IndexMap;
use zeroize::Zeroize;

use super::veil;
use crate::error::{Error, Location};

/// One values text, kept for as long as any node may need to point into it.
#[derive(Debug)]
pub struct Source {
    /// The file as the user would name it (relative where the user gave it so).
    pub path: PathBuf,
    /// The whole text, after a byte order mark was taken off.
    pub text: String,
    /// Where each line starts, in bytes; found when the first problem is reported.
    lines: OnceCell<Vec<usize>>,
    secret: bool,
    /// For a text that was laid out anew: what was written, and how many blanks were put in front of a line.
    written: Option<(Rc<Source>, BTreeMap<usize, usize>)>,
}

impl Source {
    /// A text under the name that messages give it.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), lines: OnceCell::new(), secret: false, written: None }
    }

    /// A Secret's text: no error repeats a value of it, and it is wiped from memory in the end.
    pub fn secret(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let mut source = Self::new(path, text);
        source.secret = true;
        source
    }

    /// This text laid out anew: places in it are told as they stand in this one.
    pub(super) fn laid_out(self: &Rc<Self>, text: String, pads: BTreeMap<usize, usize>) -> Self {
        let mut source = Self::new(&self.path, text);
        source.secret = self.secret;
        source.written = Some((Rc::clone(self), pads));
        source
    }

    /// The place at a line and column of this text.
    pub(super) fn span(self: &Rc<Self>, line: usize, column: usize, length: usize) -> Span {
        let length = length.max(1);
        match &self.written {
            None => Span { source: Rc::clone(self), line, column, length },
            Some((source, pads)) => {
                let column = column.saturating_sub(pads.get(&line).copied().unwrap_or(0)).max(1);
                Span { source: Rc::clone(source), line, column, length }
            }
        }
    }

    /// A line without its end, counted from 1; empty when there is none. Lines end as YAML's do: LF, CR LF, or CR alone.
    pub fn line(&self, number: usize) -> &str {
        let lines = self.lines.get_or_init(|| {
            let bytes = self.text.as_bytes();
            let ends = |at: &usize| bytes[*at] == b'\n' || (bytes[*at] == b'\r' && bytes.get(at + 1) != Some(&b'\n'));
            std::iter::once(0).chain((0..bytes.len()).filter(ends).map(|at| at + 1)).collect()
        });
        let Some(start) = number.checked_sub(1).and_then(|index| lines.get(index)) else { return "" };
        let end = lines.get(number).copied().unwrap_or(self.text.len());
        self.text[*start..end].trim_end_matches(['\r', '\n'])
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if self.secret {
            self.text.zeroize();
        }
    }
}

/// A position in a source. Lines and columns count characters from 1.
#[derive(Clone, Debug)]
pub struct Span {
    /// Where the text comes from.
    pub source: Rc<Source>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// How many characters to underline, at least 1.
    pub length: usize,
}

impl Span {
    /// The location as errors carry it, with the offending line.
    pub fn location(&self) -> Location {
        if self.source.secret {
            return self.veiled();
        }
        Location {
            path: self.source.path.clone(),
            line: self.line,
            column: self.column,
            length: self.length,
            text: self.source.line(self.line).to_owned(),
        }
    }

    /// The location in a Secret's text: a place in a value is its start.
    fn veiled(&self) -> Location {
        let text = veil::line(&self.source.text, self.line);
        let shown = text.strip_suffix("***").map_or(usize::MAX, |shown| shown.chars().count());
        let (column, length) = if self.column <= shown { (self.column, self.length) } else { (shown + 1, 3) };
        Location { path: self.source.path.clone(), line: self.line, column, length, text }
    }

    /// An error that points here.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::failed(message).at(self.location())
    }
}

/// A key of a map and where it was written.
pub type Map = IndexMap<String, Entry>;

/// One `key: value` of a map.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Node {
    /// What helm sees here.
    pub value: Value,
    /// Where it was written.
    pub span: Span,
}

/// What helm sees of a YAML node. Numbers are 64 bit floats, because helm reads values by way of JSON.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, `~`, or nothing.
    Null,
    /// A boolean, the YAML 1.1 words included.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Text.
    String(String),
    /// A list.
    Seq(Vec<Node>),
    /// A map with string keys.
    Map(Map),
}

impl Value {
    /// What a person calls this kind of value.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "text",
            Self::Seq(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Node {
    /// Wipes every text below from memory.
    pub fn wipe(&mut self) {
        match &mut self.value {
            Value::String(text) => text.zeroize(),
            Value::Seq(items) => items.iter_mut().for_each(Node::wipe),
            Value::Map(map) => map.values_mut().for_each(|entry| entry.node.wipe()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The value of `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(map) => map.get(key).map(|entry| &entry.node),
            _ => None,
        }
    }

    /// The node at a path of keys and list indexes, or the nearest one above it that exists.
    pub fn nearest<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> &Node {
        let mut node = self;
        for step in path {
            let next = match &node.value {
                Value::Map(map) => map.get(step).map(|entry| &entry.node),
                Value::Seq(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// The text, when this is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The map, when this is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Every text in this value, at any depth.
    pub fn texts<'a>(&'a self, into: &mut Vec<&'a str>) {
        match &self.value {
            Value::String(text) => into.push(text),
            Value::Seq(items) => items.iter().for_each(|item| item.texts(into)),
            Value::Map(map) => map.values().for_each(|entry| entry.node.texts(into)),
            _ => {}
        }
    }

    /// The same data as JSON, which is how helm passes values to templates.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => number_to_json(*number),
            Value::String(text) => Json::String(text.clone()),
            Value::Seq(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Value::Map(map) => Json::Object(map.iter().map(|(key, entry)| (key.clone(), entry.node.to_json())).collect()),
        }
    }
}

/// A whole float becomes a JSON integer, as `toJson` prints it, so that integers of the model accept it.
#[allow(clippy::cast_possible_truncation, clippy::float_cmp)]
fn number_to_json(number: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53: beyond it, neighbours collapse
    if number.trunc() == number && number.abs() <= EXACT {
        serde_json::Value::from(number as i64)
    } else {
        serde_json::Number::from_f64(number).map_or(serde_json::Value::Null, serde_json::Value::Number)
    }
}
