//! `lain deploy`: the app, as its values say, running in the cluster.

use std::time::Duration;

use clap::Args;

use super::Command;
use super::delete::leave_deletion;
use crate::error::{Error, Result};
use crate::globals;
use crate::model::app::ProcKind;
use crate::model::image::ImageReference;
use crate::model::name::to_label;
use crate::release::deploy::{self, Deployed, Wanted, Which};
use crate::release::deployed::DeployAnswer;
use crate::release::handle::Handle;
use crate::release::links;
use crate::resolved::Asked;
use crate::session::Session;
use crate::ui::{Answer, Format, Surface, TEXT};

/// Deploy the app to the chosen cluster
#[derive(Args, Debug)]
#[command(
    after_help = "  lain deploy --build\n  lain deploy --set imageTag=TAG   # lain tags lists them\n  lain deploy --canary             # beside the app; lain set-canary-group goes on\n  lain deploy --dry-run"
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
    /// Follow the rollout until everything is ready and its jobs are done; always so on a terminal, in CI, and where the app has `tests`
    #[arg(long)]
    wait: bool,
    /// As a canary beside the app: a release of its own, RELEASE-canary, that `lain set-canary-group` sends traffic to
    #[arg(long)]
    canary: bool,
    /// As a review beside the app: a release APP-NAME with hosts and copies of the Secrets of its own; `lain delete --review` takes it away
    #[arg(long, value_name = "NAME", conflicts_with = "canary")]
    review: Option<String>,
    /// Leave a Job in the cluster that deletes the release after this time
    #[arg(long, value_name = "TIME", value_parser = globals::timeout, conflicts_with = "dry_run")]
    delete_after: Option<Duration>,
    /// Refuse when what runs is a newer commit: a pipeline that comes late undoes nothing
    #[arg(long)]
    refuse_older: bool,
    /// Print what would be sent to the cluster, change nothing
    #[arg(long)]
    dry_run: bool,
    /// A whole image, REPOSITORY:TAG or REPOSITORY@sha256:DIGEST, instead of a tag
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// Return to the last good release when the deploy fails
    #[arg(long)]
    rollback_on_failure: bool,
    /// Longest time for helm and for the rollout: 10m, 1h30m, or seconds; without it, that of the longest job, 5m at least
    #[arg(long, value_name = "TIME", value_parser = globals::timeout)]
    timeout: Option<Duration>,
}

impl Command for Deploy {
    const FORMATS: &'static [Format] = DeployAnswer::FORMATS;

    fn formats(&self) -> &'static [Format] {
        if self.dry_run { TEXT } else { DeployAnswer::FORMATS }
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
        session.resolve(Asked { set: self.set.clone(), canary: self.canary, review: self.review.clone() })?;
        let wanted = Wanted {
            which,
            image: self.image.as_deref().map(ImageReference::parse).transpose()?,
            build: self.build,
            dirty: self.dirty,
            wait: self.wait,
            rollback_on_failure: self.rollback_on_failure,
            canary: self.canary,
            review: self.review.is_some(),
            refuse_older: self.refuse_older,
            timeout: self.timeout,
        };
        if self.dry_run {
            session.ui.result(&deploy::preview(session, &wanted)?)?;
            session.ui.say("nothing was changed; lain deploy without --dry-run does it");
            return Ok(());
        }
        let deployed = deploy::deploy(session, &wanted)?;
        if let Some(after) = self.delete_after {
            leave_deletion(session, &Handle::of_app(session)?, after)?;
        }
        if session.ui.format() != Format::Text {
            return session.ui.answer(&answer(session, &deployed)?);
        }
        tell(session, self.wait || self.canary || self.review.is_some())?; // `lain wait` is about the app's own release
        if let Some(review) = &self.review {
            session.ui.hint(&format!("lain delete --review {} --app {} # takes it away", to_label(review), session.app()?.appname));
        }
        if self.canary {
            tell_of_canary(session)?;
        }
        Ok(())
    }
}

/// What a deploy came to, for programs.
pub(super) fn answer(session: &Session, deployed: &Deployed) -> Result<DeployAnswer> {
    Ok(DeployAnswer {
        version: 1,
        release: deployed.release.clone(),
        cluster: session.cluster_name(),
        image_tag: deployed.tag.clone(),
        urls: links::urls(session.app()?, session.cluster()?),
        executor: session.env.executor(),
    })
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
        session.ui.say(&format!("log of {} {name}: lain logs {name}", kind.resource()));
    }
    links::grafana(app, cluster).iter().for_each(|link| session.ui.say(&format!("grafana: {link}")));
    links::kibana(app, cluster).iter().for_each(|link| session.ui.say(&format!("kibana: {link}")));
    if !waited && !session.env.is_ci() && session.ui.surface() != Surface::Terminal {
        session.ui.hint("lain wait # until everything is ready");
    }
    Ok(())
}
