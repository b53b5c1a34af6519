//! Branch pipelines beside merge request pipelines, schedules, and `changes` where GitLab knows of none.

use super::certain::{is_certain, is_workflow_certain};
use super::{View, some};
use crate::pipeline::finding::Finding;
use crate::pipeline::job::Job;
use crate::pipeline::rules::{Rule, When};

/// The switch between the two kinds, as GitLab's documentation has it.
const SWITCH: &str = "workflow: {rules: [{if: $CI_PIPELINE_SOURCE == \"merge_request_event\"}, {if: $CI_COMMIT_BRANCH && $CI_OPEN_MERGE_REQUESTS, when: never}, {if: $CI_COMMIT_BRANCH || $CI_COMMIT_TAG}]}";

pub(super) fn check(views: &[View], findings: &mut Vec<Finding>) {
    let of = |id: &str| views.iter().find(|view| view.kind.id == id);
    if let (Some(branch), Some(request)) = (of("branch-mr"), of("mr"))
        && is_workflow_certain(&branch.merged)
        && !request.jobs.is_empty()
        && !branch.jobs.is_empty()
    {
        hidden(branch, request, findings);
        twice(branch, request, findings);
    }
    if let Some(view) = of("schedule") {
        scheduled(view, findings);
    }
    changes(views, findings);
}

/// Runs by itself, and a failure of it is one of the pipeline.
fn counts(view: &View, name: &str) -> bool {
    view.job(name).is_some_and(|job| !matches!(job.when, When::Manual | When::OnFailure) && !job.may_fail)
}

fn hidden(branch: &View, request: &View, findings: &mut Vec<Finding>) {
    let jobs = Job::all(&branch.merged);
    let beside: Vec<&Job<'_>> = jobs
        .iter()
        .filter(|job| counts(branch, job.name) && !request.has(job.name) && job.environment().is_none() && is_certain(job, &branch.merged))
        .collect();
    let Some(first) = beside.first() else { return };
    let names: Vec<&str> = beside.iter().map(|job| job.name).collect();
    let theirs: Vec<&str> = request.jobs.iter().map(|job| job.name.as_str()).collect();
    let verb = if names.len() == 1 { "runs" } else { "run" };
    let message = format!(
        "{} {verb} in branch pipelines alone, and merge requests have a pipeline of their own ({}): the merge button looks at that one, and a red {} is hidden",
        some(&names),
        some(&theirs).replace('`', ""),
        if names.len() == 1 { "test" } else { "job" },
    );
    findings.push(Finding::warning("C008", first.key, message, SWITCH));
}

fn twice(branch: &View, request: &View, findings: &mut Vec<Finding>) {
    let jobs = Job::all(&branch.merged);
    let both: Vec<&Job<'_>> =
        jobs.iter().filter(|job| counts(branch, job.name) && counts(request, job.name) && is_certain(job, &branch.merged)).collect();
    let Some(first) = both.first() else { return };
    let names: Vec<&str> = both.iter().map(|job| job.name).collect();
    let message = format!("{}: a push to a branch with an open merge request makes two pipelines, and both run this", some(&names));
    findings.push(Finding::warning("C009", first.at("rules"), message, SWITCH));
}

/// A note; a warning where the file has schedules in mind.
fn scheduled(view: &View, findings: &mut Vec<Finding>) {
    let has_schedules = view.merged.to_json().to_string().contains("schedule");
    for job in Job::all(&view.merged).iter().filter(|job| job.is_deploy() && is_certain(job, &view.merged)) {
        let Some(found) = view.job(job.name).filter(|found| matches!(found.when, When::OnSuccess | When::Always | When::Delayed)) else {
            continue;
        };
        let message = format!("`{}` is in the pipelines of schedules too: a nightly one deploys", found.name);
        let hint = "rules: [{if: $CI_PIPELINE_SOURCE == \"schedule\", when: never}, ...]";
        let at = if job.node.get("rules").is_some() { job.at("rules") } else { job.at("only") };
        findings.push(if has_schedules { Finding::warning("C014", at, message, hint) } else { Finding::note("C014", at, message, hint) });
    }
}

fn changes(views: &[View], findings: &mut Vec<Finding>) {
    let Some(known) = views.iter().find(|view| view.kind.id == "default") else { return };
    for job in Job::all(&known.merged) {
        let of_rules = job.node.get("rules").map(Rule::all).unwrap_or_default().iter().any(|rule| rule.node.get("changes").is_some());
        let of_only = job.node.get("only").and_then(|only| only.get("changes")).is_some_and(|node| !node.is_null());
        if !of_rules && !of_only {
            continue;
        }
        let always: Vec<&str> = views
            .iter()
            .filter(|view| !view.kind.knows_changes && view.job(job.name).is_some_and(|found| found.when != When::Manual))
            .map(|view| view.kind.title)
            .collect();
        if always.is_empty() || !views.iter().any(|view| view.job(job.name).is_some_and(|found| found.only_on_changes)) {
            continue;
        }
        let message =
            format!("`{}`: GitLab takes `changes` for true where it knows of none ({})", job.name, some(&always).replace('`', ""));
        let hint =
            "rules: [{if: $CI_PIPELINE_SOURCE == \"push\" && $CI_COMMIT_BRANCH, changes: {paths: [...], compare_to: refs/heads/main}}]";
        findings.push(Finding::note("C015", job.at(if of_rules { "rules" } else { "only" }), message, hint));
    }
}
