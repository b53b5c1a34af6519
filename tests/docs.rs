//! Documentation stays true: commands named in README and docs exist, tables match `--help`, links lead somewhere,
//! examples/dummy carries the chart that `lain init` writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md"), root().join("README.zh-CN.md"), root().join("CHANGELOG.md")];
    all.extend(
        fs::read_dir(root().join("docs"))
            .expect("docs")
            .map(|entry| entry.expect("an entry").path())
            // The gallery shows what happens to commands that are wrong.
            .filter(|path| path.extension().is_some_and(|e| e == "md") && !path.ends_with("errors.md")),
    );
    all
}

fn commands(program: &str) -> BTreeSet<String> {
    let out = Command::new(program).arg("--help").output().expect("it runs");
    let text = String::from_utf8(out.stdout).expect("UTF-8");
    let list = text.split("Usage:").nth(1).expect("a list of commands").split("Options").next().expect("its end").to_owned();
    let name = |line: &str| line.strip_prefix("  ")?.split(' ').next().filter(|word| !word.is_empty()).map(str::to_owned);
    let names: BTreeSet<String> = list.lines().filter_map(name).filter(|name| name != "help").collect(); // clap's own
    assert!(!names.is_empty(), "{list}");
    names
}

#[test]
fn every_command_in_the_documents_exists() {
    let known = commands(env!("CARGO_BIN_EXE_lain"));
    for path in documents() {
        let text = fs::read_to_string(&path).expect("a document");
        let lines = text.lines().filter_map(|line| line.trim().strip_prefix("$ lain ").or_else(|| line.strip_prefix("    lain ")));
        let inline = text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("lain "));
        for line in lines.chain(inline) {
            let word = line.split_whitespace().find(|word| !word.starts_with('-')).unwrap_or("");
            if word.is_empty() || !word.starts_with(|c: char| c.is_ascii_lowercase()) {
                continue;
            }
            assert!(known.contains(word) || word == "help", "{}: `lain {line}`: there is no command `{word}`", path.display());
        }
    }
}

