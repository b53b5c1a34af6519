//! Resource advice from a real Prometheus that holds known usage, and from everything that may stand in its place.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/prometheus.rs"]
mod prometheus;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus::{EVERY, MI, Pod, Prometheus, WEEK, free_port, pod};
use server::{Answer, Asked};
use support::{App, Ran};

/// One proc: name, pods, then requests and limits as `CPU/MEMORY`.
fn proc(name: &str, replicas: u32, requests: &str, limits: &str) -> String {
    let part = |text: &str| text.split_once('/').map(|(cpu, memory)| format!("{{cpu: {cpu}, memory: {memory}}}")).expect("CPU/MEMORY");
    format!(
        "  {name}: # about {name}\n    replicaCount: {replicas}\n    command: [sleep, \"1000\"]\n    livenessProbe: {{exec: {{command: [ls]}}}}\n    resources:\n      \
         requests: {}   # what it gets\n      limits: {}\n",
        part(requests),
        part(limits)
    )
}

fn values(procs: &[String]) -> String {
    format!("# The shop.\nappname: shop\nbuild: {{base: \"alpine:3\", script: [\"true\"]}}\ndeployments:\n{}", procs.concat())
}

fn app(address: &str, values: &str, cluster: &str) -> App {
    let cluster = format!("registry: 127.0.0.1:5000/dev\nprometheus: http://{address}\n{cluster}");
    App::new().chart().values(values).cluster("test", &cluster).using("test").tools(&["helm"])
}

/// What was advised, in order.
fn advice(ran: &Ran) -> Vec<String> {
    let told = ran.stderr.lines().filter(|line| line.contains("suggestion"));
    told.map(|line| line.rsplit_once(".yaml:").and_then(|(_, rest)| rest.split_once(": ")).expect("a place and words").1.to_owned())
        .collect()
}

fn count(ran: &Ran, start: &str) -> usize {
    ran.stderr.lines().filter(|line| line.starts_with(start)).count()
}

const IDLE: fn(f64) -> f64 = |_| 20.0;
const SMALL: fn(f64) -> f64 = |_| 60.0 * MI;

