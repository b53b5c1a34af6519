//! Webhooks: one file a provider.

mod dingtalk;
mod feishu;
mod generic;
mod slack;
mod wecom;

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use sha2::Sha256;

use super::client::{Client, Method};
use super::proxy::Proxies;
use super::reply::Reply;
use super::retry::{self, Fault, is_passing};
use super::url::host_of;
use crate::error::{Error, Kind, Result};
use crate::ui::printable;

/// The longest that one try may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a message is sent, and how far apart.
const TRIES: (u32, Duration) = (6, Duration::from_secs(2));

/// Who takes the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provider {
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
pub(crate) struct Webhook {
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

/// How a provider is spoken to.
trait Dialect {
    /// What `webhook.type` calls it, the usual name first.
    fn names(&self) -> &'static [&'static str];

    /// The domains of its hosts.
    fn domains(&self) -> &'static [&'static str];

    /// True when it takes this text in this body. What is longer is refused as a whole, or cut without a word.
    fn takes(&self, text: &str, body: &str) -> bool;

    /// The body that carries a text; `seconds` is the time since 1970.
    fn body(&self, webhook: &Webhook, text: &str, seconds: u64) -> Json;

    /// Where it goes; `now` is the time since 1970.
    fn address(&self, webhook: &Webhook, _now: Duration) -> String {
        webhook.url.clone()
    }

    /// Whether it took the message, by the body of a reply of status 200.
    fn judge(&self, _reply: &Json) -> Result<(), Fault> {
        Ok(())
    }
}

const ALL: [Provider; 5] = [Provider::Feishu, Provider::Slack, Provider::Dingtalk, Provider::Wecom, Provider::Generic];

impl Provider {
    fn dialect(self) -> &'static dyn Dialect {
        match self {
            Self::Feishu => &feishu::Feishu,
            Self::Slack => &slack::Slack,
            Self::Dingtalk => &dingtalk::Dingtalk,
            Self::Wecom => &wecom::Wecom,
            Self::Generic => &generic::Generic,
        }
    }

    /// By `webhook.type`, else by the URL's host.
    ///
    /// # Errors
    /// `webhook.type` is none of the known ones.
    pub(crate) fn of(kind: Option<&str>, url: &str) -> Result<Self> {
        if let Some(kind) = kind {
            let names = || ALL.iter().flat_map(|provider| provider.dialect().names()).copied().collect::<Vec<_>>().join(", ");
            return ALL
                .into_iter()
                .find(|provider| provider.dialect().names().contains(&kind))
                .ok_or_else(|| Error::failed(format!("`webhook.type`: `{kind}` is none of {}", names())));
        }
        let host = host_of(url);
        let host = host.split(':').next().unwrap_or(&host);
        let is = |domain: &&str| host == *domain || host.ends_with(&format!(".{domain}"));
        Ok(ALL.into_iter().find(|provider| provider.dialect().domains().iter().any(is)).unwrap_or(Self::Generic))
    }
}

/// Where a text was cut.
const CUT: &str = "… (cut)";

impl Webhook {
    /// The text as far as the provider takes it, cut between two characters and marked where it is longer.
    pub(crate) fn fitted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let dialect = self.provider.dialect();
        let fits = |text: &str| dialect.takes(text, &self.body(text, u64::from(u32::MAX)).to_string());
        if fits(text) {
            return Cow::Borrowed(text);
        }
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).take(64 << 10).collect(); // none takes more
        let shorter = |end: usize| format!("{}{CUT}", &text[..end]);
        let most = ends.partition_point(|end| fits(&shorter(*end)));
        Cow::Owned(shorter(most.checked_sub(1).map_or(0, |last| ends[last])))
    }

    /// Sends a text, as far as the provider takes it: up to six tries, two seconds apart, while what is in the way may pass.
    ///
    /// # Errors
    /// The webhook stays down or says no.
    pub(crate) fn send(&self, proxies: &Proxies, text: &str) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let url = self.provider.dialect().address(self, now);
        let body = self.body(&self.fitted(text), now.as_secs()).to_string();
        let client = Client::new(proxies, TIMEOUT, false);
        let sent = retry::persist(TRIES, || {
            let reply = client.try_send(Method::PostJson(&body), &url, &[]).map_err(|failure| Fault::of(failure, &url))?;
            self.judge(&reply)
        });
        sent.map_err(|error| match error.kind() {
            Kind::Interrupted => error,
            _ => error.context(format!("the webhook at {} did not take the message", host_of(&self.url))),
        })
    }

    fn body(&self, text: &str, seconds: u64) -> Json {
        self.provider.dialect().body(self, text, seconds)
    }

    fn judge(&self, reply: &Reply) -> Result<(), Fault> {
        if !reply.status.is_success() {
            return Err(Fault { error: Error::failed(format!("it answered {}", reply.status)), passes: is_passing(reply.status) });
        }
        self.provider.dialect().judge(&serde_json::from_slice(&reply.body).unwrap_or(Json::Null))
    }
}

/// Some answer 200 with an error code in the body, and words about it in `msg` or `errmsg`. `passing` are the codes for "later"; all others are for good.
fn judge_code(code: Option<i64>, body: &Json, passing: &[i64]) -> Result<(), Fault> {
    match code {
        Some(0) => Ok(()),
        None => Err(Fault { error: Error::failed("it answered something that is no reply of such a webhook"), passes: false }),
        Some(code) => {
            let words = body["msg"].as_str().or(body["errmsg"].as_str()).unwrap_or_default();
            let words: String = printable(words).chars().take(200).collect();
            Err(Fault { error: Error::failed(format!("it answered code {code} {words}")), passes: passing.contains(&code) })
        }
    }
}

/// Base64 of an HMAC-SHA256, as feishu and dingtalk sign.
fn signature(key: &str, message: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
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
}
