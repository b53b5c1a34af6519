//! What users of the older tool know their images to be, seen in images that docker really built: by running commands in them.

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

/// docker of the rig; what it prints.
#[track_caller]
fn docker(args: &[&str]) -> String {
    let out = Command::new("docker").args(args).output().expect("docker runs");
    assert!(out.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("UTF-8")
}

/// An app that is new in every run, with a registry of its own; its images go when it is dropped.
struct Shop {
    registry: Registry,
    app: App,
    name: String,
}

impl Shop {
    fn new(values: &str) -> Self {
        Self::of(App::empty(), values)
    }

    /// `app` has files and variables already.
    fn of(app: App, values: &str) -> Self {
        let registry = Registry::plain();
        let name = format!("older-{}", SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_nanos());
        let app = app
            .docker()
            .values(&format!("appname: {name}\n{values}"))
            .cluster("test", &format!("registry: {}/team\n", registry.host()))
            .using("test")
            .committed();
        Self { registry, app, name }
    }

    /// Builds what is committed; the image.
    fn build(&self) -> String {
        self.app.run(&["build"]).exits(0).stdout.trim().to_owned()
    }

    fn prepare_image(&self) -> String {
        format!("{}/team/{}:prepare", self.registry.host(), self.name)
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let list = Command::new("docker").args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]).output().expect("docker runs");
        for image in String::from_utf8_lossy(&list.stdout).lines().filter(|image| image.contains(&self.name)) {
            let _ = Command::new("docker").args(["image", "rm", "--force", "--no-prune", image]).output();
        }
    }
}

/// What a command prints in a container of the image.
#[track_caller]
fn inside(image: &str, command: &[&str]) -> String {
    docker(&[&["run", "--rm", "--network", "none", image], command].concat()).trim_end_matches('\n').to_owned()
}

/// The seed's dummy in short: prepare keeps the treasure, build adds to it.
#[test]
fn treasure_survives_prepare_and_build_extends_it() {
    let shop = Shop::of(
        App::empty().file("run.py", "print(1)\n"),
        "build:\n  base: debian:trixie-slim\n  prepare:\n    env: {PREPARE_BAR: '1'}\n    script:\n      - echo \"treasure $PREPARE_BAR\" > treasure.txt\n      \
         - mkdir -p node_modules/deep other && echo dep > node_modules/deep/index.js && echo x > other/file && echo y > 'with space' && echo z > -dash\n    \
         keep: [treasure.txt, node_modules/deep, node_modules/deep/index.js, yarn.lock, cache/not/there]\n  script:\n    - cp treasure.txt seen.txt\n    - echo 'more' >> treasure.txt\n",
    );
    let image = shop.build();
    // The prepare image has what is kept, and nothing else: not even the sources.
    assert_eq!(inside(&shop.prepare_image(), &["sh", "-c", "find . -type f | sort"]), "./node_modules/deep/index.js\n./treasure.txt");
    assert_eq!(inside(&shop.prepare_image(), &["cat", "treasure.txt"]), "treasure 1");
    assert_eq!(inside(&image, &["cat", "treasure.txt"]), "treasure 1\nmore");
    assert_eq!(inside(&image, &["cat", "seen.txt", "node_modules/deep/index.js", "run.py"]), "treasure 1\ndep\nprint(1)");
    // The next commit starts from the prepare image again, not from the last build.
    fs::write(shop.app.dir().join("run.py"), "print(2)\n").expect("a file");
    shop.app.git(&["commit", "-qam", "two"]);
    let next = shop.build();
    assert_ne!(next, image);
    assert_eq!(inside(&next, &["cat", "treasure.txt", "run.py"]), "treasure 1\nmore\nprint(2)");
}

#[test]
fn prepare_that_keeps_nothing_empties_the_folder() {
    let shop = Shop::of(
        App::empty().file("hello.txt", "hello\n"),
        "build:\n  base: debian:trixie-slim\n  prepare:\n    script: [\"echo a > .hidden && echo b > 'two words' && echo c > -n && touch /elsewhere\"]\n  script: [ls]\n",
    );
    shop.build();
    assert_eq!(inside(&shop.prepare_image(), &["ls", "-A"]), "");
    assert_eq!(inside(&shop.prepare_image(), &["ls", "/elsewhere"]), "/elsewhere");
}

