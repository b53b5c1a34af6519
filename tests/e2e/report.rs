//! What a deploy leaves for later: its result as JSON, and a page that a real browser shows.

use std::fs;

use jsonschema::draft202012;
use serde_json::Value as Json;

use crate::browser;
use crate::support::{Place, Ran};

const HELM: &str = "4.3.1";

const VALUES: &str = "deployments:\n  web:\n    image: python:3.13-slim\n    imagePullPolicy: IfNotPresent\n    terminationGracePeriodSeconds: 0\n    \
                      command: [sh, -c, \"sleep 1000\"]\n";

fn result(ran: &Ran) -> Json {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

#[test]
fn a_deploy_is_told_later_as_it_was() {
    let place = Place::new(HELM).with_values(VALUES);
    let schema: Json = serde_json::from_str(&place.lain(&["schema", "deploy"]).ok().stdout).expect("a schema");
    let schema = draft202012::new(&schema).expect("a schema");
    let report = place.root.path().join("report.html");
    let path = report.display().to_string();
    let json = place.root.path().join("report.json").display().to_string();
    let deploy = || place.lain(&["deploy", "--ignore-lint", "--wait", "-o", "json", "--report", &path, "--report", &json]);

    let ran = deploy().ok().says(&format!("report: {path}"));
    let good = result(&ran);
    assert!(schema.is_valid(&good), "{good:#}");
    assert_eq!(serde_json::from_str::<Json>(&fs::read_to_string(&json).expect("a report")).expect("JSON"), good);
    assert_eq!((&good["outcome"], &good["revision"], &good["namespace"]), (&"deployed".into(), &1.into(), &place.namespace.clone().into()));
    let names: Vec<&str> = good["phases"].as_array().expect("phases").iter().filter_map(|phase| phase["name"].as_str()).collect();
    assert_eq!(names, ["preparation", "image", "upgrade", "rollout", "message"]);
    let total = good["seconds"].as_f64().expect("seconds");
    for phase in good["phases"].as_array().expect("phases") {
        assert!(phase["at"].as_f64().zip(phase["seconds"].as_f64()).is_some_and(|(at, took)| at + took <= total), "{phase} of {total}");
    }
    let web = format!("deployment/{}-web", place.appname);
    let last = good["timeline"].as_array().and_then(|all| all.last()).expect("a timeline").clone();
    assert_eq!((&last["object"], &last["ready"], &last["wanted"]), (&web.clone().into(), &1.into(), &1.into()), "{last}");
    let (words, width) = browser::on_a_phone(place.root.path(), &fs::read_to_string(&report).expect("a report"), &[]).remove(0);
    assert!(words.contains(&format!("{} deployed", place.appname)) && words.contains(&format!("{web}: 1/1 ready")), "{words}");
    assert!(width <= 390, "it fits a phone: {width}\n{words}");

    place.lain(&["deploy", "--report", "nowhere/report.html"]).exits(2).says("no folder nowhere").says("next: mkdir -p nowhere");

    // A crash, whose log holds what a page must not take for its own.
    let wide = "x".repeat(300);
    place.edit("chart/values.yaml", |text| text.replace("sleep 1000", &format!("echo '<b>no database</b> {wide}'; exit 3")));
    place.commit("it crashes");
    let bad = result(&deploy().exits(1));
    assert!(schema.is_valid(&bad), "{bad:#}");
    assert_eq!((&bad["outcome"], &bad["revision"]), (&"failed".into(), &2.into()));
    assert!(bad["reason"].as_str().is_some_and(|reason| reason.contains("CrashLoopBackOff")), "{bad:#}");
    assert!(bad["next"].as_array().is_some_and(|next| next.iter().any(|hint| hint.as_str().is_some_and(|hint| hint.contains("rollback")))));
    assert!(bad["logs"][0]["text"].as_str().is_some_and(|log| log.contains("<b>no database</b>")), "{bad:#}");
    let (words, width) = browser::on_a_phone(place.root.path(), &fs::read_to_string(&report).expect("a report"), &[]).remove(0);
    assert!(words.contains("failed") && words.contains("<b>no database</b>") && words.contains("CrashLoopBackOff"), "{words}");
    assert!(width <= 390, "it fits a phone: {width}\n{words}");

    // Variables of a deploy that is not are not written.
    assert_eq!(place.lain(&["deploy", "--ignore-lint", "--wait", "-o", "dotenv"]).exits(1).stdout, "");
}
