//! What users of the older tool type: docs/from-the-older-tool.md against the older tool's own source and against what lain does with each word.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::App;

const CLUSTER: &str = "registry: registry.invalid/team\n";

/// The words behind `lain` that end in an option (`logs --tail`) or a command (`logs`), as the older tool's source declares them with click.
fn declared() -> BTreeSet<String> {
    let out = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rig/rig")).arg("old-lain").output().expect("the rig");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let bin = PathBuf::from(String::from_utf8_lossy(&out.stdout).trim());
    let lib = bin.parent().and_then(Path::parent).expect("a folder").join("lib");
    let python = fs::read_dir(lib).expect("lib").map(|entry| entry.expect("an entry").path()).find(|path| path.is_dir()).expect("python");
    let source = fs::read_to_string(python.join("site-packages/lain_cli/lain.py")).expect("lain.py");

    let mut found = BTreeSet::new();
    let mut group: Option<String> = None;
    let mut options: Vec<String> = vec![];
    for line in source.lines() {
        if let Some((owner, kind)) = line.strip_prefix('@').and_then(|line| line.strip_suffix("()")?.split_once('.')) {
            assert!(matches!(kind, "command" | "group"), "{line}");
            group = Some(if matches!(owner, "lain" | "click") { String::new() } else { format!("{owner} ") });
            options.clear();
        } else if let Some(name) = line.strip_prefix("def ").and_then(|line| line.split('(').next()) {
            let Some(owner) = group.take() else { continue };
            let name = name.replace('_', "-");
            let command = if name == "lain" { String::new() } else { format!("{owner}{name}") };
            found.extend(options.drain(..).map(|option| format!("{command} {option}").trim().to_owned()));
            found.extend(Some(command).filter(|command| !command.is_empty()));
        } else if group.is_some() && (line.starts_with("@click.option(") || line.starts_with("    '")) {
            let names = line.split("help=").next().unwrap_or_default().split('\'').skip(1).step_by(2);
            options.extend(names.filter(|name| name.starts_with('-') && !name.contains(' ')).map(str::to_owned));
        }
    }
    assert!(
        found.len() > 100 && found.contains("deploy --delete-after") && found.contains("restart -l") && found.contains("-a"),
        "{found:?}"
    );
    found
}

/// A row: every spelling of the word, whether it is here, and the rest.
struct Row {
    words: Vec<String>,
    here: bool,
    note: String,
}

fn rows() -> Vec<Row> {
    let page = include_str!("../docs/from-the-older-tool.md");
    let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let mut rows = vec![];
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let spellings = code(cells[0]);
        let command = spellings[0].rsplit_once(" -").map_or("", |(command, _)| command);
        let others = spellings[1..].iter().map(|option| format!("{command} {option}").trim().to_owned());
        let words = spellings[..1].iter().cloned().chain(others).collect();
        assert!(matches!(cells[1], "yes" | "no"), "{line}");
        rows.push(Row { words, here: cells[1] == "yes", note: cells.get(2).map_or_else(String::new, |cell| (*cell).to_owned()) });
    }
    rows
}

#[test]
fn the_page_lists_every_word_of_the_older_tool() {
    let mut listed = BTreeSet::new();
    for row in rows() {
        for word in row.words {
            assert!(listed.insert(word.clone()), "`{word}` is there twice");
        }
    }
    assert_eq!(listed, declared());
}

#[test]
fn each_word_does_what_the_page_says() {
    let app = App::new().cluster("test", CLUSTER).using("test");
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    for row in rows() {
        for word in &row.words {
            let args: Vec<&str> = word.split(' ').collect();
            if !row.here {
                let next = row.note.trim_matches('`');
                app.run(&args).exits(2).reason("is a word of the older tool").next(next).changed_nothing();
                continue;
            }
            let (command, option) = match args.split_last() {
                Some((last, rest)) if last.starts_with('-') => (rest.to_vec(), Some(*last)),
                _ => (args.clone(), None),
            };
            let help = helps.entry(command.join(" ")).or_insert_with(|| app.run(&[&command[..], &["--help"]].concat()).exits(0).stdout);
            let words: Vec<&str> = help.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '=')).collect();
            // What nobody is to learn any more is read all the same.
            let is_known = |option: &str| words.contains(&option) || app.run(&[&args[..], &["--help"]].concat()).code == 0;
            assert!(option.is_none_or(is_known), "lain has no `{word}`");
        }
    }
}

#[test]
fn machines_are_not_started() {
    let app = App::new().cluster("test", CLUSTER).cluster("rented", &format!("{CLUSTER}instance_ids: [ins-1]\n")).using("test");
    let link = || fs::read_link(app.home().join(".kube/config")).expect("a link");
    let before = link();
    app.run(&["use", "--turn", "rented"]).exits(2).reason("lain starts no machines").next("lain use rented");
    assert_eq!(link(), before, "nothing was done before");
    app.run(&["use", "--turn", "test"]).exits(0);
}

/// What kubectl and docker are told, for forms without `--`.
#[test]
fn commands_need_no_dashes() {
    const KUBECTL: &str = r#"case "$*" in
        *"get pods"*instance=shop-web*) echo '{"items": [{"metadata": {"name": "shop-web-1"}, "status": {"phase": "Running"}}]}' ;;
        *get*) echo '{"items": []}' ;;
        *exec*) echo "$@" ;;
    esac"#;
    let values = "appname: shop\ndeployments:\n  web: {command: [a], containerPort: 80}\n  worker: {command: [a]}\n";
    let app = App::empty().values(values).cluster("test", CLUSTER).using("test").fake("kubectl", KUBECTL);
    let told = |args: &[&str]| app.run(args).exits(0).stdout.trim().split_once(" -- ").expect("a command").1.to_owned();
    assert_eq!(told(&["x", "web", "bash", "-c", "ls | grep foo"]), "bash -c ls | grep foo");
    assert_eq!(told(&["x", "web", "--", "env"]), "env");
    assert_eq!(told(&["x", "web", "ls", "-la", "--", "-x"]), "ls -la -- -x");
    assert_eq!(told(&["x", "ls", "-la"]), "ls -la");
    assert_eq!(told(&["x", "--", "python3", "manage.py", "foo", "--bar"]), "python3 manage.py foo --bar");
    app.run(&["x", "ls"]).exits(0).says("`ls` is no proc of the app: it is run as a command in web");
    app.run(&["x", "wep"]).exits(2).reason("there is no proc `wep`").next("lain x web");
    app.run(&["x", "worker", "ls"]).exits(1).reason("no pod of shop-worker is running");
}

/// So long is waited for what never comes.
#[test]
fn tries_are_three_seconds_each() {
    const KUBECTL: &str = r#"case "$*" in
        *get*) echo '{"items": [{"kind": "Pod", "metadata": {"name": "shop-web-1"}, "status": {"phase": "Pending"}}]}' ;;
    esac"#;
    let app = App::new().cluster("test", CLUSTER).using("test").fake("kubectl", KUBECTL);
    app.run(&["wait", "--tries", "1"]).exits(1).says("3 s").within(9);
}
