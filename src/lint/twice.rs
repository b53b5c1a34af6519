//! Objects that a chart renders twice.

use std::collections::HashMap;
use std::path::Path;

use super::api_versions::Rendered;
use super::{Problem, Severity};
use crate::error::Location;
use crate::render::chart::{OLDER_FILES, is_ours};
use crate::values::node::{Node, Value};

/// L055: two objects of one kind and name. A first install fails with `already exists`; an upgrade, and helm 4, apply one over the other.
/// `read` gives a template's text.
pub(crate) fn check(objects: &[Rendered], root: &Node, read: impl Fn(&str) -> Option<String>) -> Vec<Problem> {
    let mut seen: HashMap<(&str, &str, &str, &str), &Rendered> = HashMap::new();
    let mut problems = Vec::new();
    for object in objects.iter().filter(|object| !object.name.is_empty()) {
        // A kind keeps its objects, whichever version of its group names them.
        let group = object.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let Some(first) = seen.insert((group, &object.kind, &object.namespace, &object.name), object) else { continue };
        let what = format!("{} {}", object.kind, object.name);
        let both = if first.template == object.template {
            String::new()
        } else {
            format!(", by chart/{} and chart/{}", first.template, object.template)
        };
        let message = format!("the chart renders {what} twice{both}: one would replace the other");
        let is_older = |one: &Rendered| OLDER_FILES.contains(&one.template.as_str());
        let hint = match object.kind.as_str() {
            _ if is_older(object) || is_older(first) => "lain init --template-only # takes the older tool's files away",
            "Ingress" => "give one of them another host: in an Ingress's name `.` and `/` are written as `-`",
            _ => "remove one of the two, or give it another name",
        };
        let at = of_values(root, object).unwrap_or_else(|| place(object, first, &read));
        problems.push(Problem { id: "L055", severity: Severity::Error, message, hint: hint.into(), at });
    }
    problems
}

/// The last of the values' ingresses that an Ingress may be named after.
fn of_values(root: &Node, object: &Rendered) -> Option<Location> {
    let lists = ["ingresses", "externalIngresses"].into_iter().filter_map(|key| root.get(key));
    let items = lists
        .filter(|_| object.kind == "Ingress")
        .filter_map(|list| if let Value::Seq(items) = &list.value { Some(items) } else { None })
        .flatten();
    let mut hosts = items
        .filter_map(|item| item.get("host"))
        .filter(|host| host.as_str().is_some_and(|host| !host.is_empty() && object.name.starts_with(&host.replace('.', "-"))));
    hosts.next_back().map(|host| host.span.location())
}

/// The line that names the kind, in the template that is the team's own.
fn place(object: &Rendered, first: &Rendered, read: impl Fn(&str) -> Option<String>) -> Location {
    let own = |one: &Rendered| !is_ours(&one.template);
    let object = if own(first) && !own(object) { first } else { object };
    let text = read(&object.template).unwrap_or_default();
    let lines = || text.lines().enumerate();
    let names =
        |line: &str| line.trim_start().strip_prefix("kind:").is_some_and(|kind| kind.split_whitespace().next() == Some(&object.kind));
    let (index, line) = lines().find(|(_, line)| names(line)).or_else(|| lines().next()).unwrap_or_default();
    let path = Path::new("chart").join(&object.template);
    Location { path, line: index + 1, column: 1, length: line.chars().count().max(1), text: line.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::api_versions::objects;
    use super::*;
    use crate::values::parse::parse;

    #[test]
    fn one_kind_and_name() {
        let object = |api: &str, kind: &str, more: &str| {
            format!("---\n# Source: shop/templates/a.yaml\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: a{more}}}\n")
        };
        let root = parse(Path::new("values.yaml"), "appname: shop\n".to_owned()).expect("values");
        let found = |parts: &[String]| check(&objects(&parts.concat()), &root, |_| Some("apiVersion: v1\nkind: Service\n".to_owned()));
        let twice = found(&[object("v1", "Service", ""), object("v1", "Service", "")]);
        assert_eq!(
            twice.iter().map(|one| (one.id, one.at.to_string())).collect::<Vec<_>>(),
            [("L055", "chart/templates/a.yaml:2:1".to_owned())]
        );
        assert_eq!(found(&[object("extensions/v1beta1", "Ingress", ""), object("extensions/v1", "Ingress", "")]).len(), 1);
        assert_eq!(found(&[object("v1", "Service", ""), object("v1", "Secret", "")]).len(), 0);
        assert_eq!(found(&[object("v1", "Service", ", namespace: x"), object("v1", "Service", "")]).len(), 0);
        assert_eq!(found(&[object("v1", "Service", ""), object("serving.knative.dev/v1", "Service", "")]).len(), 0);
    }
}
