//! Whether it can be known from the files alone that a job is or is not in a pipeline.

use crate::pipeline::expression::Expression;
use crate::pipeline::job::{Job, values};
use crate::pipeline::merged::Merged;
use crate::pipeline::rules::Rule;
use crate::pipeline::yaml::Node;

/// Variables whose value follows from the kind of pipeline. All others are the project's, or differ from push to push.
const KNOWN: &[&str] = &[
    "CI",
    "GITLAB_CI",
    "CI_PIPELINE_SOURCE",
    "CI_COMMIT_BRANCH",
    "CI_COMMIT_TAG",
    "CI_COMMIT_REF_NAME",
    "CI_COMMIT_REF_SLUG",
    "CI_COMMIT_REF_PROTECTED",
    "CI_DEFAULT_BRANCH",
    "CI_OPEN_MERGE_REQUESTS",
    "CI_MERGE_REQUEST_ID",
    "CI_MERGE_REQUEST_IID",
    "CI_MERGE_REQUEST_EVENT_TYPE",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID",
    "CI_MERGE_REQUEST_PROJECT_ID",
];

/// The job's own conditions name nothing that only the project or the push knows.
pub(super) fn is_certain(job: &Job<'_>, merged: &Merged) -> bool {
    if merged.uncertain.contains(job.name) {
        return false;
    }
    let mut known = job.inherited_variables(merged);
    known.extend(values(job.node.get("variables")));
    let names = |text: &str| {
        Expression::read(text).is_ok_and(|condition| {
            // A switch of lain's own is off unless somebody sets it.
            condition
                .variables()
                .iter()
                .all(|name| KNOWN.contains(name) || known.contains_key(*name) || name.starts_with("LAIN_") || *name == "CI_DEPLOY_FREEZE")
        })
    };
    let of_rule = |rule: &Rule<'_>| {
        rule.node.get("if").is_none_or(|node| node.scalar().is_some_and(|text| names(&text))) && rule.node.get("exists").is_none()
    };
    let of_policy = |key: &str| {
        let Some(policy) = job.node.get(key) else { return true };
        let refs = policy.get("refs").unwrap_or(policy);
        refs.texts().iter().all(|name| name.text().is_some_and(|name| !name.contains('@')))
            && policy.get("kubernetes").is_none()
            && policy.get("variables").is_none_or(|list| list.texts().iter().all(|text| text.text().is_some_and(names)))
    };
    let rules = job.node.get("rules").map(Rule::all).unwrap_or_default();
    rules.iter().all(of_rule) && of_policy("only") && of_policy("except")
}

/// So is the workflow.
pub(super) fn is_workflow_certain(merged: &Merged) -> bool {
    let Some(node) = merged.root.get("workflow").map(|entry| &entry.node) else { return merged.is_whole() };
    let known = values(merged.root.get("variables").map(|entry| &entry.node));
    let rules = node.get("rules").map(Rule::all).unwrap_or_default();
    let fits = |text: &str| {
        Expression::read(text)
            .is_ok_and(|condition| condition.variables().iter().all(|name| KNOWN.contains(name) || known.contains_key(*name)))
    };
    rules.iter().all(|rule| rule.node.get("if").is_none_or(|node| node.text().is_some_and(fits)) && rule.node.get("exists").is_none())
        && !rules.is_empty()
        || (node.get("rules").is_none_or(Node::is_null) && merged.is_whole())
}
