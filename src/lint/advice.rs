//! Resource advice: what the values ask for, against what Prometheus saw in use.
//!
//! L060 CPU limit, L061 CPU request, L062 memory request, L063 memory limit; L069 Prometheus gave no answer, or none that
//! helps: one warning, whatever happened, and never more.

use std::path::PathBuf;
use std::time::Duration;

use super::fix::{Finding, Fix};
use super::sizing::{self, Declared, Part};
use super::{Problem, Severity};
use crate::cluster::usage::{Process, Record, Seen, Used};
use crate::error::Result;
use crate::model::aliases::{ALIASES, canonical};
use crate::model::app::{App, ProcKind};
use crate::model::duration;
use crate::model::name::is_label;
use crate::model::proc::Proc;
use crate::model::quantity::Quantity;
use crate::resolved::layers::Layers;
use crate::values::node::{Node, Span};

/// What is looked at when `prometheus_query_range` does not say.
const RANGE: &str = "7d";

/// What was found out of resources.
#[derive(Debug, Default)]
pub(crate) struct Advised {
    /// What is to be said, or written.
    pub findings: Vec<Finding>,
    /// Every process that was looked at.
    pub sizes: Vec<Size>,
    /// How far was looked back.
    pub range: String,
}

/// What a process asks for, used, and should ask for.
#[derive(Clone, Debug)]
pub(crate) struct Size {
    /// Its name.
    pub name: String,
    /// What its values say.
    pub declared: Declared,
    /// What is known of what it used.
    pub used: Used,
    /// What should be written instead.
    pub advice: Vec<(Part, Quantity)>,
}

/// Asks Prometheus, where the cluster has one, and compares. `now` is the time since 1970; files in the folders
/// `protected` are the administrators', so that there is no [`Fix`] for them. `ask` is [`Record::ask`]: this room has no way to the network.
///
/// # Errors
/// Ctrl-C alone; everything else that goes wrong becomes one warning.
pub(crate) fn check(
    layers: &Layers,
    protected: &[PathBuf],
    now: Duration,
    ask: impl Fn(&Record<'_>, &[Process<'_>]) -> Result<Vec<Seen>>,
) -> Result<Advised> {
    let root = canonical(&layers.merged);
    let (app, _) = super::types::check(&root, false);
    let advisor = Advisor { layers, root: &root, app: &app, protected };
    let procs = advisor.procs();
    let sizes =
        |seen: &[Used]| procs.iter().enumerate().map(|(at, proc)| advisor.size(proc, seen.get(at).copied().unwrap_or_default())).collect();
    let unknown = |findings: Vec<Finding>| Ok(Advised { findings, sizes: sizes(&[]), range: String::new() });
    let Some(base) = root.get("prometheus").and_then(Node::as_str).filter(|base| !base.trim().is_empty()) else { return unknown(vec![]) };
    let warn = |why: &str| advisor.no_answer(base, why).into_iter().collect::<Vec<_>>();
    let Some((range, length)) = advisor.range() else { return unknown(vec![]) };
    if length.is_zero() {
        return unknown(warn(&format!("`prometheus_query_range`: `{range}` is nothing to look back on: write {RANGE}")));
    }
    let siblings: Vec<&str> = app.procs().map(|(_, name, _)| name).collect();
    let processes: Vec<Process<'_>> =
        procs.iter().map(|one| Process { kind: one.kind, release: app.release(), name: one.name, siblings: &siblings }).collect();
    let own = |what: &str| root.get("pql_template").and_then(|templates| templates.get(what)).and_then(Node::as_str);
    let record = Record {
        base: base.trim(),
        cpu: own("cpu"),
        memory: own("memory_quantile"),
        namespace: root.get("namespace").and_then(Node::as_str),
        range: &range,
        length,
        now,
    };
    let seen = match ask(&record, &processes) {
        Ok(seen) => seen,
        Err(error) if crate::interrupt::received() => return Err(error),
        Err(error) => return unknown(warn(&error.to_string())),
    };
    let mut problems = vec![];
    let used: Vec<Used> = seen.iter().map(|seen| seen.used).collect();
    let (mut unknown, mut lies) = ([vec![], vec![], vec![]], vec![]);
    for (proc, seen) in procs.iter().zip(seen) {
        let expected = proc.kind != ProcKind::CronJob && proc.proc.replica_count != Some(0);
        match seen.lie {
            Some(lie) => lies.push(lie), // what is not one stands
            None if !expected => {}
            None => match (seen.has_cpu, seen.used.memory.is_some()) {
                (false, false) => unknown[0].push(proc.name),
                (false, true) => unknown[1].push(proc.name),
                (true, false) => unknown[2].push(proc.name),
                (true, true) => {}
            },
        }
        problems.extend(advisor.advise(proc, seen.used));
    }
    if !lies.is_empty() {
        problems.extend(warn(&lies.join("; ")));
    }
    let kinds = ["no usage", "no CPU usage", "no memory usage"].iter().zip(&unknown).filter(|(_, names)| !names.is_empty());
    let unknown: Vec<String> = kinds.map(|(what, names)| format!("{what} of {}", names.join(", "))).collect();
    if !unknown.is_empty() {
        problems.extend(warn(&format!("{} in the last {range}", unknown.join("; "))));
    }
    Ok(Advised { findings: problems, sizes: sizes(&used), range })
}

