//! The app, as its values say, running in the cluster: `deploy`, `redeploy`, `build --deploy`.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use super::announce::{self, DeployMessage};
use super::beforehand::{delete_finished_jobs, label_nodes};
use super::canary_owner;
use super::handle::{Handle, for_words};
use super::image::{Asked, changes_to_build, require_image};
use super::lease::{Doing, shown};
use super::lock::{Busy, Lock, hold_and};
use super::record::{self, Record};
use super::signature::Guard;
use super::story::Story;
use super::{deadline, history, mend, pending, review, rollback, rollout, secrets};
use crate::checks;
use crate::cluster::follow::{End, Follower, PAUSE};
use crate::cluster::look::KINDS;
use crate::cluster::objects::{Job, List, Metadata, Object};
use crate::cluster::templates::{Generations, generations};
use crate::cluster::trouble::Trouble;
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::model::app::{App, ProcKind};
use crate::model::cluster::Cluster;
use crate::model::image::ImageReference;
use crate::model::name::{beside_canary, canary_of};
use crate::model::tag::{NO_GIT_TAG, sha_of_tag, time_of_tag};
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
    /// The one that the app's canary runs; lint was asked when that was deployed.
    Canarys,
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
    /// The newest revision that a plan was made upon, 0 for none: nothing is deployed upon another.
    pub newest: Option<u32>,
    /// Lint is not asked: nothing is deployed.
    pub unchecked: bool,
    /// Wait until everything is ready, also where nobody looks.
    pub wait: bool,
    /// Return to the last good release on a failure; a cluster may always want it.
    pub rollback_on_failure: bool,
    /// As a canary beside the app, as the values of the run were asked for.
    pub canary: bool,
    /// As a review beside the app, as the values of the run were asked for.
    pub review: bool,
    /// Refuse a commit that is older than what runs.
    pub refuse_older: bool,
    /// Refuse an image whose signature does not count; a cluster may always want it.
    pub verify: bool,
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

/// Deploys; the story gets to know how it goes.
///
/// # Errors
/// Lint, the image or another run forbids it, or the cluster does not become what it is to be.
pub(crate) fn deploy(session: &Session, wanted: &Wanted, story: &Story<'_>) -> Result<Deployed> {
    let uncommitted = asked(session, wanted)?;
    let handle = match Handle::of_app(session) {
        Ok(handle) => handle,
        // Of values that cannot be read lint says more.
        Err(error) => return checked(session, wanted, story).and(Err(error)),
    };
    story.knows(|facts| {
        facts.release = Some(handle.name.clone());
        facts.namespace = Some(handle.kubectl.namespace().to_owned());
    });
    let limits = deadline::limits(session, limits(session.app()?, session.cluster()?, wanted), goes_back(session.cluster()?, wanted));
    let busy = Busy::usual(&handle, limits.timeout);
    // The app and its canary are changed one at a time.
    let app = Handle::named(session, beside_canary(&handle.name).to_owned())?;
    let place = if wanted.canary { &app } else { &handle };
    let ahead = questions_ahead(session, &handle, wanted)?;
    hold_and(place, Doing::Deploy, limits.most, busy, &ahead, |lock| {
        checked(session, wanted, story)?;
        deploy_locked(session, wanted, uncommitted, story, lock)
    })
}

/// What [`Run::prepare`] and the follower of the change will ask, to be begun beside lint once the lock is held.
fn questions_ahead<'h>(session: &Session, handle: &'h Handle<'_>, wanted: &Wanted) -> Result<impl Fn() + Sync + 'h> {
    let app = session.app()?;
    let other = if wanted.canary { beside_canary(&handle.name).to_owned() } else { canary_of(&handle.name) };
    let (kubectl, release, selector) = (&handle.kubectl, &handle.name, handle.selector(app));
    let secrets = secrets::names(app);
    let has_lint = !session.globals.ignore_lint;
    Ok(move || {
        [release, &other].into_iter().for_each(|release| kubectl.begin_to_select("secrets", &record::selector(release)));
        secrets.iter().for_each(|name| kubectl.begin_to_find("secret", name));
        KINDS.iter().for_each(|kinds| kubectl.begin_to_select(kinds, &selector));
        if has_lint {
            kubectl.begin_to_ask_version(); // else it would keep helm waiting
        }
    })
}

