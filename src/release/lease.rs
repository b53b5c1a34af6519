//! The Lease that stands for a release's lock: who holds it, for what, since when, until when.
//!
//! Clocks of two machines may differ by more than a lock lives, so none of them decides whether its holder is gone: the server writes down when it took
//! the last renewal (`managedFields`), and stamps an object that it is asked to make on trial. Both are its own clock.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::model::text::text_of;
use crate::tools::processes;
use crate::ui::printable;

/// A lock that was not renewed for so long is nobody's.
pub(crate) const LIVES: Duration = Duration::from_secs(60);
/// The most that a Lease may say of itself: one that somebody wrote by hand holds nobody up for ever.
const LONGEST: u64 = 600;

const RUN: &str = "lain.dev/run";
const DOING: &str = "lain.dev/doing";
const JOB: &str = "lain.dev/job";
const UNTIL: &str = "lain.dev/until";
const PROCESS: &str = "lain.dev/process";

/// What is done to a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// `deploy`, `redeploy`
    Deploy,
    /// `rollback`
    Rollback,
    /// `delete`
    Delete,
    /// `set-canary-group`
    Canary,
    /// `update-image`
    Image,
}

impl Doing {
    fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Delete => "delete",
            Self::Canary => "canary",
            Self::Image => "image",
        }
    }
}

/// What a Lease says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Tells one run from all others; empty in a Lease that is not lain's.
    pub run: String,
    /// `NAME-via-JOB_URL`, as helm's values have it.
    pub who: String,
    /// What is done, in a word.
    pub doing: String,
    /// When it was taken, by the holder's clock.
    pub since: Option<Timestamp>,
    /// When the holder is done at the latest, by its own clock.
    pub until: Option<Timestamp>,
    /// When it was last renewed, by the holder's clock.
    pub renewed: Option<Timestamp>,
    /// When the server took the last renewal, by the server's clock.
    stamped: Option<Timestamp>,
    /// Without a renewal, so long it holds.
    pub lives: Duration,
    /// The holder's process, as [`processes::own`] names it; empty where that is not known.
    pub process: String,
    /// Which state of the Lease this is.
    pub version: String,
    transitions: i64,
}

/// The Lease of a release: an app may have one of its own under its name.
pub(crate) fn name_of(release: &str) -> String {
    format!("lain-{release}")
}

/// Where the Leases of a namespace are.
pub(crate) fn path_of(namespace: &str) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
}

impl Holder {
    /// One that takes the lock now.
    pub(crate) fn new(run: String, who: String, doing: Doing, most: Duration) -> Self {
        let now = Timestamp::now();
        let until = Timestamp::from_second(now.as_second().saturating_add(i64::try_from(most.as_secs()).unwrap_or(i64::MAX))).ok();
        Self {
            run,
            who,
            doing: doing.word().to_owned(),
            since: Some(now),
            until,
            renewed: Some(now),
            stamped: None,
            lives: LIVES,
            process: processes::own().unwrap_or_default(),
            version: String::new(),
            transitions: 0,
        }
    }

    /// As the server has it.
    pub(crate) fn of(lease: &Json) -> Self {
        let (meta, spec) = (&lease["metadata"], &lease["spec"]);
        let note = |key: &str| text_of(&meta["annotations"][key]).unwrap_or_default();
        let time = |value: &Json| value.as_str().and_then(|text| text.parse().ok());
        let stamps = meta["managedFields"].as_array().into_iter().flatten().filter_map(|entry| time(&entry["time"]));
        Self {
            run: note(RUN),
            who: text_of(&spec["holderIdentity"]).filter(|who| !who.is_empty()).unwrap_or_else(|| "another run".to_owned()),
            doing: note(DOING),
            since: time(&spec["acquireTime"]),
            until: note(UNTIL).parse().ok(),
            renewed: time(&spec["renewTime"]),
            stamped: stamps.max(),
            lives: Duration::from_secs(spec["leaseDurationSeconds"].as_u64().unwrap_or(LIVES.as_secs()).clamp(1, LONGEST)),
            process: note(PROCESS),
            version: text_of(&meta["resourceVersion"]).unwrap_or_default(),
            transitions: spec["leaseTransitions"].as_i64().unwrap_or(0),
        }
    }

