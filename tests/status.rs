//! `lain status -s`: what it prints once, from an API server that says what a test wants. `tests/e2e` has the real one.

#[path = "support/server.rs"]
mod server;
mod support;

use serde_json::{Value as Json, json};

use server::{Answer, Asked, Server};
use support::App;

fn pod(name: &str, state: &Json) -> Json {
    let is_good = state["running"].is_object();
    json!({
        "metadata": {"name": name, "uid": name, "creationTimestamp": "2026-11-26T17:20:05Z"},
        "spec": {"containers": [{"name": "web", "image": "x"}]},
        "status": {"phase": "Running", "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": if is_good { "True" } else { "False" }}],
            "containerStatuses": [{"name": "web", "ready": is_good, "restartCount": if is_good { 0 } else { 7 }, "state": state,
                "lastState": if is_good { json!({}) } else { json!({"terminated": {"reason": "Error", "exitCode": 3}}) }}]}
    })
}

fn good(name: &str) -> Json {
    pod(name, &json!({"running": {}}))
}

fn bad(name: &str) -> Json {
    pod(name, &json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}))
}

/// An API server with these pods; what `forbidden` names is not for this account.
fn api(pods: Vec<Json>, forbidden: &'static [&'static str]) -> Server {
    Server::new(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default();
        let of = if path.contains("metrics.k8s.io") { "metrics" } else { path.rsplit('/').next().unwrap_or_default() };
        if forbidden.contains(&of) {
            return Answer::json(403, r#"{"kind":"Status","status":"Failure","reason":"Forbidden","message":"no","code":403}"#);
        }
        let list = |items: &[Json]| Answer::json(200, &json!({"kind": "List", "metadata": {}, "items": items}).to_string());
        let about = |name: &str, reason: &str, message: &str| json!({"type": "Warning", "involvedObject": {"kind": "Pod", "name": name}, "reason": reason, "message": message});
        match of {
            "pods" => list(&pods),
            "log" => Answer::Reply(
                200,
                vec![],
                (1..=10).map(|number| format!("第 {number} 行: 连接失败\u{1b}[2J\n")).collect::<Vec<_>>().concat(),
            ),
            "events" => {
                list(&[about("shop-web-bad", "BackOff", "Back-off restarting failed container"), about("other", "Secret", "not ours")])
            }
            "deployments" | "statefulsets" | "replicasets" | "jobs" => list(&[]),
            _ => Answer::json(404, r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"no","code":404}"#),
        }
    })
}

fn app(api: &Server) -> App {
    let app = App::new().tools(&["kubectl"]);
    let app = app.cluster("test", "registry: r.example.com\nnamespace: shops\nkibana: kibana.example.com\n");
    app.kubeconfig("test", &format!("http://{}", api.host())).using("test")
}

/// The paths that were asked, each by its last word.
fn asked(api: &Server) -> Vec<String> {
    let word = |asked: Asked| asked.target.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
    let mut words: Vec<String> = api.asked().into_iter().map(word).collect();
    words.sort();
    words
}

#[test]
fn the_worst_pod_is_explained() {
    let api = api(vec![good("shop-web-a"), bad("shop-web-bad")], &[]);
    let app = app(&api);
    let out = app.run(&["status", "-s"]).exits(0).stdout;
    let names: Vec<&str> =
        out.lines().filter_map(|line| line.split_whitespace().next().filter(|name| name.starts_with("shop-web"))).collect();
    assert_eq!(names, ["shop-web-bad", "shop-web-a"], "{out}");
    for words in [
        "release shop  cluster test, namespace shops\nNAME ",
        "pod/shop-web-bad: CrashLoopBackOff: container web ended with exit code 3\n",
        "the end of the log of the run of container web before:\n  第 1 行: 连接失败\\u{1b}[2J\n",
        "the newest warnings of the cluster:\n  BackOff: Back-off restarting failed container\n",
        "next: kubectl logs --previous shop-web-bad",
        "\nusage\nno usage: ",
    ] {
        assert!(out.contains(words), "`{words}` in\n{out}");
    }
    assert!(!out.contains("not ours") && out.trim_end().ends_with(')'), "the link to Kibana is whole: {out}");
    app.run(&["status", "--exit-code"]).exits(3);
}

