//! Requests and limits.

use std::rc::Rc;

use serde_json::Value as Json;

use super::{Input, Severity};
use crate::model::app::ProcKind;
use crate::model::quantity::Quantity;

/// Below this no process starts; a unit was forgotten or mistaken (`80m`). The older tool drew the same line.
const LEAST_MEMORY: &str = "4Mi";

/// L012 incomplete, L021 requests above limits, L022 too little memory, L042 limits without requests.
pub(super) fn check(input: &mut Input<'_>) {
    let app = Rc::clone(&input.app);
    for (kind, name, proc) in app.procs() {
        let path = [kind.key(), name, "resources"];
        if let Some(resources) = proc.resources.as_ref().filter(|resources| !resources.is_null()) {
            one(input, &path, resources, kind);
        } else if kind == ProcKind::StatefulSet {
            let own = input.key_span(&path[..2]);
            let message = format!("`{}.{name}` has no `resources`", kind.key());
            input.warning("L012", &own, message, "resources: {requests: {cpu: 10m, memory: 80Mi}, limits: {cpu: 1000m, memory: 80Mi}}");
        }
        for (index, container) in proc.init_containers.as_ref().and_then(Json::as_array).into_iter().flatten().enumerate() {
            if container["resources"].is_object() {
                let index = index.to_string();
                one(input, &[kind.key(), name, "initContainers", &index, "resources"], &container["resources"], ProcKind::Job);
            }
        }
    }
}

fn one(input: &mut Input<'_>, path: &[&str], resources: &Json, kind: ProcKind) {
    let at = |input: &Input<'_>, more: &[&str]| input.span(&[path, more].concat());
    let of = path[..path.len() - 1].join(".");
    let mut lacking = Vec::new();
    for what in ["cpu", "memory"] {
        let [request, limit] = ["requests", "limits"].map(|part| &resources[part][what]);
        for (part, given) in [("requests", request), ("limits", limit)] {
            if given.is_null() {
                lacking.push(format!("{part}.{what}"));
            } else if what == "memory"
                && let (Some(amount), Ok(least)) = (quantity(given), Quantity::parse(LEAST_MEMORY))
                && amount < least
            {
                let written = text(given);
                let digits: String = written.chars().take_while(char::is_ascii_digit).collect();
                let span = at(input, &[part, what]);
                let message = format!("`{of}` gets {written} of memory: no process lives on that");
                input.error("L022", &span, message, format!("memory: {}Mi", if digits.is_empty() { "80" } else { &digits }));
            }
        }
        if let (Some(asked), Some(most)) = (quantity(request), quantity(limit))
            && asked > most
        {
            let span = at(input, &["requests", what]);
            let message = format!("{what} request {} is above the limit {}", text(request), text(limit));
            input.error("L021", &span, message, format!("{what}: {}", text(limit)));
        }
    }
    if lacking.is_empty() {
        return;
    }
    let span = input.key_span(path);
    let only_requests_lack = lacking.iter().all(|what| what.starts_with("requests")) && resources["limits"].is_object();
    match kind {
        ProcKind::Deployment => {
            let example = "resources: {requests: {cpu: 10m, memory: 80Mi}, limits: {cpu: 1000m, memory: 80Mi}}";
            input.error("L012", &span, format!("`{of}` needs {} in its resources", lacking.join(", ")), example);
        }
        _ if only_requests_lack => {
            let missing = lacking.join(", ");
            let message = format!("`{of}` has limits but no {missing}: Kubernetes sets aside the whole limit");
            input.push("L042", Severity::Warning, &span, message, "requests: {cpu: 10m, memory: 80Mi}".into());
        }
        _ => {}
    }
}

fn text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn quantity(json: &Json) -> Option<Quantity> {
    (!json.is_null()).then(|| Quantity::parse(&text(json)).ok())?
}
