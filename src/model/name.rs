//! Names that Kubernetes accepts.

use sha2::{Digest, Sha256};

use super::hex::hex;

/// Longest DNS-1123 label.
pub(crate) const MAX_LABEL: usize = 63;

/// True for a DNS-1123 label: lower case letters, digits and `-`, starting and ending with a letter or digit.
pub(crate) fn is_label(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=MAX_LABEL).contains(&name.len()) && name.chars().all(|c| edge(c) || c == '-') && name.starts_with(edge) && name.ends_with(edge)
}

/// True for a name that no program, selector, path or list takes for anything but a name, whatever Kubernetes says of it: letters, digits, `.`, `_`
/// and `-`, starting with a letter or digit.
pub(crate) fn is_harmless(name: &str) -> bool {
    name.len() <= 253
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// What the name of a canary's release ends with.
const CANARY: &str = "-canary";

/// The release of an app's canary.
pub(crate) fn canary_of(release: &str) -> String {
    format!("{release}{CANARY}")
}

/// The release that a canary is beside; any other is its own.
pub(crate) fn beside_canary(release: &str) -> &str {
    release.strip_suffix(CANARY).unwrap_or(release)
}

/// helm's longest release name.
const MAX_RELEASE: usize = 53;

/// The release of an app's review: `APP-NAME`, with a hash in place of its end where that is too long. None where nothing is left of the name.
pub(crate) fn review_of(app: &str, review: &str) -> Option<String> {
    review.chars().any(|c| c.is_ascii_alphanumeric()).then(|| within(&format!("{app}-{}", to_label(review)), MAX_RELEASE))
}

/// A name of so many characters at most; the end of a longer one is a hash of all of it.
pub(crate) fn within(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let hash = hex(&Sha256::digest(name.as_bytes())[..4]);
    let start: String = name.chars().take(most - hash.len() - 1).collect();
    format!("{}-{hash}", start.trim_end_matches('-'))
}

/// The nearest DNS-1123 label to any text (`My App` gives `my-app`); `app` where nothing is left of it.
pub(crate) fn to_label(text: &str) -> String {
    let mut label = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            label.push(c.to_ascii_lowercase());
        } else if !label.ends_with('-') {
            label.push('-');
        }
    }
    let label: String = label.trim_matches('-').chars().take(MAX_LABEL).collect();
    let label = label.trim_matches('-');
    if label.is_empty() { "app".to_owned() } else { label.to_owned() }
}

/// The candidate nearest to `name`, when it is near enough to be a slip.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &&str| strsim::damerau_levenshtein(&name.to_lowercase(), &candidate.to_lowercase());
    let best = candidates.into_iter().min_by_key(near)?;
    (near(&best) <= name.chars().count().max(3) / 3).then_some(best)
}

/// True when a word is most likely a mistyped other one.
pub(crate) fn is_slip(word: &str, other: &str) -> bool {
    strsim::damerau_levenshtein(&word.to_lowercase(), &other.to_lowercase()) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        for (text, label) in [("My App", "my-app"), ("--x__y--", "x-y"), ("应用", "app"), ("dummy", "dummy"), ("a.b/c", "a-b-c")] {
            assert_eq!(to_label(text), label);
            assert!(is_label(&to_label(text)));
        }
        assert!(!is_label("-a") && !is_label("A") && !is_label("") && !is_label(&"a".repeat(64)));
        for harmful in ["--post-renderer=./x", "-a", "../a", "a/b", "a,b", "a b", "a=b", "", "a\n", "\u{202e}a"] {
            assert!(!is_harmless(harmful), "{harmful}");
        }
        assert_eq!(review_of("shop", "Feature/Login_2").as_deref(), Some("shop-feature-login-2"));
        assert_eq!((review_of("shop", ""), review_of("shop", "--")), (None, None));
        let (one, other) = (review_of("shop", &"x".repeat(60)), review_of("shop", &"x".repeat(61)));
        assert!(one != other && one.is_some_and(|name| name.len() == 53 && is_label(&name)));
        assert!(is_harmless("My_App.v2") && is_harmless("a"));
        assert_eq!(nearest("wep", ["web", "worker"]), Some("web"));
        assert_eq!(nearest("zzz", ["web", "worker"]), None);
    }
}
