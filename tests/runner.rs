//! examples/runner: each key is one that gitlab-runner has, with a value of its type; gitlab-runner itself passes over a wrong key without a word.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn configs() -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root().join("examples/runner")).expect("examples/runner").map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).expect("a config"))).collect()
}

/// The type of each key, by its path.
fn documented() -> BTreeMap<String, String> {
    let list = fs::read_to_string(root().join("tests/gitlab_runner_keys.txt")).expect("the list of keys");
    let row = |line: &str| line.rsplit_once(' ').map(|(path, kind)| (path.to_owned(), kind.to_owned())).expect("PATH TYPE");
    list.lines().filter(|line| !line.starts_with('#')).map(row).collect()
}

fn kind(value: &Value) -> &'static str {
    let all = |values: &[Value], is: fn(&Value) -> bool| values.iter().all(is);
    match value {
        Value::String(_) => "string",
        Value::Integer(_) => "integer",
        Value::Float(_) => "float",
        Value::Boolean(_) => "boolean",
        Value::Datetime(_) => "time",
        Value::Array(values) if all(values, Value::is_str) => "strings",
        Value::Array(values) if all(values, Value::is_integer) => "integers",
        Value::Array(_) => "an array of several types",
        Value::Table(_) => "a table",
    }
}

/// What gitlab-runner would not know, or not take, of a table at this path.
fn wrong(keys: &BTreeMap<String, String>, table: &Table, path: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let own = format!("{path}{key}");
        let of_any_name = keys.get(&format!("{path}*"));
        match (value, keys.get(&own).or(of_any_name)) {
            (_, Some(wanted)) => {
                let is = kind(value);
                if is != wanted && !(wanted == "string-or-strings" && matches!(is, "string" | "strings")) {
                    found.push(format!("{own}: {is}, not {wanted}"));
                }
            }
            (Value::Table(inner), None) if keys.keys().any(|known| known.starts_with(&format!("{own}."))) => {
                wrong(keys, inner, &format!("{own}."), found);
            }
            (Value::Array(tables), None) if keys.keys().any(|known| known.starts_with(&format!("{own}[]."))) => {
                for table in tables {
                    match table.as_table() {
                        Some(inner) => wrong(keys, inner, &format!("{own}[]."), found),
                        None => found.push(format!("{own}: an array of something else than tables")),
                    }
                }
            }
            (_, None) => found.push(format!("{own}: no such key")),
        }
    }
}

fn complaints(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    match text.parse::<Table>() {
        Ok(table) => wrong(&documented(), &table, "", &mut found),
        Err(error) => found.push(error.to_string()),
    }
    found
}

#[test]
fn every_key_is_one_of_gitlab_runners() {
    let configs = configs();
    assert_eq!(configs.len(), 5, "{configs:?}");
    for (name, text) in configs {
        assert_eq!(complaints(&text), [""; 0], "{name}");
        let runner = &text.parse::<Table>().expect("TOML")["runners"][0];
        for key in ["name", "url", "token", "executor"] {
            assert!(runner[key].as_str().is_some_and(|value| !value.is_empty()), "{name}: {key}");
        }
        assert!(text.contains("\n# What it risks: "), "{name} says what it risks");
    }
}

#[test]
fn a_wrong_key_or_value_is_seen() {
    let text = fs::read_to_string(root().join("examples/runner/config.toml")).expect("config.toml");
    for (now, then, says) in [
        ("output_limit =", "outputlimit =", "runners[].outputlimit: no such key"),
        ("concurrent = 4", "concurrent = \"4\"", "concurrent: string, not integer"),
        ("privileged = false", "privileged = \"no\"", "runners[].docker.privileged: string, not boolean"),
        ("volumes = [", "volumes = [1, ", "runners[].docker.volumes: an array of several types, not strings"),
        ("pull_policy = [\"if-not-present\"]", "pull_policy = true", "runners[].docker.pull_policy: boolean, not string-or-strings"),
        ("    image = ", "    executor = \"docker\"\n    image = ", "runners[].docker.executor: no such key"),
        ("ServerAddress", "server_address", "runners[].cache.s3.server_address: no such key"),
        ("[runners.cache.s3]", "[runners.caches.s3]", "runners[].caches: no such key"),
        ("[session_server]", "[[session_server]]", "session_server: no such key"),
        ("[[runners]]", "[runners]", "runners: no such key"),
    ] {
        assert!(text.contains(now), "{now}");
        let said = complaints(&text.replacen(now, then, 1));
        assert!(said.iter().any(|line| line == says), "{then}: {said:?}");
    }
    assert_eq!(complaints("concurrent = 1\n[[runners]]\npre_clone_script = \"\"\n"), ["runners[].pre_clone_script: no such key"]);
    assert_eq!(complaints("[[runners]]\n[runners.feature_flags]\nFF_NETWORK_PER_BUILD = 1\n").len(), 1);
    assert_eq!(complaints("concurrent = ").len(), 1, "no TOML");
}

/// What each file is there for: only one has the socket, only one a privileged service, and none a privileged job.
#[test]
fn the_safer_variants_are_safer() {
    for (name, text) in configs() {
        let config = text.parse::<Table>().expect("TOML");
        let runner = &config["runners"][0];
        let executor = runner["executor"].as_str().expect("an executor");
        let settings = runner[executor].as_table().expect("its settings");
        let is = |key: &str| settings.get(key).and_then(Value::as_bool);
        assert_eq!(is("privileged"), Some(false), "{name}");
        assert_eq!(is("services_privileged") == Some(true), name == "config-dind-tls.toml", "{name}");
        let has_socket = settings
            .get("volumes")
            .and_then(Value::as_array)
            .is_some_and(|all| all.iter().any(|one| format!("{one:?}").contains("docker.sock")));
        assert_eq!(has_socket, name == "config.toml", "{name}");
    }
}
