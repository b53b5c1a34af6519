//! A Job that a user starts by hand: made, followed to its end, or given a shell and taken away again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use super::deadline;
use super::image::require_tag;
use super::job_spec::{self, BY, RUN, Spec};
use super::rollout;
use super::signature;
use crate::cluster::follow::{Follower, PAUSE};
use crate::cluster::look;
use crate::cluster::objects::{Job, Pod};
use crate::cluster::trouble::{Class, Trouble};
use crate::error::{Error, Kind, Result};
use crate::interrupt;
use crate::model::app::App;
use crate::model::image::{ImageReference, repository_in};
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::tools::server::may_pass;
use crate::ui::printable;

/// How long a Job stays once it has ended, so that its log can be read; one for a shell has no use any more.
const STAYS: [Duration; 2] = [Duration::from_secs(24 * 60 * 60), Duration::from_secs(60)];
/// How long after its own end of time a Job is still waited for: Kubernetes ends it.
const LATE: Duration = Duration::from_secs(180);
/// A log that ended while its container still runs is followed on after so long.
const BROKEN: Duration = Duration::from_secs(5);
/// What stands for an app where there is none.
const NO_APP: &str = "lain";
/// The cluster file's name for the image that is used there.
const NO_APP_KEY: &str = "lain_image";

/// Which image a Job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// The one that runs.
    Running,
    /// That of HEAD.
    Head,
    /// The same with another tag.
    Tag(String),
}

/// What a user wants to be run.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Which image.
    pub image: Image,
    /// The words of the command; none for a shell.
    pub command: Vec<String>,
    /// The longest it may take.
    pub timeout: Duration,
    /// The most memory.
    pub memory: String,
    /// As which user.
    pub user: Option<i64>,
    /// One of the same name is taken away first.
    pub force: bool,
    /// It sleeps, and the command or a shell runs in it by hand.
    pub by_hand: bool,
    /// Its log is followed, and its exit code is lain's.
    pub wait: bool,
    /// The current folder is copied into it.
    pub context: bool,
}

/// Runs a command in a Job, as `wanted` says.
///
/// # Errors
/// The same one runs already, it cannot start, it failed ([`Error::child`] with its code), or the server does not answer.
pub(crate) fn run(session: &Session, wanted: &Wanted) -> Result<()> {
    let kubectl = &session.kubectl()?;
    let app = session.has_app().then(|| session.app()).transpose()?;
    let app_name = app.map_or(NO_APP, |app| &app.appname);
    if app.is_none() {
        session.ui.say("no app is here: the Job runs lain's own image");
    }
    let name = job_spec::name_of(app_name, &wanted.command);
    let (run, by) = (run_id(), session.env.executor());
    let spec = Spec {
        name: &name,
        app: app_name,
        run: &run,
        by: &by,
        command: if wanted.by_hand { sleep(wanted.timeout) } else { wanted.command.clone() },
        timeout: wanted.timeout,
        stays: STAYS[usize::from(wanted.by_hand)],
        memory: &wanted.memory,
        user: wanted.user,
        sleeps: wanted.by_hand,
    };
    let mut object = match app {
        Some(app) => of_app(session, kubectl, app, &spec, &wanted.image)?,
        None => of_no_app(session, &spec)?,
    };
    signature::pin(session, &mut object)?;
    make_room(session, kubectl, &name, wanted.force)?;
    let started = Started::new(session, kubectl, name, run, wanted.timeout);
    if wanted.by_hand {
        return started.by_hand(&object, app.is_none(), wanted);
    }
    started.run(&object, wanted.wait)
}

/// Runs a `CronJob` of the app now, and follows it.
///
/// # Errors
/// There is no such `CronJob`, and as [`run`].
pub(crate) fn run_cronjob(session: &Session, release: &str, proc: &str, timeout: Duration) -> Result<()> {
    let kubectl = &session.kubectl()?;
    let run = run_id();
    let name = job_spec::with_end(&format!("{release}-{proc}"), &format!("manual-{run}"));
    let mut object = kubectl.job_of_cronjob(&format!("{release}-{proc}"), &name).map_err(|error| {
        let is_missing = error.tool().is_some_and(|tool| tool.says("NotFound"));
        if is_missing { error.context(format!("cron job {release}-{proc} is not deployed")).hint("lain deploy") } else { error }
    })?;
    signature::pin(session, &mut object)?;
    job_spec::mark(&mut object, &run, &session.env.executor());
    let own = object["spec"]["activeDeadlineSeconds"].as_u64().map(Duration::from_secs);
    Started::new(session, kubectl, name, run, own.unwrap_or(timeout)).run(&object, true)
}

