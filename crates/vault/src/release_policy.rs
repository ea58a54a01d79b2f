//! Release policies: to whom an exportable key may be released. They are kept; nothing is ever released.
//!
//! A policy is the key's, not a version's, and a key is exportable if it has one.

use sealock_core::{KeyVersion, excerpt};
use sealock_http::json::{Object, object_list, object_list_or_null};
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::{
    Error, KeyChange, KeyType, Result, VaultSku,
    records::{KeyRecord, VaultRecord},
};

/// How long rules may be, in bytes of JSON: they lie in their key's record.
const SIZE_LIMIT: usize = 3 << 10;

/// How deep conditions may lie in one another.
const DEPTH_LIMIT: usize = 8;

/// Under which rules a key may be released.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasePolicy {
    /// The rules.
    pub rules: ReleaseRules,
    /// Whether they stay as they are, for ever.
    pub immutable: bool,
}

/// Rules in the grammar of release policies. Written as JSON, their members are in Azure's order, however
/// they were sent.
///
/// <https://learn.microsoft.com/azure/key-vault/keys/policy-grammar>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseRules {
    version: String,
    #[serde(alias = "anyof", deserialize_with = "object_list")]
    any_of: Vec<Trust>,
}

/// Whose tokens count, and what they have to claim: exactly one of the lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Trust {
    authority: String,
    #[serde(
        alias = "anyof",
        default,
        deserialize_with = "object_list_or_null",
        skip_serializing_if = "Option::is_none"
    )]
    any_of: Option<Vec<Condition>>,
    #[serde(
        alias = "allof",
        default,
        deserialize_with = "object_list_or_null",
        skip_serializing_if = "Option::is_none"
    )]
    all_of: Option<Vec<Condition>>,
}

/// A claim with one comparison, or one list of conditions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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
    #[serde(
        alias = "anyof",
        default,
        deserialize_with = "object_list_or_null",
        skip_serializing_if = "Option::is_none"
    )]
    any_of: Option<Vec<Self>>,
    #[serde(
        alias = "allof",
        default,
        deserialize_with = "object_list_or_null",
        skip_serializing_if = "Option::is_none"
    )]
    all_of: Option<Vec<Self>>,
}

/// What a claim is compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a string, a number, true or false")]
enum Comparand {
    Text(String),
    Number(Number),
    Truth(bool),
}

impl ReleaseRules {
    /// Reads rules from JSON.
    ///
    /// # Errors
    /// If it is no policy, or too large a one.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let Object(rules) = serde_json::from_slice::<Object<Self>>(json)
            .map_err(|error| ungrammatical(excerpt(&error.to_string())))?;
        rules.check()?;
        let size = serde_json::to_vec(&rules)?.len();
        if size > SIZE_LIMIT {
            return Err(Error::BadParameter(format!(
                "The release policy has {size} bytes; at most {SIZE_LIMIT} are kept."
            )));
        }
        Ok(rules)
    }

    fn check(&self) -> Result<()> {
        // The second is not in the grammar, but Microsoft's own tests send it.
        if !["1.0.0", "1.0"].contains(&self.version.as_str()) {
            return Err(ungrammatical("its version is not 1.0.0"));
        }
        if self.any_of.is_empty() {
            return Err(ungrammatical("it names no authority"));
        }
        for trust in &self.any_of {
            Condition::check_lists([&trust.any_of, &trust.all_of], 0)?;
        }
        Ok(())
    }
}

impl Condition {
    fn check_lists(lists: [&Option<Vec<Self>>; 2], depth: usize) -> Result<()> {
        let conditions = match lists {
            [Some(conditions), None] | [None, Some(conditions)] if !conditions.is_empty() => {
                conditions
            }
            _ => {
                return Err(ungrammatical(
                    "an authority, and a condition without a claim, need exactly one of anyOf and allOf",
                ));
            }
        };
        if depth == DEPTH_LIMIT {
            return Err(ungrammatical("its conditions lie too deep in one another"));
        }
        conditions
            .iter()
            .try_for_each(|condition| condition.check(depth + 1))
    }

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
        let lists = [&self.any_of, &self.all_of];
        match (&self.claim, comparisons.into_iter().flatten().count()) {
            (Some(_), 1) if lists == [&None, &None] => Ok(()),
            (None, 0) => Self::check_lists(lists, depth),
            _ => Err(ungrammatical(
                "a condition is a claim with one comparison, or one list of conditions",
            )),
        }
    }
}

