//! HTTP with bounds: every request has a timeout, every body a size, every failure a few plain words.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::config::AutoHeaderValue;
use ureq::http::{self, Request};
use ureq::tls::{Certificate, ClientCert, RootCerts, TlsConfig};

use super::failure::{Failure, Trouble};
use super::reply::Reply;
use super::retry::Retry;
use crate::error::Result;
use crate::interrupt;

/// Largest body that is read, in bytes.
const MAX_BODY: u64 = 32 * 1024 * 1024;
/// The longest that a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// No try starts later than this after the first.
const TOTAL: Duration = Duration::from_secs(60);
/// Ctrl-C is noticed within this time while a server lets us wait.
const GLANCE: Duration = Duration::from_millis(50);

/// A client. Connections are kept and used again.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: Agent,
    unbounded: OnceLock<Agent>,
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
    /// Redirects are replies like others, for the caller to judge.
    pub stay: bool,
    /// No proxy, whatever the environment says.
    pub direct: bool,
}

impl Client {
    /// A client; `timeout` bounds each try, `insecure` skips certificate checks (for registries marked so).
    pub(crate) fn new(timeout: Duration, tries: u32, pause: Duration, insecure: bool) -> Self {
        Self::trusting(timeout, tries, pause, Trust { insecure, ..Trust::default() })
    }

    /// As [`Client::new`], for those who need it finer.
    pub(super) fn trusting(timeout: Duration, tries: u32, pause: Duration, trust: Trust) -> Self {
        Self::with(timeout, timeout.min(CONNECT), MAX_BODY, Retry { tries, pause, total: TOTAL }, trust)
    }

    /// A client that tries once: `timeout` bounds all of it, `connect` the connection, `max_body` what is read, in bytes.
    pub(crate) fn once_within(timeout: Duration, connect: Duration, max_body: u64) -> Self {
        let retry = Retry { tries: 1, pause: Duration::ZERO, total: timeout };
        Self::with(timeout, connect, max_body, retry, Trust::default())
    }

    fn with(timeout: Duration, connect: Duration, max_body: u64, retry: Retry, trust: Trust) -> Self {
        Self { agent: agent(Some(timeout), connect, trust.clone()), unbounded: OnceLock::new(), trust, timeout, max_body, retry }
    }

    /// For bodies of any length, which take their time: whoever uses it sees to it that they move.
    pub(super) fn unbounded(&self) -> Agent {
        self.unbounded.get_or_init(|| agent(None, CONNECT, self.trust.clone())).clone()
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
        let mut request = Request::builder().method(verb).uri(url);
        for (name, value) in headers.iter().copied().chain(kind.map(|kind| ("Content-Type", kind))) {
            request = request.header(name, value);
        }
        let malformed = |_| Failure::new(Trouble::Other, "the address or a header is malformed");
        let request = request.body(kind.map(|_| body.to_owned())).map_err(malformed)?;
        let (agent, max_body) = (self.agent.clone(), self.max_body);
        let (started, limit) = (Instant::now(), self.timeout + Duration::from_secs(1));
        aside(
            move || exchange(&agent, request, max_body),
            || (started.elapsed() > limit).then(|| Failure::new(Trouble::Timeout, "no answer in time")),
        )
    }
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

fn agent(timeout: Option<Duration>, connect: Duration, trust: Trust) -> Agent {
    let roots = if trust.roots.is_empty() { RootCerts::PlatformVerifier } else { RootCerts::Specific(Arc::new(trust.roots)) };
    let tls = TlsConfig::builder().root_certs(roots).client_cert(trust.identity).disable_verification(trust.insecure).build();
    let mut config = Agent::config_builder()
        .timeout_global(timeout)
        .timeout_connect(Some(connect))
        .http_status_as_error(false)
        .tls_config(tls)
        .user_agent(AutoHeaderValue::from(concat!("lain/", env!("CARGO_PKG_VERSION"))));
    if trust.stay {
        config = config.max_redirects(0).max_redirects_will_error(false);
    }
    if trust.direct {
        config = config.proxy(None);
    }
    config.build().into()
}

fn exchange(agent: &Agent, request: Request<Option<String>>, max_body: u64) -> Result<Reply, Failure> {
    let (parts, body) = request.into_parts();
    let outcome = match body {
        Some(body) => agent.run(Request::from_parts(parts, body)),
        None => agent.run(Request::from_parts(parts, ())),
    };
    let mut response = outcome.map_err(|error| Failure::of(&error))?;
    let body = response.body_mut().with_config().limit(max_body).read_to_vec().map_err(|error| Failure::of(&error))?;
    Ok(Reply { status: response.status(), headers: response.headers().clone(), body })
}
