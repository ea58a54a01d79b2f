use std::{fmt, str::FromStr};

use jiff::Timestamp;
use sealock_api::AuditQuery;
use sealock_core::{ClientId, IdentityName, KeyName, VaultName, excerpt};
use sealock_entra::Directory;
use sealock_vault::AuditEvent;
use uuid::Uuid;

use crate::control::ControlError;

/// The limit of the length of an operation's name.
const OPERATION_LENGTH_LIMIT: usize = 64;

/// A filter for audit events. An event must match every given field.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filter {
    vault: Option<VaultName>,
    key: Option<KeyName>,
    principal: Option<PrincipalFilter>,
    operation: Option<OperationName>,
    result: Option<ResultFilter>,
    /// The start of the period.
    since: Option<Timestamp>,
    /// The end of the period, exclusive.
    until: Option<Timestamp>,
}

/// A principal, by its name or by one of its ids. Events hold the name of a managed identity, but only the ids of an
/// application.
#[derive(Debug, PartialEq)]
enum PrincipalFilter {
    Name {
        name: IdentityName,
        /// The client id of the application that has this name now.
        application: Option<ClientId>,
    },
    Id(Uuid),
}

/// An operation by its name in Azure, in any case.
#[derive(Debug, PartialEq)]
struct OperationName(String);

/// The result of an operation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ResultFilter {
    Success,
    Refused,
    Status(u16),
}

impl Filter {
    /// Parses a query. Refuses one that no event can match.
    pub(super) fn parse(query: &AuditQuery) -> Result<Self, ControlError> {
        let filter = Self {
            vault: parse("vault", query.vault.as_deref())?,
            key: parse("key", query.key.as_deref())?,
            principal: parse("identity", query.identity.as_deref())?,
            operation: parse("operation", query.operation.as_deref())?,
            result: parse("result", query.result.as_deref())?,
            since: parse("since", query.since.as_deref())?,
            until: parse("until", query.until.as_deref())?,
        };
        match (filter.since, filter.until) {
            (Some(since), Some(until)) if since >= until => {
                Err(ControlError::bad_request(format!(
                    "the period from {since} to {until} is empty; set since to a time before until"
                )))
            }
            _ => Ok(filter),
        }
    }

    /// Looks up the application with the name in the filter, if there is one.
    pub(super) async fn resolve_application(
        mut self,
        directory: &Directory,
    ) -> Result<Self, ControlError> {
        if let Some(PrincipalFilter::Name { name, application }) = &mut self.principal {
            let mut all = directory.applications().await?.into_iter();
            let found = all.find(|found| found.name.as_str().eq_ignore_ascii_case(name.as_str()));
            *application = found.map(|found| found.client_id);
        }
        Ok(self)
    }

    /// Selects the lines with matching events. An empty filter also selects lines that are not events.
    pub(super) fn select(&self, lines: Vec<u8>) -> Vec<u8> {
        if *self == Self::default() {
            return lines;
        }
        let selected = lines.split_inclusive(|byte| *byte == b'\n').filter(|line| {
            serde_json::from_slice(line).is_ok_and(|event: AuditEvent| self.matches(&event))
        });
        selected.collect::<Vec<_>>().concat()
    }

    fn matches(&self, event: &AuditEvent) -> bool {
        let is = |expected: &str, found: Option<&str>| {
            found.is_some_and(|found| found.eq_ignore_ascii_case(expected))
        };
        let Self {
            vault,
            key,
            principal,
            operation,
            result,
            since,
            until,
        } = self;
        vault
            .as_ref()
            .is_none_or(|vault| is(vault.as_str(), vault_of(event)))
            && key
                .as_ref()
                .is_none_or(|key| is(key.as_str(), key_of(event)))
            && principal
                .as_ref()
                .is_none_or(|principal| principal.matches(event))
            && operation
                .as_ref()
                .is_none_or(|OperationName(name)| is(name, Some(&event.operation_name)))
            && result.is_none_or(|result| result.matches(event.properties.http_status_code))
            && since.is_none_or(|since| since <= event.time)
            && until.is_none_or(|until| event.time < until)
    }
}

/// Returns the name of the vault in an event's ARM id.
pub(in crate::control) fn vault_of(event: &AuditEvent) -> Option<&str> {
    let (parent, name) = event.resource_id.rsplit_once('/')?;
    let is_vault = parent
        .to_ascii_uppercase()
        .ends_with("/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS");
    is_vault.then_some(name)
}

/// Returns the name of the key in an event's URL of a key or key version.
pub(in crate::control) fn key_of(event: &AuditEvent) -> Option<&str> {
    let (_, path) = event.properties.id.split_once("://")?;
    let mut path = path.split('/').skip(1);
    (path.next()? == "keys").then(|| path.next())?
}

impl PrincipalFilter {
    fn matches(&self, event: &AuditEvent) -> bool {
        let claim = &event.identity.claim;
        match self {
            Self::Name { name, application } => {
                let id = claim.xms_mirid.as_deref();
                let found = id.and_then(|id| id.rsplit('/').next());
                found.is_some_and(|found| found.eq_ignore_ascii_case(name.as_str()))
                    || application.is_some() && claim.appid == *application
            }
            Self::Id(id) => {
                let id = id.to_string();
                claim.oid.is_some_and(|oid| oid.to_string() == id)
                    || claim.appid.is_some_and(|appid| appid.to_string() == id)
            }
        }
    }
}

