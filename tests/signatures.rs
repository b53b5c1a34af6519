//! `build --push --sbom --sign`: real cosign, in both of its ways to sign, and real syft, with a real registry.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use registry::Registry;
use serde_json::Value as Json;
use support::{App, Ran, rig};

const COSIGNS: [&str; 2] = ["cosign-2", "cosign-3"];
const SYFT: &str = "syft-1.18.1";
const PASSWORD: &str = "open-sesame-7351";

fn cosign(version: &str) -> PathBuf {
    Path::new(&rig("LAIN_RIG_TOOLS")).join(version).join("cosign")
}

/// A pair of keys in a folder: cosign.key and cosign.pub.
fn keys(dir: &Path) -> (String, PathBuf) {
    let made = Command::new(cosign(COSIGNS[1])).arg("generate-key-pair").env("COSIGN_PASSWORD", PASSWORD).current_dir(dir).output();
    assert!(made.expect("cosign runs").status.success());
    (std::fs::read_to_string(dir.join("cosign.key")).expect("a key"), dir.join("cosign.pub"))
}

/// What cosign itself says of an image.
fn says(version: &str, verb: &[&str], key: &Path, image: &str) -> bool {
    let mut command = Command::new(cosign(version));
    command.args(verb).arg("--key").arg(key).args(["--insecure-ignore-tlog=true", image]);
    command.output().expect("cosign runs").status.success()
}

/// What a registry has, as JSON.
fn manifest(registry: &Registry, repository: &str, reference: &str) -> Json {
    let accept = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    let url = format!("http://{}/v2/{repository}/manifests/{reference}", registry.host());
    let out = Command::new("curl").args(["-sf", "-H", accept, &url]).output().expect("curl runs");
    serde_json::from_slice(&out.stdout).unwrap_or(Json::Null)
}

struct Shop {
    app: App,
    registry: Registry,
    keys: tempfile::TempDir,
    key: String,
    public: PathBuf,
    name: String,
    _images: Images,
}

impl Shop {
    fn new(version: &str) -> Self {
        let (registry, keys_dir) = (Registry::plain(), tempfile::tempdir().expect("a folder"));
        let (key, public) = keys(keys_dir.path());
        let name = format!("sign-{}", SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos());
        let values = |place: &str| format!("registry: {}/{place}\nsignature: {{tlog: false}}\n", registry.host());
        let app = App::empty()
            .docker()
            .tool("cosign", version)
            .tool("syft", SYFT)
            .file("node_modules/left-pad/package.json", r#"{"name": "left-pad", "version": "1.3.0"}"#)
            .values(&format!("appname: {name}\nbuild: {{base: scratch, env: {{WHO: {name}}}}}\n"))
            .cluster("test", &values("team"))
            .cluster("prod", &values("prod"))
            .using("test")
            .committed();
        Self { app, registry, keys: keys_dir, key, public, _images: Images(name.clone()), name }
    }

    fn with_key(self) -> Self {
        let app = self.app.env("COSIGN_PRIVATE_KEY", &self.key).env("COSIGN_PASSWORD", PASSWORD);
        Self { app, ..self }
    }

    fn digest(ran: &Ran) -> String {
        let answer: Json = serde_json::from_str(&ran.stdout).expect("JSON");
        answer["digest"].as_str().expect("a digest").to_owned()
    }

    fn image(&self, place: &str, digest: &str) -> String {
        format!("{}/{place}/{}@{digest}", self.registry.host(), self.name)
    }
}

/// The images of a name, which go when it is dropped.
struct Images(String);

impl Drop for Images {
    fn drop(&mut self) {
        let list = Command::new("docker").args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).output().expect("docker runs");
        for image in String::from_utf8_lossy(&list.stdout).lines().filter(|image| image.contains(&self.0)) {
            let _ = Command::new("docker").args(["image", "rm", "--force", "--no-prune", image]).output();
        }
    }
}

#[test]
fn an_image_is_listed_and_signed_by_its_digest() {
    let shop = Shop::new(COSIGNS[1]).with_key();
    let ran = shop.app.run(&["build", "--push", "--sbom", "--sign", "-o", "json"]).exits(0).changed_nothing();
    let ran = ran.says("attached an SBOM to ").says("signed ").never_says(PASSWORD).never_says("BEGIN ENCRYPTED");
    let digest = Shop::digest(&ran);
    let image = shop.image("team", &digest);
    assert!(says(COSIGNS[1], &["verify"], &shop.public, &image));
    assert!(says(COSIGNS[1], &["verify-attestation", "--type", "spdxjson"], &shop.public, &image));
    // The SBOM is found from the digest, where a registry of 2022 knows no referrers.
    let repository = format!("team/{}", shop.name);
    let index = manifest(&shop.registry, &repository, &digest.replace(':', "-"));
    let all = index["manifests"].as_array().expect("what refers to it");
    let sbom = all.iter().find(|one| one["artifactType"] == "application/spdx+json").expect("an SBOM");
    let sbom = manifest(&shop.registry, &repository, sbom["digest"].as_str().expect("a digest"));
    assert_eq!((&sbom["subject"]["digest"], &sbom["layers"][0]["mediaType"]), (&digest.as_str().into(), &"application/spdx+json".into()));
    let url = format!("http://{}/v2/{repository}/blobs/{}", shop.registry.host(), sbom["layers"][0]["digest"].as_str().expect("a digest"));
    let text = Command::new("curl").args(["-sf", &url]).output().expect("curl runs").stdout;
    let text: Json = serde_json::from_slice(&text).expect("SPDX in JSON");
    assert_eq!(text["spdxVersion"], "SPDX-2.3");
    assert!(text["packages"].as_array().is_some_and(|packages| packages.iter().any(|package| package["name"] == "left-pad")));
    // Once is enough.
    let again = shop.app.run(&["build", "--push", "--if-missing", "--sbom", "--sign"]).exits(0);
    again.says("has an SBOM already").says("is signed with that key already").never_says("cosign sign ");
    // Another cluster gets the same with the image.
    shop.app.run(&["push", "--from", "test", "--cluster", "prod"]).exits(0).says("with its signatures");
    let there = shop.image("prod", &digest);
    assert!(says(COSIGNS[1], &["verify"], &shop.public, &there));
    assert!(says(COSIGNS[1], &["verify-attestation", "--type", "spdxjson"], &shop.public, &there));
}

