//! The uses of a key version by its state: enabled, validity period, key operations.

use jiff::{SignedDuration, Timestamp};
use sealock_vault::{
    Encrypted, EncryptionAlgorithm, KeyChange, KeyOperation, KeyPermission, Sha, SignatureAlgorithm,
};

use crate::calls::KeyUse;
use crate::world::{SECRET, World, wire};

const ALGORITHM: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;
const SIGNATURE: SignatureAlgorithm = SignatureAlgorithm::Ps(Sha::Sha256);
const DIGEST: &[u8] = &[7; 32];
/// Operations that the validity period restricts.
const TIME_BOUND: [KeyOperation; 3] = [
    KeyOperation::Encrypt,
    KeyOperation::WrapKey,
    KeyOperation::Sign,
];
/// Operations that work outside the validity period.
const TIMELESS: [KeyOperation; 3] = [
    KeyOperation::Decrypt,
    KeyOperation::UnwrapKey,
    KeyOperation::Verify,
];
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A ciphertext, a wrapped key and a signature of the key.
struct Results([Vec<u8>; 3]);

impl World {
    async fn with_results() -> (Self, Results) {
        let world = Self::new().await;
        world.create_key().await.unwrap();
        world.grant(&[KeyPermission::All]).await;
        let mut results = Vec::new();
        for operation in TIME_BOUND {
            let nothing = Results([const { Vec::new() }; 3]);
            results.push(world.use_for(operation, &nothing).await.unwrap());
        }
        (world, Results(results.try_into().unwrap()))
    }

    async fn use_for(
        &self,
        operation: KeyOperation,
        Results([encrypted, wrapped, signed]): &Results,
    ) -> sealock_vault::Result<Vec<u8>> {
        let usage = match operation {
            KeyOperation::Encrypt => KeyUse::Encrypt {
                algorithm: ALGORITHM,
                plaintext: SECRET.to_vec().into(),
                iv: None,
                aad: None,
            },
            KeyOperation::Decrypt => KeyUse::Decrypt {
                algorithm: ALGORITHM,
                encrypted: Encrypted {
                    ciphertext: encrypted.clone(),
                    ..Encrypted::default()
                },
                aad: None,
            },
            KeyOperation::WrapKey => KeyUse::WrapKey {
                algorithm: ALGORITHM,
                value: SECRET.to_vec().into(),
            },
            KeyOperation::UnwrapKey => KeyUse::UnwrapKey {
                algorithm: ALGORITHM,
                value: wrapped.clone(),
            },
            KeyOperation::Sign => KeyUse::Sign {
                algorithm: SIGNATURE,
                digest: DIGEST.to_vec(),
            },
            KeyOperation::Verify => KeyUse::Verify {
                algorithm: SIGNATURE,
                digest: DIGEST.to_vec(),
                signature: signed.clone(),
            },
            other => panic!("{other} does not use a key"),
        };
        let used = self.use_as(&self.registry, &self.identifier(), usage).await;
        used.map(|bytes| bytes.to_vec())
    }

    async fn assert_serves(&self, operations: &[KeyOperation], results: &Results) {
        for operation in operations {
            let served = self.use_for(*operation, results).await.unwrap();
            match operation {
                KeyOperation::Decrypt | KeyOperation::UnwrapKey => assert_eq!(served, SECRET),
                KeyOperation::Verify => assert_eq!(served, [1], "valid"),
                _ => {}
            }
        }
    }

    async fn assert_refuses(&self, operations: &[KeyOperation], results: &Results, inner: &str) {
        for operation in operations {
            assert_eq!(
                wire(self.use_for(*operation, results).await),
                (403, "Forbidden", Some(inner)),
                "{operation}"
            );
        }
    }

    async fn set_validity(&self, not_before: Option<Timestamp>, expires: Option<Timestamp>) {
        let change = KeyChange {
            not_before,
            expires,
            ..KeyChange::default()
        };
        self.update(change).await.unwrap();
    }
}

