//! The app, as its values say, running in the cluster: `deploy`, `redeploy`, `build --deploy`.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value as Json;

use super::announce::{self, DeployMessage};
use super::handle::{Handle, for_words};
use super::image::{Asked, changes_to_build, require_image};
use super::record::Record;
use super::{mend, pending, rollback, rollout, secrets};
use crate::checks;
use crate::cluster::follow::{Follower, PAUSE};
use crate::cluster::objects::{Job, List, Metadata, Named};
use crate::cluster::trouble::Trouble;
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::model::app::{App, ProcKind};
use crate::model::image::ImageReference;
use crate::model::tag::NO_GIT_TAG;
use crate::model::text::text_of;
use crate::model::version::Version;
use crate::resolved::Resolved;
use crate::resolved::helm_values::HelmValues;
use crate::session::Session;
use crate::tools::call::{Call, Captured, Stop};
use crate::tools::helm::{Limits, Revision, USUAL};
use crate::tools::kubectl::Kubectl;
use crate::ui::Surface;

/// Shortest time given to helm and to the rollout.
const MIN_TIMEOUT: Duration = Duration::from_secs(300);
/// How often it is seen whether helm came to its end.
const PACE: Duration = Duration::from_millis(25);
/// How long helm may take to write down that it was stopped.
const WINDS_UP: Duration = Duration::from_secs(20);

/// Which image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that is asked for, else HEAD's.
    #[default]
    New,
    /// The one that runs; lint is not asked again.
    Running,
}

/// What is wanted of a deploy, beside the values of the run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Which image.
    pub which: Which,
    /// A whole image instead of a tag.
    pub image: Option<ImageReference>,
    /// Build and push the image when the registry does not have it.
    pub build: bool,
    /// Build changes that are not committed too, under a tag of their own.
    pub dirty: bool,
    /// Wait until everything is ready, also where nobody looks.
    pub wait: bool,
    /// Return to the last good release on a failure; a cluster may always want it.
    pub rollback_on_failure: bool,
    /// Longest time for helm and for the rollout.
    pub timeout: Option<Duration>,
}

/// What a deploy came to.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    /// The release.
    pub release: String,
    /// Its image tag.
    pub tag: String,
}

/// Deploys.
///
/// # Errors
/// Lint, the image or another run forbids it, or the cluster does not become what it is to be.
pub(crate) fn deploy(session: &Session, wanted: &Wanted) -> Result<Deployed> {
    let run = Run::begin(session, wanted)?;
    let release = run.handle.name.clone();
    let ready = run.prepare()?;
    let tag = &ready.tag;
    let left = |failure: &Error| pending::left_by_deploy(&run.handle.kubectl, &release, &ready.id, ready.newest, &failure.to_string());
    let outcome = run.apply(&ready);
    let outcome = match outcome {
        Err(error) if error.kind() == Kind::Interrupted => {
            session.ui.say(&left(&error).words(&release)); // in one line: what a Ctrl-C leaves behind
            return Err(error);
        }
        outcome => outcome.map_err(|error| left(&error).advise(error)),
    };
    let failure = outcome.as_ref().err().map(ToString::to_string);
    let previous_tag = ready.previous_tag.clone();
    let message =
        DeployMessage { action: "deploy", release: release.clone(), tag: tag.clone(), previous_tag, failure, ..DeployMessage::default() };
    let told = announce::tell(session, &message);
    outcome?; // first: what failed matters more than that nobody could be told
    told?;
    session.ui.done(&format!("deployed {release} with image tag {tag} to cluster {}", run.handle.cluster));
    if ready.previous_tag.as_ref() == Some(tag) && ready.generations.is_some() && run.generations()? == ready.generations {
        let image = if tag == NO_GIT_TAG { "the name of the image" } else { "the image" };
        session.ui.say(&format!("{image} and the chart are as before, so no pod was replaced"));
        session.ui.hint("lain restart");
    }
    if run.has_tests() {
        run.test().map_err(|error| if error.kind() == Kind::Failed { left(&error).advise(error) } else { error })?;
    }
    Ok(Deployed { release, tag: ready.tag })
}

