//! What a server or kubectl says of a Secret that it refuses, without the values: some servers quote what they were sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::secret_data::{Data, MASK};
use crate::error::Error;

/// Shorter values are hidden only where they stand quoted or behind `=` or `: `; `80` is a part of other words too.
const SHORT: usize = 6;
/// Shorter words are no sure sign of base64.
const BASE64: usize = 8;

/// An error without the values of these data.
#[must_use]
pub(crate) fn without_values(error: Error, data: &[&Data]) -> Error {
    let mask = Mask::of(data);
    error.reworded(|words| mask.hide(words))
}

struct Mask {
    plain: Vec<String>,
    encoded: Vec<String>,
}

impl Mask {
    fn of(data: &[&Data]) -> Self {
        let values = || data.iter().flat_map(|data| data.values()).filter(|value| !value.is_empty());
        let texts = values().filter_map(|value| std::str::from_utf8(value).ok());
        let whole = |text: &str| {
            let escaped = serde_json::Value::from(text).to_string(); // as a server quotes it
            [text.to_owned(), escaped[1..escaped.len() - 1].to_owned()]
        };
        let long_lines = |text: &str| text.lines().map(str::trim).filter(|line| line.len() >= SHORT).map(str::to_owned).collect::<Vec<_>>();
        let mut plain: Vec<String> = texts.flat_map(|text| whole(text).into_iter().chain(long_lines(text))).collect();
        plain.sort_by_key(|text| std::cmp::Reverse(text.len())); // a value may contain another
        plain.dedup();
        let encoded = values().map(|value| STANDARD.encode(value)).chain(plain.iter().map(|text| STANDARD.encode(text))).collect();
        Self { plain, encoded }
    }

    fn hide(&self, text: &str) -> String {
        let text = without_context(text);
        let text = self
            .plain
            .iter()
            .fold(text, |text, value| if value.len() >= SHORT { text.replace(value.as_str(), MASK) } else { without_short(&text, value) });
        self.without_base64(&text)
    }

    /// Any piece of the base64 that was sent.
    fn without_base64(&self, text: &str) -> String {
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find(part) {
            let (before, from) = rest.split_at(start);
            let (word, after) = from.split_at(from.find(|c| !part(c)).unwrap_or(from.len()));
            let sent = word.len() >= BASE64 && self.encoded.iter().any(|value| value.contains(word))
                || self.encoded.iter().any(|value| value == word && word.contains('='));
            out += before;
            out += if sent { MASK } else { word };
            rest = after;
        }
        out + rest
    }
}

impl Drop for Mask {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.plain.zeroize();
        self.encoded.zeroize();
    }
}

/// Without what Kubernetes' JSON reader quotes of a body: `error found in #10 byte of ...|a":{"PIN":4815}|..., bigger context ...|...|...`.
fn without_context(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("...|") {
        let (before, from) = rest.split_at(start + 4);
        let end = from.find("|...").unwrap_or(from.len());
        out += before;
        out += MASK;
        rest = &from[end..];
        if let Some(behind) = rest.strip_prefix("|...") {
            out += "|...";
            rest = behind;
        }
    }
    out + rest
}

/// Without a short value where it surely is one.
fn without_short(text: &str, value: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(value) {
        let (before, from) = rest.split_at(at);
        let after = &from[value.len()..];
        let said = format!("{out}{before}");
        let quoted = ['"', '\'', '`'].iter().any(|quote| said.ends_with(*quote) && after.starts_with(*quote));
        let named = (said.ends_with('=') || said.ends_with(": ")) && !after.starts_with(char::is_alphanumeric);
        out = said + if quoted || named { MASK } else { value };
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn said(values: &[&str], words: &str) -> String {
        let data: Data =
            values.iter().enumerate().map(|(at, value)| (format!("K{at}"), Zeroizing::new(value.as_bytes().to_vec()))).collect();
        without_values(Error::failed(words).context("above").hint("next"), &[&data]).to_string()
    }

    #[test]
    fn values_are_gone_and_other_words_stay() {
        assert_eq!(said(&["hunter2hunter2"], "data[K]: \"hunter2hunter2\" is bad"), "above: data[K]: \"***\" is bad");
        assert_eq!(said(&["say \"hi\"\nto all"], r#"data[K]: "say \"hi\"\nto all""#), "above: data[K]: \"***\"");
        assert_eq!(said(&["first line\nsecond line"], "he said second line"), "above: he said ***");
        assert_eq!(
            said(&["80"], "\"80\" is no port; PORT=80, PORT: 80; 1080 and 80 stay"),
            "above: \"***\" is no port; PORT=***, PORT: ***; 1080 and 80 stay"
        );
        assert_eq!(said(&["a", "is"], "this is a valid config"), "above: this is a valid config");
        assert_eq!(
            said(&["hunter2hunter2"], "byte of ...|aHVudGVy|..., bigger context ...|x:\"cut o"),
            "above: byte of ...|***|..., bigger context ...|***"
        );
        assert_eq!(said(&["hunter2hunter2"], "found aHVudGVyMm in validation"), "above: found *** in validation");
    }
}
