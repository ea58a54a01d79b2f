use super::{RSA_JWK, every_key, key, refused};
use crate::{
    AesSize, EncryptionAlgorithm, KeyShape,
    crypto::key_material::{Encrypted, KeyMaterial},
};

#[test]
fn each_encryption_algorithm_works_only_with_azures_keys() {
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
fn rsa_refuses_values_longer_than_its_padding_permits() {
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
fn missing_and_unused_parameters_are_refused() {
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
fn cbc_ignores_parameters_of_gcm() {
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

#[test]
fn all_faults_of_a_ciphertext_get_the_same_refusal() {
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

/// Bleichenbacher's attack needs the difference.
#[test]
fn rsa1_5_does_not_reveal_wrong_padding() {
    let key = key(&RSA_JWK);
    for garbage in 1..=4 {
        assert!(
            key.unwrap(EncryptionAlgorithm::Rsa15, &[garbage; 256])
                .is_ok()
        );
    }
}
