//! A digest, as a path or a manifest has it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_core::Digest;

fuzz_target!(|text: &str| {
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
});
