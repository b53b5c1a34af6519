//! Documentation stays true: commands named in README and docs exist, tables match `--help`, links lead somewhere, what is there in two languages says the
//! same in both, examples/dummy carries the chart that `lain init` writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const GALLERY: [&str; 2] = ["docs/errors.md", "docs/errors.zh-CN.md"];

fn documents() -> Vec<PathBuf> {
    let mut all = vec![root().join("README.md"), root().join("README.zh-CN.md"), root().join("CHANGELOG.md")];
    all.extend(
        fs::read_dir(root().join("docs"))
            .expect("docs")
            .map(|entry| entry.expect("an entry").path())
            // The gallery shows what happens to commands that are wrong.
            .filter(|path| path.extension().is_some_and(|e| e == "md") && !GALLERY.iter().any(|page| path.ends_with(page))),
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
            let deep = usize::from(matches!(words[1], "admin" | "ci")); // these have verbs
            let help = Command::new(env!("CARGO_BIN_EXE_lain")).args(&words[1..2 + deep]).arg("--help").output().expect("it runs");
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
    for path in documents().into_iter().chain(GALLERY.map(|page| root().join(page))) {
        let text = fs::read_to_string(&path).expect("a document");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().expect("a target");
            if !file.is_empty() && !target.contains("://") {
                assert!(path.parent().expect("a folder").join(file).exists(), "{}: {target}", path.display());
            }
        }
    }
}

/// Is there a test of this name in this source?
fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_it = |line: &str| line.strip_prefix("fn ").is_some_and(|rest| rest.split('(').next() == Some(name));
    let above = |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("///"));
    (0..lines.len()).any(|at| is_it(lines[at]) && above(at).any(|line| *line == "#[test]"))
}

#[test]
fn reports_name_tests_that_exist() {
    let page = fs::read_to_string(root().join("docs/reports.md")).expect("docs/reports.md");
    let rows = page.lines().filter(|line| line.starts_with('|') && !line.starts_with("| no. |") && !line.starts_with("| --- |"));
    let (mut numbers, mut tests) = (Vec::new(), 0);
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 5 && cells.iter().all(|cell| !cell.is_empty()), "five cells: {row}");
        numbers.push(cells[0].parse::<usize>().unwrap_or_else(|_| panic!("a number: {row}")));
        for named in cells[4].split(", ") {
            let bare = named.strip_prefix('`').and_then(|named| named.strip_suffix('`'));
            let (file, name) = bare.and_then(|named| named.split_once("::")).unwrap_or_else(|| panic!("`FILE::TEST`: {named}"));
            let source = fs::read_to_string(root().join(file)).unwrap_or_else(|_| panic!("{file} is not there: {row}"));
            assert!(has_test(&source, name), "{file} has no test {name}: {row}");
            tests += 1;
        }
    }
    assert!(numbers.is_sorted(), "rows by their numbers: {numbers:?}");
    numbers.dedup();
    assert_eq!(numbers, (1..=39).collect::<Vec<_>>(), "each number has its row");
    assert!(tests > 39, "{tests} tests");
    assert!(!has_test("fn a() {}\n#[test]\nfn ab() {}\n", "a") && has_test("/// x\n#[test]\n#[ignore]\nfn ab() {}\n", "ab"));
}

/// What users read first is there in Chinese too. With `true` paragraphs are paired as well; in the gallery the Chinese page explains messages, which the English
/// one need not.
const PAIRS: [(&str, bool); 13] = [
    ("README", true),
    ("docs/chart", true),
    ("docs/pipelines", true),
    ("docs/ci-lint", true),
    ("docs/other-ci", true),
    ("docs/image", true),
    ("docs/status", true),
    ("docs/doctor", true),
    ("docs/resource-advice", true),
    ("docs/from-the-older-tool", true),
    ("docs/from-auto-devops", true),
    ("docs/from-to-be-continuous", true),
    ("docs/errors", false),
];

/// A piece of a page, and of it what is the same in every language.
#[derive(Debug)]
struct Block {
    /// `heading 2`, `paragraph`, `item`, `table`, or `code` and its language.
    kind: String,
    line: usize,
    lines: Vec<String>,
}

