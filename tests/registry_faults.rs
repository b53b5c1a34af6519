//! Registries that do what no real one can be made to do: each fault ends, with one reason and the right exit code.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use registry::Registry;
use server::{Answer, Asked, Server};
use support::App;

const COMMIT: &str = "1700000000-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const LINE: &str = "lain deploy --set imageTag=1700000000-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SECRET: &str = "staple-horse-battery";

fn app(host: &str) -> App {
    App::new().cluster("test", &format!("registry: {host}/team\n")).using("test")
}

/// The same, logged in with [`SECRET`].
fn app_with_login(host: &str) -> App {
    app(host)
        .home_file(".docker/config.json", &format!("{{\"auths\": {{\"{host}\": {{\"username\": \"me\", \"password\": \"{SECRET}\"}}}}}}"))
}

fn good() -> Answer {
    Answer::json(200, &format!("{{\"name\":\"team/shop\",\"tags\":[\"{COMMIT}\"]}}"))
}

/// A server that answers this a number of times, and then well.
fn at_first(times: usize, answer: Answer) -> Server {
    let count = AtomicUsize::new(0);
    Server::new(move |_| if count.fetch_add(1, Ordering::SeqCst) < times { answer.clone() } else { good() })
}

fn always(answer: Answer) -> Server {
    Server::new(move |_| answer.clone())
}

// ---- passing faults ----

#[test]
fn what_passes_is_waited_for() {
    let busy = Answer::json(429, "{}").with("Retry-After", "1");
    for fault in [busy, Answer::json(500, ""), Answer::json(502, ""), Answer::json(503, ""), Answer::Raw(vec![])] {
        let server = at_first(2, fault.clone());
        app(&server.host()).run(&["tags"]).exits(0).prints_commands(LINE).never_says("error").within(60);
        assert_eq!(server.asked().len(), 3, "{fault:?}");
    }
    // A body that breaks off half-way.
    let half = Answer::Raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{\"tags\":[\"a".to_vec());
    let server = at_first(1, half);
    app(&server.host()).run(&["tags"]).exits(0).prints_commands(LINE).within(60);
}

#[test]
fn what_does_not_pass_ends() {
    let cases = [
        (Answer::json(500, "<html>"), "fails with 500 Internal Server Error for team/shop", "try again later"),
        (
            Answer::json(503, "{\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"read only for now\"}]}"),
            "fails with 503",
            "try again later",
        ),
        (Answer::json(429, ""), "has had too many requests (429)", "docker login"),
        (Answer::Raw(vec![]), "cannot be asked", "is it up"),
    ];
    for (answer, reason, next) in cases {
        let server = always(answer);
        app(&server.host()).run(&["tags"]).exits(1).reason(reason).next(next).within(60).changed_nothing();
        assert_eq!(server.asked().len(), 4, "{reason}");
    }
    let server = always(Answer::json(503, "{\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"read only for now\"}]}"));
    app(&server.host()).run(&["tags"]).exits(1).says("read only for now");
}

#[test]
fn a_server_that_wants_us_away_for_an_hour() {
    let server = always(Answer::json(429, "").with("Retry-After", "3600"));
    app(&server.host()).run(&["tags"]).exits(1).reason("too many requests (429)").next("try again later").within(30);
    assert_eq!(server.asked().len(), 1, "it is not asked again");
}

// ---- servers that take their time ----

#[test]
fn servers_that_never_finish() {
    std::thread::scope(|scope| {
        for answer in [Answer::Hang, Answer::Dribble] {
            scope.spawn(move || {
                let server = always(answer);
                let ran = app(&server.host()).run(&["tags"]).exits(1).reason("cannot be asked").says("no answer in time");
                ran.next("is it up").within(60).changed_nothing();
                assert_eq!(server.asked().len(), 1, "one wait is enough");
            });
        }
    });
}

#[test]
fn ctrl_c_does_not_wait_for_the_server() {
    let server = always(Answer::Hang);
    let app = app(&server.host());
    let mut command = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    let mut child = command.arg("tags").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let started = Instant::now();
    while server.asked().is_empty() {
        assert!(started.elapsed() < Duration::from_secs(20), "it asks the registry");
        std::thread::sleep(Duration::from_millis(10));
    }
    let sent = Instant::now();
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
    assert_eq!(child.wait().expect("a state").code(), Some(130));
    assert!(sent.elapsed() < Duration::from_secs(15), "{:?}", sent.elapsed());
}

// ---- garbage ----