impl ResultFilter {
    fn matches(self, status: u16) -> bool {
        match self {
            Self::Success => status < 400,
            Self::Refused => status >= 400,
            Self::Status(expected) => status == expected,
        }
    }
}

impl FromStr for PrincipalFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        let name: Result<IdentityName, _> = text.parse();
        name.map(|name| Self::Name {
            name,
            application: None,
        })
        .map_err(|error| error.to_string())
    }
}

impl FromStr for OperationName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = (1..=OPERATION_LENGTH_LIMIT).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphabetic());
        is_name.then(|| Self(text.to_owned())).ok_or_else(|| {
            format!(
                "'{}' is not the name of an operation; expected a name such as KeyUnwrap",
                excerpt(text)
            )
        })
    }
}

impl FromStr for ResultFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "success" => Ok(Self::Success),
            "refused" => Ok(Self::Refused),
            text => match text.parse() {
                Ok(status @ 100..=599) => Ok(Self::Status(status)),
                _ => Err(format!(
                    "'{}' is not a result; expected success, refused or a status such as 403",
                    excerpt(text)
                )),
            },
        }
    }
}

/// Parses a parameter of the query.
fn parse<T>(name: &str, text: Option<&str>) -> Result<Option<T>, ControlError>
where
    T: FromStr<Err: fmt::Display>,
{
    let value = text.map(str::parse).transpose();
    value.map_err(|error: T::Err| ControlError::bad_request(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use axum::{extract::Query, http::Uri};
    use serde_json::json;

    use super::*;

    fn query(query: &str) -> Result<Filter, String> {
        let uri: Uri = format!("/audit?{query}").parse().unwrap();
        let Query(query) = Query::<AuditQuery>::try_from_uri(&uri).map_err(|e| e.body_text())?;
        Filter::parse(&query).map_err(|error| error.into_problem().detail)
    }

    fn line(status: u16) -> String {
        let event = json!({
            "time": "2026-01-02T00:00:00Z", "category": "AuditEvent", "operationName": "KeyUnwrap",
            "operationVersion": "7.4", "resultType": "Success", "resultSignature": "-",
            "resultDescription": "", "durationMs": "0", "callerIpAddress": "127.0.0.1",
            "correlationId": "1c19dc62-3282-41ef-a0a1-96f47e90e98e",
            "identity": {"claim": {
                "oid": "17ebe6ff-c37d-463d-ae1c-066dc1df834f",
                "appid": "c589a182-c37d-463d-ae1c-066dc1df834f",
                "xms_mirid": "/subscriptions/s/userAssignedIdentities/registry-identity"}},
            "properties": {
                "id": "https://kv1.vault.localhost:5000/keys/registry-key/5cb356db",
                "clientInfo": "x", "httpStatusCode": status, "requestUri": "https://x"},
            "resourceId": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/KV1"
        });
        format!("{event}\n")
    }

    #[test]
    fn event_must_match_every_field_of_the_query() {
        for (text, matches) in [
            ("follow=true", true),
            ("vault=kv1", true),
            ("vault=kv2", false),
            ("key=Registry-Key", true),
            ("key=5cb356db", false),
            ("identity=registry-identity", true),
            ("identity=another-identity", false),
            ("identity=17EBE6FF-c37d-463d-ae1c-066dc1df834f", true),
            ("identity=c589a182-c37d-463d-ae1c-066dc1df834f", true),
            ("identity=1c19dc62-3282-41ef-a0a1-96f47e90e98e", false),
            ("operation=keyunwrap", true),
            ("operation=KeyWrap", false),
            ("result=refused", true),
            ("result=success", false),
            ("result=403", true),
            ("result=404", false),
            ("since=2026-01-02T00:00:00Z", true),
            ("since=2026-01-02T00:00:01Z", false),
            ("until=2026-01-02T00:00:00Z", false),
            ("until=2026-01-02T00:00:01Z", true),
            (
                "vault=kv1&key=registry-key&operation=KeyUnwrap&result=refused",
                true,
            ),
            (
                "vault=kv1&key=registry-key&operation=KeyUnwrap&result=success",
                false,
            ),
        ] {
            let selected = query(text).unwrap().select(line(403).into_bytes());
            assert_eq!(!selected.is_empty(), matches, "{text}");
        }
    }

    #[test]
    fn only_an_empty_filter_selects_lines_that_are_not_events() {
        let lines = format!("no event\n{}{{}}\n\u{7f}\n{}", line(200), line(403)).into_bytes();
        let all = query("").unwrap().select(lines.clone());
        assert_eq!(all, lines);
        let some = query("until=2027-01-01T00:00:00Z").unwrap().select(lines);
        assert_eq!(String::from_utf8(some).unwrap(), line(200) + &line(403));
    }

    #[test]
    fn invalid_query_is_refused_with_what_is_expected() {
        for (text, expected) in [
            ("vault=A", "'A' is not a vault name"),
            ("key=a_b", "'a_b' is not a key name"),
            ("identity=x", "'x' is not a managed identity name"),
            ("operation=Key+Unwrap", "such as KeyUnwrap"),
            ("operation=", "such as KeyUnwrap"),
            ("result=ok", "success, refused or a status"),
            ("result=99", "success, refused or a status"),
            ("since=yesterday", "since"),
            ("color=red", "color"),
            (
                "since=2026-01-02T00:00:00Z&until=2026-01-02T00:00:00Z",
                "is empty",
            ),
        ] {
            let error = query(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
