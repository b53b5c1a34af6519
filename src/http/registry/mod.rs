//! The OCI distribution API, one client for every registry: Docker Registry, Harbor, Docker Hub, GitLab, ACR, TCR.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md> and, for tokens,
//! <https://distribution.github.io/distribution/spec/auth/token/>.

use std::cell::RefCell;
use std::time::Duration;

use serde::Deserialize;
use ureq::http::StatusCode;

use super::client::{Client, Method, Reply, host_of};
use super::credentials::{self, Credentials};
use crate::error::{Error, Result};
use crate::model::image::ImageReference;
use crate::session::Session;

/// Tags asked for in one page.
const PAGE: usize = 1000;
/// Pages after which a registry is taken to run in circles.
const MAX_PAGES: usize = 1000;
/// What a manifest may be.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                         application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

/// One repository of a registry.
#[derive(Debug)]
pub struct Registry {
    client: Client,
    base: String,
    host: String,
    repository: String,
    credentials: Option<Credentials>,
    authorization: RefCell<Option<String>>,
}

#[derive(Deserialize)]
struct Tags {
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// The repository of an image reference, with docker's own credentials.
    ///
    /// # Errors
    /// The name is no image reference.
    pub fn of(session: &Session, name: &str) -> Result<Self> {
        let image = ImageReference::parse(name)?;
        let (host, repository) = match &image.host {
            Some(host) => (host.clone(), image.repository.clone()),
            None if image.repository.contains('/') => ("registry-1.docker.io".to_owned(), image.repository.clone()),
            None => ("registry-1.docker.io".to_owned(), format!("library/{}", image.repository)),
        };
        let insecure = session.cluster().ok().and_then(|cluster| cluster.registry_insecure).unwrap_or(false);
        let scheme = if is_loopback(&host) || insecure { "http" } else { "https" };
        Ok(Self {
            client: Client::new(Duration::from_secs(15), 4, Duration::from_millis(500), insecure),
            base: format!("{scheme}://{host}"),
            credentials: credentials::find(&session.ui, &session.env, &host),
            host,
            repository,
            authorization: RefCell::new(None),
        })
    }

    /// All tags, in the registry's order.
    ///
    /// # Errors
    /// The registry refuses, does not answer, or answers something else.
    pub fn tags(&self) -> Result<Vec<String>> {
        let mut path = format!("/v2/{}/tags/list?n={PAGE}", self.repository);
        let mut tags = Vec::new();
        for _ in 0..MAX_PAGES {
            let reply = self.ask(Method::Get, &path, "application/json")?;
            if reply.status == StatusCode::NOT_FOUND {
                return Ok(tags); // a repository that nothing was pushed to
            }
            self.expect_ok(&reply)?;
            let page: Tags = serde_json::from_slice(&reply.body)
                .map_err(|error| Error::failed(format!("registry {} answered something that is no tag list: {error}", self.host)))?;
            tags.extend(page.tags.unwrap_or_default());
            match reply.header("link").and_then(next_page) {
                Some(next) => path = next,
                None => return Ok(tags),
            }
        }
        Err(Error::failed(format!("registry {} pages through its tags without end", self.host)))
    }

    /// The digest of a tag; none when there is no such tag.
    ///
    /// # Errors
    /// The registry refuses or does not answer.
    pub fn digest(&self, tag: &str) -> Result<Option<String>> {
        let reply = self.ask(Method::Head, &format!("/v2/{}/manifests/{tag}", self.repository), MANIFESTS)?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.expect_ok(&reply)?;
        Ok(Some(reply.header("docker-content-digest").unwrap_or_default().to_owned()))
    }

    fn expect_ok(&self, reply: &Reply) -> Result<()> {
        if reply.status.is_success() {
            return Ok(());
        }
        let what = format!("{}/{}", self.host, self.repository);
        Err(match reply.status {
            StatusCode::UNAUTHORIZED => {
                Error::failed(format!("registry {} wants a login to read {what}", self.host)).hint(format!("docker login {}", self.host))
            }
            StatusCode::FORBIDDEN => Error::failed(format!("registry {}: this account may not read {what}", self.host))
                .hint("ask for read access to it, or log in as someone else: docker login"),
            status => Error::failed(format!("registry {} answered {status} for {what}", self.host)),
        })
    }

