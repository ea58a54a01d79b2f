//! An Entra token in a request. No token made up here is accepted.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sealock_core::Clock;
use sealock_entra::{Directory, TokenIssuer};
use sealock_envelope::ServiceKey;
use sealock_store::Store;
use tokio::runtime::{Builder, Runtime};

static ISSUER: LazyLock<(Runtime, TokenIssuer)> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let directory = Directory::open(Store::ephemeral(), Clock::system());
    let directory = runtime.block_on(directory).expect("a directory");
    let issuer = TokenIssuer::new(directory, Arc::new(ServiceKey::random()));
    (runtime, issuer)
});

fuzz_target!(|token: &str| {
    let (runtime, issuer) = &*ISSUER;
    let verified = runtime.block_on(issuer.verify(token, &["https://vault.azure.net"]));
    assert!(verified.is_err(), "{verified:?}");
});