    /// The Lease of this holder, renewed now; in place of `former`'s, if any.
    pub(crate) fn lease(&self, release: &str, former: Option<&Self>) -> Json {
        let time = |time: Option<Timestamp>| time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
        let mut lease = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": name_of(release),
                "labels": {"app.kubernetes.io/managed-by": "lain"},
                "annotations": {RUN: self.run, DOING: self.doing},
            },
            "spec": {
                "holderIdentity": self.who,
                "leaseDurationSeconds": self.lives.as_secs(),
                "acquireTime": time(self.since),
                "renewTime": time(Some(Timestamp::now())),
                "leaseTransitions": former.map_or(self.transitions, |former| former.transitions + i64::from(former.run != self.run)),
            },
        });
        let notes = &mut lease["metadata"]["annotations"];
        if let Some(until) = self.until {
            notes[UNTIL] = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        }
        if !self.process.is_empty() {
            notes[PROCESS] = self.process.clone().into();
        }
        if let Some((_, address)) = self.who.split_once("-via-http") {
            notes[JOB] = format!("http{address}").into();
        }
        if let Some(former) = former {
            lease["metadata"]["resourceVersion"] = former.version.clone().into();
        }
        lease
    }

    /// How long ago the server took the last renewal; `now` is its own clock. None where it does not say.
    pub(crate) fn age(&self, now: Option<Timestamp>) -> Option<Duration> {
        Duration::try_from(now?.duration_since(self.stamped?)).ok()
    }

    /// True when this holder may have made what began then, by the same clock.
    pub(crate) fn was_there(&self, began: Timestamp) -> bool {
        let lives = i64::try_from(self.lives.max(LIVES).as_secs()).unwrap_or(0);
        let from = self.since.map_or(i64::MIN, |since| since.as_second() - 1);
        let to = self.renewed.map_or(i64::MIN, |renewed| renewed.as_second() + lives);
        (from..=to).contains(&began.as_second())
    }

    /// `release shop is being deployed by ada (https://...) since 2026-11-26 17:20:05 UTC, until 17:25:20 UTC at the latest`
    pub(crate) fn text(&self, release: &str) -> String {
        let what = match self.doing.as_str() {
            "deploy" => "is being deployed",
            "rollback" => "is being rolled back",
            "delete" => "is being deleted",
            "canary" => "has its canary changed",
            "image" => "gets another image",
            _ => "is locked",
        };
        let since = self.since.map_or_else(String::new, |since| format!(" since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC")));
        let until = self.until.map_or_else(String::new, |until| format!(", until {} at the latest", until.strftime("%H:%M:%S UTC")));
        format!("release {release} {what} by {}{since}{until}", shown(&self.who))
    }
}

/// `NAME-via-JOB_URL` for people, within bounds.
pub(crate) fn shown(executor: &str) -> String {
    let short = |text: &str| printable(text).replace('\n', " ").chars().take(200).collect::<String>();
    match executor.split_once("-via-http") {
        Some((name, rest)) => format!("{} (http{})", short(name), short(rest)),
        None => short(executor),
    }
}

/// The server's clock, by an object that it made on trial.
pub(crate) fn stamp_of(made: &Json) -> Option<Timestamp> {
    made["metadata"]["creationTimestamp"].as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Holder {
        let mut holder =
            Holder::new("r1".into(), "ada-via-https://git.example.com/a/-/jobs/7".into(), Doing::Deploy, Duration::from_secs(315));
        holder.since = "2026-11-26T17:20:05.25Z".parse().ok();
        holder.until = "2026-11-26T17:25:20Z".parse().ok();
        holder
    }

    #[test]
    fn what_is_written_is_read_again() {
        let lease = ada().lease("shop", None);
        assert_eq!(lease["metadata"]["annotations"]["lain.dev/job"], "https://git.example.com/a/-/jobs/7");
        let read = Holder::of(&lease);
        assert_eq!(
            read.text("shop"),
            "release shop is being deployed by ada (https://git.example.com/a/-/jobs/7) since 2026-11-26 17:20:05 UTC, until 17:25:20 UTC at the latest"
        );
        assert_eq!((read.run.as_str(), read.lives, read.since), ("r1", LIVES, ada().since));
        let next = Holder { run: "r2".into(), ..ada() }.lease("shop", Some(&Holder { version: "7".into(), ..read.clone() }));
        assert_eq!((&next["spec"]["leaseTransitions"], &next["metadata"]["resourceVersion"]), (&json!(1), &json!("7")));
        assert_eq!(ada().lease("shop", Some(&read))["spec"]["leaseTransitions"], 0, "renewed");
    }

    #[test]
    fn plain_text_whoever_wrote_it() {
        let who = "eve\u{1b}[2J\n$(x),a=b-via-https://x/\u{202e}";
        let lease = Holder { who: who.into(), ..ada() }.lease("shop", None);
        assert_eq!(lease["spec"]["holderIdentity"], who, "the server takes any text");
        let text = Holder::of(&lease).text("shop");
        assert!(!text.contains(['\u{1b}', '\n', '\u{202e}']) && text.contains("$(x),a=b"), "{text}");
        let odd = Holder::of(&json!({"spec": {"holderIdentity": "", "leaseDurationSeconds": 4_000_000_000_u64, "acquireTime": 7}}));
        assert_eq!((odd.text("shop").as_str(), odd.lives.as_secs()), ("release shop is locked by another run", 600));
    }

    #[test]
    fn the_servers_clock_alone_counts() {
        let mut lease = ada().lease("shop", None);
        lease["metadata"]["managedFields"] = json!([{"time": "2026-11-26T10:00:00Z"}, {"time": "2026-11-26T10:00:30Z"}, {"manager": "x"}]);
        let age = |now: &str| Holder::of(&lease).age(now.parse().ok());
        assert_eq!(age("2026-11-26T10:00:45Z"), Some(Duration::from_secs(15)), "whatever its own times are");
        assert_eq!(age("2026-11-26T10:00:00Z"), None, "never in the future");
        assert_eq!(ada().age("2026-11-26T10:00:45Z".parse().ok()), None);
    }

    #[test]
    fn what_began_meanwhile_may_be_its_work() {
        let holder = Holder { renewed: "2026-11-26T17:21:00Z".parse().ok(), ..ada() };
        let was_there = |at: &str| holder.was_there(at.parse().expect("a time"));
        assert!(was_there("2026-11-26T17:20:05Z") && was_there("2026-11-26T17:22:00Z"));
        assert!(!was_there("2026-11-26T17:20:00Z") && !was_there("2026-11-26T17:22:01Z"));
    }
}
