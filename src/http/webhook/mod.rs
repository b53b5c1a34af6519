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
use super::retry::{self, Fault, Retry, is_passing};
use super::url::{host_of, resolve};
use crate::error::{Error, Kind, Result};
use crate::model::card::{Card, labelled};
use crate::ui::printable;

/// The longest that one try may take, and a connection.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// How a message is sent; with the last try it is done before the minute is over that a deploy keeps of its job's time.
const PERSISTENCE: Retry = Retry { tries: 6, pause: Duration::from_secs(2), total: Duration::from_secs(40) };
/// Most bytes of an answer.
const MAX_BODY: u64 = 1 << 20;
/// What to do where an address is good no more.
const NEW_ADDRESS: &str = "take the address anew from the settings of the room's bot, and set it where webhook.url says";

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
    /// Cards rather than text, where a message has parts.
    pub cards: bool,
}

/// What a no says, and what helps.
type Advice = (&'static [&'static str], &'static str);

/// A no in the body of a reply.
struct No {
    words: String,
    passes: bool,
}

impl No {
    /// What no such webhook answers.
    fn garbage() -> Self {
        Self { words: "it answered something that is no reply of such a webhook".to_owned(), passes: false }
    }
}

/// How a provider is spoken to.
trait Dialect {
    /// What `webhook.type` calls it, the usual name first.
    fn names(&self) -> &'static [&'static str];

    /// The domains of its hosts.
    fn domains(&self) -> &'static [&'static str];

    /// True when it takes this text in this body. What is longer is refused as a whole, or cut without a word.
    fn takes(&self, text: &str, body: &str) -> bool;

    /// The body that carries a text.
    fn body(&self, webhook: &Webhook, text: &str) -> Json;

    /// The text of others so that it calls nobody.
    fn calm(&self, text: &str) -> String {
        text.to_owned()
    }

    /// The body that carries a card, whose texts are nothing but text in it.
    fn card(&self, webhook: &Webhook, card: &Card) -> Json;

    /// True when it takes a card with this body.
    fn takes_card(&self, body: &Json) -> bool {
        body.to_string().len() <= 18_000
    }

    /// Signs a body; `seconds` is the time since 1970.
    fn sign(&self, _webhook: &Webhook, _body: &mut Json, _seconds: u64) {}

    /// Where it goes; `now` is the time since 1970.
    fn address(&self, webhook: &Webhook, _now: Duration) -> String {
        webhook.url.clone()
    }

    /// Whether it took the message, by the body of a reply of status 200.
    fn judge(&self, _body: &str) -> Result<(), No> {
        Ok(())
    }

    /// What helps against a no, by its code or its words.
    fn advice(&self) -> &'static [Advice] {
        &[]
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
    /// A webhook with nothing but an address.
    pub(crate) fn to(url: &str, provider: Provider) -> Self {
        Self { url: url.to_owned(), provider, secret: None, channel: None, template: None, cards: false }
    }

    /// What of its address may be a secret of its own: long parts of the path, and of the query.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let parts = self.url.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= 16 && !part.contains('.'));
        std::iter::once(&*self.url).chain(parts).chain(self.secret.as_deref())
    }

    /// The text as far as the provider takes it, cut between two characters and marked where it is longer.
    pub(crate) fn fitted<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let dialect = self.provider.dialect();
        let fits = |text: &str| {
            let mut body = dialect.body(self, text);
            dialect.sign(self, &mut body, u64::from(u32::MAX));
            dialect.takes(text, &body.to_string())
        };
        if fits(text) {
            return Cow::Borrowed(text);
        }
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).take(64 << 10).collect(); // none takes more
        let shorter = |end: usize| format!("{}{CUT}", &text[..end]);
        let most = ends.partition_point(|end| fits(&shorter(*end)));
        Cow::Owned(shorter(most.checked_sub(1).map_or(0, |last| ends[last])))
    }

    /// The body of a message in its parts, and whether it had to be cut: a card where it is to be one and is not too large, else text.
    pub(crate) fn body_of(&self, card: &Card) -> (Json, bool) {
        let dialect = self.provider.dialect();
        let calm = card.clone().reworded(|text| dialect.calm(text));
        let body = dialect.card(self, &calm);
        if self.cards && dialect.takes_card(&body) {
            return (body, false);
        }
        let text = calm.text();
        let fitted = self.fitted(&text);
        (dialect.body(self, &fitted), fitted != text)
    }

    /// The body of a text as it is, and whether it had to be cut.
    pub(crate) fn body_of_text(&self, text: &str) -> (Json, bool) {
        let fitted = self.fitted(text);
        (self.provider.dialect().body(self, &fitted), fitted != text)
    }

    /// Whether its host answers at all. It is asked for its first page: the address of the webhook itself is not called.
    ///
    /// # Errors
    /// The address is none of http, or nobody answers there.
    pub(crate) fn reach(&self, proxies: &Proxies, within: Duration) -> Result<()> {
        let Some(page) = resolve(&self.url, "/") else {
            return Err(Error::failed("the address of the webhook is none of http or https").hint(NEW_ADDRESS));
        };
        let client = Client::once_within(proxies, within, within.min(CONNECT), MAX_BODY);
        let by_hand = format!("curl -vI {page} # does it answer, and is it the right host?");
        let reached = client.send(Method::Head, &page, &[]).map(drop);
        reached.map_err(|error| error.context("the webhook's host cannot be reached").or_hint(by_hand))
    }

    /// Sends a body: up to six tries, two seconds apart or as far as is asked, while what is in the way may pass.
    ///
    /// # Errors
    /// The webhook stays down or says no.
    pub(crate) fn send(&self, proxies: &Proxies, body: &Json) -> Result<()> {
        let dialect = self.provider.dialect();
        let client = Client::once_within(proxies, TIMEOUT, CONNECT, MAX_BODY);
        let sent = retry::persist(PERSISTENCE, || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(); // signatures age
            let (url, mut body) = (dialect.address(self, now), body.clone());
            dialect.sign(self, &mut body, now.as_secs());
            let reply = client.try_send(Method::PostJson(&body.to_string()), &url, &[]).map_err(|failure| Fault::of(failure, &url))?;
            self.judge(&reply)
        });
        sent.map_err(|error| match error.kind() {
            Kind::Interrupted => error,
            _ => error.context(format!("the webhook at {} did not take the message", host_of(&self.url))),
        })
    }

    fn judge(&self, reply: &Reply) -> Result<(), Fault> {
        let (dialect, body) = (self.provider.dialect(), String::from_utf8_lossy(&reply.body));
        let judged = dialect.judge(&body);
        let no = match judged {
            Ok(()) if reply.status.is_success() => return Ok(()),
            Err(no) if reply.status.is_success() => no,
            judged => {
                let more = said(&body).map_or_else(String::new, |said| format!(": {said}"));
                let passes = is_passing(reply.status) || judged.is_err_and(|no| no.passes);
                No { words: format!("it answered {}{more}", reply.status), passes }
            }
        };
        let helps = dialect.advice().iter().find(|(marks, _)| marks.iter().any(|mark| no.words.contains(mark)));
        let error = Error::failed(no.words.clone());
        let error = helps.into_iter().fold(error, |error, (_, advice)| error.hint(*advice));
        Err(Fault::said(error, no.passes, reply))
    }
}

