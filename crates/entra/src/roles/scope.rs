use std::{fmt, str::FromStr};

use sealock_core::excerpt;
use serde::{Deserialize, Serialize};

use crate::{Error, SUBSCRIPTION};

/// How many bytes a scope may have: it is part of a key in the store.
const LENGTH_LIMIT: usize = 512;

/// Where a role is assigned: the ARM id of a resource, or of a resource group or the subscription that
/// resources lie in.
///
/// <https://learn.microsoft.com/azure/role-based-access-control/scope-overview>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleScope(String);

impl RoleScope {
    /// The id as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `resource` is what this id names, or lies in it. Azure's ids differ in case.
    pub fn covers(&self, resource: &str) -> bool {
        let mut resource = resource.split('/');
        self.0.split('/').all(|ours| {
            resource
                .next()
                .is_some_and(|theirs| ours.eq_ignore_ascii_case(theirs))
        })
    }
}

impl FromStr for RoleScope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let scope = Self(text.trim_end_matches('/').to_owned());
        let subscription = Self(format!("/subscriptions/{SUBSCRIPTION}"));
        let is_valid = text.len() <= LENGTH_LIMIT
            && subscription.covers(&scope.0)
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
    fn a_scope_lies_in_the_subscription() {
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
