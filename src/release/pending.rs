//! Who may be at work on a release, and what a run that is over left of it.
//!
//! helm has no lock: a revision that is being made is `pending-*`, and one whose helm was killed stays so. lain's own runs hold a Lease meanwhile
//! ([`super::lock`]): what one left half-way whose Lease ran out is cut off. For all others (no right to Leases, an older lain, helm by hand) the time
//! tells: lain writes into the values of each deploy who makes it and how long it may take ([`ID`], [`TIMEOUT`]); before, nobody is told to undo it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::lease::{Holder, shown};
use super::record::{Record, secret_name, selector};
use crate::error::{Error, Kind, Result};
use crate::model::name::canary_of;
use crate::tools::helm::{MARGIN, PROGRAMS, Revision};
use crate::tools::kubectl::Kubectl;
use crate::tools::processes;
use crate::tools::server::{failed_for_a_moment, until_it_answers};

/// The helm value that tells one deploy from all others.
pub(crate) const ID: &str = "deploy_id";
/// The helm value that says how long the deploy may take, in seconds.
pub(crate) const TIMEOUT: &str = "deploy_timeout";
/// Annotation of helm's record: the run that made the revision is over, and said so.
const CUT_OFF: &str = "lain.dev/cut-off";
/// helm's own `--timeout`, for revisions that do not say.
const USUAL: i64 = 300;
/// Between helm's end and its record's: the child is told to end, then killed.
const GRACE: i64 = 30;

/// How long a server may take to say that it is there.
const ANSWERS: Duration = Duration::from_secs(3);
/// So many earlier revisions are looked at.
const MOST_BACK: usize = 10;

/// A revision as somebody's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    release: String,
    revision: u32,
    status: String,
    who: Option<String>,
    since: Option<Timestamp>,
    /// Seconds that it may take.
    within: i64,
    /// Nobody works on it any more, for sure.
    is_cut_off: bool,
}

/// Tells one run from every other.
pub(crate) fn run_id() -> String {
    format!("{:x}-{:x}", Timestamp::now().as_nanosecond(), std::process::id())
}

/// True for what helm writes before it begins.
pub(crate) fn is_under_way(status: &str) -> bool {
    status.starts_with("pending") || status == "uninstalling"
}

/// Refuses while another run may be at work on the newest revision.
///
/// # Errors
/// It may be; or the server does not answer.
pub(crate) fn refuse(kubectl: &Kubectl<'_>, release: &str, newest: &Revision) -> Result<()> {
    if !is_under_way(&newest.status) {
        return Ok(());
    }
    let record = Record::fetch(kubectl, release, newest.revision)?;
    let mut work = Work::of(release, newest.revision, &newest.status, record.as_ref());
    work.since = work.since.or_else(|| helm_time(&newest.updated)); // helm keeps its records elsewhere
    if work.may_go_on(Timestamp::now()) { Err(work.wait(None)) } else { Ok(()) }
}

/// As `helm history` writes it, or `helm list`.
fn helm_time(text: &str) -> Option<Timestamp> {
    let listed = || jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S%.f %z", text.rsplit_once(' ')?.0).ok()?.to_timestamp().ok();
    text.parse().ok().or_else(listed)
}

impl Work {
    fn of(release: &str, revision: u32, status: &str, record: Option<&Record>) -> Self {
        let deletes = status == "uninstalling";
        // The values of a rollback are those of the revision that it goes back to; of a deletion, those of the last deploy.
        let who = record.filter(|_| !deletes && status != "pending-rollback").and_then(|record| record.value("user"));
        let said = record.and_then(|record| record.value(TIMEOUT)).and_then(|text| text.parse().ok());
        let deploys = matches!(status, "pending-install" | "pending-upgrade");
        let within = said.filter(|_| deploys).unwrap_or(USUAL.max(said.unwrap_or(0)));
        Self {
            release: release.to_owned(),
            revision,
            status: status.to_owned(),
            who,
            since: record.and_then(|record| record.time(if deletes { "deleted" } else { "last_deployed" })),
            within: within.clamp(1, i64::from(u32::MAX)) + i64::try_from(MARGIN.as_secs()).unwrap_or(0) + GRACE,
            is_cut_off: record.is_some_and(|record| record.annotation(CUT_OFF).is_some()),
        }
    }

