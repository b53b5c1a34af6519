//! What would stop a command, asked before it does: of this machine, this job, the registry and the cluster.
//!
//! Each check is asked on a thread of its own, in a session of its own, and none is waited for longer than [`PATIENCE`]: whatever hangs, the whole ends.

mod cluster;
mod finding;
mod job;
mod machine;
mod network;
mod registry;
mod rights;

use std::collections::BTreeMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use self::finding::Finding;
pub(crate) use self::finding::{Diagnosis, Told};
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::model::app::App;
use crate::session::Session;
use crate::ui::{Color, Format, Ui, Verbosity};

/// The longest that any check may take.
const PATIENCE: Duration = Duration::from_secs(12);
/// The longest that one question of a check may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long what hangs is given to end, and to take its temporary files away.
const LEAVE: Duration = Duration::from_secs(1);
/// Ctrl-C is noticed within this time.
const GLANCE: Duration = Duration::from_millis(50);

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Check {
    /// The values of the app and of the cluster can be read
    Values,
    /// The repository, its history, its remote, its author
    Git,
    /// The docker daemon, or the builder
    Docker,
    /// The registry, the login, pulling and pushing
    Registry,
    /// Which cluster, by which context
    Kubeconfig,
    /// The Kubernetes API server and the namespace
    Server,
    /// What this account may do there
    Rights,
    /// helm's version
    Helm,
    /// kubectl's version
    Kubectl,
    /// Proxies on the way to registry and API server
    Proxies,
    /// The CAs that this machine knows
    Certificates,
    /// This machine's clock
    Clock,
    /// Room for images, temporary files and the checkout
    Disk,
    /// The webhook that is told of deploys
    Webhook,
    /// What a job of GitLab's is given
    Job,
}

impl Check {
    /// As it is typed.
    fn name(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Git => "git",
            Self::Docker => "docker",
            Self::Registry => "registry",
            Self::Kubeconfig => "kubeconfig",
            Self::Server => "server",
            Self::Rights => "rights",
            Self::Helm => "helm",
            Self::Kubectl => "kubectl",
            Self::Proxies => "proxies",
            Self::Certificates => "certificates",
            Self::Clock => "clock",
            Self::Disk => "disk",
            Self::Webhook => "webhook",
            Self::Job => "job",
        }
    }

    /// Asks.
    ///
    /// # Errors
    /// What is wrong, where that is bad.
    fn ask(self, session: &Session) -> Result<Vec<Finding>> {
        match self {
            Self::Values => machine::values(session),
            Self::Git => machine::git(session),
            Self::Docker => machine::docker(session),
            Self::Registry => registry::registry(session),
            Self::Kubeconfig => cluster::kubeconfig(session),
            Self::Server => cluster::server(session),
            Self::Rights => rights::rights(session),
            Self::Helm => cluster::helm(session),
            Self::Kubectl => cluster::kubectl(session),
            Self::Proxies => Ok(network::proxies(session)),
            Self::Certificates => Ok(network::certificates(session)),
            Self::Clock => Ok(network::clock(session)),
            Self::Disk => machine::disk(session),
            Self::Webhook => Ok(network::webhook(session)),
            Self::Job => Ok(job::job(session)),
        }
    }

    /// What shows where it hangs, when it was not waited for any longer.
    fn by_hand(self) -> &'static str {
        match self {
            Self::Git => "git status # does it end? the disk may be one of the network",
            Self::Docker => "docker version # does it end? then docker buildx ls",
            Self::Server | Self::Rights | Self::Kubectl => "kubectl get --raw /readyz # does it end?",
            Self::Helm => "helm version # does it end?",
            Self::Disk => "df -h # does it end? a disk of the network may be away",
            Self::Registry => "lain tags -v # does it end?",
            _ => "lain doctor -v # which question hangs?",
        }
    }
}

/// Asks all of these side by side.
///
/// # Errors
/// Ctrl-C.
pub(crate) fn diagnose(session: &Session, checks: &[Check]) -> Result<Diagnosis> {
    let all = Check::value_variants();
    let wanted: Vec<Check> = all.iter().copied().filter(|check| checks.is_empty() || checks.contains(check)).collect();
    let (sender, receiver) = channel();
    for check in wanted.iter().copied() {
        let (env, verbose, sender) = (session.env.clone(), session.ui.is_verbose(), sender.clone());
        let mut globals = session.globals.clone();
        globals.use_cluster = None; // it was done
        globals.values.iter_mut().for_each(|path| *path = session.dir.join(&*path));
        std::thread::spawn(move || {
            let verbosity = if verbose { Verbosity::Verbose } else { Verbosity::Silent };
            let ui = Ui::new(Color::Never, true, false, None, verbosity, Format::Text);
            let found = Session::new(ui, env, globals).and_then(|session| alone(check, session));
            let _ = sender.send((check, found)); // nobody may be waiting any more
        });
    }
    drop(sender);
    let started = Instant::now();
    let mut found: BTreeMap<Check, Vec<Finding>> = BTreeMap::new();
    while found.len() < wanted.len() && started.elapsed() < PATIENCE {
        interrupt::check()?;
        match receiver.recv_timeout(GLANCE) {
            Ok((check, findings)) => {
                drop(found.insert(check, findings.unwrap_or_else(|error| vec![Finding::bad(&error).of(check.name())])));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if found.len() < wanted.len() {
        let _abandoned = interrupt::abandon();
        let end = Instant::now() + LEAVE;
        while receiver.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
    }
    let silent = |check: Check| {
        let error = Error::failed(format!("no answer within {} s", PATIENCE.as_secs())).hint(session.ui.aimed(check.by_hand()));
        vec![Finding::bad(&error).of(check.name())]
    };
    let findings = wanted.into_iter().flat_map(|check| found.remove(&check).unwrap_or_else(|| silent(check))).collect();
    Ok(Diagnosis::of(session.cluster_name(), findings))
}

/// One check, fit for print: no secret of its session's is in it.
fn alone(check: Check, mut session: Session) -> Result<Vec<Finding>> {
    session.cwd.clone_from(&session.dir); // whose app it is was said once, if at all
    session.begin()?;
    let found = check.ask(&session).unwrap_or_else(|error| vec![Finding::bad(&error)]);
    Ok(found.into_iter().map(|finding| finding.of(check.name()).clean(&session.ui)).collect())
}

/// The app whose folder this is; or why nothing that needs it was looked at.
fn app_here(session: &Session) -> Result<&App, Finding> {
    if !session.has_app() {
        return Err(Finding::unseen("no app here"));
    }
    session.app().map_err(|_| Finding::unseen("the values cannot be read"))
}

/// The chosen cluster; or why nothing that needs it was looked at.
fn cluster_here(session: &Session) -> Result<(), Finding> {
    match session.choice() {
        Ok(Some(_)) => {}
        Ok(None) => return Err(Finding::unseen("no cluster is chosen")),
        Err(unknown) if unknown.kind() == Kind::Usage => return Err(Finding::unseen("there is no such cluster")),
        Err(_) => return Err(Finding::unseen("the cluster has no kubeconfig")),
    }
    session.target().map(drop).map_err(|_| Finding::unseen("the values cannot be read"))
}
