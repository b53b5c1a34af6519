//! Where a kubeconfig points by itself. helm and kubectl are always told, so that no variable that one of them alone reads splits a release.

use std::fs;
use std::path::Path;

use super::login::{login, text};
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

/// A context of a kubeconfig, and the entries that it names.
pub(super) struct Entries<'n> {
    /// Its name.
    context: &'n str,
    /// What it says.
    said: Option<&'n Node>,
    /// Where its server is.
    pub cluster: Option<&'n Node>,
    /// Who logs in.
    pub user: Option<&'n Node>,
}

/// Why a kubeconfig does not say where it points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It has no contexts.
    Contexts,
    /// It names none as its current one.
    Current,
    /// The one that is meant is not in it.
    Context(String),
}

impl<'n> Entries<'n> {
    /// Those of this context, or of its current one.
    pub(super) fn of(root: &'n Node, context: Option<&'n str>) -> Result<Self, Missing> {
        let list = |name: &str| match root.get(name).map(|list| &list.value) {
            Some(Value::Seq(list)) => Some(list),
            _ => None,
        };
        let contexts = list("contexts").ok_or(Missing::Contexts)?;
        let context = context.filter(|context| !context.is_empty()).or_else(|| text(root, "current-context")).ok_or(Missing::Current)?;
        let found = contexts.iter().find(|known| text(known, "name") == Some(context));
        let said = found.ok_or_else(|| Missing::Context(context.to_owned()))?.get("context");
        let entry = |all: &str, inside: &str| {
            let name = text(said?, inside)?;
            list(all)?.iter().find(|known| text(known, "name") == Some(name))?.get(inside)
        };
        Ok(Self { context, said, cluster: entry("clusters", "cluster"), user: entry("users", "user") })
    }

    /// What its context calls an entry.
    pub(super) fn name_of(&self, entry: &str) -> Option<&'n str> {
        text(self.said?, entry)
    }

    /// Where it points. Files that the kubeconfig names count from `folder` on.
    pub(super) fn aim(&self, folder: &Path) -> Aim {
        let server = self.cluster.and_then(|cluster| text(cluster, "server"));
        Aim {
            context: self.context.to_owned(),
            namespace: self.name_of("namespace").unwrap_or("default").to_owned(),
            base: server.map(path_of),
            server: server.map(str::to_owned),
            has_proxy: self.cluster.is_some_and(|cluster| text(cluster, "proxy-url").is_some()),
            login: self.cluster.and_then(|cluster| login(cluster, self.user, folder)),
        }
    }
}

/// The folder that the files count from which a kubeconfig names.
pub(super) fn folder_of(kubeconfig: &Path) -> &Path {
    kubeconfig.parent().unwrap_or(Path::new("."))
}

/// Where a kubeconfig points: by this context, or by its current one. None where the file does not say, or is none that lain reads: then both tools
/// decide by the same rules.
pub(crate) fn aim(kubeconfig: &Path, context: Option<&str>) -> Option<Aim> {
    // It holds credentials.
    let text = zeroize::Zeroizing::new(fs::read_to_string(kubeconfig).ok()?);
    let root = parse_secret(kubeconfig, &text).ok()?;
    Some(Entries::of(&root, context).ok()?.aim(folder_of(kubeconfig)))
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
