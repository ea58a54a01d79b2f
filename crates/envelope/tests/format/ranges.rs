//! Ranges of objects.

use proptest::prelude::*;
use sealock_envelope::{Error, Layers, Layout};

use crate::sample::{BOTH, Owner, SMALLEST, Stored, header, lengths, plaintext};

const SEGMENT: usize = 4096;

#[test]
fn range_between_boundaries_is_that_slice_of_the_plaintext() {
    for layers in BOTH {
        let owner = Owner::random(layers);
        let whole = plaintext(3 * SEGMENT + 1);
        let stored = Stored::seal(&owner, header(layers, SMALLEST, rand::random()), [&*whole]);
        for start in lengths(SEGMENT) {
            for end in lengths(SEGMENT).into_iter().filter(|end| start <= *end) {
                for batch in [0, SEGMENT, 2 * SEGMENT, usize::MAX] {
                    let opened = stored.open_range(&owner, &(start as u64..end as u64), batch);
                    assert_eq!(opened.as_deref(), Ok(&whole[start..end]), "{start}..{end}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_range_in_any_batches_is_that_slice_of_the_plaintext(
        cmk in any::<bool>(),
        log2 in SMALLEST..=14,
        length in 0..=6 * SEGMENT,
        ends in any::<[prop::sample::Index; 2]>(),
        batch in 0..=8 * SEGMENT,
    ) {
        let layers = BOTH[usize::from(cmk)];
        let owner = Owner::random(layers);
        let whole = plaintext(length);
        let stored = Stored::seal(&owner, header(layers, log2, rand::random()), [&*whole]);
        let mut ends = ends.map(|end| end.index(length + 1));
        ends.sort_unstable();
        let [start, end] = ends;
        let opened = stored.open_range(&owner, &(start as u64..end as u64), batch);
        prop_assert_eq!(opened.as_deref(), Ok(&whole[start..end]));
    }

    /// Batches cover the segments of the range in order and without overlap. A batch is larger than requested only if
    /// it is a single segment.
    #[test]
    fn batches_are_consecutive(
        cmk in any::<bool>(),
        log2 in SMALLEST..=20,
        length in 1..=1_u64 << 40,
        offset in any::<prop::sample::Index>(),
        span in 1..=1_u64 << 24,
        batch in 0..=1_usize << 23,
    ) {
        let layers = BOTH[usize::from(cmk)];
        let (segment, stored) = (1_u64 << log2, (1_u64 << log2) + 16 * u64::from(layers.count()));
        let start = offset.index(usize::try_from(length).unwrap()) as u64;
        let end = length.min(start + span);
        let layout = Layout::new(&header(layers, log2, [0; 32]), length);
        let batches: Vec<_> = layout.batches(&(start..end), batch).collect();
        let mut offset = 48 + start / segment * stored;
        for segments in &batches {
            prop_assert_eq!(segments.offset, offset);
            offset += segments.stored_len as u64;
            let plaintext = segments.stored_len as u64 / stored * segment;
            prop_assert!(plaintext <= segment.max(batch as u64));
        }
        let expected = (48 + end.div_ceil(segment) * stored).min(layout.binding_offset());
        prop_assert_eq!(offset, expected);
    }
}

/// The segment of an empty object is opened although it has no content, so that damage is noticed.
#[test]
fn segment_of_empty_object_is_checked() {
    let owner = Owner::random(Layers::ServiceAndCmk);
    let mut stored = Stored::seal(&owner, header(owner.layers(), SMALLEST, [0; 32]), [&[][..]]);
    assert_eq!(stored.open(&owner), Ok(Vec::new()));
    stored.bytes[48] ^= 1;
    assert_eq!(stored.open(&owner), Err(Error::SegmentRefused { index: 0 }));
}

#[test]
fn batch_of_another_length_is_refused() {
    let owner = Owner::random(Layers::Service);
    let header = header(owner.layers(), SMALLEST, [0; 32]);
    let layout = Layout::new(&header, 10);
    let keys = owner.object_keys(&header).unwrap();
    let segments = layout.batches(&(0..10), 0).next().unwrap();
    for length in [0, 15, 25, 27, 10_000] {
        let opened = layout.open(&keys, &segments, &(0..10), &mut vec![0; length]);
        let found = length as u64;
        assert_eq!(
            opened,
            Err(Error::LengthMismatch {
                found,
                expected: 26
            })
        );
    }
}
