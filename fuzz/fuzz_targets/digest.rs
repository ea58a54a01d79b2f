//! A digest, as in a path or a manifest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_core::Digest;

fuzz_target!(|text: &str| {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
});