fn ungrammatical(why: &str) -> Error {
    Error::BadParameter(format!(
        "The data of the release policy is not in the grammar of https://learn.microsoft.com/azure/key-vault/keys/policy-grammar: {why}."
    ))
}

/// The policy of a key to which `change` is made, be it by one of its versions.
pub(crate) fn after_update(
    key: &KeyRecord,
    version: Option<&KeyVersion>,
    change: &KeyChange,
) -> Result<Option<ReleasePolicy>> {
    let known = key.release_policy.as_ref();
    updates_leave_exportability(known.is_some(), change.exportable)?;
    // Some clients send back what they got, whatever it is that they change.
    let given = change.release_policy.as_ref();
    let Some(given) = given.filter(|given| Some(*given) != known) else {
        return Ok(known.cloned());
    };
    exportable_keys_have_release_policies(known.is_some(), true)?;
    release_policies_are_set_on_versionless_keys(version)?;
    immutable_release_policies_are_not_modified(known)?;
    Ok(Some(given.clone()))
}

/// The policy of a key that gets a version, which is the first if there is no `key` yet.
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

fn bad(why: &str) -> Result<()> {
    Err(Error::BadParameter(why.to_owned()))
}

/// The text is that of a vault, as the tests of Azure/azure-sdk-for-js recorded it; a managed HSM's has no
/// number.
///
/// <https://learn.microsoft.com/azure/confidential-computing/concept-skr-attestation>
fn exportable_keys_have_release_policies(exportable: bool, has_policy: bool) -> Result<()> {
    match (exportable, has_policy) {
        (true, false) => bad("AKV.SKR.1004: Exportable keys must have release policy."),
        (false, true) => bad("AKV.SKR.1005: Non-exportable keys must not have release policy."),
        (false, false) | (true, true) => Ok(()),
    }
}

/// <https://github.com/Azure/azure-sdk-for-java/pull/23276> has the text. Here, each version of the API is
/// taken for one that can.
fn exportable_keys_are_premium(sku: VaultSku) -> Result<()> {
    match sku {
        VaultSku::Premium => Ok(()),
        VaultSku::Standard => bad(
            "AKV.SKR.1001: The exportable attribute is only supported with premium vaults and API version >= '7.3-preview'.",
        ),
    }
}

/// The number is from users' reports; the text is not public.
///
/// <https://learn.microsoft.com/azure/confidential-computing/concept-skr-attestation>
fn exportable_keys_are_in_hardware(kty: KeyType) -> Result<()> {
    if kty.is_hardware() {
        return Ok(());
    }
    bad(
        "AKV.SKR.1006: The exportable attribute is only supported with keys in hardware; use RSA-HSM or EC-HSM.",
    )
}

/// Only the first version of a key says whether it is exportable. Number and text are from users' reports.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/create-key/create-key#keyattributes>
fn versions_are_as_exportable_as_their_key(exportable: bool, given: Option<bool>) -> Result<()> {
    if given.is_none_or(|given| given == exportable) {
        return Ok(());
    }
    bad("AKV.SKR.1003: The exportable attribute of an existing key cannot be changed.")
}

/// <https://github.com/Azure/azure-sdk-for-python/issues/21174> has the text.
fn updates_leave_exportability(exportable: bool, given: Option<bool>) -> Result<()> {
    if given.is_none_or(|given| given == exportable) {
        return Ok(());
    }
    bad("AKV.SKR.1014: Cannot modify the exportable state of a key.")
}

/// Number and text are from users' reports.
fn release_policies_are_set_on_versionless_keys(version: Option<&KeyVersion>) -> Result<()> {
    match version {
        None => Ok(()),
        Some(_) => bad("AKV.SKR.1016: Key Release Policy can only be set on versionless key."),
    }
}

