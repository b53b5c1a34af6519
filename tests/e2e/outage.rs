//! An API server that restarts, hangs, answers 429, 500 and 503, drops connections and watches, at each request of what changes a release: it goes on, or says so
//! in bounded time, and leaves nothing behind. `tests/kills/faults` sweeps all of them; here some.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::gate::{Fault, Gate, is_watch};
use crate::support::{HELM, Place, Ran, SLEEPER};

/// The longest that any run may take: a restart waits five minutes for a pod, and looks on where it cannot see.
const LONGEST: Duration = Duration::from_secs(350);
const HOOK: &str = "\
jobs:
  migrate:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    annotations: {\"helm.sh/hook\": pre-upgrade, \"helm.sh/hook-delete-policy\": before-hook-creation}
    command: [\"true\"]
    resources: {requests: {cpu: 1m, memory: 8Mi}, limits: {cpu: 1000m, memory: 64Mi}}
";

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Deploy,
    Rollback,
    EnvEdit,
    SecretEdit,
    Restart,
}

const VERBS: [(&str, Verb); 5] = [
    ("deploy", Verb::Deploy),
    ("rollback", Verb::Rollback),
    ("env-edit", Verb::EnvEdit),
    ("secret-edit", Verb::SecretEdit),
    ("restart", Verb::Restart),
];

const FAULTS: [(&str, Fault); 11] = [
    ("restart", Fault::Restart),
    ("hang", Fault::Hang(Duration::from_secs(20))),
    ("429", Fault::TooMany(1)),
    ("500", Fault::Error(1)),
    ("500-4", Fault::Error(4)),
    ("503", Fault::Unavailable(1)),
    ("half", Fault::Half),
    ("lost", Fault::Lost),
    ("watch", Fault::CutWatch),
    ("gone", Fault::Gone),
    ("silent", Fault::Silent),
];

/// What there is in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct State {
    /// Revision and status of helm's newest record.
    newest: (u32, String),
    /// What the deployment is told to do.
    runs: String,
    /// The two values that are edited, and the one that is not.
    env: String,
    secret: String,
    keep: String,
    pods: Vec<String>,
    leases: Vec<String>,
    others: Vec<String>,
}

impl State {
    fn of(place: &Place) -> Self {
        let all = place.kubectl(&["get", "secrets,leases,deployments,pods", "-o", "json"]).ok().stdout;
        let all: Json = serde_json::from_str(&all).expect("JSON");
        let mut state = Self::default();
        let app = &place.appname;
        for object in all["items"].as_array().expect("a list") {
            let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
            let decoded = |key: &str| {
                let bytes = STANDARD.decode(object["data"][key].as_str().unwrap_or_default()).expect("base64");
                String::from_utf8_lossy(&bytes).into_owned()
            };
            let labels = &object["metadata"]["labels"];
            match object["kind"].as_str().expect("a kind") {
                "Lease" => state.leases.push(name),
                "Deployment" => state.runs = object["spec"]["template"]["spec"]["containers"][0]["command"].to_string(),
                "Pod" if object["metadata"]["deletionTimestamp"].is_null() && !name.contains("-migrate-") => state.pods.push(name),
                "Secret" if labels["owner"] == "helm" => {
                    let version = labels["version"].as_str().and_then(|text| text.parse().ok()).expect("a revision");
                    if version > state.newest.0 {
                        state.newest = (version, labels["status"].as_str().expect("a status").to_owned());
                    }
                }
                "Secret" if name == format!("{app}-env") => (state.env, state.keep) = (decoded("CHANGING"), decoded("KEEP")),
                "Secret" if name == format!("{app}-secret") => state.secret = decoded("app.conf"),
                "Secret" if name.contains("-backup-") || name.starts_with("default-token-") => {}
                "Secret" => state.others.push(name),
                _ => {}
            }
        }
        state
    }
}

/// An app behind a gate.
struct Sweep {
    place: Place,
    gate: Gate,
    number: u32,
}

