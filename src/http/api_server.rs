//! The one connection to the Kubernetes API server: lain's own where the login stands in the kubeconfig, else HTTP on the socket of a `kubectl proxy`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ureq::config::ConfigBuilder;
use ureq::http::header::AUTHORIZATION;
use ureq::http::request::Builder;
use ureq::http::{HeaderValue, Method as Verb, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, RustlsConnector, TcpConnector};
use ureq::{Agent, AsSendBody, Body};

use super::client::{GLANCE, aside, certificates, identity};
use super::failure::{Failure, Trouble};
use super::unix_socket::{Nowhere, UnixConnector};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::model::login::Login;
use crate::tools::line::{Entry, Hear, Line, Method, Question, Said, Start};

/// Largest answer that is read here; kubectl by itself reads a larger one.
const MAX_BODY: u64 = 64 << 20;
/// So many proxies are started in a run.
const STARTS: u32 = 4;
/// How old an answer to what was asked ahead may be: later the question is asked anew.
const FRESH: Duration = Duration::from_secs(2);
/// How much longer a question is waited for than it may take: it ends by itself.
const MARGIN: Duration = Duration::from_secs(1);

/// What is open.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    state: Mutex<State>,
    ahead: Mutex<HashMap<String, Ahead>>,
}

/// A question that was asked before anybody needed its answer.
#[derive(Debug)]
struct Ahead {
    asked: Instant,
    answer: Receiver<Said>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Arc<Open>>,
    starts: u32,
    /// It never came to serve: nobody tries again.
    is_lost: bool,
    /// lain's own login did not lead there: kubectl is to try.
    is_shut: bool,
}

#[derive(Debug)]
struct Open {
    entry: Entry,
    door: OnceLock<Door>,
}

/// A way to ask.
#[derive(Clone, Debug)]
struct Door {
    agent: Agent,
    /// What stands before each path.
    address: String,
    /// Sent with each question; never shown.
    login: Option<HeaderValue>,
}

impl Open {
    fn is_gone(&self) -> bool {
        match &self.entry {
            Entry::Login(_) => false,
            Entry::Proxy(proxy) => proxy.is_gone(),
        }
    }
}

impl Connection {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The way in that is there, or a new one.
    fn current(&self, start: Start<'_>) -> Option<Arc<Open>> {
        let mut state = self.lock();
        if state.is_lost {
            return None;
        }
        if let Some(open) = state.open.as_ref().filter(|open| !open.is_gone()) {
            return Some(Arc::clone(open));
        }
        if state.starts >= STARTS || interrupt::received() {
            return None;
        }
        state.starts += 1;
        let open = start(!state.is_shut).map(|entry| Arc::new(Open { entry, door: OnceLock::new() }));
        state.is_lost = open.is_none();
        state.open.clone_from(&open);
        open
    }

    /// A way to ask; waits until it is there.
    fn door(&self, start: Start<'_>) -> Option<(Arc<Open>, Door)> {
        for _ in 0..2 {
            let open = self.current(start)?;
            if let Some(door) = open.door.get() {
                return Some((Arc::clone(&open), door.clone()));
            }
            let made = match &open.entry {
                Entry::Login(login) => own(login),
                Entry::Proxy(proxy) => proxy.door().map(behind),
            };
            match (made, &open.entry) {
                (Some(made), _) => {
                    let door = open.door.get_or_init(|| made).clone();
                    return Some((open, door));
                }
                (None, Entry::Login(_)) => self.shut(&open),
                (None, Entry::Proxy(_)) => self.lock().is_lost = true,
            }
        }
        None
    }

    /// lain's own login leads nowhere.
    fn shut(&self, open: &Arc<Open>) {
        let mut state = self.lock();
        state.is_shut = true;
        state.open.take_if(|current| Arc::ptr_eq(current, open));
    }
}

/// True where nobody heard the question.
fn came_too_soon(failure: &Failure) -> bool {
    use Trouble::{Certificate, ClientCertificate, NoSuchHost, NoTls, Refused, Unreached};
    matches!(failure.trouble, NoSuchHost | Refused | Unreached | Certificate | ClientCertificate | NoTls)
}

impl Line for Connection {
    fn begin(&self, start: Start<'_>) {
        self.current(start);
    }

    fn is_there(&self, start: Start<'_>) -> bool {
        self.door(start).is_some()
    }

    fn ask(&self, question: &Question<'_>, start: Start<'_>) -> Result<Option<Said>> {
        for _ in 0..3 {
            let Some((open, door)) = self.door(start) else { return Ok(None) };
            match exchange(&door, question) {
                Ok(said) => return Ok(Some(said)),
                Err(Failure { trouble: Trouble::Interrupted, .. }) => return Err(Error::interrupted()),
                Err(Failure { trouble: Trouble::Timeout, .. }) => return Ok(Some(Said::TooLate)),
                Err(failure) => match &open.entry {
                    Entry::Login(_) if came_too_soon(&failure) => self.shut(&open), // kubectl proxy is asked
                    _ if question.method != Method::Get => return Ok(Some(Said::BrokeOff)),
                    Entry::Proxy(proxy) if proxy.ends_within(Duration::from_millis(100)) => {} // somebody ended it: a new one is asked
                    _ => return Ok(None),
                },
            }
        }
        Ok(None)
    }

