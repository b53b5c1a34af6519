//! JSON Schema (draft 2020-12) of values, derived from the model.
//!
//! Beside the standard's keywords, `format` names a grammar of ours (`label`, `quantity`, `duration`, `schedule`, `keep`: annotations to any validator) and
//! `x-lint` the check that a range belongs to.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::app::App;
use super::cluster::Cluster;

/// The schema of `chart/values.yaml`.
pub(crate) fn values() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| of::<App>("chart/values.yaml of an app"))
}

/// The schema of `values-CLUSTER.yaml`.
pub(crate) fn cluster() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| of::<Cluster>("values-CLUSTER.yaml of a cluster"))
}

/// The properties of a schema's definition: `Proc`, or `None` for the root.
pub(crate) fn keys(schema: &'static Json, definition: Option<&str>) -> impl Iterator<Item = &'static str> {
    let at = definition.map_or(schema, |name| &schema["$defs"][name]);
    at["properties"].as_object().into_iter().flat_map(|map| map.keys().map(String::as_str))
}

/// The schema of a type.
pub(crate) fn of<T: JsonSchema>(title: &str) -> Json {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    // What it is comes first.
    let head = serde_json::json!({"$schema": schema["$schema"], "title": title, "description": schema["description"]});
    let mut all = head.as_object().cloned().unwrap_or_default();
    for (key, value) in schema.as_object().cloned().unwrap_or_default() {
        all.entry(key).or_insert(value);
    }
    Json::Object(all)
}
