//! The walls between the modules, as `src/lib.rs` draws them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file of the crate: its path from `src`, its text.
fn sources() -> Vec<(String, String)> {
    let src = src();
    let mut found = Vec::new();
    let mut todo = vec![src.clone()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                todo.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&src).expect("below src").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a source")));
            }
        }
    }
    assert!(found.len() > 50, "the sources are found: {}", found.len());
    found.sort();
    found
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The code of a line: without its comment. A `//` in a text ends the line too; that hides nothing that is looked for here.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// True when `word` stands there as a word of its own: `print!` is not in `eprint!`.
fn holds(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(is_name))
}

/// No line outside of these places (a file, or a folder ending with `/`) holds one of the words.
#[track_caller]
fn only_in(places: &[&str], words: &[&str]) {
    let mut broken = Vec::new();
    for (name, text) in sources() {
        if places.iter().any(|place| name == *place || (place.ends_with('/') && name.starts_with(place))) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| holds(code(line), word)) {
                broken.push(format!("src/{name}:{}: `{word}`", number + 1));
            }
        }
    }
    assert!(broken.is_empty(), "only {places:?} may hold these:\n{}", broken.join("\n"));
}

#[test]
fn words_are_told_apart() {
    assert!(holds("    print!(\"x\")", "print!"));
    assert!(!holds("    eprint!(\"x\")", "print!"));
    assert!(!holds(code("x // println! is the ui's"), "println!"));
}

#[test]
fn tools_alone_start_processes() {
    // ExitStatus and ExitCode start nothing.
    only_in(&["tools/"], &["process::Command", "duct::", "Command::spawn"]);
    let imports: Vec<String> = sources()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("tools/"))
        .flat_map(|(name, text)| text.lines().map(move |line| format!("src/{name}: {line}")).collect::<Vec<_>>())
        .filter(|line| line.contains("use std::process") && line.contains("Command"))
        .collect();
    assert!(imports.is_empty(), "{imports:?}");
}

/// What lain asks of a program is a typed verb of that program's file.
#[test]
fn verbs_of_programs_are_typed() {
    let verbs = [".call(", ".question(", ".change("];
    let mut broken = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| !name.starts_with("tools/")) {
        let lines = text.lines().enumerate().filter(|(_, line)| verbs.iter().any(|verb| code(line).contains(verb)));
        broken.extend(
            lines
                .filter(|(_, line)| !line.contains("editor.change("))
                .map(|(number, line)| format!("src/{name}:{}: {}", number + 1, line.trim())),
        );
    }
    assert!(broken.is_empty(), "a method of tools/ is missing:\n{}", broken.join("\n"));
}

#[test]
fn ui_alone_prints() {
    only_in(&["ui/"], &["println!", "eprintln!", "print!", "eprint!", "dbg!"]);
    only_in(&["ui/"], &["io::stdout", "io::stderr", "stdout()", "stderr()"]);
}

#[test]
fn http_alone_has_sockets() {
    only_in(&["http/"], &["ureq", "TcpStream", "UdpSocket", "UnixStream", "ToSocketAddrs"]);
}

#[test]
fn the_environment_is_read_in_one_file() {
    only_in(&["env.rs"], &["env::var", "env::vars", "env::var_os", "env::vars_os", "env::set_var", "env::remove_var"]);
}

