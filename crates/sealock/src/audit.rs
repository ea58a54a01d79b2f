use anstyle::Style;
use clap::Args;
use jiff::Timestamp;
use sealock_api::{AuditQuery, ShowAudit};
use sealock_core::VaultName;
use serde_json::Value;

use crate::{
    arguments::time,
    client::Client,
    error::Error,
    key_reference::KeyReference,
    output::{BAD, GOOD, Output, Screen, printable, without_control_characters},
};

/// Show the vaults' audit log: operations on keys, their callers and results
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock audit --identity registry-identity --result refused
  sealock audit --follow --json | jq .operationName")]
pub(crate) struct Audit {
    /// Only events of this vault
    #[arg(long)]
    vault: Option<VaultName>,
    /// Only events of this key: `KEY`, `VAULT/KEY` or a URL
    #[arg(long)]
    key: Option<KeyReference>,
    /// Only events of this managed identity or application: its name, client id or principal id
    #[arg(long, value_name = "NAME|ID")]
    identity: Option<String>,
    /// Only events of this operation, such as `KeyUnwrap`
    #[arg(long)]
    operation: Option<String>,
    /// Only events with this result: `success`, `refused` or a status such as `403`
    #[arg(long)]
    result: Option<String>,
    /// Only events at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only events before this time (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Keep running, and show events as they happen
    #[arg(long)]
    follow: bool,
}

impl Audit {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let mut columns = Columns::new(output.screen());
        let is_json = output.is_json();
        let has_heading = !self.follow && !is_json;
        let lines = client.lines(&ShowAudit {}, &self.query()?)?;
        if has_heading {
            output.line(columns.heading())?;
        }
        for line in lines {
            let line = line?;
            if is_json {
                output.line(line)?;
            } else {
                output.line(columns.render(&line))?;
            }
        }
        Ok(())
    }

    fn query(self) -> Result<AuditQuery, Error> {
        let (vault, key) = match self.key {
            None => (self.vault, None),
            Some(key) => {
                let (vault, key) = key.names(self.vault)?;
                (vault, Some(key))
            }
        };
        Ok(AuditQuery {
            follow: self.follow,
            vault: vault.map(|vault| vault.to_string()),
            key: key.map(|key| key.to_string()),
            identity: self.identity,
            operation: self.operation,
            result: self.result,
            since: self.since.map(|time| time.to_string()),
            until: self.until.map(|time| time.to_string()),
        })
    }
}

/// The widths of all columns but the last. A column starts at a typical width, and grows with its content.
struct Columns {
    widths: [usize; 4],
    is_wide: bool,
}

/// The fields of an event that a line shows.
struct Event {
    time: String,
    operation: String,
    status: Option<u64>,
    signature: String,
    identity: String,
    /// A URL of a key or key version, or an id.
    target: String,
}

impl Columns {
    fn new(screen: Screen) -> Self {
        let is_wide = screen.is_wide();
        let typical = if is_wide {
            [
                "2026-01-01T00:00:00Z",
                "KeyRotationPolicyGet",
                "Unauthorized/401",
                "registry-identity",
            ]
        } else {
            [
                "2026-01-01T00:00:00Z",
                "AccessPolicySet",
                "HTTP",
                "registry-identity",
            ]
        };
        Self {
            widths: typical.map(str::len),
            is_wide,
        }
    }

    fn heading(&mut self) -> String {
        let result = if self.is_wide { "RESULT" } else { "HTTP" };
        let cells = ["TIME", "OPERATION", result, "IDENTITY"];
        self.row(cells, "KEY", Style::new())
    }

    /// Renders an event as a line. A line that is not an event is shown as it is, since an audit omits nothing.
    fn render(&mut self, line: &str) -> String {
        let Some(event) = Event::read(line) else {
            return printable(line);
        };
        let result = match (event.status, self.is_wide) {
            (Some(status), false) => status.to_string(),
            (Some(status), true) => format!("{}/{status}", event.signature),
            (None, _) => event.signature,
        };
        let style = if event.status.is_none_or(|status| status < 400) {
            GOOD
        } else {
            BAD
        };
        let target = if self.is_wide {
            event.target
        } else {
            last_name(&event.target)
        };
        let operation = if self.is_wide {
            &event.operation
        } else {
            event.operation.trim_end_matches("EventGridNotification")
        };
        let cells = [&*event.time, operation, &result, &event.identity];
        self.row(cells, &target, style)
    }

