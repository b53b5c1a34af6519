//! Slack's incoming webhooks, and what speaks like them.

use serde_json::{Value as Json, json};

use super::{Dialect, Webhook};

pub(super) struct Slack;

impl Dialect for Slack {
    fn names(&self) -> &'static [&'static str] {
        &["slack"]
    }

    fn domains(&self) -> &'static [&'static str] {
        &["slack.com"]
    }

    /// 40000 characters of text: <https://api.slack.com/changelog/2018-04-truncating-really-long-messages>.
    fn takes(&self, _text: &str, body: &str) -> bool {
        body.chars().count() <= 40_000
    }

    fn body(&self, webhook: &Webhook, text: &str, _seconds: u64) -> Json {
        // Slack reads &, < and > as markup.
        let mut body = json!({"text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")});
        if let Some(channel) = &webhook.channel {
            body["channel"] = json!(channel);
        }
        body
    }
}
