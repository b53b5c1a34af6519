//! What a single node may be: the names of anchors, tags, scalars between brackets, and how many values aliases may stand for.

use saphyr_parser::{ScalarStyle, Tag};

use super::node::{Map, Node, Span, Value};
use super::scalar::{is_not_finite, is_whole, number_key, resolve_plain};
use super::strict::is_anchor_name;
use crate::error::Result;

/// The bound of helm's YAML reader (go-yaml): of up to 400,000 values 99 in 100 may come from aliases, of 4,000,000 one in ten.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn too_many_aliases(nodes: usize, aliased: usize) -> bool {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    let allowed = 0.99 - 0.89 * ((nodes as f64 - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    aliased > 100 && nodes > 1000 && aliased as f64 / nodes as f64 > allowed
}

/// Refuses names of anchors that helm does not read.
///
/// # Errors
/// The name has other signs than letters, digits, `-` and `_`.
pub(crate) fn check_anchor(name: &str, span: &Span) -> Result<()> {
    if is_anchor_name(name) {
        return Ok(());
    }
    Err(span
        .error(format!("`{name}` is no name for an anchor to helm; it takes letters, digits, `-` and `_`"))
        .hint("give the anchor another name"))
}

/// A plain scalar between brackets: helm ends it at `?`, and wants quotes around what starts with `|`, `>` or `:`.
/// `behind` is the text behind it.
///
/// # Errors
/// Such a scalar.
pub(crate) fn check_flow(text: &str, tagged: bool, behind: &str, span: &Span) -> Result<()> {
    if tagged && text.is_empty() {
        return Err(span
            .error("a tag without a value between brackets; helm reads on into the next value")
            .hint("write a value, such as ''"));
    }
    if text.contains('?') || text.starts_with(['|', '>', ':']) {
        return Err(span.error(format!("`{text}` between brackets needs quotes: helm reads it otherwise")).hint(format!("\"{text}\"")));
    }
    let mut behind = behind.chars();
    if behind.next() == Some(':') && behind.next().is_some_and(|next| matches!(next, ',' | '[' | ']' | '{' | '}')) {
        return Err(span
            .error(format!("`{text}:` without a space behind; between brackets helm takes the colon for text"))
            .hint(format!("`{text}: ` for a key, \"{text}:\" for text")));
    }
    Ok(())
}

/// What a scalar means, its tag considered. `written` is the tag as it stands in the file.
///
/// # Errors
/// A number that JSON cannot carry, or a tag that does not fit.
pub(crate) fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, written: &str, span: &Span) -> Result<Value> {
    let plain = style == ScalarStyle::Plain;
    let Some(tag) = tag else {
        if plain && is_not_finite(text) {
            return Err(span
                .error(format!("`{text}` is no number that JSON, and so helm, can carry"))
                .hint(format!("quote it: \"{text}\"")));
        }
        return Ok(if plain { resolve_plain(text) } else { Value::String(text.to_owned()) });
    };
    let name = if tag.is_yaml_core_schema() { tag.suffix.as_str() } else { "" };
    match (name, resolve_plain(text)) {
        ("str", _) => Ok(Value::String(text.to_owned())),
        ("int", value @ Value::Number(_)) if is_whole(text) => Ok(value),
        ("float", value @ Value::Number(_)) | ("bool", value @ Value::Bool(_)) | ("null", value @ Value::Null) => Ok(value),
        ("int" | "float" | "bool" | "null", _) => {
            Err(span.error(format!("the tag `{written}` does not fit `{text}`")).hint("remove the tag, or quote the value to make it text"))
        }
        _ => Err(span
            .error(format!("the tag `{written}` means nothing to a chart"))
            .hint("remove the tag, or quote the value to make it text")),
    }
}

/// What to do about a problem that the parser words so.
pub(crate) fn syntax_hint(info: &str) -> &'static str {
    if info.contains("tab") {
        "YAML is indented with spaces; replace the tab"
    } else if info.contains("mapping values") || info.contains("simple key") {
        "check the indentation of this line and the one above, and quote text that holds `: `"
    } else {
        "check indentation and quotes on this line and the one above"
    }
}

/// What `<<` may merge.
///
/// # Errors
/// Anything but a map.
pub(crate) fn only_map(node: &Node) -> Result<&Map> {
    match &node.value {
        Value::Map(map) => Ok(map),
        other => Err(node.span.error(format!("`<<` merges maps, this is {}", other.kind())).hint("<<: *NAME, of an anchor before a map")),
    }
}

/// helm makes a text of every key. `raw` is what was written, and whether it was tagged `!!float`.
///
/// # Errors
/// A key that is no text and no number, or too large a number.
pub(crate) fn key_name(key: &Node, raw: Option<(String, bool)>) -> Result<String> {
    match (&key.value, raw) {
        (Value::String(text), _) => Ok(text.clone()),
        (Value::Bool(flag), _) => Ok(flag.to_string()),
        (Value::Number(_), Some((text, float))) => number_key(&text, float).ok_or_else(|| {
            key.span.error(format!("`{text}` is too large for a key that is a number")).hint(format!("quote it: \"{text}\""))
        }),
        (other, _) => Err(key.span.error(format!("a key must be text, this is {}", other.kind())).hint("quote it")),
    }
}
