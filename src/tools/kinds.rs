//! Where the API server has the kinds that lain asks for.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands in a query as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One kind of object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// In the singular, as kubectl takes it.
    one: &'static str,
    /// In the plural, as kubectl takes it and as it stands in a path.
    many: &'static str,
    /// As it stands in an object.
    pub(super) name: &'static str,
    /// API versions that have it, newest first, as they begin a path.
    pub(super) versions: &'static [&'static str],
    is_namespaced: bool,
}

const fn kind(one: &'static str, many: &'static str, name: &'static str, versions: &'static [&'static str]) -> Kind {
    Kind { one, many, name, versions, is_namespaced: true }
}

const KINDS: [Kind; 13] = [
    kind("deployment", "deployments", "Deployment", &["/apis/apps/v1"]),
    kind("statefulset", "statefulsets", "StatefulSet", &["/apis/apps/v1"]),
    kind("daemonset", "daemonsets", "DaemonSet", &["/apis/apps/v1"]),
    kind("replicaset", "replicasets", "ReplicaSet", &["/apis/apps/v1"]),
    kind("job", "jobs", "Job", &["/apis/batch/v1"]),
    kind("cronjob", "cronjobs", "CronJob", &["/apis/batch/v1", "/apis/batch/v1beta1"]),
    kind("pod", "pods", "Pod", &["/api/v1"]),
    kind("service", "services", "Service", &["/api/v1"]),
    kind("secret", "secrets", "Secret", &["/api/v1"]),
    kind("event", "events", "Event", &["/api/v1"]),
    kind("persistentvolumeclaim", "persistentvolumeclaims", "PersistentVolumeClaim", &["/api/v1"]),
    Kind { is_namespaced: false, ..kind("node", "nodes", "Node", &["/api/v1"]) },
    Kind { is_namespaced: false, ..kind("namespace", "namespaces", "Namespace", &["/api/v1"]) },
];

/// What leads to Services from outside. Asked for by pages alone: a newer kubectl takes other versions of it for the same.
pub(super) const INGRESS: Kind =
    kind("ingress", "ingresses", "Ingress", &["/apis/networking.k8s.io/v1", "/apis/networking.k8s.io/v1beta1", "/apis/extensions/v1beta1"]);

/// What pods use, where the cluster has metrics.
pub(super) const USAGE: Kind = kind("podmetrics", "pods", "PodMetrics", &["/apis/metrics.k8s.io/v1beta1"]);

/// The kinds of `deployments,pods`; none where one of them is not known here.
pub(super) fn kinds(words: &str) -> Option<Vec<Kind>> {
    words.split(',').map(|word| KINDS.into_iter().find(|kind| kind.one == word || kind.many == word)).collect()
}

impl Kind {
    /// Where all of them are, by one of the versions: those of a namespace, or of the whole cluster.
    pub(super) fn path(&self, version: &str, namespace: Option<&str>) -> String {
        let namespace = namespace.filter(|_| self.is_namespaced).map_or_else(String::new, |name| format!("/namespaces/{name}"));
        format!("{version}{namespace}/{}", self.many)
    }
}

/// `apps/v1`, of `/apis/apps/v1`: as it stands in an object.
pub(super) fn api_version(path: &str) -> &str {
    path.strip_prefix("/apis/").or_else(|| path.strip_prefix("/api/")).unwrap_or(path)
}

/// The query of a list; empty without a selector.
pub(super) fn query(selectors: &[(&str, &str)]) -> String {
    let all: Vec<String> = selectors.iter().map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, &PLAIN))).collect();
    if all.is_empty() { String::new() } else { format!("?{}", all.join("&")) }
}

/// True for a name that is a part of a path and nothing else.
pub(super) fn is_part(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_kinds_are() {
        let paths =
            |words: &str| -> Option<Vec<String>> { Some(kinds(words)?.iter().map(|it| it.path(it.versions[0], Some("shops"))).collect()) };
        let both = paths("deployments,secret,nodes").expect("known");
        assert_eq!(both, ["/apis/apps/v1/namespaces/shops/deployments", "/api/v1/namespaces/shops/secrets", "/api/v1/nodes"]);
        assert_eq!(paths("deployments,gateways"), None);
        assert_eq!(["/apis/batch/v1beta1", "/api/v1"].map(api_version), ["batch/v1beta1", "v1"]);
        let selector = query(&[("labelSelector", "app.kubernetes.io/name=a,helm.sh/chart=b"), ("fieldSelector", "type=Warning")]);
        assert_eq!(selector, "?labelSelector=app.kubernetes.io%2Fname%3Da%2Chelm.sh%2Fchart%3Db&fieldSelector=type%3DWarning");
        assert_eq!(query(&[]), "");
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        assert!(is_part("shop-env") && is_part("sh.helm.release.v1.shop.v1") && is_part("0a"));
        for name in ["", "..", "../secrets", "a/b", "a?b", "a%2f", "-a", "a b", "A"] {
            assert!(!is_part(name), "{name}");
        }
    }
}
