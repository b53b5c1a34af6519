//! Snapshots of what lain renders and of the files that `init` writes or leaves alone.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use support::App;

const CLUSTER: &str = "registry: registry.example.com/team\ndomain: in.example.com\nnamespace: shops\n";

/// examples/dummy, as it is.
fn dummy() -> App {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dummy");
    let mut app = App::empty().cluster("test", CLUSTER).using("test").tools(&["helm"]);
    let mut todo = vec![root.clone()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("inside").to_string_lossy().into_owned();
                app = app.file(&name, &fs::read_to_string(&path).expect("text"));
            }
        }
    }
    app
}

#[test]
fn the_chart_of_dummy() {
    let text = dummy().run(&["template", "--set", "imageTag=1e3"]).exits(0).stdout;
    insta::assert_snapshot!(text);
}

#[test]
fn a_canary_of_dummy() {
    for helm in ["helm-3.9.4", "helm-3.17.3", "helm-4.3.1"] {
        let app = dummy().tool("helm", helm);
        let ran = app.run(&["template", "--canary", "--set", "imageTag=1"]).exits(0);
        let ran = ran.says("printf %s 'releaseName: dummy-canary").says("| helm template dummy-canary chart -f");
        let names = |text: &str| -> Vec<String> {
            text.lines().filter(|line| line.starts_with("  name: ")).map(|line| line.trim_matches([' ', '"']).to_owned()).collect()
        };
        let usual = names(&app.run(&["template", "--set", "imageTag=1"]).exits(0).stdout);
        let mut expected = usual.join("\n");
        for process in ["web", "migrate", "simple-test"] {
            expected = expected.replace(&format!("dummy-{process}"), &format!("dummy-canary-{process}"));
        }
        assert_eq!(names(&ran.stdout).join("\n"), expected, "{helm}");
        let ingress = ran.stdout.split("\n---").find(|object| object.contains("kind: Ingress")).expect("an ingress");
        assert!(ingress.contains("\"nginx.ingress.kubernetes.io/canary\": \"true\""), "{helm}: {ingress}");
    }
}

