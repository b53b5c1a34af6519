//! What processes use: by Prometheus' record of them, and by `kubectl top` now.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value as Json;

use crate::error::Result;
use crate::http::prometheus::{self, Labelled, Query, Series};
use crate::http::proxy::Proxies;
use crate::model::app::ProcKind;
use crate::model::name::is_label;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::is_forbidden;
use crate::tools::usage::PodUsage;

/// All answers together may take so long.
const PATIENCE: Duration = Duration::from_secs(20);
/// A range is looked at in so many steps.
const STEPS: u64 = 1440;
/// The longest start of a pod's name that Kubernetes keeps before its own random end.
pub(super) const NAME_KEPT: usize = 58;
/// Less CPU is not told apart, in thousandths of a core.
pub(crate) const CPU_FLOOR: u64 = 5;

/// How long Prometheus may take to say what is used now.
const NOW: Duration = Duration::from_secs(3);

/// What pods use now, and who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Now {
    /// The cluster's metrics server.
    Metrics(Vec<PodUsage>),
    /// Prometheus, where there is no metrics server.
    Prometheus(Vec<PodUsage>),
    /// Nobody: why not, in a line.
    Unknown(String),
}

impl Now {
    /// Of each pod that somebody tells of.
    pub(crate) fn pods(&self) -> &[PodUsage] {
        match self {
            Self::Metrics(pods) | Self::Prometheus(pods) => pods,
            Self::Unknown(_) => &[],
        }
    }
}

/// Whom to ask for what is used now.
#[derive(Clone, Debug)]
pub(crate) struct Meter<'a> {
    /// The release, a DNS label: its pods' names begin with it.
    pub release: &'a str,
    /// Selects its pods.
    pub selector: &'a str,
    /// Prometheus, where the cluster's values name one.
    pub prometheus: Option<&'a str>,
    /// The namespace of the pods.
    pub namespace: Option<&'a str>,
    /// How Prometheus is reached.
    pub proxies: &'a Proxies,
}

impl Meter<'_> {
    /// What the pods use now: by the metrics server, or by Prometheus where there is none.
    pub(crate) fn read(&self, kubectl: &Kubectl<'_>) -> Now {
        let error = match kubectl.top_pods(self.selector) {
            Ok(pods) => return Now::Metrics(pods),
            Err(error) => error,
        };
        match self.of_prometheus() {
            Some(Ok(pods)) if pods.is_empty() => Now::Unknown("no usage: Prometheus has nothing of these pods".to_owned()),
            Some(Ok(pods)) => Now::Prometheus(pods),
            Some(Err(why)) => Now::Unknown(format!("no usage: the cluster's metrics do not come, and neither do Prometheus': {why}")),
            None if is_forbidden(&error) => Now::Unknown("not to be seen: this account may not list pod metrics (403)".to_owned()),
            None => Now::Unknown("no usage: the cluster has no metrics server, or it does not answer".to_owned()),
        }
    }

    fn of_prometheus(&self) -> Option<Result<Vec<PodUsage>>> {
        let base = self.prometheus.filter(|base| !base.trim().is_empty())?;
        let queries = of_release(self.release, self.namespace)?.map(Query::Now).to_vec();
        let pod = |(name, (cpu, memory))| PodUsage { name, cpu, memory };
        let answers = prometheus::ask_with_labels(self.proxies, base, queries, NOW);
        Some(answers.map(|answers| both(&answers, |labels| labels["pod"].as_str()).into_iter().map(pod).collect()))
    }
}

