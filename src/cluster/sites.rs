//! The addresses that ingresses of a whole cluster promise, and which of them do not answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::http::probe::probe;
use crate::http::proxy::Proxies;
use crate::interrupt;
use crate::model::cluster::Cluster;

/// So many are asked at a time.
const AT_ONCE: usize = 32;
/// No more are begun after this time.
const LONGEST: Duration = Duration::from_secs(10);

/// An address, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// The namespace of the ingress.
    pub namespace: String,
    /// The ingress.
    pub ingress: String,
    /// `https://shop.example.com/`
    pub url: String,
}

/// What came of asking.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// How many were asked.
    pub asked: usize,
    /// How many there are.
    pub all: usize,
    /// Those that do not answer or answer with 500 or more, and how.
    pub bad: Vec<(Site, String)>,
}

/// The addresses of an ingress. A name with `*` is none, and of a path that is a pattern the part before the pattern is asked.
pub(crate) fn of(ingress: &Json, cluster: &Cluster) -> Vec<Site> {
    let named = |key: &str| ingress["metadata"][key].as_str().unwrap_or_default().to_owned();
    let (namespace, name, spec) = (named("namespace"), named("name"), &ingress["spec"]);
    let mut found = vec![];
    for rule in spec["rules"].as_array().into_iter().flatten() {
        let Some(host) = rule["host"].as_str().filter(|host| !host.is_empty() && !host.contains('*')) else { continue };
        let scheme = if has_tls(spec, host) { "https" } else { "http" };
        let base = format!("{scheme}://{host}{}", port(host, cluster));
        for path in rule["http"]["paths"].as_array().into_iter().flatten() {
            let path = literal(path["path"].as_str().unwrap_or_default());
            found.push(Site { namespace: namespace.clone(), ingress: name.clone(), url: format!("{base}{path}") });
        }
    }
    found
}

/// A list of hosts of a certificate names it, by itself or by `*`; a list without hosts is for all.
fn has_tls(spec: &Json, host: &str) -> bool {
    let parent = host.split_once('.').map(|(_, parent)| parent);
    let fits = |it: &str| it == host || it.strip_prefix("*.").is_some_and(|rest| Some(rest) == parent);
    spec["tls"].as_array().into_iter().flatten().any(|tls| match tls["hosts"].as_array() {
        Some(hosts) if !hosts.is_empty() => hosts.iter().filter_map(Json::as_str).any(fits),
        _ => true,
    })
}

/// `:8080`, where the cluster's values say so for inner or for outer addresses.
fn port(host: &str, cluster: &Cluster) -> String {
    let is_inner = |of: &Option<_>, dot: &str| {
        of.as_deref().is_some_and(|of: &str| !of.is_empty() && host.strip_suffix(of).is_some_and(|rest| rest.ends_with(dot)))
    };
    let is_inner = is_inner(&cluster.domain, ".") || is_inner(&cluster.domain_suffix, "");
    let port = if is_inner { cluster.ingress_internal_port } else { cluster.ingress_external_port };
    port.filter(|port| !matches!(port, 80 | 443)).map_or_else(String::new, |port| format!(":{port}"))
}

/// `/api/` of `/api/v[0-9]+(/|$)(.*)`: as far as it is no pattern.
fn literal(path: &str) -> &str {
    let plain = match path.find(['(', ')', '[', ']', '*', '+', '?', '|', '^', '$', '\\', '{', '#', ' ']) {
        Some(at) => path[..at].rfind('/').map_or("/", |slash| &path[..=slash]),
        None => path,
    };
    if plain.starts_with('/') { plain } else { "/" }
}

/// Asks each address once, many at a time, and begins with no more once it has taken long. The same address of two ingresses is asked once.
pub(crate) fn ask(proxies: &Proxies, sites: Vec<Site>) -> Asked {
    let sites: Vec<Site> = sites.into_iter().map(|site| (site.url.clone(), site)).collect::<BTreeMap<_, _>>().into_values().collect();
    let (next, end, bad) = (AtomicUsize::new(0), Instant::now() + LONGEST, Mutex::new(vec![]));
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(sites.len()) {
            scope.spawn(|| {
                while Instant::now() < end && !interrupt::received() {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    let Some(site) = sites.get(at) else { return };
                    let reach = probe(proxies, &site.url);
                    asked.fetch_add(1, Ordering::SeqCst);
                    if reach.is_bad() {
                        bad.lock().unwrap_or_else(PoisonError::into_inner).push((at, reach.to_string()));
                    }
                }
            });
        }
    });
    let bad = bad.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut bad: Vec<(Site, String)> = bad.into_iter().map(|(at, state)| (sites[at].clone(), state)).collect();
    bad.sort_by(|(a, _), (b, _)| (&a.namespace, &a.url).cmp(&(&b.namespace, &b.url)));
    Asked { asked: asked.into_inner(), all: sites.len(), bad }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn urls(spec: &Json, cluster: &Json) -> Vec<String> {
        let cluster: Cluster = serde_json::from_value(cluster.clone()).expect("a cluster");
        of(&json!({"metadata": {"name": "a", "namespace": "n"}, "spec": spec}), &cluster).into_iter().map(|site| site.url).collect()
    }

    #[test]
    fn an_ingress_promises_addresses() {
        let rule = |host: &str, paths: &[&str]| {
            let paths: Vec<Json> = paths.iter().map(|path| json!({ "path": path })).collect();
            json!({"host": host, "http": {"paths": paths}})
        };
        let spec = json!({"tls": [{"hosts": ["*.in.example.com"]}, {"hosts": ["b.org"]}], "rules": [
            rule("a.in.example.com", &["/", "/api(/|$)(.*)", "/v[12]/x"]),
            rule("b.org", &["/后台", ""]),
            rule("deep.a.in.example.com", &["/old*"]),
            rule("*.in.example.com", &["/"]),
            json!({"http": {"paths": [{"path": "/"}]}}),
            json!({"host": "none.org"}),
        ]});
        let cluster = json!({"domain": "in.example.com", "ingress_internal_port": 8443, "ingress_external_port": 443});
        let inner = "https://a.in.example.com:8443/";
        let wanted = [inner, inner, inner, "https://b.org/后台", "https://b.org/", "http://deep.a.in.example.com:8443/"];
        assert_eq!(urls(&spec, &cluster), wanted);
        let all = json!({"tls": [{"secretName": "s"}], "rules": [rule("shop-test.example.com", &["/"])]});
        assert_eq!(
            urls(&all, &json!({"domain_suffix": "-test.example.com", "ingress_internal_port": 81})),
            ["https://shop-test.example.com:81/"]
        );
        assert_eq!(urls(&json!({"defaultBackend": {}}), &cluster), Vec::<String>::new());
    }
}
