//! Webhooks: feishu/lark, slack, dingtalk, wecom, and a generic JSON POST.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value as Json, json};
use sha2::Sha256;

use super::client::{Client, Method};
use super::reply::Reply;
use super::url::host_of;
use crate::error::{Error, Result};

/// Who takes the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Feishu and Lark bots.
    Feishu,
    /// Slack's incoming webhooks, and what speaks like them.
    Slack,
    /// `DingTalk` robots.
    Dingtalk,
    /// `WeCom` robots.
    Wecom,
    /// Anything that takes JSON.
    Generic,
}

/// Where to send.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// The address; it is a secret.
    pub url: String,
    /// The provider.
    pub provider: Provider,
    /// The signing secret of feishu and dingtalk.
    pub secret: Option<String>,
    /// Slack's channel.
    pub channel: Option<String>,
    /// The body of a generic webhook: JSON with `{{ text }}` in it.
    pub template: Option<String>,
}

impl Provider {
    /// By `webhook.type`, else by the URL's host.
    ///
    /// # Errors
    /// `webhook.type` is none of the known ones.
    pub fn of(kind: Option<&str>, url: &str) -> Result<Self> {
        if let Some(kind) = kind {
            return Ok(match kind {
                "feishu" | "lark" => Self::Feishu,
                "slack" => Self::Slack,
                "dingtalk" => Self::Dingtalk,
                "wecom" => Self::Wecom,
                "generic" => Self::Generic,
                other => {
                    return Err(Error::failed(format!(
                        "`webhook.type`: `{other}` is none of feishu, lark, slack, dingtalk, wecom, generic"
                    )));
                }
            });
        }
        let host = host_of(url);
        let is = |domain: &str| host == domain || host.ends_with(&format!(".{domain}"));
        Ok(if is("feishu.cn") || is("larksuite.com") {
            Self::Feishu
        } else if is("slack.com") {
            Self::Slack
        } else if is("dingtalk.com") {
            Self::Dingtalk
        } else if is("weixin.qq.com") {
            Self::Wecom
        } else {
            Self::Generic
        })
    }
}

/// Where a text was cut.
const CUT: &str = "… (cut)";

impl Provider {
    /// True when a provider takes this text in this body. What is longer is refused as a whole, or cut without a word.
    ///
    /// - `WeCom`: 2048 bytes of text, <https://developer.work.weixin.qq.com/document/path/91770>.
    /// - `DingTalk`: a body of 20000 bytes, its error 460101 ("message too long, exceed 20000 bytes").
    /// - Feishu: a body of 20 KB, <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>.
    /// - Slack: 40000 characters of text, <https://api.slack.com/changelog/2018-04-truncating-really-long-messages>.
    /// - Others tell no limit: 64 KiB is more than people read.
    fn takes(self, text: &str, body: &str) -> bool {
        match self {
            Self::Wecom => text.len() <= 2048,
            Self::Dingtalk | Self::Feishu => body.len() <= 20_000,
            Self::Slack => body.chars().count() <= 40_000,
            Self::Generic => body.len() <= 64 << 10,
        }
    }
}