    fn until(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.since?.as_second() + self.within).ok()
    }

    fn may_go_on(&self, now: Timestamp) -> bool {
        is_under_way(&self.status) && !self.is_cut_off && self.until().is_none_or(|until| now < until)
    }

    /// `release shop is being deployed by ada since 2026-11-26 17:20:05 UTC (revision 4, pending-upgrade)`
    fn text(&self) -> String {
        let what = match self.status.as_str() {
            "pending-install" | "pending-upgrade" => "is being deployed",
            "pending-rollback" => "is being rolled back",
            "uninstalling" => "is being deleted",
            _ => "was deployed",
        };
        let who = self.who.as_deref().map_or_else(|| "another run".to_owned(), shown);
        let at = if is_under_way(&self.status) { "since" } else { "at" };
        let when = self.since.map_or_else(String::new, |since| format!(" {at} {}", since.strftime("%Y-%m-%d %H:%M:%S UTC")));
        format!("release {} {what} by {who}{when} (revision {}, {})", self.release, self.revision, self.status)
    }

    /// The refusal: wait. `failure` is what helm said, when it was asked.
    fn wait(&self, failure: Option<Error>) -> Error {
        let error = match failure {
            Some(error) => error.context(self.text()).with_kind(Kind::Refused),
            None => Error::refused(self.text()),
        };
        let until = self.until().filter(|_| is_under_way(&self.status));
        let until = until.map_or_else(String::new, |until| format!("; from {} on it counts as cut off", until.strftime("%H:%M:%S UTC")));
        error.hint(format!("lain status -s # wait until it is done, then the same command again{until}"))
    }
}

/// What a run that failed or was interrupted left of the release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// The server does not say.
    Unknown,
    /// The newest revision is what it was before.
    Untouched,
    /// The newest revision is this run's.
    Ours {
        /// Which.
        revision: u32,
        /// How helm calls it.
        status: String,
        /// There is a good one before, and it is not the same again.
        way_back: bool,
    },
    /// This run's revision failed, and helm went back by itself.
    WentBack {
        /// As helm calls it: `Rollback to 3`.
        description: String,
    },
    /// The newest revision is somebody else's.
    Others(Work),
}

/// `went back to revision 3`
fn went_back(description: &str) -> String {
    let revision: String = description.trim_start_matches(|c: char| !c.is_ascii_digit()).chars().take_while(char::is_ascii_digit).collect();
    format!("went back to revision {revision}")
}

/// Looks what a deploy left; `before` was the newest revision when it began, `failure` is why it failed. A revision of its own that is left half-way is marked, so that the next
/// run need not wait.
pub(crate) fn left_by_deploy(kubectl: &Kubectl<'_>, release: &str, id: &str, before: u32, failure: &str) -> Left {
    look(kubectl, release, before, failure, |record| record.value(ID).as_deref() == Some(id))
}

/// The same of a rollback, whose revision has no values of its own; `failure` is what helm said.
pub(crate) fn left_by_rollback(kubectl: &Kubectl<'_>, release: &str, before: u32, failure: &str) -> Left {
    let came_second = failure.contains("already exists") || failure.contains("another operation");
    look(kubectl, release, before, failure, |_| !came_second)
}

fn look(kubectl: &Kubectl<'_>, release: &str, before: u32, failure: &str, is_ours: impl Fn(&Record) -> bool) -> Left {
    let kubectl = kubectl.last_word();
    let again = || {
        until_it_answers(|| kubectl.answers(ANSWERS).then_some(()))?;
        revisions(&kubectl, release)
    };
    let Some(revisions) = revisions(&kubectl, release).or_else(again) else { return Left::Unknown };
    let Some((newest, status)) = revisions.last() else { return if before == 0 { Left::Untouched } else { Left::Unknown } };
    let Ok(record) = Record::fetch(&kubectl, release, *newest) else { return Left::Unknown };
    if *newest > before && record.as_ref().is_some_and(&is_ours) {
        if is_under_way(status) {
            mark(&kubectl, release, *newest);
        }
        let was_good = |status: &str| matches!(status, "deployed" | "superseded");
        let mut good = revisions.iter().rev().filter(|(revision, status)| revision < newest && was_good(status));
        let way_back = if is_under_way(status) {
            good.next().is_some()
        } else {
            let is_other = |at: u32| match (Record::fetch(&kubectl, release, at), &record) {
                (Ok(Some(old)), Some(new)) => old.runs() != new.runs() && !lacks_an_image(old.manifest(), failure),
                _ => true, // not known
            };
            good.take(MOST_BACK).any(|(revision, _)| is_other(*revision))
        };
        return Left::Ours { revision: *newest, status: status.clone(), way_back };
    }
    // helm's own rollback is a revision of its own, with the values of the one that it goes back to.
    let goes_back = record.as_ref().and_then(Record::description).filter(|it| it.starts_with("Rollback to ") && !is_under_way(status));
    if let Some(description) = goes_back.filter(|_| *newest > before + 1)
        && Record::fetch(&kubectl, release, *newest - 1).is_ok_and(|made| made.as_ref().is_some_and(&is_ours))
    {
        return Left::WentBack { description };
    }
    let work = Work::of(release, *newest, status, record.as_ref());
    if *newest > before || work.may_go_on(Timestamp::now()) { Left::Others(work) } else { Left::Untouched }
}

