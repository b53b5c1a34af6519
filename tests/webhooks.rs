//! Webhooks: what may pass is tried again, what is for good is not.

#[path = "support/server.rs"]
mod server;
mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use server::{Answer, Server};
use support::App;

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
        ("slack", Answer::json(404, "no_service"), "404 Not Found"),
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
