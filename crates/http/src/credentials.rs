use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// The credentials that an `Authorization` header shows. Those of the crate `headers` leave a password in memory behind
/// them.
pub enum Credentials<'a> {
    /// A user name and a password (RFC 7617).
    Basic(Zeroizing<String>, Zeroizing<String>),
    /// A token (RFC 6750); it may be empty.
    Bearer(&'a str),
}

impl<'a> Credentials<'a> {
    /// Reads the credentials, if they are of one of the two schemes, whose names can be in any case (RFC 9110, 11.1).
    pub fn of(value: &'a HeaderValue) -> Option<Self> {
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
    fn a_scheme_is_known_in_any_case_and_its_value_is_trimmed() {
        let read = |text: &'static str| match Credentials::of(&HeaderValue::from_static(text)) {
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
