//! A canary from its beginning to both of its ends.

use crate::support::{HELM, Place, Ran};

const VALUES: &str = "\
deployments:
  web:
    image: python:3.13-slim
    imagePullPolicy: IfNotPresent
    command: [sleep, \"1000\"]
    replicaCount: 1
    containerPort: 8080
    terminationGracePeriodSeconds: 1
ingresses: [{host: shop, deployName: web}]
canaryGroups:
  staff: {nginx.ingress.kubernetes.io/canary-by-header: canary, nginx.ingress.kubernetes.io/canary-by-header-value: \"yes\"}
  ten: {nginx.ingress.kubernetes.io/canary-weight: \"10\"}
";

fn goes_its_way(helm: &str) {
    let place = Place::new(helm).with_values(VALUES);
    let app = &place.appname;
    let canary = format!("{app}-canary");
    let deploy = ["deploy", "--ignore-lint"];
    let begin = ["deploy", "--canary", "--ignore-lint"];
    let annotations = || {
        let all = place.field(&format!("ingress/shop-rig-example-com-{canary}-web"), "{.metadata.annotations}");
        let all: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&all).expect("a map");
        let own = all
            .into_iter()
            .filter_map(|(key, value)| Some(format!("{}={}", key.strip_prefix("nginx.ingress.kubernetes.io/canary")?, value.as_str()?)));
        own.collect::<Vec<_>>().join(" ")
    };
    place.lain(&begin).exits(3).says(&format!("a canary runs beside its app, and {app} is not deployed")).says("next: lain deploy");
    place.lain(&deploy).ok();
    place.lain(&["set-canary-group", "staff"]).exits(3).says("no canary of ").says("next: lain deploy --canary");
    let ran = place.lain(&begin).ok().says(&format!("deployed {canary} with image tag"));
    ran.says("next: lain set-canary-group staff").says("next: lain set-canary-group ten").says("--abort # takes it away");
    assert_eq!(annotations(), "=true", "nobody gets it yet");
    for args in [&deploy[..], &["redeploy"]] {
        let ran = place.lain(args).exits(3).says(&format!("a canary of {app} is under way ({canary}, by tester): it ends first"));
        ran.says("next: lain set-canary-group --final").says("next: lain set-canary-group --abort");
    }

    place.lain(&["set-canary-group", "stuff"]).exits(2).says("there are: staff, ten").says("next: lain set-canary-group staff");
    place.lain(&["set-canary-group"]).exits(2);
    place.lain(&["set-canary-group", "staff"]).ok().says("the canary gets the traffic of group staff");
    assert_eq!(annotations(), "=true -by-header=canary -by-header-value=yes");
    place.lain(&["set-canary-group", "ten"]).ok();
    assert_eq!(annotations(), "=true -weight=10", "what the group before said is gone");

    let eve = |args: &[&str]| Ran::of(&place.lain_command(args).env("USER", "eve").output().expect("lain runs"));
    for args in [&["set-canary-group", "staff"][..], &["set-canary-group", "--abort"], &["set-canary-group", "--final"], &begin] {
        eve(args).exits(3).says("was started by tester, and is not to be touched by eve").says("--force");
    }
    eve(&["set-canary-group", "ten", "--force"]).ok();
    // A job of the same person is the same person.
    let job = |args: &[&str]| {
        let mut command = place.lain_command(args);
        command.env("CI", "true").env("GITLAB_USER_LOGIN", "tester").env("CI_JOB_URL", "https://git.example.com/jobs/8");
        Ran::of(&command.output().expect("lain runs"))
    };
    job(&["set-canary-group", "--abort"]).ok().says("the canary is gone");
    let releases = || place.helm(&["list", "--short"]).ok().stdout;
    assert_eq!(releases(), format!("{app}\n"));

    place.commit("the next");
    place.lain(&begin).ok();
    place.lain(&begin).ok(); // once more, by the same
    let tag = place.lain(&["meta"]).ok().stdout.trim().to_owned();
    place.commit("not what was tried");
    place.lain(&["set-canary-group", "--final"]).ok().says(&format!("image tag {tag}; the canary is gone"));
    assert_eq!(releases(), format!("{app}\n"));
    let values = place.helm(&["get", "values", app, "-o", "json"]).ok().stdout;
    assert!(values.contains(&format!("\"imageTag\":\"{tag}\"")), "{values}");

    // An app takes its canary along.
    place.lain(&begin).ok();
    place.lain(&["delete", "--yes"]).ok().says(&format!("its canary {canary} goes with it"));
    assert_eq!(releases(), "");
    assert_eq!(place.kubectl(&["get", "leases", "-o", "name"]).ok().stdout, "");
}

#[test]
fn a_canary_goes_its_way() {
    goes_its_way("3.17.3");
}

#[test]
fn a_canary_goes_its_way_with_helm_4() {
    goes_its_way("4.3.1");
}

/// It is changed under its app's lock: whoever takes that over knows that what the dead run left of the canary is cut off.
#[test]
fn a_canary_that_was_killed_leads_on() {
    let hook = "jobs: {migrate: {image: python:3.13-slim, imagePullPolicy: IfNotPresent, command: [sleep, \"SECONDS\"], annotations: {helm.sh/hook: pre-install}}}\n";
    let place = Place::new(HELM).with_values(&format!("{VALUES}{hook}"));
    let canary = format!("{}-canary", place.appname);
    let begin = |seconds: &str| {
        ["deploy", "--canary", "--ignore-lint", "--auto-pilot", "--set"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("jobs.migrate.command={{sleep,{seconds}}}")])
            .collect::<Vec<_>>()
    };
    place.lain(&["deploy", "--ignore-lint", "--set", "jobs.migrate.command={true}"]).ok();
    let words = begin("100");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    place.kill_in_install(&words, &canary);
    let words = begin("0");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    place.lain(&words).ok().says("was left behind by tester").says(&format!("deployed {canary}"));
    place.lain(&["set-canary-group", "--abort"]).ok();
}
