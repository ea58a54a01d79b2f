use super::{KID, RSA_JWK, every_key, refused};
use crate::{Curve, KeyShape, SignatureAlgorithm, crypto::key_material::KeyMaterial};

#[test]
fn each_signature_algorithm_works_only_with_azures_keys() {
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
fn refusals_to_sign_have_azures_texts() {
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
    let key = super::key(&RSA_JWK);
    for length in [0, 246] {
        refused(
            key.sign(KID, SignatureAlgorithm::RsNull, &vec![7; length]),
            "RSNULL requires 1 to 245 bytes",
        );
    }
    assert!(key.sign(KID, SignatureAlgorithm::RsNull, &[7; 245]).is_ok());
}

#[test]
fn es256k_accepts_both_values_of_s() {
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
