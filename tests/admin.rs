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
    let ran = app(&registry.host(), &narrow)
        .run(&args)
        .exits(3)
        .says("cluster test: this account may read helm's records in namespace shops alone\n");
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
    // Without a checkout there is no app to guess.
    let bare = Registry::plain();
    let elsewhere = App::empty().cluster("test", &format!("registry: {}/team\n", bare.host())).using("test");
    let ran = elsewhere.run(&["admin", "cleanup-registry"]).exits(2).reason("There is no app in this folder");
    ran.next("lain admin cleanup-registry --app NAME --dry-run").next("lain admin cleanup-registry --all-apps --dry-run");
    elsewhere.run(&["admin", "list-images"]).exits(0).says("/team lists no repositories");
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
        .exits(1)
        .says("3 images in 1 repository of")
        .stdout;
    let json: Json = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["images"], json!(shop));
    app.run(&[&list[..], &["--app", "shpo"]].concat()).exits(1).reason("has no images of shpo").next("lain admin list-images");
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
    let ran = app(&api)
        .run(&list)
        .exits(0)
        .says("400 Deployments have one replica; left out: 100 with consumer, worker, sentry, gitlab in the name (--ignore)\n")
        .never_says("alone:");
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

/// An App in a cluster of this server's.
fn in_cluster(api: &Server) -> App {
    App::empty()
        .tools(&["kubectl"])
        .cluster("test", "namespace: shops\n")
        .kubeconfig("test", &format!("http://{}", api.host()))
        .using("test")
}

fn listed(items: &Json) -> Answer {
    Answer::json(200, &json!({"kind": "List", "metadata": {}, "items": items}).to_string())
}

fn refused(status: u16, reason: &str) -> Answer {
    Answer::json(
        status,
        &json!({"kind": "Status", "status": "Failure", "reason": reason, "message": format!("{reason}, it says"), "code": status})
            .to_string(),
    )
}