/// A metric of cAdvisor's, of containers: its name, and what is taken of it.
pub(super) type Metric = (&'static str, &'static str, &'static str);
/// In cores.
pub(super) const CPU: Metric = ("container_cpu_usage_seconds_total", "rate(", "[5m])");
/// In bytes.
pub(super) const MEMORY: Metric = ("container_memory_working_set_bytes", "", "");

/// A metric of the containers of pods, by the labels that a kubelet writes since Kubernetes 1.14 and by those of before. Sums of a pod, which have an empty
/// name there, and pause containers are left out. `matchers` gets the name of the label that has the pod.
pub(super) fn series((name, start, end): Metric, matchers: impl Fn(&str) -> String) -> [String; 2] {
    let of = |matchers: String, more: &str| format!("{start}{name}{{{matchers}{more}}}{end}");
    [
        of(matchers("pod"), "container!=\"\",container!=\"POD\""),
        of(matchers("pod_name"), "container=\"\",container_name!=\"\",container_name!=\"POD\""),
    ]
}

/// The sum of each pod.
fn by_pod(metric: Metric, matchers: impl Fn(&str) -> String) -> String {
    let [now, before] = series(metric, matchers);
    format!("sum by (pod) ({now}) or sum by (pod) (label_replace({before}, \"pod\", \"$1\", \"pod_name\", \"(.+)\"))")
}

/// What each pod of a release uses now: the query for CPU, in thousandths of a core, and that for memory, in bytes. None for a release whose name is none.
pub(crate) fn of_release(release: &str, namespace: Option<&str>) -> Option<[String; 2]> {
    let namespace = namespace.filter(|namespace| is_label(namespace));
    let of = |metric| by_pod(metric, |pod| own(vec![format!("{pod}=~\"{release}-.+\"")], namespace));
    is_label(release).then(|| [format!("({}) * 1000", of(CPU)), of(MEMORY)])
}

/// Matchers that others follow.
fn own(mut matchers: Vec<String>, namespace: Option<&str>) -> String {
    matchers.extend(namespace.map(|namespace| format!("namespace=\"{namespace}\"")));
    matchers.push(String::new());
    matchers.join(",")
}

/// The last value of a series, rounded; none for what nothing can use.
pub(super) fn last_of(series: &Series) -> Option<u64> {
    series.last().map(|(_, value)| *value).filter(|value| (0.0..1e18).contains(value)).map(|value| to_whole(value.round()))
}

/// CPU and memory; none where nobody says it.
pub(super) type Both = (Option<u64>, Option<u64>);

/// CPU and memory, the two answers, by the name that labels have; what nothing can use is left out.
pub(super) fn both(answers: &[Vec<Labelled>], name: fn(&Json) -> Option<&str>) -> BTreeMap<String, Both> {
    let mut found: BTreeMap<String, Both> = BTreeMap::new();
    for (at, (labels, series)) in answers.iter().enumerate().flat_map(|(at, answer)| answer.iter().map(move |one| (at, one))) {
        let Some((name, value)) = name(labels).zip(last_of(series)) else { continue };
        let used = found.entry(name.to_owned()).or_default();
        *(if at == 0 { &mut used.0 } else { &mut used.1 }) = Some(value);
    }
    found
}

/// A process of a release. Its name and the release's are DNS labels: they go into queries as they are.
#[derive(Clone, Debug)]
pub(crate) struct Process<'a> {
    /// Of which kind.
    pub kind: ProcKind,
    /// The release.
    pub release: &'a str,
    /// Its name.
    pub name: &'a str,
    /// All processes of the release.
    pub siblings: &'a [&'a str],
}

/// Where to ask, and for which time.
#[derive(Clone, Debug)]
pub(crate) struct Record<'a> {
    /// The address of Prometheus.
    pub base: &'a str,
    /// The cluster's own query for CPU, in thousandths of a core.
    pub cpu: Option<&'a str>,
    /// The cluster's own query for memory, in bytes.
    pub memory: Option<&'a str>,
    /// The namespace of the pods.
    pub namespace: Option<&'a str>,
    /// The range as Prometheus writes it: `7d`.
    pub range: &'a str,
    /// Its length.
    pub length: Duration,
    /// Its end, since 1970.
    pub now: Duration,
}

/// What was used; none where that is not known, or not to be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// The 95th percentile, in thousandths of a core.
    pub cpu: Option<u64>,
    /// The quantile, in bytes.
    pub memory: Option<u64>,
}

/// What is known of one process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What it used.
    pub used: Used,
    /// There is a record of its CPU, to be trusted or not.
    pub has_cpu: bool,
    /// What was answered that nothing can have used; the other processes' answers stand.
    pub lie: Option<String>,
}

