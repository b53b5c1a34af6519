//! How much lain costs on top of what it wraps. Runs alternate in one session, so that both meet the same machine;
//! figures are medians. `cargo bench` prints them; nothing is asserted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn time(command: &mut Command) -> Duration {
    let started = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().expect("it runs");
    let took = started.elapsed();
    assert!(status.success(), "{command:?} fails");
    took
}

/// Medians of two commands run in turn.
fn compare(rounds: usize, mut ours: impl FnMut() -> Command, mut theirs: impl FnMut() -> Command) -> (Duration, Duration) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for round in 0..rounds + 2 {
        let pair = (time(&mut ours()), time(&mut theirs()));
        if round >= 2 {
            a.push(pair.0); // the first rounds warm the caches
            b.push(pair.1);
        }
    }
    a.sort();
    b.sort();
    (a[rounds / 2], b[rounds / 2])
}

fn show(what: &str, goal: &str, (ours, theirs): (Duration, Duration)) {
    let extra = ours.saturating_sub(theirs);
    println!("{what}: {:.2} ms against {:.2} ms, ratio {:.2}, +{:.2} ms ({goal})", ms(ours), ms(theirs), ms(ours) / ms(theirs), ms(extra));
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn main() {
    let lain = env!("CARGO_BIN_EXE_lain");
    let dummy = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dummy");
    let clusters = std::env::temp_dir().join(format!("lain-bench-{}", std::process::id()));
    std::fs::create_dir_all(&clusters).expect("a folder");
    std::fs::write(clusters.join("values-test.yaml"), "registry: registry.example.com/team\ndomain: example.com\n")
        .expect("cluster values");
    let version = || {
        let mut command = Command::new(lain);
        command.arg("--version");
        command
    };
    show("lain --version / an empty process", "goal: within 3 ms", compare(200, version, || Command::new("true")));
    let template = || {
        let mut command = Command::new(lain);
        command.args(["template", "--cluster", "test"]).current_dir(&dummy).env("LAIN_CLUSTER_VALUES_DIR", &clusters);
        command
    };
    let bare = || {
        let mut command = Command::new("helm");
        command.args(["template", "dummy", "chart", "-f"]).arg(clusters.join("values-test.yaml")).args([
            "-f",
            "chart/values-test.yaml",
            "--set-string",
            "imageTag=x",
        ]);
        command.current_dir(&dummy);
        command
    };
    show("lain template / helm template", "goal: at most 1.15", compare(20, template, bare));
    let _ = std::fs::remove_dir_all(&clusters);
}
