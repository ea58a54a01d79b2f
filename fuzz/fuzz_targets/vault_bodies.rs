//! The JSON that clients send to a vault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_http::json;
use sealock_vault::{JsonWebKey, ReleaseRules, http::RotationPolicyBody};

fuzz_target!(|bytes: &[u8]| {
    let _ = json::parse_object::<JsonWebKey>(bytes);
    if let Ok(body) = json::parse_object::<RotationPolicyBody>(bytes) {
        let _ = body.policy();
    }
    if let Ok(rules) = ReleaseRules::from_json(bytes) {
        let written = serde_json::to_vec(&rules).expect("rules are JSON");
        let again = ReleaseRules::from_json(&written).expect("the written rules parse");
        assert_eq!(serde_json::to_vec(&again).expect("rules are JSON"), written);
    }
});
