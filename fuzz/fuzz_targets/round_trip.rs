//! What is written is read back.
#![no_main]

use std::path::Path;

use lain::values::parse::parse;
use lain::values::write::to_yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: Vec<(&str, &str)>| {
    let map: serde_json::Map<String, serde_json::Value> = texts.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let tree = serde_json::json!({"texts": map, "list": map.values().collect::<Vec<_>>()});
    let text = to_yaml(&tree);
    let read = parse(Path::new("values.yaml"), text.clone()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(read.to_json(), tree, "{text}");
});
