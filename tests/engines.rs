//! Who builds: docker without `BuildKit` and with it, a docker daemon elsewhere, a buildx builder elsewhere. Real ones, all of them.

#[path = "support/engine.rs"]
mod engine;
#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use engine::{Shop, is_digest};
use registry::Registry;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use support::{App, rig};

/// Never in a file of these tests' apps.
const SECRET: &str = "s3cr3t-of-the-build-4711";

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The file holds the words, compressed or not.
fn holds(path: &Path, words: &str) -> bool {
    let mut grep = Command::new("sh");
    grep.args(["-c", "zcat -f -- \"$0\" | grep -aqF -e \"$1\""]).arg(path).arg(words);
    grep.status().expect("sh runs").success()
}

/// Files below a folder that hold the words.
fn files_with(folder: &Path, words: &str) -> usize {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.map(|path| if path.is_dir() { files_with(&path, words) } else { usize::from(holds(&path, words)) }).sum()
}

#[test]
fn docker_without_buildkit() {
    let registry = Registry::plain();
    let shop = Shop::new("  base: debian:trixie-slim\n  script: [echo built > it.txt]\n", &format!("registry: {}/team\n", registry.host()));
    let shop = shop.env("DOCKER_BUILDKIT", "0");
    let ran = shop.app.run(&["build", "--push", "-o", "json"]).exits(0).says("Step 1/");
    let json: Json = serde_json::from_str(&ran.stdout).expect("JSON");
    assert!(is_digest(json["digest"].as_str().expect("a digest")), "{json}");
}

#[test]
fn secrets_need_buildkit() {
    let build = "  base: debian:trixie-slim\n  secrets: [NPM_TOKEN]\n  script: [cat /run/secrets/NPM_TOKEN]\n";
    let shop = Shop::new(build, "registry: 127.0.0.1:1/team\n").env("NPM_TOKEN", SECRET).env("DOCKER_BUILDKIT", "0");
    let ran = shop.app.run(&["build"]).exits(1).reason("`build.secrets` needs BuildKit, and DOCKER_BUILDKIT=0 forbids it");
    ran.next("unset DOCKER_BUILDKIT").never_says(SECRET).changed_nothing();
    // A docker of today without the plugin, whatever this machine has.
    let real = which::which("docker").expect("docker");
    let without = format!(
        "case \"$*\" in\n  'buildx version') echo 'docker: unknown command: docker buildx' >&2; exit 1 ;;\n  \
         'version --format {{{{.Client.Version}}}}') echo 28.2.2 ;;\n  *) exec {} \"$@\" ;;\nesac",
        real.display()
    );
    let shop = Shop::new(build, "registry: 127.0.0.1:1/team\n").env("NPM_TOKEN", SECRET).with(|app| app.fake("docker", &without));
    let ran = shop.app.run(&["build"]).exits(1).reason("its buildx plugin is not installed").next("apt-get install docker-buildx");
    ran.never_says(SECRET).changed_nothing();
}

/// Two secrets, and what of them may stay: their checksums. The second one is a file in the app's folder.
const WITH_SECRETS: &str = "  base: debian:trixie-slim
  secrets:
    NPM_TOKEN:
    npmrc: {file: .npmrc, target: /root/.npmrc}
  prepare:
    script: [sha256sum < /run/secrets/NPM_TOKEN > prepared]
    keep: [prepared]
  script:
    - cat /run/secrets/NPM_TOKEN
    - sha256sum < /run/secrets/NPM_TOKEN > token
    - sha256sum < /root/.npmrc > npmrc
    - |
      # several lines
      test -e /run/secrets/NPM_TOKEN
";

/// [`WITH_SECRETS`], its secrets given, and a docker that writes down its arguments.
fn with_secrets(cluster: &str) -> Shop {
    let real = which::which("docker").expect("docker");
    let noting = format!("printf '%s\\n' \"$@\" >> \"$HOME/arguments\"\nexec {} \"$@\"", real.display());
    Shop::new(WITH_SECRETS, cluster)
        .env("NPM_TOKEN", SECRET)
        .with(|app| app.file(".npmrc", &format!("//registry.example.com/:_authToken={SECRET}-npmrc\n")).fake("docker", &noting))
}

