//! Published test vectors.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::*;
use crate::{AesSize, EncryptionAlgorithm, Sha, SignatureAlgorithm};

const KID: &str = "https://kv1.vault.azure.net/keys/k1/0123456789abcdef0123456789abcdef";

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn base64url(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

fn oct(key: &str) -> KeyMaterial {
    KeyMaterial::from_secret(KeyType::OctHsm, &hex(key)).unwrap()
}

fn import(jwk: &Value) -> KeyMaterial {
    KeyMaterial::import(&serde_json::from_value(jwk.clone()).unwrap())
        .unwrap()
        .1
}

/// Reads vectors of RFC 7520, "Examples of Protecting Content Using JSON Object Signing and Encryption".
fn rfc_7520(chapter: &str) -> Vec<Value> {
    let vectors = include_str!("../../../../../fixtures/rfc7520.json");
    let mut vectors: Value = serde_json::from_str(vectors).unwrap();
    serde_json::from_value(vectors[chapter].take()).unwrap()
}

fn algorithm<A: std::str::FromStr<Err = crate::Error>>(vector: &Value) -> A {
    vector["alg"].as_str().unwrap().parse().unwrap()
}

#[test]
fn rfc_7520_signatures() {
    for vector in rfc_7520("signatures") {
        let key = import(&vector["key"]);
        let algorithm = algorithm(&vector);
        let input = vector["input"].as_str().unwrap().as_bytes();
        let digest = match algorithm {
            SignatureAlgorithm::Rs(Sha::Sha256) => Sha256::digest(input).to_vec(),
            SignatureAlgorithm::Ps(Sha::Sha384) => Sha384::digest(input).to_vec(),
            SignatureAlgorithm::Es(_) => Sha512::digest(input).to_vec(),
            _ => input.to_vec(),
        };
        let mut signature = base64url(&vector["signature"]);
        let verify = |signature: &[u8]| key.verify(KID, algorithm, &digest, signature).unwrap();
        assert!(verify(&signature), "{algorithm}");
        if matches!(
            algorithm,
            SignatureAlgorithm::Rs(_) | SignatureAlgorithm::Hs(_)
        ) {
            let signed = key.sign(KID, algorithm, &digest).unwrap();
            assert_eq!(signed, signature, "{algorithm}");
        }
        assert!(!verify(&signature[1..]), "{algorithm}");
        signature[7] ^= 1;
        assert!(!verify(&signature), "{algorithm}");
    }
}

#[test]
fn rfc_7520_key_encryption() {
    for vector in rfc_7520("wrapped") {
        let (key, algorithm) = (import(&vector["key"]), algorithm(&vector));
        let unwrapped = key
            .unwrap(algorithm, &base64url(&vector["wrapped"]))
            .unwrap();
        assert_eq!(*unwrapped, base64url(&vector["value"]), "{algorithm}");
    }
}

#[test]
fn rfc_7520_content_encryption() {
    for vector in rfc_7520("encrypted") {
        let (key, algorithm) = (import(&vector["key"]), algorithm(&vector));
        let aad = vector["aad"].as_str().unwrap().as_bytes();
        let encrypted = Encrypted {
            ciphertext: base64url(&vector["ciphertext"]),
            iv: Some(base64url(&vector["iv"])),
            tag: Some(base64url(&vector["tag"])),
        };
        let plaintext = key.decrypt(algorithm, &encrypted, Some(aad)).unwrap();
        assert_eq!(*plaintext, vector["plaintext"].as_str().unwrap().as_bytes());
        assert!(key.decrypt(algorithm, &encrypted, None).is_err());
    }
}

/// RFC 3394, 4.1 to 4.6.
#[test]
fn rfc_3394_key_wrap() {
    let kek = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let data = "00112233445566778899aabbccddeeff";
    for (size, value, wrapped) in [
        (
            AesSize::Aes128,
            data.to_owned(),
            "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5",
        ),
        (
            AesSize::Aes192,
            data.to_owned(),
            "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d",
        ),
        (
            AesSize::Aes256,
            data.to_owned(),
            "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7",
        ),
        (
            AesSize::Aes192,
            format!("{data}0001020304050607"),
            "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2",
        ),
        (
            AesSize::Aes256,
            format!("{data}0001020304050607"),
            "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1",
        ),
        (
            AesSize::Aes256,
            format!("{data}000102030405060708090a0b0c0d0e0f"),
            "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
        ),
    ] {
        let key = oct(&kek[..size.bits() as usize / 4]);
        let algorithm = EncryptionAlgorithm::AesKw(size);
        assert_eq!(key.wrap(algorithm, &hex(&value)).unwrap(), hex(wrapped));
        assert_eq!(*key.unwrap(algorithm, &hex(wrapped)).unwrap(), hex(&value));
    }
}

/// The Galois/Counter Mode of Operation, appendix B, test cases 4, 10 and 16.
#[test]
fn mcgrew_and_viega_gcm() {
    let key = "feffe9928665731c6d6a8f9467308308".repeat(2);
    for (size, ciphertext, tag) in [
        (
            AesSize::Aes128,
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
            "5bc94fbc3221a5db94fae95ae7121a47",
        ),
        (
            AesSize::Aes192,
            "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
            "2519498e80f1478f37ba55bd6d27618c",
        ),
        (
            AesSize::Aes256,
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ] {
        let encrypted = Encrypted {
            ciphertext: hex(ciphertext),
            iv: Some(hex("cafebabefacedbaddecaf888")),
            tag: Some(hex(tag)),
        };
        let plaintext = oct(&key[..size.bits() as usize / 4])
            .decrypt(
                EncryptionAlgorithm::AesGcm(size),
                &encrypted,
                Some(&hex("feedfacedeadbeeffeedfacedeadbeefabaddad2")),
            )
            .unwrap();
        assert_eq!(
            *plaintext,
            hex(
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
            )
        );
    }
}

/// NIST SP 800-38A, F.2.1 to F.2.6.
#[test]
fn sp_800_38a_cbc() {
    let iv = hex("000102030405060708090a0b0c0d0e0f");
    let plaintext = hex(
        "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
    );
    for (size, key, ciphertext) in [
        (
            AesSize::Aes128,
            "2b7e151628aed2a6abf7158809cf4f3c",
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b273bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        ),
        (
            AesSize::Aes192,
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
        ),
        (
            AesSize::Aes256,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
        ),
    ] {
        let (key, ciphertext) = (oct(key), hex(ciphertext));
        let algorithm = EncryptionAlgorithm::AesCbc(size);
        let encrypted = key.encrypt(algorithm, &plaintext, Some(&iv), None).unwrap();
        assert_eq!(encrypted.ciphertext, ciphertext);
        assert_eq!(
            *key.decrypt(algorithm, &encrypted, None).unwrap(),
            plaintext
        );

        // PKCS#7 adds a block to a plaintext of whole blocks.
        let algorithm = EncryptionAlgorithm::AesCbcPad(size);
        let padded = key.encrypt(algorithm, &plaintext, Some(&iv), None).unwrap();
        assert_eq!(padded.ciphertext.len(), ciphertext.len() + 16);
        assert!(padded.ciphertext.starts_with(&ciphertext));
        assert_eq!(*key.decrypt(algorithm, &padded, None).unwrap(), plaintext);
    }
}

/// RFC 6979, A.2.5 to A.2.7, "sample". For secp256k1, which the RFC lacks, the vector of Bitcoin's implementations.
#[test]
fn rfc_6979_signatures() {
    for (curve, d, message, signature) in [
        (
            "P-256",
            "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721",
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "P-384",
            "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
            "sample",
            "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe4699ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8",
        ),
        (
            "P-521",
            "00fad06daa62ba3b25d2fb40133da757205de67f5bb0018fee8c86e1b68c7e75caa896eb32f1f47c70855836a6d16fcc1466f6d8fbec67db89ec0c08b0e996b83538",
            "sample",
            "00c328fafcbd79dd77850370c46325d987cb525569fb63c5d3bc53950e6d4c5f174e25a1ee9017b5d450606add152b534931d7d4e8455cc91f9b15bf05ec36e377fa00617cce7cf5064806c467f678d3b4080d6f1cc50af26ca209417308281b68af282623eaa63e5b5c0723d8b8c37ff0777b1a20f8ccb1dccc43997f1ee0e44da4a67a",
        ),
        (
            "P-256K",
            "01",
            "Satoshi Nakamoto",
            "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d82442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
        ),
    ] {
        let key = import(&serde_json::json!({
            "kty": "EC", "crv": curve, "d": URL_SAFE_NO_PAD.encode(hex(d)),
        }));
        let (algorithm, digest) = match curve {
            "P-384" => ("ES384", Sha384::digest(message).to_vec()),
            "P-521" => ("ES512", Sha512::digest(message).to_vec()),
            "P-256K" => ("ES256K", Sha256::digest(message).to_vec()),
            _ => ("ES256", Sha256::digest(message).to_vec()),
        };
        let algorithm = algorithm.parse().unwrap();
        let signature = hex(signature);
        assert_eq!(
            key.sign(KID, algorithm, &digest).unwrap(),
            signature,
            "{curve}"
        );
        assert!(
            key.verify(KID, algorithm, &digest, &signature).unwrap(),
            "{curve}"
        );
    }
}

/// RFC 4231, test cases 1, 2 and 4. The keys end with the zeros that HMAC adds to a short key anyway.
#[test]
fn rfc_4231_hmac() {
    for (key, data, macs) in [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b00000000",
            hex("4869205468657265"),
            [
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
                "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
            ],
        ),
        (
            "4a656665000000000000000000000000",
            b"what do ya want for nothing?".to_vec(),
            [
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ],
        ),
        (
            "0102030405060708090a0b0c0d0e0f1011121314151617181900000000000000",
            vec![0xcd; 50],
            [
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
                "3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb",
                "b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd",
            ],
        ),
    ] {
        let key = oct(key);
        for (sha, mac) in [Sha::Sha256, Sha::Sha384, Sha::Sha512]
            .into_iter()
            .zip(macs)
        {
            let algorithm = SignatureAlgorithm::Hs(sha);
            assert_eq!(key.sign(KID, algorithm, &data).unwrap(), hex(mac));
            assert!(key.verify(KID, algorithm, &data, &hex(mac)).unwrap());
        }
    }
}
