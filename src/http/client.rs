//! HTTP with bounds: every request has a timeout, every body a size, every failure a few plain words.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use ureq::config::AutoHeaderValue;
use ureq::http::header::PROXY_AUTHORIZATION;
use ureq::http::uri::Scheme;
use ureq::http::{self, HeaderValue, Request, Response, StatusCode};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, RustlsConnector, SocksConnector, TcpConnector};
use ureq::{Agent, AsSendBody, Body, ProxyProtocol};

use super::failure::{Failure, Trouble};
use super::plain_proxy::PlainProxyConnector;
use super::proxy::Proxies;
use super::redirect::{MAX_HOPS, next_hop};
use super::reply::Reply;
use super::retry::Retry;
use super::url::host_of;
use crate::error::Result;
use crate::interrupt;

/// Largest body that is read, in bytes.
const MAX_BODY: u64 = 32 * 1024 * 1024;
/// The longest that a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// No try starts later than this after the first.
const TOTAL: Duration = Duration::from_secs(60);
/// Ctrl-C is noticed within this time while a server lets us wait.
pub(super) const GLANCE: Duration = Duration::from_millis(50);

/// A client. Connections are kept and used again.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    line: Line,
    unbounded: OnceLock<Line>,
    trust: Trust,
    timeout: Duration,
    max_body: u64,
    retry: Retry,
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Method<'a> {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// DELETE.
    Delete,
    /// POST of a JSON text.
    PostJson(&'a str),
    /// POST of a form, encoded already.
    PostForm(&'a str),
    /// POST of nothing.
    Post,
    /// PUT of a text of this media type.
    Put(&'a str, &'a str),
}

/// What differs from an ordinary client of this house.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// Certificates are not checked.
    pub insecure: bool,
    /// The only CAs that count; the system's when there are none.
    pub roots: Vec<Certificate<'static>>,
    /// Shown to servers that ask for a certificate.
    pub identity: Option<ClientCert>,
}

/// An agent, and the proxies that its requests go by.
#[derive(Clone, Debug)]
pub(super) struct Line {
    agent: Agent,
    proxies: Proxies,
}

impl Line {
    /// Sends a request, and reads the head of the reply. Redirects are replies like others.
    ///
    /// # Errors
    /// No reply came, or the proxy was in the way.
    pub(super) fn run(&self, mut request: Request<impl AsSendBody>) -> Result<Response<Body>, Failure> {
        let Some(chosen) = self.proxies.choose(request.uri()) else {
            return self.agent.run(request).map_err(|error| Failure::of(&error));
        };
        let proxy = chosen.proxy()?;
        let plain = request.uri().scheme() == Some(&Scheme::HTTP) && matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https);
        if let Some(user) = proxy.username().filter(|_| plain) {
            let login = STANDARD.encode(format!("{user}:{}", proxy.password().unwrap_or_default()));
            let value = HeaderValue::from_str(&format!("Basic {login}")).map_err(|_| chosen.failure("its login is malformed"))?;
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        let request = self.agent.configure_request(request).proxy(Some(proxy.clone())).build();
        let response = self.agent.run(request).map_err(|error| chosen.blame(Failure::of(&error)))?;
        match response.status() {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(chosen.failure("it wants a login (407)")),
            _ => Ok(response),
        }
    }
}

impl Client {
    /// A client that tries once; `timeout` bounds it, `insecure` skips certificate checks.
    pub(crate) fn new(proxies: &Proxies, timeout: Duration, insecure: bool) -> Self {
        Self::trusting(proxies, timeout, (1, Duration::ZERO), Trust { insecure, ..Trust::default() })
    }

    /// A client for those who need it finer: `timeout` bounds each try.
    pub(super) fn trusting(proxies: &Proxies, timeout: Duration, (tries, pause): (u32, Duration), trust: Trust) -> Self {
        Self::with(proxies, timeout, timeout.min(CONNECT), MAX_BODY, Retry { tries, pause, total: TOTAL }, trust)
    }

    /// A client that tries once: `timeout` bounds all of it, `connect` the connection, `max_body` what is read, in bytes.
    pub(crate) fn once_within(proxies: &Proxies, timeout: Duration, connect: Duration, max_body: u64) -> Self {
        let retry = Retry { tries: 1, pause: Duration::ZERO, total: timeout };
        Self::with(proxies, timeout, connect, max_body, retry, Trust::default())
    }

