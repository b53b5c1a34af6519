//! Values as types of Rust.

use serde::de::DeserializeOwned;

use super::node::Node;
use crate::error::Result;

/// Reads values as a type; a type error points to the line it comes from.
///
/// # Errors
/// A missing key or a value of another type.
pub(crate) fn typed<T: DeserializeOwned>(root: &Node) -> Result<T> {
    serde_path_to_error::deserialize(root.to_json()).map_err(|error| {
        let path: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let node = root.nearest(path.iter().map(String::as_str));
        let at = path.join(".");
        let reason = plain_reason(&error.inner().to_string());
        let at = at.trim_matches('.');
        let hint = match reason.strip_prefix("missing key `") {
            Some(key) => format!("{}: ... # below `{at}`", key.trim_end_matches('`')).replace(" # below ``", ""),
            None => format!("lain values --explain {at} # which file says so"),
        };
        let reason = if at.is_empty() { reason } else { format!("`{at}`: {reason}") };
        node.span.error(reason).hint(hint)
    })
}

/// serde's words for a person: "invalid type: string \"two\", expected u32" becomes "expected a whole number, found text \"two\"".
fn plain_reason(reason: &str) -> String {
    let reason = reason.strip_prefix("invalid type: ").or_else(|| reason.strip_prefix("invalid value: ")).unwrap_or(reason);
    if let Some(field) = reason.strip_prefix("missing field ") {
        return format!("missing key {field}");
    }
    match reason.split_once(", expected ") {
        Some((found, expected)) => {
            let found = found
                .replace("string", "text")
                .replace("sequence", "a list")
                .replace("integer", "number")
                .replace("floating point", "number");
            let found = found.replace("unit value", "nothing").replace("map", "a map").replace("unknown variant ", "").replace('`', "");
            let expected = match expected {
                "u32" | "u64" | "u16" | "i64" => "a whole number".to_owned(),
                "f64" => "a number".to_owned(),
                "a string" => "text".to_owned(),
                "a sequence" => "a list".to_owned(),
                other if other.starts_with("struct ") => "a map".to_owned(),
                other => other.to_owned(),
            };
            format!("expected {expected}, found {found}")
        }
        None => reason.to_owned(),
    }
}
