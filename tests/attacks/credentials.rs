//! Credentials of a cluster's values: who gets them, and who does not.

use std::fs;

use crate::place::Place;
use crate::support::App;

/// What an administrator keeps in `values-CLUSTER.yaml`.
const SECRETS: &str = "harbor_token: ROBOT-harbor-5f1c\naccess_key_id: AKID-77aa\naccess_key_secret: AKSEC-88bb\ndockerhub_username: HUBUSER-99\n\
    dockerhub_password: HUBPASS-00cc\nregistry_token_fetch_cmd: cat /etc/TOKENCMD\nsecrets_env: {harbor_token: HARBOR_VARIABLE}\n\
    webhook: {url: \"https://hooks.example.com/HOOKURL-1d\", secret: HOOKSECRET-2e, clusters: [nowhere]}\nminio_secret_key: MINIO-3f\n\
    \"odd.na,me=token\": ODD-4a\nprometheus: \"https://prom:PROMPASS-5b@prom.example.com\"\n";
const VALUES: [&str; 9] =
    ["ROBOT-harbor", "AKSEC-88bb", "HUBPASS-00cc", "TOKENCMD", "HOOKURL-1d", "HOOKSECRET-2e", "MINIO-3f", "ODD-4a", "PROMPASS-5b"];

#[track_caller]
fn holds_none(text: &str, what: &str) {
    for secret in VALUES.iter().chain(&["AKID-77aa", "HUBUSER-99", "HARBOR_VARIABLE"]) {
        assert!(!text.contains(secret), "{secret} in {what}:\n{text}");
    }
}

/// What older versions did: helm got the whole cluster file. Then lain deploys.
fn releases_lose_them(helm: &str) {
    let place = Place::new(helm);
    for file in lain::render::chart::without_values(&place.appname, None).expect("the chart") {
        let path = place.app.join("chart").join(file.path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, file.bytes).expect("a chart");
    }
    let values =
        format!("appname: {}\ndeployments: {{web: {{image: \"pause:local\", command: [/pause], replicaCount: 1}}}}\n", place.appname);
    fs::write(place.app.join("chart/values.yaml"), values).expect("values");
    place.commit("the app");
    place.lain(&["use", "test"]).ok();
    let file = place.root.path().join("clusters/values-test.yaml");
    fs::write(&file, fs::read_to_string(&file).expect("values") + SECRETS).expect("values");
    let (name, file) = (place.appname.clone(), file.display().to_string());
    for _ in 0..2 {
        place.helm(&["upgrade", "--install", &name, "chart", "-f", &file, "--set", "imageTag=old"]).ok();
    }
    let before = place.helm(&["get", "values", &name]).ok().stdout;
    assert!(before.contains("ROBOT-harbor") && before.contains("HOOKSECRET-2e"), "{before}");

    let ran = place.lain(&["deploy", "--ignore-lint", "--set", "imageTag=new"]).ok().says("held credentials of the cluster values");
    holds_none(&ran.stderr, "what deploy says");
    let revisions = place.helm(&["history", &name, "-o", "json"]).ok().stdout;
    assert_eq!(revisions.matches("\"revision\"").count(), 3, "{revisions}");
    for revision in ["1", "2", "3"] {
        for all in [&[][..], &["--all"]] {
            let values = place.helm(&[&["get", "values", &name, "--revision", revision], all].concat()).ok().stdout;
            holds_none(&values, revision);
            assert!(values.contains("rig.example.com") && values.contains("imageTag: "), "the rest stays: {values}");
        }
        place.helm(&["get", "manifest", &name, "--revision", revision]).ok();
    }
    place.helm(&["rollback", &name, "1"]).ok();
    holds_none(&place.helm(&["get", "values", &name, "--all"]).ok().stdout, "a release that went back");
    place.lain(&["deploy", "--ignore-lint", "--set", "imageTag=new"]).ok().never_says("held credentials");
    holds_none(&place.kubectl(&["get", "secrets", "-o", "yaml"]).ok().stdout, "the cluster");
}

