//! Objects that must be refused, each for a single reason.

use sealock_core::RegistryId;
use sealock_envelope::Layers;

use super::{
    ObjectVector,
    accepted::{owner, sealed},
};
use crate::{
    reference,
    sample::{Owner, SMALLEST, Stored, plaintext},
};

const HEADER: usize = 48;
const BINDING: usize = 32;
const SEGMENT: usize = 4096;
const LENGTH: usize = 100;
const STORED_SEGMENT: usize = SEGMENT + 32;

pub(super) fn all() -> Vec<(ObjectVector, Vec<u8>)> {
    [headers(), lengths(), bindings(), segments(), flags()]
        .concat()
        .into_iter()
        .map(|refused| {
            let name = format!("refused-{}", refused.name);
            let (mut vector, bytes) =
                ObjectVector::new(&name, refused.about, &refused.owner, &refused.stored);
            vector.refusal = Some(refused.refusal.to_owned());
            (vector, bytes)
        })
        .collect()
}

#[derive(Clone)]
struct Refused {
    name: &'static str,
    about: &'static str,
    owner: Owner,
    stored: Stored,
    refusal: &'static str,
}

/// Returns a small object with both layers, after `edit`.
fn edited(
    refusal: &'static str,
    name: &'static str,
    about: &'static str,
    edit: impl FnOnce(&mut Owner, &mut Stored),
) -> Refused {
    let mut owner = owner(Layers::ServiceAndCmk);
    let mut stored = sealed(&owner, SMALLEST, 0x40, LENGTH);
    edit(&mut owner, &mut stored);
    Refused {
        name,
        about,
        owner,
        stored,
        refusal,
    }
}

fn headers() -> Vec<Refused> {
    let set = |name, about, index: usize, value| {
        edited("header", name, about, |_, stored| {
            stored.bytes[index] = value;
        })
    };
    vec![
        set("magic", "byte 0 is flipped", 0, b's' ^ 1),
        set("magic-end", "byte 7 is not zero", 7, 1),
        set("version-0", "the version is 0", 8, 0),
        set("version-2", "the version is 2", 8, 2),
        set("layers-0", "no layers", 9, 0),
        set("layers-3", "three layers", 9, 3),
        set("segment-size-11", "segments of 2 KiB", 10, 11),
        set("segment-size-21", "segments of 2 MiB", 10, 21),
        set(
            "padding-first",
            "the first byte of the padding is not zero",
            11,
            1,
        ),
        set(
            "padding-last",
            "the last byte of the padding is not zero",
            15,
            0x80,
        ),
        edited(
            "layers",
            "layers-stripped",
            "the header claims one layer of two",
            |_, stored| {
                stored.bytes[9] = 1;
            },
        ),
        edited(
            "layers",
            "registry-without-dek",
            "two layers in a registry of one",
            |owner, _| {
                owner.dek = None;
            },
        ),
        service_layer_in_a_registry_of_two(),
    ]
}

/// An attacker with the service key alone must not be able to add an object to a registry with a CMK.
fn service_layer_in_a_registry_of_two() -> Refused {
    let about = "an object of the service layer alone in a registry of two layers";
    edited("layers", "registry-with-dek", about, |_, stored| {
        *stored = sealed(&owner(Layers::Service), SMALLEST, 0x41, LENGTH);
    })
}

fn lengths() -> Vec<Refused> {
    let cut = |name, about, length: usize| {
        edited("length", name, about, |_, stored| {
            stored.bytes.truncate(length);
        })
    };
    let whole = HEADER + LENGTH + 32 + BINDING;
    vec![
        cut("nothing", "the file is empty", 0),
        cut("header-truncated", "half a header", 40),
        cut("header-only", "a header and nothing else", HEADER),
        cut("truncated", "the last byte is missing", whole - 1),
        cut("binding-missing", "the binding is missing", whole - BINDING),
        edited(
            "length",
            "tag-missing",
            "the outer tag is missing",
            |_, stored| {
                stored.bytes.drain(whole - BINDING - 16..whole - BINDING);
            },
        ),
        edited(
            "length",
            "segment-missing",
            "a header and a binding without segments",
            |_, stored| {
                stored.bytes.drain(HEADER..whole - BINDING);
            },
        ),
        edited("length", "extra-byte", "one byte more", |_, stored| {
            stored.bytes.push(0);
        }),
        edited(
            "length",
            "empty-segment-added",
            "a second segment, sealed but empty",
            |owner, stored| {
                let segments = [(&*plaintext(SEGMENT), false), (&[][..], true)];
                *stored = reference::seal_segments(owner, SMALLEST, [0x42; 32], &segments);
            },
        ),
        edited(
            "length",
            "last-segment-dropped",
            "the second of two segments is missing",
            |owner, stored| {
                *stored = without_last_segment(owner);
            },
        ),
    ]
}

