use std::{fmt, str::FromStr};

use sealock_core::excerpt;
use serde::{Deserialize, Serialize};

use crate::{Error, SUBSCRIPTION};

/// The limit of a scope's length in bytes. A scope is a segment of a record's key.
const LENGTH_LIMIT: usize = 512;

/// The scope of a role assignment: the ARM id of a resource, a resource group or the subscription.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/scope-overview>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleScope(String);

impl RoleScope {
    /// Returns the scope of the subscription.
    pub fn subscription() -> Self {
        Self(format!("/subscriptions/{SUBSCRIPTION}"))
    }

    /// Returns the id as the caller wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if this scope is `resource` or contains it. Azure ignores the case of ids.
    pub fn covers(&self, resource: &str) -> bool {
        let mut segments = resource.split('/');
        self.0.split('/').all(|expected| {
            segments
                .next()
                .is_some_and(|segment| expected.eq_ignore_ascii_case(segment))
        })
    }
}

impl FromStr for RoleScope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let scope = Self(text.trim_end_matches('/').to_owned());
        let is_valid = text.len() <= LENGTH_LIMIT
            && Self::subscription().covers(&scope.0)
            && scope.0.bytes().all(|byte| byte.is_ascii_graphic())
            && !scope.0.contains("//");
        if is_valid {
            Ok(scope)
        } else {
            Err(Error::ScopeInvalid(excerpt(text).to_owned()))
        }
    }
}

impl TryFrom<String> for RoleScope {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<RoleScope> for String {
    fn from(scope: RoleScope) -> Self {
        scope.0
    }
}

impl fmt::Display for RoleScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_outside_the_subscription_is_refused() {
        let subscription = format!("/subscriptions/{SUBSCRIPTION}");
        for good in ["", "/", "/resourceGroups/sealock", "/resourcegroups/x/y"] {
            let scope: RoleScope = format!("{subscription}{good}").parse().unwrap();
            assert!(!scope.as_str().ends_with('/'));
        }
        let long = format!("{subscription}/{}", "x".repeat(LENGTH_LIMIT));
        let twice = format!("{subscription}//x");
        let space = format!("{subscription}/x y");
        for bad in [
            "",
            "/",
            "x",
            "/subscriptions",
            "/subscriptions/1",
            &long,
            &twice,
            &space,
        ] {
            assert!(bad.parse::<RoleScope>().is_err(), "{bad}");
        }
    }
}