fn sleep(timeout: Duration) -> Vec<String> {
    vec!["sleep".to_owned(), timeout.as_secs().to_string()]
}

/// Other for each run, short enough for the end of a name.
fn run_id() -> String {
    let now = jiff::Timestamp::now().as_millisecond();
    format!("{now:x}{:x}", std::process::id() & 0xfff)
}

/// The Job of an app: what its largest deployment runs, else what any of its processes does.
fn of_app(session: &Session, kubectl: &Kubectl<'_>, app: &App, spec: &Spec<'_>, image: &Image) -> Result<Json> {
    let release = app.release();
    let list: Json = kubectl.select("deployments,statefulsets,cronjobs", &look::selector(&app.appname, release))?;
    let found = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some((proc, pod)) = model(app, found) else {
        let why = format!("release {release} is not deployed: a Job takes its image, its environment and its mounts from what runs");
        return Err(Error::failed(why).hint("lain deploy"));
    };
    let running = job_spec::image_of(pod, proc).unwrap_or_default();
    session.ui.detail(&format!("as {proc} runs it: {running}"));
    let mut object = job_spec::job(spec, pod, proc);
    let (tag, line) = match image {
        Image::Running => return Ok(object),
        Image::Head => (session.image_tag()?.to_owned(), "lain job --image-tag "),
        Image::Tag(tag) => (tag.clone(), "lain job --image-tag "),
    };
    let other = ImageReference { tag: Some(tag.clone()), digest: None, ..ImageReference::parse(running)? };
    require_tag(session, &pushed_to(session, app, &other)?, &tag, line)?;
    job_spec::set_image(&mut object, &other.to_string(), &tag);
    Ok(object)
}

/// Where an image that pods pull was pushed to, which may have another name there.
pub(super) fn pushed_to(session: &Session, app: &App, image: &ImageReference) -> Result<String> {
    let cluster = session.cluster()?;
    let Some(inner) = &cluster.internal_registry else { return Ok(image.name()) };
    let is_own = repository_in(inner, &app.appname) == image.name();
    if is_own { session.repository() } else { Ok(image.name()) }
}

/// The workload whose pods a Job is made after, with the name of its process. One that runs the app's own image comes first.
fn model<'j>(app: &'j App, found: &'j [Json]) -> Option<(&'j str, &'j Json)> {
    let largest = app.largest_deployment();
    let named = found.iter().rev().filter_map(|object| {
        let is_cron = object["kind"] == "CronJob";
        let pod = object.pointer(if is_cron { "/spec/jobTemplate/spec/template/spec" } else { "/spec/template/spec" })?;
        let proc = object["metadata"]["name"].as_str()?.strip_prefix(app.release())?.strip_prefix('-')?;
        let own = app.procs().any(|(_, name, values)| name == proc && values.image.is_none() && values.build.is_none());
        Some(((own, object["kind"] == "Deployment", largest == Some(proc)), proc, pod))
    });
    named.max_by_key(|(rank, _, _)| *rank).map(|(_, proc, pod)| (proc, pod))
}

/// The Job where no app is: lain's own image, with the tools that are in it.
fn of_no_app(session: &Session, spec: &Spec<'_>) -> Result<Json> {
    let name = &session.require_cluster()?.name;
    let cluster = session.cluster_of(name)?;
    let image = cluster.own_image().ok_or_else(|| {
        Error::usage(format!("no app is here, and the values of cluster {name} name no image for that"))
            .hint(format!("{NO_APP_KEY}: REGISTRY/lain:TAG # in values-{name}.yaml"))
            .hint("lain -C DIR job # for the app in that folder")
    })?;
    let mut pod = json!({"containers": [{"name": NO_APP, "image": image}]});
    if let Some(account) = cluster.service_account_name.as_ref().filter(|account| account.is_string()) {
        pod["serviceAccountName"] = account.clone();
    }
    Ok(job_spec::job(spec, &pod, NO_APP))
}

/// A Job of the same name that is over goes; one that runs stays, unless it is to be replaced.
fn make_room(session: &Session, kubectl: &Kubectl<'_>, name: &str, force: bool) -> Result<()> {
    let Some(object) = kubectl.find("job", name)? else { return Ok(()) };
    let by = object["metadata"]["annotations"][BY].as_str().map_or_else(String::new, |by| format!(", started by {}", printable(by)));
    let since = object["metadata"]["creationTimestamp"].as_str().unwrap_or("a while ago");
    let is_finished = serde_json::from_value::<Job>(object.clone()).is_ok_and(|job| job.is_finished());
    if !is_finished && !force {
        return Err(Error::refused(format!("job {name} with the same command runs already, since {since}{by}"))
            .hint(format!("kubectl logs --follow job/{name}"))
            .hint("--force # ends that one first"));
    }
    let what = if is_finished { "is over" } else { "is ended" };
    session.ui.say(&format!("job {name} of {since}{by} {what}: it is replaced"));
    kubectl.delete_job(name)
}