/// the cluster: keeps the cluster file's logins in helm's record of each release, as older versions handed them over => the next deploy takes them out of all revisions; history, rollback and values still work
#[test]
fn releases_lose_credentials_with_helm_3() {
    releases_lose_them("3.17.3");
}

/// the cluster: the same with helm 4 => the same
#[test]
fn releases_lose_credentials_with_helm_4() {
    releases_lose_them("4.3.1");
}

/// a repository: a chart of one's own prints all values into an object => no credential of the cluster file is among them, none stands in helm's arguments
#[test]
fn a_chart_that_prints_all_values_gets_no_credential() {
    for helm in ["helm-3.9.4", "helm-3.17.3", "helm-4.3.1"] {
        let all = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: all}\ndata: {all: {{ .Values | toJson | quote }}, mine: {{ .Values.my_api_key | quote }}}\n";
        let cluster = format!("registry: registry.example.com\ndomain: example.com\nmy_api_key: MENTIONED-6c\nextra: kept\n{SECRETS}");
        let app =
            App::new().chart().file("chart/templates/all.yaml", all).committed().tool("helm", helm).cluster("test", &cluster).using("test");
        let ran = app.run(&["template"]).exits(0);
        holds_none(&ran.stdout, helm);
        holds_none(&ran.stderr, "the echo");
        // What a template mentions is the chart's business.
        assert!(ran.stdout.contains("MENTIONED-6c") && ran.stdout.contains("kept"), "{}", ran.stdout);
        // The line that is echoed does the same when it is copied.
        let line = ran.stderr.lines().find(|line| line.starts_with("helm template")).expect("the echo");
        let mut copied = app.command(&which::which("bash").expect("bash"));
        copied.args(["-c", line]);
        assert_eq!(String::from_utf8_lossy(&copied.output().expect("bash runs").stdout).trim(), ran.stdout.trim());
        holds_none(&app.run(&["lint"]).stderr, "lint");
    }
}

/// an accident: `CI=true lain values` in a job's log => credentials are `***` in every format and in `--explain`; `--reveal` shows them
#[test]
fn values_are_masked() {
    let app = App::new().committed().cluster("test", &format!("registry: registry.example.com\n{SECRETS}")).using("test");
    for env in ["false", "true"] {
        let app =
            App::new().committed().cluster("test", &format!("registry: registry.example.com\n{SECRETS}")).using("test").env("CI", env);
        for args in [
            &["values"][..],
            &["values", "-o", "json"],
            &["values", "-o", "yaml", "-v"],
            &["values", "--explain", "harbor_token"],
            &["values", "--explain", "webhook", "-o", "json"],
            &["values", "--explain", "prometheus"],
            &["values", "--explain", "minio_secret_key", "-v"],
        ] {
            let ran = app.run(args).exits(0);
            for secret in VALUES {
                assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "{secret} in {args:?}\n{}{}", ran.stdout, ran.stderr);
            }
            assert!(ran.stdout.contains("***"), "{args:?}: {}", ran.stdout);
        }
    }
    // Whoever says one in the wrong place reads where, not what.
    app.run(&["values", "--set", "access_key_secret=AKSEC-88bb-2"]).exits(3).reason("`access_key_secret` decides").never_says("AKSEC");
    let shown = app.run(&["values", "--reveal"]).exits(0).stdout;
    assert!(VALUES.iter().all(|secret| shown.contains(secret)), "{shown}");
}

/// an accident: a slip in the line of a credential of the cluster file => the error points to the place and does not repeat the value
#[test]
fn errors_do_not_repeat_credentials() {
    let app = App::new().committed().cluster("test", "registry: r.example.com\nharbor_token: {token: ROBOT-harbor-5f1c}\n").using("test");
    for args in [&["lint"][..], &["image"], &["tags"]] {
        app.run(args).never_says("ROBOT-harbor");
    }
}
