//! Text to a tree with positions, seeing what helm sees or refusing with the line.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span as ParserSpan, StrInput};

use super::check::{check_anchor, check_flow, key_name, only_map, scalar, syntax_hint, too_many_aliases};
use super::layout::{Layout, Seen};
use super::node::{Entry, Map, Node, Source, Span, Value};
use super::strict::{self, first_line_behind, properties, tab_before_block};
use super::unclosed::{self, Opening};
use super::veil::veil;
use crate::error::{Error, Result};

/// Largest values file, in bytes.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// Deepest nesting.
const MAX_DEPTH: usize = 200;

/// Reads one values file.
///
/// # Errors
/// The file cannot be read, is too large or not UTF-8, is not YAML, or says something that helm would see differently.
pub fn read_file(path: &Path) -> Result<Node> {
    read_file_as(path, path)
}

/// As [`read_file`], of a file that the user knows by another path.
///
/// # Errors
/// As [`read_file`].
pub fn read_file_as(full: &Path, path: &Path) -> Result<Node> {
    let meta = std::fs::metadata(full).map_err(|error| Error::io("read", path, &error))?;
    if !(meta.is_file() || meta.is_dir()) || is_of_kernel(full) {
        return Err(Error::failed(format!(
            "{} is no ordinary file, and values are read more than once: by lain, and by helm",
            path.display()
        ))
        .hint("cat it > values-more.yaml && lain deploy -f values-more.yaml"));
    }
    let size = meta.len();
    if size > MAX_BYTES as u64 {
        return Err(Error::failed(format!("{}: {size} bytes; a values file may have {MAX_BYTES} at most", path.display())));
    }
    let bytes = std::fs::read(full).map_err(|error| Error::io("read", path, &error))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        Error::failed(format!("{}:{line}: not UTF-8 text", path.display())).hint(format!("iconv -f GB18030 -t UTF-8 {}", path.display()))
    })?;
    parse(path, text)
}

/// True for what the kernel makes up as it is read: this machine's processes and devices.
fn is_of_kernel(path: &Path) -> bool {
    std::fs::canonicalize(path).is_ok_and(|real| ["/proc", "/sys", "/dev"].iter().any(|root| real.starts_with(root)))
}

/// Parses a values text; `path` is only for messages. An empty text is an empty map, as to helm.
///
/// # Errors
/// As [`read_file`], but for reading.
pub fn parse(path: &Path, text: String) -> Result<Node> {
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    read(&Rc::new(Source::new(path, text)))
}

/// As [`parse`], of a source.
pub(super) fn read(source: &Rc<Source>) -> Result<Node> {
    strict::check(source)?;
    let root = match tree(source) {
        Ok((root, _)) => root,
        Err(first) => read_laid_out(source, first)?,
    };
    match root.value {
        Value::Map(_) => Ok(root),
        Value::Null => Ok(Node { value: Value::Map(Map::new()), span: root.span }),
        other => Err(root
            .span
            .error(format!("a values file must be a map, this is {}", other.kind()))
            .hint("start with `appname: NAME`")
            .caused_by(NotAMap)),
    }
}

/// The tree of a text, and where the parser saw brackets and quotes in it.
fn tree(source: &Rc<Source>) -> Result<(Node, Seen)> {
    let mut builder = Builder::new(source);
    let root = builder.document(&mut Parser::new_from_str(&source.text))?;
    if builder.has_tabs {
        strict::check_tabs(source, &builder.scalar_lines)?;
    }
    Ok((root, builder.seen))
}

/// As [`tree`], once lines inside brackets and quotes stand where the parser wants them; `first` says why it did not read them as written.
fn read_laid_out(source: &Rc<Source>, first: Error) -> Result<Node> {
    let Some(mut layout) = Layout::of(&source.text) else { return Err(first) };
    let moved = Rc::new(source.laid_out(std::mem::take(&mut layout.text), std::mem::take(&mut layout.pads)));
    let (root, seen) = tree(&moved)?;
    if layout.holds(&seen) { Ok(root) } else { Err(first) }
}

/// As [`parse`], of a Secret's text: no error repeats a value, and the text is wiped when nothing points into it any more.
///
/// # Errors
/// As [`parse`].
pub fn parse_secret(path: &Path, text: &str) -> Result<Node> {
    let source = Rc::new(Source::secret(path, text.strip_prefix('\u{feff}').unwrap_or(text)));
    read(&source).map_err(|error| veil(error, &source.text))
}

/// A text that is YAML, but no map.
#[derive(Clone, Copy, Debug)]
pub struct NotAMap;

impl std::fmt::Display for NotAMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no map")
    }
}

impl std::error::Error for NotAMap {}

