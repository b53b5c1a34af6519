//! Every check, on any values: no panic, and every problem has a place and says what to write.
#![no_main]

use std::fs;

use lain::lint::{self, Surroundings};
use lain::resolved::layers::{Layers, Wanted};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("chart")).expect("a folder");
    fs::write(folder.path().join("chart/values.yaml"), text).expect("values");
    let Ok(layers) = Layers::load(folder.path(), &Wanted::default()) else { return };
    for problem in lint::check(&layers, &Surroundings::default()) {
        assert!(problem.at.line >= 1 && !problem.message.is_empty() && !problem.hint.is_empty(), "{problem:?}");
    }
});
