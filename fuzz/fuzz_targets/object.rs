//! The header of a stored object, and the layout of its segments. Three numbers of eight bytes follow the header: the
//! length of the content, and the start and end of a range.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_envelope::{HEADER_LEN, Header, Layout};

/// The size of a batch, in bytes.
const BATCH: usize = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let Some((header, rest)) = data.split_first_chunk::<HEADER_LEN>() else {
        return;
    };
    let Ok(parsed) = Header::parse(header) else {
        return;
    };
    assert_eq!(parsed.to_bytes(), *header);
    let (numbers, _) = rest.as_chunks::<8>();
    let [length, begin, end, ..] = *numbers else {
        return;
    };
    let range = u64::from_le_bytes(begin)..u64::from_le_bytes(end);
    let layout = Layout::new(&parsed, u64::from_le_bytes(length));
    assert!(layout.check_len(layout.stored_len()).is_ok());
    for segments in layout.batches(&range, BATCH).take(3) {
        let end = segments.offset.saturating_add(segments.stored_len as u64);
        assert!(end <= layout.binding_offset(), "{segments:?}");
    }
});
