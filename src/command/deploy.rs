//! `lain deploy`: the app, as its values say, running in the cluster.

use std::time::Duration;

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::model::app::ProcKind;
use crate::model::image::ImageReference;
use crate::release::deploy::{self, Deployed, Wanted, Which};
use crate::release::deployed::DeployAnswer;
use crate::release::links;
use crate::resolved::Asked;
use crate::session::Session;
use crate::ui::{Answer, Format, Surface, TEXT};

/// Deploy the app to the chosen cluster
#[derive(Args, Debug)]
#[command(after_help = "  lain deploy --build\n  lain deploy --set imageTag=TAG   # lain tags lists them\n  lain deploy --dry-run")]
pub struct Deploy {
    /// A value on top of all files; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Build and push the image first when the registry does not have it
    #[arg(long, conflicts_with = "dry_run")]
    build: bool,
    /// Wait until everything is ready and its jobs are done; always so in CI
    #[arg(long)]
    wait: bool,
    /// Print what would be sent to the cluster, change nothing
    #[arg(long)]
    dry_run: bool,
    /// A whole image, REPOSITORY:TAG or REPOSITORY@sha256:DIGEST, instead of a tag
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// Return to the last good release when the deploy fails
    #[arg(long)]
    rollback_on_failure: bool,
    /// Longest time for helm and for the rollout, in seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
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
        session.resolve(Asked::set(&self.set))?;
        let wanted = Wanted {
            which,
            image: self.image.as_deref().map(ImageReference::parse).transpose()?,
            build: self.build,
            wait: self.wait,
            rollback_on_failure: self.rollback_on_failure,
            timeout: self.timeout.map(Duration::from_secs),
        };
        if self.dry_run {
            return session.ui.result(&deploy::preview(session, &wanted)?);
        }
        show(session, &deploy::deploy(session, &wanted)?, self.wait)
    }
}

/// What a deploy came to.
pub(super) fn show(session: &Session, deployed: &Deployed, waited: bool) -> Result<()> {
    let Deployed { release, tag } = deployed;
    let (app, cluster) = (session.app()?, session.cluster()?);
    let urls = links::urls(app, cluster);
    if session.ui.format() != Format::Text {
        let (release, image_tag) = (release.clone(), tag.clone());
        let (cluster, executor) = (session.cluster_name(), session.env.executor());
        return session.ui.answer(&DeployAnswer { version: 1, release, cluster, image_tag, urls, executor });
    }
    for url in urls {
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
