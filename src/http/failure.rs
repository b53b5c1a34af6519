//! Why no reply came, in words that a person can act on.

use std::io;

use super::url::host_of;
use crate::error::{Error, describe_io};
use crate::ui::printable;

/// A certificate that openssl made without further words: Go's programs bear it, rustls does not.
pub(super) const CA_AS_SERVER: &str = "its certificate is that of a CA, not of a server";

/// What kind of trouble it was; the way on depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The name is not known.
    NoSuchHost,
    /// Nobody listens there.
    Refused,
    /// No connection came about within the time that was given: nothing was sent.
    Unreached,
    /// Nothing, or not all, came within the time that was given.
    Timeout,
    /// The connection broke off; the next one may hold.
    Broken,
    /// The server's certificate does not hold.
    Certificate,
    /// The server wants to see a certificate of ours, or another one.
    ClientCertificate,
    /// The proxy on the way to it.
    Proxy,
    /// The server does not speak TLS.
    NoTls,
    /// What came is no HTTP.
    NoHttp,
    /// The body is larger than is read.
    TooLarge,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// Anything else.
    Other,
}

/// A request without a reply.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// What kind of trouble it was.
    pub trouble: Trouble,
    /// The reason, in a few words. Neither URL nor headers are in it: they may hold secrets.
    pub words: String,
    /// The host that it happened at, where redirects led to another than was asked.
    pub led_to: Option<String>,
}

impl Failure {
    /// A failure.
    pub(super) fn new(trouble: Trouble, words: impl Into<String>) -> Self {
        Self { trouble, words: words.into(), led_to: None }
    }

    /// The same, at a host that redirects led to.
    pub(super) fn at(self, host: String) -> Self {
        Self { words: format!("it redirects to {host}: {}", self.words), led_to: Some(host), ..self }
    }

    /// The failure behind an error of the HTTP library.
    pub(super) fn of(error: &ureq::Error) -> Self {
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => Self::new(Trouble::Unreached, "no answer in time"),
            ureq::Error::Timeout(_) => Self::new(Trouble::Timeout, "no answer in time"),
            ureq::Error::HostNotFound => Self::new(Trouble::NoSuchHost, "no such host"),
            ureq::Error::ConnectionFailed => Self::new(Trouble::Refused, "the connection failed"),
            ureq::Error::BodyExceedsLimit(bytes) => Self::new(Trouble::TooLarge, format!("the answer has more than {bytes} bytes")),
            ureq::Error::Io(error) => Self::of_io(error),
            ureq::Error::Rustls(error) => Self::of_tls(&error.to_string()),
            ureq::Error::Protocol(error) => {
                let why: String = printable(&error.to_string()).chars().take(120).collect(); // it may quote what came
                Self::new(Trouble::NoHttp, format!("its answer is no proper HTTP: {why}"))
            }
            ureq::Error::LargeResponseHeader(..) => Self::new(Trouble::NoHttp, "its answer has a header that is too large"),
            ureq::Error::Decompress(..) => Self::new(Trouble::NoHttp, "the answer cannot be unpacked"),
            // "proxy server responded 403/403"
            ureq::Error::ConnectProxyFailed(why) => {
                let status = why.rsplit('/').next().filter(|status| status.len() == 3);
                Self::new(Trouble::Proxy, status.map_or("it does not answer".to_owned(), |status| format!("it refuses ({status})")))
            }
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => Self::new(Trouble::Other, "the address or a header is malformed"),
            other => Self::new(Trouble::Other, other.to_string()),
        }
    }

    fn of_io(error: &io::Error) -> Self {
        let words = describe_io(error);
        let trouble = match error.kind() {
            io::ErrorKind::ConnectionRefused => Trouble::Refused,
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::Timeout,
            io::ErrorKind::UnexpectedEof => return Self::new(Trouble::Broken, "the connection was closed"),
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected => {
                return Self::new(Trouble::Broken, "the connection broke off");
            }
            io::ErrorKind::InvalidData => return Self::of_tls(&words), // how rustls reports through a socket
            _ if words.contains("failed to lookup address") => return Self::new(Trouble::NoSuchHost, "no such host"),
            _ => Trouble::Other,
        };
        Self::new(trouble, words)
    }

    /// rustls says it in its own words: <https://docs.rs/rustls/0.23/rustls/enum.CertificateError.html>.
    fn of_tls(words: &str) -> Self {
        let known = [
            ("UnknownIssuer", "its certificate is signed by no CA that is known here"),
            ("CaUsedAsEndEntity", CA_AS_SERVER),
            ("expired", "its certificate has expired"),
            ("not valid yet", "its certificate is not valid yet"),
            ("not valid for name", "its certificate is for another name"),
        ];
        if let Some((_, plain)) = known.iter().find(|(mark, _)| words.contains(mark)) {
            return Self::new(Trouble::Certificate, *plain);
        }
        // The server's alerts, by its own account of our certificate.
        if ["alert: CertificateRequired", "alert: BadCertificate", "alert: UnknownCA", "alert: CertificateUnknown"]
            .iter()
            .any(|mark| words.contains(mark))
        {
            return Self::new(Trouble::ClientCertificate, "it wants a client's certificate that it knows");
        }
        if words.contains("certificate") {
            return Self::new(Trouble::Certificate, words);
        }
        if words.contains("corrupt message") {
            return Self::new(Trouble::NoTls, "it does not speak TLS there");
        }
        Self::new(Trouble::NoTls, words)
    }

    /// The error for a person.
    pub(super) fn into_error(self, url: &str) -> Error {
        match self.trouble {
            Trouble::Interrupted => Error::interrupted(),
            Trouble::Proxy => {
                let behind = self.led_to.unwrap_or_else(|| host_of(url));
                Error::failed(format!("{}: {}", host_of(url), self.words))
                    .hint(format!("export NO_PROXY=\"$NO_PROXY,{behind}\" # where it is reached without a proxy"))
            }
            _ => Error::failed(format!("{}: {}", host_of(url), self.words)),
        }
    }
}