/// What would be sent, from the same values; nothing is created, built or mended on the way.
///
/// # Errors
/// Lint forbids it, or helm or the server refuses.
pub(crate) fn preview(session: &Session, wanted: &Wanted) -> Result<String> {
    let run = Run::begin(session, wanted)?;
    run.warn_of_skew()?;
    let (_, values) = run.values(&secrets::current_checksum(&run.handle.kubectl, run.app)?)?;
    let out = run.upgrade(&values)?.arg("--dry-run").read().map_err(|error| {
        let unreadable = error.tool().is_some_and(|tool| tool.says("current release manifest"));
        if unreadable { error.hint("lain deploy # mends helm's record of the release first, then upgrades") } else { error }
    })?;
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// A deploy under way.
struct Run<'s> {
    session: &'s Session,
    handle: Handle<'s>,
    values: &'s Resolved,
    app: &'s App,
    wanted: &'s Wanted,
    server: Option<Version>,
    /// What runs, where that is wanted.
    running: Option<Running>,
    /// What HEAD's image is without, in words, where it may be built.
    uncommitted: Option<String>,
}

/// The image of the release as it is.
struct Running {
    tag: String,
    /// The whole image that the release was given instead of a tag.
    reference: Option<ImageReference>,
}

/// All that is known before helm is asked to upgrade.
struct Ready {
    tag: String,
    values: HelmValues,
    /// Tells this deploy from every other.
    id: String,
    /// The newest revision before this one; 0 for none.
    newest: u32,
    known: mend::Known,
    previous_tag: Option<String>,
    generations: Option<Vec<(String, u64)>>,
}

/// How helm ended.
struct Upgraded {
    out: Captured,
    /// Why it was stopped, with the end of the log.
    stuck: Option<(Trouble, Option<String>)>,
}

impl Running {
    /// By the values that the release has; none where they name no tag.
    fn of(values: &Json) -> Result<Option<Self>> {
        let Some(tag) = text_of(&values["imageTag"]) else { return Ok(None) };
        let reference = values["imageRef"].as_str().filter(|reference| !reference.is_empty()).map(ImageReference::parse).transpose()?;
        Ok(Some(Self { tag, reference }))
    }
}

impl<'s> Run<'s> {
    /// What forbids a deploy before the cluster is looked at.
    fn begin(session: &'s Session, wanted: &'s Wanted) -> Result<Self> {
        session.require_cluster()?;
        let values = session.resolved()?;
        session.begin_to_connect();
        if wanted.build {
            refuse_foreign_build(values)?;
        }
        let is_head = wanted.which == Which::New && wanted.image.is_none() && values.chosen_tag()?.is_none();
        if wanted.dirty && !is_head {
            return Err(Error::usage("--dirty builds what is here, and another image was asked for").hint("lain deploy --build --dirty"));
        }
        // First: lint and helm are told the tag.
        let uncommitted = if wanted.build && is_head { changes_to_build(session, wanted.dirty)? } else { None };
        session.ask_git(is_head)?; // a missing git is said before anything is done
        if !session.globals.ignore_lint && wanted.which == Which::New {
            checks::require(session)?;
        }
        let app = values.app()?;
        values.cluster()?; // links at the end read it
        let handle = Handle::of_app(session)?;
        let running = match wanted.which {
            Which::New => None,
            Which::Running => {
                let values = handle.values(None)?;
                Some(values.as_ref().map(Running::of).transpose()?.flatten().ok_or_else(|| {
                    let error = match values {
                        None => format!("there is no release {} yet, so there is nothing to deploy again", handle.name),
                        Some(_) => format!("release {} was deployed without an image tag, so what runs is not known", handle.name),
                    };
                    Error::failed(error).hint("lain deploy")
                })?)
            }
        };
        let server = session.server()?;
        if server.is_none() {
            handle.kubectl.why_silent()?;
        }
        Ok(Self { session, handle, values, app, wanted, server, running, uncommitted })
    }

    /// Makes sure of everything that the upgrade relies on.
    fn prepare(&self) -> Result<Ready> {
        let Handle { name: release, helm, kubectl, .. } = &self.handle;
        let (session, app) = (self.session, self.app);
        helm.version()?; // before anything is changed
        let history = self.handle.history()?;
        let history = if self.unstick(&history)? { self.handle.history()? } else { history };
        let checksum = secrets::ensure(&session.ui, kubectl, app)?;
        let (tag, mut values) = self.values(&checksum)?;
        let id = run_id();
        values.add(pending::ID, id.clone());
        values.add(pending::TIMEOUT, self.limits()?.most.as_secs().to_string());
        let uncommitted = self.uncommitted.as_deref();
        require_image(session, app, &Asked { image: self.image(), tag: &tag, build: self.wanted.build, uncommitted })?;
        label_nodes(session, kubectl, app, release)?;
        delete_finished_jobs(kubectl, app, release)?;
        let generations = self.generations()?;
        let ways = self.values.credentials();
        let current = mend::current(&history);
        if let Some(revision) = current.filter(|_| self.running.is_some()) {
            let record = for_words(Record::fetch(kubectl, release, revision))?.flatten();
            let words = rollback::known_of(session, record.as_ref(), &tag)?;
            session.ui.say(&format!("deploying revision {revision} again, with the chart, values and Secrets of now: {words}"));
        }
        let known = match current {
            Some(revision) => mend::mend(&session.ui, kubectl, release, revision, self.server, &left_to_hpas(session, app, release), ways)?,
            None => mend::Known::default(),
        };
        let suspect = known.holds_credentials || history.last().is_some_and(|newest| Some(newest.revision) != current);
        mend::forget_credentials(&session.ui, kubectl, release, suspect, ways)?;
        let previous_tag = match known.image_tag.clone() {
            None if !history.is_empty() => self.handle.tag_for_words(None)?,
            tag => tag,
        };
        let newest = history.last().map_or(0, |newest| newest.revision);
        Ok(Ready { tag, values, id, newest, known, previous_tag, generations })
    }