/// How one run went.
struct Outcome {
    ran: Ran,
    took: Duration,
    /// What the faulty request asked; none where there were fewer requests.
    at: Option<String>,
    /// All requests.
    asked: Vec<String>,
    /// What stays.
    left: Vec<String>,
    /// What must not be.
    bad: Vec<String>,
}

impl Sweep {
    fn new(values: &str) -> Self {
        let gate = Gate::new();
        let place = Place::new(HELM);
        let editor = place.root.path().join("editor");
        let number = place.root.path().join("number");
        fs::write(&number, "0").expect("a number");
        fs::write(&editor, format!("#!/bin/sh\nsed -i \"s/number-[0-9]*/number-$(cat {})/\" \"$1\"\n", number.display()))
            .expect("an editor");
        fs::set_permissions(&editor, fs::Permissions::from_mode(0o755)).expect("it may run");
        let editor = editor.display().to_string();
        let place = place.with_env("EDITOR", &editor).with_values(values);
        fs::write(place.app.join("app.conf"), "[app]\nnumber-0\n").expect("a file");
        place.edit(".gitignore", |text| text + "app.conf\n");
        place.commit("a file");
        place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
        place.lain(&["env", "add", "KEEP=treasure", "CHANGING=number-0"]).ok();
        place.lain(&["secret", "add", "app.conf"]).ok();
        fs::write(place.home().join(".kube/kubeconfig-test"), gate.kubeconfig()).expect("a kubeconfig");
        Self { place, gate, number: 1000 }
    }

    fn run(&mut self, verb: Verb, fault: Option<Fault>, at: usize) -> Outcome {
        if verb == Verb::Rollback {
            self.deploy(); // so that there is always something else to go back to
        }
        self.number += 1;
        let number = self.number.to_string();
        fs::write(self.place.root.path().join("number"), &number).expect("a number");
        let before = State::of(&self.place);
        let command = format!("deployments.web.command={{sleep,{number}}}");
        let args: &[&str] = match verb {
            Verb::Deploy => &["deploy", "--ignore-lint", "--wait", "--timeout", "40s", "--set", &command],
            Verb::Rollback => &["rollback"],
            Verb::EnvEdit => &["env", "edit"],
            Verb::SecretEdit => &["secret", "edit"],
            Verb::Restart => &["restart", "--graceful"],
        };
        let started = Instant::now();
        self.gate.arm(fault, at);
        let ran = self.place.lain(args);
        let took = started.elapsed();
        let asked = self.gate.disarm();
        let after = State::of(&self.place);
        let is_done = match verb {
            Verb::Deploy => after.runs.contains(&number),
            Verb::Rollback => after.newest.0 == before.newest.0 + 1 && after.newest.1 == "deployed" && after.runs != before.runs,
            Verb::EnvEdit => after.env == format!("number-{number}"),
            Verb::SecretEdit => after.secret == format!("[app]\nnumber-{number}\n"),
            Verb::Restart => after.pods.iter().all(|pod| !before.pods.contains(pod)),
        };
        let (left, bad) = judge(&ran, took, &before, &after, is_done, fault);
        for draft in
            fs::read_dir(self.place.tmp()).expect("tmp").flatten().filter(|it| it.file_name().to_string_lossy().starts_with("lain-draft-"))
        {
            fs::remove_dir_all(draft.path()).expect("what was typed is not wanted any more");
        }
        let at = asked.iter().find_map(|line| line.strip_prefix('*')).map(str::to_owned);
        let mut outcome = Outcome { ran, took, at, asked, left, bad };
        if !after.leases.is_empty() || after.newest.1 != "deployed" {
            outcome.bad.extend(self.go_on(&after, fault));
        }
        outcome
    }

    fn deploy(&mut self) {
        self.number += 1;
        let command = format!("deployments.web.command={{sleep,{}}}", self.number);
        self.place.lain(&["deploy", "--ignore-lint", "--wait", "--set", &command]).ok();
    }

