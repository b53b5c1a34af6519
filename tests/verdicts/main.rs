//! How long `lain deploy --wait` takes to know how a rollout ends, and what it says then, beside `helm upgrade --install --wait` of the same chart and values:
//! real pods, a scenario each, in namespaces of their own, lain and helm at the same time. It takes a while, so it runs by its name alone:
//!
//!     tests/rig/rig up && eval "$(tests/rig/rig env)"
//!     cargo test --test verdicts                        # all; `cargo test --test verdicts -- quota crash-loop` some
//!     UPDATE_DOCS=1 cargo test --test verdicts          # and docs/verdicts.md is written, of the newest run of each
//!
//! What lain is to say of each is checked; times are only told. What was seen is kept in `target/verdicts/NAME.json`.

#[path = "../e2e/support.rs"]
#[allow(dead_code)] // it is there for many tests
mod support;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value as Json, json};
use support::{Place, Ran};

const HELM: &str = "3.17.3";
/// For both: helm has no other way to know that something will never be ready.
const TIMEOUT: &str = "2m";
/// So many last lines are kept.
const LINES: usize = 10;
const IMAGE: &str = "image: python:3.13-slim, imagePullPolicy: IfNotPresent, terminationGracePeriodSeconds: 0, \
                     resources: {requests: {cpu: 1m, memory: 16Mi}, limits: {cpu: 1000m, memory: 64Mi}}";

/// A rollout.
struct Scenario {
    name: &'static str,
    /// As the page calls it.
    title: &'static str,
    /// What runs before; nothing where it is empty.
    before: &'static str,
    /// Done to the cluster before it is deployed: arguments of kubectl.
    also: &'static [&'static str],
    /// The values that are deployed.
    values: &'static str,
    /// lain's exit code.
    code: i32,
    /// What lain says.
    says: &'static [&'static str],
}