    /// The whole image, where it is one: the one that is asked for, else the one that runs.
    fn image(&self) -> Option<&ImageReference> {
        self.wanted.image.as_ref().or_else(|| self.running.as_ref()?.reference.as_ref())
    }

    /// The helm values, and the tag in them.
    fn values(&self, checksum: &str) -> Result<(String, HelmValues)> {
        let reference = self.image();
        let running = self.running.as_ref().filter(|_| self.wanted.image.is_none());
        let given = match (reference, running) {
            (_, Some(running)) => Some(running.tag.clone()),
            (Some(reference), None) => {
                let digest = || reference.digest.as_ref().map(|digest| digest.replace(':', "-"));
                Some(reference.tag.clone().or_else(digest).unwrap_or_else(|| "latest".into()))
            }
            (None, None) => self.values.chosen_tag()?,
        };
        let tag = match given {
            Some(tag) => tag,
            None => self.session.image_tag()?.to_owned(),
        };
        let mut values = self.session.helm_values(Some(&tag))?;
        values.add("secretsChecksum", checksum.to_owned());
        if let Some(reference) = reference {
            values.add("imageRef", reference.to_string());
        }
        Ok((tag, values))
    }

    /// Goes on from what a run before left half-way, where that may be; true when there is another history now.
    fn unstick(&self, history: &[Revision]) -> Result<bool> {
        let Handle { session, name: release, helm, .. } = &self.handle;
        let Some(newest) = history.last().filter(|newest| pending::is_under_way(&newest.status)) else {
            return Ok(false);
        };
        self.handle.refuse_others(newest)?;
        let back = rollback::target(history);
        if !session.globals.auto_pilot {
            let error = Error::refused(format!(
                "release {release} is stuck in {} (revision {}, {}): a run before was cut off",
                newest.status, newest.revision, newest.updated
            ));
            let by_hand =
                if back.is_some() { "lain rollback # then deploy again" } else { "lain delete # nothing ran before it; then deploy again" };
            return Err(error.hint(by_hand).hint("lain deploy --auto-pilot # does both"));
        }
        session.ui.warn(&format!("release {release} is stuck in {}; going back first", newest.status));
        match back {
            Some(revision) => rollback::back_to(&self.handle, newest.revision, revision)?,
            // Nothing ever ran: the half-made first release goes.
            None => helm.uninstall(release, USUAL)?,
        }
        Ok(true)
    }

