//! The OCI distribution API, one client for every registry: Docker Registry, Harbor, Docker Hub, GitLab, ACR, TCR, ECR.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

mod auth;
mod challenge;
mod copy;
mod held;
mod login;
mod reach;
mod referrers;
mod rights;
mod transfer;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use self::challenge::challenges;
pub(crate) use self::held::Held;
use self::reach::{Place, Reach};
use super::client::Method;
use super::credentials::{Credentials, Found};
use super::failure::{CA_AS_SERVER, Failure, Trouble};
use super::reply::Reply;
use super::url::{encode, next_query};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::model::cluster::Cluster;
use crate::model::hex::hex;
use crate::model::image::is_tag;
use crate::tools::cosign::Terms;
use crate::ui::{Ui, printable};

/// Tags asked for in one page.
const PAGE: usize = 1000;
/// Pages after which a registry is taken to run in circles.
const MAX_PAGES: usize = 2000;
/// Pages in a row that may bring nothing new: some registries filter a page after they cut it.
const MAX_IDLE_PAGES: usize = 20;
/// The longest that listing all tags may take.
const LISTING: Duration = Duration::from_secs(180);
/// What a manifest may be: one image or an index of several, in OCI's and in docker's words.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// One repository of a registry.
#[derive(Debug)]
pub struct Registry<'a> {
    ui: &'a Ui,
    env: &'a Env,
    cluster: &'a Cluster,
    place: Place,
    reach: Reach,
    credentials: OnceCell<Found>,
    /// By [`Action`].
    authorization: [RefCell<Option<String>>; 4],
    keeps_all: Cell<bool>,
}

/// What a login has to allow. Login servers give tokens for one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Pull,
    Delete,
    Push,
    /// The names of all repositories.
    List,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

impl<'a> Registry<'a> {
    /// The repository of an image reference. `cluster` is what the administrator says of the registry: its logins, and the way to it.
    ///
    /// # Errors
    /// The name is no image reference.
    pub fn new(ui: &'a Ui, env: &'a Env, cluster: &'a Cluster, name: &str) -> Result<Self> {
        let place = Place::of(cluster, name)?;
        let reach = Reach::of(env, cluster, &place);
        Ok(Self {
            ui,
            env,
            cluster,
            place,
            reach,
            credentials: OnceCell::new(),
            authorization: Default::default(),
            keeps_all: Cell::new(false),
        })
    }

    /// Where it is asked, as people know it: `docker.io/library/nginx`.
    pub fn whereabouts(&self) -> String {
        format!("{}/{}", self.place.name(), self.place.repository)
    }

    /// What another program must be told of the registry, once something was asked of it here.
    pub(crate) fn terms(&self) -> Terms {
        self.reach.terms()
    }

    /// All tags, in the registry's order; none for a repository that nothing was pushed to.
    ///
    /// # Errors
    /// The registry refuses, does not answer, or answers something else.
    pub fn tags(&self) -> Result<Vec<String>> {
        let path = format!("/v2/{}/tags/list", self.place.repository);
        let started = Instant::now();
        let mut query = format!("n={PAGE}");
        let mut queries = HashSet::new();
        let mut known = HashSet::new();
        let mut tags = Vec::new();
        let mut idle = 0;
        while queries.insert(query.clone()) && idle < MAX_IDLE_PAGES {
            if queries.len() > MAX_PAGES || started.elapsed() > LISTING {
                return Err(Error::failed(format!("registry {} pages through its tags without end", self.place.name()))
                    .hint(format!("curl -v '{}{path}?n=10' # see its Link", self.reach.base())));
            }
            let reply = self.ask(Method::Get, &format!("{path}?{query}"), "application/json", Action::Pull)?;
            if reply.status == StatusCode::NOT_FOUND && errors_of(&reply).is_some() {
                break;
            }
            self.expect_ok(&reply)?;
            let page: Tags = serde_json::from_slice(&reply.body).map_err(|_| self.garbage(&reply, "tag list"))?;
            let names = page.tags.unwrap_or_default();
            let (count, last) = (names.len(), names.last().cloned());
            let before = tags.len();
            tags.extend(names.into_iter().filter(|tag| is_tag(tag) && known.insert(tag.clone()))); // the rest could not be pulled
            idle = if tags.len() == before { idle + 1 } else { 0 };
            query = match (reply.headers.get_all("link").iter().find_map(|link| next_query(link.to_str().ok()?)), last) {
                (Some(next), _) => next,
                (None, Some(last)) if count == PAGE => format!("n={PAGE}&last={}", encode(&last)), // a full page that forgot its link
                _ => break,
            };
        }
        Ok(tags)
    }