#[test]
fn known_usage_gives_exactly_the_advice() {
    let prometheus = Prometheus::with(&[
        pod("shop-cpu-limit-7d9f-abcde", SMALL, IDLE),
        pod("shop-cpu-under-7d9f-abcde", SMALL, |_| 800.0),
        pod("shop-cpu-over-7d9f-abcde", SMALL, |_| 100.0),
        pod("shop-cpu-near-7d9f-abcde", SMALL, |_| 590.0),
        // A P95 that neither the mean nor the top is: 90% at 100m, the last 10% at 700m.
        pod("shop-cpu-p95-7d9f-abcde", SMALL, |at| if at < 0.9 { 100.0 } else { 700.0 }),
        // 4% of a week are above the 95th percentile.
        pod("shop-cpu-spike-7d9f-abcde", SMALL, |at| if at < 0.96 { 20.0 } else { 950.0 }),
        pod("shop-cpu-zeros-7d9f-abcde", SMALL, |at| if at < 0.75 { 0.0 } else { 900.0 }),
        pod("shop-cpu-busy-7d9f-abcde", SMALL, |at| if at < 0.65 { 0.0 } else { 900.0 }),
        pod("shop-mem-under-7d9f-abcde", |_| 450.0 * MI, IDLE),
        pod("shop-mem-over-7d9f-abcde", |_| 300.0 * MI, IDLE),
        pod("shop-mem-near-7d9f-abcde", |_| 330.0 * MI, IDLE),
        pod("shop-mem-small-7d9f-abcde", SMALL, IDLE),
        // Two pods after one another, as after a deploy: one quantile over both.
        pod("shop-mem-moved-7d9f-abcde", |at| if at < 0.5 { 500.0 * MI } else { -1.0 }, IDLE),
        pod("shop-mem-moved-6c5b-vwxyz", |at| if at < 0.5 { -1.0 } else { 500.0 * MI }, IDLE),
        pod("shop-lim-under-7d9f-abcde", |_| 1000.0 * MI, IDLE),
        pod("shop-lim-over-7d9f-abcde", |_| 1024.0 * MI, IDLE),
        pod("shop-lim-near-7d9f-abcde", |_| 300.0 * MI, IDLE),
        pod("shop-web-7d9f-abcde", |_| 346.0 * MI, IDLE),
        pod("shop-many-over-7d9f-abcde", |_| 200.0 * MI, IDLE),
        // Must not be taken for `web`: a longer name, another namespace, the pause container.
        pod("shop-web-api-0", |_| 5000.0 * MI, |_| 3000.0),
        Pod {
            labels: "namespace=\"other\",pod=\"shop-web-7d9f-abcde\",container=\"main\"".into(),
            memory: |_| 9000.0 * MI,
            cpu: |_| 9000.0,
        },
        Pod { labels: "namespace=\"shop\",pod=\"shop-web-7d9f-abcde\",container=\"\"".into(), memory: |_| 9000.0 * MI, cpu: |_| 9000.0 },
    ]);
    let mut text = values(&[
        proc("cpu-limit", 1, "10m/80Mi", "500m/80Mi"),
        proc("cpu-under", 1, "10m/80Mi", "1000m/80Mi"),
        proc("cpu-over", 1, "900m/80Mi", "1000m/80Mi"),
        proc("cpu-near", 1, "300m/80Mi", "1000m/80Mi"),
        proc("cpu-p95", 1, "100m/80Mi", "1000m/80Mi"),
        proc("cpu-spike", 1, "10m/80Mi", "1000m/80Mi"),
        proc("cpu-zeros", 1, "10m/80Mi", "1000m/80Mi"),
        proc("cpu-busy", 1, "10m/80Mi", "1000m/80Mi"),
        proc("mem-under", 1, "10m/300Mi", "1000m/1Gi"),
        proc("mem-over", 1, "10m/600Mi", "1000m/1Gi"),
        proc("mem-near", 1, "10m/300Mi", "1000m/1Gi"),
        proc("mem-small", 1, "10m/200Mi", "1000m/200Mi"),
        proc("mem-moved", 1, "10m/300Mi", "1000m/1Gi"),
        proc("lim-under", 1, "10m/1000Mi", "1000m/1Gi"),
        proc("lim-over", 1, "10m/1Gi", "1000m/8Gi"),
        proc("lim-near", 1, "10m/300Mi", "1000m/300Mi"),
        proc("web", 6, "10m/256Mi", "1000m/256Mi"),
        proc("many-over", 6, "10m/200Mi", "1000m/512Mi"),
    ]);
    text += &format!("statefulSets:\n{}", proc("web-api", 1, "3000m/5000Mi", "4000m/12500Mi"));
    let app = app(&prometheus.address, &text, "namespace: shop\n");
    let ran = app.run(&["lint"]).exits(3).never_says("L069");
    assert_eq!(
        advice(&ran),
        [
            "cpu-limit cpu limits: current 500m, suggestion 1000m [L060]",
            "cpu-under cpu requests: current 10m, suggestion 800m [L061]",
            "cpu-over cpu requests: current 900m, suggestion 100m [L061]",
            "cpu-p95 cpu requests: current 100m, suggestion 700m [L061]",
            "cpu-busy cpu requests: current 10m, suggestion 900m [L061]",
            "mem-under memory requests: current 300Mi, suggestion 450Mi [L062]",
            "mem-over memory requests: current 600Mi, suggestion 300Mi [L062]",
            "mem-moved memory requests: current 300Mi, suggestion 500Mi [L062]",
            "lim-under memory limits: current 1Gi, suggestion 2500Mi [L063]",
            "lim-over memory limits: current 8Gi, suggestion 2560Mi [L063]",
            "web memory requests: current 256Mi, suggestion 346Mi [L062]",
            "web memory limits: current 256Mi, suggestion 450Mi [L063]",
            "many-over memory limits: current 512Mi, suggestion 260Mi [L063]",
        ],
        "{}",
        ran.stderr
    );
    assert_eq!((count(&ran, "warning:"), count(&ran, "error:")), (1, 13), "the CPU limit alone is a warning\n{}", ran.stderr);
    // A deploy's lint asks nobody.
    app.run(&["lint", "--simple"]).exits(0).never_says("suggestion");

    let fixed = app.run(&["lint", "--fix"]).exits(0).never_says("suggestion").never_says("warning:");
    let shown = "chart/values.yaml:11\n  - limits: {cpu: 500m, memory: 80Mi}\n  + limits: {cpu: 1000m, memory: 80Mi}\n";
    assert!(fixed.stderr.starts_with(shown), "{}", fixed.stderr);
    let mut expected = text.clone();
    for (name, before, after) in [
        ("cpu-limit", "500m", "1000m"),
        ("cpu-under", "{cpu: 10m", "{cpu: 800m"),
        ("cpu-over", "900m", "100m"),
        ("cpu-p95", "{cpu: 100m", "{cpu: 700m"),
        ("cpu-busy", "{cpu: 10m", "{cpu: 900m"),
        ("mem-under", "300Mi", "450Mi"),
        ("mem-over", "600Mi", "300Mi"),
        ("mem-moved", "300Mi", "500Mi"),
        ("lim-under", "1Gi", "2500Mi"),
        ("lim-over", "8Gi", "2560Mi"),
        ("web", "{cpu: 10m, memory: 256Mi", "{cpu: 10m, memory: 346Mi"),
        ("web", "{cpu: 1000m, memory: 256Mi", "{cpu: 1000m, memory: 450Mi"),
        ("many-over", "512Mi", "260Mi"),
    ] {
        let at = expected.find(&format!("  {name}: #")).expect("the proc");
        let found = at + expected[at..].find(before).expect("what it said");
        expected.replace_range(found..found + before.len(), after);
    }
    assert_eq!(fs::read_to_string(app.dir().join("chart/values.yaml")).expect("values"), expected);
    let again = app.run(&["lint"]).exits(0).never_says("suggestion").never_says("warning:");
    assert_eq!(again.stdout, "");
    app.run(&["lint", "--fix"]).exits(0).never_says("  + ");
}

