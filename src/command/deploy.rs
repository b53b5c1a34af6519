//! `lain deploy`: the app, as its values say, running in the cluster.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::Command;
use super::delete::leave_deletion;
use crate::error::{Error, Result};
use crate::files;
use crate::globals;
use crate::model::app::ProcKind;
use crate::model::image::ImageReference;
use crate::model::name::to_label;
use crate::panel;
use crate::release::deploy::{self, Wanted, Which};
use crate::release::deployed::DeployAnswer;
use crate::release::handle::Handle;
use crate::release::links;
use crate::release::plan::{self, Plan};
use crate::release::story::Story;
use crate::release::trial;
use crate::render::{changes, report};
use crate::resolved::{Asked, check_tag};
use crate::session::Session;
use crate::ui::{Answer, Format, Surface, printable};
use crate::values::set::escape_value;

/// Deploy the app to the chosen cluster
#[derive(Args, Debug)]
#[command(
    after_help = "  lain deploy --build\n  lain deploy --set imageTag=TAG   # lain tags lists them\n  lain deploy --canary             # beside the app; lain set-canary-group goes on\n  lain deploy --dry-run\n  lain deploy --dry-run -o plan > PLAN && lain diff --plan PLAN && lain deploy --plan PLAN"
)]
pub struct Deploy {
    /// A value on top of all files; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Build and push the image first when the registry does not have it
    #[arg(long, conflicts_with = "dry_run")]
    build: bool,
    /// With --build: build changes that are not committed too, under a tag of their own, TAG-dirty-HASH
    #[arg(long, requires = "build")]
    dirty: bool,
    /// Follow the rollout until everything is ready and its jobs are done; always so on a terminal, in CI, and where the app has `tests`; with it no
    /// `lain status` opens at the end
    #[arg(long)]
    wait: bool,
    /// As a canary beside the app: a release of its own, RELEASE-canary, that `lain set-canary-group` sends traffic to
    #[arg(long)]
    canary: bool,
    /// As a review beside the app: a release APP-NAME with hosts and copies of the Secrets of its own; `lain delete --review` takes it away
    #[arg(long, value_name = "NAME", conflicts_with = "canary")]
    review: Option<String>,
    /// With --review: the app it is to be of, when a job that takes it away will have no checkout to read its name from
    #[arg(long, value_name = "APP", requires = "review")]
    app: Option<String>,
    /// Leave a Job in the cluster that deletes the release after this time
    #[arg(long, value_name = "TIME", value_parser = globals::timeout, conflicts_with = "dry_run")]
    delete_after: Option<Duration>,
    /// Refuse when what runs is a newer commit: a pipeline that comes late undoes nothing
    #[arg(long)]
    refuse_older: bool,
    /// Refuse an image whose signature does not count, as `signature` of the cluster values or `COSIGN_PUBLIC_KEY` says; always so where the
    /// cluster has `require_signature`
    #[arg(long)]
    verify: bool,
    /// Print what would be sent to the cluster, change nothing
    #[arg(long)]
    dry_run: bool,
    /// Deploy what `lain deploy --dry-run -o plan` planned, exactly that, or refuse with what moved since; `--set` of then are given again
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dry_run", "build", "image"])]
    plan: Option<PathBuf>,
    /// A whole image, REPOSITORY:TAG or REPOSITORY@sha256:DIGEST, instead of a tag
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// Return to the last good release when the deploy fails
    #[arg(long)]
    rollback_on_failure: bool,
    /// Longest time for helm and for the rollout: 10m, 1h30m, or seconds; without it, that of the longest job, 5m at least
    #[arg(long, value_name = "TIME", value_parser = globals::timeout)]
    timeout: Option<Duration>,
    /// Write what happened to an HTML page: phases, events, the ends of logs; to a file `*.json` as `-o json` prints it; also where the deploy
    /// fails; may be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    report: Vec<PathBuf>,
}

impl Command for Deploy {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Dotenv, Format::Plan];

    fn formats(&self) -> &'static [Format] {
        if self.dry_run { &[Format::Text, Format::Plan] } else { DeployAnswer::FORMATS }
    }

    fn run(self, session: &Session) -> Result<()> {
        self.deploy(session, Which::New)
    }
}

impl Deploy {
    /// With the image of these flags, or with the one that runs.
    pub(super) fn deploy(self, session: &Session, which: Which) -> Result<()> {
        session.require_cluster()?;
        if self.build && session.globals.ignore_lint {
            return Err(Error::usage("--build and --ignore-lint do not go together: what is not checked is not built")
                .hint("lain build --push && lain deploy --ignore-lint"));
        }
        self.report.iter().try_for_each(|path| files::has_folder("--report", path))?;
        if self.plan.is_some() && which == Which::Running {
            return Err(Error::usage("a plan says itself which image it is for").hint("lain deploy --plan PLAN"));
        }
        let plan = self.plan.as_deref().map(Plan::read).transpose()?;
        let mut set = self.set.clone();
        if let Some(plan) = &plan {
            check_tag(&plan.image_tag)?; // it may be anybody's file
            set.push(format!("imageTag={}", escape_value(&plan.image_tag)));
        }
        session.resolve(Asked { set, canary: self.canary, review: self.review.clone() })?;
        self.check_app(session)?;
        let image = plan.as_ref().map_or(self.image.as_deref(), |plan| plan.image.as_deref());
        let wanted = Wanted {
            which,
            image: image.map(ImageReference::parse).transpose()?,
            newest: plan.as_ref().map(|plan| plan.newest),
            build: self.build,
            dirty: self.dirty,
            unchecked: false,
            wait: self.wait,
            rollback_on_failure: self.rollback_on_failure,
            canary: self.canary,
            review: self.review.is_some(),
            refuse_older: self.refuse_older,
            verify: self.verify,
            timeout: self.timeout,
        };
        if let Some(plan) = plan {
            plan.refuse_foreign(session, &self.set)?;
            plan.refuse_moved(session, &Wanted { unchecked: true, ..wanted.clone() }, &self.set)?;
        }
        if self.dry_run && session.ui.format() == Format::Plan {
            let plan = plan::make(session, &wanted, &self.set)?;
            session.ui.answer(&PlanFile(&plan))?;
            session.ui.say(&changes::heading(&plan.diff));
            session.ui.say(&format!("planned: {}; nothing was changed", plan.diff.summary()));
            session.ui.hint("lain diff --plan PLAN && lain deploy --plan PLAN");
            return Ok(());
        }
        if self.dry_run {
            session.ui.result(&trial::preview(session, &wanted)?)?;
            session.ui.say("nothing was changed; lain deploy without --dry-run does it");
            return Ok(());
        }
        self.deploy_now(session, &wanted)
    }