/// A process that is looked at.
struct Candidate<'a> {
    kind: ProcKind,
    name: &'a str,
    proc: &'a Proc,
}

struct Advisor<'a> {
    layers: &'a Layers,
    /// The merged values with every alias under its key.
    root: &'a Node,
    app: &'a App,
    protected: &'a [PathBuf],
}

impl<'a> Advisor<'a> {
    /// Everything that runs long or again and again and says what it needs. Jobs and tests run too rarely to learn from.
    fn procs(&self) -> Vec<Candidate<'a>> {
        let learns = |kind: ProcKind| matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet | ProcKind::CronJob);
        let procs = self.app.procs().filter(|(kind, _, _)| learns(*kind)).map(|(kind, name, proc)| Candidate { kind, name, proc });
        // Other names are errors of their own, and nothing to put into a query.
        procs
            .filter(|one| {
                one.proc.resources.as_ref().is_some_and(serde_json::Value::is_object) && is_label(one.name) && is_label(self.app.release())
            })
            .collect()
    }

    /// The range as written, and its length. None for one that L024 finds fault with.
    fn range(&self) -> Option<(String, Duration)> {
        let text = match self.root.get("prometheus_query_range") {
            None => RANGE.to_owned(),
            Some(node) => match node.to_json() {
                serde_json::Value::Null => RANGE.to_owned(),
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            },
        };
        let range = duration::parse(&text).ok()?;
        Some((text, range))
    }

    /// Where the values say one of the four.
    fn leaf(&self, proc: &Candidate<'_>, part: Part) -> Option<&Node> {
        let [group, what] = part.keys();
        below(self.root, [proc.kind.key(), proc.name, "resources", group, what])
    }

    fn declared(&self, proc: &Candidate<'_>) -> Declared {
        let quantity = |part: Part| Quantity::of_json(&self.leaf(proc, part)?.to_json()).ok();
        let least = proc.proc.hpa.as_ref().and_then(|hpa| hpa["minReplicas"].as_u64()).and_then(|least| u32::try_from(least).ok());
        Declared {
            cpu_limit: quantity(Part::CpuLimit),
            cpu_request: quantity(Part::CpuRequest),
            memory_request: quantity(Part::MemoryRequest),
            memory_limit: quantity(Part::MemoryLimit),
            replicas: proc.proc.replica_count.unwrap_or(1).max(least.unwrap_or(0)),
        }
    }

    fn size(&self, proc: &Candidate<'_>, used: Used) -> Size {
        let declared = self.declared(proc);
        Size { name: proc.name.to_owned(), declared, used, advice: sizing::advise(&declared, used) }
    }

    fn advise(&self, proc: &Candidate<'_>, used: Used) -> Vec<Finding> {
        let declared = self.declared(proc);
        let leaf = |part: Part| self.leaf(proc, part);
        // Whose file stands in the way of writing it: its own, or that of a limit that must rise first.
        let blocked = |part: Part, better: Quantity| {
            let limit = match part {
                Part::CpuRequest => declared.cpu_limit.filter(|limit| better > *limit).map(|_| Part::CpuLimit),
                Part::MemoryRequest => declared.memory_limit.filter(|limit| better > *limit).map(|_| Part::MemoryLimit),
                Part::CpuLimit | Part::MemoryLimit => None,
            };
            let files = [Some(part), limit].into_iter().flatten().filter_map(leaf).map(|leaf| &leaf.span.source.path);
            files.into_iter().find(|file| !super::fix::editable(file, self.protected))
        };
        let problem = |(part, better): (Part, Quantity)| {
            let leaf = leaf(part)?;
            let [group, what] = part.keys();
            let value = part.write(better);
            let current = match leaf.to_json() {
                serde_json::Value::String(text) => text,
                other => other.to_string(),
            };
            let (id, severity) = match part {
                Part::CpuLimit => ("L060", Severity::Warning),
                Part::CpuRequest => ("L061", Severity::Error),
                Part::MemoryRequest => ("L062", Severity::Error),
                Part::MemoryLimit => ("L063", Severity::Error),
            };
            let message = format!("{} {what} {group}: current {current}, suggestion {value}", proc.name);
            let path = self.written(leaf, [proc.kind.key(), proc.name, "resources", group, what]);
            let (hint, fix) = match blocked(part, better) {
                None => (format!("lain lint --fix # or {what}: {value}"), Some(Fix { path, value })),
                Some(file) => (format!("{group}.{what}: {value} # by hand: lain does not edit {}", file.display()), None),
            };
            told(id, severity, &leaf.span, message, hint, fix)
        };
        sizing::advise(&declared, used).into_iter().filter_map(problem).collect()
    }

    /// The path of a leaf as its own file writes it: `deploy.web...` may be what this file calls `deployments.web...`.
    fn written(&self, leaf: &Node, path: [&str; 5]) -> Vec<String> {
        let same = |node: &Node| {
            let (one, other) = (&node.span, &leaf.span);
            one.source.path == other.source.path && (one.line, one.column) == (other.line, other.column)
        };
        let aliases = ALIASES.iter().find(|(key, _)| *key == path[0]).map_or(&[][..], |(_, aliases)| aliases);
        let keys = [path[0]].into_iter().chain(aliases.iter().copied());
        let mut paths = keys.map(|key| [key, path[1], path[2], path[3], path[4]]);
        let found = paths.find(|path| self.layers.layers.iter().any(|layer| below(&layer.node, *path).is_some_and(same)));
        found.unwrap_or(path).map(str::to_owned).to_vec()
    }

    /// The one warning.
    fn no_answer(&self, base: &str, why: &str) -> Option<Finding> {
        let span = &self.root.nearest(["prometheus"]).span;
        let message = format!("no resource advice from Prometheus: {why}");
        let mut finding = told("L069", Severity::Warning, span, message, "lain lint --simple # leaves Prometheus out".to_owned(), None)?;
        // The address may hold a password, and this line is shown.
        if let Some((login, _)) = base.split_once("://").map_or(base, |(_, rest)| rest).rsplit_once('@') {
            finding.problem.at.text = finding.problem.at.text.replace(login, "***");
        }
        Some(finding)
    }
}

/// The node at a path of keys.
fn below<'a>(node: &'a Node, path: [&str; 5]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, key| node.get(key))
}

/// None when the line says `# lain:ignore ID`.
fn told(id: &'static str, severity: Severity, span: &Span, message: String, hint: String, fix: Option<Fix>) -> Option<Finding> {
    let problem = Problem { id, severity, message, hint, at: span.location() };
    (!problem.is_ignored()).then_some(Finding { problem, fix })
}
