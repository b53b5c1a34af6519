//! lain's own jobs: what a project did to them.

use super::certain::is_certain;
use super::{View, some};
use crate::pipeline::finding::Finding;
use crate::pipeline::job::{Job, values};
use crate::pipeline::merged::Merged;
use crate::pipeline::rules::jobs;
use crate::pipeline::yaml::{Entry, Node};

pub(super) fn check(merged: &Merged, findings: &mut Vec<Finding>) {
    included_twice(merged, findings);
    variables(merged, findings);
    images(merged, findings);
}

/// One template under the same job names: the jobs of the second replace those of the first.
fn included_twice(merged: &Merged, findings: &mut Vec<Finding>) {
    for (at, own) in merged.own.iter().enumerate() {
        let Some(first) =
            merged.own[..at].iter().find(|first| first.name == own.name && first.jobs.keys().any(|job| own.jobs.contains_key(job)))
        else {
            continue;
        };
        let names: Vec<&str> = own.jobs.keys().filter(|job| first.jobs.contains_key(*job)).map(String::as_str).collect();
        let message = format!(
            "`{}` is included twice, and {} of the second replace those of the first (line {})",
            own.name,
            some(&names),
            first.at.line
        );
        findings.push(Finding::error("C021", &own.at, message, "inputs: {prefix: \"production-\"}"));
    }
}

/// Variables beside the inputs that lain's jobs have them of.
fn variables(merged: &Merged, findings: &mut Vec<Finding>) {
    let global = merged.root.get("variables").and_then(|entry| entry.node.map());
    for own in &merged.own {
        for (name, node) in &own.jobs {
            let of_template = values(node.get("variables"));
            let merged_node = merged.root.get(name).and_then(|entry| entry.node.get("variables")).and_then(Node::map);
            for (key, value) in &of_template {
                let of_job = merged_node.and_then(|map| map.get(key));
                if let Some(entry) = of_job.filter(|entry| entry.node.scalar().as_ref() != Some(value) && !merged.is_own(&entry.key)) {
                    let message = format!(
                        "`{key}` of `{name}` beats the input of the include; the environment and what locks it stay those of the input"
                    );
                    findings.push(Finding::error("C017", &entry.key, message, input_of(key)));
                }
                let of_top = global
                    .and_then(|map| map.get(key))
                    .filter(|entry| of_job.is_none_or(|job| merged.is_own(&job.key)) && !merged.is_own(&entry.key));
                if let Some(entry) = of_top.filter(|entry| entry.node.scalar().as_ref() != Some(value)) {
                    let message = format!("`{key}` does not reach lain's jobs: each has its own, by an input of the include");
                    findings.push(Finding::warning("C017", &entry.key, message, input_of(key)));
                }
            }
        }
    }
}

fn input_of(variable: &str) -> String {
    let input = variable.trim_start_matches("LAIN_").to_lowercase().replace('_', "-");
    format!("include: [{{..., inputs: {{{input}: ...}}}}]")
}

/// lain's image as `latest`, or without a version.
fn images(merged: &Merged, findings: &mut Vec<Finding>) {
    for job in Job::all(merged) {
        let Some(node) = job.inherited(merged, "image") else { continue };
        let node = node.get("name").unwrap_or(node);
        let Some(image) = node.text().filter(|image| !image.contains('$') && !image.contains('@')) else { continue };
        let last = image.rsplit('/').next().unwrap_or(image);
        let (name, tag) = last.split_once(':').unwrap_or((last, ""));
        if name == "lain" && matches!(tag, "" | "latest") {
            let version = env!("CARGO_PKG_VERSION");
            let base = image.strip_suffix(":latest").unwrap_or(image);
            findings.push(Finding::warning(
                "C023",
                &node.span,
                format!("`{image}` is another program tomorrow"),
                format!("image: {base}:{version}"),
            ));
        }
    }
}

pub(super) fn check_kinds(views: &[View], findings: &mut Vec<Finding>) {
    let Some(first) = views.first() else { return };
    for (name, node) in first.merged.own.iter().flat_map(|own| &own.jobs) {
        let (Some(of_template), Some(merged)) = (node.get("rules"), first.merged.root.get(name)) else { continue };
        let Some(rules) = merged
            .node
            .map()
            .and_then(|map| map.get("rules"))
            .filter(|rules| !first.merged.is_own(&rules.key) && !first.merged.is_own(&rules.node.span))
        else {
            continue;
        };
        let certain = Job::all(&first.merged).iter().any(|job| job.name == name && is_certain(job, &first.merged));
        let (more, fewer) = difference(views, name, of_template);
        let told = |title: &str, kinds: &[&str]| {
            if kinds.is_empty() { String::new() } else { format!("; {title}: {}", some(kinds).replace('`', "")) }
        };
        let effect = if certain { told("now also in", &more) + &told("no more in", &fewer) } else { String::new() };
        let message = format!("the rules of `{name}` are yours alone: those of lain's template are replaced, not added to{effect}");
        let hint = format!("take `rules` out of `{name}` and use the include's inputs; or `when: never` first for what must stay out");
        findings.push(Finding::warning("C011", &rules.key, message, hint));
    }
}

/// Kinds of pipeline that have the job now and had not with the template's rules, and the other way round.
fn difference<'v>(views: &'v [View], name: &str, of_template: &Node) -> (Vec<&'v str>, Vec<&'v str>) {
    let (mut more, mut fewer) = (Vec::new(), Vec::new());
    for view in views {
        let mut merged = view.merged.clone();
        if let Some(Entry { node, .. }) = merged.root.get_mut(name) {
            node.set("rules", of_template.clone());
        }
        let before = jobs(&merged, &view.kind, &[]).iter().any(|job| job.name == name);
        match (before, view.has(name)) {
            (false, true) => more.push(view.kind.title),
            (true, false) => fewer.push(view.kind.title),
            _ => {}
        }
    }
    (more, fewer)
}
