//! Words of GitLab's own: misspelt ones, ones that exclude each other, and conditions.

use crate::model::name::nearest;
use crate::pipeline::expression::Expression;
use crate::pipeline::finding::Finding;
use crate::pipeline::job::{Job, TOP};
use crate::pipeline::merged::Merged;
use crate::pipeline::rules::Rule;
use crate::pipeline::yaml::{Entry, Node};

/// Keys of a job (GitLab's `Entry::Job`, `Entry::Bridge`, `Entry::Processable`).
const JOB: &[&str] = &[
    "after_script",
    "allow_failure",
    "artifacts",
    "before_script",
    "cache",
    "coverage",
    "dast_configuration",
    "dependencies",
    "environment",
    "except",
    "extends",
    "hooks",
    "id_tokens",
    "identity",
    "image",
    "inherit",
    "inputs",
    "interruptible",
    "manual_confirmation",
    "needs",
    "only",
    "pages",
    "parallel",
    "publish",
    "release",
    "resource_group",
    "retry",
    "rules",
    "run",
    "script",
    "secrets",
    "services",
    "stage",
    "start_in",
    "tags",
    "timeout",
    "trigger",
    "type",
    "variables",
    "when",
];
/// Keys of a rule (`Entry::Rules::Rule`), of those of a workflow too.
const RULE: &[&str] =
    &["if", "changes", "exists", "when", "start_in", "allow_failure", "variables", "needs", "interruptible", "auto_cancel"];
const ARTIFACTS: &[&str] = &["name", "paths", "exclude", "untracked", "expose_as", "public", "access", "reports", "when", "expire_in"];
const ENVIRONMENT: &[&str] = &["name", "url", "on_stop", "action", "auto_stop_in", "kubernetes", "deployment_tier"];
/// Keys that no word of the top has below it.
const OF_JOBS_ALONE: &[&str] = &["stage", "tags", "needs", "environment", "only", "except", "resource_group", "dependencies"];
const WHEN: &[&str] = &["on_success", "on_failure", "always", "manual", "delayed", "never"];

pub(super) fn check(merged: &Merged, findings: &mut Vec<Finding>) {
    top(merged, findings);
    let jobs = Job::all(merged);
    if let Some((_, entry)) = merged.root.first().filter(|_| jobs.is_empty() && merged.is_whole()) {
        let message = "no job: GitLab wants one at least whose name does not begin with a dot";
        findings.push(Finding::error("C026", &entry.key, message, "test: {script: [make test]}"));
    }
    for job in &jobs {
        keys(&format!("job `{}`", job.name), job.node, JOB, findings);
        for (key, known) in [("artifacts", ARTIFACTS), ("environment", ENVIRONMENT)] {
            if let Some(node) = job.node.get(key) {
                keys(&format!("{key} of `{}`", job.name), node, known, findings);
            }
        }
        rules_or_only(job, findings);
        if let Some(rules) = job.node.get("rules") {
            rule_list(&format!("rule of `{}`", job.name), rules, findings);
        }
        when(job.name, job.node, findings);
        for key in ["only", "except"] {
            let conditions = job.node.get(key).and_then(|policy| policy.get("variables")).map(Node::texts).unwrap_or_default();
            conditions.into_iter().for_each(|node| condition(node, findings));
        }
    }
    if let Some(rules) = merged.root.get("workflow").and_then(|entry| entry.node.get("rules")) {
        rule_list("rule of `workflow`", rules, findings);
    }
}

