//! `WeCom` robots: <https://developer.work.weixin.qq.com/document/path/91770>.

use serde_json::{Value as Json, json};

use super::{Advice, Dialect, NEW_ADDRESS, No, Webhook, judge_code, markdown};
use crate::model::card::Card;

pub(super) struct Wecom;

impl Dialect for Wecom {
    fn names(&self) -> &'static [&'static str] {
        &["wecom"]
    }

    fn domains(&self) -> &'static [&'static str] {
        &["weixin.qq.com"]
    }

    /// 2048 bytes of text.
    fn takes(&self, text: &str, _body: &str) -> bool {
        text.len() <= 2048
    }

    fn body(&self, _webhook: &Webhook, text: &str) -> Json {
        json!({"msgtype": "text", "text": {"content": text}})
    }

    fn card(&self, _webhook: &Webhook, card: &Card) -> Json {
        let links: Vec<String> = card.links.iter().map(|(label, url)| format!("[{label}]({url})")).collect();
        let links = if links.is_empty() { String::new() } else { format!("\n{}", links.join(" ")) };
        json!({"msgtype": "markdown", "markdown": {"content": markdown(card, "\n") + &links}})
    }

    /// 4096 bytes of markdown.
    fn takes_card(&self, body: &Json) -> bool {
        body["markdown"]["content"].as_str().is_some_and(|content| content.len() <= 4096)
    }

    /// -1 is "system busy", 45009 "too many calls": <https://developer.work.weixin.qq.com/document/path/90313>.
    fn judge(&self, body: &str) -> Result<(), No> {
        judge_code(body, &["errcode"], &[-1, 45009])
    }

    fn advice(&self) -> &'static [Advice] {
        &[(&["code 93000", "code 93004", "code 93008"], NEW_ADDRESS)]
    }
}
