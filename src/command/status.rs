//! `lain status`: how the release stands.

use std::fmt::Write;

use clap::Args;
use serde_json::{Value as Json, json};

use super::Command;
use crate::cluster::judge::{Standing, standings};
use crate::cluster::{look, usage};
use crate::error::Result;
use crate::http::probe::{Reach, probe};
use crate::release::links;
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

impl Command for Status {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn run(self, session: &Session) -> Result<()> {
        let _ = self.simple; // the one shape there is so far
        let app = session.app()?;
        let release = app.release();
        let kubectl = session.kubectl()?;
        let cluster = session.cluster()?;
        let selector = look::selector(&app.appname, release);
        let urls = links::urls(app, cluster);
        let proxies = session.proxies();
        // One round trip deep: everything is asked at once.
        let (pods, usage, reachable) = std::thread::scope(|scope| {
            let usage = scope.spawn(|| usage::top(&kubectl, &selector));
            let urls: Vec<_> = urls
                .iter()
                .map(|url| {
                    scope.spawn({
                        let proxies = &proxies;
                        move || (url.clone(), probe(proxies, url))
                    })
                })
                .collect();
            let pods = look::pods(&kubectl, &selector);
            let urls: Vec<(String, Reach)> = urls.into_iter().filter_map(|handle| handle.join().ok()).collect();
            (pods, usage.join(), urls)
        });
        let pods = standings(&pods?);
        let usage = usage.ok().flatten().unwrap_or_else(|| "no usage: the cluster has no metrics server, or it does not answer".to_owned());
        if session.ui.format() == Format::Json {
            let rows: Vec<Json> = pods
                .iter()
                .map(|pod| {
                    let (name, state) = (printable(&pod.name), printable(&pod.state));
                    json!({"name": name, "ready": ready(pod), "state": state, "restarts": pod.restarts, "good": pod.is_good})
                })
                .collect();
            let urls: Vec<Json> = reachable.iter().map(|(url, state)| json!({"url": url, "state": state.to_string()})).collect();
            return session
                .ui
                .result_json(&json!({"version": 1, "release": release, "cluster": session.cluster_name(), "pods": rows, "urls": urls}));
        }
        let mut out = String::new();
        write_pods(session, &mut out, &pods);
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

fn write_pods(session: &Session, out: &mut String, pods: &[Standing]) {
    if pods.is_empty() {
        out.push_str("no pods: lain deploy\n");
        return;
    }
    let names: Vec<String> = pods.iter().map(|pod| printable(&pod.name)).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(4);
    let _ = writeln!(out, "{:width$}  READY  {:24} RESTARTS  AGE", "NAME", "STATUS");
    let now = jiff::Timestamp::now();
    for (pod, name) in pods.iter().zip(names).take(MAX_PODS) {
        let label = if pod.is_good { Label::Good } else { Label::Bad };
        let state = session.ui.emphasis(&format!("{:24}", printable(&pod.state)), label);
        let _ = writeln!(out, "{name:width$}  {:5}  {state} {:8}  {}", ready(pod), pod.restarts, age(pod, now));
    }
    if pods.len() > MAX_PODS {
        let good = pods.iter().filter(|pod| pod.is_good).count();
        let _ = writeln!(out, "... {} pods in all, {good} good", pods.len());
    }
}

fn ready(pod: &Standing) -> String {
    format!("{}/{}", pod.ready, pod.wanted)
}

fn age(pod: &Standing, now: jiff::Timestamp) -> String {
    let seconds = pod.created.map_or(0, |created| (now.as_second() - created.as_second()).max(0));
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