/// Which room may use which, from top to bottom as `src/lib.rs` lists them; none other. An arrow that nobody uses any more is taken out.
const ARROWS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "command",
            "images",
            "session",
            "pipeline",
            "cluster",
            "tools",
            "resolved",
            "globals",
            "env",
            "ui",
            "model",
            "interrupt",
            "error",
        ],
    ),
    (
        "command",
        &[
            "panel",
            "doctor",
            "release",
            "images",
            "checks",
            "session",
            "lint",
            "pipeline",
            "kubeconfig",
            "cluster",
            "http",
            "tools",
            "resolved",
            "render",
            "globals",
            "env",
            "ui",
            "model",
            "values",
            "files",
            "interrupt",
            "error",
        ],
    ),
    ("panel", &["release", "session", "cluster", "tools", "ui", "model", "interrupt", "error"]),
    ("doctor", &["release", "images", "session", "http", "tools", "resolved", "ui", "model", "files", "interrupt", "error"]),
    (
        "release",
        &["images", "checks", "session", "cluster", "http", "tools", "resolved", "render", "ui", "model", "values", "interrupt", "error"],
    ),
    ("images", &["session", "http", "tools", "resolved", "render", "ui", "model", "values", "files", "interrupt", "error"]),
    ("checks", &["session", "lint", "resolved", "model", "error"]),
    ("session", &["kubeconfig", "http", "tools", "resolved", "globals", "env", "ui", "model", "files", "error"]),
    ("lint", &["cluster", "resolved", "render", "model", "values", "files", "interrupt", "error"]),
    ("pipeline", &["model", "values", "files", "error"]),
    ("kubeconfig", &["resolved", "env", "ui", "model", "values", "files", "error"]),
    ("cluster", &["http", "tools", "model", "interrupt", "error"]),
    ("http", &["tools", "env", "ui", "model", "interrupt", "error"]),
    ("tools", &["resolved", "env", "ui", "model", "files", "interrupt", "error"]),
    ("resolved", &["model", "values", "files", "error"]),
    ("render", &["model", "values", "error"]),
    ("globals", &["ui", "model", "error"]),
    ("env", &["model", "error"]),
    ("ui", &["model", "error"]),
    ("model", &["values", "error"]),
    ("values", &["error"]),
    ("files", &["error"]),
    ("interrupt", &["error"]),
    ("error", &[]),
];

/// The room that a file is in: its first folder, or itself.
fn room(name: &str) -> &str {
    name.split(['/', '.']).next().expect("a name")
}

/// The rooms, or the files of a room, that a text names behind `start`, each with its line.
fn named<'t>(text: &'t str, start: &str) -> Vec<(usize, &'t str)> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = code(line);
        for (at, _) in line.match_indices(start) {
            let rest = &line[at + start.len()..];
            let names = match rest.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap_or(list).split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let name = name.trim();
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                found.push((number + 1, &name[..end]));
            }
        }
    }
    found
}

