//! Images on a real docker daemon and real registries: to every cluster at once, as files, under other names.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use registry::Registry;
use support::App;

/// An app that is new in every run: its images go when it is dropped.
struct Shop {
    app: App,
    name: String,
    tag: String,
}

/// docker of the rig; what it prints, or nothing when it fails.
fn docker(args: &[&str]) -> Option<String> {
    let out = Command::new("docker").args(args).output().expect("docker runs");
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

impl Shop {
    fn new(clusters: &[(&str, String)]) -> Self {
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos();
        let name = format!("shop-{unique}");
        let mut app = App::empty()
            .docker()
            .file("hello.txt", "hello\n")
            .values(&format!("appname: {name}\nbuild:\n  base: debian:trixie-slim\n  script: [\"echo {unique} > built.txt\"]\n"));
        for (cluster, registry) in clusters {
            app = app.cluster(cluster, &format!("registry: {registry}\n"));
        }
        let app = app.using(clusters[0].0).committed();
        let tag = app.run(&["meta"]).exits(0).stdout.trim().to_owned();
        Self { app, name, tag }
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let list = docker(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).unwrap_or_default();
        for image in list.lines().filter(|image| image.contains(&self.name)) {
            let _ = docker(&["image", "rm", "--force", "--no-prune", image]);
        }
    }
}

#[test]
fn publish_goes_to_every_cluster_once() {
    let registries = [Registry::plain(), Registry::plain()];
    let [one, other] = [0, 1].map(|at: usize| registries[at].host());
    let clusters = [("test", format!("{one}/team")), ("prod", format!("{other}/team")), ("twin", format!("{other}/team"))];
    let shop = Shop::new(&clusters);
    // The app has another name on prod.
    let app = &shop.app;
    fs::write(app.dir().join("chart/values-prod.yaml"), format!("appname: {}-live\n", shop.name)).expect("values");
    let ran = app.run(&["build", "--publish", "-o", "json"]).exits(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let images: Vec<&str> = json["images"].as_array().expect("images").iter().map(|image| image["image"].as_str().expect("text")).collect();
    let (name, tag) = (&shop.name, &shop.tag);
    let mut expected =
        [format!("{one}/team/{name}:{tag}"), format!("{other}/team/{name}-live:{tag}"), format!("{other}/team/{name}:{tag}")];
    expected.sort();
    let mut sorted = images.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    for image in json["images"].as_array().expect("images") {
        let digest = image["digest"].as_str().expect("a digest");
        assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
        let repository = image["image"].as_str().expect("text").rsplit_once(':').expect("a tag").0;
        docker(&["pull", "--quiet", &format!("{repository}@{digest}")]).expect("the registry has it");
    }
    // The same again, of what is built.
    app.run(&["push", "--publish"]).exits(0).says(&format!("pushed {one}/team/{name}:{tag} for test"));
}

#[test]
fn a_registry_that_refuses_does_not_keep_the_others_waiting() {
    let fine = Registry::plain();
    let locked = Registry::htpasswd();
    let shop = Shop::new(&[("test", format!("{}/team", fine.host())), ("locked", format!("{}/team", locked.host()))]);
    let ran = shop.app.run(&["build", "--publish"]).exits(1).next(&format!("docker login {}", locked.host()));
    let pushed = format!("{}/team/{}:{}", fine.host(), shop.name, shop.tag);
    let ran = ran.says(&format!("pushed {pushed} for test"));
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{}", ran.stderr);
    docker(&["pull", "--quiet", &pushed]).expect("the other registry has it");
}

#[test]
fn publish_says_what_is_missing() {
    let app = App::empty()
        .docker()
        .values("appname: shop\nbuild: {base: debian:trixie-slim}\n")
        .cluster("test", "registry: 127.0.0.1:1/x\n")
        .using("test");
    app.run(&["push", "--publish"]).exits(1).reason("is not on this docker daemon").next("lain build --publish").changed_nothing();
}

#[test]
fn an_archive_travels() {
    let (here, there) = (Registry::plain(), Registry::plain());
    let shop = Shop::new(&[("test", format!("{}/team", here.host())), ("far", format!("{}/far", there.host()))]);
    let (app, name, tag) = (&shop.app, &shop.name, &shop.tag);
    let file = format!("{name}_{tag}.tar.gz");
    app.run(&["save"]).exits(1).reason("is not on this docker daemon").next("lain build").changed_nothing();
    app.run(&["build"]).exits(0);
    app.run(&["save"]).exits(0).prints(&file).says(&format!("docker save {}/team/{name}:{tag} | gzip > ", here.host()));
    app.run(&["save"]).exits(1).reason("is there already").next("lain save --force").changed_nothing();
    app.run(&["save", "--retag", "far", "--force"]).exits(0).prints(&file);
    // gzip and tar that are not ours read it, and it carries the name that cluster far pulls.
    let manifest = Command::new("tar").args(["-xzOf", &file, "manifest.json"]).current_dir(app.dir()).output().expect("tar runs");
    let text = String::from_utf8_lossy(&manifest.stdout).into_owned();
    assert!(text.contains(&format!("{}/far/{name}:{tag}", there.host())), "{text}");
    for image in [format!("{}/team/{name}:{tag}", here.host()), format!("{}/far/{name}:{tag}", there.host())] {
        docker(&["image", "rm", "--no-prune", &image]).expect("it was there");
    }
    // Elsewhere: out of the file, into that cluster's registry, as latest too.
    app.run(&["push", &file, "--cluster", "far", "--overwrite-latest"]).exits(0).prints(&format!("{}/far/{name}:{tag}", there.host()));
    for tag in [tag.as_str(), "latest"] {
        docker(&["pull", "--quiet", &format!("{}/far/{name}:{tag}", there.host())]).expect("the registry has it");
    }
    app.run(&["save", "--retag", "registry.example.com/x/y:1.2", "--dir", "out"]).exits(1).reason("is not on this docker daemon");
    app.run(&["push", "nothing.tar.gz"]).exits(2).reason("there is no file nothing.tar.gz").next("ls").changed_nothing();
}

#[test]
fn save_under_a_name_of_ones_own() {
    let here = Registry::plain();
    let shop = Shop::new(&[("test", format!("{}/team", here.host()))]);
    let image = format!("{}/mine/{}", here.host(), shop.name);
    shop.app.run(&["build"]).exits(0);
    shop.app.run(&["save", "--retag", &format!("{image}:1.2"), "--dir", "out"]).exits(0).prints(&format!("out/{}_1.2.tar.gz", shop.name));
    let json = shop.app.run(&["save", "--retag", &image, "--dir", "out", "-o", "json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["image"], format!("{image}:{}", shop.tag));
    assert_eq!(json["file"], format!("out/{}_{}.tar.gz", shop.name, shop.tag));
}
