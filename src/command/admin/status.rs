//! `lain admin status`: how the whole cluster stands.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::amounts::{in_cores, in_gib};
use crate::cluster::bad::What;
use crate::cluster::overview::{self, NodeStand, Overview};
use crate::error::{Error, Result};
use crate::model::duration::age;
use crate::panel::listing::{self, Line, Listed, Look, Why};
use crate::session::Session;
use crate::ui::{Answer, Table, columns, printable};

/// So often a terminal asks again.
const AGAIN: Duration = Duration::from_secs(15);

/// Show nodes with what they use, pods that are bad and stay so, ingresses that lead nowhere and addresses that do not answer, in all namespaces
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin status                    # on a terminal, again and again; ? shows its keys\n  lain admin status -s                 # printed once\n  lain admin status --exit-code        # 3 where something is bad\n  lain admin status -o json | jq .bad  # lain schema admin-status"
)]
pub(super) struct Status {
    // `-s` has meant "print once" here since the older tool; the global flag keeps its long name.
    /// Print it once, as where there is no terminal
    #[arg(short = 's', long)]
    simple: bool,
    /// Print it once, and end with exit code 3 when something is bad
    #[arg(long)]
    exit_code: bool,
    /// Print warnings and errors only
    #[arg(id = "silent", long = "silent")]
    _silent: bool,
}

