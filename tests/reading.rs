//! What reads what runs (`logs`, `x`, `tags`, `version`), with programs that say what a test wants and write down what they are told. `tests/e2e` has the
//! real ones.

#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use server::{Answer, Server};
use support::App;

const VALUES: &str = "\
appname: shop
deployments:
  web: {command: [a]}
  worker: {command: [a]}
cronjobs:
  nightly: {command: [a], schedule: '0 3 * * *'}
";
const CLUSTER: &str = "registry: 127.0.0.1:1/team\nnamespace: shops\nkibana: kibana.example.com\n";

fn pod(name: &str, proc: &str, statuses: &[(&str, Json)]) -> Json {
    let named = |(name, state): &(&str, Json)| {
        let mut status = state.clone();
        status["name"] = json!(name);
        status
    };
    let containers: Vec<Json> = statuses.iter().map(|(name, _)| json!({"name": name})).collect();
    json!({"kind": "Pod", "metadata": {"name": name, "labels": {"app.kubernetes.io/instance": format!("shop-{proc}")}},
        "spec": {"containers": containers}, "status": {"phase": "Running", "containerStatuses": statuses.iter().map(named).collect::<Vec<_>>()}})
}

fn runs() -> Json {
    json!({"ready": true, "state": {"running": {}}})
}

fn waits(reason: &str) -> Json {
    json!({"state": {"waiting": {"reason": reason}}})
}

/// An app in a cluster with these objects: a kubectl that lists them, and a log of one line for each container that is asked for.
fn app(pods: &[Json], others: &[Json]) -> App {
    let list = |items: &[Json]| json!({"items": items}).to_string();
    let app = App::empty().values(VALUES).cluster("test", CLUSTER).using("test");
    let app = app.home_file("pods.json", &list(pods)).home_file("others.json", &list(others));
    let all: Vec<Json> = pods.iter().chain(others).cloned().collect();
    let app = app.home_file("all.json", &list(&all)).home_file("allowed", "true");
    // What is asked page by page is of one kind.
    let app = ["Deployment", "StatefulSet", "ReplicaSet", "Job", "CronJob", "Pod"].into_iter().fold(app, |app, kind| {
        let of: Vec<Json> = all.iter().filter(|it| it["kind"] == kind).cloned().collect();
        app.home_file(&format!("{}s.json", kind.to_lowercase()), &list(&of))
    });
    app.tools(&["cat"]).fake(
        "kubectl",
        r#"echo "$*" >> ~/told
        case "$*" in
            *proxy*) exit 1 ;;
            *version*) echo '{"clientVersion": {"gitVersion": "v1.31.0"}, "serverVersion": {"gitVersion": "v1.30.0"}}' ;;
            *--raw*/events\?*) echo '{"items": []}' ;;
            *--raw*limit=*) path=${*%%\?*}; cat ~/"${path##*/}.json" ;;
            *"get pods"*) cat ~/pods.json ;;
            *"get deployments,"*) cat ~/all.json ;;
            *"get cronjob"*) cat ~/cronjob 2>/dev/null || true ;;
            *"get events"*) echo '{"items": []}' ;;
            *create*selfsubject*) echo "{\"status\": {\"allowed\": $(cat ~/allowed)}}" ;;
            *logs*--prefix*) printf '[pod/shop-web-5c9f7d7b9c-x2x9z/web] one\n[pod/shop-worker-6d8f7d7b9c-abcde/worker] \033[31m数据库\n' ;;
            *logs*) echo one ;;
            *exec*"command -v bash"*) cat ~/shell; exit $(cat ~/shell-code) ;;
            *exec*) echo "it ran" ;;
        esac"#,
    )
}

/// What kubectl (or stern) was told, of the lines that hold a word.
fn told(app: &App, word: &str) -> Vec<String> {
    let text = std::fs::read_to_string(app.home().join("told")).unwrap_or_default();
    text.lines().filter(|line| line.contains(word)).map(str::to_owned).collect()
}

