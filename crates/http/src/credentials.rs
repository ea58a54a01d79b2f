use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// The credentials in an `Authorization` header. Unlike the types of the crate `headers`, these wipe a password from
/// memory.
pub enum Credentials<'a> {
    /// A user name and a password (RFC 7617).
    Basic(Zeroizing<String>, Zeroizing<String>),
    /// A token (RFC 6750), possibly empty.
    Bearer(&'a str),
}

impl<'a> Credentials<'a> {
    /// Parses a header. Returns `None` for other schemes and malformed values. The case of a scheme is ignored
    /// (RFC 9110, 11.1).
    pub fn parse(value: &'a HeaderValue) -> Option<Self> {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Self::Bearer(rest));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(rest).ok()?);
        let (user, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
        let owned = |text: &str| Zeroizing::new(text.to_owned());
        Some(Self::Basic(owned(user), owned(password)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_in_any_case_is_recognised_and_its_value_is_trimmed() {
        let read = |text: &'static str| match Credentials::parse(&HeaderValue::from_static(text)) {
            Some(Credentials::Basic(user, password)) => format!("{} {}", *user, *password),
            Some(Credentials::Bearer(token)) => token.to_owned(),
            None => "none".to_owned(),
        };
        assert_eq!(read("bEARER  a.b.c "), "a.b.c");
        assert_eq!(read("Basic YTpiOmM="), "a b:c");
        for bad in ["", "Bearer", "PoP x", "Basic !", "Basic YQ==", "Basic /w=="] {
            assert_eq!(read(bad), "none", "{bad}");
        }
    }
}
