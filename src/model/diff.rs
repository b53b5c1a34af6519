//! Three states of one object compared, field by field: what was recorded, what is to be, what runs.
//!
//! Only fields that the record or the plan sets are looked at, so that nothing of the server's own (defaults, status, what controllers write) shows.
//! Lists are compared by what tells their items apart (`name`, `mountPath`, ...), as the server merges them.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::quantity::Quantity;

/// What tells the items of a list apart, the first that does; Kubernetes' own merge keys, and `host` of an Ingress' rules.
const KEYS: [&str; 11] = ["name", "mountPath", "devicePath", "containerPort", "port", "host", "path", "topologyKey", "ip", "uid", "type"];
/// Below these the server writes amounts in its own way: `1000m` as `1`.
const AMOUNTS: [&str; 7] = ["limits", "requests", "capacity", "hard", "sizeLimit", "averageValue", "divisor"];
/// Lists of a container or a pod that the server leaves alone, so that an item in there was put by somebody.
const OURS: [&str; 8] = ["env", "envFrom", "containers", "initContainers", "command", "args", "volumeMounts", "hostAliases"];
/// Maps of which the same is true.
const OUR_MAPS: [&str; 3] = ["data", "binaryData", "stringData"];

/// How a field differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Difference {
    /// What is to be is not what was recorded.
    Change,
    /// It was changed in the cluster: recorded and planned are the same, and something else runs.
    Drift,
    /// It was added in the cluster beside what was recorded; helm leaves it there.
    Extra,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Field {
    /// `spec.template.spec.containers[web].image`
    pub path: String,
    /// How.
    pub difference: Difference,
    /// What helm has recorded; none where it has nothing there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Json>,
    /// What runs, where that is something else than was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Json>,
    /// What is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned: Option<Json>,
    /// Its values are nobody's to read, and left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}

/// The three states; none of the object is absent, an unknown live one is left out of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct States<'a> {
    /// As helm has recorded it.
    pub recorded: Option<&'a Json>,
    /// As it is to be.
    pub planned: Option<&'a Json>,
    /// As it runs; none where that is not known.
    pub live: Option<&'a Json>,
}

/// What differs, in the order of the plan.
pub(crate) fn fields(states: States<'_>) -> Vec<Field> {
    let mut walk = Walk { has_live: states.live.is_some(), found: vec![] };
    walk.at("", states);
    walk.found
}

struct Walk {
    has_live: bool,
    found: Vec<Field>,
}

/// Null is as good as nothing: helm and the server drop it.
fn present(value: Option<&Json>) -> Option<&Json> {
    value.filter(|value| !value.is_null())
}

impl Walk {
    fn at(&mut self, path: &str, states: States<'_>) {
        let states = States { recorded: present(states.recorded), planned: present(states.planned), live: present(states.live) };
        let sides = [states.recorded, states.planned, states.live];
        let here: Vec<&Json> = sides.iter().copied().flatten().collect();
        // What comes or goes as a whole is one field.
        let both = states.recorded.is_some() && states.planned.is_some();
        if both && here.iter().all(|side| side.is_object()) {
            self.map(path, states);
        } else if both && here.iter().all(|side| side.is_array()) {
            match key_of(&here) {
                Some(key) => self.list(path, key, states),
                None => self.leaf(path, states),
            }
        } else {
            self.leaf(path, states);
        }
    }

    fn map(&mut self, path: &str, states: States<'_>) {
        let mut seen = BTreeSet::new();
        let all = [states.planned, states.recorded].into_iter().flatten().filter_map(Json::as_object).flat_map(Map::keys);
        for key in all.filter(|key| seen.insert(key.as_str())) {
            self.at(
                &below(path, key),
                States {
                    recorded: states.recorded.and_then(|side| side.get(key)),
                    planned: states.planned.and_then(|side| side.get(key)),
                    live: states.live.and_then(|side| side.get(key)),
                },
            );
        }
        let is_ours = OUR_MAPS.contains(&last(path));
        for (key, live) in states.live.and_then(Json::as_object).into_iter().flatten() {
            if !seen.contains(key.as_str()) && !live.is_null() && (is_ours || is_our_list(key, live)) {
                self.found.push(extra(below(path, key), live));
            }
        }
    }

