//! What a person gets wrong, and what a machine lacks: each ends with one reason, a way on, and a folder as it was.

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{App, VALUES, listing};

const REGISTRY: &str = "registry: 127.0.0.1:1/team\ndomain: example.com\n";

// ---- values ----

#[test]
fn broken_yaml() {
    let ran = App::new().values("appname: shop\nenv:\n  A: \"1\n  B: 2\n").run(&["values"]);
    ran.exits(1).reason("chart/values.yaml:").says("not valid YAML").next("").changed_nothing();
    let ran = App::new().values("appname: shop\nenv:\n\tA: 1\n").run(&["values"]);
    ran.exits(1).reason("chart/values.yaml:3:2: ").next("").changed_nothing();
}

/// A bracket or quote that is missing is noticed below; the reader needs the place where it was opened too.
#[test]
fn what_was_never_closed() {
    let ran = App::new().values("appname: shop\ndeployments:\n  web:\n    command: [a, \"b\"\n    replicaCount: 1\n").run(&["values"]);
    ran.exits(1)
        .reason("chart/values.yaml:4:14: not valid YAML: the `[` that opens here is not closed; noticed on line 5, column 5")
        .says(" 4 |     command: [a, \"b\"\n   |              ^\n")
        .next("write the `]` where the list ends")
        .changed_nothing();
    let ran = App::new().values("appname: shop\nenv:\n  A: \"1\n  B: 2\n").run(&["values"]);
    ran.exits(1)
        .reason("chart/values.yaml:3:6: ")
        .says("the double quote that opens here is not closed; noticed on line 4\n")
        .next("write the closing quote");
}

/// The caret stands under the place, however wide what is before it.
#[test]
fn wide_characters_before_the_place() {
    let app = App::new().values("appname: shop\nenv: {名称: 两个, 部署: 🚀, A: @x}\n");
    app.run(&["values"]).exits(1).says(" 2 | env: {名称: 两个, 部署: 🚀, A: @x}\n   |                                ^\n");
    let long = format!("appname: shop\nenv: {{A: {}, B: @x, C: {}}}\n", "长".repeat(200), "y".repeat(200));
    let ran = App::new().values(&long).run(&["values"]);
    ran.exits(1).reason("chart/values.yaml:2:215: ").says(" 2 | …长").says("长, B: @x, C: yyy").says("y…\n");
}

/// A shape that a result does not have is not passed over in silence, and nothing is done before.
#[test]
fn a_shape_that_a_result_does_not_have() {
    let app = App::new().cluster("test", REGISTRY).committed();
    for (args, other, has) in [
        (&["tags"][..], "yaml", "text, json"),
        (&["build"], "yaml", "text, json, dotenv"),
        (&["meta"], "dotenv", "text, json"),
        (&["compose"], "json", "text"),
        (&["--use", "test", "restart"], "json", "text"),
        (&["deploy"], "yaml", "text, json, dotenv"),
        (&["deploy", "--dry-run"], "json", "text, plan"),
        (&["diff"], "dotenv", "text, json, markdown, html, terraform"),
        (&["history"], "yaml", "text, json"),
        (&["values"], "dotenv", "text, json, yaml"),
        (&["values", "--explain", "appname"], "yaml", "text, json"),
        (&["lint"], "dotenv", "text, json"),
        (&["use"], "yaml", "text, json"),
        (&["use", "test"], "json", "text"),
        (&["secret", "backups"], "yaml", "text, json"),
        (&["env", "show"], "json", "text, yaml"),
        (&["secret", "edit"], "yaml", "text"),
        (&["completions", "bash"], "yaml", "text"),
    ] {
        let ran = app.run(&[args, &["-o", other]].concat());
        let words: Vec<&str> = args
            .iter()
            .copied()
            .filter(|word| word.chars().all(|c| c.is_ascii_lowercase()))
            .filter(|word| !matches!(*word, "test" | "bash" | "appname"))
            .collect();
        let command = format!("lain {}", words.join(" "));
        ran.exits(2)
            .reason(&format!("the result of `{command}` does not come as {other}; it comes as: {has}"))
            .next(&command)
            .changed_nothing();
        assert!(!app.home().join(".kube/config").exists(), "{args:?}");
    }
    // What a program of one's own prints is its own.
    app.run(&["-o", "json", "foo"]).exits(2).reason("the result of `lain foo` does not come as json; it comes as: text");
}

