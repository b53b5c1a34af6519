//! Debian's Prometheus, one for each test, with samples of a past week.

#![allow(dead_code)] // each test file uses its own part

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes of a Mi.
pub const MI: f64 = 1024.0 * 1024.0;
/// Seconds between samples.
pub const EVERY: u64 = 145;
/// Seconds of a week.
pub const WEEK: u64 = 7 * 86400;

/// A Prometheus of its own on a free port, ended when dropped.
pub struct Prometheus {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
    data: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program(name: &str) -> std::path::PathBuf {
    which::which(name).unwrap_or_else(|_| panic!("this test needs {name}: tests/rig/rig up installs it"))
}

/// What one pod used: at each point of a week (0 its start, 1 now), in bytes and thousandths of a core.
pub struct Pod {
    /// Its labels.
    pub labels: String,
    /// In bytes; not there below zero.
    pub memory: fn(f64) -> f64,
    /// In thousandths of a core.
    pub cpu: fn(f64) -> f64,
}

/// A pod of namespace `shop`.
pub fn pod(name: &str, memory: fn(f64) -> f64, cpu: fn(f64) -> f64) -> Pod {
    Pod { labels: format!("namespace=\"shop\",pod=\"{name}\",container=\"main\""), memory, cpu }
}

impl Prometheus {
    /// With what these pods used.
    pub fn with(pods: &[Pod]) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
        // A little into the future, so that now is never at the edge.
        let start = now - WEEK - 600;
        let times = || (0..(WEEK + 1200) / EVERY).map(move |step| start + step * EVERY);
        #[allow(clippy::cast_precision_loss)]
        let part = |time: u64| (time as f64 - (now - WEEK) as f64) / WEEK as f64;
        let mut text = String::from("# TYPE container_memory_working_set_bytes gauge\n");
        for pod in pods {
            for time in times() {
                let value = (pod.memory)(part(time));
                if value >= 0.0 {
                    writeln!(text, "container_memory_working_set_bytes{{{}}} {value} {time}", pod.labels).expect("text");
                }
            }
        }
        text += "# TYPE container_cpu_usage_seconds counter\n";
        for pod in pods {
            let mut seconds = 0.0;
            for time in times() {
                #[allow(clippy::cast_precision_loss)]
                let more = (pod.cpu)(part(time)) / 1000.0 * EVERY as f64;
                seconds += more;
                writeln!(text, "container_cpu_usage_seconds_total{{{}}} {seconds} {time}", pod.labels).expect("text");
            }
        }
        Self::holding(text)
    }

    /// With these samples, in the form of `OpenMetrics`.
    pub fn holding(text: String) -> Self {
        let data = tempfile::tempdir().expect("a folder");
        let text = text + "# EOF\n";
        let path = |name: &str| data.path().join(name);
        fs::write(path("usage.om"), text).expect("the data");
        fs::write(path("prometheus.yml"), "global: {}\n").expect("its configuration");
        let made = Command::new(program("promtool"))
            .args(["tsdb", "create-blocks-from", "openmetrics"])
            .args([path("usage.om"), path("tsdb")])
            .output()
            .expect("promtool runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let address = format!("127.0.0.1:{}", free_port());
        let child = Command::new(program("prometheus"))
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--storage.tsdb.retention.time=1y")
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log")).expect("its log"))
            .spawn()
            .expect("prometheus starts");
        let mut prometheus = Self { child, address, data };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !prometheus.is_ready() {
            let ended = prometheus.child.try_wait().expect("a state");
            let log = fs::read_to_string(prometheus.data.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "prometheus does not answer: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        prometheus
    }

    fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.address) else { return false };
        let mut reply = String::new();
        let asked = write!(stream, "GET /-/ready HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        asked.is_ok() && stream.read_to_string(&mut reply).is_ok() && reply.contains(" 200 ")
    }
}

/// One that nobody listens on.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port()
}
