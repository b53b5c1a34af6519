//! What lain reads of addresses, and how it writes them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

/// What stays as it is in a query or a path: RFC 3986's unreserved, and what registries write in digests and scopes.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':').remove(b'/').remove(b',');

/// `host[:port]` of a URL, or of what was meant to be one; the rest may hold secrets.
pub(crate) fn host_of(url: &str) -> String {
    if let Some((Some(host), port)) = Url::parse(url).ok().as_ref().map(|url| (url.host_str(), url.port())) {
        return port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    }
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned()
}

/// True when both are of one scheme, host and port.
pub(super) fn is_same_origin(one: &str, other: &str) -> bool {
    matches!((Url::parse(one), Url::parse(other)), (Ok(one), Ok(other)) if one.origin() == other.origin())
}

/// The address that a `Location` means, without a login; none for what is no address of http.
pub(super) fn resolve(url: &str, location: &str) -> Option<String> {
    let mut next = Url::parse(url).ok()?.join(location).ok().filter(|next| matches!(next.scheme(), "http" | "https"))?;
    next.set_username("").ok()?;
    next.set_password(None).ok()?;
    next.set_fragment(None);
    Some(next.into())
}

/// A text as part of a query or a form.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string()
}

/// localhost, 127.0.0.0/8 and `[::1]`, with or without a port: nobody can listen in on the way there.
pub(crate) fn is_loopback(host: &str) -> bool {
    match Url::parse(&format!("http://{host}")).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The query of `<...?QUERY>; rel="next"`. Nothing else of the link counts: a page leads neither to another host nor elsewhere.
pub(super) fn next_query(link: &str) -> Option<String> {
    let mut rest = link;
    loop {
        let (target, after) = rest.split_once('<')?.1.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or(after).replace([' ', '"'], "").to_ascii_lowercase();
        if parameters.split([';', ',']).any(|word| word == "rel=next") {
            let query = target.split_once('?')?.1.split('#').next()?;
            return (!query.is_empty()).then(|| query.to_owned());
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_without_secrets() {
        for (url, host) in [
            ("https://me:secret@a.example.com:5000/x?y", "a.example.com:5000"),
            ("https://a.example.com:443/", "a.example.com"),
            ("prometheus:9090", "prometheus:9090"),
            ("http://[::1]:5000/x", "[::1]:5000"),
            ("https://me:secret@a b/x", "a b"),
            ("", ""),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }

    #[test]
    fn loopback_is_an_address_not_a_beginning() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.3.2.1", "[::1]", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["127.evil.com", "127.0.0.1.evil.com:5000", "localhost.evil.com", "10.0.0.1", "[::2]:5000", "1270.0.0.1", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn redirects_resolve_as_browsers_do() {
        let resolve = |location| resolve("https://a.example.com:5000/v2/x/tags/list?n=1", location);
        assert_eq!(resolve("/y?z=1").as_deref(), Some("https://a.example.com:5000/y?z=1"));
        assert_eq!(resolve("//b.example.com/y").as_deref(), Some("https://b.example.com/y"));
        assert_eq!(resolve("http://b.example.com").as_deref(), Some("http://b.example.com/"));
        assert_eq!(resolve("more").as_deref(), Some("https://a.example.com:5000/v2/x/tags/more"));
        assert_eq!(resolve("../more").as_deref(), Some("https://a.example.com:5000/v2/x/more"));
        assert_eq!(resolve("?n=2").as_deref(), Some("https://a.example.com:5000/v2/x/tags/list?n=2"));
        assert_eq!(resolve("https://me:secret@b.example.com/y").as_deref(), Some("https://b.example.com/y"));
        assert_eq!(resolve("file:///etc/passwd"), None);
        assert_eq!(resolve("https://a b/"), None);
    }

    #[test]
    fn origins_know_the_usual_ports() {
        assert!(is_same_origin("https://a.example.com/x", "https://A.example.com:443/y"));
        assert!(!is_same_origin("https://a.example.com/x", "https://a.example.com:5000/x"));
        assert!(!is_same_origin("http://a.example.com/x", "https://a.example.com/x"));
    }

    #[test]
    fn queries_hold_any_text() {
        assert_eq!(encode("repository:a/b:pull,push +=&部"), "repository:a/b:pull,push%20%2B%3D%26%E9%83%A8");
    }
}
