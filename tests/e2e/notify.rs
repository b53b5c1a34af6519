//! Webhooks against a real HTTP server on loopback that answers as the providers document.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use crate::support::Place;

/// Takes posts and answers each with the next of `replies`, the last for ever.
fn server(replies: &'static [&'static str]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook/s3cret-path", listener.local_addr().expect("an address"));
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { continue };
            let mut text = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let count = stream.read(&mut buffer).unwrap_or(0);
                text.extend_from_slice(&buffer[..count]);
                let all = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").and_then(|n| n.trim().parse::<usize>().ok()))
                    .unwrap_or(0);
                if count == 0 || body.len() >= length {
                    let _ = send.send(body.to_owned());
                    break;
                }
            }
            let reply = replies[index.min(replies.len() - 1)];
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    (url, receive)
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{\"code\":0}";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const REFUSED: &str = "HTTP/1.1 200 OK\r\nContent-Length: 34\r\nConnection: close\r\n\r\n{\"code\":19024,\"msg\":\"bad keyword\"}";

const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>";

fn with_webhook(place: &Place, webhook: &str) {
    place.edit("chart/values.yaml", |text| format!("{text}\nwebhook:\n{webhook}\n"));
    place.commit("a webhook");
}

#[test]
fn feishu_gets_the_text_and_a_busy_server_is_asked_again() {
    let (url, posts) = server(&[BUSY, GOOD]);
    let place = Place::new("3.17.3").with_dummy().with_env("HOOK", &url);
    with_webhook(&place, "  url: ${HOOK}\n  type: feishu\n  secret: demo");
    let ran = place.lain(&["send-msg", "line \"1\"\n$(id) <b>"]).ok();
    assert!(!ran.stderr.contains("s3cret-path"));
    let _busy = posts.recv().expect("the first try");
    let body: serde_json::Value = serde_json::from_str(&posts.recv().expect("the second try")).expect("JSON");
    assert_eq!(body["content"]["text"], "line \"1\"\n$(id) <b>");
    assert!(body["sign"].is_string() && body["timestamp"].is_string());
    place.lain(&["send-msg", " "]).ok();
    assert!(posts.try_recv().is_err(), "an empty text is not sent");
}

#[test]
fn a_deploy_tells_slack_who_what_and_where() {
    let (url, posts) = server(&[GOOD]);
    let place = Place::new("3.17.3").with_dummy().with_env("HOOK", &url);
    with_webhook(&place, "  url: ${HOOK}\n  type: slack\n  channel: \"#ops\"");
    place.lain(&["deploy", "--build", "--wait"]).ok();
    let body: serde_json::Value = serde_json::from_str(&posts.recv().expect("a message")).expect("JSON");
    assert_eq!(body["channel"], "#ops");
    let text = body["text"].as_str().expect("text");
    for words in [&format!("deploy {}: done", place.appname), "cluster: test", "executor: tester", "commit: a webhook (Tester)"] {
        assert!(text.contains(words), "`{words}` in\n{text}");
    }
    // An edit names keys, never values.
    place.lain(&["env", "add", "API_TOKEN=abcdef123"]).ok();
    let text = posts.recv().expect("a message");
    assert!(text.contains("added API_TOKEN") && !text.contains("abcdef123"), "{text}");
    // What a step handed over as a file says the same.
    let result = place.lain(&["deploy", "-o", "json"]).ok().stdout;
    posts.recv().expect("the deploy's own message");
    std::fs::write(place.app.join("deploy.json"), result).expect("deploy.json");
    let mut notify = place.lain_command(&[]);
    let program = notify.get_program().to_owned();
    let program = std::path::Path::new(&program).with_file_name("lain-notify");
    let mut command = std::process::Command::new(program);
    command.envs(notify.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(&place.app).args([
        "deploy",
        "--result",
        "deploy.json",
    ]);
    assert!(command.status().expect("lain-notify").success());
    assert!(posts.recv().expect("a message").contains("cluster: test"));
    let _ = notify.arg("--version").status();
}

#[test]
fn a_webhook_that_says_no_warns_and_only_strict_fails() {
    let (url, _posts) = server(&[REFUSED]);
    let place = Place::new("3.17.3").with_dummy().with_env("HOOK", &url);
    with_webhook(&place, "  url: ${HOOK}\n  type: feishu");
    let ran = place.lain(&["send-msg", "hello"]).ok().says("warning:").says("bad keyword");
    assert!(!ran.stderr.contains("s3cret-path"));
    place.lain(&["send-msg", "--strict", "hello"]).exits(1).says("bad keyword");
    // A deploy is as good as without it: after a no, a page of HTML, silence.
    place.lain(&["deploy", "--build", "--wait"]).ok().says("warning:").says("bad keyword").says("deployed");
    let (page, _pages) = server(&[PAGE]);
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = (format!("http://{}/hook/s3cret-path", silent.local_addr().expect("an address")), silent);
    for (url, words) in [(page, "no reply of such a webhook"), (silent.0, "it may have arrived")] {
        let ran = place.lain_command(&["redeploy", "--wait"]).env("HOOK", &url).output().expect("lain runs");
        let ran = crate::support::Ran::of(&ran).ok().says("warning:").says(words).says("deployed");
        assert!(!ran.stderr.contains("s3cret-path"), "{}", ran.stderr);
    }
}

/// What tells is beside the point: it neither fails what was done nor hides what failed.
#[test]
fn a_machine_without_git_rolls_back_waits_and_tells() {
    let (url, posts) = server(&[GOOD]);
    let place = Place::new("3.17.3").with_dummy().with_env("HOOK", &url);
    with_webhook(&place, "  url: ${HOOK}\n  type: slack");
    place.lain(&["deploy", "--build", "--wait"]).ok();
    place.edit("chart/values.yaml", |text| text.replace("FOO: BAR", "FOO: BAZ"));
    place.commit("another");
    place.lain(&["deploy", "--build", "--wait"]).ok();
    while posts.try_recv().is_ok() {}
    let bin = place.tmp().join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    let command = place.lain_command(&[]);
    let path = command.get_envs().find_map(|(name, value)| value.filter(|_| name == "PATH")).expect("PATH").to_owned();
    for tool in ["helm", "kubectl"] {
        let found = std::env::split_paths(&path).map(|dir| dir.join(tool)).find(|file| file.is_file()).expect("a tool");
        std::os::unix::fs::symlink(found, bin.join(tool)).expect("a link");
    }
    let bare = |args: &[&str]| crate::support::Ran::of(&place.lain_command(args).env("PATH", &bin).output().expect("lain runs"));
    let ran = bare(&["rollback", "--wait"])
        .ok()
        .says("the message goes without commits")
        .says("git is not installed")
        .says("is back at revision 1");
    assert!(ran.stderr.contains("helm rollback"), "{}", ran.stderr);
    let text = posts.try_recv().expect("a message");
    assert!(text.contains(&format!("rollback {}: done", place.appname)) && text.contains("rolled back to revision 1"), "{text}");
    assert_eq!(place.field(&format!("deployment/{}-web", place.appname), "{.status.readyReplicas}"), "1");
}
