//! Fields that no supported version of Kubernetes knows, and values of another kind than its own types have: helm and the server refuse both.
//!
//! The types are those of the servers' `OpenAPI` documents from the oldest supported version to the newest, in one: `tests/rig/openapi` makes `fields.txt`.
//! What versions disagree about is left to them.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::Value as Json;

use super::api_versions::Rendered;
use super::place::{knows, place};
use super::{Problem, Severity};
use crate::model::name::nearest;
use crate::resolved::layers::Layers;

type Fields = HashMap<&'static str, &'static str>;
type Roots = HashMap<(&'static str, &'static str), &'static str>;

/// The types by their names, and the names of types by API version and kind.
static TYPES: LazyLock<(HashMap<&str, Fields>, Roots)> = LazyLock::new(|| {
    let (mut types, mut roots) = (HashMap::new(), HashMap::new());
    for line in include_str!("fields.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["=", api, kind, name] => drop(roots.insert((api, kind), name)),
            [name, ref fields @ ..] => drop(types.insert(name, fields.iter().filter_map(|field| field.split_once(':')).collect())),
            [] => {}
        }
    }
    (types, roots)
});

/// L071: what Kubernetes does not know. `read` gives a template's text, to find a place in it.
pub(crate) fn check(rendered: &[Rendered], layers: &Layers, read: impl Fn(&str) -> Option<String>) -> Vec<Problem> {
    let root = layers.canonical();
    let mut problems = vec![];
    for one in rendered {
        let Some(name) = TYPES.1.get(&(one.api_version.as_str(), one.kind.as_str())) else { continue };
        let mut faults = vec![];
        fields_of(one.object.json(), name, &mut vec![], &mut faults);
        faults.retain(|fault| !fault.is_bare_in(&one.text));
        for Fault { way, why, hint, .. } in faults {
            // The way begins in the object; in the values it begins at the first key that they have.
            let own =
                |key: &String| if key == "securityContext" && !knows(root, key) { "podSecurityContext".to_owned() } else { key.clone() };
            let keys: Vec<String> = way.iter().map(own).skip_while(|key| !knows(root, key)).collect();
            let at = place(root, one, &keys, &read);
            let message = format!("Kubernetes refuses {} {}: {why}", one.kind, one.object.name());
            let hint = hint.unwrap_or_else(|| format!("kubectl explain {} # what there is", explained(&one.kind, &way)));
            problems.push(Problem { id: "L071", severity: Severity::Error, message, hint, at });
        }
    }
    problems
}

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    /// The fields that lead to it, the outermost first.
    way: Vec<String>,
    why: String,
    /// None where nothing is near.
    hint: Option<String>,
    /// Text that is no number, or neither true nor false: without quotes helm may read it as that (`yes`, `0644`).
    text: Option<String>,
}

impl Fault {
    /// True when the text stands without quotes in the document: helm reads YAML 1.1, in which that may be what is wanted.
    fn is_bare_in(&self, document: &str) -> bool {
        let (Some(text), Some(key)) = (&self.text, self.way.last()) else { return false };
        let bare = format!("{key}: {text}");
        let read = |line: &str| line.split(" #").next().unwrap_or_default().trim().trim_start_matches("- ").to_owned();
        document.lines().any(|line| line.contains(&bare) && (read(line) == bare || line.contains('{')))
    }
}

fn fields_of(value: &Json, name: &str, way: &mut Vec<String>, faults: &mut Vec<Fault>) {
    let (Some(fields), Some(map)) = (TYPES.0.get(name), value.as_object()) else { return };
    for (key, value) in map {
        way.push(key.clone());
        if let Some(kind) = fields.get(key.as_str()) {
            look(value, kind, way, faults);
        } else {
            let holder = way.iter().rev().nth(1).map_or_else(String::new, |holder| format!(" in `{holder}`"));
            let hint = nearest(key, fields.keys().copied()).map(|near| format!("{near}: # in place of {key}"));
            faults.push(Fault { way: way.clone(), why: format!("it knows no `{key}`{holder}"), hint, text: None });
        }
        way.pop();
    }
}

/// What holds the last of these fields, as `kubectl explain` takes it: `pod.spec.affinity`.
fn explained(kind: &str, way: &[String]) -> String {
    let (_, holders) = way.split_last().expect("a field");
    let of_pod = holders.iter().position(|key| key == "template").map(|at| &holders[at + 1..]);
    let first = if of_pod.is_some() { "pod".to_owned() } else { kind.to_lowercase() };
    std::iter::once(first).chain(of_pod.unwrap_or(holders).iter().cloned()).collect::<Vec<_>>().join(".")
}

