//! What the Deployments and `StatefulSets` of a cluster ask for, against what they used: two lists and two questions to Prometheus, however many there are.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value as Json;

use super::everywhere::{self, Seen};
use super::objects::{INSTANCE, Metadata, NAME, or_empty};
use super::usage::{CPU, MEMORY, Metric, NAME_KEPT, last_of, series};
use crate::error::{Error, Kind, Result};
use crate::http::prometheus::{self, Labelled, Query};
use crate::http::proxy::Proxies;
use crate::model::changes::HELM_RELEASE;
use crate::model::quantity::Quantity;
use crate::tools::kubectl::Kubectl;

/// Workloads of one answer.
const PAGE: u32 = 200;
/// The longest that Prometheus may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// A range is looked at so often. A prime, so that what happens each hour is not met each time, or never.
const STEPS: u64 = 61;
/// What Kubernetes makes hashes and random ends of names from.
const RANDOM: &str = "bcdfghjklmnpqrstvwxz2456789";
/// From so long a name on, the hash in a pod's name may be cut.
const NAME_CUT: usize = NAME_KEPT - 12;

/// So much is asked for, and so much used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// By all pods together.
    pub asked: u64,
    /// By all pods together, the 95th percentile over the range; none where that is not known.
    pub used: Option<u64>,
}

impl Amount {
    /// What was asked for and not used; none where that is not known.
    pub(crate) fn unused(self) -> Option<u64> {
        Some(self.asked.saturating_sub(self.used?))
    }
}

/// A Deployment or a `StatefulSet` that has pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    /// Where it is.
    pub namespace: String,
    /// Its release; where helm did not make it, its app, or itself.
    pub app: String,
    /// Its name within that.
    pub process: String,
    /// `deployment`, `statefulset`
    pub kind: &'static str,
    /// Its own name.
    pub name: String,
    /// How many pods.
    pub replicas: u64,
    /// In thousandths of a core.
    pub cpu: Amount,
    /// In bytes.
    pub memory: Amount,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// How far was seen.
    pub seen: Seen,
    /// In the order of the server's lists.
    pub askers: Vec<Asker>,
    /// Why the usage of CPU, or of memory, is not known.
    pub failed: Vec<Error>,
}

/// What is asked for, and what was used of it within `range`. Prometheus is asked beside the cluster.
///
/// # Errors
/// The cluster does not answer, Prometheus answers neither question, or Ctrl-C.
pub(crate) fn look(kubectl: &Kubectl<'_>, proxies: &Proxies, base: &str, range: Duration) -> Result<Found> {
    let ask = |metric: Metric| {
        let answer = prometheus::ask_with_labels(proxies, base, vec![Query::Now(over(range, metric))], PATIENCE);
        let answer = answer.map_err(|error| if error.kind() == Kind::Failed { error.hint(prometheus::NO_ANSWER) } else { error })?;
        let of = metric.0;
        let used = Used::of(&answer.into_iter().flatten().collect::<Vec<_>>());
        if used.0.is_empty() {
            return Err(Error::failed(format!("Prometheus has no {of} by namespace and pod of that time"))
                .hint("does it scrape the kubelets (/metrics/cadvisor), with the labels namespace, pod and container?")
                .hint("--period 7d # where it keeps less than that time"));
        }
        Ok(used)
    };
    std::thread::scope(|scope| {
        let cpu = scope.spawn(|| ask(CPU));
        let memory = scope.spawn(|| ask(MEMORY));
        let listed = list(kubectl);
        let ended = |_| Err(Error::failed("the question to Prometheus ended"));
        let (cpu, memory) = (cpu.join().unwrap_or_else(ended), memory.join().unwrap_or_else(ended));
        crate::interrupt::check()?;
        let (seen, mut askers) = listed?;
        let (cpu, memory, failed) = match (cpu, memory) {
            (Err(error), Err(_)) => return Err(error.context("it is not known what was used")),
            (Err(error), Ok(memory)) => (Used::default(), memory, vec![error.context("it is not known how much CPU was used")]),
            (Ok(cpu), Err(error)) => (cpu, Used::default(), vec![error.context("it is not known how much memory was used")]),
            (Ok(cpu), Ok(memory)) => (cpu, memory, vec![]),
        };
        let whose = Cut::of(&askers);
        for asker in &mut askers {
            asker.cpu.used = cpu.by(asker, &whose);
            asker.memory.used = memory.by(asker, &whose);
        }
        Ok(Found { seen, askers, failed })
    })
}

/// The 95th percentile over the range of what the pods of each workload use together. Pods' names tell whose they are: the label `workload` is
/// `/NAME/` for a Deployment, `//NAME` for a `StatefulSet`, and `START//` where a name was too long to be kept whole. One pattern, and one sum at each step:
/// Prometheus' time goes there.
fn over(range: Duration, metric: Metric) -> String {
    let factor = if metric == CPU { " * 1000" } else { "" }; // in thousandths of a core
    let step = (range.as_secs() / STEPS).max(1);
    let pattern = format!("(.{{{NAME_KEPT}}})[{RANDOM}]{{5}}|(.+)-[{RANDOM}]{{6,10}}-[{RANDOM}]{{5}}|(.+)-[0-9]{{1,4}}");
    let [now, before] = series(metric, |_| String::new());
    let of = |pods: String, label: &str| {
        format!("sum by (namespace, workload) (label_replace({pods}, \"workload\", \"$1/$2/$3\", \"{label}\", \"{pattern}\"))")
    };
    let all = format!("{} or {}", of(now, "pod"), of(before, "pod_name"));
    format!("quantile_over_time(0.95, ({all})[{}s:{step}s]){factor}", range.as_secs())
}