impl Webhook {
    /// The text as far as the provider takes it, cut between two characters and marked where it is longer.
    pub fn fitted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let fits = |text: &str| self.provider.takes(text, &self.body(text, u64::from(u32::MAX)).to_string());
        if fits(text) {
            return Cow::Borrowed(text);
        }
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).take(64 << 10).collect(); // none takes more
        let shorter = |end: usize| format!("{}{CUT}", &text[..end]);
        let most = ends.partition_point(|end| fits(&shorter(*end)));
        Cow::Owned(shorter(most.checked_sub(1).map_or(0, |last| ends[last])))
    }

    /// Sends a text, as far as the provider takes it: six tries, two seconds apart.
    ///
    /// # Errors
    /// The webhook stays down or says no.
    pub fn send(&self, text: &str) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let url = self.signed_url(now);
        let body = self.body(&self.fitted(text), now.as_secs()).to_string();
        let client = Client::new(Duration::from_secs(10), 1, Duration::ZERO, false);
        let mut last = None;
        for attempt in 0..6 {
            if attempt > 0 {
                crate::interrupt::sleep(Duration::from_secs(2))?;
            }
            match client.send(Method::PostJson(&body), &url, &[]).and_then(|reply| self.judge(&reply)) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
        }
        let error = last.unwrap_or_else(|| Error::failed("no try was made"));
        Err(error.context(format!("the webhook at {} did not take the message", host_of(&self.url))))
    }

    /// Feishu, dingtalk and wecom answer 200 with an error code in the body.
    fn judge(&self, reply: &Reply) -> Result<()> {
        if !reply.status.is_success() {
            return Err(Error::failed(format!("it answered {}", reply.status)));
        }
        let body: Json = serde_json::from_slice(&reply.body).unwrap_or(Json::Null);
        let code = match self.provider {
            Provider::Feishu => body["code"].as_i64().or(body["StatusCode"].as_i64()),
            Provider::Dingtalk | Provider::Wecom => body["errcode"].as_i64(),
            Provider::Slack | Provider::Generic => return Ok(()),
        };
        match code {
            Some(0) => Ok(()),
            None => Err(Error::failed("it answered something that is no reply of such a webhook")),
            Some(code) => {
                let words = body["msg"].as_str().or(body["errmsg"].as_str()).unwrap_or_default();
                Err(Error::failed(format!("it answered code {code} {words}")))
            }
        }
    }

    /// Dingtalk signs in the address: <https://open.dingtalk.com/document/orgapp/customize-robot-security-settings>.
    fn signed_url(&self, now: Duration) -> String {
        match (self.provider, &self.secret) {
            (Provider::Dingtalk, Some(secret)) => {
                let time = now.as_millis();
                let sign = STANDARD.encode(hmac(secret.as_bytes(), format!("{time}\n{secret}").as_bytes()));
                let sign = sign.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
                format!("{}&timestamp={time}&sign={sign}", self.url)
            }
            _ => self.url.clone(),
        }
    }

    fn body(&self, text: &str, seconds: u64) -> Json {
        match self.provider {
            Provider::Feishu => {
                let mut body = json!({"msg_type": "text", "content": {"text": text}});
                if let Some(secret) = &self.secret {
                    // Feishu's own scheme: the key is "time\nsecret", the message is empty.
                    body["timestamp"] = json!(seconds.to_string());
                    body["sign"] = json!(STANDARD.encode(hmac(format!("{seconds}\n{secret}").as_bytes(), b"")));
                }
                body
            }
            Provider::Slack => {
                // Slack reads &, < and > as markup.
                let mut body = json!({"text": text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")});
                if let Some(channel) = &self.channel {
                    body["channel"] = json!(channel);
                }
                body
            }
            Provider::Dingtalk | Provider::Wecom => json!({"msgtype": "text", "text": {"content": text}}),
            Provider::Generic => match self.template.as_deref().and_then(|template| serde_json::from_str::<Json>(template).ok()) {
                Some(mut template) => {
                    fill(&mut template, text);
                    template
                }
                None => json!({"text": text}),
            },
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

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(provider: Provider) -> Webhook {
        Webhook { url: "https://x.example.com/hook".into(), provider, secret: None, channel: None, template: None }
    }

    #[test]
    fn providers_by_host() {
        for (url, provider) in [
            ("https://open.feishu.cn/open-apis/bot/v2/hook/x", Provider::Feishu),
            ("https://open.larksuite.com/x", Provider::Feishu),
            ("https://hooks.slack.com/services/x", Provider::Slack),
            ("https://oapi.dingtalk.com/robot/send?access_token=x", Provider::Dingtalk),
            ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", Provider::Wecom),
            ("https://notslack.com.example.com/", Provider::Generic),
        ] {
            assert_eq!(Provider::of(None, url).expect("known"), provider, "{url}");
        }
        assert!(Provider::of(Some("carrier-pigeon"), "").is_err());
    }

    #[test]
    fn bodies_hold_any_text() {
        let text = "line \"1\"\n<b> & {{ x }}";
        assert_eq!(webhook(Provider::Feishu).body(text, 0)["content"]["text"], text);
        assert_eq!(webhook(Provider::Slack).body(text, 0)["text"], "line \"1\"\n&lt;b&gt; &amp; {{ x }}");
        let generic = Webhook { template: Some(r#"{"a": ["{{ text }}"]}"#.into()), ..webhook(Provider::Generic) };
        assert_eq!(generic.body(text, 0)["a"][0], text);
    }

    #[test]
    fn long_texts_are_cut_between_characters_where_the_provider_ends() {
        for text in ["x".repeat(2 << 20), "部署\n\"".repeat(200_000), "👩\u{200d}🚀<".repeat(100_000)] {
            for (provider, most) in [
                (Provider::Wecom, 2048 + 100),
                (Provider::Dingtalk, 20_000),
                (Provider::Feishu, 20_000),
                (Provider::Slack, 160_000),
                (Provider::Generic, 64 << 10),
            ] {
                let webhook = Webhook { secret: Some("s".into()), ..webhook(provider) };
                let fitted = webhook.fitted(&text);
                let body = webhook.body(&fitted, 1_599_360_473).to_string();
                assert!(body.len() <= most + if provider == Provider::Wecom { 1100 } else { 0 }, "{provider:?}: {}", body.len());
                assert!(fitted.ends_with(CUT) && text.starts_with(fitted.trim_end_matches(CUT)), "{provider:?}");
                assert!(fitted.len() > 1900, "{provider:?}: no more than needed is cut: {}", fitted.len());
                assert_eq!(webhook.fitted("short"), "short");
            }
        }
    }

    #[test]
    fn feishu_signs_as_documented() {
        // Reference value computed with Python: base64(hmac_sha256(key="1599360473\ndemo", msg=""))
        let signed = Webhook { secret: Some("demo".into()), ..webhook(Provider::Feishu) };
        assert_eq!(signed.body("x", 1_599_360_473)["sign"], REFERENCE_SIGN);
    }

    const REFERENCE_SIGN: &str = "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8=";
}
