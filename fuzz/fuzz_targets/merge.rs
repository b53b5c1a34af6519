//! Merging loses no key, and merging the same file again changes nothing.
#![no_main]

use std::path::Path;

use lain::values::merge::{coalesce, overlay};
use lain::values::parse::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let read = |text: &str| parse(Path::new("values.yaml"), text.to_owned());
    let (Ok(one), Ok(other)) = (read(texts.0), read(texts.1)) else { return };
    let mut merged = one.clone();
    overlay(&mut merged, &other);
    let once = merged.to_json();
    overlay(&mut merged, &other);
    assert_eq!(merged.to_json(), once);
    for key in one.as_map().into_iter().chain(other.as_map()).flat_map(|map| map.keys()) {
        assert!(once.get(key).is_some());
    }
    let _ = coalesce(&one, &other).to_json();
});