#[test]
fn arrows_go_one_way() {
    let order: Vec<&str> = ARROWS.iter().map(|(room, _)| *room).collect();
    for (at, (room, below)) in ARROWS.iter().enumerate() {
        let below: Vec<usize> = below.iter().map(|name| order.iter().position(|known| known == name).expect("a room")).collect();
        assert!(below.iter().all(|place| *place > at) && below.is_sorted(), "{room}: the rooms it uses stand below it, in order");
    }
    let map = fs::read_to_string(src().join("lib.rs")).expect("the map");
    let drawn: Vec<&str> = map.lines().filter_map(|line| line.strip_prefix("//! - [`")?.split('`').next()).collect();
    assert_eq!(drawn, order, "the map of src/lib.rs lists the rooms in the table's order");
    let mut used = BTreeSet::new();
    let mut broken = Vec::new();
    for (name, text) in sources().iter().filter(|(name, _)| name != "lib.rs" && !name.starts_with("bin/")) {
        let (_, below) =
            ARROWS.iter().find(|(known, _)| *known == room(name)).unwrap_or_else(|| panic!("src/{name} is in no room of the map"));
        for (line, other) in named(text, "crate::").into_iter().filter(|(_, other)| *other != room(name) && order.contains(other)) {
            if !below.contains(&other) {
                broken.push(format!("src/{name}:{line}: {} may not use {other}", room(name)));
            }
            used.insert((room(name).to_owned(), other.to_owned()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    for (room, below) in ARROWS {
        let spare: Vec<_> = below.iter().filter(|other| !used.contains(&((*room).to_owned(), (**other).to_owned()))).collect();
        assert!(spare.is_empty(), "{room} does not use {spare:?}: take the arrows out of the table");
    }
}

#[test]
fn no_room_has_a_circle() {
    for (room_name, _) in ARROWS {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let files: Vec<_> =
            sources().into_iter().filter(|(name, _)| name.starts_with(&format!("{room_name}/")) && !name.ends_with("mod.rs")).collect();
        let part = |name: &str| name.trim_start_matches(&format!("{room_name}/")).split(['/', '.']).next().expect("a name").to_owned();
        let parts: BTreeSet<String> = files.iter().map(|(name, _)| part(name)).collect();
        for (name, text) in &files {
            // What tests use is no arrow of the house.
            let text = text.split("#[cfg(test)]").next().unwrap_or(text);
            let start = if name.matches('/').count() > 1 { "super::super::" } else { "super::" };
            let whole = format!("crate::{room_name}::");
            let others = named(text, start).into_iter().chain(named(text, &whole)).map(|(_, other)| other.to_owned());
            uses.entry(part(name)).or_default().extend(others.filter(|other| parts.contains(other) && *other != part(name)));
        }
        // Whoever uses nobody that is left is taken away; what stays at the end goes in a circle.
        loop {
            let done: Vec<String> = uses
                .iter()
                .filter(|(_, others)| others.iter().all(|other| !uses.contains_key(other)))
                .map(|(name, _)| name.clone())
                .collect();
            if done.is_empty() {
                break;
            }
            done.iter().for_each(|name| drop(uses.remove(name)));
        }
        assert!(uses.is_empty(), "src/{room_name}: these use each other: {uses:?}");
    }
}

#[test]
fn nothing_is_left_to_do() {
    only_in(&[], &["todo!", "unimplemented!", "unreachable_unchecked"]);
}

#[test]
fn files_are_for_one_sitting() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > 800)
        .map(|(name, lines)| format!("src/{name}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "no subject of this house needs more than 800 lines:\n{}", long.join("\n"));
}

/// A function of a longer subject is parted where the subject is; tables are no functions.
#[test]
fn functions_are_for_one_look() {
    let mut long = Vec::new();
    for (name, text) in sources() {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| holds(code(line), "fn ") && line.ends_with('{')) {
            let indent = &line[..line.len() - line.trim_start().len()];
            let end = lines[at..].iter().position(|line| line.strip_prefix(indent) == Some("}")).unwrap_or(0);
            if end >= 80 {
                long.push(format!("src/{name}:{}: {} lines", at + 1, end + 1));
            }
        }
    }
    assert!(long.is_empty(), "80 lines are the most:\n{}", long.join("\n"));
}

#[test]
fn every_command_is_in_a_table() {
    let text = |name: &str| fs::read_to_string(src().join(name)).expect("a source");
    let listed: BTreeSet<String> = text("command/mod.rs")
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix("pub(crate) mod ")?.strip_suffix(';')?.to_owned()))
        .collect();
    let files: BTreeSet<String> = fs::read_dir(src().join("command"))
        .expect("commands")
        .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .filter(|name| name != "mod")
        .collect();
    assert_eq!(listed, files, "command/mod.rs names every file beside it");
    let tables = text("cli/mod.rs");
    // `deploy_values` is what several commands share; `external` is the last resort, named in its own way.
    let unused: Vec<&String> = listed
        .iter()
        .filter(|name| name.as_str() != "deploy_values")
        .filter(|name| !tables.lines().any(|line| holds(code(line), &format!("command::{name}::"))))
        .collect();
    assert!(unused.is_empty(), "no table of cli/mod.rs has {unused:?}");
}

#[test]
fn the_top_level_is_tidy() {
    let out = std::process::Command::new("git").args(["ls-files"]).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("git runs");
    let listed = String::from_utf8(out.stdout).expect("UTF-8");
    let found: BTreeSet<&str> = listed.lines().filter_map(|path| path.split('/').next()).collect();
    let expected = [
        ".ci",
        ".dockerignore",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Dockerfile",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "README.zh-CN.md",
        "SECURITY.md",
        "benches",
        "chart_template",
        "ci-templates",
        "docs",
        "examples",
        "fuzz",
        "rustfmt.toml",
        "src",
        "tests",
        "vendor",
    ];
    assert_eq!(found, BTreeSet::from(expected));
}
