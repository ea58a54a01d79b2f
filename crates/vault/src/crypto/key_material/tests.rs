mod encryption;
mod import;
mod signing;

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::KeyMaterial;
use crate::{Curve, EncryptionAlgorithm, KeyShape, KeyType, Result, SignatureAlgorithm};

const RSA_1024: &str = r#"{"kty":"RSA","n":"ojEYEuhuHzeZmasf1s3_E7f2Gq0PNLAJf1PDQxlAcYetbphrW0hFXSD2Us_Z7Z3Kgbsugl5ISdrbD9QmNQxzGsacl6xvafAQwybo0swF3Wmd_PFxdRetKnCcgEgJQwvuG--iyP1GsJJItHcMuA8nC1cTqF4r8ZlpMQVxwjtruUE","e":"AQAB","d":"Gua1rX0rtrXMHjbJ4yDrq-OZSDdoDD8edCX6fwiTLcFpPKy_Mba8-oNbF8UtykGfswDO6ASnTMimCOwRIj9cX9LrGS_pyR3_NjMmT-9lAdUP0bqG0HBWuTNOK6eGY720yK4iTtEWYcs-fmauMZ-DFCazKsCzuH_2ay24OHhI8lk","p":"0tH59PMfuv9_DQTA2tGyQ9IxqOJdPW9nnIoOfIpD6h_6n-c9d1nxZfZ7Db8ltOL57680BpuH9fFszZBNXTXkFw","q":"xPNDQcEg_4EtD0fmqYoNzSh48NePgwciKZPDqmHbkVSlCNIVpAq65UjP7Ati1V_Rrg_HGoI05EI7Sgd2pV8sZw"}"#;
const KID: &str = "https://kv1.vault.azure.net/keys/k1/0123456789abcdef0123456789abcdef";

/// The published RSA key of RFC 7520, 4.1. Generating one takes seconds.
static RSA_JWK: LazyLock<Value> = LazyLock::new(|| {
    let vectors = include_str!("../../../../../fixtures/rfc7520.json");
    let mut vectors: Value = serde_json::from_str(vectors).unwrap();
    vectors["signatures"][0]["key"].take()
});

fn import(jwk: &Value) -> Result<(KeyType, KeyMaterial)> {
    KeyMaterial::import(&serde_json::from_value(jwk.clone()).unwrap())
}

fn key(jwk: &Value) -> KeyMaterial {
    import(jwk).unwrap().1
}

fn ec_jwk() -> Value {
    // RFC 7517, A.2.
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
    })
}

/// Returns one key of each shape, except larger RSA keys.
fn every_key() -> Vec<KeyMaterial> {
    let curves = Curve::EVERY.map(|curve| KeyShape::Ec { curve });
    let sizes = KeyShape::OCT_BITS.map(|bits| KeyShape::Oct { bits });
    let made = curves.into_iter().chain(sizes);
    [key(&RSA_JWK)]
        .into_iter()
        .chain(made.map(|shape| KeyMaterial::generate(shape).unwrap()))
        .collect()
}

#[track_caller]
fn refused<T>(result: Result<T>, reason: &str) {
    match result {
        Err(error) => {
            assert_eq!(error.code(), "BadParameter", "{error}");
            let text = error.to_string();
            assert!(text.contains(reason), "{text}");
        }
        Ok(_) => panic!("not refused with: {reason}"),
    }
}

/// Azure imported such a key in December 2024, but does not generate one.
#[test]
fn imported_rsa_1024_keys_work_within_their_length() {
    let jwk: Value = serde_json::from_str(RSA_1024).unwrap();
    let key = key(&jwk);
    assert_eq!(key.shape(), KeyShape::Rsa { bits: 1024 });
    refused(
        key.shape().check_generatable(),
        "Unsupported key size (1024). Supported sizes are [2048, 3072, 4096]",
    );
    let secret = key.to_secret().unwrap();
    let read = KeyMaterial::from_secret(KeyType::Rsa, &secret).unwrap();
    assert_eq!(read.public_key(), key.public_key());
    for (algorithm, limit) in [
        (EncryptionAlgorithm::Rsa15, 117),
        (EncryptionAlgorithm::RsaOaep, 86),
        (EncryptionAlgorithm::RsaOaep256, 62),
    ] {
        let wrapped = key.wrap(algorithm, &vec![7; limit]).unwrap();
        assert_eq!(*key.unwrap(algorithm, &wrapped).unwrap(), vec![7; limit]);
        refused(key.wrap(algorithm, &vec![7; limit + 1]), "at most");
    }
    for (algorithm, name) in SignatureAlgorithm::EVERY {
        let digest = vec![7; algorithm.digest_bytes().unwrap_or(35)];
        let signed = key.sign(KID, algorithm, &digest);
        match name {
            "PS512" => {
                let text = "PS512 cannot be used with a key of 1024 bits";
                refused(signed, text);
                refused(key.verify(KID, algorithm, &digest, &[0; 128]), text);
            }
            _ if name.starts_with("PS") || name.starts_with("RS") => {
                let signature = signed.unwrap();
                assert!(key.verify(KID, algorithm, &digest, &signature).unwrap());
            }
            _ => refused(signed, "incompatible"),
        }
    }
}

#[test]
fn secrets_are_read_back_as_the_same_key() {
    for key in every_key() {
        let kty = match key {
            KeyMaterial::Rsa(_) => KeyType::RsaHsm,
            KeyMaterial::Ec(_) => KeyType::Ec,
            KeyMaterial::Oct(_) => KeyType::OctHsm,
        };
        let secret = key.to_secret().unwrap();
        let read = KeyMaterial::from_secret(kty, &secret).unwrap();
        assert_eq!(read.shape(), key.shape());
        assert_eq!(read.public_key(), key.public_key());
        assert!(read.to_secret().unwrap() == secret);
        for other in [KeyType::Rsa, KeyType::EcHsm, KeyType::Oct] {
            let same = KeyMaterial::from_secret(other, &secret).is_some();
            assert_eq!(
                same,
                other.as_str()[..2] == kty.as_str()[..2],
                "{other} of {kty}"
            );
        }
    }
}
