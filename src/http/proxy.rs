//! Which proxy an address is asked by: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, as docker and helm read them, which both ask Go's
//! <https://pkg.go.dev/golang.org/x/net/http/httpproxy>; `ALL_PROXY` and blanks between the names of `NO_PROXY` are curl's.

use std::net::IpAddr;
use std::sync::Arc;

use ureq::Proxy;
use ureq::http::Uri;

use super::failure::{Failure, Trouble};
use super::url::is_loopback;
use crate::env::Env;

/// The proxies of the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies {
    http: Option<Chosen>,
    https: Option<Chosen>,
    exceptions: Arc<[Exception]>,
}

/// A proxy, and where it comes from.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// The environment variable.
    pub variable: &'static str,
    /// None for what is no address of a proxy.
    proxy: Option<Proxy>,
}

/// One word of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    /// `*`.
    All,
    /// `10.0.0.0/8`.
    Net(IpAddr, u8),
    /// `10.0.0.1` or `10.0.0.1:5000`.
    Address(IpAddr, Option<u16>),
    /// `example.com` is itself and what is below it; `.example.com` and `*.example.com` are what is below it.
    Name { name: String, itself: bool, port: Option<u16> },
}

impl Proxies {
    /// Those of an environment.
    pub(crate) fn of(env: &Env) -> Self {
        Self::among(env, ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"], ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
    }

    /// As Go's programs read them: `ALL_PROXY` is none of theirs.
    pub(crate) fn of_go(env: &Env) -> Self {
        Self::among(env, ["HTTP_PROXY", "http_proxy"], ["HTTPS_PROXY", "https_proxy"])
    }

    fn among<const N: usize>(env: &Env, http: [&'static str; N], https: [&'static str; N]) -> Self {
        let first = |names: &[&'static str]| {
            let (variable, address) = names.iter().find_map(|name| Some((*name, env.get(name)?)))?;
            Some(Chosen { variable, proxy: Proxy::new(address.trim()).ok() })
        };
        let words = env.get("NO_PROXY").or_else(|| env.get("no_proxy")).unwrap_or_default();
        Self {
            http: first(&http),
            https: first(&https),
            exceptions: words.split([',', ' ', '\t', '\n']).filter_map(Exception::parse).collect(),
        }
    }

    /// The variable and the place of the proxy that an address is asked by; none where it is asked directly. Its login is not told.
    pub(crate) fn on_the_way_to(&self, url: &str) -> Option<String> {
        let chosen = self.choose(&url.parse().ok()?)?;
        let place = chosen.proxy.as_ref().map(|proxy| format!(", {}:{}", proxy.host(), proxy.port()));
        Some(format!("the proxy of {}{}", chosen.variable, place.unwrap_or_default()))
    }

    /// The proxy for an address; none where it is asked directly, as this machine always is.
    pub(super) fn choose(&self, uri: &Uri) -> Option<&Chosen> {
        let https = uri.scheme_str() == Some("https");
        let chosen = if https { &self.https } else { &self.http }.as_ref()?;
        let host = uri.host()?.trim_end_matches('.').to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let direct = is_loopback(&host) || self.exceptions.iter().any(|exception| exception.holds(&host, port));
        Some(chosen).filter(|_| !direct)
    }
}

impl Chosen {
    /// The proxy itself.
    ///
    /// # Errors
    /// The variable holds no address of a proxy.
    pub(super) fn proxy(&self) -> Result<&Proxy, Failure> {
        self.proxy.as_ref().ok_or_else(|| Failure::new(Trouble::Proxy, format!("{} is no address of a proxy", self.variable)))
    }

    /// What went wrong, told of the proxy where it was the proxy that could not be reached.
    pub(super) fn blame(&self, failure: Failure) -> Failure {
        match failure.trouble {
            Trouble::Refused | Trouble::NoSuchHost | Trouble::Proxy => self.failure(&failure.words),
            _ => failure,
        }
    }

    /// A failure of the proxy; its login is not told.
    pub(super) fn failure(&self, words: &str) -> Failure {
        let place = self.proxy.as_ref().map_or_else(String::new, |proxy| format!(", {}:{}", proxy.host(), proxy.port()));
        Failure::new(Trouble::Proxy, format!("the proxy of {}{place}: {words}", self.variable))
    }
}

impl Exception {
    fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        if word == "*" {
            return Some(Self::All);
        }
        if let Some((address, length)) = word.split_once('/') {
            let (address, length) = (address.parse::<IpAddr>().ok()?, length.parse::<u8>().ok()?);
            return (length <= if address.is_ipv4() { 32 } else { 128 }).then_some(Self::Net(address, length));
        }
        if let Ok(address) = bare(&word).parse() {
            return Some(Self::Address(address, None));
        }
        let (name, port) = match word.rsplit_once(':') {
            Some((name, port)) => (name, Some(port.parse().ok()?)),
            None => (word.as_str(), None),
        };
        if let Ok(address) = bare(name).parse() {
            return Some(Self::Address(address, port));
        }
        let name = name.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(name);
        let below = name.strip_prefix('.');
        let text = below.unwrap_or(name).trim_end_matches('.');
        (!text.is_empty()).then(|| Self::Name { name: text.to_owned(), itself: below.is_none(), port })
    }

