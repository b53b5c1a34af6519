//! What a build may read and no image keeps: `build.secrets`.

use std::borrow::Cow;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value as Json;

use super::text::Text;

/// The secrets of a build, in the order of the file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "Json")]
pub struct BuildSecrets(pub Vec<BuildSecret>);

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSecret {
    /// Scripts read `/run/secrets/NAME`.
    pub name: String,
    /// Where its value comes from.
    pub source: Source,
    /// Another path for scripts to read it at.
    pub target: Option<String>,
}

/// Where a secret's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An environment variable.
    Env(String),
    /// A file: absolute, below `~/`, or relative to the app's folder.
    File(String),
}

/// What may be written.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code)] // read by the schema alone
enum Written {
    /// Names of environment variables.
    Names(Vec<Text>),
    /// By name; without more, the environment variable of that name.
    ByName(IndexMap<String, Option<More>>),
}

/// Where a secret comes from and where scripts find it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct More {
    /// The environment variable, when it has another name.
    env: Option<Text>,
    /// A file in place of a variable: absolute, below `~/`, or relative to the app's folder.
    file: Option<Text>,
    /// Another path than `/run/secrets/NAME`.
    target: Option<Text>,
}

impl TryFrom<Json> for BuildSecrets {
    type Error = String;

    fn try_from(json: Json) -> Result<Self, String> {
        let given: Vec<(String, Option<More>)> = match json {
            Json::Null => vec![],
            Json::Array(_) => {
                let names: Vec<Text> =
                    serde_json::from_value(json).map_err(|_| "a list holds names of environment variables".to_owned())?;
                names.into_iter().map(|name| (name.0, None)).collect()
            }
            Json::Object(_) => serde_json::from_value::<IndexMap<String, Option<More>>>(json)
                .map_err(|error| format!("a secret is NAME: {{env: VARIABLE}} or NAME: {{file: PATH}}, and may have a target ({error})"))?
                .into_iter()
                .collect(),
            _ => return Err("expected a list of environment variables, or NAME: {env: VARIABLE} or NAME: {file: PATH}".to_owned()),
        };
        given.into_iter().map(|(name, more)| secret(name, more.unwrap_or_default())).collect::<Result<_, _>>().map(Self)
    }
}

/// Nothing that could end a word of the Dockerfile or of `--secret`, which is a line of CSV.
fn secret(name: String, more: More) -> Result<BuildSecret, String> {
    let is_name = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !is_name(&name) || name.starts_with('.') {
        return Err(format!("`{}` is no name for a secret: letters, digits, `_`, `-` and `.`", name.escape_debug()));
    }
    let source = match (more.env, more.file) {
        (Some(_), Some(_)) => return Err(format!("secret `{name}` has both `env` and `file`; keep one")),
        (None, Some(file)) if file.is_empty() || file.chars().any(char::is_control) => {
            return Err(format!("secret `{name}`: `{}` is no path of a file", file.escape_debug()));
        }
        (None, Some(file)) => Source::File(file.0),
        (env, None) => {
            let variable = env.map_or_else(|| name.clone(), String::from);
            if !is_name(&variable) {
                return Err(format!("secret `{name}`: `{}` is no environment variable", variable.escape_debug()));
            }
            Source::Env(variable)
        }
    };
    let target = more.target.map(String::from);
    let is_target = |path: &String| {
        path.len() > 1
            && path.starts_with('/')
            && path.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.' | '@' | '+'))
    };
    if let Some(path) = target.as_ref().filter(|path| !is_target(path)) {
        return Err(format!("secret `{name}`: target `{}` must be an absolute path of plain letters", path.escape_debug()));
    }
    Ok(BuildSecret { name, source, target })
}

impl BuildSecret {
    /// The words of a `RUN` that mount it. Whoever runs the script may read it: a base image's user may be any.
    pub fn mount(&self) -> String {
        let target = self.target.as_ref().map_or_else(String::new, |path| format!(",target={path}"));
        format!("--mount=type=secret,id={},required=true,mode=0444{target}", self.name)
    }
}

impl JsonSchema for BuildSecrets {
    fn schema_name() -> Cow<'static, str> {
        "BuildSecrets".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(json: Json) -> Result<Vec<BuildSecret>, String> {
        BuildSecrets::try_from(json).map(|secrets| secrets.0)
    }

    #[test]
    fn names_or_more() {
        let of_env = |name: &str, variable: &str| BuildSecret { name: name.into(), source: Source::Env(variable.into()), target: None };
        assert_eq!(read(json!(["A", "B"])), Ok(vec![of_env("A", "A"), of_env("B", "B")]));
        assert_eq!(read(json!({"A": null, "B": {"env": "C"}})), Ok(vec![of_env("A", "A"), of_env("B", "C")]));
        let npmrc = BuildSecret { name: "npmrc".into(), source: Source::File("~/.npmrc".into()), target: Some("/root/.npmrc".into()) };
        assert_eq!(npmrc.mount(), "--mount=type=secret,id=npmrc,required=true,mode=0444,target=/root/.npmrc");
        assert_eq!(read(json!({"npmrc": {"file": "~/.npmrc", "target": "/root/.npmrc"}})), Ok(vec![npmrc]));
    }

    #[test]
    fn nothing_slips_into_the_dockerfile() {
        for (bad, why) in [
            (json!(["A B"]), "is no name"),
            (json!(["A,src=/etc/shadow"]), "is no name"),
            (json!({"A": {"target": "/x,id=B"}}), "must be an absolute path"),
            (json!({"A": {"target": "x"}}), "must be an absolute path"),
            (json!({"A": {"target": "/x\nRUN y"}}), "must be an absolute path"),
            (json!({"A": {"env": "X Y"}}), "is no environment variable"),
            (json!({"A": {"env": "X", "file": "y"}}), "both `env` and `file`"),
            (json!({"A": {"file": ""}}), "is no path"),
            (json!({"A": {"path": "y"}}), "unknown field `path`"),
            (json!("A"), "expected a list"),
        ] {
            let error = read(bad.clone()).expect_err("refused");
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
