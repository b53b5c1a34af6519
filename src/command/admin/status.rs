//! `lain admin status`: how the whole cluster stands.

use clap::Args;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::amounts::{in_cores, in_gib};
use crate::cluster::bad::What;
use crate::cluster::overview::{self, NodeStand, Overview};
use crate::error::{Error, Result};
use crate::model::duration::age;
use crate::session::Session;
use crate::ui::{Answer, Table};

/// Show nodes with what they use, pods that are bad and stay so, and ingresses that lead nowhere, in all namespaces
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin status\n  lain admin status --exit-code        # 3 where something is bad\n  lain admin status -o json | jq .bad  # lain schema admin-status"
)]
pub(super) struct Status {
    // `-s` is a word of the older tool here; the global flag keeps its long name.
    /// As it is anyway: printed once
    #[arg(short = 's', long)]
    simple: bool,
    /// End with exit code 3 when something is bad
    #[arg(long)]
    exit_code: bool,
    /// Print warnings and errors only
    #[arg(id = "silent", long = "silent")]
    _silent: bool,
}

impl Status {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let kubectl = session.kubectl()?;
        let found = overview::look(&kubectl, session.authority()?.prometheus.as_deref(), &session.proxies())?;
        if found.is_narrow {
            session.ui.warn(&format!("of namespace {} alone: this account may not read the others", kubectl.namespace()));
        }
        found.unseen.iter().for_each(|line| session.ui.warn(&format!("not to be seen: {line}")));
        let namespace = found.is_narrow.then(|| kubectl.namespace().to_owned());
        let answer = ClusterAnswer::of(found, namespace);
        session.ui.answer(&answer)?;
        answer.summary().iter().for_each(|line| session.ui.say(line));
        if !answer.bad.is_empty() {
            session.ui.hint("lain admin delete-bad-pod --dry-run # those of this namespace");
        }
        if self.exit_code && !answer.good { Err(Error::child(3)) } else { Ok(()) }
    }
}

/// How a cluster stands.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterAnswer {
    /// Shape of this result: 1.
    version: u32,
    /// Nothing is bad. What this account may not see is not known to be good.
    good: bool,
    /// The only namespace that the account may read; null where it may read all.
    namespace: Option<String>,
    /// Bad ones first.
    nodes: Vec<NodeAnswer>,
    /// How many pods there are.
    pods: usize,
    /// In how many namespaces.
    namespaces: usize,
    /// Pods that are bad and stay so, and Jobs that failed.
    bad: Vec<BadAnswer>,
    /// Rules of ingresses whose Service is not there.
    ingresses: Vec<RuleAnswer>,
    /// What could not be seen, and why: a line each.
    unseen: Vec<String>,
}

/// A node. CPU in thousandths of a core, memory in bytes.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeAnswer {
    name: String,
    good: bool,
    /// `Ready`, `NotReady: ...`, `DiskPressure`; with `cordoned` where it takes no new pods.
    state: String,
    /// What is used now; null where nobody says it.
    cpu_used: Option<u64>,
    /// What pods may use.
    cpu: u64,
    /// What is used now; null where nobody says it.
    memory_used: Option<u64>,
    /// What pods may use.
    memory: u64,
}

/// What is bad.
#[derive(JsonSchema, Serialize)]
struct BadAnswer {
    namespace: String,
    /// `pod`, `job`
    kind: &'static str,
    name: String,
    reason: String,
    message: String,
    /// Since when.
    since: Option<String>,
    #[serde(skip)]
    old: Option<i64>,
}

/// A rule that leads nowhere.
#[derive(JsonSchema, Serialize)]
struct RuleAnswer {
    namespace: String,
    ingress: String,
    /// Empty for every name.
    host: String,
    /// Empty for what no other rule takes.
    path: String,
    /// The Service that is not there.
    service: String,
}

impl From<NodeStand> for NodeAnswer {
    fn from(it: NodeStand) -> Self {
        let mut state = it.wrong.clone().unwrap_or_else(|| "Ready".to_owned());
        if it.is_cordoned {
            state += ", cordoned";
        }
        let (cpu_used, memory_used) = it.used.unzip();
        Self { good: it.wrong.is_none(), name: it.name, state, cpu_used, cpu: it.cpu, memory_used, memory: it.memory }
    }
}

impl ClusterAnswer {
    fn of(found: Overview, namespace: Option<String>) -> Self {
        let now = Timestamp::now().as_second();
        let nodes: Vec<NodeAnswer> = found.nodes.into_iter().map(NodeAnswer::from).collect();
        let bad = found.bad.into_iter().map(|(namespace, it)| BadAnswer {
            namespace,
            kind: if it.what == What::Job { "job" } else { "pod" },
            name: it.name,
            reason: it.reason,
            message: it.message,
            since: it.since.map(|since| since.to_string()),
            old: it.since.map(|since| now.saturating_sub(since.as_second())),
        });
        let rules = found.loose.into_iter();
        let ingresses: Vec<RuleAnswer> = rules
            .map(|(namespace, ingress, rule)| RuleAnswer { namespace, ingress, host: rule.host, path: rule.path, service: rule.service })
            .collect();
        let bad: Vec<BadAnswer> = bad.collect();
        let good = nodes.iter().all(|it| it.good) && bad.is_empty() && ingresses.is_empty();
        Self { version: 1, good, namespace, nodes, pods: found.pods, namespaces: found.namespaces, bad, ingresses, unseen: found.unseen }
    }

    fn summary(&self) -> [String; 3] {
        let count = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        let bad_nodes = self.nodes.iter().filter(|it| !it.good).count();
        [
            format!("{}, {bad_nodes} bad", count(self.nodes.len(), "node", "nodes")),
            format!("{} in {}, {} bad", count(self.pods, "pod", "pods"), count(self.namespaces, "namespace", "namespaces"), self.bad.len()),
            format!("{} without a Service", count(self.ingresses.len(), "rule of ingresses", "rules of ingresses")),
        ]
    }
}

impl Answer for ClusterAnswer {
    fn text(&self) -> String {
        let mut parts = vec![];
        if !self.nodes.is_empty() {
            let mut table = Table::new(["NODE", "STATUS", "CORES USED", "GIB USED"]);
            let cell = |used: Option<u64>, all: u64, write: fn(u64) -> String| {
                format!("{} of {}", used.map_or_else(|| "?".to_owned(), write), write(all))
            };
            for it in &self.nodes {
                table.row([
                    it.name.clone(),
                    it.state.clone(),
                    cell(it.cpu_used, it.cpu, in_cores),
                    cell(it.memory_used, it.memory, in_gib),
                ]);
            }
            table.narrow(&[0, 1]);
            parts.push(table.to_string());
        }
        if !self.bad.is_empty() {
            let mut table = Table::new(["NAMESPACE", "NAME", "WRONG", "SINCE"]);
            for it in &self.bad {
                let name = format!("{}/{}", it.kind, it.name);
                table.row([it.namespace.clone(), name, it.reason.clone(), it.old.map(age).unwrap_or_default()]);
            }
            table.narrow(&[0, 1]);
            parts.push(table.to_string());
        }
        if !self.ingresses.is_empty() {
            let mut table = Table::new(["NAMESPACE", "INGRESS", "HOST", "PATH", "NO SERVICE"]);
            for it in &self.ingresses {
                table.row([&it.namespace, &it.ingress, &it.host, &it.path, &it.service].map(Clone::clone));
            }
            table.narrow(&[0, 1, 2, 3, 4]);
            parts.push(table.to_string());
        }
        parts.join("\n").trim_end().to_owned()
    }
}
