//! Image references: `REGISTRY/REPOSITORY:TAG@DIGEST`.

use std::fmt;

use crate::error::{Error, Result};

/// A parsed image reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageReference {
    /// `host[:port]`; none means Docker Hub.
    pub host: Option<String>,
    /// The path under the host, such as `dev/dummy`.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// `sha256:...`.
    pub digest: Option<String>,
}

impl ImageReference {
    /// Parses a reference. A colon before the last slash belongs to the host's port, not to a tag.
    ///
    /// # Errors
    /// An empty name, or characters that no registry takes (grammar: the distribution project's reference package).
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |why: &str| {
            Error::usage(format!("`{text}` is no image reference: {why}")).hint("REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST")
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => {
                let hex = digest.split_once(':').map_or("", |(_, hex)| hex);
                if hex.len() < 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(bad("the digest is not `sha256:` and 64 hex digits"));
                }
                (rest, Some(digest.to_owned()))
            }
            None => (text, None),
        };
        let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last_slash..].split_once(':') {
            Some((last, tag)) => (&rest[..last_slash + last.len()], Some(tag)),
            None => (rest, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(bad(&format!("`{tag}` is no tag (letters, digits, `_`, `.`, `-`, 128 at most)")));
        }
        let (host, repository) = match name.split_once('/') {
            Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first.to_owned()), path),
            _ => (None, name),
        };
        let part_ok = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-'))
        };
        if !repository.split('/').all(part_ok) {
            return Err(bad("a name has lower case letters, digits, `_`, `.` and `-` between slashes"));
        }
        Ok(Self { host, repository: repository.to_owned(), tag: tag.map(str::to_owned), digest })
    }

    /// Registry and repository, without tag and digest.
    pub fn name(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}/{}", self.repository),
            None => self.repository.clone(),
        }
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// True for a tag that registries accept.
pub fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&tag.len()) && word(tag.as_bytes()[0]) && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// The name under which images of `app` live in a registry; Docker Hub's `docker.io/` is dropped.
pub fn repository_in(registry: &str, app: &str) -> String {
    let registry = registry.trim_end_matches('/');
    let registry = registry.strip_prefix("docker.io/").unwrap_or(registry);
    format!("{registry}/{app}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_not_a_tag() {
        let image = ImageReference::parse("127.0.0.1:5000/dev/app:1-a").expect("parses");
        assert_eq!(image.host.as_deref(), Some("127.0.0.1:5000"));
        assert_eq!(image.repository, "dev/app");
        assert_eq!(image.tag.as_deref(), Some("1-a"));
        assert_eq!(image.to_string(), "127.0.0.1:5000/dev/app:1-a");
        assert_eq!(ImageReference::parse("127.0.0.1:5000/app").expect("parses").tag, None);
        assert_eq!(ImageReference::parse("localhost/app").expect("parses").host.as_deref(), Some("localhost"));
        assert_eq!(ImageReference::parse("library/app:x").expect("parses").host, None);
    }

    #[test]
    fn refuses_what_registries_refuse() {
        for text in ["", "app:", "App:x", "a//b", "a@sha256:xyz", "a:-x", "a b"] {
            assert!(ImageReference::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn docker_hub_has_no_prefix() {
        assert_eq!(repository_in("docker.io/team", "dummy"), "team/dummy");
        assert_eq!(repository_in("ccr.ccs.tencentyun.com/yashi/", "dummy"), "ccr.ccs.tencentyun.com/yashi/dummy");
    }
}
