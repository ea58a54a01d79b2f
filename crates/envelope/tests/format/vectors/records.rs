//! Sealed records, and the check values of DEKs.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sealock_envelope::Layers;

use super::{CheckVector, Hex, RecordVector, RegistryRecordVector, accepted::owner};
use crate::reference;

/// The associated data of a DEK record: the registry of the vectors, and version 3f0c... of contoso's key.
const DEK_DATA: &str = "dek of 8d4f7e0a-5b1c-4c3e-9f26-2a7b60d1e583 under \
                      contoso/keys/registry-cmk/3f0c9a6d1e2b4785a1c4d5e6f7089b2a";

pub(super) fn all() -> Vec<RecordVector> {
    let text = "the content of a record";
    let refused = |name, about, edit: fn(&mut RecordVector)| {
        let mut vector = record(name, about, 0x53, "where it belongs", text);
        edit(&mut vector);
        vector.refusal = Some("record".to_owned());
        vector
    };
    vec![
        record("record", "a record", 0x50, "where it belongs", text),
        record(
            "record-empty",
            "no content and no associated data",
            0x51,
            "",
            "",
        ),
        record(
            "record-dek",
            "a DEK record; its value is no real RSA output",
            0x52,
            DEK_DATA,
            &dek_record(),
        ),
        refused(
            "refused-record-elsewhere",
            "other associated data",
            |vector| {
                vector.associated_data.insert_str(0, "not ");
            },
        ),
        refused("refused-record-key", "another service key", |vector| {
            vector.service_key = [0xff; 32].into();
        }),
        refused("refused-record-version", "version 2", |vector| {
            vector.record.0[0] = 2;
        }),
        refused(
            "refused-record-salt",
            "a byte of the salt is flipped",
            |vector| {
                vector.record.0[1] ^= 1;
            },
        ),
        refused(
            "refused-record-byte",
            "a byte of the content is flipped",
            |vector| {
                vector.record.0[33] ^= 1;
            },
        ),
        refused("refused-record-tag", "the last byte is flipped", |vector| {
            *vector.record.0.last_mut().unwrap() ^= 1;
        }),
        refused(
            "refused-record-truncated",
            "the last byte is missing",
            |vector| {
                vector.record.0.pop();
            },
        ),
        refused(
            "refused-record-without-tag",
            "shorter than a tag",
            |vector| {
                vector.record.0.truncate(33 + 15);
            },
        ),
        refused("refused-record-nothing", "no bytes", |vector| {
            vector.record.0.clear();
        }),
    ]
}

pub(super) fn registry_records() -> Vec<RegistryRecordVector> {
    let (service, both) = (Layers::Service, Layers::ServiceAndCmk);
    let refused = |name, about, layers, edit: fn(&mut RegistryRecordVector)| {
        let mut vector = registry_record(name, about, layers, 0x64);
        edit(&mut vector);
        vector.refusal = Some("record".to_owned());
        vector
    };
    vec![
        registry_record("registry-record-service", "one layer", service, 0x60),
        registry_record("registry-record-cmk", "both layers", both, 0x62),
        refused(
            "refused-registry-record-elsewhere",
            "other associated data",
            both,
            |vector| vector.associated_data.insert_str(0, "not "),
        ),
        refused(
            "refused-registry-record-of-another",
            "another registry",
            both,
            |vector| vector.registry = "00000000-0000-4000-8000-000000000000".parse().unwrap(),
        ),
        refused(
            "refused-registry-record-dek",
            "another DEK",
            both,
            |vector| vector.dek = Some([0xff; 32].into()),
        ),
        refused(
            "refused-registry-record-without-dek",
            "two layers in a registry that has one",
            both,
            |vector| vector.dek = None,
        ),
        refused(
            "refused-registry-record-with-dek",
            "one layer in a registry that has two",
            service,
            |vector| vector.dek = Some(dek().into()),
        ),
        refused(
            "refused-registry-record-service-key",
            "another service key",
            both,
            |vector| vector.service_key = [0xff; 32].into(),
        ),
        refused(
            "refused-registry-record-byte",
            "a byte is flipped",
            both,
            |vector| vector.record.0[40] ^= 1,
        ),
    ]
}

fn registry_record(name: &str, about: &str, layers: Layers, salt: u8) -> RegistryRecordVector {
    let owner = owner(layers);
    let (associated_data, text) = ("where it belongs", "the content of a record");
    let salts = [[salt; 32], [salt + 1; 32]];
    RegistryRecordVector {
        name: name.to_owned(),
        about: about.to_owned(),
        registry: owner.registry,
        service_key: owner.service.into(),
        dek: owner.dek.map(Hex::from),
        associated_data: associated_data.to_owned(),
        plaintext: text.to_owned(),
        record: Hex(reference::seal_registry_record(
            &owner,
            salts,
            associated_data.as_bytes(),
            text.as_bytes(),
        )),
        refusal: None,
    }
}

pub(super) fn checks() -> Vec<CheckVector> {
    [dek(), [0; 32], [0xff; 32]]
        .map(|dek| CheckVector {
            dek: dek.into(),
            check_value: reference::check_value(&dek).into(),
        })
        .into()
}

fn record(name: &str, about: &str, salt: u8, associated_data: &str, text: &str) -> RecordVector {
    let service_key = owner(Layers::Service).service;
    let salt = [salt; 32];
    RecordVector {
        name: name.to_owned(),
        about: about.to_owned(),
        service_key: service_key.into(),
        associated_data: associated_data.to_owned(),
        plaintext: text.to_owned(),
        record: Hex(reference::seal_record(
            &service_key,
            salt,
            associated_data.as_bytes(),
            text.as_bytes(),
        )),
        refusal: None,
    }
}

fn dek_record() -> String {
    let value = STANDARD.encode([0x5a; 256]);
    let check = STANDARD.encode(reference::check_value(&dek()));
    format!(r#"{{"algorithm":"RSA-OAEP-256","value":"{value}","check":"{check}"}}"#)
}

fn dek() -> [u8; 32] {
    owner(Layers::ServiceAndCmk).dek.unwrap()
}
