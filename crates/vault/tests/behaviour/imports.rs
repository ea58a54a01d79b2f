use sealock_vault::{
    Curve, ImportedKey, Key, KeyChange, KeyOperation, KeyType, PublicKey, Result,
    SignatureAlgorithm, VaultSettings, VaultSku,
};

use crate::calls::KeyUse;
use crate::world::{World, operator, wire};

/// The members but `kty` of the EC key in RFC 7517, A.2.
pub(crate) const EC: &str = r#""crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE""#;
pub(crate) const OCT: &str = r#""k":"AAECAwQFBgcICQoLDA0ODw""#;

impl World {
    pub(crate) async fn import(
        &self,
        kty: &str,
        rest: &str,
        hsm: bool,
        change: KeyChange,
    ) -> Result<Key> {
        let jwk = format!(r#"{{"kty":"{kty}",{rest}}}"#);
        let imported = ImportedKey {
            key: serde_json::from_str(&jwk).unwrap(),
            hsm,
            change,
        };
        self.vaults
            .import_key(&operator(), &self.vault, &self.key, Ok(imported))
            .await
    }
}

#[tokio::test]
async fn import_depends_on_the_sku_of_the_vault() {
    for (kty, rest, hsm, premium, standard) in [
        ("EC", EC, false, Some(KeyType::Ec), Some(KeyType::Ec)),
        ("EC", EC, true, Some(KeyType::EcHsm), None),
        ("EC-HSM", EC, false, Some(KeyType::EcHsm), None),
        ("oct", OCT, false, None, None),
        ("oct", OCT, true, Some(KeyType::OctHsm), None),
        ("oct-HSM", OCT, false, Some(KeyType::OctHsm), None),
    ] {
        for (sku, expected) in [(VaultSku::Premium, premium), (VaultSku::Standard, standard)] {
            let settings = VaultSettings {
                sku,
                ..VaultSettings::default()
            };
            let world = World::with(settings).await;
            let imported = world.import(kty, rest, hsm, KeyChange::default()).await;
            match expected {
                Some(expected) => assert_eq!(imported.unwrap().current.kty, expected),
                None => {
                    let (status, code, _) = wire(imported);
                    assert_eq!((status, code), (400, "BadParameter"), "{kty} {sku:?}");
                    assert_eq!(world.file_count(), 0);
                }
            }
        }
    }
}

/// Its public half is the one that was sent, and verifies its signatures.
#[tokio::test]
async fn imported_key_becomes_the_current_version() {
    let world = World::new().await;
    world.create_ec_key().await.unwrap();
    let change = KeyChange {
        key_ops: Some(vec![KeyOperation::Sign, KeyOperation::Verify]),
        enabled: Some(true),
        tags: Some([("from".to_owned(), "elsewhere".to_owned())].into()),
        ..KeyChange::default()
    };
    let imported = world.import("EC", EC, false, change).await.unwrap();
    assert_eq!(imported.versions().count(), 2);
    let current = &imported.current;
    assert_eq!(current.tags["from"], "elsewhere");
    let PublicKey::Ec { crv, x, .. } = &current.public_key else {
        panic!("expected an EC key");
    };
    assert!(*crv == Curve::P256 && EC.contains(x.as_str()));

    let (operator, algorithm) = (operator(), SignatureAlgorithm::Es(Curve::P256));
    let sign = KeyUse::Sign {
        algorithm,
        digest: vec![7; 32],
    };
    let signature = world.use_as(&operator, &world.identifier(), sign).await;
    let verify = |digest| KeyUse::Verify {
        algorithm,
        digest: vec![digest; 32],
        signature: signature.as_deref().unwrap().clone(),
    };
    for (digest, valid) in [(7, 1), (8, 0)] {
        let verified = world
            .use_as(&operator, &world.identifier(), verify(digest))
            .await;
        assert_eq!(*verified.unwrap(), [valid]);
    }

    world.delete_key().await.unwrap();
    let again = world.import("EC", EC, false, KeyChange::default()).await;
    assert_eq!(
        wire(again),
        (409, "Conflict", Some("ObjectIsDeletedButRecoverable"))
    );
    assert_eq!(world.file_count(), 4);
}