/// As on a terminal of so many columns: all that it shows.
fn on_terminal(app: &App, columns: u16, args: &[&str]) -> String {
    let mut lain = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    lain.args(args).env("TERM", "xterm-256color");
    let text = |text: &OsStr| text.to_str().expect("UTF-8").to_owned();
    let env: BTreeMap<String, String> = lain.get_envs().filter_map(|(name, value)| Some((text(name), text(value?)))).collect();
    let script = "import fcntl, json, os, pty, struct, sys, termios\npid, fd = pty.fork()\nif pid == 0:\n    \
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))\n    os.execve(sys.argv[3], sys.argv[3:], json.loads(sys.argv[2]))\n\
        while True:\n    try:\n        piece = os.read(fd, 65536)\n    except OSError:\n        break\n    if not piece:\n        break\n    sys.stdout.buffer.write(piece)\n\
        os.waitpid(pid, 0)";
    let mut under = Command::new(which::which("python3").expect("this test needs python3 on PATH"));
    under.args(["-c", script, &columns.to_string(), &serde_json::to_string(&env).expect("JSON")]);
    under.arg(lain.get_program()).args(lain.get_args()).current_dir(lain.get_current_dir().expect("a folder"));
    let out = under.output().expect("python runs");
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).replace("\r\n", "\n")
}

fn two() -> App {
    app(
        &[
            pod("shop-web-5c9f7d7b9c-x2x9z", "web", &[("web", runs())]),
            pod("shop-worker-6d8f7d7b9c-abcde", "worker", &[("worker", runs())]),
        ],
        &[],
    )
}

#[test]
fn logs_of_several_are_told_apart() {
    let app = two();
    // A pipe gets kubectl's own words; one container needs no name.
    let two_lines = "[pod/shop-web-5c9f7d7b9c-x2x9z/web] one\n[pod/shop-worker-6d8f7d7b9c-abcde/worker] \u{1b}[31m数据库";
    app.run(&["logs"]).exits(0).prints(two_lines).says("next: lain logs # of those that run now");
    let line = told(&app, "logs").pop().expect("a call");
    assert!(line.contains("--follow") && line.contains("--prefix") && line.contains("--tail 200") && !line.contains("--since"), "{line}");
    app.run(&["logs", "--since", "1h30m", "--no-follow"]).exits(0);
    let lines = told(&app, "--since 5400s");
    assert!(lines.len() == 2 && lines.iter().all(|line| line.contains("--tail=-1") && line.contains("--container")), "{lines:?}");
    app.run(&["logs", "--since", "10x"]).exits(2).says("`x` is no unit");
    app.run(&["logs", "--since", "0s"]).exits(2).says("there is nothing to read");

    // A terminal gets short names below each other, and a colour each.
    let shown = on_terminal(&app.env("NO_COLOR", ""), 80, &["logs", "--color", "always"]);
    let (web, worker) =
        ("\u{1b}[36mweb-5c9f7d7b9c-x2x9z |\u{1b}[0m one\n", "\u{1b}[32mworker-6d…7b9c-abcde |\u{1b}[0m \u{1b}[31m数据库\u{1b}[0m\n");
    assert!(shown.contains(web) && shown.contains(worker), "{shown:?}");
    let plain = on_terminal(&two(), 60, &["logs", "--color", "never"]);
    assert!(plain.contains("web-5c9…c-x2x9z | one\n") && plain.contains("worker-…c-abcde | "), "{plain}");
}

#[test]
fn logs_that_are_not_there_say_why() {
    let app = two();
    app.run(&["logs", "wep"]).exits(2).reason("there is no proc `wep`").next("lain logs web");
    app.run(&["logs", "database"]).exits(2).reason("there is no proc `database`; there are web, worker, nightly").next("lain logs");

    std::fs::write(app.home().join("allowed"), "false").expect("a file");
    app.run(&["logs"]).exits(1).reason("this account may not read logs in namespace shops (403)").next("lain logs --kibana");
    assert!(told(&app, "logs --").is_empty(), "kubectl is not even asked");

    let deployment = json!({"kind": "Deployment", "metadata": {"name": "shop-web"}, "spec": {"replicas": 0}});
    let idle = self::app(&[], &[deployment]);
    let ran = idle
        .run(&["logs", "web"])
        .exits(1)
        .reason("there are no pods to read logs of")
        .says("because: deployment/shop-web is scaled to 0 pods");
    ran.next("kubectl scale deployment/shop-web --replicas 1").says("next: lain logs web --kibana");
    std::fs::write(idle.home().join("cronjob"), json!({"kind": "CronJob", "metadata": {"name": "shop-nightly"}}).to_string())
        .expect("a file");
    idle.run(&["logs", "nightly"]).exits(1).says("http://kibana.example.com/").says("next: lain create-job nightly");
    for proc in ["web", "nightly"] {
        let none = self::app(&[], &[]).run(&["logs", proc]).exits(1);
        none.says(&format!("because: there is no shop-{proc} in namespace shops")).next("lain deploy");
    }

    let pulling = self::app(&[pod("shop-web-1", "web", &[("web", waits("ImagePullBackOff"))])], &[]);
    for args in [&["logs"][..], &["logs", "--no-follow"]] {
        pulling.run(args).exits(1).reason("no container has begun yet").says("because: pod/shop-web-1: ImagePullBackOff");
    }
    let some = self::app(&[pod("shop-web-1", "web", &[("web", runs()), ("mesh", waits("ErrImagePull"))])], &[]);
    some.run(&["logs", "--no-follow"]).exits(0).says("no log yet: shop-web-1/mesh (ErrImagePull)").prints("one");

    let crashed = json!({"restartCount": 3, "state": {"running": {}}});
    let some = self::app(&[pod("shop-web-1", "web", &[("web", crashed), ("mesh", runs())])], &[]);
    some.run(&["logs", "--previous"]).exits(0).says("without an earlier log: shop-web-1/mesh").prints("one");
}