#[test]
fn a_missing_key() {
    let app = App::new().values(&VALUES.replace("appname: shop\n", ""));
    app.run(&["compose"]).exits(1).reason("chart/values.yaml:1:1: missing key `appname`").next("appname: ...").changed_nothing();
    app.run(&["lint"]).exits(3).says("error: chart/values.yaml:1:1: there is no `appname` [L007]\n").next("lain:ignore").changed_nothing();
}

#[test]
fn a_value_of_the_wrong_type() {
    let values = VALUES.replace("replicaCount: 1", "replicaCount: two");
    let app = App::new().values(&values);
    app.run(&["compose"])
        .exits(1)
        .reason("chart/values.yaml:4:19: `deployments.web.replicaCount`: expected a whole number, found text \"two\"")
        .says(" 4 |     replicaCount: two\n   |                   ^^^\n")
        .next("lain values --explain deployments.web.replicaCount")
        .changed_nothing();
    // lint knows what to write instead, and goes on to the next problem.
    let ran = App::new().values(&values.replace("memory: 32Mi", "memory: 32MB")).run(&["lint"]);
    ran.exits(3)
        .says("error: chart/values.yaml:4:19: `deployments.web.replicaCount`: expected a whole number, found text \"two\" [L006]\n")
        .says("next: replicaCount: 1\n")
        .says("error: chart/values.yaml:8:36: ")
        .says("[L023]\n")
        .says("error: lint found 2 errors\n")
        .changed_nothing();
}

/// A key that nobody reads is a slip beside the right one too.
#[test]
fn a_misspelt_key() {
    let app =
        App::new().values(&VALUES.replace("replicaCount: 1\n", "replicaCount: 1\n    replicacount: 3\n    comand: [x]\n    中文: 1\n"));
    let ran = app.run(&["lint"]).exits(3);
    let ran =
        ran.says("error: chart/values.yaml:5:5: unknown key `replicacount`: `replicaCount` on line 4 is the one that is read [L004]\n");
    let ran = ran
        .says(" 5 |     replicacount: 3\n   |     ^^^^^^^^^^^^\n")
        .next("remove `replicacount`, or keep its value as that of `replicaCount`");
    ran.says("error: chart/values.yaml:6:5: unknown key `comand`: ").says("error: lint found 2 errors\n").changed_nothing();
}

#[test]
fn a_key_given_twice() {
    let ran = App::new().values(&format!("{VALUES}env: {{A: 1}}\nenv: {{B: 2}}\n")).run(&["values"]);
    ran.exits(1).reason("chart/values.yaml:13:1: ").says("`env`").next("").changed_nothing();
}

#[test]
fn values_that_a_check_refuses() {
    let app = App::new().values(&VALUES.replace("    replicaCount: 1\n", "")).cluster("test", REGISTRY).using("test").committed();
    for args in [&["lint"][..], &["deploy"]] {
        app.run(args)
            .exits(3)
            .says("error: chart/values.yaml:3:3: `deployments.web` has no `replicaCount` [L011]\n")
            .says("next: replicaCount: 1\n")
            .says("error: lint found one error\n")
            .next("lain:ignore")
            .changed_nothing();
    }
}

#[test]
fn values_that_are_no_text() {
    let app = App::new();
    let ran = app.run(&["values", "-f", "chart"]);
    ran.exits(1).reason("cannot read chart: is a directory").changed_nothing();
    fs::write(app.dir().join("chart/values.yaml"), b"appname: shop\nenv: {A: \xff\xfe}\n").expect("values");
    app.run(&["values"]).exits(1).reason("chart/values.yaml:2: not UTF-8 text").next("iconv").changed_nothing();
}