    fn begin_to_ask(&self, path: &str, within: Duration, start: Start<'_>) {
        let Some((_, door)) = self.door(start) else { return };
        let (sender, answer) = channel();
        let uri = path.to_owned();
        std::thread::spawn(move || {
            let question = Question { method: Method::Get, path: &uri, body: None, within, is_last_word: true };
            // What fails is asked again by whoever needs it.
            if let Ok(said @ Said::Answer { status: 200..=299, .. }) = exchange(&door, &question) {
                let _ = sender.send(said); // nobody may need it any more
            }
        });
        let ahead = Ahead { asked: Instant::now(), answer };
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), ahead);
    }

    fn begun(&self, path: &str) -> Result<Option<Said>> {
        let Some(ahead) = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).remove(path) else { return Ok(None) };
        while ahead.asked.elapsed() < FRESH {
            interrupt::check()?;
            match ahead.answer.recv_timeout(GLANCE) {
                Ok(said) => return Ok(Some(said)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(None)
    }

    fn follow(&self, path: &str, start: Start<'_>, mut hear: Hear) -> bool {
        let Some((_, door)) = self.door(start) else { return false };
        let request = door.request(Verb::GET, path).body(());
        std::thread::spawn(move || {
            if let Ok(response) = request.map_err(ureq::Error::from).and_then(|request| door.agent.run(request)) {
                let mut lines = BufReader::new(response.into_body().into_with_config().limit(u64::MAX).reader());
                let mut line = Vec::new();
                while let Ok(1..) = lines.by_ref().take(MAX_BODY).read_until(b'\n', &mut line) {
                    if !hear(Some(&line)) {
                        return;
                    }
                    line.clear();
                }
            }
            hear(None);
        });
        true
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // Streams that nobody hears any more end with it.
        if let Some(Entry::Proxy(proxy)) = self.lock().open.take().as_ref().map(|open| &open.entry) {
            proxy.end();
        }
    }
}

impl Door {
    fn request(&self, verb: Verb, path: &str) -> Builder {
        let request = Request::builder().method(verb).uri(format!("{}{path}", self.address)).header("Accept", "application/json");
        match &self.login {
            Some(login) => request.header(AUTHORIZATION, login),
            None => request,
        }
    }
}

fn config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .max_idle_connections_per_host(10)
}

/// By the socket of a `kubectl proxy`.
fn behind(socket: PathBuf) -> Door {
    let agent = Agent::with_parts(config().build(), UnixConnector(socket), Nowhere);
    Door { agent, address: "http://localhost".to_owned(), login: None }
}

/// By lain's own login; none where its certificates or its token are none.
fn own(login: &Login) -> Option<Door> {
    let roots = match &login.authority {
        Some(pem) => RootCerts::Specific(Arc::new(some(certificates(pem))?)),
        None => RootCerts::PlatformVerifier,
    };
    let shown = match &login.identity {
        Some((certificate, key)) => Some(identity(certificate, key)?),
        None => None,
    };
    let token = match &login.token {
        Some(token) => {
            let mut token = HeaderValue::from_str(&format!("Bearer {}", token.trim())).ok()?;
            token.set_sensitive(true);
            Some(token)
        }
        None => None,
    };
    let tls = TlsConfig::builder().root_certs(roots).client_cert(shown).build();
    let connector = ().chain(TcpConnector::default()).chain(RustlsConnector::default());
    let agent = Agent::with_parts(config().tls_config(tls).build(), connector, DefaultResolver::default());
    Some(Door { agent, address: login.address.clone(), login: token })
}

/// None of a list of nothing.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Asks, on a thread of its own where Ctrl-C ends the wait.
fn exchange(door: &Door, question: &Question<'_>) -> Result<Said, Failure> {
    let Question { method, path, body, within, is_last_word } = *question;
    let verb = match method {
        Method::Get => Verb::GET,
        Method::Create => Verb::POST,
        Method::Replace => Verb::PUT,
        Method::Delete => Verb::DELETE,
    };
    let (agent, request, body) = (door.agent.clone(), door.request(verb, path), body.map(str::to_owned));
    let work = move || match body {
        Some(body) => send(&agent, request.header("Content-Type", "application/json").body(body), within),
        None => send(&agent, request.body(()), within),
    };
    if is_last_word {
        return work();
    }
    let started = Instant::now();
    aside(work, || (started.elapsed() > within + MARGIN).then(|| Failure::new(Trouble::Timeout, "no answer in time")))
}

fn send(agent: &Agent, request: Result<Request<impl AsSendBody>, ureq::http::Error>, within: Duration) -> Result<Said, Failure> {
    let request = request.map_err(|_| Failure::new(Trouble::Other, "the address is malformed"))?;
    let request = agent.configure_request(request).timeout_global(Some(within)).build();
    let mut response: Response<Body> = agent.run(request).map_err(|error| Failure::of(&error))?;
    let status = response.status().as_u16();
    let wait = response.headers().get("retry-after").and_then(|seconds| seconds.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec().map_err(|error| Failure::of(&error))?;
    Ok(Said::Answer { status, body, wait })
}