    fn ask(&self, method: Method<'_>, path: &str, accept: &str) -> Result<Reply> {
        let url = format!("{}{path}", self.base);
        let send = || {
            let authorization = self.authorization.borrow();
            let mut headers = vec![("Accept", accept)];
            headers.extend(authorization.as_deref().map(|value| ("Authorization", value)));
            self.client.send(method, &url, &headers).map_err(|error| {
                error
                    .context(format!("registry {} cannot be asked", self.host))
                    .hint(format!("curl -v {}/v2/ # is it up, and is the address right?", self.base))
            })
        };
        let reply = send()?;
        if reply.status != StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        let Some(authorization) = self.authorize(&reply)? else { return Ok(reply) };
        *self.authorization.borrow_mut() = Some(authorization);
        send()
    }

    /// Answers a `WWW-Authenticate` challenge: basic, or a token from its realm.
    fn authorize(&self, reply: &Reply) -> Result<Option<String>> {
        let Some(challenge) = reply.header("www-authenticate") else { return Ok(None) };
        if challenge.to_ascii_lowercase().starts_with("basic") {
            return Ok(self.credentials.as_ref().map(Credentials::basic));
        }
        let Some(realm) = parameter(challenge, "realm") else { return Ok(None) };
        // A registry must not send our password anywhere else in the clear.
        if !realm.starts_with("https://") && host_of(&realm) != self.host && !is_loopback(host_of(&realm)) {
            return Err(Error::failed(format!(
                "registry {} sends its logins to {}, which is neither https nor itself; refused",
                self.host,
                host_of(&realm)
            )));
        }
        let scope = parameter(challenge, "scope").unwrap_or_else(|| format!("repository:{}:pull", self.repository));
        let mut url = format!("{realm}{}scope={}", if realm.contains('?') { '&' } else { '?' }, encode(&scope));
        if let Some(service) = parameter(challenge, "service") {
            url += &format!("&service={}", encode(&service));
        }
        let basic = self.credentials.as_ref().map(Credentials::basic);
        let headers: Vec<(&str, &str)> = basic.iter().map(|value| ("Authorization", value.as_str())).collect();
        let reply = self
            .client
            .send(Method::Get, &url, &headers)
            .map_err(|error| error.context(format!("the login server of registry {} cannot be asked", self.host)))?;
        if !reply.status.is_success() {
            return Err(Error::failed(format!("the login server of registry {} answered {}", self.host, reply.status))
                .hint(format!("docker login {}", self.host)));
        }
        let token: Token = serde_json::from_slice(&reply.body)
            .map_err(|error| Error::failed(format!("the login server of registry {} gave no token: {error}", self.host)))?;
        Ok(token.token.or(token.access_token).map(|token| format!("Bearer {token}")))
    }
}

/// Registries on loopback speak plain http, as docker takes it too.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    name == "localhost" || name == "[::1]" || name.starts_with("127.")
}

/// `<...>; rel="next"`; only the path and query are used, so that a page never leads to another host.
fn next_page(link: &str) -> Option<String> {
    let (target, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
    if !rest.contains("next") {
        return None;
    }
    let path = match target.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => target,
    };
    path.starts_with("/v2/").then(|| path.to_owned())
}

/// One `key="value"` of a challenge.
fn parameter(challenge: &str, key: &str) -> Option<String> {
    let at = challenge.find(&format!("{key}=\""))? + key.len() + 2;
    let rest = &challenge[at..];
    Some(rest[..rest.find('"')?].to_owned())
}

pub(super) fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':' | b'/' | b',') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_challenges_and_links() {
        let challenge = r#"Bearer realm="https://auth.example.com/token",service="reg",scope="repository:a/b:pull""#;
        assert_eq!(parameter(challenge, "realm").as_deref(), Some("https://auth.example.com/token"));
        assert_eq!(parameter(challenge, "scope").as_deref(), Some("repository:a/b:pull"));
        assert_eq!(next_page(r#"</v2/a/tags/list?last=x&n=5>; rel="next""#).as_deref(), Some("/v2/a/tags/list?last=x&n=5"));
        assert_eq!(next_page(r#"<http://evil/v2/a/tags/list?last=x>; rel="next""#).as_deref(), Some("/v2/a/tags/list?last=x"));
        assert_eq!(next_page(r#"</x>; rel="prev""#), None);
        assert!(is_loopback("127.0.0.1:5000") && is_loopback("localhost") && !is_loopback("1270.example.com"));
    }
}
