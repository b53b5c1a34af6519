//! The language of `rules:if` (GitLab's `lib/gitlab/ci/pipeline/expression`): variables, texts, patterns and null; `==`, `!=`, `=~`, `!~`, `&&`, `||` and
//! parentheses. An undefined variable is null and an empty one is text: only at the end is empty text as good as no.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

/// GitLab's `Lexer::MAX_TOKENS`.
const MAX_TOKENS: usize = 100;

/// GitLab's `Lexeme::Pattern::PATTERN`: it wants two characters between the slashes.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^/([^/]|\\/)+[^\\]/[ismU]*").expect("a pattern"));
/// GitLab's `UntrustedRegexp::RubySyntax::PATTERN`.
static RUBY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^/(.*)/([ismU]*)$").expect("a pattern"));

/// Variables by name; one that is not there is undefined.
pub(crate) type Variables = BTreeMap<String, String>;

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Null,
    Bool(bool),
    Text(String),
    /// A pattern as written, slashes and flags included.
    Pattern(String),
}

impl Seen {
    /// Ruby's truth: empty text is true.
    fn holds(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    /// Rails' `present?`.
    fn is_present(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(flag) => *flag,
            Self::Text(text) => !text.trim().is_empty(),
            Self::Pattern(_) => true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Equals,
    Differs,
    Matches,
    MatchesNot,
    And,
    Or,
}

impl Operator {
    /// The smaller, the tighter (GitLab's `precedence`).
    fn looseness(self) -> u8 {
        match self {
            Self::Or => 12,
            Self::And => 11,
            _ => 10,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Not,
    Value(Tree),
    Operator(Operator),
}

#[derive(Clone, Debug, PartialEq)]
enum Tree {
    Literal(Seen),
    Variable(String),
    Not(Box<Tree>),
    Two(Operator, Box<Tree>, Box<Tree>),
}

/// A condition that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression(Tree);

impl Expression {
    /// Reads a condition; what is wrong with it, in words.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        let mut at = 0;
        let tree = tree(&tokens, &mut at, Operator::Or.looseness())?;
        match tokens.get(at) {
            None => Ok(Self(tree)),
            Some(_) => Err(format!("something stands too much in `{text}`")),
        }
    }

    /// GitLab's `truthful?`.
    pub(crate) fn holds(&self, variables: &Variables) -> bool {
        evaluate(&self.0, variables).is_present()
    }

    /// The variables that it names.
    pub(crate) fn variables(&self) -> Vec<&str> {
        fn walk<'t>(tree: &'t Tree, into: &mut Vec<&'t str>) {
            match tree {
                Tree::Literal(_) => {}
                Tree::Variable(name) => into.push(name),
                Tree::Not(inside) => walk(inside, into),
                Tree::Two(_, left, right) => {
                    walk(left, into);
                    walk(right, into);
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.0, &mut found);
        found
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (token, length) = token(rest)?;
        found.push(token);
        if found.len() > MAX_TOKENS {
            return Err(format!("more than {MAX_TOKENS} words in one condition"));
        }
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

fn token(rest: &str) -> Result<(Token, usize), String> {
    const SIGNS: &[(&str, Token)] = &[
        ("(", Token::Open),
        (")", Token::Close),
        ("==", Token::Operator(Operator::Equals)),
        ("=~", Token::Operator(Operator::Matches)),
        ("!=", Token::Operator(Operator::Differs)),
        ("!~", Token::Operator(Operator::MatchesNot)),
        ("&&", Token::Operator(Operator::And)),
        ("||", Token::Operator(Operator::Or)),
        ("!", Token::Not), // newer than 17: who writes it has it
    ];
    if let Some((sign, token)) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
        return Ok((token.clone(), sign.len()));
    }
    if let Some(name) = rest.strip_prefix('$') {
        let length = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        if length > 0 {
            return Ok((Token::Value(Tree::Variable(name[..length].to_owned())), length + 1));
        }
    }
    for quote in ['"', '\''] {
        if let Some(end) = rest.strip_prefix(quote).and_then(|inside| inside.find(quote)) {
            return Ok((Token::Value(Tree::Literal(Seen::Text(rest[1..=end].to_owned()))), end + 2));
        }
    }
    if let Some(found) = PATTERN.find(rest) {
        let written = found.as_str().replace("\\/", "/");
        pattern(&written).ok_or_else(|| format!("`{}` is no pattern that RE2 takes", found.as_str()))?;
        return Ok((Token::Value(Tree::Literal(Seen::Pattern(written))), found.len()));
    }
    for (word, seen) in [("null", Seen::Null), ("true", Seen::Bool(true)), ("false", Seen::Bool(false))] {
        if rest.starts_with(word) {
            return Ok((Token::Value(Tree::Literal(seen)), word.len()));
        }
    }
    Err(format!("`{}` is not understood", rest.split_whitespace().next().unwrap_or(rest)))
}

fn tree(tokens: &[Token], at: &mut usize, loosest: u8) -> Result<Tree, String> {
    let mut left = if loosest > Operator::Equals.looseness() { tree(tokens, at, loosest - 1)? } else { leaf(tokens, at)? };
    while let Some(Token::Operator(operator)) =
        tokens.get(*at).filter(|token| matches!(token, Token::Operator(operator) if operator.looseness() == loosest))
    {
        *at += 1;
        let right = if loosest > Operator::Equals.looseness() { tree(tokens, at, loosest - 1)? } else { leaf(tokens, at)? };
        left = Tree::Two(*operator, Box::new(left), Box::new(right));
    }
    Ok(left)
}

fn leaf(tokens: &[Token], at: &mut usize) -> Result<Tree, String> {
    *at += 1;
    match tokens.get(*at - 1) {
        Some(Token::Value(value)) => Ok(value.clone()),
        Some(Token::Not) => Ok(Tree::Not(Box::new(leaf(tokens, at)?))),
        Some(Token::Open) => {
            let inside = tree(tokens, at, Operator::Or.looseness())?;
            *at += 1;
            if tokens.get(*at - 1) == Some(&Token::Close) { Ok(inside) } else { Err("a parenthesis is not closed".to_owned()) }
        }
        Some(Token::Close) => Err("a parenthesis is closed that was not opened".to_owned()),
        Some(Token::Operator(_)) => Err("a value is missing beside an operator".to_owned()),
        None => Err("a value is missing at the end".to_owned()),
    }
}

fn evaluate(tree: &Tree, variables: &Variables) -> Seen {
    match tree {
        Tree::Literal(seen) => seen.clone(),
        Tree::Variable(name) => variables.get(name).map_or(Seen::Null, |value| Seen::Text(value.clone())),
        Tree::Not(inside) => Seen::Bool(!evaluate(inside, variables).is_present()),
        Tree::Two(operator, left, right) => {
            let left = evaluate(left, variables);
            match operator {
                Operator::And if !left.holds() => left,
                Operator::Or if left.holds() => left,
                Operator::And | Operator::Or => evaluate(right, variables),
                Operator::Equals => Seen::Bool(left == evaluate(right, variables)),
                Operator::Differs => Seen::Bool(left != evaluate(right, variables)),
                Operator::Matches => Seen::Bool(matches(&left, &evaluate(right, variables)).unwrap_or(false)),
                Operator::MatchesNot => Seen::Bool(!matches(&left, &evaluate(right, variables)).unwrap_or(false)),
            }
        }
    }
}

/// None when the right side is null or false. A text that is no pattern is looked through for the left side: Ruby's `String#scan`.
fn matches(left: &Seen, right: &Seen) -> Option<bool> {
    let text = match left {
        Seen::Null => "",
        Seen::Bool(true) => "true",
        Seen::Bool(false) => "false",
        Seen::Text(text) | Seen::Pattern(text) => text,
    };
    match right {
        Seen::Null | Seen::Bool(_) => None,
        Seen::Pattern(written) => pattern(written).map(|pattern| pattern.is_match(text)),
        Seen::Text(written) => Some(match pattern(&written.replace("\\/", "/")) {
            Some(pattern) => pattern.is_match(text),
            None => written.contains(text),
        }),
    }
}

/// `/.../flags` as GitLab hands it to RE2: `^` and `$` are the ends of the text.
pub(crate) fn pattern(written: &str) -> Option<Regex> {
    let parts = RUBY.captures(written)?;
    let flags = &parts[2];
    let prefix = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
    Regex::new(&format!("{prefix}{}", &parts[1])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        [
            ("PRESENT_VARIABLE", "my variable"),
            ("PATH_VARIABLE", "a/path/variable/value"),
            ("FULL_PATH_VARIABLE", "/a/full/path/variable/value"),
            ("EMPTY_VARIABLE", ""),
            ("teststring", "abcde"),
            ("pattern1", "/^ab.*/"),
            ("pattern2", "/^at.*/"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    /// The cases of GitLab's own `statement_spec.rb`, with what `truthful?` makes of them.
    #[test]
    fn holds_as_in_gitlabs_own_specs() {
        let cases: &[(&str, bool)] = &[
            (r#"$PRESENT_VARIABLE == "my variable""#, true),
            (r#""my variable" == $PRESENT_VARIABLE"#, true),
            ("$PRESENT_VARIABLE == 'no match'", false),
            ("$PRESENT_VARIABLE == null", false),
            ("$EMPTY_VARIABLE == null", false),
            (r#""" == $EMPTY_VARIABLE"#, true),
            ("$EMPTY_VARIABLE", false),
            ("$UNDEFINED_VARIABLE == null", true),
            ("null == $UNDEFINED_VARIABLE", true),
            ("$PRESENT_VARIABLE", true),
            ("$UNDEFINED_VARIABLE", false),
            ("$PRESENT_VARIABLE =~ /var.*e$/", true),
            (r"$PRESENT_VARIABLE =~ /va\r.*e$/", false),
            (r"$PRESENT_VARIABLE =~ /va\/r.*e$/", false),
            ("$PRESENT_VARIABLE =~ /^var.*/", false),
            ("$EMPTY_VARIABLE =~ /var.*/", false),
            ("$UNDEFINED_VARIABLE =~ /var.*/", false),
            ("$PRESENT_VARIABLE =~ /VAR.*/i", true),
            (r"$PATH_VARIABLE =~ /path\/variable/", true),
            (r"$FULL_PATH_VARIABLE =~ /^\/a\/full\/path\/variable\/value$/", true),
            (r"$FULL_PATH_VARIABLE =~ /\/path\/variable\/value$/", true),
            (r#"$PRESENT_VARIABLE != "my variable""#, false),
            ("$PRESENT_VARIABLE != null", true),
            ("$EMPTY_VARIABLE != null", true),
            (r#""" != $EMPTY_VARIABLE"#, false),
            ("$UNDEFINED_VARIABLE != null", false),
            ("$PRESENT_VARIABLE !~ /var.*e$/", false),
            ("$PRESENT_VARIABLE !~ /^var.*/", true),
            (r"$PRESENT_VARIABLE !~ /^v\ar.*/", true),
            (r"$PRESENT_VARIABLE !~ /^v\/ar.*/", true),
            ("$EMPTY_VARIABLE !~ /var.*/", true),
            ("$UNDEFINED_VARIABLE !~ /var.*/", true),
            ("$PRESENT_VARIABLE !~ /VAR.*/i", false),
            (r#"$PRESENT_VARIABLE && "string""#, true),
            ("$PRESENT_VARIABLE && $EMPTY_VARIABLE", false),
            ("$PRESENT_VARIABLE && null", false),
            ("$EMPTY_VARIABLE && $PRESENT_VARIABLE", true),
            (r#"$EMPTY_VARIABLE && "string""#, true),
            (r#""string" && $EMPTY_VARIABLE"#, false),
            (r#"null && "string""#, false),
            ("$PRESENT_VARIABLE =~ /my var/ && $EMPTY_VARIABLE =~ /nope/", false),
            (r#"$EMPTY_VARIABLE == "" && $PRESENT_VARIABLE"#, true),
            (r#"$EMPTY_VARIABLE == "" && $PRESENT_VARIABLE != "nope""#, true),
            ("$UNDEFINED_VARIABLE && $PRESENT_VARIABLE", false),
            (r"$FULL_PATH_VARIABLE =~ /^\/a\/bad\/path\/variable\/value$/ || $PATH_VARIABLE =~ /path\/variable/", true),
            (r"$FULL_PATH_VARIABLE =~ /^\/a\/bad\/path\/variable\/value$/ || $PATH_VARIABLE =~ /bad\/path\/variable/", false),
            (r#"$PRESENT_VARIABLE && null || $EMPTY_VARIABLE == """#, true),
            ("$PRESENT_VARIABLE || $UNDEFINED_VARIABLE", true),
            ("$UNDEFINED_VARIABLE || $PRESENT_VARIABLE", true),
            ("$UNDEFINED_VARIABLE == null || $PRESENT_VARIABLE", true),
            ("(($PRESENT_VARIABLE))", true),
            (r#"(($PRESENT_VARIABLE && null) || $EMPTY_VARIABLE == "")"#, true),
            (r#"($PRESENT_VARIABLE) && (null || $EMPTY_VARIABLE == "")"#, true),
            (r#"("string" || "test") == "string""#, true),
            (r#"(null || ("test" == "string"))"#, false),
            (r#"("string" == ("test" && "string"))"#, true),
            (r#"("string" == ("test" || "string"))"#, false),
            (r#"("string" == "test" || "string")"#, true),
            (r#"("string" == ("string" || (("1" == "1") && ("2" == "3"))))"#, true),
            (r#"$teststring =~ "abcde""#, true),
            ("$teststring =~ $teststring", true),
            ("$teststring =~ $pattern1", true),
            ("$teststring =~ $pattern2", false),
            // Ruby takes empty text for true: the right side is never looked at.
            ("$EMPTY_VARIABLE || $PRESENT_VARIABLE", false),
        ];
        let variables = variables();
        for (text, holds) in cases {
            let expression = Expression::read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(expression.holds(&variables), *holds, "{text}");
        }
    }

    #[test]
    fn what_gitlab_does_not_read() {
        for text in ["$INVALID = 1", "", "$A ==", "== $A", "($A", "$A)", "$A $B", "$A =~ /(/", "$A =~ /x/", "\"open", "$A & $B", "$", "!"] {
            assert!(Expression::read(text).is_err(), "{text}");
        }
        assert!(Expression::read(&vec!["$A"; 51].join(" || ")).is_err(), "101 words");
        assert!(Expression::read(&vec!["$A"; 50].join(" || ")).is_ok(), "99 words");
    }

    #[test]
    fn names_its_variables() {
        assert_eq!(Expression::read("$A && ($B == 'x' || $C =~ /^y+$/)").expect("a condition").variables(), ["A", "B", "C"]);
    }
}
