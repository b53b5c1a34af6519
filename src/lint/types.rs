//! Values walked along the model's schema: every type, missing key, misspelt key, range and grammar in one pass.

use std::borrow::Cow;

use serde_json::{Map as JsonMap, Value as Json};

use super::{Problem, Severity};
use crate::model::app::App;
use crate::model::name::{is_label, is_slip, nearest, to_label};
use crate::model::{duration, quantity, schedule, schema};
use crate::values::node::{Map, Node, Span, Value};

/// L002 labels, L004 slips in keys, L006 types, L007 missing keys (L010-L012, L019 for those of procs), L016 and L025 ranges, L019, L023, L024, L027 grammars,
/// L030 text. Also what could be typed of the app once everything wrong was taken out.
/// `older`: the values were written for the older tool's chart.
pub(super) fn check(root: &Node, older: bool) -> (App, Vec<Problem>) {
    let mut walker = Walker { schema: schema::values(), older, root: true, path: vec![], bad: vec![], problems: vec![] };
    walker.object(schema::values(), root, &root.span);
    let bad = std::mem::take(&mut walker.bad);
    let mut problems = walker.problems;
    let mut walker = Walker { schema: schema::cluster(), older, root: true, path: vec![], bad: vec![], problems };
    walker.object(schema::cluster(), root, &root.span);
    problems = walker.problems;

    let mut json = root.to_json();
    bad.iter().rev().for_each(|path| take_out(&mut json, path));
    if json.get("appname").is_none_or(|name| !name.is_string()) {
        json["appname"] = "app".into(); // its absence was told above
    }
    let app = serde_json::from_value(json).or_else(|_| serde_json::from_value(serde_json::json!({"appname": "app"})));
    (app.expect("a name alone is an app"), problems)
}

