//! Registry credentials as docker keeps them: `config.json` with `auths`, `credHelpers`, `credsStore`.
//!
//! <https://docs.docker.com/reference/cli/docker/login/> and, for helpers,
//! <https://github.com/docker/docker-credential-helpers#development>.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::env::Env;
use crate::model::name::is_harmless;
use crate::tools::call::{Call, Captured};
use crate::ui::{Ui, printable};

/// How Docker Hub is filed.
const HUB_ENTRY: &str = "https://index.docker.io/v1/";
/// What a helper calls a user when the secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// The longest a helper may take; some ask a cloud.
const HELPER: Duration = Duration::from_secs(20);

/// How to log in to one registry.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// The secret itself.
    pub login: Login,
    /// Where it comes from, for messages.
    pub from: String,
}

/// What a login consists of.
#[derive(Clone)]
pub(crate) enum Login {
    /// User name and password (or access token in the place of one).
    Password(String, String),
    /// A refresh token (`identitytoken`), good for asking a login server for tokens.
    Identity(String),
    /// A whole `Authorization` value: its scheme, its secret.
    Ready(String, String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials(*** from {})", self.from)
    }
}

impl Credentials {
    /// Credentials whose secrets the output will not show.
    pub(crate) fn hidden(ui: &Ui, login: Login, from: impl Into<String>) -> Self {
        match &login {
            Login::Password(user, password) => {
                ui.hide(password);
                ui.hide(&STANDARD.encode(format!("{user}:{password}")));
            }
            Login::Identity(token) | Login::Ready(_, token) => ui.hide(token),
        }
        Self { login, from: from.into() }
    }

    /// The value of an `Authorization` header, where these are good for one.
    pub(crate) fn authorization(&self) -> Option<String> {
        match &self.login {
            Login::Password(user, password) => Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))),
            Login::Ready(scheme, token) => Some(format!("{scheme} {token}")),
            Login::Identity(_) => None,
        }
    }
}

