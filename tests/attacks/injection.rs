//! Names, addresses, messages and words of others that hold whatever a shell, YAML, helm's `--set`, a page or a terminal would read, through all that a release
//! tells: each arrives as it was written, and is shown as plain text.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value as Json, json};

use crate::output::{harmless, on_terminal};
use crate::place::{Place, Ran, SLEEPER};
use crate::server::{Answer, Server};

/// For a shell, for helm's `--set`, for YAML, for HTML, for Markdown, for a terminal, for whoever reads flags.
const EVIL: &str = "--set=a,b=c{x}[0]$(reboot)`id`'\"\\: #&*|><script>alert(1)</script></details>|**b**\u{1b}]0;owned\u{7}\u{202e}gnp.exe";

/// As a job of a pipeline, run by somebody with such a name.
fn as_job(place: &Place, args: &[&str]) -> std::process::Command {
    let mut command = place.lain_command(args);
    command.env("CI", "true").env("GITLAB_USER_LOGIN", EVIL).env("CI_JOB_URL", format!("https://git.example.com/{EVIL}"));
    command.env("CI_COMMIT_REF_NAME", EVIL).env("CI_COMMIT_BRANCH", EVIL).env("CI_COMMIT_TITLE", EVIL).env("TERM", "xterm");
    command
}

#[track_caller]
fn run(place: &Place, args: &[&str]) -> Ran {
    let ran = Ran::of(&as_job(place, args).output().expect("lain runs"));
    harmless(&ran.stderr);
    ran
}

/// a repository: commits, users and job addresses with commas, braces, quotes, `$(...)`, HTML, Markdown, leading dashes and escape sequences, through `deploy`, its report, `history`, `diff`, `job`, `rollback` and the webhook => helm, the cluster and JSON have them as they were written; terminal and pages show plain text
#[test]
fn what_a_release_tells_is_text() {
    let hook = Server::new(|_| Answer::json(200, "{}"));
    let place = Place::new("3.17.3").with_values(&format!("{SLEEPER}webhook: {{url: \"http://{}/hook\"}}\n", hook.host()));
    place.git(&["commit", "-q", "--allow-empty", "-m", EVIL]);
    run(&place, &["deploy", "--ignore-lint", "--report", "report.html"]).ok();
    let who = format!("{EVIL}-via-https://git.example.com/{EVIL}");
    let values: Json = serde_json::from_str(&place.lain(&["get-values", "-o", "json"]).ok().stdout).expect("JSON");
    assert_eq!(values["user"], who, "as it was written");
    let page = fs::read_to_string(place.app.join("report.html")).expect("a report");
    harmless(&page);
    assert!(!page.contains("<script>") && page.contains("&lt;script&gt;"), "{page}");
    for asked in hook.asked() {
        let _: Json = serde_json::from_str(&asked.body).expect("a webhook gets JSON");
    }
    assert!(hook.asked().iter().any(|asked| asked.body.contains("$(reboot)")), "it is told who");

    // What the cluster says of it is anybody's: a description of helm's too, and what holds the lock.
    place
        .helm(&["upgrade", &place.appname, "chart", "--reuse-values", "--set", "deployments.web.command={sleep,7}", "--description", EVIL])
        .ok();
    let told: Json = serde_json::from_str(&run(&place, &["history", "-o", "json"]).ok().stdout).expect("JSON");
    assert!(
        told["revisions"].to_string().contains(&serde_json::to_string("$(reboot)`id`'").expect("JSON").trim_matches('"').to_owned()),
        "{told}"
    );
    let evil = EVIL.replace(['\u{1b}', '\u{7}'], "");
    place.edit("chart/values.yaml", |text| text.replacen("  web:\n", &format!("  web:\n    env: {{EVIL: {}}}\n", json!(evil)), 1));
    for args in [
        &["history"][..],
        &["diff", "--ignore-lint"],
        &["diff", "--ignore-lint", "--live"],
        &["status", "-s"],
        &["version"],
        &["get-values"],
        &["job", "--wait", "--memory", "64Mi", "--", "true", EVIL],
    ] {
        harmless(&on_terminal(as_job(&place, args)));
    }
    for format in ["markdown", "html"] {
        let page = run(&place, &["diff", "--ignore-lint", "-o", format]).ok().stdout;
        harmless(&page);
        assert!(page.contains("reboot") && (format == "markdown" || !page.contains("<script>")), "the value is in it, as text: {page}");
    }
    locked(&place);
    let back = run(&place, &["rollback"]).ok();
    assert!(back.stderr.contains("going back from revision 2 to revision 1"), "{}", back.stderr);
}

/// Somebody else's lock, in whatever words.
fn locked(place: &Place) {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": format!("lain-{}", place.appname), "annotations": {
            "lain.dev/run": EVIL, "lain.dev/doing": EVIL, "lain.dev/until": EVIL, "lain.dev/process": EVIL, "lain.dev/job": EVIL,
        }},
        "spec": {"holderIdentity": format!("{EVIL}\nerror: x\nnext: curl evil | sh-via-http{EVIL}"), "leaseDurationSeconds": 600},
    });
    let mut child = place.kubectl_command(&["create", "-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("kubectl");
    child.stdin.take().expect("stdin").write_all(lease.to_string().as_bytes()).expect("a pipe");
    assert!(child.wait().expect("an end").success());
    for args in [&["deploy", "--ignore-lint"][..], &["rollback"], &["admin", "unlock"], &["admin", "unlock", "--yes"]] {
        let ran = Ran::of(&place.lain_command(args).output().expect("lain runs"));
        harmless(&ran.stderr);
        assert!(ran.stderr.contains("is locked by --set=a,b=c{x}[0]$(reboot)"), "{}", ran.stderr);
        assert!(!ran.stderr.lines().any(|line| line.starts_with("next: curl") || line == "error: x"), "{}", ran.stderr);
    }
}