/// Removes what is at a path.
fn take_out(json: &mut Json, path: &[String]) {
    let Some((last, above)) = path.split_last() else { return };
    let mut at = json;
    for step in above {
        let next = match at {
            Json::Object(map) => map.get_mut(step),
            Json::Array(items) => step.parse().ok().and_then(|index: usize| items.get_mut(index)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => return,
        }
    }
    match at {
        Json::Object(map) => drop(map.shift_remove(last)),
        // Later ones are taken out first, so the number still holds. Checks that point into lists go by nodes.
        Json::Array(items) => {
            if let Some(index) = last.parse().ok().filter(|index: &usize| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

struct Walker<'a> {
    schema: &'static Json,
    older: bool,
    root: bool,
    path: Vec<Cow<'a, str>>,
    bad: Vec<Vec<String>>,
    problems: Vec<Problem>,
}

impl<'a> Walker<'a> {
    /// A key and its value. `at` is where the key stands, or the item of a list.
    fn node(&mut self, schema: &'static Json, node: &'a Node, at: &Span) {
        if matches!(node.value, Value::Null) {
            return; // as if it were not written
        }
        let Some(schema) = self.fitting(schema, node) else {
            return self.wrong(node, "text or a map", String::new());
        };
        let types = types_of(schema);
        match &node.value {
            Value::Map(_) if allows(&types, "object") => self.object(schema, node, at),
            Value::Seq(items) if allows(&types, "array") => {
                let Some(item) = schema.get("items") else { return };
                for (index, node) in items.iter().enumerate() {
                    self.path.push(Cow::Owned(index.to_string()));
                    if matches!(node.value, Value::Null) {
                        self.wrong(node, &expected(&types_of(self.resolve(item))), String::new());
                    } else {
                        self.node(item, node, &node.span);
                    }
                    self.path.pop();
                }
            }
            Value::String(text) if allows(&types, "string") => self.text(schema, text, node),
            Value::String(text) if types == ["integer"] && text.trim().parse::<i64>().is_ok() => {
                // The older tool took it, and so does the chart.
                let hint = format!("{}: {}", self.key(), text.trim());
                self.push("L006", Severity::Warning, node, format!("`{}`: expected a whole number, found text", self.dotted()), hint);
                if let Ok(number) = text.trim().parse::<f64>() {
                    self.range(schema, number, node);
                }
            }
            Value::Number(number) if types == ["number"] => self.range(schema, *number, node),
            Value::Number(number) if allows(&types, "number") => self.number_text(schema, *number, node),
            Value::Number(number) if allows(&types, "integer") && number.fract() == 0.0 => self.range(schema, *number, node),
            Value::Bool(_) if allows(&types, "boolean") => {}
            // Quotes would not help: a unit is missing.
            Value::Number(_) if types == ["string"] && schema.get("format").is_some_and(|format| format == "duration") => {
                self.text(schema, &written(node), node);
            }
            Value::Bool(_) | Value::Number(_) if types == ["string"] => self.not_the_text(node),
            _ if types.is_empty() => {}
            _ => self.wrong(node, &expected(&types), String::new()),
        }
    }

    fn object(&mut self, schema: &'static Json, node: &'a Node, at: &Span) {
        let Some(map) = node.as_map() else { return };
        if map.is_empty() && self.key() == "hpa" {
            return; // To the chart, as to the older one, the same as none.
        }
        let own = self.resolve(schema);
        let properties = own.get("properties").and_then(Json::as_object);
        for required in [schema, own].iter().filter_map(|schema| schema.get("required")?.as_array()).flatten().filter_map(Json::as_str) {
            if map.get(required).is_none_or(|entry| matches!(entry.node.value, Value::Null)) {
                self.missing(required, at);
            }
        }
        let is_root = std::mem::take(&mut self.root);
        for (key, entry) in map {
            self.path.push(Cow::Borrowed(key));
            match properties.and_then(|known| known.get(key)) {
                Some(schema) => self.node(schema, &entry.node, &entry.key_span),
                None => match own.get("additionalProperties") {
                    Some(rest) if rest.is_object() => self.node(rest, &entry.node, &entry.key_span),
                    _ => {
                        if let Some(known) = properties {
                            self.slip(key, known, map, &entry.key_span, is_root);
                        }
                    }
                },
            }
            self.path.pop();
        }
    }

    fn text(&mut self, schema: &Json, text: &str, node: &Node) {
        if let Some(choices) = schema.get("enum").and_then(Json::as_array) {
            let choices: Vec<&str> = choices.iter().filter_map(Json::as_str).collect();
            if !choices.contains(&text) {
                let near = nearest(text, choices.iter().copied()).unwrap_or(choices[0]);
                let hint = format!("{}: {near}", self.key());
                let message = format!("`{}`: `{text}` is none of {}", self.dotted(), choices.join(", "));
                self.push("L006", Severity::Error, node, message, hint);
            }
        }
        let wrong = match schema.get("format").and_then(Json::as_str) {
            Some("quantity") => quantity::Quantity::parse(text).err().map(|why| ("L023", why, "500m, 2, 64Mi, 1Gi".to_owned())),
            Some("duration") => {
                duration::parse(text).err().map(|why| ("L024", why, format!("{}: {}", self.key(), example(schema).unwrap_or("7d"))))
            }
            Some("schedule") => schedule::check(text).err().map(|why| ("L019", why, "schedule: \"0 17 * * *\"".to_owned())),
            // The app's own name and the procs' are the business of names.rs.
            Some("label") if self.path.len() > 1 && !is_label(text) => {
                Some(("L002", format!("`{text}` is no name: lower case letters, digits and `-`"), format!("name: {}", to_label(text))))
            }
            Some("kept-path") => kept_path(text),
            _ => None,
        };
        if let Some((id, why, hint)) = wrong {
            self.push(id, Severity::Error, node, why, hint);
        }
    }

    /// A number where text with a grammar may be a number as well.
    fn number_text(&mut self, schema: &Json, number: f64, node: &Node) {
        if number < 0.0 && schema.get("format").is_some_and(|format| format == "quantity") {
            self.push(
                "L023",
                Severity::Error,
                node,
                format!("`{}`: an amount cannot be below zero", self.dotted()),
                "500m, 2, 64Mi".into(),
            );
        }
    }

    fn range(&mut self, schema: &Json, number: f64, node: &Node) {
        let least = schema.get("minimum").and_then(Json::as_f64).unwrap_or(f64::MIN);
        let most = schema.get("maximum").and_then(Json::as_f64).unwrap_or(f64::MAX);
        if number < least || number > most {
            let id = if schema.get("x-lint").is_some_and(|id| id == "L016") {
                "L016"
            } else if schema.get("x-lint").is_some() {
                "L025"
            } else {
                "L006"
            };
            let bounds = if most >= f64::MAX { format!("below {least}") } else { format!("outside {least}-{most}") };
            let instead = if least > 1.0 { format!("{}", least + 80.0) } else { "8080".into() };
            let hint = if id == "L006" { format!("{}: {}", self.key(), least.max(1.0)) } else { format!("{}: {instead}", self.key()) };
            self.push(id, Severity::Error, node, format!("{} {number} is {bounds}", self.key()), hint);
            self.spoil();
        }
    }

    /// Text was meant, and YAML made something else of it.
    fn not_the_text(&mut self, node: &Node) {
        let written = written(node);
        let seen = node.to_json().to_string();
        let is_env = self.path.iter().rev().nth(1).is_some_and(|above| above == "env");
        let what = if is_env { format!("env `{}`", self.key()) } else { format!("`{}`", self.dotted()) };
        let hint = match self.key().parse::<usize>() {
            Ok(_) => format!("\"{written}\""),
            Err(_) => format!("{}: \"{written}\"", self.key()),
        };
        let kind = if matches!(node.value, Value::Bool(_)) { "a boolean" } else { "a number" };
        // Under its chart, what the older tool refused is refused: it took words for text, as YAML 1.2 does, and did not look into statefulSets and tests.
        let looked = !matches!(self.path[0].as_ref(), "statefulSets" | "tests") && (written == seen || !is_word(&written));
        let severity = match (is_env && self.older, written == seen) {
            (true, _) if looked => Severity::Error,
            (false, false) => Severity::Error,
            _ => Severity::Warning,
        };
        let message = if written == seen {
            format!("{what} is {kind}, text is expected")
        } else {
            let reader = if is_env { "the container" } else { "Kubernetes" };
            format!("{what}: YAML reads `{written}` as {seen}, so that is what {reader} would get")
        };
        self.push("L030", severity, node, message, hint);
    }

    fn missing(&mut self, key: &str, at: &Span) {
        let id = match key {
            "replicaCount" => "L011",
            "resources" => "L012",
            "schedule" => "L019",
            _ => "L007",
        };
        let example = match key {
            "replicaCount" => "1",
            "resources" => "{requests: {cpu: 10m, memory: 80Mi}, limits: {cpu: 1000m, memory: 80Mi}}",
            "schedule" => "\"0 17 * * *\"",
            "maxReplicas" => "10",
            "host" => "shop.example.com",
            "deployName" => "web",
            "base" => "python:3.13-slim",
            "mountPath" => "/lain/app/deploy/topsecret.txt",
            "appname" => "shop",
            "hostnames" => "[db]",
            "ip" => "\"10.0.0.7\"",
            _ => "...",
        };
        let of = self.dotted();
        let message = if of.is_empty() { format!("there is no `{key}`") } else { format!("`{of}` has no `{key}`") };
        self.problems.push(Problem { id, severity: Severity::Error, message, hint: format!("{key}: {example}"), at: at.location() });
        if id == "L007" {
            self.spoil();
        }
    }

    fn wrong(&mut self, node: &Node, expected: &str, hint: String) {
        let hint = match (&node.value, expected) {
            (Value::String(text), "a list") if self.key() == "command" => {
                let words: Vec<String> = text.split_whitespace().map(|word| format!("{word:?}")).collect();
                format!("command: [{}]", words.join(", "))
            }
            (Value::String(text), "a list") => format!("{}: [{text:?}]", self.key()),
            (Value::String(text), "true or false") => match text.to_lowercase().as_str() {
                "false" | "no" | "off" | "n" => format!("{}: false", self.key()),
                _ => format!("{}: true", self.key()),
            },
            (_, "a whole number") => format!("{}: 1", self.key()),
            _ if hint.is_empty() => format!("{}: ... # {expected}", self.key()),
            _ => hint,
        };
        let message = format!("`{}`: expected {expected}, found {}", self.dotted(), found(node));
        self.push("L006", Severity::Error, node, message, hint);
        self.spoil();
    }

    fn slip(&mut self, key: &str, known: &'static JsonMap<String, Json>, map: &Map, at: &Span, is_root: bool) {
        // At the top, the app's keys and the cluster's stand side by side.
        let others =
            is_root.then(|| schema::keys(schema::values(), None).chain(schema::keys(schema::cluster(), None))).into_iter().flatten();
        let known = || known.keys().map(String::as_str);
        let all: Vec<&str> = known().chain(others).collect();
        if all.contains(&key) || (is_root && !std::ptr::eq(self.schema, schema::values())) {
            return;
        }
        // Of two that are as near, the one that is not there yet.
        let (there, missing): (Vec<&str>, Vec<&str>) = all.iter().partition(|near| map.contains_key(**near));
        let Some(near) = nearest(key, missing.into_iter().chain(there)) else { return };
        if !is_slip(key, near) {
            return;
        }
        let (message, hint) = match map.get(near) {
            None => (format!("unknown key `{key}`: did you mean `{near}`?"), format!("{near}:")),
            Some(entry) => (
                format!("unknown key `{key}`: `{near}` on line {} is the one that is read", entry.key_span.line),
                format!("remove `{key}`, or keep its value as that of `{near}`"),
            ),
        };
        self.problems.push(Problem { id: "L004", severity: Severity::Error, message, hint, at: at.location() });
    }

    fn push(&mut self, id: &'static str, severity: Severity, node: &Node, message: String, hint: String) {
        self.problems.push(Problem { id, severity, message, hint, at: node.span.location() });
    }

    /// What is here cannot be typed.
    fn spoil(&mut self) {
        self.bad.push(self.path.iter().map(ToString::to_string).collect());
    }

    fn key(&self) -> &str {
        self.path.last().map_or("", AsRef::as_ref)
    }

    fn dotted(&self) -> String {
        self.path.join(".")
    }

    fn resolve(&self, schema: &'static Json) -> &'static Json {
        match schema.get("$ref").and_then(Json::as_str).and_then(|at| at.rsplit('/').next()) {
            Some(name) => self.resolve(&self.schema["$defs"][name]),
            None => schema,
        }
    }

    /// The variant of a choice that suits the kind of the value; without a choice, the schema itself. `required` beside a `$ref` is kept by not resolving it.
    fn fitting(&self, schema: &'static Json, node: &Node) -> Option<&'static Json> {
        let resolved = self.resolve(schema);
        let keep = |schema: &'static Json| if schema.get("required").is_some() { schema } else { self.resolve(schema) };
        let Some(choices) =
            resolved.get("anyOf").and_then(Json::as_array).filter(|choices| choices.iter().any(|one| one.get("required").is_none()))
        else {
            return Some(keep(schema));
        };
        let choices: Vec<&'static Json> = choices.iter().filter(|one| one.get("type").is_none_or(|kind| kind != "null")).collect();
        if let [only] = choices[..] {
            return self.fitting(only, node);
        }
        let kind = match node.value {
            Value::Map(_) => "object",
            Value::Seq(_) => "array",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            _ => "string",
        };
        choices.into_iter().find(|one| allows(&types_of(self.resolve(one)), kind)).map(keep)
    }
}

fn types_of(schema: &Json) -> Vec<&str> {
    let mut types: Vec<&str> = match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).filter(|kind| *kind != "null").collect(),
        _ if schema.get("$ref").is_some() || schema.get("properties").is_some() => vec!["object"],
        _ if schema.get("enum").is_some() => vec!["string"],
        _ => vec![],
    };
    types.sort_unstable();
    types
}

fn allows(types: &[&str], kind: &str) -> bool {
    types.is_empty() || types.contains(&kind)
}

fn expected(types: &[&str]) -> String {
    let words = types.iter().map(|kind| match *kind {
        "object" => "a map",
        "array" => "a list",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        _ => "text",
    });
    words.collect::<Vec<_>>().join(" or ")
}

fn found(node: &Node) -> String {
    match &node.value {
        Value::String(text) => {
            let shown: String = text.chars().take(40).collect();
            format!("text {shown:?}")
        }
        Value::Bool(flag) => format!("boolean {flag}"),
        Value::Number(number) => format!("number {number}"),
        Value::Null => "nothing".to_owned(),
        other => other.kind().to_owned(),
    }
}

/// The scalar as it stands in the file.
fn written(node: &Node) -> String {
    let line = node.span.location().text;
    if node.span.source.path.as_os_str() == "--set" {
        let seen = node.to_json().to_string();
        let as_seen = line.split(',').any(|pair| pair.ends_with(&format!("={seen}")));
        return if as_seen { seen } else { line.split_once('=').map_or(line.as_str(), |(_, value)| value).to_owned() };
    }
    let text: String = line.chars().skip(node.span.column.saturating_sub(1)).take(node.span.length).collect();
    text.trim().to_owned()
}

/// What the schema gives as an example.
fn example(schema: &Json) -> Option<&str> {
    schema.get("examples")?.get(0)?.as_str()
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

fn kept_path(text: &str) -> Option<(&'static str, String, String)> {
    if text.contains('*') {
        return Some((
            "L027",
            format!("keep: `{text}` has a `*`; what is kept is named exactly"),
            "a file or a folder: node_modules".into(),
        ));
    }
    if text.starts_with('/') || text.split('/').any(|part| part == "..") {
        let last = text.rsplit('/').next().unwrap_or_default();
        return Some(("L027", format!("keep: `{text}` is not below the working directory"), format!("- {last}")));
    }
    None
}
