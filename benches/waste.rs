//! What `lain admin list-waste` takes over clusters of growing size: a real Prometheus with six hours of five pods a Deployment, and a server that replays what an
//! API server says of the Deployments. Medians, and the most memory of lain. `cargo bench` prints them; nothing is asserted.
//! With `LAIN_BENCH_BRIEF` it is the smallest cluster, once: that it runs.

#[path = "../tests/support/prometheus.rs"]
mod prometheus;
#[path = "../tests/support/server.rs"]
mod server;
#[path = "../tests/support/mod.rs"]
mod support;

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};

use prometheus::Prometheus;
use server::{Answer, Asked, Server};
use support::App;

const ROUNDS: usize = 5;
const PODS: usize = 5;
/// Seconds of samples, and between them.
const LENGTH: u64 = 6 * 3600;
const EVERY: u64 = 150;

fn name(at: usize) -> String {
    format!("app-{at}-web")
}

/// Some hours of every pod.
fn samples(deployments: usize) -> Prometheus {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut text = String::new();
    for (metric, kind, step) in
        [("container_memory_working_set_bytes", "gauge", 0), ("container_cpu_usage_seconds_total", "counter", EVERY / 10)]
    {
        writeln!(text, "# TYPE {} {kind}", metric.trim_end_matches("_total")).expect("text");
        for (at, pod) in (0..deployments).flat_map(|at| (0..PODS).map(move |pod| (at, pod))) {
            for sample in 0..LENGTH / EVERY {
                let (value, time) = (50_000_000 * u64::from(step == 0) + step * sample, now - LENGTH + sample * EVERY);
                let labels = format!("namespace=\"shops\",pod=\"{}-7d9f6c5b4d-bcdf{}\",container=\"web\"", name(at), pod + 4);
                writeln!(text, "{metric}{{{labels}}} {value} {time}").expect("text");
            }
        }
    }
    Prometheus::holding(text)
}

/// As a server keeps them, with what nobody asked for.
fn deployment(at: usize) -> Json {
    let noise: Vec<Json> =
        (0..40).map(|field| json!({"f:field": {"f:value": field, "f:text": "managed by somebody else entirely"}})).collect();
    json!({"metadata": {"name": name(at), "namespace": "shops", "annotations": {"meta.helm.sh/release-name": format!("app-{at}")}, "managedFields": noise},
        "spec": {"replicas": PODS, "template": {"spec": {"containers": [{"name": "web", "resources": {"requests": {"cpu": "200m", "memory": "64Mi"}}}]}}}})
}

fn api(deployments: usize) -> Server {
    let items: Vec<String> = (0..deployments).map(|at| deployment(at).to_string()).collect();
    Server::new(move |asked: &Asked| {
        let items = if asked.target.contains("/deployments") { &items[..] } else { &[] };
        let limit: usize = asked.field("limit").and_then(|it| it.parse().ok()).unwrap_or(500);
        let start: usize = asked.field("continue").and_then(|it| it.parse().ok()).unwrap_or(0);
        let end = (start + limit).min(items.len());
        let next = if end < items.len() { end.to_string() } else { String::new() };
        Answer::json(200, &format!("{{\"metadata\":{{\"continue\":\"{next}\"}},\"items\":[{}]}}", items[start..end].join(",")))
    })
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// The most memory of a run, without its children's, in MiB.
fn most_memory(command: &mut Command) -> u64 {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut most = 0;
    while child.try_wait().expect("a state").is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = most.max(line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    most / 1024
}

fn main() {
    let is_brief = std::env::var_os("LAIN_BENCH_BRIEF").is_some();
    let (sizes, rounds): (&[usize], usize) = if is_brief { (&[100], 1) } else { (&[250, 500, 1000], ROUNDS) };
    for &deployments in sizes {
        let (prometheus, api) = (samples(deployments), api(deployments));
        let values = format!("namespace: shops\nprometheus: {}\n", prometheus.address);
        let app =
            App::empty().tools(&["kubectl"]).cluster("test", &values).kubeconfig("test", &format!("http://{}", api.host())).using("test");
        let lain = || {
            let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
            command.args(["admin", "list-waste", "--period", "6h"]);
            let started = Instant::now();
            let out = command.output().expect("it runs");
            assert!(out.status.success() && out.stdout.iter().filter(|byte| **byte == b'\n').count() == deployments + 2, "{out:?}");
            started.elapsed()
        };
        lain();
        let all = median((0..rounds).map(|_| lain()).collect());
        let mib = most_memory(app.command(Path::new(env!("CARGO_BIN_EXE_lain"))).args(["admin", "list-waste", "--period", "6h"]));
        println!(
            "list-waste, {deployments} Deployments, {} pods: {all:.0} ms, {mib} MiB (goal: under 1000 ms and 60 MiB at 1000 and 5000)",
            deployments * PODS
        );
    }
}
