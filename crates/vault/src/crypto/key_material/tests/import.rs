use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{RSA_JWK, ec_jwk, import, key, refused};
use crate::{Curve, KeyShape, KeyType, PublicKey};

const INCOMPLETE: &str = r#"The property "key" must be a valid JsonWebKey object."#;
const INVALID: &str = "RSA key is not valid - cannot instantiate crypto service";

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
