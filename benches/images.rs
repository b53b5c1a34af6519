//! What building and pushing with lain costs beside docker alone: a rebuild with nothing changed, and one image to several registries at once, by
//! docker and by a builder.
//! Real docker, real registries; runs alternate, figures are medians. `cargo bench` prints them; nothing is asserted.

#[path = "../tests/support/registry.rs"]
mod registry;
#[path = "../tests/support/server.rs"]
mod server;

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use registry::Registry;

/// Of a new layer, as they are sent. (A layer of a few MB costs more beside one registry: each takes its tenth of a second whatever it gets.)
const LAYER_BYTES: usize = 24 << 20;
/// How many registries.
const COUNTS: [usize; 3] = [1, 2, 4];

/// What a build adds to its base: what the network is like decides what that costs, processors to compress it or the way there.
#[derive(Clone, Copy)]
enum Bytes {
    /// As programs are: half the size once compressed.
    Halved,
    /// As archives are: there is nothing to compress.
    Random,
}

fn time(command: &mut Command) -> Duration {
    let started = Instant::now();
    let out = command.stdin(Stdio::null()).output().expect("it runs");
    let took = started.elapsed();
    assert!(out.status.success(), "{command:?} fails: {}", String::from_utf8_lossy(&out.stderr));
    took
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

fn sh(dir: &Path, script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-ec", script]).current_dir(dir);
    command
}

struct Shop {
    dir: tempfile::TempDir,
    name: String,
}

impl Shop {
    fn new() -> Self {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos();
        let shop = Self { dir: tempfile::tempdir().expect("a folder"), name: format!("bench-{unique}") };
        fs::create_dir_all(shop.dir.path().join("app/chart")).expect("a folder");
        let values = format!("appname: {}\nbuild:\n  base: debian:trixie-slim\n", shop.name);
        fs::write(shop.app().join("chart/values.yaml"), values).expect("values");
        shop.new_layer(Bytes::Random);
        time(&mut sh(&shop.app(), "git init -q && git add -A && git -c user.name=b -c user.email=b@example.com commit -qm one"));
        shop
    }

    fn app(&self) -> std::path::PathBuf {
        self.dir.path().join("app")
    }

    /// Bytes that no registry has seen.
    fn new_layer(&self, kind: Bytes) {
        let mut state = u64::from(SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").subsec_nanos()) | 1;
        let bytes: Vec<u8> = (0..LAYER_BYTES / 8)
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .collect();
        let bytes = match kind {
            Bytes::Random => bytes,
            Bytes::Halved => bytes
                .iter()
                .flat_map(|byte| [b"0123456789abcdef"[usize::from(byte >> 4)], b"0123456789abcdef"[usize::from(byte & 15)]])
                .collect(),
        };
        fs::write(self.app().join("payload"), bytes).expect("a file");
    }

    /// lain among clusters, each with a registry.
    fn lain(&self, registries: &[String], args: &[&str]) -> Command {
        let clusters = self.dir.path().join(format!("clusters-{}", registries.len()));
        fs::create_dir_all(&clusters).expect("a folder");
        for (number, registry) in registries.iter().enumerate() {
            fs::write(clusters.join(format!("values-c{number}.yaml")), format!("registry: {registry}/team\n")).expect("values");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_lain"));
        command.args(args).args(["--cluster", "c0"]).current_dir(self.app()).env("LAIN_CLUSTER_VALUES_DIR", clusters);
        command
    }
}

/// A docker configuration with buildx, and the rig's `BuildKit` as its builder `far`.
fn with_builder(dir: &Path) -> std::path::PathBuf {
    let rig = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/rig/rig env)\""));
    let config = dir.join("docker");
    fs::create_dir_all(config.join("cli-plugins")).expect("a folder");
    let plugin = Path::new(&rig("LAIN_RIG_TOOLS")).join("docker-buildx/docker-buildx");
    std::os::unix::fs::symlink(plugin, config.join("cli-plugins/docker-buildx")).expect("a link");
    let create = ["buildx", "create", "--name", "far", "--driver", "remote", &rig("LAIN_RIG_BUILDKIT")];
    time(Command::new("docker").args(create).env("DOCKER_CONFIG", &config));
    config
}

/// What each of [`COUNTS`] takes, in turn, with a layer that no registry has.
fn rounds(shop: &Shop, kind: Bytes, publish: impl Fn(usize) -> Duration) -> [Vec<Duration>; 3] {
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..rounds_to_run() {
        for at in 0..COUNTS.len() {
            let at = (at + round) % COUNTS.len();
            shop.new_layer(kind);
            times[at].push(publish(COUNTS[at]));
        }
    }
    times
}