/// A Job that is made, and what it is followed by.
struct Started<'a> {
    session: &'a Session,
    kubectl: &'a Kubectl<'a>,
    name: String,
    run: String,
    timeout: Duration,
    begun: Instant,
}

/// A Job goes on when nobody waits for it any more.
#[derive(Debug)]
struct RunsOn;

impl std::fmt::Display for RunsOn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the job runs on")
    }
}

impl std::error::Error for RunsOn {}

/// What is to be done next with a Job.
enum Step {
    /// A container that runs, or ran, and whose log was not read.
    Runs { pod: String, container: String, restarts: u64 },
    /// It came to its end.
    Over,
    /// It cannot start, or it failed.
    Trouble(Trouble),
}

/// Logs that were read, by pod and restart: when that ended, and at what time on the server's clock, as nearly as lain knows it.
type Read = BTreeMap<(String, u64), (Instant, String)>;

impl<'a> Started<'a> {
    fn new(session: &'a Session, kubectl: &'a Kubectl<'a>, name: String, run: String, timeout: Duration) -> Self {
        Self { session, kubectl, name, run, timeout, begun: Instant::now() }
    }

    fn selector(&self) -> String {
        format!("{RUN}={}", self.run)
    }

    /// Creates it; a run that is quicker with the same name is told of.
    fn create(&self, object: &Json) -> Result<()> {
        match self.kubectl.send(&["create"], object) {
            Err(error) if error.tool().is_some_and(|tool| tool.says("AlreadyExists")) => {
                Err(Error::refused(format!("somebody else started job {} at this moment", self.name))
                    .hint(format!("kubectl logs --follow job/{}", self.name)))
            }
            sent => sent.map(drop),
        }
    }

    /// Starts it; with `follow` its log is shown and its exit code is lain's.
    fn run(&self, object: &Json, follow: bool) -> Result<()> {
        deadline::require(self.session, Duration::ZERO)?;
        let selector = self.selector();
        let mut follower = rollout::plain_follower(self.session, self.kubectl, &selector)?;
        follower.start_from_now()?;
        self.create(object)?;
        let outcome = deadline::wait(self.session, self.timeout + LATE, |time| self.follow(&mut follower, follow, Instant::now() + time));
        if let Err(error) = &outcome
            && (error.kind() == Kind::Interrupted || error.source::<RunsOn>().is_some())
        {
            self.session.ui.say(&format!("job {} goes on without lain, for {} s at most", self.name, self.timeout.as_secs()));
            self.session.ui.hint(&format!("kubectl delete job {} # ends it", self.name));
        }
        outcome
    }

    fn follow(&self, follower: &mut Follower<'_>, to_the_end: bool, end: Instant) -> Result<()> {
        let (ui, mut read) = (&self.session.ui, Read::new());
        loop {
            match self.next(follower, &read, end)? {
                Step::Runs { pod, container, restarts } => {
                    if !to_the_end {
                        ui.done(&format!("job {} runs", self.name));
                        ui.hint(&format!("kubectl logs --follow job/{}", self.name));
                        ui.hint(&format!("kubectl delete job {} # ends it", self.name));
                        return Ok(());
                    }
                    let since = read.get(&(pod.clone(), restarts)).map(|(_, time)| time.as_str());
                    let call = self.kubectl.follow_container(&pod, &container, since);
                    call.show_while(|| self.check_time(end))?;
                    interrupt::check()?;
                    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
                    read.insert((pod, restarts), (Instant::now(), now));
                }
                Step::Over => {
                    ui.done(&format!("job {} is done", self.name));
                    return Ok(());
                }
                Step::Trouble(trouble) if trouble.class == Class::Job => return Err(self.failed(&trouble)?),
                Step::Trouble(trouble) => return Err(self.cannot_start(follower, &trouble)),
            }
        }
    }