#[test]
fn the_clusters_own_queries_are_asked() {
    let prometheus = Prometheus::with(&[
        pod("shop-web-7d9f-abcde", |at| if at < 0.5 { 300.0 * MI } else { 700.0 * MI }, |at| if at < 0.5 { 900.0 } else { 500.0 }),
        pod("shop-worker-7d9f-abcde", |_| 400.0 * MI, |_| 600.0),
    ]);
    let text = values(&[proc("web", 1, "10m/300Mi", "1000m/1536Mi"), proc("worker", 1, "10m/400Mi", "1000m/1Gi")]);
    let lint = |templates: &str, more: &str| {
        let ran = app(&prometheus.address, &format!("{text}{more}"), &format!("pql_template:\n{templates}")).run(&["lint"]);
        (advice(&ran), ran)
    };
    // Braces written twice, as the older tool wants them, and once.
    let doubled = "  cpu: 'max(rate(container_cpu_usage_seconds_total{{pod=~\"{appname}-{proc_name}-.+\"}}[5m])) * 1000'\n  \
        memory_quantile: 'max(quantile_over_time(0.4, container_memory_working_set_bytes{{pod=~\"{appname}-{proc_name}-.+\"}}[{range}]))'\n";
    for templates in [doubled.to_owned(), doubled.replace("{{", "{").replace("}}", "}")] {
        let (advice, ran) = lint(&templates, "");
        assert_eq!(
            advice,
            ["web cpu requests: current 10m, suggestion 900m [L061]", "worker cpu requests: current 10m, suggestion 600m [L061]"],
            "{}",
            ran.stderr
        );
        // The last day alone.
        let (advice, ran) = lint(&templates, "prometheus_query_range: 1d\n");
        assert_eq!(
            advice,
            [
                "web cpu requests: current 10m, suggestion 500m [L061]",
                "web memory requests: current 300Mi, suggestion 700Mi [L062]",
                "worker cpu requests: current 10m, suggestion 600m [L061]",
            ],
            "{}",
            ran.stderr
        );
    }
    // No placeholders: every process gets the same answer.
    let (advice, _) = lint("  memory_quantile: vector(524288000)\n  cpu: scalar(vector(5))\n", "");
    assert_eq!(
        advice,
        ["web memory requests: current 300Mi, suggestion 500Mi [L062]", "worker memory requests: current 400Mi, suggestion 500Mi [L062]"]
    );
    // A query that Prometheus does not understand, and a range that is none.
    let (_, ran) = lint("  cpu: 'max('\n", "");
    one_warning(ran).says("it refuses the query: ");
    let (_, ran) = lint("  cpu: vector(1)\n", "prometheus_query_range: 7 days\n");
    ran.exits(3).says("[L024]").never_says("L069");
    let (_, ran) = lint("  cpu: vector(1)\n", "prometheus_query_range: 0d\n");
    one_warning(ran).says("`prometheus_query_range`: `0d` is nothing to look back on: write 7d");
}

