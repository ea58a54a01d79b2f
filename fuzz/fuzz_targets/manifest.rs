//! A manifest, as it is pushed: the type that it is sent as in the first line, if it is sent as any, and its bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sealock_registry::Manifest;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (line, bytes) = data.split_at(end);
    let Ok(content_type) = str::from_utf8(line) else {
        return;
    };
    let content_type = Some(content_type).filter(|text| !text.is_empty());
    if let Ok(manifest) = Manifest::parse(bytes, content_type) {
        // The type is stored, and the manifest is read again with it.
        let again = Manifest::parse(bytes, Some(&manifest.media_type)).ok();
        assert_eq!(again.as_ref(), Some(&manifest));
    }
});
