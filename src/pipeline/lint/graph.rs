//! Stages, and which job needs which.

use super::certain::is_certain;
use super::{View, some};
use crate::model::name::nearest;
use crate::pipeline::finding::{Finding, Weight};
use crate::pipeline::job::Job;
use crate::pipeline::merged::Merged;
use crate::pipeline::rules::{Changed, Rule, jobs_if};
use crate::pipeline::yaml::Node;

/// GitLab's stages when a file names none.
const DEFAULT: &[&str] = &["build", "test", "deploy"];
/// How many lists of `changes` are tried one by one.
const MOST_CHANGES: usize = 12;

pub(super) fn check(merged: &Merged, findings: &mut Vec<Finding>) {
    let jobs = Job::all(merged);
    let Some(stages) = stages(merged) else { return };
    for job in jobs.iter().filter(|job| !merged.uncertain.contains(job.name) || job.node.get("stage").is_some()) {
        stage(job, &stages, merged, findings);
    }
    for job in &jobs {
        needed(job, &jobs, &stages, merged, findings);
    }
}

/// All stages in order; none when an include that was not read may bring them.
fn stages(merged: &Merged) -> Option<Vec<String>> {
    let named = merged.root.get("stages").or_else(|| merged.root.get("types")).map(|entry| &entry.node);
    let mut all = vec![".pre".to_owned()];
    match named {
        Some(node) if merged.is_whole() || node.span.source.path == merged.file => {
            all.extend(node.texts().iter().filter_map(|text| text.scalar()));
        }
        None if merged.is_whole() => all.extend(DEFAULT.iter().map(|&name| name.to_owned())),
        _ => return None,
    }
    all.push(".post".to_owned());
    Some(all)
}

fn stage(job: &Job<'_>, stages: &[String], merged: &Merged, findings: &mut Vec<Finding>) {
    let stage = job.stage();
    if stages.iter().any(|known| known == stage) {
        return;
    }
    let inner = &stages[1..stages.len() - 1];
    let has_stages = merged.root.contains_key("stages");
    let place = if merged.is_own(job.at("stage")) {
        merged.own.iter().find(|own| own.jobs.contains_key(job.name)).map(|own| &own.at)
    } else {
        None
    };
    let hint = match nearest(stage, inner.iter().map(String::as_str)) {
        Some(near) if place.is_none() => format!("stage: {near}"),
        _ if job.node.get("stage").is_none() => format!("stage: {}", inner.first().map_or(".pre", String::as_str)),
        _ => format!("stages: [{}]", with_stage(inner, stage).join(", ")),
    };
    let why =
        if has_stages { format!("`stages` has {}", inner.join(", ")) } else { format!("without `stages` there are {}", inner.join(", ")) };
    let message = format!("job `{}` is in stage `{stage}`, which is not there: {why}", job.name);
    findings.push(Finding::error("C005", place.unwrap_or(job.at("stage")), message, hint));
}

/// The stages with one more, where it is usual.
fn with_stage(stages: &[String], stage: &str) -> Vec<String> {
    let mut all = stages.to_vec();
    let at = match stage {
        "prepare" => 0,
        "build" => all.iter().position(|name| name == "test" || name == "deploy").unwrap_or(all.len()),
        "test" => all.iter().position(|name| name == "deploy").unwrap_or(all.len()),
        _ => all.len(),
    };
    all.insert(at, stage.to_owned());
    all
}

/// One job that another names.
struct Need<'n> {
    name: String,
    node: &'n Node,
    optional: bool,
}

/// `needs` in this pipeline.
fn needs<'n>(node: Option<&'n Node>) -> Vec<Need<'n>> {
    let of = |item: &'n Node| match item.text() {
        Some(name) => Some(Need { name: name.to_owned(), node: item, optional: false }),
        None if item.get("project").is_some() || item.get("pipeline").is_some() => None,
        None => {
            let name = item.get("job").and_then(Node::text)?;
            Some(Need { name: name.to_owned(), node: item, optional: item.get("optional").and_then(Node::bool) == Some(true) })
        }
    };
    match node.map(|node| (node, node.list())) {
        Some((_, Some(items))) => {
            items.iter().flat_map(|item| if item.list().is_some() { needs(Some(item)) } else { of(item).into_iter().collect() }).collect()
        }
        Some((node, None)) => of(node).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The job of a name; `test 1/3` and `test: [a, b]` are what `parallel` makes of `test`.
fn find<'j, 'm>(jobs: &'j [Job<'m>], name: &str) -> Option<&'j Job<'m>> {
    let by = |name: &str| jobs.iter().find(|job| job.name == name);
    by(name).or_else(|| name.split_once(": [").and_then(|(base, _)| by(base))).or_else(|| {
        let (base, number) = name.rsplit_once(' ')?;
        number.contains('/').then(|| by(base)).flatten()
    })
}

