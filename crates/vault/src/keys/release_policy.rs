//! Release policies: the conditions under which an exportable key may be released. The emulator stores them, but never
//! releases a key.
//!
//! A policy belongs to a key, not to a version. A key is exportable if it has one.

use sealock_core::{KeyVersion, excerpt};
use sealock_http::json::Object;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::{
    Error, KeyChange, KeyType, Result, VaultSku,
    records::{KeyRecord, VaultRecord},
};

/// The maximum size of the rules in bytes of JSON, since the key's record holds them.
const SIZE_LIMIT: usize = 3 << 10;

/// The maximum nesting of conditions.
const DEPTH_LIMIT: usize = 8;

/// The rules under which a key may be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasePolicy {
    /// The rules.
    pub rules: ReleaseRules,
    /// True if they can never be replaced.
    pub immutable: bool,
}

/// Rules in the grammar of release policies. Their JSON has the members in Azure's order, whatever the order in which
/// they were sent.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/policy-grammar>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRules {
    version: String,
    #[serde(alias = "anyof")]
    any_of: Vec<Authority>,
}

/// An issuer of tokens, and the conditions on their claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Authority {
    authority: String,
    #[serde(flatten)]
    conditions: Conditions,
}

/// Exactly one of two lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conditions {
    #[serde(alias = "anyof", skip_serializing_if = "Option::is_none")]
    any_of: Option<Vec<Condition>>,
    #[serde(alias = "allof", skip_serializing_if = "Option::is_none")]
    all_of: Option<Vec<Condition>>,
}

/// A claim with one comparison, or one list of conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
struct Condition {
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    equals: Option<Comparand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_equals: Option<Comparand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    less: Option<Comparand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    less_or_equals: Option<Comparand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    greater: Option<Comparand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    greater_or_equals: Option<Comparand>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exists: Option<Comparand>,
    #[serde(flatten)]
    conditions: Conditions,
}

/// The value to which a claim is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string, a number, true or false")]
enum Comparand {
    Text(String),
    Number(Number),
    Bool(bool),
}

impl ReleaseRules {
    /// Reads rules from JSON.
    ///
    /// # Errors
    /// The JSON is not in the grammar, or too large.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let Object(rules) = serde_json::from_slice::<Object<Self>>(json)
            .map_err(|error| ungrammatical(excerpt(&error.to_string())))?;
        // 1.0 is not in the grammar, but Microsoft's own tests send it.
        if !["1.0.0", "1.0"].contains(&rules.version.as_str()) {
            return Err(ungrammatical("its version is not 1.0.0"));
        }
        if rules.any_of.is_empty() {
            return Err(ungrammatical("it names no authority"));
        }
        for authority in &rules.any_of {
            authority.conditions.check(0)?;
        }
        let size = serde_json::to_vec(&rules)?.len();
        if size > SIZE_LIMIT {
            return Err(Error::BadParameter(format!(
                "The release policy has {size} bytes; it can have at most {SIZE_LIMIT}."
            )));
        }
        Ok(rules)
    }
}

impl Conditions {
    fn check(&self, depth: usize) -> Result<()> {
        let list = match (&self.any_of, &self.all_of) {
            (Some(list), None) | (None, Some(list)) if !list.is_empty() => list,
            _ => {
                return Err(ungrammatical(
                    "each authority, and each condition without a claim, must have exactly one of anyOf and allOf",
                ));
            }
        };
        if depth == DEPTH_LIMIT {
            return Err(ungrammatical("its conditions are nested too deep"));
        }
        list.iter()
            .try_for_each(|condition| condition.check(depth + 1))
    }
}

impl Condition {
    fn check(&self, depth: usize) -> Result<()> {
        let comparisons = [
            &self.equals,
            &self.not_equals,
            &self.less,
            &self.less_or_equals,
            &self.greater,
            &self.greater_or_equals,
            &self.exists,
        ];
        match (&self.claim, comparisons.into_iter().flatten().count()) {
            (Some(_), 1) if self.conditions == Conditions::default() => Ok(()),
            (None, 0) => self.conditions.check(depth),
            _ => Err(ungrammatical(
                "a condition must be a claim with one comparison, or one list of conditions",
            )),
        }
    }
}

fn ungrammatical(why: &str) -> Error {
    Error::BadParameter(format!(
        "The data of the release policy is not in the grammar of https://learn.microsoft.com/azure/key-vault/keys/policy-grammar: {why}."
    ))
}

/// Returns a key's policy after `change`, to the key or to one `version`.
pub(crate) fn after_update(
    key: &KeyRecord,
    version: Option<&KeyVersion>,
    change: &KeyChange,
) -> Result<Option<ReleasePolicy>> {
    let known = key.release_policy.as_ref();
    updates_keep_exportability(known.is_some(), change.exportable)?;
    // Some clients send the current policy with every update.
    let given = change.release_policy.as_ref();
    let Some(given) = given.filter(|given| Some(*given) != known) else {
        return Ok(known.cloned());
    };
    exportable_keys_have_release_policies(known.is_some(), true)?;
    release_policies_are_set_on_versionless_keys(version)?;
    immutable_release_policies_are_not_modified(known)?;
    Ok(Some(given.clone()))
}