/// The older way: tags beside the image. A file of a key in place of the variable, as GitLab's variables of type File.
#[test]
fn an_older_cosign_signs_in_each_registry() {
    let mut shop = Shop::new(COSIGNS[0]);
    shop.app = shop.app.env("COSIGN_PASSWORD", PASSWORD);
    let key = shop.keys.path().join("cosign.key").display().to_string();
    let ran = shop.app.run(&["build", "--publish", "--sign", "--key", &key, "-o", "json"]).exits(0).never_says(PASSWORD);
    let answer: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    for image in answer["images"].as_array().expect("images") {
        let name = image["image"].as_str().and_then(|image| image.rsplit_once(':')).expect("a tag").0;
        let image = format!("{name}@{}", image["digest"].as_str().expect("a digest"));
        COSIGNS.iter().for_each(|version| assert!(says(version, &["verify"], &shop.public, &image), "{image}"));
    }
    shop.app = shop.app.env("COSIGN_PRIVATE_KEY", &key);
    shop.app.run(&["push", "--sign"]).exits(0).says("is signed with that key already");
}

#[test]
fn what_is_missing_is_told_before_anything_is_built() {
    let shop = Shop::new(COSIGNS[1]);
    let refused = |ran: Ran, code: i32, why: &str, next: &str| {
        drop(ran.exits(code).says(why).next(next).never_says("docker build --").changed_nothing());
    };
    let run = |app: &App, words: &[&str]| app.run(words);
    refused(
        run(&shop.app, &["build", "--sbom", "--sign"]),
        2,
        "--sbom is for an image that a registry has",
        "lain build --push --sbom --sign",
    );
    refused(run(&shop.app, &["build", "--push", "--sign"]), 2, "there is nothing to sign with", "COSIGN_PRIVATE_KEY=");
    refused(run(&shop.app, &["build", "--push", "--sign", "--key", "cosgin.key"]), 2, "there is no file cosgin.key", "generate-key-pair");
    run(&shop.app, &["build", "--push", "--key", "x"]).exits(2).says("--sign");
    let mut shop = shop.with_key();
    shop.app = shop.app.env("COSIGN_PASSWORD", "another");
    refused(
        run(&shop.app, &["build", "--push", "--sign"]),
        1,
        "the key env://COSIGN_PRIVATE_KEY does not open with COSIGN_PASSWORD",
        "COSIGN_PASSWORD=",
    );
    let file = shop.keys.path().join("cosign.key").display().to_string();
    shop.app = shop.app.env("COSIGN_PRIVATE_KEY", &file);
    refused(run(&shop.app, &["build", "--push", "--sign"]), 1, &format!("the key {file} does not open"), "COSIGN_PASSWORD=");
    shop.app = shop.app.env("COSIGN_PRIVATE_KEY", "no key");
    refused(run(&shop.app, &["build", "--push", "--sign"]), 1, "env://COSIGN_PRIVATE_KEY is no private key", "cosign generate-key-pair");
    let mut shop = shop.with_key();
    shop.app = shop.app.without("syft");
    refused(run(&shop.app, &["build", "--push", "--sbom"]), 1, "--sbom needs syft, which is not installed", "buildx_builder: NAME");
    shop.app = shop.app.without("cosign");
    refused(run(&shop.app, &["build", "--push", "--sign"]), 1, "cosign is not installed", "install cosign");
}

/// A job of GitLab's signs by its own token, which nobody else gets to see; no Fulcio is here, so that cosign only says what it was given.
#[test]
fn a_job_signs_by_its_own_identity() {
    let mut shop = Shop::new(COSIGNS[1]);
    let said = shop.keys.path().join("said");
    let script = format!("[ \"$2\" = --help ] || echo \"$* with $SIGSTORE_ID_TOKEN\" >> {}", said.display());
    shop.app = shop.app.fake("cosign", &script).env("SIGSTORE_ID_TOKEN", "eyJ-the-token");
    let cluster = format!("registry: {}/team\n", shop.registry.host());
    shop.app = shop.app.cluster_without_kubeconfig("test", &cluster);
    let ran = shop.app.run(&["build", "--push", "--sign", "-o", "json"]).exits(0).never_says("eyJ-the-token");
    let said = std::fs::read_to_string(said).expect("cosign was asked");
    let image = shop.image("team", &Shop::digest(&ran));
    assert_eq!(said, format!("sign --yes --allow-http-registry {image} with eyJ-the-token\n"));
}

/// A registry that goes once the image is pushed: what is there and what is not is said.
#[test]
fn a_registry_that_goes_half_way() {
    let mut shop = Shop::new(COSIGNS[1]).with_key();
    let script = format!(
        "[ \"$1 $2\" = 'sign --yes' ] && kill -9 {} && sleep 0.2; exec {} \"$@\"",
        shop.registry.pid(),
        cosign(COSIGNS[1]).display()
    );
    shop.app = shop.app.fake("cosign", &script).tools(&["sleep"]);
    let ran = shop.app.run(&["build", "--push", "--sign"]).exits(1);
    ran.says("connection refused").says("is pushed, and not signed").next("lain build --push --if-missing --sign");
}
