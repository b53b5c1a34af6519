//! Where to look: URLs of ingresses, Grafana, Kibana, Prometheus.

use crate::cluster::usage;
use crate::http::url::encode;
use crate::model::app::App;
use crate::model::cluster::Cluster;
use crate::model::name::is_label;

/// The URLs of all ingresses, inner first.
pub(crate) fn urls(app: &App, cluster: &Cluster) -> Vec<String> {
    let tls = cluster.cluster_issuer.is_some() || cluster.ingress_tls_secret_name.is_some();
    let mut urls = Vec::new();
    for (list, port) in [(&app.ingresses, cluster.ingress_internal_port), (&app.external_ingresses, cluster.ingress_external_port)] {
        for ingress in list.iter().flatten() {
            let host = full_host(&ingress.host, cluster);
            let port = port.filter(|port| !matches!(port, 80 | 443)).map_or_else(String::new, |port| format!(":{port}"));
            let scheme = if tls { "https" } else { "http" };
            let root = vec!["/".into()];
            urls.extend(ingress.paths.as_ref().unwrap_or(&root).iter().map(|path| format!("{scheme}://{host}{port}{path}")));
        }
    }
    urls
}

/// An address of the app, and whether the cluster's values promise it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `https://shop.example.com/`
    pub url: String,
    /// It is to answer; else it is the other of HTTP and HTTPS, which may.
    pub is_promised: bool,
}

/// The URLs of all ingresses over HTTP and HTTPS, as [`urls`] orders them. Where the cluster names a port, that port speaks one of them alone.
pub(crate) fn addresses(app: &App, cluster: &Cluster) -> Vec<Address> {
    let both = |url: String| {
        let (scheme, rest) = url.split_once("://").map(|(scheme, rest)| (scheme.to_owned(), rest.to_owned())).unwrap_or_default();
        let has_port = rest.split('/').next().is_some_and(|host| host.contains(':'));
        let other = format!("{}://{rest}", if scheme == "https" { "http" } else { "https" });
        let promised = Address { url, is_promised: true };
        std::iter::once(promised).chain((!has_port).then_some(Address { url: other, is_promised: false }))
    };
    urls(app, cluster).into_iter().flat_map(both).collect()
}

/// A bare host completed by the cluster, as the chart does it.
pub(crate) fn full_host(host: &str, cluster: &Cluster) -> String {
    if host.contains('.') {
        return host.to_owned();
    }
    match (&cluster.domain_suffix, &cluster.domain) {
        (Some(suffix), _) => format!("{host}{suffix}"),
        (None, Some(domain)) => format!("{host}.{domain}"),
        (None, None) => host.to_owned(),
    }
}

/// Grafana for a release; none when the cluster has none. `{appname}`, `{release}` and `{namespace}` in its address are filled in; an address without gets the
/// variables of common dashboards behind it.
pub(crate) fn grafana(app: &App, cluster: &Cluster) -> Option<String> {
    let url = cluster.grafana_url.as_deref().filter(|url| !url.trim().is_empty())?;
    let namespace = cluster.namespace.as_deref().filter(|name| is_label(name));
    let names = [("{appname}", &*app.appname), ("{release}", app.release()), ("{namespace}", namespace.unwrap_or("default"))];
    if names.iter().any(|(name, _)| url.contains(name)) {
        return Some(names.iter().fold(url.to_owned(), |url, (name, value)| url.replace(name, value)));
    }
    let (base, own) = url.split_once('?').unwrap_or((url, ""));
    // What the address says itself is not said again.
    let says = |key: &str| own.split('&').any(|part| part.split('=').next() == Some(key));
    let usual = ["orgId=1", "refresh=10s"].into_iter().filter(|part| !says(part.split('=').next().unwrap_or(part)));
    let before: Vec<&str> = own.split('&').filter(|part| !part.is_empty()).chain(usual).collect();
    let namespace = namespace.map_or_else(String::new, |namespace| format!("&var-namespace={namespace}"));
    Some(format!("{base}?{}&var-app={}{namespace}&var-pod=All", before.join("&"), app.appname))
}

/// Prometheus' own page, with what the pods of a release use of CPU and of memory; none when the cluster has none. A login in its address is left out.
pub(crate) fn prometheus(app: &App, cluster: &Cluster) -> Option<String> {
    let base = cluster.prometheus.as_deref().map(str::trim).filter(|base| !base.is_empty())?;
    let (scheme, rest) = base.split_once("://").unwrap_or(("http", base));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, host)| host);
    let graphs: Vec<String> = usage::of_release(app.release(), cluster.namespace.as_deref())?
        .iter()
        .enumerate()
        .map(|(at, query)| format!("g{at}.expr={}&g{at}.tab=0&g{at}.range_input=1d", encode(query)))
        .collect();
    Some(format!("{scheme}://{host}{}/graph?{}", rest[end..].trim_end_matches('/'), graphs.join("&")))
}