/// True when the failure is about an image that did not come, and what was rendered runs that image.
fn lacks_an_image(manifest: &str, failure: &str) -> bool {
    let of_line = |line: &'_ str| -> Option<String> {
        let line = line.trim_start().trim_start_matches("- ");
        Some(line.strip_prefix("image:")?.trim().trim_matches(['"', '\'']).to_owned())
    };
    let ends = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/'));
    let names = |image: &str| failure.match_indices(image).any(|(at, _)| ends(&failure[at + image.len()..]));
    failure.contains("ImagePull") && manifest.lines().filter_map(of_line).any(|image| !image.is_empty() && names(&image))
}

/// Marks a revision that this run left half-way: its helm is dead, so that nobody need wait for it.
pub(crate) fn mark_cut_off(kubectl: &Kubectl<'_>, release: &str, revision: u32) {
    let kubectl = kubectl.last_word();
    let found = revisions(&kubectl, release).into_iter().flatten().any(|(at, status)| at == revision && is_under_way(&status));
    if found {
        mark(&kubectl, release, revision);
    }
}

/// The same for a run whose lock was taken from it, or outlived it: of the newest revision, where that run may have made it; of the canary's too, which is
/// changed under the lock of its app.
pub(crate) fn cut_off_work_of(kubectl: &Kubectl<'_>, release: &str, holder: &Holder) {
    for release in [release, &canary_of(release)] {
        cut_off_in(kubectl, release, holder);
    }
}

fn cut_off_in(kubectl: &Kubectl<'_>, release: &str, holder: &Holder) {
    if PROGRAMS.iter().any(|helm| processes::runs(helm, &[release, kubectl.namespace()])) {
        return; // it outlived its lain on this machine: its time tells
    }
    let Some((revision, status)) = newest(kubectl, release).filter(|(_, status)| is_under_way(status)) else { return };
    let Ok(record) = Record::fetch(kubectl, release, revision) else { return };
    if Work::of(release, revision, &status, record.as_ref()).since.is_some_and(|since| holder.was_there(since)) {
        mark(kubectl, release, revision);
    }
}

/// The newest revision and how helm calls its state; none where there is none, or the server does not answer.
pub(crate) fn newest(kubectl: &Kubectl<'_>, release: &str) -> Option<(u32, String)> {
    revisions(kubectl, release)?.pop()
}

