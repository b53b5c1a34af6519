//! How a registry is reached: http or https, whose certificates count, and where a redirect may lead.

use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::tls::{Certificate, ClientCert};

use crate::env::Env;
use crate::error::Result;
use crate::http::client::{self, Client, Method, Trust, trusted};
use crate::http::failure::{Failure, Trouble};
use crate::http::proxy::Proxies;
use crate::http::reply::Reply;
use crate::http::url::{host_of, is_loopback, resolve};
use crate::model::cluster::Cluster;
use crate::model::image::{ImageReference, repository_in};
use crate::tools::cosign::Terms;

/// The longest one try may take: a registry on object storage needs its time to list thousands of tags.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Tries on 429, 5xx and broken connections, and the wait before the second; it doubles.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(500);
/// Docker Hub's registry.
pub(super) const HUB: &str = "registry-1.docker.io";

/// Where an image lives, and what the cluster says of that registry.
#[derive(Debug)]
pub(super) struct Place {
    /// `host[:port]`.
    pub host: String,
    /// The path under the host.
    pub repository: String,
    /// It is the cluster's own registry: the cluster's keys speak of it, and of no other.
    pub is_of_cluster: bool,
}

impl Place {
    /// The place of a repository.
    ///
    /// # Errors
    /// The name is no image reference.
    pub(super) fn of(cluster: &Cluster, name: &str) -> Result<Self> {
        let (host, repository) = split(name)?;
        let own = [&cluster.registry, &cluster.internal_registry];
        let is_of_cluster = own.into_iter().flatten().any(|own| split(&repository_in(own, "x")).is_ok_and(|(own, _)| own == host));
        Ok(Self { host, repository, is_of_cluster })
    }

    /// The registry's name as people know it.
    pub(super) fn name(&self) -> &str {
        if self.host == HUB { "docker.io" } else { &self.host }
    }
}

fn split(name: &str) -> Result<(String, String)> {
    let image = ImageReference::parse(name)?;
    Ok(match image.host.as_deref() {
        None | Some("docker.io" | "index.docker.io" | HUB) => {
            let prefix = if image.repository.contains('/') { "" } else { "library/" };
            (HUB.to_owned(), format!("{prefix}{}", image.repository))
        }
        Some(host) => (host.to_owned(), image.repository),
    })
}

/// One way to a host.
#[derive(Debug)]
struct Way {
    https: bool,
    client: OnceCell<Client>,
}

/// A host, and the ways to it in the order they are tried; the one that works is kept.
#[derive(Debug)]
pub(super) struct Reach {
    host: String,
    verified: bool,
    proxies: Proxies,
    /// The longest one try may take, and how many there are.
    patience: (Duration, u32),
    /// Where docker keeps what it trusts and shows there.
    certificates: Vec<PathBuf>,
    ways: Vec<Way>,
    chosen: Cell<Option<usize>>,
}

impl Reach {
    /// Docker's rules: https; plain http on loopback; what is marked insecure is asked by https without checks, then by http.
    pub(super) fn of(env: &Env, cluster: &Cluster, place: &Place) -> Self {
        let said = |value: Option<bool>| value.filter(|_| place.is_of_cluster);
        let insecure = said(cluster.registry_insecure).unwrap_or(false);
        let https = match said(cluster.registry_endpoint_use_https) {
            Some(https) => vec![https],
            None if is_loopback(&place.host) => vec![false, true],
            None if insecure => vec![true, false],
            None => vec![true],
        };
        Self {
            host: place.host.clone(),
            verified: !insecure,
            proxies: Proxies::of(env),
            patience: (TIMEOUT, TRIES),
            certificates: certificate_folders(env, &place.host),
            ways: https.into_iter().map(|https| Way { https, client: OnceCell::new() }).collect(),
            chosen: Cell::new(None),
        }
    }

    /// A login server that a registry names: https with checks, but for the registry's own host.
    pub(super) fn of_login_server(&self, env: &Env, host: &str, https: bool) -> Self {
        Self {
            host: host.to_owned(),
            verified: self.verified || name_of(host) != name_of(&self.host),
            proxies: self.proxies.clone(),
            patience: self.patience,
            certificates: certificate_folders(env, host),
            ways: vec![Way { https, client: OnceCell::new() }],
            chosen: Cell::new(Some(0)),
        }
    }

    /// From now on each request is made once, and may take so long.
    pub(super) fn hurry(&mut self, within: Duration) {
        self.patience = (within, 1);
    }

    /// What another program must be told of it. The way is settled by the first reply.
    pub(super) fn terms(&self) -> Terms {
        Terms { plain: !self.is_https(), unchecked: !self.verified, ca: self.certificates.iter().find_map(|folder| ca_in(folder)) }
    }

    /// The host.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// True when it is spoken to by https. Settled by the first reply.
    pub(super) fn is_https(&self) -> bool {
        self.ways[self.chosen.get().unwrap_or(0)].https
    }

    /// `https://HOST`.
    pub(super) fn base(&self) -> String {
        format!("{}://{}", if self.is_https() { "https" } else { "http" }, self.host)
    }

