//! `lain admin`: `cleanup-registry` on real registries and on one that answers half the way, and what it lists; the cluster is a server that replays what an
//! API server says.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value as Json, json};

use registry::{DOCKER_MANIFEST, Registry};
use server::{Answer, Asked, Server};
use support::App;

const REPOSITORY: &str = "team/shop";

fn commit(number: u64) -> String {
    format!("{}-{number:040x}", 1_700_000_000 + number)
}

/// helm's record of a revision that ran this tag, as its Secret holds it.
fn record(tag: &str) -> Json {
    let release = json!({"name": "shop", "manifest": format!("image: r/shop:{tag}\n"), "config": {"imageTag": tag, "user": "ada"}});
    let mut zip = GzEncoder::new(Vec::new(), Compression::default());
    std::io::Write::write_all(&mut zip, release.to_string().as_bytes()).expect("zipped");
    json!({"data": {"release": STANDARD.encode(STANDARD.encode(zip.finish().expect("zipped")))}})
}

/// An API server whose only pod runs this image, with helm's records of these tags; lists of one kind may be forbidden.
fn api(image: String, records: Vec<String>, forbidden: &'static str) -> Server {
    Server::new(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default();
        let kind = path.rsplit('/').next().unwrap_or_default();
        if !forbidden.is_empty() && kind == forbidden && !path.contains("/namespaces/") {
            return Answer::json(403, r#"{"kind":"Status","status":"Failure","reason":"Forbidden","message":"no","code":403}"#);
        }
        let list = |items: &[Json], next: &str| {
            Answer::json(200, &json!({"kind": "List", "metadata": {"continue": next}, "items": items}).to_string())
        };
        match kind {
            // The pod is on a second page.
            "pods" if asked.field("continue").is_none() => list(&[], "more"),
            "pods" => list(&[json!({"spec": {"containers": [{"image": image}]}})], ""),
            "secrets" if asked.field("labelSelector").as_deref() == Some("owner=helm") => {
                let at: usize = asked.field("continue").map_or(0, |token| token.parse().expect("a number"));
                let next = if at + 1 < records.len() { (at + 1).to_string() } else { String::new() };
                list(&records.get(at).map(|tag| record(tag)).into_iter().collect::<Vec<_>>(), &next)
            }
            "deployments" | "statefulsets" | "daemonsets" | "replicasets" | "jobs" | "cronjobs" => list(&[], ""),
            _ => Answer::json(404, r#"{"kind":"Status","status":"Failure","reason":"NotFound","message":"no","code":404}"#),
        }
    })
}

fn app(registry: &str, api: &Server) -> App {
    let app = App::new().tools(&["kubectl"]).cluster("test", &format!("registry: {registry}/team\nnamespace: shops\n"));
    app.kubeconfig("test", &format!("http://{}", api.host())).using("test")
}

/// What a registry lists of the repository.
fn tags(registry: &Registry) -> BTreeSet<String> {
    let answer = ureq_get(&registry.host(), &format!("/v2/{REPOSITORY}/tags/list"));
    let list: Json = serde_json::from_str(&answer).expect("JSON");
    list["tags"].as_array().into_iter().flatten().map(|tag| tag.as_str().expect("text").to_owned()).collect()
}

fn ureq_get(host: &str, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(host).expect("a registry");
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text.split_once("\r\n\r\n").expect("a body").1.to_owned()
}

fn set<'t>(tags: impl IntoIterator<Item = &'t str>) -> BTreeSet<String> {
    tags.into_iter().map(str::to_owned).collect()
}