impl Record<'_> {
    /// What these processes used, in their order.
    ///
    /// # Errors
    /// Not all of it was answered in time, or Ctrl-C.
    pub(crate) fn ask(&self, proxies: &Proxies, processes: &[Process<'_>]) -> Result<Vec<Seen>> {
        let step = Duration::from_secs((self.length.as_secs() / STEPS).max(1));
        let mut queries = vec![];
        for process in processes {
            let expression = self.own(self.cpu, process).unwrap_or_else(|| self.usual_cpu(process));
            queries.push(Query::Over { expression, start: self.now.saturating_sub(self.length), end: self.now, step });
            queries.push(Query::Now(self.own(self.memory, process).unwrap_or_else(|| self.usual_memory(process, step))));
        }
        let answers = prometheus::ask(proxies, self.base, queries, PATIENCE)?;
        Ok(processes.iter().zip(answers.chunks(2)).map(|(process, answers)| seen(process, answers)).collect())
    }

    /// The cluster's own query for a process.
    fn own(&self, template: Option<&str>, process: &Process<'_>) -> Option<String> {
        let template = template.map(str::trim).filter(|template| !template.is_empty())?;
        Some(fill(template, &[("appname", process.release), ("proc_name", process.name), ("range", self.range)]))
    }

    /// By cAdvisor's metrics, of the pod that uses most, so that one that is out of step counts.
    fn usual_cpu(&self, process: &Process<'_>) -> String {
        format!("max({}) * 1000", series(CPU, |pod| self.pods(process, pod)).join(" or "))
    }

    fn usual_memory(&self, process: &Process<'_>, step: Duration) -> String {
        let most = series(MEMORY, |pod| self.pods(process, pod)).join(" or ");
        format!("quantile_over_time(0.95, max({most})[{}:{}s])", self.range, step.as_secs())
    }

    /// The label matchers of a process' containers; `pod` is the label with the pod. Names are DNS labels, so they need no escapes.
    fn pods(&self, process: &Process<'_>, pod: &str) -> String {
        let full = format!("{}-{}", process.release, process.name);
        let pattern = match process.kind {
            ProcKind::StatefulSet => format!("{full}-[0-9]+"),
            // Here Kubernetes may cut the name to make room for `-HASH-` and its random end.
            _ if full.len() > NAME_KEPT - 12 => format!("{}[0-9a-z-]*", &full[..full.len().min(NAME_KEPT)]),
            ProcKind::CronJob => format!("{full}-[0-9]+-[0-9a-z]+"),
            _ => format!("{full}-[0-9a-z]+(-[0-9a-z]+)?"),
        };
        let mut matchers = vec![format!("{pod}=~\"{pattern}\"")];
        // `web` is not `web-api`, whose pods start alike.
        let longer: Vec<&str> = process
            .siblings
            .iter()
            .filter_map(|name| name.strip_prefix(process.name)?.strip_prefix('-').filter(|_| is_label(name)))
            .collect();
        if !longer.is_empty() {
            matchers.push(format!("{pod}!~\"{full}-({})(-.*)?\"", longer.join("|")));
        }
        own(matchers, self.namespace.filter(|namespace| is_label(namespace)))
    }
}

fn seen(process: &Process<'_>, answers: &[Vec<Series>]) -> Seen {
    let [cpu_series, memory_series] = answers else { return Seen::default() };
    let (cpu, memory) = (cpu_percentile(cpu_series), memory_top(memory_series));
    let lies = cpu.as_ref().err().or(memory.as_ref().err()).map(|why| format!("{}: {why}", process.name));
    let used = Used { cpu: cpu.unwrap_or_default(), memory: memory.unwrap_or_default() };
    Seen { used, has_cpu: !cpu_series.is_empty(), lie: lies }
}

/// The 95th percentile of CPU samples in thousandths of a core, interpolated as Prometheus does. Where there are several
/// series, the highest at each time counts. None without samples, or when more than 70% of them are zero: then the process
/// mostly idled, or the data has holes.
fn cpu_percentile(series: &[Series]) -> Result<Option<u64>, String> {
    let mut highest: BTreeMap<u64, f64> = BTreeMap::new();
    for (time, value) in series.iter().flatten().filter(|(_, value)| !value.is_nan()) {
        sane(*value, 1e9, "CPU")?;
        let at = highest.entry(time.to_bits()).or_insert(*value);
        *at = at.max(*value);
    }
    let mut samples: Vec<f64> = highest.into_values().collect();
    let zeros = samples.iter().filter(|sample| **sample <= 0.0).count();
    if samples.is_empty() || zeros * 10 > samples.len() * 7 {
        return Ok(None);
    }
    samples.sort_by(f64::total_cmp);
    Ok(Some(to_whole(percentile(&samples, 0.95).round()).max(CPU_FLOOR)))
}

/// The memory quantile in bytes: the highest of the answer's values. None without any. A series that is NaN, as of a pod that has gone, counts only
/// where there is no other.
fn memory_top(series: &[Series]) -> Result<Option<u64>, String> {
    let mut top: Option<u64> = None;
    let is_measured = |value: f64| !value.is_nan();
    let some_are = series.iter().flatten().any(|(_, value)| is_measured(*value));
    for (_, value) in series.iter().flatten().filter(|(_, value)| !some_are || is_measured(*value)) {
        sane(*value, 1e18, "memory")?;
        top = top.max(Some(to_whole(value.ceil())));
    }
    Ok(top.filter(|bytes| *bytes > 0))
}

