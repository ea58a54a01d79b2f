use axum::http::{HeaderMap, HeaderValue, header, uri::Authority};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Returns true if a web page of another origin sent the request. Browsers let any page send requests to localhost, where
/// the friendly door requires no login.
pub(crate) fn is_cross_origin(headers: &HeaderMap, host: &Authority) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let mut origins = headers.get_all(header::ORIGIN).iter();
    sites.any(|site| site != "none" && site != "same-origin")
        || origins.any(|origin| !is_at(origin, host))
}

/// Returns true if a web page of any origin sent the request. False if a person typed the address.
///
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
pub(crate) fn is_from_page(headers: &HeaderMap) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    headers.contains_key(header::ORIGIN) || sites.any(|site| site != "none")
}

fn is_at(origin: &HeaderValue, host: &Authority) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_with_another_host_or_port_is_cross_origin() {
        let host = "localhost:5000".parse().unwrap();
        for (name, value, cross_origin, from_page) in [
            ("origin", "http://evil.test", true, true),
            ("origin", "null", true, true),
            ("origin", "", true, true),
            ("origin", "http://localhost:3000", true, true),
            ("origin", "http://page.localhost:5000", true, true),
            ("origin", "http://localhost:5000.evil.test", true, true),
            ("origin", "http://localhost:5000", false, true),
            ("origin", "https://LOCALHOST:5000", false, true),
            ("sec-fetch-site", "cross-site", true, true),
            ("sec-fetch-site", "same-site", true, true),
            ("sec-fetch-site", "", true, true),
            ("sec-fetch-site", "same-origin", false, true),
            ("sec-fetch-site", "none", false, false),
            ("accept", "*/*", false, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            let found = (is_cross_origin(&headers, &host), is_from_page(&headers));
            assert_eq!(found, (cross_origin, from_page), "{name}: {value}");
        }
    }

    #[test]
    fn one_cross_origin_header_among_several_is_enough() {
        let host = "localhost:5000".parse().unwrap();
        for (name, good, bad) in [
            ("origin", "http://localhost:5000", "http://evil.test"),
            ("sec-fetch-site", "none", "cross-site"),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(name, good.parse().unwrap());
            headers.append(name, bad.parse().unwrap());
            assert!(is_cross_origin(&headers, &host), "{name}");
            assert!(is_from_page(&headers), "{name}");
        }
    }
}
