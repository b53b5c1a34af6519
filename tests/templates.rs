//! The pipeline templates: the whole is made of its parts, and the table that people read of the templates themselves.
//!
//! `UPDATE_DOCS=1` writes `ci-templates/lain.gitlab-ci.yml` and `docs/templates.md` anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use lain::pipeline::forms::{self, Template, WHOLE};
use lain::pipeline::templates::ENDING;
use lain::pipeline::{JobIn, Kind, Project, When, jobs, kinds};

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
    for (title, about, included) in TABLES {
        let _ = write!(page, "\n## {title}\n\n{about}\n\n{}", kinds_by_jobs(&project(included)));
    }
    check("docs/templates.md", &page);
}

/// What the tables of the page are of.
const TABLES: &[(&str, &str, &str)] = &[
    (
        "Which jobs a pipeline has: `lain` as it is",
        "`x` by itself, `hand` by hand, `failed` after a failure. GitLab makes no pipeline where a column is empty.",
        "include: [{local: ci-templates/lain.gitlab-ci.yml, inputs: {cluster: test}}]",
    ),
    (
        "Which jobs a pipeline has: everything, beside `workflow`",
        "With `merge-requests: true` and `build-on: all`; the release is that of a second cluster. `cleanup` runs in schedules with LAIN_CLEANUP alone.",
        EVERYTHING,
    ),
];
const EVERYTHING: &str = "\
include:
  - {local: ci-templates/workflow.gitlab-ci.yml}
  - local: ci-templates/lain.gitlab-ci.yml
    inputs:
      {cluster: test, merge-requests: true, build-on: all, test: true, test-script: [pytest], canary: true, review: true, diff: true, changelog: true,
       notify: true, notify-on-failure: false, release: true, release-from: other, cleanup: true}";

/// Of a text, with the templates of this checkout.
fn project(text: &str) -> Project {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    Project::of(top, Path::new(".gitlab-ci.yml"), text).expect("YAML")
}

fn of_kind(project: &Project, kind: &Kind, given: &[(&str, &str)]) -> Vec<JobIn> {
    jobs(&project.merged(kind, given), kind, given)
}

fn word(job: &JobIn) -> &'static str {
    match job.when {
        When::Manual => "hand",
        When::OnFailure => "failed",
        _ => "x",
    }
}

fn kinds_by_jobs(project: &Project) -> String {
    let kinds = kinds();
    let each: Vec<Vec<JobIn>> = kinds.iter().map(|kind| of_kind(project, kind, &[])).collect();
    let mut names: Vec<&str> = vec![];
    for job in each.iter().flatten() {
        if !names.contains(&job.name.as_str()) {
            names.push(&job.name);
        }
    }
    let all = Template::read(WHOLE).jobs;
    names.sort_by_key(|name| all.find(&format!("]]{}\":", name.split(':').next().unwrap_or(name))));
    let mut out = format!("| pipeline | {} |\n| --- |{}\n", names.join(" | "), " --- |".repeat(names.len()));
    for (kind, jobs) in kinds.iter().zip(&each) {
        let cells: Vec<_> = names.iter().map(|name| jobs.iter().find(|job| job.name == *name).map_or("", word)).collect();
        let _ = writeln!(out, "| {} | {} |", kind.title, cells.join(" | "));
    }
    out
}