/// As a browser on a phone shows it.
#[test]
fn the_advice_is_drawn_too() {
    // One series is missing, one is no number: the rest stands.
    let server = Server::start(|request| {
        let value = match (request.contains("worker"), request.contains("query_range")) {
            (false, true) => "700",
            (false, false) => "NaN",
            (true, true) => return reply("200 OK", EMPTY_MATRIX),
            (true, false) => "600000000",
        };
        reply(
            "200 OK",
            &format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{{\"value\":[1,\"{value}\"]}}]}}}}"),
        )
    });
    let app = two_procs(&server.address);
    let page = app.tmp().join("advice.html");
    let html = page.display().to_string();
    let ran = app.run(&["lint", "--html", &html]).exits(3).says(&format!("page: {html}"));
    assert_eq!(
        advice(&ran),
        [
            "web cpu requests: current 10m, suggestion 700m [L061]",
            "worker memory requests: current 80Mi, suggestion 573Mi [L062]",
            "worker memory limits: current 80Mi, suggestion 1431Mi [L063]",
        ],
        "{}",
        ran.stderr
    );
    let ran = ran.says("web: `NaN` is no amount of memory").says("no CPU usage of worker in the last 7d");
    let seen = browser::on_a_phone(&app.tmp(), &fs::read_to_string(&page).expect("a page"), &["#sort3"]);
    let (first, width) = &seen[0];
    for words in ["10m, used 700m, better 700m", "80Mi, used ?", "10m, used ?", "80Mi, used 573Mi, better 573Mi", "better 1431Mi"] {
        assert!(first.contains(words), "{words}: {first}\n{}", ran.stderr);
    }
    let place = |words: &str, name: &str| words.find(name).unwrap_or_else(|| panic!("{name}: {words}"));
    assert!(place(first, "worker") < place(first, "web") && place(&seen[1].0, "web") < place(&seen[1].0, "worker"), "{seen:?}");
    assert!(*width <= 390, "it fits a phone: {width}");
    // Nobody to ask: what is not known is told so, and lint goes on.
    let alone = app.cluster("test", "registry: r.example.com\n");
    alone.run(&["lint", "--html", &html]).exits(0).says("no advice on resources");
    let text = fs::read_to_string(&page).expect("a page");
    assert!(text.contains("What was used is not known") && text.contains("80Mi, used ?"), "{text}");
    // Who says nothing of resources is there too.
    let silent = format!("{}  silent: {{command: [sleep, '9']}}\n", values(&[proc("web", 1, "10m/80Mi", "1000m/80Mi")]));
    fs::write(alone.dir().join("chart/values.yaml"), silent).expect("values");
    alone.run(&["lint", "--html", &html]).says("page: ");
    let text = fs::read_to_string(&page).expect("a page");
    assert!(text.contains("<b>silent</b>") && text.contains("nothing asked, used ?"), "{text}");
    alone.run(&["lint", "--html", "none/x.html"]).exits(2).reason("there is no folder none");
    alone.run(&["lint", "--simple", "--html", &html]).exits(2);
}

#[test]
fn files_are_written_whole_or_not_at_all() {
    let prometheus = Prometheus::with(&[
        pod("shop-web-7d9f-abcde", |_| 600.0 * MI, IDLE),
        pod("shop-worker-7d9f-abcde", |_| 600.0 * MI, IDLE),
        pod("shop-cron-28000000-abcde", |_| 600.0 * MI, IDLE),
    ]);
    // The worker's block is shared: neither of its values may change, though the request alone could.
    let shared = "appname: shop\r\nbuild: {base: \"alpine:3\", script: [\"true\"]}\r\nbig: &big {cpu: '1', memory: '300Mi'}\r\ndeployments:\r\n  \
        web:\r\n    replicaCount: 1\r\n    command: [sleep, '9']\r\n    resources: {requests: {cpu: 10m, memory: '80Mi'}, limits: {cpu: 1, memory: \"80Mi\"}}\r\n  \
        worker:\r\n    replicaCount: 1\r\n    command: [sleep, '9']\r\n    resources: {requests: {cpu: 10m, memory: 80Mi}, limits: *big}\r\n\
        cronjobs:\r\n  cron: {schedule: '0 1 * * *', command: [ls], resources: {requests: {cpu: 10m, memory: 600Mi}, limits: {cpu: 900m, memory: 1Gi}}} # lain:ignore L060\r\n";
    let app_with = app;
    let setup = || app_with(&prometheus.address, &format!("\u{feff}{shared}"), "");
    let read = |app: &App, name: &str| fs::read_to_string(app.dir().join(name)).expect("a file");

    let app = setup();
    let ran = app.run(&["lint", "--fix"]).exits(3);
    assert_eq!(
        advice(&ran),
        ["worker memory limits: current 300Mi, suggestion 1500Mi [L063]", "worker memory requests: current 80Mi, suggestion 600Mi [L062]"]
    );
    let ran = ran.says("next: limits.memory: 1500Mi # by hand: chart/values.yaml:12: `deployments.worker.resources.limits` is an alias");
    let expected = shared.replace("memory: '80Mi'}", "memory: '600Mi'}").replace("memory: \"80Mi\"}", "memory: \"1500Mi\"}");
    assert_eq!(read(&app, "chart/values.yaml"), format!("\u{feff}{expected}"), "{}", ran.stderr);

    // Under the older names of its keys as well.
    let older = |text: &str| format!("\u{feff}{}", text.replace("deployments:", "deploy:").replace("cronjobs:", "cronjob:"));
    let app = app_with(&prometheus.address, &older(shared), "");
    app.run(&["lint", "--fix"]).exits(3);
    assert_eq!(read(&app, "chart/values.yaml"), older(&expected));

    // What the cluster's own layer of the app says is changed there; a link stays a link, a mode stays.
    let own = "deployments:\n  web: {resources: {limits: {memory: 90Mi}}}\n";
    let app = setup().file("chart/values-test.yaml", own).file("real.yaml", "");
    let (link, target) = (app.dir().join("chart/values-test.yaml"), app.dir().join("real.yaml"));
    fs::rename(&link, &target).expect("moved");
    std::os::unix::fs::symlink("../real.yaml", &link).expect("a link");
    fs::set_permissions(&target, std::os::unix::fs::PermissionsExt::from_mode(0o640)).expect("a mode");
    app.run(&["lint", "--fix"]).exits(3).says("chart/values-test.yaml:2\n  - web:");
    assert_eq!(read(&app, "real.yaml"), own.replace("90Mi", "1500Mi"));
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&target).expect("there").permissions()) & 0o777, 0o640);
    assert!(read(&app, "chart/values.yaml").contains("memory: \"80Mi\""), "what is overridden stays");

    // The administrators' file is never edited, and no request that needs its limit raised.
    let cluster = "deployments: {web: {resources: {limits: {memory: 100Mi}}}, worker: null}\n";
    let app = app_with(&prometheus.address, shared, cluster);
    let ran = app.run(&["lint", "--fix"]).exits(3).says("limits.memory: 1500Mi # by hand: lain does not edit ");
    assert_eq!(advice(&ran).len(), 2, "{}", ran.stderr);
    ran.changed_nothing();

    // A full disk: `-f` files are edited too, and this one cannot be.
    let app = app_with(&prometheus.address, shared, "").file("more/v.yaml", "");
    let _mount = Mount::new(&app.dir().join("more"));
    let more = format!("deployments: {{web: {{resources: {{limits: {{memory: 90Mi}}}}}}, worker: null}} # {}\n", "x".repeat(5000));
    fs::write(app.dir().join("more/v.yaml"), &more).expect("it fits once");
    let ran = app.run(&["lint", "--fix", "-f", "more/v.yaml"]).exits(1).reason("cannot write ").says("no space left on device");
    ran.changed_nothing();
}

