//! Autoscaled deployments whose replicas an earlier chart still manages.
//!
//! The older chart wrote `replicas` beside an HPA; ours does not. helm 3 then removes the field, Kubernetes reads its
//! absence as 1, and the HPA scales up again: seen on a real cluster as 3, 1, 3 within 15 seconds.

use crate::model::app::App;

/// The autoscaled deployments for which a release's manifest still says `replicas`.
pub fn managed_replicas<'a>(app: &'a App, release: &str, manifest: &str) -> Vec<&'a str> {
    let autoscaled = app.deployments.iter().flatten().filter(|(_, proc)| proc.as_ref().is_some_and(|proc| proc.hpa.is_some()));
    autoscaled
        .map(|(name, _)| name.as_str())
        .filter(|name| {
            let full = format!("{release}-{name}");
            manifest.split("\n---").any(|object| {
                let has = |key: &str, value: &str| {
                    object.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.trim().trim_matches('"') == value))
                };
                has("kind:", "Deployment") && has("  name:", &full) && object.lines().any(|line| line.starts_with("  replicas:"))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_the_older_chart_wrote() {
        let app: App =
            serde_json::from_value(serde_json::json!({"appname": "a", "deployments": {"web": {"hpa": {"maxReplicas": 3}}, "worker": {}}}))
                .expect("an app");
        let manifest =
            "---\nkind: Service\nmetadata:\n  name: a-web\n---\nkind: Deployment\nmetadata:\n  name: a-web\nspec:\n  replicas: 2\n";
        assert_eq!(managed_replicas(&app, "a", manifest), ["web"]);
        assert!(managed_replicas(&app, "a", &manifest.replace("  replicas: 2\n", "")).is_empty());
        assert!(managed_replicas(&app, "a", &manifest.replace("a-web", "a-worker")).is_empty());
    }
}
