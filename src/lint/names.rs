//! Names of the app and of its procs.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::{Input, Severity};
use crate::model::aliases::ALIASES;
use crate::model::app::ProcKind;
use crate::model::name::{MAX_LABEL, is_label, to_label};
use crate::model::schema;

/// What the older tool refused as a name: its fields, of 4.x.
const RESERVED_BEFORE: &str = "appname base build canaryGroups containerPort copy cronjob cronjobs deploy deployName deployment deployments dest_base domain \
                               domain_suffix env externalIng externalIngress externalIngresses extra_docs host hostAliases hpa ing ingress ingresses \
                               initContainers job jobs keep mountPath paths prepare readinessProbe release releaseName replicaCount resources script \
                               secrets_env statefulSet statefulSets statefulset sts subPath tests volumeMounts workdir";

const KINDS: [ProcKind; 5] = [ProcKind::Deployment, ProcKind::StatefulSet, ProcKind::CronJob, ProcKind::Job, ProcKind::Test];

/// L001 app name, L002 proc names, L003 names used twice, L005 reserved words.
pub(super) fn check(input: &mut Input<'_>) {
    for key in ["appname", "releaseName"] {
        let Some(node) = input.root.get(key) else { continue };
        let Some(name) = node.as_str().map(str::to_owned) else { continue };
        let at = node.span.clone();
        if !is_label(&name) {
            let message = format!("`{name}` cannot be an app's name: lower case letters, digits and `-`, {MAX_LABEL} at most");
            input.error("L001", &at, message, format!("{key}: {}", to_label(&name)));
        } else if is_reserved(&name) {
            let message = format!("`{name}` is a reserved word and cannot be an app's name");
            input.push("L005", reserved(input, &name), &at, message, format!("{key}: {name}-app"));
        }
    }
    let mut seen: HashMap<String, &str> = HashMap::new();
    let mut found = Vec::new();
    for kind in KINDS {
        for (name, entry) in input.root.get(kind.key()).and_then(|node| node.as_map()).into_iter().flatten() {
            found.push((kind.key(), name.clone(), entry.key_span.clone()));
        }
    }
    for (map, name, at) in found {
        if !is_label(&name) {
            let message = format!("`{name}` cannot be a proc's name: lower case letters, digits and `-`");
            input.error("L002", &at, message, format!("{}:", to_label(&name)));
        } else if is_reserved(&name) {
            let message = format!("`{name}` is a reserved word and cannot be a proc's name");
            input.push("L005", reserved(input, &name), &at, message, format!("{name}-proc:"));
        }
        if let Some(other) = seen.get(&name) {
            let message = format!("`{name}` is also the name of one of `{other}`; both would be called {}-{name}", input.app.release());
            // The older tool compared neither jobs nor tests, and objects of two kinds may share a name.
            let let_pass = input.surroundings.older_chart && [map, other].iter().any(|map| matches!(*map, "jobs" | "tests"));
            input.push("L003", if let_pass { Severity::Warning } else { Severity::Error }, &at, message, format!("{name}-2:"));
        }
        seen.insert(name, map);
    }
}

/// How bad a reserved word is: a name that the older tool took goes on under its chart.
fn reserved(input: &Input<'_>, name: &str) -> Severity {
    let took = input.surroundings.older_chart && !RESERVED_BEFORE.split(' ').any(|word| word == name);
    if took { Severity::Warning } else { Severity::Error }
}

/// A word that is a key at the top or of a proc, and so names neither an app nor a proc.
fn is_reserved(name: &str) -> bool {
    static RESERVED: OnceLock<Vec<&'static str>> = OnceLock::new();
    let words = RESERVED.get_or_init(|| {
        let values = schema::values();
        let aliases = ALIASES.iter().flat_map(|(_, aliases)| aliases.iter().copied());
        schema::keys(values, None).chain(schema::keys(values, Some("Proc"))).chain(aliases).collect()
    });
    words.contains(&name)
}
