use std::{collections::HashSet, fs, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sealock_core::{Clock, KeyIdentifier, KeyName, KeyVersion, Kid, PublicName, VaultName};
use sealock_entra::Directory;
use sealock_envelope::ServiceKey;
use sealock_store::{Authenticator, Store, StoreFiles};

use crate::{
    Error, KeyChange, KeyShape, KeySpec, KeyType, KeyVault, PublicKey, Requester, Settings,
    VaultSettings,
    crypto::{key_material::KeyMaterial, private_keys},
    operation::{BackUpKey, CreateKey, CreateVault},
};

/// The length of the searched pieces of a key, which do not occur by chance.
const WINDOW: usize = 12;

/// Reads all files in a directory.
fn files(dir: &Path) -> Vec<Vec<u8>> {
    fs::read_dir(dir)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path)
            } else {
                vec![fs::read(path).unwrap()]
            }
        })
        .collect()
}

/// Encodes the bytes in base64url at each alignment that they can have in a longer text.
fn encoded(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..3.min(bytes.len()))
        .map(|start| URL_SAFE_NO_PAD.encode(&bytes[start..]).into_bytes())
        .collect()
}

#[tokio::test]
async fn no_piece_of_a_private_key_is_stored_or_backed_up_in_the_clear() {
    let dir = tempfile::tempdir().unwrap();
    let files_of_store = StoreFiles::new(dir.path(), Authenticator::new(&[7; 32]));
    let (store, clock) = (Store::open(files_of_store).unwrap(), Clock::system());
    let directory = Directory::open(store.clone(), clock.clone()).await.unwrap();
    let vaults = KeyVault::open(
        store,
        Arc::new(ServiceKey::random()),
        clock,
        PublicName::parse("localhost", 5000).unwrap(),
        directory,
        Settings::default(),
    );
    let (operator, vault) = (Requester::operator(), "kv1".parse::<VaultName>().unwrap());
    let permit = vaults.authorize(&operator, CreateVault, vault.clone());
    let created = permit.await.unwrap().run(VaultSettings::default());
    created.await.unwrap();
    let service = &vaults.service;
    let mut secrets = vec![service.service_key.expose().to_vec()];
    let mut searched = Vec::new();
    let mut public = Vec::new();
    for (name, kty) in [
        ("rsa", KeyType::Rsa),
        ("ec", KeyType::Ec),
        ("oct", KeyType::OctHsm),
    ] {
        let key: KeyName = name.parse().unwrap();
        let spec = KeySpec {
            kty,
            ..KeySpec::default()
        };
        let key = KeyIdentifier::current(&vault, &key);
        let permit = vaults.authorize(&operator, CreateKey, key.clone());
        let created = permit.await.unwrap().run(spec, KeyChange::default());
        let current = created.await.unwrap().current;
        let kid = current.kid;
        public.extend(match current.public_key {
            PublicKey::Rsa { n, .. } => vec![n],
            PublicKey::Ec { x, y, .. } => vec![x, y],
            PublicKey::Oct => vec![],
        });
        let permit = vaults.authorize(&operator, BackUpKey, key);
        let backup = permit.await.unwrap().run().await.unwrap();
        // A backup is base64url in base64url.
        let opened = URL_SAFE_NO_PAD.decode(&backup).unwrap();
        for part in opened.split(|byte| *byte == b'.').skip(3) {
            searched.push(URL_SAFE_NO_PAD.decode(part).unwrap());
        }
        searched.extend([backup.into_bytes(), opened]);

        let sealed = service.version(&kid).await.unwrap().private_key;
        let objects = &*service.store.vault_keys;
        let private_key =
            private_keys::open(objects, &service.service_key, &kid, kty, sealed).unwrap();
        secrets.push(private_key.unwrap().to_secret().unwrap().to_vec());
    }
    let encoded: Vec<_> = secrets.iter().flat_map(|secret| encoded(secret)).collect();
    let mut secrets: HashSet<&[u8]> = secrets
        .iter()
        .chain(&encoded)
        .flat_map(|secret| secret.windows(WINDOW))
        .collect();

    let stored = files(dir.path());
    for public in public.iter().map(String::as_bytes) {
        // The encoding of a private key contains its public key.
        secrets.retain(|window| !public.windows(WINDOW).any(|public| public == *window));
        assert!(
            stored
                .iter()
                .any(|file| file.windows(public.len()).any(|bytes| bytes == public)),
            "the search does not find a public key"
        );
    }
    assert!(searched.len() >= 9 && stored.len() > 6);
    for file in stored.iter().chain(&searched) {
        assert!(file.windows(WINDOW).all(|bytes| !secrets.contains(bytes)));
    }
}

#[tokio::test]
async fn private_keys_open_only_under_their_own_kid() {
    let store = Store::ephemeral();
    let service_key = ServiceKey::random();
    let kid: Kid = format!("kv1/k1/{}", KeyVersion::random()).parse().unwrap();
    let other: Kid = format!("kv1/k1/{}", KeyVersion::random()).parse().unwrap();
    let key = KeyMaterial::generate(KeyShape::Oct { bits: 256 }).unwrap();
    let objects = &*store.vault_keys;
    let sealed = private_keys::seal(objects, &service_key, &kid, &key).unwrap();
    let open = |service_key: &ServiceKey, kid: &Kid| {
        private_keys::open(objects, service_key, kid, KeyType::OctHsm, sealed)
    };
    let opened = open(&service_key, &kid).unwrap().unwrap();
    assert_eq!(opened.to_secret().unwrap(), key.to_secret().unwrap());
    assert!(matches!(
        open(&service_key, &other),
        Err(Error::Damaged { .. })
    ));
    assert!(matches!(
        open(&ServiceKey::random(), &kid),
        Err(Error::Damaged { .. })
    ));
    objects.remove(sealed.record_key).unwrap();
    assert!(open(&service_key, &kid).unwrap().is_none());
}
