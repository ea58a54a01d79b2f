//! The first bytes of a connection, which arrive one by one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_emulator::Protocol;

fuzz_target!(|first: &[u8]| {
    let detected = (0..=first.len()).find_map(|length| Protocol::detect(&first[..length]));
    // More bytes do not change the detected protocol.
    assert_eq!(detected, Protocol::detect(first));
    assert!(detected.is_some() || first.len() < 24);
});