    /// What an outage left half-way: the next deploy goes on at once, or with `--auto-pilot` where it says that, or once helm's own time is over
    /// where that was the server that never came back to be told.
    fn go_on(&mut self, left: &State, fault: Option<Fault>) -> Vec<String> {
        self.number += 1;
        let command = format!("deployments.web.command={{sleep,{}}}", self.number);
        let args = ["deploy", "--ignore-lint", "--wait", "--set", &command];
        let mut ran = self.place.lain(&args);
        let end = Instant::now() + Duration::from_secs(150);
        while is_away(fault) && ran.stderr.contains("it counts as cut off") && Instant::now() < end {
            std::thread::sleep(Duration::from_secs(5));
            ran = self.place.lain(&args);
        }
        if ran.code == 3 && ran.stderr.contains("next: lain deploy --auto-pilot") {
            ran = self.place.lain(&[&args[..], &["--auto-pilot"]].concat());
        }
        if ran.code == 0 { vec![] } else { vec![format!("the next deploy does not go on from {left:?}: {}", ran.stderr)] }
    }
}

/// The server is away for longer than a run that is over waits for it.
fn is_away(fault: Option<Fault>) -> bool {
    matches!(fault, Some(Fault::Gone | Fault::Silent | Fault::Hang(_)))
}

/// What stays, and what must not be.
fn judge(ran: &Ran, took: Duration, before: &State, after: &State, is_done: bool, fault: Option<Fault>) -> (Vec<String>, Vec<String>) {
    let (mut left, mut bad) = (vec![], vec![]);
    let mut must = |is_so: bool, what: &str| {
        if !is_so {
            bad.push(what.to_owned());
        }
    };
    let begin = |word: &str| ran.stderr.lines().filter(|line| line.starts_with(word)).count();
    must(!ran.stderr.contains("panicked"), "a panic");
    must(took < LONGEST, "too long");
    must(ran.code != 0 || is_done, "success is told, and it is not so");
    must(ran.code == 0 || (begin("error: ") == 1 && begin("next: ") + begin("tip: ") >= 1), "one error, and what to type next");
    must(matches!(ran.code, 0 | 1 | 3), "another exit code");
    must(ran.code != 3 || before.newest == after.newest, "refused, and yet changed");
    must(after.newest.0 <= before.newest.0 + 1, "changed twice");
    must(after.keep == "treasure", "the value that nobody edits is gone");
    must(after.env == before.env || is_done, "another value");
    must(after.others.is_empty(), "Secrets that are not the app's");
    // While nobody answers, nothing can be given back: that is said, and the lock runs out by itself.
    must(after.leases.is_empty() || (is_away(fault) && ran.stderr.contains("it runs out by itself within")), "the lock stays");
    if !after.leases.is_empty() {
        left.push("lock".to_owned());
    }
    if after.newest.1 != "deployed" {
        left.push(after.newest.1.clone());
    }
    if ran.code != 0 && is_done {
        left.push("done".to_owned());
    }
    (left, bad)
}

fn tell(verb: &str, fault: &str, at: usize, outcome: &Outcome) -> String {
    format!(
        "## {verb} {fault} {at}: code {}, {} s, at {}, left {:?}, bad {:?}\n{}",
        outcome.ran.code,
        outcome.took.as_secs(),
        outcome.at.as_deref().unwrap_or("none"),
        outcome.left,
        outcome.bad,
        outcome.ran.stderr
    )
}

/// Some requests of each verb; a hang is short here.
#[test]
fn it_goes_on_or_says_so() {
    let mut sweep = Sweep::new(SLEEPER);
    let hang = Fault::Hang(Duration::from_secs(2));
    for (verb, fault, at) in [
        (Verb::Deploy, Fault::TooMany(1), 3),
        (Verb::Deploy, Fault::Lost, 8),
        (Verb::EnvEdit, Fault::Half, 4),
        (Verb::EnvEdit, Fault::Error(1), 1),
        (Verb::SecretEdit, hang, 2),
        (Verb::Restart, Fault::Unavailable(1), 2),
        (Verb::Rollback, Fault::Restart, 6),
    ] {
        let outcome = sweep.run(verb, Some(fault), at);
        assert!(outcome.at.is_some(), "{verb:?} asks {at} times: {:?}", outcome.asked);
        assert!(outcome.bad.is_empty(), "{}", tell(&format!("{verb:?}"), &format!("{fault:?}"), at, &outcome));
    }
}

