//! `lain image`: the image of HEAD.

use clap::Args;

use super::Command;
use crate::error::Result;
use crate::images::{self, ImageResult, Images};
use crate::session::Session;
use crate::ui::{Answer, Format};

/// Print the image of HEAD: REGISTRY/APPNAME:TAG, one a line with `builds`
#[derive(Args, Debug)]
pub struct Image {}

impl Command for Image {
    const FORMATS: &'static [Format] = Images::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let results = if app.build.is_none() && app.builds.iter().flatten().next().is_none() {
            // Nothing is built, but the chart asks for this one wherever a proc names none.
            let chosen = session.resolved()?.chosen_tag()?;
            let tag = match &chosen {
                Some(tag) => tag,
                None => session.image_tag()?,
            };
            vec![ImageResult {
                version: 1,
                build: None,
                image: format!("{}:{tag}", session.repository()?),
                tag: tag.to_owned(),
                digest: None,
            }]
        } else {
            let tag = session.image_tag()?;
            let plans = images::plans(session)?;
            plans.iter().map(|plan| Ok(plan.result(plan.image(session)?, tag, None))).collect::<Result<_>>()?
        };
        images::print(session, &results)
    }
}