#[test]
fn dockerfiles_of_dummy() {
    let app = dummy().committed();
    let tag = app.run(&["meta"]).exits(0).stdout.trim().to_owned();
    let text = app.run(&["dockerfile"]).exits(0).stdout.replace(&tag, "TIME-SHA");
    insta::assert_snapshot!(text, @r"
    FROM registry.example.com/team/dummy:prepare AS build
    WORKDIR /lain/app
    ENV LAIN_META=TIME-SHA
    ADD --chown=1001:1001 . /lain/app
    RUN (pip3 install -r requirements.txt)
    USER 1001
    ");
    let text = app.run(&["dockerfile", "--stage", "prepare"]).exits(0).stdout;
    assert!(
        text.starts_with("FROM python:3.13-slim AS prepare\nWORKDIR /lain/app\nADD --chown=1001:1001 . /lain/app\nRUN (pip3"),
        "{text}"
    );
}

#[test]
fn compose_of_dummy() {
    let app = dummy();
    app.run(&["compose"]).exits(0);
    insta::assert_snapshot!(fs::read_to_string(app.dir().join("docker-compose.yaml")).expect("the file"));
}

#[test]
fn explain_names_files_and_lines() {
    let text = dummy().run(&["values", "--explain", "deployments.web.command"]).exits(0).stdout;
    insta::assert_snapshot!(text, @r#"
    deployments.web.command: ["/lain/app/run.py","--debug"]
      from chart/values-test.yaml:3:14
      over chart/values.yaml:24:14 (["/lain/app/run.py"])
    "#);
}

#[test]
fn init_force_keeps_the_house_template_and_cluster_values() {
    let app = App::empty().tools(&["helm"]).file("chart/values.yaml.j2", "appname: {{ appname }}\ndeployments:\n  web:\n    image: nginx:1.29\n    replicaCount: 1\n    resources: {requests: {cpu: 1m, memory: 9Mi}, limits: {cpu: 1, memory: 9Mi}}\n");
    let app = app.file("chart/values-prod.yaml", "env: {A: b}\n").file("chart/templates/old.yaml", "# gone\n");
    app.run(&["init", "--appname", "shop", "-f"]).exits(0);
    let read = |name: &str| fs::read_to_string(app.dir().join("chart").join(name)).unwrap_or_default();
    assert!(read("values.yaml").starts_with("appname: shop\ndeployments:"), "{}", read("values.yaml"));
    assert!(read("values.yaml.j2").contains("{{ appname }}"));
    assert_eq!(read("values-prod.yaml"), "env: {A: b}\n");
    assert!(read("Chart.yaml").contains("name: \"shop\""), "{}", read("Chart.yaml"));
    assert!(!app.dir().join("chart/templates/old.yaml").exists());
}

/// As in the older tool: an unknown variable is empty. It is told.
#[test]
fn a_house_template_may_name_what_nobody_knows() {
    let template = "# {{ team }} {{ team.mail }} {{ owner | default('nobody') }}\nappname: {{ appname }}\ndeployments:\n  web:\n    image: nginx:1.29\n    replicaCount: 1\n    resources: {requests: {cpu: 1m, memory: 9Mi}, limits: {cpu: 1, memory: 9Mi}}\n{% for x in range(1) %}# {{ x }}\n{% endfor %}";
    let app = App::empty().tools(&["helm"]).file("chart/values.yaml.j2", template);
    app.run(&["init", "--appname", "shop"]).exits(0).says("warning: chart/values.yaml.j2: nobody knows owner, team, which is empty then\n");
    let values = fs::read_to_string(app.dir().join("chart/values.yaml")).expect("values");
    assert!(values.starts_with("#   nobody\nappname: shop\n") && values.contains("# 0\n"), "{values}");
    let broken = App::empty().tools(&["helm"]).file("chart/values.yaml.j2", "a: {{ x\n");
    broken.run(&["init", "--appname", "shop"]).exits(1).reason("chart/values.yaml.j2:1").next("a template knows");
}

#[test]
fn init_writes_through_no_link() {
    for path in ["chart", "chart/templates"] {
        let app = App::new().tools(&["helm"]).file("shared/templates/own.yaml", "# own\n").file("shared/values.yaml", "appname: shop\n");
        let target = if path == "chart" { "shared" } else { "../shared/templates" };
        if path == "chart" {
            fs::remove_dir_all(app.dir().join("chart")).expect("the chart goes");
        }
        std::os::unix::fs::symlink(target, app.dir().join(path)).expect("a link");
        app.run(&["init", "--template-only"]).exits(3).reason(&format!("{path} is a link")).next("cp -rL").changed_nothing();
    }
}

#[test]
fn init_template_only_leaves_values_and_commits_nothing_else() {
    let app = App::new().tools(&["helm"]).committed();
    let values = fs::read(app.dir().join("chart/values.yaml")).expect("values");
    let app = app.file("staged.txt", "not yours to commit\n");
    app.git(&["add", "staged.txt"]);
    // The commit is lain's own, so git must know who it is.
    let app = app.home_file(".gitconfig", "[user]\n\tname = Tester\n\temail = tester@example.com\n");
    app.run(&["init", "--template-only", "--commit"]).exits(0).says("git commit");
    assert_eq!(fs::read(app.dir().join("chart/values.yaml")).expect("values"), values);
    let committed = app.git(&["show", "--name-only", "--format=", "HEAD"]);
    assert!(
        committed.lines().all(|line| line.starts_with("chart/") && !line.starts_with("chart/values"))
            && committed.contains("chart/Chart.yaml"),
        "{committed}"
    );
    assert_eq!(app.git(&["diff", "--cached", "--name-only"]), "staged.txt");
    // Once more: nothing is new.
    app.run(&["init", "--template-only", "--commit"]).exits(0).says("nothing to commit");
}

/// What the older tool did not look at, and neither helm nor the server refuses, is a warning under its chart; with ours it is an error where what runs would
/// differ from what is written.
#[test]
fn what_deployed_with_the_older_tool_deploys() {
    let values = "appname: shop
build: {base: python:3.13-slim, script: [make]}
test: {mine: 1}
volume: data
env: {A: yes, B: on}
deployments:
  web:
    image: nginx:1.27
    imageTag: x
    command: [\"nginx -g\"]
    replicaCount: 2
    hpa: {}
    resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: 1000m, memory: 64Mi}}
  image:
    command: [nginx]
    replicaCount: 2
    resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {cpu: 1000m, memory: 64Mi}}
statefulSets:
  db: {image: \"redis:7\", command: [redis], replicaCount: 1, env: {C: 1, M: 0777}}
jobs:
  web: {command: [migrate]}
tests:
  simple: {image: \"curl:8\", command: [\"true\"], env: {C: 1}}
";
    let app = |version: &str| {
        App::empty()
            .tools(&["helm"])
            .chart()
            .values(values)
            .file("chart/Chart.yaml", &format!("apiVersion: v2\nname: shop\nversion: {version}\n"))
            .file("chart/values-override.yaml", "deployments: {web: {replicaCount: 3}}\n")
            .file("chart/values-test.yaml", "deployments: {web: {replicaCount: 2}}\n")
            .cluster("test", "registry: registry.example.com/team\ndomain: example.com\n")
            .using("test")
    };
    let words = |ran: &support::Ran, severity: &str| {
        let lines = ran.stderr.lines().filter(|line| line.starts_with(severity) && line.ends_with(']'));
        lines.filter_map(|line| Some(line.rsplit_once(" [")?.1.trim_end_matches(']').to_owned())).collect::<BTreeSet<_>>()
    };
    let older = app("0.1.11");
    let ran = older.run(&["lint"]).exits(0).says("this machine knows no cluster `override`").never_says("git rm");
    assert_eq!(words(&ran, "error:"), BTreeSet::new());
    for id in ["L003", "L004", "L005", "L008", "L009", "L010", "L014", "L030"] {
        assert!(words(&ran, "warning:").contains(id), "{id}\n{}", ran.stderr);
    }
    // What the older tool refused is refused: env that is no text to YAML 1.2, a whole key that repeats.
    older.run(&["lint", "--set", "env.C=1"]).exits(3).says("env `C` is a number").says("[L030]");
    let repeated = app("0.1.11").file("chart/values-test.yaml", "volume: data\n");
    repeated.run(&["lint"]).exits(3).says("[L009]");
    // With our chart, what runs as it is written stays a warning.
    let ran = app("5.0.0").run(&["lint"]).exits(3);
    assert_eq!(words(&ran, "error:"), ["L003", "L004", "L005", "L010", "L014", "L030"].map(str::to_owned).into());
    assert!(words(&ran, "warning:").is_superset(&["L008", "L009"].map(str::to_owned).into()), "{}", ran.stderr);
    app("5.0.0").run(&["lint", "--set", "env.C=1"]).says("warning: --set:1:").says("env `C` is a number");
    // What is not asked is not checked.
    app("5.0.0").run(&["init", "--template-only"]).exits(3);
    app("5.0.0").run(&["--ignore-lint", "init", "--template-only"]).exits(0);
}

/// The older tool's files render what ours render; a team's own templates stay, and what they use.
#[test]
fn templates_over_an_older_chart_take_its_files_away() {
    let older = [
        "index.yaml",
        "templates/_helpers.tpl",
        "templates/externalIngress.yaml",
        "templates/networkPolicy.yaml",
        "templates/statefulSet.yaml",
    ];
    let policy = "{{- with .Values.networkPolicy -}}\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {{ $.Release.Name }}\nspec:\n  {{- toYaml .spec | nindent 2 }}\n{{- end }}\n";
    let app = || {
        let app = App::new().tools(&["helm"]).chart();
        let values =
            fs::read_to_string(app.dir().join("chart/values.yaml")).expect("values") + "networkPolicy: {spec: {podSelector: {}}}\n";
        let mut app = app.values(&values);
        for path in older {
            app = app.file(&format!("chart/{path}"), if path.ends_with("networkPolicy.yaml") { policy } else { "# older\n" });
        }
        app.file("chart/templates/_helpers.tpl", "{{- define \"chart.labels\" }}a: b{{ end -}}\n")
            .home_file(".gitconfig", "[user]\n\tname = Tester\n\temail = tester@example.com\n")
    };
    let twice = app();
    twice.run(&["lint"]).exits(3).says("the chart renders NetworkPolicy shop twice").says("[L055]").next("lain init --template-only");

    let app = app().file("chart/templates/own.yaml", "# own\n").committed();
    app.run(&["init", "--template-only", "--commit"]).exits(0).says("removed chart/templates/statefulSet.yaml");
    let left = |app: &App, path: &str| app.dir().join("chart").join(path).exists();
    assert!(older.iter().all(|path| !left(&app, path)) && left(&app, "templates/own.yaml"));
    assert_eq!(app.git(&["status", "--porcelain"]), "");

    // Files that git does not know are no part of its commit.
    let app = twice.file("chart/templates/own.yaml", "# {{ include \"chart.labels\" . }}\n");
    app.run(&["init", "--template-only"])
        .exits(0)
        .says("chart/templates/_helpers.tpl stays: chart/templates/own.yaml uses `chart.labels` of it");
    assert!(older.iter().all(|path| left(&app, path) == path.ends_with("_helpers.tpl")));
}

#[test]
fn a_flattened_link_means_the_file_it_names() {
    let app = dummy().file("chart/values-prod.yaml", "values-test.yaml").cluster("prod", CLUSTER);
    let text = app.run(&["values", "--cluster", "prod", "--explain", "deployments.web.command"]).exits(0).stdout;
    assert!(text.contains("from chart/values-test.yaml:3:14"), "{text}");
}

#[test]
fn a_cluster_may_build_another_way() {
    // The seed's example: another base and no prepare on one cluster.
    let app = dummy().file(
        "chart/values-test.yaml",
        "build:\n  base: python:3.9\n  prepare:\n  script:\n    - apt-get update\n    - pip3 install -r requirements.txt\n",
    );
    let text = app.run(&["dockerfile"]).exits(0).stdout;
    assert!(
        text.starts_with("FROM python:3.9 AS build\n") && text.contains("RUN (apt-get update) && (pip3 install -r requirements.txt)\n"),
        "{text}"
    );
}

/// Values of the older tool go on as they are: what its chart let pass is a warning, however often the templates are renewed.
#[test]
fn templates_over_an_older_chart_ask_no_more_of_its_values() {
    let values = "appname: shop\ndeployments:\n  web:\n    image: nginx:1.27\n    command: [nginx]\n    replicaCount: 2\n    containerPort: 80\n    resources:\n      requests: {cpu: 10m, \
                  memory: 32Mi}\n      limits: {cpu: 1000m, memory: 64Mi}\n";
    let app = App::empty().tools(&["helm"]).values(values).file("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 0.1.11\n");
    app.run(&["lint"]).says("warning: chart/Chart.yaml:3:10: ").says("[L052]").says("next: lain init --template-only --commit");
    for _ in 0..2 {
        app.run(&["init", "--template-only"]).exits(0).says("warning: chart/values.yaml:7:5: ").says("[L013]");
    }
    let chart = fs::read_to_string(app.dir().join("chart/Chart.yaml")).expect("Chart.yaml");
    assert!(chart.contains("version: 5.0.0") && chart.contains("lain.dev/values-from: \"0.1.11\""), "{chart}");
    // Lint says nothing on the stdout of others.
    app.run(&["init", "--template-only"]).exits(0).prints("");
    // New values are held to it.
    let app = App::empty().tools(&["helm"]).values(values).chart();
    app.run(&["lint"]).exits(3).says("error: chart/values.yaml:7:5: ").says("[L013]");
}
