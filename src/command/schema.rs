//! `lain schema`: JSON Schema of values, for editors, and of results, for programs.

use clap::{Args, ValueEnum};

use super::Command;
use super::admin::list_waste::WasteAnswer;
use super::admin::status::ClusterAnswer;
use super::cherry::Commits;
use crate::doctor::Diagnosis;
use crate::error::Result;
use crate::images::Images;
use crate::model::changes::Diff;
use crate::model::schema;
use crate::release::deployed::DeployAnswer;
use crate::release::status::StatusAnswer;
use crate::session::Session;
use crate::ui::Format;

/// Print the JSON Schema of values files, for editors, or of results, for programs
#[derive(Args, Debug)]
#[command(after_help = "  lain schema > ~/.config/lain/values.schema.json\n  lain schema cluster | jq '.properties | keys'\n\n\
                              Draft 2020-12. `lain init` puts it beside the values it writes, with the line that tells editors of it.")]
pub struct Schema {
    /// Which file it describes
    #[arg(value_enum, default_value_t)]
    of: Of,
}

/// A kind of values file.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Of {
    /// chart/values.yaml
    #[default]
    Values,
    /// values-CLUSTER.yaml
    Cluster,
    /// What `lain deploy -o json` prints
    Deploy,
    /// What `lain diff -o json` prints
    Diff,
    /// What `lain build -o json`, `push`, `prepare` and `image` print
    Image,
    /// What `lain cherry -o json` prints
    Cherry,
    /// What `lain status -o json` prints
    Status,
    /// What `lain admin status -o json` prints
    AdminStatus,
    /// What `lain admin list-waste -o json` prints
    Waste,
    /// What `lain doctor -o json` prints
    Doctor,
}

impl Command for Schema {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn run(self, session: &Session) -> Result<()> {
        match self.of {
            Of::Values => session.ui.result_json(schema::values()),
            Of::Cluster => session.ui.result_json(schema::cluster()),
            Of::Deploy => session.ui.result_json(&schema::of::<DeployAnswer>("what lain deploy -o json prints")),
            Of::Diff => session.ui.result_json(&schema::of::<Diff>("what lain diff -o json prints")),
            Of::Image => session.ui.result_json(&schema::of::<Images<'_>>("what lain build, push, prepare and image print with -o json")),
            Of::Status => session.ui.result_json(&schema::of::<StatusAnswer>("what lain status -o json prints")),
            Of::AdminStatus => session.ui.result_json(&schema::of::<ClusterAnswer>("what lain admin status -o json prints")),
            Of::Waste => session.ui.result_json(&schema::of::<WasteAnswer>("what lain admin list-waste -o json prints")),
            Of::Doctor => session.ui.result_json(&schema::of::<Diagnosis>("what lain doctor -o json prints")),
            Of::Cherry => session.ui.result_json(&schema::of::<Commits>("what lain cherry -o json prints")),
        }
    }
}
