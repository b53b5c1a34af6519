//! `docker-compose.yaml` for local debugging, as the seed document shows it.

use serde::Serialize;

use super::fill::fill;
use crate::error::Result;
use crate::model::app::{App, WORKDIR};
use crate::model::expansion::expand;
use crate::model::proc::Proc;
use crate::model::text::EnvMap;

const TEMPLATE: &str = include_str!("compose.jinja");

/// What the template takes.
#[derive(Serialize)]
struct Compose<'a> {
    services: Vec<Service<'a>>,
    appname: &'a str,
}

/// One proc.
#[derive(Serialize)]
struct Service<'a> {
    name: &'a str,
    image: String,
    /// The image is one that lain pushes.
    is_latest: bool,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    working_dir: &'a str,
}

/// Renders the compose file; `repository` is `REGISTRY/APP`.
///
/// # Errors
/// The template is broken, which tests rule out.
pub(crate) fn render(app: &App, repository: &str) -> Result<String> {
    let procs = app.deployments.iter().flatten().filter_map(|(name, proc)| Some((name, proc.as_ref()?)));
    let services: Vec<Service<'_>> = procs.map(|(name, proc)| service(app, repository, name, proc)).collect();
    fill("docker-compose.yaml", TEMPLATE, Compose { services, appname: &app.appname })
}

fn service<'a>(app: &App, repository: &str, name: &'a str, proc: &'a Proc) -> Service<'a> {
    let environment = expanded(merged(app.env.as_ref(), proc.env.as_ref()));
    Service {
        name,
        image: match (&proc.image, &proc.image_tag) {
            (Some(image), _) => image.to_string(),
            (None, tag) => format!("{repository}:{}", tag.as_deref().unwrap_or("latest")),
        },
        is_latest: proc.image.is_none() && proc.image_tag.is_none(),
        command: proc.command.iter().flatten().map(|word| for_compose(&word.0, |name| value_of(&environment, name))).collect(),
        environment: environment.iter().map(|(name, value)| (name.clone(), escaped(value))).collect(),
        working_dir: proc.working_dir.as_deref().unwrap_or(WORKDIR),
    }
}

/// Global env, then the proc's; each name once.
fn merged(global: Option<&EnvMap>, own: Option<&EnvMap>) -> Vec<(String, String)> {
    let mut env = EnvMap::new();
    for layer in [global, own].into_iter().flatten() {
        env.extend(layer.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    env.into_iter().filter_map(|(key, value)| Some((key, value?.0))).collect()
}

/// What a container gets of each: a variable may refer to those that the chart lists before it, by name.
fn expanded(mut environment: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut order: Vec<usize> = (0..environment.len()).collect();
    order.sort_by(|a, b| environment[*a].0.cmp(&environment[*b].0));
    for (place, at) in order.iter().enumerate() {
        let known =
            |name: &str| order[..place].iter().map(|at| &environment[*at]).find(|(other, _)| other == name).map(|(_, value)| value.clone());
        environment[*at].1 = expand(&environment[*at].1, known);
    }
    environment
}

fn value_of(environment: &[(String, String)], name: &str) -> Option<String> {
    environment.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
}

/// What Kubernetes makes of a text, as compose writes it: compose replaces `$NAME`, and `$$` is one dollar.
fn for_compose(text: &str, known: impl Fn(&str) -> Option<String>) -> String {
    escaped(&expand(text, known))
}

fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_compose_file() {
        let app: App = serde_json::from_value(serde_json::json!({
            "appname": "dummy", "deployments": {"web": {"command": ["/lain/app/run.py"], "env": {"FOO": "BAR"}}}
        }))
        .expect("an app");
        insta::assert_snapshot!(render(&app, "ccr.ccs.tencentyun.com/yashi/dummy").expect("renders"));
    }

    /// The second column is what the container gets by Kubernetes' rules, and by compose's from this file.
    #[test]
    fn dollars_mean_what_they_mean_to_kubernetes() {
        let app: App = serde_json::from_value(serde_json::json!({
            "appname": "d", "env": {"A": "pa$$word", "B": "$(A)-$(NOT)", "AA": "$(B)", "C": "$A ${A} $$(A)"},
            "deployments": {"w": {"image": "redis:7", "command": ["sh", "-c", "echo $(A) $$HOME $(B) $HOME"]}}
        }))
        .expect("an app");
        let text = render(&app, "r/d").expect("renders");
        let service = serde_yaml::from_str::<serde_json::Value>(&text).expect("YAML")["services"]["w"].clone();
        let env = |name: &str| service["environment"][name].as_str().expect(name).replace("$$", "$");
        assert_eq!([env("A"), env("B"), env("AA"), env("C")], ["pa$word", "pa$word-$(NOT)", "$(B)", "$A ${A} $(A)"], "{text}");
        assert_eq!(
            service["command"][2].as_str().map(|word| word.replace("$$", "$")).as_deref(),
            Some("echo pa$word $HOME pa$word-$(NOT) $HOME")
        );
    }

    #[test]
    fn any_text_goes_in_as_it_is() {
        let app: App = serde_json::from_value(serde_json::json!({
            "appname": "d", "env": {"A": "1\n2", "B": "<b> {{ x }} & $HOME", "C": null},
            "deployments": {"yes": {"command": ["a: b", "数据"], "imageTag": "1.0", "workingDir": "/x"}, "w": {"image": "redis:7"}, "gone": null}
        }))
        .expect("an app");
        let text = render(&app, "r/d").expect("renders");
        let services = &serde_yaml::from_str::<serde_json::Value>(&text).expect("YAML")["services"];
        assert_eq!(services.as_object().map(serde_json::Map::len), Some(2), "{text}");
        let web = serde_json::json!({
            "image": "r/d:1.0", "command": ["a: b", "数据"], "volumes": [".:/x"], "working_dir": "/x",
            "environment": {"A": "1\n2", "B": "<b> {{ x }} & $$HOME"}
        });
        assert_eq!(services["yes"], web, "{text}");
        assert_eq!((services["w"]["image"].as_str(), services["w"].get("command")), (Some("redis:7"), None));
        assert!(!text.contains("latest"), "{text}");
    }
}