    fn upgrade(&self, values: &HelmValues) -> Result<Call<'s>> {
        let helm = &self.handle.helm;
        let call = helm.upgrade(&self.handle.name, values, self.limits()?)?;
        Ok(if self.goes_back()? { call.arg(helm.rollback_flag()?) } else { call })
    }

    /// The longest job, at least five minutes; `--timeout` wins. In all, what hooks may take one after another; the same again where helm goes back
    /// by itself.
    fn limits(&self) -> Result<Limits> {
        let most = |jobs: &mut dyn Iterator<Item = Duration>| jobs.max().unwrap_or_default().max(MIN_TIMEOUT);
        let jobs = || self.app.procs().filter(|(kind, _, _)| *kind == ProcKind::Job).map(|(_, _, proc)| proc);
        let takes = |seconds: Option<u64>| Duration::from_secs(seconds.unwrap_or(3600));
        let timeout = self.wanted.timeout.unwrap_or_else(|| most(&mut jobs().map(|job| takes(job.active_deadline_seconds))));
        let is_hook = |annotations: &Json| annotations["helm.sh/hook"].is_string();
        let hooks = jobs().filter(|job| job.annotations.as_ref().is_some_and(is_hook));
        let hooks: Duration = hooks.map(|job| takes(job.active_deadline_seconds)).sum();
        let once = if self.wanted.timeout.is_some() { timeout } else { timeout.max(hooks) };
        Ok(Limits { timeout, most: if self.goes_back()? { once * 2 } else { once } })
    }

    fn goes_back(&self) -> Result<bool> {
        Ok(self.wanted.rollback_on_failure || self.values.cluster()?.rollback_on_failure.unwrap_or(false))
    }

    fn has_tests(&self) -> bool {
        self.app.tests.as_ref().is_some_and(|tests| !tests.is_empty())
    }

    /// Upgrades, and follows what becomes of it.
    fn apply(&self, ready: &Ready) -> Result<()> {
        let Handle { session, name: release, kubectl, .. } = &self.handle;
        let selector = self.handle.selector(self.app);
        let mut follower = rollout::follower(&session.ui, kubectl, &selector);
        follower.start_from_now()?;
        {
            let _section = session.ui.section("helm_upgrade", &format!("helm upgrade --install {release}"));
            let call = self.upgrade(&ready.values)?.args(ready.known.flags().iter().copied());
            kubectl.begin_to_ask_version(); // beside helm, which waits for the server
            let Upgraded { out, stuck } = self.upgrade_watched(&call, &mut follower)?;
            self.warn_of_skew()?;
            session.ui.detail(&String::from_utf8_lossy(&out.stdout));
            if !out.ok() {
                // helm's own words would be about the signal that ended it.
                return Err(match stuck {
                    Some((trouble, log)) if self.goes_back()? => rollout::gone(&session.ui, &trouble, log),
                    Some((trouble, log)) => rollout::stuck(&session.ui, &trouble, log),
                    None => {
                        show_failed_jobs(session, kubectl, &selector);
                        call.failure(out.code, &out.stderr)
                    }
                });
            }
            session.ui.raw(out.stderr.as_bytes());
        }
        // helm's tests ask the new pods, so these must be ready first.
        if self.wanted.wait || self.has_tests() || session.env.is_ci() || session.ui.surface() == Surface::Terminal {
            let _section = session.ui.section("rollout", &format!("rollout of {release}"));
            let view = rollout::until_ready(&session.ui, &mut follower, self.limits()?.timeout)?;
            for job in view.jobs.iter().filter(|job| job.state == "running" && job.id.is_some() && !job.is_hook) {
                session.ui.say(&format!("job {} runs on: kubectl logs --follow job/{}", job.name, job.name));
            }
        }
        Ok(())
    }

    /// kubectl works within one minor version of the server; more is said, not refused.
    fn warn_of_skew(&self) -> Result<()> {
        let Some(server) = self.server else { return Ok(()) };
        let client = self.handle.kubectl.client()?;
        if client.major == server.major && client.minor.abs_diff(server.minor) > 1 {
            self.session.ui.warn(&format!("kubectl {client} and the server's {server} are more than one minor version apart"));
        }
        Ok(())
    }

    /// helm says nothing while hooks run or while it waits: what happens in the cluster is told meanwhile, and helm is stopped once something that it
    /// waits for cannot become ready.
    fn upgrade_watched(&self, call: &Call<'_>, follower: &mut Follower<'_>) -> Result<Upgraded> {
        let stop = Stop::within(if self.goes_back()? { self.limits()?.timeout } else { WINDS_UP });
        let mut stuck = None;
        let out = std::thread::scope(|scope| {
            let (done, ended) = channel::<()>();
            let helm = scope.spawn(|| {
                let done = done;
                let out = call.capture_until(&stop);
                drop(done); // whoever waits wakes up at once
                out
            });
            let mut looked = Instant::now();
            while ended.recv_timeout(PACE) == Err(RecvTimeoutError::Timeout) && interrupt::check().is_ok() {
                // After Ctrl-C helm got the signal too and winds up; helm's own error says more than a look that fails.
                if stuck.is_none() && (looked.elapsed() >= PAUSE || follower.has_news()) {
                    if let Ok(Some(trouble)) = follower.step_of_change() {
                        let log = follower.end_of_log(&trouble); // before helm takes the pod away
                        stuck = Some((trouble, log));
                        stop.ask();
                    }
                    looked = Instant::now();
                }
            }
            helm.join().unwrap_or_else(|_| Err(Error::failed("helm could not be watched")))
        });
        Ok(Upgraded { out: out?, stuck })
    }

    fn test(&self) -> Result<()> {
        let Handle { session, name: release, helm, .. } = &self.handle;
        let _section = session.ui.section("helm_test", &format!("helm test {release}"));
        let timeout = self.limits()?.timeout;
        let tests = self.app.tests.as_ref().map_or(1, |tests| tests.len().max(1));
        let out = helm.test(release, Limits { timeout, most: timeout * u32::try_from(tests).unwrap_or(1) })?;
        session.ui.raw(&out.stdout);
        if out.ok() {
            return Ok(());
        }
        session.ui.raw(out.stderr.as_bytes());
        Err(Error::failed(format!("release {release} is deployed, but its tests fail")).hint("lain logs"))
    }

    /// Which templates the workloads have now: changes when pods will be replaced. For words alone.
    fn generations(&self) -> Result<Option<Vec<(String, u64)>>> {
        let selector = self.handle.selector(self.app);
        let list: Option<List<Named>> = for_words(self.handle.kubectl.select("deployments,statefulsets", &selector))?;
        Ok(list.map(|list| list.items.into_iter().map(|Named { metadata }| (metadata.name, metadata.generation)).collect()))
    }
}