/// lain says the secret nowhere and tells it no one by argument.
fn builds_silently(shop: &Shop, args: &[&str]) {
    let ran = shop.app.run(args).exits(0).leaves_nothing().says("--secret id=NPM_TOKEN,env=NPM_TOKEN").says("***").never_says(SECRET);
    assert!(!ran.stderr.contains("Step 1/"), "{}", ran.stderr);
    let arguments = shop.app.home().join("arguments");
    assert!(holds(&arguments, "id=NPM_TOKEN,env=NPM_TOKEN") && !holds(&arguments, SECRET));
}

#[test]
fn a_secret_reaches_no_layer_of_docker() {
    let registry = Registry::plain();
    let shop = with_secrets(&format!("registry: {}/team\n", registry.host())).buildx();
    builds_silently(&shop, &["build", "--push", "--verbose"]);
    let image = format!("{}/team/{}:latest", registry.host(), shop.name);
    let proofs = [sha256(SECRET), sha256(&format!("//registry.example.com/:_authToken={SECRET}-npmrc\n"))];
    let kept = shop.docker(&["run", "--rm", &image, "sh", "-c", "cat prepared token npmrc; ls -A /run/secrets . 2>&1 || true"]);
    assert!(kept.contains(&proofs[0]) && kept.contains(&proofs[1]) && !kept.contains(SECRET), "{kept}");
    let files: Vec<&str> = kept.lines().collect();
    assert!(files.contains(&"hello.txt") && !files.contains(&".npmrc") && !files.contains(&"NPM_TOKEN"), "{kept}");
    for image in [image.clone(), image.replace(":latest", ":prepare")] {
        let history = shop.docker(&["history", "--no-trunc", &image]);
        assert!(history.contains("RUN") && !history.contains(SECRET), "{history}");
        let archive = shop.app.tmp().join("image.tar");
        shop.docker(&["save", "--output", &archive.display().to_string(), &image]);
        // What is to be found is found in the same way.
        assert!(holds(&archive, &proofs[0]) && !holds(&archive, SECRET), "{image}");
    }
    assert!(files_with(&registry.storage(), &proofs[0]) >= 2, "the layers are there");
    assert_eq!(files_with(&registry.storage(), SECRET), 0);
}

#[test]
fn a_secret_reaches_neither_layer_nor_cache_of_a_builder() {
    let registry = Registry::plain();
    let shop = with_secrets(&format!("registry: {}/team\nbuildx_builder: far\nbuild_cache: true\n", registry.host())).far();
    builds_silently(&shop, &["build", "--push", "--verbose"]);
    assert!(files_with(&registry.storage(), &sha256(SECRET)) >= 2, "the layers are there");
    assert_eq!(files_with(&registry.storage(), SECRET), 0);
}

#[test]
fn secrets_that_are_not_there() {
    let cluster = "registry: 127.0.0.1:1/team\n";
    let shop = Shop::new("  base: debian:trixie-slim\n  secrets: [HOME, NPM_TOKEN]\n  script: [\"true\"]\n", cluster).buildx();
    let ran = shop.app.run(&["build"]).exits(1).reason("secret `NPM_TOKEN`: NPM_TOKEN is not set in the environment");
    ran.says("chart/values.yaml:4:19").next("export NPM_TOKEN=").changed_nothing();
    let shop = Shop::new("  base: debian:trixie-slim\n  secrets:\n    npmrc: {file: ~/.npmrc}\n", cluster).buildx();
    let ran = shop.app.run(&["build"]).exits(1).reason("secret `npmrc`: cannot read").says(".npmrc: no such file");
    ran.says("chart/values.yaml:5:5").next("npmrc: {file: PATH}").changed_nothing();
    let shop = Shop::new("  base: debian:trixie-slim\n  secrets: {\"a b\": {env: HOME}}\n", cluster).buildx();
    shop.app.run(&["build"]).exits(1).reason("`a b` is no name for a secret").says("chart/values.yaml:4:").changed_nothing();
    shop.app.run(&["dockerfile"]).exits(1).reason("`a b` is no name for a secret").changed_nothing();
}