fn sane(value: f64, most: f64, what: &str) -> Result<(), String> {
    if (0.0..=most).contains(&value) { Ok(()) } else { Err(format!("`{value:?}` is no amount of {what} that anything can have used")) }
}

/// Of sorted samples, at least one.
#[allow(clippy::cast_precision_loss)] // some thousand samples
fn percentile(samples: &[f64], at: f64) -> f64 {
    let rank = at * (samples.len() - 1) as f64;
    let below = usize::try_from(to_whole(rank.floor())).unwrap_or(0);
    let above = (below + 1).min(samples.len() - 1);
    samples[below] + (samples[above] - samples[below]) * (rank - rank.floor())
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // from 0 to 1e18, see `sane`
fn to_whole(number: f64) -> u64 {
    number as u64
}

/// Fills `{name}` in. Cluster files of the older tool write other braces twice (`{{pod="x"}}`): they mean one.
fn fill(template: &str, names: &[(&str, &str)]) -> String {
    let doubled = template.contains("{{");
    let mut out = String::new();
    let mut rest = template;
    'next: while let Some(first) = rest.chars().next() {
        if doubled && (rest.starts_with("{{") || rest.starts_with("}}")) {
            out.push(first);
            rest = &rest[2..];
            continue;
        }
        for (name, value) in names {
            if let Some(after) = rest.strip_prefix('{').and_then(|rest| rest.strip_prefix(name)).and_then(|rest| rest.strip_prefix('}')) {
                out += value;
                rest = after;
                continue 'next;
            }
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_both_manners() {
        let names = [("appname", "shop"), ("proc_name", "web"), ("range", "7d")];
        for (template, filled) in [
            ("max(x{pod=~\"{appname}-{proc_name}-.+\"}[{range}])", "max(x{pod=~\"shop-web-.+\"}[7d])"),
            ("max(x{{pod=~\"{appname}-{proc_name}-.+\"}}[{range}])", "max(x{pod=~\"shop-web-.+\"}[7d])"),
            ("x{pod=~\"{appname}[a-z]{5}\"}", "x{pod=~\"shop[a-z]{5}\"}"),
            ("x{{a=\"{proc_name}\"}} * 1", "x{a=\"web\"} * 1"),
            ("sum(all)", "sum(all)"),
            ("{other} 中 {", "{other} 中 {"),
        ] {
            assert_eq!(fill(template, &names), filled, "{template}");
        }
    }

    #[test]
    fn percentiles_as_prometheus_counts_them() {
        let series = |values: &[f64]| {
            vec![values.iter().enumerate().map(|(at, value)| (f64::from(u32::try_from(at).expect("few")), *value)).collect()]
        };
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(cpu_percentile(&series(&hundred)), Ok(Some(95))); // 95.05
        assert_eq!(cpu_percentile(&series(&[1.0])), Ok(Some(5)));
        assert_eq!(cpu_percentile(&[]), Ok(None));
        assert_eq!(cpu_percentile(&series(&[f64::NAN, 300.000_000_01, f64::NAN])), Ok(Some(300)));
        // 70% zeros are trusted, more are not
        let with_zeros = |zeros: usize| [vec![0.0; zeros], vec![400.0; 100 - zeros]].concat();
        assert_eq!(cpu_percentile(&series(&with_zeros(70))), Ok(Some(400)));
        assert_eq!(cpu_percentile(&series(&with_zeros(71))), Ok(None));
        // two series: the higher one at each time
        assert_eq!(cpu_percentile(&[vec![(1.0, 10.0), (2.0, 700.0)], vec![(1.0, 600.0), (2.0, 0.0)]]), Ok(Some(695)));
        for lie in [-1.0, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            assert!(cpu_percentile(&series(&[lie])).is_err() && memory_top(&series(&[lie])).is_err(), "{lie}");
        }
        assert!(memory_top(&series(&[f64::NAN])).is_err());
        assert_eq!(memory_top(&[vec![(1.0, f64::NAN)], vec![(1.0, 7.2)]]), Ok(Some(8)));
        assert_eq!(memory_top(&[vec![(1.0, 5.0)], vec![(1.0, 7.2)]]), Ok(Some(8)));
        assert_eq!((memory_top(&[]), memory_top(&series(&[0.0]))), (Ok(None), Ok(None)));
    }
}
