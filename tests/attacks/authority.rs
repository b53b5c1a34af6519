//! What is run, and where the cluster's own logins go, is the administrator's word alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::server::{Answer, Server};
use crate::support::{App, VALUES};

const SECRET: &str = "c2VjcmV0LXVzZXI6c2VjcmV0LXBhc3N3b3Jk";

/// Where an app may try to say something.
fn by_the_app(app: App, way: &str, line: &str) -> (App, Vec<&'static str>) {
    match way {
        "values" => (app.values(&format!("{VALUES}{line}\n")), vec![]),
        "cluster" => (app.file("chart/values-test.yaml", &format!("{line}\n")), vec![]),
        _ => (app.file("more.yaml", &format!("{line}\n")), vec!["-f", "more.yaml"]),
    }
}

const WAYS: [&str; 3] = ["values", "cluster", "-f"];

/// a merge request: `registry_token_fetch_cmd` in its values, in `chart/values-CLUSTER.yaml` or by `-f` => refused with its line; nothing is run
#[test]
fn the_app_names_no_program() {
    for way in WAYS {
        let app = App::new().chart().cluster("test", "registry: 127.0.0.1:1/team\n").using("test").tools(&["helm", "kubectl", "sh"]);
        let script = app.dir().join("evil.sh");
        let app = app.file("evil.sh", "#!/bin/sh\necho ran > it-ran\necho token\n");
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("a mode");
        let (app, before) = by_the_app(app, way, "registry_token_fetch_cmd: ./evil.sh");
        for args in [&["tags"][..], &["deploy"], &["lint"], &["build"], &["version"]] {
            let args: Vec<&str> = before.iter().chain(args).copied().collect();
            app.run(&args).exits(3).reason("`registry_token_fetch_cmd` decides what is run").next("remove the line");
            assert!(!app.dir().join("it-ran").exists(), "{way}, {args:?}");
        }
    }
}

/// a merge request: `registry: OTHER.HOST` in its values, to be sent the cluster's `harbor_token` => that host is asked without it; docker's own login for it is used when there is one
#[test]
fn the_clusters_login_goes_to_the_clusters_registry() {
    // `chart/values.yaml` stands below the cluster's file and cannot name another.
    for way in ["cluster", "-f"] {
        for docker_knows in [false, true] {
            let other = Server::new(|asked| match asked.header("authorization") {
                None => Answer::json(401, "{\"errors\":[]}").with("WWW-Authenticate", "Basic realm=\"other\""),
                Some(_) => Answer::json(200, "{\"tags\":[\"v1\"]}"),
            });
            let app = App::new().cluster("test", &format!("registry: 127.0.0.1:1/team\nharbor_token: {SECRET}\n")).using("test");
            let app = if docker_knows {
                app.home_file(".docker/config.json", &format!("{{\"auths\":{{\"{}\":{{\"auth\":\"bWU6bWluZQ==\"}}}}}}", other.host()))
            } else {
                app
            };
            let (app, mut args) = by_the_app(app, way, &format!("registry: {}/team", other.host()));
            args.push("tags");
            let ran = app.run(&args);
            if docker_knows {
                ran.exits(0).prints("lain deploy --set imageTag=v1");
            } else {
                ran.exits(1).reason("wants a login").next("docker login");
            }
            let sent: Vec<String> = other.asked().iter().filter_map(|asked| asked.header("authorization").map(str::to_owned)).collect();
            assert!(sent.iter().all(|header| header == "Basic bWU6bWluZQ=="), "{way}: {sent:?}");
            assert_eq!(sent.is_empty(), !docker_knows, "{way}: {sent:?}");
        }
    }
}

/// a merge request: any key that says whom logins go to, or by what way (`harbor_token`, `secrets_env`, `registry_insecure`, `remote_docker`, `gitlab`, `kube_context`...) => refused with its line, whatever the command
#[test]
fn keys_that_are_the_administrators() {
    for key in lain::model::cluster::ADMINISTRATORS {
        for way in WAYS {
            let app = App::new().chart().cluster("test", "registry: 127.0.0.1:1/team\n").using("test").tools(&["helm", "kubectl"]);
            let (app, mut args) = by_the_app(app, way, &format!("{key}: evil.example.com"));
            args.push("values");
            app.run(&args).exits(3).reason(&format!("`{key}` decides")).next("administrators write it into").changed_nothing();
        }
        let app = App::new().cluster("test", "registry: 127.0.0.1:1/team\n").using("test");
        app.run(&["values", "--set", &format!("{key}=x")]).exits(3).reason(&format!("`{key}` decides"));
        // With no cluster at all nobody may say it either.
        App::new().values(&format!("{VALUES}{key}: x\n")).run(&["values"]).exits(3).reason(&format!("`{key}` decides"));
        // What the cluster's own file says too is no change.
        let app = App::new().values(&format!("{VALUES}{key}: x\n")).cluster("test", &format!("registry: 127.0.0.1:1/team\n{key}: x\n"));
        app.using("test").run(&["values"]).exits(0);
    }
}

/// a merge request: a registry of its own under the cluster's name, for `lain push --publish` and `build --publish` => each cluster's login goes to that cluster's registry alone
#[test]
fn publish_sends_each_login_home() {
    let other = Server::new(|_| Answer::json(401, "{\"errors\":[]}").with("WWW-Authenticate", "Basic realm=\"other\""));
    let app = App::new().docker().cluster("test", &format!("registry: 127.0.0.1:1/team\nharbor_token: {SECRET}\n")).using("test");
    let app = app.cluster("prod", &format!("registry: 127.0.0.1:2/team\nharbor_token: {SECRET}\n"));
    let app = app.file("chart/values-prod.yaml", &format!("registry: {}/team\n", other.host())).committed();
    let image = app.run(&["image"]).exits(0).stdout.trim().to_owned();
    let docker = |args: &[&str]| {
        let out = app.command(&which::which("docker").expect("docker")).args(args).output().expect("docker runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    docker(&["tag", "debian:trixie-slim", &image]);
    app.run(&["push", "--publish"]).exits(1);
    docker(&["rmi", &image]);
    assert!(
        other.asked().iter().all(|asked| asked.header("authorization").is_none_or(|sent| !sent.contains(SECRET))),
        "{:?}",
        other.asked()
    );
}
