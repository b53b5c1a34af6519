//! `lain prepare`: the slow part of the image, built once.

use clap::Args;
use indexmap::IndexMap;

use super::Command;
use crate::error::Result;
use crate::images::{self, Images, Options};
use crate::model::dotenv;
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Build and push the prepare image, which later builds start from
#[derive(Args, Debug)]
pub struct Prepare {
    /// Do not push it
    #[arg(long)]
    skip_push: bool,
    /// Leave the generated Dockerfile in the folder (never over one of your own)
    #[arg(long)]
    keep_dockerfile: bool,
    /// What it is to run on, in place of `build.platforms`: linux/amd64,linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<String>,
    /// Do nothing when the registry has one that was made from what is here now
    #[arg(long, conflicts_with = "skip_push")]
    if_missing: bool,
}

impl Command for Prepare {
    const FORMATS: &'static [Format] = Images::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let (if_missing, platforms) = (self.if_missing, self.platform);
        let plans = if if_missing && images::builds_nothing(session)? { vec![] } else { images::plans(session)? };
        let options = Options { keep_dockerfile: self.keep_dockerfile, platforms, if_missing, ..Options::default() };
        let mut results = Vec::new();
        for plan in plans.iter().filter(|plan| plan.has_prepare()) {
            results.push(plan.prepare(session, &options, !self.skip_push)?);
        }
        if results.is_empty() {
            session.ui.say("the values have no `build.prepare`: nothing to prepare");
            // Jobs that test in the prepare image test in what the app is built from.
            let base = session
                .app()?
                .build
                .as_ref()
                .map(|build| build.base.rsplit(' ').next().unwrap_or_default().to_owned())
                .filter(|base| !base.is_empty());
            return match base.filter(|_| session.ui.format() == Format::Dotenv) {
                Some(base) => session.ui.result(&dotenv::lines(&IndexMap::from([("LAIN_PREPARE_IMAGE".to_owned(), base)]))),
                None => Ok(()),
            };
        }
        session.ui.answer(&images::Prepared::of(&results))
    }
}