#[test]
fn answers_that_are_no_registry_s() {
    let html = |status| Answer::Reply(status, vec![("Content-Type".to_owned(), "text/html".to_owned())], "<html>Welcome</html>".to_owned());
    let no_list = "answers something that is no tag list";
    let cases = [
        (html(200), "answers something that is no tag list (text/html)"),
        (html(404), "answers like no registry: 404 for team/shop"),
        (html(400), "answers 400 Bad Request to plain http"),
        (Answer::json(200, ""), no_list),
        (Answer::json(200, "[]"), no_list),
        (Answer::json(200, "{\"tags\": \"none\"}"), no_list),
        (Answer::json(200, "{\"tags\": [1, 2]}"), no_list),
        (Answer::json(200, "{\"tags\": [\"a\""), no_list),
        (Answer::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), "cannot be asked"),
        (Answer::Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec()), "cannot be asked"),
        (Answer::json(200, "not gzip").with("Content-Encoding", "gzip"), "cannot be asked"),
    ];
    for (answer, reason) in cases {
        let server = always(answer);
        app(&server.host()).run(&["tags"]).exits(1).reason(reason).next("curl -v http://").within(60).changed_nothing();
    }
}

#[test]
fn a_body_without_end() {
    let server = always(Answer::Flood);
    app(&server.host()).run(&["tags"]).exits(1).reason("cannot be asked").says("the answer has more than 33554432 bytes").within(60);
}

#[test]
fn what_a_registry_says_cannot_drive_the_terminal() {
    let evil = "\\u001b]0;owned\\u0007\\u001b[2J";
    let tags = format!("{{\"tags\":[\"{evil}\",\"a b\",\"$(reboot)\",\"-n\",\"\",\"{COMMIT}\",\"{COMMIT}\"]}}");
    let server = always(Answer::json(200, &tags));
    app(&server.host()).run(&["tags"]).exits(0).prints_commands(LINE);
    let server = always(Answer::json(403, &format!("{{\"errors\":[{{\"message\":\"{evil} no\\nerror: entry\"}}]}}")));
    let ran = app(&server.host()).run(&["tags"]).exits(1).reason("does not let this account at team/shop");
    ran.never_says("\u{1b}").never_says("\u{7}").says("owned").next("docker login");
}

#[test]
fn a_name_that_nobody_has() {
    let ran =
        app("registry.invalid:5000").run(&["tags"]).exits(1).reason("registry registry.invalid:5000 cannot be asked").says("no such host");
    ran.next("getent hosts registry.invalid").within(60).changed_nothing();
}

// ---- pages ----

/// A registry of so many tags, 100 on a page, with `Link` as the specification has it.
fn paged(tags: usize, link: impl Fn(usize) -> Option<String> + Send + Sync + 'static) -> Server {
    Server::new(move |asked| {
        let first = asked.field("last").map_or(0, |last| last.rsplit('x').next().expect("a number").parse::<usize>().expect("a number"));
        let names: Vec<String> = (first + 1..=tags.min(first + 100)).map(|at| format!("\"tag.x{at}\"")).collect();
        let answer = Answer::json(200, &format!("{{\"tags\":[{}]}}", names.join(",")));
        match link(first + names.len()) {
            Some(link) => answer.with("Link", &link),
            None => answer,
        }
    })
}

#[test]
fn every_page_over_one_connection() {
    let next = |last: usize| (last < 4321).then(|| format!("</v2/team/shop/tags/list?last=tag.x{last}&n=100>; rel=\"next\""));
    let server = paged(4321, next);
    let all = app(&server.host()).run(&["tags", "-n", "9999"]).exits(0);
    assert_eq!(all.stdout.lines().count(), 4321);
    assert_eq!(server.asked().len(), 44);
    assert_eq!(server.connections(), 1, "the connection is kept");
    assert_eq!(server.asked()[0].field("n").as_deref(), Some("1000"));
}

#[test]
fn links_to_elsewhere_stay_here() {
    let elsewhere = always(good());
    let host = elsewhere.host();
    let server = paged(150, move |last| (last < 150).then(|| format!("<http://{host}/evil?last=tag.x{last}>; rel=next")));
    let all = app(&server.host()).run(&["tags", "-n", "9999"]).exits(0);
    assert_eq!(all.stdout.lines().count(), 150);
    assert!(elsewhere.asked().is_empty());
    assert!(server.asked().iter().all(|asked| asked.target.starts_with("/v2/team/shop/tags/list?")));
}

