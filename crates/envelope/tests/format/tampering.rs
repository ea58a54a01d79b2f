//! Changed objects do not open, even if the attacker has some of the keys.

use sealock_core::RegistryId;
use sealock_envelope::{Error, Header, Layers, Layout, Sealer};

use crate::{
    reference,
    sample::{BOTH, Owner, SMALLEST, Stored, header, lengths, plaintext},
};

const SEGMENT: usize = 4096;

#[test]
fn any_flipped_bit_is_refused() {
    for layers in BOTH {
        let (owner, stored) = object(layers, 33);
        for bit in 0..8 * stored.bytes.len() {
            let changed = edited(&stored, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            assert_refused(&owner, &changed, &format!("bit {bit}"));
        }
    }
}

#[test]
fn any_flipped_byte_of_several_segments_is_refused() {
    let (owner, stored) = object(Layers::ServiceAndCmk, SEGMENT + 10);
    for index in 0..stored.bytes.len() {
        let changed = edited(&stored, |bytes| bytes[index] ^= 0xff);
        assert_refused(&owner, &changed, &format!("byte {index}"));
    }
}

#[test]
fn any_truncation_or_extension_is_refused() {
    for layers in BOTH {
        let (owner, stored) = object(layers, 33);
        for length in 0..stored.bytes.len() {
            let truncated = edited(&stored, |bytes| bytes.truncate(length));
            assert_refused(&owner, &truncated, &format!("truncated to {length}"));
        }
        for extra in 1..100 {
            let longer = edited(&stored, |bytes| bytes.extend(vec![0; extra]));
            assert_refused(&owner, &longer, &format!("{extra} bytes more"));
        }
    }
}

/// Tries every other sequence of up to four segments of an object, with every plausible length.
#[test]
fn any_other_sequence_of_segments_is_refused() {
    for layers in BOTH {
        for last in [1, SEGMENT] {
            let (owner, stored) = object(layers, 2 * SEGMENT + last);
            let segments = segments(&stored, layers);
            for sequence in sequences(segments.len(), 4) {
                let mut other = arranged(&stored, &segments, &sequence);
                let mut claims = lengths(SEGMENT);
                claims.extend([2 * SEGMENT + last, 3 * SEGMENT + last, 4 * SEGMENT]);
                for claim in claims {
                    other.plaintext_len = claim as u64;
                    if other == stored {
                        continue;
                    }
                    assert_refused(&owner, &other, &format!("{sequence:?} as {claim} bytes"));
                }
            }
        }
    }
}

/// An attacker who could forge the binding and the length still cannot drop, repeat or move a segment.
#[test]
fn moved_segment_is_refused_even_with_a_valid_binding() {
    for layers in BOTH {
        let (owner, salt) = (Owner::random(layers), rand::random());
        let whole = plaintext(3 * SEGMENT);
        let stored = reference::seal(&owner, SMALLEST, salt, &whole);
        let segments = segments(&stored, layers);
        for sequence in sequences(3, 3).filter(|sequence| *sequence != [0, 1, 2]) {
            let claim = sequence.len() * SEGMENT;
            let honest = reference::seal(&owner, SMALLEST, salt, &whole[..claim]);
            let forged = arranged(&honest, &segments, &sequence);
            // The first segment that was moved, or that became or ceased to be the last.
            let index = (0..).zip(&sequence).find_map(|(place, index)| {
                let ends = place + 1 == sequence.len();
                (place != *index || ends != (*index == 2)).then_some(place as u64)
            });
            let expected = Error::SegmentRefused {
                index: index.unwrap(),
            };
            assert_eq!(forged.open(&owner), Err(expected), "{sequence:?}");
        }
    }
}

/// Even a writer with the keys cannot set the flag on any other segment.
#[test]
fn last_flag_on_any_other_segment_is_refused() {
    let owner = Owner::random(Layers::ServiceAndCmk);
    let full = plaintext(SEGMENT);
    let sealed = |flags: &[bool]| {
        let segments: Vec<_> = flags.iter().map(|last| (&*full, *last)).collect();
        reference::seal_segments(&owner, SMALLEST, [1; 32], &segments).open(&owner)
    };
    assert!(sealed(&[false, false, true]).is_ok());
    assert_eq!(sealed(&[false]), Err(Error::SegmentRefused { index: 0 }));
    assert_eq!(
        sealed(&[false, false]),
        Err(Error::SegmentRefused { index: 1 })
    );
    assert_eq!(
        sealed(&[true, true]),
        Err(Error::SegmentRefused { index: 0 })
    );
}

/// Only the last segment may be short, and only the first empty.
#[test]
fn any_other_division_into_segments_is_refused() {
    let owner = Owner::random(Layers::Service);
    let full = plaintext(SEGMENT);
    for segments in [
        &[(&full[..], false), (&[][..], true)][..],
        &[(&full[..100], false), (&full[..], true)],
        &[(&full[..100], false), (&full[..100], true)],
        &[(&[][..], false), (&[][..], true)],
    ] {
        let stored = reference::seal_segments(&owner, SMALLEST, [1; 32], segments);
        assert_refused(&owner, &stored, "another division");
    }
}

#[test]
fn another_object_under_the_same_digest_is_refused() {
    for layers in BOTH {
        let (owner, stored) = object(layers, 100);
        for length in [0, 1, 99, 100, 101] {
            let other = vec![0xa5; length];
            let other = Stored::seal(&owner, header(layers, SMALLEST, rand::random()), [&*other]);
            let swapped = Stored {
                bytes: other.bytes,
                ..stored.clone()
            };
            let expected = if length == 100 {
                Error::BindingMismatch
            } else {
                Error::LengthMismatch {
                    found: swapped.bytes.len() as u64,
                    expected: stored.bytes.len() as u64,
                }
            };
            assert_eq!(swapped.open(&owner), Err(expected));
            let lied = Stored {
                plaintext_len: length as u64,
                ..swapped
            };
            assert_eq!(lied.open(&owner), Err(Error::BindingMismatch));
        }
    }
}

#[test]
fn keys_of_another_object_neither_seal_nor_open() {
    for layers in BOTH {
        let (owner, stored) = object(layers, 100);
        let own = Header::parse(stored.bytes.first_chunk().unwrap()).unwrap();
        let other = header(layers, SMALLEST, rand::random());
        let keys = owner.object_keys(&other).unwrap();
        let mut sealed = Vec::new();
        let mut sealer = Sealer::new(own);
        let refused = sealer.update(&keys, &[], &mut sealed);
        assert_eq!(refused, Err(Error::KeysMismatch));
        let refused = sealer.finish(&keys, &stored.digest, &mut sealed);
        assert_eq!(refused, Err(Error::KeysMismatch));
        assert!(sealed.is_empty());
        let layout = Layout::new(&own, stored.plaintext_len);
        let segments = layout.batches(&(0..100), 0).next().unwrap();
        let at = usize::try_from(segments.offset).unwrap();
        let mut buffer = stored.bytes[at..at + segments.stored_len].to_vec();
        let refused = layout.open(&keys, &segments, &(0..100), &mut buffer);
        assert_eq!(refused, Err(Error::KeysMismatch));
    }
}

#[test]
fn other_keys() {
    let (owner, stored) = object(Layers::ServiceAndCmk, 100);
    let as_other = |other: Owner| stored.open(&other).unwrap_err();
    let registry = RegistryId::random();
    assert_eq!(
        as_other(Owner { registry, ..owner }),
        Error::BindingMismatch
    );
    assert_eq!(
        as_other(Owner {
            dek: Some([0; 32]),
            ..owner
        }),
        Error::BindingMismatch
    );
    assert_eq!(
        as_other(Owner { dek: None, ..owner }),
        Error::LayersMismatch
    );
    // The key of the outermost layer makes the binding. A wrong inner key shows at the first segment.
    let inner = Owner {
        service: [0; 32],
        ..owner
    };
    assert_eq!(as_other(inner), Error::SegmentRefused { index: 0 });

    let (owner, stored) = object(Layers::Service, 100);
    let as_other = |other: Owner| stored.open(&other).unwrap_err();
    assert_eq!(
        as_other(Owner { registry, ..owner }),
        Error::BindingMismatch
    );
    assert_eq!(
        as_other(Owner {
            service: [0; 32],
            ..owner
        }),
        Error::BindingMismatch
    );
    assert_eq!(
        as_other(Owner {
            dek: Some([0; 32]),
            ..owner
        }),
        Error::LayersMismatch
    );
}

fn object(layers: Layers, length: usize) -> (Owner, Stored) {
    let owner = Owner::random(layers);
    let header = header(layers, SMALLEST, rand::random());
    let stored = Stored::seal(&owner, header, [&*plaintext(length)]);
    assert_eq!(stored.open(&owner), Ok(plaintext(length)));
    (owner, stored)
}

fn edited(stored: &Stored, edit: impl FnOnce(&mut Vec<u8>)) -> Stored {
    let mut edited = stored.clone();
    edit(&mut edited.bytes);
    edited
}

fn segments(stored: &Stored, layers: Layers) -> Vec<&[u8]> {
    stored.bytes[48..stored.bytes.len() - 32]
        .chunks(SEGMENT + 16 * usize::from(layers.count()))
        .collect()
}

/// Returns the object with a sequence of `segments` instead of its own.
fn arranged(stored: &Stored, segments: &[&[u8]], sequence: &[usize]) -> Stored {
    edited(stored, |bytes| {
        let end = bytes.len() - 32;
        let arranged = sequence.iter().flat_map(|index| segments[*index]);
        bytes.splice(48..end, arranged.copied());
    })
}

/// Returns all sequences of 1 to `longest` numbers below `count`.
fn sequences(count: usize, longest: u32) -> impl Iterator<Item = Vec<usize>> {
    (1..=longest).flat_map(move |length| {
        (0..count.pow(length)).map(move |number| {
            (0..length)
                .map(|place| number / count.pow(place) % count)
                .collect()
        })
    })
}

/// Checks that both implementations refuse the object.
fn assert_refused(owner: &Owner, stored: &Stored, what: &str) {
    assert!(stored.open(owner).is_err(), "{what}");
    assert_eq!(reference::open(owner, stored), None, "{what}");
}
