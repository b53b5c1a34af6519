//! API versions that a Kubernetes version does not serve, not yet or no longer.
//!
//! The figures are [`crate::model::api_versions`]'.

use std::path::PathBuf;

use super::{Problem, Severity};
use crate::error::Location;
use crate::model::api_versions::{Api, NEVER};
use crate::model::manifest;
use crate::model::version::Version;

/// One object of a rendered chart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rendered {
    /// The template, below the chart: `templates/cronjob.yaml`.
    pub template: String,
    /// `batch/v1`.
    pub api_version: String,
    /// `CronJob`.
    pub kind: String,
    /// Its name; empty where the server makes one up.
    pub name: String,
    /// Its namespace, where the template says one.
    pub namespace: String,
    /// All of it.
    pub object: manifest::Object,
    /// The document that it stands in.
    pub text: String,
}

/// The objects in what `helm template` printed. Lint says by itself what helm cannot read.
pub(crate) fn objects(manifest: &str) -> Vec<Rendered> {
    let mut found = Vec::new();
    let mut template = "";
    for document in manifest::documents(manifest) {
        template = document.template().unwrap_or(template);
        let objects = manifest::objects(document.text).unwrap_or_default();
        found.extend(objects.into_iter().filter(|object| !object.kind().is_empty()).map(|object| Rendered {
            template: template.to_owned(),
            api_version: object.api_version().to_owned(),
            kind: object.kind().to_owned(),
            name: object.name().to_owned(),
            namespace: object.namespace().to_owned(),
            text: document.text.to_owned(),
            object,
        }));
    }
    found
}

/// L053 not served by the cluster's version, L054 deprecated there. Without a version: what the newest known one does not serve is deprecated.
/// `read` gives a template's text, to find the line.
pub(crate) fn check(objects: &[Rendered], server: Option<Version>, read: impl Fn(&str) -> Option<String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for object in objects {
        let Some(api) = Api::find(&object.api_version, &object.kind) else { continue };
        let what = format!("{} {}", object.api_version, object.kind);
        let (id, severity, message) = match server.map(|server| server.minor) {
            Some(minor) if minor >= api.removed => {
                ("L053", Severity::Error, format!("Kubernetes 1.{minor} does not serve {what}: it was removed in 1.{}", api.removed))
            }
            Some(minor) if minor < api.from => {
                ("L053", Severity::Error, format!("Kubernetes 1.{minor} does not serve {what} yet: it came with 1.{}", api.from))
            }
            Some(minor) if minor >= api.deprecated => {
                ("L054", Severity::Warning, format!("{what} is deprecated; Kubernetes 1.{} does not serve it", api.removed))
            }
            None if api.removed != NEVER => ("L054", Severity::Warning, format!("Kubernetes 1.{} does not serve {what}", api.removed)),
            _ => continue,
        };
        let hint = format!("apiVersion: {} # or: lain init --template-only", api.instead);
        problems.push(Problem { id, severity, message, hint, at: place(object, &read) });
    }
    problems
}

/// The line of the template that writes the version; it may be put together from parts, then the first line.
fn place(object: &Rendered, read: impl Fn(&str) -> Option<String>) -> Location {
    let path = PathBuf::from("chart").join(&object.template);
    let text = read(&object.template).unwrap_or_default();
    let named = text.lines().enumerate().find(|(_, line)| line.contains(&object.api_version));
    let (index, line) = named.or_else(|| text.lines().enumerate().find(|(_, line)| line.starts_with("apiVersion"))).unwrap_or((0, ""));
    let column = line.find(&object.api_version).map_or(1, |at| line[..at].chars().count() + 1);
    Location { path, line: index + 1, column, length: object.api_version.chars().count().max(1), text: line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "---\n# Source: shop/templates/cronjob.yaml\napiVersion: batch/v1beta1\nkind: CronJob\nmetadata:\n  name: a\n---\n# Source: shop/templates/hpa.yaml\napiVersion: \"autoscaling/v2\"\nkind: HorizontalPodAutoscaler\n";

    fn ids(minor: Option<u32>) -> Vec<(&'static str, String)> {
        let server = minor.map(|minor| Version { major: 1, minor, patch: 0 });
        let read = |_: &str| Some("# c\napiVersion: batch/v1beta1\n".to_owned());
        check(&objects(MANIFEST), server, read).into_iter().map(|problem| (problem.id, problem.at.to_string())).collect()
    }

    #[test]
    fn by_version() {
        let cronjob = "chart/templates/cronjob.yaml:2:13".to_owned();
        let hpa = "chart/templates/hpa.yaml:2:1".to_owned();
        assert_eq!(ids(Some(20)), [("L053", hpa.clone())]);
        assert_eq!(ids(Some(22)), [("L054", cronjob.clone()), ("L053", hpa)]);
        assert_eq!(ids(Some(24)), [("L054", cronjob.clone())]);
        assert_eq!(ids(Some(25)), [("L053", cronjob.clone())]);
        assert_eq!(ids(None), [("L054", cronjob)]);
    }
}
