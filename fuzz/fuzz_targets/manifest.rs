//! A pushed manifest: its `Content-Type`, if it has one, in the first line, then its bytes.
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
        // The type is stored, and the manifest is parsed with it later.
        let again = Manifest::parse(bytes, Some(&manifest.media_type)).ok();
        assert_eq!(again.as_ref(), Some(&manifest));
    }
});