#[test]
fn too_many_logs_are_counted_before() {
    let many: Vec<Json> = (0..19).map(|at| pod(&format!("shop-web-{at}"), "web", &[("web", runs())])).collect();
    let worker = pod("shop-worker-1", "worker", &[("worker", runs()), ("mesh", runs())]);
    let app = app(&[&many[..], &[worker]].concat(), &[]);
    let ran = app.run(&["logs"]).exits(1).reason("21 containers log: more than the 20 that are followed at once");
    for next in
        ["lain logs web # 19 of them", "lain logs worker # 2 of them", "lain logs --no-follow", "lain logs --stern", "lain logs --kibana"]
    {
        assert!(ran.stderr.contains(&format!("next: {next}")), "{next}: {}", ran.stderr);
    }
    assert!(told(&app, "logs").is_empty());
    app.run(&["logs", "--no-follow"]).exits(0);
    assert_eq!(told(&app, "logs").len(), 21);
}

#[test]
fn a_cron_job_names_its_last_job() {
    let of = |job: &str, time: &str| {
        let mut pod = pod(&format!("{job}-x"), "nightly", &[("nightly", json!({"state": {"terminated": {"exitCode": 0}}}))]);
        pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "name": job, "controller": true}]);
        pod["metadata"]["creationTimestamp"] = json!(time);
        pod
    };
    let app = app(&[of("shop-nightly-2", "2026-11-26T03:00:00Z"), of("shop-nightly-1", "2026-11-25T03:00:00Z")], &[]);
    let ran = app.run(&["logs", "nightly"]).exits(0).prints("one").says("containers of a cronjob go soon after they end");
    ran.says("the last job of nightly is shop-nightly-2, begun")
        .says("earlier, and still there: shop-nightly-1")
        .says("next: kubectl logs job/shop-nightly-1 ");
    assert!(told(&app, "logs")[0].contains("job-name=shop-nightly-2"));
}

#[test]
fn stern_on_request() {
    let app = two();
    app.run(&["logs", "web", "--stern"])
        .exits(1)
        .reason("stern is not installed")
        .next("install stern: https://github.com/stern/stern")
        .says("next: lain logs web");
    let app = app.fake("stern", "echo \"stern $*\" >> ~/told; echo from stern");
    app.run(&["logs", "web", "--stern", "--since", "10m", "--no-follow"]).exits(0).prints("from stern");
    let line = told(&app, "stern ").pop().expect("a call");
    for words in
        ["--selector app.kubernetes.io/instance=shop-web", "--context it", "--namespace shops", "--tail=-1", "--since 600s", "--no-follow"]
    {
        assert!(line.contains(words), "{words}: {line}");
    }
    app.run(&["logs", "--stern", "--previous"]).exits(2);
    app.fake("stern", "exit 3").run(&["logs", "--stern"]).exits(1).reason("stern ended with exit code 3").next("lain logs");
}