/// Returns a key's policy after it gets a new version. `key` is `None` if this is the first version.
pub(crate) fn after_new_version(
    vault: &VaultRecord,
    key: Option<&KeyRecord>,
    kty: KeyType,
    change: &KeyChange,
) -> Result<Option<ReleasePolicy>> {
    let known = key.and_then(|key| key.release_policy.as_ref());
    if key.is_some() {
        versions_are_as_exportable_as_their_key(known.is_some(), change.exportable)?;
    }
    if change.release_policy.is_some() {
        immutable_release_policies_are_not_modified(known)?;
    }
    let exportable = change.exportable.unwrap_or(known.is_some());
    let policy = change.release_policy.as_ref().or(known);
    exportable_keys_have_release_policies(exportable, policy.is_some())?;
    if exportable {
        exportable_keys_are_premium(vault.sku)?;
        exportable_keys_are_in_hardware(kty)?;
    }
    Ok(policy.cloned())
}

fn ensure(condition: bool, text: &str) -> Result<()> {
    if condition {
        return Ok(());
    }
    Err(Error::BadParameter(text.to_owned()))
}

/// The text is a vault's, as recorded in the tests of Azure/azure-sdk-for-js. A managed HSM's text has no number.
///
/// <https://learn.microsoft.com/azure/confidential-computing/concept-skr-attestation>
fn exportable_keys_have_release_policies(exportable: bool, has_policy: bool) -> Result<()> {
    ensure(
        has_policy || !exportable,
        "AKV.SKR.1004: Exportable keys must have release policy.",
    )?;
    ensure(
        exportable || !has_policy,
        "AKV.SKR.1005: Non-exportable keys must not have release policy.",
    )
}

/// The text is in <https://github.com/Azure/azure-sdk-for-java/pull/23276>. All served API versions are recent enough.
fn exportable_keys_are_premium(sku: VaultSku) -> Result<()> {
    ensure(
        sku == VaultSku::Premium,
        "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'.",
    )
}

/// The number is from users' reports; the text is not public.
///
/// <https://learn.microsoft.com/azure/confidential-computing/concept-skr-attestation>
fn exportable_keys_are_in_hardware(kty: KeyType) -> Result<()> {
    ensure(
        kty.is_hardware(),
        "AKV.SKR.1006: The exportable attribute is only supported with keys in hardware; use RSA-HSM or EC-HSM.",
    )
}

/// A key's first version decides this. Number and text are from users' reports.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/create-key/create-key#keyattributes>
fn versions_are_as_exportable_as_their_key(exportable: bool, given: Option<bool>) -> Result<()> {
    ensure(
        given.is_none_or(|given| given == exportable),
        "AKV.SKR.1003: The exportable attribute of an existing key cannot be changed.",
    )
}

/// The text is in <https://github.com/Azure/azure-sdk-for-python/issues/21174>.
fn updates_keep_exportability(exportable: bool, given: Option<bool>) -> Result<()> {
    ensure(
        given.is_none_or(|given| given == exportable),
        "AKV.SKR.1014: Cannot modify the exportable state of a key.",
    )
}

/// Number and text are from users' reports.
fn release_policies_are_set_on_versionless_keys(version: Option<&KeyVersion>) -> Result<()> {
    ensure(
        version.is_none(),
        "AKV.SKR.1016: Key Release Policy can only be set on versionless key.",
    )
}

