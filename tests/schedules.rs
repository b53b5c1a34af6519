//! The schedule check says what a real API server says.

use std::io::Write;
use std::process::{Command, Stdio};

use lain::model::schedule::check;

const GOOD: &[&str] = &[
    "* * * * *",
    "0 3 * * *",
    "*/5 * * * *",
    "*/5 0-6,18-23 1,15 JAN-mar mon-FRI",
    "? ? ? ? ?",
    "5/10 * * * *",
    "0\t3  * * 0",
    " 0 3 * * * ",
    "+5 007 1 1 *",
    "1,,2 * * * *",
    ", * * * *",
    "*-9/2 * * * *",
    "*-x * * * *",
    "*/100 * * * *",
    "*/+3 * * * *",
    "1-1 * * * *",
    "0 0 31 2 *",
    "@yearly",
    "@annually",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
    "@every 1h30m",
    "@every 1.5h",
    "@every .5h",
    "@every 1.s",
    "@every 0",
    "@every -1s",
    "@every +1ms2us3ns",
    "@every 1\u{b5}s",
    "@every 2562047h47m16.854775807s",
];

const BAD: &[&str] = &[
    "",
    " ",
    "*",
    "* * * *",
    "0 * * * * *",
    "60 * * * *",
    "-1 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * 32 * *",
    "* * * 0 *",
    "* * * 13 *",
    "* * * * 7",
    "* * * * 5-7",
    "* * * * funday",
    "* * * * sunday",
    "* * mon * *",
    "jan * * * *",
    "*/0 * * * *",
    "*/-1 * * * *",
    "*/x * * * *",
    "*/ * * * *",
    "1/2/3 * * * *",
    "1-2-3 * * * *",
    "30-10 * * * *",
    "5- * * * *",
    "-5 * * * *",
    "50-70 * * * *",
    "a * * * *",
    "1_0 * * * *",
    "0x10 * * * *",
    "1.5 * * * *",
    "** * * * *",
    "*5 * * * *",
    "L * * * *",
    "99999999999999999999 * * * *",
    "\u{ff11} * * * *",
    "@dayly",
    "@Daily",
    "@daily ",
    "@reboot",
    "@every",
    "@every ",
    "@every 5",
    "@every 1 h",
    "@every  1h",
    "@every 1d",
    "@every 1h 30m",
    "@every .h",
    "@every -",
    "@every 9999999999h",
    "@every 2562047h47m16.854775808s",
    " @daily",
    "TZ=UTC 0 3 * * *",
    "CRON_TZ=Asia/Shanghai 0 3 * * *",
    "TZ=UTC",
];

#[test]
fn the_api_server_agrees() {
    let kubeconfig = std::env::var("LAIN_E2E_KUBECONFIG")
        .expect("LAIN_E2E_KUBECONFIG is not set: tests/rig/rig up && eval \"$(tests/rig/rig env)\", or run tests/run");
    let all: Vec<&str> = GOOD.iter().chain(BAD).copied().collect();
    let items: Vec<serde_json::Value> = all
        .iter()
        .enumerate()
        .map(|(at, schedule)| {
            let pod = serde_json::json!({"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]});
            serde_json::json!({"apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": {"name": format!("schedule-{at}-end")},
                "spec": {"schedule": schedule, "jobTemplate": {"spec": {"template": {"spec": pod}}}}})
        })
        .collect();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string();
    let mut kubectl = Command::new("kubectl")
        .args(["--kubeconfig", &kubeconfig, "-n", "default", "create", "--dry-run=server", "-o", "name", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl runs");
    kubectl.stdin.take().expect("stdin").write_all(list.as_bytes()).expect("written");
    let output = kubectl.wait_with_output().expect("kubectl ends");
    let (taken, refused) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for (at, schedule) in all.iter().enumerate() {
        let name = format!("schedule-{at}-end");
        let server = taken.contains(&name);
        assert!(server != refused.contains(&name), "the server says one thing about {schedule:?}\n{taken}\n{refused}");
        assert_eq!(check(schedule).is_ok(), server, "{schedule:?}: {:?}\n{refused}", check(schedule));
        assert_eq!(server, at < GOOD.len(), "{schedule:?} is in the wrong table\n{refused}");
    }
}