    /// Looks on until there is something to be done.
    fn next(&self, follower: &mut Follower<'_>, read: &Read, end: Instant) -> Result<Step> {
        loop {
            if let Some((view, trouble)) = follower.step()? {
                match look::pods(self.kubectl, &self.selector()) {
                    Ok(pods) => {
                        if let Some(run) = pods.iter().find_map(|pod| unread(pod, read)) {
                            return Ok(run);
                        }
                        if view.jobs.iter().any(|job| job.state == "done") {
                            return Ok(Step::Over);
                        }
                    }
                    Err(error) if may_pass(&error) => {} // the follower tells of it
                    Err(error) => return Err(error),
                }
                if let Some(trouble) = trouble {
                    return Ok(Step::Trouble(trouble));
                }
            }
            self.check_time(end)?;
            interrupt::sleep(PAUSE)?;
        }
    }

    fn check_time(&self, end: Instant) -> Result<()> {
        interrupt::check()?;
        if Instant::now() < end {
            return Ok(());
        }
        let passed = self.begun.elapsed();
        if passed < self.timeout {
            let error = Error::failed(format!("job {} is not done after {} s", self.name, passed.as_secs())).caused_by(RunsOn);
            return Err(error.hint(format!("kubectl logs --follow job/{}", self.name)));
        }
        let why = format!("job {} should have been ended after {} s, and is still there", self.name, self.timeout.as_secs());
        Err(Error::failed(why).hint(format!("kubectl describe job {}", self.name)))
    }

    /// The error of a Job that ran: its container's own exit code, once it is said what became of it.
    fn failed(&self, trouble: &Trouble) -> Result<Error> {
        if trouble.reason == "DeadlineExceeded" {
            let why = format!("job {} was ended: it took longer than {} s", self.name, self.timeout.as_secs());
            return Ok(Error::failed(why).hint("--timeout 4h # gives it more time"));
        }
        let mut pods = look::pods(self.kubectl, &self.selector())?;
        pods.sort_by_key(|pod| pod.metadata.created());
        let code = pods.last().and_then(|pod| {
            let ends = pod.status.container_statuses.iter().filter_map(|status| status.state.terminated.as_ref());
            ends.map(|end| end.exit_code).find(|code| *code != 0)
        });
        let words = if trouble.message.is_empty() { &trouble.reason } else { &trouble.message };
        let Some(code) = code.and_then(|code| i32::try_from(code).ok()) else {
            return Ok(rollout::stuck(&self.session.ui, trouble, None));
        };
        self.session.ui.warn(&printable(&format!("job {} failed: {words}", self.name)));
        Ok(Error::child(code))
    }

    /// The error of a Job that nothing ran of; it is of no more use.
    fn cannot_start(&self, follower: &Follower<'_>, trouble: &Trouble) -> Error {
        let log = follower.end_of_log(trouble);
        match self.kubectl.delete_job_at_last(&self.name) {
            Ok(()) => self.session.ui.say(&format!("job {} is removed: it did not start", self.name)),
            Err(error) => self.session.ui.warn(&error.to_string()),
        }
        let words = trouble.message.contains("exceeded quota").then_some("--memory 1Gi # or what the quota has room for");
        let error = rollout::gone(&self.session.ui, trouble, log);
        words.into_iter().fold(error, Error::hint)
    }

    /// Starts it and goes into it; it is taken away whatever happens.
    fn by_hand(self, object: &Json, is_no_app: bool, wanted: &Wanted) -> Result<()> {
        let ui = &self.session.ui;
        let selector = self.selector();
        let mut follower = rollout::plain_follower(self.session, self.kubectl, &selector)?;
        follower.start_from_now()?;
        let removal = Removal(&self);
        if let Err(error) = self.create(object) {
            if error.kind() == Kind::Refused {
                std::mem::forget(removal); // the other one's
            }
            return Err(error);
        }
        let first = deadline::wait(self.session, self.timeout + LATE, |time| self.next(&mut follower, &Read::new(), Instant::now() + time));
        let (pod, container) = match first? {
            Step::Runs { pod, container, .. } => (pod, container),
            Step::Over => return Err(Error::failed(format!("job {} ended before anybody came", self.name)).hint("lain job --timeout 4h")),
            Step::Trouble(trouble) => {
                let log = follower.end_of_log(&trouble);
                return Err(rollout::gone(ui, &trouble, log));
            }
        };
        if wanted.context {
            self.copy_folder(&pod, &container)?;
        }
        let seconds = self.timeout.as_secs();
        ui.say(&format!("in {pod}, which is removed when you leave, and in {seconds} s in any case"));
        let start = |words: &[&str]| self.kubectl.exec_until_interrupted(&pod, &container, ui.has_terminal(), words);
        let mut code = 127;
        if wanted.command.is_empty() {
            let shells: &[&str] = if is_no_app { &["zsh", "bash", "sh"] } else { &["bash", "sh"] };
            for shell in shells {
                code = start(&[shell])?;
                if !matches!(code, 126 | 127) {
                    break;
                }
            }
        } else {
            code = start(&wanted.command.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        interrupt::check()?;
        if code == 0 { Ok(()) } else { Err(Error::child(code)) }
    }

    fn copy_folder(&self, pod: &str, container: &str) -> Result<()> {
        let folder = &self.session.cwd;
        if folder.to_string_lossy().contains(':') {
            let why = format!("{} has a `:` in it: kubectl would take it for a pod", folder.display());
            return Err(Error::failed(why).hint("mv it, or leave --context away"));
        }
        let there = format!("/tmp/{}", folder.file_name().unwrap_or_default().to_string_lossy());
        self.kubectl.copy_into(folder, pod, container, &there).map_err(|error| error.or_hint("--context needs `tar` in the image"))?;
        self.session.ui.done(&format!("{} is at {there}", folder.display()));
        Ok(())
    }
}

/// Takes a Job away at the end, however that comes.
struct Removal<'a>(&'a Started<'a>);

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        let (ui, name) = (&self.0.session.ui, &self.0.name);
        if let Err(error) = self.0.kubectl.delete_job_at_last(name) {
            ui.warn(&format!("job {name} is not removed; Kubernetes ends it after {} s: {error}", self.0.timeout.as_secs()));
            ui.hint(&format!("kubectl delete job {name}"));
        }
    }
}

