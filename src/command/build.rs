//! `lain build`: the app's image.

use std::collections::HashSet;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::command::deploy::tell;
use crate::error::Result;
use crate::images::{self, Goal, ImageResult, Images, Options};
use crate::release::deploy::{self, Wanted};
use crate::release::deployed::DeployAnswer;
use crate::release::story::Story;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Build the app's image from `build` (and `release`) of the values
#[derive(Args, Debug)]
#[command(after_help = "  lain build --push\n  lain build --push -o dotenv > lain.env   # LAIN_IMAGE, LAIN_IMAGE_TAG, LAIN_IMAGE_DIGEST")]
pub struct Build {
    /// Push it afterwards, also as `latest`
    #[arg(long)]
    push: bool,
    /// Push it and deploy it
    #[arg(long)]
    deploy: bool,
    /// Push it to the registry of every configured cluster, side by side
    #[arg(long)]
    publish: bool,
    /// One of `builds`, behind those that it is made from
    #[arg(long, value_name = "BUILD", conflicts_with = "deploy")]
    name: Option<String>,
    /// Leave the generated Dockerfile in the folder (never over one of your own)
    #[arg(long)]
    keep_dockerfile: bool,
    /// Use the prepare image of this docker daemon without asking the registry
    #[arg(long)]
    no_pull: bool,
    /// Do nothing for an image that is there already: in the registry with --push or --publish, else on
    /// the docker daemon; changes that are not committed are built all the same
    #[arg(long)]
    if_missing: bool,
    /// With --push: leave `latest` as it is
    #[arg(long)]
    no_latest: bool,
    /// What it is to run on, in place of `build.platforms`: linux/amd64,linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<String>,
}

impl Command for Build {
    const FORMATS: &'static [Format] = Images::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let goal = match (self.publish, self.push || self.deploy) {
            (true, _) => Goal::Publish,
            (false, true) => Goal::Push,
            (false, false) => Goal::Keep,
        };
        let options = Options {
            pull: !self.no_pull,
            keep_dockerfile: self.keep_dockerfile,
            platforms: self.platform,
            if_missing: self.if_missing,
            latest: !self.no_latest,
        };
        if self.if_missing && !self.deploy && images::builds_nothing(session)? {
            session.ui.say("the values have no `build`: nothing to build");
            return Ok(());
        }
        let mut results = Vec::new();
        for plan in images::plans_to_build(session, self.name.as_deref())? {
            results.extend(plan.make(session, &options, goal)?);
        }
        if !self.deploy {
            return images::print(session, &results);
        }
        let story = Story::begin(&session.ui);
        if session.ui.format() == Format::Text {
            images::print(session, &results)?;
            deploy::deploy(session, &Wanted::default(), &story)?;
            return tell(session, false);
        }
        deploy::deploy(session, &Wanted::default(), &story)?;
        let Some(deployed) = DeployAnswer::of(session, &story, None) else { return Ok(()) }; // it knows its release by now
        session.ui.answer(&BuiltAndDeployed { deployed, images: &results })
    }
}

/// What `lain deploy` answers, and the images.
#[derive(Serialize)]
struct BuiltAndDeployed<'a> {
    #[serde(flatten)]
    deployed: DeployAnswer,
    images: &'a [ImageResult],
}

impl Answer for BuiltAndDeployed<'_> {
    const FORMATS: &'static [Format] = DeployAnswer::FORMATS;

    fn text(&self) -> String {
        self.deployed.text()
    }

    fn dotenv(&self) -> Option<String> {
        let mut lines = images::variables(self.images);
        let name = |line: &str| line.split('=').next().unwrap_or_default().to_owned();
        let known: HashSet<String> = lines.lines().map(name).collect(); // both know the tag
        lines.extend(self.deployed.dotenv()?.lines().filter(|line| !known.contains(&name(line))).map(|line| format!("{line}\n")));
        Some(lines)
    }
}