/// Run by `tests/kills/faults`, which says what it reads from the environment.
#[test]
#[ignore = "takes an hour: tests/kills/faults"]
fn sweep() {
    let read = |name: &str| std::env::var(name).unwrap_or_default();
    let (verbs, faults, step) = (read("FAULTS_VERBS"), read("FAULTS_KINDS"), read("FAULTS_STEP").parse().unwrap_or(1));
    let is_wanted = |list: &str, name: &str| list.is_empty() || list.split_whitespace().any(|wanted| wanted == name);
    let folder = read("FAULTS_OUT");
    println!("| verb | fault | requests | went on | said so | longest | left behind |\n| --- | --- | --- | --- | --- | --- | --- |");
    let bad: usize = std::thread::scope(|scope| {
        let wanted: Vec<_> = VERBS.iter().filter(|(name, _)| is_wanted(&verbs, name)).collect();
        let runs: Vec<_> = wanted
            .into_iter()
            .map(|(name, verb)| {
                let kinds: Vec<_> = FAULTS.into_iter().filter(|(name, _)| is_wanted(&faults, name)).collect();
                let folder = folder.clone();
                scope.spawn(move || sweep_one(name, *verb, &kinds, step, Path::new(&folder)))
            })
            .collect();
        runs.into_iter().map(|run| run.join().expect("no panic")).sum()
    });
    assert_eq!(bad, 0, "bad ends; {folder} has what each run said");
}

/// Which requests are to meet a fault: every `step`th. helm and kubectl ask for the server's kinds dozens of times, which is one and the same to them: every
/// tenth of those.
fn numbers(asked: &[String], fault: Fault, step: usize, offset: usize) -> Vec<usize> {
    if fault == Fault::CutWatch {
        return (1..=asked.iter().filter(|line| is_watch(line)).count()).collect();
    }
    let (kinds, others): (Vec<usize>, Vec<usize>) = (1..=asked.len()).partition(|at| asked[at - 1].ends_with("?timeout=32s"));
    let mut chosen: Vec<usize> = kinds.into_iter().step_by(10).chain(others).collect();
    chosen.sort_unstable();
    chosen.into_iter().skip(offset % step).step_by(step).collect()
}

/// One verb, all faults, every `step`th request; another first one for each fault, so that together they meet them all.
fn sweep_one(name: &str, verb: Verb, faults: &[(&str, Fault)], step: usize, folder: &Path) -> usize {
    let mut sweep = Sweep::new(&if verb == Verb::Deploy { format!("{SLEEPER}{HOOK}") } else { SLEEPER.to_owned() });
    let usual = sweep.run(verb, None, 0);
    assert!(usual.bad.is_empty() && usual.ran.code == 0, "{}", tell(name, "none", 0, &usual));
    println!("{name} asks {} times", usual.asked.len());
    let mut all_bad = 0;
    for (offset, (kind, fault)) in faults.iter().enumerate() {
        let (mut went_on, mut said_so, mut longest, mut left) = (0, 0, 0, BTreeMap::<String, usize>::new());
        for at in numbers(&usual.asked, *fault, step, offset) {
            let outcome = sweep.run(verb, Some(*fault), at);
            let told = tell(name, kind, at, &outcome);
            fs::write(folder.join(format!("{name}-{kind}-{at:03}")), &told).expect("a log");
            if outcome.at.is_none() {
                continue;
            }
            if !outcome.bad.is_empty() {
                all_bad += 1;
                println!("BAD {told}");
            }
            *if outcome.ran.code == 0 { &mut went_on } else { &mut said_so } += 1;
            longest = longest.max(outcome.took.as_secs());
            outcome.left.into_iter().for_each(|what| *left.entry(what).or_default() += 1);
        }
        let left = left.iter().fold(String::new(), |mut text, (what, count)| {
            let _ = write!(text, "{}{count} {what}", if text.is_empty() { "" } else { ", " });
            text
        });
        println!("| {name} | {kind} | {} | {went_on} | {said_so} | {longest} s | {left} |", went_on + said_so);
    }
    all_bad
}
