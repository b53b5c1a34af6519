//! An edit of one value: refused, or a file that differs in that value alone.
#![no_main]

use std::path::Path;

use lain::values::edit::set;
use lain::values::parse::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, &str, &str)| {
    let (text, first, second, value) = input;
    let path: Vec<String> = [first, second].iter().filter(|key| !key.is_empty()).map(|key| (*key).to_owned()).collect();
    if path.is_empty() {
        return;
    }
    let Ok(after) = set(text, &path, value) else { return };
    let read = |text: &str| parse(Path::new("values.yaml"), text.to_owned()).expect("it is still a values file").to_json();
    let (before, after) = (read(text), read(&after));
    for (key, value) in before.as_object().into_iter().flatten() {
        assert!(*key == path[0] || after.get(key) == Some(value), "{key} changed");
    }
});