/// Namespace and workload to what it used.
#[derive(Debug, Default)]
struct Used(HashMap<(String, String), u64>);

impl Used {
    /// What nothing can have used is left out.
    fn of(answer: &[Labelled]) -> Self {
        let one = |(labels, series): &Labelled| {
            let label = |key: &str| labels[key].as_str().map(str::to_owned);
            Some(((label("namespace")?, label("workload")?), last_of(series)?))
        };
        Self(answer.iter().filter_map(one).collect())
    }

    fn by(&self, asker: &Asker, cut: &Cut) -> Option<u64> {
        let of = |workload: String| self.0.get(&(asker.namespace.clone(), workload)).copied();
        let whole = of(if asker.kind == "deployment" { format!("/{}/", asker.name) } else { format!("//{}", asker.name) });
        if asker.kind != "deployment" || asker.name.len() < NAME_CUT {
            return whole;
        }
        // Each state of its template has another hash, and they follow one another.
        let starts = self.0.iter().filter(|((namespace, workload), _)| {
            *namespace == asker.namespace && workload.strip_suffix("//").is_some_and(|start| cut.is_of(asker, start))
        });
        whole.max(starts.map(|(_, used)| *used).max())
    }
}

/// Which starts of long names are of several Deployments: then nobody knows whose a pod is.
struct Cut(BTreeMap<(String, String), usize>);

impl Cut {
    fn of(askers: &[Asker]) -> Self {
        let mut known = BTreeMap::new();
        for (asker, start) in askers.iter().filter_map(|asker| Some((asker, asker.name.get(..NAME_KEPT)?))) {
            *known.entry((asker.namespace.clone(), start.to_owned())).or_default() += 1;
        }
        Self(known)
    }

    fn is_of(&self, asker: &Asker, start: &str) -> bool {
        if asker.name.len() >= NAME_KEPT {
            return asker.name.starts_with(start) && self.0.get(&(asker.namespace.clone(), start.to_owned())) == Some(&1);
        }
        let hash = start.strip_prefix(&*asker.name).and_then(|rest| rest.strip_prefix('-'));
        hash.is_some_and(|hash| hash.trim_end_matches('-').chars().all(|c| RANDOM.contains(c)))
    }
}

/// Everything that has pods.
fn list(kubectl: &Kubectl<'_>) -> Result<(Seen, Vec<Asker>)> {
    let mut askers: Vec<Asker> = vec![];
    let mut all = Seen::All;
    for (kinds, kind) in [("deployments", "deployment"), ("statefulsets", "statefulset")] {
        let seen = everywhere::each(kubectl, kinds, "", PAGE, |it: Workload| askers.extend(it.asker(kind)))?;
        if seen == Seen::One {
            all = Seen::One;
        }
    }
    // A list that was begun anew has some twice.
    askers.sort_by(|a, b| (&a.namespace, a.kind, &a.name).cmp(&(&b.namespace, b.kind, &b.name)));
    askers.dedup_by(|a, b| (&a.namespace, a.kind, &a.name) == (&b.namespace, b.kind, &b.name));
    Ok((all, askers))
}

/// As far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Workload {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    replicas: Option<u64>,
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    #[serde(deserialize_with = "or_empty")]
    init_containers: Vec<Container>,
    #[serde(deserialize_with = "or_empty")]
    containers: Vec<Container>,
    /// Of the pod as a whole, which newer clusters know.
    #[serde(deserialize_with = "or_empty")]
    resources: Resources,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    #[serde(deserialize_with = "or_empty")]
    resources: Resources,
    restart_policy: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resources {
    #[serde(deserialize_with = "or_empty")]
    requests: BTreeMap<String, Json>,
    #[serde(deserialize_with = "or_empty")]
    limits: BTreeMap<String, Json>,
}

impl Resources {
    /// Who sets a limit alone asks for that.
    fn asks(&self, what: &str) -> Option<Quantity> {
        self.requests.get(what).or_else(|| self.limits.get(what)).and_then(|it| Quantity::of_json(it).ok())
    }
}

impl PodSpec {
    /// What a node keeps free for a pod: its containers run beside each other, after those of its start.
    fn asks(&self, what: &str) -> Quantity {
        if let Some(all) = self.resources.asks(what) {
            return all;
        }
        let (beside, before): (Vec<&Container>, Vec<&Container>) =
            self.init_containers.iter().partition(|it| it.restart_policy.as_deref() == Some("Always"));
        let asks = |it: &&Container| it.resources.asks(what);
        let running: Quantity = self.containers.iter().chain(beside).filter_map(|it| asks(&it)).sum();
        before.iter().filter_map(asks).fold(running, Quantity::max)
    }
}

impl Workload {
    fn asker(self, kind: &'static str) -> Option<Asker> {
        let replicas = self.spec.replicas.unwrap_or(1);
        let pod = self.spec.template.spec;
        let head = self.metadata;
        let amount = |one: u64| Amount { asked: one.saturating_mul(replicas), used: None };
        let labelled = Some(head.label(NAME)).filter(|name| !name.is_empty());
        let app = head.annotation(HELM_RELEASE).or(labelled).unwrap_or(&head.name).to_owned();
        let part = |name: &str| name.strip_prefix(&*app)?.strip_prefix('-').filter(|part| !part.is_empty()).map(str::to_owned);
        let process = part(&head.name).or_else(|| part(head.label(INSTANCE))).unwrap_or_else(|| head.name.clone());
        (replicas > 0).then(|| Asker {
            cpu: amount(pod.asks("cpu").millis()),
            memory: amount(pod.asks("memory").bytes()),
            namespace: head.namespace,
            name: head.name,
            app,
            process,
            kind,
            replicas,
        })
    }
}
