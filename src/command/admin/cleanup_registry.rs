//! `lain admin cleanup-registry`: old images of an app leave the registry.

use std::collections::BTreeSet;

use clap::Args;
use glob::Pattern;
use serde::Serialize;

use super::Question;
use crate::error::{Error, Kind, Result};
use crate::http::registry::Registry;
use crate::images::cleanup::{self, Decision, Going, InUse, Rules, Why};
use crate::images::plans;
use crate::model::duration::age;
use crate::model::image::repository_in;
use crate::model::tag::time_of_tag;
use crate::release::in_use::in_use;
use crate::session::Session;
use crate::tools::quote::quoted;
use crate::ui::{Answer, Format, Table};

/// Reasons that are told in full; the others are counted.
const TOLD: usize = 5;
/// Newest commits that stay where nobody says how many.
const KEEP: u32 = 20;

/// Delete images of old commits that nothing runs and no release can go back to; shows them first, and asks
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin cleanup-registry --dry-run\n  lain admin cleanup-registry --keep 50 --protect '17*-*' --yes\n  lain admin cleanup-registry --app shop --app cart --dry-run"
)]
pub(super) struct CleanupRegistry {
    /// An app, by its name in the registry; may be repeated. This folder's without one
    #[arg(long = "app", value_name = "NAME")]
    apps: Vec<String>,
    /// All apps of the registry, where it lists them
    #[arg(long, conflicts_with = "apps")]
    all_apps: bool,
    /// So many of the newest commits stay, of each app
    #[arg(long, value_name = "N", default_value_t = KEEP, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Tags of this form stay too: `*` stands for anything; may be repeated
    #[arg(long, value_name = "GLOB")]
    protect: Vec<String>,
    /// Only show what would go
    #[arg(long, conflicts_with_all = ["yes", "force"])]
    dry_run: bool,
    /// Do not ask; needed where there is no terminal
    #[arg(long)]
    yes: bool,
    /// Go on though it cannot be seen what runs everywhere: what runs there may go
    #[arg(long)]
    force: bool,
}

/// A repository, and what becomes of it.
struct Plan<'s> {
    repository: String,
    registry: Registry<'s>,
    tags: usize,
    decision: Decision,
}

impl CleanupRegistry {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        let protect = self.protect.iter().map(|form| {
            Pattern::new(form)
                .map_err(|error| Error::usage(format!("--protect {form}: {error}")).hint("--protect 'v*' # quoted, for the shell"))
        });
        let rules = Rules { keep: self.keep as usize, protect: protect.collect::<Result<_>>()? };
        let place = session.registry_anywhere()?;
        let repositories = self.repositories(session, place)?;
        session.require_cluster()?; // nothing is known to be of no use before a cluster was asked
        let (mut plans, in_use) = look(session, place, &repositories, &rules)?;
        let is_text = session.ui.format() == Format::Text;
        let count: usize = plans.iter().map(|plan| plan.decision.goes.len()).sum();
        for line in &in_use.unseen {
            session.ui.warn(&format!("it cannot be seen what runs: {line}"));
        }
        if is_text {
            session.ui.answer(&Cleanup::of(&plans, &in_use, Stage::Shown))?;
        }
        self.tell_what_stays(session, &plans);
        if self.dry_run || count == 0 {
            return if is_text { Ok(()) } else { session.ui.answer(&Cleanup::of(&plans, &in_use, Stage::Shown)) };
        }
        let asked = self.agree(session, count, &in_use)?;
        if asked {
            // Much may have happened while somebody thought about it.
            let (again, _) = look(session, place, &repositories, &rules)?;
            plans.iter_mut().zip(&again).for_each(|(plan, again)| plan.decision.and(&again.decision));
        }
        let done = delete(session, &plans);
        if !is_text {
            session.ui.answer(&Cleanup::of(&plans, &in_use, Stage::Done(&done)))?;
        }
        done.tell(session)
    }

    fn repositories(&self, session: &Session, place: &str) -> Result<Vec<String>> {
        if self.all_apps || !self.apps.is_empty() {
            return super::repositories(session, place, &self.apps);
        }
        let instead =
            ["lain admin cleanup-registry --app NAME --dry-run # without a checkout", "lain admin cleanup-registry --all-apps --dry-run"];
        let own = super::app_here(session, &instead)?;
        let mut all = BTreeSet::from([repository_in(place, &own.appname)]);
        for plan in plans(session).unwrap_or_default() {
            all.insert(plan.repository(session)?);
        }
        Ok(all.into_iter().collect())
    }

    fn tell_what_stays(&self, session: &Session, plans: &[Plan<'_>]) {
        let quiet = plans.iter().filter(|plan| plan.decision.goes.is_empty()).count();
        let is_counted = |plan: &Plan<'_>| plan.decision.goes.is_empty() && quiet > TOLD;
        for plan in plans.iter().filter(|plan| !is_counted(plan)) {
            let goes: usize = plan.decision.goes.iter().map(|going| going.tags.len()).sum();
            let name = &plan.repository;
            if plan.tags == 0 {
                session.ui.say(&format!("{name} has no tags"));
            } else if goes == 0 {
                session.ui.say(&format!(
                    "{name}: nothing to delete, {} of {} tags stay{}",
                    plan.tags,
                    plan.tags,
                    reasons(&plan.decision, self.keep)
                ));
            } else {
                let stay: usize = plan.decision.stays.values().sum();
                session.ui.say(&format!("{name}: {goes} of {} tags may go, {stay} stay{}", plan.tags, reasons(&plan.decision, self.keep)));
            }
        }
        if quiet > TOLD {
            session.ui.say(&format!("{quiet} repositories have nothing to delete"));
        }
    }

    /// The same command, as it is typed.
    fn again(&self, more: &str) -> String {
        let mut words = String::from("lain admin cleanup-registry");
        self.apps.iter().for_each(|app| words += &format!(" --app {app}"));
        if self.all_apps {
            words += " --all-apps";
        }
        if self.keep != KEEP {
            words += &format!(" --keep {}", self.keep);
        }
        self.protect.iter().for_each(|form| words += &format!(" --protect {}", quoted(form)));
        words + more
    }

    /// True when somebody was asked.
    fn agree(&self, session: &Session, count: usize, in_use: &InUse) -> Result<bool> {
        let is_silent = self.yes || !session.ui.can_ask();
        if !in_use.unseen.is_empty() && !self.force {
            let force = self.again(if is_silent { " --force --yes" } else { " --force" });
            return Err(Error::refused("it cannot be seen everywhere what runs, so nothing was deleted")
                .hint(format!(
                    "{} # with an account that may read pods, workloads and helm's Secrets of all namespaces, and every cluster's kubeconfig",
                    self.again(" --dry-run")
                ))
                .hint(format!("{force} # what runs there may go, and does not start again")));
        }
        let images = if count == 1 { "this image".to_owned() } else { format!("these {count} images") };
        let (question, end) = (format!("delete {images}?"), if count == 1 { "It does not come back." } else { "They do not come back." });
        let yes = self.again(if self.force { " --force --yes" } else { " --yes" });
        let instead = format!("{yes} # deletes what is listed above");
        Question { more: end, ..Question::of_deletion(&question, &instead) }.agreed(session, self.yes)
    }
}

