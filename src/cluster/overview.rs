//! How a whole cluster stands: its nodes, what is bad and stays so in any namespace, ingresses that lead nowhere, and addresses that do not answer. Held is
//! what may be bad, and of the rest no more than one page.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value as Json;

use super::backends::{Rule, loose};
use super::bad::{Bad, bad, may_be_bad};
use super::everywhere::{self, Seen};
use super::objects::{Condition, Job, Metadata, Named, Object, Pod, or_empty};
use super::sites::{self, Asked};
use super::usage::{Both, both};
use crate::error::Result;
use crate::http::prometheus::{self, Query};
use crate::http::proxy::Proxies;
use crate::model::cluster::Cluster;
use crate::model::quantity::Quantity;
use crate::tools::call::Stop;
use crate::tools::kubectl::Kubectl;
use crate::tools::raw::{Answered, Method};
use crate::tools::server::is_forbidden;

/// Objects of one answer.
const PAGE: u32 = 200;
/// How long the question for usage may take, which can be done without.
const USAGE: Duration = Duration::from_secs(5);
/// What a node cannot do its work with.
const PRESSURES: [&str; 4] = ["MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable"];

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeStand {
    /// Its name.
    pub name: String,
    /// What is wrong with it; none where nothing is.
    pub wrong: Option<String>,
    /// It takes no new pods.
    pub is_cordoned: bool,
    /// For pods, in thousandths of a core.
    pub cpu: u64,
    /// For pods, in bytes.
    pub memory: u64,
    /// What is used of both now, where somebody says it.
    pub used: Both,
}

/// How the cluster stands.
#[derive(Debug, Default)]
pub(crate) struct Overview {
    /// Its nodes, bad ones first.
    pub nodes: Vec<NodeStand>,
    /// How many pods there are.
    pub pods: usize,
    /// In how many namespaces.
    pub namespaces: usize,
    /// What is bad, with its namespace.
    pub bad: Vec<(String, Bad)>,
    /// Rules that lead nowhere: namespace, ingress, rule.
    pub loose: Vec<(String, String, Rule)>,
    /// What came of asking the addresses of all other rules.
    pub sites: Asked,
    /// What could not be seen, and why: a line each.
    pub unseen: Vec<String>,
    /// The account may read one namespace alone.
    pub is_narrow: bool,
    /// Nodes were seen.
    pub sees_nodes: bool,
    /// Pods and Jobs were seen.
    pub sees_pods: bool,
}

/// What was seen of one kind; none where nobody may look.
type Looked<T> = Result<Option<(Seen, T)>>;

/// Asks everything at once.
///
/// # Errors
/// The cluster does not answer, or Ctrl-C.
pub(crate) fn look(kubectl: &Kubectl<'_>, cluster: &Cluster, proxies: &Proxies) -> Result<Overview> {
    let prometheus = cluster.prometheus.as_deref();
    std::thread::scope(|scope| {
        let nodes = scope.spawn(|| nodes(kubectl));
        let used = scope.spawn(|| used(kubectl, prometheus, proxies));
        let jobs = scope.spawn(|| jobs(kubectl));
        let rules = scope.spawn(|| rules(kubectl, cluster, proxies));
        let pods = pods(kubectl);
        let gone = "a question ended";
        let (nodes, jobs, rules) = (nodes.join().expect(gone), jobs.join().expect(gone), rules.join().expect(gone));
        let used = used.join().expect(gone);
        crate::interrupt::check()?;
        let mut found = Overview::default();
        let (nodes, pods, jobs) = (found.take("nodes", nodes?), found.take("pods", pods?), found.take("jobs", jobs?));
        (found.sees_nodes, found.sees_pods) = (nodes.is_some(), pods.is_some() && jobs.is_some());
        let nodes = nodes.unwrap_or_default();
        let (mut objects, namespaces, count) = pods.unwrap_or_default();
        for (namespace, job) in jobs.unwrap_or_default() {
            objects.entry(namespace).or_default().push(Object::Job(job));
        }
        (found.loose, found.sites) = found.take("ingresses and services", rules?).unwrap_or_default();
        (found.pods, found.namespaces) = (count, namespaces.len());
        let now = Timestamp::now();
        found.bad = objects.iter().flat_map(|(namespace, all)| bad(all, &[], now).into_iter().map(|it| (namespace.clone(), it))).collect();
        let used = used.unwrap_or_else(|why| {
            found.unseen.push(why);
            BTreeMap::new()
        });
        found.nodes = nodes.into_iter().map(|node| node.stand(&used)).collect();
        found.nodes.sort_by(|a, b| (a.wrong.is_none(), &a.name).cmp(&(b.wrong.is_none(), &b.name)));
        Ok(found)
    })
}