    fn list(&mut self, path: &str, key: &str, states: States<'_>) {
        let mut seen = BTreeSet::new();
        for item in [states.planned, states.recorded, states.live].into_iter().flatten().filter_map(Json::as_array).flatten() {
            let name = word(&item[key]);
            if !seen.insert(name.clone()) {
                continue;
            }
            let path = format!("{path}[{name}]");
            let [recorded, planned, live] = [states.recorded, states.planned, states.live].map(|side| item_of(side, key, &name));
            match (recorded, planned, live) {
                (None, None, Some(live)) => {
                    if OURS.contains(&last(&path)) || last(&path) == "volumes" {
                        self.found.push(extra(path, live));
                    }
                }
                _ => self.at(&path, States { recorded, planned, live }),
            }
        }
        let names = |side: Option<&Json>| -> Vec<String> {
            side.and_then(Json::as_array).into_iter().flatten().map(|item| word(&item[key])).collect()
        };
        let (before, after) = (names(states.recorded), names(states.planned));
        let common = |of: &[String], other: &[String]| of.iter().filter(|name| other.contains(name)).cloned().collect::<Vec<_>>();
        let (old, new) = (common(&before, &after), common(&after, &before));
        if old != new {
            let field = Field {
                path: format!("{path} (order)"),
                difference: Difference::Change,
                recorded: Some(old.into()),
                live: None,
                planned: Some(new.into()),
                secret: false,
            };
            self.found.push(field);
        }
    }

    fn leaf(&mut self, path: &str, states: States<'_>) {
        let States { recorded, planned, live } = states;
        let as_before = same(path, recorded, planned);
        let moved = self.has_live && !as_live(path, recorded, live);
        let difference = match (as_before, moved) {
            (true, false) => return,
            (true, true) => Difference::Drift,
            (false, _) => Difference::Change,
        };
        let live = if moved { live.cloned() } else { None };
        self.found.push(Field {
            path: path.to_owned(),
            difference,
            recorded: recorded.cloned(),
            live,
            planned: planned.cloned(),
            secret: false,
        });
    }
}

fn extra(path: String, live: &Json) -> Field {
    Field { path, difference: Difference::Extra, recorded: None, live: Some(live.clone()), planned: None, secret: false }
}

fn is_our_list(key: &str, live: &Json) -> bool {
    OURS.contains(&key) && live.as_array().is_some_and(|items| !items.is_empty())
}

/// The last key of a path, whatever item of its list.
fn last(path: &str) -> &str {
    let whole = path.rsplit_once('[').filter(|_| path.ends_with(']')).map_or(path, |(list, _)| list);
    whole.rsplit('.').next().unwrap_or(whole)
}

fn below(path: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    match (path.is_empty(), is_plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key}]"),
    }
}

/// What tells all items of all these lists apart; none where nothing does.
fn key_of(lists: &[&Json]) -> Option<&'static str> {
    let lists: Vec<&Vec<Json>> = lists.iter().filter_map(|list| list.as_array()).collect();
    if lists.iter().all(|list| list.is_empty()) {
        return None;
    }
    KEYS.into_iter().find(|key| {
        lists.iter().all(|list| {
            let mut seen = BTreeSet::new();
            list.iter().all(|item| matches!(item.get(key), Some(Json::String(_) | Json::Number(_))) && seen.insert(word(&item[key])))
        })
    })
}

fn item_of<'a>(list: Option<&'a Json>, key: &str, name: &str) -> Option<&'a Json> {
    list?.as_array()?.iter().find(|item| word(&item[key]) == name)
}

fn word(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The same to who reads manifests.
fn same(path: &str, one: Option<&Json>, other: Option<&Json>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => equal(path, one, other),
        _ => false,
    }
}

/// The same to the server, which leaves out what is empty, zero or false.
fn as_live(path: &str, told: Option<&Json>, live: Option<&Json>) -> bool {
    match (told, live) {
        (None, _) => true,
        (Some(told), None) => is_empty(told),
        (Some(told), Some(live)) => equal(path, told, live) || covers(path, told, live),
    }
}

/// Everything of `told` is in `live`, which may say more: defaults.
fn covers(path: &str, told: &Json, live: &Json) -> bool {
    match (told, live) {
        (Json::Object(told), Json::Object(live)) => {
            told.iter().all(|(key, value)| as_live(&below(path, key), present(Some(value)), present(live.get(key))))
        }
        (Json::Array(told), Json::Array(live)) => {
            told.len() == live.len() && told.iter().zip(live).all(|(told, live)| as_live(path, Some(told), Some(live)))
        }
        _ => equal(path, told, live),
    }
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Number(number) => number.as_f64() == Some(0.0),
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.values().all(is_empty),
        Json::Bool(true) => false,
    }
}

