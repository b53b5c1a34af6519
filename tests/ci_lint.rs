//! `lain ci lint`: each finding by a small file, and what is said of healthy ones.

mod support;

use std::fs;
use std::path::Path;

use support::App;

const FILE: &str = ".gitlab-ci.yml";

/// An include of lain's template, from another project.
const LAIN: &str = "include:\n- project: infra/lain\n  file: /ci-templates/lain.gitlab-ci.yml\n  inputs: {cluster: test}\nstages: [prepare, build, test, deploy]\n";

fn with(text: &str) -> App {
    App::empty().file(FILE, text)
}

/// An error of this id with these words, and exit code 3.
#[track_caller]
fn refused(text: &str, id: &str, words: &str) {
    with(text).run(&["ci", "lint"]).exits(3).says(&format!("[{id}]")).says(words).next("lain ci lint --explain ID");
}

/// A warning of this id with these words; no error.
#[track_caller]
fn warned(text: &str, id: &str, words: &str) {
    with(text).run(&["ci", "lint"]).exits(0).says(&format!("[{id}]")).says(words);
}

/// Nothing is wrong.
#[track_caller]
fn fine(text: &str) {
    with(text).run(&["ci", "lint"]).exits(0).says("is fine").never_says("[C0").never_says("warning");
}

#[test]
fn the_seeds_pipeline_is_fine() {
    let seed = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/dummy/.gitlab-ci.yml")).expect("the example");
    let ran = with(&seed).run(&["ci", "lint"]).exits(0).says("is fine: 3 jobs in 11 of 14 kinds of pipeline").never_says("warning");
    assert!(ran.stderr.lines().all(|line| line.chars().count() <= 80), "{}", ran.stderr);
    with(&seed).run(&["ci", "lint", "--notes"]).exits(0).says("[C015]").says("instead: ");
}

/// Nothing to say of the pipelines that the examples have, and each reader of examples/README.md finds them all.
#[test]
fn the_examples_pipelines_are_fine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let page = fs::read_to_string(root.join("README.md")).expect("the list");
    let mut found = 0;
    for entry in fs::read_dir(&root).expect("examples") {
        let example = entry.expect("an entry").path();
        if !example.is_dir() {
            continue;
        }
        let name = example.file_name().expect("a name").to_string_lossy().into_owned();
        // No apps: the wrapper, and what runners are given.
        if matches!(name.as_str(), "bin" | "runner") {
            assert!(page.contains(&format!("]({name}/")), "{name} is named");
            continue;
        }
        assert!(page.contains(&format!("| [{name}]({name}) |")) && example.join("README.md").exists(), "{name} is described");
        // What is there to be read, not to be run.
        if name == "everything" {
            continue;
        }
        let text = fs::read_to_string(example.join(".gitlab-ci.yml")).unwrap_or_else(|_| panic!("{name} has a pipeline"));
        fine(&text);
        found += 1;
    }
    assert!(found > 9, "{found} pipelines");
}

/// What the pages for those who come from elsewhere tell to write is fine, beside what cannot be read here.
#[test]
fn the_pipelines_of_the_pages_are_fine() {
    for page in ["from-auto-devops", "from-to-be-continuous"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/{page}.md"))).expect("a page");
        let blocks: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{page}");
        for block in blocks {
            fine(block);
        }
    }
}

