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
use crate::error::{Error, Result};
use crate::model::name::is_harmless;
use crate::tools::call::{Call, Captured};
use crate::ui::{Ui, printable};

/// How Docker Hub is filed.
const HUB_ENTRY: &str = "https://index.docker.io/v1/";
/// What a helper calls a user when the secret is an identity token.
const TOKEN_USER: &str = "<token>";
/// The file in docker's folder.
pub(crate) const CONFIG: &str = "config.json";
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

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// None means anonymous.
    pub credentials: Option<Credentials>,
    /// Why a login that docker may keep was not to be had.
    pub amiss: Option<Error>,
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
/// As docker 28 does, `DOCKER_AUTH_CONFIG` (GitLab's way to hand logins over) is asked before the file; for GitLab's own registry the job's login comes last.
pub(crate) fn find(ui: &Ui, env: &Env, host: &str) -> Found {
    let mut amiss = None;
    let mut warn = |error: Error| {
        ui.warn(&format!("{error}; {host} is asked without its logins"));
        amiss.get_or_insert(error);
    };
    let given = env.get("DOCKER_AUTH_CONFIG").map(|text| (text.to_owned(), "DOCKER_AUTH_CONFIG".to_owned()));
    let path = docker_folder(env).map(|dir| dir.join(CONFIG));
    let file = path.and_then(|path| match std::fs::read_to_string(&path) {
        Ok(text) => Some((text, path.display().to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            warn(Error::io("read", &path, &error));
            None
        }
    });
    let found = given.into_iter().chain(file).find_map(|(text, name)| {
        let config: Json = match serde_json::from_str(&text) {
            Ok(config) => config,
            Err(error) => {
                let place = format!("line {}, column {}", error.line(), error.column()); // its text may quote a password
                let way = if name.starts_with('/') { format!("jq . {name}") } else { format!("echo \"${name}\" | jq .") };
                warn(Error::failed(format!("{name} is not JSON ({place})")).hint(format!("{way} # see where, and mend it")));
                return None;
            }
        };
        in_config(ui, &config, host, &name, &mut warn)
    });
    let credentials = found.or_else(|| {
        let (own, user, password, from) = of_job(env)?;
        is_same(own, host).then(|| Credentials::hidden(ui, Login::Password(user.to_owned(), password.to_owned()), from))
    });
    Found { credentials, amiss }
}

/// Where docker's client keeps its settings.
pub(crate) fn docker_folder(env: &Env) -> Option<PathBuf> {
    env.get("DOCKER_CONFIG").map(PathBuf::from).or_else(|| env.home().map(|home| home.join(".docker")))
}

/// The login that GitLab gives a job for its own registry: host, user, password, and where they come from.
/// <https://docs.gitlab.com/ci/variables/predefined_variables/>
fn of_job(env: &Env) -> Option<(&str, &str, &str, &'static str)> {
    let host = env.get("CI_REGISTRY").filter(|_| env.is_ci())?;
    match (env.get("CI_REGISTRY_USER"), env.get("CI_REGISTRY_PASSWORD")) {
        (Some(user), Some(password)) => Some((host, user, password, "CI_REGISTRY_USER and CI_REGISTRY_PASSWORD")),
        _ => Some((host, "gitlab-ci-token", env.get("CI_JOB_TOKEN")?, "CI_JOB_TOKEN")),
    }
}

/// docker's `config.json` with the logins that this run has by its environment: no docker reads GitLab's, and only from 28 on `DOCKER_AUTH_CONFIG`. None
/// where there are none, and where docker's own file cannot be read: docker says so.
pub(crate) fn config_of_run(ui: &Ui, env: &Env) -> Option<String> {
    let given = env.get("DOCKER_AUTH_CONFIG");
    let job = of_job(env);
    if given.is_none() && job.is_none() {
        return None;
    }
    let mut config = match std::fs::read_to_string(docker_folder(env)?.join(CONFIG)) {
        Ok(text) => serde_json::from_str(&text).ok().filter(Json::is_object)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => serde_json::json!({}),
        Err(_) => return None,
    };
    let given: Json = given.map(serde_json::from_str).and_then(Result::ok).unwrap_or_default();
    for key in ["auths", "credHelpers"] {
        for (host, entry) in given[key].as_object().into_iter().flatten() {
            config[key][host] = entry.clone();
            // A store that the machine has would be asked in place of the entry.
            if key == "auths" && given["credHelpers"][host].is_null() && config.get("credsStore").is_some() {
                config["credHelpers"][host] = "".into();
            }
        }
    }
    if let Some((host, user, password, _)) = job {
        let has = |key: &str| config[key].as_object().is_some_and(|entries| entries.keys().any(|key| is_same(key, host)));
        if !has("auths") && !has("credHelpers") {
            let auth = STANDARD.encode(format!("{user}:{password}"));
            ui.hide(password);
            ui.hide(&auth);
            config["auths"][host] = serde_json::json!({"auth": auth});
            if config.get("credsStore").is_some() {
                config["credHelpers"][host] = "".into();
            }
        }
    }
    Some(config.to_string())
}

/// docker's order: the registry's own helper, the store, the file itself.
fn in_config(ui: &Ui, config: &Json, host: &str, name: &str, warn: &mut impl FnMut(Error)) -> Option<Credentials> {
    let server = if is_hub(host) { HUB_ENTRY } else { host };
    let own = config["credHelpers"].as_object().into_iter().flatten().find(|(key, _)| is_same(key, host));
    let helper = own.and_then(|(_, helper)| helper.as_str()).or_else(|| config["credsStore"].as_str());
    let helper = helper.filter(|helper| !helper.is_empty());
    let asked = helper.map_or(Ok(None), |helper| ask_helper(ui, helper, server));
    let asked = asked.unwrap_or_else(|error| {
        warn(error);
        None
    });
    asked.or_else(|| {
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
///
/// # Errors
/// It is missing, or fails otherwise than by having no login.
fn ask_helper(ui: &Ui, helper: &str, server: &str) -> Result<Option<Credentials>> {
    if !is_harmless(helper) {
        return Err(Error::failed(format!(
            "docker's config.json names a credential helper `{}`, which is no program's name",
            printable(helper)
        ))
        .hint("docker logout # then docker login, or take it out of `credsStore` and `credHelpers`"));
    }
    let program = format!("docker-credential-{helper}");
    let hint = format!("install {program}, which docker's config.json names");
    let call = Call::new(ui, &program).arg("get").stdin(server).lookup().timeout(HELPER).install_hint(&hint);
    let by_hand = || format!("echo {server} | {program} get # what does it say?");
    match call.capture()? {
        out if out.ok() => {
            let login = serde_json::from_slice(&out.stdout).ok().and_then(|reply: Json| {
                let (user, secret) = (reply["Username"].as_str()?, reply["Secret"].as_str()?);
                let (user, secret) = (user.to_owned(), secret.to_owned());
                Some(if user == TOKEN_USER { Login::Identity(secret) } else { Login::Password(user, secret) })
            });
            let no_login = || Error::failed(format!("{program} answered something that is no login")).hint(by_hand());
            login.map(|login| Some(Credentials::hidden(ui, login, program.clone()))).ok_or_else(no_login)
        }
        out if out.text().contains("credentials not found") => Ok(None),
        out => Err(Error::failed(format!("{program} failed for {server}: {}", reason(&out))).hint(by_hand())),
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
    fn logins_of_a_job_stand_beside_dockers_own() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join(".docker");
        std::fs::create_dir_all(&folder).expect("a folder");
        let env = |pairs: &[(&str, &str)]| -> Env {
            let home = ("HOME".to_owned(), home.path().display().to_string());
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain([home]).collect()
        };
        let config = |pairs: &[(&str, &str)]| -> Option<Json> {
            config_of_run(&Ui::default(), &env(pairs)).map(|text| serde_json::from_str(&text).expect("JSON"))
        };
        let token = [("CI", "true"), ("CI_REGISTRY", "reg.example.com:5000"), ("CI_JOB_TOKEN", "t0ken")];
        assert_eq!(config(&[]), None);
        assert_eq!(config(&token[1..]), None, "no job");
        let auth = |user: &str, password: &str| serde_json::json!({"auth": STANDARD.encode(format!("{user}:{password}"))});
        assert_eq!(config(&token), Some(serde_json::json!({"auths": {"reg.example.com:5000": auth("gitlab-ci-token", "t0ken")}})));
        std::fs::write(folder.join(CONFIG), r#"{"credsStore": "desktop", "currentContext": "far"}"#).expect("written");
        let given = [("DOCKER_AUTH_CONFIG", r#"{"auths": {"other.example.com": {"auth": "YTpi"}}}"#)];
        let user = [("CI_REGISTRY_USER", "me"), ("CI_REGISTRY_PASSWORD", "secret")];
        let whole = config(&[&token[..], &given, &user].concat()).expect("a config");
        assert_eq!(
            whole,
            serde_json::json!({
                "credsStore": "desktop",
                "currentContext": "far",
                "auths": {"other.example.com": {"auth": "YTpi"}, "reg.example.com:5000": auth("me", "secret")},
                "credHelpers": {"other.example.com": "", "reg.example.com:5000": ""},
            })
        );
        // What somebody logged in for on purpose stays, and what is no JSON is docker's to tell.
        std::fs::write(folder.join(CONFIG), r#"{"auths": {"https://reg.example.com:5000": {"auth": "eDp5"}}}"#).expect("written");
        assert_eq!(config(&token).expect("a config")["auths"].as_object().map(serde_json::Map::len), Some(1));
        std::fs::write(folder.join(CONFIG), "{").expect("written");
        assert_eq!(config(&token), None);
    }

    #[test]
    fn nothing_shows_a_secret() {
        let credentials = Credentials::hidden(&Ui::default(), Login::Password("me".to_owned(), "hunter22".to_owned()), "a file");
        assert_eq!(format!("{credentials:?}"), "Credentials(*** from a file)");
        assert_eq!(credentials.authorization().as_deref(), Some("Basic bWU6aHVudGVyMjI="));
    }
}
