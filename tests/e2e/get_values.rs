//! `lain get-values`: the audit questions are answered from helm's own record.

use crate::support::Place;

#[test]
fn says_what_a_release_was_deployed_with() {
    let place = Place::new("3.17.3").with_dummy();
    let app = place.appname.clone();
    place.lain(&["get-values"]).exits(1).says(&format!("there is no release {app} in namespace ")).says("next: lain deploy");
    place.lain(&["deploy", "--build", "--set", "deployments.web.env.WORD=one"]).ok();
    place.lain(&["deploy", "--set", "deployments.web.env.WORD=two"]).ok();
    let text = place.lain(&["get-values"]).ok().stdout;
    assert!(text.contains("\nimageTag: ") && text.contains("\nuser: tester\n") && text.contains("cluster: test\n"), "{text}");
    assert!(text.contains("WORD: two") && !text.contains("replicaCount"), "what was given, not what the chart has: {text}");
    assert!(place.lain(&["get-values", "--all"]).ok().stdout.contains("replicaCount"));
    let json = place.lain(&["get-values", &app, "--revision", "1", "-o", "json"]).ok().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["deployments"]["web"]["env"]["WORD"], "one");
    place.lain(&["get-values", "--revision", "9"]).exits(1).says("has no revision 9").says(&format!("next: helm history {app}"));
    place.lain(&["get-values", "-o", "dotenv"]).exits(2).says("dotenv");
    place.lain(&["get-values", "--", "--evil"]).exits(2).says("is no release name");
}
