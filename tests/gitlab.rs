//! GitLab's API, against a server that replays the answers that its documentation shows: <https://docs.gitlab.com/api/rest/>.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use registry::Registry;
use serde_json::{Value as Json, json};
use server::{Answer, Asked, Server};
use support::{App, Ran};

const TOKEN: &str = "glpat-0123456789abcdefghij";
const PATH: &str = "/api/v4/projects/up%2Fshop/merge_requests/7";

fn ok(body: &Json) -> Answer {
    Answer::json(200, &body.to_string())
}

fn not_found() -> Answer {
    Answer::json(404, r#"{"message":"404 Not found"}"#)
}

fn user(id: u64, name: &str, state: &str) -> Json {
    json!({"id": id, "username": name.to_lowercase(), "name": name, "state": state, "avatar_url": null, "web_url": format!("https://git.example.com/{name}")})
}

fn merge_request(state: &str, reviewers: Json, assignees: Json) -> Json {
    json!({"id": 155_016_530, "iid": 7, "project_id": 3, "title": "Shop", "state": state, "author": user(1, "Ann", "active"),
        "reviewers": reviewers, "assignees": assignees, "web_url": "https://git.example.com/up/shop/-/merge_requests/7"})
}

/// The app of a merge request's pipeline, before it has any token.
fn job(server: &Server) -> App {
    App::new()
        .env("CI", "true")
        .env("GITLAB_CI", "true")
        .env("CI_API_V4_URL", &format!("http://{}/api/v4", server.host()))
        .env("CI_MERGE_REQUEST_PROJECT_PATH", "up/shop")
        .env("CI_MERGE_REQUEST_IID", "7")
}

fn with_token(server: &Server) -> App {
    job(server).env("GITLAB_API_TOKEN", TOKEN)
}

fn notify(app: &App, args: &[&str]) -> Ran {
    let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain-notify")));
    command.args(args);
    app.run_command(command).never_says(TOKEN)
}

/// A page of a list, as GitLab parts it: `Link` and `X-Next-Page` in some, one of them in others.
fn page(asked: &Asked, items: &[Json], size: usize, headers: &str) -> Answer {
    let number: usize = asked.field("page").map_or(1, |page| page.parse().expect("a number"));
    let end = (number * size).min(items.len());
    let answer = ok(&json!(items[(number - 1) * size..end]));
    let next = if end < items.len() { (number + 1).to_string() } else { String::new() };
    let path = asked.target.split('?').next().expect("a path");
    // GitLab writes the address that it thinks it has: no token goes there.
    let link = format!(
        "<https://evil.example.com{path}?page={next}&per_page={size}>; rel=\"next\", <https://evil.example.com{path}?page=1>; rel=\"first\""
    );
    match (headers, next.is_empty()) {
        ("link", false) => answer.with("Link", &link),
        ("number", _) => answer.with("X-Next-Page", &next).with("X-Page", &number.to_string()),
        _ => answer,
    }
}

#[test]
fn a_reviewer_and_an_assignee_are_found_on_all_pages() {
    for headers in ["link", "number"] {
        let users: Vec<Json> = [
            user(1, "Ann", "active"),         // the author
            user(2, "Bob", "blocked"),        // gone
            user(3, "Cleo", "active"),        // no commits
            user(4, "Project bot", "active"), // no commits
            user(5, "Dora", "active"),
            user(6, "Emil", "active"),
        ]
        .into();
        let contributors: Vec<Json> = ["Ann", "Bob", "Fay", "Dora", "Emil"]
            .map(|name| json!({"name": name, "email": format!("{name}@example.com"), "commits": 3}))
            .into();
        let server = Server::new(move |asked| {
            assert_eq!(asked.header("private-token"), Some(TOKEN));
            match (asked.method.as_str(), asked.target.split('?').next().expect("a path")) {
                ("GET", PATH) => ok(&merge_request("opened", json!([]), json!([]))),
                ("GET", "/api/v4/projects/up%2Fshop/users") => page(asked, &users, 2, headers),
                ("GET", "/api/v4/projects/up%2Fshop/repository/contributors") => page(asked, &contributors, 2, headers),
                ("PUT", PATH) => ok(&json!({"iid": 7})),
                _ => not_found(),
            }
        });
        let ran = notify(&with_token(&server), &["assign-mr", "-o", "json"]).exits(0);
        let answer: Json = serde_json::from_str(&ran.stdout).expect("JSON");
        let mut both = [answer["reviewer"].as_str().expect("a name"), answer["assignee"].as_str().expect("a name")];
        both.sort_unstable();
        assert_eq!((both, &answer["changed"]), (["dora", "emil"], &json!(true)));
        let put = server.asked().into_iter().find(|asked| asked.method == "PUT").expect("a change");
        let put: Json = serde_json::from_str(&put.body).expect("JSON");
        let id = |key: &str| put[key][0].as_u64().expect("an id");
        assert_eq!(id("reviewer_ids") + id("assignee_ids"), 11, "{put}");
    }
}

#[test]
fn whom_a_merge_request_has_stays() {
    let has = Arc::new(Mutex::new((json!([user(5, "Dora", "active")]), json!([user(6, "Emil", "active")]))));
    let told = Arc::clone(&has);
    let server = Server::new(move |asked| match (asked.method.as_str(), asked.target.split('?').next().expect("a path")) {
        ("GET", PATH) => {
            let has = told.lock().expect("no panic").clone();
            ok(&merge_request("opened", has.0, has.1))
        }
        ("GET", "/api/v4/projects/up%2Fshop/users") => {
            ok(&json!([user(1, "Ann", "active"), user(5, "Dora", "active"), user(6, "Emil", "active")]))
        }
        ("GET", "/api/v4/projects/up%2Fshop/repository/contributors") => ok(&json!([{"name": "Emil"}, {"name": "Ann"}, {"name": "Dora"}])),
        ("PUT", PATH) => ok(&json!({})),
        _ => not_found(),
    });
    let app = with_token(&server);
    app.run(&["assign-mr", "up/shop", "7"])
        .exits(0)
        .says("has a reviewer and an assignee already")
        .prints("reviewer: dora\nassignee: emil");
    assert_eq!(server.asked().len(), 1);
    // An account that is blocked reviews nothing, and no list at all did not fail the older tool alone.
    *has.lock().expect("no panic") = (json!([user(9, "Gone", "blocked")]), json!([user(6, "Emil", "active")]));
    app.run(&["assign-mr"]).exits(0).prints("reviewer: dora\nassignee: emil");
    let put = server.asked().into_iter().find(|asked| asked.method == "PUT").expect("a change");
    assert_eq!(put.body, r#"{"reviewer_ids":[5]}"#);
}

#[test]
fn an_author_alone_is_not_asked() {
    let server = Server::new(|asked| match asked.target.split('?').next().expect("a path") {
        PATH => ok(&merge_request("opened", json!([]), json!([]))),
        path if path.ends_with("/users") => ok(&json!([user(1, "Ann", "active")])),
        _ => ok(&json!([{"name": "Ann"}])),
    });
    with_token(&server).run(&["assign-mr"]).exits(1).reason("nobody in up/shop can be asked").next("glab mr update 7");
    assert!(server.asked().iter().all(|asked| asked.method == "GET"));
}

#[test]
fn an_approval_is_waited_for() {
    let looks = AtomicUsize::new(0);
    let server = Server::new(move |asked| match asked.target.as_str() {
        // GitLab restarts meanwhile.
        PATH if (1..6).contains(&looks.load(Ordering::SeqCst)) => {
            looks.fetch_add(1, Ordering::SeqCst);
            Answer::json(502, "<html>Bad Gateway</html>")
        }
        PATH => ok(&merge_request("opened", json!([]), json!([]))),
        _ if looks.fetch_add(1, Ordering::SeqCst) == 0 => ok(
            &json!({"approved": false, "approvals_required": 2, "approvals_left": 1, "approved_by": [{"user": user(5, "Dora", "active")}]}),
        ),
        _ => ok(
            &json!({"approved": true, "approvals_left": 0, "approved_by": [{"user": user(5, "Dora", "active")}, {"user": user(6, "Emil", "active")}]}),
        ),
    });
    let app = with_token(&server);
    notify(&app, &["wait-mr-approval"])
        .exits(0)
        .says("1 approval is missing, approved by dora")
        .says("it is not well")
        .says("up/shop!7 is approved by dora, emil");
}

#[test]
fn nobody_waits_without_end() {
    let state = Arc::new(Mutex::new("opened"));
    let told = Arc::clone(&state);
    let server = Server::new(move |asked| match asked.target.as_str() {
        PATH => ok(&merge_request(*told.lock().expect("no panic"), json!([]), json!([]))),
        _ => ok(&json!({"approved": false, "approved_by": []})), // as the free tier has it
    });
    let app = with_token(&server);
    app.run(&["wait-mr-approval", "--timeout", "1"])
        .exits(1)
        .reason("was not approved within 1 s: an approval is missing")
        .next("merge_requests/7");
    // The runner's own end counts too.
    let started = jiff::Timestamp::now().as_second() - 3000;
    let started = jiff::Timestamp::from_second(started).expect("a time").to_string();
    let late = with_token(&server).env("CI_JOB_STARTED_AT", &started).env("CI_JOB_TIMEOUT", "3062");
    late.run(&["wait-mr-approval"]).exits(1).reason("was not approved within").next("timeout: 1h");
    for (now, code, words) in [("merged", 0, "up/shop!7 is merged"), ("closed", 1, "up/shop!7 is closed")] {
        *state.lock().expect("no panic") = now;
        app.run(&["wait-mr-approval"]).exits(code).says(words);
    }
}

/// A project's notes, as GitLab keeps them.
fn notes_server(notes: &Arc<Mutex<Vec<Json>>>, fail_first: bool) -> Server {
    let (notes, failed) = (Arc::clone(notes), AtomicUsize::new(usize::from(!fail_first)));
    Server::new(move |asked| {
        let mut notes = notes.lock().expect("no panic");
        let path = asked.target.split('?').next().expect("a path");
        let body = || serde_json::from_str::<Json>(&asked.body).expect("JSON")["body"].clone();
        let list = format!("{PATH}/notes");
        match (asked.method.as_str(), path) {
            ("GET", "/api/v4/user") => ok(&user(42, "project_3_bot", "active")),
            ("GET", path) if path == list => page(asked, &notes, 2, "link"),
            ("POST", path) if path == list => {
                let id = 100 + notes.len();
                notes.push(json!({"id": id, "body": body(), "system": false, "author": user(42, "project_3_bot", "active")}));
                // It was written, and the way back broke.
                if failed.fetch_add(1, Ordering::SeqCst) == 0 {
                    Answer::json(502, "<html>Bad Gateway</html>")
                } else {
                    Answer::json(201, "{}")
                }
            }
            ("PUT", path) => {
                let id: u64 = path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("an id");
                let note = notes.iter_mut().find(|note| note["id"] == id).expect("a note");
                note["body"] = body();
                ok(note)
            }
            _ => not_found(),
        }
    })
}

const DIFF: &str = r#"{"version": 1, "release": "shop", "cluster": "prod", "plannedTag": "v2", "create": 1, "update": 2, "delete": 0, "drift": 0, "changes": []}"#;
const COMMITS: &str = r#"{"version": 1, "release": "shop", "deployed": "v1", "commits": [
    {"sha": "0123456789abcdef0123456789abcdef01234567", "committed": "2026-11-26T10:00:00Z", "author": "Ann", "subject": "/merge @all <b>"}]}"#;

