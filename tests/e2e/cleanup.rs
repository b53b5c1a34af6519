//! What `lain admin` takes away, on a real cluster: images of a real registry, reviews of merge requests.

use std::fs;

use serde_json::{Value as Json, json};

use crate::registry::Registry;
use crate::server::{Answer, Asked, Server};
use crate::support::{HELM, Place};

/// No pod starts, so nothing is waited for.
const VALUES: &str = "\
build: {base: python:3.13-slim, script: [\"true\"]}
cronjobs:
  nightly: {schedule: \"0 1 1 1 *\", command: [\"true\"], suspend: true}
";

fn commit(number: u64) -> String {
    format!("{}-{number:040x}", 1_700_000_000 + number)
}

#[test]
fn images_that_a_cron_job_and_helm_know_stay() {
    let registry = Registry::plain();
    let place = Place::new(HELM).with_values(VALUES);
    let values = format!("registry: {}/team\nnamespace: {}\n", registry.host(), place.namespace);
    fs::write(place.root.path().join("clusters/values-test.yaml"), values).expect("cluster values");
    let repository = format!("team/{}", place.appname);
    for number in 0..5 {
        registry.put(&repository, &commit(number));
    }
    for number in [1, 3] {
        place.lain(&["deploy", "--ignore-lint", "--set", &format!("imageTag={}", commit(number))]).ok();
    }
    // Records of other tests may be broken on purpose: what is seen stays all the same.
    let ran = place.lain(&["admin", "cleanup-registry", "--keep", "1", "--yes", "--force", "-o", "json"]).ok();
    let answer: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    let images = answer["repositories"][0]["images"].as_array().expect("images").iter();
    let gone: Vec<String> = images.map(|image| image["tags"][0].as_str().expect("a tag").to_owned()).collect();
    assert_eq!(gone, [commit(0), commit(2)], "{}", ran.stderr);
    let left = place.lain(&["tags"]).ok().stdout;
    assert!([1, 3, 4].iter().all(|number| left.contains(&commit(*number))) && left.lines().count() == 3, "{left}");
}

#[test]
fn reviews_of_closed_merge_requests_go() {
    let gitlab = Server::new(|asked: &Asked| {
        let request = |state: &str| {
            Answer::json(
                200,
                &json!({"iid": 1, "state": state, "author": {"id": 1, "username": "ann", "name": "Ann", "state": "active"}}).to_string(),
            )
        };
        match asked.target.strip_prefix("/api/v4/projects/team%2Fshop/merge_requests/") {
            _ if asked.header("private-token") == Some("narrow") => Answer::json(403, r#"{"error":"insufficient_scope"}"#),
            _ if asked.header("private-token").is_none() => Answer::json(404, r#"{"message":"404 Not found"}"#),
            Some("1") => request("merged"),
            Some("2") => request("opened"),
            Some("3") => request("closed"),
            _ => Answer::json(404, r#"{"message":"404 Not found"}"#),
        }
    });
    let address = format!("http://{}/api/v4", gitlab.host());
    let place = Place::new(HELM).with_values(VALUES).with_env("CI_API_V4_URL", &address).with_env("CI_PROJECT_PATH", "team/shop");
    let app = place.appname.clone();
    for review in ["mr-1", "mr-2", "mr-3", "mr-9", "by-hand"] {
        place.lain(&["deploy", "--ignore-lint", "--set", "imageTag=1", "--review", review]).ok();
    }
    place.lain(&["deploy", "--ignore-lint", "--set", "imageTag=1"]).ok();

    let cleanup = |more: &[&str]| {
        [&["--silent", "admin", "cleanup-reviews", "--app", &app], more].concat().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let run = |token: Option<(&str, &str)>, more: &[&str]| {
        let words = cleanup(more);
        let mut command = place.lain_command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.current_dir(place.root.path()).envs(token);
        crate::support::Ran::of(&command.output().expect("lain runs"))
    };
    let token = Some(("GITLAB_API_TOKEN", "glpat-full"));
    // Nobody is deleted whose merge request cannot be read.
    run(None, &["--yes"]).exits(2).says("there is no token for GitLab");
    run(Some(("CI_JOB_TOKEN", "glcbt-64")), &["--yes"]).exits(1).says("a job's token (CI_JOB_TOKEN) may not do that");
    run(Some(("GITLAB_API_TOKEN", "narrow")), &["--yes"]).exits(1).says("lacks the scope `read_api`");
    let shown = run(token, &["--dry-run"]).ok().stdout;
    let row = |review: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(&format!("{review} ")))
            .unwrap_or_default()
            .split_whitespace()
            .skip(2)
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        ["mr-1", "mr-2", "mr-3", "mr-9", "by-hand"].map(row),
        [
            "!1 merged goes",
            "!2 opened stays",
            "!3 closed goes",
            "!9 is not there, or may not be seen stays",
            "its name tells of none stays"
        ],
        "{shown}"
    );
    run(token, &[]).exits(3).says("There is no terminal to ask at").says(&format!("next: lain admin cleanup-reviews --app {app} --yes"));
    let releases = || {
        let mut all: Vec<String> = place.helm(&["list", "--short"]).ok().stdout.lines().map(|line| line.replacen(&app, "A", 1)).collect();
        all.sort();
        all
    };
    assert_eq!(releases().len(), 6);
    let done = run(token, &["--yes", "-o", "json"]).ok();
    let answer: Json = serde_json::from_str(&done.stdout).expect("JSON");
    let outcomes = answer["reviews"].as_array().expect("reviews").iter().filter(|it| it["outcome"] == "deleted").count();
    assert_eq!((outcomes, releases()), (2, ["A", "A-by-hand", "A-mr-2", "A-mr-9"].map(str::to_owned).to_vec()), "{}", done.stderr);
    let secrets = place.kubectl(&["get", "secrets", "-l", "lain.dev/review", "-o", "name"]).ok().stdout;
    assert!(!secrets.contains("-mr-1-") && !secrets.contains("-mr-3-") && secrets.contains("-mr-2-"), "{secrets}");
    run(token, &["--yes"]).ok();
}