impl Overview {
    fn take<T>(&mut self, what: &str, looked: Option<(Seen, T)>) -> Option<T> {
        let Some((seen, found)) = looked else {
            self.unseen.push(format!("{what}: this account may not list them (403)"));
            return None;
        };
        self.is_narrow |= seen == Seen::One;
        Some(found)
    }
}

/// What nobody may look at is none.
fn allowed<T>(seen: Result<Seen>, found: T) -> Looked<T> {
    match seen {
        Ok(seen) => Ok(Some((seen, found))),
        Err(error) if is_forbidden(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

type Pods = (BTreeMap<String, Vec<Object>>, BTreeSet<String>, usize);

/// Those that may be bad, by namespace; all namespaces; how many.
fn pods(kubectl: &Kubectl<'_>) -> Looked<Pods> {
    let mut found = Pods::default();
    let seen = everywhere::each(kubectl, "pods", "", PAGE, |pod: Pod| {
        found.2 += 1;
        found.1.insert(pod.metadata.namespace.clone());
        let (namespace, is_over) = (pod.metadata.namespace.clone(), pod.status.phase == "Succeeded");
        let pod = Object::Pod(pod);
        if !is_over && may_be_bad(&pod) {
            found.0.entry(namespace).or_default().push(pod);
        }
    });
    allowed(seen, found)
}

fn jobs(kubectl: &Kubectl<'_>) -> Looked<Vec<(String, Job)>> {
    let mut found = vec![];
    let seen = everywhere::each(kubectl, "jobs", "", PAGE, |job: Job| {
        if job.status.conditions.iter().all(|it| it.what != "Complete" || it.status != "True") {
            found.push((job.metadata.namespace.clone(), job));
        }
    });
    allowed(seen, found)
}

/// Rules that lead nowhere: namespace, ingress, rule; and how the addresses of all others answer.
type Rules = (Vec<(String, String, Rule)>, Asked);

fn rules(kubectl: &Kubectl<'_>, cluster: &Cluster, proxies: &Proxies) -> Looked<Rules> {
    let mut services: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    // A list of ingresses comes first: a Service that is made meanwhile is there then.
    let mut all: Vec<Json> = vec![];
    let seen = everywhere::each(kubectl, "ingresses", "", PAGE, |mut it: Json| {
        let head = serde_json::json!({"name": it["metadata"]["name"], "namespace": it["metadata"]["namespace"]});
        all.push(serde_json::json!({"metadata": head, "spec": it["spec"].take()}));
    });
    let also = everywhere::each(kubectl, "services", "", PAGE, |it: Named| {
        services.entry(it.metadata.namespace).or_default().insert(it.metadata.name);
    });
    let seen = match (seen, also) {
        // Of other namespaces' Services nothing is known where one kind alone may be read everywhere.
        (Ok(one), Ok(other)) if one != other => return Ok(None),
        (Ok(seen), Ok(_)) => seen,
        (seen, also) => return allowed(seen.and(also), Rules::default()),
    };
    let (none, mut found, mut addresses) = (BTreeSet::new(), vec![], vec![]);
    for ingress in all {
        let named = |key: &str| ingress["metadata"][key].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (named("namespace"), named("name"));
        let rest = match loose(&ingress, services.get(&namespace).unwrap_or(&none)) {
            Some(loose) => {
                found.extend(loose.rules.into_iter().map(|rule| (namespace.clone(), name.clone(), rule)));
                loose.rest
            }
            None => Some(ingress),
        };
        addresses.extend(rest.iter().flat_map(|rest| sites::of(rest, cluster)));
    }
    Ok(Some((seen, (found, sites::ask(proxies, addresses)))))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Node {
    metadata: Metadata,
    spec: NodeSpec,
    #[serde(deserialize_with = "or_empty")]
    status: NodeStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeSpec {
    unschedulable: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeStatus {
    #[serde(deserialize_with = "or_empty")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "or_empty")]
    allocatable: BTreeMap<String, Json>,
    #[serde(deserialize_with = "or_empty")]
    addresses: Vec<Address>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    address: String,
}

fn nodes(kubectl: &Kubectl<'_>) -> Looked<Vec<Node>> {
    let mut found = vec![];
    let seen = everywhere::each(kubectl, "nodes", "", PAGE, |node: Node| found.push(node));
    allowed(seen, found)
}

impl Node {
    fn stand(self, used: &BTreeMap<String, Both>) -> NodeStand {
        let conditions = &self.status.conditions;
        let ready = conditions.iter().find(|it| it.what == "Ready");
        let mut wrong = vec![];
        match ready {
            Some(it) if it.status == "True" => {}
            Some(it) if it.status == "Unknown" => wrong.push("NotReady: its kubelet does not report".to_owned()),
            Some(it) => wrong.push(format!("NotReady: {}", it.reason)),
            None => wrong.push("NotReady".to_owned()),
        }
        wrong.extend(
            PRESSURES.iter().filter(|what| conditions.iter().any(|it| it.what == **what && it.status == "True")).map(|it| (*it).to_owned()),
        );
        let room = |what: &str| self.status.allocatable.get(what).and_then(|it| Quantity::of_json(it).ok()).unwrap_or_default();
        let names = std::iter::once(&self.metadata.name).chain(self.status.addresses.iter().map(|it| &it.address));
        NodeStand {
            wrong: (!wrong.is_empty()).then(|| wrong.join(", ")),
            is_cordoned: self.spec.unschedulable,
            cpu: room("cpu").millis(),
            memory: room("memory").bytes(),
            used: names.into_iter().find_map(|name| used.get(name)).copied().unwrap_or_default(),
            name: self.metadata.name,
        }
    }
}

/// What nodes use now, by their names or addresses: by the metrics server, or by Prometheus where there is none. Else why nobody knows.
fn used(kubectl: &Kubectl<'_>, prometheus: Option<&str>, proxies: &Proxies) -> Result<BTreeMap<String, Both>, String> {
    let metrics = kubectl.at(Method::Get, "/apis/metrics.k8s.io/v1beta1/nodes", None, &Stop::within(USAGE));
    if let Ok(Answered::Object(list)) = &metrics {
        let of = |node: &Json, what: &str| Quantity::of_json(&node["usage"][what]).ok();
        let one = |node: &Json| {
            Some((
                node["metadata"]["name"].as_str()?.to_owned(),
                (of(node, "cpu").map(Quantity::millis), of(node, "memory").map(Quantity::bytes)),
            ))
        };
        return Ok(list["items"].as_array().into_iter().flatten().filter_map(one).collect());
    }
    let Some(base) = prometheus.filter(|base| !base.trim().is_empty()) else {
        return Err(match metrics {
            Ok(Answered::Forbidden) => "usage: this account may not see metrics of nodes (403)".to_owned(),
            _ => "usage: the cluster has no metrics server, or it does not answer".to_owned(),
        });
    };
    let queries = vec![
        Query::Now("sum by (node, instance) (rate(container_cpu_usage_seconds_total{id=\"/\"}[5m])) * 1000".to_owned()),
        Query::Now("sum by (node, instance) (container_memory_working_set_bytes{id=\"/\"})".to_owned()),
    ];
    let answers = prometheus::ask_with_labels(proxies, base, queries, USAGE)
        .map_err(|error| format!("usage: the cluster's metrics do not come, and neither do Prometheus': {error}"))?;
    let found = both(&answers, |labels| {
        let host = || labels["instance"].as_str().map(|instance| instance.rsplit_once(':').map_or(instance, |(host, _)| host));
        labels["node"].as_str().or_else(host)
    });
    if found.is_empty() {
        return Err(
            "usage: the cluster has no metrics server, and Prometheus nothing of nodes (cAdvisor's series with id=\"/\")".to_owned()
        );
    }
    Ok(found)
}