#[test]
fn a_file_that_changed_meanwhile_is_left_alone() {
    let text = values(&[proc("web", 1, "10m/300Mi", "1000m/2Gi")]);
    let server = Server::start(|_| reply("200 OK", ""));
    let app = app(&server.address, &text, "");
    let file = app.dir().join("chart/values.yaml");
    let changed = text.replace("300Mi", "301Mi");
    let answer = changed.clone();
    let server = Server::start(move |request| {
        fs::write(&file, &answer).expect("someone's editor");
        let range = request.contains("query_range");
        reply(
            "200 OK",
            if range {
                EMPTY_MATRIX
            } else {
                "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"value\":[1,\"6e8\"]}]}}"
            },
        )
    });
    let app = app.cluster("test", &format!("registry: 127.0.0.1:5000/dev\nprometheus: http://{}\n", server.address));
    app.run(&["lint", "--fix"]).exits(3).reason("chart/values.yaml changed while lain looked at it").next("lain lint --fix");
    assert_eq!(fs::read_to_string(app.dir().join("chart/values.yaml")).expect("values"), changed);
}

/// A small file system in a folder, until it is dropped.
struct Mount(std::path::PathBuf);

impl Mount {
    fn new(folder: &std::path::Path) -> Self {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8k", "none"]).arg(folder).status();
        assert!(done.is_ok_and(|status| status.success()), "this test mounts a file system: run it as root");
        Self(folder.to_path_buf())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

const EMPTY_MATRIX: &str = "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}";

/// Something that stands where Prometheus should be.
struct Server {
    address: String,
}

impl Server {
    /// Answers every request with these bytes.
    fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve(move |mut stream, request| {
            let _ = stream.write_all(&answer(request));
        })
    }

    fn serve(work: impl Fn(TcpStream, &str) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let work = std::sync::Arc::new(work);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, work) = (stream.expect("a connection"), std::sync::Arc::clone(&work));
                std::thread::spawn(move || {
                    let mut request = [0; 16 * 1024];
                    let length = stream.read(&mut request).unwrap_or(0);
                    work(stream, &String::from_utf8_lossy(&request[..length]));
                });
            }
        });
        Self { address }
    }
}

