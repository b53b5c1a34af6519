//! What looks like a password or a token.

use super::{Input, Problem, Severity, is_ignored};
use crate::model::app::ProcKind;
use crate::model::expansion::refers;
use crate::values::node::Node;

/// Endings of names that hold secrets.
const NAMES: [&str; 14] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
    "private_key",
    "secret_key",
    "credential",
    "credentials",
    "_pwd",
];
/// Beginnings that vendors give to tokens, with the least length of the whole (GitHub's and GitLab's documentation on token formats, AWS on access key ids, Slack).
const PREFIXES: [(&str, usize); 12] = [
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("glptt-", 20),
    ("AKIA", 20),
    ("ASIA", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("sk_live_", 20),
    ("-----BEGIN ", 20),
];

/// L043. The value itself is never shown.
pub(super) fn check(input: &mut Input<'_>) {
    let mut problems = Vec::new();
    let mut look = |env: &Node| {
        for (key, entry) in env.as_map().into_iter().flatten() {
            let Some(text) = entry.node.as_str() else { continue };
            if !is_secret(key, text) {
                continue;
            }
            let mut at = entry.node.span.location();
            if is_ignored(&at.text, "L043") {
                continue;
            }
            // Neither the terminal nor a report may become one more place that holds it.
            let column = at.column.saturating_sub(1);
            at.text = at.text.chars().take(column).chain("***".chars()).collect();
            at.length = 3;
            problems.push(Problem {
                id: "L043",
                severity: Severity::Warning,
                message: format!("`{key}` looks like a secret; values are in git and in every manifest"),
                hint: format!("lain env add {key}=... # keeps it in the cluster; then take the line out, and change the secret"),
                at,
            });
        }
    };
    input.root.get("env").into_iter().for_each(&mut look);
    for kind in [ProcKind::Deployment, ProcKind::StatefulSet, ProcKind::CronJob, ProcKind::Job, ProcKind::Test] {
        for entry in input.root.get(kind.key()).and_then(Node::as_map).into_iter().flat_map(|map| map.values()) {
            entry.node.get("env").into_iter().for_each(&mut look);
        }
    }
    for stage in [input.root.get("build"), input.root.get("build").and_then(|build| build.get("prepare")), input.root.get("release")] {
        stage.and_then(|stage| stage.get("env")).into_iter().for_each(&mut look);
    }
    input.problems.extend(problems);
}

fn is_secret(key: &str, text: &str) -> bool {
    let text = text.trim();
    if PREFIXES.iter().any(|(prefix, length)| {
        text.starts_with(prefix) && text.len() >= *length && (*prefix != "-----BEGIN " || text.contains("PRIVATE KEY"))
    }) {
        return true;
    }
    // user:password@host
    if let Some((_, rest)) = text.split_once("://")
        && let Some((user, _)) = rest.split('/').next().unwrap_or_default().rsplit_once('@')
        && let Some((_, password)) = user.split_once(':')
    {
        return is_literal(password);
    }
    let key = key.to_lowercase().replace('-', "_");
    NAMES.iter().any(|name| key.ends_with(name)) && is_literal(text)
}

/// Not empty, not taken from elsewhere, not a path, an address or a word that only names something.
fn is_literal(text: &str) -> bool {
    text.len() >= 6
        && !text.contains("${")
        && !refers(text)
        && !text.starts_with(['/', '<', '{'])
        && !text.contains("://")
        && !text.contains(char::is_whitespace)
        && !["changeme", "change-me", "required", "optional", "disabled", "enabled", "bearer", "default", "example"]
            .contains(&text.to_lowercase().as_str())
}