#[test]
fn a_dockerignore_of_ones_own_must_leave_secrets_out() {
    let build = "  base: debian:trixie-slim\n  secrets: {token: {file: conf/token}}\n  script: [sha256sum < /run/secrets/token > proof]\n";
    let shop = Shop::new(build, "registry: 127.0.0.1:1/team\n").buildx();
    let shop = shop.with(|app| app.file("conf/token", SECRET).file(".dockerignore", "*.log\n"));
    let ran = shop.app.run(&["build"]).exits(1).reason("conf/token is a build secret, and .dockerignore does not leave it out by name");
    ran.next("echo conf/token >> .dockerignore").changed_nothing();
    let shop = shop.with(|app| app.file(".dockerignore", "*.log\nconf/token\n"));
    let (image, _) = shop.build(&[]);
    let kept = shop.docker(&["run", "--rm", &image, "sh", "-c", "cat proof; ls -A conf"]);
    assert!(kept.starts_with(&sha256(SECRET)) && !kept.contains("token"), "{kept}");
}

#[test]
fn a_docker_daemon_elsewhere() {
    let registry = Registry::plain();
    let cluster = format!("registry: {}/team\nremote_docker: {}\n", registry.host(), rig("LAIN_RIG_ENGINE"));
    let shop =
        Shop::new("  base: debian:trixie-slim\n  prepare: {script: [echo slow > it], keep: [it]}\n  script: [cat it]\n", &cluster).buildx();
    let (image, digest) = shop.build(&["--push", "--remote-docker"]);
    assert!(is_digest(&digest), "{digest}");
    shop.docker(&["--host", &rig("LAIN_RIG_ENGINE"), "image", "inspect", &image]);
    shop.try_docker(&["image", "inspect", &image]).expect_err("the daemon here has no part in it");
    assert!(shop.docker(&["buildx", "imagetools", "inspect", &image]).contains(&digest));
    // Without BuildKit too.
    let shop = shop.env("DOCKER_BUILDKIT", "0");
    shop.app.run(&["build", "--remote-docker"]).exits(0).says("Step 1/");
}

#[test]
fn what_a_builder_makes_comes_to_the_daemon_without_push() {
    let registry = Registry::plain();
    let cluster = format!("registry: {}/team\n", registry.host());
    let shop = Shop::new("  base: debian:trixie-slim\n  script: [echo built > it.txt]\n", &cluster).far().env("BUILDX_BUILDER", "far");
    let (image, digest) = shop.build(&[]);
    assert_eq!(digest, "");
    assert_eq!(shop.docker(&["run", "--rm", &image, "cat", "it.txt"]), "built");
    shop.app.run(&["push"]).exits(0);
    // The daemon's own builder goes by a name as well.
    let shop = shop.env("BUILDX_BUILDER", "default");
    let (image, digest) = shop.build(&["--push"]);
    assert!(shop.docker(&["buildx", "imagetools", "inspect", &image]).contains(&digest) && is_digest(&digest), "{digest}");
}

/// What a step prints is not what a registry says.
#[test]
fn a_step_that_is_denied_something_needs_no_login() {
    let registry = Registry::plain();
    let build = "  base: debian:trixie-slim\n  script: [\"echo /etc/shadow: Permission denied; false\"]\n";
    let shop = Shop::new(build, &format!("registry: {}/team\nbuildx_builder: far\n", registry.host())).far();
    let ran = shop.app.run(&["build", "--push"]).exits(1).reason("`docker buildx build` failed").changed_nothing();
    ran.never_says("docker login").next("lain dockerfile --stage build");
}

