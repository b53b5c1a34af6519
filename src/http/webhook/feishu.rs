//! Feishu and Lark bots: <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>.

use serde_json::{Value as Json, json};

use super::{Advice, Dialect, NEW_ADDRESS, No, Webhook, judge_code, signature};
use crate::model::card::{Card, Tone, labelled};

pub(super) struct Feishu;

impl Dialect for Feishu {
    fn names(&self) -> &'static [&'static str] {
        &["feishu", "lark"]
    }

    fn domains(&self) -> &'static [&'static str] {
        &["feishu.cn", "larksuite.com"]
    }

    /// A body of 20 KB.
    fn takes(&self, _text: &str, body: &str) -> bool {
        body.len() <= 20_000
    }

    fn body(&self, _webhook: &Webhook, text: &str) -> Json {
        json!({"msg_type": "text", "content": {"text": text}})
    }

    /// `<at user_id="all">` calls everybody, in whatever text it stands.
    fn calm(&self, text: &str) -> String {
        text.replace("<at", "< at").replace("</at", "< /at")
    }

    /// Texts are `plain_text`, which knows no markup.
    fn card(&self, _webhook: &Webhook, card: &Card) -> Json {
        let plain = |text: &str| json!({"tag": "plain_text", "content": text});
        let mut elements = vec![];
        if !card.facts.is_empty() {
            let field = |fact: &(String, String)| json!({"is_short": true, "text": plain(&labelled(fact, "\n"))});
            elements.push(json!({"tag": "div", "fields": card.facts.iter().map(field).collect::<Vec<_>>()}));
        }
        for (label, lines) in &card.lists {
            elements.push(json!({"tag": "hr"}));
            elements.push(json!({"tag": "div", "text": plain(&format!("{label}\n{}", lines.join("\n")))}));
        }
        if !card.links.is_empty() {
            let button = |(label, url): &(String, String)| json!({"tag": "button", "text": plain(label), "url": url, "type": "default"});
            elements.push(json!({"tag": "action", "actions": card.links.iter().map(button).collect::<Vec<_>>()}));
        }
        let template = if card.tone == Tone::Bad { "red" } else { "green" };
        let header = json!({"title": plain(&card.title), "template": template});
        json!({"msg_type": "interactive", "card": {"config": {"wide_screen_mode": true}, "header": header, "elements": elements}})
    }

    /// Feishu's own scheme: the key is "time\nsecret", the message is empty.
    fn sign(&self, webhook: &Webhook, body: &mut Json, seconds: u64) {
        if let Some(secret) = &webhook.secret {
            body["timestamp"] = json!(seconds.to_string());
            body["sign"] = json!(signature(&format!("{seconds}\n{secret}"), ""));
        }
    }

    /// 11232 is "too many messages": <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>.
    fn judge(&self, body: &str) -> Result<(), No> {
        judge_code(body, &["code", "StatusCode"], &[11232])
    }

    fn advice(&self) -> &'static [Advice] {
        &[
            (
                &["19021", "sign match fail"],
                "webhook.secret must be the bot's signing secret (its settings > Set signature verification), and this machine's clock right: date -u",
            ),
            (&["19022", "Ip Not Allowed"], "add this machine's address to the bot's IP whitelist (its settings > Security settings)"),
            (
                &["19024", "Key Words Not Found"],
                "add the app's name to the bot's keywords (its settings > Security settings): it stands in every message of lain",
            ),
            (&["19001", "19007", "access token invalid", "Bot Not Enabled"], NEW_ADDRESS),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::webhook::Provider;

    #[test]
    fn signs_as_documented() {
        // Reference value computed with Python: base64(hmac_sha256(key="1599360473\ndemo", msg=""))
        const REFERENCE_SIGN: &str = "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=";
        let signed = Webhook { secret: Some("demo".to_owned()), ..Webhook::to("https://x.example.com/hook", Provider::Feishu) };
        let mut body = Feishu.body(&signed, "x");
        Feishu.sign(&signed, &mut body, 1_599_360_473);
        assert_eq!(body["sign"], REFERENCE_SIGN);
    }
}