#[test]
fn no_values_file() {
    for args in [&["values"][..], &["lint"], &["dockerfile"], &["compose"], &["build"], &["tags"], &["template"]] {
        App::empty().run(args).exits(1).reason("no chart/values.yaml in ").next("lain init").changed_nothing();
    }
}

#[test]
fn extra_values_that_are_not_there() {
    let ran = App::new().run(&["values", "-f", "more.yaml"]);
    ran.exits(1).reason("cannot read more.yaml: no such file or directory").next("").changed_nothing();
}

// ---- clusters ----

#[test]
fn an_unknown_cluster_names_the_nearest() {
    let app = App::new().cluster("test", REGISTRY).cluster("production", REGISTRY);
    let before = listing(&app.home());
    let ran = app.run(&["use", "tset"]);
    ran.exits(2).reason("unknown cluster tset (known: production, test)").next("lain use test").changed_nothing();
    app.run(&["deploy", "--cluster", "prodution"]).exits(2).reason("unknown cluster prodution").next("production").changed_nothing();
    app.run(&["--use", "nothing-like-it", "values"]).exits(2).reason("unknown cluster").next("").changed_nothing();
    assert_eq!(listing(&app.home()), before);
}

#[test]
fn a_cluster_without_a_kubeconfig() {
    let app = App::new().cluster_without_kubeconfig("test", REGISTRY);
    let before = listing(&app.home());
    for args in [&["use", "test"][..], &["status", "--cluster", "test"], &["deploy", "--cluster", "test"]] {
        app.run(args).exits(1).reason("cluster test has no kubeconfig: ").next("install -m 600 -D ").changed_nothing();
    }
    assert_eq!(listing(&app.home()), before);
}

#[test]
fn no_cluster_is_chosen() {
    let app = App::new().cluster("test", REGISTRY).cluster("production", REGISTRY);
    for args in [&["deploy"][..], &["status"], &["env", "show"], &["logs", "web"], &["restart"], &["rollback"], &["delete"]] {
        app.run(args).exits(2).reason("no cluster is chosen (known: production, test)").next("lain use CLUSTER").changed_nothing();
    }
    for args in [&["image"][..], &["tags"]] {
        app.run(args).exits(2).reason("no cluster is chosen, so the registry is not known").next("lain use CLUSTER").changed_nothing();
    }
}

#[test]
fn a_cluster_that_names_no_registry() {
    let ran = App::new().cluster("test", "domain: example.com\n").run(&["image", "--cluster", "test"]);
    ran.exits(1).reason("the values of cluster test name no registry").next("registry: HOST/PATH # in ").says("values-test.yaml");
}

/// helm reads text as the number 0, and so would scale the process away.
#[test]
fn a_count_that_is_no_number() {
    let app = App::new().chart().cluster("test", REGISTRY).using("test").tools(&["helm", "kubectl"]).committed();
    for args in [&["redeploy"][..], &["deploy", "--ignore-lint"]] {
        let args = [args, &["--set", "deployments.web.replicaCount=two"]].concat();
        app.run(&args).exits(1).reason("`deployments.web.replicaCount`: expected a whole number, found text \"two\"").changed_nothing();
    }
}

#[test]
fn an_api_server_that_does_not_answer() {
    let app = App::new().chart().cluster("test", REGISTRY).using("test").tools(&["helm", "kubectl"]).committed();
    for args in [&["deploy"][..], &["env", "show"], &["restart", "web"], &["status", "-s"], &["rollback"]] {
        app.run(args)
            .exits(1)
            .reason("the Kubernetes API server cannot be reached")
            .says("127.0.0.1:1")
            .next("lain use")
            .within(60)
            .changed_nothing();
    }
}

#[test]
fn a_kubeconfig_without_credentials() {
    let app = App::new().cluster("test", REGISTRY).using("test").tools(&["kubectl"]);
    let kubeconfig = app.home().join(".kube/kubeconfig-test");
    let text = fs::read_to_string(&kubeconfig).expect("a kubeconfig").replace("token: none", "");
    fs::write(&kubeconfig, text).expect("a kubeconfig");
    let ran = app.run(&["env", "show"]);
    ran.exits(1).reason("the kubeconfig holds no credentials").next("ask your administrator").changed_nothing();
}

