//! Quantities: ordered, and their own words mean the same.
#![no_main]

use lain::model::quantity::Quantity;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (Ok(one), Ok(other)) = (Quantity::parse(texts.0), Quantity::parse(texts.1)) else { return };
    assert_eq!(one < other, other > one);
    let _ = (one.millis(), one.bytes());
    if !one.is_negative() {
        assert!(Quantity::parse(&one.as_cpu()).is_ok() && Quantity::parse(&one.as_memory()).is_ok());
    }
});
