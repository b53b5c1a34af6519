//! Environments, what locks them, and the jobs that change them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::certain::is_certain;
use super::{View, some};
use crate::pipeline::finding::Finding;
use crate::pipeline::job::Job;
use crate::pipeline::merged::Merged;
use crate::pipeline::rules::When;
use crate::pipeline::yaml::Node;

/// GitLab's `Gitlab::Regex.environment_name_regex`, which names of resource groups are held against too.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9_$\{\}. -]([a-zA-Z0-9_/$\{\}. -]*[a-zA-Z0-9_$\{\}. -])?$").expect("a pattern"));
static ECHOED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?:echo|printf)\s+["']?([A-Za-z_]\w*)="#).expect("a pattern"));
/// What one report holds on a GitLab of one's own (plan limit `dotenv_variables`).
const DOTENV: usize = 20;
/// Artifacts of a manual deploy should live as long as somebody may want to press the button.
const WEEK: u64 = 7 * 24;

const CHARACTERS: &str = "letters, digits, '-', '_', '/', '$', '{', '}', '.' and spaces, '/' not at the ends";

pub(super) fn check(merged: &Merged, findings: &mut Vec<Finding>) {
    let jobs = Job::all(merged);
    for job in &jobs {
        names(job, findings);
        on_stop(job, &jobs, merged, findings);
        if job.is_deploy() {
            careless(job, merged, findings);
        }
        dotenv(job, merged, findings);
    }
}

fn names(job: &Job<'_>, findings: &mut Vec<Finding>) {
    if let Some((name, _)) = job.environment().filter(|(name, _)| !NAME.is_match(name)) {
        let node = job.node.get("environment").map(|node| node.get("name").unwrap_or(node));
        let message = format!("environment `{name}` of `{}`: GitLab takes {CHARACTERS}", job.name);
        findings.push(Finding::error("C012", node.map_or(job.key, |node| &node.span), message, format!("name: {}", legal(name))));
    }
    let Some(node) = job.node.get("resource_group") else { return };
    let group = node.scalar().unwrap_or_default();
    if !NAME.is_match(&group) || group.len() > 255 {
        let message = format!(
            "resource_group `{group}` of `{}`: GitLab takes {CHARACTERS}; it drops others in silence, and nothing is locked",
            job.name
        );
        findings.push(Finding::error("C012", &node.span, message, format!("resource_group: {}", legal(&group))));
    } else if [
        "$CI_COMMIT_REF_NAME",
        "$CI_COMMIT_BRANCH",
        "$CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
        "${CI_COMMIT_REF_NAME}",
        "${CI_COMMIT_BRANCH}",
    ]
    .iter()
    .any(|name| group.contains(name))
    {
        let message = format!(
            "resource_group of `{}` has a branch's name in it: one with `#` or `+` is no legal group, and then nothing is locked",
            job.name
        );
        findings.push(Finding::note("C012", &node.span, message, "resource_group: ...$CI_COMMIT_REF_SLUG"));
    }
}

/// The name with a dash for each character that GitLab does not take.
fn legal(name: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || "_/${}. -".contains(c);
    let made: String = name.chars().map(|c| if kept(c) { c } else { '-' }).collect();
    made.trim_matches('/').chars().take(255).collect()
}

fn on_stop(job: &Job<'_>, jobs: &[Job<'_>], merged: &Merged, findings: &mut Vec<Finding>) {
    let Some(node) = job.node.get("environment").and_then(|environment| environment.get("on_stop")) else { return };
    let name = node.scalar().unwrap_or_default();
    let mut push = |message: String, hint: String| findings.push(Finding::error("C013", &node.span, message, hint));
    let environment = job.environment().map_or("", |(name, _)| name);
    let Some(stop) = jobs.iter().find(|stop| stop.name == name) else {
        if merged.is_whole() {
            let hint = format!("{name}: {{environment: {{name: {environment}, action: stop}}, when: manual, script: [...]}}");
            push(format!("`{}` is stopped by `{name}`, and there is no such job", job.name), hint);
        }
        return;
    };
    if merged.uncertain.contains(stop.name) || merged.uncertain.contains(job.name) {
        return;
    }
    match stop.environment() {
        None => push(
            format!("`{name}` stops `{environment}`, and has no environment"),
            format!("environment: {{name: {environment}, action: stop}}"),
        ),
        Some((other, _)) if other != environment => {
            push(
                format!("`{name}` is to stop `{environment}`, and its environment is `{other}`"),
                format!("environment: {{name: {environment}, action: stop}}"),
            );
        }
        Some((_, action)) if action != "stop" => {
            push(format!("`{name}` is to stop `{environment}`, and its action is `{action}`"), "action: stop".to_owned());
        }
        Some(_) => {}
    }
}