/// What there is, and what of it may go. Clusters are asked only where something may.
fn look<'s>(session: &'s Session, place: &str, repositories: &[String], rules: &Rules) -> Result<(Vec<Plan<'s>>, InUse)> {
    let progress = session.ui.progress();
    let line = progress.add("reading the registry and the clusters");
    let mut listed = vec![];
    for repository in repositories {
        let registry = session.registry_of(repository)?;
        let tags = registry.tags()?;
        listed.push((repository, registry, tags));
    }
    let in_use = if listed.iter().any(|(_, _, tags)| cleanup::may_lose(tags, rules)) { in_use(session, place)? } else { InUse::default() };
    let mut plans = vec![];
    for (repository, registry, tags) in listed {
        let mut decision = Decision::default();
        if cleanup::may_lose(&tags, rules) {
            let found = cleanup::read_all(session, repository, &tags)?;
            let pinned = cleanup::read_pinned(&registry, repository, &found, &in_use)?;
            decision = cleanup::decide(&found, &pinned, &in_use, rules);
        }
        plans.push(Plan { repository: repository.clone(), registry, tags: tags.len(), decision });
    }
    drop(line);
    Ok((plans, in_use))
}

/// `: 20 newest, 3 in use`
fn reasons(decision: &Decision, keep: u32) -> String {
    let words = |why: Why| match why {
        Why::Newest => format!("as new as the newest {keep} commits"),
        Why::InUse => "in use, or what a release can go back to".to_owned(),
        Why::Protected => "protected".to_owned(),
        Why::Other => "no commit's".to_owned(),
        Why::Shared => "of an image that stays".to_owned(),
    };
    let all: Vec<String> = decision.stays.iter().map(|(why, count)| format!("{count} {}", words(*why))).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}

/// What was done.
#[derive(Default)]
struct Done {
    /// By repository and digest: true for what was gone already.
    deleted: Vec<(String, String, bool)>,
    failed: Vec<(String, String, String)>,
    /// The first failure, or what ended it.
    error: Option<Error>,
    left: usize,
}