const GOOD: &str = "deployments: {web: {IMAGE, command: [sleep, \"1000\"]}}";
const ANOTHER: &str = "deployments: {web: {IMAGE, command: [sleep, \"1001\"]}}";
const CRASH: &str = "deployments: {web: {IMAGE, command: [sh, -c, \"echo no database here; exit 3\"]}}";

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "good", title: "good", before: "", also: &[], values: GOOD, code: 0, says: &["1/1 ready"] },
    Scenario {
        name: "nothing-changed",
        title: "nothing changed",
        before: GOOD,
        also: &[],
        values: GOOD,
        code: 0,
        says: &["no pod was replaced"],
    },
    Scenario {
        name: "slow-start",
        title: "slow start that is fine (25 s)",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [sh, -c, \"sleep 25; touch /tmp/up; sleep 1000\"], readinessProbe: {exec: {command: [test, -e, /tmp/up]}, periodSeconds: 1, failureThreshold: 60}}}",
        code: 0,
        says: &["started, not ready yet", "1/1 ready"],
    },
    Scenario {
        name: "old-pods-bad",
        title: "old pods crash, new ones are good",
        before: CRASH,
        also: &[],
        values: GOOD,
        code: 0,
        says: &["1/1 ready"],
    },
    Scenario {
        name: "no-replicas",
        title: "0 replicas",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, replicaCount: 0, command: [sleep, \"1000\"]}}",
        code: 0,
        says: &["0/0 ready"],
    },
    Scenario {
        name: "on-delete",
        title: "StatefulSet with `OnDelete`",
        before: "statefulSets: {web: {IMAGE, updateStrategy: {type: OnDelete}, command: [sleep, \"1000\"]}}",
        also: &[],
        values: "statefulSets: {web: {IMAGE, updateStrategy: {type: OnDelete}, command: [sleep, \"1001\"]}}",
        code: 0,
        says: &["OnDelete"],
    },
    Scenario {
        name: "partition",
        title: "StatefulSet with a partition",
        before: "statefulSets: {web: {IMAGE, replicaCount: 2, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}, command: [sleep, \"1000\"]}}",
        also: &[],
        values: "statefulSets: {web: {IMAGE, replicaCount: 2, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 1}}, command: [sleep, \"1001\"]}}",
        code: 0,
        says: &["partition"],
    },
    Scenario {
        name: "paused",
        title: "paused Deployment",
        before: GOOD,
        also: &["rollout", "pause", "deployment/APP-web"],
        values: ANOTHER,
        code: 0,
        says: &["paused"],
    },
    Scenario {
        name: "wrong-image",
        title: "wrong image",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, image: \"REGISTRY/nothing:here\", command: [sleep, \"1000\"]}}",
        code: 1,
        says: &["cannot become ready", "not found", "lain tags"],
    },
    Scenario {
        name: "crash-loop",
        title: "crash loop",
        before: "",
        also: &[],
        values: CRASH,
        code: 1,
        says: &["no database here", "CrashLoopBackOff", "exit code 3"],
    },
    Scenario {
        name: "init-container",
        title: "failing init container",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [sleep, \"1000\"], initContainers: [{name: wait, image: \"python:3.13-slim\", imagePullPolicy: IfNotPresent, command: [sh, -c, \"echo no queue; exit 5\"]}]}}",
        code: 1,
        says: &["no queue", "exit code 5"],
    },
    Scenario {
        name: "readiness",
        title: "failing readiness",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [sleep, \"1000\"], readinessProbe: {exec: {command: [sh, -c, \"echo the queue is away; exit 1\"]}, periodSeconds: 1}}}",
        code: 1,
        says: &["not ready after 120 s", "the queue is away"],
    },
    Scenario {
        name: "one-of-two",
        title: "one of two bad",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [sleep, \"1000\"]}, worker: {IMAGE, command: [sh, -c, \"echo bad worker; exit 3\"]}}",
        code: 1,
        says: &["bad worker", "CrashLoopBackOff"],
    },
    Scenario {
        name: "hook-job",
        title: "failing hook Job",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [sleep, \"1000\"]}}\njobs: {migrate: {IMAGE, command: [sh, -c, \"echo table is locked; exit 4\"], annotations: {\"helm.sh/hook\": pre-install}}}",
        code: 1,
        says: &["table is locked"],
    },
    Scenario {
        name: "plain-job",
        title: "failing plain Job",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [sleep, \"1000\"]}}\njobs: {migrate: {IMAGE, command: [sh, -c, \"echo table is locked; exit 4\"]}}",
        code: 1,
        says: &["table is locked", "exit code 4"],
    },
    Scenario {
        name: "unschedulable",
        title: "unschedulable",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, resources: {requests: {cpu: 900}, limits: {cpu: 900}}, command: [sleep, \"1000\"]}}",
        code: 1,
        says: &["Unschedulable", "Insufficient cpu"],
    },
    Scenario {
        name: "quota",
        title: "quota refuses the pods",
        before: "",
        also: &["create", "quota", "none", "--hard=pods=0"],
        values: GOOD,
        code: 1,
        says: &["exceeded quota: none", "kubectl describe resourcequota"],
    },
    Scenario {
        name: "service-account",
        title: "missing service account",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, serviceAccountName: nobody, command: [sleep, \"1000\"]}}",
        code: 1,
        says: &["serviceaccount \"nobody\" not found", "kubectl get serviceaccounts"],
    },
    Scenario {
        name: "configmap",
        title: "missing ConfigMap",
        before: "",
        also: &[],
        values: "volumes: [{name: v, configMap: {name: none}}]\nvolumeMounts: [{name: v, mountPath: /v}]\ndeployments: {web: {IMAGE, command: [sleep, \"1000\"]}}",
        code: 1,
        says: &["configmap \"none\" not found"],
    },
    Scenario {
        name: "secret-key",
        title: "missing key of a Secret",
        before: "",
        also: &["create", "secret", "generic", "there", "--from-literal=a=b"],
        values: "volumes: [{name: v, secret: {secretName: there, items: [{key: z, path: z}]}}]\nvolumeMounts: [{name: v, mountPath: /v}]\ndeployments: {web: {IMAGE, command: [sleep, \"1000\"]}}",
        code: 1,
        says: &["references non-existent secret key: z"],
    },
    Scenario {
        name: "out-of-memory",
        title: "out of memory",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [python3, -c, \"x = bytearray(400 << 20)\"], readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}}}",
        code: 1,
        says: &["used more memory than", "resources.limits.memory"],
    },
    Scenario {
        name: "invalid",
        title: "invalid manifest",
        before: "",
        also: &[],
        values: "deployments: {web: {IMAGE, resources: {requests: {cpu: 2}, limits: {cpu: 1}}, command: [sleep, \"1000\"]}}",
        code: 1,
        says: &["must be less than or equal to cpu limit"],
    },
    Scenario {
        name: "long-refusal",
        title: "the API server refuses an object, at length",
        before: "deployments: {web: {IMAGE, command: [sleep, \"1000\"]}}\njobs: {migrate: {IMAGE, command: [sleep, \"600\"]}}",
        also: &[],
        values: "deployments: {web: {IMAGE, command: [sleep, \"1000\"]}}\njobs: {migrate: {IMAGE, command: [sleep, \"601\"]}}",
        code: 1,
        says: &["field is immutable"],
    },
];

fn values(place: &Place, text: &str) -> String {
    let without = |key: &str| IMAGE.split(", ").filter(|part| !part.starts_with(key)).collect::<Vec<_>>().join(", ");
    let text = text.replace("IMAGE, image: ", &format!("{}, image: ", without("image: ")));
    let bare = IMAGE.split(", resources").next().unwrap_or_default();
    let text = text.replace("IMAGE, resources: ", &format!("{bare}, resources: "));
    format!("appname: {}\n{}\n", place.appname, text.replace("IMAGE", IMAGE).replace("REGISTRY", &Place::registry()))
}

/// A place where what runs before runs, and where the values are those to deploy.
fn place_for(scenario: &Scenario) -> Place {
    let place = Place::new(HELM).with_values("deployments: {}\n");
    // lain makes them where they are missing; helm alone does not.
    for secret in ["env", "secret"] {
        place.kubectl(&["create", "secret", "generic", &format!("{}-{secret}", place.appname)]).ok();
    }
    if !scenario.before.is_empty() {
        place.edit("chart/values.yaml", |_| values(&place, scenario.before));
        place.commit("before");
        place.lain(&["deploy", "--ignore-lint", "--wait", "--timeout", "40"]);
    }
    if !scenario.also.is_empty() {
        let words: Vec<String> = scenario.also.iter().map(|word| word.replace("APP", &place.appname)).collect();
        place.kubectl(&words.iter().map(String::as_str).collect::<Vec<_>>()).ok();
    }
    if scenario.before != scenario.values {
        place.edit("chart/values.yaml", |_| values(&place, scenario.values));
        place.commit("now");
    }
    place
}

/// What was seen of a run.
fn timed(place: &Place, run: impl FnOnce() -> Ran) -> Json {
    let begun = Instant::now();
    let ran = run();
    let seconds = begun.elapsed().as_secs_f64();
    let names = |text: &str| text.replace(&place.appname, "shop").replace(&place.namespace, "default");
    json!({"seconds": seconds, "code": ran.code, "said": names(&ran.stderr)})
}

fn deploy(scenario: &Scenario) -> Json {
    let place = place_for(scenario);
    timed(&place, || place.lain(&["deploy", "--ignore-lint", "--wait", "--timeout", TIMEOUT]))
}

fn upgrade(scenario: &Scenario) -> Json {
    let place = place_for(scenario);
    let chart = place.app.join("chart").display().to_string();
    let cluster = place.root.path().join("clusters/values-test.yaml").display().to_string();
    let words = ["upgrade", "--install", &place.appname, &chart, "-f", &cluster, "--wait", "--timeout", TIMEOUT, "--set", "cluster=test"];
    timed(&place, || place.helm(&words))
}

/// Runs it for both, and keeps what was seen. What lain said wrong comes back.
fn run(scenario: &Scenario, folder: &Path) -> Vec<String> {
    let (lain, helm) = std::thread::scope(|scope| {
        let helm = scope.spawn(|| upgrade(scenario));
        (deploy(scenario), helm.join().expect("helm ran"))
    });
    let said = lain["said"].as_str().expect("words").to_owned();
    let mut wrong: Vec<String> = vec![];
    if lain["code"] != scenario.code {
        wrong.push(format!("{}: exit code {}", scenario.name, lain["code"]));
    }
    wrong.extend(scenario.says.iter().filter(|words| !said.contains(**words)).map(|words| format!("{}: no `{words}`", scenario.name)));
    if !wrong.is_empty() {
        wrong.push(said);
    }
    let seen = json!({"lain": lain, "helm": helm});
    println!("{}", row(scenario, &seen));
    fs::write(folder.join(format!("{}.json", scenario.name)), format!("{seen:#}")).expect("a file");
    wrong
}

/// The last lines, without warnings of this very place.
fn last_lines(said: &str, count: usize) -> Vec<&str> {
    let lines: Vec<&str> = said.lines().filter(|line| !line.contains("more than one minor version apart")).collect();
    lines[lines.len().saturating_sub(count)..].to_vec()
}

/// What it comes to, in a line that fits a table: why, where it failed.
fn verdict(run: &Json) -> String {
    let said = run["said"].as_str().unwrap_or_default();
    let error = said.lines().find_map(|line| line.strip_prefix("error: ").or_else(|| line.strip_prefix("Error: ")));
    let Some(error) = error else { return "deployed".to_owned() };
    let (listed, because) = (said.split("\t* ").nth(1), said.split("because: Error: ").nth(1));
    let why = listed.or(because).and_then(|rest| rest.lines().next()).unwrap_or(error);
    let why = why.split(" cannot become ready: ").last().unwrap_or(why);
    let short: String = why.chars().take(100).collect();
    let sign = if short.len() < why.len() { "…" } else { "" };
    format!("`{}{sign}`", short.trim_end().replace(['`', '|'], "'"))
}

fn row(scenario: &Scenario, seen: &Json) -> String {
    let cell = |run: &Json| format!("{:.0} s, {}", run["seconds"].as_f64().unwrap_or_default(), verdict(run));
    format!("| {} | {} | {} |", scenario.title, cell(&seen["lain"]), cell(&seen["helm"]))
}

/// docs/verdicts.md, of what was seen last of each.
fn page(folder: &Path) -> String {
    let seen: Vec<(&Scenario, Json)> = SCENARIOS
        .iter()
        .map(|scenario| {
            let text = fs::read_to_string(folder.join(format!("{}.json", scenario.name)));
            let text = text.unwrap_or_else(|_| panic!("{} was not run yet", scenario.name));
            (scenario, serde_json::from_str(&text).expect("what was seen"))
        })
        .collect();
    let mut page = HEAD.replace("TIMEOUT", TIMEOUT).replace("HELM", HELM);
    for (scenario, seen) in &seen {
        let _ = writeln!(page, "{}", row(scenario, seen));
    }
    page += BUDGETS;
    page += "\n## What is said at the end\n\nThe last ten lines of each, of a shop whose process is `web`.\n";
    for (scenario, seen) in &seen {
        let lines = last_lines(seen["lain"]["said"].as_str().unwrap_or_default(), LINES).join("\n");
        let is_ours = |word: &str| word.starts_with("/tmp/") && word.ends_with("/values-test.yaml");
        let lines = lines.split(' ').map(|word| if is_ours(word) { "values-test.yaml" } else { word }).collect::<Vec<_>>().join(" ");
        let _ = writeln!(page, "\n<details><summary>{}</summary>\n\n```text\n{lines}\n```\n\n</details>", scenario.title.replace('`', ""));
    }
    page
}

const HEAD: &str = "\
# A rollout, and how long until one knows

On a terminal each process has a row that is drawn in place: new pods that are ready, how long it takes, what it waits for or suffers from. What is ready stays as a good row, and at the end all
rows stay as lines. A Job's row shows the newest line of its log. In a pipe, in CI and with `TERM=dumb` the same comes as lines, in GitLab in sections.

When a Job of the deploy is done (helm's hooks, and others), the last five lines of its log are shown, 50 with `--verbose`; when it fails, up to 50. What is heard while it runs is shown
also where helm's `hook-delete-policy` has taken it away by then.

A rollout that cannot succeed is told as soon as that is sure, with the reason and what to do; helm's `--wait` tells when its time is over. Real pods on one node with two processors that other
tests use too, helm HELM, both with `--timeout TIMEOUT`, at the same time in namespaces of their own; made by `cargo test --test verdicts`, which holds that each reason is told. A missing ConfigMap or key is told by the node's events
alone, which a busy node sends late.

| scenario | `lain deploy --wait` | `helm upgrade --install --wait` |
| --- | --- | --- |
";

const BUDGETS: &str = "
## How long it may go on

An image that does not come (15 s) and what is missing (10 s) fail fast. What may well pass has more time, and `progress_budget` in the cluster's values says how much (`90s`, `5m`, `1h30m`; an app
may say otherwise in its `chart/values-CLUSTER.yaml`):

| what may pass | without `progress_budget` | `progress_budget: 5m` |
| --- | --- | --- |
| a crash loop | three restarts | five minutes from its first `CrashLoopBackOff`, runs in between included |
| no node takes a pod (a cluster may be adding some) | 90 s | five minutes |
| the server refuses pods, by a quota or a webhook, while no other pod comes or goes | 15 s | five minutes |

It holds for all that follows a rollout: `deploy`, `wait`, `restart`, `rollback --wait`, `update-image --wait`, `job`. Their `--timeout` bounds it: where it is shorter, it ends first.
";

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/verdicts");
    fs::create_dir_all(&folder).expect("a folder");
    let chosen = SCENARIOS.iter().filter(|it| names.is_empty() || names.iter().any(|name| name == it.name));
    let wrong: Vec<String> = chosen.flat_map(|scenario| run(scenario, &folder)).collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root.join("docs/verdicts.md"), page(&folder)).expect("the page");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
