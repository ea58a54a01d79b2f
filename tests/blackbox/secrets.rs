use std::{collections::HashSet, ops::Bound, path::Path};

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use futures_util::TryStreamExt as _;
use hkdf::Hkdf;
use rsa::{Oaep, PrivateKey, pkcs8::DecodePrivateKey as _};
use sealock_core::ObjectId;
use sealock_store::{Authenticator, Store, StoreFiles, Table, objects};
use sealock_tests::{Emulator, Image};
use serde_json::Value;
use sha2::Sha256;

const WINDOW: usize = 16;

type Windows = HashSet<[u8; WINDOW]>;

fn windows(bytes: &[u8]) -> impl Iterator<Item = [u8; WINDOW]> {
    bytes
        .windows(WINDOW)
        .map(|window| window.try_into().unwrap())
}

/// Returns the places in the data directory and the log that contain a window of `secret`.
fn found(emulator: &Emulator, secret: &Windows) -> Vec<String> {
    let mut places = emulator.files();
    places.push(("log".into(), emulator.logged().into_bytes()));
    places
        .into_iter()
        .filter(|(_, content)| windows(content).any(|window| secret.contains(&window)))
        .map(|(path, _)| path.display().to_string())
        .collect()
}

/// Returns the windows of a JSON document without its digests and media types, which are not secret.
fn secret_windows(document: &[u8]) -> Windows {
    let mut text = String::from_utf8(document.to_vec()).unwrap();
    let value: Value = serde_json::from_slice(document).unwrap();
    blank(&value, &mut text);
    windows(text.as_bytes())
        .filter(|window| !window.contains(&0))
        .collect()
}

fn blank(value: &Value, text: &mut String) {
    match value {
        Value::String(string)
            if string.starts_with("sha256:") || string.starts_with("application/") =>
        {
            *text = text.replace(string, "\0");
        }
        Value::Array(values) => values.iter().for_each(|value| blank(value, text)),
        Value::Object(values) => values.values().for_each(|value| blank(value, text)),
        _ => {}
    }
}

#[test]
fn data_directory_contains_no_pushed_plaintext() {
    let mut emulator = Emulator::start();
    let client = emulator.client();
    let image = Image::random(&[200_000, 65_536, 20]);
    assert_eq!(client.push("app", "v1", &image).status, 201);
    // An unfinished upload is content too.
    let unfinished = Image::random(&[150_000]).blobs().next().unwrap().to_owned();
    let begun = client.send("POST", "/v2/app/blobs/uploads/", &[], b"");
    assert_eq!(
        client
            .send("PATCH", begun.header("location"), &[], &unfinished)
            .status,
        202
    );

    let mut secrets = secret_windows(image.manifest());
    assert!(secrets.len() > 100);
    secrets.extend(secret_windows(image.blobs().last().unwrap()));
    for layer in image.blobs().take(3) {
        secrets.extend(windows(layer));
    }
    secrets.extend(windows(&unfinished));
    assert_eq!(found(&emulator, &secrets), [""; 0]);
    emulator.stop();
    assert_eq!(found(&emulator, &secrets), [""; 0]);

    // Proves that the search finds secrets.
    std::fs::write(emulator.data_dir().join("plain"), &image.manifest()[20..]).unwrap();
    assert_eq!(found(&emulator, &secrets).len(), 1);
}

#[test]
fn data_directory_contains_no_dek_or_private_key_in_the_clear() {
    let mut emulator = Emulator::start();
    assert_eq!(
        emulator
            .client()
            .push("app", "v1", &Image::random(&[1000]))
            .status,
        201
    );
    emulator.cli(&["key", "disable"]);
    assert_eq!(emulator.client().get("/v2/app/manifests/v1").status, 403);
    emulator.stop();

    let (dek, private_key) = opened_with_the_service_key(&emulator.data_dir());
    let mut secrets = Windows::new();
    // Skips the head of PKCS #8, which names the algorithm like every certificate of the bundle. The length keeps the
    // base64 alignment.
    let private_key = &private_key[27..];
    for secret in [dek.as_slice(), private_key] {
        secrets.extend(windows(secret));
        secrets.extend(windows(hex::encode(secret).as_bytes()));
        secrets.extend(windows(STANDARD.encode(secret).as_bytes()));
        secrets.extend(windows(URL_SAFE_NO_PAD.encode(secret).as_bytes()));
    }
    assert_eq!(found(&emulator, &secrets), [""; 0]);
}

/// Opens everything that the data directory and the service key permit, by the documented format alone.
fn opened_with_the_service_key(data_dir: &Path) -> (Vec<u8>, Vec<u8>) {
    let service_key = std::fs::read_to_string(data_dir.join("service.key")).unwrap();
    let service_key = STANDARD.decode(service_key.trim()).unwrap();
    let record_key = derive(&service_key, &[], b"sealock service record v1");
    let store_key = derive(&service_key, &[], b"sealock store v1");
    let authenticator = Authenticator::new(store_key.first_chunk().unwrap());
    let store = Store::open(StoreFiles::new(data_dir, authenticator)).unwrap();

    let version = only(&store, "key-versions", true);
    let read = |name: &str| {
        let id: ObjectId = version.1["private_key"][name]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        objects::read(&*store.vault_keys, id).unwrap().unwrap()
    };
    let kid = format!("{}/keys/{}/{}", version.0[0], version.0[1], version.0[2]);
    let own_key = open(&record_key, kid.as_bytes(), &read("record_key"));
    let private_key = open(&own_key, kid.as_bytes(), &read("object"));

    let custody = only(&store, "custodies", false);
    let sealed = STANDARD
        .decode(custody.1["sealed"].as_str().unwrap())
        .unwrap();
    let associated_data = format!("dek of {} under {kid}", custody.0[0]);
    let wrapped = open(&record_key, associated_data.as_bytes(), &sealed);
    let wrapped: Value = serde_json::from_slice(&wrapped).unwrap();
    let wrapped = STANDARD.decode(wrapped["value"].as_str().unwrap()).unwrap();
    let rsa = PrivateKey::from_pkcs8_der(&private_key).unwrap();
    let dek = rsa.decrypt(Oaep::<Sha256>::new(), &wrapped).unwrap();
    assert_eq!(dek.len(), 32);
    (dek, private_key)
}

fn only(store: &Store, table: &'static str, control: bool) -> (Vec<String>, Value) {
    let table: Table<Value> = if control {
        Table::control(table)
    } else {
        Table::content(table)
    };
    let entries = store.scan(&table, &[], Bound::Unbounded);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let entries: Vec<_> = runtime.block_on(entries.try_collect()).unwrap();
    let [entry] = <[_; 1]>::try_from(entries).unwrap();
    (entry.key, entry.record.value)
}

fn open(key: &[u8], associated_data: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (salt, ciphertext) = sealed[1..].split_at(32);
    let key = derive(key, salt, b"sealock record v1");
    let payload = Payload {
        msg: ciphertext,
        aad: associated_data,
    };
    let cipher = Aes256Gcm::new_from_slice(&key).unwrap();
    cipher.decrypt(&[0; 12].into(), payload).expect("it opens")
}

fn derive(secret: &[u8], salt: &[u8], info: &[u8]) -> Vec<u8> {
    let mut key = vec![0; 32];
    Hkdf::<Sha256>::new(Some(salt), secret)
        .expand(info, &mut key)
        .unwrap();
    key
}
