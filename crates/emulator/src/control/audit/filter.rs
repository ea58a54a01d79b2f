use std::{fmt, str::FromStr};

use jiff::Timestamp;
use sealock_api::AuditQuery;
use sealock_core::{ClientId, IdentityName, KeyName, VaultName, excerpt};
use sealock_entra::Directory;
use sealock_vault::AuditEvent;
use uuid::Uuid;

use crate::control::ControlError;

/// How long the name of an operation can be.
const OPERATION_LENGTH_LIMIT: usize = 64;

/// The choice of events: those for which every field holds.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Filter {
    vault: Option<VaultName>,
    key: Option<KeyName>,
    identity: Option<Who>,
    operation: Option<OperationName>,
    result: Option<Ended>,
    /// From then on.
    since: Option<Timestamp>,
    /// Before then.
    until: Option<Timestamp>,
}

/// A principal, by its name or by one of its ids. Events have a managed identity's name, but of an application
/// the ids alone.
#[derive(Debug, PartialEq)]
enum Who {
    Name {
        name: IdentityName,
        /// Of the application that has this name now.
        application: Option<ClientId>,
    },
    Id(Uuid),
}

/// An operation by Azure's name for it, in any case.
#[derive(Debug, PartialEq)]
struct OperationName(String);

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ended {
    Success,
    Refused,
    Status(u16),
}

impl Filter {
    /// Reads a query. Refuses one for which no event can be as it says.
    pub(super) fn of(query: &AuditQuery) -> Result<Self, ControlError> {
        let filter = Self {
            vault: parsed("vault", query.vault.as_deref())?,
            key: parsed("key", query.key.as_deref())?,
            identity: parsed("identity", query.identity.as_deref())?,
            operation: parsed("operation", query.operation.as_deref())?,
            result: parsed("result", query.result.as_deref())?,
            since: parsed("since", query.since.as_deref())?,
            until: parsed("until", query.until.as_deref())?,
        };
        match (filter.since, filter.until) {
            (Some(since), Some(until)) if since >= until => Err(ControlError::bad_request(
                format!("nothing can have happened since {since} and until {until}"),
            )),
            _ => Ok(filter),
        }
    }

    /// Looks up whether it is an application that it names.
    pub(super) async fn look_up(mut self, directory: &Directory) -> Result<Self, ControlError> {
        if let Some(Who::Name { name, application }) = &mut self.identity {
            let mut all = directory.applications().await?.into_iter();
            let found = all.find(|found| found.name.as_str().eq_ignore_ascii_case(name.as_str()));
            *application = found.map(|found| found.client_id);
        }
        Ok(self)
    }

    /// Those of `lines` that are wanted. A line that is no event is wanted only where everything is, since
    /// nothing can be said of it.
    pub(super) fn select(&self, lines: Vec<u8>) -> Vec<u8> {
        if *self == Self::default() {
            return lines;
        }
        let wanted = lines.split_inclusive(|byte| *byte == b'\n').filter(|line| {
            serde_json::from_slice(line).is_ok_and(|event: AuditEvent| self.wants(&event))
        });
        wanted.collect::<Vec<_>>().concat()
    }

    fn wants(&self, event: &AuditEvent) -> bool {
        let is = |wanted: &str, found: Option<&str>| {
            found.is_some_and(|found| found.eq_ignore_ascii_case(wanted))
        };
        let Self {
            vault,
            key,
            identity,
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
            && identity.as_ref().is_none_or(|who| who.asked(event))
            && operation
                .as_ref()
                .is_none_or(|OperationName(name)| is(name, Some(&event.operation_name)))
            && result.is_none_or(|result| result.is(event.properties.http_status_code))
            && since.is_none_or(|since| since <= event.time)
            && until.is_none_or(|until| event.time < until)
    }
}

/// The vault whose ARM id the event has.
fn vault_of(event: &AuditEvent) -> Option<&str> {
    let (parent, name) = event.resource_id.rsplit_once('/')?;
    let is_a_vaults = parent
        .to_ascii_uppercase()
        .ends_with("/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS");
    is_a_vaults.then_some(name)
}

/// The key whose URL, or whose version's, the event has.
fn key_of(event: &AuditEvent) -> Option<&str> {
    let (_, path) = event.properties.id.split_once("://")?;
    let mut path = path.split('/').skip(1);
    (path.next()? == "keys").then(|| path.next())?
}

impl Who {
    fn asked(&self, event: &AuditEvent) -> bool {
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

impl Ended {
    fn is(self, status: u16) -> bool {
        match self {
            Self::Success => status < 400,
            Self::Refused => status >= 400,
            Self::Status(wanted) => status == wanted,
        }
    }
}

impl FromStr for Who {
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
                "'{}' is not the name of an operation; expected one such as KeyUnwrap",
                excerpt(text)
            )
        })
    }
}

impl FromStr for Ended {
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

/// Reads a parameter of the query.
fn parsed<T>(name: &str, text: Option<&str>) -> Result<Option<T>, ControlError>
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
        Filter::of(&query).map_err(|error| error.into_problem().detail)
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
    fn an_event_is_wanted_if_it_is_as_all_of_the_query_says() {
        for (text, wanted) in [
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
            assert_eq!(!selected.is_empty(), wanted, "{text}");
        }
    }

    #[test]
    fn a_line_that_is_no_event_passes_no_filter() {
        let lines = format!("no event\n{}{{}}\n\u{7f}\n{}", line(200), line(403)).into_bytes();
        let all = query("").unwrap().select(lines.clone());
        assert_eq!(all, lines);
        let some = query("until=2027-01-01T00:00:00Z").unwrap().select(lines);
        assert_eq!(String::from_utf8(some).unwrap(), line(200) + &line(403));
    }

    #[test]
    fn what_can_be_no_filter_is_refused_with_what_is_expected() {
        for (text, says) in [
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
                "nothing can have happened",
            ),
        ] {
            let error = query(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