#[test]
fn a_kubeconfig_whose_login_program_is_missing() {
    let app = App::new().chart().cluster("test", REGISTRY).using("test").tools(&["helm", "kubectl"]).committed();
    let kubeconfig = app.home().join(".kube/kubeconfig-test");
    let login = "exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-login, interactiveMode: Never}";
    let text = fs::read_to_string(&kubeconfig).expect("a kubeconfig").replace("token: none", login);
    fs::write(&kubeconfig, text).expect("a kubeconfig");
    // "executable no-such-login not found" is not "release: not found".
    for args in [&["env", "show"][..], &["rollback"], &["deploy"], &["delete"]] {
        let ran = app.run(args).exits(1).reason("the login program that the kubeconfig names does not work");
        ran.says("no-such-login").next("kubectl config view").changed_nothing();
    }
}

#[test]
fn a_kubeconfig_of_the_users_own_is_kept() {
    let app = App::new().cluster("test", REGISTRY).home_file(".kube/config", "mine\n");
    let kube = app.home().join(".kube");
    app.run(&["use", "test"]).exits(0).says("config was a file of yours; it is now ").says("config.before-lain").changed_nothing();
    assert_eq!(fs::read_to_string(kube.join("config.before-lain")).expect("kept"), "mine\n");
    assert_eq!(fs::read_link(kube.join("config")).expect("a link"), kube.join("kubeconfig-test"));

    // A second one does not replace the first.
    fs::remove_file(kube.join("config")).expect("the link");
    fs::write(kube.join("config"), "mine too\n").expect("a file");
    app.run(&["use", "test"]).exits(0).says("config.before-lain.1");
    assert_eq!(fs::read_to_string(kube.join("config.before-lain")).expect("kept"), "mine\n");
    assert_eq!(fs::read_to_string(kube.join("config.before-lain.1")).expect("kept"), "mine too\n");
}

#[test]
fn a_refused_use_moves_no_kubeconfig() {
    let app = App::new().cluster_without_kubeconfig("test", REGISTRY).home_file(".kube/config", "mine\n");
    let before = listing(&app.home());
    app.run(&["use", "test"]).exits(1).reason("has no kubeconfig");
    assert_eq!(listing(&app.home()), before);
}

// ---- tools ----

#[test]
fn docker_is_not_installed() {
    let app = App::new().cluster("test", REGISTRY).using("test").committed();
    for args in [&["build"][..], &["push"], &["run"]] {
        app.run(args)
            .exits(1)
            .reason("docker is not installed (not found on PATH)")
            .next("install docker: https://docs.docker.com")
            .changed_nothing();
    }
}

#[test]
fn no_docker_daemon_answers() {
    let values = VALUES.replace("  base:", "  prepare: {script: [\"true\"]}\n  base:");
    let app = App::new().values(&values).cluster("test", REGISTRY).using("test").committed();
    let app = app.tools(&["docker"]).env("DOCKER_HOST", "unix:///nonexistent");
    for args in [&["build"][..], &["prepare"], &["push"], &["run"]] {
        app.run(args)
            .exits(1)
            .reason("no docker daemon answers")
            .says("unix:///nonexistent")
            .next("systemctl start docker # or set DOCKER_HOST")
            .within(30)
            .changed_nothing();
    }
}

#[test]
fn helm_is_not_installed() {
    let app = App::new().chart().cluster("test", REGISTRY).using("test").committed();
    for args in [&["lint"][..], &["template"], &["deploy"]] {
        app.run(args)
            .exits(1)
            .reason("helm is not installed (not found on PATH)")
            .next("install helm 3.8 or newer: https://")
            .changed_nothing();
    }
}

