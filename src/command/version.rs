//! `lain version`: of the tools, and of what runs.

use std::fmt::Write;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::error::{Kind, Result};
use crate::images::tags;
use crate::release::versions::{self, Running, Version as Known};
use crate::session::Session;
use crate::ui::{Answer, Format, Ui};

/// How long the server has to say why it does not tell its version.
const SOON: Duration = Duration::from_secs(5);

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
        let mut versions = Versions {
            version: 1,
            lain: env!("CARGO_PKG_VERSION"),
            helm: told(session, "helm's version", session.local_helm().version())?.map(|version| version.to_string()),
            cluster: None,
            running: None,
            tags: None,
            versions: vec![],
            repository: String::new(),
        };
        if session.choice()?.is_some() {
            self.add_cluster(session, &mut versions)?;
        }
        session.ui.answer(&versions)
    }
}

/// What is not known is said, and the rest is shown.
fn told<T>(session: &Session, what: &str, found: Result<T>) -> Result<Option<T>> {
    found.map_or_else(|error| versions::unknown(session, what, &error).map(|()| None), |found| Ok(Some(found)))
}

impl Version {
    fn add_cluster(&self, session: &Session, versions: &mut Versions) -> Result<()> {
        let kubectl = match session.kubectl() {
            // Values that may not say what they say end every command.
            Err(error) if error.kind() == Kind::Refused => return Err(error),
            kubectl => kubectl,
        };
        let found = told(session, "kubectl's version", kubectl.and_then(|kubectl| kubectl.versions()))?;
        let server = found.and_then(|found| found.server);
        // What the server says instead of its version; nothing where there was no question.
        let why = if found.is_some() && server.is_none() { session.kubectl()?.hail(SOON).err() } else { None };
        let refuses = why.as_ref().is_some_and(|why| why.tool().is_some_and(|tool| tool.says("must be logged in")));
        let lacks = if refuses { "does not accept these credentials (401)" } else { "does not answer" };
        versions.cluster = found.map(|found| Cluster {
            kubectl: found.client.to_string(),
            server: server.map_or_else(|| lacks.to_owned(), |version| version.to_string()),
        });
        if let Some(why) = &why {
            versions::unknown(session, "the server's version", why)?;
        }
        if session.app().is_err() {
            return Ok(());
        }
        if server.is_some() {
            versions.running = versions::running(session)?;
        }
        let repository = told(session, "the registry", session.repository())?.unwrap_or_default();
        if !repository.is_empty() {
            let newest = tags::newest(session, &repository, self.count);
            versions.tags = told(session, &format!("which tags {repository} has"), newest)?;
        }
        versions.repository = repository;
        versions.versions = versions::known(session, versions.tags.as_deref().unwrap_or_default(), versions.running.as_deref_mut())?;
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
    /// Where this app's images are.
    #[serde(skip)]
    repository: String,
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

impl Versions {
    /// The programs, a line each.
    fn programs(&self) -> String {
        let mut out = format!("lain {}\n", self.lain);
        if let Some(helm) = &self.helm {
            let _ = writeln!(out, "helm {helm}");
        }
        if let Some(cluster) = &self.cluster {
            let _ = writeln!(out, "kubectl {}\nserver {}", cluster.kubectl, cluster.server);
        }
        out
    }
}

impl Answer for Versions {
    fn text(&self) -> String {
        let running = versions::running_lines(self.running.as_deref().unwrap_or_default());
        let parts = [self.programs(), running, versions::lines(&self.versions)];
        parts.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
    }

    fn styled(&self, ui: &Ui) -> Option<String> {
        let cells = versions::cells(ui)?;
        let running = versions::fitted_running_lines(self.running.as_deref().unwrap_or_default(), &self.repository, ui, cells);
        let parts = [self.programs(), running, versions::fitted_lines(&self.versions, ui, cells)];
        // A person sees the parts apart.
        Some(parts.iter().map(|part| part.trim_end()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n"))
    }
}