#[test]
fn a_full_page_that_forgets_its_link() {
    let server = Server::new(|asked| {
        let first = asked.field("last").map_or(0, |last| last.trim_start_matches('t').parse::<usize>().expect("a number"));
        let names: Vec<String> = (first + 1..=2500.min(first + 1000)).map(|at| format!("\"t{at}\"")).collect();
        Answer::json(200, &format!("{{\"tags\":[{}]}}", names.join(",")))
    });
    assert_eq!(app(&server.host()).run(&["tags", "-n", "9999"]).exits(0).stdout.lines().count(), 2500);
    assert_eq!(server.asked().len(), 3);
    // One that gives the same thousand to every question.
    let names = (1..=1000).map(|at| format!("\"t{at}\"")).collect::<Vec<_>>().join(",");
    let server = always(Answer::json(200, &format!("{{\"tags\":[{names}]}}")));
    assert_eq!(app(&server.host()).run(&["tags", "-n", "9999"]).exits(0).stdout.lines().count(), 1000);
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn links_that_run_in_circles() {
    let circle = "</v2/team/shop/tags/list?last=tag.x0&n=100>; rel=\"next\"";
    let server = paged(50, |_| Some(circle.to_owned()));
    assert_eq!(app(&server.host()).run(&["tags", "-n", "999"]).exits(0).within(60).stdout.lines().count(), 50);
    assert!(server.asked().len() < 5, "{}", server.asked().len());
    // A new address each time, and nothing new behind it.
    let count = AtomicUsize::new(0);
    let server = Server::new(move |_| {
        let link = format!("</v2/team/shop/tags/list?page={}>; rel=\"next\"", count.fetch_add(1, Ordering::SeqCst));
        good().with("Link", &link)
    });
    app(&server.host()).run(&["tags"]).exits(0).prints_commands(LINE).within(60);
    assert!(server.asked().len() < 50, "{}", server.asked().len());
    // Something new each time, for ever.
    let server = Server::new(|asked| {
        let at = asked.field("last").map_or(0, |last| last.parse::<u32>().expect("a number")) + 1;
        Answer::json(200, &format!("{{\"tags\":[\"t{at}\"]}}")).with("Link", &format!("</?last={at}>; rel=\"next\""))
    });
    app(&server.host()).run(&["tags"]).exits(1).reason("pages through its tags without end").next("see its Link").within(240);
}

// ---- logins stay at home ----

/// Wants a password, by `Basic` or by the realm of a login server.
fn locked(challenge: String) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |asked| match asked.header("authorization") {
        Some(_) => good(),
        None => Answer::json(401, "{}").with("WWW-Authenticate", &challenge),
    }
}

fn saw_a_login(server: &Server) -> bool {
    server.asked().iter().any(|asked| asked.header("authorization").is_some() || asked.body.contains(SECRET))
}

