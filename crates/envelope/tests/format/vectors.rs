//! The vectors in `fixtures/blob-format`, with which readers in other languages are tested.
//!
//! Existing vectors do not change as long as the version of the format does not. To add one, extend [`all`] and run
//! `cargo test -p sealock-envelope --test format -- --ignored write_the_vectors`.

mod accepted;
mod records;
mod refused;

use std::{fs, path::PathBuf};

use sealock_core::{Digest, RegistryId};
use sealock_envelope::{Dek, Error, ServiceKey};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    reference,
    sample::{Owner, Stored, header, plaintext},
};

/// An object and the result of opening it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ObjectVector {
    name: String,
    about: String,
    registry: RegistryId,
    service_key: Hex,
    dek: Option<Hex>,
    digest: Digest,
    /// The length of the plaintext, whose byte i is i mod 251.
    plaintext_length: u64,
    /// The name of the object's file beside the vectors.
    object: String,
    /// The reason for the refusal; `None` if the object opens.
    refusal: Option<String>,
}

/// A sealed record and the result of opening it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RecordVector {
    name: String,
    about: String,
    service_key: Hex,
    associated_data: String,
    plaintext: String,
    record: Hex,
    refusal: Option<String>,
}

/// A sealed record of a registry and the result of opening it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RegistryRecordVector {
    name: String,
    about: String,
    registry: RegistryId,
    service_key: Hex,
    dek: Option<Hex>,
    associated_data: String,
    plaintext: String,
    record: Hex,
    refusal: Option<String>,
}

/// A DEK and its check value.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct CheckVector {
    dek: Hex,
    check_value: Hex,
}

/// Bytes that JSON contains as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Hex(Vec<u8>);

/// All vectors, and the bytes of their objects.
struct Vectors {
    objects: Vec<(ObjectVector, Vec<u8>)>,
    records: Vec<RecordVector>,
    registry_records: Vec<RegistryRecordVector>,
    checks: Vec<CheckVector>,
}

fn all() -> Vectors {
    let mut objects = accepted::all();
    objects.extend(refused::all());
    Vectors {
        objects,
        records: records::all(),
        registry_records: records::registry_records(),
        checks: records::checks(),
    }
}

impl ObjectVector {
    fn new(name: &str, about: &str, owner: &Owner, stored: &Stored) -> (Self, Vec<u8>) {
        let vector = Self {
            name: name.to_owned(),
            about: about.to_owned(),
            registry: owner.registry,
            service_key: owner.service.into(),
            dek: owner.dek.map(Hex::from),
            digest: stored.digest,
            plaintext_length: stored.plaintext_len,
            object: format!("{name}.bin"),
            refusal: None,
        };
        (vector, stored.bytes.clone())
    }

    fn owner(&self) -> Owner {
        Owner {
            registry: self.registry,
            service: self.service_key.array(),
            dek: self.dek.as_ref().map(Hex::array),
        }
    }

    fn stored(&self) -> Stored {
        Stored {
            bytes: fs::read(directory().join(&self.object)).unwrap(),
            digest: self.digest,
            plaintext_len: self.plaintext_length,
        }
    }
}

impl Hex {
    fn array(&self) -> [u8; 32] {
        self.0[..].try_into().unwrap()
    }
}

impl From<[u8; 32]> for Hex {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes.into())
    }
}

impl From<Hex> for String {
    fn from(bytes: Hex) -> Self {
        hex::encode(bytes.0)
    }
}

impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        hex::decode(text).map(Self)
    }
}

/// Returns the name of a refusal in the vectors.
fn refusal(error: &Error) -> String {
    match error {
        Error::HeaderInvalid(_) => "header".to_owned(),
        Error::LayersMismatch => "layers".to_owned(),
        Error::LengthMismatch { .. } => "length".to_owned(),
        Error::BindingMismatch => "binding".to_owned(),
        Error::SegmentRefused { index } => format!("segment {index}"),
        Error::RecordRefused => "record".to_owned(),
        other => panic!("a reader never returns {other}"),
    }
}