    fn with(proxies: &Proxies, timeout: Duration, connect: Duration, max_body: u64, retry: Retry, trust: Trust) -> Self {
        let line = Line { agent: agent(Some(timeout), connect, trust.clone()), proxies: proxies.clone() };
        Self { line, unbounded: OnceLock::new(), trust, timeout, max_body, retry }
    }

    /// For bodies of any length, which take their time: whoever uses it sees to it that they move.
    pub(super) fn unbounded(&self) -> Line {
        let line = || Line { agent: agent(None, CONNECT, self.trust.clone()), proxies: self.line.proxies.clone() };
        self.unbounded.get_or_init(line).clone()
    }

    /// What it trusts, for another one.
    pub(super) fn trust(&self) -> Trust {
        self.trust.clone()
    }

    /// Sends a request, again on 429, 5xx and broken connections.
    ///
    /// # Errors
    /// No reply came, or the body was too large. A reply of any status is no error.
    pub(crate) fn send(&self, method: Method<'_>, url: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        self.try_send(method, url, headers).map_err(|failure| failure.into_error(url))
    }

    /// As [`Client::send`], for callers who judge the failure themselves.
    pub(super) fn try_send(&self, method: Method<'_>, url: &str, headers: &[(&str, &str)]) -> Result<Reply, Failure> {
        let started = Instant::now();
        let mut attempt = 1;
        loop {
            let outcome = self.once(method, url, headers);
            let Some(wait) = self.retry.wait(&outcome, attempt, started.elapsed()) else { return outcome };
            interrupt::sleep(wait).map_err(|_| Failure::new(Trouble::Interrupted, "interrupted"))?;
            attempt += 1;
        }
    }

    /// One try, on a thread of its own: Ctrl-C does not wait for the server, and a name server cannot hold us either.
    fn once(&self, method: Method<'_>, url: &str, headers: &[(&str, &str)]) -> Result<Reply, Failure> {
        let (verb, kind, body) = match method {
            Method::Get => (http::Method::GET, None, ""),
            Method::Head => (http::Method::HEAD, None, ""),
            Method::Delete => (http::Method::DELETE, None, ""),
            Method::PostJson(body) => (http::Method::POST, Some("application/json; charset=utf-8"), body),
            Method::PostForm(body) => (http::Method::POST, Some("application/x-www-form-urlencoded"), body),
            Method::Post => (http::Method::POST, Some("application/octet-stream"), ""),
            Method::Put(kind, body) => (http::Method::PUT, Some(kind), body),
        };
        let message = Message {
            verb,
            url: url.to_owned(),
            headers: headers.iter().copied().map(owned).collect(),
            body: kind.map(|kind| (kind.to_owned(), body.to_owned())),
            is_json_post: matches!(method, Method::PostJson(_)),
        };
        let (line, max_body) = (self.line.clone(), self.max_body);
        let (started, limit) = (Instant::now(), self.timeout + Duration::from_secs(1));
        aside(
            move || exchange(&line, message, max_body),
            || (started.elapsed() > limit).then(|| Failure::new(Trouble::Timeout, "no answer in time")),
        )
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// What is sent to one address, and then maybe to the next.
struct Message {
    verb: http::Method,
    url: String,
    headers: Vec<(String, String)>,
    /// Its media type, and itself.
    body: Option<(String, String)>,
    is_json_post: bool,
}

/// Does this on a thread of its own, so that Ctrl-C ends the wait for it, and so does what `late` finds, which is asked at each glance.
pub(super) fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    mut late: impl FnMut() -> Option<Failure>,
) -> Result<T, Failure> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let _ = sender.send(work()); // nobody may be waiting any more
    });
    loop {
        interrupt::check().map_err(|_| Failure::new(Trouble::Interrupted, "interrupted"))?;
        match receiver.recv_timeout(GLANCE) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => return Err(Failure::new(Trouble::Other, "the request ended without a word")),
            Err(RecvTimeoutError::Timeout) => late().map_or(Ok(()), Err)?,
        }
    }
}

/// The certificates that a text of PEM holds.
pub(super) fn certificates(text: &[u8]) -> Vec<Certificate<'static>> {
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    parse_pem(text).filter_map(certificate).collect()
}

