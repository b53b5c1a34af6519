//! `spec: inputs` and `$[[ inputs.NAME ]]` (GitLab's `lib/gitlab/ci/config/interpolation`): a scalar that is one block alone keeps the input's type, within
//! text it becomes text, in keys too.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::{Captures, Regex};

use super::expression::Variables;
use super::yaml::{self, Entry, Map, Node, Value};
use crate::error::Result;
use crate::values::node::Span;

/// GitLab's `Template::BLOCK_REGEXP`.
static BLOCK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\[\[\s*(\S.*?\S)\s*\]\]").expect("a pattern"));
static TRUNCATE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^truncate\(\s*(\d+)\s*,\s*(\d+)\s*\)?$").expect("a pattern"));
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\$|\$\{(\w+)\}|\$(\w+)").expect("a pattern"));
/// GitLab's `Block::MAX_FUNCTIONS`.
const MAX_FUNCTIONS: usize = 3;

/// What is wrong with inputs, and where.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub message: String,
    pub hint: String,
    pub at: Span,
}

/// One input of a template, as its header declares it.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// `string`, `number`, `boolean` or `array`.
    pub kind: String,
    pub default: Option<Node>,
    pub options: Vec<Node>,
    pub regex: Option<String>,
    at: Span,
}

/// An input as a test or a page sees it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// `string`, `number`, `boolean` or `array`.
    pub kind: String,
    /// What it may be; empty when nothing is said.
    pub options: Vec<serde_json::Value>,
    /// What it is when nothing is given; it must be given when this is none.
    pub default: Option<serde_json::Value>,
    /// What it must match.
    pub regex: Option<String>,
}

/// The inputs of a template's text.
///
/// # Errors
/// It is no YAML.
pub fn declared_inputs(path: &Path, text: &str) -> Result<Vec<Declared>> {
    let documents = yaml::read(path, text)?.all;
    let header = documents.first().filter(|_| documents.len() > 1);
    let of = |(name, input): (String, Input)| Declared {
        name,
        kind: input.kind,
        options: input.options.iter().map(Node::to_json).collect(),
        default: input.default.as_ref().map(Node::to_json),
        regex: input.regex,
    };
    Ok(declared(header).into_iter().map(of).collect())
}

/// The inputs that a header declares; none where there is no `spec`.
pub(crate) fn declared(header: Option<&Node>) -> IndexMap<String, Input> {
    let inputs = header.and_then(|header| header.get("spec")).and_then(|spec| spec.get("inputs")).and_then(Node::map);
    let of = |entry: &Entry| Input {
        kind: entry.node.get("type").and_then(Node::text).unwrap_or("string").to_owned(),
        default: entry.node.get("default").cloned(),
        options: entry.node.get("options").and_then(Node::list).unwrap_or_default().to_vec(),
        regex: entry.node.get("regex").and_then(Node::scalar),
        at: entry.key.clone(),
    };
    inputs.into_iter().flatten().map(|(name, entry)| (name.clone(), of(entry))).collect()
}