#[test]
fn helm_is_too_old() {
    let app = App::new().chart().cluster("test", REGISTRY).using("test").committed();
    let app = app.fake("helm", "case $1 in version) echo v3.7.2;; *) echo 'Error: function \"x\" not defined' >&2; exit 1;; esac");
    for args in [&["lint"][..], &["template"], &["deploy"]] {
        app.run(args)
            .exits(1)
            .reason("helm 3.7.2 is too old; lain needs 3.8.0 or newer")
            .next("install helm 3.8 or newer")
            .changed_nothing();
    }
}

#[test]
fn helm_is_another_than_the_cluster_asks_for() {
    let app = |said: &str| {
        let app = App::new().chart().cluster("test", &format!("{REGISTRY}helm_version: {said}\n")).using("test").committed();
        app.tool("helm", "helm-4.3.1").tools(&["kubectl"])
    };
    for args in [&["lint"][..], &["template"], &["deploy"]] {
        let ran = app("3").run(args).exits(1).changed_nothing();
        ran.reason("the values say `helm_version: 3`, and `helm` is 4.3.1").next("install helm 3 as `helm3`");
    }
    let both = app("3").tool_as("helm3", "helm", "helm-3.17.3");
    both.run(&["template"]).exits(0).says("helm3 template shop chart");
    let versions = both.run(&["version"]);
    assert!(versions.stdout.contains("3.17.3") && !versions.stdout.contains("4.3.1"), "{}", versions.stdout);
    app("4").tool_as("helm3", "helm", "helm-3.17.3").run(&["template"]).exits(0).says("helm template shop chart");
    // An app may have another than its cluster.
    let own = app("4").tool_as("helm3", "helm", "helm-3.17.3").file("chart/values-test.yaml", "helm_version: 3\n");
    own.run(&["template"]).exits(0).says("helm3 template shop chart");
    app("5").run(&["lint"]).exits(3).says("L006").says("helm_version 5 is outside 3-4").says("helm_version: 3");
}

#[test]
fn helm_is_broken() {
    let app = App::new().chart().fake("helm", "echo 'cannot load libfoo.so' >&2; exit 127");
    app.run(&["lint"]).exits(1).reason("cannot tell helm's version").says("cannot load libfoo.so").next("helm version").changed_nothing();
}

#[test]
fn kubectl_is_not_installed() {
    let app = App::new().cluster("test", REGISTRY).using("test");
    app.run(&["env", "show"]).exits(1).reason("kubectl is not installed (not found on PATH)").next("install kubectl").changed_nothing();
}

#[test]
fn git_is_not_installed() {
    let app = App::new().cluster("test", REGISTRY).using("test").without("git");
    for args in [&["meta"][..], &["image"], &["deploy"]] {
        app.run(args).exits(1).reason("git is not installed (not found on PATH)").next("apt-get install git").changed_nothing();
    }
}

#[test]
fn outside_git_the_tag_is_latest() {
    let app = App::new().cluster("test", REGISTRY).using("test");
    app.run(&["meta"]).exits(0).prints("latest").changed_nothing();
    app.run(&["image"]).exits(0).prints("127.0.0.1:1/team/shop:latest").changed_nothing();
    app.git(&["init", "-q"]); // no commit yet
    app.run(&["meta"]).exits(0).prints("latest").changed_nothing();
}

#[test]
fn a_registry_that_does_not_answer() {
    let app = App::new().cluster("test", REGISTRY).using("test");
    app.run(&["tags"]).exits(1).reason("127.0.0.1:1").says("refused").next("curl -v http://127.0.0.1:1/v2/").within(30).changed_nothing();
}

// ---- files of the user's own ----

#[test]
fn init_leaves_an_existing_chart_alone() {
    let app = App::new().file("chart/templates/mine.yaml", "mine\n");
    let ran = app.run(&["init"]);
    ran.exits(1).reason("chart/values.yaml is there already; nothing was changed").next("lain init --template-only").changed_nothing();
}

#[test]
fn init_refuses_an_impossible_name() {
    App::empty().run(&["init", "--appname", "My_Shop"]).exits(2).reason("`My_Shop`").next("lain init --appname my-shop").changed_nothing();
}

