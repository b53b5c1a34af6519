//! `DingTalk` robots: <https://open.dingtalk.com/document/orgapp/customize-robot-security-settings>.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::url::encode;
use super::{Dialect, Fault, Webhook, judge_code, signature};

pub(super) struct Dingtalk;

impl Dialect for Dingtalk {
    fn names(&self) -> &'static [&'static str] {
        &["dingtalk"]
    }

    fn domains(&self) -> &'static [&'static str] {
        &["dingtalk.com"]
    }

    /// A body of 20000 bytes: its error 460101 ("message too long, exceed 20000 bytes").
    fn takes(&self, _text: &str, body: &str) -> bool {
        body.len() <= 20_000
    }

    fn body(&self, _webhook: &Webhook, text: &str, _seconds: u64) -> Json {
        json!({"msgtype": "text", "text": {"content": text}})
    }

    /// It is signed in the address.
    fn address(&self, webhook: &Webhook, now: Duration) -> String {
        let Some(secret) = &webhook.secret else { return webhook.url.clone() };
        let time = now.as_millis();
        let sign = signature(secret, &format!("{time}\n{secret}"));
        let start = if webhook.url.contains('?') { '&' } else { '?' };
        format!("{}{start}timestamp={time}&sign={}", webhook.url, encode(&sign))
    }

    /// -1 is "system busy", 130101 "sent too fast": <https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages>.
    fn judge(&self, reply: &Json) -> Result<(), Fault> {
        judge_code(reply["errcode"].as_i64(), reply, &[-1, 130_101])
    }
}
