//! Other names of keys, as the older tool took them.

use std::borrow::Cow;

use schemars::Schema;
use serde_json::Value as Json;

use crate::values::merge::overlay;
use crate::values::node::{Node, Value};

/// A key, then its aliases. Of maps later ones win, lists are put together: as in the chart's templates.
pub const ALIASES: &[(&str, &[&str])] = &[
    ("deployments", &["deploy", "deployment"]),
    ("statefulSets", &["sts", "statefulSet", "statefulset"]),
    ("cronjobs", &["cronjob"]),
    ("jobs", &["job"]),
    ("ingresses", &["ingress", "ing"]),
    ("externalIngresses", &["externalIngress", "externalIng"]),
];

/// The values with everything under the key itself. Positions stay. Most files have no alias, and are not copied.
pub fn canonical(root: &Node) -> Cow<'_, Node> {
    let has_alias =
        root.as_map().is_some_and(|map| ALIASES.iter().any(|(_, aliases)| aliases.iter().any(|alias| map.contains_key(*alias))));
    if !has_alias {
        return Cow::Borrowed(root);
    }
    let mut root = root.clone();
    let Value::Map(map) = &mut root.value else { return Cow::Owned(root) };
    for (key, aliases) in ALIASES {
        for alias in *aliases {
            let Some(entry) = map.shift_remove(*alias) else { continue };
            match (map.get_mut(*key), &entry.node.value) {
                (_, Value::Null) => {}
                (Some(known), Value::Seq(more)) if matches!(known.node.value, Value::Seq(_)) => {
                    if let Value::Seq(items) = &mut known.node.value {
                        items.extend(more.iter().cloned());
                    }
                }
                (Some(known), _) => overlay(&mut known.node, &entry.node),
                (None, _) => {
                    map.insert((*key).to_owned(), entry);
                }
            }
        }
    }
    Cow::Owned(root)
}

/// Gives every alias the schema of its key.
pub fn add_aliases(schema: &mut Schema) {
    let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) else { return };
    for (key, aliases) in ALIASES {
        let Some(known) = properties.get(*key).cloned() else { continue };
        for alias in *aliases {
            let mut own = known.clone();
            own["description"] = format!("Another name of `{key}`.").into();
            properties.insert((*alias).to_owned(), own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::parse::parse;
    use std::path::Path;

    #[test]
    fn aliases_become_their_key() {
        let text = "appname: a\ndeployments: {web: {replicaCount: 1}}\ndeploy: {web: {replicaCount: 2}, api: {}}\ning: [{host: b}]\nsts:\n";
        let node = parse(Path::new("v.yaml"), text.to_owned()).expect("parses");
        assert_eq!(
            canonical(&node).to_json().to_string(),
            r#"{"appname":"a","deployments":{"web":{"replicaCount":2},"api":{}},"ingresses":[{"host":"b"}]}"#
        );
    }
}
