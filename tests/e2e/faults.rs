//! What goes wrong in a cluster: each ends soon, with one reason, and leaves nothing behind.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{HELM, Place, SLEEPER};

/// Starts lain, waits until its stderr shows `words`, sends `signal`, and returns its end.
fn interrupt(place: &Place, args: &[&str], words: &str, signal: &str) -> (i32, String) {
    let log = place.root.path().join("interrupted.log");
    let file = fs::File::create(&log).expect("a log");
    let mut child = place.lain_command(args).stdout(Stdio::null()).stderr(file).spawn().expect("lain runs");
    let end = Instant::now() + Duration::from_secs(120);
    while !fs::read_to_string(&log).unwrap_or_default().contains(words) {
        assert!(Instant::now() < end, "`{words}` never came:\n{}", fs::read_to_string(&log).unwrap_or_default());
        assert!(child.try_wait().expect("state").is_none(), "lain ended early:\n{}", fs::read_to_string(&log).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
    let end = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(status) = child.try_wait().expect("state") {
            return (status.code().unwrap_or(-1), fs::read_to_string(&log).unwrap_or_default());
        }
        assert!(Instant::now() < end, "lain did not end after {signal}:\n{}", fs::read_to_string(&log).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn ctrl_c_in_a_build_leaves_no_file() {
    let place = Place::new(HELM).with_dummy();
    place.edit("chart/values.yaml", |text| text.replace("    - pip3 install -r requirements.txt", "    - sleep 300"));
    place.edit("Dockerfile", |_| "FROM scratch\n# mine\n".to_owned());
    place.commit("a slow build");
    for signal in ["-INT", "-TERM"] {
        let before = place.files();
        let (code, log) = interrupt(&place, &["build"], "sleep 300", signal);
        assert_eq!(code, 130, "{log}");
        assert!(log.trim_end().ends_with("error: interrupted"), "{log}");
        assert_eq!(place.files(), before);
        assert_eq!(fs::read_to_string(place.app.join("Dockerfile")).expect("Dockerfile"), "FROM scratch\n# mine\n");
    }
}

#[test]
fn a_killed_deploy_is_recognised_and_mended() {
    let place = Place::new(HELM).with_dummy();
    let app = place.appname.clone();
    place.lain(&["deploy", "--build", "--wait"]).ok();
    // A hook that takes long, so that helm can be caught at work.
    place.edit("chart/values-test.yaml", |text| {
        text + "jobs:\n  slow:\n    annotations: {\"helm.sh/hook\": pre-upgrade, \"helm.sh/hook-delete-policy\": before-hook-creation}\n    command: [sleep, \"300\"]\n"
    });
    let (code, log) = interrupt(&place, &["deploy"], &format!("job/{app}-slow: running"), "-INT");
    assert_eq!(code, 130, "{log}");
    assert!(log.contains("may be half-way") && log.contains("lain rollback"), "what is left in the cluster is said: {log}");
    place.kubectl(&["delete", "job", "--all", "--wait=true"]).ok();

    // helm killed the hard way leaves pending-upgrade behind.
    let mut child = place.lain_command(&["deploy", "--auto-pilot"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lain runs");
    let job = format!("job/{app}-slow");
    let end = Instant::now() + Duration::from_secs(60);
    while place.kubectl(&["get", &job, "-o", "name"]).code != 0 {
        assert!(Instant::now() < end, "the hook never started");
        std::thread::sleep(Duration::from_millis(200));
    }
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    let all: Vec<String> = fs::read_dir(format!("/proc/{}/task", child.id()))
        .expect("tasks")
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "helm"))
        .collect();
    assert!(!all.is_empty(), "helm runs below lain ({children})");
    for pid in &all {
        let _ = Command::new("kill").args(["-9", pid]).status();
    }
    assert_eq!(child.wait().expect("lain ends").code(), Some(1));
    assert!(place.helm(&["status", &app]).ok().stdout.contains("pending-upgrade"));

    place.kubectl(&["delete", "job", "--all", "--wait=true"]).ok();
    fs::remove_file(place.app.join("chart/values-test.yaml")).expect("values-test.yaml");
    place.lain(&["deploy"]).exits(3).says("is stuck in pending-upgrade").says("lain deploy --auto-pilot");
    place.lain(&["deploy", "--auto-pilot", "--wait"]).ok().says("going back first");
    assert!(place.helm(&["status", &app]).ok().stdout.contains("deployed"));
}

#[test]
fn a_first_install_that_was_killed_leads_on() {
    let place = Place::new(HELM).with_dummy();
    let app = place.appname.clone();
    place.edit("chart/values.yaml", |text| {
        text.replace("print('nothing to migrate')", "import time; time.sleep(100)").replace("post-install,", "pre-install,")
    });
    place.commit("a slow migration");
    place.lain(&["build", "--push"]).ok();
    place.kill_in_install(&["deploy", "--timeout", "5s"], &app);
    let end = Instant::now() + Duration::from_secs(90);
    let said = loop {
        let ran = place.lain(&["rollback"]);
        if !ran.stderr.contains("it counts as cut off") {
            break ran.exits(3).stderr;
        }
        assert!(Instant::now() < end, "it never counts as cut off");
        std::thread::sleep(Duration::from_secs(1));
    };
    // There is nothing to go back to, and what is said next goes on.
    assert!(said.contains("next: lain deploy --auto-pilot") && !said.contains("next: lain rollback"), "{said}");
    place.edit("chart/values.yaml", |text| text.replace("time.sleep(100)", "time.sleep(0)"));
    place.commit("a quick migration");
    place.lain(&["build", "--push"]).ok();
    place.lain(&["deploy", "--auto-pilot"]).ok();
    assert!(place.helm(&["status", &app]).ok().stdout.contains("STATUS: deployed"));
}

#[test]
fn a_deploy_whose_lain_was_killed_is_left_to_its_end() {
    let place = Place::new(HELM).with_dummy();
    let app = place.appname.clone();
    place.edit("chart/values.yaml", |text| {
        text.replace("print('nothing to migrate')", "import time; time.sleep(10)").replace("post-install,", "pre-install,")
    });
    place.commit("a slow migration");
    place.lain(&["build", "--push"]).ok();
    let mut child = place.lain_command(&["deploy"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("lain runs");
    let end = Instant::now() + Duration::from_secs(60);
    while !place.helm(&["status", &app]).stdout.contains("pending-install") {
        assert!(Instant::now() < end, "helm never began");
        std::thread::sleep(Duration::from_millis(200));
    }
    child.kill().expect("kill -9");
    child.wait().expect("an end");
    // helm goes on without lain: nobody may take its work away.
    place
        .lain(&["deploy", "--auto-pilot"])
        .exits(3)
        .says("is being deployed by tester since")
        .says("it counts as cut off")
        .never_says("rollback");
    let end = Instant::now() + Duration::from_secs(60);
    while !place.helm(&["status", &app]).stdout.contains("STATUS: deployed") {
        assert!(Instant::now() < end, "helm never ended");
        std::thread::sleep(Duration::from_millis(200));
    }
    place.lain(&["deploy", "--wait"]).ok();
}

#[test]
fn an_image_that_cannot_be_pulled_ends_the_wait_early() {
    let place = Place::new(HELM).with_dummy();
    place.edit("chart/values.yaml", |text| {
        text.replacen("  web:\n", &format!("  web:\n    image: {}/nothing:here\n", Place::registry()), 1)
    });
    place.commit("a foreign image");
    let started = Instant::now();
    let ran = place.lain(&["deploy", "--build", "--wait"]).exits(1).says("cannot become ready").says("ImagePull");
    assert!(started.elapsed() < Duration::from_secs(280), "it waited for its timeout: {}", ran.stderr);
}

#[test]
fn pods_of_the_template_before_fail_no_rollout() {
    let place = Place::new(HELM).with_dummy();
    let web = format!("{}-web", place.appname);
    place.edit("chart/values.yaml", |text| {
        let script = "test $MODE != bad || { echo this mode is bad; exit 3; }; exec /lain/app/run.py";
        let text = text.replace("command: [\"/lain/app/run.py\"]", &format!("command: [sh, -c, \"{script}\"]"));
        text.replace("post-install,pre-upgrade", "post-install") // the crash loop must not be over before the rollout begins
    });
    fs::remove_file(place.app.join("chart/values-test.yaml")).expect("values-test.yaml");
    place.commit("a mode");
    place.lain(&["env", "add", "MODE=good"]).ok();
    place.lain(&["deploy", "--build", "--wait"]).ok();
    place.lain(&["env", "add", "MODE=bad"]).ok();
    place.lain(&["restart", "--wait"]).exits(1).says("this mode is bad").says("CrashLoopBackOff");
    let old = place.field("pods", "{.items[*].status.containerStatuses[?(@.state.waiting.reason==\"CrashLoopBackOff\")].restartCount}");
    assert!(old.trim().parse::<u32>().is_ok_and(|restarts| restarts >= 3), "one pod crashes again and again: {old}");

    // The Secret is mended: the image is as before, the template is not, and the pod before waits for its next crash.
    place.lain(&["env", "add", "MODE=better"]).ok();
    let ran = place.lain(&["redeploy", "--wait"]).ok();
    assert!(ran.stderr.contains(&format!("deployment/{web}: 1/1 ready")), "{}", ran.stderr);
    assert_eq!(place.lain(&["x", "web", "--", "printenv", "MODE"]).ok().stdout, "better\n");
}

#[test]
fn waiting_for_nothing_is_an_error() {
    let place = Place::new(HELM).with_values(SLEEPER);
    place.lain(&["use", "test"]).ok();
    place.lain(&["wait"]).exits(1).says("there is nothing to wait for").says("next: lain deploy");
    place.lain(&["deploy", "--ignore-lint", "--wait"]).ok();
    let app = place.appname.clone();
    let near = format!("{app}y");
    place.lain(&["wait", &near]).exits(1).says(&format!("no app `{near}`")).says(&app).says(&format!("next: lain wait {app}"));
    place.lain(&["wait", "other"]).exits(1).says("no app `other`").says(&app);
    place.lain(&["wait", &app]).ok().says("everything is ready");
    // What selects pods alone waits for these.
    place.lain(&["wait", "--selector", &format!("app.kubernetes.io/instance={app}-web")]).ok().says("everything is ready");
    place.lain(&["wait", "--selector", "tier=none"]).exits(1).says("tier=none").says("there is nothing to wait for");
}

#[test]
fn a_crash_loop_shows_its_log() {
    let place = Place::new(HELM).with_dummy();
    place.edit("chart/values.yaml", |text| {
        text.replace("command: [\"/lain/app/run.py\"]", "command: [sh, -c, \"echo no database here; exit 3\"]")
    });
    fs::remove_file(place.app.join("chart/values-test.yaml")).expect("values-test.yaml");
    place.commit("it crashes");
    // A first release: there is none to go back to.
    place
        .lain(&["deploy", "--build", "--wait"])
        .exits(1)
        .says("no database here")
        .says("CrashLoopBackOff")
        .says("no release before this one")
        .never_says("lain rollback");
    // The cluster's budget says how long a crash loop is borne.
    let cluster = place.root.path().join("clusters/values-test.yaml");
    let plain = fs::read_to_string(&cluster).expect("the cluster's values");
    let budget = |budget: &str| fs::write(&cluster, format!("{plain}progress_budget: {budget}\n")).expect("a budget");
    budget("20m");
    place.lain(&["wait", "--timeout", "5s"]).exits(1).says("not ready after 5 s");
    budget("1s");
    place.lain(&["wait"]).exits(1).says("cannot become ready: CrashLoopBackOff").says("no database here");
    budget("soon");
    place.lain(&["wait"]).exits(1).says("values-test.yaml:5:18").says("`soon` is no duration");
}

#[test]
fn a_failed_hook_shows_its_log() {
    let place = Place::new(HELM).with_dummy();
    place.edit("chart/values-test.yaml", |text| text + "jobs:\n  migrate:\n    annotations: {\"helm.sh/hook\": \"pre-install,pre-upgrade\"}\n    command: [sh, -c, \"echo table is locked; exit 4\"]\n");
    place.commit("a migration that fails");
    place.lain(&["deploy", "--build"]).exits(1).says("table is locked");
}

#[test]
fn a_mounted_file_that_no_secret_holds_is_named() {
    let place = Place::new(HELM).with_dummy();
    place.edit("chart/values.yaml", |text| text.replace("topsecret.txt", "other.conf"));
    place.commit("another file");
    place.lain(&["deploy", "--build"]).exits(3).says("other.conf").says("lain secret add other.conf");
}