#[test]
fn x_goes_where_it_can() {
    let mut ready = pod("shop-web-2", "web", &[("web", runs()), ("mesh", runs())]);
    ready["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
    let app = app(
        &[
            pod("shop-web-0", "web", &[("web", waits("CrashLoopBackOff")), ("mesh", runs())]),
            pod("shop-web-1", "web", &[("web", runs()), ("mesh", runs())]),
            ready,
        ],
        &[],
    );
    let say = |app: &App, words: &str, code: &str| {
        for (name, text) in [("shell", words), ("shell-code", code)] {
            std::fs::write(app.home().join(name), text).expect("a file");
        }
    };
    say(&app, "/bin/sh\n", "0");
    app.run(&["x", "web"]).exits(0).says("shop-web-2 --container web -- sh\n");
    say(&app, "/usr/bin/bash\n", "0");
    app.run(&["x", "-c", "mesh", "web"]).exits(0).says("--container mesh").says(" -- bash\n");
    app.run(&["x", "-c", "mehs", "web"]).exits(2).reason("has no container `mehs`; it has web, mesh").next("lain x -c mesh web");
    let distroless = app.fake("kubectl", "case \"$*\" in *'get pods'*) cat ~/pods.json;; *exec*) echo 'exec: \"sh\": executable file not found in $PATH: unknown' >&2; exit 126;; *) exit 1;; esac");
    let ran = distroless.run(&["x", "web"]).exits(1).reason("the image of container web has no shell, neither bash nor sh");
    ran.next("kubectl debug -it shop-web-2 --image busybox --target web").says("next: lain x web PROGRAM");

    let crashing =
        json!({"restartCount": 9, "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3}}});
    let app = self::app(&[pod("shop-web-0", "web", &[("web", crashing)])], &[]);
    let ran = app.run(&["x", "web"]).exits(1).reason("no pod of shop-web is running");
    ran.says("because: pod/shop-web-0: CrashLoopBackOff: container web ended with exit code 3").says("next: lain logs web --no-follow");
    let none = self::app(&[], &[]);
    none.run(&["x", "nightly"])
        .exits(1)
        .says("because: its container is there only while the cronjob runs")
        .next("lain create-job nightly");
}

/// A registry with these tags.
fn registry(tags: &[&str]) -> Server {
    let tags = json!({"name": "team/shop", "tags": tags}).to_string();
    Server::new(move |_| Answer::json(200, &tags))
}

#[test]
fn versions_are_read_on_a_narrow_terminal() {
    let app = two().file("run.py", "").committed();
    let sha = app.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let (here, gone) = (format!("1700000300-{sha}"), format!("1700000200-{}", "0".repeat(40)));
    let registry = registry(&["latest", &here, &gone]);
    let repository = format!("{}/team/shop", registry.host());
    let deployment = |name: &str, tag: &str| json!({"kind": "Deployment", "metadata": {"name": name}, "spec": {"template": {"spec": {"containers": [{"image": format!("{repository}:{tag}")}]}}}});
    let app = app.cluster("test", &CLUSTER.replace("127.0.0.1:1", &registry.host()));
    let app =
        app.home_file("deployments.json", &json!({"items": [deployment("shop-web", &here), deployment("shop-worker", &gone)]}).to_string());

    let ran = app.run(&["tags"]).exits(0).says("commit 0000000000 is not in this clone").says("next: git fetch --all");
    let first = ran.stdout.lines().next().expect("a line");
    assert!(first.starts_with(&format!("lain deploy --set imageTag={here}  # ")) && first.ends_with("[runs: shop-web]"), "{first}");
    for columns in [60, 80] {
        for command in ["tags", "version"] {
            let shown = on_terminal(&app, columns, &[command]);
            // What lain says beside the result is no table.
            let table: Vec<&str> =
                shown.lines().filter(|line| !["helm's", "next:", "tip:", "commit "].iter().any(|word| line.starts_with(word))).collect();
            assert!(table.iter().all(|line| console::measure_text_width(line) <= columns.into()), "{columns}\n{shown}");
            assert!(
                shown.replace("\\\n", "").contains(&format!("lain deploy --set imageTag={here}\n  # ")) && shown.contains("[runs: web]"),
                "{shown}"
            );
        }
    }

    // The cluster is away, the registry is away: the rest is shown.
    let dead = app.fake("kubectl", "echo 'Unable to connect to the server: no route to host' >&2; exit 1");
    let ran = dead.run(&["tags"]).exits(0).says("what runs is not known: ");
    assert!(ran.stdout.contains(&here) && !ran.stdout.contains("runs:"), "{}", ran.stdout);
    let json: Json = serde_json::from_str(&dead.run(&["tags", "-o", "json"]).exits(0).stdout).expect("JSON");
    assert!(json["versions"][0]["tag"] == here && json["versions"][0].get("runs").is_none(), "{json}");
    let ran = dead.run(&["version"]).exits(0).says("kubectl's version is not known: ");
    assert!(ran.stdout.contains(&here), "{}", ran.stdout);
    let ran = two().run(&["version"]).exits(0).says("which tags 127.0.0.1:1/team/shop has is not known: ");
    assert!(ran.stdout.starts_with("lain "), "{}", ran.stdout);
}
