//! The first bytes of a connection, as they come one by one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_emulator::Protocol;

fuzz_target!(|first: &[u8]| {
    let told = (0..=first.len()).find_map(|length| Protocol::of(&first[..length]));
    // More bytes do not change what was told.
    assert_eq!(told, Protocol::of(first));
    assert!(told.is_some() || first.len() < 24);
});
