//! Answering a registry's challenge: basic, or a token from the login server it names.
//!
//! <https://distribution.github.io/distribution/spec/auth/token/> and, for refresh tokens,
//! <https://distribution.github.io/distribution/spec/auth/oauth/>.

use serde::Deserialize;
use ureq::http::{StatusCode, Uri};

use super::Registry;
use super::challenge::{Challenge, challenges};
use super::reach::{Reach, name_of};
use crate::error::{Error, Result};
use crate::http::client::Method;
use crate::http::credentials::{Credentials, Login};
use crate::http::failure::Trouble;
use crate::http::reply::Reply;
use crate::http::url::encode;

/// How lain names itself to login servers.
const CLIENT: &str = "lain";

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry<'_> {
    /// The `Authorization` value that answers a 401; none when there is nothing to answer with.
    ///
    /// # Errors
    /// The login cannot be found out, or the login server refuses or does not answer.
    pub(super) fn authorize(&self, reply: &Reply, scope: &str) -> Result<Option<String>> {
        let credentials = self.login()?;
        if let Some(Login::Ready(scheme, _)) = credentials.map(|credentials| &credentials.login)
            && !scheme.eq_ignore_ascii_case("basic")
        {
            return Ok(credentials.and_then(Credentials::authorization));
        }
        let offered = challenges(&reply.headers);
        let bearer =
            offered.iter().find_map(|challenge| Some((challenge, challenge.get("realm").filter(|_| challenge.scheme == "bearer")?)));
        if let Some((challenge, realm)) = bearer {
            return self.token(challenge, realm, scope, credentials).map(Some);
        }
        let basic = offered.iter().any(|challenge| challenge.scheme == "basic");
        Ok(credentials.filter(|_| basic).and_then(Credentials::authorization))
    }

    fn token(&self, challenge: &Challenge, realm: &str, scope: &str, credentials: Option<&Credentials>) -> Result<String> {
        let (server, path) = self.login_server(realm)?;
        let fields = [("service", challenge.get("service")), ("scope", Some(challenge.get("scope").unwrap_or(scope)))];
        let mut query =
            fields.iter().filter_map(|(name, value)| Some(format!("{name}={}", encode((*value)?)))).collect::<Vec<_>>().join("&");
        let sent = if let Some(Login::Identity(token)) = credentials.map(|credentials| &credentials.login) {
            query += &format!("&grant_type=refresh_token&client_id={CLIENT}&refresh_token={}", encode(token));
            server.send(Method::PostForm(&query), &path, &[("Accept", "application/json")])
        } else {
            let path = format!("{path}{}{query}", if path.contains('?') { '&' } else { '?' });
            let basic = credentials.and_then(Credentials::authorization);
            let mut headers = vec![("Accept", "application/json")];
            headers.extend(basic.as_deref().map(|value| ("Authorization", value)));
            server.send(Method::Get, &path, &headers)
        };
        let name = self.place.name();
        let reply = sent.map_err(|failure| match failure.trouble {
            Trouble::Interrupted => Error::interrupted(),
            Trouble::Proxy => failure.into_error(&server.base()),
            _ => Error::failed(format!("{}: {}", server.host(), failure.words))
                .context(format!("the login server of registry {name} cannot be asked"))
                .hint(format!("curl -v {} # is it up?", server.base())),
        })?;
        match reply.status {
            status if status.is_success() => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => return Err(self.refused(credentials)),
            status => {
                return Err(Error::failed(format!("the login server {} of registry {name} answers {status}", server.host()))
                    .hint("try again later, or ask whoever runs it"));
            }
        }
        let token: Option<Token> = serde_json::from_slice(&reply.body).ok();
        let token = token.and_then(|token| token.token.filter(|token| !token.is_empty()).or(token.access_token));
        match token.filter(|token| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())) {
            Some(token) => {
                self.ui.hide(&token);
                Ok(format!("Bearer {token}"))
            }
            None => Err(Error::failed(format!("the login server {} of registry {name} answers something that is no token", server.host()))
                .hint(format!("curl -v {} # is that a login server?", server.base()))),
        }
    }

    /// The server behind a realm, and the path on it. A password goes out by https, or to the registry's own host.
    fn login_server(&self, realm: &str) -> Result<(Reach, String)> {
        let name = self.place.name();
        let uri: Option<Uri> = realm.parse().ok();
        let parts = uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?.as_str(), uri.path_and_query()?.as_str())));
        let Some((scheme @ ("http" | "https"), authority, path)) = parts.filter(|(_, authority, _)| !authority.contains('@')) else {
            return Err(Error::failed(format!("registry {name} names a login server that has no address of http"))
                .hint(format!("curl -v {}/v2/ # see its WWW-Authenticate", self.reach.base())));
        };
        let own = name_of(authority).eq_ignore_ascii_case(name_of(&self.place.host));
        // Behind a proxy that ends TLS, a registry may think that it is spoken to by http.
        let behind_proxy = own && self.reach.is_https() && (authority == self.place.host || name_of(authority) == authority);
        let https = scheme == "https" || behind_proxy;
        if !https && (!own || self.reach.is_https()) {
            return Err(Error::failed(format!("registry {name} wants its logins sent to {authority} without TLS, which is refused"))
                .hint("the realm in the registry's own auth settings has to begin with https://"));
        }
        Ok((self.reach.of_login_server(self.env, authority, https), path.to_owned()))
    }

    /// The error for a login that is missing or does not do.
    pub(super) fn refused(&self, credentials: Option<&Credentials>) -> Error {
        let place = &self.place;
        let name = place.name();
        let error = match credentials {
            None => {
                let what = format!("registry {name} wants a login to read {}", place.repository);
                // A login that docker keeps, and that could not be had.
                match self.credentials.get().and_then(|found| found.amiss.clone()) {
                    Some(amiss) => return amiss.context(what),
                    None => Error::failed(what),
                }
            }
            Some(known) => Error::failed(format!("registry {name} refuses the login from {}", known.from)),
        };
        match credentials.map(|known| &known.login) {
            Some(Login::Ready(..)) => error.hint("see that the cluster's token for it is right and has not expired"),
            _ => error.hint(self.docker_login()),
        }
    }
}
