//! A values file: refused with a place, or read; and where each node stands lies in the file.
#![no_main]

use std::path::Path;

use lain::values::node::{Node, Value};
use lain::values::parse::parse;
use libfuzzer_sys::fuzz_target;

fn places(node: &Node, lines: usize) {
    assert!(node.span.line >= 1 && node.span.line <= lines + 1 && node.span.column >= 1 && node.span.length >= 1);
    let _ = node.span.location();
    match &node.value {
        Value::Seq(items) => items.iter().for_each(|item| places(item, lines)),
        Value::Map(map) => map.values().for_each(|entry| places(&entry.node, lines)),
        _ => {}
    }
}

fuzz_target!(|text: &str| {
    match parse(Path::new("values.yaml"), text.to_owned()) {
        Ok(node) => places(&node, text.matches(['\n', '\r']).count() + 1),
        Err(error) => assert!(!error.message().is_empty()),
    }
});
