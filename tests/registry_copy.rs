//! Images from one registry to another: real registries of each kind, and faults on the way.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lain::env::Env;
use lain::http::registry::Registry as Client;
use lain::model::cluster::Cluster;
use lain::model::text::Text;
use lain::ui::Ui;
use registry::{DOCKER_MANIFEST, LoginServer, PASSWORD, Registry, USER};
use server::{Answer, Asked, Server};

const FROM: &str = "team/shop";
const TO: &str = "other/shop-live";
const STILL: Duration = Duration::from_secs(20);

/// A layer that is no small one.
fn layer(word: &str) -> String {
    word.repeat(300_000)
}

/// What the cluster of a registry says of it.
fn cluster(host: &str) -> Cluster {
    Cluster {
        registry: Some(Text(format!("{host}/team"))),
        dockerhub_username: Some(USER.into()),
        dockerhub_password: Some(PASSWORD.into()),
        ..Cluster::default()
    }
}

/// Copies between (host, repository) and another; how it went.
fn copy(from: (&str, &str), digest: &str, to: (&str, &str), tag: &str, env: &Env, still: Duration) -> Result<(), String> {
    let ui = Ui::default();
    let (one, other) = (cluster(from.0), cluster(to.0));
    let from = Client::new(&ui, env, &one, &format!("{}/{}", from.0, from.1)).expect("a name");
    let to = Client::new(&ui, env, &other, &format!("{}/{}", to.0, to.1)).expect("a name");
    from.copy(digest, &to, tag, still).map_err(|error| error.to_string())
}

/// Stands before a registry and writes down the first line of each request.
struct Between {
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Between {
    fn before(registry: &Registry) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let (host, seen) = (registry.host(), lines.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&host).expect("the registry answers");
                let (mut back, mut front) = (server.try_clone().expect("a copy"), client.try_clone().expect("a copy"));
                let seen = seen.clone();
                std::thread::spawn(move || {
                    let (mut client, mut server) = (client, server);
                    let mut buffer = vec![0; 64 << 10];
                    while let Ok(count @ 1..) = client.read(&mut buffer) {
                        let text = String::from_utf8_lossy(&buffer[..count]);
                        let first = text.lines().find(|line| line.ends_with(" HTTP/1.1"));
                        seen.lock().expect("no panic").extend(first.map(str::to_owned));
                        if server.write_all(&buffer[..count]).is_err() {
                            break;
                        }
                    }
                    let _ = server.shutdown(Shutdown::Both);
                });
                std::thread::spawn(move || std::io::copy(&mut back, &mut front));
            }
        });
        Self { port, lines }
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("no panic").clone()
    }

    /// Blobs that were sent.
    fn uploads(&self) -> usize {
        self.lines().iter().filter(|line| line.starts_with("PUT ") && line.contains("/blobs/uploads/")).count()
    }
}

fn digest(host: &str, repository: &str, tag: &str, env: &Env) -> Option<String> {
    let (ui, cluster) = (Ui::default(), cluster(host));
    Client::new(&ui, env, &cluster, &format!("{host}/{repository}")).expect("a name").digest(tag).expect("an answer")
}

/// A home in which docker would trust this registry.
fn trusting(registry: &Registry) -> (tempfile::TempDir, Env) {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join(".config/docker/certs.d").join(registry.host());
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(registry.ca(), folder.join("ca.crt")).expect("its CA");
    let env = [("HOME".to_owned(), home.path().display().to_string())].into_iter().collect();
    (home, env)
}

