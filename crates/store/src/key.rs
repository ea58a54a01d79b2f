//! The byte form of a record's key: the table's name and the key's segments, separated by zero bytes.

/// The byte between two segments of a key. No segment contains it.
pub(crate) const SEPARATOR: u8 = 0;

pub(crate) fn encode(table: &str, segments: &[&str]) -> Vec<u8> {
    debug_assert!(
        segments
            .iter()
            .all(|segment| !segment.as_bytes().contains(&SEPARATOR))
    );
    let mut key = table.as_bytes().to_vec();
    for segment in segments {
        key.push(SEPARATOR);
        key.extend_from_slice(segment.as_bytes());
    }
    key
}

/// Returns the first key after all keys that begin with `prefix`, which ends with a separator.
pub(crate) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last = SEPARATOR + 1;
    }
    end
}

/// Returns the key in a form that people can read.
pub(crate) fn readable(key: &[u8]) -> String {
    String::from_utf8_lossy(key).replace(char::from(SEPARATOR), "/")
}