#[test]
fn where_nothing_is_bad_one_round_of_questions_is_enough() {
    let api = api(vec![good("shop-web-a")], &[]);
    let app = app(&api);
    app.run(&["status", "-s", "--exit-code"]).exits(0);
    let kinds: Vec<String> = asked(&api).into_iter().filter(|word| word != "pods").collect();
    assert_eq!(kinds, ["deployments", "jobs", "replicasets", "secrets", "statefulsets"], "no log, no events");
    assert_eq!(asked(&api).iter().filter(|word| *word == "pods").count(), 2, "pods, and what they use");
}

#[test]
fn json_is_as_its_schema_says() {
    let api = api(vec![good("shop-web-a"), bad("shop-web-bad")], &[]);
    let app = app(&api);
    let schema: Json = serde_json::from_str(&app.run(&["schema", "status"]).exits(0).stdout).expect("a schema");
    let answer: Json = serde_json::from_str(&app.run(&["status", "-o", "json"]).exits(0).stdout).expect("JSON");
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let wrong: Vec<String> = validator.iter_errors(&answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:?} {answer:#}");
    assert_eq!((&answer["version"], &answer["good"], &answer["pods"][0]["name"]), (&json!(1), &json!(false), &json!("shop-web-bad")));
    assert_eq!(answer["explanation"]["log"].as_array().map(Vec::len), Some(10));
    assert_eq!((&answer["pods"][1]["ready"], &answer["usage"]), (&json!("1/1"), &Json::Null));
    assert_eq!((&answer["namespace"], &answer["revision"]), (&json!("shops"), &Json::Null));
}

#[test]
fn a_release_that_is_not_there_is_said_to_be_none() {
    let out = app(&api(vec![], &[])).run(&["status", "-s", "--exit-code"]).exits(3).stdout;
    assert!(out.starts_with("release shop  cluster test, namespace shops\nthere is no such release here: lain deploy\n"), "{out}");
}

#[test]
fn a_cron_jobs_pod_that_begins_is_not_bad() {
    let mut job = pod("shop-sweep-1", &json!({"waiting": {"reason": "ContainerCreating"}}));
    job["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": "shop-sweep", "controller": true}]);
    job["status"]["phase"] = json!("Pending");
    job["status"]["containerStatuses"][0]["restartCount"] = json!(0);
    app(&api(vec![good("shop-web-a"), job], &[])).run(&["status", "-s", "--exit-code"]).exits(0);
}

#[test]
fn more_than_thirteen_are_counted() {
    let pods = (0..200)
        .map(|number| if number % 20 == 7 { bad(&format!("shop-web-{number:03}")) } else { good(&format!("shop-web-{number:03}")) });
    let out = app(&api(pods.collect(), &[])).run(&["status", "-s"]).exits(0).stdout;
    assert_eq!(out.lines().filter(|line| line.starts_with("shop-web-")).count(), 13, "{out}");
    assert!(out.contains("... 187 more: 187 Running; 200 pods in all, 190 good\n"), "{out}");
}

#[test]
fn each_part_says_what_it_may_not_see() {
    let all: &[&str] = &["events", "log", "metrics", "jobs"];
    let out = app(&api(vec![bad("shop-web-bad")], all)).run(&["status", "-s"]).exits(0).stdout;
    for words in [
        "shop-web-bad  0/1    CrashLoopBackOff",
        "pod/shop-web-bad: CrashLoopBackOff: container web ended with exit code 3\n",
        "usage\nnot to be seen: this account may not list pod metrics (403)\n",
        "jobs: this account may not list them (403)\n",
        "events: this account may not list them (403)\n",
        "log: this account may not read logs (403)\n",
    ] {
        assert!(out.contains(words), "`{words}` in\n{out}");
    }
    // Where pods are not to be seen, they are not known to be good.
    let api = api(vec![good("shop-web-a")], &["pods"]);
    let blind = app(&api);
    let out = blind.run(&["status", "-s", "--exit-code"]).exits(3).stdout;
    assert!(out.contains("\nno pods are to be seen\n") && out.contains("pods: this account may not list them (403)\n"), "{out}");
}
