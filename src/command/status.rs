//! `lain status`: how the release stands.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::cluster::judge::{Standing, standings};
use crate::cluster::{look, usage};
use crate::error::Result;
use crate::http::probe::{Reach, probe};
use crate::model::duration;
use crate::release::links;
use crate::session::Session;
use crate::ui::{Answer, Format, Label, Ui, printable};

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
    const FORMATS: &'static [Format] = Stands::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let _ = self.simple; // the one shape there is so far
        let app = session.app()?;
        let release = app.release();
        let kubectl = session.kubectl()?;
        kubectl.begin(); // one process for both questions: two kubectls would want a processor each
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
        let answer = Stands {
            version: 1,
            release,
            cluster: session.cluster_name(),
            pods: standings(&pods?).into_iter().map(Row::of).collect(),
            usage: usage.ok().flatten(),
            urls: reachable.into_iter().map(|(url, reach)| Reached { url, is_good: reach.is_good(), state: reach.to_string() }).collect(),
            links: [("grafana", links::grafana(app, cluster)), ("kibana", links::kibana(app, cluster))]
                .into_iter()
                .filter_map(|(name, link)| Some((name, link?)))
                .collect(),
        };
        session.ui.answer(&answer)
    }
}

/// How a release stands.
#[derive(Serialize)]
struct Stands<'a> {
    version: u32,
    release: &'a str,
    cluster: Option<String>,
    pods: Vec<Row>,
    /// kubectl's own table; none without a metrics server.
    #[serde(skip)]
    usage: Option<String>,
    urls: Vec<Reached>,
    #[serde(skip)]
    links: Vec<(&'static str, String)>,
}

/// A pod; its words are printable.
#[derive(Serialize)]
struct Row {
    name: String,
    /// `1/2`
    ready: String,
    state: String,
    restarts: u64,
    #[serde(rename = "good")]
    is_good: bool,
    #[serde(skip)]
    age: String,
}

impl Row {
    fn of(pod: Standing) -> Self {
        let age = duration::age(pod.created.map_or(0, |created| jiff::Timestamp::now().as_second() - created.as_second()));
        let (name, state) = (printable(&pod.name), printable(&pod.state));
        Self { name, ready: format!("{}/{}", pod.ready, pod.wanted), state, restarts: pod.restarts, is_good: pod.is_good, age }
    }
}

/// An address of the app, and whether it answers.
#[derive(Serialize)]
struct Reached {
    url: String,
    state: String,
    #[serde(skip)]
    is_good: bool,
}

impl Answer for Stands<'_> {
    fn text(&self) -> String {
        self.written(|words, _| words.to_owned())
    }

    fn styled(&self, ui: &Ui) -> Option<String> {
        Some(self.written(|words, label| ui.emphasis(words, label)))
    }
}

impl Stands<'_> {
    fn written(&self, paint: impl Fn(&str, Label) -> String) -> String {
        let label = |is_good: bool| if is_good { Label::Good } else { Label::Bad };
        let mut out = String::new();
        if self.pods.is_empty() {
            out.push_str("no pods: lain deploy\n");
        } else {
            let width = self.pods.iter().map(|pod| pod.name.len()).max().unwrap_or(0).max(4);
            let _ = writeln!(out, "{:width$}  READY  {:24} RESTARTS  AGE", "NAME", "STATUS");
            for pod in self.pods.iter().take(MAX_PODS) {
                let state = paint(&format!("{:24}", pod.state), label(pod.is_good));
                let _ = writeln!(out, "{:width$}  {:5}  {state} {:8}  {}", pod.name, pod.ready, pod.restarts, pod.age);
            }
            if self.pods.len() > MAX_PODS {
                let good = self.pods.iter().filter(|pod| pod.is_good).count();
                let _ = writeln!(out, "... {} pods in all, {good} good", self.pods.len());
            }
        }
        let none = "no usage: the cluster has no metrics server, or it does not answer";
        let _ = writeln!(out, "\nusage\n{}", printable(self.usage.as_deref().unwrap_or(none)));
        if !self.urls.is_empty() {
            out.push_str("\nurls\n");
            for Reached { url, state, is_good } in &self.urls {
                let _ = writeln!(out, "{}  {}", paint(state, label(*is_good)), printable(url));
            }
        }
        for (name, link) in &self.links {
            let _ = writeln!(out, "\n{name}: {}", printable(link));
        }
        out
    }
}
