//! Schedules of cronjobs.
#![no_main]

use lain::model::schedule::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(why) = check(text) {
        assert!(!why.is_empty());
    }
});
