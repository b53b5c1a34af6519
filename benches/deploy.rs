//! What an unchanged `lain deploy` costs beside bare `helm upgrade --install` of the same release by the same words, with lint and without, and where
//! the time goes: the programs that ran, when each began and how long it took. And `lain status -s` beside the slowest of its own questions, and what
//! completion takes.
//! The rig's cluster and registry. Runs alternate, figures are medians; the trace is a round of its own. `cargo bench` prints them; nothing is asserted.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time in which no program ran is shown from here on.
const GAP: Duration = Duration::from_millis(20);
const PROGRAMS: [&str; 4] = ["helm", "kubectl", "git", "docker"];
/// No hook: its Job takes seconds, whoever deploys.
const VALUES: &str = "\
build:
  base: debian:trixie-slim
deployments:
  web:
    command: [\"sleep\", \"3600\"]
    replicaCount: 2
    containerPort: 5000
    readinessProbe: {exec: {command: [\"true\"]}}
    resources:
      requests: {cpu: 10m, memory: 16Mi}
      limits: {cpu: 100m, memory: 64Mi}
ingresses:
  - host: bench.example.com
    deployName: web
    paths: [\"/\"]
";

fn time(command: &mut Command) -> Duration {
    let started = Instant::now();
    let out = command.stdin(Stdio::null()).output().expect("it runs");
    let took = started.elapsed();
    assert!(out.status.success(), "{command:?} fails: {}", String::from_utf8_lossy(&out.stderr));
    took
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    ms(times[times.len() / 2])
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn rig(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: eval \"$(tests/rig/rig env)\""))
}

/// One program that ran, as its wrapper noted it. Times are since 1970.
struct Ran {
    began: Duration,
    ended: Duration,
    words: Vec<String>,
}

impl Ran {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).expect("a note");
        let mut lines = text.lines().map(str::to_owned);
        let mut nanos = || Duration::from_nanos(lines.next().and_then(|line| line.parse().ok()).expect("a time"));
        let (began, ended) = (nanos(), nanos());
        Self { began, ended, words: lines.collect() }
    }

    /// The program and what it was asked, without most options.
    fn shown(&self) -> String {
        let mut shown = vec![];
        let mut words = self.words.iter().map(String::as_str);
        while let Some(word) = words.next() {
            match word {
                "--kubeconfig" | "--namespace" | "--kube-context" | "--context" | "--request-timeout" | "-c" | "-C" | "-f"
                | "--set-string" => {
                    words.next();
                }
                _ if word.starts_with("--request-timeout=") => {}
                _ => shown.push(word),
            }
        }
        shown.join(" ").chars().take(100).collect()
    }
}

struct Release {
    dir: tempfile::TempDir,
    namespace: String,
}

impl Release {
    /// A namespace, an app in git with lain's chart, its image in the registry, and its first deploy.
    fn new() -> Self {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis();
        let release = Self { dir: tempfile::tempdir().expect("a folder"), namespace: format!("bench-{unique:x}") };
        for folder in ["home/.kube", "clusters", "app/chart", "wrappers", "trace"] {
            fs::create_dir_all(release.at(folder)).expect("a folder");
        }
        fs::copy(rig("LAIN_E2E_KUBECONFIG"), release.at("home/.kube/kubeconfig-test")).expect("a kubeconfig");
        let cluster = format!("registry: {}\ndomain: example.com\nnamespace: {}\n", rig("LAIN_E2E_REGISTRY"), release.namespace);
        fs::write(release.at("clusters/values-test.yaml"), cluster).expect("cluster values");
        for file in lain::render::chart::without_values(&release.namespace, None).expect("the chart") {
            let path = release.at("app/chart").join(file.path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, file.bytes).expect("the chart");
        }
        fs::write(release.at("app/chart/values.yaml"), format!("appname: {}\n{VALUES}", release.namespace)).expect("values");
        for program in PROGRAMS {
            release.wrap(program);
        }
        time(
            release
                .command("sh")
                .args(["-ec", "git init -q && git add -A && git -c user.name=b -c user.email=b@example.com commit -qm one"]),
        );
        time(release.kubectl().args(["create", "namespace", &release.namespace]));
        time(&mut release.lain(&["build", "--push"]));
        time(&mut release.lain(&["deploy", "--wait"]));
        release
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A program of that name that notes its words, when it began and when it ended; of the proxy, which ends with lain, when it began.
    fn wrap(&self, program: &str) {
        let real = which::which(program).unwrap_or_else(|_| panic!("{program} is not on PATH"));
        let script = format!(
            "#!/bin/sh\nbegan=$(date +%s%N)\nif [ \"$1\" = proxy ]; then printf '%s\\n' \"$began\" \"$began\" {program} \"$@\" >'{trace}/'\"$began-$$\"; exec '{real}' \"$@\"; fi\n'{real}' \"$@\"\ncode=$?\nprintf '%s\\n' \"$began\" \"$(date +%s%N)\" {program} \"$@\" >'{trace}/'\"$began-$$\"\nexit $code\n",
            real = real.display(),
            trace = self.at("trace").display()
        );
        let path = self.at("wrappers").join(program);
        fs::write(&path, script).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may run");
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.at("app")).env("HOME", self.at("home")).env("LAIN_CLUSTER_VALUES_DIR", self.at("clusters"));
        command.env("NO_COLOR", "1").env_remove("KUBECONFIG").env_remove("CI");
        command
    }

    fn kubectl(&self) -> Command {
        let mut command = self.command("kubectl");
        command.arg("--kubeconfig").arg(self.at("home/.kube/kubeconfig-test"));
        command
    }

    fn lain(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_lain"));
        command.args(args).args(["--cluster", "test"]);
        command
    }

    /// What ran under `lain` with these words, in the order it began; and when lain began and ended.
    fn trace(&self, args: &[&str]) -> (Vec<Ran>, Duration, Duration) {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
        for note in fs::read_dir(self.at("trace")).expect("a folder").flatten() {
            fs::remove_file(note.path()).expect("it goes");
        }
        let path = format!("{}:{}", self.at("wrappers").display(), rig("PATH"));
        let began = now();
        time(self.lain(args).env("PATH", path));
        let ended = now();
        let mut ran: Vec<Ran> = fs::read_dir(self.at("trace")).expect("a folder").flatten().map(|note| Ran::read(&note.path())).collect();
        ran.sort_by_key(|ran| ran.began);
        (ran, began, ended)
    }

    /// helm by the very words that lain gave it.
    fn bare(&self, words: &[String]) -> Command {
        let mut command = self.command(&words[0]);
        command.args(&words[1..]);
        command
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let _ = self.kubectl().args(["delete", "namespace", &self.namespace, "--wait=false"]).output();
        let images = format!(
            "docker image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | grep /{} | xargs -r docker image rm --force",
            self.namespace
        );
        let _ = self.command("sh").args(["-ec", &images]).output();
    }
}

/// How long at least one of these ran.
fn together(ran: &[Ran]) -> Duration {
    let mut until = Duration::ZERO;
    let mut total = Duration::ZERO;
    for one in ran {
        total += one.ended.saturating_sub(one.began.max(until));
        until = until.max(one.ended);
    }
    total
}

fn show_gap(began: Duration, from: Duration, to: Duration) {
    let gap = to.saturating_sub(from);
    if gap >= GAP {
        println!(
            "{:7.0} ms {:5.0} ms  (no program: lain itself, a request of its own, or a pause)",
            ms(from.saturating_sub(began)),
            ms(gap)
        );
    }
}

/// So many rounds; with `LAIN_BENCH_BRIEF` one: that it runs.
fn rounds_to_run() -> usize {
    if std::env::var_os("LAIN_BENCH_BRIEF").is_some() { 1 } else { 7 }
}

fn main() {
    let release = Release::new();
    let deploys: [&[&str]; 2] = [&["deploy"], &["deploy", "--ignore-lint"]];
    let traces = deploys.map(|words| release.trace(words));
    let upgrade =
        traces[1].0.iter().find(|ran| ran.words[..2] == ["helm", "upgrade"]).expect("lain deploy runs helm upgrade").words.clone();

    let (mut linted, mut plain, mut bare) = (vec![], vec![], vec![]);
    for round in 0..=rounds_to_run() {
        let times = (time(&mut release.lain(deploys[0])), time(&mut release.bare(&upgrade)), time(&mut release.lain(deploys[1])));
        if round > 0 {
            linted.push(times.0); // the first round warms the caches
            bare.push(times.1);
            plain.push(times.2);
        }
    }
    let (linted, plain, bare) = (median(linted), median(plain), median(bare));
    for (what, took) in [("lain deploy", linted), ("lain deploy --ignore-lint", plain)] {
        println!(
            "{what}, nothing changed / helm upgrade --install by the same words: {took:.0} ms against {bare:.0} ms, ratio {:.2}",
            took / bare
        );
    }
    for (words, (ran, began, ended)) in deploys.iter().zip(&traces) {
        let all = ended.saturating_sub(*began);
        println!(
            "\nlain {}: {} programs ran, in {:.0} of {:.0} ms (with the trace)",
            words.join(" "),
            ran.len(),
            ms(together(ran)),
            ms(all)
        );
        println!("  began at   took");
        let mut until = *began;
        for one in ran {
            show_gap(*began, until, one.began);
            until = until.max(one.ended);
            let at = ms(one.began.saturating_sub(*began));
            if one.words[1] == "proxy" {
                println!("{at:7.0} ms to the end  {}", one.shown());
            } else {
                println!("{at:7.0} ms {:5.0} ms  {}", ms(one.ended.saturating_sub(one.began)), one.shown());
            }
        }
        show_gap(*began, until, *ended);
    }
    status(&release);
    completion(&release);
}

/// What whoever types Tab waits for: 200 ms are the most. A cluster or a registry that is slower offers nothing.
fn completion(release: &Release) {
    println!("\nlain completes names, {} times each", rounds_to_run());
    for words in [&["use", ""][..], &["logs", ""], &["delete", ""], &["secret", "show", ""], &["deploy", "--set", "imageTag="]] {
        let times: Vec<Duration> = (0..rounds_to_run())
            .map(|_| {
                let mut lain = release.command(env!("CARGO_BIN_EXE_lain"));
                time(lain.args(["--", "lain", "--cluster", "test"]).args(words).env("LAIN_COMPLETE", "fish"))
            })
            .collect();
        let longest = times.iter().max().copied().unwrap_or_default();
        println!("  {:<24} median {:.0} ms, longest {:.0} ms", words.join(" "), median(times), ms(longest));
    }
}

/// `lain status -s` asks for pods, for what they use, and whether the addresses of the app answer.
fn status(release: &Release) {
    let selector = format!("app.kubernetes.io/name={0},helm.sh/chart={0}", release.namespace);
    let question = |words: &[&str]| {
        let mut command = release.kubectl();
        command.args(words).args(["--namespace", &release.namespace, "--selector", &selector]);
        command
    };
    let took = |command: &mut Command| {
        let started = Instant::now();
        command.stdin(Stdio::null()).output().expect("it runs"); // a cluster without metrics says so, which takes its time too
        started.elapsed()
    };
    let (mut lain, mut pods, mut usage) = (vec![], vec![], vec![]);
    for round in 0..=rounds_to_run() {
        let times = (
            time(&mut release.lain(&["status", "-s"])),
            took(&mut question(&["get", "pods", "--output", "json"])),
            took(&mut question(&["top", "pod", "--no-headers"])),
        );
        if round > 0 {
            lain.push(times.0);
            pods.push(times.1);
            usage.push(times.2);
        }
    }
    let (lain, pods, usage) = (median(lain), median(pods), median(usage));
    println!(
        "\nlain status -s / the slower of kubectl get pods ({pods:.0} ms) and kubectl top pod ({usage:.0} ms): {lain:.0} ms, ratio {:.2}",
        lain / pods.max(usage)
    );
}
