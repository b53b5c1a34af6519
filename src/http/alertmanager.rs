//! Alertmanager's API: <https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml>.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::client::{Client, Method};
use super::proxy::Proxies;
use super::url::host_of;
use crate::error::{Error, Result};

/// The longest that it may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// So much of what it says is told.
const TOLD: usize = 300;

/// Posts one alert that begins now to `HOST:PORT`, or an address with its path; its annotations are its labels. Returns the host.
///
/// # Errors
/// It does not answer, or does not take the alert.
pub(crate) fn post(proxies: &Proxies, base: &str, labels: &Map<String, Json>) -> Result<String> {
    let base = base.trim().trim_end_matches('/');
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let alert = json!([{"labels": labels, "annotations": labels, "generatorURL": format!("{base}/<generating_expression>")}]);
    let client = Client::new(proxies, PATIENCE, false);
    let reply = client.send(Method::PostJson(&alert.to_string()), &format!("{base}/api/v2/alerts"), &[])?;
    if reply.status.is_success() {
        return Ok(host_of(&base));
    }
    let said: String = String::from_utf8_lossy(&reply.body).trim().chars().take(TOLD).collect();
    Err(Error::failed(format!("{} does not take the alert ({}): {said}", host_of(&base), reply.status)))
}