    /// Sends a request to a path of the host.
    ///
    /// # Errors
    /// No way leads there. A reply of any status is no error.
    pub(super) fn send(&self, method: Method<'_>, path: &str, headers: &[(&str, &str)]) -> Result<Reply, Failure> {
        if let Some(chosen) = self.chosen.get() {
            return self.by(chosen, method, path, headers);
        }
        let mut plain: Option<Reply> = None;
        for index in 0..self.ways.len() {
            let last = index + 1 == self.ways.len();
            let outcome = self.by(index, method, path, headers);
            match (&outcome, plain.take()) {
                // What looked like an https server is none: its 400 was meant.
                (Err(failure), Some(reply)) if !matches!(failure.trouble, Trouble::Certificate | Trouble::ClientCertificate) => {
                    self.chosen.set(Some(index - 1));
                    return Ok(reply);
                }
                // "Client sent an HTTP request to an HTTPS server": servers say so with 400.
                (Ok(reply), _) if !last && !self.ways[index].https && reply.status == StatusCode::BAD_REQUEST => {
                    plain = Some(reply.clone());
                }
                (Err(failure), _) if !last && self.ways[index].https && may_be_plain(failure) => {}
                _ => {
                    self.chosen.set(Some(index));
                    return outcome;
                }
            }
        }
        Err(Failure::new(Trouble::Other, "there is no way to it"))
    }

    /// The client that works, or is the first to be tried.
    pub(super) fn client_in_use(&self) -> &Client {
        self.ways[self.chosen.get().unwrap_or(0)].client.get_or_init(|| self.client())
    }

    /// The address of a path, or of a `Location` that was given for one; none for what is no address of http, or leads from https to http. Some
    /// registries behind a proxy that ends TLS call themselves http: that means the same host by https.
    pub(super) fn address(&self, location: &str) -> Option<String> {
        let url = resolve(&format!("{}/", self.base()), location)?;
        match url.strip_prefix("http://") {
            Some(rest) if self.is_https() => (host_of(&url) == self.host).then(|| format!("https://{rest}")),
            _ => Some(url),
        }
    }

    fn by(&self, index: usize, method: Method<'_>, path: &str, headers: &[(&str, &str)]) -> Result<Reply, Failure> {
        let way = &self.ways[index];
        let client = way.client.get_or_init(|| self.client());
        client.try_send(method, &format!("{}://{}{path}", if way.https { "https" } else { "http" }, self.host), headers)
    }

    fn client(&self) -> Client {
        let roots = if self.verified { extra_roots(&self.certificates) } else { vec![] };
        let trust = Trust { insecure: !self.verified, roots, identity: identity(&self.certificates) };
        let (timeout, tries) = self.patience;
        Client::trusting(&self.proxies, timeout, (tries, PAUSE), trust)
    }
}

/// A host that is marked insecure may speak plain http.
fn may_be_plain(failure: &Failure) -> bool {
    matches!(failure.trouble, Trouble::NoTls | Trouble::Refused | Trouble::Broken)
}

/// The first of the CAs in a folder of docker's.
fn ca_in(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    entries.filter(|path| path.extension().is_some_and(|kind| kind == "crt")).min()
}

/// The host without its port.
pub(super) fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') && !port.is_empty() => name,
        _ => host,
    }
}

/// Where docker keeps a registry's CA and its own certificate for it, with and without root (<https://docs.docker.com/engine/security/certificates/>).
fn certificate_folders(env: &Env, host: &str) -> Vec<PathBuf> {
    let config = env.get("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| env.home().map(|home| home.join(".config")));
    let rootless = config.map(|config| config.join("docker"));
    rootless.into_iter().chain([PathBuf::from("/etc/docker")]).map(|folder| folder.join("certs.d").join(host)).collect()
}

/// The system's CAs and those in the folders' `*.crt`; empty when the folders hold none.
fn extra_roots(folders: &[PathBuf]) -> Vec<Certificate<'static>> {
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten().map(|entry| entry.path());
    let texts = files.filter(|path| path.extension().is_some_and(|kind| kind == "crt")).filter_map(|path| std::fs::read(path).ok());
    trusted(texts)
}

/// The first `NAME.cert` with its `NAME.key`, in the order of names.
fn identity(folders: &[PathBuf]) -> Option<ClientCert> {
    folders.iter().find_map(|folder| {
        let mut names: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
        names.sort();
        names
            .iter()
            .filter(|path| path.extension().is_some_and(|kind| kind == "cert"))
            .find_map(|path| client::identity(&std::fs::read(path).ok()?, &std::fs::read(path.with_extension("key")).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cluster_speaks_of_its_own_registry() {
        let cluster = Cluster { registry: Some("reg.example.com:5000/team".into()), ..Cluster::default() };
        let place = |name| Place::of(&cluster, name).expect("a place");
        assert!(place("reg.example.com:5000/team/shop").is_of_cluster);
        assert!(!place("reg.example.com/team/shop").is_of_cluster);
        let hub = place("docker.io/alpine");
        assert_eq!((hub.host.as_str(), hub.repository.as_str(), hub.name()), (HUB, "library/alpine", "docker.io"));
        assert_eq!(place("team/shop").host, HUB);
        let hub = Cluster { registry: Some("docker.io/team".into()), ..Cluster::default() };
        assert!(Place::of(&hub, "team/shop").expect("a place").is_of_cluster);
    }
}
