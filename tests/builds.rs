//! Images of real docker in a real registry: several from one repo, another way for a cluster, prepared ones, and what runs in them.

#[path = "support/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use registry::Registry;
use serde_json::Value as Json;
use support::App;

/// docker of the rig; what it prints, or nothing when it fails.
fn docker(args: &[&str]) -> Option<String> {
    let out = Command::new("docker").args(args).output().expect("docker runs");
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// An app that is new in every run, with a registry of its own; its images go when it is dropped.
struct Shop {
    registry: Registry,
    app: App,
    name: String,
    tag: String,
}

impl Shop {
    /// `values` are all but the name; `UNIQUE` in them is another word in every run.
    fn new(values: &str) -> Self {
        let registry = Registry::plain();
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos().to_string();
        let name = format!("builds-{unique}");
        let app = App::empty()
            .docker()
            .file("hello.txt", "hello\n")
            .values(&format!("appname: {name}\n{}", values.replace("UNIQUE", &unique)))
            .cluster("test", &format!("registry: {}/team\n", registry.host()))
            .cluster("other", &format!("registry: {}/other\n", registry.host()))
            .using("test")
            .committed();
        let tag = app.run(&["meta"]).exits(0).stdout.trim().to_owned();
        Self { registry, app, name, tag }
    }

    /// The repository on cluster `test`.
    fn repository(&self) -> String {
        format!("{}/team/{}", self.registry.host(), self.name)
    }

    fn image(&self) -> String {
        format!("{}:{}", self.repository(), self.tag)
    }

    /// The digest that the registry itself gives a tag.
    fn digest(&self, repository: &str, tag: &str) -> String {
        let path = repository.split_once('/').expect("a host").1;
        let out = Command::new("curl")
            .args(["-sfI", "-H", "Accept: application/vnd.docker.distribution.manifest.v2+json"])
            .arg(format!("http://{}/v2/{path}/manifests/{tag}", self.registry.host()))
            .output()
            .expect("curl runs");
        let text = String::from_utf8_lossy(&out.stdout).to_ascii_lowercase();
        let line = text.lines().find_map(|line| line.strip_prefix("docker-content-digest: ")).map(str::trim);
        line.unwrap_or_else(|| panic!("no digest for {repository}:{tag}: {text}")).to_owned()
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

fn variables(dotenv: &str) -> Vec<(&str, &str)> {
    dotenv.lines().map(|line| line.split_once('=').unwrap_or_else(|| panic!("no variable: {dotenv}"))).collect()
}

/// The values of docs/images.md.
fn several() -> String {
    let text = include_str!("../docs/images.md");
    let values = text.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    values.replace("echo ", "echo UNIQUE ")
}

#[test]
fn several_images_of_one_repo() {
    let shop = Shop::new(&several());
    let (app, tag, repository) = (&shop.app, &shop.tag, shop.repository());
    let images = [shop.image(), format!("{repository}-worker-v2:{tag}"), format!("{repository}-site:{tag}")];
    app.run(&["image"]).exits(0).prints(&images.join("\n"));
    let out = app.run(&["build", "--push", "-o", "dotenv"]).exits(0).stdout;
    // A report of GitLab's holds 20 variables.
    let own = [("LAIN_IMAGE", images[0].clone()), ("LAIN_IMAGE_TAG", tag.clone()), ("LAIN_IMAGE_DIGEST", shop.digest(&repository, tag))];
    let expected = own.map(|(name, value)| (name.to_owned(), value));
    let seen: Vec<(String, String)> = variables(&out).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    assert_eq!(seen, expected);
    for (proc, word) in [("web", "app"), ("worker", "worker"), ("site", "site")] {
        let ran = app.run(&["run", "--proc", proc]).exits(0);
        assert!(ran.stdout.trim().ends_with(word), "{proc}: {}", ran.stdout);
    }
    // The release has the copies alone.
    let listing = docker(&["run", "--rm", &images[2], "ls", "/lain/app"]);
    assert!(listing.is_none_or(|text| text.is_empty()), "a release has no sources");
    app.run(&["run", "--proc", "nobody"]).exits(2).reason("there is no proc `nobody`").next("lain run --proc web|worker|site");
}

#[test]
fn only_builds() {
    let shop = Shop::new("builds: {worker: {base: 'debian:trixie-slim'}}\ndeployments: {worker: {command: ['true'], build: worker}}\n");
    let image = format!("{}-worker:{}", shop.repository(), shop.tag);
    shop.app.run(&["image"]).exits(0).prints(&image);
    shop.app.run(&["build"]).exits(0).prints(&image);
    shop.app.run(&["run"]).exits(2).reason("several images").next("lain run --proc worker");
    let json: Json = serde_json::from_str(&shop.app.run(&["image", "-o", "json"]).exits(0).stdout).expect("JSON");
    assert_eq!(json, serde_json::json!({"version": 1, "build": "worker", "image": image, "tag": shop.tag, "digest": null}));
}

const STACKED: &str = "
builds:
  worker: {from: default, script: ['cat what.txt > /tmp/seen.txt', 'id -u >> /tmp/seen.txt']}
  admin: {prepare: default, script: ['cat treasure.txt > seen.txt']}
  default:
    base: debian:trixie-slim
    prepare: {script: ['echo UNIQUE > treasure.txt'], keep: [treasure.txt]}
    script: ['cat treasure.txt > what.txt']
  top: {from: worker, script: ['cat /tmp/seen.txt > /tmp/top.txt']}
deployments: {web: {command: ['true']}, worker: {command: ['true'], build: worker}}
";

/// A fork's `from` and `prepare: NAME`.
#[test]
fn builds_start_from_each_other() {
    let shop = Shop::new(STACKED);
    let (app, tag, repository) = (&shop.app, &shop.tag, shop.repository());
    let image = |name: &str| format!("{repository}{name}:{tag}");
    for (name, from) in [("worker", image("")), ("admin", format!("{repository}:prepare"))] {
        let text = app.run(&["dockerfile", "--name", name]).exits(0).stdout;
        assert!(text.starts_with(&format!("FROM {from} AS build\n")), "{text}");
    }
    // One alone brings what it is made from, in that order.
    app.run(&["build", "--name", "top"]).exits(0).prints(&[image(""), image("-worker"), image("-top")].join("\n"));
    assert!(docker(&["image", "inspect", &image("-admin")]).is_none(), "nobody asked for it");
    let unique = docker(&["run", "--rm", &image(""), "cat", "what.txt"]).expect("it runs");
    assert_eq!(docker(&["run", "--rm", &image("-top"), "cat", "/tmp/top.txt"]).expect("it runs"), format!("{unique}\n1001"));
    // All, pushed: each behind what it is made from.
    let out = app.run(&["build", "--push", "-o", "json"]).exits(0).stdout;
    let json: Json = serde_json::from_str(&out).expect("JSON");
    let seen: Vec<&str> = json["images"].as_array().expect("images").iter().map(|image| image["build"].as_str().expect("a name")).collect();
    assert_eq!(seen, ["default", "worker", "admin", "top"]);
    assert_eq!(docker(&["run", "--rm", &image("-admin"), "cat", "seen.txt"]).expect("it runs"), unique);
    assert!(docker(&["image", "inspect", &format!("{repository}-admin:prepare")]).is_none(), "it has no prepare image of its own");
    app.run(&["push", "--name", "worker"]).exits(0).prints(&image("-worker"));
    for command in ["build", "push"] {
        app.run(&[command, "--name", "wroker"])
            .exits(2)
            .reason("`builds` has no `wroker`")
            .next("--name worker # there are: worker, admin, default, top");
    }
    app.run(&["build", "--name", "worker", "--deploy"]).exits(2);
}

/// `default` is the app's own `build` where `builds` has none of that name.
#[test]
fn a_build_starts_from_the_apps_own() {
    let shop = Shop::new("build: {base: 'debian:trixie-slim', script: ['echo UNIQUE > what.txt']}\nbuilds: {worker: {from: default}}\n");
    let worker = format!("{}-worker:{}", shop.repository(), shop.tag);
    shop.app.run(&["build"]).exits(0).prints(&format!("{}\n{worker}", shop.image()));
    shop.app.run(&["build", "--name", "default"]).exits(0).prints(&shop.image());
    assert!(docker(&["run", "--rm", &worker, "cat", "what.txt"]).is_some());
}

#[test]
fn a_build_that_starts_from_nothing() {
    for (builds, place, why, next) in [
        ("a: {from: nobody}\n  b: {base: x}", "3:13", "`builds.a.from`: `nobody` is none of `builds`", "from: b"),
        ("a: {prepare: nobody}\n  b: {base: x}", "3:16", "`builds.a.prepare`: `nobody` is none of `builds`", "prepare: b"),
        ("a: {prepare: b}\n  b: {base: x}", "3:16", "`builds.a.prepare`: `b` has no `prepare` of its own", "from: b"),
        ("a: {from: b, base: y}\n  b: {base: x}", "3:", "has both `from` and `base`", "keep one"),
        ("a: {from: b, prepare: {script: [a]}}\n  b: {base: x}", "3:", "has both `from` and `prepare`", "keep one"),
        ("a: {from: b}\n  b: {from: a}", "3:", "`builds.a.from`: it would be made from itself", "base: IMAGE"),
        ("a: {from: a}", "3:", "`builds.a.from`: it would be made from itself", "base: IMAGE"),
        ("a: {script: [a]}\n  b: {base: x}", "3:", "`builds.a` has no `base`", "base: IMAGE # or from: b"),
    ] {
        let app = App::empty().docker().values(&format!("appname: shop\nbuilds:\n  {builds}\n")).chart();
        let app = app.cluster("test", "registry: 127.0.0.1:1/team\n").using("test");
        app.run(&["build"]).exits(1).reason(why).says(&format!("chart/values.yaml:{place}")).next(next);
        app.run(&["lint", "--simple"]).exits(3).says(why);
    }
    let app =
        App::empty().values("appname: shop\nbuild: {script: [a]}\n").cluster("test", "registry: 127.0.0.1:1/team\n").using("test").docker();
    app.run(&["build"]).exits(1).reason("`build.base`").says("chart/values.yaml:2:8: ");
}

#[test]
fn a_cluster_builds_another_way() {
    let shop = Shop::new("build:\n  base: debian:trixie-slim\n  script: ['echo UNIQUE first > what.txt']\n");
    fs::write(shop.app.dir().join("chart/values-other.yaml"), "build: {script: ['echo second > what.txt'], workdir: /elsewhere}\n")
        .expect("a file");
    shop.app.git(&["add", "-A"]);
    shop.app.git(&["commit", "-qm", "other"]);
    for (cluster, path, word) in [("test", "/lain/app/what.txt", "first"), ("other", "/elsewhere/what.txt", "second")] {
        let image = shop.app.run(&["build", "--cluster", cluster]).exits(0).stdout.trim().to_owned();
        let seen = docker(&["run", "--rm", &image, "cat", path]).expect("it runs");
        assert!(seen.ends_with(word), "{cluster}: {seen}");
    }
}

const PREPARED: &str = "
build:
  base: debian:trixie-slim
  prepare: {script: ['echo UNIQUE > treasure.txt'], keep: [treasure.txt]}
  script: ['cat treasure.txt > found.txt']
";

#[test]
fn the_prepare_image_is_pulled_pushed_or_built() {
    let shop = Shop::new(PREPARED);
    let (app, prepare) = (&shop.app, format!("{}:prepare", shop.repository()));
    // Nowhere: built and pushed.
    app.run(&["build"]).exits(0).says("there is no prepare image yet: building it");
    let digest = shop.digest(&shop.repository(), "prepare");
    // In the registry alone: pulled.
    docker(&["image", "rm", "--force", "--no-prune", &prepare]).expect("it was here");
    let ran = app.run(&["build"]).exits(0).says(&format!("docker pull {prepare}"));
    assert!(!ran.stderr.contains("there is no prepare image"), "{}", ran.stderr);
    // Here alone: pushed.
    let elsewhere = Registry::plain();
    let here = format!("{}/team/{}:prepare", elsewhere.host(), shop.name);
    docker(&["tag", &prepare, &here]).expect("docker tags");
    let clusters = app.home().join("elsewhere");
    fs::create_dir_all(&clusters).expect("a folder");
    fs::write(clusters.join("values-test.yaml"), format!("registry: {}/team\n", elsewhere.host())).expect("values");
    let mut command = app.command(std::path::Path::new(env!("CARGO_BIN_EXE_lain")));
    command.env("LAIN_CLUSTER_VALUES_DIR", &clusters).arg("build");
    app.run_command(command).exits(0).says("this docker daemon has: pushing it");
    docker(&["image", "rm", "--force", "--no-prune", &here]);
    docker(&["pull", "--quiet", &here]).expect("it was pushed");
    // `prepare` tells what it made, and `--skip-push` has no digest to tell.
    let out = app.run(&["prepare", "-o", "dotenv"]).exits(0).stdout;
    assert_eq!(
        variables(&out),
        [("LAIN_PREPARE_IMAGE", prepare.as_str()), ("LAIN_PREPARE_IMAGE_TAG", "prepare"), ("LAIN_PREPARE_IMAGE_DIGEST", &digest)]
    );
    let json: Json = serde_json::from_str(&app.run(&["prepare", "--skip-push", "-o", "json"]).exits(0).stdout).expect("JSON");
    assert_eq!(json["image"], prepare.as_str());
    app.run(&["run", "--prepare", "--", "ls"]).exits(0).prints("treasure.txt");
}

#[test]
fn a_prepare_image_of_other_values_is_told() {
    let shop = Shop::new(PREPARED);
    let (app, stale) = (&shop.app, "was made from another `base`, `workdir`, `prepare`, or other files of dependencies than there are now");
    let values = fs::read_to_string(app.dir().join("chart/values.yaml")).expect("values");
    let write = |text: &str| fs::write(app.dir().join("chart/values.yaml"), text).expect("values");
    app.run(&["build"]).exits(0).never_says(stale);
    // What the prepare image is not made from changes nothing.
    write(&values.replace("cat treasure.txt >", "cat  treasure.txt >"));
    app.run(&["build"]).exits(0).never_says(stale);
    write(&values.replace("keep:", "env: {A: b}, keep:"));
    app.run(&["build"]).exits(0).says(stale).says("next: lain prepare # makes it anew");
    app.run(&["prepare"]).exits(0);
    app.run(&["build"]).exits(0).never_says(stale);
    // One that an older tool made has no label, and is not judged.
    let prepare = format!("{}:prepare", shop.repository());
    app.run(&["dockerfile", "--stage", "prepare"]).exits(0);
    docker(&["tag", "debian:trixie-slim", &prepare]).expect("docker tags");
    app.run(&["build", "--no-pull"]).never_says(stale);
}

#[test]
fn results_for_machines() {
    let shop = Shop::new("build: {base: 'debian:trixie-slim', script: ['echo UNIQUE > built.txt']}\n");
    let (app, image, tag) = (&shop.app, shop.image(), &shop.tag);
    let json = |args: &[&str]| -> Json { serde_json::from_str(&app.run(args).exits(0).stdout).expect("JSON") };
    let expected = |digest: Json| serde_json::json!({"version": 1, "image": image, "tag": tag, "digest": digest});
    assert_eq!(json(&["build", "-o", "json"]), expected(Json::Null));
    assert_eq!(json(&["image", "-o", "json"]), expected(Json::Null));
    let pushed = json(&["push", "-o", "json"]);
    assert_eq!(pushed, expected(shop.digest(&shop.repository(), tag).into()));
    assert_eq!(pushed["digest"], shop.digest(&shop.repository(), "latest"));
    assert_eq!(json(&["tags", "-o", "json"])["tags"], serde_json::json!([tag, "latest"]));
    app.run(&["image", "-o", "dotenv"]).exits(0).prints(&format!("LAIN_IMAGE={image}\nLAIN_IMAGE_TAG={tag}\nLAIN_IMAGE_DIGEST="));

    // What one cluster has tried goes to another as it is.
    let other = format!("{}/other/{}", shop.registry.host(), shop.name);
    let schema: Json = serde_json::from_str(&app.run(&["schema", "image"]).exits(0).stdout).expect("a schema");
    assert!(jsonschema::draft202012::is_valid(&schema, &pushed), "{schema:#}");
    let copied = json(&["push", "--from", "test", "--cluster", "other", "-o", "json"]);
    assert_eq!((&copied["image"], &copied["digest"]), (&format!("{other}:{tag}").into(), &pushed["digest"]));
    assert_eq!(shop.digest(&other, tag), shop.digest(&shop.repository(), tag));
    app.run(&["push", "--from", "other"]).exits(0).says("copied");
    app.run(&["push", "--from", "test"]).exits(0).says("is what cluster test has too: nothing to copy");
    app.run(&["push", "--from", "nowhere"]).exits(2).reason("cluster nowhere has no values: there are other, test").next("lain use");
    std::fs::write(app.dir().join("hello.txt"), "new\n").expect("a file");
    app.git(&["commit", "-qam", "more"]);
    app.run(&["push", "--from", "test", "--cluster", "other"])
        .exits(1)
        .reason("so cluster test cannot have tried it")
        .next("lain build --push --cluster test");
}

#[test]
fn run_is_what_runs() {
    let shop = Shop::new(
        "build: {base: 'debian:trixie-slim', script: ['echo UNIQUE > built.txt && chmod -R a+rX . && rm -f /bin/bash']}\n\
         deployments:\n  web: {command: [cat, hello.txt], containerPort: 80}\n  other: {image: 'debian:trixie-slim', command: ['bash', '-c', 'exit 9']}\n",
    );
    let app = &shop.app;
    app.run(&["build"]).exits(0);
    app.run(&["run", "--", "cat", "hello.txt"]).exits(0).prints("hello").says("docker run --rm -i ");
    app.run(&["run", "--proc", "web"]).exits(0).prints("hello");
    app.run(&["run", "-u", "1001", "--", "id", "-u"]).exits(0).prints("1001");
    app.run(&["run", "--", "sh", "-c", "exit 42"]).exits(42);
    // There is no bash in this image, and nothing comes from stdin: sh ends at once.
    app.run(&["run"]).exits(0).says(&format!("docker run --rm -i {} sh", shop.image()));
    // Somebody else's image is that proc's.
    app.run(&["run", "--proc", "other"]).exits(9).says("docker run --rm -i debian:trixie-slim bash");
}

#[test]
fn other_images_come_along() {
    let (from, shop) = (Registry::plain(), Shop::new("build: {base: 'debian:trixie-slim'}\n"));
    let given = format!("{}/library/{}-redis:7", from.host(), shop.name);
    docker(&["tag", "debian:trixie-slim", &given]).expect("docker tags");
    docker(&["push", &given]).expect("docker pushes");
    docker(&["image", "rm", &given]).expect("it was here");
    let app = &shop.app;
    app.run(&["push", &given]).exits(1).reason("is not on this docker daemon").next(&format!("lain push {given} --pull"));
    let target = format!("{}/team/{}-redis", shop.registry.host(), shop.name);
    let json: Json = serde_json::from_str(&app.run(&["push", &given, "--pull", "-o", "json"]).exits(0).stdout).expect("JSON");
    let digest = shop.digest(&target, "7");
    assert_eq!(json, serde_json::json!({"version": 1, "image": format!("{target}:7"), "tag": "7", "digest": digest}));
    let elsewhere = format!("{}/mirror", shop.registry.host());
    app.run(&["push", &given, "--registry", &elsewhere]).exits(0).prints(&format!("{elsewhere}/{}-redis:7", shop.name));
}

/// Who may move `:prepare`, which everybody's builds start from: a job of the default branch, and nobody's merge request.
#[test]
fn a_merge_request_never_moves_the_prepare_image() {
    let shop = Shop::new(PREPARED);
    let (app, repository) = (&shop.app, shop.repository());
    let ci = |source: &str, branch: Option<&str>, args: &[&str]| {
        let mut command = app.command(std::path::Path::new(env!("CARGO_BIN_EXE_lain")));
        command.args(args).envs([("CI", "true"), ("CI_PIPELINE_SOURCE", source), ("CI_DEFAULT_BRANCH", "main")]);
        command.envs(branch.map(|branch| ("CI_COMMIT_BRANCH", branch)));
        app.run_command(command)
    };
    let on_main = |args: &[&str]| ci("push", Some("main"), args);
    let merge_request = |args: &[&str]| ci("merge_request_event", None, args);
    on_main(&["prepare", "--if-missing"]).exits(0);
    let first = shop.digest(&repository, "prepare");
    on_main(&["prepare", "--if-missing"])
        .exits(0)
        .says("prepare was made from what is here: nothing to prepare")
        .never_says("docker build");
    merge_request(&["prepare"]).exits(0).says("nothing to prepare");
    // A merge request brings a dependency: its builds start from an image of its own, which is made once.
    fs::write(app.dir().join("requirements.txt"), "requests\n").expect("a file");
    app.git(&["add", "--all"]);
    app.git(&["commit", "--quiet", "--message", "a dependency"]);
    let own = format!("{repository}:prepare-");
    let ran = merge_request(&["prepare", "-o", "dotenv"]).exits(0).says("a merge request leaves prepare as it is: prepare-");
    assert!(ran.stdout.contains(&format!("LAIN_PREPARE_IMAGE={own}")), "{}", ran.stdout);
    merge_request(&["prepare"]).exits(0).says("nothing to prepare").never_says("docker build");
    let ran = merge_request(&["build", "--push", "--no-latest"]).exits(0).says(&format!("docker pull {own}"));
    assert!(ran.stderr.contains("lain dockerfile --stage build --prepare-tag prepare-"), "{}", ran.stderr);
    assert_eq!(shop.digest(&repository, "prepare"), first);
    app.run(&["tags"]).exits(0).never_says("latest");
    // So do a feature branch's; the default branch's makes it anew, by itself.
    ci("push", Some("feature"), &["build"]).exits(0).says("a job of another branch than the default one leaves prepare as it is");
    assert_eq!(shop.digest(&repository, "prepare"), first);
    on_main(&["build"]).exits(0).says("it is made anew");
    assert_ne!(shop.digest(&repository, "prepare"), first);
    // What is there is not built again, in the registry or here.
    on_main(&["build", "--push", "--if-missing"]).exits(0).says("is there already: not built again").never_says("docker build");
    app.run(&["build", "--if-missing"]).exits(0).says("is there already: not built again").never_says("docker build");
    fs::write(app.dir().join("hello.txt"), "changed\n").expect("a file");
    app.run(&["build", "--if-missing"]).exits(0).says("docker build");
}

/// What GitLab hands to a job is a login, for docker as for lain; nothing of it stays, and what docker had of its own it keeps.
#[test]
fn a_job_is_logged_in_by_what_gitlab_gives_it() {
    let shop = Registry::htpasswd();
    let unique = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos();
    let app = App::empty()
        .docker()
        .values(&format!("appname: login-{unique}\nbuild: {{base: debian:trixie-slim, script: [echo {unique}]}}\n"))
        .cluster("test", &format!("registry: {}/team\n", shop.host()))
        .using("test")
        .committed();
    fs::create_dir_all(app.home().join(".docker/contexts")).expect("a folder");
    let own = r#"{"auths": {"elsewhere.example.com": {"auth": "YTpi"}}}"#;
    fs::write(app.home().join(".docker/config.json"), own).expect("a file");
    let temporary = tempfile::tempdir().expect("a folder");
    let job = |variables: &[(&str, &str)]| {
        let mut command = app.command(std::path::Path::new(env!("CARGO_BIN_EXE_lain")));
        command.args(["build", "--push"]).env("CI", "true").env("TMPDIR", temporary.path()).envs(variables.iter().copied());
        app.run_command(command)
    };
    job(&[]).exits(1);
    let host = shop.host();
    let given = format!(r#"{{"auths": {{"{host}": {{"auth": "{}"}}}}}}"#, registry::basic());
    let gitlab = [("CI_REGISTRY", host.as_str()), ("CI_REGISTRY_USER", registry::USER), ("CI_REGISTRY_PASSWORD", registry::PASSWORD)];
    for variables in [&gitlab[..], &[("DOCKER_AUTH_CONFIG", given.as_str())]] {
        let ran = job(variables).exits(0);
        assert!(ran.stdout.contains(&format!("{host}/team/login-")), "{}", ran.stdout);
        assert!(!ran.stderr.contains(registry::PASSWORD), "{}", ran.stderr);
    }
    assert_eq!(fs::read_to_string(app.home().join(".docker/config.json")).expect("a file"), own);
    assert_eq!(fs::read_dir(temporary.path()).expect("a folder").count(), 0);
}