/// The values that inputs have, and everything that is wrong with what was given; `at` is the include.
pub(crate) fn values(declared: &IndexMap<String, Input>, given: Option<&Map>, at: &Span) -> (BTreeMap<String, Node>, Vec<Fault>) {
    let mut faults = Vec::new();
    let mut values = BTreeMap::new();
    for (name, entry) in given.into_iter().flatten().filter(|(name, _)| !declared.contains_key(*name)) {
        let near = crate::model::name::nearest(name, declared.keys().map(String::as_str));
        let hint = match near {
            Some(near) => format!("{near}: ..."),
            None if declared.is_empty() => "take `inputs` out: the file declares none in its `spec`".to_owned(),
            None => format!("one of {}", declared.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        let (message, hint) = match word_for(name, &entry.key) {
            Some(word) => (
                format!("unknown input arguments: {name} (to YAML 1.1, which GitLab reads, `{word}` without quotes is {name})"),
                format!("\"{word}\": ..."),
            ),
            None => (format!("unknown input arguments: {name}"), hint),
        };
        faults.push(Fault { message, hint, at: entry.key.clone() });
    }
    for (name, input) in declared {
        let given = given.and_then(|given| given.get(name)).filter(|entry| !entry.node.is_null());
        if let Some(default) = &input.default {
            faults.extend(input.fault(name, default, "default").map(|(message, hint)| Fault { message, hint, at: input.at.clone() }));
        }
        match (given, &input.default) {
            (Some(entry), _) => {
                faults.extend(input.fault(name, &entry.node, "provided").map(|(message, hint)| Fault {
                    message,
                    hint,
                    at: entry.key.clone(),
                }));
                values.insert(name.clone(), entry.node.clone());
            }
            (None, Some(default)) => drop(values.insert(name.clone(), default.clone())),
            (None, None) => faults.push(Fault {
                message: format!("`{name}` input: required value has not been provided"),
                hint: format!("inputs: {{{name}: ...}}"),
                at: at.clone(),
            }),
        }
    }
    (values, faults)
}

/// The word that was written for a key that YAML takes for a boolean: `on`, `yes`, `off`.
fn word_for(name: &str, at: &Span) -> Option<String> {
    if !matches!(name, "true" | "false") {
        return None;
    }
    let word: String = at.source.line(at.line).chars().skip(at.column - 1).take_while(char::is_ascii_alphabetic).collect();
    (!word.is_empty() && word != name).then_some(word)
}

impl Input {
    /// What is wrong with a value, and what to write instead.
    fn fault(&self, name: &str, value: &Node, which: &str) -> Option<(String, String)> {
        let fits = match self.kind.as_str() {
            "string" => value.text().is_some(),
            "number" => matches!(value.value, Value::Int(_) | Value::Float(_)),
            "boolean" => value.bool().is_some(),
            "array" => value.list().is_some(),
            other => {
                return Some((
                    format!("unknown input specification for `{name}`: {other}"),
                    "type: string, number, boolean or array".into(),
                ));
            }
        };
        let article = if self.kind == "array" { "an" } else { "a" };
        if !fits {
            let hint = match (self.kind.as_str(), value.scalar()) {
                ("string", Some(written)) => format!("{name}: \"{written}\""),
                ("array", Some(written)) => format!("{name}: [\"{written}\"]"),
                _ => format!("{name}: {article} {}", self.kind),
            };
            return Some((format!("`{name}` input: {which} value is not {article} {}", self.kind), hint));
        }
        let written = value.scalar().unwrap_or_default();
        if !self.options.is_empty() && !self.options.iter().any(|option| option.scalar().as_ref() == Some(&written)) {
            let options: Vec<String> = self.options.iter().filter_map(Node::scalar).collect();
            let message = format!("`{name}` input: `{written}` cannot be used because it is not in the list of allowed options");
            return Some((message, format!("{name}: {}", options.join(" | "))));
        }
        let pattern = self.regex.as_ref()?;
        match Regex::new(pattern) {
            Err(_) => Some((format!("`{name}` input: invalid regular expression"), "a pattern that RE2 takes".into())),
            Ok(regex) if !regex.is_match(&written) => Some((
                format!("`{name}` input: {which} value does not match required RegEx pattern"),
                format!("something that matches {pattern}"),
            )),
            Ok(_) => None,
        }
    }
}

/// `node` with every block replaced.
pub(crate) fn interpolated(node: &Node, values: &BTreeMap<String, Node>, variables: &Variables, faults: &mut Vec<Fault>) -> Node {
    let context = Context { values, variables };
    context.node(node, faults)
}

struct Context<'a> {
    values: &'a BTreeMap<String, Node>,
    variables: &'a Variables,
}

impl Context<'_> {
    fn node(&self, node: &Node, faults: &mut Vec<Fault>) -> Node {
        let value = match &node.value {
            Value::Text(text) if text.contains("$[[") => self.text(text, &node.span, faults),
            Value::List(items) => Value::List(items.iter().map(|item| self.node(item, faults)).collect()),
            Value::Map(map) => Value::Map(self.map(map, faults)),
            Value::Reference(path) => Value::Reference(path.iter().map(|step| as_text(&self.text(step, &node.span, faults))).collect()),
            other => other.clone(),
        };
        Node { value, span: node.span.clone() }
    }

    fn map(&self, map: &Map, faults: &mut Vec<Fault>) -> Map {
        let one = |(key, entry): (&String, &Entry), faults: &mut Vec<Fault>| {
            let key = if key.contains("$[[") { as_text(&self.text(key, &entry.key, faults)) } else { key.clone() };
            (key, Entry { key: entry.key.clone(), node: self.node(&entry.node, faults) })
        };
        map.iter().map(|pair| one(pair, faults)).collect()
    }

    fn text(&self, text: &str, at: &Span, faults: &mut Vec<Fault>) -> Value {
        if let Some(alone) = BLOCK.captures(text).filter(|found| found[0].len() == text.len()) {
            return self.block(&alone[1], at, faults).unwrap_or_else(|| Value::Text(text.to_owned()));
        }
        let replaced = BLOCK.replace_all(text, |found: &Captures<'_>| match self.block(&found[1], at, faults) {
            Some(value) => as_text(&value),
            None => found[0].to_owned(),
        });
        Value::Text(replaced.into_owned())
    }

    /// `inputs.NAME | function | ...`; none for what GitLab leaves for later (`matrix.X`) and for faults.
    fn block(&self, inside: &str, at: &Span, faults: &mut Vec<Fault>) -> Option<Value> {
        let mut parts = inside.split('|').map(str::trim);
        let access = parts.next().unwrap_or_default();
        if access.starts_with("matrix.") || access.starts_with("component.") {
            return None;
        }
        let mut fault = |message: String, hint: &str| {
            faults.push(Fault { message, hint: hint.to_owned(), at: at.clone() });
            None
        };
        let Some(name) = access.strip_prefix("inputs.") else {
            return fault("invalid interpolation access pattern".into(), "$[[ inputs.NAME ]]");
        };
        let Some(found) = self.values.get(name) else {
            return fault(format!("unknown interpolation key: `{name}`"), "declare it in `spec: inputs:` of the same file");
        };
        let functions: Vec<&str> = parts.collect();
        if functions.len() > MAX_FUNCTIONS {
            return fault("too many functions in interpolation block".into(), "three at most");
        }
        let mut value = found.value.clone();
        for function in functions {
            match self.applied(function, &value) {
                Ok(next) => value = next,
                Err(message) => return fault(message, "expand_vars, truncate(OFFSET, LENGTH) or posix_escape, of text"),
            }
        }
        Some(value)
    }

    fn applied(&self, function: &str, value: &Value) -> Result<Value, String> {
        let name = function.split('(').next().unwrap_or(function);
        let known = TRUNCATE.is_match(function) || matches!(function, "expand_vars" | "posix_escape");
        if !known {
            return Err(format!("no function matching `{function}`: check that the function name, arguments, and types are correct"));
        }
        let Value::Text(text) = value else {
            return Err(format!("invalid input type: {name} can only be used with string inputs"));
        };
        let done = match (function, TRUNCATE.captures(function)) {
            (_, Some(found)) => {
                let number = |at: usize| found[at].parse::<usize>().unwrap_or(usize::MAX);
                text.chars().skip(number(1)).take(number(2)).collect()
            }
            ("expand_vars", _) => expand(text, self.variables, false),
            _ => escape(text),
        };
        Ok(Value::Text(done))
    }
}