fn reply(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

/// It went well but for one warning, which says why there is no advice.
#[track_caller]
fn one_warning(ran: Ran) -> Ran {
    let warnings = count(&ran, "warning:");
    let ran = ran.exits(0).says("no resource advice from Prometheus: ").says("[L069]").never_says("suggestion").never_says("panicked");
    assert_eq!((warnings, count(&ran, "error:")), (1, 0), "{}", ran.stderr);
    ran.within(60)
}

fn two_procs(address: &str) -> App {
    app(address, &values(&[proc("web", 1, "10m/80Mi", "1000m/80Mi"), proc("worker", 2, "10m/80Mi", "1000m/80Mi")]), "")
}

#[test]
fn whatever_goes_wrong_is_one_warning() {
    let number = |text: &str| {
        let vector = format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{{\"value\":[1,\"{text}\"]}}]}}}}");
        move |_: &str| reply("200 OK", &vector)
    };
    let fixed = |status: &'static str, body: &'static str| Server::start(move |_| reply(status, body));
    let closed = Server { address: format!("127.0.0.1:{}", free_port()) };
    let hangs_up = Server::serve(|stream, _| drop(stream));
    for (server, words) in [
        (closed, "connection refused"),
        (hangs_up, "the connection was closed"),
        (fixed("500 Internal Server Error", "oops"), "it answered 500 Internal Server Error"),
        (
            fixed("503 Service Unavailable", "{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out\"}"),
            "query timed out",
        ),
        (fixed("401 Unauthorized", "who are you"), "it wants a login (401 Unauthorized)"),
        (fixed("404 Not Found", "404 page not found"), "no Prometheus answers under this address"),
        (fixed("200 OK", ""), "no JSON"),
        (fixed("200 OK", "<!DOCTYPE html><title>Login</title>"), "a web page"),
        (fixed("200 OK", "{\"status\":\"success\"}"), "JSON that is no answer of Prometheus'"),
        (fixed("200 OK", "[[[[[[[["), "no JSON"),
        (fixed("200 OK", EMPTY_MATRIX), "no usage of web, worker in the last 7d"),
        (fixed("302 Found", ""), "location"),
        (Server::start(number("NaN")), "`NaN` is no amount of memory"),
        (Server::start(number("+Inf")), "`inf` is no amount of CPU"),
        (Server::start(number("-5")), "`-5.0` is no amount of CPU"),
        (Server::start(number("1e300")), "`1e300` is no amount of CPU"),
        (Server::start(number("many")), "JSON that is no answer of Prometheus'"),
    ] {
        one_warning(two_procs(&server.address).run(&["lint"])).says(words).changed_nothing();
    }
    // A password in the address is not shown, though the line is.
    let wants = fixed("401 Unauthorized", "");
    let ran = one_warning(two_procs(&format!("tester:hunter2@{}", wants.address)).run(&["lint"]));
    ran.says("prometheus: http://***@").never_says("hunter2");
    // It is sent: base64 of tester:hunter2.
    let asks = Server::start(|request| {
        let known = request.to_lowercase().contains("authorization: basic dgvzdgvyomh1bnrlcji=");
        if known { reply("200 OK", EMPTY_MATRIX) } else { reply("401 Unauthorized", "") }
    });
    one_warning(two_procs(&format!("tester:hunter2@{}", asks.address)).run(&["lint"])).says("no usage of web, worker");
    // Nor is anyone asked who is not named.
    app("", &values(&[proc("web", 1, "10m/80Mi", "1000m/80Mi")]), "prometheus_x: 1\n")
        .cluster("test", "registry: 127.0.0.1:5000/dev\n")
        .run(&["lint"])
        .exits(0)
        .never_says("Prometheus");
}

/// A pod that went away leaves NaN, a broken exporter worse: the other processes still get their advice.
#[test]
fn one_that_lies_hides_nobody() {
    for lie in ["NaN", "-5", "+Inf"] {
        let server = Server::start(move |request| {
            let value = match (request.contains("worker"), request.contains("query_range")) {
                (false, _) => lie,
                (true, true) => "100",
                (true, false) => "300000000",
            };
            let result = format!("[{{\"value\":[1,\"{value}\"]}}]");
            reply("200 OK", &format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":{result}}}}}"))
        });
        let ran = two_procs(&server.address).run(&["lint"]).says("no resource advice from Prometheus: web: `");
        ran.says("worker memory requests: current 80Mi, suggestion 287Mi").never_says("web memory");
    }
}

#[test]
fn what_never_ends_is_given_up() {
    let silent = Server::serve(|stream, _| {
        std::thread::sleep(Duration::from_secs(120));
        drop(stream);
    });
    let dribbling = Server::serve(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    let slow_head = Server::serve(|mut stream, _| {
        for byte in b"HTTP/1.1 200 OK\r\nX-Long: ".iter().chain(std::iter::repeat(&b'x')) {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    let endless = Server::serve(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    });
    let redirects = Server::start(|_| b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec());
    std::thread::scope(|scope| {
        for (server, words) in [
            (&silent, "no answer within 20 s"),
            (&dribbling, "no answer within 20 s"),
            (&slow_head, "no answer within 20 s"),
            (&endless, "more than 4194304 bytes"),
            (&redirects, "it redirects without end"),
        ] {
            scope.spawn(move || one_warning(two_procs(&server.address).run(&["lint"])).says(words).changed_nothing());
        }
        // Ctrl-C does not wait for anyone.
        scope.spawn(|| {
            let app = two_procs(&silent.address);
            let mut command = app.command(std::path::Path::new(env!("CARGO_BIN_EXE_lain")));
            let mut lain = command.arg("lint").stderr(Stdio::null()).spawn().expect("lain starts");
            std::thread::sleep(Duration::from_secs(3));
            assert!(lain.try_wait().expect("a state").is_none(), "it waits for the answer");
            let told = Command::new("kill").args(["-INT", &lain.id().to_string()]).status().expect("kill runs");
            assert!(told.success());
            let asked = Instant::now();
            assert_eq!(lain.wait().expect("it ends").code(), Some(130));
            assert!(asked.elapsed() < Duration::from_secs(12), "it waited for the answer all the same");
        });
    });
}

/// An API server with metrics, which the rig's has not.
fn with_metrics(asked: &Asked) -> Answer {
    let resources = |group: &str, kind: &str| {
        format!(
            "{{\"kind\": \"APIResourceList\", \"groupVersion\": \"{group}\", \"resources\": [{{\"name\": \"pods\", \"namespaced\": true, \"kind\": \"{kind}\", \"verbs\": [\"get\", \"list\"]}}]}}"
        )
    };
    let version = "{\"groupVersion\": \"metrics.k8s.io/v1beta1\", \"version\": \"v1beta1\"}";
    let used = |cpu: &str, memory: &str| format!("{{\"name\": \"main\", \"usage\": {{\"cpu\": \"{cpu}\", \"memory\": \"{memory}\"}}}}");
    let pod = |name: &str, containers: &[String]| {
        format!(
            "{{\"metadata\": {{\"name\": \"{name}\", \"namespace\": \"team\"}}, \"timestamp\": \"2026-11-26T17:20:05Z\", \"window\": \"30s\", \"containers\": [{}]}}",
            containers.join(", ")
        )
    };
    let body = match asked.target.split('?').next().unwrap_or_default() {
        "/api" => "{\"kind\": \"APIVersions\", \"versions\": [\"v1\"]}".to_owned(),
        "/apis" => format!(
            "{{\"kind\": \"APIGroupList\", \"apiVersion\": \"v1\", \"groups\": [{{\"name\": \"metrics.k8s.io\", \"versions\": [{version}], \"preferredVersion\": {version}}}]}}"
        ),
        "/api/v1" => resources("v1", "Pod"),
        "/apis/metrics.k8s.io/v1beta1" => resources("metrics.k8s.io/v1beta1", "PodMetrics"),
        "/api/v1/namespaces/team/pods" => "{\"kind\": \"PodList\", \"apiVersion\": \"v1\", \"metadata\": {}, \"items\": []}".to_owned(),
        "/apis/metrics.k8s.io/v1beta1/namespaces/team/pods" => {
            let web = pod("shop-web-b", &[used("400001n", "1048575"), used("1u", "1048577"), used("0", "0")]);
            let pods = [web, pod("shop-web-a-longer-name", &[used("1500m", "3Gi")]), pod("shop-a", &[used("12", "700Ki")])];
            format!(
                "{{\"kind\": \"PodMetricsList\", \"apiVersion\": \"metrics.k8s.io/v1beta1\", \"metadata\": {{}}, \"items\": [{}]}}",
                pods.join(", ")
            )
        }
        _ => {
            return Answer::json(
                404,
                "{\"kind\": \"Status\", \"apiVersion\": \"v1\", \"status\": \"Failure\", \"reason\": \"NotFound\", \"code\": 404}",
            );
        }
    };
    Answer::json(200, &body)
}

#[test]
fn what_pods_use_now_is_kubectls_own_table() {
    let server = server::Server::new(with_metrics);
    let app = App::new().cluster("test", "registry: r.example.com\nnamespace: team\n");
    let app = app.kubeconfig("test", &format!("http://{}", server.host())).using("test").tools(&["kubectl"]);
    let kubectl = program_of_rig("kubectl-1.31.9/kubectl");
    let mut top = app.command(&kubectl);
    let top = top.args(["top", "pod", "--namespace", "team"]).output().expect("kubectl runs");
    let table: Vec<String> = String::from_utf8_lossy(&top.stdout).lines().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(table.len(), 4, "{top:?}");
    let usage = |ran: &Ran| -> Vec<String> {
        let lines = ran.stdout.lines().skip_while(|line| *line != "usage").skip(1);
        lines.take_while(|line| !line.is_empty()).map(|line| line.trim_end().to_owned()).collect()
    };
    let ran = app.run(&["-v", "status", "-s"]).exits(0).never_says("kubectl top").says("kubectl get --raw '/apis/metrics.k8s.io/v1beta1/");
    assert_eq!(usage(&ran), table);
    assert!(server.asked().iter().any(|asked| asked.field("labelSelector").is_some_and(|it| it.contains("name=shop"))), "the app's own");
    // Where no proxy can be, by kubectl itself.
    let app = app.fake("kubectl", &format!("[ \"$1\" != proxy ] || exit 1\nexec {} \"$@\"", kubectl.display()));
    assert_eq!(usage(&app.run(&["-v", "status", "-s"]).exits(0).says("kubectl top pod")), table);
}

#[test]
fn without_a_metrics_server_prometheus_says_what_is_used() {
    const MI: f64 = 1_048_576.0;
    // One of a release whose name begins alike, one without a number, and one that is gone by now.
    let pods = [
        pod("shop-web-a", |_| 300.0 * MI, |_| 250.0),
        pod("shop-admin-web-a", |_| 9.0 * MI, |_| 9.0),
        pod("shop-web-gone", |_| 5.0 * MI, |_| 5.0),
    ];
    let prometheus = Prometheus::with(&pods);
    let api = server::Server::new(|asked: &Asked| match asked.target.split('?').next().unwrap_or_default() {
        "/api/v1/namespaces/shop/pods" => Answer::json(
            200,
            r#"{"kind":"PodList","metadata":{},"items":[{"metadata":{"name":"shop-web-a"},"status":{"phase":"Pending"}}]}"#,
        ),
        path if path.contains("metrics") || path.contains("/pods") => {
            Answer::json(404, r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"no","code":404}"#)
        }
        _ => Answer::json(200, r#"{"kind":"List","metadata":{},"items":[]}"#),
    });
    let app = App::new().cluster("test", &format!("registry: r.example.com\nnamespace: shop\nprometheus: {}\n", prometheus.address));
    let app = app.kubeconfig("test", &format!("http://{}", api.host())).using("test").tools(&["kubectl"]);
    let out = app.run(&["status", "-s"]).exits(0).stdout;
    assert!(out.contains("\nusage\nNAME         CPU(cores)   MEMORY(bytes)\nshop-web-a   250m         300Mi\n(by Prometheus: the cluster has no metrics server)\n"), "{out}");
}

fn program_of_rig(path: &str) -> std::path::PathBuf {
    std::path::Path::new(&support::rig("LAIN_RIG_TOOLS")).join(path)
}

#[test]
fn names_that_nobody_asks() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let mut text = String::from("# TYPE nginx_ingress_controller_requests gauge\n");
    // Two controllers count one name; one name was asked long ago.
    for (host, pod, each) in
        [("busy.example.com", "a", 3), ("busy.example.com", "b", 2), ("seldom.example.com", "a", 0), ("was.example.com", "a", 0)]
    {
        let mut count = if host == "was.example.com" { 1000 } else { 0 };
        for step in 0..(WEEK + 1200) / EVERY {
            count += if host == "seldom.example.com" { u64::from(step % 1000 == 900) } else { each };
            let time = now - WEEK - 600 + step * EVERY;
            writeln!(text, "nginx_ingress_controller_requests{{host=\"{host}\",controller_pod=\"{pod}\",status=\"200\"}} {count} {time}")
                .expect("text");
        }
    }
    let (prometheus, empty) = (Prometheus::holding(text), Prometheus::holding(format!("# TYPE other gauge\nother 1 {now}\n")));
    let api = server::Server::new(|asked: &Asked| {
        let item = |name: &str, made: &str, hosts: &[&str]| {
            let rules: Vec<_> =
                hosts.iter().map(|host| serde_json::json!({"host": host, "http": null})).chain([serde_json::json!({})]).collect();
            serde_json::json!({"metadata": {"name": name, "namespace": "shops", "creationTimestamp": made}, "spec": {"rules": rules}})
        };
        let old = "2020-01-01T00:00:00Z";
        let young = "2999-01-01T00:00:00Z";
        match asked.target.split('?').next() {
            Some("/apis/networking.k8s.io/v1beta1/ingresses") => {
                let items = [
                    item("shop", old, &["busy.example.com", "seldom.example.com"]),
                    item("old", old, &["was.example.com", "never.example.com", "*.wild.example.com"]),
                    item("new", young, &["new.example.com"]),
                ];
                Answer::json(200, &serde_json::json!({"metadata": {}, "items": items}).to_string())
            }
            _ => Answer::json(404, r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"no","code":404}"#),
        }
    });
    let app = |prometheus: &str| {
        let cluster = format!("namespace: shops\n{prometheus}");
        App::empty().tools(&["kubectl"]).cluster("test", &cluster).kubeconfig("test", &format!("http://{}", api.host())).using("test")
    };
    let list = ["admin", "list-unused-ingress"];
    let here = app(&format!("prometheus: http://{}\n", prometheus.address));
    let ran = here.run(&list).exits(0).says("2 names were never asked; left out: 1 younger, 1 with a `*`\n");
    let rows: Vec<Vec<&str>> = ran.stdout.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows[0][0], rows[0][2..].to_vec()), ("0", vec!["shops", "old", "never.example.com"]));
    assert_eq!((rows[1][0], rows[1][4], rows.len()), ("0", "was.example.com", 2));
    let json = here.run(&[&list[..], &["--count-below", "100", "--period", "6d", "-o", "json"]].concat()).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let hosts: Vec<&str> = json["unused"].as_array().expect("a list").iter().map(|it| it["host"].as_str().expect("text")).collect();
    assert_eq!(hosts, ["never.example.com", "was.example.com", "seldom.example.com"], "{json}");
    assert!(json["unused"][2]["requests"].as_u64().is_some_and(|count| (1..20).contains(&count)), "{json}");
    // Where nobody counts, nobody is called unused.
    let none = app(&format!("prometheus: {}\n", empty.address)).run(&list).exits(1).prints("");
    none.reason("Prometheus has no nginx_ingress_controller_requests by host").next("controller.metrics.enabled: true");
    app("prometheus: 127.0.0.1:1\n").run(&list).exits(1).reason("Prometheus cannot be asked").next("is the address right?");
    app("").run(&list).exits(1).reason("name no `prometheus`").next("prometheus: HOST:PORT");
    app("").run(&[&list[..], &["--period", "0s"]].concat()).exits(2);
}
