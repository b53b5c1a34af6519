//! `lain admin post-alerts`: an alert for a try, to see whom it reaches.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::http::alertmanager;
use crate::session::Session;
use crate::ui::Answer;

/// Post an alert for a try to the cluster's Alertmanager: whom does it reach?
#[derive(Args, Debug)]
#[command(
    after_help = "  lain admin post-alerts --labels alertname=Try --labels severity=warning --labels team=shop\n\nIt ends by itself, as Alertmanager's resolve_timeout says (5 minutes)."
)]
pub(super) struct PostAlerts {
    /// A label of the alert, which its routes look at; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    labels: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("a label has a name and a value: KEY=VALUE".to_owned()),
    }
}

impl PostAlerts {
    pub(super) fn run(&self, session: &Session) -> Result<()> {
        session.require_cluster()?;
        let base = session.authority()?.alertmanager.as_ref().and_then(Json::as_str).map(str::trim).filter(|base| !base.is_empty());
        let base = base.ok_or_else(|| {
            Error::failed("the values of the cluster name no `alertmanager`").hint("alertmanager: HOST:PORT # in the cluster's values")
        })?;
        let mut labels: Map<String, Json> = self.labels.iter().map(|(key, value)| (key.clone(), Json::from(value.as_str()))).collect();
        if labels.is_empty() {
            labels.insert("alertname".to_owned(), Json::from("LainTry"));
        }
        let host = alertmanager::post(&session.proxies(), base, &labels).map_err(|error| error.context("the alert was not posted"))?;
        let posted = Posted { version: 1, alertmanager: host, labels };
        session.ui.done(&format!("posted to {}", posted.alertmanager));
        session.ui.answer(&posted)
    }
}

#[derive(Serialize)]
struct Posted {
    version: u32,
    alertmanager: String,
    labels: Map<String, Json>,
}

impl Answer for Posted {
    fn text(&self) -> String {
        let labels: Vec<String> = self.labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
        labels.join("\n")
    }
}
