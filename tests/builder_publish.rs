//! A builder publishes: one image to the registries of several clusters.

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

/// An app of three clusters with two registries between them, and what publishing it tells is what the registries have.
struct Published {
    shop: Shop,
    registries: [Registry; 2],
}

impl Published {
    fn new() -> Self {
        let registries = [Registry::plain(), Registry::plain()];
        let values = registries.each_ref().map(|registry| format!("registry: {}/team\nbuildx_builder: far\n", registry.host()));
        let shop = Shop::new("  base: debian:trixie-slim\n  script: [echo built > it.txt]\n", &values[0]).far();
        let shop = shop.with(|app| app.cluster("prod", &values[1]).cluster("twin", &values[1]));
        Self { shop, registries }
    }

    fn env(self, name: &str, value: &str) -> Self {
        Self { shop: self.shop.env(name, value), ..self }
    }

    #[track_caller]
    fn publish(&self) -> String {
        let ran = self.shop.app.run(&["build", "--publish", "-o", "json"]).exits(0).leaves_nothing();
        let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
        let images = json["images"].as_array().expect("images");
        assert_eq!(images.len(), 2, "{json}");
        for (image, registry) in images.iter().zip(&self.registries) {
            let name = image["image"].as_str().expect("an image");
            assert!(name.starts_with(&registry.host()), "{json}");
            assert!(self.shop.docker(&["buildx", "imagetools", "inspect", name]).contains(image["digest"].as_str().expect("a digest")));
        }
        ran.stderr
    }
}

#[test]
fn a_builder_publishes_to_every_cluster() {
    let published = Published::new();
    let said = published.publish();
    for registry in &published.registries {
        assert!(said.contains(&format!("--output type=image,name={}/team/", registry.host())), "side by side: {said}");
    }
}

/// Attestations tell the time of a build: two outputs would have two digests, and buildx tells one of them.
#[test]
fn attested_images_have_one_digest_everywhere() {
    let said = Published::new().env("BUILDX_NO_DEFAULT_ATTESTATIONS", "0").publish();
    assert!(said.contains(" --push ") && !said.contains("--output"), "{said}");
}

/// The first docker's own `BuildKit` is 0.8: it has one output, which may have several names.
#[test]
fn a_builder_with_one_output_publishes_too() {
    let said = Published::new().env("BUILDX_BUILDER", "default").publish();
    assert!(said.contains("older than 0.13: it pushes to one registry after another") && said.contains(" --push "), "{said}");
}

#[test]
fn publishing_with_a_builder_names_the_registry_that_does_not_take_it() {
    let published = Published::new();
    let refusing = Registry::htpasswd();
    let place = |host: &str| format!("registry: {host}/team\nbuildx_builder: far\n");
    let shop = published.shop.with(|app| app.cluster("locked", &place(&refusing.host())));
    let ran = shop.app.run(&["build", "--publish"]).exits(1).reason("`docker buildx build` failed");
    ran.says(&format!("{}/team/{}:", refusing.host(), shop.name)).next(&format!("docker login {}", refusing.host()));
    let shop = shop.with(|app| app.cluster("locked", &place("127.0.0.1:1")));
    let ran = shop.app.run(&["build", "--publish"]).exits(1).reason("`docker buildx build` failed").says("could not be pushed: ");
    ran.says("connection refused").next("lain build --publish # when 127.0.0.1:1 answers");
}

/// Without syft the builder lists what it builds: the digest is that of an index then, one for all registries.
#[test]
fn a_builder_lists_what_it_builds() {
    let published = Published::new();
    // What it lists with comes from Docker Hub, which not every rig reaches.
    let ran = published.shop.app.run(&["build", "--publish", "--sbom"]).says("--attest type=sbom").says(" --push ").never_says("--output");
    if ran.code != 0 {
        ran.exits(1).next("install syft");
    }
    // Where base images come by a mirror, that does too.
    let values =
        format!("registry: {}/team\nbuildx_builder: far\nimage_mirrors: {{docker.io: 127.0.0.1:1/hub}}\n", published.registries[0].host());
    let shop = published.shop.with(|app| app.cluster_without_kubeconfig("test", &values));
    let ran = shop.app.run(&["build", "--push", "--sbom"]).exits(1);
    ran.says("--attest type=sbom,generator=127.0.0.1:1/hub/docker/buildkit-syft-scanner:stable-1");
}
