//! Slack's incoming webhooks, and what speaks like them: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.

use serde_json::{Value as Json, json};

use super::{Advice, Dialect, NEW_ADDRESS, No, Webhook};
use crate::model::card::{Card, Tone, labelled};
use crate::model::text::bounded;

pub(super) struct Slack;

/// Fields of a section, characters of a field, a section and a header: <https://docs.slack.dev/reference/block-kit/blocks>.
const FIELDS: usize = 10;
const FIELD: usize = 1900;
const SECTION: usize = 2900;
const HEADER: usize = 140;

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

    fn body(&self, webhook: &Webhook, text: &str) -> Json {
        let mut body = json!({"text": escaped(text)});
        if let Some(channel) = &webhook.channel {
            body["channel"] = json!(channel);
        }
        body
    }

    /// Texts are `plain_text`, which knows no markup; `text` is what notifications and older servers show.
    fn card(&self, webhook: &Webhook, card: &Card) -> Json {
        let plain = |text: &str, most: usize| json!({"type": "plain_text", "text": bounded(text, most), "emoji": false});
        let mut blocks = vec![json!({"type": "header", "text": plain(&card.title, HEADER)})];
        for facts in card.facts.chunks(FIELDS) {
            let fields: Vec<Json> = facts.iter().map(|fact| plain(&labelled(fact, "\n"), FIELD)).collect();
            blocks.push(json!({"type": "section", "fields": fields}));
        }
        for (label, lines) in &card.lists {
            blocks.push(json!({"type": "section", "text": plain(&format!("{label}\n{}", lines.join("\n")), SECTION)}));
        }
        if !card.links.is_empty() {
            let links: Vec<String> = card.links.iter().map(|(label, url)| format!("<{}|{}>", escaped(url), escaped(label))).collect();
            blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": links.join("  ")}]}));
        }
        let mut body = self.body(webhook, &card.text());
        let color = if card.tone == Tone::Bad { "danger" } else { "good" };
        body["attachments"] = json!([{"color": color, "blocks": blocks}]);
        body
    }

    /// It answers `ok`; a page is a login's or a proxy's.
    fn judge(&self, body: &str) -> Result<(), No> {
        if body.trim_start().starts_with('<') { Err(No::garbage()) } else { Ok(()) }
    }

    fn advice(&self) -> &'static [Advice] {
        &[
            (
                &["channel_not_found", "channel_is_archived"],
                "webhook.channel must be a channel that is there; a webhook of a Slack app has its own: leave the key out",
            ),
            (
                &["action_prohibited", "posting_to_general_channel_denied"],
                "an administrator of the workspace restricts that channel: take another address, for another channel",
            ),
            (&["no_service", "no_team", "team_disabled", "no_active_hooks", "invalid_token"], NEW_ADDRESS),
        ]
    }
}

/// Slack reads &, < and > as markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