/// Deploys under a lock that is asked for.
///
/// # Errors
/// As [`deploy`].
pub(super) fn deploy_locked(
    session: &Session,
    wanted: &Wanted,
    uncommitted: Option<String>,
    story: &Story<'_>,
    lock: &Lock<'_>,
) -> Result<Deployed> {
    let run = &Run::begin(session, wanted, uncommitted, story)?;
    let release = run.handle.name.clone();
    lock.enter()?;
    let usual = limits(run.app, run.values.cluster()?, wanted).timeout;
    deadline::require(session, usual)?;
    let ready = run.prepare()?;
    let tag = &ready.tag;
    story.knows(|facts| facts.previous_tag.clone_from(&ready.previous_tag));
    let left = |failure: &Error| pending::left_by_deploy(&run.handle.kubectl, &release, &ready.id, ready.newest, &failure.to_string());
    let outcome = run.apply(&ready);
    let outcome = match outcome {
        Err(error) if error.kind() == Kind::Interrupted => {
            session.ui.say(&left(&error).words(&release)); // in one line: what a Ctrl-C leaves behind
            return Err(error);
        }
        outcome => outcome.map_err(|error| deadline::explain(session, usual, left(&error).advise(error))),
    };
    let failure = outcome.as_ref().err().map(ToString::to_string);
    let previous_tag = ready.previous_tag.clone();
    let message =
        DeployMessage { action: "deploy", release: release.clone(), tag: tag.clone(), previous_tag, failure, ..DeployMessage::default() };
    let told = {
        let _phase = story.phase("message");
        announce::tell(session, &message)
    };
    let before = outcome?; // first: what failed matters more than that nobody could be told
    told?;
    session.ui.done(&format!("deployed {release} with image tag {tag} to cluster {}", run.handle.cluster));
    if ready.previous_tag.as_ref() == Some(tag) && before.is_some() && run.generations()? == before {
        let image = if tag == NO_GIT_TAG { "the name of the image" } else { "the image" };
        session.ui.say(&format!("{image} and the chart are as before, so no pod was replaced"));
        session.ui.hint("lain restart");
    }
    if run.has_tests() {
        run.test().map_err(|error| if error.kind() == Kind::Failed { left(&error).advise(error) } else { error })?;
    }
    Ok(Deployed { release, tag: ready.tag })
}

/// A deploy under way.
pub(super) struct Run<'s> {
    session: &'s Session,
    /// The release.
    pub(super) handle: Handle<'s>,
    values: &'s Resolved,
    /// The app.
    pub(super) app: &'s App,
    wanted: &'s Wanted,
    story: &'s Story<'s>,
    /// The server's version, where it says one.
    pub(super) server: Option<Version>,
    /// What runs, where that is wanted.
    running: Option<Running>,
    /// What HEAD's image is without, in words, where it may be built.
    uncommitted: Option<String>,
    /// Where signatures are asked for.
    guard: Option<Guard<'s>>,
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
}

/// How helm ended.
struct Upgraded {
    out: Captured,
    /// Why it was stopped.
    stuck: Option<Cause>,
}

/// What cannot end well, with the end of its log.
type Cause = (Trouble, Option<String>);

impl Running {
    /// By the values that the release has; none where they name no tag.
    fn of(values: &Json) -> Result<Option<Self>> {
        let Some(tag) = text_of(&values["imageTag"]) else { return Ok(None) };
        let reference = values["imageRef"].as_str().filter(|reference| !reference.is_empty()).map(ImageReference::parse).transpose()?;
        Ok(Some(Self { tag, reference }))
    }
}

impl<'s> Run<'s> {
    /// What is known of the release before anything is done to it.
    ///
    /// # Errors
    /// Values cannot be read, what runs is not known where it is wanted, or the server does not answer.
    pub(super) fn begin(session: &'s Session, wanted: &'s Wanted, uncommitted: Option<String>, story: &'s Story<'s>) -> Result<Self> {
        let values = session.resolved()?;
        let app = values.app()?;
        values.cluster()?; // links at the end read it
        let handle = Handle::of_app(session)?;
        let running = match wanted.which {
            Which::New => None,
            Which::Running | Which::Canarys => {
                let of = if wanted.which == Which::Running { handle.name.clone() } else { canary_of(&handle.name) };
                let values = Handle::named(session, of.clone())?.values(None)?;
                Some(values.as_ref().map(Running::of).transpose()?.flatten().ok_or_else(|| {
                    let error = match values {
                        None => format!("there is no release {of} yet, so there is nothing to deploy again"),
                        Some(_) => format!("release {of} was deployed without an image tag, so what runs is not known"),
                    };
                    Error::failed(error).hint("lain deploy")
                })?)
            }
        };
        let server = session.server()?;
        if server.is_none() {
            handle.kubectl.why_silent()?;
        }
        let guard = Guard::of(session, wanted.verify)?;
        Ok(Self { session, handle, values, app, wanted, story, server, running, uncommitted, guard })
    }

