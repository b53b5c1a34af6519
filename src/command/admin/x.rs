//! `lain admin x`: one command in every Deployment of the namespace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::cluster::everywhere;
use crate::cluster::objects::{Object, Pod};
use crate::error::{Error, Kind, Result};
use crate::model::duration;
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::ui::{Answer, Format};

/// So many commands run at a time.
const AT_ONCE: usize = 8;
/// So many that cannot be reached are named with the reason.
const TOLD: usize = 5;
/// Which container `kubectl exec` takes by itself.
const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// What kubectl says when the command ran, or could not be found in the container.
const RAN: [&str; 3] = ["command terminated with", "executable file not found", "no such file or directory"];

/// Run a command in one container of each Deployment of the namespace; shows what it prints where it succeeds
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin x -- sh -c 'pip3 freeze | grep -i requests'\n  lain admin x --timeout 5s -o json -- python3 --version\n  lain admin x -- timeout 5 ./slow  # ended in the container too\n\nIt gets no input. Where it fails nothing is shown; the exit code is 0.\nAfter --timeout or Ctrl-C nobody waits for it any more, and it may go on in the container."
)]
pub(super) struct X {
    /// The longest that it is waited for in each
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = timeout)]
    timeout: Duration,
    /// The command
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn timeout(text: &str) -> Result<Duration, String> {
    duration::parse(text).and_then(|time| if time.is_zero() { Err("no command ends in no time".to_owned()) } else { Ok(time) })
}

/// Where it runs.
struct Spot {
    deployment: String,
    /// None where no pod runs.
    pod: Option<(String, String)>,
}

/// How it went.
enum End {
    Printed(String),
    Failed(i32),
    /// It was not waited for any more.
    Late,
    Unreached(Error),
}

impl X {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        session.require_cluster()?;
        let kubectl = session.kubectl()?;
        let objects = everywhere::here(&kubectl, &["deployments", "replicasets", "pods"])?;
        let spots = spots(&objects);
        let is_text = session.ui.format() == Format::Text;
        let mut answer = Outputs { version: 1, deployments: vec![] };
        if spots.is_empty() {
            super::nothing_in(session, &kubectl, &format!("namespace {} has no Deployment that is wanted to run", kubectl.namespace()))?;
            return if is_text { Ok(()) } else { session.ui.answer(&answer) };
        }
        let ends = {
            let progress = session.ui.progress();
            let _line = progress.add(&format!("running it in {} Deployments", spots.len()));
            self.run_in(&kubectl, &spots)
        };
        let (mut printed, mut failed, mut late, mut unreached) = (0, 0, 0, 0);
        for (spot, end) in spots.into_iter().zip(ends) {
            let (pod, container) = spot.pod.unwrap_or_default();
            let mut of = Of { deployment: spot.deployment, pod, container, exit_code: None, output: None, reason: None };
            match end {
                End::Printed(output) => {
                    printed += 1;
                    (of.exit_code, of.output) = (Some(0), Some(output));
                }
                End::Failed(code) => {
                    failed += 1;
                    session.ui.detail(&format!("{}: exit code {code}", of.deployment));
                    of.exit_code = Some(code);
                }
                End::Late => {
                    late += 1;
                    let words = format!("it did not end within {} s, and may go on there", self.timeout.as_secs_f64());
                    if late <= TOLD {
                        session.ui.warn(&format!("{}: {words}", of.deployment));
                    }
                    of.reason = Some(words);
                }
                End::Unreached(error) if error.kind() == Kind::Interrupted => {
                    session.ui.warn("where it was started and has not ended, it may go on in the container");
                    return Err(error);
                }
                End::Unreached(error) => {
                    unreached += 1;
                    if unreached <= TOLD {
                        session.ui.warn(&format!("{} cannot be reached: {error}", of.deployment));
                    }
                    of.reason = Some(error.to_string());
                }
            }
            answer.deployments.push(of);
        }
        for (count, what) in [(late, "did not end in time"), (unreached, "cannot be reached")] {
            if count > TOLD {
                session.ui.warn(&format!("{} more {what} (-o json names them)", count - TOLD));
            }
        }
        if is_text && printed == 0 {
            session.ui.say(&format!("it succeeds in no Deployment of namespace {}", kubectl.namespace()));
        } else {
            session.ui.answer(&answer)?;
        }
        let late = if late > 0 { format!("{late} out of time, ") } else { String::new() };
        session.ui.say(&format!("{printed} succeeded, {failed} failed, {late}{unreached} not reached"));
        Ok(())
    }

    /// In the order of the spots, whichever ends first.
    fn run_in(&self, kubectl: &Kubectl<'_>, spots: &[Spot]) -> Vec<End> {
        let words: Vec<&str> = self.command.iter().map(String::as_str).collect();
        let (next, ends) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
        std::thread::scope(|scope| {
            for _ in 0..spots.len().min(AT_ONCE) {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::SeqCst);
                        let Some(spot) = spots.get(at) else { return };
                        let end = self.one(kubectl, spot, &words);
                        if let Ok(mut ends) = ends.lock() {
                            ends.insert(at, end);
                        }
                    }
                });
            }
        });
        let mut ends = ends.into_inner().unwrap_or_default();
        let of = |at| ends.remove(&at).unwrap_or_else(|| End::Unreached(Error::failed("it was not run")));
        (0..spots.len()).map(of).collect()
    }

    fn one(&self, kubectl: &Kubectl<'_>, spot: &Spot, words: &[&str]) -> End {
        let Some((pod, container)) = &spot.pod else { return End::Unreached(Error::failed("no pod of it runs")) };
        let begun = Instant::now();
        match kubectl.output_of(pod, container, words, self.timeout) {
            Ok(out) if out.ok() => End::Printed(out.text()),
            Ok(out) if RAN.iter().any(|known| out.stderr.contains(known)) => End::Failed(out.code),
            Ok(out) => End::Unreached(Error::failed(out.stderr.trim().lines().last().unwrap_or("kubectl exec failed").to_owned())),
            Err(error) if error.kind() == Kind::Failed && begun.elapsed() >= self.timeout => End::Late,
            Err(error) => End::Unreached(error),
        }
    }
}