#[test]
fn a_redirect_takes_no_login_along() {
    let elsewhere = Server::on("127.0.0.2", |_| good());
    let target = format!("http://{}/v2/team/shop/tags/list", elsewhere.host());
    let server = Server::new(move |asked| match asked.header("authorization") {
        None => Answer::json(401, "{}").with("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) => Answer::json(307, "").with("Location", &target),
    });
    app_with_login(&server.host()).run(&["tags", "-v"]).exits(0).prints_commands(LINE).never_says(SECRET);
    assert!(saw_a_login(&server) && !elsewhere.asked().is_empty());
    assert!(!saw_a_login(&elsewhere), "{:?}", elsewhere.asked());
    // On the same host it goes along.
    let server = Server::new(|asked| match (asked.header("authorization"), asked.target.starts_with("/there")) {
        (None, _) => Answer::json(401, "{}").with("WWW-Authenticate", "Basic realm=\"x\""),
        (Some(_), false) => Answer::json(302, "").with("Location", "/there"),
        (Some(_), true) => good(),
    });
    app_with_login(&server.host()).run(&["tags"]).exits(0).prints_commands(LINE);
}

#[test]
fn redirects_end() {
    let server = always(Answer::json(302, "").with("Location", "/again"));
    app(&server.host()).run(&["tags"]).exits(1).reason("cannot be asked").says("it redirects without end").within(30);
    assert!(server.asked().len() < 10);
    let server = always(Answer::json(302, "").with("Location", "http://nowhere.invalid:5000/v2/"));
    let ran = app(&server.host()).run(&["tags"]).exits(1).reason("cannot be asked").within(60);
    ran.says("it redirects to nowhere.invalid:5000: no such host").next("getent hosts nowhere.invalid # ");
}

#[test]
fn from_https_nothing_goes_on_to_http() {
    let plain = always(good());
    let files = tempfile::tempdir().expect("a folder");
    registry::make_certificates(files.path(), "IP:127.0.0.1");
    let list = files.path().join("v2/team/shop/tags");
    std::fs::create_dir_all(&list).expect("a folder");
    let reply = format!("HTTP/1.0 302 Found\r\nLocation: http://{}/\r\nContent-Length: 0\r\n\r\n", plain.host());
    std::fs::write(list.join("list?n=1000"), reply).expect("a file");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let host = format!("127.0.0.1:{port}");
    let mut child = Command::new("openssl")
        .args(["s_server", "-HTTP", "-quiet", "-accept", &host, "-cert", "server.crt", "-key", "server.key"])
        .current_dir(files.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let started = Instant::now();
    while std::net::TcpStream::connect(&host).is_err() && started.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let app = App::new().cluster("test", &format!("registry: {host}/team\nregistry_endpoint_use_https: true\n")).using("test");
    let app = app.env("SSL_CERT_FILE", &files.path().join("ca.crt").display().to_string());
    let ran = app.run(&["tags"]);
    let _ = child.kill(); // this very process
    let _ = child.wait();
    ran.exits(1).reason("cannot be asked").says("it redirects from https to http").never_says("lain deploy");
    assert!(plain.asked().is_empty());
}

#[test]
fn a_realm_elsewhere_without_tls_gets_no_login() {
    let thief = Server::on("127.0.0.2", |_| Answer::json(200, "{\"token\":\"x\"}"));
    let server = Server::new(locked(format!("Bearer realm=\"http://{}/token\",service=\"it\"", thief.host())));
    let ran = app_with_login(&server.host()).run(&["tags", "-v"]).exits(1).reason("wants its logins sent to 127.0.0.2");
    ran.says("without TLS, which is refused").next("has to begin with https://").never_says(SECRET);
    assert!(thief.asked().is_empty());
    // Also when nobody is logged in: the answer would be used as a token.
    app(&server.host()).run(&["tags"]).exits(1).reason("without TLS, which is refused");
    assert!(thief.asked().is_empty());
}

#[test]
fn realms_that_are_no_address() {
    for realm in [
        "",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "/token",
        "http://me:pw@127.0.0.1/",
        "http://",
        "::",
        "http://127.0.0.1:1\\\\@evil.invalid/",
    ] {
        let server = Server::new(locked(format!("Bearer realm=\"{realm}\"")));
        let ran = app_with_login(&server.host()).run(&["tags"]).exits(1).never_says(SECRET).within(60);
        if realm.is_empty() {
            ran.reason("refuses the login from"); // no realm, no way
        } else {
            ran.reason("names a login server that has no address of http").next("WWW-Authenticate");
        }
    }
}

#[test]
fn the_login_server_is_broken() {
    let cases = [
        (Answer::json(500, ""), "answers 500", "try again later"),
        (Answer::json(404, ""), "answers 404", "ask whoever runs it"),
        (Answer::json(401, ""), "refuses the login from", "docker login"),
        (Answer::json(403, ""), "refuses the login from", "docker login"),
        (Answer::json(200, ""), "answers something that is no token", "is that a login server?"),
        (Answer::json(200, "{\"token\": \"\"}"), "answers something that is no token", "is that a login server?"),
        (Answer::json(200, "{\"token\": \"a\\r\\nX-Evil: b\"}"), "answers something that is no token", "is that a login server?"),
        (Answer::json(200, "{\"token\": 5}"), "answers something that is no token", "is that a login server?"),
        (Answer::Raw(b"nonsense\r\n\r\n".to_vec()), "the login server of registry", "is it up?"),
    ];
    for (answer, reason, next) in cases {
        let login = always(answer);
        let server = Server::new(locked(format!("Bearer realm=\"http://{}/token\",service=\"it\"", login.host())));
        let ran = app_with_login(&server.host()).run(&["tags", "-v"]).exits(1).reason(reason);
        ran.next(next).never_says(SECRET).within(60).changed_nothing();
        assert!(saw_a_login(&login));
        assert!(!saw_a_login(&server), "only the token goes to the registry");
    }
}

#[test]
fn a_login_server_that_hangs() {
    let login = always(Answer::Hang);
    let server = Server::new(locked(format!("Bearer realm=\"http://{}/token\"", login.host())));
    let ran = app_with_login(&server.host()).run(&["tags"]).exits(1).reason("the login server of registry").says("no answer in time");
    ran.never_says(SECRET).within(60);
}

#[test]
fn a_registry_that_wants_a_login_but_takes_none() {
    let server = Server::new(|_| Answer::json(401, "{}").with("WWW-Authenticate", "Basic realm=\"x\", Negotiate"));
    let ran = app_with_login(&server.host()).run(&["tags"]).exits(1).reason("refuses the login from");
    ran.never_says(SECRET).next(&format!("docker login {}", server.host()));
    assert_eq!(server.asked().len(), 2, "a login is tried once");
    for challenge in ["", "Negotiate", "=,=\"", "Bearer"] {
        let server = Server::new(locked(challenge.to_owned()));
        app(&server.host()).run(&["tags"]).exits(1).reason("wants a login to read team/shop");
    }
}

#[test]
fn a_login_that_does_not_reach_so_far() {
    let server = Server::new(|asked| match asked.header("authorization") {
        None => Answer::json(401, "{}").with("WWW-Authenticate", "Basic realm=\"x\""),
        Some(_) => Answer::json(401, "{}").with("WWW-Authenticate", "Basic realm=\"x\",error=\"insufficient_scope\""),
    });
    app_with_login(&server.host()).run(&["tags"]).exits(1).reason("does not let this account at team/shop").next("as someone with access");
    let server = always(Answer::json(403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"not yours\"}]}"));
    app(&server.host())
        .run(&["tags"])
        .exits(1)
        .reason("does not let this account at team/shop")
        .says("not yours")
        .next(&format!("docker login {} # as someone", server.host()));
}

// ---- what deploy makes of it ----

/// A namespace on the rig's cluster; goes when dropped.
struct Namespace(String);

impl Namespace {
    fn new() -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now");
        let namespace = Self(format!("r-{}", now.as_nanos()));
        assert!(namespace.kubectl(&["create", "namespace", &namespace.0]), "the rig's cluster answers");
        namespace
    }

    fn kubectl(&self, args: &[&str]) -> bool {
        let kubeconfig = support::rig("LAIN_E2E_KUBECONFIG");
        let status = Command::new("kubectl").args(["--kubeconfig", &kubeconfig, "--namespace", &self.0]).args(args).status();
        status.expect("kubectl runs").success()
    }

    /// An app to deploy here.
    fn app(&self, host: &str) -> App {
        let kubeconfig = std::fs::read_to_string(support::rig("LAIN_E2E_KUBECONFIG")).expect("a kubeconfig");
        let app = App::new().cluster("test", &format!("registry: {host}/team\nnamespace: {}\n", self.0)).using("test");
        app.home_file(".kube/kubeconfig-test", &kubeconfig).chart().tools(&["helm", "kubectl"]).committed()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.kubectl(&["delete", "namespace", &self.0, "--wait=false"]);
    }
}

#[test]
fn an_image_that_is_not_there() {
    let registry = Registry::plain();
    registry.put("team/shop", COMMIT);
    let namespace = Namespace::new();
    let app = namespace.app(&registry.host());
    let ran = app
        .run(&["deploy", "--set", "imageTag=v1"])
        .exits(3)
        .reason(&format!("image {}/team/shop:v1 is not in the registry", registry.host()));
    ran.says(LINE).next("lain deploy --build");
}

#[test]
fn a_web_page_has_no_image() {
    let html = Answer::Reply(200, vec![("Content-Type".to_owned(), "text/html".to_owned())], "<html>Welcome</html>".to_owned());
    let server = always(html);
    let namespace = Namespace::new();
    let app = namespace.app(&server.host());
    app.run(&["deploy", "--set", "imageTag=v1"]).exits(1).reason("answers something that is no image manifest (text/html)");
    // One that knows no HEAD is asked by GET.
    let manifest = "{\"schemaVersion\":2}";
    let server = Server::new(move |asked| if asked.method == "HEAD" { Answer::json(405, "") } else { Answer::json(200, manifest) });
    let env = lain::env::Env::default();
    let (ui, cluster) = (lain::ui::Ui::default(), lain::model::cluster::Cluster::default());
    let client = lain::http::registry::Registry::new(&ui, &env, &cluster, &format!("{}/team/shop", server.host())).expect("a name");
    let digest = client.digest("v1").expect("an answer").expect("an image");
    let sum = <sha2::Sha256 as sha2::Digest>::digest(manifest).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    assert_eq!(digest, format!("sha256:{sum}"));
}