#[test]
fn objects_are_found_by_their_annotations() {
    let api = Server::new(|asked: &Asked| {
        let pod = |name: &str, annotations: Json| json!({"metadata": {"name": name, "namespace": "shops", "annotations": annotations}});
        match asked.target.split('?').next().unwrap_or_default() {
            "/api/v1/pods" => listed(&json!([
                pod("a", json!({"scrape": "true", "port": "80"})),
                pod("b", json!({"scrape": "false"})),
                pod("c", Json::Null)
            ])),
            path if path.ends_with("/secrets") && !path.contains("/namespaces/") => refused(403, "Forbidden"),
            path if path.ends_with("/namespaces/shops/secrets") => listed(&json!([])),
            _ => refused(404, "NotFound"),
        }
    });
    let app = in_cluster(&api);
    let get = |more: &[&'static str]| app.run(&[&["admin", "get"], more].concat());
    let ran = get(&["pod", "--annotations", "scrape=true"]).exits(0).says("1 object\n");
    ran.prints("NAMESPACE  NAME  KIND  ANNOTATIONS\nshops      a     Pod   scrape=true");
    // Any of them; a key alone stands for any value.
    let ran = get(&["pods", "--annotations", "port=80", "--annotations", "scrape", "-o", "json"]).exits(0);
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    let found = |name: &str, annotations: Json| json!({"namespace": "shops", "kind": "Pod", "name": name, "annotations": annotations});
    assert_eq!(json["objects"], json!([found("a", json!({"port": "80", "scrape": "true"})), found("b", json!({"scrape": "false"}))]));
    get(&["pods", "--annotations", "scrape=no"]).exits(0).prints("").says("none of the pods has such an annotation");
    get(&["secret", "--annotations", "x"]).exits(0).says("of namespace shops alone: this account may not read the others");
    get(&["--annotations", "x", "--", "--all"]).exits(2).reason("`--all` is no kind").next("kubectl api-resources");
    get(&["pods", "--annotations", "=x"]).exits(2).says("an annotation has a key");
    get(&["pods"]).exits(2).says("--annotations");
}

/// A namespace with a pod that crashes, one that nobody keeps, and a Job that failed; deletions are answered by `gone`.
fn bad_pods(gone: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    Server::new(move |asked: &Asked| {
        let pod = |name: &str, owners: Json| {
            json!({"kind": "Pod", "metadata": {"name": name, "uid": format!("uid-{name}"), "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": owners},
                "spec": {"containers": [{"name": "web"}]}, "status": {"phase": "Running", "containerStatuses": [{"name": "web", "restartCount": 9,
                "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 3}}}]}})
        };
        let owner = json!([{"kind": "ReplicaSet", "name": "shop-web-1", "controller": true}]);
        match asked.target.split('?').next().unwrap_or_default() {
            _ if asked.method == "DELETE" => gone(asked),
            path if path.ends_with("/pods") => listed(&json!([pod("shop-web-1-a", owner), pod("alone", json!([]))])),
            path if path.ends_with("/jobs") => listed(&json!([{"kind": "Job", "metadata": {"name": "migrate", "uid": "uid-migrate"},
                "status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}]}}])),
            path if ["/deployments", "/statefulsets", "/replicasets", "/events"].iter().any(|kind| path.ends_with(kind)) => {
                listed(&json!([]))
            }
            _ => refused(404, "NotFound"),
        }
    })
}

#[test]
fn bad_pods_go_and_the_jobs_of_such() {
    let api = bad_pods(|_| Answer::json(200, r#"{"kind":"Status","status":"Success"}"#));
    let app = in_cluster(&api);
    let run = |more: &[&'static str]| app.run(&[&["admin", "delete-bad-pod"], more].concat());
    let deletions = || api.asked().into_iter().filter(|asked| asked.method == "DELETE").collect::<Vec<_>>();
    let shown = run(&["--dry-run"]).exits(0).says("pod/shop-web-1-a: container web ended with exit code 3").says("job/migrate: too often");
    shown.says("1 bad pod is left alone: nobody would make it again (--bare deletes it too)");
    run(&[]).exits(3).says("delete these 2? There is no terminal to ask at; nothing was changed").next("lain admin delete-bad-pod --yes");
    assert!(deletions().is_empty());
    let ran = run(&["--yes", "-o", "json"]).exits(0).says("2 deleted");
    let ran = ran.says("kubectl delete --context it --namespace shops --raw /api/v1/namespaces/shops/pods/shop-web-1-a\n");
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    let outcomes: Vec<String> =
        json["bad"].as_array().expect("a list").iter().map(|it| format!("{} {}", it["name"], it["outcome"])).collect();
    assert_eq!(outcomes, [r#""migrate" "deleted""#, r#""shop-web-1-a" "deleted""#, r#""alone" "stays""#]);
    let sent: Vec<(String, Json)> =
        deletions().iter().map(|it| (it.target.clone(), serde_json::from_str(&it.body).expect("JSON"))).collect();
    let paths: Vec<&str> = sent.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["/apis/batch/v1/namespaces/shops/jobs/migrate", "/api/v1/namespaces/shops/pods/shop-web-1-a"]);
    assert_eq!(sent[1].1["preconditions"], json!({"uid": "uid-shop-web-1-a"}), "no other of the same name");
    run(&["--yes", "--bare"]).exits(0).says("3 deleted").never_says("left alone");

    // One is another by now, one may not be deleted.
    let api = bad_pods(|asked| if asked.target.contains("/jobs/") { refused(403, "Forbidden") } else { refused(409, "Conflict") });
    let ran = in_cluster(&api).run(&["admin", "delete-bad-pod", "--yes"]).exits(1);
    let ran = ran.says("pod/shop-web-1-a is another by now: left alone").says("job/migrate stays: ").says("1 left alone");
    ran.reason("1 could not be changed").says("this account may not delete jobs of namespace shops");
}

/// A cluster with a node that is well, one whose kubelet is silent, a crash in one namespace, a failed Job in another, and an ingress that leads nowhere.
fn whole_cluster(metrics: bool, is_well: bool) -> Server {
    Server::new(move |asked: &Asked| {
        let node = |name: &str, ready: &str| {
            json!({"metadata": {"name": name}, "spec": {"unschedulable": ready == "Unknown"}, "status": {"allocatable": {"cpu": "4", "memory": "8Gi"},
            "addresses": [{"type": "InternalIP", "address": format!("10.0.0.{}", name.len())}],
            "conditions": [{"type": "DiskPressure", "status": if ready == "Unknown" { "True" } else { "False" }}, {"type": "Ready", "status": ready}]}})
        };
        let pod = |namespace: &str, name: &str, state: Json| {
            let ready = state.get("running").is_some();
            json!({"metadata": {"name": name, "namespace": namespace, "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z",
                "ownerReferences": [{"kind": "ReplicaSet", "name": "x-1", "controller": true}]}, "spec": {"containers": [{"name": "web"}]},
                "status": {"phase": "Running", "containerStatuses": [{"name": "web", "restartCount": 9, "ready": ready, "state": state}]}})
        };
        let crash = json!({"waiting": {"reason": "CrashLoopBackOff"}});
        let running = json!({"running": {}});
        let path = |path: &str, service: &str| json!({"path": path, "backend": {"service": {"name": service}}});
        let rules = json!([{"host": "a.example.com", "http": {"paths": [path("/", "gone")]}},
            {"host": "localhost", "http": {"paths": [path("/down/(.*)", "here"), path("/up", "here"), path("/old", "gone")]}},
            {"host": "*.example.com", "http": {"paths": [path("/", "here")]}}]);
        let failed = json!({"metadata": {"name": "migrate", "namespace": "cart", "uid": "m"}, "status": {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}});
        let bad = |items: Json| if is_well { json!([]) } else { items };
        match asked.target.split('?').next().unwrap_or_default() {
            "/apis/metrics.k8s.io/v1beta1/nodes" if metrics => {
                listed(&json!([{"metadata": {"name": "one"}, "usage": {"cpu": "1500m", "memory": "2Gi"}}]))
            }
            "/api/v1/nodes" if is_well => listed(&json!([node("one", "True")])),
            "/api/v1/nodes" => listed(&json!([node("one", "True"), node("second", "Unknown")])),
            "/api/v1/pods" if is_well => listed(&json!([pod("shops", "good", running)])),
            "/api/v1/pods" => listed(&json!([
                pod("shops", "good", running.clone()),
                pod("shops", "shop-web-1-a", crash.clone()),
                pod("cart", "young", running)
            ])),
            "/apis/batch/v1/jobs" => listed(&bad(json!([failed]))),
            "/apis/networking.k8s.io/v1/ingresses" => {
                listed(&bad(json!([{"metadata": {"name": "old", "namespace": "shops"}, "spec": {"rules": rules}}])))
            }
            "/api/v1/services" => {
                listed(&json!([{"metadata": {"name": "gone", "namespace": "cart"}}, {"metadata": {"name": "here", "namespace": "shops"}}]))
            }
            _ => refused(404, "NotFound"),
        }
    })
}

#[test]
fn how_a_cluster_stands() {
    let api = whole_cluster(true, false);
    let site = Server::new(|asked: &Asked| Answer::json(if asked.target == "/down/" { 503 } else { 404 }, "{}"));
    let port = site.host().rsplit(':').next().expect("a port").to_owned();
    let values = format!("namespace: shops\ningress_external_port: {port}\n");
    let app = in_cluster(&api).cluster("test", &values).kubeconfig("test", &format!("http://{}", api.host()));
    let ran = app.run(&["admin", "status"]).exits(0).says(
        "2 nodes, 1 bad\n3 pods in 2 namespaces, 1 bad; 1 bad Job\n2 rules of ingresses without a Service\n2 addresses asked, 1 does not answer\n",
    );
    let rows: Vec<String> = ran.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let age = rows[5].rsplit(' ').next().expect("an age").to_owned();
    let wanted = [
        "NODE STATUS CORES USED GIB USED",
        "second NotReady: its kubelet does not report, DiskPressure, cordoned ? of 4 ? of 8",
        "",
        "NAMESPACE NAME WRONG SINCE",
        "cart job/migrate BackoffLimitExceeded",
        &format!("shops pod/shop-web-1-a CrashLoopBackOff {age}"),
        "",
        "NAMESPACE INGRESS HOST PATH NO SERVICE",
        "shops old a.example.com / gone",
        "shops old localhost /old gone",
        "",
        "NAMESPACE ADDRESS ANSWERS",
        &format!("shops http://localhost:{port}/down/ 503"),
        "",
        "NODE STATUS CORES USED GIB USED",
        "one Ready 1.5 of 4 2 of 8",
    ];
    assert_eq!(rows, wanted, "{}", ran.stderr);
    ran.says("next: lain admin delete-bad-pod --dry-run").says("next: lain admin delete-bad-ing --dry-run");
    app.run(&["admin", "status", "-s", "--exit-code"]).exits(3);
    let schema: Json = serde_json::from_str(&app.run(&["schema", "admin-status"]).exits(0).stdout).expect("a schema");
    let json: Json = serde_json::from_str(&app.run(&["admin", "status", "-o", "json"]).exits(0).stdout).expect("JSON");
    assert!(jsonschema::draft202012::new(&schema).expect("a schema").is_valid(&json), "{json:#}");
    assert_eq!((&json["good"], &json["nodes"][1]["cpuUsed"], &json["bad"][0]["kind"]), (&json!(false), &json!(1500), &json!("job")));
    assert_eq!((&json["asked"], &json["addresses"][0]["state"]), (&json!(2), &json!("503")));
    let well = in_cluster(&whole_cluster(true, true)).run(&["admin", "status", "--exit-code"]).exits(0);
    well.says("1 node, 0 bad\n1 pod in 1 namespace, 0 bad\n0 rules of ingresses without a Service\n0 addresses asked\n")
        .never_says("next: ");

    // Without a metrics server Prometheus says what nodes use, by their names or addresses.
    let prometheus = Server::new(|asked: &Asked| {
        let value = if asked.target.contains("cpu") { "2000" } else { "1073741824" };
        let result =
            json!([{"metric": {"instance": "10.0.0.3:10250"}, "value": [1, value]}, {"metric": {"node": "second"}, "value": [1, "NaN"]}]);
        Answer::json(200, &json!({"status": "success", "data": {"resultType": "vector", "result": result}}).to_string())
    });
    let api = whole_cluster(false, false);
    let values = format!("namespace: shops\nprometheus: {}\n", prometheus.host());
    let app = in_cluster(&api).cluster("test", &values).kubeconfig("test", &format!("http://{}", api.host()));
    let ran = app.run(&["admin", "status"]).exits(0).never_says("not to be seen");
    assert!(ran.stdout.contains("2 of 4") && ran.stdout.contains("1 of 8") && ran.stdout.contains("? of 4"), "{}", ran.stdout);
    in_cluster(&api).run(&["admin", "status"]).exits(0).says("not to be seen: usage: the cluster has no metrics server");

    // One namespace alone: the rest is told of.
    let narrow = Server::new(|asked: &Asked| match asked.target.split('?').next().unwrap_or_default() {
        path if path.contains("/namespaces/shops/") => listed(&json!([])),
        _ => refused(403, "Forbidden"),
    });
    let ran = in_cluster(&narrow).run(&["admin", "status", "--exit-code"]).exits(0).says("of namespace shops alone");
    ran.says("not to be seen: nodes: this account may not list them (403)")
        .says("not to be seen: usage: this account may not see metrics of nodes (403)")
        .says("nodes were not seen\n0 pods in 0 namespaces, 0 bad\n")
        .says("next: lain doctor rights");
    // Who sees nothing does not say that all is well.
    let blind = Server::new(|_: &Asked| refused(403, "Forbidden"));
    in_cluster(&blind).run(&["admin", "status", "--exit-code"]).exits(3).says("pods and Jobs were not seen");
}

/// A namespace with an ingress that leads nowhere, one that does in part, and one of helm's; its one Service is `here`. Changes are answered by `changed`.
fn bad_ingresses(changed: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
    Server::new(move |asked: &Asked| {
        let rule = |host: &str, services: &[&str]| {
            let path = |it: &&str| json!({"path": format!("/{it}"), "pathType": "Prefix", "backend": {"service": {"name": it, "port": {"number": 80}}}});
            json!({"host": host, "http": {"paths": services.iter().map(path).collect::<Vec<_>>()}})
        };
        let ingress = |name: &str, annotations: Json, rule: Json| json!({"metadata": {"name": name, "uid": format!("uid-{name}"), "resourceVersion": "7", "annotations": annotations}, "spec": {"rules": [rule]}});
        let release = json!({"meta.helm.sh/release-name": "cart"});
        match asked.target.split('?').next().unwrap_or_default() {
            _ if asked.method != "GET" => changed(asked),
            path if path.ends_with("/services") => listed(&json!([{"metadata": {"name": "here"}}])),
            "/apis/networking.k8s.io/v1/namespaces/shops/ingresses" => Answer::json(
                200,
                &json!({"kind": "IngressList", "apiVersion": "networking.k8s.io/v1", "metadata": {}, "items": [
                    ingress("good", Json::Null, rule("a.example.com", &["here"])),
                    ingress("old", Json::Null, rule("b.example.com", &["gone"])),
                    ingress("part", Json::Null, rule("c.example.com", &["here", "gone"])),
                    ingress("cart", release, rule("d.example.com", &["gone"])),
                ]})
                .to_string(),
            ),
            _ => refused(404, "NotFound"),
        }
    })
}

#[test]
fn rules_that_lead_nowhere_go() {
    let api = bad_ingresses(|_| Answer::json(200, r#"{"kind":"Status","status":"Success"}"#));
    let app = in_cluster(&api);
    let run = |more: &[&'static str]| app.run(&[&["admin", "delete-bad-ing"], more].concat());
    let changes = || api.asked().into_iter().filter(|asked| asked.method != "GET").collect::<Vec<_>>();
    let shown = run(&["--dry-run"]).exits(0).says("what release cart made stays: the next deploy would make it again");
    let shown = shown.next("helm uninstall cart").says("--namespace shops # where");
    let rows: Vec<String> = shown.stdout.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let wanted = [
        "cart d.example.com /gone gone stays",
        "old b.example.com /gone gone the ingress goes",
        "part c.example.com /gone gone the rule goes",
    ];
    assert_eq!(rows, wanted);
    let question = "delete 1 ingress, and take these rules out of 1 ingress? There is no terminal to ask at";
    run(&[]).exits(3).says(question).next("lain admin delete-bad-ing --yes");
    assert!(changes().is_empty());
    let ran = run(&["--yes"]).exits(0).says("1 deleted, 1 edited");
    ran.says("--namespace shops --raw /apis/networking.k8s.io/v1/namespaces/shops/ingresses/part -f -\n");
    // Pasted, it goes to the same cluster, whatever says which that is.
    let once = in_cluster(&api).env("LAIN_CLUSTER", "test");
    once.run(&["admin", "delete-bad-ing"]).exits(3).next("lain admin delete-bad-ing --yes --cluster test");
    let sent: Vec<(String, String, Json)> =
        changes().into_iter().map(|it| (it.method, it.target, serde_json::from_str(&it.body).expect("JSON"))).collect();
    let of = |name: &str| format!("/apis/networking.k8s.io/v1/namespaces/shops/ingresses/{name}");
    assert_eq!((&*sent[0].0, &sent[0].1), ("DELETE", &of("old")));
    assert_eq!(sent[0].2["preconditions"], json!({"uid": "uid-old", "resourceVersion": "7"}));
    assert_eq!((&*sent[1].0, &sent[1].1, sent.len()), ("PUT", &of("part"), 2));
    let paths = &sent[1].2["spec"]["rules"][0]["http"]["paths"];
    assert_eq!((&sent[1].2["metadata"]["resourceVersion"], paths.as_array().expect("paths").len()), (&json!("7"), 1));
    assert_eq!(paths[0]["path"], "/here");

    let api = bad_ingresses(|asked| if asked.method == "PUT" { refused(409, "Conflict") } else { refused(403, "Forbidden") });
    let ran = in_cluster(&api).run(&["admin", "delete-bad-ing", "--yes", "-o", "json"]).exits(1);
    let ran = ran.says("ingress/part was changed meanwhile: left alone").says("ingress/old stays: ").reason("1 could not be changed");
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    let outcomes: Vec<&str> = json["bad"].as_array().expect("a list").iter().map(|it| it["outcome"].as_str().expect("a word")).collect();
    assert_eq!(outcomes, ["stays", "failed", "left"]);
}

#[test]
fn a_namespace_that_is_not_there_is_not_one_with_nothing_in_it() {
    let api = Server::new(|asked: &Asked| match asked.target.split('?').next().unwrap_or_default() {
        "/api/v1/namespaces/shops" => refused(404, "NotFound"),
        path if path.contains("/leases/") => refused(404, "NotFound"),
        _ => listed(&json!([])),
    });
    let app = in_cluster(&api);
    let all: [&[&str]; 5] =
        [&["delete-bad-pod"], &["delete-bad-ing"], &["x", "true"], &["unlock", "shop"], &["cleanup-reviews", "--app", "shop"]];
    for words in all {
        let ran = app.run(&[&["admin"], words].concat()).exits(1).reason("the cluster has no namespace shops");
        ran.next("kubectl create namespace shops");
    }
    app.run(&["admin", "unlock"]).exits(2).reason("There is no app in this folder").next("lain admin unlock RELEASE");
    app.run(&["admin", "statu"]).exits(2).reason("no command `admin statu`; is it `status`?").next("lain admin --help");
}

#[test]
fn what_a_command_prints_is_shown_by_deployment() {
    // kubectl as it answers: one that works, one whose command fails, one whose node is gone, one that hangs, one without a pod.
    const KUBECTL: &str = r#"
    set_of() { printf '{"metadata":{"name":"%s-1","ownerReferences":[{"kind":"Deployment","name":"%s","controller":true}]}}' $1 $1; }
    pod() { printf '{"metadata":{"name":"%s-1-a","ownerReferences":[{"kind":"ReplicaSet","name":"%s-1","controller":true}]},
        "spec":{"containers":[{"name":"mesh"},{"name":"own"}]},"status":{"phase":"Running"}}' $1 $1; }
    of() { printf '{"metadata":{"name":"%s"},"spec":{"template":{"spec":{"containers":[{"name":"own"}]}}}}' $1; }
    list() { what=$1; shift; printf '{"items": ['; comma=; for it in "$@"; do printf "$comma"; $what $it; comma=,; done; echo ']}'; }
    case "$*" in
        *exec*good-1-a*"--container own"*" -- say -la") printf 'one\ntwo\n' ;;
        *exec*" fails-1-a "*) echo "command terminated with exit code 3" >&2; exit 3 ;;
        *exec*" away-1-a "*) echo "error: dial tcp: no route to host" >&2; exit 1 ;;
        *exec*" hangs-1-a "*) exec /bin/sleep 60 ;;
        *get*/deployments*) list of good fails away hangs none ;;
        *get*/replicasets*) list set_of good fails away hangs ;;
        *get*/pods*) list pod good fails away hangs ;;
    esac"#;
    let app = App::empty().cluster("test", "namespace: shops\n").using("test").fake("kubectl", KUBECTL);
    let ran = app.run(&["admin", "x", "--timeout", "2s", "--", "say", "-la"]).exits(0).within(30);
    let ran = ran
        .prints("good: one\ngood: two")
        .says("1 succeeded, 1 failed, 1 out of time, 2 not reached")
        .says("kubectl exec --context it --namespace shops good-1-a ");
    ran.says("away cannot be reached: error: dial tcp: no route to host")
        .says("hangs: it did not end within 2 s, and may go on there")
        .says("none cannot be reached: no pod of it runs");
    let json = app.run(&["admin", "x", "--timeout", "2s", "-o", "json", "say", "-la"]).exits(0).stdout;
    let json: Json = serde_json::from_str(&json).expect("JSON");
    let codes: Vec<String> =
        json["deployments"].as_array().expect("a list").iter().map(|it| format!("{} {}", it["deployment"], it["exitCode"])).collect();
    assert_eq!(codes, [r#""away" null"#, r#""fails" 3"#, r#""good" 0"#, r#""hangs" null"#, r#""none" null"#]);
    assert_eq!(json["deployments"][0]["reason"], "error: dial tcp: no route to host");
    app.run(&["admin", "x"]).exits(2);
    app.run(&["admin", "x", "--timeout", "0s", "true"]).exits(2).says("no command ends in no time");
}

/// Debian's Alertmanager; ended when dropped.
struct Alertmanager(std::process::Child, String, #[allow(dead_code)] tempfile::TempDir);

impl Alertmanager {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let config = root.path().join("alertmanager.yml");
        std::fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").expect("written");
        let host = std::net::TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").to_string();
        let mut command = std::process::Command::new("prometheus-alertmanager");
        command.arg("--config.file").arg(&config).arg("--storage.path").arg(root.path());
        command.arg(format!("--web.listen-address={host}")).arg("--cluster.listen-address=").stderr(std::process::Stdio::null());
        let it = Self(command.spawn().expect("it starts: tests/rig/lib/packages.sh"), host, root);
        let begun = std::time::Instant::now();
        while std::net::TcpStream::connect(&it.1).is_err() {
            assert!(begun.elapsed().as_secs() < 60, "it serves");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        it
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_alert_reaches_alertmanager() {
    let real = Alertmanager::new();
    let app = App::empty().cluster("test", &format!("alertmanager: {}\n", real.1)).cluster("none", "namespace: shops\n").using("test");
    let post = |more: &[&'static str]| app.run(&[&["admin", "post-alerts"], more].concat());
    let ran = post(&["--labels", "alertname=Try", "--labels", "team=shop"]).exits(0).says("posted to");
    ran.prints("alertname=Try\nteam=shop");
    post(&[]).exits(0).prints("alertname=LainTry");
    let known: Json = serde_json::from_str(&ureq_get(&real.1, "/api/v2/alerts")).expect("JSON");
    let mut known: Vec<Json> = known.as_array().expect("alerts").iter().map(|it| json!([it["labels"], it["annotations"]])).collect();
    known.sort_by_key(Json::to_string);
    let (one, two) = (json!({"alertname": "LainTry"}), json!({"alertname": "Try", "team": "shop"}));
    assert_eq!(known, [json!([one, one]), json!([two, two])]);
    post(&["--labels", "a-b=c"])
        .exits(1)
        .reason("the alert was not posted")
        .says("400")
        .says("does not take the alert")
        .never_says("next:");
    post(&["--labels", "team"]).exits(2).says("KEY=VALUE");
    drop(real);
    post(&[]).exits(1).reason("the alert was not posted").next("alertmanager: HOST:PORT");
    for (body, words) in [("<!doctype html>login", "answered with a web page"), ("{\"a\": 1}", "answered with what is not Alertmanager's")]
    {
        let other = Server::new(move |_: &Asked| Answer::json(200, body));
        let app = App::empty().cluster("test", &format!("alertmanager: {}\n", other.host())).using("test");
        app.run(&["admin", "post-alerts"])
            .exits(1)
            .prints("")
            .reason("the alert was not posted")
            .says(words)
            .next("alertmanager: HOST:PORT");
    }
    app.run(&["--cluster", "none", "admin", "post-alerts"]).exits(1).reason("name no `alertmanager`").next("alertmanager: HOST:PORT");
}

#[test]
fn images_that_the_other_registry_lacks_are_copied() {
    let (one, other) = (Registry::plain(), Registry::plain());
    let digests: Vec<String> = (0..3).map(|number| one.put(REPOSITORY, &commit(number))).collect();
    one.put("team/cart", "v1");
    one.put("elsewhere/cart", "v1");
    let latest = other.put("live/shop", "latest");
    one.put(REPOSITORY, "latest");
    let app = App::empty()
        .cluster("test", &format!("registry: {}/team\n", one.host()))
        .cluster("live", &format!("registry: {}/live\n", other.host()))
        .cluster("empty", "namespace: x\n")
        .file("new.yaml", &format!("registry: {}/live\n", other.host()))
        .using("test");
    let run = |more: &[&'static str]| app.run(&[&["admin", "migrate-registry"], more].concat());
    let there = |repository: &str| {
        let list: Json = serde_json::from_str(&ureq_get(&other.host(), &format!("/v2/{repository}/tags/list"))).unwrap_or_default();
        list["tags"].as_array().map_or(0, Vec::len)
    };
    let shown = run(&["--to", "live", "--dry-run"]).exits(0);
    let rows: Vec<Vec<&str>> = shown.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["cart", "0", "1", "v1"]);
    assert_eq!(rows[2][..3], ["shop", "1", "3"], "{}", shown.stdout);
    let ran = run(&["--cluster-config", "new.yaml"]).exits(3).says("copy 4 images from").says("There is no terminal to ask at");
    ran.next("lain admin migrate-registry --cluster-config new.yaml --yes");
    assert_eq!((there("live/shop"), there("live/cart")), (1, 0));
    run(&["--to", "live", "--app", "cart", "--yes"]).exits(0).says("copied 1 image to");
    assert_eq!((there("live/shop"), there("live/cart")), (1, 1));
    let ran = run(&["--cluster-config", "new.yaml", "--yes", "-o", "json"]).exits(0).says("copied 3 images to");
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(json["repositories"][1]["images"][0], json!({"tag": commit(0), "outcome": "copied"}));
    let is = |tag: &str| ureq_get(&other.host(), "/v2/live/shop/tags/list").contains(tag);
    assert!((0..3).all(|number| is(&commit(number))));
    let same = app.run(&["--cluster", "live", "admin", "list-images"]).exits(0);
    assert_eq!(same.stdout.lines().count(), 5, "{}", same.stdout);
    assert!(digests.iter().all(|digest| other_has(&other, digest)) && other_has(&other, &latest));
    run(&["--to", "live", "--yes"]).exits(0).prints("").says("has every tag of");
    run(&["--to", "test"]).exits(2).reason("there is nothing to copy");
    run(&["--to", "nobody"]).exits(2).reason("cluster nobody has no values: there are empty, live, test");
    run(&["--to", "empty"]).exits(2).reason("values-empty.yaml names no registry").next("registry: HOST/PATH");
    run(&["--cluster-config", "none.yaml"])
        .exits(2)
        .reason("none.yaml is not there")
        .next("lain admin migrate-registry --cluster-config FILE");
    run(&["--cluster-config", "/dev/stdin"]).exits(2).reason("/dev/stdin is no ordinary file");
    run(&["--to", "live", "--app", "shpo", "--yes"]).exits(1).reason("has no images of shpo").next("lain admin list-images");
    run(&[]).exits(2).says("<--to <CLUSTER>|--cluster-config <FILE>>");
}

/// The registry has this manifest of the shop's.
fn other_has(registry: &Registry, digest: &str) -> bool {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(registry.host()).expect("a registry");
    let accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
    write!(stream, "GET /v2/live/shop/manifests/{digest} HTTP/1.0\r\nHost: x\r\nAccept: {accept}\r\n\r\n").expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("an answer");
    text.split("\r\n").next().is_some_and(|first| first.contains(" 200 "))
}

/// An API server that gives three objects at a time, however many are asked for, and once forgets where it was.
fn in_pages(of: impl Fn(&str, usize) -> Json + Send + Sync + 'static) -> Server {
    let forgets = AtomicUsize::new(0);
    Server::new(move |asked: &Asked| {
        let path = asked.target.split('?').next().unwrap_or_default();
        let kind = path.rsplit('/').next().unwrap_or_default();
        let all = if ["jobs", "statefulsets", "replicasets"].contains(&kind) { 0 } else { 10 };
        if path.ends_with("/namespaces/shops") {
            return refused(403, "Forbidden");
        }
        let most: usize = asked.field("limit").expect("no list is asked for as a whole").parse().expect("a number");
        let at: usize = asked.field("continue").map_or(0, |token| token.parse().expect("a number"));
        if kind == "pods" && at == 6 && forgets.fetch_add(1, Ordering::SeqCst) == 0 {
            return refused(410, "Expired");
        }
        let end = (at + most.min(3)).min(all);
        let next = if end < all { end.to_string() } else { String::new() };
        let items: Vec<Json> = (at..end).map(|number| of(kind, number)).collect();
        Answer::json(200, &json!({"kind": "List", "metadata": {"continue": next}, "items": items}).to_string())
    })
}

#[test]
fn lists_of_several_pages_are_whole() {
    let api = in_pages(|kind, number| {
        let name = format!("{kind}-{number}");
        let metadata = json!({"name": name, "uid": name, "namespace": "shops", "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"of": "it", "meta.helm.sh/release-name": name}, "labels": {"app.kubernetes.io/name": "shop"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "x", "controller": true}]});
        let path = json!({"path": "/", "backend": {"service": {"name": if number == 9 { "gone" } else { "services-9" }}}});
        let own = match kind {
            "pods" => json!({"status": {"phase": "Failed", "reason": "Evicted"}}),
            "deployments" => json!({"spec": {"replicas": 1}}),
            "ingresses" => json!({"spec": {"rules": [{"host": name, "http": {"paths": [path]}}]}}),
            "events" => {
                json!({"type": "Warning", "involvedObject": {"kind": "Pod", "name": "pods-9"}, "reason": "Evicting", "message": name})
            }
            _ => json!({}),
        };
        let mut item = own;
        item["metadata"] = metadata;
        item
    });
    let app = in_cluster(&api);
    let names = |args: &[&str], list: &str, key: &str| {
        let ran = app.run(&[args, &["-o", "json"]].concat()).exits(0);
        let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
        let found: BTreeSet<String> =
            json[list].as_array().expect("a list").iter().map(|it| it[key].as_str().expect("a name").to_owned()).collect();
        found.into_iter().collect::<Vec<_>>()
    };
    let all = |kind: &str| (0..10).map(|number| format!("{kind}-{number}")).collect::<Vec<_>>();
    assert_eq!(names(&["admin", "delete-bad-pod", "--dry-run"], "bad", "name"), all("pods"), "also where the server forgot the next page");
    assert_eq!(names(&["admin", "get", "pods", "--annotations", "of=it"], "objects", "name"), all("pods"));
    assert_eq!(names(&["admin", "list-singletons"], "singletons", "deployment"), all("deployments"));
    assert_eq!(names(&["admin", "delete-bad-ing", "--dry-run"], "bad", "name"), ["ingresses-9"], "every Service is known");
    let app = App::new()
        .tools(&["kubectl"])
        .cluster("test", "namespace: shops\n")
        .kubeconfig("test", &format!("http://{}", api.host()))
        .using("test");
    let ran = app.run(&["status", "-s", "-o", "json"]).exits(0);
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((json["pods"].as_array().map(Vec::len), json["workloads"].as_array().map(Vec::len)), (Some(10), Some(10)));
}

/// Runs it on a terminal of 60 columns, and types this once it asks. Nothing is wider but what is to be pasted.
fn answered(app: &App, words: &str, typed: &[u8]) -> (Option<i32>, String) {
    use std::io::{Read, Write};
    let stty = which::which("stty").expect("this test needs stty on PATH");
    let mut script = app.command(&which::which("script").expect("this test needs script on PATH"));
    script.args(["-qec", &format!("{} cols 60 rows 24; {} {words}", stty.display(), env!("CARGO_BIN_EXE_lain")), "/dev/null"]);
    script.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = script.spawn().expect("script runs");
    let (mut keys, mut screen) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
    let (mut seen, mut block, mut is_typed) = (vec![], [0; 1024], false);
    while let Ok(count @ 1..) = screen.read(&mut block) {
        seen.extend_from_slice(&block[..count]);
        if !is_typed && String::from_utf8_lossy(&seen).contains("[y/N] ") {
            keys.write_all(typed).expect("typed");
            is_typed = true;
        }
    }
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(is_typed, "it never asks:\n{text}");
    let is_pasted = |line: &str| ["next:", "kubectl"].iter().any(|word| console::strip_ansi_codes(line).starts_with(word));
    let wide: Vec<&str> = text.lines().filter(|line| console::measure_text_width(line) > 60 && !is_pasted(line)).collect();
    assert!(wide.is_empty(), "{wide:#?} in\n{text}");
    (child.wait().expect("it ends").code(), text)
}

#[test]
fn who_is_asked_at_a_terminal_says_no_but_by_yes() {
    let gone = |_: &Asked| Answer::json(200, r#"{"kind":"Status","status":"Success"}"#);
    for (words, api) in [("admin delete-bad-pod", bad_pods(gone)), ("admin delete-bad-ing", bad_ingresses(gone))] {
        let app = in_cluster(&api);
        let changes = || api.asked().iter().filter(|asked| asked.method != "GET").count();
        // Enter, another word, the end of input, Ctrl-C.
        for (typed, code, told) in [
            (&b"\n"[..], 3, "nothing was changed"),
            (b"n\n", 3, "nothing was changed"),
            (b"yess\n", 3, "nothing was changed"),
            (b"\x04", 3, "nothing was changed"),
            (b"\x03", 130, "interrupted"),
        ] {
            let (ended, text) = answered(&app, words, typed);
            assert!(ended == Some(code) && text.contains(told) && changes() == 0, "{words} {typed:?}: {ended:?}\n{text}");
        }
        let (ended, text) = answered(&app, words, b"y\n");
        assert!(ended == Some(0) && text.contains("deleted") && changes() == 2, "{words}: {ended:?}\n{text}");
    }
}
