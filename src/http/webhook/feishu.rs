//! Feishu and Lark bots: <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>.

use serde_json::{Value as Json, json};

use super::{Dialect, Fault, Webhook, judge_code, signature};

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

    fn body(&self, webhook: &Webhook, text: &str, seconds: u64) -> Json {
        let mut body = json!({"msg_type": "text", "content": {"text": text}});
        if let Some(secret) = &webhook.secret {
            // Feishu's own scheme: the key is "time\nsecret", the message is empty.
            body["timestamp"] = json!(seconds.to_string());
            body["sign"] = json!(signature(&format!("{seconds}\n{secret}"), ""));
        }
        body
    }

    /// 11232 is "too many messages": <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>.
    fn judge(&self, reply: &Json) -> Result<(), Fault> {
        judge_code(reply["code"].as_i64().or(reply["StatusCode"].as_i64()), reply, &[11232])
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
        let (url, secret) = ("https://x.example.com/hook".to_owned(), Some("demo".to_owned()));
        let signed = Webhook { url, secret, provider: Provider::Feishu, channel: None, template: None };
        assert_eq!(Feishu.body(&signed, "x", 1_599_360_473)["sign"], REFERENCE_SIGN);
    }
}