fn look(value: &Json, kind: &str, way: &mut Vec<String>, faults: &mut Vec<Fault>) {
    let mut wrong = |wanted: &str, example: &str| {
        let key = way.last().cloned().unwrap_or_default();
        let why = format!("`{key}` is {}, and it takes {wanted}", shown(value));
        let text = value.as_str().filter(|_| kind != "s").map(str::to_owned);
        faults.push(Fault { way: way.clone(), why, hint: Some(format!("{key}: {example}")), text });
    };
    match (kind.as_bytes(), value) {
        (_, Json::Null) | ([b'*', ..] | [], _) => {}
        ([b'@', ..], Json::Object(_)) => fields_of(value, &kind[1..], way, faults),
        ([b'@' | b'{', ..], value) if !value.is_object() => wrong("a map", "{KEY: VALUE}"),
        ([b'[', ..], Json::Array(items)) => items.iter().for_each(|item| look(item, &kind[1..], way, faults)),
        ([b'[', ..], _) => wrong("a list", "[ITEM]"),
        ([b'{', ..], Json::Object(map)) => {
            for (key, value) in map {
                way.push(key.clone());
                look(value, &kind[1..], way, faults);
                way.pop();
            }
        }
        ([b's'], value) if !value.is_string() => {
            let example = match value {
                Json::Object(_) | Json::Array(_) => "TEXT".to_owned(),
                scalar => format!("\"{scalar}\""),
            };
            wrong("text", &example);
        }
        ([b'i' | b'n'], value) if !value.is_number() => {
            let number = value.as_str().filter(|text| text.parse::<i64>().is_ok()).unwrap_or("1").to_owned();
            wrong(if kind == "i" { "a whole number" } else { "a number" }, &number);
        }
        ([b'b'], value) if !value.is_boolean() => wrong("true or false", "true"),
        _ => {}
    }
}

fn shown(value: &Json) -> String {
    match value {
        Json::Object(_) => "a map".to_owned(),
        Json::Array(_) => "a list".to_owned(),
        Json::String(text) => format!("text (\"{}\")", crate::model::text::bounded(text, 40)),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(spec: &Json) -> Vec<String> {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a", "labels": {"a": "b"}}, "spec": spec});
        let mut faults = vec![];
        fields_of(&object, TYPES.1[&("apps/v1", "Deployment")], &mut vec![], &mut faults);
        faults.into_iter().map(|fault| format!("{}: {}", fault.way.join("."), fault.why)).collect()
    }

    #[test]
    fn what_no_version_knows_is_found_however_deep() {
        let of_pod = |pod: Json| faults(&json!({"template": {"spec": pod}}));
        assert_eq!(of_pod(json!({"affinity": {"nodeAffinity": null}, "hostUsers": true, "nodeSelector": {"x": "y"}})), [""; 0]);
        assert_eq!(
            of_pod(json!({"affinity": {"nodeAffinty": {}}})),
            ["spec.template.spec.affinity.nodeAffinty: it knows no `nodeAffinty` in `affinity`"]
        );
        assert_eq!(
            of_pod(json!({"containers": [{"name": "a", "securityContext": {"runAsUser": "1001"}}]})),
            ["spec.template.spec.containers.securityContext.runAsUser: `runAsUser` is text (\"1001\"), and it takes a whole number"]
        );
        assert_eq!(
            of_pod(json!({"tolerations": {"key": "a"}})),
            ["spec.template.spec.tolerations: `tolerations` is a map, and it takes a list"]
        );
        assert_eq!(
            of_pod(json!({"nodeSelector": {"disk": true}})),
            ["spec.template.spec.nodeSelector.disk: `disk` is true, and it takes text"]
        );
        // Quantities and ports come as text or as numbers.
        assert_eq!(
            of_pod(json!({"containers": [{"resources": {"limits": {"cpu": 1}}, "livenessProbe": {"httpGet": {"port": "web"}}}]})),
            [""; 0]
        );
    }

    #[test]
    fn what_helm_reads_as_yaml_1_1_is_left_to_it() {
        let fault = |key: &str, text: &str| Fault { way: vec![key.into()], why: String::new(), hint: None, text: Some(text.into()) };
        let document = "spec:\n  hostNetwork: yes # as ever\n  volumes:\n  - defaultMode: 0644\n  a: {runAsNonRoot: on}\n  runAsUser: \"1001\"\n  hostPID: 'no'\n";
        for (key, text) in [("hostNetwork", "yes"), ("defaultMode", "0644"), ("runAsNonRoot", "on")] {
            assert!(fault(key, text).is_bare_in(document), "{key}");
        }
        for (key, text) in [("runAsUser", "1001"), ("hostPID", "no"), ("replicas", "two")] {
            assert!(!fault(key, text).is_bare_in(document), "{key}");
        }
    }

    #[test]
    fn each_type_that_is_named_is_there() {
        for (name, fields) in &TYPES.0 {
            for kind in fields.values() {
                let end = kind.trim_start_matches(['[', '{']);
                assert!(matches!(end, "s" | "i" | "n" | "b" | "*") || TYPES.0.contains_key(&end[1..]), "{name}: {kind}");
            }
        }
        assert!(TYPES.1.values().all(|name| TYPES.0.contains_key(name)) && TYPES.0.len() > 150, "{}", TYPES.0.len());
    }
}
