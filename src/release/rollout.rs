//! What is said of a rollout while it is followed, and of its end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::deadline;
use super::job_logs::JobLogs;
use crate::cluster::clock::Wall;
use crate::cluster::follow::{End, Event, Follower};
use crate::cluster::judge::{Progress, View};
use crate::cluster::look::Selected;
use crate::cluster::standing::STARTED;
use crate::cluster::trouble::{Class, Trouble};
use crate::error::{Error, Result};
use crate::session::Session;
use crate::tools::kubectl::Kubectl;
use crate::ui::{Board, Row, Stand, Ui, printable};

/// Follows what `selector` selects, and tells whatever changes.
///
/// # Errors
/// The cluster's values cannot be read.
pub(crate) fn follower<'a>(session: &'a Session, kubectl: &'a Kubectl<'a>, selector: &'a str) -> Result<Follower<'a>> {
    let mut teller = Teller::new(&session.ui, JobLogs::new(&session.ui, kubectl, false));
    begin(session, kubectl, selector, move |event| drop(teller.tell(event)))
}

/// The same of what somebody looks at in another way meanwhile: a line for whatever changes, nothing in place.
///
/// # Errors
/// As [`follower`].
pub(crate) fn plain_follower<'a>(session: &'a Session, kubectl: &'a Kubectl<'a>, selector: &'a str) -> Result<Follower<'a>> {
    let (ui, begun) = (&session.ui, Instant::now());
    let mut told: BTreeMap<String, &'static str> = BTreeMap::new();
    begin(session, kubectl, selector, move |event| match event {
        Event::Job(job) if told.insert(job.name.clone(), job.state) == Some(job.state) => {}
        event => ui.say(&line(event, begun.elapsed())),
    })
}

/// Follows a change: also the logs of Jobs that are over at once; each thing seen, and its line, goes to `also` as well.
///
/// # Errors
/// As [`follower`].
pub(crate) fn follower_of_change<'a>(
    session: &'a Session,
    kubectl: &'a Kubectl<'a>,
    selector: &'a str,
    mut also: impl FnMut(&Event, &str) + 'a,
) -> Result<Follower<'a>> {
    let mut teller = Teller::new(&session.ui, JobLogs::new(&session.ui, kubectl, true));
    begin(session, kubectl, selector, move |event| {
        if let Some(line) = teller.tell(event) {
            also(event, &line);
        }
    })
}

fn begin<'a>(session: &'a Session, kubectl: &'a Kubectl<'a>, selector: &'a str, sink: impl FnMut(&Event) + 'a) -> Result<Follower<'a>> {
    Ok(Follower::new(Selected::new(kubectl, selector), &Wall, sink).bearing(session.progress_budget()?))
}

/// Tells what is seen: in place where there is a board, in lines elsewhere.
struct Teller<'a> {
    ui: &'a Ui,
    board: Board<'a>,
    logs: JobLogs<'a>,
    begun: Instant,
}

impl<'a> Teller<'a> {
    fn new(ui: &'a Ui, logs: JobLogs<'a>) -> Self {
        Self { ui, board: ui.board(), logs, begun: Instant::now() }
    }

    /// Returns the line of what was seen; none where nothing is new for people.
    fn tell(&mut self, event: &Event) -> Option<String> {
        if let Event::Job(job) = event
            && !self.logs.is_news(job)
        {
            self.logs.hear(job, &self.board);
            return None;
        }
        let line = line(event, self.begun.elapsed());
        if !draw(&self.board, event) {
            self.ui.say(&line);
        }
        if let Event::Job(job) = event {
            self.logs.hear(job, &self.board);
        }
        Some(line)
    }
}

impl Drop for Teller<'_> {
    fn drop(&mut self) {
        self.ui.settle();
        self.logs.show_lost();
    }
}

/// Puts what is seen on the board; false where it has no place there.
fn draw(board: &Board<'_>, event: &Event) -> bool {
    match event {
        _ if !board.is_drawn() => return false,
        Event::Workload(Progress { name, ready, wanted, is_done, note, doing, .. }) => {
            let words = note.or(*doing).unwrap_or_default().to_owned();
            let words = if *wanted == 0 { "no pods wanted".to_owned() } else { words };
            let stand = if *is_done { Stand::Good } else { Stand::Moves };
            board.set(Row { name: name.clone(), count: Some((*ready, *wanted)), stand, words });
        }
        Event::Job(job) => {
            let stand = match job.state {
                "done" => Stand::Good,
                "failed" => Stand::Bad,
                _ => Stand::Moves,
            };
            board.set(Row { name: format!("job/{}", job.name), count: None, stand, words: job.state.to_owned() });
        }
        Event::Trouble(trouble) => {
            let of_template = trouble.template.as_ref().and_then(|template| template.split('@').next()).map(str::to_owned);
            let name = of_template.unwrap_or_else(|| format!("{}/{}", trouble.kind, trouble.name));
            if !board.has(&name) {
                return false;
            }
            let more = if trouble.message.is_empty() { String::new() } else { format!(": {}", trouble.message) };
            board.suffers(&name, &format!("{}{more}", trouble.reason));
        }
        Event::Blind(_) | Event::Sees => return false,
    }
    true
}

