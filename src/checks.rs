//! Everything that can be known of values and chart before a deploy: the checks of [`crate::lint`], helm's own, and what the cluster's API serves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Kind, Result};
use crate::lint::advice::Advised;
use crate::lint::api_versions::{self, objects};
use crate::lint::chart;
use crate::lint::fix::{self, Finding};
use crate::lint::layers::cluster_of;
use crate::lint::{self, Problem, Severity, Surroundings, fields, server as refused, twice};
use crate::model::name::is_harmless;
use crate::resolved::chart::{CHART_FILE, Chart};
use crate::resolved::clusters::known_clusters;
use crate::resolved::layers::Layers;
use crate::session::Session;

/// Bound of the one question to the API server, which a lint can do without.
const SERVER: Duration = Duration::from_secs(2);

/// What is done about resources, of which Prometheus knows more than the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Advice {
    /// Prometheus is not asked.
    None,
    /// It is a problem like others.
    Told,
    /// It is written into the values files.
    Written,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Sorted by place.
    pub problems: Vec<Problem>,
    /// What is known of resources, where advice was asked for.
    pub advised: Advised,
    /// Why the chart could not be looked at.
    broken: Option<Error>,
}

/// Checks the values of this run and the chart; for commands that check before they act.
///
/// # Errors
/// Something is wrong with them, or they cannot be read.
pub(crate) fn require(session: &Session) -> Result<()> {
    let found = look(session, Advice::None)?;
    found.tell(session);
    found.verdict(session)
}

/// Looks at the values of this run and the chart.
///
/// # Errors
/// The values cannot be read, advice cannot be written, or the run is interrupted.
pub(crate) fn look(session: &Session, advice: Advice) -> Result<Found> {
    let layers = session.layers()?;
    let chart = Chart::read(&fs::read_to_string(session.dir.join(CHART_FILE)).unwrap_or_default());
    let dirs = session.env.cluster_values_dirs();
    let surroundings = Surroundings {
        known_clusters: known_clusters(&dirs),
        cluster: session.cluster_name(),
        values_files: values_files(&session.dir),
        older_chart: chart.is_older(),
    };
    let mut problems = lint::check(layers, &surroundings);
    let mut advised = Advised::default();
    if advice != Advice::None {
        let has_prometheus = layers.canonical().get("prometheus").and_then(|it| it.as_str()).is_some_and(|base| !base.trim().is_empty());
        if !has_prometheus && session.cluster_name().is_some() {
            session.ui.say("no advice on resources: the cluster values name no `prometheus`");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut found = lint::advice::check(layers, &dirs, now, |record, processes| record.ask(&session.proxies(), processes))?;
        let findings = std::mem::take(&mut found.findings);
        advised = found;
        problems.extend(if advice == Advice::Written {
            write_advice(session, layers, findings)?
        } else {
            findings.into_iter().map(|one| one.problem).collect()
        });
    }
    let values_are_fine = problems.iter().all(|problem| problem.severity == Severity::Warning);
    problems.extend(chart::check(&chart).filter(|problem| !problem.is_ignored()));
    let (found, broken) = match check_chart(session, layers) {
        Ok(found) => (found, None),
        Err(error) if error.kind() == Kind::Interrupted => return Err(error),
        Err(error) => (vec![], Some(error)),
    };
    // What is wrong with the values is most often what helm stumbles over as well.
    let helms_own = |problem: &Problem| matches!(problem.id, "L050" | "L051");
    problems.extend(found.into_iter().filter(|problem| !problem.is_ignored() && (values_are_fine || !helms_own(problem))));
    Ok(Found { problems: lint::sorted(problems), advised, broken })
}

impl Found {
    /// Says every problem.
    pub(crate) fn tell(&self, session: &Session) {
        for problem in &self.problems {
            match problem.severity {
                Severity::Error => session.ui.error(&problem.to_error()),
                Severity::Warning => session.ui.warning(&problem.to_error()),
            }
        }
    }

    /// Whether a deploy may go on.
    ///
    /// # Errors
    /// One of the problems is an error, or the chart could not be looked at.
    pub(crate) fn verdict(self, session: &Session) -> Result<()> {
        let count = |severity| self.problems.iter().filter(|problem| problem.severity == severity).count();
        let worded = |count: usize, what: &str| if count == 1 { format!("one {what}") } else { format!("{count} {what}s") };
        match (count(Severity::Error), count(Severity::Warning)) {
            (0, warnings) => {
                self.broken.map_or(Ok(()), Err)?;
                session.ui.done(&match warnings {
                    0 => "lint: values and chart are fine".to_owned(),
                    warnings => format!("lint: no error, {}", worded(warnings, "warning")),
                });
                Ok(())
            }
            (errors, _) => {
                let what = worded(errors, "error");
                Err(Error::refused(format!("lint found {what}"))
                    .hint("mend them, or put `# lain:ignore ID` at the end of the line")
                    .hint("lain lint --explain ID # what a check is about"))
            }
        }
    }
}

/// Writes what can be written, shows it line by line, and returns the problems that are left.
fn write_advice(session: &Session, layers: &Layers, advice: Vec<Finding>) -> Result<Vec<Problem>> {
    let outcome = fix::apply(&session.dir, layers, advice)?;
    for change in &outcome.changes {
        session.ui.say(&format!("{}:{}\n  - {}\n  + {}", change.path.display(), change.line, change.before, change.after));
    }
    Ok(outcome.left)
}

/// `chart/values-*.yaml`, sorted.
fn values_files(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(dir.join("chart")).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut files: Vec<PathBuf> = names.filter(|name| cluster_of(name).is_some()).map(|name| Path::new("chart").join(name)).collect();
    files.sort();
    files
}

/// One template for every check: it renders, something, and what the cluster takes. What keeps it from that `helm lint` says best.
fn check_chart(session: &Session, layers: &Layers) -> Result<Vec<Problem>> {
    let mut values = session.helm_values(None)?;
    if session.cluster_name().is_none() {
        // So that the chart can be checked before a cluster is chosen.
        values.stand_in("registry", "REGISTRY");
        values.stand_in("domain", "example.com");
    }
    let helm = session.local_helm();
    let root = layers.canonical();
    let name = ["releaseName", "appname"].iter().find_map(|key| root.get(key)?.as_str()).unwrap_or("app");
    if !is_harmless(name) {
        return Ok(vec![]); // L001 says so
    }
    let server = session.server_within(SERVER);
    let version = server.map(|server| ("--kube-version", format!("{}.{}.0", server.major, server.minor)));
    let read = |path: &Path| fs::read_to_string(session.dir.join(path)).ok();
    let out = helm.template(name, &values)?.options(version).lookup().capture()?;
    if !out.ok() {
        helm.version()?; // too old says more than a strange failure
        // It says more of a chart that it cannot render.
        let lint = helm.lint(&values).capture()?;
        let problems = if lint.ok() { vec![] } else { chart::helm_errors(&String::from_utf8_lossy(&lint.stdout), read) };
        return Ok(if problems.is_empty() { vec![chart::broken("L050", &out.stderr, read)] } else { problems });
    }
    let objects = objects(&String::from_utf8_lossy(&out.stdout));
    if objects.is_empty() {
        return Ok(vec![chart::renders_nothing()]);
    }
    let template = |template: &str| read(&Path::new("chart").join(template));
    let mut problems = twice::check(&objects, root, template);
    problems.extend(api_versions::check(&objects, server, template));
    problems.extend(refused::check(&objects, layers, server, template));
    problems.extend(fields::check(&objects, layers, template));
    Ok(problems)
}