/// <https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#date-time-controlled-operations>
#[tokio::test]
async fn key_outside_its_validity_only_decrypts_unwraps_and_verifies() {
    let (world, results) = World::with_results().await;
    let now = world.clock.now();
    world
        .set_validity(Some(now + HOUR), Some(now + HOUR * 2))
        .await;
    let second = SignedDuration::from_secs(1);

    world
        .assert_refuses(&TIME_BOUND, &results, "KeyNotYetValid")
        .await;
    world.assert_serves(&TIMELESS, &results).await;
    world.advance(HOUR - second);
    world
        .assert_refuses(&TIME_BOUND, &results, "KeyNotYetValid")
        .await;
    world.advance(second);
    world.assert_serves(&TIME_BOUND, &results).await;
    world.advance(HOUR - second);
    world.assert_serves(&TIME_BOUND, &results).await;
    world.advance(second);
    world
        .assert_refuses(&TIME_BOUND, &results, "KeyExpired")
        .await;
    world.assert_serves(&TIMELESS, &results).await;
    let identifier = world.identifier();
    let got = world.vaults.get_key(&world.registry, &identifier).await;
    assert_eq!(got.unwrap().attributes.expires, Some(now + HOUR * 2));

    world.set_validity(None, Some(now + HOUR * 3)).await;
    world.assert_serves(&TIME_BOUND, &results).await;
}

#[tokio::test]
async fn disabled_key_refuses_every_operation() {
    let (world, results) = World::with_results().await;
    let kid = world.whole_key().await.unwrap().current.kid;
    world.set_enabled(&kid, false).await.unwrap();
    world
        .assert_refuses(&TIME_BOUND, &results, "KeyDisabled")
        .await;
    world
        .assert_refuses(&TIMELESS, &results, "KeyDisabled")
        .await;
    world.set_enabled(&kid, true).await.unwrap();
    world.assert_serves(&TIMELESS, &results).await;
}

#[tokio::test]
async fn key_serves_only_its_key_ops() {
    let (world, results) = World::with_results().await;
    for operation in TIME_BOUND.into_iter().chain(TIMELESS) {
        let change = KeyChange {
            key_ops: Some(vec![operation]),
            ..KeyChange::default()
        };
        let (_, changed) = world.update(change).await.unwrap();
        assert_eq!(changed.key_ops, [operation]);
        world.assert_serves(&[operation], &results).await;
        let others: Vec<_> = TIME_BOUND
            .into_iter()
            .chain(TIMELESS)
            .filter(|other| *other != operation)
            .collect();
        world
            .assert_refuses(&others, &results, "KeyOperationForbidden")
            .await;
    }
}

#[tokio::test]
async fn update_changes_only_the_given_fields_of_one_version() {
    let world = World::new().await;
    let first = world.create_ec_key().await.unwrap().current;
    let second = world.create_ec_key().await.unwrap().current;
    world.advance(HOUR);
    let expires = Some(world.clock.now() + HOUR);
    let tags = [("purpose".to_owned(), "test".to_owned())].into();
    let change = KeyChange {
        expires,
        tags: Some(tags),
        ..KeyChange::default()
    };
    let vaults = &world.vaults;
    let (key, changed) = vaults
        .update_key(
            &crate::world::operator(),
            &first.kid.identifier(),
            Ok(change),
        )
        .await
        .unwrap();
    let mut expected = first.clone();
    expected.attributes.expires = expires;
    expected.attributes.updated = world.clock.now();
    expected.tags = [("purpose".to_owned(), "test".to_owned())].into();
    assert_eq!(changed, expected);
    assert_eq!(
        (&key.current, &key.older[..]),
        (&second, &[expected.clone()][..])
    );

    world.set_enabled(&first.kid, false).await.unwrap();
    expected.attributes.enabled = false;
    assert_eq!(world.whole_key().await.unwrap().older, [expected]);
}