    /// Makes sure of everything that the upgrade relies on.
    fn prepare(&self) -> Result<Ready> {
        let Handle { name: release, helm, kubectl, .. } = &self.handle;
        let (session, app) = (self.session, self.app);
        let _phase = self.story.phase("preparation");
        helm.version()?; // before anything is changed
        let (history, records) = self.recorded()?;
        let (history, records) = if self.unstick(&history)? { self.handle.recorded()? } else { (history, records) };
        let newest = history.last().map_or(0, |newest| newest.revision);
        if self.wanted.newest.is_some_and(|planned| planned != newest) {
            return Err(Error::refused(format!(
                "release {release} moved while the plan was looked at: revision {newest} is its newest now"
            ))
            .hint("lain history")
            .hint("lain deploy --dry-run -o plan # makes a new one: look through that"));
        }
        self.refuse_older(&history)?;
        let tag = self.tag()?;
        self.story.knows(|facts| {
            facts.tag = Some(tag.clone());
            facts.image = self.image().map(ToString::to_string);
        });
        let uncommitted = self.uncommitted.as_deref();
        {
            let _phase = self.story.phase("image");
            require_image(session, app, &Asked { image: self.image(), tag: &tag, build: self.wanted.build, uncommitted })?;
            self.require_signatures()?;
        }
        if self.wanted.review {
            review::prepare(&self.handle, app)?;
        }
        let checksum = secrets::ensure(&session.ui, kubectl, app)?;
        let (tag, mut values) = self.values(&checksum)?;
        let id = pending::run_id();
        values.add(pending::ID, id.clone());
        values.add(pending::TIMEOUT, self.limits()?.most.as_secs().to_string());
        if self.wanted.which == Which::Running {
            values.add(history::ACTION, "redeploy".to_owned());
        }
        label_nodes(session, kubectl, app, release)?;
        delete_finished_jobs(kubectl, app, release)?;
        let ways = self.values.credentials();
        let current = mend::current(&history);
        let record = match (current, records) {
            (Some(current), Some(records)) => records.into_iter().find(|record| record.revision() == Some(current)),
            (Some(current), None) => Record::fetch(kubectl, release, current)?,
            (None, _) => None,
        };
        if let Some(revision) = current.filter(|_| self.wanted.which == Which::Running) {
            let words = rollback::known_of(session, record.as_ref(), &tag)?;
            session.ui.say(&format!("deploying revision {revision} again, with the chart, values and Secrets of now: {words}"));
        }
        let known = mend::mend(&session.ui, kubectl, release, record, self.server, &left_to_hpas(session, app, release), ways)?;
        let suspect = known.holds_credentials || history.last().is_some_and(|newest| Some(newest.revision) != current);
        mend::forget_credentials(&session.ui, kubectl, release, suspect, ways)?;
        let previous_tag = match known.image_tag.clone() {
            None if !history.is_empty() => self.handle.tag_for_words(None)?,
            tag => tag,
        };
        Ok(Ready { tag, values, id, newest, known, previous_tag })
    }

    /// The whole image, where it is one: the one that is asked for, else the one that runs.
    pub(super) fn image(&self) -> Option<&ImageReference> {
        self.wanted.image.as_ref().or_else(|| self.running.as_ref()?.reference.as_ref())
    }

    /// The release's revisions, and helm's records of them. An app whose canary is under way is not deployed over it, and no canary without its app.
    fn recorded(&self) -> Result<(Vec<Revision>, Option<Vec<Record>>)> {
        let Handle { name: release, kubectl, .. } = &self.handle;
        let other = if self.wanted.canary { beside_canary(release).to_owned() } else { canary_of(release) };
        let (history, other_one) = std::thread::scope(|scope| {
            let other = scope.spawn(|| pending::newest(kubectl, &other));
            (self.handle.recorded(), other.join().ok().flatten())
        });
        let (history, records) = history?;
        if self.wanted.canary {
            if other_one.is_none() {
                return Err(Error::refused(format!("a canary runs beside its app, and {other} is not deployed")).hint("lain deploy"));
            }
            if !history.is_empty() {
                canary_owner::require(&self.handle, false)?;
            }
        } else if other_one.is_some() && self.wanted.which != Which::Canarys {
            let canary = Handle::named(self.session, other.clone())?;
            let who = canary_owner::of(&canary)?.map_or_else(String::new, |who| format!(", by {}", shown(&who)));
            return Err(Error::refused(format!("a canary of {release} is under way ({other}{who}): it ends first"))
                .hint("lain set-canary-group --final # what it runs becomes the app")
                .hint("lain set-canary-group --abort # takes it away"));
        }
        Ok((history, records))
    }