/// Keys of the top that are neither GitLab's own nor jobs.
fn top(merged: &Merged, findings: &mut Vec<Finding>) {
    let is_job = |node: &Node| ["script", "run", "trigger", "extends"].iter().any(|key| node.get(key).is_some());
    let others = merged.root.iter().filter(|(name, entry)| {
        !name.starts_with('.')
            && !TOP.contains(&name.as_str())
            && *name != "pages"
            && !is_job(&entry.node)
            && !merged.uncertain.contains(*name)
    });
    for (name, Entry { key, node }) in others {
        // A job that the rest of comes from an include that was not read.
        if node.map().is_some() && !merged.is_whole() {
            continue;
        }
        let is_meant_as_job = node.map().is_some_and(|map| map.keys().any(|key| OF_JOBS_ALONE.contains(&key.as_str())));
        let near = nearest(name, TOP.iter().copied()).filter(|_| !is_meant_as_job);
        let finding = match near {
            Some(near) => {
                Finding::error("C002", key, format!("GitLab knows no `{name}`, and a job would have a script"), format!("{near}:"))
            }
            None => Finding::error(
                "C026",
                key,
                format!("`{name}` is no job: it has neither `script` nor `run` nor `trigger`"),
                format!("{name}: {{script: [...]}}, or .{name}: for what others extend or refer to"),
            ),
        };
        findings.push(finding);
    }
    // A job that extends one without a script.
    for job in Job::all(merged).iter().filter(|job| job.node.get("extends").is_some() && !is_job_complete(job.node)) {
        if merged.is_whole() && !merged.uncertain.contains(job.name) {
            let message = format!("`{}` is no job: neither it nor what it extends has `script`, `run` or `trigger`", job.name);
            findings.push(Finding::error("C026", job.key, message, "script: [...]"));
        }
    }
}

fn is_job_complete(node: &Node) -> bool {
    ["script", "run", "trigger"].iter().any(|key| node.get(key).is_some())
}

fn keys(whose: &str, node: &Node, known: &[&str], findings: &mut Vec<Finding>) {
    for (name, entry) in node.map().into_iter().flatten().filter(|(name, _)| !known.contains(&name.as_str())) {
        let finding = if let Some(near) = nearest(name, known.iter().copied()) {
            Finding::error("C002", &entry.key, format!("{whose}: GitLab knows no `{name}`"), format!("{near}:"))
        } else {
            let hint = format!("take `{name}` out; https://docs.gitlab.com/ci/yaml/ lists the words");
            Finding::warning("C002", &entry.key, format!("{whose}: `{name}` is no word of GitLab's that is known here"), hint)
        };
        findings.push(finding);
    }
}

fn rules_or_only(job: &Job<'_>, findings: &mut Vec<Finding>) {
    if job.node.get("rules").is_none_or(Node::is_null) {
        return;
    }
    for key in ["only", "except", "start_in"] {
        if job.node.get(key).is_some_and(|node| !node.is_null()) {
            let message = format!("`{}` has `{key}` and `rules`: GitLab takes one of them", job.name);
            let hint = if key == "start_in" {
                "start_in: in the rule that delays"
            } else {
                "rules: alone; `only: [main]` is `- if: $CI_COMMIT_BRANCH == \"main\"`"
            };
            findings.push(Finding::error("C010", job.at(key), message, hint));
        }
    }
}

fn rule_list(whose: &str, rules: &Node, findings: &mut Vec<Finding>) {
    for rule in Rule::all(rules) {
        keys(whose, rule.node, RULE, findings);
        when(whose, rule.node, findings);
        if let Some(node) = rule.node.get("if") {
            condition(node, findings);
        }
    }
}

fn condition(node: &Node, findings: &mut Vec<Finding>) {
    let Some(text) = node.scalar() else {
        findings.push(Finding::error("C024", &node.span, format!("a condition is text, this is {}", node.kind()), "if: $CI_COMMIT_TAG"));
        return;
    };
    if let Err(why) = Expression::read(&text) {
        let hint = "if: $NAME == \"text\" && ($OTHER =~ /^pattern/ || $THIRD)";
        findings.push(Finding::error("C024", &node.span, format!("GitLab cannot read this condition: {why}"), hint));
    }
}

fn when(whose: &str, node: &Node, findings: &mut Vec<Finding>) {
    let Some(when) = node.get("when") else { return };
    let word = when.scalar().unwrap_or_default();
    if !WHEN.contains(&word.as_str()) {
        let hint = nearest(&word, WHEN.iter().copied()).map_or_else(|| WHEN.join(" | "), |near| format!("when: {near}"));
        findings.push(Finding::error("C002", &when.span, format!("{whose}: GitLab knows no `when: {word}`"), hint));
    }
}
