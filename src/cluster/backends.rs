//! Rules of ingresses whose Service is not there, and the ingresses without them. Pure.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// One rule that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rule {
    /// The name that it is asked by; empty for every name.
    pub host: String,
    /// The path; empty for what no other rule takes.
    pub path: String,
    /// The Service that is not there.
    pub service: String,
}

/// What leads nowhere in an ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loose {
    /// The rules.
    pub rules: Vec<Rule>,
    /// The ingress without them; none where nothing would be left of it.
    pub rest: Option<Json>,
    /// Names that it has TLS for and then no rule.
    pub tls: Vec<String>,
}

/// The rules of an ingress, of any version of its API, whose Services are not among these; none where all are there.
pub(crate) fn loose(ingress: &Json, services: &BTreeSet<String>) -> Option<Loose> {
    let mut rules = vec![];
    let mut rest = ingress.clone();
    let spec = rest["spec"].as_object_mut()?;
    for key in ["defaultBackend", "backend"] {
        if let Some(service) = spec.get(key).and_then(service).filter(|service| !services.contains(*service)) {
            rules.push(Rule { host: String::new(), path: String::new(), service: service.to_owned() });
            spec.remove(key);
        }
    }
    if let Some(all) = spec.get_mut("rules").and_then(Json::as_array_mut) {
        all.retain_mut(|rule| {
            let host = rule["host"].as_str().unwrap_or_default().to_owned();
            // Without paths a rule leads to the default backend.
            let Some(paths) = rule.get_mut("http").and_then(|http| http.get_mut("paths")).and_then(Json::as_array_mut) else { return true };
            let before = paths.len();
            paths.retain(|path| match service(&path["backend"]).filter(|service| !services.contains(*service)) {
                Some(service) => {
                    let shown = path["path"].as_str().filter(|path| !path.is_empty()).unwrap_or("/");
                    rules.push(Rule { host: host.clone(), path: shown.to_owned(), service: service.to_owned() });
                    false
                }
                None => true,
            });
            !paths.is_empty() || before == 0
        });
        if all.is_empty() {
            spec.remove("rules");
        }
    }
    let has_default = spec.contains_key("defaultBackend") || spec.contains_key("backend");
    let leads = |rule: &Json| has_default || !rule["http"]["paths"].as_array().is_none_or(Vec::is_empty);
    let leads_anywhere = has_default || spec.get("rules").and_then(Json::as_array).is_some_and(|all| all.iter().any(leads));
    let rest = leads_anywhere.then_some(rest);
    (!rules.is_empty()).then(|| Loose { tls: rest.as_ref().map_or_else(Vec::new, |rest| left_with_tls(rest, &rules)), rules, rest })
}

/// Of the names of these rules those that an ingress has TLS for, and no rule any more.
fn left_with_tls(rest: &Json, rules: &[Rule]) -> Vec<String> {
    let each = |list: &'static str| rest["spec"][list].as_array().into_iter().flatten();
    let is_ruled = |host: &str| each("rules").any(|rule| rule["host"] == host);
    let hosts = each("tls").flat_map(|tls| tls["hosts"].as_array().into_iter().flatten()).filter_map(Json::as_str);
    hosts.filter(|host| rules.iter().any(|rule| rule.host == *host) && !is_ruled(host)).map(str::to_owned).collect()
}

/// The Service of a backend; none for one that is something else.
fn service(backend: &Json) -> Option<&str> {
    backend["service"]["name"].as_str().or_else(|| backend["serviceName"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn see(spec: Json) -> Option<(Vec<String>, Option<Json>)> {
        let services = BTreeSet::from(["here".to_owned()]);
        let found = loose(&json!({"metadata": {"name": "a"}, "spec": spec}), &services)?;
        let shown = |it: &Rule| format!("{}{} {}", it.host, it.path, it.service);
        Some((found.rules.iter().map(shown).collect(), found.rest.map(|mut rest| rest["spec"].take())))
    }

    #[test]
    fn names_with_tls_and_no_rule_are_told() {
        let rule = |host: &str, service: &str| json!({"host": host, "http": {"paths": [to(service)]}});
        let spec = json!({"rules": [rule("a", "here"), rule("b", "gone"), rule("c", "gone")], "tls": [{"hosts": ["a", "b", "other"]}]});
        let found = loose(&json!({"spec": spec}), &BTreeSet::from(["here".to_owned()])).expect("two rules");
        assert_eq!(found.tls, ["b"]);
    }

    fn to(service: &str) -> Json {
        json!({"path": "/p", "backend": {"service": {"name": service}}})
    }

    #[test]
    fn rules_that_lead_nowhere_go_and_no_others() {
        assert_eq!(see(json!({"rules": [{"host": "a", "http": {"paths": [to("here")]}}]})), None);
        assert_eq!(see(json!({"rules": [{"host": "a"}], "defaultBackend": {"resource": {"kind": "Bucket"}}})), None);
        let all_gone = see(json!({"rules": [{"host": "a", "http": {"paths": [to("gone")]}}]}));
        assert_eq!(all_gone, Some((vec!["a/p gone".to_owned()], None)));
        let some = see(
            json!({"rules": [{"host": "a", "http": {"paths": [to("gone"), to("here")]}}, {"host": "b", "http": {"paths": [to("gone")]}}], "tls": []}),
        );
        let left = json!({"rules": [{"host": "a", "http": {"paths": [to("here")]}}], "tls": []});
        assert_eq!(some, Some((vec!["a/p gone".to_owned(), "b/p gone".to_owned()], Some(left))));
        // As servers before 1.19 have it; a rule without paths leads to the default, which is gone.
        let old = see(json!({"backend": {"serviceName": "gone"}, "rules": [{"host": "a"}]}));
        assert_eq!(old, Some((vec![" gone".to_owned()], None)));
        let default_stays = see(json!({"defaultBackend": {"service": {"name": "here"}}, "rules": [{"http": {"paths": [to("gone")]}}]}));
        assert_eq!(default_stays.expect("one").1, Some(json!({"defaultBackend": {"service": {"name": "here"}}})));
    }
}
