//! `lain status`: how the release stands.

use std::fmt::Write;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::error::Result;
use crate::http::probe::{Reach, probe};
use crate::release::{links, rollout};
use crate::session::Session;
use crate::ui::{Format, Label, printable};

/// Show pods, usage, URLs and links
#[derive(Args, Debug)]
pub struct Status {
    // `-s` has meant "print once" here since the older tool; the global flag keeps its long name.
    /// Print it once
    #[arg(short = 's', long)]
    simple: bool,
    /// Print warnings and errors only
    #[arg(id = "silent", long = "silent")]
    _silent: bool,
}

/// Pods listed in full; more are counted.
const MAX_PODS: usize = 13;

struct Pod {
    name: String,
    ready: String,
    state: String,
    restarts: u64,
    age: String,
    good: bool,
    over: bool,
}

impl Status {
    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        &[Format::Text, Format::Json]
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let _ = self.simple; // the one shape there is so far
        let app = session.app()?;
        let release = app.release();
        let kubectl = session.kubectl()?;
        let cluster = session.cluster()?;
        let selector = rollout::selector(&app.appname, release);
        let urls = links::urls(app, cluster);
        let top = kubectl.question(["top", "pod", "--no-headers"]).option("--selector", &selector);
        // One round trip deep: everything is asked at once.
        let (pods, usage, reachable) = std::thread::scope(|scope| {
            let usage = scope.spawn(|| top.capture());
            let urls: Vec<_> = urls.iter().map(|url| scope.spawn(move || (url.clone(), probe(url)))).collect();
            let pods = kubectl.select::<Json>("pods", &selector);
            let urls: Vec<(String, Reach)> = urls.into_iter().filter_map(|handle| handle.join().ok()).collect();
            (pods, usage.join(), urls)
        });
        let pods = pods?;
        let usage = match usage {
            Ok(Ok(out)) if out.ok() => out.text(),
            _ => "no usage: the cluster has no metrics server, or it does not answer".to_owned(),
        };
        if session.ui.format() == Format::Json {
            let rows: Vec<Json> = rows(&pods)
                .iter()
                .map(|pod| json!({"name": pod.name, "ready": pod.ready, "state": pod.state, "restarts": pod.restarts, "good": pod.good}))
                .collect();
            let urls: Vec<Json> = reachable.iter().map(|(url, state)| json!({"url": url, "state": state.to_string()})).collect();
            return session
                .ui
                .result_json(&json!({"version": 1, "release": release, "cluster": session.cluster_name(), "pods": rows, "urls": urls}));
        }
        let mut out = String::new();
        write_pods(session, &mut out, &rows(&pods));
        let _ = writeln!(out, "\nusage\n{}", printable(&usage));
        if !reachable.is_empty() {
            out.push_str("\nurls\n");
            for (url, state) in &reachable {
                let label = if state.is_good() { Label::Good } else { Label::Bad };
                let _ = writeln!(out, "{}  {}", session.ui.emphasis(&state.to_string(), label), printable(url));
            }
        }
        for (name, link) in [("grafana", links::grafana(app, cluster)), ("kibana", links::kibana(app, cluster))] {
            if let Some(link) = link {
                let _ = writeln!(out, "\n{name}: {}", printable(&link));
            }
        }
        session.ui.styled_result(&out)
    }
}

fn write_pods(session: &Session, out: &mut String, rows: &[Pod]) {
    if rows.is_empty() {
        out.push_str("no pods: lain deploy\n");
        return;
    }
    let width = rows.iter().map(|pod| pod.name.len()).max().unwrap_or(0).max(4);
    let _ = writeln!(out, "{:width$}  READY  {:24} RESTARTS  AGE", "NAME", "STATUS");
    for pod in rows.iter().take(MAX_PODS) {
        let label = if pod.good { Label::Good } else { Label::Bad };
        let state = session.ui.emphasis(&format!("{:24}", pod.state), label);
        let _ = writeln!(out, "{:width$}  {:5}  {state} {:8}  {}", pod.name, pod.ready, pod.restarts, pod.age);
    }
    if rows.len() > MAX_PODS {
        let good = rows.iter().filter(|pod| pod.good).count();
        let _ = writeln!(out, "... {} pods in all, {good} good", rows.len());
    }
}

/// Bad ones first.
fn rows(list: &Json) -> Vec<Pod> {
    let now = jiff::Timestamp::now();
    let mut rows: Vec<Pod> = list["items"].as_array().into_iter().flatten().map(|pod| row(pod, now)).collect();
    rows.sort_by(|a, b| (a.good, a.over, &a.name).cmp(&(b.good, b.over, &b.name)));
    rows
}

fn row(pod: &Json, now: jiff::Timestamp) -> Pod {
    let text = |value: &Json| printable(value.as_str().unwrap_or_default());
    let statuses: Vec<&Json> = pod["status"]["containerStatuses"].as_array().into_iter().flatten().collect();
    let ready = statuses.iter().filter(|status| status["ready"] == true).count();
    let wanted = pod["spec"]["containers"].as_array().map_or(0, Vec::len);
    let phase = text(&pod["status"]["phase"]);
    let reason =
        |status: &&Json| ["waiting", "terminated"].iter().find_map(|kind| status["state"][kind]["reason"].as_str().map(str::to_owned));
    let leaving = !pod["metadata"]["deletionTimestamp"].is_null();
    let over = phase == "Succeeded";
    let state = if leaving { "Terminating".to_owned() } else { statuses.iter().find_map(reason).unwrap_or_else(|| phase.clone()) };
    let created = text(&pod["metadata"]["creationTimestamp"]).parse::<jiff::Timestamp>().ok();
    let seconds = created.map_or(0, |created| (now.as_second() - created.as_second()).max(0));
    let age = match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    };
    Pod {
        name: text(&pod["metadata"]["name"]),
        ready: format!("{ready}/{wanted}"),
        restarts: statuses.iter().filter_map(|status| status["restartCount"].as_u64()).sum(),
        good: over || (ready == wanted && phase == "Running" && !leaving),
        state,
        age,
        over,
    }
}