    /// The digest of a tag, or of a digest that the registry has; none when it has no such image.
    ///
    /// # Errors
    /// The registry refuses, does not answer, or answers something else.
    pub fn digest(&self, reference: &str) -> Result<Option<String>> {
        let path = self.manifest(reference);
        let reply = self.ask(Method::Head, &path, MANIFESTS, Action::Pull)?;
        if let Some(digest) = reply.header("docker-content-digest").filter(|digest| reply.status.is_success() && is_digest(digest)) {
            return Ok(Some(digest.to_owned()));
        }
        if reply.status == StatusCode::NOT_FOUND && reply.header("docker-distribution-api-version").is_some() {
            return Ok(None);
        }
        if !reply.status.is_success() && !matches!(reply.status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
            self.expect_ok(&reply)?;
        }
        // A reply to HEAD has no body: only GET tells a registry from a web page.
        let reply = self.ask(Method::Get, &path, MANIFESTS, Action::Pull)?;
        if reply.status == StatusCode::NOT_FOUND && errors_of(&reply).is_some() {
            return Ok(None);
        }
        self.expect_ok(&reply)?;
        let manifest: Option<Json> = serde_json::from_slice(&reply.body).ok();
        if manifest.is_none_or(|manifest| manifest["schemaVersion"] != 2) {
            return Err(self.garbage(&reply, "image manifest"));
        }
        Ok(Some(digest_of(&reply.body)))
    }

    /// The labels of an image, of its first platform where it has several; none when the registry has no such image.
    ///
    /// # Errors
    /// The registry refuses, does not answer, or answers something else.
    pub fn labels(&self, reference: &str) -> Result<Option<Json>> {
        let Some(mut manifest) = self.json(&self.manifest(reference), MANIFESTS)? else { return Ok(None) };
        if let Some(images) = manifest["manifests"].as_array() {
            // An attestation stands beside the images, of a platform that nobody has.
            let image = images.iter().find(|image| image["platform"]["os"] != "unknown").and_then(|image| image["digest"].as_str());
            let Some(digest) = image.filter(|digest| is_digest(digest)) else { return Ok(Some(Json::Null)) };
            let Some(inner) = self.json(&self.manifest(digest), MANIFESTS)? else { return Ok(None) };
            manifest = inner;
        }
        let Some(config) = manifest["config"]["digest"].as_str().filter(|digest| is_digest(digest)) else { return Ok(Some(Json::Null)) };
        Ok(self.json(&self.blob(config), "*/*")?.map(|mut config| config["config"]["Labels"].take()))
    }

    /// A document; none when the registry has no such thing.
    fn json(&self, path: &str, accept: &str) -> Result<Option<Json>> {
        let reply = self.ask(Method::Get, path, accept, Action::Pull)?;
        if reply.status == StatusCode::NOT_FOUND && errors_of(&reply).is_some() {
            return Ok(None);
        }
        self.expect_ok(&reply)?;
        serde_json::from_slice(&reply.body).map(Some).map_err(|_| self.garbage(&reply, "image manifest"))
    }

    /// Deletes the image with this digest, and with it all of its tags; false when there was none.
    ///
    /// # Errors
    /// The registry does not allow it, refuses, or does not answer.
    pub fn delete(&self, digest: &str) -> Result<bool> {
        let reply = self.ask(Method::Delete, &self.manifest(digest), "application/json", Action::Delete)?;
        match reply.status {
            StatusCode::NOT_FOUND if errors_of(&reply).is_some() => Ok(false),
            // The specification allows both where deletion is off.
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::BAD_REQUEST
                if reply.status != StatusCode::BAD_REQUEST || is_unsupported(&reply) =>
            {
                self.keeps_all.set(true);
                Err(Error::failed(format!("registry {} does not let images be deleted", self.place.name()))
                    .hint("storage: {delete: {enabled: true}} # in the registry's own config.yml, or REGISTRY_STORAGE_DELETE_ENABLED=true")
                    .hint("GitLab, Harbor, ECR and Docker Hub delete by policies of their own: see their settings"))
            }
            _ => self.expect_ok(&reply).map(|()| true),
        }
    }

