//! How a release stands, for who looks at it: what is asked, what is wrong with the worst, and what to type next.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::links::{self, Address};
use super::record::Record;
use super::rollout;
use crate::cluster::judge::{Progress, View, judge, told_of};
use crate::cluster::look::{self, Once};
use crate::cluster::standing::Standing;
use crate::cluster::trouble::{LogAt, Trouble};
use crate::cluster::usage::{Meter, Now};
use crate::error::Result;
use crate::http::probe::probe;
use crate::http::proxy::Proxies;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;
use crate::tools::usage::PodUsage;
use crate::ui::{Ui, printable};

/// So many last lines of a log are told.
pub(crate) const LINES: u32 = 10;

/// How a release stands.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusAnswer {
    /// Shape of this result: 1. What is added later does not change it.
    pub version: u32,
    /// The release.
    pub release: String,
    /// The cluster it is in.
    pub cluster: Option<String>,
    /// The namespace it is in; none where the kubeconfig says.
    pub namespace: Option<String>,
    /// helm's revision that is deployed; none where nothing is, and where this account may not read helm's record.
    pub revision: Option<u32>,
    /// The image tag that it was deployed with.
    pub image_tag: Option<String>,
    /// Nothing is bad: pods and workloads are ready, no Job failed, addresses answer. What this account may not see is not known to be good.
    pub good: bool,
    /// Its pods, bad ones first.
    pub pods: Vec<PodAnswer>,
    /// Deployments and `StatefulSets`.
    pub workloads: Vec<WorkloadAnswer>,
    /// Jobs.
    pub jobs: Vec<JobAnswer>,
    /// What is wrong with the worst of it; none where nothing is wrong.
    pub explanation: Option<Explanation>,
    /// What pods use now; none where nobody says it.
    pub usage: Option<Vec<PodUsage>>,
    /// The addresses of the app, over HTTP and HTTPS.
    pub urls: Vec<UrlAnswer>,
    /// Grafana for the release, where the cluster's values name one.
    pub grafana: Option<String>,
    /// Kibana for the release, where the cluster's values name one.
    pub kibana: Option<String>,
    /// Prometheus' page with what the release uses, where the cluster's values name one.
    pub prometheus: Option<String>,
    /// What could not be seen, and why: a line each.
    pub unseen: Vec<String>,
}

/// A pod.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PodAnswer {
    /// Its name.
    pub name: String,
    /// Containers that serve, of those that it has: `1/2`
    pub ready: String,
    /// `Running`, `CrashLoopBackOff`, `Terminating`...
    pub state: String,
    /// Restarts of all containers.
    pub restarts: u64,
    /// It is as it should be.
    pub good: bool,
    /// It was told to go.
    pub leaving: bool,
    /// When it was made: 2026-11-26T17:00:00Z
    pub created: Option<String>,
}

/// A Deployment or a `StatefulSet`.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkloadAnswer {
    /// `deployment/shop-web`
    pub name: String,
    /// New pods that are ready.
    pub ready: u64,
    /// Pods that are wanted.
    pub wanted: u64,
    /// Its rollout is over.
    pub done: bool,
}

/// A Job.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobAnswer {
    /// Its name.
    pub name: String,
    /// `done`, `failed`, `running`
    pub state: &'static str,
}

/// An address of the app.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UrlAnswer {
    /// The address.
    pub url: String,
    /// HTTP's status, or why no answer came.
    pub state: String,
    /// What a user would take for a page came.
    pub good: bool,
    /// The cluster's values promise that it answers; else it is the other of HTTP and HTTPS.
    pub promised: bool,
    /// It is promised, and nothing of the app answers.
    #[serde(skip)]
    pub is_bad: bool,
}

/// What is wrong with something, or how one pod stands.
#[derive(Clone, Debug, Default, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    /// `pod/shop-web-5c...`, `deployment/shop-web`, `job/shop-migrate`
    pub object: String,
    /// In a word: `CrashLoopBackOff`
    pub reason: String,
    /// In a sentence; empty where the word says it all.
    pub message: String,
    /// Whose log it is: `the run of container web before`; none without a log.
    pub log_of: Option<String>,
    /// The end of that log.
    pub log: Vec<String>,
    /// What the server warns of, newest first.
    pub events: Vec<String>,
    /// What to type next.
    pub next: Option<String>,
}

/// What is to be explained.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Subject {
    /// Without its log and events.
    pub words: Explanation,
    /// The log that tells most.
    pub log: Option<LogAt>,
}

impl Subject {
    /// The worst that there is; none where nothing is wrong.
    pub(crate) fn worst(view: &View) -> Option<Self> {
        // Of pods it is the one that is listed first.
        let first = view.pods.first().filter(|pod| pod.is_bad());
        let other = view.troubles.iter().filter(|trouble| trouble.kind != "pod").min_by_key(|trouble| trouble.rank());
        match (first, other) {
            (Some(pod), other) if other.is_none_or(|trouble| pod.rank <= trouble.rank()) => Self::of_pod(view, &pod.name),
            (_, other) => other.map(Self::of_trouble),
        }
    }

