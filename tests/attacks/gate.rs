//! A gate in front of the real API server: it holds some requests for ever, as a load balancer with a dead server behind it does.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::place::Place;

/// `kubectl proxy` to the cluster, and the gate before it; lain reaches it as `--cluster gate`.
pub struct Gate {
    proxy: Child,
    held: Arc<Mutex<Vec<&'static str>>>,
    seen: Arc<Mutex<Vec<String>>>,
    ended: Arc<AtomicBool>,
}

impl Gate {
    pub fn before(place: &Place) -> Self {
        let mut proxy =
            place.kubectl_command(&["proxy", "--port=0"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kubectl proxy");
        let mut line = String::new();
        BufReader::new(proxy.stdout.take().expect("its stdout")).read_line(&mut line).expect("where it serves");
        let upstream = line.trim().rsplit_once(' ').expect("Starting to serve on ADDRESS").1.to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let gate = Self { proxy, held: Arc::default(), seen: Arc::default(), ended: Arc::default() };
        let (held, seen, ended) = (gate.held.clone(), gate.seen.clone(), gate.ended.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (held, seen, ended, upstream) = (held.clone(), seen.clone(), ended.clone(), upstream.clone());
                std::thread::spawn(move || {
                    let _ = pass(&stream, &upstream, &held, &seen, &ended); // one side is gone
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\nclusters: [{{name: it, cluster: {{server: \"http://{address}\"}}}}]\n\
             contexts: [{{name: it, context: {{cluster: it, user: it}}}}]\nusers: [{{name: it, user: {{}}}}]\n"
        );
        fs::write(place.home().join(".kube/kubeconfig-gate"), config).expect("a kubeconfig");
        let values = place.root.path().join("clusters");
        fs::copy(values.join("values-test.yaml"), values.join("values-gate.yaml")).expect("cluster values");
        gate
    }

    /// From now on requests with these methods are taken and never answered.
    pub fn hold(&self, methods: &[&'static str]) {
        *self.held.lock().expect("no panic") = methods.to_vec();
    }

    /// Requests so far, `PATCH /apis/...`.
    pub fn seen(&self, method: &str) -> usize {
        self.seen.lock().expect("no panic").iter().filter(|line| line.starts_with(method)).count()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = self.proxy.kill(); // it may have ended
        let _ = self.proxy.wait();
    }
}

fn pass(stream: &TcpStream, upstream: &str, held: &Mutex<Vec<&str>>, seen: &Mutex<Vec<String>>, ended: &AtomicBool) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line.trim().is_empty() {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(text) = lower.strip_prefix("content-length:") {
            length = text.trim().parse().unwrap_or(0);
        }
        if !lower.starts_with("connection:") && !lower.starts_with("host:") {
            request += &line;
        }
    }
    seen.lock().expect("no panic").push(request.lines().next().unwrap_or_default().to_owned());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    while held.lock().expect("no panic").iter().any(|method| request.starts_with(method)) && !ended.load(Ordering::SeqCst) {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let mut server = TcpStream::connect(upstream)?;
    // One request a connection: what follows may have to be held.
    server.write_all(format!("{request}Host: {upstream}\r\nConnection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    std::io::copy(&mut server, &mut &*stream)?;
    Ok(())
}
