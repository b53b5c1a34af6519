//! Anything that takes a POST of JSON; `webhook.template` is its shape.

use serde_json::{Value as Json, json};

use super::{Dialect, Webhook};
use crate::model::card::{Card, Tone};

pub(super) struct Generic;

impl Dialect for Generic {
    fn names(&self) -> &'static [&'static str] {
        &["generic"]
    }

    /// Every host that is nobody else's.
    fn domains(&self) -> &'static [&'static str] {
        &[]
    }

    /// It tells no limit: 64 KiB is more than people read.
    fn takes(&self, _text: &str, body: &str) -> bool {
        body.len() <= 64 << 10
    }

    fn body(&self, webhook: &Webhook, text: &str) -> Json {
        match webhook.template.as_deref().and_then(|template| serde_json::from_str::<Json>(template).ok()) {
            Some(mut template) => {
                fill(&mut template, text);
                template
            }
            None => json!({"text": text}),
        }
    }

    /// The text, and beside it its parts, for programs; what has a template gets what that says.
    fn card(&self, webhook: &Webhook, card: &Card) -> Json {
        let mut body = self.body(webhook, &card.text());
        if webhook.template.is_none() {
            let pairs = |pairs: &[(String, String)], name: &str| {
                pairs.iter().map(|(label, value)| json!({"label": label, name: value})).collect::<Vec<_>>()
            };
            let lists = card.lists.iter().map(|(label, lines)| json!({"label": label, "lines": lines})).collect::<Vec<_>>();
            body["title"] = json!(card.title);
            body["ok"] = json!(card.tone == Tone::Good);
            body["facts"] = json!(pairs(&card.facts, "value"));
            body["lists"] = json!(lists);
            body["links"] = json!(pairs(&card.links, "url"));
        }
        body
    }
}

/// Puts the text where `{{ text }}` stands in any string of a JSON template.
fn fill(node: &mut Json, text: &str) {
    match node {
        Json::String(string) => *string = string.replace("{{ text }}", text).replace("{{text}}", text),
        Json::Array(items) => items.iter_mut().for_each(|item| fill(item, text)),
        Json::Object(map) => map.values_mut().for_each(|value| fill(value, text)),
        _ => {}
    }
}
