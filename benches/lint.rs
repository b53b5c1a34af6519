//! What `lain lint` costs besides helm: values of 1,000 and 10,000 procs, read, merged and checked. `cargo bench --bench lint` prints it; nothing is asserted.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use lain::lint::{self, Surroundings};
use lain::resolved::layers::{Layers, Wanted};

/// Values with this many deployments; every tenth has something to be found.
fn values(procs: usize) -> String {
    let mut text = String::from("appname: shop\nbuild: {base: alpine, script: [make]}\nenv: {LOG: info}\ndeployments:\n");
    for number in 0..procs {
        let memory = if number % 10 == 0 { "80m" } else { "80Mi" };
        let _ = write!(
            text,
            "  proc-{number}:\n    command: [\"/lain/app/run.py\", \"--number\", \"{number}\"]\n    replicaCount: 2\n    env:\n      NUMBER: \"{number}\"\n    containerPort: 5000\n    \
             readinessProbe:\n      httpGet: {{path: /healthz, port: 5000}}\n    resources:\n      requests: {{cpu: 10m, memory: {memory}}}\n      limits: {{cpu: 1000m, memory: 80Mi}}\n"
        );
    }
    text
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("chart")).expect("a folder");
    let mut earlier: Option<Duration> = None;
    for procs in [1_000, 10_000] {
        let text = values(procs);
        fs::write(folder.path().join("chart/values.yaml"), &text).expect("values");
        let mut best = Duration::MAX;
        let mut found = 0;
        for _ in 0..5 {
            let started = Instant::now();
            let layers = Layers::load(folder.path(), &Wanted::default()).expect("values");
            found = lint::check(&layers, &Surroundings::default()).len();
            best = best.min(started.elapsed());
        }
        let ratio =
            earlier.map_or_else(String::new, |earlier| format!(", {:.1} times as long", best.as_secs_f64() / earlier.as_secs_f64()));
        println!(
            "lint of {procs} procs ({} KiB), {found} problems: {:.1} ms besides helm{ratio} (goal: 1,000 under 100 ms, linear)",
            text.len() / 1024,
            best.as_secs_f64() * 1000.0
        );
        earlier = Some(best);
    }
}
