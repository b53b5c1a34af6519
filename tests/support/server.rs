//! A small HTTP server on loopback that does what a test says, also what no real server can be made to do.

#![allow(dead_code)] // each test file uses its own part

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a client sent.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Asked {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A decoded field of the query, or of a form in the body.
    pub fn field(&self, name: &str) -> Option<String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let field = query.split('&').chain(self.body.split('&')).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        let mut bytes = Vec::new();
        let mut rest = field.bytes();
        while let Some(byte) = rest.next() {
            if byte == b'%' {
                let hex = [rest.next().expect("hex"), rest.next().expect("hex")];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).expect("ASCII"), 16).expect("hex"));
            } else {
                bytes.push(byte);
            }
        }
        Some(String::from_utf8(bytes).expect("UTF-8"))
    }
}

/// What the server does.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, headers, a body.
    Reply(u16, Vec<(String, String)>, String),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// Nothing at all, and the connection stays open.
    Hang,
    /// A reply that never comes to its end, one byte at a time.
    Dribble,
    /// A body without end.
    Flood,
    /// A watch: what this says, so long after one another, until the client goes or the time that it asked for is over.
    Watch(fn() -> String, Duration),
}

impl Answer {
    /// JSON.
    pub fn json(status: u16, body: &str) -> Self {
        Self::Reply(status, vec![("Content-Type".to_owned(), "application/json".to_owned())], body.to_owned())
    }

    /// One more header.
    pub fn with(self, name: &str, value: &str) -> Self {
        match self {
            Self::Reply(status, mut headers, body) => {
                headers.push((name.to_owned(), value.to_owned()));
                Self::Reply(status, headers, body)
            }
            other => other,
        }
    }
}

/// A running server; ends when dropped.
pub struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    ended: Arc<AtomicBool>,
}

impl Server {
    /// A server on 127.0.0.1.
    pub fn new(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1", answer)
    }

    /// A server on another address of loopback: another host to its clients.
    pub fn on(address: &str, answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        let server = Self {
            address: listener.local_addr().expect("an address"),
            asked: Arc::default(),
            connections: Arc::default(),
            open: Arc::default(),
            ended: Arc::default(),
        };
        let (asked, connections, open, ended) =
            (server.asked.clone(), server.connections.clone(), server.open.clone(), server.ended.clone());
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                connections.fetch_add(1, Ordering::SeqCst);
                open.lock().expect("no panic").push(stream.try_clone().expect("a second handle"));
                let (asked, answer, ended) = (asked.clone(), answer.clone(), ended.clone());
                std::thread::spawn(move || {
                    let _ = serve(&stream, &asked, &*answer, &ended); // the client is gone
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        server
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Everything that was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        for stream in self.open.lock().expect("no panic").iter() {
            let _ = stream.shutdown(Shutdown::Both); // it may be closed
        }
        let _ = TcpStream::connect(self.address); // wakes the listener, which then ends
    }
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

fn serve(stream: &TcpStream, log: &Mutex<Vec<Asked>>, answer: &Handler, ended: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(asked) = read(&mut reader)? {
        log.lock().expect("no panic").push(asked.clone());
        match answer(&asked) {
            Answer::Reply(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} Whatever\r\nContent-Length: {}\r\n", body.len());
                headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
                let body = if asked.method == "HEAD" { "" } else { &body };
                writer.write_all(format!("{head}\r\n{body}").as_bytes())?;
            }
            Answer::Raw(bytes) => return writer.write_all(&bytes),
            Answer::Hang => while_open(ended, || Ok(())),
            Answer::Dribble => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{")?;
                while_open(ended, || writer.write_all(b" "));
            }
            Answer::Flood => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"tags\":[\"")?;
                let block = vec![b'a'; 65536];
                while !ended.load(Ordering::SeqCst) {
                    writer.write_all(&block)?;
                }
            }
            Answer::Watch(say, pause) => {
                writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")?;
                let end =
                    Instant::now() + Duration::from_secs(asked.field("timeoutSeconds").and_then(|time| time.parse().ok()).unwrap_or(60));
                while !ended.load(Ordering::SeqCst) && Instant::now() < end {
                    writer.write_all(say().as_bytes())?;
                    std::thread::sleep(pause);
                }
                return Ok(());
            }
        }
    }
    Ok(())
}

fn while_open(ended: &AtomicBool, mut act: impl FnMut() -> std::io::Result<()>) {
    while !ended.load(Ordering::SeqCst) && act().is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Asked>> {
    if reader.fill_buf()?.first() == Some(&0x16) {
        return Ok(None); // TLS: docker tries that first
    }
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut asked = Asked { method: words.next().unwrap_or_default(), target: words.next().unwrap_or_default(), ..Asked::default() };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    Ok(Some(asked))
}