    /// True once it has said that nothing of it can be deleted.
    pub(crate) fn keeps_all(&self) -> bool {
        self.keeps_all.get()
    }

    fn manifest(&self, reference: &str) -> String {
        format!("/v2/{}/manifests/{}", self.place.repository, encode(reference))
    }

    fn blob(&self, digest: &str) -> String {
        format!("/v2/{}/blobs/{}", self.place.repository, encode(digest))
    }

    /// The login, found out when a registry first asks for one.
    fn login(&self) -> Result<Option<&Credentials>> {
        if self.credentials.get().is_none() {
            let found = login::find(self.ui, self.env, self.cluster, &self.place)?;
            let _ = self.credentials.set(found); // it was empty a moment ago
        }
        Ok(self.credentials.get().and_then(|found| found.credentials.as_ref()))
    }

    /// What logs docker in there.
    fn docker_login(&self) -> String {
        match self.place.name() {
            "docker.io" => "docker login".to_owned(),
            name => format!("docker login {name}"),
        }
    }

    /// Sends a request, and once more with a login when the registry wants one.
    fn ask(&self, method: Method<'_>, path: &str, accept: &str, action: Action) -> Result<Reply> {
        let known = &self.authorization[action as usize];
        let send = || {
            let authorization = known.borrow();
            let mut headers = vec![("Accept", accept)];
            headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
            self.reach.send(method, path, &headers).map_err(|failure| self.unreachable(failure))
        };
        let reply = send()?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        let verb = match action {
            Action::Pull => "pull",
            Action::Delete => "pull,delete",
            Action::Push => "pull,push",
            Action::List => "*",
        };
        let scope = match action {
            Action::List => "registry:catalog:*".to_owned(),
            _ => format!("repository:{}:{verb}", self.place.repository),
        };
        let fresh = self.authorize(&reply, &scope)?;
        if fresh.is_none() || *known.borrow() == fresh {
            return Ok(reply);
        }
        *known.borrow_mut() = fresh;
        send()
    }

    fn expect_ok(&self, reply: &Reply) -> Result<()> {
        let (name, repository) = (self.place.name(), &self.place.repository);
        let said = errors_of(reply).filter(|said| !said.is_empty());
        let because = |error: Error| match &said {
            Some(said) => Error::failed(said.clone()).context(error.message()),
            None => error,
        };
        Err(match reply.status {
            status if status.is_success() => return Ok(()),
            StatusCode::UNAUTHORIZED if !lacks_scope(reply) || self.login()?.is_none() => self.refused(self.login()?),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                because(Error::failed(format!("registry {name} does not let this account at {repository}")))
                    .hint(format!("{} # as someone with access", self.docker_login()))
            }
            StatusCode::NOT_FOUND => Error::failed(format!("{name} answers like no registry: 404 for {repository}"))
                .hint(format!("curl -v {}/v2/ # is `registry` in the cluster values right?", self.reach.base())),
            StatusCode::TOO_MANY_REQUESTS => because(Error::failed(format!("registry {name} has had too many requests (429)")))
                .hint(format!("{} # some allow more then; or try again later", self.docker_login())),
            status if status.is_server_error() => because(Error::failed(format!("registry {name} fails with {status} for {repository}")))
                .hint("try again later, or ask whoever runs it"),
            StatusCode::BAD_REQUEST if !self.reach.is_https() => {
                because(Error::failed(format!("registry {name} answers {} to plain http", reply.status)))
                    .hint(format!("curl -v {}/v2/ # is that the registry?", self.reach.base()))
                    .hint("registry_endpoint_use_https: true # in the cluster values, when it speaks https")
            }
            status => because(Error::failed(format!("registry {name} answers {status} for {repository}")))
                .hint(format!("curl -v {}/v2/ # is `registry` in the cluster values right?", self.reach.base())),
        })
    }

    fn garbage(&self, reply: &Reply, wanted: &str) -> Error {
        let kind: String = printable(reply.header("content-type").unwrap_or("of no type")).chars().take(60).collect();
        Error::failed(format!("registry {} answers something that is no {wanted} ({kind})", self.place.name()))
            .hint(format!("curl -v {}/v2/ # is that a registry?", self.reach.base()))
    }

    fn unreachable(&self, failure: Failure) -> Error {
        let name = self.place.name();
        let (trouble, base) = (failure.trouble, self.reach.base());
        let (is_of_ca, host) = (failure.words.ends_with(CA_AS_SERVER), failure.led_to.clone());
        let error = failure.into_error(&base);
        if trouble == Trouble::Interrupted {
            return error;
        }
        let error = error.context(format!("registry {name} cannot be asked"));
        match trouble {
            Trouble::Certificate => {
                let error = if is_of_ca { error.hint(certificate_for(reach::name_of(host.as_deref().unwrap_or(name)))) } else { error };
                error
                    .hint(format!("put its CA into /etc/docker/certs.d/{name}/ca.crt, where docker looks for it too"))
                    .hint("registry_insecure: true # in the cluster values, to do without checks")
            }
            Trouble::ClientCertificate => {
                error.hint(format!("put yours into /etc/docker/certs.d/{name}/client.cert and client.key, as for docker"))
            }
            Trouble::NoTls => error.hint("registry_insecure: true # in the cluster values, when it speaks plain http"),
            Trouble::NoSuchHost => {
                let whose = if host.is_some() {
                    "who runs the registry knows what it redirects to"
                } else {
                    "is `registry` in the cluster values right?"
                };
                error.hint(format!("getent hosts {} # {whose}", reach::name_of(host.as_deref().unwrap_or(name))))
            }
            _ if host.is_some() => error.hint(format!("curl -v {base}/v2/{}/tags/list # see its Location", self.place.repository)),
            _ => error.hint(format!("curl -v {base}/v2/ # is it up, and is the address right?")),
        }
    }
}