/// Follows until everything is ready, something cannot become ready, or time is up: `most`, or the pipeline's job ends. Returns what there was at the end.
///
/// # Errors
/// As [`verdict`], the server does not answer, or the cluster's values cannot be read.
pub(crate) fn follow(session: &Session, kubectl: &Kubectl<'_>, selector: &str, most: Duration) -> Result<View> {
    until_ready(session, &mut follower(session, kubectl, selector)?, most)
}

/// Follows on until everything is ready.
///
/// # Errors
/// As [`follow`].
pub(crate) fn until_ready(session: &Session, follower: &mut Follower<'_>, most: Duration) -> Result<View> {
    deadline::wait(session, most, |timeout| verdict(&session.ui, follower.until_the_end(timeout)?, timeout))
}

/// What the end of a rollout comes to, after so long a time at most.
///
/// # Errors
/// Something cannot become ready (the pod's own words and the end of its log are shown), or it takes too long.
pub(crate) fn verdict(ui: &Ui, end: End, timeout: Duration) -> Result<View> {
    ui.settle();
    match end {
        End::Ready(view) => Ok(view),
        End::Stuck { trouble, log, warnings } => {
            show_warnings(ui, &warnings);
            Err(stuck(ui, &trouble, log))
        }
        End::Late { waiting, warnings } => {
            show_warnings(ui, &warnings);
            let started =
                waiting.iter().find(|it| it.doing == Some(STARTED)).map(|it| format!("kubectl logs {} # why it is not ready", it.name));
            let stand = |it: &Progress| {
                let doing = it.doing.map_or_else(String::new, |doing| format!(", {doing}"));
                format!("{} {}/{}{doing}", it.name, it.ready, it.wanted)
            };
            let waiting: Vec<String> = waiting.iter().map(stand).collect();
            let error = Error::failed(format!("not ready after {} s: {}", timeout.as_secs(), waiting.join("; ")));
            Err(started.into_iter().fold(error, Error::hint).hint("lain status -s"))
        }
    }
}

/// What the server warns of, where a rollout ends without another reason.
fn show_warnings(ui: &Ui, warnings: &[String]) {
    if !warnings.is_empty() {
        ui.say("the newest warnings of the cluster:");
        warnings.iter().for_each(|warning| ui.say(&format!("  {}", printable(warning.trim_end()))));
    }
}

/// A line of what is seen, so long after it began.
fn line(event: &Event, passed: Duration) -> String {
    match event {
        Event::Workload(Progress { name, ready, wanted, note: Some(note), .. }) => format!("{name}: {ready}/{wanted} ready ({note})"),
        Event::Workload(Progress { name, ready, wanted, is_done: true, .. }) => format!("{name}: {ready}/{wanted} ready"),
        Event::Workload(Progress { name, ready, wanted, doing, .. }) => {
            let doing = doing.map_or_else(String::new, |doing| format!(", {doing}"));
            let stand = if *wanted == 0 { "no pods wanted".to_owned() } else { format!("{ready} of {wanted} new pods ready") };
            format!("{name}: {stand}, {} s{doing}", passed.as_secs())
        }
        Event::Job(job) => format!("job/{}: {}", job.name, job.state),
        Event::Trouble(trouble) => format!("{}/{}: {}", trouble.kind, trouble.name, trouble.reason),
        Event::Blind(why) => format!("cannot see how it stands, looking on: {}", printable(why).replace('\n', " ")),
        Event::Sees => "the API server answers again".to_owned(),
    }
}

/// The error of something that cannot become ready, once the end of its log is shown.
pub(crate) fn stuck(ui: &Ui, trouble: &Trouble, log: Option<String>) -> Error {
    let next = next(trouble);
    gone(ui, trouble, log).or_hint(next)
}

/// The same of something that is gone by now: what to type is of no use where it names it.
pub(crate) fn gone(ui: &Ui, trouble: &Trouble, log: Option<String>) -> Error {
    ui.settle();
    if let (Some(log), Some(at)) = (log, &trouble.log) {
        let of = if trouble.kind == "job" { format!("job {}", trouble.name) } else { at.pod.clone() };
        ui.say(&format!("the end of the log of {of}:"));
        ui.say(&printable(&log));
    }
    let next = next(trouble);
    if next.contains(&trouble.name) { reason(trouble) } else { reason(trouble).hint(next) }
}