#[test]
fn to_and_from_a_registry_of_every_kind() {
    let login = LoginServer::new();
    let from = Registry::plain();
    let image = from.put_image(FROM, "v1", &[&layer("one"), &layer("two")]);
    let secure = Registry::tls("IP:127.0.0.1");
    let (_home, env) = trusting(&secure);
    for (kind, to) in
        [("plain", Registry::plain()), ("htpasswd", Registry::htpasswd()), ("tokens", Registry::tokens(&login)), ("tls", secure)]
    {
        let host = to.host();
        copy((&from.host(), FROM), &image, (&host, TO), "v1", &env, STILL).unwrap_or_else(|error| panic!("to {kind}: {error}"));
        assert_eq!(digest(&host, TO, "v1", &env).as_ref(), Some(&image), "{kind}");
        // And back, to one that has nothing of it: every byte went over.
        let back = Registry::plain();
        copy((&host, TO), &image, (&back.host(), FROM), "again", &env, STILL).unwrap_or_else(|error| panic!("from {kind}: {error}"));
        assert_eq!(digest(&back.host(), FROM, "again", &env).as_ref(), Some(&image), "{kind}");
    }
    let scopes: Vec<String> = login.asked().iter().filter_map(|asked| asked.field("scope")).collect();
    assert!(scopes.iter().any(|scope| scope.starts_with(&format!("repository:{TO}:")) && scope.contains("push")), "{scopes:?}");
}

#[test]
fn docker_pulls_what_was_copied() {
    let (from, to) = (Registry::plain(), Registry::plain());
    let image = format!("{}/{FROM}:v1", from.host());
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("Dockerfile"), "FROM debian:trixie-slim\nRUN echo copied >/it.txt\n").expect("a file");
    let docker = |args: &[&str]| {
        let out = Command::new("docker").args(args).env("DOCKER_BUILDKIT", "0").output().expect("docker runs");
        assert!(out.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("UTF-8").trim().to_owned()
    };
    docker(&["build", "--quiet", "--tag", &image, folder.path().to_str().expect("a path")]);
    docker(&["push", "--quiet", &image]);
    let digest = digest(&from.host(), FROM, "v1", &Env::default()).expect("it was pushed");
    copy((&from.host(), FROM), &digest, (&to.host(), TO), "v1", &Env::default(), STILL).expect("a copy");
    docker(&["image", "rm", "--force", "--no-prune", &image]);
    let copied = format!("{}/{TO}@{digest}", to.host());
    docker(&["pull", "--quiet", &copied]);
    assert_eq!(docker(&["run", "--rm", "--network", "none", &copied, "cat", "/it.txt"]), "copied");
    docker(&["image", "rm", "--force", "--no-prune", &copied]);
}

#[test]
fn what_is_there_is_not_sent_again() {
    let (from, to) = (Registry::plain(), Registry::plain());
    let (base, one, two) = (layer("base"), layer("one"), layer("two"));
    let first = from.put_image(FROM, "v1", &[&base, &one]);
    let second = from.put_image(FROM, "v2", &[&base, &two]);
    let log = Between::before(&to);
    for (image, tag) in [(&first, "v1"), (&second, "v2"), (&second, "again")] {
        copy((&from.host(), FROM), image, (&log.host(), TO), tag, &Env::default(), STILL).expect("a copy");
    }
    // Two layers and a config, then one of each, then nothing.
    assert_eq!(log.uploads(), 5, "{:?}", log.lines());
    assert_eq!(digest(&to.host(), TO, "again", &Env::default()), Some(second));
}

#[test]
fn within_one_registry_nothing_is_sent() {
    let registry = Registry::plain();
    let image = registry.put_image(FROM, "v1", &[&layer("one")]);
    let log = Between::before(&registry);
    copy((&log.host(), FROM), &image, (&log.host(), TO), "v1", &Env::default(), STILL).expect("a copy");
    assert_eq!(log.uploads(), 0, "{:?}", log.lines());
    assert_eq!(digest(&registry.host(), TO, "v1", &Env::default()), Some(image));
}