fn mark(kubectl: &Kubectl<'_>, release: &str, revision: u32) {
    let mark = format!("{CUT_OFF}={}", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"));
    kubectl.mark_secret(secret_name(release, revision), mark); // without it, the next run waits longer
}

/// All revisions and their statuses, oldest first, by the labels that helm gives its records.
fn revisions(kubectl: &Kubectl<'_>, release: &str) -> Option<Vec<(u32, String)>> {
    let labels = kubectl.secret_labels(&selector(release))?;
    let row = |labels: &Json| Some((labels["version"].as_str()?.parse().ok()?, labels["status"].as_str()?.to_owned()));
    let mut found: Vec<(u32, String)> = labels.iter().filter_map(row).collect();
    found.sort();
    Some(found)
}

impl Left {
    /// The error of a failed run with what is right to type now: never to undo what is not this run's.
    pub(crate) fn advise(&self, error: Error) -> Error {
        match self {
            Self::Unknown => error.hint("lain status -s # when the server answers: the release may be half-way"),
            Self::Untouched if failed_for_a_moment(&error) => {
                error.or_hint("lain status -s # the release is as it was before: once this works, the same command again")
            }
            Self::Untouched => error.or_hint("lain status -s # the release is as it was before"),
            Self::Ours { revision, status, way_back } => {
                let stuck = is_under_way(status);
                let error = if stuck { error.context(format!("revision {revision} is left in {status}")) } else { error };
                let error = error.hint("lain status -s");
                match (way_back, stuck) {
                    (true, _) => error.hint("lain rollback"),
                    (false, true) => error.hint("lain deploy --auto-pilot # takes the half-made first release away, then deploys"),
                    (false, false) => {
                        error.hint("lain deploy # again, once it is mended; there is no release before this one to go back to")
                    }
                }
            }
            Self::WentBack { description } => {
                error.context(format!("the deploy failed, and helm {}", went_back(description))).hint("lain status -s # what runs now")
            }
            Self::Others(work) => work.wait(Some(error)),
        }
    }

    /// What an interrupted run leaves behind, in one line.
    pub(crate) fn words(&self, release: &str) -> String {
        match self {
            Self::Unknown => format!("release {release} may be half-way: lain status -s shows it"),
            Self::Untouched => format!("release {release} is as it was before"),
            Self::Ours { revision, status, way_back } => {
                let back = if *way_back { "; lain rollback goes back" } else { "" };
                match status.as_str() {
                    "deployed" => {
                        format!("release {release} is deployed (revision {revision}), its pods may not be ready: lain wait{back}")
                    }
                    status if is_under_way(status) && !way_back => format!(
                        "release {release} is half-way, revision {revision} is left in {status}: lain deploy --auto-pilot takes it away and deploys again"
                    ),
                    status if is_under_way(status) => format!(
                        "release {release} may be half-way, revision {revision} is left in {status}: lain rollback goes back, lain deploy --auto-pilot goes back and deploys again"
                    ),
                    status => format!(
                        "release {release} may be half-way (revision {revision}, {status}): lain status -s shows it, lain deploy goes on{back}"
                    ),
                }
            }
            Self::WentBack { description } => format!("release {release}: helm {}", went_back(description)),
            Self::Others(work) => format!("{}; nothing of this run is in it", work.text()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(status: &str, who: Option<&str>) -> Work {
        let since = "2026-11-26T17:20:05Z".parse().ok();
        Work {
            release: "shop".into(),
            revision: 4,
            status: status.into(),
            who: who.map(str::to_owned),
            since,
            within: 345,
            is_cut_off: false,
        }
    }

    #[test]
    fn young_is_somebodys_and_old_is_nobodys() {
        let at = |text: &str| text.parse().expect("a time");
        let work = work("pending-upgrade", None);
        assert!(work.may_go_on(at("2026-11-26T17:20:05Z")) && work.may_go_on(at("2026-11-26T17:25:49Z")));
        assert!(work.may_go_on(at("2026-11-26T17:00:00Z")), "a clock that goes wrong undoes nothing");
        assert!(!work.may_go_on(at("2026-11-26T17:25:50Z")));
        assert!(!Work { is_cut_off: true, ..work.clone() }.may_go_on(at("2026-11-26T17:20:06Z")));
        assert!(!Work { status: "failed".into(), ..work }.may_go_on(at("2026-11-26T17:20:06Z")));
    }

    #[test]
    fn both_of_helms_clocks() {
        let at = "2026-11-26T17:24:08.5Z".parse().ok();
        assert_eq!(helm_time("2026-11-26T18:24:08.5+01:00"), at);
        assert_eq!(helm_time("2026-11-26 17:24:08.5 +0000 UTC"), at);
        assert_eq!(helm_time("yesterday"), None);
    }

    #[test]
    fn says_who_and_since_when() {
        let text = work("pending-install", Some("ada-via-https://git.example.com/a/-/jobs/7")).text();
        assert_eq!(
            text,
            "release shop is being deployed by ada (https://git.example.com/a/-/jobs/7) since 2026-11-26 17:20:05 UTC (revision 4, pending-install)"
        );
        assert!(work("pending-rollback", None).text().contains("is being rolled back by another run since"));
        assert!(work("deployed", Some("eve\u{1b}[2J\nx")).text().contains(r"was deployed by eve\u{1b}[2J x at"));
    }

    #[test]
    fn an_image_that_never_came_is_no_way_back() {
        let manifest = "      containers:\n        - name: a\n          image: \"r.example.com/dev/a:1\"\n        - image: side/car:2\n";
        let fails = |image: &str| format!("pod a-1 cannot become ready: ErrImagePull: Back-off pulling image \"{image}\"");
        assert!(lacks_an_image(manifest, &fails("r.example.com/dev/a:1")) && lacks_an_image(manifest, &fails("side/car:2")));
        assert!(!lacks_an_image(manifest, &fails("side/car:22")) && !lacks_an_image(manifest, &fails("r.example.com/dev/a:2")));
        assert!(!lacks_an_image(manifest, "side/car:2 crashes"), "another failure");
    }

    #[test]
    fn nobody_is_told_to_undo_the_work_of_another() {
        let hints = |left: Left| left.advise(Error::failed("helm failed")).hints().join("\n");
        let others = Left::Others(work("pending-upgrade", Some("ada")));
        assert!(!hints(others.clone()).contains("rollback") && hints(others.clone()).contains("wait"), "{}", hints(others.clone()));
        assert_eq!(others.advise(Error::failed("x")).kind(), Kind::Refused);
        assert!(!hints(Left::Untouched).contains("rollback") && !hints(Left::Unknown).contains("rollback"));
        let ours = |way_back| Left::Ours { revision: 2, status: "failed".into(), way_back };
        let back = Left::WentBack { description: "Rollback to 13; record mended by lain".into() };
        assert!(!hints(back.clone()).contains("rollback") && back.words("shop").ends_with("helm went back to revision 13"));
        assert!(hints(ours(true)).contains("lain rollback") && !hints(ours(false)).contains("lain rollback"));
    }
}