/// The blocks of a page, in their order.
fn blocks(page: &str) -> Vec<Block> {
    let mut all: Vec<Block> = Vec::new();
    let (mut fenced, mut apart) = (false, true);
    for (number, line) in page.lines().enumerate() {
        let mut open = |kind: String, text: &str| all.push(Block { kind, line: number + 1, lines: vec![text.to_owned()] });
        if let Some(language) = line.strip_prefix("```") {
            if !fenced {
                open(format!("code {language}"), "");
            }
            (fenced, apart) = (!fenced, fenced);
            continue;
        }
        let level = line.chars().take_while(|c| *c == '#').count();
        match line {
            _ if fenced => all.last_mut().expect("its fence").lines.push(line.to_owned()),
            "" => {}
            _ if level > 0 => open(format!("heading {level}"), line),
            _ if line.starts_with("- ") => open("item".to_owned(), line),
            _ if !apart => all.last_mut().expect("its first line").lines.push(line.to_owned()),
            _ if line.starts_with("    ") => open("code sh".to_owned(), line),
            _ if line.starts_with('|') => open("table".to_owned(), line),
            _ => open("paragraph".to_owned(), line),
        }
        apart = !fenced && (line.is_empty() || level > 0);
    }
    all
}

impl Block {
    /// Code, numbers and where links lead, without their order; of examples everything but comments.
    fn meaning(&self) -> Vec<String> {
        match self.kind.as_str() {
            "code text" => self.lines.clone(),
            kind if kind.starts_with("code") => {
                let bare = |line: &String| line.split(" #").next().map(|line| line.trim_end().to_owned());
                self.lines.iter().filter(|line| !line.trim_start().starts_with('#')).filter_map(bare).collect()
            }
            "table" => {
                self.lines.iter().map(|row| row.split('|').map(said).map(|cell| cell.join(" ")).collect::<Vec<_>>().join(" | ")).collect()
            }
            _ => said(&self.lines.join("\n")),
        }
    }
}

/// What of this prose is the same in every language.
fn said(prose: &str) -> Vec<String> {
    let mut found = BTreeSet::new();
    let mut words = String::new();
    for (index, part) in prose.split('`').enumerate() {
        match index % 2 {
            0 => words += part,
            _ => drop(found.insert(format!("`{part}`"))),
        }
        words.push(' ');
    }
    for (index, part) in words.split("](").enumerate() {
        let (target, rest) = part.split_once(')').filter(|_| index > 0).unwrap_or(("", part));
        found.extend((!target.is_empty()).then(|| format!("({})", target.replace(".zh-CN.md", ".md"))));
        let numbers = rest.split(|c: char| !c.is_ascii_digit() && c != '.').map(|number| number.trim_matches('.'));
        found.extend(numbers.filter(|number| !number.is_empty()).map(str::to_owned));
    }
    found.into_iter().collect()
}

/// Where two languages part, if they do.
fn difference(english: &str, chinese: &str, prose: bool) -> Option<String> {
    let of = |page| blocks(page).into_iter().filter(|block| prose || block.kind != "paragraph").collect::<Vec<_>>();
    let (ours, theirs) = (of(english), of(chinese));
    for index in 0..ours.len().max(theirs.len()) {
        let (our, their) = match (ours.get(index), theirs.get(index)) {
            (Some(our), Some(their)) => (our, their),
            (our, their) => return Some(format!("one ends early: {our:?} {their:?}")),
        };
        if our.kind != their.kind || our.meaning() != their.meaning() {
            let show = |block: &Block| format!("line {}, {}: {:#?}", block.line, block.kind, block.meaning());
            return Some(format!("English {}\nChinese {}", show(our), show(their)));
        }
    }
    None
}

