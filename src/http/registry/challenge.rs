//! `WWW-Authenticate`: which logins a server takes (RFC 9110, 11.6.1).

use ureq::http::HeaderMap;

/// One way to log in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    /// `basic`, `bearer`, ..., in lower case.
    pub scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// All challenges of a reply, in their order.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers.get_all("www-authenticate").iter().filter_map(|value| value.to_str().ok()).flat_map(parse).collect()
}

/// A header's text. Words outside the grammar are passed over.
fn parse(text: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        let end = rest.find(|c: char| c == ',' || c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if let Some(value) = after.trim_start().strip_prefix('=') {
            let (value, after) = take_value(value.trim_start());
            if let Some(challenge) = found.last_mut().filter(|_| !word.is_empty()) {
                challenge.parameters.push((word.to_ascii_lowercase(), value));
            }
            rest = after;
        } else if word.is_empty() {
            return found;
        } else {
            found.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: vec![] });
            rest = after;
        }
    }
}

/// A token or a quoted text, and what follows it.
fn take_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| c == ',' || c.is_whitespace()).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_challenge() {
        let found = parse(r#"Bearer realm="https://auth.example.com/token",service="reg",scope="repository:a/b:pull,push""#);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].scheme, "bearer");
        assert_eq!(found[0].get("realm"), Some("https://auth.example.com/token"));
        assert_eq!(found[0].get("scope"), Some("repository:a/b:pull,push"));
        assert_eq!(found[0].get("error"), None);
    }

    #[test]
    fn several_challenges_in_one_header() {
        let found = parse(r#"Basic realm="a \"b\", c", BEARER Realm = "https://x/" , service=plain"#);
        assert_eq!(found.iter().map(|challenge| challenge.scheme.as_str()).collect::<Vec<_>>(), ["basic", "bearer"]);
        assert_eq!(found[0].get("realm"), Some("a \"b\", c"));
        assert_eq!((found[1].get("realm"), found[1].get("service")), (Some("https://x/"), Some("plain")));
    }

    #[test]
    fn what_is_no_challenge_ends() {
        for text in ["", ",,,", "=", "= = =", "Bearer realm=\"never closed", "\"", "Bearer =x", "a=b,c=\"\\", "Basic,Basic"] {
            let _ = parse(text); // it returns at all
        }
        assert_eq!(parse("Bearer realm=\"open\\")[0].get("realm"), Some("open"));
        assert_eq!(parse("realm=\"nobody's\""), []);
    }
}
