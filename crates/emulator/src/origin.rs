use axum::http::{HeaderMap, Method, header, uri::Authority};

/// Whether a request would change something on behalf of a page from elsewhere: browsers let any page
/// send such requests to localhost, where no login protects.
pub(crate) fn is_foreign_change(method: &Method, headers: &HeaderMap, host: &Authority) -> bool {
    if method.is_safe() {
        return false;
    }
    let cross_site = headers
        .get_all("sec-fetch-site")
        .iter()
        .any(|site| site == "cross-site");
    let foreign = headers.get_all(header::ORIGIN).iter().any(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"));
        authority.is_none_or(|authority| !authority.eq_ignore_ascii_case(host.as_str()))
    });
    cross_site || foreign
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_from_elsewhere_are_foreign() {
        let host = "localhost:5000".parse().unwrap();
        for (method, name, value, foreign) in [
            (Method::POST, "origin", "http://evil.test", true),
            (Method::PUT, "origin", "null", true),
            (Method::DELETE, "origin", "http://localhost:3000", true),
            (
                Method::PATCH,
                "origin",
                "http://localhost:5000.evil.test",
                true,
            ),
            (Method::POST, "sec-fetch-site", "cross-site", true),
            (Method::POST, "sec-fetch-site", "same-origin", false),
            (Method::POST, "origin", "http://localhost:5000", false),
            (Method::POST, "origin", "https://LOCALHOST:5000", false),
            (Method::GET, "origin", "http://evil.test", false),
            (Method::POST, "accept", "*/*", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(
                is_foreign_change(&method, &headers, &host),
                foreign,
                "{method} {name}: {value}"
            );
        }
    }
}
