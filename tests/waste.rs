//! What is asked for and not used: `lain admin list-waste` over a real Prometheus that holds known usage, over a server that replays one, and its page in a
//! browser; the cluster is a server that says what an API server does.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;

use jsonschema::draft202012;
use serde_json::{Value as Json, json};

use prometheus::{MI, Pod, Prometheus, free_port};
use server::{Answer, Asked, Server};
use support::{App, Ran};

/// A Deployment or `StatefulSet` of namespace `shop`, of helm's release `app`; requests as `CPU/MEMORY`.
fn workload(name: &str, app: &str, replicas: u64, requests: &str) -> Json {
    let (cpu, memory) = requests.split_once('/').expect("CPU/MEMORY");
    json!({"metadata": {"name": name, "namespace": "shop", "annotations": {"meta.helm.sh/release-name": app}},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu, "memory": memory}}}]}}}})
}

/// A cluster of these Deployments and this `StatefulSet`; `all` namespaces may be read, or one.
fn cluster(deployments: Vec<Json>, statefulsets: Vec<Json>, all: bool) -> Server {
    Server::new(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default();
        if !path.contains("/namespaces/") && !all {
            return Answer::json(403, r#"{"kind":"Status","status":"Failure","reason":"Forbidden","message":"no","code":403}"#);
        }
        let items = if path.ends_with("/deployments") { &deployments } else { &statefulsets };
        let limit: usize = asked.field("limit").expect("a limit").parse().expect("a number");
        let start: usize = asked.field("continue").map_or(0, |token| token.parse().expect("a number"));
        let end = (start + limit).min(items.len());
        let next = if end < items.len() { end.to_string() } else { String::new() };
        Answer::json(200, &json!({"metadata": {"continue": next}, "items": items[start..end]}).to_string())
    })
}

fn app(api: &Server, prometheus: &str, more: &str) -> App {
    let values = format!("namespace: shop\nprometheus: {prometheus}\n{more}");
    App::empty().tools(&["kubectl"]).cluster("test", &values).kubeconfig("test", &format!("http://{}", api.host())).using("test")
}

const LIST: [&str; 3] = ["admin", "list-waste", "--period=7d"];