fn careless(job: &Job<'_>, merged: &Merged, findings: &mut Vec<Finding>) {
    if let Some(node) = job.inherited(merged, "interruptible").filter(|node| node.bool() == Some(true)) {
        let message = format!("`{}` changes an environment and may be interrupted: the next push kills it half way", job.name);
        findings.push(Finding::warning("C019", &node.span, message, "interruptible: false"));
    }
    let Some(node) = job.inherited(merged, "retry") else { return };
    let max = node.get("max").unwrap_or(node).scalar().and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let reasons: Vec<String> = node.get("when").map(Node::texts).unwrap_or_default().iter().filter_map(|text| text.scalar()).collect();
    let exit_codes = node.get("exit_codes").is_some();
    let of_script =
        reasons.is_empty() && !exit_codes || reasons.iter().any(|reason| matches!(reason.as_str(), "always" | "script_failure"));
    if max > 0 && of_script {
        let message =
            format!("`{}` changes an environment and is tried again after a failure of its script, before anybody has looked", job.name);
        findings.push(Finding::warning(
            "C020",
            &node.span,
            message,
            "retry: {max: 2, when: [runner_system_failure, stuck_or_timeout_failure]}",
        ));
    }
}

/// Variables that a script plainly writes into its report.
fn dotenv(job: &Job<'_>, merged: &Merged, findings: &mut Vec<Finding>) {
    let reports = job.node.get("artifacts").and_then(|artifacts| artifacts.get("reports"));
    for file in reports.and_then(|reports| reports.get("dotenv")).map(Node::texts).unwrap_or_default() {
        let Some(name) = file.text().filter(|name| !name.contains(['*', '$'])) else { continue };
        let script = job.script(merged);
        let lines =
            script.iter().filter_map(|node| node.text()).flat_map(str::lines).filter(|line| line.contains('>') && line.contains(name));
        let written: BTreeSet<&str> = lines.filter_map(|line| ECHOED.captures(line)?.get(1)).map(|found| found.as_str()).collect();
        if written.len() > DOTENV {
            let message = format!(
                "`{}` writes {} variables into {name}: GitLab takes {DOTENV}, and refuses the report with more",
                job.name,
                written.len()
            );
            findings.push(Finding::error(
                "C022",
                &file.span,
                message,
                "artifacts: {paths: [result.json]}, and a dotenv report of what later jobs need",
            ));
        }
    }
}

pub(super) fn check_kinds(views: &[View], findings: &mut Vec<Finding>) {
    stops(views, findings);
    expiry(views, findings);
}

