//! `WeCom` robots: <https://developer.work.weixin.qq.com/document/path/91770>.

use serde_json::{Value as Json, json};

use super::{Dialect, Fault, Webhook, judge_code};

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

    fn body(&self, _webhook: &Webhook, text: &str, _seconds: u64) -> Json {
        json!({"msgtype": "text", "text": {"content": text}})
    }

    /// -1 is "system busy", 45009 "too many calls": <https://developer.work.weixin.qq.com/document/path/90313>.
    fn judge(&self, reply: &Json) -> Result<(), Fault> {
        judge_code(reply["errcode"].as_i64(), reply, &[-1, 45009])
    }
}
