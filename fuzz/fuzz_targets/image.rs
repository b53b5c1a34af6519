//! Image references and tags: what is read is written as it was.
#![no_main]

use lain::model::image::{ImageReference, is_tag};
use lain::model::tag::{sha_of_tag, time_of_tag};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(image) = ImageReference::parse(text) {
        assert!(!image.repository.is_empty());
        assert!(image.tag.as_deref().is_none_or(is_tag));
        let again = ImageReference::parse(&image.to_string()).expect("its own words");
        assert_eq!(again, image);
    }
    let _ = (is_tag(text), sha_of_tag(text), time_of_tag(text));
});