    /// One pod, bad or not.
    pub(crate) fn of_pod(view: &View, name: &str) -> Option<Self> {
        let trouble = view.troubles.iter().find(|trouble| trouble.kind == "pod" && trouble.name == name);
        trouble.map(Self::of_trouble).or_else(|| view.pods.iter().find(|pod| pod.name == name).map(Self::of_standing))
    }

    fn of_trouble(trouble: &Trouble) -> Self {
        let words = Explanation {
            object: format!("{}/{}", trouble.kind, trouble.name),
            reason: trouble.reason.clone(),
            message: trouble.message.clone(),
            next: Some(rollout::next(trouble)),
            ..Explanation::default()
        };
        Self { words, log: trouble.log.clone() }
    }

    fn of_standing(pod: &Standing) -> Self {
        let next = match &pod.log {
            _ if !pod.is_bad() => None,
            Some(at) if at.is_previous => Some(format!("kubectl logs --previous {}", pod.name)),
            Some(_) => Some(format!("kubectl logs {} # why it is not ready", pod.name)),
            None => Some(format!("kubectl describe pod {}", pod.name)),
        };
        let words = Explanation {
            object: format!("pod/{}", pod.name),
            reason: pod.state.clone(),
            message: pod.doing.unwrap_or_default().to_owned(),
            next,
            ..Explanation::default()
        };
        Self { words, log: pod.log.clone() }
    }

    /// The pod that it is about, or that its log is of; none where there is none.
    pub(crate) fn pod(&self) -> Option<&str> {
        self.words.object.strip_prefix("pod/").or_else(|| Some(&self.log.as_ref()?.pod))
    }

    /// The warnings that are about it, and about the pods that it keeps.
    pub(crate) fn warnings(&self, view: &View) -> Vec<String> {
        let (object, said) = (&self.words.object, &self.words.message);
        let start = format!("{object}: ");
        let told = told_of(&view.warnings, &[object]);
        // What the trouble says itself is not said twice.
        let told = told.iter().filter(|warning| said.is_empty() || !warning.ends_with(said));
        told.map(|warning| warning.strip_prefix(&start).unwrap_or(warning).to_owned()).collect()
    }
}

/// Whose log it is.
pub(crate) fn log_of(at: &LogAt) -> String {
    if at.is_previous { format!("the run of container {} before", at.container) } else { format!("container {}", at.container) }
}

/// The last lines of a log, or why they cannot be seen.
pub(crate) fn end_of_log(kubectl: &Kubectl<'_>, at: &LogAt, lines: u32) -> Result<Vec<String>, String> {
    match kubectl.end_of_container_log(&at.pod, &at.container, at.is_previous, lines) {
        Ok(text) => Ok(text.unwrap_or_default().lines().map(str::to_owned).collect()),
        Err(error) if is_forbidden(&error) => Err("log: this account may not read logs (403)".to_owned()),
        Err(_) => Err("log: the server does not give it".to_owned()),
    }
}

/// Asks whether an address answers.
pub(crate) fn ask(proxies: &Proxies, address: &Address) -> UrlAnswer {
    let reach = probe(proxies, &address.url);
    let is_bad = address.is_promised && reach.is_bad();
    UrlAnswer { url: address.url.clone(), state: reach.to_string(), good: reach.is_good(), promised: address.is_promised, is_bad }
}