#[test]
fn what_is_old_and_of_no_use_goes_and_nothing_else() {
    let registry = Registry::plain();
    let host = registry.host();
    // The newest three are 8 to 10. 1 runs, 2 is of a revision, 3 has the image of a release, 4 is a part of an index that is `latest`.
    let digests: Vec<String> = (0..=10).map(|number| registry.put(REPOSITORY, &commit(number))).collect();
    registry.tag_all(REPOSITORY, &digests[3], ["v1.2"]);
    let entry = format!(
        "\"mediaType\":\"{DOCKER_MANIFEST}\",\"digest\":\"{}\",\"size\":1,\"platform\":{{\"architecture\":\"amd64\",\"os\":\"linux\"}}",
        digests[4]
    );
    let kind = "application/vnd.oci.image.index.v1+json";
    registry.put_manifest(REPOSITORY, "latest", &format!("{{\"schemaVersion\":2,\"mediaType\":\"{kind}\",\"manifests\":[{{{entry}}}]}}"));
    for tag in ["prepare", "prepare-0123456789ab", "buildcache", "buildcache-prepare"] {
        registry.put(REPOSITORY, tag);
    }
    // 0 and 5 are signed; so is 9, which stays. 6 has two tags, both old. 7 is asked to stay.
    let signature = |number: usize| format!("sha256-{}.sig", digests[number].trim_start_matches("sha256:"));
    for number in [5, 9] {
        registry.put(REPOSITORY, &signature(number));
    }
    let dirty = format!("{}-dirty-0a1b", commit(6));
    registry.tag_all(REPOSITORY, &digests[6], [dirty.as_str()]);
    let before = tags(&registry);
    let api = api(format!("mirror.example.com/x/shop:{}", commit(1)), vec![commit(10), commit(2)], "");
    let app = app(&host, &api);
    let protect = format!("{}*", &commit(7)[..10]);
    let args = ["admin", "cleanup-registry", "--keep", "3", "--protect", &protect];
    let with = |more: &[&'static str]| [&args[..], more].concat();

    let shown = app.run(&with(&["--dry-run"])).exits(0).changed_nothing();
    let says = "team/shop: 5 of 20 tags may go, 15 stay: 3 as new as the newest 3 commits, 2 in use, or what a release can go back to, 1 protected, \
                7 no commit's, 2 of an image that stays";
    let shown = shown.says(says);
    let rows: Vec<&str> = shown.stdout.lines().skip(1).map(|line| line.rsplit("  ").next().expect("a tag")).collect();
    let six = format!("shop:{} and 1 more", commit(6));
    assert_eq!(rows, [format!("shop:{}", commit(0)), format!("shop:{}", commit(5)), six, format!("shop:{}", signature(5))], "oldest first");
    assert!(shown.stdout.starts_with("AGE ") && shown.stdout.contains(" kB"), "{}", shown.stdout);

    app.run(&args)
        .exits(3)
        .says("There is no terminal to ask at; nothing was deleted")
        .next(&format!("lain admin cleanup-registry --keep 3 --protect '{protect}' --yes"));
    assert_eq!(tags(&registry), before);

    let done = app.run(&with(&["--yes", "-o", "json"])).exits(0).says("deleted 4 images").says("garbage-collect");
    let answer: Json = serde_json::from_str(&done.stdout).expect("JSON");
    let images = answer["repositories"][0]["images"].as_array().expect("images");
    assert!(images.iter().all(|image| image["outcome"] == "deleted"), "{answer}");
    let gone = set([&*commit(0), &commit(5), &commit(6), &dirty, &signature(5)]);
    assert_eq!(tags(&registry), before.difference(&gone).cloned().collect());
    app.run(&with(&["--yes"])).exits(0).prints("").says("nothing to delete, 15 of 15 tags stay");
}

#[test]
fn what_cannot_be_seen_is_taken_to_run() {
    let registry = Registry::plain();
    for number in 0..3 {
        registry.put(REPOSITORY, &commit(number));
    }
    let args = ["admin", "cleanup-registry", "--keep", "1", "--yes"];
    // Secrets of one namespace alone.
    let narrow = api(format!("x:{}", commit(9)), vec![commit(1)], "secrets");
    let ran = app(&registry.host(), &narrow).run(&args).exits(3).says("other namespaces of cluster test than shops (secrets)");
    ran.says("it cannot be seen everywhere what runs, so nothing was deleted").next("lain admin cleanup-registry --keep 1 --force --yes");
    // A second cluster with the same registry, which nobody can ask; and one with another, which does not matter.
    let wide = || api(format!("x:{}", commit(9)), vec![], "");
    let same = wide();
    let two = app(&registry.host(), &same).cluster("other", &format!("registry: {}/team/\n", registry.host()));
    let two = two.cluster_without_kubeconfig("third", "registry: elsewhere.example.com/team\n");
    two.run(&args).exits(3).says("cluster other: ").never_says("cluster third");
    // A record of helm's that is none, and a server that is not there.
    let broken = Server::new(|asked: &Asked| {
        let items = if asked.target.contains("/secrets") { json!([{"data": {"release": "!"}}]) } else { json!([]) };
        Answer::json(200, &json!({"items": items}).to_string())
    });
    app(&registry.host(), &broken).run(&args).exits(3).says("1 of helm's records cannot be read");
    assert_eq!(tags(&registry), set([&*commit(0), &commit(1), &commit(2)]));
    // What was seen stays also then.
    app(&registry.host(), &narrow).run(&[&args[..], &["--force"]].concat()).exits(0).says("deleted 1 image\n");
    assert_eq!(tags(&registry), set([&*commit(1), &commit(2)]));
}

#[test]
fn a_registry_that_keeps_all_says_what_to_set() {
    let registry = Registry::that_keeps_all();
    for number in 0..4 {
        registry.put(REPOSITORY, &commit(number));
    }
    let api = api(String::new(), vec![], "");
    let ran = app(&registry.host(), &api).run(&["admin", "cleanup-registry", "--keep", "1", "--yes"]).exits(1);
    ran.reason("3 images could not be deleted").says("does not let images be deleted").next("REGISTRY_STORAGE_DELETE_ENABLED=true");
}

#[test]
fn one_that_stays_does_not_stop_the_rest() {
    // The registry of six tags: the second cannot be deleted, the third is gone already.
    let manifest = |number: u64| format!("{{\"schemaVersion\":2,\"layers\":[{{\"size\":1{number}000000}}]}}");
    let digest = |number: u64| {
        use sha2::Digest;
        sha2::Sha256::digest(manifest(number)).iter().fold("sha256:".to_owned(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    let (second, third) = (digest(1), digest(2));
    let registry = Server::new(move |asked: &Asked| {
        let name = asked.target.rsplit('/').next().unwrap_or_default();
        let error = |status, code: &str| {
            Answer::json(status, &json!({"errors": [{"code": code, "message": format!("{code}, it says")}]}).to_string())
        };
        match &*asked.method {
            "DELETE" if name == second => error(412, "PRECONDITION"),
            "DELETE" if name == third => error(404, "MANIFEST_UNKNOWN"),
            "DELETE" => Answer::json(202, ""),
            _ if name.starts_with("list") => Answer::json(200, &json!({"tags": (0..6).map(commit).collect::<Vec<_>>()}).to_string()),
            _ => {
                (0..6).find(|number| name == commit(*number)).map_or_else(|| error(404, "X"), |number| Answer::json(200, &manifest(number)))
            }
        }
    });
    let api = api(String::new(), vec![], "");
    let ran = app(&registry.host(), &api).run(&["admin", "cleanup-registry", "--keep", "1", "--yes", "-o", "json"]).exits(1);
    let ran = ran
        .says(&format!("shop:{} stays: ", commit(1)))
        .says("PRECONDITION, it says")
        .says("deleted 4 images")
        .reason("1 image could not be deleted");
    let answer: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    let images = answer["repositories"][0]["images"].as_array().expect("images");
    let outcomes: Vec<&str> = images.iter().map(|image| image["outcome"].as_str().expect("a word")).collect();
    assert_eq!(outcomes, ["deleted", "failed", "was-gone", "deleted", "deleted"]);
    assert_eq!(images[4]["bytes"], 14_000_000);
}

#[test]
fn nothing_goes_where_the_registry_cannot_be_read_whole() {
    let asked_for = std::sync::Arc::new(AtomicUsize::new(0));
    let count = asked_for.clone();
    let registry = Server::new(move |asked: &Asked| {
        let name = asked.target.rsplit('/').next().unwrap_or_default();
        if asked.method == "DELETE" {
            count.fetch_add(1, Ordering::SeqCst);
        }
        match name {
            _ if name.starts_with("list") => Answer::json(200, &json!({"tags": (0..6).map(commit).collect::<Vec<_>>()}).to_string()),
            _ if name == commit(5) => Answer::json(403, r#"{"errors":[{"code":"DENIED","message":"not this one"}]}"#),
            _ => Answer::json(200, "{\"schemaVersion\":2}"),
        }
    });
    let api = api(String::new(), vec![], "");
    let ran = app(&registry.host(), &api).run(&["admin", "cleanup-registry", "--keep", "1", "--yes"]).exits(1);
    ran.reason(&format!("team/shop:{} cannot be read, so nothing of", commit(5))).says("not this one");
    assert_eq!(asked_for.load(Ordering::SeqCst), 0);
}

#[test]
fn which_apps() {
    let registry = Registry::plain();
    for number in 0..3 {
        registry.put("team/shop", &commit(number));
        registry.put("team/cart", &commit(10 + number));
        registry.put("other/cart", &commit(20 + number));
        registry.put("team/deep/cart", &commit(30 + number));
    }
    let api = api(String::new(), vec![], "");
    let app = app(&registry.host(), &api);
    let show = |more: &[&'static str]| app.run(&[&["admin", "cleanup-registry", "--keep", "1", "--dry-run"], more].concat());
    let all = show(&["--all-apps"]).exits(0).says("team/cart: 2 of 3 tags").says("team/shop: 2 of 3 tags");
    all.never_says("other/cart").never_says("deep/cart");
    show(&["--app", "cart", "--app", "cart"]).exits(0).says("team/cart: 2 of 3 tags").never_says("team/shop");
    show(&["--app", "none"]).exits(0).prints("").says("team/none has no tags");
    show(&["--app", "../x"]).exits(2);
    show(&["--protect", "["]).exits(2).says("--protect [");
    let silent = Server::new(|_: &Asked| Answer::json(404, r#"{"errors":[{"code":"UNSUPPORTED","message":"no"}]}"#));
    let app = App::new().tools(&["kubectl"]).cluster("test", &format!("registry: {}/team\n", silent.host())).using("test");
    app.run(&["admin", "cleanup-registry", "--all-apps"]).exits(1).reason("does not list its repositories").next("--app NAME --app OTHER");
}

#[test]
fn every_image_is_listed() {
    let registry = Registry::plain();
    for tag in ["prepare", "latest", &commit(1)] {
        registry.put("team/shop", tag);
    }
    registry.put("team/cart", "v1");
    registry.put("other/cart", "v1");
    let host = registry.host();
    let app = App::empty().cluster("test", &format!("registry: {host}/team\n"));
    let image = |rest: &str| format!("{host}/team/{rest}");
    let shop = [image(&format!("shop:{}", commit(1))), image("shop:latest"), image("shop:prepare")];
    let all = [&[image("cart:v1")][..], &shop].concat();
    let list = ["--cluster", "test", "admin", "list-images"];
    app.run(&list).exits(0).prints(&all.join("\n")).says("4 images in 2 repositories of");
    let json = app
        .run(&[&list[..], &["--app", "shop", "--app", "none", "-o", "json"]].concat())
        .exits(0)
        .says("3 images in 1 repository of")
        .stdout;
    let json: Json = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["images"], json!(shop));
    app.run(&["admin", "list-images"]).exits(2).reason("no cluster is chosen").next("lain use CLUSTER");
}

/// A cluster of so many Deployments, each of a release of its own, in pages as a server parts them.
fn many(count: usize, all_namespaces: bool) -> Server {
    Server::new(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default();
        if !path.contains("/namespaces/") && !all_namespaces {
            return Answer::json(403, r#"{"kind":"Status","status":"Failure","reason":"Forbidden","message":"no","code":403}"#);
        }
        let limit: usize = asked.field("limit").expect("a limit").parse().expect("a number");
        let start: usize = asked.field("continue").map_or(0, |token| token.parse().expect("a number"));
        let end = (start + limit).min(count);
        let item = |at: usize| {
            let (name, release) = (format!("app-{at}-{}", if at % 5 == 4 { "worker" } else { "web" }), format!("app-{at}"));
            let head = json!({"name": name, "namespace": "shops", "annotations": {"meta.helm.sh/release-name": release}, "labels": {"name": release}});
            if path.ends_with("/secrets") {
                let mut secret = record("1");
                secret["metadata"] = head;
                return secret;
            }
            json!({"metadata": head, "spec": {"replicas": if at.is_multiple_of(2) { 1 } else { 2 }}, "status": null})
        };
        let next = if end < count { end.to_string() } else { String::new() };
        Answer::json(200, &json!({"metadata": {"continue": next}, "items": (start..end).map(item).collect::<Vec<_>>()}).to_string())
    })
}

#[test]
fn what_runs_alone_is_listed_with_who_deployed_it() {
    let api = many(1000, true);
    let app = |api: &Server| {
        App::empty().tools(&["kubectl"]).cluster("test", "namespace: shops\n").kubeconfig("test", &format!("http://{}", api.host()))
    };
    let list = ["--cluster", "test", "admin", "list-singletons"];
    let ran = app(&api).run(&list).exits(0).says("400 Deployments have one replica").never_says("alone:");
    let rows: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAMESPACE", "DEPLOYMENT", "RELEASE", "DEPLOYED", "BY"]);
    assert_eq!((rows.len(), &rows[1]), (401, &vec!["shops", "app-0-web", "app-0", "ada"]));
    assert!(!ran.stdout.contains("worker"));
    let asked: Vec<Asked> = api.asked().into_iter().filter(|asked| asked.target.contains("limit=")).collect();
    assert_eq!(asked.iter().filter(|asked| asked.target.contains("/deployments")).count(), 5, "200 at a time");
    assert!(asked.iter().filter(|asked| asked.target.contains("/secrets")).all(|asked| asked.field("limit").as_deref() == Some("10")));
    // One namespace alone, and other words to leave out.
    let narrow = many(20, false);
    let ran = app(&narrow).run(&[&list[..], &["--ignore", "web", "-o", "json"]].concat()).exits(0);
    let ran = ran.says("of namespace shops alone: this account may not read the others").says("2 Deployments have");
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(json["singletons"][0], json!({"namespace": "shops", "deployment": "app-4-worker", "release": "app-4", "user": "ada"}));
}