/// Another `build` without another `appname`: two builds would fight over one tag.
fn refuse_foreign_build(values: &Resolved) -> Result<()> {
    let Some((build, place)) = values.foreign_build() else { return Ok(()) };
    let why = if place == "--set" {
        "--set overrides `build` but not `appname`: the image would have the name and tag of HEAD's own, and every deploy of this commit would take it".to_owned()
    } else {
        format!(
            "{place} overrides `build` but not `appname`: the image of this cluster would have the same name and tag as every other cluster's, and --build would take another's for it"
        )
    };
    let hint = if place == "--set" {
        "chart/values.yaml # change `build` there, commit, then lain deploy --build"
    } else {
        "lain build --deploy # always builds"
    };
    Err(build.span.error(why).hint(hint))
}

/// Tells this deploy from every other.
fn run_id() -> String {
    format!("{:x}-{:x}", jiff::Timestamp::now().as_nanosecond(), std::process::id())
}

/// The Deployments whose replicas the chart leaves to an HPA; an older chart that still writes them leaves none.
fn left_to_hpas(session: &Session, app: &App, release: &str) -> Vec<String> {
    let template = std::fs::read_to_string(session.dir.join("chart/templates/deployment.yaml")).unwrap_or_default();
    if !template.contains("hpa") || template.contains("$deployment.replicaCount") {
        return vec![];
    }
    let autoscaled = app.deployments.iter().flatten().filter(|(_, proc)| proc.as_ref().is_some_and(|proc| proc.hpa.is_some()));
    autoscaled.map(|(name, _)| format!("{release}-{name}")).collect()
}

/// The nodes that a proc names get its label, and no others keep it.
fn label_nodes(session: &Session, kubectl: &Kubectl<'_>, app: &App, release: &str) -> Result<()> {
    for (_, name, proc) in app.procs() {
        let Some(nodes) = proc.nodes.as_ref().filter(|nodes| !nodes.is_empty()) else { continue };
        let label = format!("{release}-{name}");
        let have: List<Named> = kubectl.select("nodes", &label)?;
        for Named { metadata: Metadata { name: node, .. } } in
            have.items.iter().filter(|node| nodes.iter().all(|named| **named != node.metadata.name))
        {
            session.ui.say(&format!("node {node} is not among `nodes` of {name} any more: its label goes"));
            kubectl.label_node(node, format!("{label}-"))?;
        }
        for node in nodes {
            kubectl.label_node(node, format!("{label}=true"))?;
        }
    }
    Ok(())
}

/// A Job cannot be changed in place; a finished one of the deploy before makes way. One that still runs is left to helm to refuse.
fn delete_finished_jobs(kubectl: &Kubectl<'_>, app: &App, release: &str) -> Result<()> {
    let jobs = app.procs().filter(|(kind, _, _)| *kind == ProcKind::Job);
    let names: Vec<String> = jobs.map(|(_, name, _)| format!("{release}-{name}")).collect();
    for job in kubectl.find_all("job", &names)? {
        let job = Job::deserialize(job).map_err(|error| Error::failed(format!("a Job that lain cannot read: {error}")))?;
        if job.is_finished() {
            kubectl.delete("job", &job.metadata.name)?;
        }
    }
    Ok(())
}

fn show_failed_jobs(session: &Session, kubectl: &Kubectl<'_>, selector: &str) {
    let Ok(list) = kubectl.select::<List<Job>>("jobs", selector) else { return };
    for Job { metadata: Metadata { name, .. }, .. } in list.items.iter().filter(|job| job.status.failed > 0) {
        if let Some(log) = kubectl.log_end(format!("job/{name}")) {
            session.ui.say(&format!("the end of the log of job {name}:"));
            session.ui.say(&crate::ui::printable(&log));
        }
    }
}
