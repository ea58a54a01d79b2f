use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{RSA_JWK, ec_jwk, import, key, refused};
use crate::{Curve, KeyShape, KeyType, PublicKey};

const INCOMPLETE: &str = r#"The property "key" must be a valid JsonWebKey object."#;
const INVALID: &str = "RSA key is not valid - cannot instantiate crypto service";

fn set_member(jwk: &Value, name: &str, value: Value) -> Value {
    let mut jwk = jwk.clone();
    jwk[name] = value;
    jwk
}

fn remove_members(jwk: &Value, names: &[&str]) -> Value {
    let mut jwk = jwk.clone();
    for name in names {
        jwk.as_object_mut().unwrap().remove(*name);
    }
    jwk
}

#[test]
fn optional_members_and_other_spellings_are_accepted() {
    let rsa = &*RSA_JWK;
    let whole = key(rsa).public_key();
    let padded = format!("{}==", rsa["n"].as_str().unwrap());
    for jwk in [
        remove_members(rsa, &["dp", "dq", "qi"]),
        remove_members(rsa, &["p", "q", "dp", "dq", "qi"]),
        set_member(rsa, "n", json!(padded)),
        set_member(rsa, "e", json!("AAEAAQ")),
        set_member(rsa, "kid", json!("ignored")),
        set_member(rsa, "key_hsm", json!(null)),
    ] {
        assert_eq!(key(&jwk).public_key(), whole, "{jwk}");
    }
    let (kty, _) = import(&set_member(rsa, "kty", json!("RSA-HSM"))).unwrap();
    assert_eq!(kty, KeyType::RsaHsm);

    let ec = ec_jwk();
    let PublicKey::Ec { x, y, .. } = key(&remove_members(&ec, &["x", "y"])).public_key() else {
        panic!("an EC key");
    };
    assert_eq!((json!(x), json!(y)), (ec["x"].clone(), ec["y"].clone()));
    let short = json!({ "kty": "EC", "crv": "P-521", "d": "AQ" });
    assert_eq!(key(&short).shape(), KeyShape::Ec { curve: Curve::P521 });
}

#[test]
fn refusals_name_the_fault_of_an_imported_key() {
    let rsa = &*RSA_JWK;
    let ec = &ec_jwk();
    let oct = &json!({ "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODw" });
    let b64 = |bytes: Vec<u8>| json!(URL_SAFE_NO_PAD.encode(bytes));
    let swapped = set_member(
        &set_member(rsa, "p", rsa["q"].clone()),
        "q",
        rsa["p"].clone(),
    );
    for (jwk, reason) in [
        (remove_members(rsa, &["kty"]), INCOMPLETE),
        (remove_members(rsa, &["n"]), INCOMPLETE),
        (remove_members(rsa, &["d"]), INCOMPLETE),
        (remove_members(rsa, &["p"]), INCOMPLETE),
        (remove_members(rsa, &["q"]), INCOMPLETE),
        (remove_members(rsa, &["p", "q"]), INVALID),
        (
            set_member(rsa, "n", json!("a+b/")),
            "Content of 'n' is not base64url.\r\n",
        ),
        (
            set_member(rsa, "n", json!("A".repeat(2000))),
            "'n' is too long",
        ),
        (
            set_member(rsa, "n", b64(vec![0xff; 255])),
            "Unsupported key size (2040). Supported sizes are [1024, 2048, 3072, 4096]",
        ),
        (set_member(rsa, "n", json!("")), "Unsupported key size (0)."),
        (set_member(rsa, "n", b64(vec![0xff; 128])), INVALID),
        (set_member(rsa, "e", json!("Aw")), "'e' must be 65537"),
        (set_member(rsa, "e", json!("")), "'e' must be 65537"),
        (set_member(rsa, "d", json!("")), INVALID),
        (set_member(rsa, "p", json!("")), INVALID),
        (set_member(rsa, "q", json!("AAAA")), INVALID),
        (set_member(rsa, "d", json!("AQ")), INVALID),
        (set_member(rsa, "p", json!("AQ")), INVALID),
        (set_member(rsa, "q", json!("BA")), INVALID),
        (set_member(rsa, "dp", json!("AQ")), INVALID),
        (set_member(rsa, "dq", json!("AQ")), INVALID),
        (set_member(rsa, "qi", json!("AQ")), INVALID),
        (swapped, INVALID),
        (remove_members(ec, &["crv"]), INCOMPLETE),
        (remove_members(ec, &["d"]), INCOMPLETE),
        (set_member(ec, "d", b64(vec![0; 32])), "'d' is zero"),
        (
            set_member(ec, "d", b64(vec![0xff; 32])),
            "'d' is not a private key",
        ),
        (
            set_member(ec, "d", b64(vec![1; 33])),
            "'d' is too long for the curve",
        ),
        (
            set_member(ec, "crv", json!("P-256K")),
            "'x' does not belong",
        ),
        (set_member(ec, "y", ec["x"].clone()), "'y' does not belong"),
        (remove_members(oct, &["k"]), INCOMPLETE),
        (
            set_member(oct, "k", json!("AAEC")),
            "Unsupported key size (24). Supported sizes are [128, 192, 256]",
        ),
        (
            set_member(oct, "k", b64(vec![1; 33])),
            "Unsupported key size (264). Supported sizes are [128, 192, 256]",
        ),
        (
            set_member(oct, "kty", json!("DSA")),
            "Invalid kty value: DSA",
        ),
        (
            set_member(oct, "kty", oct["k"].clone()),
            "Invalid kty value: ...",
        ),
    ] {
        refused(import(&jwk), reason);
    }
}

/// The arithmetic that recovers the primes has preconditions.
#[test]
fn recovering_primes_never_panics() {
    let bare = remove_members(&RSA_JWK, &["p", "q", "dp", "dq", "qi"]);
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
            let jwk = set_member(&set_member(&bare, "n", n), "d", d.clone());
            refused(import(&jwk), INVALID);
        }
    }
}

/// The `rsa` crate does not test them: it accepts 2^1024 - 1 and 2^1024 - 3 as primes.
#[test]
fn composite_primes_are_refused() {
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