/// The container of a pod of a Job whose log is to be read: it runs, or it ended; the first that the Job names.
fn unread(pod: &Pod, read: &Read) -> Option<Step> {
    let own = &pod.spec.containers.first()?.name;
    let status = pod.status.container_statuses.iter().find(|status| status.name == *own)?;
    let (waits, ended) = (status.state.waiting.is_some(), status.state.terminated.is_some());
    if waits || (pod.status.phase == "Pending" && !ended) {
        return None;
    }
    let restarts = status.restart_count;
    if let Some((at, _)) = read.get(&(pod.metadata.name.clone(), restarts)) {
        let broke = !ended && at.elapsed() > BROKEN && !pod.metadata.is_leaving();
        if !broke {
            return None;
        }
    }
    Some(Step::Runs { pod: pod.metadata.name.clone(), container: own.clone(), restarts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse;
    use std::path::Path;

    #[test]
    fn the_app_s_own_image_comes_first() {
        let values = "appname: a\ndeployments:\n  cache: {image: redis, resources: {limits: {memory: 9Gi}}}\n  web: {}\nstatefulSets: {db: {}}\ncronjobs: {night: {}}\n";
        let app = App::read(&parse(Path::new("values.yaml"), values.to_owned()).expect("values")).expect("an app");
        let workload = |kind: &str, name: &str| {
            json!({
                "kind": kind, "metadata": {"name": format!("a-{name}")}, "spec": {"template": {"spec": {}}, "jobTemplate": {"spec": {"template": {"spec": {}}}}}
            })
        };
        let all =
            [workload("Deployment", "cache"), workload("CronJob", "night"), workload("StatefulSet", "db"), workload("Deployment", "web")];
        let chosen = |found: &[Json]| model(&app, found).map(|(proc, _)| proc.to_owned());
        assert_eq!(chosen(&all).as_deref(), Some("web"));
        assert_eq!(chosen(&all[..2]).as_deref(), Some("night"));
        assert_eq!(chosen(&all[..1]).as_deref(), Some("cache"));
        assert_eq!(chosen(&[]), None);
    }

    fn pod(state: &Json) -> Pod {
        let status = json!({"phase": "Running", "containerStatuses": [{"name": "sidecar", "state": {}}, {"name": "job", "restartCount": 1, "state": state}]});
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "job"}]}, "status": status}))
            .expect("a pod")
    }

    #[test]
    fn each_log_is_read_once_and_a_broken_one_goes_on() {
        let none = Read::new();
        assert!(unread(&pod(&json!({"waiting": {"reason": "ContainerCreating"}})), &none).is_none());
        assert!(matches!(unread(&pod(&json!({"running": {}})), &none), Some(Step::Runs { restarts: 1, .. })));
        let read = |ago: u64| {
            Read::from([(("p".to_owned(), 1), (Instant::now().checked_sub(Duration::from_secs(ago)).expect("a time"), String::new()))])
        };
        assert!(unread(&pod(&json!({"running": {}})), &read(0)).is_none());
        assert!(unread(&pod(&json!({"running": {}})), &read(60)).is_some());
        assert!(unread(&pod(&json!({"terminated": {"exitCode": 0}})), &read(60)).is_none());
    }
}
