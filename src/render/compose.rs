//! `docker-compose.yaml` for local debugging, as the seed document shows it.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::model::app::{App, WORKDIR};
use crate::model::text::EnvMap;
use crate::values::write::to_yaml;

/// Renders the compose file; `repository` is `REGISTRY/APP`.
pub fn render(app: &App, repository: &str) -> String {
    let mut out = String::from("version: '3'\nservices:\n");
    for (name, proc) in app.deployments.iter().flatten().filter_map(|(name, proc)| Some((name, proc.as_ref()?))) {
        let _ = writeln!(out, "\n  {}:", scalar(name));
        match (&proc.image, &proc.image_tag) {
            (Some(image), _) => {
                let _ = writeln!(out, "    image: {}", scalar(image));
            }
            (None, Some(tag)) => {
                let _ = writeln!(out, "    image: {}", scalar(&format!("{repository}:{tag}")));
            }
            (None, None) => {
                out.push_str("    # lain push will overwrite the latest tag every time\n");
                let _ = writeln!(out, "    image: {}", scalar(&format!("{repository}:latest")));
            }
        }
        if let Some(command) = proc.command.as_ref().filter(|command| !command.is_empty()) {
            out.push_str("    command:\n");
            for word in command {
                let _ = writeln!(out, "      - {}", scalar(&for_compose(&word.0)));
            }
        }
        let workdir = proc.working_dir.as_deref().unwrap_or(WORKDIR);
        let _ = writeln!(out, "    volumes:\n      - {}", scalar(&format!(".:{workdir}")));
        let env = merged(app.env.as_ref(), proc.env.as_ref());
        if !env.is_empty() {
            out.push_str("    environment:\n");
            for (key, value) in env {
                let _ = writeln!(out, "      {}: {}", scalar(&key), scalar(&for_compose(&value)));
            }
        }
        let _ = writeln!(out, "    working_dir: {}", scalar(workdir));
        out.push_str("    # depends_on:\n    #   - redis\n    #   - mysql\n");
    }
    let _ = write!(
        out,
        "\n  # redis:\n  #   image: \"redis:3.2.7\"\n  #   command: --databases 64\n\n  # mysql:\n  #   image: \"mysql:8\"\n  \
         #   command: --character-set-server=utf8mb4 --collation-server=utf8mb4_general_ci\n  #   environment:\n  \
         #     MYSQL_ROOT_PASSWORD: root\n  #     MYSQL_DATABASE: {}\n",
        app.appname
    );
    out
}

/// Global env, then the proc's; each name once.
fn merged(global: Option<&EnvMap>, own: Option<&EnvMap>) -> Vec<(String, String)> {
    let mut env = EnvMap::new();
    for layer in [global, own].into_iter().flatten() {
        env.extend(layer.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    env.into_iter().filter_map(|(key, value)| Some((key, value?.0))).collect()
}

/// Compose replaces `$NAME`; `$$` is one dollar.
fn for_compose(text: &str) -> String {
    text.replace('$', "$$")
}

/// One scalar on one line.
fn scalar(text: &str) -> String {
    if text.contains('\n') {
        return Json::String(text.to_owned()).to_string(); // a JSON string is a YAML flow scalar
    }
    to_yaml(&Json::String(text.to_owned())).trim_end().to_owned()
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
        insta::assert_snapshot!(render(&app, "ccr.ccs.tencentyun.com/yashi/dummy"));
    }
}
