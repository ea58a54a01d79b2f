use axum::http::{HeaderMap, header};

/// Returns true if `If-None-Match` lists `etag`, so that the client already has the current content. Unlike the crate
/// `headers`, this accepts `*` anywhere in the list.
///
/// <https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2>
pub fn is_not_modified(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_etag_matches_weak_or_strong_in_any_header_line() {
        let headers = |values: &[&'static str]| -> HeaderMap {
            let values = values.iter().map(|value| value.parse().unwrap());
            values.map(|value| (header::IF_NONE_MATCH, value)).collect()
        };
        for (values, expected) in [
            (&["\"a\""][..], true),
            (&["\"x\", W/\"a\""], true),
            (&["\"x\"", "\"a\""], true),
            (&["*"], true),
            (&["\"x\""], false),
            (&["a"], false),
            (&[""], false),
            (&[], false),
        ] {
            assert_eq!(
                is_not_modified(&headers(values), "\"a\""),
                expected,
                "{values:?}"
            );
        }
    }
}
