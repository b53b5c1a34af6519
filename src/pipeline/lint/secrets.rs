//! Secrets that stand in the file. No value is ever shown.

use crate::pipeline::finding::Finding;
use crate::pipeline::job::Job;
use crate::pipeline::merged::Merged;
use crate::pipeline::yaml::Node;

/// What the name of a secret ends with.
const ENDINGS: &[&str] =
    &["TOKEN", "PASSWORD", "PASSWD", "SECRET", "API_KEY", "APIKEY", "ACCESS_KEY", "SECRET_KEY", "PRIVATE_KEY", "WEBHOOK"];
/// What tokens of well known services begin with.
const PREFIXES: &[&str] =
    &["glpat-", "gldt-", "glptt-", "ghp_", "gho_", "github_pat_", "xoxb-", "xoxp-", "AKIA", "dckr_pat_", "npm_", "pypi-", "sk_live_"];
/// Databases that a job starts for its tests have passwords that are none.
const OF_SERVICES: &[&str] = &[
    "MYSQL", "MARIADB", "POSTGRES", "PG", "REDIS", "MONGO", "RABBITMQ", "DB", "DATABASE", "TEST", "MINIO", "ELASTIC", "SA", "MSSQL",
    "CI_DB",
];

pub(super) fn check(merged: &Merged, findings: &mut Vec<Finding>) {
    let top = merged.root.get("variables").map(|entry| &entry.node);
    let of_default = merged.root.get("default").and_then(|entry| entry.node.get("variables"));
    let jobs = Job::all(merged);
    let of_jobs = jobs.iter().filter_map(|job| job.node.get("variables"));
    for (name, entry) in top.into_iter().chain(of_default).chain(of_jobs).filter_map(Node::map).flatten() {
        let value = entry.node.get("value").unwrap_or(&entry.node).scalar().unwrap_or_default();
        if !is_secret(name, &value) {
            continue;
        }
        let message = format!("`{name}` looks like a secret, and stands in the file for everybody to read");
        let hint = format!("Settings, CI/CD, Variables: {name}, masked and protected; then a new value, since this one is known");
        let mut finding = Finding::error("C016", &entry.key, message, hint);
        // Neither the line nor a report of it repeats the value.
        let (shown, rest) = finding.at.text.split_at(finding.at.text.find(name.as_str()).map_or(0, |at| at + name.len()));
        let ignored = rest.find("# lain:ignore").map_or("", |at| &rest[at..]);
        format!("{shown}: *** {ignored}").trim_end().clone_into(&mut finding.at.text);
        findings.push(finding);
    }
}

fn is_secret(name: &str, value: &str) -> bool {
    let value = value.trim();
    if PREFIXES.iter().any(|prefix| value.starts_with(prefix) && value.len() > prefix.len() + 10) {
        return true;
    }
    let upper = name.to_uppercase();
    let is_named = ENDINGS.iter().any(|ending| upper == *ending || upper.ends_with(&format!("_{ending}")));
    let of_service = OF_SERVICES.iter().any(|prefix| upper.starts_with(&format!("{prefix}_")) || upper == format!("{prefix}PASSWORD"));
    is_named
        && !of_service
        && value.len() >= 8
        && !is_word(value)
        && !value.contains(['$', ' ', '<'])
        && !value.starts_with(['/', '.', '~'])
        && !value.contains("://")
        || upper.ends_with("WEBHOOK") && value.starts_with("https://") && !value.contains('$')
        || value.starts_with("-----BEGIN") && value.contains("PRIVATE KEY")
}

/// Plain words, paths and file names: `changeme`, `not-a-secret`, `token.txt`.
fn is_word(value: &str) -> bool {
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let has_upper = value.bytes().any(|byte| byte.is_ascii_uppercase());
    let has_lower = value.bytes().any(|byte| byte.is_ascii_lowercase());
    let kinds = usize::from(has_digit) + usize::from(has_upper) + usize::from(has_lower);
    kinds < 2
        || ["example", "dummy", "changeme", "password", "secret", "test", "fake"].iter().any(|word| value.to_lowercase().contains(word))
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn secrets_are_told_from_words() {
        for (name, value) in [
            ("DEPLOY_TOKEN", "a8f7Kd92hfQ0"),
            ("PASSWORD", "hunter2Xy99"),
            ("X", "glpat-abcdefghij1234567890"),
            ("FEISHU_WEBHOOK", "https://open.feishu.cn/open-apis/bot/v2/hook/1"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("DEPLOY_TOKEN", "$TOKEN"),
            ("MYSQL_ROOT_PASSWORD", "rootRoot123"),
            ("POSTGRES_PASSWORD", "postgres1X"),
            ("TOKEN", ""),
            ("TOKEN", "changeme"),
            ("DJANGO_SECRET_KEY", "not-a-real-one"),
            ("SECRET_KEY", "test1234567"),
            ("PASSWORD", "/run/secrets/pw1"),
            ("VAULT_TOKEN", "s.1"),
            ("SECRET_DETECTION_DISABLED", "true"),
            ("TOKEN_URL", "Abcdefgh12345"),
        ] {
            assert!(!is_secret(name, value), "{name}={value}");
        }
    }
}
