//! Logins that stand in a kubeconfig as they are. All others are kubectl's: programs that log in, files that change while a run goes on, impersonation,
//! proxies.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::model::login::Login;
use crate::values::node::Node;

/// What may be said of a cluster; anything else says how its server is reached, and kubectl knows how.
const CLUSTER: [&str; 4] = ["server", "certificate-authority", "certificate-authority-data", "extensions"];
/// What may be said of a user.
const USER: [&str; 6] = ["token", "client-certificate", "client-certificate-data", "client-key", "client-key-data", "extensions"];

/// The login of this user to this cluster; none where kubectl is to log in. Files that the kubeconfig names count from `folder` on.
pub(super) fn login(cluster: &Node, user: Option<&Node>, folder: &Path) -> Option<Login> {
    if !says_only(cluster, &CLUSTER) || !user.is_none_or(|user| says_only(user, &USER)) {
        return None;
    }
    let server = text(cluster, "server")?;
    let (scheme, rest) = server.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().filter(|host| !host.is_empty() && !host.contains('@'))?;
    let token = user.and_then(|user| text(user, "token")).map(|token| Zeroizing::new(token.to_owned()));
    let certificate = data(user, "client-certificate", folder)?;
    let key = data(user, "client-key", folder)?.map(Zeroizing::new);
    let has_login = token.is_some() || certificate.is_some() || key.is_some();
    // What is sent in the clear is nobody's login.
    if !(scheme == "https" || scheme == "http" && !has_login) || certificate.is_some() != key.is_some() {
        return None;
    }
    Some(Login {
        address: format!("{scheme}://{host}"),
        authority: data(Some(cluster), "certificate-authority", folder)?,
        token,
        identity: certificate.zip(key),
    })
}

/// What an entry says is among these keys, and text; what it leaves empty is not said.
fn says_only(entry: &Node, keys: &[&str]) -> bool {
    let is_unsaid = |node: &Node| node.as_str() == Some("") || node.to_json().is_null() || node.to_json() == false;
    entry.as_map().is_some_and(|map| {
        map.iter().all(|(key, said)| {
            is_unsaid(&said.node) || keys.contains(&key.as_str()) && (key == "extensions" || said.node.as_str().is_some())
        })
    })
}

/// What stands under a key; none where that is empty, or no text.
pub(super) fn text<'n>(entry: &'n Node, key: &str) -> Option<&'n str> {
    entry.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// What stands under `KEY-data` in base64, else in the file under `KEY`, as kubectl reads them; the outer none where that cannot be read.
#[allow(clippy::option_option)] // not said, and not to be read
pub(super) fn data(entry: Option<&Node>, key: &str, folder: &Path) -> Option<Option<Vec<u8>>> {
    let Some(entry) = entry else { return Some(None) };
    if let Some(data) = text(entry, &format!("{key}-data")) {
        return STANDARD.decode(data).ok().map(Some);
    }
    match text(entry, key) {
        Some(path) => fs::read(folder.join(path)).ok().map(Some),
        None => Some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse_secret;

    fn of(cluster: &str, user: &str) -> Option<Login> {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ca.pem"), "CA").expect("a file");
        let node = |text: &str| parse_secret(Path::new("x"), text).expect("YAML");
        login(&node(cluster), Some(&node(user)), folder.path())
    }

    #[test]
    fn logins_that_stand_there() {
        let found =
            of("{server: \"https://k8s.example.com:6443/k8s/c-1\", certificate-authority: ca.pem}", "{token: s3cret}").expect("a login");
        assert_eq!((found.address.as_str(), found.authority.as_deref()), ("https://k8s.example.com:6443", Some(&b"CA"[..])));
        assert_eq!(found.token.as_ref().map(|token| token.as_str()), Some("s3cret"));
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
        let found = of(
            "{server: \"https://h\", certificate-authority: nowhere, certificate-authority-data: Q0E=, insecure-skip-tls-verify: false}",
            "{client-certificate-data: Yw==, client-key-data: aw==, token: ''}",
        );
        let found = found.expect("a login");
        assert_eq!((found.authority.as_deref(), found.token.is_some()), (Some(&b"CA"[..]), false));
        assert_eq!(found.identity.as_ref().map(|(one, key)| (&one[..], &key[..])), Some((&b"c"[..], &b"k"[..])));
        assert_eq!(of("{server: \"http://127.0.0.1:8001\"}", "{}").expect("a login").address, "http://127.0.0.1:8001");
    }

    #[test]
    fn logins_that_are_kubectls() {
        let server = "server: \"https://h\"";
        for user in [
            "{exec: {command: aws}}",
            "{auth-provider: {name: gcp}}",
            "{tokenFile: t}",
            "{username: a, password: b}",
            "{token: a, as: b}",
            "{token: 1}",
            "{client-certificate-data: Yw==}",
            "{client-certificate: nowhere, client-key: nowhere}",
            "{client-certificate-data: '?', client-key-data: aw==}",
        ] {
            assert_eq!(of(&format!("{{{server}}}"), user), None, "{user}");
        }
        for cluster in [
            "{server: \"https://h\", proxy-url: \"http://p\"}",
            "{server: \"https://h\", tls-server-name: x}",
            "{server: \"https://h\", insecure-skip-tls-verify: true}",
            "{server: \"https://h\", certificate-authority: nowhere}",
            "{server: \"https://me:pw@h\"}",
            "{server: \"http://h\"}",
            "{server: h}",
            "{}",
        ] {
            assert_eq!(of(cluster, "{token: a}"), None, "{cluster}");
        }
    }
}
