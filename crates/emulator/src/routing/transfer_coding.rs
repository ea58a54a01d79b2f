//! The transfer codings that a request may have: none, or `chunked`, once. hyper takes off the chunks of a body whose
//! last coding is `chunked`, whatever is left under them.
//!
//! <https://www.rfc-editor.org/rfc/rfc9112#section-6.1>

use axum::http::{HeaderMap, StatusCode, header};
use sealock_core::excerpt;

const CHUNKED: &[u8] = b"chunked";

/// A body that is not what it would be taken for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) why: String,
}

/// Checks that nothing but chunks lies over the content of a request.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Refused> {
    let values = headers.get_all(header::TRANSFER_ENCODING).iter();
    let codings = values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|coding| !coding.is_empty());
    let mut is_chunked = false;
    for coding in codings {
        if !coding.eq_ignore_ascii_case(CHUNKED) {
            let coding = String::from_utf8_lossy(coding);
            return Err(Refused {
                status: StatusCode::NOT_IMPLEMENTED,
                why: format!(
                    "the transfer coding '{}' is not supported; send the content as it is, or in chunks",
                    excerpt(&coding)
                ),
            });
        }
        if is_chunked {
            return Err(Refused {
                status: StatusCode::BAD_REQUEST,
                why: "the transfer coding chunked is named twice; name it once".to_owned(),
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
    fn nothing_but_chunks_lies_over_a_content() {
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