/// Kibana's Discover for an app, or for one of its processes; the brackets at the end belong to the link.
pub(crate) fn kibana(app: &App, proc: Option<&str>, cluster: &Cluster) -> Option<String> {
    let host = cluster.kibana.as_deref().map(str::trim).filter(|host| !host.is_empty())?.trim_end_matches('/');
    let base = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
    // `shop-*`: pods of an app `shop2` are not `shop`'s.
    let proc = proc.map_or_else(String::new, |proc| format!("{proc}-"));
    let query = format!("kubernetes.pod_name.keyword:{}-{proc}*", app.release());
    Some(format!(
        "{base}/app/kibana#/discover?_g=(refreshInterval:(pause:!t,value:0),time:(from:now-15m,to:now))&_a=(columns:!(log),query:(language:kuery,query:'{query}'),sort:!('@timestamp',desc))"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kibana_links_are_whole() {
        let app: App = serde_json::from_value(
            serde_json::json!({"appname": "dummy", "ingresses": [{"host": "dummy", "deployName": "web", "paths": ["/"]}]}),
        )
        .expect("an app");
        let cluster: Cluster =
            serde_json::from_value(serde_json::json!({"kibana": "kibana.example.com", "domain": "in.example.com"})).expect("a cluster");
        let link = kibana(&app, None, &cluster).expect("a link");
        assert!(link.contains(":dummy-*'") && kibana(&app, Some("web"), &cluster).expect("a link").contains(":dummy-web-*'"));
        assert_eq!(link.matches('(').count(), link.matches(')').count());
        assert!(link.ends_with(')'));
        assert_eq!(urls(&app, &cluster), ["http://dummy.in.example.com/"]);
        let shown = |cluster: &Cluster| -> Vec<String> {
            addresses(&app, cluster).iter().map(|it| format!("{} {}", it.url, it.is_promised)).collect()
        };
        assert_eq!(shown(&cluster), ["http://dummy.in.example.com/ true", "https://dummy.in.example.com/ false"]);
        let with_port = Cluster { ingress_internal_port: Some(8080), ..cluster };
        assert_eq!(shown(&with_port), ["http://dummy.in.example.com:8080/ true"]);
    }

    #[test]
    fn links_are_what_the_clusters_values_say() {
        let app: App = serde_json::from_value(serde_json::json!({"appname": "dummy", "releaseName": "dummy-2"})).expect("an app");
        let cluster = |json: serde_json::Value| -> Cluster { serde_json::from_value(json).expect("a cluster") };
        let of =
            |url: &str, namespace: Option<&str>| grafana(&app, &cluster(serde_json::json!({"grafana_url": url, "namespace": namespace})));
        for (url, namespace, link) in [
            ("https://g/d/x?orgId=7", None, "https://g/d/x?orgId=7&refresh=10s&var-app=dummy&var-pod=All"),
            ("https://g/d/x", None, "https://g/d/x?orgId=1&refresh=10s&var-app=dummy&var-pod=All"),
            ("https://g/d/x?a=b", Some("shops"), "https://g/d/x?a=b&orgId=1&refresh=10s&var-app=dummy&var-namespace=shops&var-pod=All"),
            (
                "https://g/d/k?var-namespace={namespace}&var-workload={release}-web",
                Some("shops"),
                "https://g/d/k?var-namespace=shops&var-workload=dummy-2-web",
            ),
            ("https://g/d/k?var-namespace={namespace}", None, "https://g/d/k?var-namespace=default"),
        ] {
            assert_eq!(of(url, namespace).as_deref(), Some(link));
        }
        assert_eq!(of(" ", None), None);
        let of = |address: &str| prometheus(&app, &cluster(serde_json::json!({"prometheus": address, "namespace": "shops"})));
        let link = of("https://me:hunter2@p.example.com:9090/prom/").expect("a link");
        let start = "https://p.example.com:9090/prom/graph?g0.expr=%28sum%20by%20%28pod%29%20%28rate%28container_cpu_usage_seconds_total%7Bpod%3D~%22dummy-2-.%2B%22,namespace%3D%22shops%22";
        assert!(link.starts_with(start) && link.contains("&g1.expr=sum%20by") && !link.contains([' ', '(', '"']), "{link}");
        assert!(of("p:9090").is_some_and(|link| link.starts_with("http://p:9090/graph?")) && of("").is_none());
    }
}
