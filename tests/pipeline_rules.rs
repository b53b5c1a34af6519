//! Every template of `ci-templates/` with every combination of its inputs, against GitLab's own schema of pipelines.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::{Draft, Validator};
use lain::pipeline::{Declared, Project, declared_inputs, kinds, templates};
use serde_json::{Map, Value as Json, json};

/// More combinations than this are tried pair by pair.
const MOST: usize = 2000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// GitLab's schema, as the rig's gitlab-ci-local has it.
fn schema() -> Validator {
    let rig = Command::new(root().join("tests/rig/rig")).arg("pipelines").output().expect("the rig");
    let text = String::from_utf8(rig.stdout).expect("text");
    let program = text.lines().last().expect("the path of gitlab-ci-local").to_owned();
    let bundle = fs::canonicalize(program).expect("gitlab-ci-local is there");
    let made = Command::new("node").arg(root().join("tests/support/gitlab_schema.js")).arg(bundle).output().expect("node");
    let mut schema: Json =
        serde_json::from_slice(&made.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&made.stderr)));
    assert!(schema["definitions"]["job_template"]["properties"]["script"].is_object(), "GitLab's schema of jobs");
    // This pattern, and the format beside it, refuse what GitLab takes and its documentation shows (`url: $DYNAMIC_ENVIRONMENT_URL`); gitlab-ci-local
    // leaves the pattern out and reads no formats.
    let url = &mut schema["definitions"]["job_template"]["properties"]["environment"]["oneOf"][1]["properties"]["url"];
    url.as_object_mut().expect("a property").remove("pattern").expect("a pattern");
    jsonschema::options().with_draft(Draft::Draft7).should_validate_formats(false).build(&schema).expect("a schema")
}

/// What an input is tried with: all that it may be where that is a closed choice, one value elsewhere.
fn choices(input: &Declared) -> Vec<Json> {
    if !input.options.is_empty() {
        return input.options.clone();
    }
    match (input.kind.as_str(), &input.default) {
        ("boolean", _) => vec![json!(true), json!(false)],
        (_, Some(default)) => vec![default.clone()],
        ("number", None) => vec![json!(5)],
        ("array", None) => vec![json!(["make test"])],
        (_, None) => {
            let fits = |text: &str| input.regex.as_ref().is_none_or(|regex| matches(regex, text));
            let found = ["test", "1 day", "v1", "5"].into_iter().find(|text| fits(text));
            vec![json!(found.unwrap_or_else(|| panic!("no value for {}", input.name)))]
        }
    }
}

/// Does a text match, by the validator's own pattern engine.
fn matches(regex: &str, text: &str) -> bool {
    jsonschema::draft7::new(&json!({"pattern": regex})).is_ok_and(|schema| schema.is_valid(&json!(text)))
}

/// All combinations, or rows that hold every pair of values.
fn rows(choices: &[Vec<Json>]) -> Vec<Vec<usize>> {
    let all = choices.iter().try_fold(1_usize, |product, values| product.checked_mul(values.len())).unwrap_or(usize::MAX);
    if all <= MOST {
        let mut rows = vec![vec![]];
        for values in choices {
            rows = rows
                .into_iter()
                .flat_map(|row: Vec<usize>| (0..values.len()).map(move |value| [row.clone(), vec![value]].concat()))
                .collect();
        }
        return rows;
    }
    let mut open: BTreeSet<(usize, usize, usize, usize)> = BTreeSet::new();
    for (left, lefts) in choices.iter().enumerate() {
        for (right, rights) in choices.iter().enumerate().skip(left + 1) {
            open.extend((0..lefts.len()).flat_map(|a| (0..rights.len()).map(move |b| (left, a, right, b))));
        }
    }
    let mut rows = Vec::new();
    while let Some(&(left, a, right, b)) = open.first() {
        let mut row: Vec<Option<usize>> = vec![None; choices.len()];
        (row[left], row[right]) = (Some(a), Some(b));
        for at in 0..choices.len() {
            let gain = |value: usize| {
                let pair = |other: usize, chosen: usize| if other < at { (other, chosen, at, value) } else { (at, value, other, chosen) };
                row.iter()
                    .enumerate()
                    .filter(|(other, chosen)| *other != at && chosen.is_some_and(|chosen| open.contains(&pair(*other, chosen))))
                    .count()
            };
            let best = (0..choices[at].len()).max_by_key(|value| gain(*value)).unwrap_or(0);
            row[at] = row[at].or(Some(best));
        }
        let row: Vec<usize> = row.into_iter().map(|value| value.unwrap_or(0)).collect();
        open.retain(|(left, a, right, b)| row[*left] != *a || row[*right] != *b);
        rows.push(row);
    }
    rows
}

#[test]
fn pairs_are_all_there() {
    let choices = vec![vec![json!(true), json!(false)]; 14];
    let rows = rows(&choices);
    assert!(rows.len() < 40, "{}", rows.len());
    for left in 0..14 {
        for right in left + 1..14 {
            let seen: BTreeSet<(usize, usize)> = rows.iter().map(|row| (row[left], row[right])).collect();
            assert_eq!(seen.len(), 4, "{left} and {right}");
        }
    }
}

#[test]
fn every_combination_of_inputs_passes_gitlabs_schema() {
    let schema = schema();
    let kind = &kinds()[0];
    let names = templates::all();
    assert!(names.contains(&"lain"));
    for name in names {
        let text = templates::text(name).expect("a template");
        let inputs = declared_inputs(Path::new(name), text).expect("YAML");
        let choices: Vec<Vec<Json>> = inputs.iter().map(choices).collect();
        let rows = rows(&choices);
        println!("{name}: {} inputs, {} combinations", inputs.len(), rows.len());
        for row in rows {
            let given: Map<String, Json> =
                inputs.iter().zip(row).zip(&choices).map(|((input, value), values)| (input.name.clone(), values[value].clone())).collect();
            let file = json!({"include": [{"local": format!("/ci-templates/{name}.gitlab-ci.yml"), "inputs": given}]}).to_string();
            let project = Project::of(&root(), Path::new(".gitlab-ci.yml"), &file).expect("YAML");
            let merged = project.merged(kind, &[]);
            assert!(merged.findings().is_empty(), "{name} with {file}: {:?}", merged.findings());
            let json = merged.to_json();
            let wrong: Vec<String> = schema.iter_errors(&json).map(|error| format!("{}: {error}", error.instance_path())).collect();
            assert!(wrong.is_empty(), "{name} with {file}:\n{}", wrong.join("\n"));
            assert!(!json.to_string().contains("$[["), "{name}: an input that nobody filled in: {json}");
        }
    }
}
