//! HTTP with bounds: every request has a timeout, every body a size, every failure a few plain words.

use std::time::Duration;

use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};

use crate::error::{Error, Result};
use crate::tools::interrupt;

/// Largest body that is read, in bytes.
const MAX_BODY: u64 = 32 * 1024 * 1024;

/// A client.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    /// How often a request is tried on 429, 5xx and broken connections.
    tries: u32,
    /// How long to wait before the second try; doubles.
    pause: Duration,
    /// Largest body that is read, in bytes.
    max_body: u64,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

/// What to send.
#[derive(Clone, Copy, Debug)]
pub enum Method<'a> {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST of a JSON text.
    PostJson(&'a str),
}

impl Client {
    /// A client; `timeout` bounds each try, `insecure` skips certificate checks (for registries marked so).
    pub fn new(timeout: Duration, tries: u32, pause: Duration, insecure: bool) -> Self {
        Self { agent: agent(timeout, None, insecure), tries, pause, max_body: MAX_BODY }
    }

    /// A client that tries once: `timeout` bounds all of it, `connect` the connection, `max_body` what is read, in bytes.
    pub fn once_within(timeout: Duration, connect: Duration, max_body: u64) -> Self {
        Self { agent: agent(timeout, Some(connect), false), tries: 1, pause: Duration::ZERO, max_body }
    }

    /// Sends a request, again on 429, 5xx and broken connections.
    ///
    /// # Errors
    /// No reply came, or the body was too large. A reply of any status is no error.
    pub fn send(&self, method: Method<'_>, url: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        let mut pause = self.pause;
        let mut attempt = 1;
        loop {
            let outcome = self.once(method, url, headers);
            let again = match &outcome {
                Ok(reply) => reply.status == StatusCode::TOO_MANY_REQUESTS || reply.status.is_server_error(),
                Err(_) => true,
            };
            if !again || attempt >= self.tries {
                return outcome;
            }
            interrupt::sleep(pause)?;
            pause *= 2;
            attempt += 1;
        }
    }

    fn once(&self, method: Method<'_>, url: &str, headers: &[(&str, &str)]) -> Result<Reply> {
        interrupt::check()?;
        let outcome = match method {
            Method::Get => headers.iter().fold(self.agent.get(url), |request, (name, value)| request.header(*name, *value)).call(),
            Method::Head => headers.iter().fold(self.agent.head(url), |request, (name, value)| request.header(*name, *value)).call(),
            Method::PostJson(body) => headers
                .iter()
                .fold(self.agent.post(url).header("Content-Type", "application/json; charset=utf-8"), |request, (name, value)| {
                    request.header(*name, *value)
                })
                .send(body),
        };
        let mut response = outcome.map_err(|error| Error::failed(format!("{}: {}", host_of(url), plain(&error))))?;
        let body = response
            .body_mut()
            .with_config()
            .limit(self.max_body)
            .read_to_vec()
            .map_err(|error| Error::failed(format!("{}: the reply broke off: {}", host_of(url), plain(&error))))?;
        Ok(Reply { status: response.status(), headers: response.headers().clone(), body })
    }
}

fn agent(timeout: Duration, connect: Option<Duration>, insecure: bool) -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).disable_verification(insecure).build();
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .timeout_connect(connect)
        .http_status_as_error(false)
        .tls_config(tls)
        .user_agent(concat!("lain/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

impl Reply {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// `host[:port]` of a URL; the rest may hold secrets.
pub fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

fn plain(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "no such host".to_owned(),
        ureq::Error::ConnectionFailed => "the connection failed".to_owned(),
        ureq::Error::BodyExceedsLimit(bytes) => format!("it has more than {bytes} bytes"),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        ureq::Error::Io(error) => crate::error::describe_io(error),
        other => other.to_string(),
    }
}
