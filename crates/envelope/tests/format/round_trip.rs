//! Sealed objects open, both here and in the reference implementation.

use proptest::prelude::*;
use sealock_envelope::{Header, Layers, SegmentSize};

use crate::{
    reference,
    sample::{BOTH, Owner, SMALLEST, Stored, header, lengths, plaintext},
};

const SALT: [u8; 32] = [7; 32];

#[test]
fn objects_of_lengths_around_boundaries_open() {
    for layers in BOTH {
        for log2 in [SMALLEST, 13, 16] {
            for length in lengths(1 << log2) {
                check_both_implementations(layers, log2, length);
            }
        }
        check_both_implementations(layers, 20, (1 << 20) - 1);
        check_both_implementations(layers, 20, (1 << 20) + 1);
    }
}

/// Checks that both implementations write the same bytes and open them.
fn check_both_implementations(layers: Layers, log2: u8, length: usize) {
    let what = format!("{length} bytes, segments of 2^{log2}, {layers:?}");
    let owner = Owner::random(layers);
    let plaintext = plaintext(length);
    let stored = Stored::seal(&owner, header(layers, log2, SALT), [&*plaintext]);
    let segments = length.div_ceil(1 << log2).max(1);
    let tags = 16 * usize::from(layers.count());
    assert_eq!(stored.bytes.len(), 80 + length + segments * tags, "{what}");
    assert_eq!(
        stored,
        reference::seal(&owner, log2, SALT, &plaintext),
        "{what}"
    );
    assert_eq!(stored.open(&owner).as_ref(), Ok(&plaintext), "{what}");
    assert_eq!(
        reference::open(&owner, &stored).as_ref(),
        Some(&plaintext),
        "{what}"
    );
}

#[test]
fn segment_sizes_are_as_documented() {
    assert_eq!(SegmentSize::MIN.bytes(), 1 << SMALLEST);
    assert_eq!(SegmentSize::default().bytes(), 1 << 16);
    assert_eq!(SegmentSize::MAX.bytes(), 1 << 20);
}

#[test]
fn each_header_has_its_own_salt() {
    let fresh = || Header::new(Layers::Service, SegmentSize::MIN);
    assert_ne!(fresh().salt, fresh().salt);
}

#[test]
fn header_survives_bytes_and_text() {
    for layers in BOTH {
        let header = header(layers, 17, rand::random());
        assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
        let text = serde_json::to_string(&header).unwrap();
        assert_eq!(serde_json::from_str::<Header>(&text).unwrap(), header);
        assert!(serde_json::from_str::<Header>(&text.replacen('"', "\"AAAA", 1)).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    /// The object does not depend on how the plaintext was divided into pieces.
    #[test]
    fn object_is_independent_of_the_pieces_of_its_plaintext(
        cmk in any::<bool>(),
        log2 in SMALLEST..=14,
        length in near_a_boundary(),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let layers = BOTH[usize::from(cmk)];
        let plaintext = plaintext(length);
        cuts.sort_by_key(|cut| cut.index(length + 1));
        let ends = cuts.iter().map(|cut| cut.index(length + 1)).chain([length]);
        let pieces = ends.scan(0, |start, end| {
            Some(&plaintext[std::mem::replace(start, end)..end])
        });
        let owner = Owner::random(layers);
        let stored = Stored::seal(&owner, header(layers, log2, SALT), pieces);
        prop_assert_eq!(&stored, &reference::seal(&owner, log2, SALT, &plaintext));
        prop_assert_eq!(stored.open(&owner), Ok(plaintext));
    }
}

/// Returns lengths up to five of the smallest segments, most of them next to a boundary.
fn near_a_boundary() -> impl Strategy<Value = usize> {
    let anywhere = 0..=5 * 4096_usize;
    let boundary = (1..=5_usize, 0..=2_usize).prop_map(|(count, off)| count * 4096 - 1 + off);
    prop_oneof![1 => anywhere, 1 => 0..=2_usize, 3 => boundary]
}