    fn row(&mut self, cells: [&str; 4], last: &str, style: Style) -> String {
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            *width = cell.len().max(*width);
        }
        let [time, operation, result, identity] = cells;
        let [w0, w1, w2, w3] = self.widths;
        format!(
            "{time:<w0$}  {operation:<w1$}  {style}{result:<w2$}{style:#}  {identity:<w3$}  {last}"
        )
    }
}

impl Event {
    fn read(line: &str) -> Option<Self> {
        let event = without_control_characters(serde_json::from_str(line).ok()?);
        event.is_object().then(|| {
            let text = |pointer: &str| {
                let text = event.pointer(pointer).and_then(Value::as_str);
                text.unwrap_or("-").to_owned()
            };
            let resource = text("/identity/claim/xms_mirid");
            let resource = resource.rsplit('/').next().filter(|name| *name != "-");
            Self {
                time: text("/time"),
                operation: text("/operationName"),
                status: event
                    .pointer("/properties/httpStatusCode")
                    .and_then(Value::as_u64),
                signature: text("/resultSignature"),
                identity: resource.map_or_else(|| text("/identity/claim/appid"), ToOwned::to_owned),
                target: text("/properties/id"),
            }
        })
    }
}

/// Returns the key's name in a key's URL, or the resource's name in its id.
fn last_name(target: &str) -> String {
    let name = match target.split_once("/keys/") {
        Some((_, key)) => key.split('/').next(),
        None => target.rsplit('/').next(),
    };
    name.unwrap_or(target).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"time":"2026-01-01T00:00:00Z","operationName":"KeyUnwrap","resultSignature":"Forbidden",
        "identity":{"claim":{"appid":"a","xms_mirid":"/subscriptions/s/x/registry-identity"}},
        "properties":{"id":"https://kv/keys/k/v","httpStatusCode":403}}"#;

    fn columns(is_wide: bool) -> Columns {
        Columns {
            is_wide,
            ..Columns::new(Screen::default())
        }
    }

    fn plain(columns: &mut Columns, line: &str) -> String {
        anstream::adapter::strip_str(&columns.render(line)).to_string()
    }

    #[test]
    fn event_is_rendered_as_one_line() {
        let mut narrow = columns(false);
        assert_eq!(
            plain(&mut narrow, EVENT),
            "2026-01-01T00:00:00Z  KeyUnwrap        403   registry-identity  k"
        );
        assert_eq!(
            plain(&mut columns(true), EVENT),
            "2026-01-01T00:00:00Z  KeyUnwrap        Forbidden/403  registry-identity  https://kv/keys/k/v"
        );
    }

    #[test]
    fn column_grows_to_its_widest_cell() {
        let mut columns = columns(false);
        let mut key_offset = |operation: &str| {
            let event = serde_json::json!({
                "operationName": operation, "properties": {"id": "KEY"}
            });
            plain(&mut columns, &event.to_string()).find("KEY")
        };
        let initial = key_offset("KeyUnwrap");
        assert_eq!(key_offset("KeyGet"), initial);
        let grown = key_offset("KeyRotationPolicySetEventGridNotification");
        assert!(grown > initial);
        assert_eq!(key_offset("KeyGet"), grown);
    }

    #[test]
    fn missing_fields_and_other_lines_are_tolerated() {
        let absent = "-                     -                -     -                  -";
        assert_eq!(plain(&mut columns(false), "{}"), absent);
        assert_eq!(
            plain(&mut columns(false), r#"{"time":1,"identity":[]}"#),
            absent
        );
        assert!(
            plain(
                &mut columns(false),
                r#"{"identity":{"claim":{"appid":"a"}}}"#
            )
            .contains("  a  ")
        );
        assert_eq!(plain(&mut columns(false), "no event"), "no event");
        assert_eq!(
            plain(&mut columns(false), "no\u{1b}[2J event"),
            "no\u{fffd}[2J event"
        );
    }
}
