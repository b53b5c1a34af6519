//! YAML 1.1 scalars as helm resolves them.
//!
//! helm reads YAML with `sigs.k8s.io/yaml`, whose parser is go-yaml v2: plain words such as `on` and `yes`
//! are booleans, a leading zero makes a number octal, underscores may stand in numbers, dates stay text.
//! The rules below restate that behaviour; `tests/` compare them with a real helm.

use super::node::Value;

/// What a plain (unquoted) scalar means to helm.
pub(crate) fn resolve_plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Value::Bool(true),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Value::Bool(false),
        _ => {}
    }
    match resolve_number(text) {
        Some(number) => Value::Number(number),
        None => Value::String(text.to_owned()),
    }
}

/// A map's key as helm spells the number that was written for it: whole numbers in full, others with 32 bit precision
/// in Go's `%g`. None for whole numbers from 2^63 on, which helm does not take for a key.
#[allow(clippy::cast_precision_loss)] // helm's own key has 32 bits at most here
pub(crate) fn number_key(text: &str, as_float: bool) -> Option<String> {
    let plain = text.replace('_', "");
    match parse_go_int(&plain) {
        Some(whole) if !as_float => i64::try_from(whole).ok().map(|whole| whole.to_string()),
        Some(whole) => Some(go_g32(whole as f64)),
        None => resolve_number(text).map(go_g32),
    }
}

/// Go's `strconv.FormatFloat(number, 'g', -1, 32)`, and helm's word where that is infinite.
#[allow(clippy::cast_possible_truncation)]
fn go_g32(number: f64) -> String {
    let number = number as f32;
    if number.is_infinite() {
        return if number > 0.0 { ".inf".to_owned() } else { "-.inf".to_owned() };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        exponent @ -4..6 => format!("{number:.*}", usize::try_from(0.max(decimals(digits) - exponent)).unwrap_or(0)),
        exponent => format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs()),
    }
}

/// How many digits stand behind the point.
fn decimals(digits: &str) -> i32 {
    digits.split_once('.').map_or(0, |(_, fraction)| i32::try_from(fraction.len()).unwrap_or(0))
}

/// Is this a whole number to helm (for the tag `!!int`)?
pub(crate) fn is_whole(text: &str) -> bool {
    parse_go_int(&text.replace('_', "")).is_some()
}

/// True when text must be quoted for a YAML 1.1 reader to see text.
pub(crate) fn needs_quotes(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return true };
    !matches!(resolve_plain(text), Value::String(_))
        || is_not_finite(text)
        || text.trim() != text
        || matches!(text, "=" | "<<")
        || text.starts_with("---") // helm 4 splits documents at such lines
        || text.starts_with("...")
        || matches!(first, '!' | '&' | '*' | '{' | '}' | '[' | ']' | ',' | '#' | '|' | '>' | '@' | '`' | '"' | '\'' | '%')
        || (matches!(first, '-' | '?' | ':') && text[1..].chars().next().is_none_or(char::is_whitespace))
        || text.contains(": ")
        || text.ends_with(':')
        || text.contains(" #")
        || text.chars().any(needs_escape)
        || (first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) && looks_numeric(text)
}

/// Characters that only an escape brings through: controls, line ends of YAML 1.1, a byte order mark, what is no character.
pub(super) fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Dates, times and sexagesimals: text to go-yaml v2, but something else to other readers.
fn looks_numeric(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | ':' | '_' | 'e' | 'E' | 'T' | 'Z' | ' '))
}

#[allow(clippy::cast_precision_loss)] // as helm loses it: values travel as 64 bit floats
fn resolve_number(text: &str) -> Option<f64> {
    let first = text.chars().next()?;
    if first == '.' {
        return match text {
            ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN" => None, // JSON has neither: parse refuses them
            _ => parse_go_float(text),
        };
    }
    if !(first.is_ascii_digit() || first == '+' || first == '-') {
        return None;
    }
    let plain = text.replace('_', "");
    match parse_go_int(&plain) {
        Some(whole) => Some(whole as f64),
        None => parse_go_float(&plain),
    }
}

/// Go's `strconv.ParseInt(text, 0, 64)` and `ParseUint`: the base follows from the prefix.
fn parse_go_int(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative && magnitude > i64::MIN.unsigned_abs() {
        return None;
    }
    // ParseUint takes no sign, so "+9223372036854775808" is not an integer.
    if text.starts_with('+') && magnitude > i64::MAX.unsigned_abs() {
        return None;
    }
    let number = i128::from(magnitude);
    Some(if negative { -number } else { number })
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`
fn is_yaml_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa_ok && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

/// Go's `strconv.ParseFloat` behind YAML's pattern; what is too large for 64 bits stays text.
fn parse_go_float(text: &str) -> Option<f64> {
    if is_yaml_float(text) { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

/// YAML's words for infinity and for what is no number.
pub(super) fn is_not_finite(text: &str) -> bool {
    matches!(text, ".nan" | ".NaN" | ".NAN") || matches!(text.strip_prefix(['+', '-']).unwrap_or(text), ".inf" | ".Inf" | ".INF")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> String {
        match resolve_plain(text) {
            Value::Null => "null".into(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => format!("{number}"),
            Value::String(text) => format!("{text:?}"),
            _ => unreachable!("a scalar is never a collection"),
        }
    }

    #[test]
    fn resolves_what_helm_resolves() {
        for (text, seen) in [
            ("on", "true"),
            ("Off", "false"),
            ("y", "true"),
            ("yEs", "\"yEs\""),
            ("0777", "511"),
            ("0o777", "511"),
            ("0x1F", "31"),
            ("0b101", "5"),
            ("089", "89"),
            ("1_000", "1000"),
            ("1e3", "1000"),
            ("-1.5e-1", "-0.15"),
            ("1.", "1"),
            (".5", "0.5"),
            ("12:30:45", "\"12:30:45\""),
            ("2026-01-01", "\"2026-01-01\""),
            ("1.2.3", "\"1.2.3\""),
            ("+", "\"+\""),
            ("-", "\"-\""),
            ("~", "null"),
            ("Null", "null"),
        ] {
            assert_eq!(show(text), seen, "{text}");
        }
    }

    #[test]
    fn quotes_what_would_be_misread() {
        for text in ["", "y", "no", "1e3", "0123", "12:30:45", "2026-01-01", "a: b", "#x", "- x", " x", "null", "key:", "a #b"] {
            assert!(needs_quotes(text), "{text:?}");
        }
        for text in ["hello", "a:b", "http://x/y", "a#b", "-x", "中文", "v1.2.3"] {
            assert!(!needs_quotes(text), "{text:?}");
        }
    }
}