/// A file system of its own in a folder, until it is dropped: even root cannot write where it is read-only or full.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn new(folder: &'a Path, options: &str) -> Self {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(folder).status();
        assert!(done.is_ok_and(|status| status.success()), "this test mounts a file system: run it as root");
        Self(folder)
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn init_in_a_folder_that_cannot_be_written() {
    let app = App::empty();
    let folder = app.dir();
    let _mount = Mount::new(&folder, "ro");
    let ran = app.run(&["init"]);
    ran.exits(1).reason("cannot write ").says("read-only file system").next("").changed_nothing();
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let app = App::empty().cluster("test", REGISTRY).using("test");
    let folder = app.dir();
    let _mount = Mount::new(&folder, "size=12k");
    app.run(&["init"]).exits(1).reason("cannot write ").says("no space left on device").next("df -h").changed_nothing();

    let app = app.values(VALUES).file("docker-compose.yaml", "mine: true\n").file("filler", &"x".repeat(4000));
    app.run(&["compose", "--force"]).exits(1).reason("cannot write ").says("no space left on device").next("df -h").changed_nothing();
}

#[test]
fn init_without_helm_writes_a_whole_chart() {
    let app = App::empty();
    app.run(&["init"]).exits(1).says("wrote chart/ for shop").reason("helm is not installed").next("install helm");
    let written = listing(&app.dir());
    assert!(written.contains_key("chart/values.yaml") && written.contains_key("chart/Chart.yaml"), "{:?}", written.keys());
    assert!(written.keys().all(|name| name == "chart" || name.starts_with("chart/")), "{:?}", written.keys());
    app.tools(&["helm"]).run(&["lint"]).exits(0).changed_nothing();
}

#[test]
fn init_where_chart_is_a_file() {
    let ran = App::empty().file("chart", "a drawing\n").run(&["init"]);
    ran.exits(1).reason("chart is a file").next("").changed_nothing();
}

#[test]
fn compose_leaves_an_existing_file_alone() {
    let app = App::new().cluster("test", REGISTRY).using("test").file("docker-compose.yaml", "mine: true\n");
    app.run(&["compose"]).exits(1).reason("docker-compose.yaml is there already").next("lain compose --force").changed_nothing();
}

#[test]
fn a_failing_build_leaves_the_users_files_alone() {
    let app = App::new()
        .values(&VALUES.replace("script: [\"true\"]", "script: [exit 7]").replace("alpine:3", "scratch"))
        .file("Dockerfile", "FROM scratch\n# mine\n")
        .file(".dockerignore", "# mine\n")
        .file(".gitignore", "target\n")
        .cluster("test", REGISTRY)
        .using("test")
        .docker()
        .committed();
    app.run(&["build"]).exits(1).reason("`docker build` failed with exit code ").changed_nothing();
    app.run(&["build", "--keep-dockerfile"]).exits(1).reason("`docker build` failed").says("a Dockerfile of your own").changed_nothing();
    // One that lain derives goes away again.
    fs::remove_file(app.dir().join(".dockerignore")).expect("a file");
    app.run(&["build"]).exits(1).reason("`docker build` failed").changed_nothing();
}

// ---- the command line ----

#[test]
fn an_unknown_command_names_the_nearest() {
    App::new().run(&["deplyo"]).exits(2).reason("no command `deplyo`").next("lain deploy").changed_nothing();
    App::new().run(&["zzzzzzzz"]).exits(2).reason("no command `zzzzzzzz`").next("lain --help").changed_nothing();
}

#[test]
fn an_unknown_flag() {
    App::new().run(&["deploy", "--no-such-flag"]).exits(2).says("--no-such-flag").changed_nothing();
}

// ---- secrets ----

