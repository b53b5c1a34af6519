//! `lain env addfile`: names are names, and nothing of a refused line is repeated.
#![no_main]

use std::path::Path;

use lain::model::dotenv;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = dotenv::read(Path::new("my.env"), text).count();
});
