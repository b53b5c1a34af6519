//! Registries that refuse, hang or talk nonsense while real docker pushes to them or pulls from them: each command ends, with one reason, the
//! right exit code, and nothing left behind.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use registry::Registry;
use server::{Answer, Asked, Server};
use support::App;

const BASE: &str = "debian:trixie-slim";

/// Commands that push, all of an app that is built: what is pushed is what fails.
const PUSHES: [&[&str]; 5] =
    [&["prepare"], &["push"], &["push", "--publish"], &["build", "--no-pull", "--push"], &["build", "--no-pull", "--publish"]];

/// An app that is new in every run, at a registry; its images go when it is dropped.
struct Shop {
    app: App,
    name: String,
    host: String,
}

fn docker(args: &[&str]) -> Option<String> {
    let out = Command::new("docker").args(args).output().expect("docker runs");
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

impl Shop {
    fn new(host: &str) -> Self {
        Self::of(App::empty(), host)
    }

    /// One that waits for the registry for so long.
    fn patient(host: &str, limit: &str) -> Self {
        Self::of(App::empty().env("LAIN_REGISTRY_TIMEOUT", limit), host)
    }

    fn of(app: App, host: &str) -> Self {
        let name = format!("pushed-{}", SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos());
        let values = format!("appname: {name}\nbuild:\n  base: {BASE}\n  prepare: {{script: [\"true\"]}}\n  script: [\"true\"]\n");
        let app = app.docker().env("DOCKER_BUILDKIT", "0").values(&values);
        let app = app.cluster("test", &format!("registry: {host}/team\n")).using("test");
        Self { app, name, host: host.to_owned() }
    }

    fn image(&self, tag: &str) -> String {
        format!("{}/team/{}:{tag}", self.host, self.name)
    }

    /// With images as if they had been built.
    fn built(self) -> Self {
        ["prepare", "latest"].iter().for_each(|tag| drop(docker(&["tag", BASE, &self.image(tag)]).expect("the base is there")));
        self
    }

    /// Commands that pull what is not on the daemon.
    fn pulls(&self) -> Vec<Vec<String>> {
        let other = format!("{}/team/other:1", self.host);
        let words = |args: &[&str]| args.iter().map(|word| (*word).to_owned()).collect();
        vec![
            words(&["build"]),
            words(&["run", "--", "true"]),
            words(&["run", "--prepare"]),
            words(&["save", &other, "--pull"]),
            words(&["push", &other, "--pull"]),
        ]
    }

    /// Runs what pushes.
    #[track_caller]
    fn cannot_push(&self, says: &str, next: &str) {
        self.fails_at(&PUSHES, says, next);
    }

    #[track_caller]
    fn fails_at(&self, commands: &[&[&str]], says: &str, next: &str) {
        for args in commands {
            let ran = self.app.run(args).exits(1).reason(&format!("`docker push {}/team/{}", self.host, self.name));
            ran.says(says).next(next).within(100).changed_nothing();
        }
    }

    /// Runs what pulls.
    #[track_caller]
    fn cannot_pull(&self, says: &str, next: &str) {
        for args in self.pulls() {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let ran = self.app.run(&args).exits(1).reason(&format!("`docker pull {}/team/", self.host));
            ran.says(says).next(next).never_says("docker build").within(100).changed_nothing();
        }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let list = docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).unwrap_or_default();
        list.lines()
            .filter(|image| image.contains(&self.name))
            .for_each(|image| drop(docker(&["image", "rm", "--force", "--no-prune", image])));
    }
}

/// Well until docker has found out that it speaks to a registry, then this.
fn after_the_greeting(answer: Answer) -> impl Fn(&Asked) -> Answer + Send + Sync {
    move |asked| if asked.target == "/v2/" { Answer::json(200, "{}") } else { answer.clone() }
}

// ---- refusing ----

#[test]
fn nobody_listens() {
    let shop = Shop::new("127.0.0.1:1").built();
    shop.cannot_push("connection refused", "docker push 127.0.0.1:1/team/");
    let shop = Shop::new("127.0.0.1:1");
    shop.cannot_pull("connection refused", "127.0.0.1:1/team/");
}

#[test]
fn no_login() {
    let registry = Registry::htpasswd();
    let next = format!("docker login {}", registry.host());
    let shop = Shop::new(&registry.host()).built();
    shop.cannot_push("no basic auth credentials", &next);
    let shop = Shop::new(&registry.host());
    shop.cannot_pull("no basic auth credentials", &next);
}

#[test]
fn a_login_that_is_wrong() {
    let registry = Registry::htpasswd();
    let login = format!("{{\"auths\": {{\"{}\": {{\"auth\": \"bWU6d3Jvbmc=\"}}}}}}", registry.host());
    let shop = Shop::of(App::empty().home_file(".docker/config.json", &login), &registry.host()).built();
    shop.cannot_push("unauthorized", &format!("docker login {}", registry.host()));
    let shop = Shop::of(App::empty().home_file(".docker/config.json", &login), &registry.host());
    shop.cannot_pull("unauthorized", &format!("docker login {}", registry.host()));
}

#[test]
fn a_login_that_does_not_reach_so_far() {
    let words = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"you may not\"}]}";
    let server = Server::new(after_the_greeting(Answer::json(403, words)));
    let next = format!("docker login {}", server.host());
    let shop = Shop::new(&server.host()).built();
    shop.cannot_push("denied: you may not", &next);
    // To docker that is an image that may be there or not, as registries say it of any image that one may not know: so it is built, and pushed.
    let shop = Shop::new(&server.host());
    shop.app.run(&["build"]).exits(1).reason("`docker push ").says("there is no prepare image yet").says("you may not").next(&next);
    let shop = Shop::new(&server.host());
    for args in &shop.pulls()[1..] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        shop.app.run(&args).exits(1).reason("`docker pull ").says("you may not").next(&next).changed_nothing();
    }
}