#[test]
fn one_image_for_two_platforms() {
    let registry = Registry::plain();
    let cluster = format!("registry: {}/team\nbuildx_builder: far\n", registry.host());
    let base = format!("{}/engine-base-of-two:{}", registry.host(), registry.host().replace(':', "-"));
    let build = format!("  base: {base}\n  platforms: [linux/amd64, linux/arm64]\n");
    let shop = Shop::new(&build, &cluster).far();
    fs::write(shop.app.tmp().join("Dockerfile"), "FROM scratch\nCOPY Dockerfile /base\n").expect("a file");
    let folder = shop.app.tmp().display().to_string();
    shop.docker(&["buildx", "build", "--builder", "far", "--platform", "linux/amd64,linux/arm64", "--push", "--tag", &base, &folder]);
    fs::remove_dir_all(shop.app.tmp()).and_then(|()| fs::create_dir(shop.app.tmp())).expect("an empty folder");
    shop.docker(&["--host", &rig("LAIN_RIG_ENGINE"), "image", "rm", &base]); // the builder takes it from the registry
    let (image, digest) = shop.build(&["--push"]);
    let list = shop.manifest(&image);
    let platforms: Vec<String> = list["manifests"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|each| {
            format!("{}/{}", each["platform"]["os"].as_str().expect("text"), each["platform"]["architecture"].as_str().expect("text"))
        })
        .collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"], "{list}");
    assert!(shop.docker(&["buildx", "imagetools", "inspect", &image]).contains(&digest));
    // One of them alone.
    let (image, _) = shop.build(&["--push", "--platform", "linux/arm64"]);
    let config = shop.docker(&["buildx", "imagetools", "inspect", &image, "--format", "{{.Image.Architecture}}"]);
    assert_eq!(config, "arm64");
    // Where there is room for one.
    let ran = shop.app.run(&["build"]).exits(2).reason("a docker daemon has room for one platform");
    ran.says("linux/amd64, linux/arm64").next("lain build --push").changed_nothing();
    let plain = Shop::new(&build, &format!("registry: {}/team\n", registry.host()));
    let ran = plain.app.run(&["build", "--push"]).exits(2).reason("docker itself builds for one platform");
    ran.next("buildx_builder: NAME").changed_nothing();
}

#[test]
fn a_builder_that_is_not_there() {
    let cluster = "registry: 127.0.0.1:1/team\nbuildx_builder: nobody\n";
    let build = "  base: debian:trixie-slim\n  script: [\"true\"]\n";
    let shop = Shop::new(build, cluster).buildx();
    let ran = shop.app.run(&["build", "--push"]).exits(1).reason("there is no buildx builder nobody");
    ran.next("docker buildx create --name nobody").changed_nothing();
    let fake = "[ \"$1\" != buildx ] || { echo \"docker: 'buildx' is not a docker command.\" >&2; exit 1; }\necho 20.10.24";
    let shop = Shop::new(build, cluster).with(|app| app.fake("docker", fake));
    let ran = shop.app.run(&["build", "--push"]).exits(1).reason("builder nobody needs docker's buildx plugin, which is not installed");
    ran.next("apt-get install docker-buildx").changed_nothing();
    // It was made, and nobody listens there.
    let shop = Shop::new(build, cluster).buildx();
    shop.docker(&["buildx", "create", "--name", "nobody", "--driver", "remote", "tcp://127.0.0.1:1"]);
    shop.app
        .run(&["build", "--push"])
        .exits(1)
        .reason("buildx builder nobody does not answer")
        .next("docker buildx inspect nobody")
        .changed_nothing();
}

#[test]
fn registries_that_refuse_a_builder() {
    let (fine, locked) = (Registry::plain(), Registry::htpasswd());
    let build = "  base: debian:trixie-slim\n  script: [\"true\"]\n";
    let shop = Shop::new(build, &format!("registry: {}/team\nbuildx_builder: far\n", locked.host())).far();
    let ran = shop.app.run(&["build", "--push"]).exits(1).reason("`docker buildx build` failed").changed_nothing();
    ran.next(&format!("docker login {}", locked.host()));
    // A cache is a convenience: neither its absence nor a registry that refuses it stops a build.
    let shop =
        Shop::new(build, &format!("registry: {}/team\nbuildx_builder: far\nbuild_cache: {}/cache\n", fine.host(), locked.host())).far();
    let (image, digest) = shop.build(&["--push"]);
    assert!(shop.docker(&["buildx", "imagetools", "inspect", &image]).contains(&digest));
    let place = format!("registry: {}/team\nbuildx_builder: far\nbuild_cache: {}/cache\n", fine.host(), fine.host());
    let shop = Shop::new(build, &place).far();
    shop.build(&["--push"]);
    shop.manifest(&format!("{}/cache/{}:buildcache", fine.host(), shop.name));
}

