//! Kubeconfigs as kubectl takes them: relative paths, several files, login programs; what CI brings. Against a real API server, which is only read.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use support::{App, Ran, rig};

const CLUSTER: &str = "registry: 127.0.0.1:5000/dev\nnamespace: kube-public\n";

/// The rig's kubeconfig: its text, its server, its CA, its token.
fn parts() -> (String, String, String, String) {
    let text = fs::read_to_string(rig("LAIN_E2E_KUBECONFIG")).expect("the rig's kubeconfig");
    let config: Json = serde_yaml::from_str(&text).expect("YAML");
    let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
    let of = |json: &Json| json.as_str().expect("a text").to_owned();
    let ca = STANDARD.decode(of(&cluster["certificate-authority-data"])).expect("base64");
    (text, of(&cluster["server"]), String::from_utf8(ca).expect("PEM"), of(&user["token"]))
}

fn app() -> App {
    App::new().cluster_without_kubeconfig("test", CLUSTER).tools(&["kubectl", "helm"])
}

/// Files beside the kubeconfig `ci/kubeconfig`, which names them by relative paths.
fn with_relative_files(user: &Json) -> App {
    let (_, server, ca, token) = parts();
    let config = json!({"apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": server, "certificate-authority": "certs/ca.pem"}}],
        "users": [{"name": "it", "user": user}], "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]});
    let answer = json!({"apiVersion": "client.authentication.k8s.io/v1beta1", "kind": "ExecCredential", "status": {"token": token}});
    let app = app().file("ci/kubeconfig", &config.to_string()).file("ci/certs/ca.pem", &ca).file("ci/token", &token);
    let app = app.file("ci/login", &format!("#!/bin/sh\necho '{answer}'\n"));
    fs::set_permissions(app.dir().join("ci/login"), fs::Permissions::from_mode(0o755)).expect("a mode");
    app
}

/// Both tools reach the server: kubectl lists no pods, helm knows no release.
fn reaches(app: &App, args: &[&str]) -> Ran {
    app.run(&[args, &["status"]].concat()).exits(0);
    app.run(&[args, &["get-values"]].concat()).exits(1).says("there is no release shop in namespace ")
}

#[test]
fn relative_paths_are_found_by_links_too() {
    let login = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "./login"}});
    for user in [json!({"tokenFile": "token"}), login] {
        let app = with_relative_files(&user).env("KUBECONFIG_TEST", "ci/kubeconfig");
        reaches(&app, &["--cluster", "test"]);
        app.run(&["use", "test"]).exits(0);
        let link = app.home().join(".kube/kubeconfig-test");
        assert_eq!(fs::read_link(&link).expect("a link"), app.dir().join("ci/kubeconfig"));
        reaches(&app.env("KUBECONFIG_TEST", ""), &[]);
    }
    // A link of the user's own, with the files beside the link.
    let app = with_relative_files(&json!({"tokenFile": "token"}));
    let kube = app.home().join(".kube");
    fs::rename(app.dir().join("ci/certs"), kube.join("certs")).expect("moved");
    fs::rename(app.dir().join("ci/token"), kube.join("token")).expect("moved");
    symlink(app.dir().join("ci/kubeconfig"), kube.join("kubeconfig-test")).expect("a link");
    app.run(&["use", "test"]).exits(0);
    reaches(&app, &[]);
}

#[test]
fn several_files_are_one() {
    let (_, server, ca, token) = parts();
    let clusters = json!({"apiVersion": "v1", "kind": "Config", "current-context": "it", "users": null,
        "clusters": [{"name": "it", "cluster": {"server": server, "certificate-authority": "ca.pem"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}]});
    let users = json!({"apiVersion": "v1", "kind": "Config", "current-context": "other", "users": [{"name": "it", "user": {"token": token}}],
        "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:1"}}]});
    let app = app().file("a/config", &clusters.to_string()).file("a/ca.pem", &ca).file("b.yaml", &users.to_string());
    let list = "a/config:missing.yaml:b.yaml";
    app.run(&["--cluster", "test", "status"]).exits(1).says("has no kubeconfig");
    let app = app.env("KUBECONFIG_TEST", list);
    reaches(&app, &["--cluster", "test"]);
    let app = app.env("KUBECONFIG_TEST", "").env("CI", "true").env("KUBECONFIG", list);
    app.run(&["use", "test"]).exits(0);
    reaches(&app, &[]);
    let made = fs::metadata(app.home().join(".kube/kubeconfig-test")).expect("it is there");
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_a_variable_brings_leaves_the_users_own_file_alone() {
    let (text, ..) = parts();
    for value in ["ci.yaml".to_owned(), STANDARD.encode(&text)] {
        let app = app().file("ci.yaml", &text).home_file(".kube/kubeconfig-test", "clusters: []\n").env("KUBECONFIG_TEST", &value);
        app.run(&["use", "test"]).exits(0).says("using cluster test");
        let kube = app.home().join(".kube");
        assert_eq!(fs::read_to_string(kube.join("kubeconfig-test")).expect("the user's own"), "clusters: []\n");
        assert_eq!(fs::read_to_string(kube.join("config")).expect("the variable's"), text);
        reaches(&app, &[]);
        app.run(&["use", "test"]).exits(0);
        reaches(&app, &["--cluster", "test"]);
    }
}

#[test]
fn no_link_leads_to_itself_or_to_nothing() {
    let (text, ..) = parts();
    // CI's kubeconfig is the very file that becomes the link.
    let app = app().home_file(".kube/config", &text).env("CI", "true");
    let own = app.home().join(".kube/config").display().to_string();
    let app = app.env("KUBECONFIG", &own);
    app.run(&["use", "test"]).exits(0).says("config.before-lain");
    reaches(&app, &[]);
    app.run(&["use", "test"]).exits(0);
    reaches(&app, &[]);

    let app = self::app();
    let dangling = app.home().join(".kube/kubeconfig-test");
    symlink("/nonexistent/kubeconfig", &dangling).expect("a link");
    let before = support::listing(&app.home());
    app.run(&["use", "test"]).exits(1).says("is a link to /nonexistent/kubeconfig, which is not there").next("ln -sfn YOUR_KUBECONFIG");
    // The path of a file that is missing is base64 of something, too.
    let app = app.env("KUBECONFIG_TEST", "/nonexistent/file");
    app.run(&["use", "test"]).exits(1).reason("KUBECONFIG_TEST is neither a file that is there nor base64 of a kubeconfig");
    assert_eq!(support::listing(&app.home()), before);
}