/// So the tables hold for the files of single jobs too.
#[test]
fn a_template_alone_has_the_jobs_of_its_part() {
    let flags = |on: &str, at: &str| format!("{on}, merge-requests: {at}");
    for merge_requests in ["true", "false"] {
        for (name, more) in [
            ("lint", ""),
            ("prepare", ""),
            ("test", "script: [pytest]"),
            ("build", "build-on: all"),
            ("deploy", "deploy-on: protected"),
            ("canary", ""),
            ("rollback", ""),
            ("release", "from: other"),
            ("review", "when: label"),
            ("diff", ""),
            ("changelog", ""),
            ("notify", "on-failure: false"),
            ("cleanup", "keep: 5"),
        ] {
            let takes = Template::read(name).inputs.iter().any(|input| input.name == "merge-requests");
            let own = if takes { flags(more, merge_requests) } else { more.to_owned() };
            let alone = project(&format!(
                "include: [{{local: ci-templates/{name}.gitlab-ci.yml, inputs: {{cluster: test, prefix: 'a-', {}}}}}]",
                own.trim_start_matches(", ")
            ));
            let others = ["lint", "prepare", "build", "deploy", "rollback"].into_iter().filter(|other| *other != name);
            let off = others.fold(String::new(), |off, other| format!("{off}{other}: false, "));
            let own = match more.split_once(": ") {
                Some((key, value)) if key.starts_with(name) => format!(", {key}: {value}"),
                Some((key, value)) => format!(", {name}-{key}: {value}"),
                None => String::new(),
            };
            let part = project(&format!(
                "include: [{{local: ci-templates/lain.gitlab-ci.yml, inputs: {{cluster: test, prefix: 'a-', {off}{name}: true, merge-requests: {merge_requests}{own}}}}}]"
            ));
            for kind in kinds() {
                for given in [
                    &[][..],
                    &[("CI_DEPLOY_FREEZE", "true")],
                    &[("CI_MERGE_REQUEST_LABELS", "bug,review")],
                    &[("LAIN_SKIP_DEPLOY", "1"), ("LAIN_SKIP_LINT", "1")],
                    &[("LAIN_CLEANUP", "1")],
                ] {
                    let seen = |project: &Project| {
                        of_kind(project, &kind, given).iter().map(|job| format!("{} {}", job.name, word(job))).collect::<Vec<_>>()
                    };
                    assert_eq!(seen(&alone), seen(&part), "{name} in {} with {given:?}", kind.id);
                }
            }
        }
    }
}

/// What a stranger may choose, or a colleague type: none of it may become a command, or an option.
const HOSTILE: &[&str] =
    &["$(touch hacked)", "`touch hacked`", "'; touch hacked; '", "\"; touch hacked; \"", "a b", "--version", "a\ntouch hacked\n", "*", "~"];

/// Each job's script in a shell, with programs that write down what they are given.
#[test]
fn no_value_of_a_variable_is_a_command() {
    let names = [
        "CI_COMMIT_BRANCH",
        "CI_DEFAULT_BRANCH",
        "CI_COMMIT_REF_NAME",
        "CI_COMMIT_SHORT_SHA",
        "CI_PROJECT_PATH",
        "CI_PIPELINE_URL",
        "CI_JOB_URL",
        "CI_MERGE_REQUEST_IID",
        "LAIN_CLUSTER",
        "LAIN_IMAGE",
        "LAIN_REVIEW_APP",
        "LAIN_PROMOTE_FROM",
        "LAIN_CANARY_GROUP",
        "LAIN_BUILD_PUBLISH",
        "LAIN_BUILD_SBOM",
        "LAIN_BUILD_SIGN",
        "LAIN_DEPLOY_WHEN",
        "LAIN_PREPARE_WHEN",
        "LAIN_DIFF_NOTE",
        "LAIN_DIFF_FAIL",
        "LAIN_DEPLOY_ROLLBACK",
        "LAIN_DEPLOY_CANARY",
        "LAIN_CLEANUP_KEEP",
        "LAIN_CLEANUP_DRY_RUN",
        "GITLAB_API_TOKEN",
    ];
    let bin = tempfile::tempdir().expect("a folder");
    for program in ["lain-render", "lain-build", "lain-deploy", "lain-notify"] {
        let path = bin.path().join(program);
        fs::write(&path, "#!/bin/sh\nfor it in \"$@\"; do printf '<%s>\\n' \"$it\" >&2; done\n").expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a program");
    }
    let path = format!("{}:/usr/bin:/bin", bin.path().display());
    let (mut ran, mut as_it_is) = (0, 0);
    for name in forms::names() {
        let jobs: BTreeMap<String, serde_json::Value> = serde_yaml::from_str(&Template::read(name).jobs).unwrap_or_default();
        for (job, keys) in jobs {
            let lines = keys["script"].as_array().expect("a script").iter().filter_map(|line| line.as_str());
            let script: Vec<_> = lines.filter(|line| !line.starts_with("$[[")).collect();
            for value in HOSTILE {
                let here = tempfile::tempdir().expect("a folder");
                let mut shell = Command::new("bash");
                shell.args(["-eo", "pipefail", "-c", &script.join("\n")]).current_dir(here.path()).env_clear().env("PATH", &path);
                shell.env("CI_PROJECT_DIR", here.path()).env("LAIN_APP_DIR", ".").envs(names.map(|name| (name, value)));
                let out = shell.output().expect("bash");
                let told = String::from_utf8_lossy(&out.stderr).into_owned();
                assert!(out.status.success(), "{name}: {job} with {value:?}: {told}");
                let left: Vec<_> = fs::read_dir(here.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name()).collect();
                assert!(
                    left.iter().all(|file| file.to_string_lossy().starts_with("lain-") || file == "gl-code-quality-report.json"),
                    "{name}: {job} with {value:?}: {left:?}"
                );
                as_it_is += usize::from(told.contains(&format!("<{value}>")));
                ran += 1;
            }
        }
    }
    assert!(ran > 200 && as_it_is > 50, "{ran} scripts, {as_it_is} of them with the value as an argument of its own");
}

