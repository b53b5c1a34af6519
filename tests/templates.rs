//! The pipeline templates: the whole is made of its parts, and the table that people read of the templates themselves.
//!
//! UPDATE_DOCS=1 writes `ci-templates/lain.gitlab-ci.yml` and `docs/templates.md` anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use lain::pipeline::forms::{self, ENDING, Template, WHOLE};

fn check(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).expect("written");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{} is not what it is made of: UPDATE_DOCS=1 cargo test --test templates", path.display());
}

#[test]
fn the_whole_is_its_parts() {
    check(&format!("ci-templates/{WHOLE}{ENDING}"), &forms::whole());
}

#[test]
fn the_page_lists_every_input() {
    let mut page = PAGE.to_owned();
    for name in forms::names().into_iter().filter(|name| *name != WHOLE) {
        let template = Template::read(name);
        let jobs: Vec<&str> =
            template.jobs.lines().filter_map(|line| line.strip_prefix("\"$[[ inputs.prefix ]]")?.strip_suffix("\":")).collect();
        let _ = write!(page, "\n## {name}\n\n{}\n", template.about);
        if !jobs.is_empty() {
            let stage = template.inputs.iter().find(|input| input.name == "stage").and_then(|input| input.get("default"));
            let _ = writeln!(
                page,
                "\nJobs: {}; stage `{}`.",
                jobs.iter().map(|job| format!("`{job}`")).collect::<Vec<_>>().join(", "),
                stage.expect("a stage")
            );
        }
        page += &table(&template, |input| !COMMON.contains(&input));
    }
    let _ = write!(page, "\n## Inputs of every template\n{}", table(&Template::read("lint"), |input| COMMON.contains(&input)));
    check("docs/templates.md", &page);
}

const COMMON: [&str; 8] = ["cluster", "prefix", "app-dir", "environment-suffix", "image", "stage", "timeout", "before-script"];

fn table(template: &Template, wanted: impl Fn(&str) -> bool) -> String {
    let inputs: Vec<_> = template.inputs.iter().filter(|input| wanted(&input.name)).collect();
    if inputs.is_empty() {
        return String::new();
    }
    let mut out = "\n| input | default | |\n| --- | --- | --- |\n".to_owned();
    for input in inputs {
        let default = match (input.name.as_str(), input.get("default")) {
            ("stage", _) => "see above".to_owned(),
            (_, None) => "(required)".to_owned(),
            (_, Some(default)) => format!("`{default}`"),
        };
        let kind = match (input.get("type"), input.get("options")) {
            (Some("array"), _) => " A list.".to_owned(),
            (Some("boolean"), _) => " `true` or `false`.".to_owned(),
            (_, Some(options)) => format!(
                " One of {}.",
                options.trim_matches(['[', ']']).split(", ").map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")
            ),
            _ => String::new(),
        };
        let _ = writeln!(
            out,
            "| `{}` | {} | {}{} |",
            input.name,
            default.replace('|', "\\|"),
            input.get("description").expect("a description"),
            kind
        );
    }
    out
}

const PAGE: &str = "\
# The templates

Made of `ci-templates/` by `UPDATE_DOCS=1 cargo test --test templates`; how to use them is in [pipelines.md](pipelines.md).
";