fn equal(path: &str, one: &Json, other: &Json) -> bool {
    if one == other {
        return true;
    }
    match (one, other) {
        (Json::Number(one), Json::Number(other)) => one.as_f64() == other.as_f64(),
        (Json::Object(one), Json::Object(other)) => {
            let full = |map: &Map<String, Json>| map.values().filter(|value| !value.is_null()).count();
            full(one) == full(other)
                && one
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .all(|(key, value)| other.get(key).is_some_and(|other| equal(&below(path, key), value, other)))
        }
        (Json::Array(one), Json::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(path, one, other))
        }
        (Json::String(_) | Json::Number(_), Json::String(_) | Json::Number(_)) if is_amount(path) => {
            matches!((Quantity::of_json(one), Quantity::of_json(other)), (Ok(one), Ok(other)) if one == other)
        }
        _ => false,
    }
}

fn is_amount(path: &str) -> bool {
    path.split(['.', '[', ']']).any(|step| AMOUNTS.contains(&step))
}

/// What the server would have after helm's upgrade: what runs, with all that the plan sets, without what it no longer sets. helm makes its patches so.
pub(crate) fn merged(recorded: Option<&Json>, planned: &Json, live: &Json) -> Json {
    let recorded = present(recorded);
    match (planned, live) {
        (Json::Object(planned), Json::Object(live)) => {
            let dropped = |key: &str| recorded.is_some_and(|side| present(side.get(key)).is_some()) && present(planned.get(key)).is_none();
            let mut out: Map<String, Json> =
                live.iter().filter(|(key, _)| !dropped(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
            for (key, value) in planned.iter().filter(|(_, value)| !value.is_null()) {
                let value =
                    live.get(key).map_or_else(|| value.clone(), |live| merged(recorded.and_then(|side| side.get(key)), value, live));
                out.insert(key.clone(), value);
            }
            Json::Object(out)
        }
        (Json::Array(items), Json::Array(there)) => {
            let lists: Vec<&Json> = [Some(planned), Some(live), recorded.filter(|side| side.is_array())].into_iter().flatten().collect();
            let Some(key) = key_of(&lists) else { return Json::Array(items.clone()) };
            let mut out = vec![];
            for item in items {
                let name = word(&item[key]);
                let before = item_of(recorded, key, &name);
                out.push(item_of(Some(live), key, &name).map_or_else(|| item.clone(), |live| merged(before, item, live)));
            }
            let others = there.iter().filter(|item| {
                let name = word(&item[key]);
                item_of(Some(planned), key, &name).is_none() && item_of(recorded, key, &name).is_none()
            });
            out.extend(others.cloned());
            Json::Array(out)
        }
        _ => planned.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn told(recorded: &Json, planned: &Json, live: Option<&Json>) -> Vec<String> {
        let text = |value: &Option<Json>| value.as_ref().map_or_else(|| "-".to_owned(), Json::to_string);
        fields(States { recorded: Some(recorded), planned: Some(planned), live })
            .iter()
            .map(|field| {
                format!("{:?} {}: {} {} {}", field.difference, field.path, text(&field.recorded), text(&field.planned), text(&field.live))
            })
            .collect()
    }

    fn pod(containers: &Json) -> Json {
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    }

    #[test]
    fn lists_go_by_what_tells_items_apart() {
        let before = pod(
            &json!([{"name": "web", "image": "a:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}, {"name": "side"}]),
        );
        let after = pod(
            &json!([{"name": "web", "image": "a:2", "env": [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]}, {"name": "side"}]),
        );
        let at = "spec.template.spec.containers[web]";
        assert_eq!(
            told(&before, &after, None),
            [
                format!("Change {at}.image: \"a:1\" \"a:2\" -"),
                format!("Change {at}.env[C]: - {{\"name\":\"C\",\"value\":\"3\"}} -"),
                format!("Change {at}.env[A]: {{\"name\":\"A\",\"value\":\"1\"}} - -"),
            ]
        );
        let turned = pod(
            &json!([{"name": "side"}, {"name": "web", "image": "a:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]),
        );
        assert_eq!(told(&before, &turned, None), [r#"Change spec.template.spec.containers (order): ["web","side"] ["side","web"] -"#]);
        // Without one they are compared as a whole: arguments, ports of one number.
        let command = |words: Json| json!({"command": words});
        assert_eq!(told(&command(json!(["a", "b"])), &command(json!(["b"])), None), [r#"Change command: ["a","b"] ["b"] -"#]);
        let ports = |first: u16| json!({"ports": [{"containerPort": first, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]});
        assert_eq!(told(&ports(53), &ports(53), None), [""; 0]);
        assert_eq!(told(&ports(53), &ports(54), None).len(), 1);
    }

    #[test]
    fn what_the_server_adds_or_writes_otherwise_is_no_drift() {
        let told_it = json!({"spec": {"replicas": 0, "minReadySeconds": 0, "paused": false, "strategy": {}, "template": {"spec": {
            "containers": [{"name": "web", "args": [], "env": [{"name": "EMPTY", "value": ""}],
                "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}, "requests": {"cpu": 1}},
                "livenessProbe": {"httpGet": {"port": 80}}}],
            "tolerations": [{"operator": "Exists"}, {"operator": "Exists", "effect": "NoExecute"}]}}}});
        let live = json!({"metadata": {"uid": "1", "annotations": {"deployment.kubernetes.io/revision": "3"}}, "status": {},
            "spec": {"replicas": 0, "progressDeadlineSeconds": 600, "strategy": {"type": "RollingUpdate"}, "template": {"spec": {
            "restartPolicy": "Always", "securityContext": {},
            "containers": [{"name": "web", "env": [{"name": "EMPTY"}], "terminationMessagePath": "/dev/termination-log",
                "resources": {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1"}},
                "livenessProbe": {"httpGet": {"port": 80, "path": "/", "scheme": "HTTP"}, "periodSeconds": 10}}],
            "tolerations": [{"operator": "Exists"}, {"operator": "Exists", "effect": "NoExecute"}]}}}});
        assert_eq!(told(&told_it, &told_it, Some(&live)), [""; 0]);
        // The same amounts elsewhere are text.
        let value = |text: &str| json!({"data": {"cpu": text}});
        assert_eq!(told(&value("1000m"), &value("1"), None).len(), 1);
    }

    #[test]
    fn drift_is_told_from_change() {
        let of = |replicas: u8, image: &str| json!({"spec": {"replicas": replicas, "image": image}});
        assert_eq!(told(&of(1, "a"), &of(1, "a"), Some(&of(3, "a"))), ["Drift spec.replicas: 1 1 3"]);
        assert_eq!(told(&of(1, "a"), &of(2, "a"), Some(&of(3, "a"))), ["Change spec.replicas: 1 2 3"]);
        assert_eq!(told(&of(1, "a"), &of(2, "a"), Some(&of(1, "a"))), ["Change spec.replicas: 1 2 -"]);
        assert_eq!(told(&of(1, "a"), &of(1, "a"), Some(&json!({"spec": {"replicas": 1}}))), ["Drift spec.image: \"a\" \"a\" -"]);
        // What was put there beside stays: a variable, a key; not what controllers write.
        let live = json!([{"name": "web", "env": [{"name": "EVIL", "value": "1"}], "ports": [{"containerPort": 9}]}]);
        let plain = pod(&json!([{"name": "web"}]));
        assert_eq!(
            told(&plain, &plain, Some(&pod(&live))),
            [r#"Extra spec.template.spec.containers[web].env: - - [{"name":"EVIL","value":"1"}]"#]
        );
        let (config, more) = (json!({"data": {"a": "1"}}), json!({"data": {"a": "1", "b": "2"}}));
        assert_eq!(told(&config, &config, Some(&more)), ["Extra data.b: - - \"2\""]);
    }

    #[test]
    fn the_server_keeps_what_is_not_ours() {
        let (recorded, planned) = (
            json!({"spec": {"a": 1, "b": 1, "list": [{"name": "x"}, {"name": "y"}]}}),
            json!({"spec": {"a": 2, "list": [{"name": "y", "v": 1}]}}),
        );
        let live = json!({"status": 1, "spec": {"a": 9, "b": 1, "c": 1, "list": [{"name": "x"}, {"name": "y", "d": 1}, {"name": "z"}]}});
        let wanted = json!({"status": 1, "spec": {"a": 2, "c": 1, "list": [{"name": "y", "d": 1, "v": 1}, {"name": "z"}]}});
        assert_eq!(merged(Some(&recorded), &planned, &live), wanted);
    }

    /// Trees as manifests have them, without null.
    fn tree() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![any::<bool>().prop_map(Json::from), (0..4_i32).prop_map(Json::from), "[ab]?".prop_map(Json::from)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop_oneof![Just("name".to_owned()), Just("env".to_owned()), Just("limits".to_owned()), "[ab./]"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::vec(("[abc]", inner.clone()), 0..4)
                    .prop_map(|items| items.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()),
                prop::collection::btree_map(key, inner, 0..4).prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself(one in tree()) {
            prop_assert_eq!(fields(States { recorded: Some(&one), planned: Some(&one), live: Some(&one) }), vec![]);
        }

        #[test]
        fn who_takes_over_all_has_the_other(one in tree(), other in tree()) {
            let (one, other) = (json!({"spec": one}), json!({"spec": other}));
            prop_assert_eq!(merged(Some(&one), &other, &one), other.clone());
            let found = fields(States { recorded: Some(&one), planned: Some(&other), live: None });
            prop_assert_eq!(found.is_empty(), equal("", &one, &other), "{:?}", found);
        }
    }
}