#[test]
fn an_index_comes_with_its_images() {
    let (from, to) = (Registry::plain(), Registry::plain());
    let [arm, amd] = ["arm64", "amd64"].map(|word| from.put_image(FROM, word, &[&layer(word)]));
    let size = |digest: &str| from.size(digest);
    let entry = |digest: &str, word: &str| {
        format!(
            "{{\"mediaType\":\"{DOCKER_MANIFEST}\",\"digest\":\"{digest}\",\"size\":{},\"platform\":{{\"architecture\":\"{word}\",\"os\":\"linux\"}}}}",
            size(digest)
        )
    };
    let index = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[{},{}]}}",
        entry(&arm, "arm64"),
        entry(&amd, "amd64")
    );
    let index = from.put_manifest(FROM, "both", &index);
    copy((&from.host(), FROM), &index, (&to.host(), TO), "both", &Env::default(), STILL).expect("a copy");
    for (reference, expected) in [("both", &index), (&arm, &arm), (&amd, &amd)] {
        assert_eq!(digest(&to.host(), TO, reference, &Env::default()).as_ref(), Some(expected), "{reference}");
    }
}

// ---- faults ----

/// Asks this registry of a copy, and that one is the source.
fn refused_by(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static, still: Duration) -> (String, Duration) {
    let from = Registry::plain();
    let image = from.put_image(FROM, "v1", &[&layer("one")]);
    let server = Server::new(answer);
    let started = Instant::now();
    let error = copy((&from.host(), FROM), &image, (&server.host(), TO), "v1", &Env::default(), still).expect_err("it refuses");
    (error, started.elapsed())
}

fn is_upload(asked: &Asked) -> bool {
    asked.target.contains("/blobs/uploads/")
}

#[test]
fn a_target_that_refuses_is_named() {
    let (error, _) = refused_by(
        |asked| match asked.method.as_str() {
            "HEAD" => Answer::json(404, ""),
            _ => Answer::json(403, "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"read only\"}]}"),
        },
        STILL,
    );
    assert!(error.contains("does not let this account at other/shop-live") && error.contains("read only"), "{error}");
}

#[test]
fn a_target_that_leads_elsewhere_is_not_followed() {
    for place in ["ftp://127.0.0.1/x", "file:///etc/passwd", "https://a b/"] {
        let (error, _) = refused_by(
            move |asked| if is_upload(asked) { Answer::json(202, "").with("Location", place) } else { Answer::json(404, "") },
            STILL,
        );
        assert!(error.contains("no place to upload to"), "{place}: {error}");
    }
}

#[test]
fn a_target_that_stands_still_is_given_up() {
    let (error, took) = refused_by(
        |asked| match (asked.method.as_str(), is_upload(asked)) {
            ("PUT", _) => Answer::Hang,
            (_, true) => Answer::json(202, "").with("Location", "/v2/other/shop-live/blobs/uploads/1"),
            _ => Answer::json(404, ""),
        },
        Duration::from_secs(2),
    );
    assert!(error.contains("nothing moved for 2 s"), "{error}");
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[test]
fn a_layer_that_is_not_what_its_digest_says_is_not_taken() {
    let (from, to) = (Registry::plain(), Registry::plain());
    let text = layer("one");
    let image = from.put_image(FROM, "v1", &[&text]);
    from.spoil(&text);
    let error = copy((&from.host(), FROM), &image, (&to.host(), TO), "v1", &Env::default(), STILL).expect_err("a broken layer");
    assert!(error.contains("answers 400"), "{error}");
    assert_eq!(digest(&to.host(), TO, "v1", &Env::default()), None, "half an image has no tag");
}

#[test]
fn a_manifest_that_is_another_is_not_taken() {
    let from = Server::new(|_| {
        Answer::Reply(200, vec![("Content-Type".to_owned(), DOCKER_MANIFEST.to_owned())], "{\"schemaVersion\":2,\"layers\":[]}".to_owned())
    });
    let to = Registry::plain();
    let other = format!("sha256:{}", "0a".repeat(32));
    let error = copy((&from.host(), FROM), &other, (&to.host(), TO), "v1", &Env::default(), STILL).expect_err("another manifest");
    assert!(error.contains("no manifest of that digest"), "{error}");
}