/// `sbom` and `sign` of the build, alone and both.
#[test]
fn a_build_is_sealed_as_its_inputs_say() {
    let bin = tempfile::tempdir().expect("a folder");
    let program = bin.path().join("lain-build");
    fs::write(&program, "#!/bin/sh\necho \"$*\" >&2\n").expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
    let jobs: BTreeMap<String, serde_json::Value> = serde_yaml::from_str(&Template::read("build").jobs).expect("jobs");
    let job = jobs.values().find(|job| !job["script"].is_null()).expect("a job");
    let script: Vec<_> = job["script"].as_array().expect("a script").iter().filter_map(|line| line.as_str()).skip(1).collect();
    for (sbom, sign, flags) in
        [("false", "false", ""), ("true", "false", " --sbom"), ("false", "true", " --sign"), ("true", "true", " --sbom --sign")]
    {
        let mut shell = Command::new("bash");
        shell.args(["-eo", "pipefail", "-c", &script.join("\n")]).current_dir(bin.path()).env_clear();
        shell.env("PATH", format!("{}:/usr/bin:/bin", bin.path().display())).env("LAIN_BUILD_SBOM", sbom).env("LAIN_BUILD_SIGN", sign);
        let out = shell.output().expect("bash");
        let told = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(told.trim(), format!("build --if-missing -o dotenv --push{flags}"));
    }
    let inputs: Vec<_> =
        ["sbom", "sign"].iter().map(|name| job["variables"][format!("LAIN_BUILD_{}", name.to_uppercase())].clone()).collect();
    assert_eq!(inputs, ["$[[ inputs.sbom ]]", "$[[ inputs.sign ]]"]);
}

