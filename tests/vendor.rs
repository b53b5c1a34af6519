//! What serves the image's build: `vendor/check-versions` against servers that answer as the real ones do, newer, the same, and not at all.

#[path = "support/server.rs"]
mod server;

use std::fs;
use std::path::Path;
use std::process::Command;

use server::{Answer, Server};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the Dockerfile pins.
fn pinned(name: &str) -> String {
    let text = fs::read_to_string(root().join("Dockerfile")).expect("the Dockerfile");
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("ARG {name}="))).unwrap_or_else(|| panic!("ARG {name}"));
    line.to_owned()
}

/// The exit code, what is said, and the complaints; `newest` by program.
fn check(newest: [(&'static str, String); 4]) -> (i32, String, String) {
    let newest = std::collections::BTreeMap::from(newest);
    let server = Server::new(move |asked| {
        let text = |body: String| Answer::Reply(200, vec![], body);
        let version = |name: &str| newest[name].clone();
        match asked.target.as_str() {
            "/helm/helm4-latest-version" => text(format!("v{}", version("HELM"))),
            "/helm/helm3-latest-version" => text(format!("v{}\n", version("HELM3"))),
            "/kubectl/stable.txt" if version("KUBECTL").is_empty() => Answer::json(503, "gone"),
            "/kubectl/stable.txt" => text(format!("v{}", version("KUBECTL"))),
            "/stern/latest" => Answer::json(302, "").with("location", &format!("/stern/tag/v{}", version("STERN"))),
            path if path.starts_with("/stern/tag/") => text("<html>".into()),
            path if path.ends_with(".sha256sum") => text(format!("{}  {}\n", "a".repeat(64), path.trim_end_matches(".sha256sum"))),
            path if path.ends_with("arm64/kubectl.sha256") => Answer::json(404, "no such file"),
            path if path.ends_with("/kubectl.sha256") => text("b".repeat(64)),
            path if path.ends_with("/checksums.txt") => {
                let line = |sum: &str, arch: &str| format!("{}  stern_{}_linux_{arch}.tar.gz\n", sum.repeat(64), version("STERN"));
                text(line("c", "amd64") + &line("d", "arm64") + &line("e", "arm"))
            }
            path => Answer::json(404, path),
        }
    });
    let at = |path: &str| format!("http://{}{path}", server.host());
    let out = Command::new(root().join("vendor/check-versions"))
        .env("HELM_DOWNLOADS", at("/helm"))
        .env("KUBECTL_DOWNLOADS", at("/kubectl"))
        .env("STERN_DOWNLOADS", at("/stern/download"))
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code().expect("a code"), text(&out.stdout), text(&out.stderr))
}

fn versions(change: impl Fn(&'static str, String) -> String) -> [(&'static str, String); 4] {
    ["HELM", "HELM3", "KUBECTL", "STERN"].map(|name| (name, change(name, pinned(&format!("{name}_VERSION")))))
}

#[test]
fn newer_programs_are_told_with_the_lines_to_put_in() {
    let (code, told, complaints) = check(versions(|_, pinned| pinned));
    assert_eq!((code, complaints.as_str(), told.lines().count()), (0, "", 4), "{told}");
    assert!(told.lines().all(|line| line.ends_with("is the newest")), "{told}");

    let (code, told, complaints) = check(versions(|name, pinned| if name == "HELM3" { pinned } else { "99.0.1".into() }));
    assert_eq!((code, complaints.contains("404")), (3, true), "{complaints}");
    for line in [
        format!("# helm {}: 99.0.1 is out", pinned("HELM_VERSION")),
        "ARG HELM_VERSION=99.0.1".into(),
        format!("ARG HELM_SHA256_AMD64={}", "a".repeat(64)),
        format!("ARG HELM_SHA256_ARM64={}", "a".repeat(64)),
        format!("# helm3 {} is the newest", pinned("HELM3_VERSION")),
        "ARG KUBECTL_VERSION=99.0.1".into(),
        format!("ARG KUBECTL_SHA256_AMD64={}", "b".repeat(64)),
        "# the checksum for arm64 could not be asked for".into(),
        format!("ARG STERN_SHA256_AMD64={}", "c".repeat(64)),
        format!("ARG STERN_SHA256_ARM64={}", "d".repeat(64)),
    ] {
        assert!(told.lines().any(|told| told == line), "{line}\n---\n{told}");
    }
    // Each line that is told takes the place of one that is there.
    for name in told.lines().filter_map(|line| line.strip_prefix("ARG ")?.split('=').next()) {
        pinned(name);
    }
}

#[test]
fn a_server_that_does_not_tell_costs_its_own_program() {
    let (code, told, complaints) = check(versions(|name, pinned| if name == "KUBECTL" { String::new() } else { pinned }));
    assert_eq!(code, 1, "{told}");
    assert!(complaints.contains("kubectl: the newest version could not be asked for"), "{complaints}");
    assert_eq!(told.lines().count(), 3, "{told}");
}
