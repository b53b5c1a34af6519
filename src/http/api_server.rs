//! The one connection to the Kubernetes API server: HTTP on the socket of a `kubectl proxy`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::{Method as Verb, Request, Response};
use ureq::{AsSendBody, Body};

use super::client::{GLANCE, aside};
use super::failure::{Failure, Trouble};
use super::unix_socket::{Nowhere, UnixConnector};
use crate::error::{Error, Result};
use crate::interrupt;
use crate::tools::line::{Hear, Line, Method, Question, Said, Start};
use crate::tools::proxy::Proxy;

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
}

#[derive(Debug)]
struct Open {
    proxy: Proxy,
    agent: OnceLock<Agent>,
}

impl Connection {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The proxy that is there, or a new one.
    fn current(&self, start: Start<'_>) -> Option<Arc<Open>> {
        let mut state = self.lock();
        if state.is_lost {
            return None;
        }
        if let Some(open) = state.open.as_ref().filter(|open| !open.proxy.is_gone()) {
            return Some(Arc::clone(open));
        }
        if state.starts >= STARTS || interrupt::received() {
            return None;
        }
        state.starts += 1;
        let open = start().map(|proxy| Arc::new(Open { proxy, agent: OnceLock::new() }));
        state.is_lost = open.is_none();
        state.open.clone_from(&open);
        open
    }

    /// A way to ask; waits until it is there.
    fn agent(&self, start: Start<'_>) -> Option<(Arc<Open>, Agent)> {
        let open = self.current(start)?;
        if let Some(agent) = open.agent.get() {
            return Some((Arc::clone(&open), agent.clone()));
        }
        let Some(door) = open.proxy.door() else {
            self.lock().is_lost = true;
            return None;
        };
        let agent = open.agent.get_or_init(|| agent(UnixConnector(door))).clone();
        Some((open, agent))
    }
}

impl Line for Connection {
    fn begin(&self, start: Start<'_>) {
        self.current(start);
    }

    fn is_there(&self, start: Start<'_>) -> bool {
        self.agent(start).is_some()
    }

    fn ask(&self, question: &Question<'_>, start: Start<'_>) -> Result<Option<Said>> {
        for _ in 0..2 {
            let Some((open, agent)) = self.agent(start) else { return Ok(None) };
            match exchange(&agent, question) {
                Ok(said) => return Ok(Some(said)),
                Err(Failure { trouble: Trouble::Interrupted, .. }) => return Err(Error::interrupted()),
                Err(Failure { trouble: Trouble::Timeout, .. }) => return Ok(Some(Said::TooLate)),
                Err(_) if question.method != Method::Get => return Ok(Some(Said::BrokeOff)),
                Err(_) if open.proxy.ends_within(Duration::from_millis(100)) => {} // somebody ended it: a new one is asked
                Err(_) => return Ok(None),
            }
        }
        Ok(None)
    }

    fn begin_to_ask(&self, path: &str, within: Duration, start: Start<'_>) {
        let Some((_, agent)) = self.agent(start) else { return };
        let (sender, answer) = channel();
        let uri = path.to_owned();
        std::thread::spawn(move || {
            let question = Question { method: Method::Get, path: &uri, body: None, within, is_last_word: true };
            // What fails is asked again by whoever needs it.
            if let Ok(said @ Said::Answer { status: 200..=299, .. }) = exchange(&agent, &question) {
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
        let Some((_, agent)) = self.agent(start) else { return false };
        let request = Request::get(format!("http://localhost{path}")).header("Accept", "application/json").body(());
        std::thread::spawn(move || {
            if let Ok(response) = request.map_err(ureq::Error::from).and_then(|request| agent.run(request)) {
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
        if let Some(open) = self.lock().open.take() {
            open.proxy.end();
        }
    }
}

fn agent(connector: UnixConnector) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .max_idle_connections_per_host(10)
        .build();
    Agent::with_parts(config, connector, Nowhere)
}

/// Asks, on a thread of its own where Ctrl-C ends the wait.
fn exchange(agent: &Agent, question: &Question<'_>) -> Result<Said, Failure> {
    let Question { method, path, body, within, is_last_word } = *question;
    let (agent, uri, body) = (agent.clone(), format!("http://localhost{path}"), body.map(str::to_owned));
    let work = move || {
        let verb = match method {
            Method::Get => Verb::GET,
            Method::Create => Verb::POST,
            Method::Replace => Verb::PUT,
            Method::Delete => Verb::DELETE,
        };
        let request = Request::builder().method(verb).uri(uri).header("Accept", "application/json");
        match body {
            Some(body) => send(&agent, request.header("Content-Type", "application/json").body(body), within),
            None => send(&agent, request.body(()), within),
        }
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