/// What several registries cost beside one, in times of each.
fn tell(what: &str, times: [Vec<Duration>; 3]) {
    let [one, two, four] = times.map(median);
    for (count, took) in [(COUNTS[1], two), (COUNTS[2], four)] {
        let ratio = took / one;
        println!("{what}, {count} registries / one: {took:.0} ms against {one:.0} ms, ratio {ratio:.2} (goal: at most 1.3)");
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let script =
            format!("docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | grep /{} | xargs -r docker image rm --force", self.name);
        let _ = sh(self.dir.path(), &script).output();
    }
}

/// So many rounds; with `LAIN_BENCH_BRIEF` one: that it runs.
fn rounds_to_run() -> usize {
    if std::env::var_os("LAIN_BENCH_BRIEF").is_some() { 1 } else { 5 }
}

fn main() {
    let registries: Vec<Registry> = (0..4).map(|_| Registry::plain()).collect();
    let hosts: Vec<String> = registries.iter().map(Registry::host).collect();
    let shop = Shop::new();

    time(&mut shop.lain(&hosts[..1], &["build", "--push"]));
    let tag = String::from_utf8(shop.lain(&hosts[..1], &["meta"]).output().expect("lain runs").stdout).expect("text");
    let dockerfile = shop.lain(&hosts[..1], &["dockerfile"]).output().expect("lain runs").stdout;
    let file = shop.dir.path().join("Dockerfile");
    fs::write(&file, dockerfile).expect("a file");
    let repository = format!("{}/team/{}", hosts[0], shop.name);
    let image = format!("{repository}:{}", tag.trim());
    let bare = format!(
        "docker build --tag {image} --file - . <{} && docker push {image} && docker tag {image} {repository}:latest && docker push {repository}:latest",
        file.display()
    );
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds_to_run() {
        ours.push(time(&mut shop.lain(&hosts[..1], &["build", "--push"])));
        theirs.push(time(&mut sh(&shop.app(), &bare)));
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "lain build --push, nothing changed / docker build, tag and both pushes: {ours:.0} ms against {theirs:.0} ms, ratio {:.2} (goal: at most 1.1)",
        ours / theirs
    );

    // Each registry a network away, and each round a layer that none of them has.
    let slow: Vec<Slow> = hosts.iter().map(|host| Slow::before(host)).collect();
    let slow: Vec<String> = slow.iter().map(Slow::host).collect();
    for (what, hosts, kind) in [("on this machine", &hosts, Bytes::Halved), ("at 8 MB/s each", &slow, Bytes::Random)] {
        let times = rounds(&shop, kind, |count| {
            time(&mut shop.lain(&hosts[..1], &["build"]));
            time(&mut shop.lain(&hosts[..count], &["push", "--publish"]))
        });
        tell(&format!("lain push --publish {what}"), times);
    }

    // A builder builds and pushes in one go: the build is in both figures.
    let config = with_builder(shop.dir.path());
    let times = rounds(&shop, Bytes::Random, |count| {
        time(shop.lain(&slow[..count], &["build", "--publish"]).env("DOCKER_CONFIG", &config).env("BUILDX_BUILDER", "far"))
    });
    tell("lain build --publish by a builder, at 8 MB/s each", times);
}

/// A way to a registry that takes so many bytes a second, whatever the number of connections.
struct Slow {
    port: u16,
}

impl Slow {
    const BYTES_A_SECOND: u32 = 8 << 20;

    fn before(host: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let host = host.to_owned();
        let free_at = Arc::new(Mutex::new(Instant::now()));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&host).expect("the registry answers");
                let back = (server.try_clone().expect("a copy"), client.try_clone().expect("a copy"));
                let free_at = Arc::clone(&free_at);
                std::thread::spawn(move || copy(client, server, Some(&free_at)));
                std::thread::spawn(move || copy(back.0, back.1, None));
            }
        });
        Self { port }
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, free_at: Option<&Mutex<Instant>>) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if let Some(free_at) = free_at {
            let until = {
                let mut free_at = free_at.lock().expect("a lock");
                let length = u32::try_from(count).expect("a buffer's length");
                *free_at = (*free_at).max(Instant::now()) + Duration::from_secs(1) * length / Slow::BYTES_A_SECOND;
                *free_at
            };
            std::thread::sleep(until.saturating_duration_since(Instant::now()));
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
