//! `lain compose`: a docker-compose.yaml to start local debugging from.

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::files::write_new;
use crate::model::image::repository_in;
use crate::render::compose;
use crate::session::Session;

const FILE: &str = "docker-compose.yaml";

/// Write docker-compose.yaml for local debugging
#[derive(Args, Debug)]
#[command(after_help = "  lain compose\n  docker compose up web")]
pub struct Compose {
    /// Overwrite docker-compose.yaml
    #[arg(short = 'f', long)]
    force: bool,
    // `-f` has meant --force here since the older tool; the global flag keeps its long name.
    /// Extra values, merged last; may be repeated
    #[arg(id = "values", long = "values", value_name = "FILE")]
    _values: Vec<std::path::PathBuf>,
}

impl Command for Compose {
    fn run(self, session: &Session) -> Result<()> {
        let app = session.app()?;
        let path = session.dir.join(FILE);
        if path.exists() && !self.force {
            return Err(Error::failed(format!("{FILE} is there already; it may hold changes of yours"))
                .hint("lain compose --force # overwrites it"));
        }
        let registry = match session.registry() {
            Ok(registry) => registry.to_owned(),
            Err(error) => {
                session.ui.warn(&format!("{}; REGISTRY stands in its place", error.message()));
                "REGISTRY".to_owned()
            }
        };
        write_new(&path, compose::render(app, &repository_in(&registry, &app.appname))?.as_bytes())?;
        session.ui.done(&format!("wrote {FILE}; review images, environment and the commented redis and mysql"));
        session.ui.hint("docker compose up");
        Ok(())
    }
}