impl Status {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let kubectl = session.kubectl()?;
        let (cluster, proxies) = (session.authority()?, session.proxies());
        let look = || {
            let found = overview::look(&kubectl, cluster, &proxies)?;
            let namespace = found.is_narrow.then(|| kubectl.namespace().to_owned());
            Ok(ClusterAnswer::of(found, namespace))
        };
        if !self.simple && !self.exit_code && session.ui.can_show_panel() {
            kubectl.begin();
            let place = session.cluster_name().map(|name| format!("cluster {name}")).unwrap_or_default();
            return listing::follow(&session.ui, &place, AGAIN, look);
        }
        let answer = look()?;
        answer.unseen().iter().for_each(|line| session.ui.warn(line));
        session.ui.answer(&answer)?;
        answer.summary().iter().for_each(|line| session.ui.say(line));
        let here = kubectl.namespace();
        if answer.bad.iter().any(|it| it.namespace == here) {
            session.ui.hint("lain admin delete-bad-pod --dry-run # those of this namespace");
        }
        if answer.ingresses.iter().any(|it| it.namespace == here) {
            session.ui.hint("lain admin delete-bad-ing --dry-run # those of this namespace");
        }
        if answer.unseen.iter().any(|line| line.contains("(403)")) {
            session.ui.hint("lain doctor rights # what this account may not; ask your administrator for it");
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
    /// Nothing is bad, and pods and Jobs were seen. Nodes and ingresses that the account may not see do not count.
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
    /// Addresses of all other rules that do not answer, or answer with 500 or more.
    addresses: Vec<AddressAnswer>,
    /// How many addresses were asked.
    asked: usize,
    /// What could not be seen, and why: a line each.
    unseen: Vec<String>,
    /// Nodes were seen.
    #[serde(skip)]
    sees_nodes: bool,
    /// Pods and Jobs were seen.
    #[serde(skip)]
    sees_pods: bool,
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

/// An address that does not answer.
#[derive(JsonSchema, Serialize)]
struct AddressAnswer {
    namespace: String,
    ingress: String,
    url: String,
    /// `503`, `connection refused`
    state: String,
}

impl From<NodeStand> for NodeAnswer {
    fn from(it: NodeStand) -> Self {
        let mut state = it.wrong.clone().unwrap_or_else(|| "Ready".to_owned());
        if it.is_cordoned {
            state += ", cordoned";
        }
        let (cpu_used, memory_used) = it.used;
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
        let silent = found.sites.bad.into_iter();
        let addresses: Vec<AddressAnswer> =
            silent.map(|(site, state)| AddressAnswer { namespace: site.namespace, ingress: site.ingress, url: site.url, state }).collect();
        let (asked, all) = (found.sites.asked, found.sites.all);
        let mut unseen = found.unseen;
        if asked < all {
            unseen.push(format!("addresses: {} of {all} could not be asked in the time there is", all - asked));
        }
        let (sees_nodes, sees_pods) = (found.sees_nodes, found.sees_pods);
        let good = sees_pods && nodes.iter().all(|it| it.good) && bad.is_empty() && ingresses.is_empty() && addresses.is_empty();
        let (pods, namespaces) = (found.pods, found.namespaces);
        Self { version: 1, good, namespace, nodes, pods, namespaces, bad, ingresses, addresses, asked, unseen, sees_nodes, sees_pods }
    }

    fn summary(&self) -> [String; 4] {
        let bad_nodes = self.nodes.iter().filter(|it| !it.good).count();
        let nodes = format!("{}, {bad_nodes} bad", count(self.nodes.len(), "node", "nodes"));
        let bad_pods = self.bad.iter().filter(|it| it.kind == "pod").count();
        let jobs = match self.bad.len() - bad_pods {
            0 => String::new(),
            jobs => format!("; {}", count(jobs, "bad Job", "bad Jobs")),
        };
        let namespaces = count(self.namespaces, "namespace", "namespaces");
        let pods = format!("{} in {namespaces}, {bad_pods} bad{jobs}", count(self.pods, "pod", "pods"));
        let addresses = match self.addresses.len() {
            0 if self.asked == 0 => String::new(),
            0 => ", all answer".to_owned(),
            1 => ", 1 does not answer".to_owned(),
            many => format!(", {many} do not answer"),
        };
        [
            if self.sees_nodes { nodes } else { "nodes were not seen".to_owned() },
            if self.sees_pods { pods } else { "pods and Jobs were not seen".to_owned() },
            format!("{} without a Service", count(self.ingresses.len(), "rule of ingresses", "rules of ingresses")),
            format!("{} asked{addresses}", count(self.asked, "address", "addresses")),
        ]
    }

    /// What was not seen, in words.
    fn unseen(&self) -> Vec<String> {
        let narrow = self.namespace.as_deref().map(super::of_one);
        narrow.into_iter().chain(self.unseen.iter().map(|line| format!("not to be seen: {line}"))).collect()
    }
}

fn count(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

impl NodeAnswer {
    fn cells(&self) -> [String; 4] {
        let cell = |used: Option<u64>, all: u64, write: fn(u64) -> String| {
            format!("{} of {}", used.map_or_else(|| "?".to_owned(), write), write(all))
        };
        let (cpu, memory) = (cell(self.cpu_used, self.cpu, in_cores), cell(self.memory_used, self.memory, in_gib));
        [self.name.clone(), self.state.clone(), cpu, memory]
    }

    fn why(&self) -> (Look, Why) {
        let [_, state, cpu, memory] = self.cells();
        let words = format!("{state}: {cpu} cores, {memory} GiB");
        let look = if self.good { Look::Good } else { Look::Bad };
        (look, Why { what: format!("node {}", self.name), words, next: Some(format!("kubectl describe node {}", self.name)) })
    }
}

impl BadAnswer {
    fn why(&self) -> (Look, Why) {
        let Self { namespace, kind, name, reason, message, .. } = self;
        let words = if message.is_empty() { reason.clone() } else { format!("{reason}: {message}") };
        let next = match &**reason {
            "CrashLoopBackOff" => format!("kubectl logs {name} --previous --tail 20 --namespace {namespace}"),
            _ => format!("kubectl describe {kind} {name} --namespace {namespace}"),
        };
        (Look::Bad, Why { what: format!("{namespace} {kind}/{name}"), words, next: Some(next) })
    }
}

impl RuleAnswer {
    fn why(&self) -> (Look, Why) {
        let Self { namespace, ingress, host, path, service } = self;
        let what = format!("{namespace} ingress/{ingress}: {host}{path} to {service}");
        let words = format!("service {service} is not in namespace {namespace}");
        (Look::Bad, Why { what, words, next: Some(format!("kubectl describe ingress {ingress} --namespace {namespace}")) })
    }
}

impl AddressAnswer {
    fn why(&self) -> (Look, Why) {
        let Self { namespace, ingress, url, state } = self;
        let words = format!("{state}: ingress/{ingress} in namespace {namespace}");
        (Look::Bad, Why { what: url.clone(), words, next: Some(format!("curl -kiI {}", shell_words::quote(url))) })
    }
}

/// The lines of a table, each row with what is to be said of it.
fn section<const COLUMNS: usize>(
    out: &mut Vec<Line>,
    cells: Option<usize>,
    names: &[usize],
    head: [&str; COLUMNS],
    rows: Vec<([String; COLUMNS], (Look, Why))>,
) {
    if rows.is_empty() {
        return;
    }
    let mut table = Table::new(head);
    let whys: Vec<(Look, Why)> = rows.into_iter().map(|(row, why)| (table.row(row), why).1).collect();
    if let Some(cells) = cells {
        table.narrow_to(cells, names);
    }
    if !out.is_empty() {
        out.push(Line { text: String::new(), look: Look::Quiet, why: None });
    }
    let table = table.to_string();
    let mut lines = table.lines().map(str::to_owned);
    out.extend(lines.next().map(|text| Line { text, look: Look::Head, why: None }));
    out.extend(lines.zip(whys).map(|(text, (look, why))| Line { text, look, why: Some(why) }));
}

impl ClusterAnswer {
    /// Its tables in a room of so many cells; none where nothing is cut.
    fn tables(&self, cells: Option<usize>) -> Vec<Line> {
        let mut out = vec![];
        // Good ones stand below all that is bad: there may be hundreds.
        let nodes = |out: &mut Vec<Line>, good: bool| {
            let rows = self.nodes.iter().filter(|it| it.good == good).map(|it| (it.cells(), it.why()));
            section(out, cells, &[0, 1], ["NODE", "STATUS", "CORES USED", "GIB USED"], rows.collect());
        };
        nodes(&mut out, false);
        let bad = self.bad.iter().map(|it| {
            let since = it.old.map(age).unwrap_or_default();
            ([it.namespace.clone(), format!("{}/{}", it.kind, it.name), it.reason.clone(), since], it.why())
        });
        section(&mut out, cells, &[0, 1], ["NAMESPACE", "NAME", "WRONG", "SINCE"], bad.collect());
        let any = |text: &String| if text.is_empty() { "*".to_owned() } else { text.clone() };
        let rules = self
            .ingresses
            .iter()
            .map(|it| ([it.namespace.clone(), it.ingress.clone(), any(&it.host), any(&it.path), it.service.clone()], it.why()));
        section(&mut out, cells, &[0, 1, 2, 3, 4], ["NAMESPACE", "INGRESS", "HOST", "PATH", "NO SERVICE"], rules.collect());
        let silent = self.addresses.iter().map(|it| ([&it.namespace, &it.url, &it.state].map(Clone::clone), it.why()));
        section(&mut out, cells, &[0, 1, 2], ["NAMESPACE", "ADDRESS", "ANSWERS"], silent.collect());
        nodes(&mut out, true);
        out
    }
}

impl Answer for ClusterAnswer {
    fn text(&self) -> String {
        self.tables(columns()).into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }
}

impl Listed for ClusterAnswer {
    fn title(&self) -> String {
        let nodes = self.nodes.iter().filter(|it| !it.good).count();
        let bad = [(nodes, "node", "nodes"), (self.bad.len(), "pod or Job", "pods and Jobs"), (self.ingresses.len(), "rule", "rules")];
        let bad = bad.into_iter().chain([(self.addresses.len(), "address", "addresses")]).filter(|(bad, ..)| *bad > 0);
        let bad: Vec<String> = bad.map(|(bad, one, many)| count(bad, one, many)).collect();
        let words = match (bad.is_empty(), self.sees_pods) {
            (false, _) => format!("bad: {}", bad.join(", ")),
            (true, true) => {
                format!("nothing is bad of {} in {}", count(self.pods, "pod", "pods"), count(self.namespaces, "namespace", "namespaces"))
            }
            (true, false) => "pods are not to be seen".to_owned(),
        };
        self.namespace.iter().map(|name| format!("namespace {name}")).chain([words]).collect::<Vec<_>>().join("  ")
    }

    fn lines(&self, cells: usize) -> Vec<Line> {
        let mut lines = self.tables(Some(cells));
        let quiet = |words: String| {
            let why = Why { what: words.clone(), words: words.clone(), next: None };
            Line { text: printable(&words), look: Look::Quiet, why: Some(why) }
        };
        lines.extend(self.unseen().into_iter().map(quiet));
        lines
    }
}
