//! `NAME=value` lines: what `lain env addfile` reads, and what GitLab's `artifacts: reports: dotenv` takes.

use std::fmt::Display;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// One variable of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Its line, from 1.
    pub line: usize,
    /// Its name.
    pub name: &'a str,
    /// Its value, without the quotes around it.
    pub value: Zeroizing<String>,
}

/// The variables of a text, as docker compose reads them (`compose-go`'s `dotenv`): `#` starts a comment, in a line with a value after a blank; `export`
/// may stand before a name; a value between quotes may go on over several lines, and between double ones `\n`, `\"` and their like are what they stand
/// for. Unlike there `$` is itself, also without quotes: values are passwords. What compose would take otherwise than people mean is refused.
/// `path` is only for messages.
///
/// # Errors
/// The first line that is none; it is named by its number, for it may be a secret.
pub fn read<'a>(path: &Path, text: &'a str) -> Result<Vec<Variable<'a>>> {
    let mut found = vec![];
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    while !rest.is_empty() {
        let (first, below) = rest.split_once('\n').unwrap_or((rest, ""));
        let words = first.trim();
        if words.is_empty() || words.starts_with('#') {
            (rest, line) = (below, line + 1);
            continue;
        }
        let wrong = |line: usize, why: &str, hint: &str| Error::failed(format!("{}:{line}:1: {why}", path.display())).hint(hint);
        let words = words.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])).map_or(words, str::trim_start);
        let Some((name, _)) = words.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
            return Err(wrong(line, "expected NAME=VALUE", "one NAME=VALUE a line; a comment starts with #"));
        };
        let behind = first.find('=').map_or("", |at| first[at + 1..].trim_start());
        let Some(quote) = behind.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
            let value = behind.split(" #").next().unwrap_or(behind).trim_end();
            found.push(Variable { line, name: name.trim(), value: Zeroizing::new(value.to_owned()) });
            (rest, line) = (below, line + 1);
            continue;
        };
        let quoted = &rest[first.len() - behind.len() + 1..];
        let Some((value, after)) = take_quoted(quoted, quote) else {
            return Err(wrong(line, "this quote is never closed", "close it, or put the value between quotes of the other kind"));
        };
        let lines = quoted[..quoted.len() - after.len()].matches('\n').count();
        let (end, below) = after.split_once('\n').unwrap_or((after, ""));
        if !end.trim().is_empty() && !end.trim_start().starts_with('#') {
            return Err(wrong(line + lines, "something stands behind the closing quote", "write \\\" for a quote inside of quotes"));
        }
        found.push(Variable { line, name: name.trim(), value });
        (rest, line) = (below, line + lines + 1);
    }
    Ok(found)
}

/// What stands before the closing quote, and what behind it; line ends of Windows are line ends.
fn take_quoted(text: &str, quote: char) -> Option<(Zeroizing<String>, &str)> {
    let mut value = Zeroizing::new(String::with_capacity(text.len())); // it never grows: no copy is left behind
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match (c, next) {
            (c, _) if c == quote => return Some((value, &text[at + c.len_utf8()..])),
            ('\r', Some('\n')) => {}
            ('\\', Some(next)) => {
                let stands_for = match next {
                    next if next == quote => Some(next),
                    _ if quote == '\'' => None,
                    'n' => Some('\n'),
                    'r' => Some('\r'),
                    't' => Some('\t'),
                    '\\' | '$' => Some(next),
                    _ => None,
                };
                match stands_for {
                    Some(char) => value.push(char),
                    None => value.extend(['\\', next]),
                }
                chars.next();
            }
            (c, _) => value.push(c),
        }
    }
    None
}

/// Variables as lines. GitLab takes a value up to the line's end as it is, without quotes.
pub fn lines<N: Display, V: Display>(variables: impl IntoIterator<Item = (N, V)>) -> String {
    variables.into_iter().fold(String::new(), |lines, (name, value)| lines + &format!("{name}={value}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Result<Vec<(usize, &str, String)>> {
        Ok(read(Path::new("my.env"), text)?.into_iter().map(|one| (one.line, one.name, one.value.to_string())).collect())
    }

    /// The rows of compose's own table among them: <https://docs.docker.com/compose/how-tos/environment-variables/variable-interpolation/#env-file-syntax>.
    #[test]
    fn reads_what_people_write_as_compose_does() {
        for (line, value) in [
            ("A=1", "1"),
            ("\u{feff}A=1", "1"),
            ("export A=1", "1"),
            ("export\tA=1", "1"),
            ("A = x y ", "x y"),
            ("A=", ""),
            ("A=x=y", "x=y"),
            ("A=1 # one", "1"),
            ("A=1#one", "1#one"),
            ("A=#x", "#x"),
            ("A=\"x # y\" # z", "x # y"),
            ("A=\"x\"#z", "x"),
            ("A='x\\ny'", "x\\ny"),
            ("A=\"x\\ny\"", "x\ny"),
            ("A=\"say \\\"hi\\\"\"", "say \"hi\""),
            ("A='it\\'s'", "it's"),
            ("A=\"c:\\\\dir\"", "c:\\dir"),
            ("A=\"\\d+\"", "\\d+"),
            ("A=it's", "it's"),
            ("A=pa$$word", "pa$$word"),
            ("A=\"-----BEGIN KEY-----\nabc\n-----END KEY-----\"", "-----BEGIN KEY-----\nabc\n-----END KEY-----"),
            ("A='a\r\nb'\r", "a\nb"),
            ("A=1\r", "1"),
            ("A=\"\"", ""),
        ] {
            assert_eq!(pairs(line).expect(line), [(1, "A", value.to_owned())], "{line:?}");
        }
        let text = "# passwords\n\nA=\"x\ny\" # two lines\nexport B = \"x = y\" \n#C=1\nD=1";
        let read: Vec<_> = pairs(text).expect("variables").into_iter().map(|(line, name, _)| (line, name)).collect();
        assert_eq!(read, [(3, "A"), (5, "B"), (7, "D")]);
        assert_eq!(lines([("A", "1"), ("B", "x = y")]), "A=1\nB=x = y\n");
    }

    #[test]
    fn what_is_none_is_told_by_its_line_alone() {
        for (text, why) in [
            ("A=1\nhunter2\n", "my.env:2:1: expected NAME=VALUE"),
            ("=hunter2", "my.env:1:1: expected NAME=VALUE"),
            ("A='hunter2\nB=1\n", "my.env:1:1: this quote is never closed"),
            ("A=1\nB=\"x\ny\" hunter2\n", "my.env:3:1: something stands behind the closing quote"),
            ("A=\"say \"hunter2\"\"", "my.env:1:1: something stands behind the closing quote"),
        ] {
            assert_eq!(pairs(text).expect_err(text).to_string(), why);
        }
    }
}
