//! Names: of the app, of procs, of keys.

use super::Input;
use crate::model::name::{is_label, nearest, to_label};
use crate::values::node::Value;

/// Every key an app may have at the top beside [`PROC_MAPS`]; aliases included.
pub const APP_KEYS: &[&str] = &[
    "appname",
    "releaseName",
    "labels",
    "serviceAnnotations",
    "ingressAnnotations",
    "externalIngressAnnotations",
    "env",
    "extraEnvFrom",
    "hostAliases",
    "volumes",
    "persistentVolumeClaims",
    "networkPolicy",
    "volumeMounts",
    "ingresses",
    "ingress",
    "ing",
    "externalIngresses",
    "externalIngress",
    "externalIng",
    "canaryGroups",
    "build",
    "release",
    "builds",
    "webhook",
    "prometheus_query_range",
];

/// Every key a proc may have.
pub const PROC_KEYS: &[&str] = &[
    "command",
    "env",
    "image",
    "imageTag",
    "imagePullPolicy",
    "workingDir",
    "replicaCount",
    "containerPort",
    "nodePort",
    "protocol",
    "hostNetwork",
    "resources",
    "readinessProbe",
    "livenessProbe",
    "startupProbe",
    "lifecycle",
    "hpa",
    "strategy",
    "updateStrategy",
    "minReadySeconds",
    "nodes",
    "affinity",
    "podAnnotations",
    "podSecurityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "volumeMounts",
    "initContainers",
    "annotations",
    "backoffLimit",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "schedule",
    "suspend",
    "concurrencyPolicy",
    "successfulJobsHistoryLimit",
    "failedJobsHistoryLimit",
    "build",
    "args",
];

/// Top-level keys that hold procs.
pub const PROC_MAPS: &[&str] = &[
    "deployments",
    "deployment",
    "deploy",
    "statefulSets",
    "statefulSet",
    "statefulset",
    "sts",
    "cronjobs",
    "cronjob",
    "jobs",
    "job",
    "tests",
];

/// L001 app name, L002 proc names, L003 names used twice, L004 slips in keys, L005 reserved words.
pub fn check(input: &mut Input<'_>) {
    let app = input.app;
    let at = input.span(&["appname"]);
    if !is_label(&app.appname) {
        input.error(
            "L001",
            &at,
            format!("`{}` cannot be an app's name: lower case letters, digits and `-`, 63 at most", app.appname),
            format!("appname: {}", to_label(&app.appname)),
        );
    }
    if is_reserved(&app.appname) {
        input.error(
            "L005",
            &at,
            format!("`{}` is a reserved word and cannot be an app's name", app.appname),
            format!("appname: {}-app", app.appname),
        );
    }
    let root = input.layers.merged.clone();
    let mut seen: Vec<(String, &str)> = Vec::new();
    for map_name in PROC_MAPS {
        let Some(procs) = root.get(map_name).and_then(|node| node.as_map()) else { continue };
        for (name, entry) in procs {
            if !is_label(name) {
                input.error(
                    "L002",
                    &entry.key_span,
                    format!("`{name}` cannot be a proc's name: lower case letters, digits and `-`"),
                    format!("{}:", to_label(name)),
                );
            }
            if is_reserved(name) {
                input.error(
                    "L005",
                    &entry.key_span,
                    format!("`{name}` is a reserved word and cannot be a proc's name"),
                    format!("{name}-proc:"),
                );
            }
            if let Some((_, other)) = seen.iter().find(|(known, _)| known == name) {
                input.error(
                    "L003",
                    &entry.key_span,
                    format!("`{name}` is also the name of one of `{other}`; both would be called {}-{name}", app.release()),
                    format!("{name}-2:"),
                );
            }
            seen.push((name.clone(), map_name));
            if let Value::Map(keys) = &entry.node.value {
                for (key, proc_entry) in keys {
                    slip(input, key, &[PROC_KEYS], &proc_entry.key_span);
                }
            }
        }
    }
    for layer in &input.layers.layers {
        // Cluster files hold keys of their own; only the app's files are held to the app's keys.
        let ours = layer.path.as_ref().is_some_and(|path| path.starts_with("chart"));
        for (key, entry) in layer.node.as_map().iter().flat_map(|map| map.iter()).filter(|_| ours) {
            slip(input, key, &[APP_KEYS, PROC_MAPS], &entry.key_span);
        }
    }
}

/// A word that is a key somewhere, and so names neither an app nor a proc.
fn is_reserved(name: &str) -> bool {
    [APP_KEYS, PROC_MAPS, PROC_KEYS].iter().any(|keys| keys.contains(&name))
}

fn slip(input: &mut Input<'_>, key: &str, known: &[&[&str]], at: &crate::values::node::Span) {
    let known = || known.iter().flat_map(|keys| keys.iter().copied());
    if known().any(|name| name == key) {
        return;
    }
    if let Some(near) = nearest(key, known()).filter(|near| strsim::damerau_levenshtein(&key.to_lowercase(), &near.to_lowercase()) <= 1) {
        input.error("L004", at, format!("unknown key `{key}`: did you mean `{near}`?"), format!("{near}:"));
    }
}