#[test]
fn one_note_is_changed_in_place() {
    let other = |id: u64| json!({"id": id, "body": "looks good", "system": false, "author": user(5, "Dora", "active")});
    let notes = Arc::new(Mutex::new(vec![other(1), other(2), other(3)]));
    let server = notes_server(&notes, false);
    let bodies = || -> Vec<String> {
        notes.lock().expect("no panic").iter().skip(3).map(|note| note["body"].as_str().expect("text").to_owned()).collect()
    };
    let app = |pipeline: &str| with_token(&server).env("CI_PIPELINE_ID", pipeline).file("diff.json", DIFF).file("commits.json", COMMITS);
    notify(&app("10"), &["mr-note", "diff", "diff.json"]).exits(0).says("wrote a note on up/shop!7");
    notify(&app("10"), &["mr-note", "diff", "diff.json"]).exits(0).says("says so already");
    notify(&app("10"), &["mr-note", "changelog", "commits.json"]).exits(0).says("wrote a note");
    assert_eq!(bodies().len(), 2, "a note each");
    assert!(
        bodies()[0].starts_with("<!-- lain diff shop prod -->\n<!-- pipeline 10 -->\n") && bodies()[0].contains("1 to create, 2 to update")
    );
    assert!(bodies()[1].contains("- 01234567 /merge &#64;all &lt;b&gt; (Ann)"), "{}", bodies()[1]);
    let changed = app("11").file("diff.json", &DIFF.replace("\"create\": 1", "\"create\": 4"));
    notify(&changed, &["mr-note", "diff", "diff.json"]).exits(0).says("changed the note");
    assert!(bodies().len() == 2 && bodies()[0].contains("4 to create"), "{:?}", bodies());
    // A pipeline that was overtaken says nothing more.
    notify(&app("10"), &["mr-note", "diff", "diff.json"]).exits(0).says("of a later pipeline");
    assert!(bodies()[0].contains("4 to create"));
    // Another cluster has its own.
    let elsewhere = app("11").file("diff.json", &DIFF.replace("prod", "test"));
    notify(&elsewhere, &["mr-note", "diff", "diff.json"]).exits(0).says("wrote a note");
    assert_eq!(bodies().len(), 3);
    // Before the first deploy there is nothing to list.
    let before = app("12").file("commits.json", r#"{"version": 1, "release": "shop", "deployed": null, "commits": []}"#);
    notify(&before, &["mr-note", "changelog", "commits.json"]).exits(0).says("changed the note");
    assert!(bodies()[1].trim_end().ends_with("shop is not deployed yet") && !bodies()[1].contains("commits"), "{}", bodies()[1]);
}

#[test]
fn a_note_whose_answer_is_lost_is_not_written_twice() {
    let notes = Arc::default();
    let server = notes_server(&notes, true);
    let app = with_token(&server).file("diff.json", DIFF);
    notify(&app, &["mr-note", "diff", "diff.json"]).exits(0).says("wrote a note");
    assert_eq!(notes.lock().expect("no panic").len(), 1);
}

#[test]
fn what_is_no_result_is_said() {
    let notes = Arc::default();
    let server = notes_server(&notes, false);
    let app = with_token(&server).file("wrong.json", "{\"a\": 1}").file("text.md", "/close\nfine\n").file("empty.md", "\n");
    app.run(&["mr-note", "diff", "wrong.json"])
        .exits(1)
        .reason("wrong.json: not a result of lain")
        .next("lain diff -o json | lain mr-note diff");
    app.run(&["mr-note", "diff", "none.json"]).exits(1).reason("none.json");
    app.run(&["mr-note", "changelog", "empty.md"]).exits(0).says("nothing to write");
    assert!(notes.lock().expect("no panic").is_empty());
    app.run(&["mr-note", "diff", "text.md", "--project", "up/shop", "--mr", "7"]).exits(0);
    app.run(&["mr-note", "diff", "empty.md"]).exits(0).says("changed the note");
    let body = notes.lock().expect("no panic")[0]["body"].as_str().expect("text").to_owned();
    assert!(body.contains("Nothing to change."), "{body}");
    let posted = server.asked().into_iter().find(|asked| asked.method == "POST").expect("a note").body;
    assert!(posted.contains(r"\\/close\nfine"), "{posted}");
}

/// GitLab's answers to those who may not, with what to do.
#[test]
fn a_no_of_gitlab_says_what_to_do() {
    let scope = r#"{"error":"insufficient_scope","error_description":"The request requires higher privileges than provided by the access token.","scope":"api read_api"}"#;
    for (answer, words, next) in [
        (Answer::json(401, r#"{"message":"401 Unauthorized"}"#), "not known there, expired or revoked", "export GITLAB_API_TOKEN"),
        (
            Answer::json(
                401,
                r#"{"error":"invalid_token","error_description":"Token was revoked. You have to re-authorize from the user."}"#,
            ),
            "Token was revoked",
            "export GITLAB_API_TOKEN",
        ),
        (Answer::json(403, scope), "lacks the scope `read_api`", "scope `api`"),
        (Answer::json(403, r#"{"message":"403 Forbidden"}"#), "the role of the token", "role Developer"),
        (Answer::json(404, r#"{"message":"404 Project Not Found"}"#), "404 Project Not Found", "check project and number"),
        (Answer::json(409, r#"{"message":"409 Conflict: SHA does not match"}"#), "at the same time", "run it again"),
        (Answer::Reply(429, vec![("Retry-After".to_owned(), "55".to_owned())], "Retry later\n".to_owned()), "Retry later", "again in 55 s"),
        (Answer::Reply(200, vec![], "<!DOCTYPE html><title>Sign in</title>".to_owned()), "is not GitLab's API", "export CI_API_V4_URL"),
        (Answer::Raw(b"220 smtp\r\n".to_vec()), "GitLab cannot be asked", ""),
    ] {
        let server = Server::new(move |_| answer.clone());
        let ran =
            with_token(&server).run(&["wait-mr-approval"]).exits(1).reason(if next.is_empty() { words } else { "cannot" }).says(words);
        if !next.is_empty() {
            ran.next(next);
        }
        assert_eq!(server.asked().len(), 1, "{words}");
    }
}

#[test]
fn a_jobs_token_is_said_not_to_suffice() {
    for (status, body) in
        [(401, r#"{"message":"401 Unauthorized"}"#), (403, r#"{"message":"403 Forbidden"}"#), (404, r#"{"message":"404 Not Found"}"#)]
    {
        let server = Server::new(move |asked| {
            assert!(asked.header("job-token") == Some("glcbt-64_0123456789") && asked.header("private-token").is_none());
            Answer::json(status, body)
        });
        let app = job(&server).env("CI_JOB_TOKEN", "glcbt-64_0123456789").file("diff.json", DIFF);
        let ran = app.run(&["mr-note", "diff", "diff.json"]).exits(1).reason("a job's token (CI_JOB_TOKEN) may not do that");
        ran.next("export GITLAB_API_TOKEN=... # a project access token with scope `api` and role Developer").never_says("glcbt-64");
    }
    let server = Server::new(|_| not_found());
    job(&server).run(&["wait-mr-approval"]).exits(2).reason("there is no token for GitLab").next("export GITLAB_API_TOKEN");
    App::new()
        .env("GITLAB_API_TOKEN", TOKEN)
        .run(&["assign-mr", "a/b", "1"])
        .exits(2)
        .reason("where is GitLab?")
        .next("export CI_API_V4_URL");
    App::new().env("GITLAB_API_TOKEN", TOKEN).run(&["assign-mr"]).exits(2).reason("which merge request?").next("group/project 12");
}

#[test]
fn what_passes_is_asked_again_and_redirects_take_no_token_along() {
    let asked = AtomicUsize::new(0);
    let server = Server::new(move |seen| match (asked.fetch_add(1, Ordering::SeqCst), seen.target.as_str()) {
        (0, _) => Answer::json(429, "Retry later\n").with("Retry-After", "1"),
        (1, _) => Answer::json(502, "<html>Bad Gateway</html>"),
        (2, _) => Answer::Raw(vec![]),
        (_, PATH) => ok(&merge_request("merged", json!([]), json!([]))),
        _ => not_found(),
    });
    with_token(&server).run(&["wait-mr-approval"]).exits(0).says("is merged");
    // A project that moved is at the same place under another name; another host is told nothing.
    let other = Server::on("127.0.0.2", |_| ok(&merge_request("merged", json!([]), json!([]))));
    let to = format!("http://{}{PATH}", other.host());
    let server = Server::new(move |_| Answer::json(301, "").with("Location", &to));
    with_token(&server).run(&["wait-mr-approval"]).exits(0);
    assert!(other.asked().iter().all(|asked| asked.header("private-token").is_none()) && !other.asked().is_empty());
}

/// A server with a CA of its own, as runners tell jobs of it: a registry stands for GitLab, whose 404 it answers.
#[test]
fn a_gitlab_that_signs_for_itself() {
    let server = Registry::tls("IP:127.0.0.1");
    let api = format!("https://{}/api/v4", server.host());
    let app = || App::new().env("CI_API_V4_URL", &api).env("GITLAB_API_TOKEN", TOKEN);
    let ran = app().run(&["assign-mr", "up/shop", "7"]).exits(1).reason("GitLab cannot be asked");
    ran.says("signed by no CA that is known here").next("export SSL_CERT_FILE=/path/to/ca.crt");
    let ca = server.ca().display().to_string();
    for variable in ["CI_SERVER_TLS_CA_FILE", "SSL_CERT_FILE"] {
        app().env(variable, &ca).run(&["assign-mr", "up/shop", "7"]).exits(1).reason("answered 404").next("check project and number");
    }
    // That CA speaks for the pipeline's own GitLab, and for no other.
    let other = app().env("CI_API_V4_URL", "https://gitlab.example.com/api/v4").env("CI_SERVER_TLS_CA_FILE", &ca);
    let other = other.cluster("test", &format!("gitlab: https://{}\n", server.host())).using("test");
    other.run(&["assign-mr", "up/shop", "7"]).exits(1).says("signed by no CA that is known here");
}

#[test]
fn gitlab_is_asked_by_the_proxy() {
    let proxy = Server::new(|asked| {
        let is_ours = asked.target.starts_with("http://gitlab.invalid/api/v4/");
        if is_ours { ok(&merge_request("merged", json!([]), json!([]))) } else { not_found() }
    });
    let app = App::new().env("CI_API_V4_URL", "http://gitlab.invalid/api/v4").env("GITLAB_API_TOKEN", TOKEN);
    app.env("HTTP_PROXY", &format!("http://{}", proxy.host())).run(&["wait-mr-approval", "up/shop", "7"]).exits(0).says("is merged");
}

/// Each line of docs/notify.md that is a command, run as it stands.
#[test]
fn the_examples_of_the_page_run() {
    let notes = Arc::new(Mutex::new(vec![]));
    let room = Server::new(|_| Answer::json(200, "ok"));
    let (shared, list) = (Arc::clone(&notes), "/api/v4/projects/group%2Fshop/merge_requests/12/notes");
    let server = Server::new(move |asked| {
        let path = asked.target.split('?').next().expect("a path");
        match (asked.method.as_str(), path) {
            ("GET", "/api/v4/user") => ok(&user(42, "bot", "active")),
            ("GET", path) if path == list => ok(&json!(*shared.lock().expect("no panic"))),
            ("POST", path) if path == list => {
                shared.lock().expect("no panic").push(json!({"id": 1, "body": asked.body, "author": user(42, "bot", "active")}));
                Answer::json(201, "{}")
            }
            ("GET", path) if path.ends_with("/users") => ok(&json!([user(5, "Dora", "active")])),
            ("GET", path) if path.ends_with("/contributors") => ok(&json!([{"name": "Dora"}])),
            ("GET", path) if path.ends_with("/approvals") => ok(&json!({"approved": true})),
            ("GET", path) if path.ends_with("/jobs") => ok(&json!([{"name": "promote", "web_url": "https://git.example.com/j/2"}])),
            _ => ok(&merge_request("opened", json!([]), json!([]))),
        }
    });
    let result = r#"{"version": 1, "release": "shop", "imageTag": "v2", "cluster": "prod"}"#;
    let secret = |data: &str| format!(r#"{{"kind": "Secret", "data": {data}}}"#);
    let app = with_token(&server)
        .values(&format!("appname: shop\ndeployments: {{}}\nwebhook: {{url: \"http://{}/hook\", type: slack}}\n", room.host()))
        .committed()
        .env("CI_PROJECT_ID", "3")
        .env("CI_PIPELINE_ID", "12");
    let app = app.file("deploy.json", result).file("diff.json", DIFF).file("commits.json", COMMITS);
    let app = app.file("before.json", &secret(r#"{"A": "YQ=="}"#)).file("after.json", &secret(r#"{"B": "Yg=="}"#));
    let page = include_str!("../docs/notify.md");
    let lines: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("    lain-notify ")).collect();
    assert!(lines.len() >= 9, "{lines:?}");
    let in_yaml = page
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- lain-notify "))
        .map(|line| format!("{line} --project group/shop --mr 12"));
    for line in lines.iter().map(|line| (*line).to_owned()).chain(in_yaml) {
        let words = shell_words::split(&line).expect("words");
        notify(&app, &words.iter().map(String::as_str).collect::<Vec<_>>()).exits(0);
    }
    assert_eq!((room.asked().len(), notes.lock().expect("no panic").len()), (5, 4), "each told its own");
}
