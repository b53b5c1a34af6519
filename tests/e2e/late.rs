//! Pipelines that come late: an older commit after a newer one, and a job whose time is nearly over.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{HELM, Place, Ran, SLEEPER};

#[test]
fn an_older_commit_does_not_undo_a_newer_one() {
    let place = Place::new(HELM).with_values(SLEEPER);
    let args = ["deploy", "--ignore-lint", "--refuse-older"];
    place.lain(&args).ok();
    place.commit("the second");
    place.lain(&args).ok();
    place.lain(&args).ok(); // the same again
    place.git(&["checkout", "-q", "HEAD~1"]);
    let ran = place.lain(&args).exits(3).says("runs a newer commit than this one").says("`the second`").says("`the app`");
    ran.says("next: lain deploy # without --refuse-older").says("next: lain rollback");
    // Side by side: the time tells.
    place.git(&["-c", "user.name=T", "commit", "-q", "--allow-empty", "--date", "2001-01-01T00:00:00Z", "-m", "aside"]);
    place.lain(&args).ok();
    place.lain(&["deploy", "--ignore-lint"]).ok();
    place.lain(&[&args[..], &["--set", "imageTag=v1"]].concat()).ok().says("do not both name a commit, so nothing is compared");
}

/// lain in a job that the runner ends so many seconds from now on.
fn in_job(place: &Place, seconds: u64, args: &[&str]) -> Ran {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    // Begun long ago.
    let started = jiff::Timestamp::from_second(i64::try_from(now).expect("a time") - 3600 + i64::try_from(seconds).expect("a time"));
    let started = started.expect("a time").strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut command = place.lain_command(args);
    command.env("CI", "true").env("CI_JOB_STARTED_AT", started).env("CI_JOB_TIMEOUT", "3600");
    Ran::of(&command.output().expect("lain runs"))
}

#[test]
fn helms_tests_end_a_minute_before_their_job() {
    let test = SLEEPER.replace("deployments:", "tests:").replace("web:", "smoke:").replace("    replicaCount: 1\n", "");
    let place = Place::new(HELM).with_values(&test);
    let ran = in_job(&place, 85, &["deploy", "--ignore-lint"]).exits(1).says("is deployed, but its tests fail");
    ran.says("(CI_JOB_TIMEOUT), and lain a minute before").says("next: timeout: 1h").says("next: lain logs");
    assert!(!place.field(&format!("pod/{}-smoke", place.appname), "{.metadata.uid}").is_empty(), "it ran");
}

#[test]
fn it_ends_a_minute_before_its_job() {
    let nightly = "cronjobs:\n  nightly: {schedule: \"0 3 1 1 *\", image: \"python:3.13-slim\", imagePullPolicy: IfNotPresent, command: [sleep, \"200\"]}\n";
    let place = Place::new(HELM).with_values(&format!("{nightly}{SLEEPER}"));
    place.lain(&["deploy", "--ignore-lint"]).ok();
    let probe = "    readinessProbe: {exec: {command: [\"false\"]}}\n";
    place.edit("chart/values.yaml", |text| text + probe);
    let job = |seconds: u64, args: &[&str]| in_job(&place, seconds, args);
    let args = ["deploy", "--ignore-lint", "--rollback-on-failure"];
    job(65, &args).exits(3).says("(CI_JOB_TIMEOUT), too soon to begin: nothing was changed").says("next: timeout: 1h");
    let ran = job(140, &args).exits(1).says(" s are left for this, which ends a minute before").says("helm went back to revision 1");
    ran.says("next: timeout: 1h # of the job in .gitlab-ci.yml");
    assert!(place.helm(&["history", &place.appname]).ok().stdout.trim_end().ends_with("Rollback to 1"));
    // Without going back it waits for the pods by itself, and so does `lain wait`.
    job(100, &args[..2]).exits(1).says("not ready after").says("next: timeout: 1h");
    let bound = "(CI_JOB_TIMEOUT), and lain a minute before";
    job(75, &["wait"]).exits(1).says("not ready after").says(bound).says("next: timeout: 1h");
    let ran = job(80, &["restart", "--graceful"]).exits(1).says("stopped at pod ").says(bound);
    assert_eq!(ran.stderr.matches("next: timeout: 1h").count(), 1, "{}", ran.stderr);
    job(65, &["restart", "--graceful"]).exits(3).says("too soon to begin: nothing was changed");
    // What was begun in the cluster is not undone: it runs on, as after Ctrl-C.
    let runs = [&["job", "--wait", "--", "sleep", "200"][..], &["create-job", "nightly"]];
    std::thread::scope(|scope| {
        for args in runs {
            scope.spawn(|| {
                let ran = in_job(&place, 80, args).exits(1).says(" is not done after ").says(bound).says("goes on without lain");
                ran.says("next: kubectl logs --follow job/").says("next: kubectl delete job ");
            });
        }
    });
    assert!(!place.kubectl(&["get", "jobs", "--selector", "lain.dev/run", "-o", "name"]).ok().stdout.is_empty());
    for args in [&["job", "--wait", "--", "sleep", "201"][..], &["create-job", "nightly"]] {
        job(65, args).exits(3).says("too soon to begin: nothing was changed");
    }
    // The pods of the revision before never become ready.
    place.edit("chart/values.yaml", |text| text.replace(probe, ""));
    place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
    job(65, &["rollback"]).exits(3).says("too soon to begin: nothing was changed");
    let ran = job(80, &["rollback", "--wait"]).exits(1).says(" s are left for this, which ends a minute before").says("not ready after");
    ran.says(bound).says("next: timeout: 1h");
}