fn reason(trouble: &Trouble) -> Error {
    let Trouble { kind, name, reason, .. } = trouble;
    let words = if trouble.message.is_empty() { String::new() } else { format!(": {}", printable(&trouble.message)) };
    let what = if trouble.class == Class::Job { "failed" } else { "cannot become ready" };
    Error::failed(format!("{kind} {name} {what}: {reason}{words}"))
}

/// What to type next.
pub(crate) fn next(trouble: &Trouble) -> String {
    let Trouble { kind, name, reason, .. } = trouble;
    let says = |words: &str| trouble.message.to_lowercase().contains(words);
    let hint = match trouble.class {
        Class::Pull => "lain tags # is the image in the registry, and may the cluster pull it?",
        Class::Start if reason == "InvalidImageName" => "chart/values.yaml # mend `image` or `imageTag`",
        Class::Crash | Class::Job if says("oomkilled") || says("exit code 137") => {
            "chart/values.yaml # raise `resources.limits.memory` of this process, then deploy again"
        }
        Class::Crash => return format!("kubectl logs --previous {name}"),
        Class::Job => return format!("kubectl logs job/{name}"),
        Class::Place => "lower `resources.requests`, or ask for more nodes",
        Class::Create if says("exceeded quota") => "kubectl describe resourcequota # lower `resources` or `replicaCount`, or ask for more",
        Class::Create if says("serviceaccount") || says("service account") => {
            "kubectl get serviceaccounts # `serviceAccountName` in chart/values.yaml names one of these"
        }
        Class::Mount | Class::Start if says("configmap") => "kubectl get configmaps # is it there, with this key?",
        Class::Mount | Class::Start if says("secret") => {
            "kubectl get secrets # is it there, with this key? `lain secret add FILE` and `lain env add KEY=VALUE` fill the app's own"
        }
        Class::Start | Class::Mount | Class::Create | Class::Deadline => return format!("kubectl describe {kind} {name}"),
    };
    hint.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::judge::JobStanding;

    #[test]
    fn each_event_has_its_line() {
        let progress = Progress { name: "deployment/a".into(), ready: 1, wanted: 2, new: 2, is_done: false, note: None, doing: None };
        let line = |event: &Event| line(event, Duration::from_millis(20_900));
        assert_eq!(line(&Event::Workload(progress.clone())), "deployment/a: 1 of 2 new pods ready, 20 s");
        let pulls = Progress { doing: Some("pulling image or mounting volumes"), ..progress.clone() };
        assert_eq!(line(&Event::Workload(pulls)), "deployment/a: 1 of 2 new pods ready, 20 s, pulling image or mounting volumes");
        let none = Progress { ready: 0, wanted: 0, new: 0, ..progress.clone() };
        assert_eq!(line(&Event::Workload(none)), "deployment/a: no pods wanted, 20 s");
        let done = Progress { ready: 2, is_done: true, ..progress.clone() };
        assert_eq!(line(&Event::Workload(done)), "deployment/a: 2/2 ready");
        let paused = Progress { note: Some("paused"), ..progress };
        assert_eq!(line(&Event::Workload(paused)), "deployment/a: 1/2 ready (paused)");
        let job = JobStanding { name: "j".into(), state: "done", is_hook: false, id: None, log: None };
        assert_eq!(line(&Event::Job(job)), "job/j: done");
        let trouble = |kind: &'static str, class: Class, reason: &str, message: &str| Trouble {
            kind,
            name: "p".into(),
            class,
            reason: reason.into(),
            message: message.into(),
            grace: None,
            log: None,
            template: None,
        };
        let unplaced = trouble("pod", Class::Place, "Unschedulable", "");
        assert_eq!(line(&Event::Trouble(unplaced.clone())), "pod/p: Unschedulable");
        assert_eq!(reason(&unplaced).to_string(), "pod p cannot become ready: Unschedulable");
        assert_eq!(reason(&trouble("pod", Class::Start, "X", "a\u{1b}b")).to_string(), "pod p cannot become ready: X: a\\u{1b}b");
        let failed = reason(&trouble("job", Class::Job, "BackoffLimitExceeded", "container j ended with exit code 4"));
        assert_eq!(failed.to_string(), "job p failed: BackoffLimitExceeded: container j ended with exit code 4");
        assert_eq!(line(&Event::Blind("no\nanswer".into())), "cannot see how it stands, looking on: no answer");
    }
}