#[test]
fn both_languages_say_the_same() {
    for (name, prose) in PAIRS {
        let read = |ending: &str| fs::read_to_string(root().join(format!("{name}{ending}"))).unwrap_or_default();
        let (english, chinese) = (read(".md"), read(".zh-CN.md"));
        if let Some(difference) = difference(&english, &chinese, prose) {
            panic!("{name}.md and {name}.zh-CN.md are not the same\n{difference}");
        }
        let file = name.rsplit('/').next().expect("a name");
        let head = |page: &str| blocks(page)[1].lines.join("\n");
        assert!(head(&english).contains(&format!("[中文]({file}.zh-CN.md)")), "{name}.md leads to the Chinese page at its top");
        assert!(head(&chinese).contains(&format!("[English]({file}.md)")), "{name}.zh-CN.md leads to the English page at its top");
        // Who reads Chinese goes on in Chinese.
        let folder = root().join(name).parent().expect("a folder").to_path_buf();
        for block in &blocks(&chinese)[2..] {
            for target in block.lines.iter().flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next()) {
                let Ok(leads) = folder.join(target.split('#').next().expect("a path")).canonicalize() else { continue };
                let paired = PAIRS.iter().any(|(name, _)| root().join(format!("{name}.md")).canonicalize().is_ok_and(|page| page == leads));
                assert!(!paired, "{name}.zh-CN.md:{}: {target} is there in Chinese", block.line);
            }
        }
        let link = format!("({name}.zh-CN.md)");
        for readme in ["README.md", "README.zh-CN.md"].into_iter().filter(|readme| *readme != format!("{name}.zh-CN.md")) {
            assert!(fs::read_to_string(root().join(readme)).expect("a README").contains(&link), "{readme} leads to {name}.zh-CN.md");
        }
    }
    let chinese = documents().into_iter().filter(|path| path.to_string_lossy().ends_with(".zh-CN.md"));
    for path in chinese {
        assert!(PAIRS.iter().any(|(name, _)| path == root().join(format!("{name}.zh-CN.md"))), "{}: not in PAIRS", path.display());
    }
}

#[test]
fn help_says_when_deploy_follows_the_rollout() {
    for command in ["deploy", "redeploy"] {
        let out = Command::new(env!("CARGO_BIN_EXE_lain")).args([command, "--help"]).output().expect("it runs");
        let help = String::from_utf8_lossy(&out.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            help.contains("--wait Follow the rollout until everything is ready and its jobs are done; always so on a terminal, in CI,"),
            "{help}"
        );
    }
}

#[test]
fn what_one_language_lacks_is_seen() {
    let english = "# A\n\nRun `lain use` for 5 s, see [b](b.md).\n\n    lain init  # begins\n\n| a | b |\n| --- | --- |\n| `x` | 1 |\n\n- one\n- two\n\n## B\n```text\nno # so\n```\n";
    let chinese = "# 甲\n\n先 `lain use`, 5 秒, 见 [乙](b.zh-CN.md).\n\n    lain init  # 开始\n\n| 甲 | 乙 |\n| --- | --- |\n| `x` | 1 |\n\n- 一\n- 二\n\n## 乙\n```text\nno # so\n```\n";
    assert_eq!(difference(english, chinese, true), None);
    for (now, then) in [
        ("# 甲\n", "## 甲\n"),
        ("## 乙\n", ""),
        ("`lain use`", "`lain lint`"),
        ("5 秒", "6 秒"),
        ("b.zh-CN.md", "c.md"),
        ("lain init", "lain lint"),
        ("| `x` | 1 |\n", ""),
        ("| `x` | 1 |", "| `x` | 1 | 2 |"),
        ("| `x` | 1 |", "| `y` | 1 |"),
        ("- 二\n", ""),
        ("no # so", "no # 这样"),
        ("```text", "```yaml"),
    ] {
        assert!(chinese.contains(now));
        assert!(difference(english, &chinese.replacen(now, then, 1), true).is_some(), "{now:?} as {then:?}");
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
                // What stands behind these two is another program's from the first word on.
                let all = if matches!(words[0], "x" | "run") {
                    [&words[..1], &["--help"], &words[1..]].concat()
                } else {
                    [&words[..], &["--help"]].concat()
                };
                lain.args(&all).current_dir(&home).env("HOME", home.path()).output().expect("it runs")
            };
            let out = run(env!("CARGO_BIN_EXE_lain"));
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "{file}: `{command}` cannot be typed:\n{said}");
            count += 1;
        }
    }
    assert!(count > 80, "{count} hints");
}

