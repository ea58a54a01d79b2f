//! Whether a key version can be used: enabled, its time, what it is for.

use jiff::{SignedDuration, Timestamp};
use sealock_vault::{
    Encrypted, EncryptionAlgorithm, KeyChange, KeyOperation, KeyPermission, Sha, SignatureAlgorithm,
};

use crate::calls::KeyUse;
use crate::world::{SECRET, World, wire};

const ALGORITHM: EncryptionAlgorithm = EncryptionAlgorithm::RsaOaep256;
const SIGNATURE: SignatureAlgorithm = SignatureAlgorithm::Ps(Sha::Sha256);
const DIGEST: &[u8] = &[7; 32];
const MAKING: [KeyOperation; 3] = [
    KeyOperation::Encrypt,
    KeyOperation::WrapKey,
    KeyOperation::Sign,
];
const READING: [KeyOperation; 3] = [
    KeyOperation::Decrypt,
    KeyOperation::UnwrapKey,
    KeyOperation::Verify,
];
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What was encrypted, wrapped and signed while it was possible.
struct Made([Vec<u8>; 3]);

impl World {
    async fn with_everything_made() -> (Self, Made) {
        let world = Self::new().await;
        world.create_key().await.unwrap();
        world.grant(&[KeyPermission::All]).await;
        let mut made = Vec::new();
        for operation in MAKING {
            let nothing = Made([const { Vec::new() }; 3]);
            made.push(world.use_for(operation, &nothing).await.unwrap());
        }
        (world, Made(made.try_into().unwrap()))
    }

    async fn use_for(
        &self,
        operation: KeyOperation,
        Made([encrypted, wrapped, signed]): &Made,
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
            other => panic!("{other} is no use"),
        };
        let used = self.use_as(&self.caller, &self.identifier(), usage).await;
        used.map(|bytes| bytes.to_vec())
    }

    async fn serves(&self, operations: &[KeyOperation], made: &Made) {
        for operation in operations {
            let served = self.use_for(*operation, made).await.unwrap();
            match operation {
                KeyOperation::Decrypt | KeyOperation::UnwrapKey => assert_eq!(served, SECRET),
                KeyOperation::Verify => assert_eq!(served, [1], "valid"),
                _ => {}
            }
        }
    }

    async fn refuses_use(&self, operations: &[KeyOperation], made: &Made, inner: &str) {
        for operation in operations {
            assert_eq!(
                wire(self.use_for(*operation, made).await),
                (403, "Forbidden", Some(inner)),
                "{operation}"
            );
        }
    }

    async fn valid(&self, not_before: Option<Timestamp>, expires: Option<Timestamp>) {
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
async fn outside_its_time_a_key_makes_nothing_new_and_reads_what_it_made() {
    let (world, made) = World::with_everything_made().await;
    let now = world.clock.now();
    world.valid(Some(now + HOUR), Some(now + HOUR * 2)).await;
    let second = SignedDuration::from_secs(1);

    world.refuses_use(&MAKING, &made, "KeyNotYetValid").await;
    world.serves(&READING, &made).await;
    world.pass(HOUR - second);
    world.refuses_use(&MAKING, &made, "KeyNotYetValid").await;
    world.pass(second);
    world.serves(&MAKING, &made).await;
    world.pass(HOUR - second);
    world.serves(&MAKING, &made).await;
    world.pass(second);
    world.refuses_use(&MAKING, &made, "KeyExpired").await;
    world.serves(&READING, &made).await;
    let identifier = world.identifier();
    let got = world.vaults.get_key(&world.caller, &identifier).await;
    assert_eq!(got.unwrap().attributes.expires, Some(now + HOUR * 2));

    world.valid(None, Some(now + HOUR * 3)).await;
    world.serves(&MAKING, &made).await;
}

#[tokio::test]
async fn a_disabled_key_does_nothing_at_all() {
    let (world, made) = World::with_everything_made().await;
    let kid = world.shown().await.unwrap().current.kid;
    world.set_enabled(&kid, false).await.unwrap();
    world.refuses_use(&MAKING, &made, "KeyDisabled").await;
    world.refuses_use(&READING, &made, "KeyDisabled").await;
    world.set_enabled(&kid, true).await.unwrap();
    world.serves(&READING, &made).await;
}

#[tokio::test]
async fn a_key_is_for_what_its_operations_say() {
    let (world, made) = World::with_everything_made().await;
    for operation in MAKING.into_iter().chain(READING) {
        let change = KeyChange {
            key_ops: Some(vec![operation]),
            ..KeyChange::default()
        };
        let (_, changed) = world.update(change).await.unwrap();
        assert_eq!(changed.key_ops, [operation]);
        world.serves(&[operation], &made).await;
        let others: Vec<_> = MAKING
            .into_iter()
            .chain(READING)
            .filter(|other| *other != operation)
            .collect();
        world
            .refuses_use(&others, &made, "KeyOperationForbidden")
            .await;
    }
}

/// What an update does not name stays, and other versions do.
#[tokio::test]
async fn an_update_changes_one_version_and_what_it_names() {
    let world = World::new().await;
    let first = world.create_ec_key().await.unwrap().current;
    let second = world.create_ec_key().await.unwrap().current;
    world.pass(HOUR);
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
    assert_eq!(world.shown().await.unwrap().older, [expected]);
}
