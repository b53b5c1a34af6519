//! What defeats a pipeline, or will not work: each subject a file, each check an id of [`catalogue`].

mod branches;
pub mod catalogue;
mod certain;
mod deploys;
mod graph;
mod keywords;
mod own;
mod secrets;

use std::collections::HashSet;

use super::finding::Finding;
use super::job::Job;
use super::kinds::{Kind, kinds_of};
use super::merged::Merged;
use super::read::Project;
use super::rules::{JobIn, Rule, jobs};

/// One kind of pipeline, as the project has it.
pub(super) struct View {
    pub kind: Kind,
    pub merged: Merged,
    pub jobs: Vec<JobIn>,
}

impl View {
    fn has(&self, name: &str) -> bool {
        self.job(name).is_some()
    }

    fn job(&self, name: &str) -> Option<&JobIn> {
        self.jobs.iter().find(|job| job.name == name)
    }
}

/// All that is known of a project's pipelines.
pub struct Judged {
    /// By place.
    pub findings: Vec<Finding>,
    /// Every kind of pipeline with its jobs; none where GitLab makes no pipeline.
    pub table: Vec<(Kind, Vec<JobIn>)>,
    /// Jobs that none of these kinds has: their rules ask for another branch, tag or variable.
    pub elsewhere: Vec<String>,
    /// Includes that are somewhere else.
    pub unread: Vec<String>,
}

/// Judges a project whose default branch has this name.
pub fn judge(project: &Project, default_branch: &str) -> Judged {
    let views: Vec<View> = kinds_of(default_branch)
        .into_iter()
        .map(|kind| {
            let merged = project.merged(&kind, &[]);
            let jobs = jobs(&merged, &kind, &[]);
            View { kind, merged, jobs }
        })
        .collect();
    let mut findings: Vec<Finding> = Vec::new();
    let mut unread: Vec<String> = Vec::new();
    for view in &views {
        findings.extend(view.merged.findings.iter().cloned());
        unread.extend(view.merged.unread.iter().map(|unread| unread.what.clone()));
        keywords::check(&view.merged, &mut findings);
        graph::check(&view.merged, &mut findings);
        secrets::check(&view.merged, &mut findings);
        deploys::check(&view.merged, &mut findings);
        own::check(&view.merged, &mut findings);
    }
    // What GitLab refuses has no pipelines to speak of.
    if !findings.iter().any(|finding| is_refused(finding.id)) {
        graph::check_kinds(&views, &mut findings);
        branches::check(&views, &mut findings);
        deploys::check_kinds(&views, &mut findings);
        own::check_kinds(&views, &mut findings);
    }
    let mut seen = HashSet::new();
    findings
        .retain(|finding| seen.insert((finding.id, finding.at.clone().path, finding.at.line, finding.at.column, finding.message.clone())));
    findings.retain(|finding| !finding.is_ignored());
    findings.sort_by(Finding::order);
    let mut known = HashSet::new();
    unread.retain(|what| known.insert(what.clone()));
    let mut elsewhere: Vec<String> = Vec::new();
    let wanted = |job: &Job<'_>| job.node.get("rules").is_none_or(|rules| !Rule::are_off(&Rule::all(rules)));
    for job in views.iter().flat_map(|view| Job::all(&view.merged)).filter(wanted) {
        if !views.iter().any(|view| view.has(job.name)) && !elsewhere.iter().any(|name| name == job.name) {
            elsewhere.push(job.name.to_owned());
        }
    }
    Judged { findings, elsewhere, table: views.into_iter().map(|view| (view.kind, view.jobs)).collect(), unread }
}

fn is_refused(id: &str) -> bool {
    matches!(id, "C001" | "C004" | "C005" | "C006" | "C010" | "C024" | "C025" | "C026")
}

/// Names in one line, the first few of them.
fn some(names: &[&str]) -> String {
    const MOST: usize = 5;
    let quoted: Vec<String> = names.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(MOST);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    quoted.join(", ") + &rest
}