    /// With `--refuse-older`: a pipeline that comes late does not undo what a newer one did. By git's own order of the two commits where this clone has
    /// both and one is before the other, else by their times.
    fn refuse_older(&self, history: &[Revision]) -> Result<()> {
        let Some(current) = mend::current(history).filter(|_| self.wanted.refuse_older) else { return Ok(()) };
        let session = self.session;
        let (running, tag) = (self.handle.tag_for_words(Some(current))?.unwrap_or_default(), self.tag()?);
        let (Some(old), Some(new)) = (sha_of_tag(&running), sha_of_tag(&tag)) else {
            session.ui.say(&format!("--refuse-older: tags {running} and {tag} do not both name a commit, so nothing is compared"));
            return Ok(());
        };
        let git = session.git();
        let is_older = if old == new || git.is_ancestor(old, new)? == Some(true) {
            false
        } else {
            git.is_ancestor(new, old)? == Some(true) || time_of_tag(&tag) < time_of_tag(&running)
        };
        if !is_older {
            return Ok(());
        }
        let known = |tag: &str| rollback::known_of(session, None, tag);
        Err(Error::refused(format!(
            "release {} runs a newer commit than this one: {}; this is {}",
            self.handle.name,
            known(&running)?,
            known(&tag)?
        ))
        .hint("lain deploy # without --refuse-older: goes back to it on purpose")
        .hint("lain rollback # one good release back, with its own chart and values"))
    }

    /// The tag of the image that is to run.
    fn tag(&self) -> Result<String> {
        let running = self.running.as_ref().filter(|_| self.wanted.image.is_none());
        let given = match (self.image(), running) {
            (_, Some(running)) => Some(running.tag.clone()),
            (Some(reference), None) => {
                let digest = || reference.digest.as_ref().map(|digest| digest.replace(':', "-"));
                Some(reference.tag.clone().or_else(digest).unwrap_or_else(|| "latest".into()))
            }
            (None, None) => self.values.chosen_tag()?,
        };
        given.map_or_else(|| self.session.image_tag().map(str::to_owned), Ok)
    }

    /// The helm values, and the tag in them.
    ///
    /// # Errors
    /// git does not tell the tag, or values cannot be read.
    pub(super) fn values(&self, checksum: &str) -> Result<(String, HelmValues)> {
        let reference = self.image();
        let tag = self.tag()?;
        let mut values = self.session.helm_values(Some(&tag))?;
        values.add("secretsChecksum", checksum.to_owned());
        if let Some(reference) = reference {
            let reference = self.guard.as_ref().map_or_else(|| Ok(reference.clone()), |guard| guard.pinned(reference))?;
            values.add("imageRef", reference.to_string());
        }
        if let Some(guard) = &self.guard {
            values.add("pinnedImages", guard.pins(self.app, &tag)?.join(" "));
        }
        Ok((tag, values))
    }

