use std::ops::Range;

use http_range_header::parse_range_header;

use crate::Error;

/// The range of a blob's bytes that a `Range` header asks for; `None` if the whole blob is to be sent,
/// as it is for another unit and for several ranges at once, which a server may ignore.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-14>
pub(super) fn parse(header: &str, size: u64) -> Result<Option<Range<u64>>, Error> {
    if !header.trim_start().starts_with("bytes=") || header.contains(',') {
        return Ok(None);
    }
    let unsatisfiable = || Error::RangeUnsatisfiable {
        range: header.chars().take(80).collect(),
        size,
    };
    let ranges = parse_range_header(header)
        .ok()
        .and_then(|parsed| parsed.validate(size).ok())
        .ok_or_else(unsatisfiable)?;
    match ranges.as_slice() {
        [range] if size > 0 => Ok(Some(*range.start()..*range.end() + 1)),
        _ => Err(unsatisfiable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_a_range_is_understood() {
        let whole_or = |header| parse(header, 2048).unwrap();
        assert_eq!(whole_or("bytes=500-1499"), Some(500..1500));
        assert_eq!(whole_or("bytes=500-"), Some(500..2048));
        assert_eq!(whole_or("bytes=-500"), Some(1548..2048));
        assert_eq!(
            whole_or("bytes=2000-5000"),
            Some(2000..2048),
            "the end is cut"
        );
        assert_eq!(whole_or("bytes=0-0"), Some(0..1));
        assert_eq!(
            whole_or("bytes=-5000"),
            Some(0..2048),
            "a suffix longer than the blob is the blob"
        );
        assert_eq!(whole_or("items=0-1"), None);
        assert_eq!(whole_or("bytes=0-1,5-9"), None);
        for header in [
            "bytes=2048-",
            "bytes=5000-10000",
            "bytes=500-0",
            "bytes=x-1",
            "bytes=",
            "bytes=-",
            "bytes=-0",
        ] {
            assert!(parse(header, 2048).is_err(), "{header}");
        }
        assert!(parse("bytes=0-0", 0).is_err());
        assert!(parse("bytes=-1", 0).is_err());
    }
}