/// Returns the header, the first of two segments, and the binding.
fn without_last_segment(owner: &Owner) -> Stored {
    let mut stored = sealed(owner, SMALLEST, 0x43, SEGMENT + 1);
    let end = stored.bytes.len() - BINDING;
    stored.bytes.drain(HEADER + STORED_SEGMENT..end);
    stored
}

fn bindings() -> Vec<Refused> {
    vec![
        edited(
            "binding",
            "salt",
            "a byte of the salt is flipped",
            |_, stored| {
                stored.bytes[16] ^= 1;
            },
        ),
        edited(
            "binding",
            "binding-byte",
            "the last byte of the binding is flipped",
            |_, stored| {
                *stored.bytes.last_mut().unwrap() ^= 1;
            },
        ),
        edited(
            "binding",
            "segment-size",
            "another segment size than it was sealed with",
            |_, stored| {
                stored.bytes[10] += 1;
            },
        ),
        edited(
            "binding",
            "other-object",
            "another object of the same length under this digest",
            |owner, stored| {
                let other = reference::seal(owner, SMALLEST, [0x44; 32], &[0xa5; LENGTH]);
                stored.bytes = other.bytes;
            },
        ),
        edited(
            "binding",
            "other-objects-segments",
            "this header, but bound to another digest",
            |owner, stored| {
                let other = reference::seal(owner, SMALLEST, [0x40; 32], &[0xa5; LENGTH]);
                stored.bytes = other.bytes;
            },
        ),
        edited(
            "binding",
            "shortened",
            "the last segment is missing, and the length says so",
            |owner, stored| {
                *stored = without_last_segment(owner);
                stored.plaintext_len = SEGMENT as u64;
            },
        ),
        edited(
            "binding",
            "other-registry",
            "the object of another registry",
            |owner, _| {
                owner.registry = other_registry();
            },
        ),
        edited("binding", "other-dek", "another DEK", |owner, _| {
            owner.dek = Some([0xff; 32]);
        }),
        edited(
            "segment 0",
            "other-service-key",
            "another service key under the right DEK",
            |owner, _| {
                owner.service = [0xff; 32];
            },
        ),
    ]
}

fn segments() -> Vec<Refused> {
    let whole = |owner: &Owner| sealed(owner, SMALLEST, 0x45, 2 * SEGMENT);
    vec![
        edited(
            "segment 0",
            "segments-swapped",
            "two full segments, in the other order",
            |owner, stored| {
                *stored = whole(owner);
                stored.bytes[HEADER..HEADER + 2 * STORED_SEGMENT].rotate_left(STORED_SEGMENT);
            },
        ),
        edited(
            "segment 1",
            "segment-repeated",
            "the first of two segments in the place of both",
            |owner, stored| {
                *stored = whole(owner);
                let second = HEADER + STORED_SEGMENT;
                stored.bytes.copy_within(HEADER..second, second);
            },
        ),
        edited(
            "segment 0",
            "ciphertext",
            "the first byte of the segment is flipped",
            |_, stored| {
                stored.bytes[HEADER] ^= 1;
            },
        ),
        edited(
            "segment 0",
            "inner-tag",
            "a byte of the service layer's tag is flipped",
            |_, stored| {
                stored.bytes[HEADER + LENGTH] ^= 1;
            },
        ),
        edited(
            "segment 0",
            "outer-tag",
            "the last byte of the CMK layer's tag is flipped",
            |_, stored| {
                stored.bytes[HEADER + LENGTH + 31] ^= 1;
            },
        ),
    ]
}

/// Returns objects with a wrong last flag. They need the keys, since the binding and the length are right.
fn flags() -> Vec<Refused> {
    let flags = |refusal, name, about, segments: &[(&[u8], bool)]| {
        edited(refusal, name, about, |owner, stored| {
            *stored = reference::seal_segments(owner, SMALLEST, [0x46; 32], segments);
        })
    };
    let full = plaintext(SEGMENT);
    vec![
        flags(
            "segment 0",
            "last-flag-missing",
            "one segment without the last flag",
            &[(&plaintext(LENGTH), false)],
        ),
        flags(
            "segment 0",
            "last-flag-missing-empty",
            "no content, without the last flag",
            &[(&[], false)],
        ),
        flags(
            "segment 0",
            "last-flag-early",
            "both of two segments have the last flag",
            &[(&full, true), (&[0], true)],
        ),
    ]
}

fn other_registry() -> RegistryId {
    "8d4f7e0a-5b1c-4c3e-9f26-2a7b60d1e584".parse().unwrap()
}