/// By no update, and not with another version either, as Azure/azure-cleanroom found: not even by what says the
/// same.
///
/// <https://learn.microsoft.com/rest/api/keyvault/keys/update-key/update-key#keyreleasepolicy>
fn immutable_release_policies_are_not_modified(known: Option<&ReleasePolicy>) -> Result<()> {
    if known.is_some_and(|known| known.immutable) {
        return bad("AKV.SKR.1020: Immutable Key Release Policy cannot be modified.");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTHORITY: &str = "https://shared.attest.azure.net";

    fn with_conditions(conditions: &str) -> String {
        format!(r#"{{"version":"1.0.0","anyOf":[{{"authority":"{AUTHORITY}",{conditions}}}]}}"#)
    }

    fn nested(depth: usize) -> String {
        let claim = r#"{"claim":"c","equals":1}"#;
        let (open, close) = (r#"{"anyOf":["#.repeat(depth), "]}".repeat(depth));
        with_conditions(&format!(r#""allOf":[{open}{claim}{close}]"#))
    }

    /// So did a vault, as the tests of Azure/azure-sdk-for-js recorded it.
    #[test]
    fn rules_are_written_in_azures_order() {
        let sent = r#"{ "anyOf": [ {"allOf": [{"equals": "true", "claim": "sdk-test"}], "authority": "https://a/"} ], "version": "1.0.0" }"#;
        let written = r#"{"version":"1.0.0","anyOf":[{"authority":"https://a/","allOf":[{"claim":"sdk-test","equals":"true"}]}]}"#;
        let rules = ReleaseRules::from_json(sent.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&rules).unwrap(), written);
    }

    #[test]
    fn rules_in_the_grammar_are_taken_as_they_are() {
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
            nested(DEPTH_LIMIT - 1),
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
        let in_small_letters = with_conditions(r#""allof":[{"anyof":[{"claim":"c","less":3}]}]"#);
        ReleaseRules::from_json(in_small_letters.replace("anyOf", "anyof").as_bytes()).unwrap();
    }

    #[test]
    fn rules_outside_the_grammar_are_refused_with_what_is_wrong() {
        let claim = r#"{"claim":"c","equals":"x"}"#;
        let long = with_conditions(&format!(
            r#""allOf":[{{"claim":"c","equals":"{}"}}]"#,
            "x".repeat(SIZE_LIMIT)
        ));
        for (json, why) in [
            (String::new(), "EOF"),
            ("[]".to_owned(), "expected an object"),
            (
                format!(r#"["1.0.0",[["{AUTHORITY}",null,[{claim}]]]]"#),
                "expected an object",
            ),
            (
                format!(r#"{{"version":"1.0.0","anyOf":[["{AUTHORITY}",null,[{claim}]]]}}"#),
                "expected an object",
            ),
            (
                with_conditions(r#""allOf":[["c",1]]"#),
                "expected an object",
            ),
            ("{}".to_owned(), "missing field `version`"),
            (r#"{"version":"1.0.0"}"#.to_owned(), "missing field `anyOf`"),
            (
                r#"{"version":"1.0.0","anyOf":[]}"#.to_owned(),
                "it names no authority",
            ),
            (
                r#"{"version":"1.0.0","anyOf":[{"allOf":[]}]}"#.to_owned(),
                "missing field `authority`",
            ),
            (
                with_conditions(&format!(r#""allOf":[{claim}]"#)).replace("1.0.0", "2.0.0"),
                "its version is not 1.0.0",
            ),
            (
                with_conditions(r#""allOf":[]"#),
                "need exactly one of anyOf and allOf",
            ),
            (
                with_conditions(r#""allOf":null"#),
                "need exactly one of anyOf and allOf",
            ),
            (
                with_conditions(&format!(r#""allOf":[{claim}],"anyOf":[{claim}]"#)),
                "need exactly one of anyOf and allOf",
            ),
            (
                with_conditions(r#""allOf":[{}]"#),
                "need exactly one of anyOf and allOf",
            ),
            (
                with_conditions(r#""allOf":[{"anyOf":[]}]"#),
                "need exactly one of anyOf and allOf",
            ),
            (
                with_conditions(r#""allOf":[{"claim":"c"}]"#),
                "a claim with one comparison",
            ),
            (
                with_conditions(r#""allOf":[{"equals":1}]"#),
                "a claim with one comparison",
            ),
            (
                with_conditions(r#""allOf":[{"claim":"c","less":1,"greater":2}]"#),
                "a claim with one comparison",
            ),
            (
                with_conditions(&format!(
                    r#""allOf":[{{"claim":"c","less":1,"anyOf":[{claim}]}}]"#
                )),
                "a claim with one comparison",
            ),
            (
                with_conditions(r#""allOf":[{"claim":"c","greater-than":1}]"#),
                "unknown field `greater-than`",
            ),
            (
                with_conditions(r#""allOf":[{"claim":"c","equals":[1]}]"#),
                "expected a string, a number, true or false",
            ),
            (nested(DEPTH_LIMIT), "too deep"),
            (nested(200), "recursion limit"),
            (long, "at most 3072 are kept"),
        ] {
            let refused = ReleaseRules::from_json(json.as_bytes()).unwrap_err();
            assert!(
                matches!(refused, Error::BadParameter(_)),
                "{json}: {refused}"
            );
            assert!(refused.to_string().contains(why), "{json}: {refused}");
        }
    }
}
