//! `docs/lint/ID.md`: the bad files of each page are found fault with as the page shows, `# lain:ignore ID` silences it, and the good files are fine.
//!
//! `UPDATE_DOCS=1 cargo test --test lint_pages` writes what lain prints into the pages.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use lain::lint::catalogue::CHECKS;
use support::{App, Ran, rig};

/// Checks without an example of their own here: tests/prometheus.rs shows them against a real Prometheus.
const NEED_PROMETHEUS: [&str; 5] = ["L060", "L061", "L062", "L063", "L069"];

struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    fn read(id: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/lint/{id}.md"));
        let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("every check has a page: {}", path.display()));
        Self { path, text }
    }

    /// Blocks whose first line begins with these words: the rest of that line, and the block.
    fn blocks(&self, head: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for part in self.text.split("\n```").skip(1).step_by(2) {
            let (first, rest) = part.split_once('\n').unwrap_or((part, ""));
            if let Some(name) = first.strip_prefix(head) {
                let text = if rest.is_empty() || rest.ends_with('\n') { rest.to_owned() } else { format!("{rest}\n") };
                found.push((name.trim().to_owned(), text));
            }
        }
        found
    }
}

/// An app with these files over one that is fine, on a cluster called test.
fn app(id: &str, files: &[(String, String)]) -> App {
    let fine = Page::read("L004").blocks("yaml good");
    let mut app =
        App::empty().chart().tools(&["helm"]).cluster("test", "registry: registry.example.com/team\ndomain: example.com\n").using("test");
    for (path, text) in fine.iter().chain(files) {
        app = match path.strip_prefix("clusters/values-").and_then(|rest| rest.strip_suffix(".yaml")) {
            Some(cluster) => app.cluster_without_kubeconfig(cluster, text),
            None => app.file(path, text),
        };
    }
    if id == "L053" {
        let kubeconfig = fs::read_to_string(rig("LAIN_E2E_KUBECONFIG")).expect("the rig's kubeconfig");
        app = app.home_file(".kube/kubeconfig-test", &kubeconfig).tool("kubectl", "kubectl-1.20.2");
    }
    app
}

/// What lain said of one check: the error or warning, its line, what to write instead.
fn said(id: &str, ran: &Ran) -> String {
    let mut out = String::new();
    let mut ours = false;
    for line in ran.stderr.lines() {
        if line.starts_with("error: ") || line.starts_with("warning: ") {
            // What cannot be read is said as any command says it.
            ours = line.contains(&format!("[{id}]")) || (id == "L000" && line.contains("chart/values.yaml:"));
        }
        if ours {
            out += &of_any_run(line);
            out.push('\n');
        }
    }
    out
}

/// A line without the folder that this run's clusters are in.
fn of_any_run(line: &str) -> String {
    let Some(at) = line.find("/clusters/values-") else { return line.to_owned() };
    let start = line[..at].rfind(' ').map_or(0, |blank| blank + 1);
    format!("{}{}", &line[..start], &line[at + 1..])
}

#[test]
fn bad_files_are_found_and_good_ones_are_fine() {
    let mut wrong = Vec::new();
    for check in CHECKS.iter().filter(|check| !NEED_PROMETHEUS.contains(&check.id)) {
        let id = check.id;
        let page = Page::read(id);
        let (bad, good) = (page.blocks("yaml bad"), page.blocks("yaml good"));
        assert!(!bad.is_empty() && !good.is_empty(), "{id}: a bad and a good file");
        let mut ran = app(id, &bad).run(&["lint", "--simple"]);
        for _ in 0..20 {
            if id != "L053" || !said(id, &ran).is_empty() {
                break;
            }
            // The one question to the server is bounded, and a loaded machine may take longer.
            std::thread::sleep(std::time::Duration::from_secs(2));
            ran = app(id, &bad).run(&["lint", "--simple"]);
        }
        let shown = said(id, &ran);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let (_, old) = page.blocks("text output").remove(0);
            let text = page.text.replace(&format!("```text output\n{old}```"), &format!("```text output\n{shown}```"));
            fs::write(&page.path, text).expect("the page");
        }
        if shown.is_empty() || Page::read(id).blocks("text output") != [(String::new(), shown.clone())] {
            wrong.push(format!("{id}: the page's output is not what lain prints:\n{shown}\n{}", ran.stderr));
            continue;
        }
        assert_eq!(
            ran.code,
            if shown.starts_with("warning") {
                0
            } else if id == "L000" {
                1
            } else {
                3
            },
            "{id}: {}",
            ran.stderr
        );

        let fine = app(id, &good).run(&["lint", "--simple"]);
        if fine.code != 0 || fine.stderr.contains(&format!("[{id}]")) {
            wrong.push(format!("{id}: the good file is not fine:\n{}", fine.stderr));
        }
        if id == "L000" {
            continue; // nothing can be ignored in what cannot be read
        }
        let ignored: Vec<(String, String)> = bad.iter().map(|(path, text)| (path.clone(), ignore(id, path, text, &shown))).collect();
        if id != "L051" {
            let ran = app(id, &ignored).run(&["lint", "--simple"]);
            if ran.stderr.contains(&format!("[{id}]")) {
                wrong.push(format!("{id}: cannot be ignored:\n{}", ran.stderr));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `# lain:ignore ID` behind every line that lain pointed at.
fn ignore(id: &str, path: &str, text: &str, shown: &str) -> String {
    let places: Vec<usize> =
        shown.lines().filter_map(|line| line.split_once(&format!("{path}:"))?.1.split(':').next()?.parse().ok()).collect();
    let lines = text.lines().enumerate().map(|(index, line)| {
        let comment = if places.contains(&(index + 1)) { format!(" # lain:ignore {id}") } else { String::new() };
        format!("{line}{comment}\n")
    });
    lines.collect()
}

#[test]
fn explain_prints_the_page() {
    let app = App::empty();
    let page = Page::read("L012");
    app.run(&["lint", "--explain", "l012"]).exits(0).prints(page.text.trim_end());
    let all = app.run(&["lint", "--explain", "all"]).exits(0).stdout;
    assert!(CHECKS.iter().all(|check| all.contains(check.id) && all.contains(check.why)));
    app.run(&["lint", "--explain", "L999"]).exits(2).reason("there is no check `L999`").next("--explain all");
}

#[test]
fn pages_carry_the_title_of_their_check() {
    for check in CHECKS {
        assert!(Page::read(check.id).text.starts_with(&format!("# {} {}\n", check.id, check.title)), "{}", check.id);
    }
    let known = |name: &str| CHECKS.iter().any(|check| name == format!("{}.md", check.id));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lint");
    for entry in fs::read_dir(folder).expect("the pages") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        assert!(known(&name), "docs/lint/{name} is about no check");
    }
}
