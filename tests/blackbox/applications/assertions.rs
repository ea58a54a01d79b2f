use std::fs;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, KeyPair};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use rsa::{PrivateKey, pkcs8::EncodePrivateKey as _, traits::PublicKeyParts as _};
use sealock_tests::{Answer, Emulator};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{App, VAULT, access_token, number, post};
use crate::entra::{part, token};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client's key pair.
struct Key {
    pkcs8: Vec<u8>,
    pem: String,
    n: String,
    e: String,
}

impl Key {
    fn generate() -> Self {
        let key = PrivateKey::new(&mut rand::rng(), 2048).unwrap();
        let pkcs8 = key.to_pkcs8_der().unwrap().as_bytes().to_vec();
        Self {
            pem: key
                .to_pkcs8_pem(rsa::pkcs8::LineEnding::LF)
                .unwrap()
                .to_string(),
            pkcs8,
            n: URL_SAFE_NO_PAD.encode(key.n_bytes()),
            e: URL_SAFE_NO_PAD.encode(key.e_bytes()),
        }
    }

    fn sign(&self, mut header: Value, claims: &Value) -> String {
        header["alg"] = "RS256".into();
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(claims));
        let key = RsaKeyPair::from_pkcs8(&self.pkcs8).unwrap();
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            signed.as_bytes(),
            &mut signature,
        )
        .unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn now() -> i64 {
    sealock_core::Clock::system().now().as_second()
}

fn log_in(emulator: &Emulator, app: &App, assertion: &str) -> Answer {
    let form = [
        ("grant_type", "client_credentials".to_owned()),
        ("client_id", app.client.clone()),
        ("client_assertion_type", JWT_BEARER.to_owned()),
        ("client_assertion", assertion.to_owned()),
        ("scope", format!("{VAULT}/.default")),
    ];
    post(&emulator.client(), &app.path(), &form)
}

#[test]
fn application_logs_in_with_the_key_of_its_certificate() {
    let emulator = Emulator::start();
    let app = App::create(&emulator);
    let key = Key::generate();
    let pair = KeyPair::from_pem(&key.pem).unwrap();
    let certificate = CertificateParams::default().self_signed(&pair).unwrap();
    let file = emulator.data_dir().join("../certificate.pem");
    fs::write(&file, certificate.pem()).unwrap();
    let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.der()));
    let header = json!({"typ": "JWT", "x5t#S256": hash});
    let url = format!("http://{}{}", emulator.address(), app.path());
    let claims = |audience: &str, expires: i64| {
        json!({
            "iss": app.client, "sub": app.client, "aud": audience, "jti": "1",
            // MSAL for Python writes fractions.
            "nbf": 0.5, "exp": expires,
        })
    };
    let good = key.sign(header.clone(), &claims(&url, now() + 600));
    assert_eq!(
        number(&log_in(&emulator, &app, &good)),
        700_027,
        "not registered"
    );

    let path = file.to_str().unwrap();
    let added = emulator.json(&["app", "add-certificate", "deploy", "--file", path]);
    let thumbprint = added["credentials"][0]["name"].as_str().unwrap();
    let answer = log_in(&emulator, &app, &good);
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = part(&access_token(&answer), 1);
    assert_eq!(
        (&token["appid"], &token["appidacr"]),
        (&json!(app.client), &json!("2"))
    );
    let other = Key::generate();
    for (assertion, refusal) in [
        (
            other.sign(header.clone(), &claims(&url, now() + 600)),
            700_027,
        ),
        (key.sign(json!({}), &claims(&url, now() + 600)), 700_027),
        (
            key.sign(header.clone(), &claims(&url, now() - 600)),
            700_024,
        ),
        (
            key.sign(header.clone(), &claims("https://evil.test/", now() + 600)),
            700_023,
        ),
        ("x".to_owned(), 50_027),
        ("e30.e30.".to_owned(), 50_027),
    ] {
        assert_eq!(number(&log_in(&emulator, &app, &assertion)), refusal);
    }
    emulator.cli(&["app", "remove-credential", "deploy", thumbprint]);
    assert_eq!(number(&log_in(&emulator, &app, &good)), 700_027);
    let again = emulator.run(&["app", "remove-credential", "deploy", thumbprint]);
    assert!(again.stderr.contains("was not found"), "{}", again.stderr);
    fs::write(&file, "x").unwrap();
    let bad = emulator.run(&["app", "add-certificate", "deploy", "--file", path]);
    assert!(bad.stderr.contains("it is not PEM"), "{}", bad.stderr);
}

#[test]
fn application_logs_in_with_a_token_of_an_issuer_that_it_trusts() {
    const ISSUER: &str = "https://cluster.test";
    const SUBJECT: &str = "system:serviceaccount:default:deploy";
    let emulator = Emulator::start();
    let app = App::create(&emulator);
    let key = Key::generate();
    let keys = json!({"keys": [{"kty": "RSA", "kid": "1", "n": key.n, "e": key.e}]});
    let file = emulator.data_dir().join("../keys.json");
    fs::write(&file, keys.to_string()).unwrap();
    let assertion = |key: &Key, issuer: &str, subject: &str, audience: Value| {
        let claims = json!({"iss": issuer, "sub": subject, "aud": audience, "exp": now() + 600});
        key.sign(json!({"kid": "1"}), &claims)
    };
    let exchange = json!(["api://AzureADTokenExchange"]);
    let good = assertion(&key, ISSUER, SUBJECT, exchange.clone());
    assert_eq!(number(&log_in(&emulator, &app, &good)), 700_211);
    emulator.cli(&[
        "app",
        "federate",
        "deploy",
        "--name",
        "cluster",
        "--issuer",
        ISSUER,
        "--subject",
        SUBJECT,
        "--keys",
        file.to_str().unwrap(),
    ]);
    let answer = log_in(&emulator, &app, &good);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        part(&access_token(&answer), 1)["appid"],
        app.client.as_str()
    );
    let other = Key::generate();
    for (assertion, refusal) in [
        (assertion(&other, ISSUER, SUBJECT, exchange.clone()), 50_013),
        (
            assertion(&key, "https://x.test", SUBJECT, exchange.clone()),
            700_211,
        ),
        (assertion(&key, ISSUER, SUBJECT, json!("other")), 700_212),
        (assertion(&key, ISSUER, "other", exchange), 700_213),
    ] {
        assert_eq!(number(&log_in(&emulator, &app, &assertion)), refusal);
    }
    assert!(emulator.cli(&["app", "show", "deploy"]).contains(SUBJECT));
}

#[test]
fn managed_identity_logs_in_as_an_application_that_trusts_it() {
    let emulator = Emulator::start();
    let app = App::create(&emulator);
    let identity = emulator.json(&["identity", "list"])["identities"][0].clone();
    let issuer = format!("https://sts.windows.net/{}/", app.tenant);
    emulator.cli(&[
        "app",
        "federate",
        "deploy",
        "--name",
        "identity",
        "--issuer",
        &issuer,
        "--subject",
        identity["principal_id"].as_str().unwrap(),
    ]);
    let assertion = token(&emulator, "&resource=api://AzureADTokenExchange");
    let answer = log_in(&emulator, &app, &assertion);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        part(&access_token(&answer), 1)["appid"],
        app.client.as_str()
    );
    let for_a_vault = token(&emulator, "&resource=https://vault.azure.net");
    assert_eq!(number(&log_in(&emulator, &app, &for_a_vault)), 700_212);
}
