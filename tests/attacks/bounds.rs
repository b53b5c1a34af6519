//! Names and texts without end.

use std::fmt::Write;

use crate::server::{Answer, Server};
use crate::support::App;

fn app() -> App {
    App::new().chart().committed().tools(&["helm"]).cluster("test", "registry: registry.example.com\ndomain: example.com\n").using("test")
}

/// another user or program of this machine: a user name of 120 kB, a job's address of 1 MB in the environment => both are cut to 200 characters, the command goes on
#[test]
fn a_user_name_without_end_is_cut() {
    let long = "n".repeat(120_000);
    let ran = app().env("USER", &long).run(&["template"]).exits(0).says(&format!("user={}…", "n".repeat(200)));
    assert!(ran.stderr.len() < 5000, "{}", ran.stderr.len());
    let ci = app().env("CI", "true").env("GITLAB_USER_LOGIN", &long).env("CI_JOB_URL", &"u".repeat(100_000));
    ci.run(&["template"]).exits(0).says(&format!("{}…-via-{}…", "n".repeat(200), "u".repeat(200)));
}

/// a cluster file: a key so long that the system does not let a program have it => the reason says so; helm is not called missing
#[test]
fn too_long_is_not_missing() {
    let cluster = format!("registry: registry.example.com\n? {}_token\n: x\n", "k".repeat(200_000));
    let app = app().cluster("test", &cluster);
    let ran = app.run(&["template"]).exits(1).reason("more than the system lets a program have").next("200011 bytes");
    ran.never_says("install helm");
}

/// a merge request: a commit whose subject and author are 1 MB, a remote's address of 100 kB => each is cut where it is read
#[test]
fn commits_without_end_are_cut() {
    let app = app();
    let message = app.tmp().join("message");
    std::fs::write(&message, "s".repeat(1 << 20)).expect("a file");
    app.git(&["-c", &format!("user.name={}", "a".repeat(100_000)), "commit", "-q", "--allow-empty", "-F", &message.display().to_string()]);
    std::fs::remove_file(&message).expect("a file");
    app.git(&["config", "remote.origin.url", &format!("https://git.example.com/{}", "r".repeat(100_000))]);
    let ran = app.run(&["template"]).exits(0);
    assert!(ran.stderr.len() < 5000 && ran.stderr.contains("rrr…"), "{}", &ran.stderr[..5000]);
    let json = app.run(&["meta", "-o", "json"]).exits(0).stdout;
    assert!(json.len() < 2000, "{}", json.len());
}

/// a merge request: a proc, a tag and a branch of 1 MB => the message names each by its beginning
#[test]
fn names_in_messages_are_cut() {
    let long = "p".repeat(1 << 20);
    let mut values = String::from("appname: shop\ndeployments:\n");
    let _ = writeln!(values, "  {long}: {{command: [x], replicaCount: two}}");
    let app = App::new().values(&values).committed().cluster("test", "registry: r.example.com\n").using("test");
    for args in [&["image"][..], &["lint"], &["logs", "web"]] {
        let ran = app.run(args);
        assert!(ran.code != 0 && ran.stderr.len() < 100_000, "{args:?}: {}", ran.stderr.len());
    }
    let tag = format!("imageTag={}", "t".repeat(100_000));
    let ran = self::app().run(&["template", "--set", &tag]).exits(2).reason("cannot be an image tag").next("lain tags");
    assert!(ran.stderr.len() < 1000, "{}", ran.stderr.len());
}

/// a merge request: a commit subject of 1 MB, or a message of 1 MB, for a chat room => what goes out is as long as the provider takes, cut between two characters
#[test]
fn webhooks_are_told_what_they_take() {
    let text = "部署了".repeat(14_000);
    for (provider, most) in [("wecom", 3000), ("dingtalk", 20_000), ("feishu", 20_000), ("slack", 160_000), ("generic", 65_536)] {
        let server = Server::new(|_| Answer::json(200, "{\"code\": 0, \"errcode\": 0}"));
        let values = format!("appname: shop\ndeployments: {{}}\nwebhook: {{url: \"http://{}/hook\", type: {provider}}}\n", server.host());
        let app = App::new().values(&values).committed().cluster("test", "registry: r.example.com\n").using("test");
        app.run(&["send-msg", "--strict", &text]).exits(0).says("it is cut");
        let asked = server.asked();
        let body = &asked[0].body;
        assert!(body.len() <= most && body.len() > 1900, "{provider}: {}", body.len());
        let sent: serde_json::Value = serde_json::from_str(body).expect("JSON");
        assert!(sent.to_string().contains("… (cut)"), "{provider}");
    }
}
