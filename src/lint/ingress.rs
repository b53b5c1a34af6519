//! What stands behind ingresses, and canaries.

use std::rc::Rc;

use super::Input;
use crate::model::app::ProcKind;
use crate::model::name::nearest;
use crate::values::node::{Node, Value};

/// What nginx ingress reads of a canary, without its prefix (ingress-nginx, annotations reference).
const CANARY: [&str; 5] = ["canary-by-header", "canary-by-header-value", "canary-by-header-pattern", "canary-by-cookie", "canary-weight"];
const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// L015 deployName, L026 canary annotations, L044 one replica behind an ingress.
pub(super) fn check(input: &mut Input<'_>) {
    let app = Rc::clone(&input.app);
    // A proc that could not be typed is there all the same.
    let mut deployments: Vec<String> = Vec::new();
    for kind in [ProcKind::Deployment, ProcKind::StatefulSet] {
        deployments.extend(input.root.get(kind.key()).and_then(|node| node.as_map()).into_iter().flat_map(|map| map.keys().cloned()));
    }
    for key in ["ingresses", "externalIngresses"] {
        let Some(Value::Seq(items)) = input.root.get(key).map(|node| node.value.clone()) else { continue };
        for item in items {
            let Some(target) = item.get("deployName").and_then(Node::as_str) else { continue };
            let host = item.get("host").and_then(Node::as_str).unwrap_or_default();
            if !deployments.iter().any(|name| name == target) {
                let span = item.nearest(["deployName"]).span.clone();
                let names = || deployments.iter().map(String::as_str);
                let hint = nearest(target, names()).or(names().next());
                let hint = hint.map_or_else(|| "deployments:".to_owned(), |name| format!("deployName: {name}"));
                input.error("L015", &span, format!("deployName `{target}` is no deployment"), hint);
                continue;
            }
            let target = app.procs().find(|(_, name, _)| *name == target);
            if let Some((kind, name, _)) = target.filter(|(_, _, proc)| proc.replica_count == Some(1) && proc.hpa.is_none()) {
                let span = input.span(&[kind.key(), name, "replicaCount"]);
                let message = format!("`{name}` is behind the ingress {host} with one replica: every move of its pod cuts users off");
                input.warning("L044", &span, message, "replicaCount: 2");
            }
        }
    }
    for (group, annotations) in app.canary_groups.iter().flatten() {
        for key in annotations.keys() {
            if key.strip_prefix(PREFIX).is_some_and(|short| CANARY.contains(&short)) {
                continue;
            }
            let span = input.key_span(&["canaryGroups", group, key]);
            let short = key.rsplit('/').next().unwrap_or_default();
            let near = nearest(short, CANARY).unwrap_or("canary-weight");
            let message = format!("`{key}` is no canary annotation of nginx");
            input.error("L026", &span, message, format!("{PREFIX}{near}:"));
        }
    }
}
