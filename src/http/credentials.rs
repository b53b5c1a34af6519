//! Registry credentials as docker keeps them: `config.json` with `auths`, `credHelpers`, `credsStore`.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use crate::cli::env::Env;
use crate::tools::call::Call;
use crate::ui::Ui;

/// User and password for a registry.
#[derive(Clone)]
pub struct Credentials {
    /// User name.
    pub user: String,
    /// Password or token.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({}, ***)", self.user)
    }
}

impl Credentials {
    /// The value of an `Authorization: Basic` header.
    pub fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }
}

/// What docker would use for `host`; none means anonymous.
pub fn find(ui: &Ui, env: &Env, host: &str) -> Option<Credentials> {
    let dir = env.get("DOCKER_CONFIG").map(PathBuf::from).or_else(|| env.home().map(|home| home.join(".docker")));
    let path = dir.map(|dir| dir.join("config.json"));
    let (text, name) = match path.and_then(|path| Some((std::fs::read_to_string(&path).ok()?, path.display().to_string()))) {
        Some(file) => file,
        None => (env.get("DOCKER_AUTH_CONFIG")?.to_owned(), "DOCKER_AUTH_CONFIG".to_owned()), // GitLab's way to hand it over
    };
    let config: Json = match serde_json::from_str(&text) {
        Ok(config) => config,
        Err(error) => {
            ui.warn(&format!("{name} is not JSON ({error}); registries are asked without credentials"));
            return None;
        }
    };
    // Docker Hub is filed under its old address.
    let names: Vec<String> = if host == "registry-1.docker.io" {
        vec!["https://index.docker.io/v1/".to_owned(), "docker.io".to_owned(), "index.docker.io".to_owned()]
    } else {
        vec![
            host.to_owned(),
            format!("https://{host}"),
            format!("https://{host}/v1/"),
            format!("https://{host}/v2/"),
            format!("http://{host}"),
        ]
    };
    let found = names.iter().find_map(|name| {
        let helper = config["credHelpers"][name.as_str()].as_str();
        helper.and_then(|helper| ask_helper(ui, helper, name)).or_else(|| inline(&config["auths"][name.as_str()])).or_else(|| {
            let store = config["credsStore"].as_str().filter(|_| config["auths"].get(name.as_str()).is_some())?;
            ask_helper(ui, store, name)
        })
    })?;
    ui.hide(&found.password);
    Some(found)
}

fn inline(entry: &Json) -> Option<Credentials> {
    if let Some(auth) = entry["auth"].as_str().filter(|auth| !auth.is_empty()) {
        let decoded = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
        let (user, password) = decoded.split_once(':')?;
        return Some(Credentials { user: user.to_owned(), password: password.to_owned() });
    }
    Some(Credentials { user: entry["username"].as_str()?.to_owned(), password: entry["password"].as_str()?.to_owned() })
}

/// The credential helper protocol: the server's name on stdin, JSON on stdout.
fn ask_helper(ui: &Ui, helper: &str, server: &str) -> Option<Credentials> {
    let call = Call::new(ui, &format!("docker-credential-{helper}")).arg("get").stdin(server).lookup().timeout(Duration::from_secs(20));
    match call.capture() {
        Ok(out) if out.ok() => {
            let reply: Json = serde_json::from_slice(&out.stdout).ok()?;
            Some(Credentials { user: reply["Username"].as_str()?.to_owned(), password: reply["Secret"].as_str()?.to_owned() })
        }
        Ok(_) => None,
        Err(error) => {
            ui.warn(&error.to_string());
            None
        }
    }
}