    /// Where signatures are asked for: what helm will send runs no image of the app's own but by a digest whose signature counts.
    fn require_signatures(&self) -> Result<()> {
        let Some(guard) = &self.guard else { return Ok(()) };
        let Handle { name: release, helm, kubectl, .. } = &self.handle;
        let (_, values) = self.values(&secrets::current_checksum(kubectl, self.app)?)?;
        // What helm only stumbles over in the cluster is mended before the upgrade.
        let manifest = match helm.try_upgrade(release, &values) {
            Err(error) if error.kind() != Kind::Interrupted => helm.render_upgrade(release, &values, self.server)?,
            tried => tried?,
        };
        guard.require_all(&manifest, self.image(), "lain init --template-only # this chart does not name digests; lain's own does")
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
            None => helm.uninstall(release, deadline::limits(session, USUAL, false))?,
        }
        Ok(true)
    }

    /// The call that upgrades.
    ///
    /// # Errors
    /// helm is missing, or values cannot be read.
    pub(super) fn upgrade(&self, values: &HelmValues) -> Result<Call<'s>> {
        let helm = &self.handle.helm;
        let call = helm.upgrade(&self.handle.name, values, self.limits()?)?;
        Ok(if self.goes_back()? { call.arg(helm.rollback_flag()?) } else { call })
    }

    fn limits(&self) -> Result<Limits> {
        Ok(deadline::limits(self.session, limits(self.app, self.values.cluster()?, self.wanted), self.goes_back()?))
    }

    fn goes_back(&self) -> Result<bool> {
        Ok(goes_back(self.values.cluster()?, self.wanted))
    }

    fn has_tests(&self) -> bool {
        self.app.tests.as_ref().is_some_and(|tests| !tests.is_empty())
    }

    /// Upgrades, and follows what becomes of it. Returns the generations that the workloads had before, where the server said.
    fn apply(&self, ready: &Ready) -> Result<Option<Generations>> {
        let Handle { session, name: release, kubectl, .. } = &self.handle;
        let selector = self.handle.selector(self.app);
        let story = self.story;
        let mut follower = rollout::follower_of_change(session, kubectl, &selector, |event, line| story.saw(event, line))?;
        follower.start_from_now()?;
        let before = follower.generations_before().cloned();
        {
            let _phase = story.phase("upgrade");
            let _section = session.ui.section("helm_upgrade", &format!("helm upgrade --install {release}"));
            let call = self.upgrade(&ready.values)?.args(ready.known.flags().iter().copied());
            kubectl.begin_to_ask_version(); // beside helm, where nobody did
            let Upgraded { out, stuck } = self.upgrade_watched(&call, &mut follower)?;
            self.warn_of_skew()?;
            session.ui.detail(&String::from_utf8_lossy(&out.stdout));
            if !out.ok() {
                return Err(self.why_failed(&call, &out, stuck, &mut follower)?);
            }
            session.ui.raw(out.stderr.as_bytes());
            story.knows(|facts| facts.revision = Some(ready.newest + 1));
        }
        // helm's tests ask the new pods, so these must be ready first.
        if self.wanted.wait || self.has_tests() || session.env.is_ci() || session.ui.surface() == Surface::Terminal {
            let _section = session.ui.section("rollout", &format!("rollout of {release}"));
            let _phase = story.phase("rollout");
            let timeout = self.limits()?.timeout;
            let end = follower.until_the_end(timeout)?;
            if let End::Stuck { trouble, log: Some(log), .. } = &end {
                story.log(format!("{}/{}", trouble.kind, trouble.name), log);
            }
            let cannot = matches!(end, End::Stuck { .. });
            let view = rollout::verdict(&session.ui, end, timeout).inspect_err(|_| {
                // helm's own word for this revision stays `deployed`. What only takes too long may be ready in a moment.
                if cannot {
                    history::note_failure(&self.handle, ready.newest + 1);
                }
            })?;
            for job in view.jobs.iter().filter(|job| job.state == "running" && job.id.is_some() && !job.is_hook) {
                session.ui.say(&format!("job {} runs on: kubectl logs --follow job/{}", job.name, job.name));
            }
        }
        Ok(before)
    }

    /// Why helm failed, by who knows most: what it was stopped for, a Job that failed, helm.
    fn why_failed(&self, call: &Call<'_>, out: &Captured, stuck: Option<Cause>, follower: &mut Follower<'_>) -> Result<Error> {
        let ui = &self.session.ui;
        ui.settle();
        let mut failed_job = || {
            interrupt::check().ok()?;
            let trouble = follower.failed_job().ok().flatten()?;
            let log = follower.end_of_log(&trouble);
            Some((trouble, log))
        };
        let Some((trouble, log)) = stuck.or_else(&mut failed_job) else {
            show_failed_jobs(self.session, &self.handle.kubectl, &self.handle.selector(self.app), self.story);
            return Ok(call.failure(out.code, &out.stderr));
        };
        if let Some(log) = &log {
            self.story.log(format!("{}/{}", trouble.kind, trouble.name), log);
        }
        Ok(if self.goes_back()? { rollout::gone(ui, &trouble, log) } else { rollout::stuck(ui, &trouble, log) })
    }

    /// kubectl works within one minor version of the server; more is said, not refused.
    ///
    /// # Errors
    /// kubectl is missing or does not say its version.
    pub(super) fn warn_of_skew(&self) -> Result<()> {
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
        let _phase = self.story.phase("tests");
        let usual = limits(self.app, self.values.cluster()?, self.wanted).timeout;
        let tests = self.app.tests.as_ref().map_or(1, |tests| tests.len().max(1));
        deadline::wait(session, usual * u32::try_from(tests).unwrap_or(1), |most| {
            let out = helm.test(release, Limits { timeout: usual.min(most), most })?;
            session.ui.raw(&out.stdout);
            if out.ok() {
                return Ok(());
            }
            self.story.log("tests".into(), &String::from_utf8_lossy(&out.stdout));
            session.ui.raw(out.stderr.as_bytes());
            Err(Error::failed(format!("release {release} is deployed, but its tests fail")).hint("lain logs"))
        })
    }

    /// The generations that the workloads have now: they change when pods will be replaced. For words alone.
    fn generations(&self) -> Result<Option<Generations>> {
        let selector = self.handle.selector(self.app);
        let list: Option<List<Object>> = for_words(self.handle.kubectl.select("deployments,statefulsets", &selector))?;
        Ok(list.map(|list| generations(&list.items)))
    }
}

