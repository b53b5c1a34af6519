//! `lain diff`: what a deploy would change.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::{Error, Result};
use crate::model::changes::Diff as Changes;
use crate::model::image::ImageReference;
use crate::model::name::is_harmless;
use crate::release::deploy::Wanted;
use crate::release::diff::{of_deploy, of_drift};
use crate::release::handle::Handle;
use crate::release::plan::Plan;
use crate::render::changes::{self, Tone, WIDTH};
use crate::resolved::Asked;
use crate::session::Session;
use crate::ui::{Answer, Format, Label, Ui, columns, printable};

/// Show what a deploy would change, object by object: what helm has recorded, what would be, what runs
#[derive(Args, Debug)]
#[command(
    after_help = "  lain diff\n  lain diff --set imageTag=TAG --exit-code\n  lain diff --live                       # what was changed in the cluster since\n  \
                              lain diff -o terraform > plan.json     # for GitLab's merge request widget\n\n\
                              + comes, - goes, ~ changes, ! was changed in the cluster by somebody, or would be refused. Values of Secrets are never shown."
)]
pub struct Diff {
    /// With --live: a release by its name, which needs no checkout
    #[arg(requires = "live")]
    release: Option<String>,
    /// A value on top of all files; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// A whole image, REPOSITORY:TAG or REPOSITORY@sha256:DIGEST, instead of a tag
    #[arg(long, value_name = "REF")]
    image: Option<String>,
    /// Only what somebody changed in the cluster since the last deploy; asks for no chart and no image
    #[arg(long, conflicts_with_all = ["set", "image"])]
    live: bool,
    /// What a plan of `lain deploy --dry-run -o plan` would change, as it was seen then; asks no cluster
    #[arg(long, value_name = "FILE", conflicts_with_all = ["set", "image", "live"])]
    plan: Option<PathBuf>,
    /// End with exit code 3 when there is a change
    #[arg(long)]
    exit_code: bool,
}

impl Command for Diff {
    const FORMATS: &'static [Format] = Shown::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let diff = match &self.plan {
            Some(path) => Plan::read(path)?.diff,
            None if self.live => self.drift(session)?,
            None => self.deploy(session)?,
        };
        show(session, &diff)?;
        let differs = if self.live { diff.drift > 0 } else { diff.changes_something() };
        // No words of its own: what differs was shown.
        if self.exit_code && differs { Err(Error::child(3)) } else { Ok(()) }
    }
}

impl Diff {
    fn drift(&self, session: &Session) -> Result<Changes> {
        let handle = match &self.release {
            Some(release) if !is_harmless(release) => {
                return Err(Error::usage(format!("`{release}` is no release name")).hint("helm list"));
            }
            Some(release) => Handle::named(session, release.clone())?,
            None => Handle::of_app(session)?,
        };
        of_drift(&handle)
    }

    fn deploy(&self, session: &Session) -> Result<Changes> {
        session.require_cluster()?;
        session.resolve(Asked::set(&self.set))?;
        let image = self.image.as_deref().map(ImageReference::parse).transpose()?;
        let wanted = Wanted { image, unchecked: true, ..Wanted::default() };
        Ok(of_deploy(&Handle::of_app(session)?, &wanted)?.diff)
    }
}

/// Writes a diff in the shape that was asked for, and its sum for people.
pub(super) fn show(session: &Session, diff: &Changes) -> Result<()> {
    if session.ui.format() == Format::Text {
        session.ui.say(&changes::heading(diff));
    }
    session.ui.answer(&Shown(diff))?;
    if session.ui.format() == Format::Text {
        session.ui.say(&diff.summary());
    }
    Ok(())
}

/// A diff as a result.
#[derive(Serialize)]
#[serde(transparent)]
struct Shown<'a>(&'a Changes);

impl Answer for Shown<'_> {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Markdown, Format::Html, Format::Terraform];

    fn text(&self) -> String {
        changes::lines(self.0, WIDTH).into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }

    fn styled(&self, ui: &Ui) -> Option<String> {
        let label = |tone| match tone {
            Tone::Add => Some(Label::Good),
            Tone::Remove => Some(Label::Bad),
            Tone::Change => Some(Label::Command),
            Tone::Warn => Some(Label::Warning),
            Tone::Plain => None,
        };
        let lines = changes::lines(self.0, columns().unwrap_or(WIDTH));
        let styled =
            lines.iter().map(|line| label(line.tone).map_or_else(|| printable(&line.text), |label| ui.emphasis(&line.text, label)));
        Some(styled.collect::<Vec<_>>().join("\n"))
    }

    fn shape(&self, format: Format) -> Option<String> {
        match format {
            Format::Markdown => Some(printable(&changes::markdown(self.0))),
            Format::Html => Some(printable(&changes::html(self.0))),
            Format::Terraform => Some(changes::terraform(self.0)),
            _ => None,
        }
    }
}
