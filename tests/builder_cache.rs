//! What a builder keeps in the registry. In a file of its own: it has the steps of the rig's engine thrown away, and a build that goes on meanwhile
//! ends with `failed to solve: not found`.

#[path = "support/engine.rs"]
mod engine;
#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use engine::Shop;
use registry::Registry;
use serde_json::Value as Json;

#[test]
fn a_builder_pushes_by_itself_and_keeps_its_cache_in_the_registry() {
    let registry = Registry::plain();
    let cluster = format!("registry: {}/team\nbuildx_builder: far\nbuild_cache: true\n", registry.host());
    let build = "  base: debian:trixie-slim\n  prepare: {script: [echo slow > it], keep: [it]}\n  script: [head -c 16 /dev/urandom | sha256sum > random]\n";
    // No daemon here: it has no part in it.
    let shop = Shop::new(build, &cluster).far().env("DOCKER_HOST", "unix:///nonexistent");
    let ran = shop.app.run(&["build", "--push", "-o", "json"]).exits(0).says("there is no prepare image yet");
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    let (image, digest) = (json["image"].as_str().expect("an image"), json["digest"].as_str().expect("a digest"));
    let repository = image.rsplit_once(':').expect("a tag").0;
    let layers = |image: &str| shop.manifest(image)["layers"].as_array().expect("one image, no index").clone();
    let before = layers(&format!("{repository}@{digest}"));
    assert_eq!(before, layers(image));
    assert_eq!(before, layers(&format!("{repository}:latest")));
    layers(&format!("{repository}:prepare"));
    shop.app.run(&["tags"]).exits(0).never_says("buildcache").never_says("prepare");
    // It tells of a prepare image that was made from other values, as docker does.
    let values = shop.app.dir().join("chart/values.yaml");
    let text = std::fs::read_to_string(&values).expect("values");
    std::fs::write(&values, text.replace("echo slow", "echo slower")).expect("values");
    let told = "was made from another `base`, `workdir`, `prepare`, or other files of dependencies than there are now";
    shop.app.run(&["build", "--push"]).exits(0).says(told);
    std::fs::write(&values, text).expect("values");
    shop.app.run(&["build", "--push"]).exits(0).never_says(told);
    // A builder that was never here before takes every step out of the registry.
    shop.docker(&["buildx", "prune", "--builder", "far", "--all", "--force"]);
    let ran = shop.app.run(&["build", "--push", "--no-pull"]).exits(0);
    let step = ran.stderr.lines().find(|line| line.contains("] RUN ")).expect("the step").split(' ').next().expect("its number");
    assert!(ran.stderr.lines().any(|line| line == format!("{step} CACHED")), "{}", ran.stderr);
    assert_eq!(before, layers(image));
}
