//! The transfer codings of a request: none, or a single `chunked`. hyper decodes the chunks of a body whose last coding is
//! `chunked`, and ignores any coding below them.
//!
//! <https://www.rfc-editor.org/rfc/rfc9112#section-6.1>

use axum::http::{HeaderMap, StatusCode, header};
use sealock_core::excerpt;

const CHUNKED: &[u8] = b"chunked";

/// A transfer coding that the emulator does not support.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UnsupportedCoding {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

/// Checks that a request has no transfer coding other than a single `chunked`.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), UnsupportedCoding> {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let codings = values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty());
    let mut is_chunked = false;
    for coding in codings {
        if !coding.eq_ignore_ascii_case(CHUNKED) {
            let coding = String::from_utf8_lossy(coding);
            return Err(UnsupportedCoding {
                status: StatusCode::NOT_IMPLEMENTED,
                message: format!(
                    "the transfer coding '{}' is not supported; use chunked or none",
                    excerpt(&coding)
                ),
            });
        }
        if is_chunked {
            return Err(UnsupportedCoding {
                status: StatusCode::BAD_REQUEST,
                message: "the transfer coding chunked is named twice; name it once".to_owned(),
            });
        }
        is_chunked = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn codings_other_than_a_single_chunked_are_refused() {
        for (values, status) in [
            (&[][..], None),
            (&["chunked"], None),
            (&["CHUNKED"], None),
            (&[" chunked\t"], None),
            (&[",, chunked"], None),
            (&["chunked, chunked"], Some(400)),
            (&["chunked", "Chunked"], Some(400)),
            (&["gzip, chunked"], Some(501)),
            (&["gzip", "chunked"], Some(501)),
            (&["identity, chunked"], Some(501)),
            (&["chunked;q=1, chunked"], Some(501)),
            (&["\"chunked\", chunked"], Some(501)),
            (&["\u{e9}, chunked"], Some(501)),
        ] {
            let headers = values.iter().map(|value| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (header::TRANSFER_ENCODING, value)
            });
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(name, value);
            }
            let refused = check(&map).err().map(|refused| refused.status.as_u16());
            assert_eq!(refused, status, "{values:?}");
        }
    }
}