    /// Whether it speaks of a host in lower case, and a port.
    fn holds(&self, host: &str, port: u16) -> bool {
        let same_port = |wanted: Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        let address = bare(host).parse::<IpAddr>().ok();
        match self {
            Self::All => true,
            Self::Net(net, length) => address.is_some_and(|address| is_within(address, *net, *length)),
            Self::Address(known, wanted) => address == Some(*known) && same_port(*wanted),
            Self::Name { name, itself, port: wanted } => {
                let below = || host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'));
                same_port(*wanted) && ((*itself && host == name) || below())
            }
        }
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn is_within(address: IpAddr, net: IpAddr, length: u8) -> bool {
    let first = |bits: u128, of: u8| bits.checked_shr(u32::from(of - length)).unwrap_or(0);
    match (address, net) {
        (IpAddr::V4(address), IpAddr::V4(net)) => first(address.to_bits().into(), 32) == first(net.to_bits().into(), 32),
        (IpAddr::V6(address), IpAddr::V6(net)) => first(address.to_bits(), 128) == first(net.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], url: &str) -> Option<&'static str> {
        let env: Env = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Proxies::of(&env).choose(&url.parse().expect("an address")).map(|chosen| chosen.variable)
    }

    #[test]
    fn each_scheme_has_its_own() {
        let both = [("HTTPS_PROXY", "http://p:1"), ("http_proxy", "p:2")];
        assert_eq!(chosen(&both, "https://a.example.com/"), Some("HTTPS_PROXY"));
        assert_eq!(chosen(&both, "http://a.example.com/"), Some("http_proxy"));
        assert_eq!(chosen(&both[..1], "http://a.example.com/"), None);
        assert_eq!(chosen(&both[1..], "https://a.example.com/"), None);
        let all = [("ALL_PROXY", "socks5://p:1"), ("HTTP_PROXY", "http://p:2"), ("HTTPS_PROXY", "")];
        assert_eq!(chosen(&all, "https://a.example.com/"), Some("ALL_PROXY"));
        assert_eq!(chosen(&all, "http://a.example.com/"), Some("HTTP_PROXY"));
        for here in ["http://localhost:5000/", "http://127.0.0.9/", "https://[::1]:5000/"] {
            assert_eq!(chosen(&[("ALL_PROXY", "p")], here), None, "{here}");
        }
    }

    /// The table of Go's `httpproxy`, and curl's blanks: word, address, whether it is asked directly.
    #[test]
    fn exceptions_are_as_go_reads_them() {
        for (words, url, direct) in [
            ("*", "https://a.example.com/", true),
            ("example.com", "https://example.com/", true),
            ("example.com", "https://a.b.EXAMPLE.com./", true),
            ("example.com", "https://notexample.com/", false),
            ("example.com.", "https://example.com/", true),
            (".example.com", "https://a.example.com/", true),
            (".example.com", "https://example.com/", false),
            ("*.example.com", "https://a.example.com/", true),
            ("*.example.com", "https://example.com/", false),
            ("*example.com", "https://notexample.com/", false),
            ("example.com:5000", "https://example.com:5000/", true),
            ("example.com:5000", "https://example.com/", false),
            ("example.com:443", "https://example.com/", true),
            ("example.com:80", "http://example.com/", true),
            ("example.com:x", "https://example.com/", false),
            ("10.0.0.0/8", "https://10.1.2.3:5000/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("10.0.0.0/8", "https://10.example.com/", false),
            ("0.0.0.0/0", "https://192.168.1.1/", true),
            ("10.0.0.0/33", "https://10.0.0.1/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("fd00::/8", "https://[fe80::1]/", false),
            ("192.168.1.1", "https://192.168.1.1:5000/", true),
            ("192.168.1.1:5000", "https://192.168.1.1/", false),
            ("[fd12::1]:5000", "https://[fd12::1]:5000/", true),
            ("fd12::1", "https://[fd12::1]/", true),
            ("192.168.1.1", "https://192.168.1.10/", false),
            (" b.example.com ,\ta.example.com", "https://a.example.com/", true),
            ("b.example.com a.example.com", "https://a.example.com/", true),
            (",,.,", "https://a.example.com/", false),
            ("", "https://a.example.com/", false),
        ] {
            let variables = [("HTTPS_PROXY", "http://p:1"), ("HTTP_PROXY", "http://p:1"), ("NO_PROXY", words)];
            assert_eq!(chosen(&variables, url).is_none(), direct, "NO_PROXY={words} {url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_told_by_its_variable_alone() {
        let env: Env = [("HTTPS_PROXY".to_owned(), "ftp://me:secret@p".to_owned())].into_iter().collect();
        let proxies = Proxies::of(&env);
        let chosen = proxies.choose(&Uri::from_static("https://a.example.com/")).expect("one is set");
        assert_eq!(chosen.proxy().expect_err("ftp").words, "HTTPS_PROXY is no address of a proxy");
    }
}