#[test]
fn every_flag_in_the_documents_exists() {
    for path in documents() {
        let text = fs::read_to_string(&path).expect("a document");
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("$ ")).filter(|line| line.starts_with("lain ")) {
            let line = line.split(" #").next().expect("a command").trim();
            let words: Vec<&str> = line.split_whitespace().collect();
            let help = Command::new(env!("CARGO_BIN_EXE_lain")).args([words[1], "--help"]).output().expect("it runs");
            let help = String::from_utf8_lossy(&help.stdout).into_owned();
            for flag in words.iter().filter(|word| word.starts_with('-')) {
                assert!(
                    help.contains(&format!("{flag} ")) || help.contains(&format!("{flag},")) || help.contains(&format!("{flag}\n")),
                    "{}: `{line}`: no {flag}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn the_tables_list_what_each_binary_owns() {
    for file in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(root().join(file)).expect("a README");
        for (name, program) in [
            ("lain-render", env!("CARGO_BIN_EXE_lain-render")),
            ("lain-build", env!("CARGO_BIN_EXE_lain-build")),
            ("lain-deploy", env!("CARGO_BIN_EXE_lain-deploy")),
            ("lain-notify", env!("CARGO_BIN_EXE_lain-notify")),
        ] {
            let row = text
                .lines()
                .find_map(|line| line.strip_prefix(&format!("| `{name}` | ")))
                .unwrap_or_else(|| panic!("{file}: no row for {name}"));
            let listed: BTreeSet<String> = row.trim_end_matches(" |").split(", ").map(str::to_owned).collect();
            assert_eq!(listed, commands(program), "{file}: {name}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for path in documents() {
        let text = fs::read_to_string(&path).expect("a document");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().expect("a target");
            if !file.is_empty() && !target.contains("://") {
                assert!(path.parent().expect("a folder").join(file).exists(), "{}: {target}", path.display());
            }
        }
    }
}

#[test]
fn the_example_carries_the_chart_of_init() {
    let (ours, theirs) = (root().join("chart_template/templates"), root().join("examples/dummy/chart/templates"));
    for entry in fs::read_dir(&ours).expect("templates") {
        let name = entry.expect("an entry").file_name();
        assert_eq!(fs::read(ours.join(&name)).expect("ours"), fs::read(theirs.join(&name)).expect("theirs"), "{}", name.display());
    }
    assert_eq!(fs::read_dir(&ours).expect("ours").count(), fs::read_dir(&theirs).expect("theirs").count());
}

#[test]
fn a_new_app_lints_clean_in_both_languages() {
    let rig = std::env::var("LAIN_RIG_TOOLS").expect("LAIN_RIG_TOOLS is not set: eval \"$(tests/rig/rig env)\", or run tests/run");
    let mut data = Vec::new();
    for language in ["en", "zh"] {
        let folder = tempfile::tempdir().expect("a folder");
        let app = folder.path().join("My Shop");
        fs::create_dir(&app).expect("a folder");
        let lain = |args: &[&str]| {
            let path = format!("{rig}/helm-4.3.1:{}", std::env::var("PATH").expect("PATH"));
            Command::new(env!("CARGO_BIN_EXE_lain"))
                .args(args)
                .current_dir(&app)
                .env("PATH", path)
                .env("HOME", folder.path())
                .env_remove("CI")
                .output()
                .expect("lain runs")
        };
        let out = lain(&["init", "--lang", language]);
        let words = String::from_utf8_lossy(&out.stderr).into_owned();
        assert!(out.status.success(), "{words}");
        assert!(words.contains("the app is called my-shop") && !words.contains("warning"), "{words}");
        data.push(String::from_utf8(lain(&["values"]).stdout).expect("UTF-8"));
        let template = lain(&["template", "--set", "registry=r.example.com/t"]);
        assert!(String::from_utf8_lossy(&template.stdout).contains("kind: Deployment"));
    }
    assert_eq!(data[0], data[1], "both languages carry the same data");
}

#[test]
fn man_pages_and_completions_are_made_for_every_command() {
    for name in commands(env!("CARGO_BIN_EXE_lain")) {
        let out = Command::new(env!("CARGO_BIN_EXE_lain")).args(["man", &name]).output().expect("it runs");
        assert!(out.status.success() && String::from_utf8_lossy(&out.stdout).contains(".SH SYNOPSIS"), "{name}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let out = Command::new(env!("CARGO_BIN_EXE_lain")).args(["completions", shell]).output().expect("it runs");
        assert!(String::from_utf8_lossy(&out.stdout).contains("LAIN_COMPLETE"), "{shell}");
        let mut asked = Command::new(env!("CARGO_BIN_EXE_lain"));
        let out =
            asked.args(["--", "lain", "rollb"]).env("LAIN_COMPLETE", shell).env("_CLAP_COMPLETE_INDEX", "1").output().expect("it runs");
        assert!(String::from_utf8_lossy(&out.stdout).starts_with("rollback"), "{shell}: {out:?}");
    }
}

/// What bash offers behind these words of a line, in a folder with an app, with two clusters known and none reachable.
fn offered(words: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    put("chart/values.yaml", "appname: shop\ndeployments: {web: {command: [a]}, worker: {command: [a]}}\n");
    put("clusters/values-test.yaml", "registry: registry.invalid/team\n");
    put("clusters/values-prod.yaml", "registry: registry.invalid/team\n");
    let script = r#"source <(lain completions bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        _clap_complete_lain lain "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; printf '%s\n' "${COMPREPLY[@]}""#;
    let bin = Path::new(env!("CARGO_BIN_EXE_lain")).parent().expect("a folder").display().to_string();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, "bash", "lain"]).args(words).current_dir(&folder).env_clear();
    bash.env("PATH", format!("{bin}:/usr/bin:/bin"))
        .env("HOME", folder.path())
        .env("LAIN_CLUSTER_VALUES_DIR", folder.path().join("clusters"));
    let out = bash.output().expect("bash runs");
    assert!(out.status.success() && out.stderr.is_empty(), "{words:?}: {out:?}");
    String::from_utf8_lossy(&out.stdout).lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn names_of_what_there_is_complete() {
    assert_eq!(offered(&["use", "te"]), ["test"]);
    assert_eq!(offered(&["deploy", "--cluster", "p"]), ["prod"]);
    assert_eq!(offered(&["logs", "w"]), ["web", "worker"]);
    assert_eq!(offered(&["rollb"]), ["rollback"]);
    // Neither a registry nor a cluster answers: nothing is offered, nothing said, nobody waits.
    let start = std::time::Instant::now();
    assert_eq!(offered(&["delete", "s"]), [""; 0]);
    assert_eq!(offered(&["deploy", "--set", "imageTag="]), [""; 0]);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn lain_finds_programs_on_path() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("lain-hello");
    fs::write(&program, "#!/bin/sh\necho \"hello $1\"; exit 5\n").expect("a program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("its mode");
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("PATH"));
    let out = Command::new(env!("CARGO_BIN_EXE_lain")).args(["hello", "wor ld"]).env("PATH", path).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "hello wor ld\n");
    assert_eq!(out.status.code(), Some(5));
}

/// Every hint in the sources, as (file, text), with `filled` where something is filled in.
fn hints() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a source");
            let text = text.split("#[cfg(test)]").next().expect("a source");
            for start in ["hint(\"", "hint(format!(\"", "hint(&format!(\""] {
                for piece in text.split(start).skip(1) {
                    let mut hint = String::new();
                    let mut letters = piece.chars();
                    loop {
                        match letters.next().expect("the end of a literal") {
                            '"' => break,
                            '\\' => hint.push(match letters.next().expect("a letter") {
                                'n' | '\n' => ' ',
                                letter => letter,
                            }),
                            '{' if letters.clone().next() == Some('{') => drop(letters.next().map(|letter| hint.push(letter))),
                            '}' if letters.clone().next() == Some('}') => drop(letters.next().map(|letter| hint.push(letter))),
                            '{' => {
                                letters.by_ref().find(|letter| *letter == '}').expect("its end");
                                hint.push_str("filled");
                            }
                            letter => hint.push(letter),
                        }
                    }
                    found.push((path.display().to_string(), hint));
                }
            }
        }
    }
    found
}

/// `--help` behind a line has clap read it, and nothing done.
#[test]
fn what_is_said_to_be_typed_next_can_be_typed() {
    let home = tempfile::tempdir().expect("a folder");
    let mut count = 0;
    for (file, hint) in hints() {
        let line = hint.split(" # ").next().expect("a line");
        for command in line.split(" && ").flat_map(|line| line.split(" | ")).filter(|command| command.starts_with("lain ")) {
            let words: Vec<&str> = command.split_whitespace().skip(1).collect();
            if matches!(words[..], ["filled", ..] | ["env" | "secret", "filled", ..]) {
                continue; // which verb is filled in
            }
            let run = |binary: &str| {
                let mut lain = Command::new(binary);
                lain.args(&words).arg("--help").current_dir(&home).env("HOME", home.path()).output().expect("it runs")
            };
            let out = run(env!("CARGO_BIN_EXE_lain"));
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{file}: `{command}` cannot be typed:\n{said}");
            count += 1;
        }
    }
    assert!(count > 80, "{count} hints");
}
