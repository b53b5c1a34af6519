//! `lain build`: the app's image.

use std::collections::HashSet;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::command::deploy::tell;
use crate::error::Result;
use crate::images::seal::Wish;
use crate::images::{self, Goal, ImageResult, Images, Options};
use crate::release::deploy::{self, Wanted};
use crate::release::deployed::DeployAnswer;
use crate::release::story::Story;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Build the app's image from `build` (and `release`) of the values
#[derive(Args, Debug)]
#[command(
    after_help = "  lain build --push\n  lain build --push -o dotenv > lain.env   # LAIN_IMAGE, LAIN_IMAGE_TAG, LAIN_IMAGE_DIGEST\n  lain build --push --sbom --sign"
)]
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
    #[command(flatten)]
    seal: Seal,
}

/// What an image gets once the registry has it.
#[derive(Args, Debug, Default)]
pub(super) struct Seal {
    /// Once it is pushed, attach a list of what it is made of (SBOM, in SPDX): made by syft, else by the builder
    #[arg(long)]
    sbom: bool,
    /// Once it is pushed, sign its digest with cosign: by --key, `COSIGN_PRIVATE_KEY`, the cluster's key, or the job's `SIGSTORE_ID_TOKEN`
    #[arg(long)]
    sign: bool,
    /// With --sign: the private key, a file or an address (awskms://, hashivault://, ...)
    #[arg(long, value_name = "KEY", requires = "sign")]
    key: Option<String>,
}

impl Seal {
    /// As it is asked for.
    pub(super) fn wish(self) -> Wish {
        Wish { sbom: self.sbom, sign: self.sign, key: self.key }
    }
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
            sbom: false,
        };
        if self.if_missing && !self.deploy && images::builds_nothing(session)? {
            session.ui.say("the values have no `build`: nothing to build");
            return Ok(());
        }
        let mut results = Vec::new();
        let plans = images::plans_to_build(session, self.name.as_deref())?;
        let wish = self.seal.wish();
        let sealer = wish.prepare(session, goal, &plans, "lain build --push")?;
        let options = Options { sbom: sealer.by_builder(), ..options };
        for plan in plans {
            let made = plan.make(session, &options, goal)?;
            sealer.seal(&wish, &plan, goal, &made)?;
            results.extend(made);
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
