//! A gate before the real API server: whatever lain, helm and kubectl ask goes through it and is counted, and one request meets a fault, or some are held for
//! ever, as a load balancer with a dead server behind it does.

#![allow(dead_code)] // each test file uses its own part

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server that restarts refuses everybody.
const RESTARTS: Duration = Duration::from_secs(5);

/// What the API server does at one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends all connections and refuses new ones for five seconds.
    Restart,
    /// The same, and it does not come again.
    Gone,
    /// It answers nobody for so long, then everybody.
    Hang(Duration),
    /// It answers nobody any more.
    Silent,
    /// 429 to so many requests, to be asked again after a second.
    TooMany(usize),
    /// 500 to so many requests.
    Error(usize),
    /// 503 to so many requests, by a load balancer.
    Unavailable(usize),
    /// It does what was asked, and half of its answer comes.
    Half,
    /// It does what was asked, and no answer comes.
    Lost,
    /// A watch is cut after a second. Watches alone are counted.
    CutWatch,
}

/// What becomes of one request.
enum Fate {
    Pass,
    Cut,
    Reply(String),
    HeldTill(Option<Instant>),
    Half,
    Lost,
    PassFor(Duration),
}

#[derive(Default)]
struct State {
    fault: Option<(Fault, usize)>,
    /// The faulty request came then.
    hit: Option<Instant>,
    asked: Vec<String>,
    watches: usize,
    /// Requests with these methods are taken and never answered.
    held: Vec<&'static str>,
    open: Vec<TcpStream>,
    listens: bool,
    ended: bool,
}

impl State {
    fn holds(&self, method: &str) -> bool {
        !self.ended && (self.fault.is_some() || self.held.contains(&method))
    }

    fn is_down(&self) -> bool {
        match (self.fault, self.hit) {
            (Some((Fault::Restart, _)), Some(hit)) => hit.elapsed() < RESTARTS,
            (Some((Fault::Gone, _)), Some(_)) => true,
            _ => false,
        }
    }

    /// Counts a request, and says what becomes of it.
    fn next(&mut self, method: &str, target: &str) -> Fate {
        let is_watch = is_watch(target);
        self.watches += usize::from(is_watch);
        let cut = matches!(self.fault, Some((Fault::CutWatch, _)));
        let number = if cut { self.watches } else { self.asked.len() + 1 };
        let is_hit = self.fault.is_some_and(|(_, at)| at == number) && (is_watch || !cut) && self.hit.is_none();
        self.asked.push(format!("{}{method} {target}", if is_hit { "*" } else { "" }));
        if is_hit {
            self.hit = Some(Instant::now());
        }
        if self.held.contains(&method) {
            return Fate::HeldTill(None);
        }
        let (Some((fault, at)), Some(hit)) = (self.fault, self.hit) else { return Fate::Pass };
        let among = |times: usize| (at..at + times).contains(&number);
        match fault {
            Fault::Restart | Fault::Gone if is_hit => Fate::Cut,
            Fault::Hang(time) if hit.elapsed() < time => Fate::HeldTill(Some(hit + time)),
            Fault::Silent => Fate::HeldTill(None),
            Fault::TooMany(times) if among(times) => {
                Fate::Reply(status(429, "TooManyRequests", "Too many requests, please try again later."))
            }
            Fault::Error(times) if among(times) => Fate::Reply(status(500, "InternalError", "etcdserver: request timed out")),
            Fault::Unavailable(times) if among(times) => {
                let body = "<html><head><title>503 Service Temporarily Unavailable</title></head></html>\n";
                Fate::Reply(format!("503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
            }
            Fault::Half if is_hit => Fate::Half,
            Fault::Lost if is_hit => Fate::Lost,
            Fault::CutWatch if is_hit => Fate::PassFor(Duration::from_secs(1)),
            _ => Fate::Pass,
        }
    }
}

/// True for an answer that comes bit by bit.
pub fn is_watch(target: &str) -> bool {
    ["watch=true", "watch=1", "follow=true"].iter().any(|words| target.contains(words))
}

fn status(code: u16, reason: &str, message: &str) -> String {
    let body = format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{message}","reason":"{reason}","code":{code}}}"#
    );
    let wait = if code == 429 { "Retry-After: 1\r\n" } else { "" };
    format!("{code} {reason}\r\nContent-Type: application/json\r\n{wait}Content-Length: {}\r\n\r\n{body}", body.len())
}

struct Shared {
    state: Mutex<State>,
    /// Where the real server is reached.
    socket: PathBuf,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running gate; ends when dropped.
pub struct Gate {
    shared: Arc<Shared>,
    address: SocketAddr,
    proxy: Child,
    _folder: TempDir,
}

impl Gate {
    /// Opens one.
    pub fn new() -> Self {
        static GATES: AtomicU32 = AtomicU32::new(1);
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("s");
        let rig = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: tests/rig/rig env"));
        let proxy = Command::new("kubectl")
            .args(["--kubeconfig", &rig("LAIN_E2E_KUBECONFIG"), "proxy", "--accept-hosts=.*", "--reject-paths=^$", "--unix-socket"])
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("kubectl proxy");
        // An address that nobody else uses: the port is still free after a restart.
        let (pid, number) = (std::process::id(), GATES.fetch_add(1, Ordering::SeqCst));
        let listener = TcpListener::bind(format!("127.{}.{}.{number}:0", 100 + (pid >> 8) % 100, pid % 256)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared { state: Mutex::default(), socket });
        let gate = Self { shared: Arc::clone(&shared), address, proxy, _folder: folder };
        std::thread::spawn(move || keep(&shared, listener, address));
        let end = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(&gate.shared.socket).is_err() {
            assert!(Instant::now() < end, "kubectl proxy does not serve");
            std::thread::sleep(Duration::from_millis(20));
        }
        gate
    }

