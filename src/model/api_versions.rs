//! Which Kubernetes version serves which API version of which kind.
//!
//! Figures from Kubernetes' deprecated API migration guide and the API reference of each version.

/// Some kinds of one API version, and the minor versions of Kubernetes 1 that know them.
#[derive(Debug)]
pub(crate) struct Api {
    /// `batch/v1beta1`.
    pub version: &'static str,
    /// Empty: every kind of that version.
    pub kinds: &'static [&'static str],
    /// First minor version of Kubernetes 1 that serves it.
    pub from: u32,
    /// First that calls it deprecated.
    pub deprecated: u32,
    /// First that does not serve it.
    pub removed: u32,
    /// The API version, or the other means, that took or had its place.
    pub instead: &'static str,
}

/// Not yet.
pub(crate) const NEVER: u32 = u32::MAX;

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

impl Api {
    /// The row of this kind; none for what every version serves.
    pub(crate) fn find(version: &str, kind: &str) -> Option<&'static Self> {
        APIS.iter().find(|api| api.version == version && (api.kinds.is_empty() || api.kinds.contains(&kind)))
    }

    /// What served the same kind at other times, nearest first: of `extensions/v1beta1 Ingress`, `networking.k8s.io/v1` and `networking.k8s.io/v1beta1`.
    pub(crate) fn others(version: &str, kind: &str) -> Vec<&'static str> {
        let mut found = vec![];
        let mut next = Self::find(version, kind);
        while let Some(api) = next.filter(|api| api.instead.contains('/') && !found.contains(&api.instead)) {
            found.push(api.instead);
            next = Self::find(api.instead, kind);
        }
        found.retain(|other| *other != version);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order() {
        assert!(APIS.iter().all(|api| api.from <= api.deprecated && api.deprecated <= api.removed));
    }

    #[test]
    fn what_comes_instead() {
        assert_eq!(Api::others("batch/v1beta1", "CronJob"), ["batch/v1"]);
        assert_eq!(Api::others("batch/v1", "CronJob"), ["batch/v1beta1"]);
        assert_eq!(Api::others("extensions/v1beta1", "Ingress"), ["networking.k8s.io/v1", "networking.k8s.io/v1beta1"]);
        assert!(Api::others("policy/v1beta1", "PodSecurityPolicy").is_empty());
        assert!(Api::others("v1", "Service").is_empty());
    }
}
