//! Objects that open.

use sealock_envelope::Layers;

use super::ObjectVector;
use crate::sample::{BOTH, Owner, SMALLEST, Stored, header, plaintext};

const SEGMENT: usize = 4096;

const LENGTHS: [(&str, usize, &str); 6] = [
    ("empty", 0, "no content: one empty segment"),
    ("one-byte", 1, "one byte"),
    (
        "segment-less-one",
        SEGMENT - 1,
        "one byte less than a segment",
    ),
    (
        "segment",
        SEGMENT,
        "exactly one segment, which carries the last flag",
    ),
    (
        "segment-and-one",
        SEGMENT + 1,
        "a full segment and one of one byte",
    ),
    (
        "three-segments-and-a-bit",
        3 * SEGMENT + 100,
        "three full segments and a short one",
    ),
];

pub(super) fn all() -> Vec<(ObjectVector, Vec<u8>)> {
    let mut vectors = Vec::new();
    for layers in BOTH {
        let owner = owner(layers);
        for (salt, (name, length, about)) in (layers.count() * 0x10..).zip(LENGTHS) {
            let name = format!("{name}-{}", suffix(layers));
            let stored = sealed(&owner, SMALLEST, salt, length);
            vectors.push(ObjectVector::new(&name, about, &owner, &stored));
        }
    }
    let owner = owner(Layers::ServiceAndCmk);
    let stored = sealed(&owner, 16, 0x30, (1 << 16) + 1);
    let about = "a full segment of the default size and one of one byte";
    vectors.push(ObjectVector::new(
        "default-segment-size-cmk",
        about,
        &owner,
        &stored,
    ));
    vectors
}

/// Returns the registry of all vectors, with keys that are easy to tell apart.
pub(super) fn owner(layers: Layers) -> Owner {
    Owner {
        registry: "8d4f7e0a-5b1c-4c3e-9f26-2a7b60d1e583".parse().unwrap(),
        service: numbered(0x40),
        dek: (layers == Layers::ServiceAndCmk).then(|| numbered(0x80)),
    }
}

/// Seals an object whose salt is the byte `salt`, 32 times.
pub(super) fn sealed(owner: &Owner, log2: u8, salt: u8, length: usize) -> Stored {
    let header = header(owner.layers(), log2, [salt; 32]);
    Stored::seal(owner, header, [&*plaintext(length)])
}

/// Returns 32 bytes that count up from `first`.
fn numbered(first: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (byte, number) in bytes.iter_mut().zip(first..) {
        *byte = number;
    }
    bytes
}

fn suffix(layers: Layers) -> &'static str {
    match layers {
        Layers::Service => "service",
        Layers::ServiceAndCmk => "cmk",
    }
}