/// Nor does a template take such a value for an input that becomes text.
#[test]
fn no_value_of_an_input_breaks_out() {
    for name in forms::names() {
        for input in Template::read(name).inputs.iter().filter(|input| input.get("type").is_none()) {
            assert!(input.get("regex").is_some() || input.get("options").is_some(), "{name}: `{}` takes any text", input.name);
            for value in HOSTILE.iter().chain(&["x\"", "x'", "x: y", "#", "]]", "$[[ inputs.cluster ]]", "\\"]) {
                let text = format!(
                    "include: [{{local: ci-templates/{name}.gitlab-ci.yml, inputs: {{cluster: test, {}: {}}}}}]",
                    input.name,
                    serde_json::to_string(value).expect("JSON")
                );
                let merged = project(&text).merged(&kinds()[0], &[]);
                let said = format!("{:?}", merged.findings());
                // Behind a cluster's name a dash is no option, a stage may have a blank, a report's path a star.
                let harmless =
                    [("environment-suffix", "--version"), ("stage", "a b"), ("timeout", "a b"), ("auto-stop-in", "a b"), ("junit", "*")]
                        .iter()
                        .any(|(end, text)| input.name.ends_with(end) && value == text);
                assert!(harmless || said.contains(&input.name), "{name}: `{}` takes {value:?}: {said}", input.name);
            }
        }
    }
}

#[test]
fn twice_under_two_prefixes_is_twice_the_jobs() {
    let include = EVERYTHING.split_once("  - local: ci-templates/lain").expect("the whole").1;
    let included = |prefix: &str| {
        format!("  - local: ci-templates/lain{}", include.replace("{cluster: test", &format!("{{cluster: test, prefix: '{prefix}'")))
    };
    let (once, twice) =
        (project(&format!("include:\n{}", included("a-"))), project(&format!("include:\n{}\n{}", included("a-"), included("b-"))));
    for kind in kinds() {
        let names = |project: &Project| of_kind(project, &kind, &[]).into_iter().map(|job| job.name).collect::<Vec<_>>();
        let mut expected = names(&once);
        expected.extend(expected.clone().iter().map(|name| name.replacen("a-", "b-", 1)));
        let mut seen = names(&twice);
        seen.sort_unstable();
        expected.sort_unstable();
        assert_eq!(seen, expected, "{}", kind.id);
    }
    let findings = twice.merged(&kinds()[0], &[]);
    assert!(findings.findings().is_empty(), "{:?}", findings.findings());
}

/// What no table shows: what a variable does to it.
#[test]
fn the_ways_out_are_heard() {
    let everything = project(EVERYTHING);
    let names = |id: &str, given: &[(&str, &str)]| -> Vec<String> {
        let kind = kinds().into_iter().find(|kind| kind.id == id).expect("a kind");
        of_kind(&everything, &kind, given).into_iter().map(|job| job.name).collect()
    };
    let has = |id: &str, given: &[(&str, &str)], job: &str| names(id, given).iter().any(|name| name == job);
    assert!(has("default", &[], "deploy") && has("default", &[], "lint") && has("mr", &[], "review"));
    let freeze = ("CI_DEPLOY_FREEZE", "true");
    assert!(!has("default", &[freeze], "deploy") && !has("tag-protected", &[freeze], "release") && has("default", &[freeze], "rollback"));
    assert!(has("default", &[freeze, ("LAIN_FORCE", "1")], "deploy") && !has("default", &[freeze, ("LAIN_FORCE", "0")], "deploy"));
    assert!(!has("default", &[freeze, ("LAIN_FORCE", "")], "deploy"));
    for (variable, id, job) in
        [("LAIN_SKIP_LINT", "default", "lint"), ("LAIN_SKIP_DEPLOY", "default", "deploy"), ("LAIN_SKIP_REVIEW", "mr", "review")]
    {
        assert!(!has(id, &[(variable, "1")], job) && has(id, &[(variable, "false")], job) && has(id, &[(variable, "")], job), "{variable}");
    }
    for (value, runs) in [("1", true), ("yes", true), ("", false), ("0", false), ("false", false)] {
        let given = &[("LAIN_CLEANUP", value)];
        assert_eq!(names("schedule", given), if runs { vec!["cleanup"] } else { vec![] }, "{value:?}");
        assert!(!has("default", given, "cleanup") && !has("web", given, "cleanup"), "it is nobody's push");
    }
    assert!(!has("tag", &[], "promote") && has("tag-protected", &[], "promote"));
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
