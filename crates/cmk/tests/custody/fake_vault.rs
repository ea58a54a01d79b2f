use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use jiff::Timestamp;
use sealock_cmk::{Cause, KeyFacts, KeyVault, VaultError};
use sealock_core::{ClientId, KeyIdentifier, Kid};
use zeroize::Zeroizing;

/// A vault that "wraps" a key by putting the kid before it.
#[derive(Default)]
pub(crate) struct FakeVault {
    pub(crate) unwraps: AtomicUsize,
    pub(crate) state: Mutex<State>,
}

/// A change of the vault's state.
pub(crate) type Change = fn(&mut State);

pub(crate) struct State {
    pub(crate) current: String,
    pub(crate) kty: &'static str,
    pub(crate) enabled: bool,
    pub(crate) refuses_unwrap: Option<Cause>,
    pub(crate) refuses_wrap: Option<Cause>,
    pub(crate) fails_with: Option<io::ErrorKind>,
    pub(crate) unwraps_to: Option<Vec<u8>>,
    pub(crate) identity_deletion: Option<Timestamp>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            current: version(1),
            kty: "RSA",
            enabled: true,
            refuses_unwrap: None,
            refuses_wrap: None,
            fails_with: None,
            unwraps_to: None,
            identity_deletion: None,
        }
    }
}

pub(crate) fn version(n: u8) -> String {
    format!("{n:032x}")
}

#[async_trait]
impl KeyVault for FakeVault {
    async fn identity_deletion(&self, _: ClientId) -> Result<Option<Timestamp>, VaultError> {
        Ok(self.state.lock().unwrap().identity_deletion)
    }

    async fn judge_unwrap(&self, _: ClientId, _: &Kid) -> Result<(), VaultError> {
        match self.state.lock().unwrap().refuses_unwrap {
            Some(cause) => Err(cause.into()),
            None => Ok(()),
        }
    }

    async fn get_key(&self, _: ClientId, key: &KeyIdentifier) -> Result<KeyFacts, VaultError> {
        let state = self.state.lock().unwrap();
        let version = key
            .version
            .clone()
            .map_or(state.current.clone(), String::from);
        Ok(KeyFacts {
            kid: format!("{}/{}/{version}", key.vault, key.key)
                .parse()
                .unwrap(),
            kty: state.kty.to_owned(),
            enabled: state.enabled,
            purge_protection: false,
        })
    }

    async fn wrap_key(
        &self,
        _: ClientId,
        kid: &Kid,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        match self.state.lock().unwrap().refuses_wrap {
            Some(cause) => Err(cause.into()),
            None => Ok([kid.to_string().as_bytes(), plaintext].concat()),
        }
    }

    async fn unwrap_key(
        &self,
        _: ClientId,
        kid: &Kid,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let state = self.state.lock().unwrap();
        if let Some(cause) = state.refuses_unwrap {
            return Err(cause.into());
        }
        if let Some(kind) = state.fails_with {
            return Err(VaultError::Store(io::Error::from(kind).into()));
        }
        let plaintext = wrapped.strip_prefix(kid.to_string().as_bytes());
        let plaintext = plaintext.ok_or(Cause::KeyNotFound)?.to_vec();
        Ok(Zeroizing::new(
            state.unwraps_to.clone().unwrap_or(plaintext),
        ))
    }
}
