//! The cost of a lease: while nothing changes, and after a change.
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no value")]

use std::sync::Arc;

use async_trait::async_trait;
use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use sealock_cmk::{Custodian, Encryption, Identity, KeyFacts, KeyVault, Settings, Sku, VaultError};
use sealock_core::{ClientId, Clock, KeyIdentifier, Kid, PublicName, RegistryId};
use sealock_envelope::ServiceKey;
use sealock_store::{Batch, Store, Table};
use tokio::runtime::Runtime;
use zeroize::Zeroizing;

const ANY_CONTROL_TABLE: Table<u32> = Table::control("any");

/// A vault that costs nothing, so that the benchmark measures the gate alone.
struct FreeVault;

#[async_trait]
impl KeyVault for FreeVault {
    async fn judge_unwrap(&self, _: ClientId, _: &Kid) -> Result<(), VaultError> {
        Ok(())
    }

    async fn get_key(&self, _: ClientId, key: &KeyIdentifier) -> Result<KeyFacts, VaultError> {
        let kid = format!("{}/{}/{:032x}", key.vault, key.key, 1);
        Ok(KeyFacts {
            kid: kid.parse().unwrap(),
            kty: "RSA".to_owned(),
            enabled: true,
            purge_protection: true,
        })
    }

    async fn wrap_key(
        &self,
        _: ClientId,
        _: &Kid,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        Ok(plaintext.to_vec())
    }

    async fn unwrap_key(
        &self,
        _: ClientId,
        _: &Kid,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        Ok(Zeroizing::new(wrapped.to_vec()))
    }

    async fn identity_deletion(&self, _: ClientId) -> Result<Option<Timestamp>, VaultError> {
        Ok(None)
    }
}

fn gate(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let store = Store::ephemeral();
    let custodian = Custodian::new(
        store.clone(),
        Arc::new(ServiceKey::random()),
        Arc::new(FreeVault),
        Clock::system(),
        PublicName::parse("localhost", 5000).unwrap(),
        &Settings::default(),
    );
    let registry = RegistryId::random();
    let encryption = Encryption {
        key: Some("kv1/k1".parse().unwrap()),
        identity: Some(Identity::UserAssigned(ClientId::random())),
    };
    let name = "registry".parse().unwrap();
    let establish = custodian.establish(registry, &name, Sku::Premium, &encryption, Batch::new());
    let batch = runtime.block_on(establish).unwrap();
    let _unconditional = runtime.block_on(store.commit(batch)).unwrap();
    let custody = runtime.block_on(custodian.custody(registry, true)).unwrap();

    let mut group = criterion.benchmark_group("gate");
    group.bench_function("lease while nothing changes", |bencher| {
        bencher.iter(|| runtime.block_on(custody.lease()).unwrap());
    });
    group.bench_function("control commit and the lease after it", |bencher| {
        bencher.iter(|| {
            let batch = Batch::new().put(&ANY_CONTROL_TABLE, &["x"], &0);
            let _unconditional = runtime.block_on(store.commit(batch)).unwrap();
            runtime.block_on(custody.lease()).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, gate);
criterion_main!(benches);
