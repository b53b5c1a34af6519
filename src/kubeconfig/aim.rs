//! Where a kubeconfig points by itself. helm and kubectl are always told, so that no variable that one of them alone reads splits a release.

use std::fs;
use std::path::Path;

use super::login::login;
use crate::model::login::Login;
use crate::values::node::{Node, Value};
use crate::values::parse::parse_secret;

/// A context and its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    /// The context.
    pub context: String,
    /// The namespace that it names, else Kubernetes' own `default`.
    pub namespace: String,
    /// The path of its server's address: empty, but for servers behind one address (`https://rancher.example.com/k8s/clusters/c-1`). None where the file
    /// names no server.
    pub base: Option<String>,
    /// Its login, where that stands in the file as it is.
    pub login: Option<Login>,
    /// Its server's address, where the file names one.
    pub server: Option<String>,
    /// The file names a proxy on the way there.
    pub has_proxy: bool,
}

/// Where a kubeconfig points: by this context, or by its current one. None where the file does not say, or is none that lain reads: then both tools
/// decide by the same rules.
pub(crate) fn aim(kubeconfig: &Path, context: Option<&str>) -> Option<Aim> {
    // It holds credentials.
    let text = zeroize::Zeroizing::new(fs::read_to_string(kubeconfig).ok()?);
    let root = parse_secret(kubeconfig, &text).ok()?;
    let context = context.or_else(|| root.get("current-context")?.as_str()).filter(|context| !context.is_empty())?;
    let Value::Seq(contexts) = &root.get("contexts")?.value else { return None };
    let text = |node: &Node, key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
    let found = contexts.iter().find(|known| text(known, "name").as_deref() == Some(context))?;
    let namespace = found.get("context").and_then(|context| text(context, "namespace")).filter(|namespace| !namespace.is_empty());
    let named = |list: &str, inside: &str, name: &str| {
        let Value::Seq(entries) = &root.get(list)?.value else { return None };
        entries.iter().find(|known| text(known, "name").as_deref() == Some(name))?.get(inside)
    };
    let entry = |list: &str, inside: &str| found.get("context").and_then(|context| named(list, inside, &text(context, inside)?));
    let cluster = entry("clusters", "cluster");
    let server = cluster.and_then(|cluster| text(cluster, "server"));
    let folder = kubeconfig.parent().unwrap_or(Path::new("."));
    Some(Aim {
        context: context.to_owned(),
        namespace: namespace.unwrap_or_else(|| "default".to_owned()),
        base: server.as_deref().map(path_of),
        server,
        has_proxy: cluster.and_then(|cluster| text(cluster, "proxy-url")).is_some_and(|url| !url.is_empty()),
        login: cluster.and_then(|cluster| login(cluster, entry("users", "user"), folder)),
    })
}

/// The path of an address, without a slash at its end.
fn path_of(server: &str) -> String {
    let rest = server.split_once("://").map_or(server, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_kubeconfig_points() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let of = |text: &str, context: Option<&str>| {
            fs::write(file.path(), text).expect("a kubeconfig");
            aim(file.path(), context).map(|aim| format!("{} {}", aim.context, aim.namespace))
        };
        let base = |server: &str| {
            let text = format!(
                "current-context: a\ncontexts: [{{name: a, context: {{cluster: c}}}}]\nclusters: [{{name: c, cluster: {{{server}}}}}]\n"
            );
            fs::write(file.path(), text).expect("a kubeconfig");
            aim(file.path(), None).expect("an aim").base
        };
        assert_eq!(base("server: \"https://k8s.example.com:6443\"").as_deref(), Some(""));
        assert_eq!(base("server: https://k8s.example.com/").as_deref(), Some(""));
        assert_eq!(base("server: \"https://r.example.com/k8s/clusters/c-1/?x\"").as_deref(), Some("/k8s/clusters/c-1"));
        assert_eq!(base("server: k8s.example.com/a").as_deref(), Some("/a"));
        assert_eq!(base("insecure-skip-tls-verify: true"), None);
        let contexts =
            "contexts:\n- name: a\n  context: {cluster: c, namespace: shops}\n- context:\n    cluster: c\n  name: path/to:agent\n";
        let current = format!("current-context: a\n{contexts}");
        assert_eq!(of(&current, None).as_deref(), Some("a shops"));
        assert_eq!(of(&current, Some("path/to:agent")).as_deref(), Some("path/to:agent default"));
        let json = r#"{"current-context": "a", "contexts": [{"name": "a", "context": {"namespace": "x"}}]}"#;
        assert_eq!(of(json, None).as_deref(), Some("a x"));
        for none in [contexts, "current-context: b\ncontexts: []\n", "current-context: ''\n", "[", ""] {
            assert_eq!(of(none, None), None, "{none}");
        }
        assert_eq!(of(&current, Some("other")), None);
        assert_eq!(aim(Path::new("/nowhere"), None), None);
    }
}