fn rows(ran: &Ran) -> Vec<String> {
    ran.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn answer(ran: &Ran) -> Json {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", ran.stdout, ran.stderr))
}

#[test]
fn known_usage_gives_exactly_the_waste() {
    let pod = |name: &str, memory: fn(f64) -> f64, cpu: fn(f64) -> f64| prometheus::pod(name, memory, cpu);
    let long = "a-process-with-a-name-so-long-that-kubernetes-cuts-its-hash";
    let before = |labels: &str| Pod { labels: format!("namespace=\"shop\",{labels}"), memory: |_| 64.0 * MI, cpu: |_| 100.0 };
    let prometheus = Prometheus::with(&[
        // Two states of a template one after another, two pods of each: 500m and 512Mi together, whichever runs.
        pod("shop-web-7d9f6c5b4d-bcdfg", |at| if at < 0.5 { 256.0 * MI } else { -1.0 }, |at| if at < 0.5 { 250.0 } else { 0.0 }),
        pod("shop-web-7d9f6c5b4d-24567", |at| if at < 0.5 { 256.0 * MI } else { -1.0 }, |at| if at < 0.5 { 250.0 } else { 0.0 }),
        pod("shop-web-6c5b4d7f8d-bcdfg", |at| if at < 0.5 { -1.0 } else { 256.0 * MI }, |at| if at < 0.5 { 0.0 } else { 250.0 }),
        pod("shop-web-6c5b4d7f8d-vwxz2", |at| if at < 0.5 { -1.0 } else { 256.0 * MI }, |at| if at < 0.5 { 0.0 } else { 250.0 }),
        pod("shop-web-api-6c5b4d7f8d-vwxz2", |_| 1024.0 * MI, |_| 2000.0),
        pod("shop-db-0", |_| 1024.0 * MI, |_| 100.0),
        pod("shop-db-1", |_| 1024.0 * MI, |_| 100.0),
        pod(&format!("{}vwxz2", &long[..58]), |_| 64.0 * MI, |_| 100.0),
        // A Job's pod and a DaemonSet's are nobody's here; a pod's sum and its pause container do not count.
        pod("shop-web-migrate-0a1e0-vwxz2", |_| 9000.0 * MI, |_| 9000.0),
        pod("agent-vwxz2", |_| 9000.0 * MI, |_| 9000.0),
        before("pod=\"shop-db-0\",container=\"\""),
        before("pod=\"shop-db-0\",container=\"POD\""),
        // Labels as kubelets wrote them before 1.14.
        before("pod_name=\"old-7d9f6c5b4d-bcdfg\",container_name=\"main\""),
        before("pod_name=\"old-7d9f6c5b4d-bcdfg\",container_name=\"POD\""),
        before("pod_name=\"old-7d9f6c5b4d-bcdfg\",container_name=\"\""),
    ]);
    let mut by_limit = workload("old", "older", 1, "0/0");
    // A limit alone is what is asked for; what is needed before the others counts where it is more.
    by_limit["spec"]["template"]["spec"] = json!({"initContainers": [{"resources": {"requests": {"cpu": "300m"}}}],
        "containers": [{"resources": {"limits": {"cpu": "200m", "memory": "64Mi"}}}]});
    let deployments = vec![
        workload("shop-web", "shop", 2, "1/512Mi"),
        workload("shop-web-api", "shop", 1, "500m/1Gi"),
        workload(long, long, 1, "100m/128Mi"),
        workload("young", "young", 1, "250m/64Mi"),
        workload("shop-none", "shop", 0, "9/9Gi"),
        by_limit,
    ];
    let api = cluster(deployments, vec![workload("shop-db", "shop", 2, "100m/3Gi")], true);
    let app = app(&api, &prometheus.address, "price: {cpu: 20, memory: 3, currency: CNY}\n");
    let ran = app.run(&LIST).exits(0);
    let table = [
        "NAMESPACE APP PROCESS CORES USED GIB USED WASTE",
        "shop shop web 0.5 of 2 0.5 of 1 31.50",
        "shop shop db 0.2 of 0.2 2 of 6 12.00",
        "shop older old 0.1 of 0.3 0.062 of 0.062 4.00",
        &format!("shop {long} {long} 0.1 of 0.1 0.062 of 0.125 0.19"),
        "shop shop web-api 2 of 0.5 1 of 1 0.00",
        "shop young young ? of 0.25 ? of 0.062 ?",
        "TOTAL 2.9 of 3.1 3.62 of 8.19 47.69",
    ];
    assert_eq!(rows(&ran), table, "{}", ran.stderr);
    let ran = ran.says("idle in 7d: 1.7 of 3.1 cores, 4.56 of 8.19 GiB\nidle: 47.69 of 86.56 CNY a month\n");
    ran.says("not known, and not in these sums: what 1 process used of 0.25 cores and 0.062 GiB\n").never_says("warning");
    let asked: Vec<_> = api.asked().into_iter().filter(|asked| asked.target.contains("limit=")).map(|asked| asked.target).collect();
    assert_eq!(asked.len(), 2, "one list of each kind: {asked:?}");

    // As JSON, by its schema; and the page as a browser on a phone shows it, sorted by what is clicked.
    let schema: Json = serde_json::from_str(&app.run(&["schema", "waste"]).exits(0).stdout).expect("a schema");
    let page = app.tmp().join("waste.html");
    let html = page.display().to_string();
    let ran = app.run(&[&LIST[..], &["-o", "json", "--html", &html]].concat()).exits(0).says(&format!("page: {html}"));
    let json = answer(&ran);
    assert!(draft202012::new(&schema).expect("a schema").is_valid(&json), "{json:#}");
    let web = &json["processes"][0];
    assert_eq!(
        (&web["name"], &web["replicas"], &web["cpu"]),
        (&json!("shop-web"), &json!(2), &json!({"asked": 2000, "used": 500, "unused": 1500, "unknown": 0}))
    );
    assert_eq!((&json["totals"]["unknown"], &json["processes"][5]["memory"]["used"]), (&json!(1), &Json::Null));
    let text = fs::read_to_string(&page).expect("a page");
    let seen = browser::on_a_phone(&app.tmp(), &text, &["#sort2", "#sort3", "summary"]);
    let order = |at: usize| {
        let words = &seen[at].0;
        let mut names: Vec<(usize, &str)> =
            ["shop", "older", "young", "a-process"].iter().filter_map(|it| Some((words.find(it)?, *it))).collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    assert_eq!((order(0)[0], order(1)[0], order(2)[0]), ("shop", "shop", "a-process"), "{seen:?}");
    assert_eq!(order(0)[3], "young", "of which nothing is known: {seen:?}");
    assert!(text.contains("<p>Made 20") && text.contains("2.9 of 3.1 cores, ? of 0.25"), "{text}");
    assert!(
        seen[3].0.contains("web-api") && seen[3].0.contains("0.5 of 2 cores") && seen[3].0.contains("31.50 CNY a month wasted"),
        "{seen:?}"
    );
    assert!(seen.iter().all(|(_, width)| *width <= 390), "it fits a phone: {seen:?}");
    assert!(text.contains("Waste in cluster test"), "{text}");
}

/// Answers each query by its metric.
fn replay(cpu: impl Fn() -> Answer + Send + Sync + 'static, memory: impl Fn() -> Answer + Send + Sync + 'static) -> Server {
    Server::new(move |asked: &Asked| if asked.target.contains("container_cpu") { cpu() } else { memory() })
}

fn vector(of: &[(String, &str)]) -> Answer {
    let one = |(workload, value): &(String, &str)| json!({"metric": {"namespace": "shop", "workload": workload}, "value": [1, value]});
    Answer::json(
        200,
        &json!({"status": "success", "data": {"resultType": "vector", "result": of.iter().map(one).collect::<Vec<_>>()}}).to_string(),
    )
}

#[test]
fn a_large_cluster_is_asked_no_more_than_a_small_one() {
    const MANY: usize = 1000;
    let name = |at: usize| format!("app-{at}-web");
    let used = move || vector(&(0..MANY).map(|at| (format!("/{}/", name(at)), "100")).collect::<Vec<_>>());
    let prometheus = replay(used, used);
    let deployments = (0..MANY).map(|at| workload(&name(at), &format!("app-{at}"), 5, "200m/64Mi")).collect();
    let api = cluster(deployments, vec![], true);
    let ran = app(&api, &prometheus.host(), "").run(&LIST).exits(0);
    assert_eq!((ran.stdout.lines().count(), prometheus.asked().len()), (MANY + 2, 2), "{}", ran.stderr);
    ran.says("idle in 7d: 900 of 1000 cores, 312.5 of 312.5 GiB\n").never_says("not known");
}

#[test]
fn what_is_not_known_costs_its_own_line() {
    let of = |values: &'static [(&'static str, &'static str)]| {
        move || vector(&values.iter().map(|(name, value)| (format!("/{name}/"), *value)).collect::<Vec<_>>())
    };
    let api = || cluster(vec![workload("a", "a", 1, "1/1Gi"), workload("b", "b", 1, "2/2Gi")], vec![], true);
    let prometheus = replay(of(&[("a", "NaN"), ("b", "500")]), of(&[("a", "-5"), ("b", "+Inf")]));
    let ran = app(&api(), &prometheus.host(), "pql_template: {cpu: vector(1)}\n").run(&LIST).exits(0);
    assert_eq!(rows(&ran)[1..], ["shop b b 0.5 of 2 ? of 2", "shop a a ? of 1 ? of 1", "TOTAL 0.5 of 2 ? of 3"]);
    ran.says("idle in 7d: 1.5 of 2 cores, ? of 3 GiB\nnot known, and not in these sums: what 2 processes used of 1 cores and 3 GiB\n")
        .says("`pql_template` asks about one process");
    // One question without an answer: one warning.
    let prometheus = replay(of(&[]), of(&[("a", "5e8")]));
    let ran = app(&api(), &prometheus.host(), "")
        .run(&LIST)
        .exits(0)
        .says("warning: it is not known how much CPU was used\n  because: Prometheus has no container_cpu");
    ran.says("tip: does it scrape the kubelets (/metrics/cadvisor)");
    // One namespace alone; and one with nothing in it.
    let narrow = cluster(vec![workload("a", "a", 1, "1/1Gi")], vec![], false);
    let prometheus = replay(of(&[("a", "1")]), of(&[("a", "1")]));
    let ran = app(&narrow, &prometheus.host(), "").run(&[&LIST[..], &["-o", "json"]].concat()).exits(0);
    let ran = ran.says("of namespace shop alone: this account may not read the others");
    assert_eq!(answer(&ran)["namespace"], "shop");
    app(&cluster(vec![], vec![], true), &prometheus.host(), "")
        .run(&LIST)
        .exits(0)
        .prints("")
        .says("no Deployment and no StatefulSet has pods");
}

#[test]
fn a_prometheus_that_does_not_answer_is_told_once() {
    let api = cluster(vec![workload("a", "a", 1, "1/1Gi")], vec![], true);
    let fixed = |status: u16, body: &'static str| Server::new(move |_: &Asked| Answer::json(status, body));
    let closed = format!("127.0.0.1:{}", free_port());
    let empty = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let servers = [
        (fixed(200, "<!doctype html>login"), "it answered with a web page"),
        (fixed(401, ""), "it wants a login (401"),
        (fixed(422, r#"{"status":"error","error":"query processing would load too many samples"}"#), "too many samples"),
        (fixed(200, empty), "Prometheus has no container_"),
    ];
    let hosts: Vec<(String, &str)> = servers.iter().map(|(server, words)| (server.host(), *words)).collect();
    for (host, words) in hosts.into_iter().chain([(closed, "connection refused")]) {
        let ran = app(&api, &host, "").run(&LIST).exits(1).prints("").reason("it is not known what was used").says(words);
        ran.never_says("warning").next(if words.contains("has no") { "does it scrape the kubelets" } else { "prometheus: HOST:PORT" });
    }
    app(&api, "", "").run(&LIST).exits(1).reason("name no `prometheus`, so it is not known what was used").next("prometheus: HOST:PORT");
    let app = app(&api, "127.0.0.1:1", "");
    app.run(&["admin", "list-waste", "--html", "none/x.html"]).exits(2).reason("there is no folder none").next("mkdir -p none");
    app.run(&["admin", "list-waste", "--html", "."]).exits(2).reason("--html: . is a folder");
    app.run(&["admin", "list-waste", "--html", "-"]).exits(2).reason("--html: - is no file's name");
    app.run(&["admin", "list-waste", "--period", "0d"]).exits(2).says("nothing to look back on");
    app.run(&["admin", "list-waste", "--period", "soon"]).exits(2).says("`soon` is no duration");
}