#[test]
fn a_wall_before_the_registry() {
    let wall = Answer::Reply(403, vec![("Content-Type".to_owned(), "text/html".to_owned())], "<html>Forbidden</html>".to_owned());
    for answers in [Server::new(after_the_greeting(wall.clone())), Server::new(move |_| wall.clone())] {
        let next = format!("docker login {}", answers.host());
        Shop::new(&answers.host()).built().cannot_push("403", &next);
        Shop::new(&answers.host()).cannot_pull("403", &next);
    }
}

// ---- hanging ----

/// docker's daemon (20.10) uploads five layers at a time, and an upload that hangs keeps its place when its push has been stopped, until the registry
/// hangs up: who pushes meanwhile waits for a place.
static PLACES: Mutex<()> = Mutex::new(());

fn all_places() -> MutexGuard<'static, ()> {
    PLACES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn it_takes_requests_and_answers_none() {
    let _places = all_places();
    for server in [Server::new(|_| Answer::Hang), Server::new(after_the_greeting(Answer::Hang))] {
        Shop::patient(&server.host(), "4s").built().cannot_push("stood still for 4 s and was stopped", "LAIN_REGISTRY_TIMEOUT=");
        Shop::patient(&server.host(), "4s").cannot_pull("stood still for 4 s and was stopped", "LAIN_REGISTRY_TIMEOUT=");
    }
}

/// A connection is made, and nobody ever reads from it.
#[test]
fn it_does_not_even_read() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let host = listener.local_addr().expect("an address").to_string();
    Shop::patient(&host, "4s").built().cannot_push("stood still for 4 s and was stopped", "LAIN_REGISTRY_TIMEOUT=");
    Shop::patient(&host, "4s").cannot_pull("stood still for 4 s and was stopped", "LAIN_REGISTRY_TIMEOUT=");
}

/// A large image over a slow line says nothing for long where docker does not draw: that is no standstill.
#[test]
fn slow_is_not_still() {
    let _places = all_places();
    let registry = Registry::plain();
    let name = Shop::patient(&registry.host(), "4s");
    let big = format!("FROM {BASE}\nRUN head -c 200M /dev/urandom > /big # {}\n", name.name);
    let file = name.app.home().join("Dockerfile");
    fs::write(&file, big).expect("a file");
    let context = name.app.tmp();
    let built = docker(&[
        "build",
        "--force-rm",
        "--tag",
        &name.image("latest"),
        "--file",
        &file.display().to_string(),
        &context.display().to_string(),
    ]);
    built.expect("it builds");
    name.app.run(&["push"]).exits(0).prints(&name.image("latest"));
}

#[test]
fn a_patience_that_is_none() {
    let shop = Shop::patient("127.0.0.1:1", "soon");
    let ran = shop.app.run(&["push"]).exits(2).reason("LAIN_REGISTRY_TIMEOUT: `soon` is no duration");
    ran.next("LAIN_REGISTRY_TIMEOUT=10m").changed_nothing();
    Shop::patient("127.0.0.1:1", "0s").app.run(&["build"]).exits(2).reason("LAIN_REGISTRY_TIMEOUT: it is no time at all").next("=10m");
}

/// One registry hangs; the others get the image, and the reason is the one's.
#[test]
fn publish_does_not_wait_for_ever() {
    let fine = Registry::plain();
    let hanging = Server::new(|_| Answer::Hang);
    let shop = Shop::patient(&fine.host(), "5s").built();
    let far = format!("registry: {}/team\n", hanging.host());
    fs::write(shop.app.home().with_file_name("clusters").join("values-far.yaml"), far).expect("values");
    let ran = shop.app.run(&["push", "--publish"]).exits(1).reason(&format!("`docker push {}/team/", hanging.host()));
    ran.says("stood still for 5 s").next("LAIN_REGISTRY_TIMEOUT=").says(&format!("pushed {}", shop.image("latest"))).changed_nothing();
    docker(&["image", "rm", &shop.image("latest")]).expect("it was there");
    docker(&["pull", "--quiet", &shop.image("latest")]).expect("the registry that works has it");
}

// ---- nonsense ----

#[test]
fn what_it_says_is_no_registrys() {
    let page = Answer::Reply(200, vec![("Content-Type".to_owned(), "text/html".to_owned())], "<html>Welcome</html>".to_owned());
    let half = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.distribution.manifest.v2+json\r\nContent-Length: 900\r\n\r\n{\"schemaVersion\":2,";
    let whole = Answer::json(200, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd");
    let servers = [
        ("a web page", Server::new(move |_| page.clone())),
        ("half an answer", Server::new(after_the_greeting(Answer::Raw(half.as_bytes().to_vec())))),
        ("half a manifest", Server::new(after_the_greeting(whole))),
        ("another protocol", Server::new(|_| Answer::Raw(b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()))),
    ];
    for (kind, server) in servers {
        let host = server.host();
        println!("{kind}");
        // What is built anew has layers that the registry would have to take, and docker tries that for a minute; once is enough.
        let commands = if kind == "a web page" { &PUSHES[..3] } else { &PUSHES[1..3] };
        Shop::patient(&host, "30s").built().fails_at(commands, "docker push", &format!("docker push {host}/team/"));
        Shop::patient(&host, "30s").cannot_pull("docker pull", &format!("{host}/team/"));
    }
}
