//! `lain version`: of the tools, and of what runs.

use std::fmt::Write;

use clap::Args;
use serde_json::{Value as Json, json};

use super::Command;
use crate::cluster::look;
use crate::command::tags;
use crate::error::Result;
use crate::session::Session;
use crate::ui::Format;

/// Show versions: lain, helm, kubectl, the server; the images that run; the newest tags
#[derive(Args, Debug)]
pub struct Version {
    /// How many tags
    #[arg(short = 'n', default_value_t = 10, value_name = "COUNT")]
    count: usize,
}

impl Command for Version {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Json];

    fn run(self, session: &Session) -> Result<()> {
        let helm = session.local_helm().version();
        let mut out = format!("lain {}\n", env!("CARGO_PKG_VERSION"));
        let mut shape = json!({"version": 1, "lain": env!("CARGO_PKG_VERSION")});
        match &helm {
            Ok(version) => {
                let _ = writeln!(out, "helm {version}");
                shape["helm"] = json!(version.to_string());
            }
            Err(error) => session.ui.warn(&error.to_string()),
        }
        if session.choice()?.is_some() {
            self.cluster_part(session, &mut out, &mut shape)?;
        }
        if session.ui.format() == Format::Json { session.ui.result_json(&shape) } else { session.ui.result(&out) }
    }
}

impl Version {
    fn cluster_part(&self, session: &Session, out: &mut String, shape: &mut Json) -> Result<()> {
        let kubectl = session.kubectl()?;
        let versions = kubectl.versions()?;
        let server = versions.server.map_or_else(|| "does not answer".to_owned(), |version| version.to_string());
        let _ = writeln!(out, "kubectl {}\nserver {server}", versions.client);
        shape["kubectl"] = json!(versions.client.to_string());
        shape["server"] = json!(server);
        let Ok(app) = session.app() else { return Ok(()) };
        if versions.server.is_some() {
            let mut running = Vec::new();
            for (name, image) in look::images(&kubectl, &look::selector(&app.appname, app.release()))? {
                let _ = writeln!(out, "{name}: {image}");
                running.push(json!({"name": name, "image": image}));
            }
            shape["running"] = json!(running);
        }
        match session.repository().and_then(|repository| tags::newest(session, &repository, self.count)) {
            Ok(tags) => {
                for tag in &tags {
                    let _ = writeln!(out, "lain deploy --set imageTag={tag}");
                }
                shape["tags"] = json!(tags);
            }
            Err(error) => session.ui.warn(&error.to_string()),
        }
        Ok(())
    }
}
