//! Where lain is started, and which app is meant.

mod support;

use std::path::Path;

use support::{App, Ran};

/// An app in a repository, with folders below it.
fn shop() -> App {
    let app = App::new().chart().tools(&["helm"]).cluster("test", "registry: registry.example.com/team\n").using("test");
    app.file("src/deep/main.py", "").file("deploy/more.yaml", "deployments: {web: {replicaCount: 7}}\n").committed()
}

#[track_caller]
fn run_in(app: &App, folder: &str, args: &[&str]) -> Ran {
    let mut lain = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    lain.current_dir(app.dir().join(folder)).args(args);
    app.run_command(lain)
}

#[test]
fn the_app_of_a_folder_below_is_found_and_said() {
    let app = shop();
    let said = format!("the app of {}", app.dir().display());
    let here = run_in(&app, "", &["values"]).exits(0).never_says("the app of").stdout;
    for folder in ["chart", "src/deep", "chart/templates"] {
        let there = run_in(&app, folder, &["values"]).exits(0).says(&said).stdout;
        assert_eq!(here, there, "{folder}");
    }
    // With --silent it is not said, and what needs no values does not say it.
    run_in(&app, "src", &["values", "--silent"]).exits(0).never_says("the app of");
    run_in(&app, "src", &["use"]).exits(0).never_says("the app of");
    for args in [&["lint", "--simple"][..], &["template"], &["dockerfile"], &["image"], &["dockerignore"]] {
        let here = run_in(&app, "", args).exits(0).stdout;
        assert_eq!(run_in(&app, "src/deep", args).exits(0).stdout, here, "{args:?}");
    }
}

#[test]
fn what_is_typed_counts_from_where_it_is_typed() {
    let app = shop();
    let seven = |ran: Ran| {
        assert_eq!(
            ran.exits(0).stdout,
            "deployments.web.replicaCount: 7\n  from deploy/more.yaml:1:35\n  over chart/values.yaml:4:19 (1)\n"
        );
    };
    let explain = ["values", "--explain", "deployments.web.replicaCount", "-f"];
    let with = |file: &'static str| [&explain[..], &[file]].concat();
    seven(run_in(&app, "deploy", &with("more.yaml")));
    seven(run_in(&app, "src/deep", &with("../../deploy/more.yaml")));
    seven(run_in(&app, "", &with("deploy/more.yaml")));
    // As git does, with -C as if started there.
    seven(run_in(&app, "src", &[&["-C", "../deploy"], &with("more.yaml")[..]].concat()));
    seven(run_in(&app, "src", &[&with("more.yaml")[..], &["-C", "../deploy"]].concat()));
    let mut lain = app.command(Path::new(env!("CARGO_BIN_EXE_lain")));
    lain.current_dir(app.dir()).env("LAIN_APP_DIR", "deploy").args(with("more.yaml"));
    seven(app.run_command(lain));
    run_in(&app, "src", &["-C", "nosuch", "values"]).exits(1).reason("cannot use nosuch");
    // helm reads the same file.
    let rendered = run_in(&app, "deploy", &["template", "-f", "more.yaml"]).exits(0).stdout;
    assert!(rendered.contains("replicas: 7"), "{rendered}");
}

#[test]
fn nothing_is_looked_for_outside_the_repository() {
    // What lies above may be anybody's.
    let app = App::new().file("src/main.py", "");
    run_in(&app, "src", &["values"]).exits(1).reason("no chart/values.yaml in");
    let app = shop().file("sub/main.py", "");
    app.git(&["-C", app.dir().join("sub").to_str().expect("text"), "init", "-q"]);
    run_in(&app, "sub", &["values"]).exits(1).reason("no chart/values.yaml in").next("lain init");
    // A chart that is not finished is this folder's own.
    let app = shop().file("other/chart/Chart.yaml", "name: other\n");
    run_in(&app, "other", &["values"]).exits(1).reason("no chart/values.yaml in");
}

#[test]
fn init_below_an_app_asks_first() {
    let app = shop();
    let ran = run_in(&app, "src", &["init"])
        .exits(3)
        .reason("this folder is in the app of")
        .next("lain init -C . # another app, here all the same");
    assert!(!app.dir().join("src/chart").exists(), "{}", ran.stderr);
    run_in(&app, "src", &["init", "-C", "."]).exits(0);
    assert!(app.dir().join("src/chart/values.yaml").is_file());
}

#[test]
fn a_new_app_is_named_and_explained() {
    // Comments in the language of the one who types, unless told.
    let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for (variables, args, is_chinese) in [
        (&[("LC_ALL", "zh_CN.UTF-8")][..], &["init"][..], true),
        (&[("LC_ALL", ""), ("LC_MESSAGES", "zh_TW.UTF-8"), ("LANG", "en_US.UTF-8")], &["init"], true),
        (&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")], &["init", "--lang", "en"], false),
        (&[("LC_ALL", "de_DE.UTF-8"), ("LANG", "zh_CN.UTF-8")], &["init"], false),
        (&[("LC_ALL", "")], &["init"], false),
    ] {
        let app = variables.iter().fold(App::empty().tools(&["helm"]), |app, (name, value)| app.env(name, value));
        app.run(args).exits(0);
        let values = std::fs::read_to_string(app.dir().join("chart/values.yaml")).expect("values");
        assert_eq!(chinese(&values), is_chinese, "{variables:?} {args:?}");
    }
    // A folder that gives no name is asked about, not called `app`.
    let app = App::empty().tools(&["helm"]).file("商城/README", "");
    run_in(&app, "商城", &["init"]).exits(2).reason("`商城` has no Latin letter or digit").next("lain init --appname NAME");
    assert!(!app.dir().join("商城/chart").exists());
    run_in(&app, "商城", &["init", "--appname", "shop"]).exits(0);
}
