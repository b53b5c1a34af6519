//! `--set`, `-f` and `--canary` reach all that lain decides by itself, not helm alone.

mod support;

use std::fs;

use support::App;

const REGISTRY: &str = "registry: 127.0.0.1:1/team\ndomain: example.com\nnamespace: shops\n";

fn app() -> App {
    App::new().chart().cluster("test", REGISTRY).using("test").tools(&["helm", "kubectl"]).committed()
}

#[test]
fn template_renders_the_release_that_set_names() {
    let app = app();
    let ran = app.run(&["template", "--set", "releaseName=other"]).exits(0).says("helm template other chart");
    assert!(ran.stdout.contains("name: \"other-web\"") && !ran.stdout.contains("name: \"shop-web\""), "{}", ran.stdout);
    app.run(&["template", "--set", "appname=kiosk"]).exits(0).says("helm template kiosk chart");
    app.run(&["template", "--set", "namespace=elsewhere"]).exits(0).says("--namespace elsewhere");
    let tagged = app.run(&["template", "--set", "imageTag=1e3"]).exits(0);
    assert!(tagged.stdout.contains("127.0.0.1:1/team/shop:1e3"), "{}", tagged.stdout);
}

/// Where lain builds no image, the values say which tag runs.
#[test]
fn the_tag_of_values_is_kept_where_nothing_is_built() {
    let values = |tag: &str, more: &str| {
        let procs = "deployments:\n  web:\n    command: [x]\n    replicaCount: 2\n    resources: {requests: {cpu: 1m, memory: 9Mi}, limits: {cpu: 1, memory: 9Mi}}\n";
        format!("appname: shop\nimageTag: {tag}\n{procs}{more}")
    };
    let app = |tag: &str, more: &str| {
        App::empty()
            .tools(&["helm"])
            .chart()
            .values(&values(tag, more))
            .cluster("test", "registry: 127.0.0.1:1/team\n")
            .using("test")
            .committed()
    };
    let renders = |app: &App, args: &[&str], image: &str| {
        let out = app.run(&[&["template"], args].concat()).exits(0).stdout;
        assert!(out.contains(&format!("image: \"127.0.0.1:1/team/{image}\"")), "{image}\n{out}");
    };
    let built = "build: {base: \"python:3.13\", script: [make]}\n";
    renders(&app("v7", ""), &[], "shop:v7");
    renders(&app("v7", ""), &["--set", "imageTag=v8"], "shop:v8");
    renders(&app("20190612073634", ""), &[], "shop:20190612073634");
    let head = app("v7", built);
    renders(&head, &[], &format!("shop:{}", head.run(&["meta"]).exits(0).stdout.trim()));
    app("v7", "").run(&["image"]).exits(0).prints("127.0.0.1:1/team/shop:v7");
    app("no/tag", "").run(&["template"]).exits(2).says("chart/values.yaml:2:11").reason("`no/tag` cannot be an image tag");
    app("v7", "").file("chart/values-test.yaml", "imageTag: v9\n").run(&["image"]).prints("127.0.0.1:1/team/shop:v9");
}

#[test]
fn a_canary_is_named_after_the_app_of_set_and_of_files() {
    let app = app().file("more.yaml", "appname: stall\n");
    app.run(&["template", "--canary"]).exits(0).says("helm template shop-canary chart");
    app.run(&["template", "--canary", "--set", "appname=kiosk"]).exits(0).says("helm template kiosk-canary chart");
    app.run(&["template", "--canary", "-f", "more.yaml"]).exits(0).says("helm template stall-canary chart");
    app.run(&["template", "--canary", "--set", "releaseName=mine"]).exits(0).says("helm template mine chart");
}

#[test]
fn lint_looks_at_what_set_says() {
    let app = app();
    app.run(&["lint", "--simple"]).exits(0);
    let slip = ["--set", "deployments.web.replicaCount=many"];
    for args in [&["lint", "--simple"][..], &["deploy"]] {
        app.run(&[args, &slip].concat())
            .exits(3)
            .says("[L006]")
            .says("--set:1:1: `deployments.web.replicaCount`")
            .says("lint found one error");
    }
    app.run(&["lint", "--simple", "--set", "appname=My_Shop"]).exits(3).says("My_Shop").says("lint found");
    app.run(&["lint", "--simple", "--set", "imageTag=no/tag"]).exits(2).reason("`no/tag` cannot be an image tag");
    app.run(&["lint", "--fix", "--set", "a=b"]).exits(2).says("--fix");
}

#[test]
fn what_only_the_cluster_may_say_no_set_says() {
    let app = app();
    for args in [&["template"][..], &["lint", "--simple"], &["deploy"], &["values"]] {
        let ran = app.run(&[args, &["--set", "harbor_token=c2VjcmV0OnNlY3JldA=="]].concat()).exits(3);
        ran.never_says("c2VjcmV0OnNlY3JldA").reason("only the cluster's own file says that").next("leave that --set out").changed_nothing();
    }
}

