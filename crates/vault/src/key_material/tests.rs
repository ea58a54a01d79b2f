use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::{AesSize, Curve, EncryptionAlgorithm, Error, SignatureAlgorithm};

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
        Err(Error::BadParameter(text)) => assert!(text.contains(reason), "{text}"),
        Err(other) => panic!("{other}"),
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
    let (gcm, cbc, pad) = (
        EncryptionAlgorithm::AesGcm(AesSize::Aes256),
        EncryptionAlgorithm::AesCbc(AesSize::Aes256),
        EncryptionAlgorithm::AesCbcPad(AesSize::Aes256),
    );
    let kw = EncryptionAlgorithm::AesKw(AesSize::Aes256);
    let iv = Some(&[0; 16][..]);
    let aad = Some(&b"aad"[..]);

    let oaep = EncryptionAlgorithm::RsaOaep256;
    refused(rsa.encrypt(oaep, b"", iv, None), "'iv' cannot be given");
    refused(rsa.encrypt(oaep, b"", None, aad), "'aad' cannot be given");
    refused(oct.encrypt(gcm, b"", iv, None), "the service chooses it");
    refused(oct.encrypt(pad, b"", iv, aad), "'aad' cannot be given");
    refused(oct.encrypt(pad, b"", aad, None), "'iv' has 3 bytes");
    refused(oct.encrypt(cbc, &[7; 17], iv, None), "a multiple of 16");
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
    refused(
        oct.decrypt(
            pad,
            &Encrypted {
                tag: Some(vec![0; 16]),
                ..padded
            },
            None,
        ),
        "'tag' cannot be given",
    );
}

#[test]
fn a_ciphertext_that_is_wrong_in_any_way_gets_the_same_refusal() {
    let rsa = key(&RSA_JWK);
    let oaep = EncryptionAlgorithm::RsaOaep;
    for garbage in [&[][..], &[0; 255], &[0; 256], &[0xff; 256], &[1; 257]] {
        refused(
            rsa.unwrap(oaep, garbage),
            "The value cannot be unwrapped with this key version and RSA-OAEP.",
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
            "The value cannot be unwrapped with this key version and A128KW.",
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
        (without(rsa, &["kty"]), "'kty' is missing"),
        (without(rsa, &["n"]), "'n' is missing"),
        (without(rsa, &["d"]), "'d' is missing"),
        (without(rsa, &["p"]), "'p' is missing"),
        (without(rsa, &["q"]), "'q' is missing"),
        (without(rsa, &["p", "q"]), "'dp' cannot be given without"),
        (
            with(rsa, "n", json!("a+b/")),
            "'n' is not encoded with base64url",
        ),
        (with(rsa, "n", json!("A".repeat(2000))), "'n' is too long"),
        (with(rsa, "n", b64(vec![0xff; 128])), "'n' has 1024 bits"),
        (with(rsa, "n", b64(vec![0xff; 255])), "'n' has 2040 bits"),
        (with(rsa, "e", json!("Aw")), "'e' must be 65537"),
        (with(rsa, "d", json!("")), "'d' is zero"),
        (with(rsa, "d", json!("AQ")), "do not belong to one RSA key"),
        (with(rsa, "p", json!("AQ")), "do not belong to one RSA key"),
        (with(rsa, "q", json!("BA")), "do not belong to one RSA key"),
        (with(rsa, "dp", json!("AQ")), "'dp' does not belong"),
        (with(rsa, "dq", json!("AQ")), "'dq' does not belong"),
        (with(rsa, "qi", json!("AQ")), "'qi' does not belong"),
        (swapped, "'dp' does not belong"),
        (without(ec, &["crv"]), "'crv' is missing"),
        (without(ec, &["d"]), "'d' is missing"),
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
        (without(oct, &["k"]), "'k' is missing"),
        (with(oct, "k", json!("AAEC")), "'k' has 24 bits"),
        (with(oct, "k", b64(vec![1; 33])), "'k' has 264 bits"),
    ] {
        match import(&jwk) {
            Err(Error::BadParameter(text)) => assert!(text.contains(reason), "{reason}: {text}"),
            Err(other) => panic!("{reason}: {other}"),
            Ok(_) => panic!("not refused: {reason}"),
        }
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
            refused(import(&jwk), "do not belong to one RSA key");
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
    refused(import(&jwk), "do not belong to one RSA key");
}