/// What forbids a deploy at once. Returns what HEAD's image is without, in words, where it may be built.
///
/// # Errors
/// Something does.
pub(super) fn asked(session: &Session, wanted: &Wanted) -> Result<Option<String>> {
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
    Ok(uncommitted)
}

/// What forbids a deploy of these values.
///
/// # Errors
/// Lint does.
pub(super) fn checked(session: &Session, wanted: &Wanted, story: &Story<'_>) -> Result<()> {
    if session.globals.ignore_lint || wanted.unchecked || wanted.which == Which::Running {
        return Ok(());
    }
    let _phase = story.phase("checks");
    checks::require(session)
}

/// The longest job, at least five minutes; `--timeout` wins. In all, what hooks may take one after another; the same again where helm goes back
/// by itself.
fn limits(app: &App, cluster: &Cluster, wanted: &Wanted) -> Limits {
    let most = |jobs: &mut dyn Iterator<Item = Duration>| jobs.max().unwrap_or_default().max(MIN_TIMEOUT);
    let jobs = || app.procs().filter(|(kind, _, _)| *kind == ProcKind::Job).map(|(_, _, proc)| proc);
    let takes = |seconds: Option<u64>| Duration::from_secs(seconds.unwrap_or(3600));
    let timeout = wanted.timeout.unwrap_or_else(|| most(&mut jobs().map(|job| takes(job.active_deadline_seconds))));
    let is_hook = |annotations: &Json| annotations["helm.sh/hook"].is_string();
    let hooks = jobs().filter(|job| job.annotations.as_ref().is_some_and(is_hook));
    let hooks: Duration = hooks.map(|job| takes(job.active_deadline_seconds)).sum();
    let once = if wanted.timeout.is_some() { timeout } else { timeout.max(hooks) };
    Limits { timeout, most: if goes_back(cluster, wanted) { once * 2 } else { once } }
}

fn goes_back(cluster: &Cluster, wanted: &Wanted) -> bool {
    wanted.rollback_on_failure || cluster.rollback_on_failure.unwrap_or(false)
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

/// The Deployments whose replicas the chart leaves to an HPA; an older chart that still writes them leaves none.
fn left_to_hpas(session: &Session, app: &App, release: &str) -> Vec<String> {
    let template = std::fs::read_to_string(session.dir.join("chart/templates/deployment.yaml")).unwrap_or_default();
    if !template.contains("hpa") || template.contains("$deployment.replicaCount") {
        return vec![];
    }
    let autoscaled = app.deployments.iter().flatten().filter(|(_, proc)| proc.as_ref().is_some_and(|proc| proc.hpa.is_some()));
    autoscaled.map(|(name, _)| format!("{release}-{name}")).collect()
}

fn show_failed_jobs(session: &Session, kubectl: &Kubectl<'_>, selector: &str, story: &Story<'_>) {
    let Ok(list) = kubectl.select::<List<Job>>("jobs", selector) else { return };
    for Job { metadata: Metadata { name, .. }, .. } in list.items.iter().filter(|job| job.status.failed > 0) {
        if let Some(log) = kubectl.log_end(format!("job/{name}")) {
            session.ui.say(&format!("the end of the log of job {name}:"));
            session.ui.say(&crate::ui::printable(&log));
            story.log(format!("job/{name}"), &log);
        }
    }
}