#[test]
fn another_build_under_the_same_name_is_not_built() {
    let app = app().file("more.yaml", "build: {base: \"python:3\"}\n");
    let set = ["deploy", "--build", "--set", "build.base=python:3"];
    app.run(&set).exits(1).reason("--set overrides `build` but not `appname`").next("lain deploy --build").changed_nothing();
    app.run(&["deploy", "--build", "-f", "more.yaml"]).exits(1).reason("more.yaml overrides `build` but not `appname`").changed_nothing();
    // Under a name of its own it is another image, which is looked for under that name.
    let own = [&set[..], &["--set", "appname=kiosk", "--set", "build.script={true}"]].concat();
    app.run(&own).never_says("overrides `build`");
}

#[test]
fn a_set_that_cannot_be_read_is_said_before_anything_else() {
    let app = app();
    for args in [&["template"][..], &["lint"], &["deploy"], &["redeploy"], &["values"]] {
        app.run(&[args, &["--set", "deployments={web"]].concat()).exits(2).reason("--set deployments={web").changed_nothing();
    }
}

/// helm takes such a key, and HEAD would be deployed.
#[test]
fn a_key_that_nobody_reads_and_that_is_nearly_one_that_is_read() {
    let app = App::new().cluster("test", "registry: 127.0.0.1:1/team\n").using("test");
    for (set, key, next) in [
        ("imagetag=v1", "imagetag", "--set imageTag=v1"),
        ("image_tag=v1", "image_tag", "--set imageTag=v1"),
        ("imagTag=v1", "imagTag", "--set imageTag=v1"),
        ("image.tag=v1", "image", "--set imageTag=v1"),
        ("tag=v1", "tag", "--set imageTag=v1"),
        ("a=b,imagetag=v1", "imagetag", "--set imageTag=..."),
        ("enf.MODE=x", "enf", "--set env=..."),
        ("releasename=kiosk", "releasename", "--set releaseName=kiosk"),
        ("domian=example.com", "domian", "--set domain=example.com"),
    ] {
        for args in [&["deploy"][..], &["deploy", "--ignore-lint"], &["deploy", "--dry-run"], &["template"], &["lint"]] {
            let ran = app.run(&[args, &["--set", set]].concat()).exits(3);
            ran.reason(&format!("nothing reads `{key}`: did you mean `")).says("--set:1:1: ").next(next).changed_nothing();
        }
    }
}

#[test]
fn keys_of_the_apps_own_stay_allowed() {
    let app = App::new().chart().tools(&["helm"]).cluster("test", "registry: 127.0.0.1:1/team\n").using("test");
    app.run(&["template", "--set", "myOwn.key=1,user=somebody"]).exits(0);
    // Those that the app's files or templates have are near one by chance.
    fs::write(app.dir().join("chart/templates/own.yaml"), "{{- if .Values.jobz }}{{ fail (toString .Values.jobz) }}{{ end }}")
        .expect("a template");
    app.run(&["template", "--set", "jobz=seen"]).exits(1).says("seen");
    fs::write(app.dir().join("more.yaml"), "envs: {A: '1'}\n").expect("a file");
    app.run(&["template", "-f", "more.yaml", "--set", "envs.A=2"]).exits(0);
    app.run(&["template", "--set", "envs.A=2"]).exits(3).reason("nothing reads `envs`");
}

/// In files it is lint that says so.
#[test]
fn slips_in_files() {
    let app = App::new().chart().tools(&["helm"]).cluster("test", "registry: 127.0.0.1:1/team\nimagetag: v1\n").using("test");
    app.run(&["lint", "--simple"]).exits(3).says("values-test.yaml:2:1: unknown key `imagetag`: did you mean `imageTag`? [L004]");
    let app = App::new()
        .chart()
        .tools(&["helm"])
        .file("more.yaml", "imagetag: v1\n")
        .cluster("test", "registry: 127.0.0.1:1/team\n")
        .using("test");
    app.run(&["lint", "--simple", "-f", "more.yaml"]).exits(3).says("more.yaml:1:1: unknown key `imagetag`").says("next: imageTag:");
    let values = "appname: shop\nbuild:\n  base: debian:trixie-slim\n  release: {dest_base: nginx}\n";
    let app = App::empty().values(values).chart().tools(&["helm"]).cluster("test", "registry: 127.0.0.1:1/team\n").using("test");
    app.run(&["lint", "--simple"])
        .exits(3)
        .says("chart/values.yaml:4:3: `build.release` is not read: `release` stands beside `build` [L004]");
}
