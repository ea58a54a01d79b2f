//! Everything that a path, a query or a scope names.
#![no_main]

use std::{fmt::Display, str::FromStr};

use libfuzzer_sys::fuzz_target;
use sealock_core::{
    ApplicationName, IdentityName, KeyIdentifier, KeyName, KeyVersion, Kid, ObjectId, RegistryName,
    ScopeMapName, TokenName, VaultName,
};
use sealock_registry::{Reference, RepositoryName, Scope, ScopeMapAction, Tag, UploadId};

/// What was taken is written so that it is taken again, for the same.
fn holds<T: FromStr + Display>(text: &str) {
    if let Ok(name) = text.parse::<T>() {
        let written = name.to_string();
        let again = written.parse::<T>().ok().map(|name| name.to_string());
        assert_eq!(again, Some(written));
    }
}

fuzz_target!(|text: &str| {
    holds::<ApplicationName>(text);
    holds::<IdentityName>(text);
    holds::<KeyIdentifier>(text);
    holds::<KeyName>(text);
    holds::<KeyVersion>(text);
    holds::<Kid>(text);
    holds::<ObjectId>(text);
    holds::<RegistryName>(text);
    holds::<ScopeMapName>(text);
    holds::<TokenName>(text);
    holds::<VaultName>(text);
    holds::<Reference>(text);
    holds::<RepositoryName>(text);
    holds::<Scope>(text);
    holds::<ScopeMapAction>(text);
    holds::<Tag>(text);
    holds::<UploadId>(text);
});
