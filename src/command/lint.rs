//! `lain lint`: everything that can be known before a deploy.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use include_dir::{Dir, include_dir};

use crate::command::deploy_values::HelmValues;
use crate::error::{Error, Kind, Location, Result};
use crate::lint::api_versions::{self, objects};
use crate::lint::catalogue::{CHECKS, find};
use crate::lint::chart::{self, CHART_FILE, Chart};
use crate::lint::fix::{self, Finding};
use crate::lint::layers::cluster_of;
use crate::lint::report::{self, Report};
use crate::lint::{self, Problem, Severity, Surroundings};
use crate::model::aliases::canonical;
use crate::model::name::{is_harmless, nearest};
use crate::model::version::Version;
use crate::resolved::layers::{Layers, known_clusters};
use crate::session::Session;
use crate::ui::{Format, TEXT};
use crate::values::node::Node;

/// The pages of all checks.
static PAGES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/docs/lint");

/// Bound of the one question to the API server, which a lint can do without.
const SERVER: Duration = Duration::from_secs(2);

/// Check values and chart
#[derive(Args, Debug)]
#[command(after_help = "  lain lint\n  lain lint --explain L012\n  lain lint --format codequality > gl-code-quality-report.json\n\n\
                  `# lain:ignore L012` at the end of a line keeps that check quiet there.")]
pub struct Lint {
    /// Without resource advice from Prometheus
    #[arg(long)]
    simple: bool,
    /// Write the advice into the values files; comments and layout stay
    #[arg(long, conflicts_with = "simple")]
    fix: bool,
    /// A report on stdout besides the words on stderr
    #[arg(long, value_enum, default_value_t)]
    format: Report,
    /// Print the page of one check, or the list of all with `all`
    #[arg(long, value_name = "ID", exclusive = true)]
    explain: Option<String>,
    /// Part of another command, whose result stdout belongs to.
    #[arg(skip)]
    within: bool,
}

impl Lint {
    /// `lain lint --simple`, for commands that check before they act.
    pub fn simple() -> Self {
        Self { simple: true, fix: false, format: Report::Text, explain: None, within: true }
    }

    /// The shapes of its result.
    pub fn formats(&self) -> &'static [Format] {
        if self.explain.is_some() { TEXT } else { &[Format::Text, Format::Json] }
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        if let Some(id) = &self.explain {
            return explain(session, id);
        }
        let as_json = !self.within && session.ui.format() == Format::Json;
        let format = if self.format == Report::Text && as_json { Report::Json } else { self.format };
        let (problems, broken) = match self.problems(session) {
            Ok(found) => found,
            Err(error) => {
                // A report is whole even when the values cannot be read: the job that publishes it has nothing else to show.
                if let Some(text) = report::write(format, &[unreadable(&error)], &session.dir) {
                    session.ui.result(&text)?;
                }
                return Err(error);
            }
        };
        tell(session, &problems); // in a job, people read the log and GitLab the report
        if let Some(text) = report::write(format, &problems, &session.dir) {
            session.ui.result(&text)?;
        }
        match problems.iter().filter(|problem| problem.severity == Severity::Error).count() {
            0 if broken.is_some() => broken.map_or(Ok(()), Err),
            0 => {
                session.ui.done("lint: values and chart are fine");
                Ok(())
            }
            errors => {
                let what = if errors == 1 { "one error".to_owned() } else { format!("{errors} errors") };
                Err(Error::refused(format!("lint found {what}"))
                    .hint("mend them, or put `# lain:ignore ID` at the end of the line")
                    .hint("lain lint --explain ID # what a check is about"))
            }
        }
    }

    /// What was found, and why the chart could not be looked at.
    fn problems(&self, session: &Session) -> Result<(Vec<Problem>, Option<Error>)> {
        let layers = session.layers()?;
        let chart = Chart::read(&fs::read_to_string(session.dir.join(CHART_FILE)).unwrap_or_default());
        let surroundings = Surroundings {
            known_clusters: known_clusters(&session.env.cluster_values_dirs()),
            cluster: session.cluster_name(),
            values_files: values_files(&session.dir),
            older_chart: chart.is_older(),
        };
        let mut problems = lint::check(layers, &surroundings);
        if !self.simple {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let advice = lint::advice::check(layers, &session.env.cluster_values_dirs(), now)?;
            problems.extend(if self.fix {
                write_advice(session, layers, advice)?
            } else {
                advice.into_iter().map(|one| one.problem).collect()
            });
        }
        let values_are_fine = problems.iter().all(|problem| problem.severity == Severity::Warning);
        problems.extend(chart.check().filter(|problem| !problem.is_ignored()));
        let (found, broken) = match check_chart(session, &canonical(&layers.merged)) {
            Ok(found) => (found, None),
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => (vec![], Some(error)),
        };
        // What is wrong with the values is most often what helm stumbles over as well.
        let helms_own = |problem: &Problem| matches!(problem.id, "L050" | "L051");
        problems.extend(found.into_iter().filter(|problem| !problem.is_ignored() && (values_are_fine || !helms_own(problem))));
        Ok((lint::sorted(problems), broken))
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

fn tell(session: &Session, problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Error => session.ui.error(&problem.to_error()),
            Severity::Warning => session.ui.warning(&problem.to_error()),
        }
    }
}