/// Each value reaches scripts and processes byte for byte.
#[test]
fn env_survives_whatever_is_in_it() {
    let values = [
        ("SPACES", "  two  words "),
        ("QUOTES", r#"it's "quoted" `so`"#),
        ("DOLLARS", "$ $$ $(id) $1 $"),
        ("BRACES", "{} { } ${} $ {HOME}"),
        ("BACKSLASH", r"a\b\\c\n"),
        ("HASH", "# no comment"),
        ("EQUALS", "a=b c=d"),
        ("CHINESE", "中文 和 emoji 😀"),
        ("LINES", "one\ntwo\n\n  three"),
        ("TAB", "a\tb"),
        ("JSON", r#"{"a": ["b", "$1"], "d": "e\"f"}"#),
        ("EMPTY", ""),
    ];
    // docker fills references, from what the image has by then; `\$` is none.
    let filled = [
        (
            "PATH",
            "/lain/app/node_modules/.bin:$PATH",
            "/lain/app/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("BARE", "<$EQUALS>", "<a=b c=d>"),
        ("OTHERWISE", r#"${NOBODY_SETS:-it's "x" ${EQUALS} \ }y"#, r#"it's "x" a=b c=d \ y"#),
        ("WHEN_SET", "${EQUALS:+set}${NOBODY_SETS:+not}", "set"),
        ("ESCAPED", r"\$EQUALS \${EQUALS}", "$EQUALS ${EQUALS}"),
    ];
    let written = values.iter().copied().chain(filled.iter().map(|(name, written, _)| (*name, *written)));
    let lines: Vec<String> = written.map(|(name, value)| format!("    {name}: {}\n", serde_json::json!(value))).collect();
    let env = lines.concat();
    let shop = Shop::new(&format!(
        "build:\n  base: debian:trixie-slim\n  env:\n{env}  script: ['env -0 > env.txt && chmod a+r env.txt']\nrelease:\n  env:\n{env}  copy: [env.txt]\n  script: ['env -0 > again.txt && chmod a+r again.txt']\n"
    ));
    let image = shop.build();
    for command in [["cat", "env.txt"], ["cat", "again.txt"], ["env", "-0"]] {
        let seen = inside(&image, &command);
        let seen: Vec<(&str, &str)> = seen.split('\0').filter_map(|line| line.split_once('=')).collect();
        for (name, value) in values.into_iter().chain(filled.iter().map(|(name, _, filled)| (*name, *filled))) {
            let found = seen.iter().find(|(known, _)| *known == name).map(|(_, found)| *found);
            assert_eq!(found, Some(value), "{name} in {command:?}");
        }
    }
}

#[test]
fn args_come_from_the_environment_and_stay_off_the_command_line() {
    let shop = Shop::of(
        App::empty().env("HOST", "from $the \"environment\"").env("SAME", "same"),
        "build:\n  base: debian:trixie-slim\n  env: {URL: 'https://${HOST}:${PORT}/${HOST}', PORT: '8443', SAME: '${SAME}'}\n  script: ['echo \"$URL $SAME\" > url.txt']\n",
    );
    let image = shop.build();
    assert_eq!(inside(&image, &["cat", "url.txt"]), "https://from $the \"environment\":8443/from $the \"environment\" same");
    let ran = shop.app.run(&["build"]).exits(0).says("--build-arg HOST").never_says("from $the").never_says("--build-arg PORT");
    assert!(!ran.stderr.contains("HOST="), "{}", ran.stderr);
}

#[test]
fn lain_meta_is_in_the_image_and_the_user_is_1001() {
    let shop = Shop::of(
        App::empty().file("run.py", "print(1)\n"),
        "build:\n  base: debian:trixie-slim\n  script: ['id -u > builder.txt']\nrelease:\n  copy: [builder.txt]\nbuilds:\n  plain: {base: 'debian:trixie-slim'}\n",
    );
    let images = shop.build();
    let tag = shop.app.run(&["meta"]).exits(0).stdout.trim().to_owned();
    assert_eq!(images.lines().count(), 2, "{images}");
    for image in images.lines() {
        assert_eq!(inside(image, &["printenv", "LAIN_META"]), tag);
        assert_eq!(inside(image, &["id", "-u"]), "1001");
        assert_eq!(docker(&["image", "inspect", "--format", "{{.Config.User}} {{.Config.WorkingDir}}", image]).trim(), "1001 /lain/app");
    }
    // Scripts are root's: they may install packages.
    assert_eq!(inside(images.lines().next().expect("an image"), &["cat", "builder.txt"]), "0");
}

#[test]
fn copies_belong_to_1001() {
    let shop = Shop::of(
        App::empty().file("run.py", "print(1)\n").file("src/lib.py", "x = 1\n"),
        "build:\n  base: debian:trixie-slim\n  workdir: /srv/code\n  script: ['mkdir -p out/deep && echo made > out/deep/made.txt']\nrelease:\n  workdir: /srv/run\n  \
         copy: [out, {src: run.py, dest: /opt/run.py}, {src: /etc/hostname, dest: host}]\n  script: ['echo late > late.txt']\n",
    );
    let owners = |image: &str, paths: &[&str]| inside(image, &[&["stat", "--format", "%u:%g %n"], paths].concat());
    let release = shop.build();
    assert_eq!(
        owners(&release, &["out", "out/deep/made.txt", "/opt/run.py", "host"]),
        "1001:1001 out\n1001:1001 out/deep/made.txt\n1001:1001 /opt/run.py\n1001:1001 host"
    );
    // It has the copies and what its own script made, no sources.
    assert_eq!(inside(&release, &["sh", "-c", "find /srv -type f | sort"]), "/srv/run/host\n/srv/run/late.txt\n/srv/run/out/deep/made.txt");
    let values = fs::read_to_string(shop.app.dir().join("chart/values.yaml")).expect("values");
    fs::write(shop.app.dir().join("chart/values.yaml"), values.split("release:").next().expect("the build")).expect("values");
    shop.app.git(&["commit", "-qam", "no release"]);
    let build = shop.build();
    assert_eq!(owners(&build, &["run.py", "src", "src/lib.py"]), "1001:1001 run.py\n1001:1001 src\n1001:1001 src/lib.py");
    assert_eq!(inside(&build, &["pwd"]), "/srv/code");
}

/// A relative source counts from `/` where the chart is the older tool's, as docker has it; with a chart of ours from the build's working directory.
#[test]
fn a_relative_copy_counts_as_its_chart_has_it() {
    let values = "build:\n  base: debian:trixie-slim\n  script: ['mkdir /out && echo root > /out/it.txt && mkdir out && echo workdir > out/it.txt']\n\
                  release:\n  dest_base: debian:trixie-slim\n  copy: [{src: out/it.txt, dest: /it.txt}]\n";
    for (version, word) in [("0.1.11", "root"), ("5.0.0", "workdir")] {
        let chart = format!("apiVersion: v2\nname: shop\nversion: {version}\n");
        let shop = Shop::of(App::empty().file("chart/Chart.yaml", &chart), values);
        assert_eq!(inside(&shop.build(), &["cat", "/it.txt"]), word, "{version}");
    }
}

/// What no Dockerfile can have is refused where it is written.
#[test]
fn refusals_name_their_place() {
    for (values, place, why) in [
        ("build:\n  base: a\n  workdir: code\n", "4:12", "`workdir`: `code` must be an absolute path without spaces"),
        ("build: {base: a}\nrelease:\n  workdir: 'a b'\n", "4:12", "`workdir`: `a b` must be"),
        ("build:\n  base: 'a b'\n", "3:9", "`build.base`: `a b` is no image"),
        ("build: {base: a}\nrelease: {dest_base: '-x'}\n", "3:22", "`release.dest_base`: `-x` is no image"),
        ("builds:\n  x:\n    base: a\n    workdir: code\n", "5:14", "`workdir`: `code` must be"),
        ("builds:\n  x: {base: a, release: {workdir: b}}\n", "3:35", "`workdir`: `b` must be"),
    ] {
        let app = App::empty().docker().values(&format!("appname: shop\n{values}"));
        let app = app.cluster("test", "registry: 127.0.0.1:1/team\n").using("test");
        app.run(&["build"]).exits(1).reason(why).says(&format!("chart/values.yaml:{place}: "));
    }
}
