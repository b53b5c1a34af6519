//! Where to look: URLs of ingresses, Grafana, Kibana.

use crate::model::app::App;
use crate::model::cluster::Cluster;

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

/// Grafana for a release; empty when the cluster has none.
pub(crate) fn grafana(app: &App, cluster: &Cluster) -> Option<String> {
    let url = cluster.grafana_url.as_ref()?;
    let join = if url.contains('?') { '&' } else { '?' };
    Some(format!("{url}{join}orgId=1&refresh=10s&var-app={}&var-pod=All", app.appname))
}

/// Kibana's Discover for an app; the brackets at the end belong to the link.
pub(crate) fn kibana(app: &App, cluster: &Cluster) -> Option<String> {
    let host = cluster.kibana.as_ref()?;
    let base = if host.contains("://") { host.to_string() } else { format!("http://{host}") };
    let query = format!("kubernetes.pod_name.keyword:{}*", app.release());
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
        let link = kibana(&app, &cluster).expect("a link");
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
}
