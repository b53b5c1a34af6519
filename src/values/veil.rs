//! A Secret's text as it may be repeated: keys and shape, never a value.
//!
//! The text may be broken, so it is read line by line and not as YAML: what is not surely a key is hidden.

use crate::error::Error;

/// What stands for a value.
const MASK: &str = "***";
/// Keys of a Secret as lain shows it.
const SECTIONS: [&str; 5] = ["apiVersion", "data", "kind", "metadata", "type"];

/// One line: what is shown of it, and what is hidden.
struct Line<'a> {
    shown: String,
    hidden: &'a str,
}

/// A line with its values as `***`.
pub(crate) fn line(text: &str, number: usize) -> String {
    let all = lines(text);
    let Some(line) = number.checked_sub(1).and_then(|index| all.get(index)) else { return String::new() };
    if line.hidden.is_empty() { line.shown.clone() } else { format!("{}{MASK}", line.shown) }
}

/// An error about a Secret's text without what it quotes of it.
pub(super) fn veil(error: Error, text: &str) -> Error {
    let lines = lines(text);
    error.reworded(|words| conceal(words, &lines))
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let (mut in_map, mut depth) = (false, None);
    let mut found = Vec::new();
    for line in unbroken(text) {
        let body = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - body.len();
        let spaces = " ".repeat(indent);
        if body.is_empty() {
            found.push(Line { shown: String::new(), hidden: "" });
            continue;
        }
        let key = key(body).filter(|key| match indent {
            0 => SECTIONS.contains(key),
            _ => in_map && *depth.get_or_insert(indent) == indent,
        });
        if indent == 0 {
            in_map = matches!(key, Some("data" | "metadata"));
            depth = None;
        }
        found.push(match key {
            Some(key) => {
                let rest = body[key.len() + 1..].trim();
                Line { shown: format!("{spaces}{key}:{}", if rest.is_empty() { "" } else { " " }), hidden: rest }
            }
            None => Line { shown: spaces, hidden: body.trim_end() },
        });
    }
    found
}

/// Lines end as YAML's do: LF, CR LF, or CR alone.
fn unbroken(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = text.find(['\n', '\r']);
        rest = end.map(|at| &text[at + if text[at..].starts_with("\r\n") { 2 } else { 1 }..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// The key that a line starts with, when it may be one of a Secret.
fn key(body: &str) -> Option<&str> {
    let (key, rest) = body.split_once(':')?;
    let legal = !key.is_empty() && key.len() <= 253 && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    (legal && (rest.is_empty() || rest.starts_with([' ', '\t']))).then_some(key)
}

/// Words about the text: quoted pieces stay when they are keys that are shown anyway, or no words at all (`---`).
fn conceal(words: &str, lines: &[Line<'_>]) -> String {
    let hidden = lines.iter().map(|line| line.hidden).filter(|hidden| hidden.chars().count() >= 3);
    let words = hidden.fold(words.to_owned(), |words, hidden| words.replace(hidden, MASK));
    let quotes: Vec<usize> = words.match_indices(['`', '"']).map(|(at, _)| at).collect();
    let (Some(first), Some(last)) = (quotes.first(), quotes.last()) else { return words };
    let shown = |piece: &str| {
        let piece = piece.trim().trim_end_matches(':');
        !piece.chars().any(char::is_alphanumeric)
            || lines.iter().any(|line| line.shown.trim().trim_end_matches(':') == piece)
            || SECTIONS.contains(&piece)
    };
    let same = |pair: &[usize]| pair.len() == 2 && words[pair[0]..].chars().next() == words[pair[1]..].chars().next();
    if quotes.chunks(2).all(|pair| same(pair) && shown(&words[pair[0] + 1..pair[1]])) {
        return words;
    }
    // Which quote belongs to which is not sure when the text has quotes of its own: all between the first and the last goes.
    let end = if first == last { words.len() } else { last + 1 };
    format!("{}{MASK}{}", &words[..*first], &words[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_shape_are_shown() {
        let text = "apiVersion: v1\r\ndata:\n  PIN: 48151623\n  cert: |-\n    -----BEGIN\n    key: x\n  bad key: y\n  word\nmetadata:\n  name: s\nother: z\n# note";
        let shown: Vec<String> = (1..=13).map(|number| line(text, number)).collect();
        assert_eq!(
            shown.join("\n"),
            "apiVersion: ***\ndata:\n  PIN: ***\n  cert: ***\n    ***\n    ***\n  ***\n  ***\nmetadata:\n  name: ***\n***\n***\n"
        );
    }

    #[test]
    fn words_quote_keys_alone() {
        let text = "data:\n  PIN: 4815`1623\n";
        let lines = lines(text);
        assert_eq!(conceal("`PIN` stands twice; keep one `PIN:` before `---`", &lines), "`PIN` stands twice; keep one `PIN:` before `---`");
        assert_eq!(conceal("the tag `!x` does not fit `4815`1623`, sorry", &lines), "the tag ***, sorry");
        assert_eq!(conceal("unexpected character: `4'", &lines), "unexpected character: ***");
        assert_eq!(conceal("quote it: \"4815\"", &lines), "quote it: ***");
    }
}