/// What makes a certificate that is its own CA and a server's all the same.
fn certificate_for(name: &str) -> String {
    let kind = if name.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 365 -subj /CN={name} -addext subjectAltName={kind}:{name} -addext \
         basicConstraints=critical,CA:FALSE -keyout server.key -out server.crt # on its machine: make it anew; it is its own CA then"
    )
}

/// What a registry says in its own error format; none for other texts. Its words come from outside: one short line of them.
fn errors_of(reply: &Reply) -> Option<String> {
    let body: Json = serde_json::from_slice(&reply.body).ok()?;
    let words = |error: &Json| error["message"].as_str().or_else(|| error["code"].as_str()).map(str::to_owned);
    let said: Vec<String> = body["errors"].as_array()?.iter().filter_map(words).collect();
    Some(printable(&said.join("; ")).replace(['\n', '\t'], " ").chars().take(200).collect())
}

/// True where a registry says that it does not do this at all.
fn is_unsupported(reply: &Reply) -> bool {
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    body["errors"].as_array().into_iter().flatten().any(|error| error["code"] == "UNSUPPORTED")
}

/// True for a login that is good, but not for this (RFC 6750, 3.1).
fn lacks_scope(reply: &Reply) -> bool {
    challenges(&reply.headers).iter().any(|challenge| challenge.get("error") == Some("insufficient_scope"))
}

/// The digest of these bytes.
fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// `sha256:` and the like, and hex digits.
fn is_digest(text: &str) -> bool {
    let hex = text.split_once(':').map_or("", |(_, hex)| hex);
    hex.len() >= 32 && hex.bytes().all(|b| b.is_ascii_hexdigit()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_next_page_alone() {
        assert_eq!(next_query(r#"</v2/a/tags/list?last=x&n=5>; rel="next""#).as_deref(), Some("last=x&n=5"));
        assert_eq!(next_query(r"<http://evil/v2/b/tags/list?last=x>;rel=next").as_deref(), Some("last=x"));
        assert_eq!(next_query(r#"</p?a=1>; rel="prev", </n?b=2,3>; rel="next""#).as_deref(), Some("b=2,3"));
        for link in [r#"</x?a=1>; rel="prev""#, r#"</x>; rel="next""#, "<", "", r#"</x?a=1>; rel="nextish""#] {
            assert_eq!(next_query(link), None, "{link}");
        }
    }

    #[test]
    fn digests_are_hex() {
        assert!(is_digest(&format!("sha256:{}", "0a".repeat(32))));
        for text in ["", "sha256:", "sha256:xyz", "latest"] {
            assert!(!is_digest(text), "{text}");
        }
    }
}
