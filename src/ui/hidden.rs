//! What is never printed, and where it stands in a text.

use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value as Json;

use super::safe::printable;

/// The shortest that is looked for: less would be found in any text.
const SHORTEST: usize = 3;
/// The shortest line of a longer secret that is taken for one.
const TELLING: usize = 8;

/// Secrets, found by their first three bytes: one pass over a text, however many there are.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    known: HashSet<String>,
    by_start: HashMap<[u8; SHORTEST], Vec<String>>,
    /// One bit for each first two bytes of a secret.
    starts: Vec<u64>,
    longest: usize,
}

impl Hidden {
    /// Hides a secret, and the forms that it is repeated in.
    pub(super) fn add(&mut self, secret: &str) {
        for form in forms(secret) {
            let Some(start) = form.as_bytes().first_chunk::<SHORTEST>() else { continue };
            if self.known.insert(form.clone()) {
                self.starts.resize(1024, 0);
                let pair = pair(start[0], start[1]);
                self.starts[pair / 64] |= 1 << (pair % 64);
                self.longest = self.longest.max(form.len());
                self.by_start.entry(*start).or_default().push(form);
            }
        }
    }

    /// `text` with every secret as `***`.
    pub(super) fn redact(&self, text: &str) -> String {
        if self.known.is_empty() {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        masked(text, 0, &self.spans(text), text.len(), &mut out);
        out
    }

    /// Where secrets stand, in order, those that overlap as one.
    fn spans(&self, text: &str) -> Vec<(usize, usize)> {
        let bytes = text.as_bytes();
        let mut spans: Vec<(usize, usize)> = Vec::new();
        for (at, start) in bytes.windows(SHORTEST).enumerate() {
            if !self.may_start(start[0], start[1]) {
                continue;
            }
            let found = self.by_start.get(start).into_iter().flatten().filter(|secret| bytes[at..].starts_with(secret.as_bytes()));
            let Some(length) = found.map(String::len).max() else { continue };
            match spans.last_mut().filter(|(_, end)| at < *end) {
                Some((_, end)) => *end = (*end).max(at + length),
                None => spans.push((at, at + length)),
            }
        }
        spans
    }

    /// Where the first end of `text` begins that may be the beginning of a secret; its length when there is none.
    fn open(&self, text: &str) -> usize {
        let bytes = text.as_bytes();
        let from = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        let begins = |rest: &[u8]| match rest {
            [first, second, ..] if !self.may_start(*first, *second) => false,
            [first, second, third, ..] => self
                .by_start
                .get(&[*first, *second, *third])
                .is_some_and(|secrets| secrets.iter().any(|secret| secret.len() > rest.len() && secret.as_bytes().starts_with(rest))),
            rest => self.by_start.keys().any(|start| start.starts_with(rest)),
        };
        (from..bytes.len()).find(|at| begins(&bytes[*at..])).unwrap_or(bytes.len())
    }

    fn may_start(&self, first: u8, second: u8) -> bool {
        let pair = pair(first, second);
        self.starts.get(pair / 64).is_some_and(|bits| bits & (1 << (pair % 64)) != 0)
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Writes `text` up to `end`, spans as `***`; what `covered` holds was told of before.
fn masked(text: &str, covered: usize, spans: &[(usize, usize)], end: usize, out: &mut String) {
    let mut at = covered.min(end);
    for (from, to) in spans.iter().filter(|(from, to)| *from < end && *to > covered) {
        if *from >= covered {
            out.push_str(&text[at..*from]);
            out.push_str("***");
        }
        at = at.max((*to).min(end));
    }
    out.push_str(&text[at..end]);
}

/// A text that comes in pieces: each secret is hidden, wherever it is cut.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// What may be the beginning of a secret.
    pending: String,
    /// So much of it belongs to a secret that was told as `***` already.
    covered: usize,
}

impl Pieces {
    /// Takes a piece and gives back what can be told.
    pub(super) fn take(&mut self, piece: &str, hidden: &Hidden) -> String {
        self.pending.push_str(piece);
        let end = hidden.open(&self.pending);
        self.tell(end, hidden)
    }

    /// Nothing comes any more.
    pub(super) fn end(&mut self, hidden: &Hidden) -> String {
        self.tell(self.pending.len(), hidden)
    }

    fn tell(&mut self, end: usize, hidden: &Hidden) -> String {
        let mut end = end;
        while !self.pending.is_char_boundary(end) {
            end -= 1; // never: a secret begins at a character
        }
        let spans = hidden.spans(&self.pending);
        let mut out = String::with_capacity(end);
        masked(&self.pending, self.covered, &spans, end, &mut out);
        let told = spans.iter().filter(|(from, _)| *from < end).map(|(_, to)| *to).max().unwrap_or(0);
        self.covered = told.max(self.covered).saturating_sub(end);
        self.pending.drain(..end);
        out
    }
}

/// A secret as it is, and as servers and tools repeat it: in base64, in URLs, in JSON, on a terminal. Of a secret of several lines (a key,
/// an `.npmrc`, JSON) each line and each value in it that is long enough to tell.
fn forms(secret: &str) -> Vec<String> {
    let mut found = vec![];
    for whole in [secret, secret.trim()] {
        if whole.len() >= SHORTEST {
            found.push(whole.to_owned());
            found.extend(encoded(whole));
        }
    }
    if secret.trim().contains('\n') {
        let lines = secret.lines().map(str::trim).filter(|line| tells(line));
        for line in lines {
            found.push(line.to_owned());
            let values = line.match_indices(['=', ':']).map(|(at, _)| unquoted(&line[at + 1..]));
            found.extend(values.filter(|value| is_value(value)).map(str::to_owned));
        }
    }
    if secret.trim_start().starts_with(['{', '['])
        && let Ok(json) = serde_json::from_str::<Json>(secret)
    {
        let mut values = vec![];
        strings(&json, &mut values);
        let (keys, words): (Vec<&str>, Vec<&str>) = values.into_iter().partition(|value| value.contains('\n'));
        found.extend(keys.into_iter().flat_map(str::lines).filter(|line| tells(line)).map(str::to_owned));
        for value in words.into_iter().filter(|value| is_value(value)) {
            found.extend(encoded(value));
            found.push(value.to_owned());
        }
    }
    found
}

fn encoded(secret: &str) -> Vec<String> {
    let mut found = vec![printable(secret)];
    if let Ok(json) = serde_json::to_string(secret) {
        found.push(json[1..json.len() - 1].to_owned());
    }
    if secret.len() >= 6 {
        found.push(STANDARD_NO_PAD.encode(secret));
        found.push(URL_SAFE_NO_PAD.encode(secret));
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let url = |spared: &[u8], lower: bool| {
            let one = |byte: &u8| match byte {
                byte if plain(byte) || spared.contains(byte) => char::from(*byte).to_string(),
                byte if lower => format!("%{byte:02x}"),
                byte => format!("%{byte:02X}"),
            };
            secret.as_bytes().iter().map(one).collect::<String>()
        };
        found.extend([url(b"", false), url(b"", true), url(b"/", false), url(b"!'()*", false)]);
    }
    found
}

/// Long enough to tell, and more than a frame: `-----BEGIN KEY-----`, `{`, `========`.
fn tells(line: &str) -> bool {
    let signs: HashSet<char> = line.chars().filter(|c| c.is_alphanumeric()).collect();
    line.chars().count() >= TELLING && !line.starts_with("-----") && signs.len() >= 4
}

/// The value of a line of settings that looks like more than a word of the language.
fn is_value(value: &str) -> bool {
    let place = value.contains("://") && !value.contains('@');
    tells(value) && !place && (value.len() >= 20 || value.bytes().any(|byte| byte.is_ascii_digit()))
}

fn unquoted(value: &str) -> &str {
    value.trim().trim_end_matches(',').trim_matches(['"', '\''])
}

fn strings<'a>(json: &'a Json, into: &mut Vec<&'a str>) {
    match json {
        Json::String(text) => into.push(text),
        Json::Array(items) => items.iter().for_each(|item| strings(item, into)),
        Json::Object(map) => map.values().for_each(|value| strings(value, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hiding(secrets: &[&str]) -> Hidden {
        let mut hidden = Hidden::default();
        secrets.iter().for_each(|secret| hidden.add(secret));
        hidden
    }

    fn in_pieces(hidden: &Hidden, text: &str, size: usize) -> String {
        let mut pieces = Pieces::default();
        let letters: Vec<char> = text.chars().collect();
        let told: String = letters.chunks(size).map(|piece| pieces.take(&piece.iter().collect::<String>(), hidden)).collect();
        told + &pieces.end(hidden)
    }

    #[test]
    fn secrets_are_hidden_wherever_a_text_is_cut() {
        let cases: [(&[&str], &str, &str); 7] = [
            (&["abc", "abcdef"], "x abcdef y abc", "x *** y ***"),
            (&["aab", "bcd"], "aabcd aabc", "*** ***c"), // two that overlap are one
            (&["aaaaaa"], "xaaaaaaaaaaaaaay", "x***y"),
            (&["密码是这个", "是这"], "前密码是这个后是这了", "前***后***了"),
            (&["ab"], "abab", "abab"), // too short to look for
            (&["hunter2!"], "hunter2 hunter2!hunter2", "hunter2 ***hunter2"),
            (&[], "anything", "anything"),
        ];
        for (secrets, text, told) in cases {
            let hidden = hiding(secrets);
            assert_eq!(hidden.redact(text), told);
            for size in 1..=text.chars().count() {
                assert_eq!(in_pieces(&hidden, text, size), told, "{text} by {size}");
            }
        }
    }

    #[test]
    fn only_what_may_begin_a_secret_waits() {
        let hidden = hiding(&["hunter2!", "Step 1 of the plan"]);
        let mut pieces = Pieces::default();
        assert_eq!(pieces.take("Password: ", &hidden), "Password: ");
        assert_eq!(pieces.take("Step 1/3...", &hidden), "Step 1/3...");
        assert_eq!(pieces.take(" hunter", &hidden), " ");
        assert_eq!(pieces.take("s!", &hidden), "hunters!");
    }

    #[test]
    fn files_of_several_lines_are_hidden_by_their_lines() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n1a2b\n-----END KEY-----\n";
        let npmrc = "registry=https://registry.npmjs.org/\n//registry.npmjs.org/:_authToken=npm_0123456789\nalways-auth=true\n";
        let json = r#"{"type": "service_account", "private_key": "-----BEGIN KEY-----\nQUJDREVGR0hJSktMTU5P\n-----END KEY-----\n", "id": "k-42-long-id"}"#;
        let hidden = hiding(&[key, npmrc, json]);
        let text =
            "MIIEvQIBADANBgkqhkiG9w0 / npm_0123456789 / QUJDREVGR0hJSktMTU5P / k-42-long-id / service_account / true / -----BEGIN KEY-----";
        assert_eq!(hidden.redact(text), "*** / *** / *** / *** / service_account / true / -----BEGIN KEY-----");
    }

    #[test]
    fn forms_that_servers_repeat() {
        let hidden = hiding(&["p@ss/w\"ord+1"]);
        for form in ["p@ss/w\"ord+1", "p%40ss%2Fw%22ord%2B1", "p%40ss/w%22ord%2B1", "p@ss/w\\\"ord+1", "cEBzcy93Im9yZCsx"] {
            assert_eq!(hidden.redact(&format!("<{form}>")), "<***>", "{form}");
        }
    }
}