    /// What is taken away by an app's name must have been made by it.
    fn check_app(&self, session: &Session) -> Result<()> {
        let (Some(app), Some(review)) = (&self.app, &self.review) else { return Ok(()) };
        let named = &session.app()?.appname;
        if named.0 == *app {
            return Ok(());
        }
        let why = format!("the values call this app {named}, not {app}: who takes the review away by that name would not find it");
        Err(Error::usage(why).hint(format!("lain deploy --review {review} --app {named} # in a pipeline the input `app` of `review`")))
    }

    /// Deploys, and tells of it in every shape that was asked for.
    fn deploy_now(self, session: &Session, wanted: &Wanted) -> Result<()> {
        let story = Story::begin(&session.ui);
        let outcome = deploy::deploy(session, wanted, &story);
        let answer = DeployAnswer::of(session, &story, outcome.as_ref().err());
        for (path, answer) in self.report.iter().filter_map(|path| answer.as_ref().map(|answer| (path, answer))) {
            match (write_report(path, answer), &outcome) {
                (Err(error), Ok(_)) => return Err(error),
                (Err(error), Err(_)) => session.ui.warning(&error), // what failed matters more
                (Ok(()), _) => session.ui.say(&format!("report: {}", path.display())),
            }
        }
        if let (Some(after), Ok(_)) = (self.delete_after, &outcome) {
            leave_deletion(session, &Handle::of_app(session)?, after)?;
        }
        match (session.ui.format(), answer) {
            // Variables of a deploy that is not would be taken for one that is.
            (Format::Dotenv, _) if outcome.is_err() => {}
            (Format::Text, _) | (_, None) => {}
            (_, Some(answer)) => session.ui.answer(&answer)?,
        }
        outcome?;
        if session.ui.format() != Format::Text {
            return Ok(());
        }
        tell(session, self.wait || self.canary || self.review.is_some())?; // `lain wait` is about the app's own release
        if let Some(review) = &self.review {
            session.ui.hint(&format!("lain delete --review {} --app {} # takes it away", to_label(review), session.app()?.appname));
        }
        if self.canary {
            tell_of_canary(session)?;
        }
        // What was said stays above it: the panel has a screen of its own.
        if !self.wait && !session.env.is_ci() && session.ui.can_show_panel() {
            panel::run(session, &session.kubectl()?)?;
        }
        Ok(())
    }
}

fn write_report(path: &Path, answer: &DeployAnswer) -> Result<()> {
    let text = match path.extension().and_then(OsStr::to_str) {
        Some("json") => serde_json::to_string_pretty(answer).map_err(|error| Error::failed(error.to_string()))?,
        _ => printable(&report::page(answer)?),
    };
    files::write_new(path, text.as_bytes())
}

/// A plan as a file.
#[derive(Serialize)]
#[serde(transparent)]
struct PlanFile<'a>(&'a Plan);

impl Answer for PlanFile<'_> {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Plan];

    fn text(&self) -> String {
        String::new()
    }

    fn shape(&self, _: Format) -> Option<String> {
        serde_json::to_string_pretty(self.0).ok()
    }
}

/// How a canary goes on.
fn tell_of_canary(session: &Session) -> Result<()> {
    let groups: Vec<&String> = session.app()?.canary_groups.iter().flatten().map(|(name, _)| name).collect();
    if groups.is_empty() {
        session.ui.say("the values have no `canaryGroups`, so nobody can be sent to it: docs/values.md");
    }
    groups.iter().for_each(|group| session.ui.hint(&format!("lain set-canary-group {group}")));
    session.ui.hint("lain set-canary-group --final # what it runs becomes the app");
    session.ui.hint("lain set-canary-group --abort # takes it away");
    Ok(())
}

/// What people want to know after a deploy.
pub(super) fn tell(session: &Session, waited: bool) -> Result<()> {
    let (app, cluster) = (session.app()?, session.cluster()?);
    for url in links::urls(app, cluster) {
        session.ui.say(&format!("url: {url}"));
    }
    for (kind, name, _) in app.procs().filter(|(kind, _, _)| matches!(kind, ProcKind::Deployment | ProcKind::StatefulSet)) {
        session.ui.say(&format!("log of {} {name}: {}", kind.resource(), session.ui.aimed(&format!("lain logs {name}"))));
    }
    links::grafana(app, cluster).iter().for_each(|link| session.ui.say(&format!("grafana: {link}")));
    links::kibana(app, None, cluster).iter().for_each(|link| session.ui.say(&format!("kibana: {link}")));
    links::prometheus(app, cluster).iter().for_each(|link| session.ui.say(&format!("prometheus: {link}")));
    if !waited && !session.env.is_ci() && session.ui.surface() != Surface::Terminal {
        session.ui.hint("lain wait # until everything is ready");
    }
    Ok(())
}
