//! `docs/errors.md` is what lain says in `tests/bad_input.rs`, word for word.
//!
//! `UPDATE_DOCS=1 cargo test --test gallery` writes it anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const HEAD: &str = "# What lain says when something is wrong\n\nEvery error has a reason, the place if it is in a file of yours, and what to type next. This page is made from the tests \
                    (`UPDATE_DOCS=1 cargo test --test gallery`); what `lain lint` finds in values has [a page for each check](lint/L012.md).\n";

/// What differs from run to run, and says nothing.
fn steady(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| {
                let port = word.split_once("127.0.0.1:").map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
                match port {
                    Some(port) if port.len() > 4 || port == "1" => word.replacen(&format!("127.0.0.1:{port}"), "127.0.0.1:PORT", 1),
                    _ => word.to_owned(),
                }
            })
            .collect();
        out += &words.join(" ");
        out.push('\n');
    }
    out
}

#[test]
fn the_gallery_is_what_the_tests_saw() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let ran = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
        .args(["test", "--quiet", "--locked", "--test", "bad_input"])
        .current_dir(root)
        .env("LAIN_GALLERY", folder.path())
        .output()
        .expect("cargo runs");
    assert!(ran.status.success(), "{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut files: Vec<_> = fs::read_dir(folder.path()).expect("the gallery").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    for path in files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let (test, _) = name.rsplit_once('-').expect("a number");
        let said = steady(&fs::read_to_string(&path).expect("text"));
        let last = said.lines().last().expect("words");
        assert!(last.starts_with("next: ") || last == "error: interrupted", "{test}: every error ends with what to type next\n{said}");
        let texts = shown.entry(test.replace('_', " ")).or_default();
        if !texts.contains(&said) {
            texts.push(said);
        }
    }
    assert!(shown.len() > 20, "{} tests", shown.len());
    let mut page = HEAD.to_owned();
    for (test, texts) in shown {
        let title: String = test.chars().take(1).flat_map(char::to_uppercase).chain(test.chars().skip(1)).collect();
        page += &format!("\n## {title}\n");
        texts.iter().for_each(|text| page += &format!("```text\n{text}```\n"));
    }
    let path = root.join("docs/errors.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).expect("docs/errors.md");
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), page, "UPDATE_DOCS=1 cargo test --test gallery");
}