/// Some answer 200 with an error code in the body, and words about it in `msg` or `errmsg`. `passing` are the codes for "later"; all others are for good.
fn judge_code(body: &str, names: &[&str], passing: &[i64]) -> Result<(), No> {
    let json: Json = serde_json::from_str(body).unwrap_or(Json::Null);
    match names.iter().find_map(|name| json[*name].as_i64()) {
        Some(0) => Ok(()),
        None => Err(No::garbage()),
        Some(code) => {
            let words = said(body).unwrap_or_default();
            Err(No { words: format!("it answered {words}"), passes: passing.contains(&code) })
        }
    }
}

/// What an answer says in words, if it does: a code and a message in JSON, or one short line of text.
fn said(body: &str) -> Option<String> {
    let text = match serde_json::from_str::<Json>(body) {
        Ok(json) => {
            let code = ["code", "StatusCode", "errcode"].iter().find_map(|name| json[*name].as_i64());
            let words = ["msg", "StatusMessage", "errmsg", "error", "message"].iter().find_map(|name| json[*name].as_str());
            code.map(|code| format!("code {code}")).into_iter().chain(words.map(str::to_owned)).collect::<Vec<_>>().join(" ")
        }
        Err(_) => body.trim().to_owned(),
    };
    let is_words = !text.is_empty() && !text.starts_with('<') && !text.contains('\n');
    is_words.then(|| printable(&text).chars().take(200).collect())
}