/// A certificate and its key, both in PEM, to show to servers; none where they do not belong together, or where the key is of a kind that is not known here.
pub(super) fn identity(certificate: &[u8], key: &[u8]) -> Option<ClientCert> {
    let chain = certificates(certificate);
    let key = PrivateKey::from_pem(key).ok()?;
    // ureq takes it for granted that rustls takes them.
    let der = chain.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    let key_der = PrivateKeyDer::try_from(key.der().to_vec()).ok()?;
    CertifiedKey::from_der(der, key_der, &ring::default_provider()).ok()?;
    Some(ClientCert::new_with_certs(&chain, key))
}

/// The CAs of these files of PEM, and the system's beside them; none where there are none.
pub(super) fn trusted(texts: impl IntoIterator<Item = Vec<u8>>) -> Vec<Certificate<'static>> {
    let mut roots: Vec<Certificate<'static>> = Vec::new();
    for text in texts {
        roots.extend(certificates(&text));
    }
    if !roots.is_empty() {
        let system = rustls_native_certs::load_native_certs().certs;
        roots.extend(system.iter().map(|certificate| Certificate::from_der(certificate).to_owned()));
    }
    roots
}

/// How many CAs this system knows: without any, no certificate holds.
pub(crate) fn count_of_system_cas() -> usize {
    rustls_native_certs::load_native_certs().certs.len()
}

fn agent(timeout: Option<Duration>, connect: Duration, trust: Trust) -> Agent {
    let roots = if trust.roots.is_empty() { RootCerts::PlatformVerifier } else { RootCerts::Specific(Arc::new(trust.roots)) };
    let tls = TlsConfig::builder().root_certs(roots).client_cert(trust.identity).disable_verification(trust.insecure).build();
    let config = Agent::config_builder()
        .timeout_global(timeout)
        .timeout_connect(Some(connect))
        .http_status_as_error(false)
        .max_redirects(0) // each address has its own proxy
        .max_redirects_will_error(false)
        .proxy(None) // chosen for each address
        .tls_config(tls)
        .user_agent(AutoHeaderValue::from(concat!("lain/", env!("CARGO_PKG_VERSION"))))
        .build();
    let connector =
        ().chain(SocksConnector::default())
            .chain(PlainProxyConnector)
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(RustlsConnector::default());
    Agent::with_parts(config, connector, DefaultResolver::default())
}

/// Sends it and follows redirects: a login goes to no other host, and nothing goes from https to http. What is posted to a webhook that then sends on
/// to a page has arrived: the page is the reply.
fn exchange(line: &Line, mut message: Message, max_body: u64) -> Result<Reply, Failure> {
    let asked = host_of(&message.url);
    let elsewhere = |failure: Failure, url: &str| match host_of(url) {
        host if host != asked && failure.trouble != Trouble::Interrupted => failure.at(host),
        _ => failure,
    };
    for _ in 0..=MAX_HOPS {
        let mut request = Request::builder().method(&message.verb).uri(&message.url);
        let kind = message.body.as_ref().map(|(kind, _)| ("Content-Type", kind.as_str()));
        for (name, value) in message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(kind) {
            request = request.header(name, value);
        }
        let malformed = |_| Failure::new(Trouble::Other, "the address or a header is malformed");
        let response = match &message.body {
            Some((_, body)) => line.run(request.body(body.as_str()).map_err(malformed)?),
            None => line.run(request.body(()).map_err(malformed)?),
        };
        let mut response = response.map_err(|failure| elsewhere(failure, &message.url))?;
        let status = response.status();
        let reads = matches!(message.verb, http::Method::GET | http::Method::HEAD);
        let becomes_get = message.is_json_post && matches!(status.as_u16(), 301..=303);
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).filter(|_| reads || becomes_get);
        if let Some(next) = next_hop(&message.url, status, location, &mut message.headers)? {
            message.url = next;
            if becomes_get {
                (message.verb, message.body, message.is_json_post) = (http::Method::GET, None, false);
            }
            continue;
        }
        let body = response.body_mut().with_config().limit(max_body).read_to_vec();
        let body = body.map_err(|error| elsewhere(Failure::of(&error), &message.url))?;
        return Ok(Reply { status, headers: response.headers().clone(), body });
    }
    Err(Failure::new(Trouble::Other, "it redirects without end"))
}
