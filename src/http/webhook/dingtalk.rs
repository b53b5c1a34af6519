//! `DingTalk` robots: <https://open.dingtalk.com/document/orgapp/customize-robot-security-settings>.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::super::url::encode;
use super::{Advice, Dialect, NEW_ADDRESS, No, Webhook, calm_markdown, judge_code, markdown, signature};
use crate::model::card::Card;

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

    fn body(&self, _webhook: &Webhook, text: &str) -> Json {
        json!({"msgtype": "text", "text": {"content": text}})
    }

    /// With buttons where there are links.
    fn card(&self, _webhook: &Webhook, card: &Card) -> Json {
        let (title, text) = (calm_markdown(&card.title), markdown(card, "\n\n"));
        if card.links.is_empty() {
            return json!({"msgtype": "markdown", "markdown": {"title": title, "text": text}});
        }
        let buttons: Vec<Json> = card.links.iter().map(|(label, url)| json!({"title": label, "actionURL": url})).collect();
        json!({"msgtype": "actionCard", "actionCard": {"title": title, "text": text, "btnOrientation": "0", "btns": buttons}})
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
    fn judge(&self, body: &str) -> Result<(), No> {
        judge_code(body, &["errcode"], &[-1, 130_101])
    }

    /// One code, 310000, is for all security settings; its words tell which.
    fn advice(&self) -> &'static [Advice] {
        &[
            (
                &["sign not match", "invalid timestamp"],
                "webhook.secret must be the robot's own (its settings > Additional signature, it begins with SEC), and this machine's clock right: date -u",
            ),
            (
                &["keywords not in content"],
                "add the app's name to the robot's keywords (its settings > Custom keywords): it stands in every message of lain",
            ),
            (&["not in whitelist"], "add this machine's address to the robot's IP list (its settings > IP address)"),
            (&["300001", "300005", "400101", "400102", "token is not exist"], NEW_ADDRESS),
        ]
    }
}
