//! `lain lint --format`: what other programs read of it.

mod support;

use serde_json::Value as Json;
use support::{App, VALUES};

fn two_problems() -> App {
    App::new()
        .values(&VALUES.replace("replicaCount: 1", "replicaCount: two").replace("memory: 32Mi", "memory: 32MB <&\">"))
        .chart()
        .tools(&["helm"])
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn json_names_every_problem() {
    for args in [&["lint", "--format", "json"][..], &["lint", "-o", "json"]] {
        let report = json(&two_problems().run(args).exits(3).says("[L006]").stdout);
        assert_eq!((&report["version"], &report["errors"]), (&Json::from(1), &Json::from(2)));
        let first = &report["problems"][0];
        assert_eq!(
            (first["id"].as_str(), first["severity"].as_str(), first["path"].as_str()),
            (Some("L041"), Some("warning"), Some("chart/values.yaml"))
        );
        let second = &report["problems"][1];
        assert_eq!((second["id"].as_str(), second["line"].as_u64(), second["column"].as_u64()), (Some("L006"), Some(4), Some(19)));
        assert_eq!(second["hint"].as_str(), Some("replicaCount: 1"));
    }
}

/// GitLab shows nothing of an entry that lacks one of these fields.
#[test]
fn codequality_is_what_gitlab_takes() {
    let run = |app: App| json(&app.run(&["lint", "--format", "codequality"]).exits(3).stdout);
    let report = run(two_problems());
    let list = report.as_array().expect("a list");
    assert_eq!(list.len(), 3);
    for entry in list {
        for key in ["description", "check_name", "fingerprint"] {
            assert!(entry[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {entry}");
        }
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&entry["severity"].as_str().expect("a severity")));
        assert_eq!(entry["location"]["path"], "chart/values.yaml"); // relative, or the widget links nowhere
        assert!(entry["location"]["lines"]["begin"].is_u64());
    }
    let prints = |report: &Json| -> Vec<String> {
        report.as_array().expect("a list").iter().map(|entry| entry["fingerprint"].as_str().expect("text").to_owned()).collect()
    };
    let mut unique = prints(&report);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), 3, "fingerprints are unique");
    // Lines above a problem come and go; it stays the same problem.
    let below = VALUES.replace("replicaCount: 1", "replicaCount: two").replace("memory: 32Mi", "memory: 32MB <&\">");
    let moved = run(App::new().values(&format!("# one\n# two\n{below}")).chart().tools(&["helm"]));
    assert_eq!(prints(&moved), prints(&report));
    assert_eq!(moved[1]["location"]["lines"]["begin"], 6);
}

/// In a repository of several apps GitLab links files from its top, and the same mistake in two apps is two problems.
#[test]
fn gitlab_finds_the_files_of_an_app_below_the_top() {
    let app = two_problems();
    let print = |app: &App| json(&app.run(&["lint", "--format", "codequality"]).exits(3).stdout)[0].clone();
    let alone = print(&app);
    app.git(&["init", "--quiet", ".."]);
    let below = print(&app);
    let folder = app.dir().file_name().expect("a name").to_string_lossy().into_owned();
    assert_eq!(alone["location"]["path"], "chart/values.yaml");
    assert_eq!(below["location"]["path"], format!("{folder}/chart/values.yaml"));
    assert_ne!(alone["fingerprint"], below["fingerprint"]);
    let junit = app.run(&["lint", "--format", "junit"]).exits(3).stdout;
    assert!(junit.contains(&format!("file=\"{folder}/chart/values.yaml\"")), "{junit}");
    let outside = app.dir().with_file_name("outside.yaml");
    std::fs::write(&outside, "deployments: {web: {replicaCount: none}}\n").expect("a file");
    let report = app.run(&["-f", "../outside.yaml", "lint", "--format", "codequality"]).exits(3).stdout;
    assert!(report.contains("\"path\": \"outside.yaml\""), "{report}");
}