/// A stop job that is not where its deploy is, or that does not wait.
fn stops(views: &[View], findings: &mut Vec<Finding>) {
    let Some(first) = views.first() else { return };
    for job in Job::all(&first.merged) {
        let Some(node) = job.node.get("environment").and_then(|environment| environment.get("on_stop")) else { continue };
        let name = node.scalar().unwrap_or_default();
        let jobs = Job::all(&first.merged);
        let Some(stop) = jobs.iter().find(|stop| stop.name == name) else { continue };
        if !is_certain(&job, &first.merged) || !is_certain(stop, &first.merged) {
            continue;
        }
        let without: Vec<&str> = views.iter().filter(|view| view.has(job.name) && !view.has(&name)).map(|view| view.kind.title).collect();
        if !without.is_empty() {
            let message =
                format!("`{}` is in pipelines without `{name}`, which is to stop it: {}", job.name, some(&without).replace('`', ""));
            findings.push(Finding::warning(
                "C013",
                stop.key,
                message,
                format!("the same rules for `{name}` as for `{}`, each with when: manual", job.name),
            ));
        }
        let at_once = views.iter().filter_map(|view| Some((view.job(job.name)?, view.job(&name)?)));
        if at_once.into_iter().any(|(deploy, stop)| matches!(stop.when, When::OnSuccess | When::Always) && deploy.when != When::Manual) {
            let message = format!("`{name}` does not wait for anybody: it stops what `{}` has just deployed", job.name);
            findings.push(Finding::warning("C013", stop.key, message, "when: manual"));
        }
    }
}

/// Artifacts that a manual deploy names and that will be gone.
fn expiry(views: &[View], findings: &mut Vec<Finding>) {
    for view in views {
        let jobs = Job::all(&view.merged);
        for job in jobs.iter().filter(|job| job.is_deploy() && view.job(job.name).is_some_and(|found| found.when == When::Manual)) {
            let listed = ["needs", "dependencies"].iter().filter_map(|key| job.node.get(key)).flat_map(|node| match node.list() {
                Some(items) => items.iter().collect(),
                None => vec![node],
            });
            let names: Vec<String> = listed
                .filter(|item| item.get("artifacts").and_then(Node::bool) != Some(false))
                .filter_map(|item| item.text().or_else(|| item.get("job")?.text()).map(str::to_owned))
                .collect();
            for other in jobs.iter().filter(|other| names.iter().any(|name| name == other.name)) {
                let Some(node) = other.node.get("artifacts").and_then(|artifacts| artifacts.get("expire_in")) else { continue };
                let Some(hours) = hours(&node.scalar().unwrap_or_default()).filter(|hours| *hours < WEEK) else { continue };
                let message =
                    format!("`{}` is started by hand, and what it needs of `{}` is gone after {hours} hours", job.name, other.name);
                findings.push(Finding::warning("C018", &node.span, message, "expire_in: 1 year"));
            }
        }
    }
}

/// A time as in `expire_in`, in hours; none for `never` and for what cannot be read.
fn hours(text: &str) -> Option<u64> {
    static PART: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\d+)\s*([a-z]*)").expect("a pattern"));
    let mut minutes = 0;
    for part in PART.captures_iter(&text.to_lowercase()) {
        let count: u64 = part[1].parse().ok()?;
        let unit = match part[2].trim_end_matches('s') {
            "" | "sec" | "second" => 0,
            "m" | "min" | "minute" => 1,
            "h" | "hr" | "hour" => 60,
            "d" | "day" => 60 * 24,
            "w" | "wk" | "week" => 60 * 24 * 7,
            "mo" | "mth" | "month" => 60 * 24 * 30,
            "y" | "yr" | "year" => 60 * 24 * 365,
            _ => return None,
        };
        minutes += count.checked_mul(unit)?;
    }
    text.chars().any(|c| c.is_ascii_digit()).then_some(minutes / 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_artifacts() {
        assert_eq!(
            ["1 day", "2 weeks", "1h30min", "3 mos 4 days", "30", "never", "1yr"].map(hours),
            [Some(24), Some(336), Some(1), Some(2256), Some(0), None, Some(8760)]
        );
    }

    #[test]
    fn names_that_gitlab_takes() {
        for name in ["production", "review/$CI_COMMIT_REF_SLUG", "a b", "${X}"] {
            assert!(NAME.is_match(name), "{name}");
        }
        for name in ["/a", "a/", "生产", "a:b", "a#b", ""] {
            assert!(!NAME.is_match(name), "{name}");
        }
        assert_eq!(legal("/a:b/"), "a-b");
    }
}
