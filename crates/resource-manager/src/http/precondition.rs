use axum::http::{HeaderMap, HeaderName, header};

use crate::{Error, Result};

/// The conditions of a request on its resource. No resource of the emulator has an entity tag, so only `*` can match.
///
/// <https://github.com/Azure/azure-resource-manager-rpc/blob/master/v1.0/resource-api-reference.md#put-resource>
pub(super) struct Precondition {
    /// The value of `If-Match`.
    exists: Option<String>,
    /// The value of `If-None-Match`.
    is_new: Option<String>,
}

impl Precondition {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let value = |name: HeaderName| {
            let value = headers.get(name)?;
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        Self {
            exists: value(header::IF_MATCH),
            is_new: value(header::IF_NONE_MATCH),
        }
    }

    /// Checks the conditions on a resource.
    pub(super) fn check(&self, exists: bool) -> Result<()> {
        match (&self.exists, &self.is_new) {
            (Some(value), _) if !exists || value != "*" => {
                Err(Error::precondition_failed("If-Match", value))
            }
            (_, Some(value)) if exists && value == "*" => {
                Err(Error::precondition_failed("If-None-Match", value))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_matches_what_exists_and_a_tag_matches_nothing() {
        let check = |name, value: &str, exists| {
            let headers = HeaderMap::from_iter([(name, value.parse().unwrap())]);
            Precondition::of(&headers).check(exists).is_ok()
        };
        for (value, exists, if_match, if_none_match) in [
            ("*", true, true, false),
            ("*", false, false, true),
            ("\"tag\"", true, false, true),
            ("\"tag\"", false, false, true),
        ] {
            assert_eq!(check(header::IF_MATCH, value, exists), if_match);
            assert_eq!(check(header::IF_NONE_MATCH, value, exists), if_none_match);
        }
        assert!(Precondition::of(&HeaderMap::new()).check(true).is_ok());
    }
}
