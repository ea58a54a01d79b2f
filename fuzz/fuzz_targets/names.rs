//! The names in paths, queries and scopes.
#![no_main]

use std::{fmt::Display, str::FromStr};

use libfuzzer_sys::fuzz_target;
use sealock_core::{
    ApplicationName, IdentityName, KeyIdentifier, KeyName, KeyVersion, Kid, ObjectId, RegistryName,
    ScopeMapName, TokenName, VaultName,
};
use sealock_registry::{Reference, RepositoryName, Scope, ScopeMapAction, Tag, UploadId};

/// Checks that the text form of a parsed name parses to the same name.
fn check_round_trip<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        let written = name.to_string();
        let again = written.parse::<T>().ok().map(|name| name.to_string());
        assert_eq!(again, Some(written));
    }
}

fuzz_target!(|text: &str| {
    check_round_trip::<ApplicationName>(text);
    check_round_trip::<IdentityName>(text);
    check_round_trip::<KeyIdentifier>(text);
    check_round_trip::<KeyName>(text);
    check_round_trip::<KeyVersion>(text);
    check_round_trip::<Kid>(text);
    check_round_trip::<ObjectId>(text);
    check_round_trip::<RegistryName>(text);
    check_round_trip::<ScopeMapName>(text);
    check_round_trip::<TokenName>(text);
    check_round_trip::<VaultName>(text);
    check_round_trip::<Reference>(text);
    check_round_trip::<RepositoryName>(text);
    check_round_trip::<Scope>(text);
    check_round_trip::<ScopeMapAction>(text);
    check_round_trip::<Tag>(text);
    check_round_trip::<UploadId>(text);
});
