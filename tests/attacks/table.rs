//! The table of `docs/security.md` is what the attacks of this folder say of themselves.
//!
//! `UPDATE_DOCS=1 cargo test --test attacks table` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Who may try something, in the order of the page.
const WHO: [&str; 9] = [
    "a repository",
    "a merge request",
    "a cluster file",
    "a registry",
    "a build",
    "the cluster",
    "a pod's log",
    "another user or program of this machine",
    "an accident",
];
const START: &str = "<!-- made from tests/attacks by UPDATE_DOCS=1 cargo test --test attacks table -->\n";
const END: &str = "<!-- end -->\n";

/// The first doc line of every test in this folder: its file and name, who, what, what comes of it.
fn attacks() -> Vec<[String; 4]> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let mut files: Vec<_> = fs::read_dir(folder).expect("this folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !path.ends_with("main.rs") && !path.ends_with("table.rs")) {
        let text = fs::read_to_string(path).expect("a source");
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.trim() == "#[test]") {
            let docs = lines[..at].iter().rev().take_while(|line| line.starts_with("///")).count();
            let name = lines[at..].iter().find_map(|line| line.strip_prefix("fn ")).expect("a function").split('(').next().expect("a name");
            let place = format!("{}::{name}", path.file_stem().expect("a name").to_string_lossy());
            let doc = lines[at - docs..at].first().unwrap_or_else(|| panic!("{place}: no doc line `WHO: WHAT => OUTCOME`"));
            let doc = doc.trim_start_matches("///").trim();
            let (who, rest) = doc.split_once(": ").unwrap_or_else(|| panic!("{place}: `{doc}` does not start with who"));
            let (what, outcome) = rest.split_once(" => ").unwrap_or_else(|| panic!("{place}: `{doc}` does not say what comes of it"));
            assert!(WHO.contains(&who), "{place}: `{who}` is none of {WHO:?}");
            found.push([place, who.to_owned(), what.to_owned(), outcome.to_owned()]);
        }
    }
    found
}

fn rendered() -> String {
    let mut by: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for [_, who, what, outcome] in attacks() {
        let place = WHO.iter().position(|known| *known == who).expect("known");
        let cell = |text: &str| text.replace('|', "\\|");
        by.entry(place).or_default().push(format!("| {} | {} |\n", cell(&what), cell(&outcome)));
    }
    let capital = |text: &str| text[..1].to_uppercase() + &text[1..];
    by.iter().fold(String::new(), |page, (place, rows)| {
        page + &format!("\n### {}\n\n| tries | and gets |\n| --- | --- |\n{}", capital(WHO[*place]), rows.concat())
    })
}

#[test]
fn the_table_is_what_the_attacks_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md");
    let page = fs::read_to_string(&path).expect("docs/security.md");
    let (head, rest) = page.split_once(START).expect("the table's start");
    let (_, tail) = rest.split_once(END).expect("the table's end");
    let wanted = format!("{head}{START}{}\n{END}{tail}", rendered());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &wanted).expect("docs/security.md");
    }
    let found = fs::read_to_string(&path).expect("docs/security.md");
    let differs = found.lines().zip(wanted.lines()).find(|(found, wanted)| found != wanted);
    assert!(found == wanted, "UPDATE_DOCS=1 cargo test --test attacks table\nfirst difference: {differs:?}");
}
