use anstyle::Style;
use clap::Args;
use jiff::Timestamp;
use sealock_api::{AuditQuery, ShowAudit};
use sealock_core::{KeyName, VaultName};
use serde_json::Value;

use crate::{
    cli::time,
    client::Client,
    error::Error,
    output::{BAD, GOOD, Output, harmless, printable},
};

/// Show who used which key, and with what success
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock audit --identity registry-identity --result refused
  sealock audit --follow --json | jq .operationName")]
pub(crate) struct Audit {
    /// Of this vault only
    #[arg(long)]
    vault: Option<VaultName>,
    /// Of this key only
    #[arg(long)]
    key: Option<KeyName>,
    /// By this managed identity or application only: its name, its client id or its principal id
    #[arg(long, value_name = "NAME|ID")]
    identity: Option<String>,
    /// Of this operation only, such as `KeyUnwrap`
    #[arg(long)]
    operation: Option<String>,
    /// With this result only: `success`, `refused` or a status such as `403`
    #[arg(long)]
    result: Option<String>,
    /// From this time on, as in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Go on with each event as it happens
    #[arg(long)]
    follow: bool,
}

impl Audit {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let mut columns = Columns::default();
        let lines = client.lines(&ShowAudit {}, &self.query())?;
        if !self.follow && !output.is_json() {
            output.line(columns.row(
                "TIME",
                "OPERATION",
                "RESULT",
                Style::new(),
                "IDENTITY",
                "KEY",
            ))?;
        }
        for line in lines {
            let line = line?;
            if output.is_json() {
                output.line(line)?;
            } else {
                output.line(columns.render(&line))?;
            }
        }
        Ok(())
    }

    fn query(&self) -> AuditQuery {
        AuditQuery {
            follow: self.follow,
            vault: self.vault.as_ref().map(ToString::to_string),
            key: self.key.as_ref().map(ToString::to_string),
            identity: self.identity.clone(),
            operation: self.operation.clone(),
            result: self.result.clone(),
            since: self.since.map(|time| time.to_string()),
            until: self.until.map(|time| time.to_string()),
        }
    }
}

/// The widths of the columns: the usual ones, and wider from the first event on that needs more.
struct Columns {
    time: usize,
    operation: usize,
    result: usize,
    identity: usize,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            time: "2026-01-01T00:00:00Z".len(),
            operation: "KeyRotationPolicyGet".len(),
            result: "Unauthorized/401".len(),
            identity: "registry-identity".len(),
        }
    }
}

impl Columns {
    /// One event on one line. What is no event is shown as it came: an audit leaves nothing out.
    fn render(&mut self, line: &str) -> String {
        let Ok(event) = serde_json::from_str(line).map(harmless) else {
            return printable(line);
        };
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let status = event
            .pointer("/properties/httpStatusCode")
            .and_then(Value::as_u64);

        let time = text("/time").unwrap_or("-");
        let operation = text("/operationName").unwrap_or("-");
        let signature = text("/resultSignature").unwrap_or("-");
        let result = status.map_or_else(
            || signature.to_owned(),
            |status| format!("{signature}/{status}"),
        );
        let style = if status.is_none_or(|status| status < 400) {
            GOOD
        } else {
            BAD
        };
        let resource = text("/identity/claim/xms_mirid").and_then(|id| id.rsplit('/').next());
        let identity = resource
            .or_else(|| text("/identity/claim/appid"))
            .unwrap_or("-");
        let key = text("/properties/id").unwrap_or("-");
        self.row(time, operation, &result, style, identity, key)
    }

    fn row(
        &mut self,
        time: &str,
        operation: &str,
        result: &str,
        style: Style,
        identity: &str,
        key: &str,
    ) -> String {
        let pad = |width: &mut usize, text: &str| {
            *width = text.len().max(*width);
            format!("{text:<0$}", *width)
        };
        let time = pad(&mut self.time, time);
        let operation = pad(&mut self.operation, operation);
        let result = pad(&mut self.result, result);
        let identity = pad(&mut self.identity, identity);
        format!("{time}  {operation}  {style}{result}{style:#}  {identity}  {key}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(line: &str) -> String {
        anstream::adapter::strip_str(&Columns::default().render(line)).to_string()
    }

    #[test]
    fn an_event_fits_a_line() {
        let line = r#"{"time":"2026-01-01T00:00:00Z","operationName":"KeyUnwrap","resultSignature":"Forbidden",
            "identity":{"claim":{"appid":"a","xms_mirid":"/subscriptions/s/x/registry-identity"}},
            "properties":{"id":"https://kv/keys/k/v","httpStatusCode":403}}"#;
        assert_eq!(
            plain(line),
            "2026-01-01T00:00:00Z  KeyUnwrap             Forbidden/403     registry-identity  https://kv/keys/k/v"
        );
    }

    #[test]
    fn a_column_is_as_wide_as_what_was_in_it() {
        let mut columns = Columns::default();
        let mut place_of_key = |operation: &str, signature: &str| {
            let event = serde_json::json!({
                "operationName": operation, "resultSignature": signature, "properties": {"id": "KEY"}
            });
            let line = columns.render(&event.to_string());
            anstream::adapter::strip_str(&line).to_string().find("KEY")
        };
        let place = place_of_key("KeyRotationPolicySet", "OK");
        assert_eq!(place_of_key("KeyGet", "Unauthorized"), place);
        let wider = place_of_key("KeyNearExpiryEventGridNotification", "OK");
        assert!(wider > place);
        assert_eq!(place_of_key("KeyGet", "OK"), wider);
    }

    #[test]
    fn absent_fields_and_foreign_lines_are_borne() {
        assert_eq!(
            plain("{}"),
            "-                     -                     -                 -                  -"
        );
        assert_eq!(
            plain(r#"{"identity":{"claim":{"appid":"a"}}}"#),
            "-                     -                     -                 a                  -"
        );
        assert_eq!(
            plain(r#"{"time":1,"identity":[]}"#),
            "-                     -                     -                 -                  -"
        );
        assert_eq!(plain("no event"), "no event");
        assert_eq!(plain("no\u{1b}[2J event"), "no\u{fffd}[2J event");
    }
}
