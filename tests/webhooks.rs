//! Webhooks: what may pass is tried again, what is for good is not.

#[path = "support/server.rs"]
mod server;
mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use server::{Answer, Server};
use support::{App, Ran};

fn page() -> Answer {
    Answer::Reply(200, vec![("Content-Type".to_owned(), "text/html".to_owned())], "<html>Please log in</html>".to_owned())
}

/// Sends a message; how often the server was asked, and whether that did it. The first replies are `answer`, the third is good.
fn sent(kind: &str, answer: Answer) -> (usize, bool, String) {
    let asked = AtomicUsize::new(0);
    let server = Server::new(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => answer.clone(),
        _ => Answer::json(200, "{\"code\": 0, \"errcode\": 0}"),
    });
    let values = format!("appname: shop\ndeployments: {{}}\nwebhook: {{url: \"http://{}/hook\", type: {kind}}}\n", server.host());
    let app = App::new().values(&values).committed().cluster("test", "registry: r.example.com\n").using("test");
    let ran = app.run(&["send-msg", "--strict", "hello"]);
    (server.asked().len(), ran.code == 0, ran.stderr)
}

#[test]
fn a_no_for_good_is_heard_once() {
    for (kind, answer, words) in [
        ("feishu", Answer::json(200, r#"{"code": 19024, "msg": "Key Words Not Found"}"#), "code 19024 Key Words Not Found"),
        ("dingtalk", Answer::json(200, r#"{"errcode": 310000, "errmsg": "sign not match"}"#), "code 310000 sign not match"),
        ("wecom", Answer::json(200, r#"{"errcode": 93000, "errmsg": "invalid webhook url"}"#), "code 93000 invalid webhook url"),
        ("feishu", page(), "no reply of such a webhook"),
        ("slack", Answer::json(404, "no_service"), "404 Not Found: no_service"),
        ("slack", page(), "no reply of such a webhook"),
        ("generic", Answer::json(401, ""), "401 Unauthorized"),
        ("generic", Answer::Raw(b"220 smtp.example.com\r\n".to_vec()), "no proper HTTP"),
    ] {
        let (asked, done, said) = sent(kind, answer);
        assert!(asked == 1 && !done && said.contains(words), "{kind}: {asked} times: {said}");
    }
}

#[test]
fn what_may_pass_is_tried_again() {
    // Side by side: each waits between its tries.
    let all = [
        ("feishu", Answer::json(200, r#"{"code": 11232, "msg": "frequency limited"}"#)),
        ("wecom", Answer::json(200, r#"{"errcode": 45009, "errmsg": "api freq out of limit"}"#)),
        ("slack", Answer::json(429, "")),
        ("generic", Answer::Raw(vec![])),
    ];
    let running = all.map(|(kind, answer)| (kind, std::thread::spawn(move || sent(kind, answer))));
    for (kind, thread) in running {
        let (asked, done, said) = thread.join().expect("no panic");
        assert!(asked == 3 && done, "{kind}: {asked} times: {said}");
    }
}

/// What `lain deploy -o json` wrote before it failed; and what it wrote when it told less.
#[test]
fn a_result_tells_what_became_of_it() {
    let server = Server::new(|_| Answer::json(200, "ok"));
    let values = format!("appname: shop\ndeployments: {{}}\nwebhook: {{url: \"http://{}/hook\", type: slack}}\n", server.host());
    let failed =
        r#"{"version": 1, "outcome": "failed", "reason": "no database", "release": "shop", "imageTag": "v2", "previousImageTag": "v1"}"#;
    let app = App::new().values(&values).committed().cluster("test", "registry: r.example.com\n").using("test");
    let app = app.file("failed.json", failed).file("short.json", r#"{"version": 1, "release": "shop", "imageTag": "v2"}"#);
    for file in ["failed.json", "short.json"] {
        let mut command = app.command(std::path::Path::new(env!("CARGO_BIN_EXE_lain-notify")));
        command.args(["deploy", "--strict", "--result", file]);
        app.run_command(command).exits(0);
    }
    let told: Vec<String> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert!(told[0].contains("deploy shop: failed") && told[0].contains("reason: no database"), "{told:?}");
    assert!(told[1].contains("deploy shop: done") && !told[1].contains("reason"), "{told:?}");
}

/// What the providers document, with what helps: <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>,
/// <https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages>, <https://developer.work.weixin.qq.com/document/path/90313>,
/// <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>.
#[test]
fn a_no_is_told_in_the_providers_words_with_what_helps() {
    let json = |body: &str| Answer::json(200, body);
    for (kind, answer, next) in [
        (
            "feishu",
            json(r#"{"code": 19021, "msg": "sign match fail or timestamp is not within one hour from current time"}"#),
            "webhook.secret",
        ),
        ("lark", json(r#"{"StatusCode": 19022, "StatusMessage": "Ip Not Allowed"}"#), "IP whitelist"),
        ("feishu", json(r#"{"code": 19024, "msg": "Key Words Not Found"}"#), "keywords"),
        (
            "feishu",
            Answer::json(400, r#"{"code": 19001, "msg": "param invalid: incoming webhook access token invalid"}"#),
            "take the address anew",
        ),
        ("dingtalk", json(r#"{"errcode": 310000, "errmsg": "sign not match"}"#), "begins with SEC"),
        ("dingtalk", json(r#"{"errcode": 310000, "errmsg": "keywords not in content"}"#), "Custom keywords"),
        ("dingtalk", json(r#"{"errcode": 310000, "errmsg": "ip 1.2.3.4 not in whitelist"}"#), "IP list"),
        ("dingtalk", json(r#"{"errcode": 300001, "errmsg": "token is not exist"}"#), "take the address anew"),
        (
            "wecom",
            json(r#"{"errcode": 93000, "errmsg": "invalid webhook url, hint: [1592021214_50_551fc8807c]"}"#),
            "take the address anew",
        ),
        ("slack", Answer::json(403, "invalid_token"), "take the address anew"),
        ("slack", Answer::json(404, "channel_not_found"), "webhook.channel"),
        ("slack", Answer::json(403, "action_prohibited"), "administrator"),
    ] {
        let server = Server::new(move |_| answer.clone());
        let app = app_with(&format!("url: \"http://{}/hook\", type: {kind}", server.host()));
        app.run(&["send-msg", "--strict", "hello"]).exits(1).reason("did not take the message").next(next);
        app.run(&["send-msg", "hello"]).exits(0).says("warning:").says(next);
        assert_eq!(server.asked().len(), 2, "{kind}");
    }
}

fn app_with(webhook: &str) -> App {
    let values = format!("appname: shop\ndeployments: {{}}\nwebhook: {{{webhook}}}\n");
    App::new().values(&values).committed().cluster("test", "registry: r.example.com\n").using("test")
}

fn notify(app: &App, args: &[&str]) -> Ran {
    let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain-notify")));
    command.args(args);
    app.run_command(command)
}

fn sign(key: &str, message: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key.as_bytes()).expect("a key");
    mac.update(message.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The servers check what they get, as the providers' pages say they do.
#[test]
fn signatures_hold_for_who_checks_them() {
    const SECRET: &str = "SECcb5f3a8e1d7740d2";
    let feishu = |asked: &server::Asked| {
        let body: Json = serde_json::from_str(&asked.body).expect("JSON");
        let time = body["timestamp"].as_str().expect("a time").to_owned();
        (time.clone(), body["sign"] == sign(&format!("{time}\n{SECRET}"), ""))
    };
    let dingtalk = |asked: &server::Asked| {
        let time = asked.field("timestamp").expect("a time");
        (time.clone(), asked.field("sign").expect("a sign") == sign(SECRET, &format!("{time}\n{SECRET}")))
    };
    let is_now =
        |seconds: u64| std::time::UNIX_EPOCH.elapsed().expect("a clock").abs_diff(Duration::from_secs(seconds)) < Duration::from_secs(3600);
    let server = Server::new(move |asked| {
        let is_ding = asked.target.starts_with("/ding?");
        let (time, is_right) = if is_ding { dingtalk(asked) } else { feishu(asked) };
        let fresh = is_now(time.parse::<u64>().expect("a time") / if is_ding { 1000 } else { 1 });
        let code = if is_right && fresh { 0 } else { 19021 };
        Answer::json(200, &format!(r#"{{"code": {code}, "errcode": {code}, "msg": "sign match fail"}}"#))
    });
    for (kind, path) in [("feishu", "/hook"), ("dingtalk", "/ding?access_token=0123456789abcdef0123")] {
        for (secret, code) in [(SECRET, 0), ("SECanother", 1)] {
            for format in ["text", "card"] {
                let app = app_with(&format!("url: \"${{HOOK}}\", type: {kind}, secret: \"${{HOOK_SECRET}}\", format: {format}"));
                let app = app.env("HOOK", &format!("http://{}{path}", server.host())).env("HOOK_SECRET", secret);
                let ran = notify(&app, &["-v", "secret", "shop-env", "--added", "A", "--strict"]).exits(code);
                ran.never_says(secret).never_says("0123456789abcdef0123").never_says("/hook");
            }
        }
    }
}

/// What hears and says nothing may have told the room: it is not told again, and nobody waits for a minute.
#[test]
fn silence_is_waited_for_once() {
    let server = Server::new(|_| Answer::Hang);
    let app = app_with(&format!("url: \"http://{}/hook\", type: slack", server.host()));
    app.run(&["send-msg", "hello"]).exits(0).says("did not take the message").says("it may have arrived all the same");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn nobody_there_is_tried_six_times_and_no_more() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    let app = app_with(&format!("url: \"http://127.0.0.1:{port}/hook\", type: slack"));
    let ran = app.run(&["send-msg", "hello"]).exits(0).says("warning:").says("connection refused");
    assert!(ran.took >= Duration::from_secs(10), "five waits of two seconds: {:?}", ran.took);
}

#[test]
fn a_server_says_how_long_to_wait() {
    let asked = AtomicUsize::new(0);
    let server = Server::new(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Answer::json(429, "rate_limited").with("Retry-After", "4"),
        _ => Answer::json(200, "ok"),
    });
    let app = app_with(&format!("url: \"http://{}/hook\", type: slack", server.host()));
    let ran = app.run(&["send-msg", "--strict", "hello"]).exits(0);
    assert!(ran.took >= Duration::from_secs(4) && server.asked().len() == 2, "{:?}", ran.took);
    // Who asks for an hour is not waited for.
    let server = Server::new(|_| Answer::json(429, "rate_limited").with("Retry-After", "3600"));
    let app = app_with(&format!("url: \"http://{}/hook\", type: slack", server.host()));
    app.run(&["send-msg", "--strict", "hello"]).exits(1).reason("did not take the message").says("429");
    assert_eq!(server.asked().len(), 1);
}

const RESULT: &str = r#"{"version": 1, "outcome": "failed", "reason": "no database", "next": ["lain logs web"], "release": "shop", "cluster": "prod",
    "imageTag": "v2", "previousImageTag": "v1", "executor": "ada", "seconds": 83.4, "urls": ["https://shop.example.com/"]}"#;
const DIFF: &str = r#"{"version": 1, "release": "shop", "cluster": "prod", "plannedTag": "v2", "create": 1, "update": 2, "delete": 0, "drift": 0, "changes": []}"#;

/// What another job left is told as that job had it, in the way of each room.
#[test]
fn cards_say_what_changed_and_where_to_look() {
    let server = Server::new(|_| Answer::json(200, r#"{"code": 0, "errcode": 0}"#));
    let sent = |kind: &str, lang: &str| -> Json {
        let app = app_with(&format!("url: \"http://{}/hook\", type: {kind}, format: card, lang: {lang}", server.host()));
        let app = app.file("deploy.json", RESULT).file("diff.json", DIFF).env("CI", "true").env("GITLAB_CI", "true");
        let app =
            app.env("CI_PIPELINE_URL", "https://git.example.com/p/-/pipelines/12").env("CI_PIPELINE_ID", "12").env("CI_PROJECT_ID", "3");
        notify(&app, &["deploy", "--result", "deploy.json", "--diff", "diff.json", "--manual", "promote", "--strict"]).exits(0);
        serde_json::from_str(&server.asked().last().expect("a message").body).expect("JSON")
    };
    let body = sent("feishu", "zh");
    assert_eq!(body["msg_type"], "interactive");
    assert_eq!(body["card"]["header"]["title"]["content"], "deploy shop: 失败");
    assert_eq!(body["card"]["header"]["template"], "red");
    let fields = body["card"]["elements"][0]["fields"].to_string();
    for words in ["集群\\nprod", "操作者\\nada", "版本\\nv2", "耗时\\n83 s", "变更\\n+1 ~2 -0"] {
        assert!(fields.contains(words), "{words} in {fields}");
    }
    let buttons = body["card"]["elements"].as_array().expect("elements").last().expect("buttons")["actions"].clone();
    assert_eq!(buttons[0]["text"]["content"], "等待手动执行 promote");
    assert!(buttons.to_string().contains("https://shop.example.com/"), "{buttons}");

    let body = sent("slack", "en");
    let text = body["text"].as_str().expect("text");
    assert!(
        text.contains("deploy shop: failed\ncluster: prod\nexecutor: ada") && text.contains("reason: no database\nnext: lain logs web"),
        "{text}"
    );
    let blocks = body["attachments"][0]["blocks"].clone();
    assert_eq!(blocks[0]["text"]["text"], "deploy shop: failed");
    assert!(blocks.to_string().contains("<https://git.example.com/p/-/pipelines/12|waits for promote>"), "{blocks}");

    let body = sent("dingtalk", "zh");
    assert_eq!((&body["msgtype"], &body["actionCard"]["title"]), (&Json::from("actionCard"), &Json::from("deploy shop: 失败")));
    assert!(body["actionCard"]["text"].as_str().expect("text").contains("变更: +1 ~2 -0"), "{body}");
    assert_eq!(body["actionCard"]["btns"][1]["actionURL"], "https://shop.example.com/");

    let body = sent("wecom", "en");
    let text = body["markdown"]["content"].as_str().expect("text");
    assert!(
        text.starts_with("**deploy shop: failed**\ncluster: prod") && text.contains("[environment](https://shop.example.com/)"),
        "{text}"
    );

    let body = sent("generic", "en");
    assert_eq!((&body["ok"], &body["title"]), (&Json::from(false), &Json::from("deploy shop: failed")));
    assert_eq!(body["facts"][0], serde_json::json!({"label": "cluster", "value": "prod"}));
}

/// The manual job itself, where somebody may ask for it; the pipeline where not, and no failure.
#[test]
fn a_job_that_waits_is_found() {
    let room = Server::new(|_| Answer::json(200, "ok"));
    let gitlab = Server::new(|asked| {
        if asked.header("private-token") != Some("glpat-0123456789abcdef") {
            return Answer::json(401, r#"{"message":"401 Unauthorized"}"#);
        }
        match asked.target.as_str() {
            "/api/v4/projects/3/pipelines/12/jobs?scope[]=manual&per_page=100" => Answer::json(
                200,
                r#"[{"id": 1, "name": "stop", "web_url": "https://git.example.com/j/1"}, {"id": 2, "name": "promote", "web_url": "https://git.example.com/j/2"}]"#,
            ),
            _ => Answer::json(404, r#"{"message":"404 Not found"}"#),
        }
    });
    for (token, job, leads, said) in [
        ("glpat-0123456789abcdef", "promote", "waits for promote: https://git.example.com/j/2", "sent"),
        ("glpat-0123456789abcdef", "other", "pipeline: https://git.example.com/p/12", "no manual job `other` waits"),
        ("glpat-revoked-9999999999", "promote", "waits for promote: https://git.example.com/p/12", "is not known there"),
    ] {
        let app = app_with(&format!("url: \"http://{}/hook\", type: slack", room.host())).file("deploy.json", RESULT);
        let app = app
            .env("CI", "true")
            .env("CI_PIPELINE_URL", "https://git.example.com/p/12")
            .env("CI_PIPELINE_ID", "12")
            .env("CI_PROJECT_ID", "3");
        let app = app.env("GITLAB_API_TOKEN", token).env("CI_API_V4_URL", &format!("http://{}/api/v4", gitlab.host()));
        notify(&app, &["deploy", "--result", "deploy.json", "--manual", job, "--strict"]).exits(0).says(said).never_says(token);
        let body = room.asked().last().expect("a message").body.clone();
        assert!(body.contains(leads), "{leads} in {body}");
    }
}

#[test]
fn a_secrets_message_names_keys_alone() {
    let server = Server::new(|_| Answer::json(200, "ok"));
    let secret = |data: &str| format!(r#"{{"kind": "Secret", "data": {data}}}"#);
    let app = app_with(&format!("url: \"http://{}/hook\", type: slack, lang: zh", server.host()));
    let app = app
        .file("before.json", &secret(r#"{"A": "b25l", "B": "dHdv"}"#))
        .file("after.json", &secret(r#"{"A": "b25l", "B": "dGhyZWU=", "C": "Zm91cg=="}"#));
    notify(&app, &["secret", "shop-env", "--before", "before.json", "--after", "after.json", "--strict"]).exits(0).says("sent");
    notify(&app, &["secret", "shop-env", "--removed", "X,Y", "--strict"]).exits(0);
    notify(&app, &["secret", "shop-env", "--before", "after.json", "--after", "after.json", "--strict"]).exits(0).says("nothing to send");
    let told: Vec<String> = server.asked().into_iter().map(|asked| asked.body).collect();
    assert_eq!(told.len(), 2);
    assert!(told[0].contains("shop-env 在集群 test: 新增 C; 修改 B") && told[1].contains("删除 X, Y"), "{told:?}");
    assert!(!told[0].contains("dGhyZWU") && !told[0].contains("three"), "{told:?}");
    notify(&app, &["secret", "shop-env", "--after", "chart/values.yaml"])
        .exits(1)
        .reason("no Secret as kubectl prints it")
        .next("kubectl get secret");
}
