use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::{AesSize, Curve, EncryptionAlgorithm, SignatureAlgorithm};

const INCOMPLETE: &str = r#"The property "key" must be a valid JsonWebKey object."#;
const INVALID: &str = "RSA key is not valid - cannot instantiate crypto service";
const RSA_1024: &str = r#"{"kty":"RSA","n":"ojEYEuhuHzeZmasf1s3_E7f2Gq0PNLAJf1PDQxlAcYetbphrW0hFXSD2Us_Z7Z3Kgbsugl5ISdrbD9QmNQxzGsacl6xvafAQwybo0swF3Wmd_PFxdRetKnCcgEgJQwvuG--iyP1GsJJItHcMuA8nC1cTqF4r8ZlpMQVxwjtruUE","e":"AQAB","d":"Gua1rX0rtrXMHjbJ4yDrq-OZSDdoDD8edCX6fwiTLcFpPKy_Mba8-oNbF8UtykGfswDO6ASnTMimCOwRIj9cX9LrGS_pyR3_NjMmT-9lAdUP0bqG0HBWuTNOK6eGY720yK4iTtEWYcs-fmauMZ-DFCazKsCzuH_2ay24OHhI8lk","p":"0tH59PMfuv9_DQTA2tGyQ9IxqOJdPW9nnIoOfIpD6h_6n-c9d1nxZfZ7Db8ltOL57680BpuH9fFszZBNXTXkFw","q":"xPNDQcEg_4EtD0fmqYoNzSh48NePgwciKZPDqmHbkVSlCNIVpAq65UjP7Ati1V_Rrg_HGoI05EI7Sgd2pV8sZw"}"#;
const KID: &str = "https://kv1.vault.azure.net/keys/k1/0123456789abcdef0123456789abcdef";

