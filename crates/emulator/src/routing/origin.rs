use axum::http::{HeaderMap, HeaderValue, header, uri::Authority};

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Returns true if a page from elsewhere asks: browsers let any page send requests to localhost, where no login
/// protects.
pub(crate) fn is_foreign(headers: &HeaderMap, host: &Authority) -> bool {
    let mut sites = headers.get_all(SEC_FETCH_SITE).iter();
    let mut origins = headers.get_all(header::ORIGIN).iter();
    sites.any(|site| site != "none" && site != "same-origin")
        || origins.any(|origin| !is_at(origin, host))
}

/// Returns true if a page asks, from wherever, and not a person who typed the address.
///
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
pub(crate) fn is_a_pages(headers: &HeaderMap) -> bool {
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
    fn a_page_is_foreign_unless_host_and_port_are_the_same() {
        let host = "localhost:5000".parse().unwrap();
        for (name, value, foreign, pages) in [
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
            let found = (is_foreign(&headers, &host), is_a_pages(&headers));
            assert_eq!(found, (foreign, pages), "{name}: {value}");
        }
    }

    #[test]
    fn one_foreign_header_among_several_is_enough() {
        let host = "localhost:5000".parse().unwrap();
        for (name, good, bad) in [
            ("origin", "http://localhost:5000", "http://evil.test"),
            ("sec-fetch-site", "none", "cross-site"),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(name, good.parse().unwrap());
            headers.append(name, bad.parse().unwrap());
            assert!(is_foreign(&headers, &host), "{name}");
            assert!(is_a_pages(&headers), "{name}");
        }
    }
}