#[test]
fn a_secret_is_never_repeated() {
    const SECRET: &str = "correct-horse-battery";
    const ENCODED: &str = "Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5";
    let app = App::new().cluster("test", REGISTRY).using("test").tools(&["kubectl"]);
    let pair = format!("PASSWORD={SECRET}");
    app.run(&["-v", "env", "add", &pair]).exits(1).reason("cannot be reached").never_says(SECRET).changed_nothing();
    // A kubectl that repeats what it reads, on both streams: what it says of a Secret is masked.
    let list = r#"{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{"name":"shop-env","namespace":"default"},"data":{}}"#;
    let app = app.fake("kubectl", &format!("case \"$*\" in *get*) echo '{list}';; *) /bin/cat >&2; echo '{SECRET}' >&2; exit 1;; esac"));
    let ran = app.run(&["-v", "env", "add", &pair]);
    ran.exits(1).reason("`kubectl replace` failed").says("***").never_says(SECRET).never_says(ENCODED).changed_nothing();
}

#[test]
fn an_added_secret_is_named_not_shown() {
    const SECRET: &str = "correct-horse-battery";
    // A server that takes everything: the real one is asked in tests/e2e.
    let object = r#"{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{"name":"shop-env","namespace":"default"},"data":{}}"#;
    let kubectl = format!("case \"$*\" in *get*) echo '{object}';; *) /bin/cat >/dev/null; echo '{object}';; esac");
    let app = App::new().cluster("test", REGISTRY).using("test").fake("kubectl", &kubectl);
    let ran = app.run(&["-v", "env", "add", &format!("PASSWORD={SECRET}")]);
    ran.exits(0).says("shop-env: added PASSWORD").never_says(SECRET).never_says("Y29ycmVjd").changed_nothing();
    let app = app.file("my.env", &format!("# database\nPASSWORD='{SECRET}'\n"));
    app.run(&["-v", "env", "addfile", "my.env"]).exits(0).says("added PASSWORD").never_says(SECRET).changed_nothing();
    let app = app.file("topsecret.txt", SECRET);
    app.run(&["-v", "secret", "add", "topsecret.txt"]).exits(0).says("added topsecret.txt").never_says(SECRET).changed_nothing();
}

#[test]
fn a_file_of_variables_arrives_as_compose_reads_it() {
    let object = r#"{"apiVersion":"v1","kind":"Secret","type":"Opaque","metadata":{"name":"shop-env","namespace":"default"},"data":{}}"#;
    let kubectl = format!("case \"$*\" in *get*) echo '{object}';; *) /bin/cat >\"$HOME/sent\"; echo '{object}';; esac");
    let app = App::new().cluster("test", REGISTRY).using("test").fake("kubectl", &kubectl);
    let text = "\u{feff}KEY=\"-----BEGIN KEY-----\nabc\n-----END KEY-----\" # of the bank\nUSER=me # not you\r\nUSER=me\nDOLLAR='a$$b'\n";
    let app = app.file("my.env", text);
    app.run(&["env", "addfile", "my.env"]).exits(0).says("shop-env: added DOLLAR, KEY, USER");
    let sent: serde_json::Value = serde_json::from_str(&fs::read_to_string(app.home().join("sent")).expect("sent")).expect("JSON");
    let value = |name: &str| {
        let encoded = sent["data"][name].as_str().expect(name);
        String::from_utf8(base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).expect("base64")).expect("UTF-8")
    };
    assert_eq!(value("KEY"), "-----BEGIN KEY-----\nabc\n-----END KEY-----");
    assert_eq!((value("USER"), value("DOLLAR")), ("me".to_owned(), "a$$b".to_owned()));
}