/// The published RSA key of RFC 7520, 4.1, as generating one takes a while.
static RSA_JWK: LazyLock<Value> = LazyLock::new(|| {
    let vectors = include_str!("../../../../fixtures/rfc7520.json");
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

/// One key of each shape but the larger RSA ones.
fn every_key() -> Vec<KeyMaterial> {
    let curves = Curve::EVERY.map(|curve| KeyShape::Ec { curve });
    let sizes = KeyShape::OCT_BITS.map(|bits| KeyShape::Oct { bits });
    let made = curves.into_iter().chain(sizes);
    [key(&RSA_JWK)]
        .into_iter()
        .chain(made.map(|shape| KeyMaterial::generate(shape).unwrap()))
        .collect()
}

fn with(jwk: &Value, field: &str, value: Value) -> Value {
    let mut jwk = jwk.clone();
    jwk[field] = value;
    jwk
}

fn without(jwk: &Value, fields: &[&str]) -> Value {
    let mut jwk = jwk.clone();
    for field in fields {
        jwk.as_object_mut().unwrap().remove(*field);
    }
    jwk
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

#[test]
fn an_algorithm_signs_with_the_keys_that_azure_says_and_no_other() {
    for key in every_key() {
        let shape = key.shape();
        for (algorithm, name) in SignatureAlgorithm::EVERY {
            let fits = match (shape, algorithm) {
                (KeyShape::Rsa { .. }, _) => name.starts_with("PS") || name.starts_with("RS"),
                (KeyShape::Ec { curve }, SignatureAlgorithm::Es(wanted)) => curve == wanted,
                (KeyShape::Oct { .. }, SignatureAlgorithm::Hs(_)) => true,
                _ => false,
            };
            let digest = vec![7; algorithm.digest_bytes().unwrap_or(35)];
            let signed = key.sign(KID, algorithm, &digest);
            if !fits {
                refused(signed, "Key and signing algorithm are incompatible.");
                let verified = key.verify(KID, algorithm, &digest, &[0; 64]);
                refused(verified, "Key and signing algorithm are incompatible.");
                continue;
            }
            let signature = signed.unwrap();
            let other = vec![8; digest.len()];
            assert!(
                key.verify(KID, algorithm, &digest, &signature).unwrap(),
                "{name}"
            );
            assert!(
                !key.verify(KID, algorithm, &other, &signature).unwrap(),
                "{name}"
            );
            for wrong in [&[][..], &[0; 64], &[0xff; 256], &signature[1..]] {
                assert!(
                    !key.verify(KID, algorithm, &digest, wrong).unwrap(),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn an_algorithm_encrypts_with_the_keys_that_azure_says_and_no_other() {
    for key in every_key() {
        let shape = key.shape();
        for (algorithm, name) in EncryptionAlgorithm::EVERY {
            let (fits, wraps, encrypts) = match (shape, algorithm) {
                (KeyShape::Rsa { .. }, _) => (name.starts_with("RSA"), true, true),
                (KeyShape::Oct { bits }, EncryptionAlgorithm::AesKw(size)) => {
                    (size.bits() == bits, true, false)
                }
                (
                    KeyShape::Oct { bits },
                    EncryptionAlgorithm::AesGcm(size)
                    | EncryptionAlgorithm::AesCbc(size)
                    | EncryptionAlgorithm::AesCbcPad(size),
                ) => (size.bits() == bits, false, true),
                _ => (false, false, false),
            };
            let value = [7; 32];
            match key.encrypt(algorithm, &value, None, None) {
                Ok(encrypted) if fits && encrypts => {
                    assert_ne!(encrypted.ciphertext, value, "{name}");
                    let decrypted = key.decrypt(algorithm, &encrypted, None).unwrap();
                    assert_eq!(*decrypted, value, "{name}");
                    let again = key.encrypt(algorithm, &value, None, None).unwrap();
                    assert_ne!(again, encrypted, "{name} is randomised");
                }
                Ok(_) => panic!("{name} with {shape:?}"),
                Err(error) => {
                    assert!(!(fits && encrypts), "{name}: {error}");
                    refused(Err::<(), _>(error), "");
                }
            }
            match key.wrap(algorithm, &value) {
                Ok(wrapped) if fits && wraps => {
                    let unwrapped = key.unwrap(algorithm, &wrapped).unwrap();
                    assert_eq!(*unwrapped, value, "{name}");
                }
                Ok(_) => panic!("{name} with {shape:?}"),
                Err(error) => {
                    assert!(!(fits && wraps), "{name}: {error}");
                    refused(Err::<(), _>(error), "");
                    refused(key.unwrap(algorithm, &[7; 40]), "");
                }
            }
        }
    }
}

#[test]
fn a_refusal_to_sign_is_azures() {
    let key_on = |curve| KeyMaterial::generate(KeyShape::Ec { curve }).unwrap();
    refused(
        key_on(Curve::P256K).sign(KID, SignatureAlgorithm::Es(Curve::P256), &[7; 32]),
        &format!(
            "Key and signing algorithm are incompatible. Key {KID} uses curve 'P-256K', and algorithm 'ES256' can only be used with curve 'P-256'."
        ),
    );
    let key = key_on(Curve::P256);
    let es256 = SignatureAlgorithm::Es(Curve::P256);
    refused(
        key.sign(KID, es256, &[7; 44]),
        "Invalid length of 'value': 44 bytes. ES256 requires 32 bytes, encoded with base64url.",
    );
    refused(
        key.verify(KID, es256, &[7; 31], &[0; 64]),
        "Invalid length of 'digest': 31 bytes. ES256 requires 32 bytes, encoded with base64url.",
    );
    let key = self::key(&RSA_JWK);
    for length in [0, 246] {
        refused(
            key.sign(KID, SignatureAlgorithm::RsNull, &vec![7; length]),
            "RSNULL requires 1 to 245 bytes",
        );
    }
    assert!(key.sign(KID, SignatureAlgorithm::RsNull, &[7; 245]).is_ok());
}

#[test]
fn rsa_takes_as_much_as_its_padding_leaves() {
    let key = key(&RSA_JWK);
    for (algorithm, limit) in [
        (EncryptionAlgorithm::Rsa15, 245),
        (EncryptionAlgorithm::RsaOaep, 214),
        (EncryptionAlgorithm::RsaOaep256, 190),
    ] {
        for length in [0, limit] {
            let wrapped = key.wrap(algorithm, &vec![7; length]).unwrap();
            assert_eq!(*key.unwrap(algorithm, &wrapped).unwrap(), vec![7; length]);
        }
        refused(
            key.encrypt(algorithm, &vec![7; limit + 1], None, None),
            &format!("at most {limit}"),
        );
    }
}

#[test]
fn a_parameter_that_is_missing_or_of_no_use_is_refused() {
    let rsa = key(&RSA_JWK);
    let oct = KeyMaterial::generate(KeyShape::Oct { bits: 256 }).unwrap();
    let (gcm, pad) = (
        EncryptionAlgorithm::AesGcm(AesSize::Aes256),
        EncryptionAlgorithm::AesCbcPad(AesSize::Aes256),
    );
    let kw = EncryptionAlgorithm::AesKw(AesSize::Aes256);
    let iv = Some(&[0; 16][..]);
    let aad = Some(&b"aad"[..]);

    let oaep = EncryptionAlgorithm::RsaOaep256;
    refused(rsa.encrypt(oaep, b"", iv, None), "'iv' cannot be given");
    refused(rsa.encrypt(oaep, b"", None, aad), "'aad' cannot be given");
    refused(oct.encrypt(gcm, b"", iv, None), "the service chooses it");
    refused(oct.encrypt(pad, b"", aad, None), "'iv' has 3 bytes");
    refused(
        oct.encrypt(kw, &[7; 16], None, None),
        "only be used for wrapKey",
    );
    refused(oct.wrap(gcm, &[7; 16]), "only be used for encrypt");
    for length in [0, 8, 17] {
        refused(oct.wrap(kw, &vec![7; length]), "a multiple of 8");
    }

    let sealed = oct.encrypt(gcm, b"secret", None, aad).unwrap();
    for (changed, reason) in [
        (
            Encrypted {
                iv: None,
                ..sealed.clone()
            },
            "'iv' is required",
        ),
        (
            Encrypted {
                tag: None,
                ..sealed.clone()
            },
            "'tag' is required",
        ),
        (
            Encrypted {
                iv: Some(vec![0; 16]),
                ..sealed.clone()
            },
            "'iv' has 16 bytes",
        ),
        (
            Encrypted {
                tag: Some(vec![0; 4]),
                ..sealed.clone()
            },
            "'tag' has 4 bytes",
        ),
    ] {
        refused(oct.decrypt(gcm, &changed, aad), reason);
    }
    let padded = oct.encrypt(pad, b"secret", None, None).unwrap();
    refused(
        oct.decrypt(
            pad,
            &Encrypted {
                iv: None,
                ..padded.clone()
            },
            None,
        ),
        "'iv' is required",
    );
}

#[test]
fn cbc_ignores_what_only_gcm_needs() {
    let oct = KeyMaterial::generate(KeyShape::Oct { bits: 256 }).unwrap();
    let (iv, aad) = (Some(&[0; 16][..]), Some(&b"aad"[..]));
    for algorithm in [EncryptionAlgorithm::AesCbc, EncryptionAlgorithm::AesCbcPad] {
        let algorithm = algorithm(AesSize::Aes256);
        let bare = oct.encrypt(algorithm, &[7; 32], iv, None).unwrap();
        assert_eq!(oct.encrypt(algorithm, &[7; 32], iv, aad).unwrap(), bare);
        let tagged = Encrypted {
            tag: Some(vec![0; 16]),
            ..bare
        };
        assert_eq!(*oct.decrypt(algorithm, &tagged, aad).unwrap(), [7; 32]);
    }
}

#[test]
fn cbc_without_padding_fills_the_last_block_with_zeros() {
    let oct = KeyMaterial::generate(KeyShape::Oct { bits: 128 }).unwrap();
    let cbc = EncryptionAlgorithm::AesCbc(AesSize::Aes128);
    for (length, filled) in [(0, 0), (1, 16), (15, 16), (16, 16), (17, 32)] {
        let encrypted = oct.encrypt(cbc, &vec![7; length], None, None).unwrap();
        let mut expected = vec![7; length];
        expected.resize(filled, 0);
        assert_eq!(*oct.decrypt(cbc, &encrypted, None).unwrap(), expected);
    }
    let half = Encrypted {
        ciphertext: vec![0; 8],
        iv: Some(vec![0; 16]),
        tag: None,
    };
    refused(oct.decrypt(cbc, &half, None), "cannot be decrypted");
}

/// As long as Azure imported one in December 2024, but makes none.
#[test]
fn a_key_of_1024_bits_serves_as_far_as_its_length_goes() {
    let jwk: Value = serde_json::from_str(RSA_1024).unwrap();
    let key = key(&jwk);
    assert_eq!(key.shape(), KeyShape::Rsa { bits: 1024 });
    refused(
        key.shape().check_made(),
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
fn a_ciphertext_that_is_wrong_in_any_way_gets_the_same_refusal() {
    let rsa = key(&RSA_JWK);
    let oaep = EncryptionAlgorithm::RsaOaep;
    for garbage in [&[][..], &[0; 255], &[0; 256], &[0xff; 256], &[1; 257]] {
        refused(
            rsa.unwrap(oaep, garbage),
            "Error occurred while decoding OAEP padding.",
        );
    }
    let oct = KeyMaterial::generate(KeyShape::Oct { bits: 128 }).unwrap();
    let kw = EncryptionAlgorithm::AesKw(AesSize::Aes128);
    for garbage in [
        &[][..],
        &[0xa6; 8],
        &[0; 16],
        &[0; 23],
        &[0; 24],
        &[0; 4096],
    ] {
        refused(
            oct.unwrap(kw, garbage),
            "The value cannot be decrypted with this key version and A128KW.",
        );
    }
    let gcm = EncryptionAlgorithm::AesGcm(AesSize::Aes128);
    let pad = EncryptionAlgorithm::AesCbcPad(AesSize::Aes128);
    let aad = Some(&b"aad"[..]);
    let sealed = oct.encrypt(gcm, b"secret", None, aad).unwrap();
    let mut flipped = sealed.clone();
    flipped.ciphertext[0] ^= 1;
    let text = "The value cannot be decrypted with this key version and A128GCM.";
    refused(oct.decrypt(gcm, &flipped, aad), text);
    refused(oct.decrypt(gcm, &sealed, Some(b"other")), text);
    for length in [0, 15, 17] {
        let wrong = Encrypted {
            ciphertext: vec![0; length],
            iv: Some(vec![0; 16]),
            tag: None,
        };
        refused(
            oct.decrypt(pad, &wrong, None),
            "The value cannot be decrypted with this key version and A128CBCPAD.",
        );
    }
}

/// Bleichenbacher's attack lives on the difference.
#[test]
fn rsa1_5_never_says_that_a_padding_is_wrong() {
    let key = key(&RSA_JWK);
    for garbage in 1..=4 {
        assert!(
            key.unwrap(EncryptionAlgorithm::Rsa15, &[garbage; 256])
                .is_ok()
        );
    }
}

#[test]
fn an_es256k_signature_may_have_either_s() {
    let key = KeyMaterial::generate(KeyShape::Ec {
        curve: Curve::P256K,
    })
    .unwrap();
    let es256k = SignatureAlgorithm::Es(Curve::P256K);
    let low = key.sign(KID, es256k, &[7; 32]).unwrap();
    let (r, s) = k256::ecdsa::Signature::from_slice(&low)
        .unwrap()
        .split_scalars();
    let high = k256::ecdsa::Signature::from_scalars(r, -s)
        .unwrap()
        .to_vec();
    assert_ne!(low, high);
    assert!(key.verify(KID, es256k, &[7; 32], &low).unwrap());
    assert!(key.verify(KID, es256k, &[7; 32], &high).unwrap());
}

#[test]
fn a_key_is_read_back_as_what_it_was_sealed() {
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

#[test]
fn what_a_client_may_leave_out_or_write_otherwise() {
    let rsa = &*RSA_JWK;
    let whole = key(rsa).public_key();
    let padded = format!("{}==", rsa["n"].as_str().unwrap());
    for jwk in [
        without(rsa, &["dp", "dq", "qi"]),
        without(rsa, &["p", "q", "dp", "dq", "qi"]),
        with(rsa, "n", json!(padded)),
        with(rsa, "e", json!("AAEAAQ")),
        with(rsa, "kid", json!("ignored")),
        with(rsa, "key_hsm", json!(null)),
    ] {
        assert_eq!(key(&jwk).public_key(), whole, "{jwk}");
    }
    let (kty, _) = import(&with(rsa, "kty", json!("RSA-HSM"))).unwrap();
    assert_eq!(kty, KeyType::RsaHsm);

    let ec = ec_jwk();
    let PublicKey::Ec { x, y, .. } = key(&without(&ec, &["x", "y"])).public_key() else {
        panic!("an EC key");
    };
    assert_eq!((json!(x), json!(y)), (ec["x"].clone(), ec["y"].clone()));
    let short = json!({ "kty": "EC", "crv": "P-521", "d": "AQ" });
    assert_eq!(key(&short).shape(), KeyShape::Ec { curve: Curve::P521 });
}

#[test]
fn what_is_wrong_with_an_imported_key_is_named() {
    let rsa = &*RSA_JWK;
    let ec = &ec_jwk();
    let oct = &json!({ "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODw" });
    let b64 = |bytes: Vec<u8>| json!(URL_SAFE_NO_PAD.encode(bytes));
    let swapped = with(&with(rsa, "p", rsa["q"].clone()), "q", rsa["p"].clone());
    for (jwk, reason) in [
        (without(rsa, &["kty"]), INCOMPLETE),
        (without(rsa, &["n"]), INCOMPLETE),
        (without(rsa, &["d"]), INCOMPLETE),
        (without(rsa, &["p"]), INCOMPLETE),
        (without(rsa, &["q"]), INCOMPLETE),
        (without(rsa, &["p", "q"]), INVALID),
        (
            with(rsa, "n", json!("a+b/")),
            "Content of 'n' is not base64url.\r\n",
        ),
        (with(rsa, "n", json!("A".repeat(2000))), "'n' is too long"),
        (
            with(rsa, "n", b64(vec![0xff; 255])),
            "Unsupported key size (2040). Supported sizes are [1024, 2048, 3072, 4096]",
        ),
        (with(rsa, "n", json!("")), "Unsupported key size (0)."),
        (with(rsa, "n", b64(vec![0xff; 128])), INVALID),
        (with(rsa, "e", json!("Aw")), "'e' must be 65537"),
        (with(rsa, "e", json!("")), "'e' must be 65537"),
        (with(rsa, "d", json!("")), INVALID),
        (with(rsa, "p", json!("")), INVALID),
        (with(rsa, "q", json!("AAAA")), INVALID),
        (with(rsa, "d", json!("AQ")), INVALID),
        (with(rsa, "p", json!("AQ")), INVALID),
        (with(rsa, "q", json!("BA")), INVALID),
        (with(rsa, "dp", json!("AQ")), INVALID),
        (with(rsa, "dq", json!("AQ")), INVALID),
        (with(rsa, "qi", json!("AQ")), INVALID),
        (swapped, INVALID),
        (without(ec, &["crv"]), INCOMPLETE),
        (without(ec, &["d"]), INCOMPLETE),
        (with(ec, "d", b64(vec![0; 32])), "'d' is zero"),
        (
            with(ec, "d", b64(vec![0xff; 32])),
            "'d' is not a private key",
        ),
        (
            with(ec, "d", b64(vec![1; 33])),
            "'d' is too long for the curve",
        ),
        (with(ec, "crv", json!("P-256K")), "'x' does not belong"),
        (with(ec, "y", ec["x"].clone()), "'y' does not belong"),
        (without(oct, &["k"]), INCOMPLETE),
        (
            with(oct, "k", json!("AAEC")),
            "Unsupported key size (24). Supported sizes are [128, 192, 256]",
        ),
        (
            with(oct, "k", b64(vec![1; 33])),
            "Unsupported key size (264). Supported sizes are [128, 192, 256]",
        ),
        (with(oct, "kty", json!("DSA")), "Invalid kty value: DSA"),
        (with(oct, "kty", oct["k"].clone()), "Invalid kty value: ..."),
    ] {
        refused(import(&jwk), reason);
    }
}

/// The primes are looked for with arithmetic that has preconditions.
#[test]
fn no_exponent_upsets_the_search_for_the_primes() {
    let bare = without(&RSA_JWK, &["p", "q", "dp", "dq", "qi"]);
    let n = URL_SAFE_NO_PAD.decode(bare["n"].as_str().unwrap()).unwrap();
    let mut even = n.clone();
    even[255] &= 0xfe;
    let largest = vec![0xff; 256];
    for d in [
        vec![1],
        vec![2],
        vec![0xff; 8],
        n.clone(),
        even.clone(),
        largest.clone(),
        vec![7; 257],
    ] {
        let d = json!(URL_SAFE_NO_PAD.encode(d));
        for n in [&n, &even, &largest] {
            let n = json!(URL_SAFE_NO_PAD.encode(n));
            let jwk = with(&with(&bare, "n", n), "d", d.clone());
            refused(import(&jwk), INVALID);
        }
    }
}

/// The `rsa` crate takes their word for it: 2^1024 - 1 and 2^1024 - 3 pass for primes.
#[test]
fn primes_that_are_none_are_refused() {
    let b64 = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
    let p = [0xff; 128];
    let mut q = p;
    q[127] = 0xfd;
    let mut n = [0xff; 256];
    n[127] = 0xfc;
    n[128..].fill(0);
    n[255] = 3;
    let jwk = json!({
        "kty": "RSA", "n": b64(&n), "e": "AQAB", "p": b64(&p), "q": b64(&q),
        "d": "KqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVWqqlVVqqpVVaqqVVSqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVU6qsVVOqrFVTqqxVVQ",
    });
    refused(import(&jwk), INVALID);
}
