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
/// What to type where it is not there.
const NO_ANSWER: &str = "alertmanager: HOST:PORT # in the cluster's values: is it up, and is the address right?";

/// Posts one alert that begins now to `HOST:PORT`, or an address with its path; its annotations are its labels. Returns the host.
///
/// # Errors
/// It does not answer, or does not take the alert.
pub(crate) fn post(proxies: &Proxies, base: &str, labels: &Map<String, Json>) -> Result<String> {
    let base = base.trim().trim_end_matches('/');
    let base = if base.contains("://") { base.to_owned() } else { format!("http://{base}") };
    let alert = json!([{"labels": labels, "annotations": labels}]);
    let client = Client::new(proxies, PATIENCE, false);
    let sent = client.send(Method::PostJson(&alert.to_string()), &format!("{base}/api/v2/alerts"), &[]);
    let reply = sent.map_err(|error| error.hint(NO_ANSWER))?;
    let (host, body) = (host_of(&base), reply.body.trim_ascii());
    let said: String = String::from_utf8_lossy(body).chars().take(TOLD).collect();
    match reply.status.as_u16() {
        // It has nothing to say to one that it took.
        200..=299 if body.is_empty() => Ok(host),
        // Its own reason: another address would not mend it.
        400 => Err(Error::failed(format!("{host} does not take the alert (400): {said}"))),
        200..=299 => {
            let what = if body.starts_with(b"<") { "a web page" } else { "what is not Alertmanager's" };
            Err(Error::failed(format!("{host} answered with {what}")).hint(NO_ANSWER))
        }
        _ => Err(Error::failed(format!("{host} does not take the alert ({}): {said}", reply.status)).hint(NO_ANSWER)),
    }
}
