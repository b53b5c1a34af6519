//! Build secrets on their way to docker: named in its arguments, never told.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Error, Result};
use crate::files::stays_inside;
use crate::model::build_secret::{BuildSecret, BuildSecrets, Source};
use crate::model::text::csv_field;
use crate::session::Session;
use crate::values::node::{Span, Value};

/// Secrets that are there.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// `--secret` of docker, one each.
    pub words: Vec<String>,
    /// The variables of the environment that some are in.
    pub variables: Vec<String>,
    /// Those that are files in the app's folder, relative to it.
    pub inside: Vec<String>,
}

/// Looks for every secret of a build; `at` is the way to the build in the values. From now on their values are printed as `***`.
///
/// # Errors
/// A variable or a file is missing: the error points to the secret in the values.
pub(super) fn given(session: &Session, secrets: Option<&BuildSecrets>, at: &[&str]) -> Result<Given> {
    let mut given = Given::default();
    for (number, secret) in secrets.iter().flat_map(|secrets| &secrets.0).enumerate() {
        let name = &secret.name;
        match &secret.source {
            Source::Env(variable) => {
                let Some(value) = session.env.get(variable) else {
                    let error =
                        span(session, at, number, secret)?.error(format!("secret `{name}`: {variable} is not set in the environment"));
                    return Err(error.hint(format!("export {variable}=... # or a masked variable of the CI's")));
                };
                session.ui.hide_from_children(value);
                given.variables.push(variable.clone());
                given.words.push(format!("{},{}", csv_field(&format!("id={name}")), csv_field(&format!("env={variable}"))));
            }
            Source::File(written) => {
                if !written.starts_with(['/', '~']) {
                    stays_inside(&session.dir, Path::new(&**written), &[])?; // a file of the repository's is one, not a key of this machine's
                }
                let path = place(session, written);
                let text = fs::read(&path).map_err(|error| {
                    let why = Error::io("read", &path, &error);
                    span(session, at, number, secret).map_or_else(
                        |error| error,
                        |span| {
                            span.error(format!("secret `{name}`: {}", why.message()))
                                .hint(format!("{name}: {{file: PATH}} # relative to this folder, ~/... or /..."))
                        },
                    )
                })?;
                match str::from_utf8(&text) {
                    Ok(text) => session.ui.hide_from_children(text),
                    Err(_) => session.ui.hide_from_children(&STANDARD.encode(&text)), // what a terminal cannot show, a tool may print in base64
                }
                given.inside.extend(inside(session, &path));
                given.words.push(format!("{},{}", csv_field(&format!("id={name}")), csv_field(&format!("src={}", path.display()))));
            }
        }
    }
    Ok(given)
}

fn place(session: &Session, written: &str) -> PathBuf {
    match (written.strip_prefix("~/"), session.env.home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => session.dir.join(written),
    }
}

/// The file's path in the app's folder, when it is there.
fn inside(session: &Session, path: &Path) -> Option<String> {
    let (path, dir) = (path.canonicalize().ok()?, session.dir.canonicalize().ok()?);
    path.strip_prefix(dir).ok()?.to_str().map(str::to_owned)
}

fn span(session: &Session, at: &[&str], number: usize, secret: &BuildSecret) -> Result<Span> {
    let node = session.layers()?.merged.nearest(at.iter().copied().chain(["secrets"]));
    let number = number.to_string();
    let step = if matches!(node.value, Value::Seq(_)) { number.as_str() } else { secret.name.as_str() };
    if let Some(entry) = node.as_map().and_then(|map| map.get(step)) {
        return Ok(entry.key_span.clone());
    }
    Ok(node.nearest([step]).span.clone())
}