/// How the release of this run stands now: one round of questions, and one more where something is wrong.
///
/// # Errors
/// The server does not answer, or the values cannot be read.
pub(crate) fn now(session: &Session, kubectl: &Kubectl<'_>) -> Result<(StatusAnswer, Now)> {
    let (app, cluster) = (session.app()?, session.cluster()?);
    let release = app.release();
    kubectl.begin(); // one process for all questions: two kubectls would want a processor each
    let selector = look::selector(&app.appname, release);
    let (proxies, target) = (session.proxies(), session.target()?);
    let prometheus = session.authority()?.prometheus.as_deref();
    let meter = Meter { release, selector: &selector, prometheus, namespace: target.namespace.as_deref(), proxies: &proxies };
    let addresses = links::addresses(app, cluster);
    // One round trip deep: everything is asked at once.
    let (once, used, record, urls) = std::thread::scope(|scope| {
        let used = scope.spawn(|| meter.read(kubectl));
        let record = scope.spawn(|| Record::deployed(kubectl, release).ok().flatten()); // who may not read it sees the rest
        let urls: Vec<_> = addresses.iter().map(|address| scope.spawn(|| ask(&proxies, address))).collect();
        let once = look::once(kubectl, &selector);
        let urls: Vec<UrlAnswer> = urls.into_iter().filter_map(|asked| asked.join().ok()).collect();
        let none = || Now::Unknown("no usage: it could not be asked for".to_owned());
        (once, used.join().unwrap_or_else(|_| none()), record.join().ok().flatten(), urls)
    });
    let once = once?;
    let mut unseen: Vec<String> = once.refused.iter().map(|kind| format!("{kind}: this account may not list them (403)")).collect();
    let mut view = judge(&once.objects, &[]);
    let explanation = explain(kubectl, &once, &mut view, &mut unseen);
    let is_there = !view.is_empty() || !view.pods.is_empty();
    let is_ready =
        view.workloads.iter().all(|it| it.ready >= it.wanted) && !view.pods.iter().any(Standing::is_bad) && view.troubles.is_empty();
    let good = is_there && is_ready && !once.refused.contains(&"pods") && !urls.iter().any(|url| url.is_bad);
    let answer = StatusAnswer {
        version: 1,
        release: release.to_owned(),
        cluster: session.cluster_name(),
        namespace: target.namespace.as_deref().map(printable),
        revision: record.as_ref().and_then(Record::revision),
        image_tag: record.as_ref().and_then(Record::image_tag).map(|tag| printable(&tag)),
        good,
        pods: view.pods.iter().map(pod_answer).collect(),
        workloads: view.workloads.iter().map(workload_answer).collect(),
        jobs: view.jobs.iter().map(|job| JobAnswer { name: printable(&job.name), state: job.state }).collect(),
        explanation: explanation.map(|words| words.clean(&session.ui)),
        usage: (!matches!(used, Now::Unknown(_))).then(|| of_these(&used, &view)),
        urls,
        grafana: links::grafana(app, cluster),
        prometheus: links::prometheus(app, cluster),
        kibana: links::kibana(app, None, cluster),
        unseen: unseen.iter().map(|line| printable(line)).collect(),
    };
    Ok((answer, used))
}

/// What is used by pods that are the release's for sure: Prometheus is asked by the beginning of their names.
pub(crate) fn of_these(used: &Now, view: &View) -> Vec<PodUsage> {
    match used {
        Now::Prometheus(pods) => pods.iter().filter(|pod| view.pods.iter().any(|known| known.name == pod.name)).cloned().collect(),
        other => other.pods().to_vec(),
    }
}

/// What is wrong with the worst: its log and the warnings are asked for side by side, and what those say is judged too.
fn explain(kubectl: &Kubectl<'_>, once: &Once, view: &mut View, unseen: &mut Vec<String>) -> Option<Explanation> {
    let at = Subject::worst(view)?.log;
    let (log, events) = std::thread::scope(|scope| {
        let log = scope.spawn(|| at.as_ref().map(|at| end_of_log(kubectl, at, LINES)));
        let events = look::warnings(kubectl);
        (log.join().ok().flatten(), events)
    });
    match events {
        Ok(events) => *view = judge(&once.objects, &events),
        Err(error) if is_forbidden(&error) => unseen.push("events: this account may not list them (403)".to_owned()),
        Err(_) => unseen.push("events: the server does not give them".to_owned()),
    }
    let subject = Subject::worst(view)?;
    let events = subject.warnings(view);
    let mut words = Explanation { events, ..subject.words };
    match log {
        Some(Ok(lines)) if !lines.is_empty() => (words.log_of, words.log) = (at.as_ref().map(log_of), lines),
        Some(Err(why)) => unseen.push(why),
        _ => {}
    }
    Some(words)
}

impl Explanation {
    /// The same without secrets and control characters; each text is one line.
    pub(crate) fn clean(self, ui: &Ui) -> Self {
        let line = |text: &str| printable(&ui.redact(text.trim_end())).replace(['\n', '\t'], " ");
        Self {
            object: line(&self.object),
            reason: line(&self.reason),
            message: line(&self.message),
            log_of: self.log_of.as_deref().map(line),
            log: self.log.iter().map(|text| line(text)).collect(),
            events: self.events.iter().map(|text| line(text)).collect(),
            next: self.next.as_deref().map(line),
        }
    }
}

fn pod_answer(pod: &Standing) -> PodAnswer {
    PodAnswer {
        name: printable(&pod.name),
        ready: format!("{}/{}", pod.ready, pod.wanted),
        state: printable(&pod.state),
        restarts: pod.restarts,
        good: pod.is_good,
        leaving: pod.is_leaving,
        created: pod.created.map(|at: Timestamp| at.to_string()),
    }
}

fn workload_answer(it: &Progress) -> WorkloadAnswer {
    WorkloadAnswer { name: printable(&it.name), ready: it.ready, wanted: it.wanted, done: it.is_done }
}