#[test]
fn help_names_a_command_or_all() {
    let lain = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_lain")).args(args).output().expect("it runs");
    let text = |args: &[&str]| String::from_utf8(lain(args).stdout).expect("UTF-8");
    assert_eq!(text(&["help", "deploy"]), text(&["deploy", "--help"]));
    assert_eq!(text(&["help", "secret", "add"]), text(&["secret", "add", "--help"]));
    let all = text(&["help"]);
    let at = |words: &str| all.find(words).unwrap_or_else(|| panic!("{words} in\n{all}"));
    assert!(
        at("\nWrite:\n") < at("\nBuild:\n") && at("\nDeploy:\n") < at("\nLook:\n") && at("\nRepair:\n") < at("Options of every command:")
    );
    // Examples before options, and options of every command last.
    let deploy = text(&["help", "deploy"]);
    let at = |words: &str| deploy.find(words).unwrap_or_else(|| panic!("{words} in\n{deploy}"));
    assert!(at("Examples:\n  lain deploy --build") < at("\nOptions:") && at("\nOptions:") < at("Options of every command:"));
    assert_eq!(lain(&["help", "nosuch"]).status.code(), Some(2));
}

/// The image holds one program and links to it.
#[test]
fn lain_is_each_of_the_others_where_a_link_calls_it_so() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, own) in [
        ("lain-render", env!("CARGO_BIN_EXE_lain-render")),
        ("lain-build", env!("CARGO_BIN_EXE_lain-build")),
        ("lain-deploy", env!("CARGO_BIN_EXE_lain-deploy")),
        ("lain-notify", env!("CARGO_BIN_EXE_lain-notify")),
    ] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_lain"), &link).expect("a link");
        let help =
            |program: &Path| String::from_utf8(Command::new(program).arg("--help").output().expect("it runs").stdout).expect("UTF-8");
        assert_eq!(help(&link), help(Path::new(own)));
        assert_ne!(help(&link), help(Path::new(env!("CARGO_BIN_EXE_lain"))));
    }
}

/// What crates may be under: no licence that asks for more than its text beside the binary.
const LICENCES: [&str; 10] =
    ["MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "0BSD", "Zlib", "Unicode-3.0", "Unlicense", "BSL-1.0", "CDLA-Permissive-2.0"];

/// The binaries hold other people's work: which, and under what licence. `UPDATE_DOCS=1` writes the page.
#[test]
fn the_licences_of_crates_are_listed() {
    let mut told = BTreeSet::new();
    for architecture in ["x86_64", "aarch64"] {
        let out = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}|{l}|{r}"])
            .args(["--target", &format!("{architecture}-unknown-linux-gnu")])
            .current_dir(root())
            .output()
            .expect("cargo");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).expect("UTF-8");
        told.extend(text.lines().filter(|line| !line.starts_with("lain ")).map(|line| line.trim_end_matches(" (*)").to_owned()));
    }
    let mut page = String::from(
        "# Licences of what is in lain's binaries\n\n\
         lain itself is under [MIT](../LICENSE-MIT) or [Apache-2.0](../LICENSE-APACHE), as you like. Compiled into it are these crates:\n\n\
         | crate | version | licence |\n| --- | --- | --- |\n",
    );
    let mut count = 0;
    for line in &told {
        let [package, licence, address] = line.split('|').collect::<Vec<_>>()[..] else { panic!("`{line}`") };
        let mut words = package.split(' ');
        let (name, version) = (words.next().expect("a name"), words.next().expect("a version").trim_start_matches('v'));
        let licence = licence.replace('/', " OR ");
        // One of several is enough; what is joined by AND is needed.
        for part in licence.split(" AND ") {
            let part = part.trim_matches(['(', ')']);
            let mut choices = part.split(" OR ").map(|one| one.split(" WITH ").next().expect("a name").trim_matches(['(', ')']));
            assert!(choices.any(|one| LICENCES.contains(&one)), "{name} is under `{licence}`, which nobody looked at");
        }
        page += &format!("| [{name}]({address}) | {version} | {licence} |\n");
        count += 1;
    }
    assert!(count > 50, "{count} crates");
    let path = root().join("docs/licences.md");
    if std::env::var("UPDATE_DOCS").is_ok() {
        fs::write(&path, &page).expect("written");
    }
    assert!(
        fs::read_to_string(&path).unwrap_or_default() == page,
        "docs/licences.md is of other crates: UPDATE_DOCS=1 cargo test --test docs licences"
    );
}
