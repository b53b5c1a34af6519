//! `lain lint`: everything that can be known before a deploy.

use clap::Args;

use crate::command::deploy_values::HelmValues;
use crate::error::{Error, Result};
use crate::lint::{self, Severity};
use crate::session::Session;

/// Check values and chart
#[derive(Args, Debug)]
pub struct Lint {
    /// Values and chart only; resource advice from Prometheus is not part of this version yet
    #[arg(long)]
    simple: bool,
}

impl Lint {
    /// `lain lint --simple`, for commands that check before they act.
    pub fn simple() -> Self {
        Self { simple: true }
    }

    /// Runs the command.
    pub fn run(self, session: &Session) -> Result<()> {
        let layers = session.layers()?;
        let app = session.app()?;
        let mut errors = 0;
        for problem in lint::check(layers, app) {
            match problem.severity {
                Severity::Error => {
                    errors += 1;
                    session.ui.error(&problem.to_error());
                }
                Severity::Warning => session.ui.warning(&problem.to_error()),
            }
        }
        if errors > 0 {
            let what = if errors == 1 { "one error".to_owned() } else { format!("{errors} errors") };
            return Err(Error::refused(format!("{what} in the values")).hint("mend them, or put `# lain:ignore ID` on the line"));
        }
        check_chart(session)?;
        if !self.simple && session.cluster_name().is_some() && session.cluster()?.prometheus.is_some() {
            session.ui.say("resource advice from Prometheus is not part of this version yet");
        }
        session.ui.done("lint: values and chart are fine");
        Ok(())
    }
}

/// `helm lint`, and a template that renders something.
fn check_chart(session: &Session) -> Result<()> {
    let values = HelmValues::gather(session, &[], None)?;
    let mut flags = values.flags();
    if session.cluster_name().is_none() {
        // What only a cluster can say has a stand-in, so that the chart can be checked before one is chosen.
        for value in ["registry=REGISTRY", "domain=example.com"] {
            flags.extend(["--set".into(), value.into()]);
        }
    }
    let helm = session.local_helm();
    let lint = helm.local().args(["lint", "chart"]).args(flags.clone()).lookup();
    let out = lint.capture()?;
    if !out.ok() {
        helm.version()?; // too old says more than a strange failure
        let reasons: Vec<String> = String::from_utf8_lossy(&out.stdout)
            .lines()
            .filter(|line| line.contains("[ERROR]"))
            .map(|line| line.replace("[ERROR] ", ""))
            .collect();
        let reason = if reasons.is_empty() { out.stderr.clone() } else { reasons.join("\n") };
        return Err(Error::refused(reason.trim()).context("helm lint finds the chart broken").hint("lain template --debug"));
    }
    let release = session.app()?.release().to_owned();
    let template = helm.local().args(["template", &release, "chart"]).args(flags).lookup();
    let out = template.capture()?;
    if !out.ok() {
        helm.version()?;
        return Err(template.failure(out.code, &out.stderr).with_kind(crate::error::Kind::Refused).hint("lain template --debug"));
    }
    let text = String::from_utf8_lossy(&out.stdout);
    if !text.lines().any(|line| line.starts_with("kind:")) {
        return Err(Error::refused("the chart renders no objects at all").hint("deployments: # in chart/values.yaml"));
    }
    Ok(())
}