#[test]
fn variables_that_cannot_be_are_refused_before_anything_is_sent() {
    // No server answers: whoever asks it fails in another way.
    let app = App::new().cluster("test", REGISTRY).using("test").tools(&["kubectl"]);
    app.run(&["env", "add", "1BAD=x"]).exits(2).reason("this name starts with a digit").changed_nothing().within(5);
    app.run(&["env", "add", "A=1", "A=2"]).exits(2).reason("A stands there twice, with two values").changed_nothing().within(5);
    for (text, why) in [
        ("A=1\n1BAD=x\n", "my.env:2:1: this name starts with a digit"),
        ("A=1\nB=2\nA=3\n", "my.env:3:1: this name stands in line 1 already, with another value"),
        ("A='x\nB=2\n", "my.env:1:1: this quote is never closed"),
        ("A='x'y\n", "my.env:1:1: something stands behind the closing quote"),
    ] {
        let app = App::new().cluster("test", REGISTRY).using("test").tools(&["kubectl"]).file("my.env", text);
        app.run(&["env", "addfile", "my.env"]).exits(1).reason(why).changed_nothing().within(5);
    }
}

#[test]
fn a_word_without_a_name_is_not_repeated() {
    let app = App::new().cluster("test", REGISTRY).using("test").tools(&["kubectl"]);
    app.run(&["env", "add", "hunter2hunter2"])
        .exits(2)
        .reason("expected NAME=VALUE")
        .next("lain env add NAME=VALUE")
        .never_says("hunter2hunter2")
        .within(5)
        .changed_nothing();
    let file = app.file("my.env", "A=1\nhunter2hunter2\n");
    file.run(&["env", "addfile", "my.env"])
        .exits(1)
        .reason("my.env:2:1: expected NAME=VALUE")
        .never_says("hunter2hunter2")
        .next("")
        .within(5);
}

// ---- Ctrl-C ----

#[test]
fn ctrl_c_ends_with_130() {
    for signal in ["INT", "TERM"] {
        // helm is at work when the signal comes, to lain alone; lain hands it on.
        let app =
            App::new().chart().fake("helm", &format!("trap 'exit 1' INT TERM; kill -{signal} $PPID; while :; do /bin/sleep 0.1; done"));
        app.run(&["lint"]).exits(130).reason("interrupted").within(10).changed_nothing();
    }
}

#[test]
fn a_time_that_is_none() {
    let app = App::new();
    for typed in ["10", "10m", "1h30m"] {
        app.run(&["wait", "--timeout", typed]).exits(2).says("no cluster is chosen"); // the time was read
    }
    for (typed, why) in [("soon", "is no duration"), ("0", "no time"), ("-1", "unexpected argument"), ("10 m", "`10 m`")] {
        app.run(&["wait", "--timeout", typed]).exits(2).says(why).changed_nothing();
    }
    let app = |budget: &str| App::new().cluster("test", &format!("registry: r.example.com\nprogress_budget: {budget}\n")).using("test");
    app("1h30m").run(&["lint"]).never_says("progress_budget");
    for (typed, why) in [("soon", "`soon` is no duration"), ("300", "300 of what? write 300s")] {
        let ran = app(typed).run(&["lint"]).exits(3).says("values-test.yaml:2:18").says(why);
        ran.next("progress_budget: ").changed_nothing();
    }
}

#[test]
fn a_price_that_is_none() {
    let app = |price: &str| App::new().cluster("test", &format!("registry: r.example.com\nprice: {price}\n")).using("test");
    app("{cpu: 20, memory: 2.5, currency: CNY, per: month}").run(&["lint"]).never_says("price");
    for (typed, why, hint) in [
        ("{cpu: free}", "`price.cpu`: expected a number, found text", "cpu: ... # a number"),
        ("{memory: -3}", "memory -3 is below 0", "memory: 1"),
        ("{per: week}", "`price.per`: `week` is none of hour, day, month, year", "per: "),
        ("20", "`price`: expected a map, found", "price: ... # a map"),
    ] {
        app(typed).run(&["lint"]).exits(3).says("values-test.yaml:2:").says(why).next(hint).changed_nothing();
    }
    let refused = |price: &str| app(price).run(&["admin", "list-waste"]).exits(1);
    refused("{cpu: free}").reason("`price.cpu`: expected a number, found text \"free\"").next("lain values --explain price.cpu");
    refused("{memory: -3}").reason("`price.memory`: expected a number from 0 on, found number -3");
    refused("{per: week}").reason("`price.per`: expected one of `hour`, `day`, `month`, `year`, found week");
}