/// A card in the little markdown that chat rooms have; its lines end with `end`.
fn markdown(card: &Card, end: &str) -> String {
    let mut parts = vec![format!("**{}**", calm_markdown(&card.title))];
    parts.extend(card.facts.iter().map(|fact| calm_markdown(&labelled(fact, ": "))));
    for (label, lines) in &card.lists {
        parts.push(format!("{label}:"));
        parts.extend(lines.iter().map(|line| format!("- {}", calm_markdown(line))));
    }
    parts.join(end)
}

/// Others' text so that it is neither a tag, nor a link, nor a call, nor in bold: chat rooms know no escapes.
fn calm_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push('‹'),
            '>' => out.push('›'),
            '[' => out.push('〔'),
            ']' => out.push('〕'),
            '*' => out.push('∗'),
            '`' => out.push('\''),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
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
        Webhook::to("https://x.example.com/hook", provider)
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
        let body = |webhook: &Webhook| webhook.body_of_text(text).0;
        assert_eq!(body(&webhook(Provider::Feishu))["content"]["text"], text);
        assert_eq!(body(&webhook(Provider::Slack))["text"], "line \"1\"\n&lt;b&gt; &amp; {{ x }}");
        let generic = Webhook { template: Some(r#"{"a": ["{{ text }}"]}"#.into()), ..webhook(Provider::Generic) };
        assert_eq!(body(&generic)["a"][0], text);
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
                let mut body = webhook.body_of_text(&fitted).0;
                webhook.provider.dialect().sign(&webhook, &mut body, 1_599_360_473);
                let body = body.to_string();
                assert!(body.len() <= most + if provider == Provider::Wecom { 1100 } else { 0 }, "{provider:?}: {}", body.len());
                assert!(fitted.ends_with(CUT) && text.starts_with(fitted.trim_end_matches(CUT)), "{provider:?}");
                assert!(fitted.len() > 1900, "{provider:?}: no more than needed is cut: {}", fitted.len());
                assert_eq!(webhook.fitted("short"), "short");
            }
        }
    }

    /// What commits, users and errors are called is anybody's: it calls nobody and leads nowhere.
    #[test]
    fn cards_hold_others_text_as_text() {
        let evil = "<at user_id=\"all\">x</at> <!channel> <@all> [x](https://evil.example.com) **b** `c`\n# d";
        let mut card = Card { title: format!("deploy shop: {evil}"), ..Card::default() };
        card.fact("commit", evil);
        card.list("reason", vec![evil.to_owned(), "two".to_owned()]);
        card.link("pipeline", "https://git.example.com/p/1");
        for provider in ALL {
            let webhook = Webhook { cards: true, ..webhook(provider) };
            let body = webhook.body_of(&card).0;
            let text = body.to_string();
            assert!(text.contains("https://git.example.com/p/1"), "{provider:?}: {text}");
            match provider {
                Provider::Feishu => assert!(!text.contains("<at") && !text.contains("lark_md"), "{text}"),
                Provider::Slack => assert!(!body["text"].as_str().expect("text").contains('<') && !text.contains("<!channel>\",\"mrk")),
                Provider::Dingtalk | Provider::Wecom => {
                    assert!(!text.contains("](https://evil") && !text.contains("<@") && !text.contains("**b"), "{text}");
                }
                Provider::Generic => assert_eq!(body["facts"][0]["value"], evil),
            }
            // In text as well.
            let text = Webhook { cards: false, ..webhook }.body_of(&card).0.to_string();
            assert!(provider != Provider::Feishu || !text.contains("<at"), "{text}");
        }
    }

    #[test]
    fn what_is_too_large_for_a_card_is_a_text() {
        let mut card = Card { title: "deploy shop: failed".to_owned(), ..Card::default() };
        card.list("reason", vec!["部署".repeat(20_000)]);
        for provider in [Provider::Feishu, Provider::Dingtalk, Provider::Wecom] {
            let (body, cut) = Webhook { cards: true, ..webhook(provider) }.body_of(&card);
            let kind = body["msg_type"].as_str().or(body["msgtype"].as_str());
            assert!(cut && kind == Some("text") && body.to_string().contains(CUT), "{provider:?}");
        }
    }

    #[test]
    fn parts_of_an_address_that_may_be_secrets() {
        let of = |url: &str| Webhook::to(url, Provider::Generic).secrets().skip(1).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(of("https://open.feishu.cn/open-apis/bot/v2/hook/0123-4567-89ab-cdef"), ["0123-4567-89ab-cdef"]);
        assert_eq!(of("https://oapi.dingtalk.com/robot/send?access_token=0123456789abcdef"), ["0123456789abcdef"]);
        assert!(of("https://x.example.com/hook").is_empty());
    }
}
