//! Which login a registry gets: the cluster's, for the cluster's own registry, else docker's.

use std::time::Duration;

use serde_json::Value as Json;

use super::reach::Place;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::credentials::{self, Credentials, Found, Login};
use crate::model::cluster::Cluster;
use crate::model::text::Text;
use crate::tools::call::Call;
use crate::ui::Ui;

/// The longest that `registry_token_fetch_cmd` may take.
const FETCH: Duration = Duration::from_secs(60);

/// The login for a registry; none means anonymous.
///
/// # Errors
/// `registry_token_fetch_cmd` fails, or a variable that `secrets_env` requires is not set.
pub(super) fn find(ui: &Ui, env: &Env, cluster: &Cluster, place: &Place) -> Result<Found> {
    let found = if place.is_of_cluster { of_cluster(ui, env, cluster)? } else { None };
    Ok(match found {
        Some(found) => Found { credentials: Some(found), amiss: None },
        None => credentials::find(ui, env, &place.host),
    })
}

fn of_cluster(ui: &Ui, env: &Env, cluster: &Cluster) -> Result<Option<Credentials>> {
    if let Some(kind) = &cluster.registry_type {
        ui.detail(&format!("registry_type: {kind} is not needed any more: every registry is spoken to alike"));
    }
    for (key, given) in [("access_key_id", &cluster.access_key_id), ("access_key_secret", &cluster.access_key_secret)] {
        // The older tool asked the clouds' own interfaces with them; a registry takes neither.
        if given.is_some() || cluster.secrets_env.as_ref().is_some_and(|keys| keys.contains_key(key)) {
            ui.detail(&format!("{key} is not used: registries are read with a registry login"));
        }
    }
    if let Some(command) = &cluster.registry_token_fetch_cmd {
        return fetch(ui, command, cluster.registry_token_type.as_deref()).map(Some);
    }
    let value = |key, given: &Option<Text>| match given {
        Some(value) => Ok(Some(value.to_string())),
        None => from_environment(ui, env, cluster, key),
    };
    let user = value("dockerhub_username", &cluster.dockerhub_username)?;
    let password = value("dockerhub_password", &cluster.dockerhub_password)?;
    if let (Some(user), Some(password)) = (user, password) {
        return Ok(Some(Credentials::hidden(ui, Login::Password(user, password), "dockerhub_username and dockerhub_password")));
    }
    let token = value("harbor_token", &cluster.harbor_token)?;
    token
        .map(|token| {
            check_token("harbor_token", &token)?;
            Ok(Credentials::hidden(ui, Login::Ready("Basic".to_owned(), token), "harbor_token"))
        })
        .transpose()
}

/// `secrets_env`: a key's environment variable, by name or as `{env_name, hint, required}`.
fn from_environment(ui: &Ui, env: &Env, cluster: &Cluster, key: &str) -> Result<Option<String>> {
    let Some(entry) = cluster.secrets_env.as_ref().and_then(|keys| keys.get(key)) else { return Ok(None) };
    let Some(name) = entry.as_str().or_else(|| entry["env_name"].as_str()) else {
        return Err(Error::failed(format!("secrets_env.{key} of the cluster values names no environment variable"))
            .hint(format!("secrets_env: {{{key}: VARIABLE}} # in the cluster values")));
    };
    if let Some(value) = env.get(name) {
        return Ok(Some(value.trim().to_owned()));
    }
    if entry["required"] == Json::Bool(true) {
        let how = entry["hint"].as_str().filter(|hint| !hint.is_empty());
        return Err(Error::failed(format!("environment variable {name} is not set; the cluster's registry login needs it"))
            .hint(how.map_or_else(|| format!("export {name}=..."), |how| format!("export {name}=... # {}", crate::ui::printable(how)))));
    }
    ui.detail(&format!("secrets_env.{key}: {name} is not set"));
    Ok(None)
}

/// Runs the cluster's command; what it prints is the token.
fn fetch(ui: &Ui, command: &str, kind: Option<&str>) -> Result<Credentials> {
    let scheme = kind.unwrap_or("Bearer");
    if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(Error::failed("registry_token_type of the cluster values is no authorization scheme")
            .hint("registry_token_type: Basic # or Bearer; in the cluster values"));
    }
    let wrong = |why: String| {
        Error::failed(format!("registry_token_fetch_cmd of the cluster values {why}"))
            .hint("registry_token_fetch_cmd: PROGRAM ARGUMENT... # no shell is in between")
    };
    let words = shell_words::split(command).map_err(|_| wrong("has a quote that is not closed".to_owned()))?;
    let (program, args) = words.split_first().ok_or_else(|| wrong("is empty".to_owned()))?;
    if program.contains('/') && !program.starts_with('/') {
        return Err(wrong(format!("names a program by a path that depends on the folder: `{program}`")));
    }
    let out = Call::new(ui, program)
        .command(args)
        .whole_environment()
        .timeout(FETCH)
        .read()
        .map_err(|error| error.context("the cluster's registry_token_fetch_cmd gave no token"))?;
    let token = out.text().trim().to_owned();
    ui.hide(&token);
    check_token("what registry_token_fetch_cmd prints", &token)?;
    Ok(Credentials::hidden(ui, Login::Ready(scheme.to_owned(), token), "registry_token_fetch_cmd"))
}

/// A token goes into a header: one word of printable ASCII.
fn check_token(what: &str, token: &str) -> Result<()> {
    if !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let how = if token.is_empty() { "is empty" } else { "is not one word" };
    Err(Error::failed(format!("{what} {how}, so it is no token")).hint("run it by hand, and see that it prints the token alone"))
}