fn explain(session: &Session, id: &str) -> Result<()> {
    if id == "all" {
        let list: Vec<String> = CHECKS.iter().map(|check| format!("{}  {:<36} {}", check.id, check.title, check.why)).collect();
        return session.ui.result(&list.join("\n"));
    }
    let unknown = || {
        let near = nearest(&id.to_uppercase(), CHECKS.iter().map(|check| check.id)).unwrap_or("all");
        Error::usage(format!("there is no check `{id}`"))
            .hint(format!("lain lint --explain {near}"))
            .hint("lain lint --explain all # lists them")
    };
    let check = find(id).ok_or_else(unknown)?;
    let page = PAGES.get_file(format!("{}.md", check.id)).and_then(|file| file.contents_utf8()).ok_or_else(unknown)?;
    session.ui.result(page.trim_end())
}

fn unreadable(error: &Error) -> Problem {
    let nowhere = || Location { path: "chart/values.yaml".into(), line: 1, column: 1, length: 1, text: String::new() };
    Problem {
        id: "L000",
        severity: Severity::Error,
        message: error.message().to_owned(),
        hint: error.hints().first().cloned().unwrap_or_default(),
        at: error.location().cloned().unwrap_or_else(nowhere),
    }
}

/// `chart/values-*.yaml`, sorted.
fn values_files(dir: &Path) -> Vec<PathBuf> {
    let names = fs::read_dir(dir.join("chart")).into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut files: Vec<PathBuf> = names.filter(|name| cluster_of(name).is_some()).map(|name| Path::new("chart").join(name)).collect();
    files.sort();
    files
}

/// `helm lint`, a template that renders something, and API versions that the cluster serves.
fn check_chart(session: &Session, root: &Node) -> Result<Vec<Problem>> {
    let values = HelmValues::gather(session, &[], None)?;
    let mut flags = values.flags();
    if session.cluster_name().is_none() {
        // What only a cluster can say has a stand-in, so that the chart can be checked before one is chosen.
        flags.extend(["registry=REGISTRY", "domain=example.com"].map(|value| ("--set", value.into())));
    }
    let helm = session.local_helm();
    let lint = helm.local().args(["lint", "chart"]).options(flags.clone()).lookup();
    let name = ["releaseName", "appname"].iter().find_map(|key| root.get(key)?.as_str()).unwrap_or("app");
    if !is_harmless(name) {
        return Ok(vec![]); // L001 says so
    }
    let server = server_version(session);
    let template = |server: Option<Version>| {
        let version = server.map(|server| ("--kube-version", format!("{}.{}.0", server.major, server.minor)));
        helm.local().arg("template").operands([name, "chart"]).options(flags.clone()).options(version).lookup()
    };
    let template = template(server);
    let (lint, template_out) = std::thread::scope(|scope| {
        let lint = scope.spawn(|| lint.capture());
        let template = template.capture();
        (lint.join(), template)
    });
    let lint = lint.unwrap_or_else(|_| Err(Error::failed("helm lint could not be waited for")))?;
    let read = |path: &Path| fs::read_to_string(session.dir.join(path)).ok();
    if !lint.ok() {
        helm.version()?; // too old says more than a strange failure
        let problems = chart::helm_errors(&String::from_utf8_lossy(&lint.stdout), read);
        if problems.is_empty() {
            return Ok(vec![chart::broken("L050", &lint.stderr, read)]);
        }
        return Ok(problems);
    }
    let out = template_out?;
    if !out.ok() {
        helm.version()?;
        return Ok(vec![chart::broken("L050", &out.stderr, read)]);
    }
    let objects = objects(&String::from_utf8_lossy(&out.stdout));
    if objects.is_empty() {
        return Ok(vec![chart::renders_nothing()]);
    }
    Ok(api_versions::check(&objects, server, |template| read(&Path::new("chart").join(template))))
}

/// The chosen cluster's version; none without a cluster, without kubectl, or when the server takes too long.
fn server_version(session: &Session) -> Option<Version> {
    session.choice().ok()??;
    let kubectl = session.kubectl().ok()?;
    kubectl.server_version(SERVER)
}