/// One pod of each Deployment that is wanted at all, by name; a ready one where there is one.
fn spots(objects: &[Object]) -> Vec<Spot> {
    let mut deployments = BTreeSet::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    let mut own: BTreeMap<&str, &str> = BTreeMap::new();
    for object in objects {
        match object {
            Object::Deployment(it) if it.spec.replicas != Some(0) => {
                deployments.insert(&*it.metadata.name);
                if let Some(first) = it.spec.template.spec.containers.first() {
                    own.insert(&it.metadata.name, &first.name);
                }
            }
            Object::ReplicaSet(it) => owners.extend(it.metadata.owner().map(|owner| (&*it.metadata.name, &*owner.name))),
            _ => {}
        }
    }
    let mut chosen: BTreeMap<&str, &Pod> = BTreeMap::new();
    for object in objects {
        let Object::Pod(pod) = object else { continue };
        let owner = pod.metadata.owner().filter(|owner| owner.kind == "ReplicaSet");
        let Some(deployment) = owner.and_then(|owner| owners.get(&*owner.name)) else { continue };
        if pod.status.phase == "Running" && !pod.metadata.is_leaving() && (pod.is("Ready") || !chosen.contains_key(deployment)) {
            chosen.insert(deployment, pod);
        }
    }
    let pod = |name: &str| {
        let pod = chosen.get(name)?;
        let has = |container: &str| pod.spec.containers.iter().any(|it| it.name == container);
        let asked = pod.metadata.annotation(DEFAULT_CONTAINER).or_else(|| own.get(name).copied()).filter(|container| has(container));
        let container = asked.or_else(|| pod.spec.containers.first().map(|it| &*it.name))?;
        Some((pod.metadata.name.clone(), container.to_owned()))
    };
    deployments.into_iter().map(|name| Spot { deployment: name.to_owned(), pod: pod(name) }).collect()
}

#[derive(Serialize)]
struct Outputs {
    version: u32,
    deployments: Vec<Of>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Of {
    deployment: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pod: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    container: String,
    /// None where it could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// None where it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// Why it has no exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Answer for Outputs {
    fn text(&self) -> String {
        let mut lines = vec![];
        for it in &self.deployments {
            let Some(output) = &it.output else { continue };
            if output.trim().is_empty() {
                lines.push(format!("{}:", it.deployment));
            }
            lines.extend(output.trim_end().lines().filter(|_| !output.trim().is_empty()).map(|line| format!("{}: {line}", it.deployment)));
        }
        lines.join("\n")
    }
}