#[test]
fn a_cache_without_a_builder_is_said() {
    let registry = Registry::plain();
    let shop = Shop::new(
        "  base: debian:trixie-slim\n  script: [\"true\"]\n",
        &format!("registry: {}/team\nbuild_cache: true\n", registry.host()),
    );
    shop.app.run(&["build"]).exits(0).says("`build_cache` is of no use without `buildx_builder`");
}

#[test]
fn lint_knows_the_keys() {
    let values = |build: &str| support::VALUES.replace("  base: alpine:3\n", &format!("  base: alpine:3\n{build}"));
    let lint = |build: &str, cluster: &str| {
        let app = App::new().values(&values(build)).chart().tools(&["helm"]).cluster("test", cluster).using("test");
        app.run(&["lint", "--simple"])
    };
    let cluster = "registry: 127.0.0.1:1/team\nbuildx_builder: far\nbuild_cache: 127.0.0.1:1/cache\n";
    lint("  secrets: [A]\n  platforms: [linux/arm64]\n", cluster).exits(0);
    lint("  secrets: {A: , B: {env: C}, d: {file: x, target: /y}}\n", &cluster.replace("127.0.0.1:1/cache", "true")).exits(0);
    lint("  secret: [A]\n", cluster).says("secrets");
    lint("  platform: [linux/arm64]\n", cluster).says("platforms");
    lint("  secrets: A\n", cluster).exits(3).says("chart/values.yaml");
    lint("  secrets: {A: {fil: x}}\n", cluster).says("file");
}

/// Runs `lain build`, ends it with a signal once the script runs, and returns its exit code and what it said.
fn interrupted(shop: &Shop, signal: &str) -> (Option<i32>, String) {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut command = shop.app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    let mut child = command.args(["build", "--push"]).stderr(log.reopen().expect("a file")).spawn().expect("it starts");
    let said = || fs::read_to_string(log.path()).expect("a log");
    let started = Instant::now();
    while !said().contains("the script runs\n") {
        assert!(started.elapsed() < Duration::from_secs(120) && child.try_wait().expect("a state").is_none(), "{}", said());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill runs").success());
    let started = Instant::now();
    while child.try_wait().expect("a state").is_none() {
        assert!(started.elapsed() < Duration::from_secs(60), "it does not end: {}", said());
        std::thread::sleep(Duration::from_millis(100));
    }
    (child.wait().expect("a state").code(), said())
}

#[test]
fn ctrl_c_ends_a_builder_and_leaves_nothing() {
    let registry = Registry::plain();
    let build = "  base: debian:trixie-slim\n  secrets: [NPM_TOKEN]\n  script: [\"echo the script runs; sleep 300\"]\n";
    let shop = Shop::new(build, &format!("registry: {}/team\nbuildx_builder: far\n", registry.host())).far().env("NPM_TOKEN", SECRET);
    let before = support::listing(&shop.app.dir());
    for signal in ["-INT", "-TERM"] {
        let (code, said) = interrupted(&shop, signal);
        assert_eq!(code, Some(130), "{said}");
        assert!(said.ends_with("error: interrupted\n"), "{said}");
        assert_eq!(support::listing(&shop.app.dir()), before);
        assert_eq!(support::listing(&shop.app.tmp()), support::Listing::new());
    }
}

#[test]
fn buildkit_that_is_asked_for_and_not_there() {
    let shop = Shop::new("  base: debian:trixie-slim\n", "registry: 127.0.0.1:1/team\n").env("DOCKER_BUILDKIT", "1");
    let words = "ERROR: BuildKit is enabled but the buildx component is missing or broken.";
    // As docker 28 says it; another docker of this machine may bring the plugin.
    let fake = format!("[ \"$1\" != build ] || {{ echo '{words}' >&2; exit 1; }}\necho 28.2.2");
    let shop = shop.with(|app| app.fake("docker", &fake));
    shop.app.run(&["build"]).exits(1).reason("`docker build` failed").says(words).next("apt-get install docker-buildx").changed_nothing();
}
