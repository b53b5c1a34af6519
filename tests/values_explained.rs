//! `lain values --explain`: file, line and column of every value, and what it overrode, in every layer.

mod support;

use support::App;

/// The same key in every layer, an anchor, a list, a removal, and a link that git flattened into a file that names another.
fn app() -> App {
    app_with("")
}

/// And more at the end of the app's own file.
fn app_with(more: &str) -> App {
    App::empty()
        .values(&format!("{}{more}",
            "appname: shop\nbase: &base {LOG: info, A: \"1\"}\nenv:\n  <<: *base\n  MODE: app\n  GONE: {deep: 1}\ndeployments:\n  web:\n    command: [a, b]\n    replicaCount: 1\n",
        ))
        .cluster("test", "registry: r.example.com\nenv: {MODE: cluster}\n")
        .file("chart/values-test.yaml", "shared.yaml\n")
        .file("chart/shared.yaml", "env:\n  MODE: both\n  A: null\n  GONE: null\ndeployments:\n  web:\n    command: [c, d]\n")
        .file("more.yaml", "env: {MODE: extra}\ndeployments: {web: {command: [e, f]}}\n")
        .using("test")
}

#[test]
fn every_layer_is_named() {
    let app = app();
    let cluster = app.dir().parent().expect("a parent").join("clusters/values-test.yaml").display().to_string();
    app.run(&["values", "-f", "more.yaml", "--set", "env.MODE=set", "--explain", "env.MODE"]).exits(0).prints(&format!(
        "env.MODE: \"set\"\n  from --set env.MODE=set\n  over more.yaml:1:13 (\"extra\")\n  over chart/shared.yaml:2:9 (\"both\")\n  over {cluster}:2:13 (\"cluster\")\n  \
         over chart/values.yaml:5:9 (\"app\")"
    ));
}

/// Before the verb and behind it: none is lost, and the later one wins.
#[test]
fn values_files_may_stand_on_both_sides_of_the_verb() {
    let app = app().file("last.yaml", "deployments: {web: {replicaCount: 9}}\n");
    let ran = app.run(&["-f", "more.yaml", "values", "-f", "last.yaml", "--explain", "deployments.web"]).exits(0);
    assert!(ran.stdout.contains("from more.yaml:2:30") && ran.stdout.contains("from last.yaml:1:35"), "{}", ran.stdout);
    let ran = app.run(&["-f", "last.yaml", "values", "--explain", "deployments.web.replicaCount"]).exits(0);
    assert_eq!(ran.stdout.matches("last.yaml").count(), 1, "{}", ran.stdout);
    let ran = app.env("LAIN_VALUES", "more.yaml").run(&["values", "-f", "last.yaml", "--explain", "deployments.web.command"]).exits(0);
    assert!(!ran.stdout.contains("more.yaml"), "what is typed stands for the variable: {}", ran.stdout);
}

#[test]
fn a_canary_is_the_layer_below_set() {
    let app = app_with("releaseName: shop-b\ningressAnnotations: {nginx.ingress.kubernetes.io/canary: \"false\", own: \"1\"}\n");
    let asked = ["values", "--canary", "--explain"];
    app.run(&[&asked[..], &["releaseName"]].concat())
        .exits(0)
        .prints("releaseName: \"shop-b-canary\"\n  from --canary\n  over chart/values.yaml:11:14 (\"shop-b\")");
    app.run(&[&asked[..], &["ingressAnnotations"]].concat()).exits(0).prints(
        "ingressAnnotations.nginx.ingress.kubernetes.io/canary: \"true\"\n  from --canary\n  over chart/values.yaml:12:58 (\"false\")\n\
             ingressAnnotations.own: \"1\"\n  from chart/values.yaml:12:72",
    );
    app.run(&[&asked[..], &["releaseName", "--set", "releaseName=mine"]].concat())
        .exits(0)
        .prints("releaseName: \"mine\"\n  from --set releaseName=mine\n  over --canary (\"shop-b-canary\")\n  over chart/values.yaml:11:14 (\"shop-b\")");
    app.run(&["values", "--explain", "releaseName"]).exits(0).prints("releaseName: \"shop-b\"\n  from chart/values.yaml:11:14");
}

#[test]
fn an_anchor_leads_to_its_own_line() {
    app().run(&["values", "--explain", "env.LOG"]).exits(0).prints("env.LOG: \"info\"\n  from chart/values.yaml:2:19");
}

#[test]
fn lists_are_replaced_whole_and_set_changes_an_item() {
    let app = app();
    app.run(&["values", "--explain", "deployments.web.command"])
        .exits(0)
        .prints("deployments.web.command: [\"c\",\"d\"]\n  from chart/shared.yaml:7:14\n  over chart/values.yaml:9:14 ([\"a\",\"b\"])");
    app.run(&["values", "-f", "more.yaml", "--set", "deployments.web.command[0]=z", "--explain", "deployments.web.command"])
        .exits(0)
        .prints(
            "deployments.web.command: [\"z\",\"f\"]\n  from --set deployments.web.command[0]=z\n  over more.yaml:2:30 ([\"e\",\"f\"])\n  \
         over chart/shared.yaml:7:14 ([\"c\",\"d\"])\n  over chart/values.yaml:9:14 ([\"a\",\"b\"])",
        );
}

#[test]
fn what_a_null_took_away_is_told() {
    let app = app();
    app.run(&["values", "--explain", "env.A"])
        .exits(0)
        .prints("env.A is not there\n  removed by the null at chart/shared.yaml:3:6\n  over chart/values.yaml:2:28 (\"1\")");
    app.run(&["values", "--explain", "env.GONE.deep"])
        .exits(0)
        .prints("env.GONE.deep is not there\n  removed by the null at chart/shared.yaml:4:9\n  over chart/values.yaml:6:16 (1)");
}

#[test]
fn a_whole_tree_and_json() {
    let app = app();
    let text = app.run(&["values", "--explain", "env"]).exits(0).stdout;
    let mut keys: Vec<&str> =
        text.lines().filter(|line| !line.starts_with(' ')).map(|line| line.split([':', ' ']).next().expect("a key")).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["env.A", "env.GONE.deep", "env.LOG", "env.MODE"]);
    let json: serde_json::Value =
        serde_json::from_str(&app.run(&["values", "--explain", "env.A", "-o", "json"]).exits(0).stdout).expect("JSON");
    assert_eq!(json["values"][0]["removed"], true);
    assert_eq!(json["values"][0]["over"][0]["at"], "chart/values.yaml:2:28");
}

#[test]
fn a_key_that_nobody_sets_names_the_nearest() {
    app()
        .run(&["values", "--explain", "deploymets"])
        .exits(1)
        .reason("no layer sets `deploymets`")
        .next("lain values --explain deployments");
}
