//! `lain template`: what helm would send, without a cluster.

use clap::Args;

use super::Command;
use crate::error::{Error, Result};
use crate::resolved::Asked;
use crate::session::Session;
use crate::ui::Format;

/// Render the chart with exactly the values a deploy would use
#[derive(Args, Debug)]
#[command(after_help = "  lain template | less\n  lain template --kube-version 1.31 --set imageTag=xxx")]
pub struct Template {
    /// As for a canary: a release of its own, nginx's canary annotations
    #[arg(long)]
    canary: bool,
    /// As `lain deploy --set` would; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the rendered text even when it is not valid YAML
    #[arg(long)]
    debug: bool,
    /// Render for this Kubernetes version
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
}

impl Command for Template {
    const FORMATS: &'static [Format] = &[Format::Text, Format::Yaml];

    fn run(self, session: &Session) -> Result<()> {
        let resolved = session.resolve(Asked { set: self.set, canary: self.canary, review: None })?;
        let values = session.helm_values(None)?;
        let mut call = session.local_helm().template(resolved.app()?.release(), &values)?;
        if self.debug {
            call = call.arg("--debug");
        }
        if let Some(version) = &self.kube_version {
            call = call.option("--kube-version", version);
        }
        if let Some(namespace) = &resolved.cluster()?.namespace {
            call = call.option("--namespace", &**namespace);
        }
        let out = call.capture()?;
        if !out.ok() {
            session.local_helm().version()?; // too old says more than a missing flag
            return Err(call.failure(out.code, &out.stderr).hint("lain lint"));
        }
        let text = String::from_utf8(out.stdout).map_err(|_| Error::failed("helm printed something that is not UTF-8"))?;
        session.ui.result(&text)
    }
}