fn needed(job: &Job<'_>, jobs: &[Job<'_>], stages: &[String], merged: &Merged, findings: &mut Vec<Finding>) {
    let index = |job: &Job<'_>| stages.iter().position(|stage| stage == job.stage());
    let dependencies: Vec<Need<'_>> = job
        .node
        .get("dependencies")
        .map(Node::texts)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|node| Some(Need { name: node.text()?.to_owned(), node, optional: false }))
        .collect();
    let own_needs = needs(job.node.get("needs"));
    if job.node.get("needs").is_some_and(|needs| needs.list().is_some_and(|list| !list.is_empty())) && merged.is_whole() {
        for missing in dependencies.iter().filter(|dependency| !own_needs.iter().any(|need| need.name == dependency.name)) {
            let message = format!("`{}` has `needs`, and takes artifacts of `{}`, which is not among them", job.name, missing.name);
            findings.push(Finding::error("C006", &missing.node.span, message, format!("needs: [..., {}]", missing.name)));
        }
    }
    for need in own_needs.iter().chain(&dependencies) {
        match find(jobs, &need.name) {
            Some(other) => {
                if let (Some(here), Some(there)) = (index(job), index(other))
                    && there > here
                {
                    let message = format!(
                        "`{}` needs `{}`, which is in a later stage: `{}` after `{}`",
                        job.name,
                        need.name,
                        other.stage(),
                        job.stage()
                    );
                    findings.push(Finding::error("C006", &need.node.span, message, format!("stage: {}", other.stage())));
                }
            }
            None if merged.is_whole() && !need.optional => {
                let near = nearest(&need.name, jobs.iter().map(|job| job.name));
                let hint = near.map_or_else(|| format!("write a job `{}`, or take it out", need.name), |near| format!("needs: [{near}]"));
                findings.push(Finding::error(
                    "C006",
                    &need.node.span,
                    format!("`{}` needs `{}`, and there is no such job", job.name, need.name),
                    hint,
                ));
            }
            None => {}
        }
    }
}

/// Kinds that every project has; the others are there for who uses them.
const USUAL: &[&str] = &["default", "branch", "first", "branch-mr", "mr", "fork", "tag"];

/// A job that is in a pipeline without one that it needs.
pub(super) fn check_kinds(views: &[View], findings: &mut Vec<Finding>) {
    let mut broken: Vec<(Finding, Vec<&str>)> = Vec::new();
    for view in views {
        for changed in possible(view) {
            for finding in without(view, &changed) {
                match broken.iter_mut().find(|(known, _)| known.at == finding.at && known.message == finding.message) {
                    Some((_, kinds)) if kinds.contains(&view.kind.title) => {}
                    Some((_, kinds)) => kinds.push(view.kind.title),
                    None => broken.push((finding, vec![view.kind.title])),
                }
            }
        }
    }
    for (mut finding, kinds) in broken {
        let is_usual = views.iter().any(|view| kinds.contains(&view.kind.title) && USUAL.contains(&view.kind.id));
        finding.weight = if is_usual { Weight::Error } else { Weight::Warning };
        finding.message += &format!(" ({}): GitLab makes no pipeline at all", some(&kinds).replace('`', ""));
        findings.push(finding);
    }
}

/// What may have changed: everything, something else, or the files of one list alone.
fn possible(view: &View) -> Vec<Changed> {
    let mut all = vec![Changed::All];
    if !view.kind.knows_changes {
        return all;
    }
    all.push(Changed::Other);
    let mut lists: Vec<Vec<String>> = Vec::new();
    for job in Job::all(&view.merged) {
        let of_rules = job.node.get("rules").map(Rule::all).unwrap_or_default();
        let of_only = job.node.get("only").map(|node| Rule { node });
        for globs in of_rules.iter().chain(&of_only).filter_map(|rule| rule.globs("changes")) {
            if !lists.contains(&globs) {
                lists.push(globs);
            }
        }
    }
    if lists.len() <= MOST_CHANGES {
        all.extend(lists.into_iter().map(Changed::These));
    }
    all
}

fn without(view: &View, changed: &Changed) -> Vec<Finding> {
    let jobs = Job::all(&view.merged);
    let present = jobs_if(&view.merged, &view.kind, &[], changed);
    let is_in = |name: &str| present.iter().any(|job| job.name == name);
    let mut found = Vec::new();
    for job in jobs.iter().filter(|job| is_in(job.name) && is_certain(job, &view.merged)) {
        // A rule can bring needs of its own.
        if job.node.get("rules").map(Rule::all).unwrap_or_default().iter().any(|rule| rule.node.get("needs").is_some()) {
            continue;
        }
        for need in needs(job.node.get("needs")).into_iter().filter(|need| !need.optional) {
            let Some(other) = find(&jobs, &need.name) else { continue };
            if is_in(other.name) || !is_certain(other, &view.merged) {
                continue;
            }
            let when = if *changed == Changed::All { "" } else { " when other files change" };
            let message = format!("`{}` needs `{}`, which is not in the same pipeline{when}", job.name, need.name);
            let hint = format!("needs: [{{job: {}, optional: true}}], or the same rules for both", need.name);
            found.push(Finding::error("C007", &need.node.span, message, hint));
        }
    }
    found
}
