use std::ops::{Range, RangeInclusive};

use http_range_header::{RangeRejected, RangeUnsatisfiableError, parse_range_header};
use sealock_core::excerpt;

use crate::Error;

/// The limit of ranges in one request. A request for more gets the whole blob.
const RANGES_LIMIT: usize = 64;

/// Parses a `Range` header into ranges of a blob's bytes. Returns none if the whole blob is to be sent: for another
/// unit, and for more ranges than any client needs.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-14>
///
/// # Errors
/// [`Error::RangeUnsatisfiable`]
pub fn parse(header: &str, size: u64) -> Result<Vec<Range<u64>>, Error> {
    if !header.trim_start().starts_with("bytes=") {
        return Ok(Vec::new());
    }
    let unsatisfiable = || Error::RangeUnsatisfiable {
        range: excerpt(header).to_owned(),
        size,
    };
    let ranges = parse_range_header(header).and_then(|parsed| parsed.validate(size));
    match ranges {
        Ok(ranges) if ranges.len() > RANGES_LIMIT => Ok(Vec::new()),
        Ok(ranges) if size > 0 && !ranges.is_empty() => {
            let half_open = |range: RangeInclusive<u64>| *range.start()..*range.end() + 1;
            Ok(ranges.into_iter().map(half_open).collect())
        }
        Err(RangeUnsatisfiableError::Rejected(
            RangeRejected::TooMany | RangeRejected::TooManyOverlapping,
        )) => Ok(Vec::new()),
        _ => Err(unsatisfiable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_headers_are_parsed() {
        let ranges = |header| parse(header, 2048).unwrap();
        let cases: [(&str, &[(u64, u64)]); 9] = [
            ("bytes=500-1499", &[(500, 1500)]),
            ("bytes=500-", &[(500, 2048)]),
            ("bytes=-500", &[(1548, 2048)]),
            // The end is clipped.
            ("bytes=2000-5000", &[(2000, 2048)]),
            ("bytes=0-0", &[(0, 1)]),
            // A suffix longer than the blob is the blob.
            ("bytes=-5000", &[(0, 2048)]),
            ("items=0-1", &[]),
            ("bytes=0-1,5-9, -3", &[(0, 2), (5, 10), (2045, 2048)]),
            // Ranges outside of the blob are left out.
            ("bytes=0-1,5000-6000", &[(0, 2)]),
        ];
        for (header, expected) in cases {
            let found: Vec<_> = ranges(header).iter().map(|it| (it.start, it.end)).collect();
            assert_eq!(found, expected, "{header}");
        }
        let many: Vec<_> = (0..100).map(|n| format!("{}-{}", n * 2, n * 2)).collect();
        assert_eq!(ranges(&format!("bytes={}", many.join(","))), []);
        for header in [
            "bytes=2048-",
            "bytes=5000-10000",
            "bytes=500-0",
            "bytes=x-1",
            "bytes=",
            "bytes=-",
            "bytes=-0",
            "bytes=5000-6000,7000-8000",
            "bytes=0-1,x",
        ] {
            assert!(parse(header, 2048).is_err(), "{header}");
        }
        assert!(parse("bytes=0-0", 0).is_err());
        assert!(parse("bytes=-1", 0).is_err());
    }
}
