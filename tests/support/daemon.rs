//! Docker daemons that may be broken: one of the test's own with little room, and a way to a real one that can be cut.

#![allow(dead_code)] // each test file uses its own part

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tempfile::TempDir;

/// What all tests build from; the rig's daemon has it.
pub const BASE: &str = "debian:trixie-slim";

/// A real docker daemon on a small disk. It has namespaces of its own: `--bridge none` would take docker0 away from the machine's other
/// daemons, and when the first process ends, everything below it ends and every mount goes.
pub struct Daemon {
    child: Child,
    dir: TempDir,
    cgroup: String,
}

impl Daemon {
    /// With [`BASE`] on a disk of this many MiB.
    pub fn with_room(mib: u32) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos();
        let cgroup = format!("lain-test-{unique}");
        fs::create_dir(dir.path().join("data")).expect("a folder");
        let script = "set -e; mount -t tmpfs -o \"size=$2m\" tmpfs \"$1/data\"; ip link set lo up; \
                      dockerd --host \"unix://$1/docker.sock\" --data-root \"$1/data\" --exec-root \"$1/exec\" --pidfile \"$1/pid\" \
                      --bridge none --iptables=false --cgroup-parent \"/$3\" --log-level error & wait";
        let log = fs::File::create(dir.path().join("log")).expect("a log");
        let child = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script, "sh"])
            .arg(dir.path())
            .args([&mib.to_string(), &cgroup])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("unshare runs");
        let daemon = Self { child, dir, cgroup };
        let end = Instant::now() + Duration::from_secs(60);
        while !daemon.docker(&["version"]).status().expect("docker runs").success() {
            assert!(Instant::now() < end, "dockerd does not start (it needs root):\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(200));
        }
        let mut save = Command::new("docker").args(["save", BASE]).stdout(Stdio::piped()).spawn().expect("docker runs");
        let image = save.stdout.take().expect("a pipe");
        assert!(daemon.docker(&["load"]).stdin(image).status().expect("docker runs").success(), "{}", daemon.log());
        assert!(save.wait().expect("docker runs").success());
        daemon
    }

    /// What `DOCKER_HOST` is for it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("docker.sock").display())
    }

    fn docker(&self, args: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.host()]).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What docker says of it.
    pub fn says(&self, args: &[&str]) -> String {
        let out = self.docker(args).stdout(Stdio::piped()).stderr(Stdio::inherit()).output().expect("docker runs");
        assert!(out.status.success(), "docker {args:?}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    /// Uses up its disk to the last byte.
    pub fn fill(&self) {
        let inside = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.child.id())).expect("a child");
        let path = PathBuf::from(format!("/proc/{}/root{}/data/filler", inside.trim(), self.dir.path().display()));
        let mut file = fs::File::create(path).expect("a file");
        for block in [vec![0; 1 << 20], vec![0; 1 << 10]] {
            let error = (0..1 << 20).find_map(|_| file.write_all(&block).err());
            assert_eq!(error.expect("it fills up").kind(), std::io::ErrorKind::StorageFull);
        }
    }

    /// Ends it, its containers and all, in the middle of whatever it does.
    pub fn kill(&mut self) {
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        let end = Instant::now() + Duration::from_secs(10);
        while !remove_cgroups(&self.cgroup) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100)); // the last processes are ending
        }
    }
}

/// Killed containers leave empty control groups; true when none is left.
fn remove_cgroups(name: &str) -> bool {
    let root = Path::new("/sys/fs/cgroup");
    let controllers = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path().join(name)); // version 1
    let groups: Vec<PathBuf> = controllers.chain([root.join(name)]).filter(|path| path.is_dir()).collect();
    groups.iter().for_each(|path| remove_folders(path));
    !groups.iter().any(|path| path.exists())
}

fn remove_folders(path: &Path) {
    let below = fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    below.filter(|path| path.is_dir()).for_each(|path| remove_folders(&path));
    let _ = fs::remove_dir(path); // not while something runs in it
}

/// What becomes of a request on its way to the daemon.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It arrives, and the answer comes.
    Pass,
    /// The connection ends, and there are no new ones.
    Cut,
    /// It arrives nowhere, and nothing comes back.
    Hang,
    /// It arrives; the connection ends with the first 4 KiB of the answer at most, and there are no new ones.
    CutAnswer,
}

/// A socket that leads to the rig's daemon, until it is cut.
pub struct Way {
    dir: TempDir,
    state: Arc<State>,
}

struct State {
    path: PathBuf,
    cut: AtomicBool,
    answer_ends: AtomicBool,
    open: Mutex<Vec<UnixStream>>,
    decide: Box<dyn Fn(&str) -> Fate + Send + Sync>,
}

impl Way {
    /// `decide` sees the first line of each request: `POST /v1.41/build?...`.
    pub fn new(decide: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("docker.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let state = Arc::new(State {
            path,
            cut: AtomicBool::new(false),
            answer_ends: AtomicBool::new(false),
            open: Mutex::default(),
            decide: Box::new(decide),
        });
        let real = std::env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned());
        let real = real.strip_prefix("unix://").expect("the tests' docker daemon listens on a socket").to_owned();
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shared.cut.load(Ordering::SeqCst) {
                    return; // drops the listener: nobody is there any more
                }
                let daemon = UnixStream::connect(&real).expect("the tests' docker daemon");
                shared
                    .open
                    .lock()
                    .expect("no panic")
                    .extend([client.try_clone().expect("a handle"), daemon.try_clone().expect("a handle")]);
                for (from, to, asks) in [(&client, &daemon, true), (&daemon, &client, false)] {
                    let (from, to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
                    let shared = shared.clone();
                    std::thread::spawn(move || {
                        copy(&from, &to, asks, &shared);
                        let _ = to.shutdown(Shutdown::Write); // the other side may go on
                    });
                }
            }
        });
        Self { dir, state }
    }

    /// What `DOCKER_HOST` is for it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("docker.sock").display())
    }

    /// Ends the connections that are open; new ones are made.
    pub fn break_off(&self) {
        self.state.close();
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.state.cut();
    }
}

impl State {
    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(&self.path); // wakes the listener, which then ends
        self.close();
    }

    fn close(&self) {
        for stream in self.open.lock().expect("no panic").iter() {
            let _ = stream.shutdown(Shutdown::Both); // it may be closed
        }
    }
}

fn copy(mut from: &UnixStream, mut to: &UnixStream, asks: bool, state: &State) {
    let (mut buffer, mut hangs) = (vec![0; 4096], false);
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..count]);
        let line = text.lines().next().filter(|line| asks && line.ends_with("HTTP/1.1"));
        match line.map_or(Fate::Pass, |line| (state.decide)(line)) {
            Fate::Pass => {}
            Fate::Cut => return state.cut(),
            Fate::Hang => hangs = true,
            Fate::CutAnswer => state.answer_ends.store(true, Ordering::SeqCst),
        }
        if !hangs && to.write_all(&buffer[..count]).is_err() {
            return;
        }
        if !asks && state.answer_ends.load(Ordering::SeqCst) {
            return state.cut();
        }
    }
}
