//! `lain version`: of the tools, and of what runs.

use std::fmt::Write;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::Result;
use crate::images::tags;
use crate::release::versions::{self, Running, Version as Known};
use crate::session::Session;
use crate::ui::{Answer, Format, printable};

/// Show versions: lain, helm, kubectl, the server; the images that run; the newest tags
#[derive(Args, Debug)]
pub struct Version {
    /// How many tags
    #[arg(short = 'n', long = "images-count", default_value_t = 10, value_name = "COUNT")]
    count: usize,
}

impl Command for Version {
    const FORMATS: &'static [Format] = Versions::FORMATS;

    fn run(self, session: &Session) -> Result<()> {
        let told = |result: Result<_>| result.map_err(|error| session.ui.warn(&error.to_string())).ok();
        let helm = told(session.local_helm().version().map(|version| version.to_string()));
        let mut versions =
            Versions { version: 1, lain: env!("CARGO_PKG_VERSION"), helm, cluster: None, running: None, tags: None, versions: vec![] };
        if session.choice()?.is_some() {
            self.add_cluster(session, &mut versions)?;
        }
        session.ui.answer(&versions)
    }
}

impl Version {
    fn add_cluster(&self, session: &Session, versions: &mut Versions) -> Result<()> {
        let found = session.kubectl()?.versions()?;
        let server = found.server.map_or_else(|| "does not answer".to_owned(), |version| version.to_string());
        versions.cluster = Some(Cluster { kubectl: found.client.to_string(), server });
        if session.app().is_err() {
            return Ok(());
        }
        if found.server.is_some() {
            versions.running = Some(versions::running(session)?);
        }
        match session.repository().and_then(|repository| tags::newest(session, &repository, self.count)) {
            Ok(tags) => {
                versions.versions = versions::known(session, &tags, versions.running.as_deref().unwrap_or_default());
                versions.tags = Some(tags);
            }
            Err(error) => session.ui.warn(&error.to_string()),
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Versions {
    version: u32,
    lain: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    helm: Option<String>,
    /// With a chosen cluster.
    #[serde(flatten)]
    cluster: Option<Cluster>,
    /// In an app, when the server answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<Vec<Running>>,
    /// In an app, when the registry answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Vec<String>>,
    /// What is known of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    versions: Vec<Known>,
}

#[derive(Serialize)]
struct Cluster {
    kubectl: String,
    /// Its version, or that it does not answer.
    server: String,
}

impl Answer for Versions {
    fn text(&self) -> String {
        let mut out = format!("lain {}\n", self.lain);
        if let Some(helm) = &self.helm {
            let _ = writeln!(out, "helm {helm}");
        }
        if let Some(cluster) = &self.cluster {
            let _ = writeln!(out, "kubectl {}\nserver {}", cluster.kubectl, cluster.server);
        }
        for Running { name, image } in self.running.iter().flatten() {
            let _ = writeln!(out, "{}: {}", printable(name), printable(image));
        }
        out + &versions::lines(&self.versions)
    }
}
