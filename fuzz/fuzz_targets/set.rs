//! `--set`: what is escaped stays one value.
#![no_main]

use lain::values::node::Node;
use lain::values::set::{escape_value, parse_set};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = parse_set(text, false);
    let node = parse_set(&format!("key={}", escape_value(text)), true).expect("an escaped value is one value");
    assert_eq!(node.get("key").and_then(Node::as_str), Some(text));
    assert_eq!(node.as_map().map(|map| map.len()), Some(1));
});