/// A new version cannot modify it either, even with the same policy, as Azure/azure-cleanroom found.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/update-key/update-key#keyreleasepolicy>
fn immutable_release_policies_are_not_modified(known: Option<&ReleasePolicy>) -> Result<()> {
    ensure(
        known.is_none_or(|known| !known.immutable),
        "AKV.SKR.1020: Immutable Key Release Policy cannot be modified.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: &str = r#"{"claim":"c","equals":"x"}"#;

    fn with_conditions(conditions: &str) -> String {
        format!(r#"{{"version":"1.0.0","anyOf":[{{"authority":"https://a",{conditions}}}]}}"#)
    }

    fn nested(depth: usize) -> String {
        let (open, close) = (r#"{"anyOf":["#.repeat(depth), "]}".repeat(depth));
        format!(r#""allOf":[{open}{CLAIM}{close}]"#)
    }

    #[track_caller]
    fn assert_refused(json: &str, why: &str) {
        let refused = ReleaseRules::from_json(json.as_bytes()).unwrap_err();
        assert!(
            matches!(refused, Error::BadParameter(_)),
            "{json}: {refused}"
        );
        assert!(refused.to_string().contains(why), "{json}: {refused}");
    }

    /// The written form is a vault's, in the recordings of Azure/azure-sdk-for-js.
    #[test]
    fn rules_are_written_in_azures_order() {
        let sent = r#"{ "anyOf": [ {"allOf": [{"equals": "true", "claim": "sdk-test"}], "authority": "https://a/"} ], "version": "1.0.0" }"#;
        let written = r#"{"version":"1.0.0","anyOf":[{"authority":"https://a/","allOf":[{"claim":"sdk-test","equals":"true"}]}]}"#;
        let rules = ReleaseRules::from_json(sent.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&rules).unwrap(), written);
    }

    #[test]
    fn rules_in_the_grammar_are_kept_unchanged() {
        let comparisons = [
            "equals",
            "notEquals",
            "less",
            "lessOrEquals",
            "greater",
            "greaterOrEquals",
            "exists",
        ];
        let comparands = [r#""x""#, "1", "1.5", "-1e300", "true", "false"];
        let claims = comparisons.iter().flat_map(|comparison| {
            comparands.map(|comparand| {
                with_conditions(&format!(
                    r#""anyOf":[{{"claim":"c","{comparison}":{comparand}}}]"#
                ))
            })
        });
        let others = [
            with_conditions(&nested(DEPTH_LIMIT - 1)),
            with_conditions(
                r#""allOf":[{"claim":"c","exists":true},{"anyOf":[{"claim":"d","less":3},{"claim":"e","greater":4}]}]"#,
            ),
            with_conditions(r#""allOf":[{"claim":"c","exists":true}]"#).replace("1.0.0", "1.0"),
        ];
        for json in claims.chain(others) {
            let rules = ReleaseRules::from_json(json.as_bytes()).unwrap();
            let written = serde_json::to_string(&rules).unwrap();
            assert_eq!(written.replace("e+300", "e300"), json);
        }
        let in_lower_case = with_conditions(r#""allof":[{"anyof":[{"claim":"c","less":3}]}]"#);
        ReleaseRules::from_json(in_lower_case.replace("anyOf", "anyof").as_bytes()).unwrap();
    }

    #[test]
    fn rules_outside_the_grammar_are_refused_with_the_fault() {
        for (json, why) in [
            ("", "EOF"),
            ("[]", "expected an object"),
            (r#"["1.0.0",[]]"#, "expected an object"),
            (
                r#"{"version":"1.0.0","anyOf":[["https://a",null,[]]]}"#,
                "expected an object",
            ),
            ("{}", "missing field `version`"),
            (r#"{"version":"1.0.0"}"#, "missing field `anyOf`"),
            (r#"{"version":"1.0.0","anyOf":[]}"#, "it names no authority"),
            (
                r#"{"version":"1.0.0","anyOf":[{"allOf":[]}]}"#,
                "missing field `authority`",
            ),
        ] {
            assert_refused(json, why);
        }
        let other_version = with_conditions(&nested(0)).replace("1.0.0", "2.0.0");
        assert_refused(&other_version, "its version is not 1.0.0");

        let one_list = "must have exactly one of anyOf and allOf";
        let one_comparison = "a claim with one comparison";
        let scalar = "expected a string, a number, true or false";
        for (conditions, why) in [
            (r#""allOf":[["c",1]]"#, "expected an object"),
            (r#""allOf":[]"#, one_list),
            (r#""allOf":null"#, one_list),
            (&format!(r#""allOf":[{CLAIM}],"anyOf":[{CLAIM}]"#), one_list),
            (r#""allOf":[{}]"#, one_list),
            (r#""allOf":[{"anyOf":[]}]"#, one_list),
            (r#""allOf":[{"claim":"c"}]"#, one_comparison),
            (r#""allOf":[{"equals":1}]"#, one_comparison),
            (
                r#""allOf":[{"claim":"c","less":1,"greater":2}]"#,
                one_comparison,
            ),
            (
                &format!(r#""allOf":[{{"claim":"c","less":1,"anyOf":[{CLAIM}]}}]"#),
                one_comparison,
            ),
            (
                r#""allOf":[{"claim":"c","less":1,"less":1}]"#,
                "duplicate field `less`",
            ),
            (
                r#""allOf":[{"claim":"c","greater-than":1}]"#,
                "unknown field `greater-than`",
            ),
            (
                &format!(r#""allOf":[{CLAIM}],"claim":"c""#),
                "unknown field `claim`",
            ),
            (r#""allOf":[{"claim":"c","equals":[1]}]"#, scalar),
            (&nested(DEPTH_LIMIT), "too deep"),
            (&nested(200), "recursion limit"),
            (
                &nested(0).replace('x', &"x".repeat(SIZE_LIMIT)),
                "at most 3072",
            ),
        ] {
            assert_refused(&with_conditions(conditions), why);
        }
    }
}
