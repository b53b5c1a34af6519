//! `lain get-values`: what a release was deployed with.

use clap::Args;
use serde::Serialize;
use serde_json::Value as Json;

use super::Command;
use crate::error::{Error, Result};
use crate::model::name::is_harmless;
use crate::release::handle::no_release;
use crate::session::Session;
use crate::ui::{Answer, Format};
use crate::values::write::to_yaml;

/// Print the values that a release was deployed with: who, from where, which image, and every `-f` and `--set`
#[derive(Args, Debug)]
#[command(after_help = "  lain get-values\n  lain get-values --revision 3\n  lain get-values -o json | jq -r .imageTag")]
pub struct GetValues {
    /// The release; this folder's without one
    release: Option<String>,
    /// Of an earlier revision, as `helm history` counts them
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    revision: Option<u32>,
    /// The chart's own values too
    #[arg(long)]
    all: bool,
}

impl Command for GetValues {
    const FORMATS: &'static [Format] = PlainValues::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let is_named = self.release.is_some();
        let release = match self.release {
            Some(release) if !is_harmless(&release) => {
                return Err(Error::usage(format!("`{release}` is no release name")).hint("helm list"));
            }
            Some(release) => release,
            None => session.app()?.release().to_owned(),
        };
        let values = session.helm()?.values(&release, self.revision, self.all)?;
        let kubectl = session.kubectl()?;
        let missing = || {
            if let Some(revision) = self.revision {
                let error = Error::failed(format!("release {release} has no revision {revision}"));
                return error.hint(format!("helm history {release}"));
            }
            no_release(&kubectl, &release, is_named)
        };
        session.ui.answer(&PlainValues(values.ok_or_else(missing)?))
    }
}

/// Values as they are, as `helm get values -o json` has them: no shape of lain's own.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct PlainValues(pub(super) Json);

impl Answer for PlainValues {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json, Format::Yaml];

    fn text(&self) -> String {
        to_yaml(&self.0)
    }

    fn yaml(&self) -> Option<String> {
        Some(self.text())
    }
}