#[test]
fn object_vectors_open_or_are_refused() {
    let vectors: Vec<ObjectVector> = read("objects.json");
    assert!(vectors.iter().any(|vector| vector.refusal.is_none()));
    for vector in vectors {
        let (name, owner, stored) = (&vector.name, vector.owner(), vector.stored());
        let opened = stored.open(&owner);
        let reference = reference::open(&owner, &stored);
        if vector.refusal.is_some() {
            assert_eq!(
                opened.map_err(|error| refusal(&error)).err(),
                vector.refusal,
                "{name}"
            );
            assert_eq!(reference, None, "{name}");
            continue;
        }
        let plaintext = plaintext(usize::try_from(vector.plaintext_length).unwrap());
        assert_eq!(opened.as_ref(), Ok(&plaintext), "{name}");
        assert_eq!(reference.as_ref(), Some(&plaintext), "{name}");
        let salt = stored.bytes[16..48].try_into().unwrap();
        let header = header(owner.layers(), stored.bytes[10], salt);
        let again = Stored::seal(&owner, header, [&*plaintext]);
        assert!(again == stored, "{name} is sealed to the same bytes");
    }
}

#[test]
fn record_vectors_open_or_are_refused() {
    for vector in read::<Vec<RecordVector>>("records.json") {
        let key = ServiceKey::from_slice(&vector.service_key.0)
            .unwrap()
            .record_key();
        let opened = key.open(vector.associated_data.as_bytes(), &vector.record.0);
        match opened {
            Ok(plaintext) => {
                assert_eq!(vector.refusal, None, "{}", vector.name);
                assert_eq!(*plaintext, vector.plaintext.as_bytes(), "{}", vector.name);
            }
            Err(error) => assert_eq!(vector.refusal, Some(refusal(&error)), "{}", vector.name),
        }
    }
}

#[test]
fn registry_record_vectors_open_or_are_refused() {
    for vector in read::<Vec<RegistryRecordVector>>("registry-records.json") {
        let owner = Owner {
            registry: vector.registry,
            service: vector.service_key.array(),
            dek: vector.dek.as_ref().map(Hex::array),
        };
        let data = vector.associated_data.as_bytes();
        let opened = owner.with_keys(|keys| keys.open_record(data, &vector.record.0));
        match opened {
            Ok(plaintext) => {
                assert_eq!(vector.refusal, None, "{}", vector.name);
                assert_eq!(*plaintext, vector.plaintext.as_bytes(), "{}", vector.name);
            }
            Err(error) => assert_eq!(vector.refusal, Some(refusal(&error)), "{}", vector.name),
        }
    }
}

#[test]
fn check_values_match_their_keys() {
    for vector in read::<Vec<CheckVector>>("check-values.json") {
        let dek = Dek::from_slice(&vector.dek.0).unwrap();
        assert_eq!(dek.check_value(), vector.check_value.array());
    }
}

/// No vector is missing, outdated or added by hand.
#[test]
fn vector_files_are_up_to_date() {
    let (expected, names) = (all(), file_names());
    let mut known = vec![
        "check-values.json",
        "objects.json",
        "records.json",
        "registry-records.json",
    ];
    known.extend(expected.objects.iter().map(|(vector, _)| &*vector.object));
    known.sort_unstable();
    assert_eq!(names, known);
    for (vector, bytes) in &expected.objects {
        assert!(
            fs::read(directory().join(&vector.object)).unwrap() == *bytes,
            "{}",
            vector.name
        );
    }
    let objects: Vec<_> = expected
        .objects
        .into_iter()
        .map(|(vector, _)| vector)
        .collect();
    assert_eq!(read::<Vec<ObjectVector>>("objects.json"), objects);
    assert_eq!(read::<Vec<RecordVector>>("records.json"), expected.records);
    assert_eq!(
        read::<Vec<RegistryRecordVector>>("registry-records.json"),
        expected.registry_records
    );
    assert_eq!(
        read::<Vec<CheckVector>>("check-values.json"),
        expected.checks
    );
}

#[test]
#[ignore = "writes the vectors into fixtures/, after a change of the format: see docs/blob-format.md"]
fn write_the_vectors() {
    let vectors = all();
    fs::create_dir_all(directory()).unwrap();
    for (vector, bytes) in &vectors.objects {
        fs::write(directory().join(&vector.object), bytes).unwrap();
    }
    let objects: Vec<_> = vectors.objects.iter().map(|(vector, _)| vector).collect();
    write("objects.json", &objects);
    write("records.json", &vectors.records);
    write("registry-records.json", &vectors.registry_records);
    write("check-values.json", &vectors.checks);
}

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../fixtures/blob-format"]
        .iter()
        .collect()
}

fn file_names() -> Vec<String> {
    let entries = fs::read_dir(directory()).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn read<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_slice(&fs::read(directory().join(name)).unwrap()).unwrap()
}

fn write<T: Serialize>(name: &str, value: &T) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    fs::write(directory().join(name), text).unwrap();
}
