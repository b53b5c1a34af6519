//! Anything that takes a POST of JSON; `webhook.template` is its shape.

use serde_json::{Value as Json, json};

use super::{Dialect, Webhook};

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

    fn body(&self, webhook: &Webhook, text: &str, _seconds: u64) -> Json {
        match webhook.template.as_deref().and_then(|template| serde_json::from_str::<Json>(template).ok()) {
            Some(mut template) => {
                fill(&mut template, text);
                template
            }
            None => json!({"text": text}),
        }
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