/// What docker would use for `host` (`registry-1.docker.io` for Docker Hub); none means anonymous.
///
/// As docker 28 does, `DOCKER_AUTH_CONFIG` (GitLab's way to hand logins over) is asked before the file.
pub(crate) fn find(ui: &Ui, env: &Env, host: &str) -> Option<Credentials> {
    let given = env.get("DOCKER_AUTH_CONFIG").map(|text| (text.to_owned(), "DOCKER_AUTH_CONFIG".to_owned()));
    let dir = env.get("DOCKER_CONFIG").map(PathBuf::from).or_else(|| env.home().map(|home| home.join(".docker")));
    let path = dir.map(|dir| dir.join("config.json"));
    let file = path.and_then(|path| match std::fs::read_to_string(&path) {
        Ok(text) => Some((text, path.display().to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            ui.warn(&format!("cannot read {}: {}; {host} is asked without its logins", path.display(), crate::error::describe_io(&error)));
            None
        }
    });
    given.into_iter().chain(file).find_map(|(text, name)| {
        let config: Json = match serde_json::from_str(&text) {
            Ok(config) => config,
            Err(error) => {
                let place = format!("line {}, column {}", error.line(), error.column()); // its text may quote a password
                ui.warn(&format!("{name} is not JSON ({place}); {host} is asked without its logins"));
                return None;
            }
        };
        in_config(ui, &config, host, &name)
    })
}

/// docker's order: the registry's own helper, the store, the file itself.
fn in_config(ui: &Ui, config: &Json, host: &str, name: &str) -> Option<Credentials> {
    let server = if is_hub(host) { HUB_ENTRY } else { host };
    let own = config["credHelpers"].as_object().into_iter().flatten().find(|(key, _)| is_same(key, host));
    let helper = own.and_then(|(_, helper)| helper.as_str()).or_else(|| config["credsStore"].as_str());
    let helper = helper.filter(|helper| !helper.is_empty());
    helper.and_then(|helper| ask_helper(ui, helper, server)).or_else(|| {
        let entry = config["auths"].as_object()?.iter().filter(|(key, _)| is_same(key, host)).find_map(|(_, entry)| inline(entry))?;
        Some(Credentials::hidden(ui, entry, name))
    })
}

fn is_hub(host: &str) -> bool {
    matches!(host, "registry-1.docker.io" | "index.docker.io" | "docker.io")
}

/// Keys are host names, or, from older days, addresses.
fn is_same(key: &str, host: &str) -> bool {
    let bare = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let bare = bare.split('/').next().unwrap_or(bare);
    bare == host || (is_hub(host) && is_hub(bare))
}

fn inline(entry: &Json) -> Option<Login> {
    let text = |key: &str| entry[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if let Some(token) = text("identitytoken") {
        return Some(Login::Identity(token));
    }
    if let Some(token) = text("registrytoken") {
        return Some(Login::Ready("Bearer".to_owned(), token));
    }
    if let Some(auth) = text("auth") {
        let decoded = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        return Some(Login::Password(user.to_owned(), password.trim_end_matches('\0').to_owned()));
    }
    Some(Login::Password(text("username")?, text("password")?))
}

/// The credential helper protocol: the server's name on stdin, JSON on stdout.
fn ask_helper(ui: &Ui, helper: &str, server: &str) -> Option<Credentials> {
    if !is_harmless(helper) {
        ui.warn(&format!(
            "docker's config.json names a credential helper `{}`, which is no program's name; {server} is asked without",
            printable(helper)
        ));
        return None;
    }
    let program = format!("docker-credential-{helper}");
    let hint = format!("install {program}, which docker's config.json names");
    let call = Call::new(ui, &program).arg("get").stdin(server).lookup().timeout(HELPER).install_hint(&hint);
    match call.capture() {
        Ok(out) if out.ok() => {
            let login = serde_json::from_slice(&out.stdout).ok().and_then(|reply: Json| {
                let (user, secret) = (reply["Username"].as_str()?, reply["Secret"].as_str()?);
                let (user, secret) = (user.to_owned(), secret.to_owned());
                Some(if user == TOKEN_USER { Login::Identity(secret) } else { Login::Password(user, secret) })
            });
            if login.is_none() {
                ui.warn(&format!("{program} answered something that is no login; {server} is asked without"));
            }
            Some(Credentials::hidden(ui, login?, program))
        }
        Ok(out) => {
            if !out.text().contains("credentials not found") {
                ui.warn(&format!("{program} failed for {server}: {}", reason(&out)));
            }
            None
        }
        Err(error) => {
            ui.warn(&error.to_string());
            None
        }
    }
}

/// Helpers say why on stdout, as the protocol has it, some on stderr.
fn reason(out: &Captured) -> String {
    let stdout = out.text();
    let line = stdout.lines().chain(out.stderr.lines()).find(|line| !line.trim().is_empty());
    line.map_or_else(|| format!("exit code {}", out.code), |line| printable(line).chars().take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_hosts_or_old_addresses() {
        for key in ["reg.example.com:5000", "https://reg.example.com:5000", "http://reg.example.com:5000/v2/"] {
            assert!(is_same(key, "reg.example.com:5000"), "{key}");
        }
        for key in ["reg.example.com", "example.com:5000", "xreg.example.com:5000", "reg.example.com:5000.evil.com"] {
            assert!(!is_same(key, "reg.example.com:5000"), "{key}");
        }
        assert!(is_same("https://index.docker.io/v1/", "registry-1.docker.io"));
    }

    #[test]
    fn nothing_shows_a_secret() {
        let credentials = Credentials::hidden(&Ui::default(), Login::Password("me".to_owned(), "hunter22".to_owned()), "a file");
        assert_eq!(format!("{credentials:?}"), "Credentials(*** from a file)");
        assert_eq!(credentials.authorization().as_deref(), Some("Basic bWU6aHVudGVyMjI="));
    }
}