/// Ruby's `Shellwords.shellescape`.
fn escape(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\n' => out += "'\n'",
            c if c.is_ascii_alphanumeric() || "_-.,:+/@".contains(c) => out.push(c),
            c => out.extend(['\\', c]),
        }
    }
    out
}

/// Ruby's `to_s`.
fn as_text(value: &Value) -> String {
    match value {
        Value::List(items) => format!("[{}]", items.iter().map(|item| inspect(&item.value)).collect::<Vec<_>>().join(", ")),
        other => Node { value: other.clone(), span: no_span() }.scalar().unwrap_or_default(),
    }
}

/// Ruby's `inspect`.
fn inspect(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Null => "nil".to_owned(),
        other => as_text(other),
    }
}

fn no_span() -> Span {
    Span { source: std::rc::Rc::new(crate::values::node::Source::new("", "")), line: 1, column: 1, length: 1 }
}

/// `$NAME` and `${NAME}` replaced; what is not known stays, or becomes empty when `is_strict`.
pub(crate) fn expand(text: &str, variables: &Variables, is_strict: bool) -> String {
    let of = |found: &Captures<'_>| match found.get(1).or_else(|| found.get(2)) {
        None => "$$".to_owned(),
        Some(name) => match variables.get(name.as_str()) {
            Some(value) => value.clone(),
            None if is_strict => String::new(),
            None => found[0].to_owned(),
        },
    };
    VARIABLE.replace_all(text, of).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "spec:\n  inputs:\n    name: {}\n    count: {type: number, default: 3}\n    flag: {type: boolean, default: true}\n    \
                            list: {type: array, default: [a, b c]}\n    size: {default: small, options: [small, large]}\n    \
                            id: {default: x1, regex: '^x\\d+$'}\n---\n";

    fn with(body: &str, given: &str) -> (String, Vec<String>) {
        let read = yaml::read(Path::new("t.yml"), &format!("{TEMPLATE}{body}")).expect("YAML");
        let given = yaml::read(Path::new("g.yml"), given).expect("YAML").all.remove(0);
        let declared = declared(Some(&read.all[0]));
        let (values, mut faults) = values(&declared, given.map(), &given.span);
        let variables = Variables::from([("WHO".to_owned(), "me".to_owned())]);
        let made = interpolated(&read.all[1], &values, &variables, &mut faults);
        (made.to_json().to_string(), faults.into_iter().map(|fault| fault.message).collect())
    }

    fn fine(body: &str, given: &str) -> String {
        let (made, faults) = with(body, given);
        assert!(faults.is_empty(), "{faults:?}");
        made
    }

    #[test]
    fn a_block_alone_keeps_its_type_and_within_text_becomes_text() {
        let body = "a: $[[ inputs.list ]]\nb: '$[[inputs.flag]]'\nc: $[[ inputs.count ]]\nd: n=$[[ inputs.count ]] $[[ inputs.list ]]\n";
        assert_eq!(fine(body, "name: x"), r#"{"a":["a","b c"],"b":true,"c":3,"d":"n=3 [\"a\", \"b c\"]"}"#);
    }

    #[test]
    fn keys_are_filled_in_too() {
        assert_eq!(
            fine("\"$[[ inputs.name ]]build\": {script: \"$[[ inputs.name ]]\"}\n", "name: pre-"),
            r#"{"pre-build":{"script":"pre-"}}"#
        );
    }

    #[test]
    fn functions() {
        assert_eq!(fine("a: $[[ inputs.name | truncate(1, 2) ]]\n", "name: abcdef"), r#"{"a":"bc"}"#);
        assert_eq!(fine("a: $[[ inputs.name | expand_vars ]]\n", "name: $WHO-${WHO}-$NO"), r#"{"a":"me-me-$NO"}"#);
        assert_eq!(fine("a: $[[ inputs.name | posix_escape ]]\n", "name: a b$"), r#"{"a":"a\\ b\\$"}"#);
        assert_eq!(fine("a: $[[ inputs.name | expand_vars | truncate(0,1) ]]\n", "name: $WHO"), r#"{"a":"m"}"#);
        assert!(with("a: $[[ inputs.name | upcase ]]\n", "name: x").1[0].starts_with("no function matching `upcase`"));
        assert!(with("a: $[[ inputs.count | truncate(0,1) ]]\n", "name: x").1[0].contains("can only be used with string inputs"));
    }

    #[test]
    fn what_is_wrong_is_said_in_gitlabs_words() {
        let message = |given: &str| with("a: 1\n", given).1.join("; ");
        assert_eq!(message("other: 1\nname: x"), "unknown input arguments: other");
        assert_eq!(
            message("name: x\non: tag"),
            "unknown input arguments: true (to YAML 1.1, which GitLab reads, `on` without quotes is true)"
        );
        assert_eq!(message("{}"), "`name` input: required value has not been provided");
        assert_eq!(message("name: 5"), "`name` input: provided value is not a string");
        assert_eq!(message("name: x\ncount: '5'"), "`count` input: provided value is not a number");
        assert_eq!(message("name: x\nflag: 'yes'"), "`flag` input: provided value is not a boolean");
        assert_eq!(message("name: x\nlist: a"), "`list` input: provided value is not an array");
        assert_eq!(message("name: x\nsize: huge"), "`size` input: `huge` cannot be used because it is not in the list of allowed options");
        assert_eq!(message("name: x\nid: y1"), "`id` input: provided value does not match required RegEx pattern");
        assert_eq!(with("a: $[[ inputs.nobody ]]\n", "name: x").1, ["unknown interpolation key: `nobody`"]);
        assert_eq!(with("a: $[[ nobody ]]\n", "name: x").1, ["invalid interpolation access pattern"]);
    }
}
