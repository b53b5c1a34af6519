//! `lain schema`, held against a validator that is not ours.

#[path = "support/objects.rs"]
mod objects;
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::{Validator, draft202012};
use lain::model::aliases::ALIASES;
use lain::render::chart::{self, Language};
use lain::values::parse::parse;
use serde_json::Value as Json;
use support::{App, VALUES};

fn schema(of: &str) -> (Json, Validator) {
    let text = App::empty().run(&["schema", of]).exits(0).stdout;
    let schema: Json = serde_json::from_str(&text).expect("JSON");
    assert!(draft202012::meta::is_valid(&schema), "{of}: a schema of draft 2020-12");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let validator = draft202012::new(&schema).expect("a schema");
    (schema, validator)
}

fn data(name: &str, text: &str) -> Json {
    parse(Path::new(name), text.to_owned()).unwrap_or_else(|error| panic!("{error}")).to_json()
}

#[track_caller]
fn fits(validator: &Validator, name: &str, text: &str) {
    let data = data(name, text);
    let wrong: Vec<String> = validator.iter_errors(&data).map(|error| format!("{name}: {}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `chart/values*.yaml` of every example.
fn examples() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for app in objects::apps() {
        if let Ok(entries) = fs::read_dir(app.join("chart")) {
            let paths = entries.map(|entry| entry.expect("an entry").path());
            found.extend(paths.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("values"))));
        }
    }
    assert!(!found.is_empty());
    found
}

#[test]
fn results_have_one_too() {
    for of in ["deploy", "diff", "status", "waste", "admin-status"] {
        let (schema, validator) = schema(of);
        assert!(schema["properties"]["version"].is_object() && !validator.is_valid(&serde_json::json!({"version": 1})), "{schema:#}");
    }
}

#[test]
fn every_example_fits() {
    let (_, validator) = schema("values");
    for path in examples() {
        let name = path.display().to_string();
        if path.ends_with("values.yaml") {
            fits(&validator, &name, &fs::read_to_string(&path).expect("values"));
        }
    }
    fits(&validator, "VALUES", VALUES);
    for language in [Language::En, Language::Zh] {
        let text = chart::values("shop", language).expect("values");
        fits(&validator, "lain init", &text);
        // Everything that the comments show, switched on.
        let shown: String = text.lines().map(|line| uncommented(line) + "\n").collect();
        fits(&validator, "lain init, uncommented", &shown);
    }
}

/// `# key: value` is an example, `## words` explain.
fn uncommented(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    match line.trim_start().strip_prefix("# ") {
        Some(rest) if !rest.starts_with('-') || rest.starts_with("- ") => format!("{}{rest}", " ".repeat(indent)),
        _ => line.to_owned(),
    }
    .replace("--------", "#-------")
}

#[test]
fn what_lint_calls_wrong_does_not_fit() {
    let (_, validator) = schema("values");
    for (from, to) in [
        ("appname: shop\n", ""),
        ("replicaCount: 1", "replicaCount: two"),
        ("    replicaCount: 1\n", ""),
        ("command: [sleep, \"1000\"]", "command: sleep 1000"),
        ("command: [sleep, \"1000\"]", "containerPort: 99999"),
        ("  base: alpine:3\n", ""),
        ("replicaCount: 1", "replicaCount: 1\n    nodePort: 80"),
        ("replicaCount: 1", "replicaCount: 1\n    concurrencyPolicy: Sometimes"),
        ("replicaCount: 1", "replicaCount: 1\n    env: {DEBUG: on}"),
    ] {
        let text = VALUES.replace(from, to);
        assert_ne!(text, VALUES);
        assert!(!validator.is_valid(&data("values", &text)), "{from:?} -> {to:?}");
        App::new().values(&text).chart().tools(&["helm"]).run(&["lint", "--simple"]).exits(3);
    }
}

#[test]
fn nulls_and_unknown_keys_fit() {
    let (_, validator) = schema("values");
    fits(&validator, "nulls", &format!("{VALUES}env: {{A: null}}\ncronjobs:\njobs: {{old: null}}\nmyOwn: {{key: [1]}}\ningresses: null\n"));
}

#[test]
fn aliases_are_known_to_editors() {
    let (schema, _) = schema("values");
    for (key, aliases) in ALIASES {
        for alias in *aliases {
            assert_eq!(schema["properties"][alias]["anyOf"], schema["properties"][key]["anyOf"], "{alias}");
            assert_eq!(schema["properties"][alias]["items"], schema["properties"][key]["items"], "{alias}");
        }
    }
}

#[test]
fn clusters_fit() {
    let (_, validator) = schema("cluster");
    let text = "registry: registry.example.com/dev\ninternalRegistry: registry:5000/dev\ndomain: example.com\nsecrets_env:\n  harbor_token: HARBOR\n  access_key_id: {env_name: \
                KEY, hint: ask, required: false}\nclusterHostAliases: [{ip: 10.0.0.1, hostnames: [a]}]\npql_template: {cpu: x, memory_quantile: \
                z}\nregistry_endpoint_use_https: true\njfs: whatever\npypi_index: ''\nunknown: 1\ningress_external_port: 443\nprogress_budget: 5m\n";
    fits(&validator, "cluster", text);
    for wrong in [
        "registry: 1\n",
        "ingress_external_port: 0\n",
        "supportsIngressClassName: maybe\n",
        "progress_budget: [5m]\n",
        "secrets_env: {a: {hint: b}}\n",
    ] {
        assert!(!validator.is_valid(&data("cluster", wrong)), "{wrong}");
    }
}

/// The line that `init` puts into values.yaml names a file that is there, and it is this schema.
#[test]
fn init_tells_editors_of_it() {
    let app = App::empty().tools(&["helm"]);
    app.run(&["init", "--appname", "shop"]).exits(0);
    let values = fs::read_to_string(app.dir().join("chart/values.yaml")).expect("values");
    let name = values.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema=")).expect("the line");
    let beside: Json = serde_json::from_slice(&fs::read(app.dir().join("chart").join(name)).expect("the schema")).expect("JSON");
    assert_eq!(beside, schema("values").0);
    // helm reads a file called values.schema.json; it must not take ours for one, nor carry it in the release.
    assert_ne!(name, "values.schema.json");
}
