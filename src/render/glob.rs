//! One name's pattern, read as git writes it and written as docker reads it.

use std::fmt::{self, Display, Formatter};

/// A pattern for one name, without slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
}

/// One step of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// `?`
    Any,
    /// `*`
    Star,
    /// `[a-z]`, `[!a-z]`; both ends belong to a range.
    Class {
        /// Matches what is in none of the ranges.
        negated: bool,
        /// First and last characters.
        ranges: Vec<(char, char)>,
    },
}

impl Glob {
    /// A pattern of these tokens.
    pub(crate) fn of(tokens: Vec<Token>) -> Self {
        Self { tokens }
    }

    /// Matches this name alone. A character that no line can hold (a newline, a broken byte) becomes `?`.
    pub(crate) fn literal(name: &str) -> Self {
        let token = |c| if matches!(c, '\n' | '\r' | char::REPLACEMENT_CHARACTER) { Token::Any } else { Token::Char(c) };
        Self::of(name.chars().map(token).collect())
    }

    /// Reads git's pattern; none where it never matches (a `[` without end, a `\` at the end) or docker has no word for it.
    pub(crate) fn parse(pattern: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\\' => tokens.push(Token::Char(chars.next()?)),
                '?' => tokens.push(Token::Any),
                '*' if tokens.last() == Some(&Token::Star) => {}
                '*' => tokens.push(Token::Star),
                '[' => tokens.push(class(&mut chars)?),
                c => tokens.push(Token::Char(c)),
            }
        }
        Some(Self::of(tokens))
    }

    /// True when docker's reading of the pattern matches the whole name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        matches(&self.tokens, name)
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Token::Char(own) => *own == c,
            Token::Any | Token::Star => true,
            Token::Class { negated, ranges } => ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *negated,
        }
    }
}

fn matches(tokens: &[Token], name: &str) -> bool {
    // The last `*` may take one more each time the rest does not fit.
    let (mut at, mut chars, mut star) = (0, name.chars(), None);
    loop {
        match tokens.get(at) {
            Some(Token::Star) => {
                star = Some((at, chars.clone()));
                at += 1;
                continue;
            }
            None if chars.as_str().is_empty() => return true,
            Some(token) => {
                let mut next = chars.clone();
                if next.next().is_some_and(|c| token.takes(c)) {
                    (at, chars) = (at + 1, next);
                    continue;
                }
            }
            None => {}
        }
        let Some((place, mut from)) = star else { return false };
        if from.next().is_none() {
            return false;
        }
        star = Some((place, from.clone()));
        (at, chars) = (place + 1, from);
    }
}

/// After `[`, to the `]` and with it.
fn class(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Token> {
    let negated = chars.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let c = match chars.next()? {
            ']' if !ranges.is_empty() => break,
            '[' if chars.peek() == Some(&':') => {
                chars.next();
                let rest: String = chars.clone().collect();
                let name = &rest[..rest.find(":]")?];
                ranges.extend(named(name)?);
                chars.nth(name.chars().count() + 1);
                continue;
            }
            '\\' => chars.next()?,
            c => c,
        };
        let mut ahead = chars.clone();
        let range = ahead.next() == Some('-') && ahead.peek().is_some_and(|c| *c != ']');
        if !range {
            ranges.push((c, c));
            continue;
        }
        chars.next();
        let last = chars.next().and_then(|last| if last == '\\' { chars.next() } else { Some(last) })?;
        if c <= last {
            ranges.push((c, last)); // docker refuses the file over a range that runs backwards; to git it matches nothing
        } else {
            ranges.push((c, c)); // git has compared with the first one already
        }
    }
    Some(Token::Class { negated, ranges })
}

/// `[:alpha:]` and its like, in the C locale as git has them.
fn named(class: &str) -> Option<Vec<(char, char)>> {
    Some(match class {
        "alnum" => vec![('a', 'z'), ('A', 'Z'), ('0', '9')],
        "alpha" => vec![('a', 'z'), ('A', 'Z')],
        "blank" => vec![(' ', ' '), ('\t', '\t')],
        "digit" => vec![('0', '9')],
        "graph" => vec![('!', '~')],
        "lower" => vec![('a', 'z')],
        "print" => vec![(' ', '~')],
        "punct" => vec![('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "upper" => vec![('A', 'Z')],
        "xdigit" => vec![('0', '9'), ('a', 'f'), ('A', 'F')],
        _ => return None, // control characters and such: a line cannot hold them
    })
}

impl Display for Glob {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.tokens.iter().try_for_each(|token| match token {
            Token::Any => f.write_str("?"),
            Token::Star => f.write_str("*"),
            // docker makes a regular expression of a pattern, and its older versions pass some of these on unescaped.
            Token::Char(c) if "*?[]\\^+(){}|$".contains(*c) => write!(f, "\\{c}"),
            Token::Char(c) => write!(f, "{c}"),
            Token::Class { negated, ranges } => {
                // A class of docker's would match a slash.
                f.write_str(if *negated { "[^/" } else { "[" })?;
                let without_slash = ranges.iter().flat_map(|&(first, last)| {
                    if (first..=last).contains(&'/') { vec![(first, '.'), ('0', last)] } else { vec![(first, last)] }
                });
                for (first, last) in without_slash.filter(|(first, last)| first <= last) {
                    in_class(f, first)?;
                    if first != last {
                        f.write_str("-")?;
                        in_class(f, last)?;
                    }
                }
                f.write_str("]")
            }
        })
    }
}

fn in_class(f: &mut Formatter<'_>, c: char) -> fmt::Result {
    // A backslash before a letter would be a class of its own to docker's regular expression.
    if c.is_ascii_punctuation() { write!(f, "\\{c}") } else { write!(f, "{c}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_to_docker_what_git_means() {
        let said = |pattern: &str| Glob::parse(pattern).map(|glob| glob.to_string());
        assert_eq!(said(r"\d+(1)").as_deref(), Some(r"d\+\(1\)"));
        assert_eq!(said("[!a-c]x").as_deref(), Some("[^/a-c]x"));
        assert_eq!(said("[+-9]").as_deref(), Some(r"[\+-\.0-9]"));
        assert_eq!(said("[]-]").as_deref(), Some(r"[\]\-]"));
        assert_eq!(said("[[:digit:]_]").as_deref(), Some(r"[0-9\_]"));
        assert_eq!(said("a**b").as_deref(), Some("a*b"));
        assert_eq!((said("[a"), said("a\\")), (None, None));
    }

    #[test]
    fn matches_names() {
        let matches = |pattern: &str, name: &str| Glob::parse(pattern).expect("a pattern").matches(name);
        assert!(matches("*.py[co]", "a.b.pyc") && matches("a*b*c", "a-b-b-c") && matches("?", "é") && matches("*", "x"));
        assert!(!matches("*.py[co]", "a.py") && !matches("a*b*c", "a-c-b") && !matches("[!a]", "a") && !matches("", "x"));
    }
}
