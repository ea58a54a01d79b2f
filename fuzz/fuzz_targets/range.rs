//! The size of a blob in eight bytes, and the `Range` of a request for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_registry::http::parse_range;

fuzz_target!(|data: &[u8]| {
    let Some((size, header)) = data.split_first_chunk() else {
        return;
    };
    let size = u64::from_le_bytes(*size);
    let Ok(ranges) = parse_range(&String::from_utf8_lossy(header), size) else {
        return;
    };
    assert!(ranges.len() <= 64);
    for range in ranges {
        assert!(range.start < range.end && range.end <= size, "{range:?}");
    }
});
