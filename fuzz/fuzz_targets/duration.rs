//! Durations.
#![no_main]

use lain::model::duration::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(why) = parse(text) {
        assert!(!why.is_empty());
    }
});