fn delete(session: &Session, plans: &[Plan<'_>]) -> Done {
    let mut done = Done::default();
    let mut stopped = false;
    for plan in plans {
        for going in &plan.decision.goes {
            let subject_stays = going.about.as_ref().is_some_and(|about| done.failed.iter().any(|(_, digest, _)| digest == about));
            if stopped || plan.registry.keeps_all() || subject_stays {
                done.left += 1;
                continue;
            }
            let name = format!("{}:{}", plan.repository, going.tags.join(", "));
            match plan.registry.delete(&going.digest) {
                Ok(was_there) => {
                    session.ui.detail(&format!("deleted {name}"));
                    done.deleted.push((plan.repository.clone(), going.digest.clone(), !was_there));
                }
                Err(error) => {
                    stopped = error.kind() == Kind::Interrupted;
                    if done.failed.len() < TOLD && !stopped && !plan.registry.keeps_all() {
                        session.ui.warn(&format!("{name} stays: {error}"));
                    }
                    done.failed.push((plan.repository.clone(), going.digest.clone(), error.to_string()));
                    done.error.get_or_insert(error);
                }
            }
        }
    }
    done
}

impl Done {
    fn tell(self, session: &Session) -> Result<()> {
        let (deleted, failed) = (self.deleted.len(), self.failed.len());
        if deleted > 0 {
            session.ui.done(&format!("deleted {deleted} {}", images(deleted)));
            session.ui.say("a registry gives back their space when it collects its garbage (docker's: registry garbage-collect CONFIG, while nobody pushes)");
        } else if failed == 0 {
            session.ui.say("nothing is left to delete");
        }
        let Some(error) = self.error else { return Ok(()) };
        let stay = failed + self.left;
        if error.kind() == Kind::Interrupted {
            session.ui.say(&format!("{stay} {} were not deleted", images(stay)));
            return Err(error);
        }
        Err(error.context(format!("{stay} {} could not be deleted", images(stay))))
    }
}

fn images(count: usize) -> &'static str {
    if count == 1 { "image" } else { "images" }
}

/// What is told of it.
#[derive(Clone, Copy)]
enum Stage<'a> {
    Shown,
    Done(&'a Done),
}

/// What goes, or went.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cleanup<'a> {
    version: u32,
    repositories: Vec<OfRepository<'a>>,
    /// What could not be looked at.
    unseen: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfRepository<'a> {
    repository: &'a str,
    /// All tags that there were.
    tags: usize,
    images: Vec<OfImage<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OfImage<'a> {
    digest: &'a str,
    tags: &'a [String],
    /// Layers and configuration; other images may have the same layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    WouldGo,
    Deleted,
    /// Somebody else was quicker.
    WasGone,
    Failed,
    Left,
}

impl<'a> Cleanup<'a> {
    fn of(plans: &'a [Plan<'_>], in_use: &'a InUse, stage: Stage<'a>) -> Self {
        let image = |plan: &'a Plan<'_>, going: &'a Going| {
            let (outcome, reason) = outcome(&plan.repository, &going.digest, stage);
            OfImage { digest: &going.digest, tags: &going.tags, bytes: going.bytes, outcome, reason }
        };
        let repository = |plan: &'a Plan<'_>| OfRepository {
            repository: &plan.repository,
            tags: plan.tags,
            images: plan.decision.goes.iter().map(|going| image(plan, going)).collect(),
        };
        Self { version: 1, repositories: plans.iter().map(repository).collect(), unseen: &in_use.unseen }
    }
}

fn outcome<'a>(repository: &str, digest: &str, stage: Stage<'a>) -> (Outcome, Option<&'a str>) {
    let Stage::Done(done) = stage else { return (Outcome::WouldGo, None) };
    if let Some((_, _, was_gone)) = done.deleted.iter().find(|(of, known, _)| of == repository && known == digest) {
        return (if *was_gone { Outcome::WasGone } else { Outcome::Deleted }, None);
    }
    let failed = done.failed.iter().find(|(of, known, _)| of == repository && known == digest);
    failed.map_or((Outcome::Left, None), |(_, _, why)| (Outcome::Failed, Some(why)))
}

impl Answer for Cleanup<'_> {
    /// Each image in a line, with its first tag and how many more it has.
    fn text(&self) -> String {
        if self.repositories.iter().all(|it| it.images.is_empty()) {
            return String::new();
        }
        let now = jiff::Timestamp::now().as_second();
        let mut table = Table::new(["AGE", "SIZE", "IMAGE"]);
        for it in &self.repositories {
            let name = it.repository.rsplit('/').next().unwrap_or_default();
            for image in &it.images {
                let time = image.tags.iter().find_map(|tag| time_of_tag(tag));
                let more = if image.tags.len() > 1 { format!(" and {} more", image.tags.len() - 1) } else { String::new() };
                let tag = image.tags.first().map(String::as_str).unwrap_or_default();
                table.row([
                    time.map_or_else(|| "-".to_owned(), |at| age(now.saturating_sub(at))),
                    image.bytes.map_or_else(|| "-".to_owned(), size),
                    format!("{name}:{tag}{more}"),
                ]);
            }
        }
        table.narrow(&[2]);
        table.to_string().trim_end().to_owned()
    }
}

/// `12.3 MB`
#[allow(clippy::cast_precision_loss)] // one digit of it is shown
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
