//! API versions that a Kubernetes version does not serve, not yet or no longer.
//!
//! Figures from Kubernetes' deprecated API migration guide and the API reference of each version.

use std::path::PathBuf;

use super::{Problem, Severity};
use crate::error::Location;
use crate::tools::version::Version;

struct Api {
    version: &'static str,
    /// Empty: every kind of that version.
    kinds: &'static [&'static str],
    /// First minor version of Kubernetes 1 that serves it.
    from: u32,
    /// First that calls it deprecated.
    deprecated: u32,
    /// First that does not serve it.
    removed: u32,
    instead: &'static str,
}

const NEVER: u32 = u32::MAX;

const fn gone(version: &'static str, kinds: &'static [&'static str], deprecated: u32, removed: u32, instead: &'static str) -> Api {
    Api { version, kinds, from: 0, deprecated, removed, instead }
}

const fn new(version: &'static str, kinds: &'static [&'static str], from: u32, instead: &'static str) -> Api {
    Api { version, kinds, from, deprecated: NEVER, removed: NEVER, instead }
}

const APIS: &[Api] = &[
    gone("extensions/v1beta1", &["Ingress"], 14, 22, "networking.k8s.io/v1"),
    gone("extensions/v1beta1", &["NetworkPolicy"], 9, 16, "networking.k8s.io/v1"),
    gone("extensions/v1beta1", &["Deployment", "DaemonSet", "ReplicaSet"], 9, 16, "apps/v1"),
    gone("extensions/v1beta1", &["PodSecurityPolicy"], 10, 16, "pod security admission"),
    gone("apps/v1beta1", &[], 9, 16, "apps/v1"),
    gone("apps/v1beta2", &[], 9, 16, "apps/v1"),
    gone("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], 19, 22, "networking.k8s.io/v1"),
    gone("rbac.authorization.k8s.io/v1beta1", &[], 17, 22, "rbac.authorization.k8s.io/v1"),
    gone("rbac.authorization.k8s.io/v1alpha1", &[], 17, 22, "rbac.authorization.k8s.io/v1"),
    gone("scheduling.k8s.io/v1beta1", &["PriorityClass"], 14, 22, "scheduling.k8s.io/v1"),
    gone("storage.k8s.io/v1beta1", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"], 19, 22, "storage.k8s.io/v1"),
    gone("storage.k8s.io/v1beta1", &["CSIStorageCapacity"], 24, 27, "storage.k8s.io/v1"),
    gone(
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        16,
        22,
        "admissionregistration.k8s.io/v1",
    ),
    gone("apiextensions.k8s.io/v1beta1", &["CustomResourceDefinition"], 16, 22, "apiextensions.k8s.io/v1"),
    gone("apiregistration.k8s.io/v1beta1", &["APIService"], 19, 22, "apiregistration.k8s.io/v1"),
    gone("authentication.k8s.io/v1beta1", &["TokenReview"], 19, 22, "authentication.k8s.io/v1"),
    gone("authorization.k8s.io/v1beta1", &[], 19, 22, "authorization.k8s.io/v1"),
    gone("certificates.k8s.io/v1beta1", &["CertificateSigningRequest"], 19, 22, "certificates.k8s.io/v1"),
    gone("coordination.k8s.io/v1beta1", &["Lease"], 19, 22, "coordination.k8s.io/v1"),
    gone("batch/v1beta1", &["CronJob"], 21, 25, "batch/v1"),
    gone("discovery.k8s.io/v1beta1", &["EndpointSlice"], 21, 25, "discovery.k8s.io/v1"),
    gone("events.k8s.io/v1beta1", &["Event"], 19, 25, "events.k8s.io/v1"),
    gone("policy/v1beta1", &["PodDisruptionBudget"], 21, 25, "policy/v1"),
    gone("policy/v1beta1", &["PodSecurityPolicy"], 21, 25, "pod security admission"),
    gone("node.k8s.io/v1beta1", &["RuntimeClass"], 22, 25, "node.k8s.io/v1"),
    gone("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], 22, 25, "autoscaling/v2"),
    gone("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], 23, 26, "autoscaling/v2"),
    gone("flowcontrol.apiserver.k8s.io/v1beta1", &[], 23, 26, "flowcontrol.apiserver.k8s.io/v1"),
    gone("flowcontrol.apiserver.k8s.io/v1beta2", &[], 26, 29, "flowcontrol.apiserver.k8s.io/v1"),
    gone("flowcontrol.apiserver.k8s.io/v1beta3", &[], 29, 32, "flowcontrol.apiserver.k8s.io/v1"),
    new("networking.k8s.io/v1", &["Ingress", "IngressClass"], 19, "networking.k8s.io/v1beta1"),
    new("batch/v1", &["CronJob"], 21, "batch/v1beta1"),
    new("policy/v1", &["PodDisruptionBudget"], 21, "policy/v1beta1"),
    new("discovery.k8s.io/v1", &["EndpointSlice"], 21, "discovery.k8s.io/v1beta1"),
    new("node.k8s.io/v1", &["RuntimeClass"], 20, "node.k8s.io/v1beta1"),
    new("autoscaling/v2", &["HorizontalPodAutoscaler"], 23, "autoscaling/v2beta2"),
];

/// One object of a rendered chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The template, below the chart: `templates/cronjob.yaml`.
    pub template: String,
    /// `batch/v1`.
    pub api_version: String,
    /// `CronJob`.
    pub kind: String,
}

/// The objects in what `helm template` printed: their heads stand at the left margin, below `# Source: CHART/templates/FILE`.
pub fn objects(manifest: &str) -> Vec<Rendered> {
    let mut found: Vec<Rendered> = Vec::new();
    let mut now = Rendered::default();
    for line in manifest.lines().chain(["---"]) {
        if line == "---" || line.starts_with("--- ") {
            let template = now.template.clone();
            if !now.kind.is_empty() {
                found.push(std::mem::take(&mut now));
            }
            now = Rendered { template, ..Rendered::default() };
        } else if let Some(source) = line.strip_prefix("# Source: ") {
            source.split_once('/').map_or(source, |(_, rest)| rest).trim().clone_into(&mut now.template);
        } else if let Some(version) = line.strip_prefix("apiVersion:") {
            version.trim().trim_matches(['"', '\'']).clone_into(&mut now.api_version);
        } else if let Some(kind) = line.strip_prefix("kind:") {
            kind.trim().trim_matches(['"', '\'']).clone_into(&mut now.kind);
        }
    }
    found
}

/// L053 not served by the cluster's version, L054 deprecated there. Without a version: what the newest known one does not serve is deprecated.
/// `read` gives a template's text, to find the line.
pub fn check(objects: &[Rendered], server: Option<Version>, read: impl Fn(&str) -> Option<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for object in objects {
        let rows = APIS.iter().filter(|api| api.version == object.api_version);
        let Some(api) = rows.into_iter().find(|api| api.kinds.is_empty() || api.kinds.contains(&object.kind.as_str())) else { continue };
        let what = format!("{} {}", object.api_version, object.kind);
        let (id, severity, message) = match server.map(|server| server.minor) {
            Some(minor) if minor >= api.removed => {
                ("L053", Severity::Error, format!("Kubernetes 1.{minor} does not serve {what}: it was removed in 1.{}", api.removed))
            }
            Some(minor) if minor < api.from => {
                ("L053", Severity::Error, format!("Kubernetes 1.{minor} does not serve {what} yet: it came with 1.{}", api.from))
            }
            Some(minor) if minor >= api.deprecated => {
                ("L054", Severity::Warning, format!("{what} is deprecated; Kubernetes 1.{} does not serve it", api.removed))
            }
            None if api.removed != NEVER => ("L054", Severity::Warning, format!("Kubernetes 1.{} does not serve {what}", api.removed)),
            _ => continue,
        };
        let hint = format!("apiVersion: {} # or: lain init --template-only", api.instead);
        problems.push(Problem { id, severity, message, hint, at: place(object, &read) });
    }
    problems
}

/// The line of the template that writes the version; it may be put together from parts, then the first line.
fn place(object: &Rendered, read: impl Fn(&str) -> Option<String>) -> Location {
    let path = PathBuf::from("chart").join(&object.template);
    let text = read(&object.template).unwrap_or_default();
    let named = text.lines().enumerate().find(|(_, line)| line.contains(&object.api_version));
    let (index, line) = named.or_else(|| text.lines().enumerate().find(|(_, line)| line.starts_with("apiVersion"))).unwrap_or((0, ""));
    let column = line.find(&object.api_version).map_or(1, |at| line[..at].chars().count() + 1);
    Location { path, line: index + 1, column, length: object.api_version.chars().count().max(1), text: line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "---\n# Source: shop/templates/cronjob.yaml\napiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: a\n---\n# Source: shop/templates/hpa.yaml\napiVersion: \"autoscaling/v2\"\nkind: HorizontalPodAutoscaler\n";

    fn ids(minor: Option<u32>) -> Vec<(&'static str, String)> {
        let server = minor.map(|minor| Version { major: 1, minor, patch: 0 });
        let read = |_: &str| Some("# c\napiVersion: batch/v1beta1\n".to_owned());
        check(&objects(MANIFEST), server, read).into_iter().map(|problem| (problem.id, problem.at.to_string())).collect()
    }

    #[test]
    fn by_version() {
        let cronjob = "chart/templates/cronjob.yaml:2:13".to_owned();
        let hpa = "chart/templates/hpa.yaml:2:1".to_owned();
        assert_eq!(ids(Some(20)), [("L053", hpa.clone())]);
        assert_eq!(ids(Some(22)), [("L054", cronjob.clone()), ("L053", hpa)]);
        assert_eq!(ids(Some(24)), [("L054", cronjob.clone())]);
        assert_eq!(ids(Some(25)), [("L053", cronjob.clone())]);
        assert_eq!(ids(None), [("L054", cronjob)]);
    }

    #[test]
    fn rows_are_in_order() {
        assert!(APIS.iter().all(|api| api.from <= api.deprecated && api.deprecated <= api.removed));
    }
}