#[test]
fn junit_has_one_case_a_check() {
    let text = two_problems().run(&["lint", "--format", "junit"]).exits(3).stdout;
    let checks = lain::lint::catalogue::CHECKS.len();
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"));
    assert!(text.contains(&format!("tests=\"{checks}\" failures=\"2\"")), "{text}");
    assert_eq!(text.matches("<testcase ").count(), checks);
    assert_eq!(text.matches("<failure ").count(), 2);
    assert!(text.contains("32MB &lt;&amp;&quot;&gt;") || text.contains("MB &lt;&amp;"), "{text}");
    // A parser that is not ours takes it.
    let out = std::process::Command::new("python3")
        .args([
            "-c",
            "import sys, xml.dom.minidom as x; d = x.parseString(sys.argv[1]); print(len(d.getElementsByTagName('failure')))",
            &text,
        ])
        .output()
        .expect("python3 runs");
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "2", "{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn reports_are_whole_when_nothing_is_wrong_or_nothing_can_be_read() {
    let fine = VALUES.replace("    resources:", "    livenessProbe: {exec: {command: [\"true\"]}}\n    resources:");
    let app = App::new().values(&fine).chart().tools(&["helm"]);
    app.run(&["lint", "--format", "codequality"]).exits(0).prints("[]");
    let app = App::new().values("a: [\n");
    let report = json(&app.run(&["lint", "--format", "codequality"]).exits(1).stdout);
    assert_eq!((report[0]["check_name"].as_str(), report[0]["location"]["path"].as_str()), (Some("L000"), Some("chart/values.yaml")));
    let text = app.run(&["lint", "--format", "junit"]).exits(1).stdout;
    assert!(text.contains("<failure type=\"L000\""), "{text}");
}

#[test]
fn what_looks_like_a_secret_is_in_no_report() {
    let app = App::new().values(&format!("{VALUES}env:\n  DB_PASSWORD: hunter2-and-more\n")).chart().tools(&["helm"]);
    for format in ["text", "json", "codequality", "junit"] {
        app.run(&["lint", "--format", format]).exits(0).says("[L043]").never_says("hunter2");
    }
}

/// One run tells all of it, though none of these values can be typed.
#[test]
fn one_run_tells_everything() {
    let values = "appname: Shop\ndeploy:\n  web:\n    command: ./run.py now\n    replicaCount: [1]\n    resources:\n      requests: {cpu: 2, memory: 1Gi}\n      \
                  limits: {cpu: 1, memory: 512Mi}\n    containerPort: 99999\n  api: nothing\ncronjobs:\n  web:\n    schedule: \"* * *\"\ningresses:\n  - {host: a, \
                  deployName: wbe}\n  - {deployName: web}\nbuild:\n  prepare: {keep: [a*]}\n  base: 12\nenv: [A]\n";
    let ran = App::new().values(values).run(&["lint"]).exits(3);
    for problem in [
        "1:10: `Shop` cannot be an app's name: lower case letters, digits and `-`, 63 at most [L001]",
        "4:14: `deployments.web.command`: expected a list, found text \"./run.py now\" [L006]",
        "5:19: `deployments.web.replicaCount`: expected a whole number, found a list [L006]",
        "7:23: cpu request 2 is above the limit 1 [L021]",
        "7:34: memory request 1Gi is above the limit 512Mi [L021]",
        "9:20: containerPort 99999 is outside 1-65535 [L025]",
        "10:8: `deployments.api`: expected a map, found text \"nothing\" [L006]",
        "12:3: `web` is also the name of one of `deployments`; both would be called Shop-web [L003]",
        "13:15: ",
        "15:27: deployName `wbe` is no deployment [L015]",
        "16:5: `ingresses.1` has no `host` [L007]",
        "18:20: keep: `a*` has a `*`; what is kept is named exactly [L027]",
        "19:9: `build.base` is a number, text is expected [L030]",
        "20:6: `env`: expected a map, found a list [L006]",
    ] {
        assert!(ran.stderr.contains(&format!("chart/values.yaml:{problem}")), "{problem}\n{}", ran.stderr);
    }
}

#[test]
fn a_lint_without_advice_says_why_and_counts_its_warnings() {
    let app = |cluster: &str| App::new().chart().tools(&["helm"]).cluster("test", cluster).using("test");
    let words = "no advice on resources: the cluster values name no `prometheus`";
    let ran = app("registry: registry.example.com/team\n").run(&["lint"]).exits(0).says(words).says("lint: no error, one warning");
    assert_eq!(ran.stderr.matches(words).count(), 1, "{}", ran.stderr);
    // Nobody asked for advice, and where there is no cluster yet it is not missed.
    app("registry: registry.example.com/team\n").run(&["lint", "--simple"]).exits(0).never_says(words);
    App::new().chart().tools(&["helm"]).run(&["lint"]).exits(0).never_says(words);
    let probed = VALUES.replace("replicaCount: 1", "replicaCount: 1\n    livenessProbe: {exec: {command: [ls]}}");
    app("registry: registry.example.com/team\n")
        .values(&probed)
        .run(&["lint", "--simple"])
        .exits(0)
        .says("lint: values and chart are fine");
}
