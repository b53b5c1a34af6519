//! The steps that docs/other-ci.md gives to other CIs, as their shells run them, with the binaries by themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::support::{Place, Ran};

const PAGE: &str = include_str!("../../docs/other-ci.md");

/// What stands between the fences of this language.
fn block(language: &str) -> &'static str {
    let rest = PAGE.split_once(&format!("```{language}\n")).expect("an example").1;
    rest.split_once("\n```").expect("its end").0
}

/// Runs a script as one CI does, in the app's folder, with its variables.
fn run(place: &Place, script: &str, variables: &BTreeMap<String, String>) -> Ran {
    let binaries = Path::new(env!("CARGO_BIN_EXE_lain")).parent().expect("a folder").display().to_string();
    let mut shell = place.program("bash");
    let path = shell.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value).expect("a PATH").to_owned();
    shell.env("PATH", format!("{binaries}:{}", path.to_string_lossy()));
    shell.env("CI", "true").env("LAIN_CLUSTER", "test").envs(variables).args(["-eo", "pipefail", "-c", script]);
    Ran::of(&shell.output().expect("bash runs"))
}

#[test]
fn each_runs_the_steps_of_the_page() {
    let place = Place::new("4.3.1").with_dummy();
    let kubeconfig = place.home().join(".kube/kubeconfig-test");
    let of = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let folder = |name: &str| {
        let path = place.root.path().join(name);
        fs::create_dir(&path).expect("a folder");
        path.display().to_string()
    };
    let said = |name: &str| -> Json {
        serde_json::from_str(&fs::read_to_string(Path::new(name).join("deploy.json")).expect("a result")).expect("JSON")
    };

    // A shell: its results are where mktemp makes them.
    let temporary = folder("shell");
    let ran = run(&place, block("bash"), &of(&[("KUBECONFIG", &kubeconfig.display().to_string()), ("TMPDIR", &temporary)])).ok();
    ran.says("docker build").says("deployed");

    // GitHub: each step a shell of its own; what a step writes into GITHUB_ENV the next has.
    let workflow: Json = serde_yaml::from_str(block("yaml")).expect("YAML");
    let temporary = folder("github");
    let file = format!("{temporary}/env");
    let mut variables = of(&[("RUNNER_TEMP", &temporary), ("GITHUB_ENV", &file), ("GITHUB_WORKSPACE", &place.app.display().to_string())]);
    variables.insert("KUBECONFIG_TEXT".to_owned(), fs::read_to_string(&kubeconfig).expect("a kubeconfig"));
    let steps = workflow["jobs"]["deploy"]["steps"].as_array().expect("steps");
    let scripts: Vec<&str> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    assert_eq!(scripts.len(), steps.len() - 1, "all but the checkout");
    for script in scripts {
        run(&place, script, &variables).ok();
        for line in fs::read_to_string(&file).unwrap_or_default().lines() {
            let (name, value) = line.split_once('=').expect("NAME=value");
            variables.insert(name.to_owned(), value.to_owned());
        }
    }
    assert_eq!(said(&temporary)["outcome"], "deployed");
    assert!(said(&temporary)["image"].as_str().is_none_or(|image| variables["LAIN_IMAGE"] == image));

    // Jenkins: what stands in `sh '...'`.
    let temporary = folder("jenkins");
    let variables = of(&[("WORKSPACE_TMP", &temporary), ("KUBECONFIG", &kubeconfig.display().to_string())]);
    let scripts: Vec<&str> = block("groovy").split("sh '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    assert_eq!(scripts.len(), 4, "{scripts:?}");
    for script in scripts {
        run(&place, script, &variables).ok();
    }
    assert_eq!(said(&temporary)["outcome"], "deployed");
    assert_eq!(place.helm(&["history", &place.appname, "-o", "json"]).ok().stdout.matches("\"revision\"").count(), 3);
}