    /// A kubeconfig that leads through the gate.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters: [{{name: it, cluster: {{server: \"http://{}\"}}}}]\n\
             contexts: [{{name: it, context: {{cluster: it, user: it}}}}]\nusers: [{{name: it, user: {{}}}}]\n",
            self.address
        )
    }

    /// From now on requests with these methods are taken and never answered.
    pub fn hold(&self, methods: &[&'static str]) {
        self.shared.lock().held = methods.to_vec();
    }

    /// Requests so far with this method.
    pub fn seen(&self, method: &str) -> usize {
        self.shared.lock().asked.iter().filter(|line| line.trim_start_matches('*').starts_with(method)).count()
    }

    /// Counts anew; the request of this number, from 1, meets the fault.
    pub fn arm(&self, fault: Option<Fault>, at: usize) {
        let mut state = self.shared.lock();
        state.fault = fault.map(|fault| (fault, at));
        state.hit = None;
        state.asked.clear();
        state.watches = 0;
    }

    /// All is well again. Returns what was asked since [`Gate::arm`]; the request that met the fault begins with `*`.
    pub fn disarm(&self) -> Vec<String> {
        self.shared.lock().fault = None;
        while !self.shared.lock().listens {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.shared.lock().asked.clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        state.open.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        drop(state);
        let _ = self.proxy.kill(); // it may have ended
        let _ = self.proxy.wait();
    }
}

/// Takes connections, but not while the server is down.
fn keep(shared: &Arc<Shared>, first: TcpListener, address: SocketAddr) {
    let mut listener = Some(first);
    loop {
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        if state.is_down() {
            listener = None;
            state.open.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
        } else if listener.is_none() {
            listener = TcpListener::bind(address).ok();
        }
        state.listens = listener.is_some();
        drop(state);
        if let Some(listener) = &listener
            && listener.set_nonblocking(true).is_ok()
            && let Ok((stream, _)) = listener.accept()
        {
            let kept = stream.set_nonblocking(false).and_then(|()| stream.try_clone()).expect("a second handle");
            shared.lock().open.push(kept);
            let shared = Arc::clone(shared);
            std::thread::spawn(move || {
                let _ = serve(&shared, &stream); // one of both is gone
                let _ = stream.shutdown(Shutdown::Both);
            });
            continue;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One connection, one request.
fn serve(shared: &Shared, client: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let fate = shared.lock().next(method, target);
    let mut writer = client;
    match fate {
        Fate::Cut => return Ok(()),
        Fate::Reply(text) => {
            writer.write_all(format!("HTTP/1.1 {}", text.replacen("\r\n", "\r\nConnection: close\r\n", 1)).as_bytes())?;
            client.shutdown(Shutdown::Write)?;
            // What was sent is read, or its sender would not hear the answer.
            client.set_read_timeout(Some(Duration::from_secs(2)))?;
            return io::copy(&mut reader, &mut io::sink()).map(drop);
        }
        Fate::HeldTill(end) => {
            while end.is_none_or(|end| Instant::now() < end) && shared.lock().holds(method) {
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        _ => {}
    }
    let backend = UnixStream::connect(&shared.socket)?;
    let is_upgrade = head.to_ascii_lowercase().contains("\r\nupgrade:");
    let lines = head.trim_end().lines().filter(|line| is_upgrade || !line.to_ascii_lowercase().starts_with("connection:"));
    let mut text: String = lines.flat_map(|line| [line, "\r\n"]).collect();
    text += if is_upgrade { "\r\n" } else { "Connection: close\r\n\r\n" };
    (&backend).write_all(text.as_bytes())?;
    let there = backend.try_clone()?;
    std::thread::spawn(move || {
        let _ = io::copy(&mut reader, &mut &there); // the client is gone
        let _ = there.shutdown(Shutdown::Both);
    });
    let outcome = answer(&fate, &backend, writer);
    let _ = backend.shutdown(Shutdown::Both); // it may have ended
    outcome
}

fn answer(fate: &Fate, mut backend: &UnixStream, mut client: &TcpStream) -> io::Result<()> {
    match fate {
        Fate::Half | Fate::Lost => {
            let mut all = Vec::new();
            backend.set_read_timeout(Some(Duration::from_secs(1)))?;
            let _ = backend.read_to_end(&mut all); // a watch has no end
            let head = all.windows(4).position(|part| part == b"\r\n\r\n").map_or(0, |at| at + 4);
            let half = head + (all.len() - head) / 2;
            if matches!(fate, Fate::Half) { client.write_all(&all[..half]) } else { Ok(()) }
        }
        Fate::PassFor(time) => {
            let end = Instant::now() + *time;
            let mut block = [0; 4096];
            while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                backend.set_read_timeout(Some(left))?;
                match backend.read(&mut block) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => client.write_all(&block[..count])?,
                }
            }
            Ok(())
        }
        _ => io::copy(&mut backend, &mut client).map(drop),
    }
}
