//! `NAME=value` lines: what `lain env addfile` reads, and what GitLab's `artifacts: reports: dotenv` takes.

use std::fmt::Display;
use std::path::Path;

use crate::error::{Error, Result};

/// One variable of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// Its line, from 1.
    pub line: usize,
    /// Its name.
    pub name: &'a str,
    /// Its value, without the quotes around it.
    pub value: &'a str,
}

/// The variables of a text, one a line: `#` starts a comment line, `export` may stand before a name, quotes around a value are taken off.
/// `path` is only for messages. A line without `=` is an error that names its number: the line may be a secret.
pub fn read<'a>(path: &'a Path, text: &'a str) -> impl Iterator<Item = Result<Variable<'a>>> {
    text.lines().enumerate().filter_map(move |(index, line)| {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
            return Some(Err(Error::failed(format!("{}:{}:1: expected NAME=VALUE", path.display(), index + 1))
                .hint("one NAME=VALUE a line; a comment starts with #")));
        };
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value);
        Some(Ok(Variable { line: index + 1, name: name.trim(), value: unquoted }))
    })
}

/// Variables as lines. GitLab takes a value up to the line's end as it is, without quotes.
pub fn lines<N: Display, V: Display>(variables: impl IntoIterator<Item = (N, V)>) -> String {
    variables.into_iter().fold(String::new(), |lines, (name, value)| lines + &format!("{name}={value}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_what_people_write() {
        let text = "# passwords\n\nA=1\nexport B = \"x = y\" \nC='z\n";
        let read: Vec<(usize, &str, &str)> =
            read(Path::new("my.env"), text).map(|one| one.map(|one| (one.line, one.name, one.value)).expect("a variable")).collect();
        assert_eq!(read, [(3, "A", "1"), (4, "B", "x = y"), (5, "C", "'z")]);
        assert_eq!(lines([("A", "1"), ("B", "x = y")]), "A=1\nB=x = y\n");
        let error = super::read(Path::new("my.env"), "A=1\nhunter2\n").find_map(Result::err).expect("an error").to_string();
        assert_eq!(error, "my.env:2:1: expected NAME=VALUE");
    }
}
