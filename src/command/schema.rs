//! `lain schema`: JSON Schema of values, for editors, and of results, for programs.

use clap::{Args, ValueEnum};

use super::Command;
use crate::error::Result;
use crate::model::schema;
use crate::release::deployed::DeployAnswer;
use crate::session::Session;
use crate::ui::Format;

/// Print the JSON Schema of values files, for editors, or of a deploy's result
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
}

impl Command for Schema {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn run(self, session: &Session) -> Result<()> {
        let deploy = schema::of::<DeployAnswer>("what lain deploy -o json prints");
        session.ui.result_json(match self.of {
            Of::Values => schema::values(),
            Of::Cluster => schema::cluster(),
            Of::Deploy => &deploy,
        })
    }
}