struct Builder<'s> {
    source: &'s Rc<Source>,
    anchors: HashMap<usize, (Node, usize)>,
    /// How many values were read, those that aliases stand for included.
    nodes: usize,
    /// How many of them aliases stand for.
    aliased: usize,
    ascii: bool,
    has_tabs: bool,
    /// A place that was looked up, in characters and bytes: the next one is not far.
    cursor: (usize, usize),
    /// First and last line that continue a scalar.
    scalar_lines: Vec<(usize, usize)>,
    /// Keys that were not written as text.
    other_keys: HashSet<String>,
    /// The brackets around what is read now.
    open: Vec<Opening>,
    /// Where the last event ended, in characters.
    last: usize,
    /// Where it started, in characters, and on which line.
    last_start: (usize, usize),
    seen: Seen,
}

type Events<'a> = Parser<'a, StrInput<'a>>;

/// Where a node stands: below how many others, and between brackets or not.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    flow: bool,
}

fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH} levels")
}

/// How a scalar was written.
struct How {
    style: ScalarStyle,
    anchored: bool,
    tagged: bool,
    flow: bool,
}

impl<'s> Builder<'s> {
    fn new(source: &'s Rc<Source>) -> Self {
        Self {
            source,
            anchors: HashMap::new(),
            nodes: 0,
            aliased: 0,
            ascii: source.text.is_ascii(),
            has_tabs: source.text.contains('\t'),
            cursor: (0, 0),
            scalar_lines: Vec::new(),
            other_keys: HashSet::new(),
            open: Vec::new(),
            last: 0,
            last_start: (0, 0),
            seen: Seen::default(),
        }
    }

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
                    root = Some(self.node(parser, event, span, Place { depth: 0, flow: false })?);
                }
                Event::StreamEnd => break,
                other => return Err(self.span(span).error(format!("unexpected {other:?}"))),
            }
        }
        if let Some(root) = root {
            return Ok(root);
        }
        if let Some(index) = self.source.text.lines().position(|line| line.starts_with("...")) {
            let span = self.source.span(index + 1, 1, 3);
            return Err(span.error("a document ends here before it starts").hint("remove the `...`"));
        }
        Ok(Node { value: Value::Null, span: self.span(ParserSpan::default()) })
    }

    fn next<'a>(&mut self, parser: &mut Events<'a>) -> Result<(Event<'a>, ParserSpan)> {
        match parser.next_event() {
            Some(Ok((event, span))) => {
                self.last = self.last.max(span.end.index());
                self.last_start = (span.start.index(), span.start.line());
                Ok((event, span))
            }
            Some(Err(error)) => {
                let marker = *error.marker();
                if error.info().contains("recursion limit") {
                    return Err(self.span(ParserSpan::empty(marker)).error(too_deep()).hint("flatten it; no chart reads values this deep"));
                }
                if let Some(error) = unclosed::explain(self.source, &error, &self.open, self.last) {
                    return Err(error);
                }
                Err(self.span(ParserSpan::empty(marker)).error(format!("not valid YAML: {}", error.info())).hint(syntax_hint(error.info())))
            }
            None => Err(Error::failed(format!("{}: the YAML ends too early", self.source.path.display()))),
        }
    }

    fn span(&self, span: ParserSpan) -> Span {
        let same_line = span.start.line() == span.end.line();
        self.source.span(span.start.line().max(1), span.start.col() + 1, if same_line { span.len() } else { 1 })
    }

    /// The text from one place to the end of the file, and how long the given number of characters is in it.
    fn text_at(&mut self, start: usize, characters: usize) -> (&'s str, usize) {
        let text: &'s str = &self.source.text;
        if self.ascii {
            return (&text[start.min(text.len())..], characters.min(text.len() - start.min(text.len())));
        }
        let bytes_of = |text: &str, characters: usize| text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
        if start < self.cursor.0 {
            self.cursor = (0, 0);
        }
        self.cursor.1 += bytes_of(&text[self.cursor.1..], start - self.cursor.0);
        self.cursor.0 = start;
        let rest = &text[self.cursor.1..];
        (rest, bytes_of(rest, characters))
    }

    fn node<'a>(&mut self, parser: &mut Events<'a>, event: Event<'a>, at: ParserSpan, place: Place) -> Result<Node> {
        let span = self.span(at);
        if place.depth > MAX_DEPTH {
            return Err(span.error(too_deep()).hint("flatten it; no chart reads values this deep"));
        }
        let (before, around) = (self.nodes, self.open.len());
        self.nodes += 1;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text =
                    self.check_scalar(text, How { style, anchored: anchor != 0, tagged: tag.is_some(), flow: place.flow }, at, &span)?;
                let written = if tag.is_some() { self.written_tag(at) } else { "" };
                self.seen.scalars.push((at.start.index(), at.end.index()));
                if matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted) && at.end.line() > at.start.line() {
                    self.seen.lines.push((at.start.line() + 1, at.end.line()));
                }
                (scalar(&text, style, tag.as_deref(), written, &span)?, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let place = self.inside(at, anchor, place, &span)?;
                let mut items = Vec::new();
                loop {
                    let (event, at) = self.next(parser)?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(parser, event, at, place)?);
                }
                (Value::Seq(items), anchor)
            }
            Event::MappingStart(anchor, _) => {
                let place = self.inside(at, anchor, place, &span)?;
                (Value::Map(self.map(parser, place)?), anchor)
            }
            Event::Alias(anchor) => {
                let (text, length) = self.text_at(at.start.index(), at.len());
                check_anchor(text[..length].trim_start_matches('*'), &span)?;
                let Some((node, size)) = self.anchors.get(&anchor) else {
                    return Err(span.error("an alias inside its own anchor").hint("write the block out instead of pointing at itself"));
                };
                // Counted before it is copied: the check bounds memory, not only the result.
                self.nodes += size;
                self.aliased += size;
                if too_many_aliases(self.nodes, self.aliased) {
                    return Err(span
                        .error(format!("aliases stand for {} of {} values so far; helm refuses so many", self.aliased, self.nodes))
                        .hint("write the repeated blocks out, or repeat less"));
                }
                return Ok(Node { value: node.value.clone(), span });
            }
            other => return Err(span.error(format!("unexpected {other:?}"))),
        };
        if around == 0 && !self.open.is_empty() {
            let end = self.end_of_brackets();
            self.seen.lines.push((at.start.line() + 1, end));
        }
        self.open.truncate(around);
        let node = Node { value, span };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    /// The place of what a list or map holds.
    fn inside(&mut self, at: ParserSpan, anchor: usize, place: Place, span: &Span) -> Result<Place> {
        let (text, length) = self.text_at(at.start.index(), at.len());
        let own = &text[..length];
        if anchor != 0 {
            check_anchor(properties(own).0.unwrap_or_default(), span)?;
        }
        let bracket = own.chars().next_back().filter(|sign| matches!(sign, '[' | '{'));
        self.open.extend(bracket.map(|sign| Opening { at: at.end.index() - 1, sign }));
        Ok(Place { depth: place.depth + 1, flow: place.flow || bracket.is_some() })
    }

    /// Refuses a scalar that helm's reader takes for another one, or for none; the text as helm sees it.
    fn check_scalar<'a>(&mut self, text: Cow<'a, str>, how: How, at: ParserSpan, span: &Span) -> Result<Cow<'a, str>> {
        let How { style, anchored, tagged, flow } = how;
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if !(block || flow || anchored || self.has_tabs || style == ScalarStyle::DoubleQuoted) {
            return Ok(text);
        }
        if self.has_tabs && (block || at.end.line() > at.start.line()) {
            // The end of a block is the start of the line behind it.
            let last = if at.end.col() == 0 || block { at.end.line() - 1 } else { at.end.line() };
            // The place of a block is that of its first word, unless something stands before its header.
            let first = if block && !anchored && !tagged { at.start.line() } else { at.start.line() + 1 };
            self.scalar_lines.push((first, last));
        }
        let (rest, length) = self.text_at(at.start.index(), at.len());
        let (name, _, taken) = if anchored || tagged { properties(&rest[..length]) } else { (None, None, 0) };
        if anchored {
            check_anchor(name.unwrap_or_default(), span)?;
        }
        let written = &rest[taken.min(length)..length];
        match style {
            ScalarStyle::DoubleQuoted if strict::has_slash_escape(written) => {
                Err(span.error("the escape `\\/` is JSON's; helm does not know it").hint("write / without the backslash"))
            }
            ScalarStyle::Plain if flow => {
                check_flow(&text, tagged, &rest[length..], span)?;
                Ok(text)
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                let first = if taken > 0 { first_line_behind(written, span.line) } else { span.line };
                if let Some((line, column)) = tab_before_block(self.source, first).filter(|_| self.has_tabs) {
                    let place = self.source.span(line, column, 1);
                    return Err(place
                        .error("a tab where the indentation of this text is set")
                        .hint("indent with spaces, or say how deep: `|2`"));
                }
                if length == rest.len() && !rest.ends_with(['\n', '\r']) {
                    let last = self.source.text.rsplit(['\n', '\r']).next().unwrap_or_default();
                    if last.trim_matches(' ').is_empty() {
                        return Err(self
                            .source
                            .span(at.end.line(), 1, last.chars().count())
                            .error("the file ends inside this text, with blanks and without a line end; helm 3 adds none, helm 4 does")
                            .hint("end the file with a line end"));
                    }
                    // The parser adds the line end that is missing; helm does not.
                    return Ok(text.strip_suffix('\n').map_or(text.clone(), |text| Cow::Owned(text.to_owned())));
                }
                Ok(text)
            }
            _ => Ok(text),
        }
    }

    /// The line of the closing bracket that was read last: behind a comma the parser tells of the comma.
    fn end_of_brackets(&mut self) -> usize {
        let (at, mut line) = self.last_start;
        let mut rest = self.text_at(at, 0).0;
        loop {
            rest = match rest.bytes().next() {
                Some(b'#') => &rest[rest.find(['\n', '\r']).unwrap_or(rest.len())..],
                Some(b'\n' | b'\r') => {
                    line += 1;
                    rest.strip_prefix("\r\n").unwrap_or(&rest[1..])
                }
                Some(b' ' | b'\t' | b',') => &rest[1..],
                _ => return line,
            };
        }
    }

    fn written_tag(&mut self, at: ParserSpan) -> &'s str {
        let (text, length) = self.text_at(at.start.index(), at.len());
        properties(&text[..length]).1.unwrap_or_default()
    }

    fn map(&mut self, parser: &mut Events<'_>, place: Place) -> Result<Map> {
        let mut map: Map = IndexMap::new();
        let mut merged: Map = IndexMap::new();
        loop {
            let (event, at) = self.next(parser)?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            if matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<") {
                let key = self.span(at);
                if !matches!(event, Event::Scalar(_, _, 0, _)) {
                    return Err(key.error("an anchor before `<<`").hint("remove the anchor"));
                }
                let (event, at) = self.next(parser)?;
                let aliased = matches!(event, Event::Alias(_));
                let node = self.node(parser, event, at, place)?;
                self.merge(&mut map, &mut merged, &node, aliased, &key)?;
                continue;
            }
            // Only a number is spelled anew as a key.
            let raw = match &event {
                Event::Scalar(text, _, _, tag)
                    if tag.is_some() || text.starts_with(['+', '-', '.']) || text.starts_with(|c: char| c.is_ascii_digit()) =>
                {
                    Some((text.clone().into_owned(), tag.as_ref().is_some_and(|tag| tag.suffix == "float")))
                }
                _ => None,
            };
            let key = self.node(parser, event, at, place)?;
            let (event, at) = self.next(parser)?;
            let node = self.node(parser, event, at, place)?;
            let name = key_name(&key, raw)?;
            if !matches!(key.value, Value::String(_)) {
                self.other_keys.insert(name.clone());
            }
            if let Some(earlier) = map.get(&name) {
                return Err(key
                    .span
                    .error(format!(
                        "`{name}` stands twice in this map (first on line {}); helm takes the later one without a word",
                        earlier.key_span.line
                    ))
                    .hint(format!("keep one `{name}:`")));
            }
            if merged.contains_key(&name) {
                self.check_override(&name, &key.span)?;
            }
            map.insert(name, Entry { key_span: key.span, node });
        }
        for (name, entry) in merged {
            map.entry(name).or_insert(entry);
        }
        Ok(map)
    }

    /// `<<: *base` and `<<: [*a, *b]`: the earlier of a list wins. What stands later in the map wins over what stands earlier, whether it is
    /// written out or brought by another `<<`: so helm reads it, unlike other readers.
    fn merge(&self, map: &mut Map, merged: &mut Map, node: &Node, aliased: bool, key: &Span) -> Result<()> {
        let maps: Vec<&Map> = match &node.value {
            Value::Map(map) => vec![map],
            Value::Seq(items) if !aliased => items.iter().map(|item| only_map(item)).collect::<Result<_>>()?,
            _ => return only_map(node).map(|_| ()),
        };
        let mut found = Map::new();
        for (name, entry) in maps.into_iter().flatten() {
            if found.contains_key(name) {
                self.check_override(name, key)?;
            } else {
                found.insert(name.clone(), entry.clone());
            }
        }
        for (name, entry) in found {
            if let Some(earlier) = map.get_mut(&name) {
                self.check_override(&name, key)?;
                earlier.node = entry.node;
            } else if merged.contains_key(&name) {
                self.check_override(&name, key)?;
                merged.insert(name, entry);
            } else {
                merged.insert(name, entry);
            }
        }
        Ok(())
    }

    /// helm keeps `1:` and `"1":` apart until both are text; then chance decides.
    fn check_override(&self, name: &str, span: &Span) -> Result<()> {
        if !self.other_keys.contains(name) {
            return Ok(());
        }
        Err(span
            .error(format!("`<<` brings `{name}` too, and it was written without quotes as no text; helm may pick either"))
            .hint(format!("write \"{name}\" everywhere")))
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
        assert_eq!(json("base: &b {x: 1, k: 2}\nz:\n  <<: *b\n  k: 3\n"), r#"{"base":{"x":1,"k":2},"z":{"k":3,"x":1}}"#);
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
        assert!(error(&text).contains("helm refuses so many"));
    }
}