#[test]
fn one_include_is_fine() {
    let ran = with(LAIN).run(&["ci", "lint", "--list"]).exits(0).says("is fine: 5 jobs").never_says("canary");
    assert!(ran.stdout.contains("deploy\n    push to the default branch\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("rollback\n    push to the default branch (by hand)\n"), "{}", ran.stdout);
}

#[test]
fn a_file_that_is_not_there() {
    App::empty().run(&["ci", "lint"]).exits(1).says("no .gitlab-ci.yml here").next("lain ci lint FILE");
    App::empty().run(&["ci", "lint", "other.yml"]).exits(1).says("other.yml").next("ls");
    App::empty().file("ci/other.yml", "a: {script: x}\n").run(&["ci", "lint", "ci/other.yml"]).exits(0).says("ci/other.yml is fine");
}

#[test]
fn what_gitlab_cannot_read() {
    with("a: {script: [x}\n").run(&["ci", "lint"]).exits(1).says(".gitlab-ci.yml:").says("not valid YAML");
    refused("include: [{local: /ci/buidl.yml}]\na: {script: x}\n", "C001", "ci/buidl.yml");
    refused("- a\n", "C001", "a pipeline is a map");
}

#[test]
fn misspelt_words() {
    refused("a: {script: x, stages: test}\n", "C002", "GitLab knows no `stages`");
    refused("a: {script: x, when: manuel}\n", "C002", "when: manual");
    refused("workflows: {rules: [{when: always}]}\na: {script: x}\n", "C002", "next: workflow:");
    warned("a: {script: x, zzyzx: 1}\n", "C002", "no word of GitLab's that is known here");
}

#[test]
fn a_key_twice() {
    with("a: {script: x}\nb: {script: x}\na: {script: y}\n")
        .run(&["ci", "lint"])
        .exits(3)
        .says("[C003]")
        .says(".gitlab-ci.yml:3:1")
        .says("in line 1");
    warned("a:\n  script: x\n  tags: [x]\n  script: y\n", "C003", ".gitlab-ci.yml:4:3");
}

#[test]
fn inputs_of_an_include() {
    refused(&LAIN.replace("{cluster: test}", "{cluster: test, prefx: a}"), "C004", "unknown input arguments: prefx");
    refused(&LAIN.replace("{cluster: test}", "{}"), "C004", "required value has not been provided");
    refused(&LAIN.replace("{cluster: test}", "{cluster: 5}"), "C004", "next: cluster: \"5\"");
}

#[test]
fn a_stage_that_is_not_there() {
    refused("stages: [build]\na: {script: x, stage: buidl}\n", "C005", "next: stage: build");
    refused("stages: [build]\na: {script: x}\n", "C005", "is in stage `test`, which is not there");
    let ran = with(&LAIN.replace("stages: [prepare, build, test, deploy]", "stages: [build, deploy]"))
        .run(&["ci", "lint"])
        .exits(3)
        .says("[C005]");
    assert!(ran.stderr.contains("next: stages: [build, test, deploy]"), "{}", ran.stderr);
}

#[test]
fn needs_that_cannot_be() {
    refused("a: {script: x, needs: [biuld]}\nbuild: {script: x, stage: build}\n", "C006", "next: needs: [build]");
    refused("a: {script: x, stage: build, needs: [b]}\nb: {script: x}\n", "C006", "is in a later stage");
    refused(
        "a: {script: x, stage: build}\nb: {script: x, stage: build}\nc: {script: x, needs: [a], dependencies: [b]}\n",
        "C006",
        "not among them",
    );
    fine(
        "a: {script: x, stage: build, parallel: 3}\nb: {script: x, needs: ['a 1/3']}\nc: {script: x, needs: [{job: zz, optional: true}]}\n",
    );
}

#[test]
fn needs_that_another_pipeline_has() {
    let text =
        "build: {script: x, stage: build, rules: [{if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH}]}\ntest: {script: x, needs: [build]}\n";
    refused(text, "C007", "not in the same pipeline (push to another branch,");
    fine(&text.replace("[build]", "[{job: build, optional: true}]"));
    let changes = "build: {script: x, stage: build, rules: [{if: $CI_COMMIT_BRANCH, changes: [src/*]}]}\ntest: {script: x, needs: [build], rules: [{if: $CI_COMMIT_BRANCH}]}\n";
    refused(changes, "C007", "when other files change");
    // A variable that the project may well have set.
    fine("build: {script: x, stage: build, rules: [{if: $WITH_BUILD}]}\ntest: {script: x, needs: [build]}\n");
}

#[test]
fn tests_that_the_merge_button_does_not_see() {
    let text = "lint: {script: x, rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}]}\ntest: {script: x}\n";
    warned(text, "C008", "the merge button looks at that one");
    let switch = "workflow: {rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}, {if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS, when: never}, {if: $CI_COMMIT_BRANCH}]}\n";
    fine(&format!("{switch}{text}"));
    fine(&text.replace("test: {script: x}", "test: {script: x} # lain:ignore C008"));
    let half = LAIN.replace("{cluster: test}", "{cluster: test, merge-requests: true}");
    warned(&format!("{half}unit: {{script: x}}\n"), "C008", "`unit` runs in branch pipelines alone");
    fine(&format!("{LAIN}unit: {{script: x}}\n"));
}

#[test]
fn two_pipelines_for_one_push() {
    warned(
        "test: {script: x, rules: [{if: $CI_PIPELINE_SOURCE == 'merge_request_event'}, {if: $CI_COMMIT_BRANCH}]}\n",
        "C009",
        "makes two pipelines",
    );
}

#[test]
fn rules_beside_only() {
    refused("a: {script: x, only: [main], rules: [{if: $CI_COMMIT_TAG}]}\n", "C010", "GitLab takes one of them");
}

#[test]
fn rules_of_lains_jobs_replaced() {
    warned(&format!("{LAIN}deploy: {{rules: [{{if: $CI_COMMIT_BRANCH}}]}}\n"), "C011", "now also in: push to another branch");
}

#[test]
fn names_that_gitlab_does_not_take() {
    refused("a: {script: x, environment: {name: 'shop:production'}}\n", "C012", "next: name: shop-production");
    refused("a: {script: x, resource_group: 'deploy#1'}\n", "C012", "drops others in silence");
    fine("a: {script: x, environment: {name: review/$CI_COMMIT_REF_SLUG}, resource_group: $CI_ENVIRONMENT_NAME}\n");
}

#[test]
fn stop_jobs() {
    let deploy = "up: {script: x, environment: {name: review, on_stop: down}, rules: [{if: $CI_MERGE_REQUEST_IID}]}\n";
    refused(deploy, "C013", "there is no such job");
    let down = |environment: &str, more: &str| format!("{deploy}down: {{script: x, environment: {{{environment}}}{more}}}\n");
    refused(&down("name: other, action: stop", ", when: manual"), "C013", "its environment is `other`");
    refused(&down("name: review", ", when: manual"), "C013", "its action is `start`");
    warned(&down("name: review, action: stop", ", when: manual"), "C013", "in pipelines without `down`");
    let rules = |when: &str| format!(", rules: [{{if: $CI_MERGE_REQUEST_IID{when}}}]");
    warned(&down("name: review, action: stop", &rules("")), "C013", "does not wait for anybody");
    fine(&down("name: review, action: stop", &rules(", when: manual, allow_failure: true")));
}

#[test]
fn deploys_by_a_schedule() {
    let text = "scan: {script: x, only: [schedules]}\nup: {script: x, environment: production, only: [main]}\n";
    warned(text, "C014", "a nightly one deploys");
    fine(&text.replace("only: [main]", "only: [main], except: [schedules]"));
}

#[test]
fn secrets_are_found_and_never_shown() {
    let value = "a8f7Kd92hfQ0xx";
    let app = with(&format!("variables:\n  DEPLOY_TOKEN: {value}\na: {{script: x}}\n"));
    for args in [&["ci", "lint"][..], &["ci", "lint", "--format", "codequality"], &["ci", "lint", "-o", "json"]] {
        let ran = app.run(args).exits(3).says("[C016]").never_says(value);
        assert!(!ran.stdout.contains(value), "{}", ran.stdout);
    }
    fine("variables: {MYSQL_ROOT_PASSWORD: Root1234, DEPLOY_TOKEN: $OTHER}\na: {script: x}\n");
}

#[test]
fn variables_beside_inputs() {
    warned(&format!("{LAIN}variables: {{LAIN_CLUSTER: production}}\n"), "C017", "does not reach lain's jobs");
    refused(&format!("{LAIN}deploy: {{variables: {{LAIN_CLUSTER: production}}}}\n"), "C017", "beats the input");
}

#[test]
fn careless_deploys() {
    let up = |more: &str| format!("up: {{script: x, stage: deploy, environment: production{more}}}\n");
    warned(&up(", interruptible: true"), "C019", "kills it half way");
    warned(&format!("default: {{interruptible: true}}\n{}", up("")), "C019", "kills it half way");
    warned(&up(", retry: 2"), "C020", "tried again");
    fine(&up(", retry: {max: 2, when: [runner_system_failure]}"));
    let build = "build: {script: x, stage: build, artifacts: {paths: [x], expire_in: 1 day}}\n";
    warned(&format!("{build}{}", up(", when: manual, needs: [build]")), "C018", "gone after 24 hours");
    fine(&format!("{}{}", build.replace("1 day", "1 year"), up(", when: manual, needs: [build]")));
}

#[test]
fn a_template_twice() {
    let twice =
        LAIN.replace("stages", "- project: infra/lain\n  file: /ci-templates/lain.gitlab-ci.yml\n  inputs: {cluster: production}\nstages");
    refused(&twice, "C021", "included twice");
    fine(&twice.replace("{cluster: production}", "{cluster: production, prefix: production-}"));
}

#[test]
fn a_long_dotenv_report() {
    let line = |n| format!("  - echo \"V{n}=1\" >> build.env\n");
    let lines = |count: usize| (0..count).map(line).collect::<Vec<_>>().concat();
    let text = |count| format!("a:\n  script:\n{}  artifacts: {{reports: {{dotenv: build.env}}}}\n", lines(count));
    refused(&text(21), "C022", "writes 21 variables");
    fine(&text(20));
}

#[test]
fn lains_image_as_latest() {
    warned("a: {script: x, image: registry.example.com/infra/lain}\n", "C023", "next: image: registry.example.com/infra/lain:");
    fine("a: {script: x, image: registry.example.com/infra/lain:5.0.0}\n");
}

#[test]
fn conditions_and_names_that_lead_nowhere() {
    refused("a: {script: x, rules: [{if: $A = 'b'}]}\n", "C024", "GitLab cannot read this condition");
    refused("a: {script: x, extends: .bsae}\n.base: {tags: [x]}\n", "C025", "next: extends: .base");
    refused("a: {script: !reference [.nobody, script]}\n", "C025", "could not be found");
    refused("a: {tags: [x]}\nb: {script: x}\n", "C026", "`a` is no job");
    refused(".a: {script: x}\n", "C026", "no job");
}

#[test]
fn a_report_is_of_the_checks_of_pipelines() {
    let ran = with(".a: {script: x}\n").run(&["ci", "lint", "--format", "junit"]).exits(3);
    assert!(ran.stdout.contains("<failure type=\"C026\"") && ran.stdout.contains("C001 files can be read"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("L001"), "{}", ran.stdout);
}

/// A pipeline of one branch or tag alone is shown, though none of the kinds has it.
#[test]
fn jobs_of_another_branch_are_named() {
    let text = "a: {script: x}\npages: {script: x, only: [stable]}\n";
    with(text).run(&["ci", "lint"]).exits(0).says("2 jobs in 11 of 14").says("for other branches, tags or variables:\n    pages");
}

/// Shapes of public files: old patterns of `only`, a merge key twice, a document start, names with a colon and a blank, PowerShell.
#[test]
fn strangers_files_are_read() {
    fine(
        "---\n.x: &x\n  except: ['/(^docs[\\/-].*|.*-docs$)/']\n.y: &y {tags: [a]}\nb darwin/386 linux: &b\n  <<: *x\n  <<: *y\n  script: [x]\n\
         b windows: *b\nmanual:\n  script: x\n  when: manual\n  only:\n  - //@gitlab-org/gitlab-ce\n  - /\\Av[0-9]+\\Z/@gitlab-org/gitlab-runner\n",
    );
    fine(
        "a:\n  dependencies:\n  script:\n  - try { & \"$env:X\\python.exe\" --all } finally { Pop-Location }\n  \
         - $b = Join-Path $env:TEMP \"x-$([guid]::NewGuid())\"\n",
    );
}

/// What may be in a file that is somewhere else is not held against anybody.
#[test]
fn what_is_not_read_is_not_judged() {
    let text = "include: [{project: infra/ci, file: /all.yml}, {template: Auto-DevOps.gitlab-ci.yml}]\na: {extends: .elsewhere, stage: nowhere, needs: [theirs]}\n\
                b: {script: x, extends: .elsewhere, needs: [a]}\ntheirs: {variables: {A: b}}\n";
    with(text)
        .run(&["ci", "lint"])
        .exits(0)
        .says("not read: project: infra/ci, /all.yml")
        .says("not read: template: Auto-DevOps")
        .never_says("[C0");
}

#[test]
fn reports_and_pages() {
    let app = with("a: {script: x, only: [main], rules: []}\n");
    let report = app.run(&["ci", "lint", "-o", "json"]).exits(3).stdout;
    let json: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&json["errors"], &json["problems"][0]["id"]), (&1.into(), &"C010".into()));
    let page = app.run(&["ci", "lint", "--explain", "c008"]).exits(0).stdout;
    assert!(page.starts_with("## C008 ") && page.contains("the merge button waits for it alone") && !page.contains("C009 "), "{page}");
    app.run(&["ci", "lint", "--explain", "C999"]).exits(2).next("lain ci lint --explain");
    let all = app.run(&["ci", "lint", "--explain", "all"]).exits(0).stdout;
    for line in all.lines() {
        let id = &line[..4];
        let page = app.run(&["ci", "lint", "--explain", id]).exits(0).stdout;
        assert!(page.starts_with(&format!("## {id} ")) && page.lines().count() > 2, "{page}");
    }
}
