//! Links and devices: nothing outside of the repository is read, written or sent unless the user named it.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{App, listing};

const REGISTRY: &str = "registry: 127.0.0.1:1/team\ndomain: example.com\n";
/// What another file of this machine holds.
const OUTSIDE: &str = "appname: shop\nprivate_key: \"s3cr3t-of-this-machine\"\nauths: [unclosed\n";

/// A file outside of the repository, and an app that could link to it.
fn place() -> (App, std::path::PathBuf) {
    let app = App::new().chart().cluster("test", REGISTRY).using("test").tools(&["helm", "kubectl", "sh"]);
    let app = app.home_file("private.yaml", OUTSIDE).committed();
    let outside = app.home().join("private.yaml");
    (app, outside)
}

/// a merge request: a values file, a template, Chart.yaml, the house template or all of `chart/` that is a link to another file of the machine => refused before it is read; nothing of it is shown
#[test]
fn links_that_lead_out_are_not_read() {
    for link in
        ["chart/values.yaml", "chart/values-test.yaml", "chart/templates/more.yaml", "chart/Chart.yaml", "chart/charts/x/values.yaml"]
    {
        let (app, outside) = place();
        let path = app.dir().join(link);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let _ = fs::remove_file(&path); // only some are there
        symlink(&outside, &path).expect("a link");
        for args in [
            &["lint"][..],
            &["template"],
            &["values"],
            &["deploy", "--ignore-lint"],
            &["init", "--template-only"],
            &["lint", "--format", "json"],
        ] {
            app.run(args).exits(3).reason("leads out of the repository").never_says("s3cr3t").changed_nothing();
        }
    }
    let (app, outside) = place();
    fs::remove_dir_all(app.dir().join("chart")).expect("removed");
    symlink(outside.parent().expect("a folder"), app.dir().join("chart")).expect("a link");
    fs::write(app.home().join("values.yaml"), OUTSIDE).expect("a file");
    let before = listing(&app.home());
    for args in [&["lint"][..], &["values"], &["init", "--force"], &["init", "--template-only"], &["init"]] {
        app.run(args).exits(3).reason("leads out of the repository").never_says("s3cr3t").changed_nothing();
    }
    assert_eq!(listing(&app.home()), before, "nothing was written there");
    let (app, outside) = place();
    symlink(&outside, app.dir().join("chart/values.yaml.j2")).expect("a link");
    app.run(&["init", "--force"]).exits(3).reason("leads out of the repository").never_says("s3cr3t").changed_nothing();
}

/// a repository: links within it, from one app of a monorepo to another's values, or to a cluster's own file => read as ever
#[test]
fn links_within_a_repository_are_fine() {
    let (app, _) = place();
    fs::create_dir_all(app.dir().join("apps/one/chart")).expect("a folder");
    fs::rename(app.dir().join("chart/values.yaml"), app.dir().join("shared.yaml")).expect("moved");
    symlink("../../../shared.yaml", app.dir().join("apps/one/chart/values.yaml")).expect("a link");
    let clusters = app.dir().join("../clusters/values-test.yaml");
    symlink(clusters, app.dir().join("apps/one/chart/values-test.yaml")).expect("a link");
    let mut command = app.command(std::path::Path::new(env!("CARGO_BIN_EXE_lain")));
    command.current_dir(app.dir().join("apps/one")).arg("values");
    assert!(app.run_command(command).exits(0).stdout.contains("appname: shop"));
}

/// another user or program of this machine: `-f /proc/self/environ`, a pipe, a device without end => refused at once; values are ordinary files
#[test]
fn values_are_ordinary_files() {
    let app = App::new().env("SECRET_TOKEN", "s3cr3t-of-this-machine");
    for path in
        ["/proc/self/environ", "/dev/zero", "/dev/stdin", "/proc/self/fd/0", "/dev/full", "/sys/kernel/mm/transparent_hugepage/enabled"]
    {
        app.run(&["values", "-f", path]).exits(1).reason("is no ordinary file").never_says("s3cr3t").within(5).next("");
    }
    symlink("/proc/self/environ", app.dir().join("more.yaml")).expect("a link");
    app.run(&["values", "-f", "more.yaml"]).exits(1).reason("is no ordinary file").never_says("s3cr3t");
    let fifo = app.dir().join("pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    app.run(&["values", "-f", "pipe.yaml"]).exits(1).reason("is no ordinary file").within(5);
}

/// a repository: `Dockerfile`, `.dockerignore`, `docker-compose.yaml` or an archive's name that are links out of it => what they lead to keeps its bytes
#[test]
fn nothing_is_written_through_a_link() {
    for name in ["Dockerfile", ".dockerignore", "docker-compose.yaml"] {
        for dangling in [false, true] {
            let (app, outside) = place();
            let target = if dangling { app.home().join("not-there") } else { outside };
            symlink(&target, app.dir().join(name)).expect("a link");
            let app = app.docker();
            let before = listing(&app.home());
            for args in [
                &["build", "--keep-dockerfile"][..],
                &["prepare"],
                &["compose"],
                &["compose", "--force"],
                &["init", "--force"],
                &["lint", "--fix"],
            ] {
                app.run(args);
                let mut after = listing(&app.home());
                after.retain(|path, _| !path.starts_with(".docker")); // docker's own
                let mut before = before.clone();
                before.retain(|path, _| !path.starts_with(".docker"));
                assert_eq!(after, before, "{name}, {args:?}");
            }
        }
    }
}

/// a merge request: a build secret that is a file of the repository, and that file a link to a key of the machine's => refused; it is not sent
#[test]
fn a_build_secret_is_no_link_out() {
    let values =
        crate::support::VALUES.replace("  base: alpine:3\n", "  base: debian:trixie-slim\n  secrets: {token: {file: conf/token}}\n");
    let (app, outside) = place();
    let app = app.values(&values).docker();
    fs::create_dir_all(app.dir().join("conf")).expect("a folder");
    symlink(outside, app.dir().join("conf/token")).expect("a link");
    app.run(&["build"]).exits(3).reason("leads out of the repository").never_says("s3cr3t").changed_nothing();
}
