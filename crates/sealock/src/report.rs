use std::fmt::Display;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use sealock_api::{
    ComplianceQuery, ComplianceReport, Encryption, Gate, KeyUse, KeyUser, RegistryEvidence,
    ReportCompliance, RevocationPeriod, SampleFinding, StorageEvidence, Time,
};

use crate::{
    arguments::time,
    client::Client,
    error::Error,
    output::{Output, counted},
    progress,
};

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Write the evidence that an auditor of customer-managed keys asks for, as Markdown or JSON
    #[command(after_help = "\
Examples:
  sealock report compliance > report.md
  sealock report compliance --since 2026-11-01T00:00:00Z --json | jq .key_uses")]
    Compliance(Compliance),
}

#[derive(Debug, Args)]
pub(crate) struct Compliance {
    /// Start of the period of the key operations (RFC 3339) [default: the beginning of the audit log]
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// End of the period, exclusive (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Number of stored objects to read of each registry
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    samples: usize,
}

impl ReportCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let Self::Compliance(Compliance {
            since,
            until,
            samples,
        }) = self;
        let query = ComplianceQuery {
            since: since.map(|time| time.to_string()),
            until: until.map(|time| time.to_string()),
            samples: Some(samples),
        };
        let client = client.without_timeout();
        let answer = progress::during("reading", || {
            client.ask_with_query(&ReportCompliance {}, &query)
        })?;
        output.show(&answer, markdown)
    }
}

/// A heading of a Markdown table, with its rows.
struct Table<const COLUMNS: usize> {
    heading: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Renders the table, or `nothing` if it has no rows.
    fn render(&self, nothing: &str) -> String {
        if self.rows.is_empty() {
            return nothing.to_owned();
        }
        let row = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let rule = format!("|{}", "---|".repeat(COLUMNS));
        let heading = row(&self.heading.map(str::to_owned));
        let rows = self.rows.iter().map(|cells| {
            // A name may have a bar, which would end a cell.
            row(&cells.each_ref().map(|cell| cell.replace('|', "\\|")))
        });
        [heading, rule]
            .into_iter()
            .chain(rows)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn markdown(report: &ComplianceReport) -> String {
    let since = match report.since {
        Some(since) => since.to_string(),
        None => "the beginning of the audit log".to_owned(),
    };
    let mut parts = vec![
        "# Customer-managed keys: compliance report".to_owned(),
        format!(
            "Written by Sealock {} at {}. Operations on keys: from {since} until {}.",
            report.version, report.created, report.until
        ),
    ];
    for registry in &report.registries {
        parts.extend(registry_parts(registry));
    }
    parts.push("## Operations on keys".to_owned());
    if report.has_audit_gap {
        parts.push("The audit log no longer has its oldest events (`audit.max_files`).".to_owned());
    }
    if report.omitted_key_uses > 0 {
        let omitted = counted(report.omitted_key_uses, "older operation");
        parts.push(format!("The report leaves out {omitted}."));
    }
    parts.push(key_uses(&report.key_uses));
    parts.join("\n\n")
}

fn registry_parts(evidence: &RegistryEvidence) -> Vec<String> {
    let registry = &evidence.registry;
    let key = match &registry.encryption {
        Encryption::Disabled => "none, only the service key".to_owned(),
        Encryption::Enabled {
            key_identifier,
            key_rotation_enabled,
            ..
        } => {
            let follows = if *key_rotation_enabled {
                "follows its rotations"
            } else {
                "fixed to a version"
            };
            format!("`{key_identifier}`, {follows}")
        }
    };
    let gate = match &registry.gate {
        Gate::Available {
            pending_revocation: None,
        } => "available".to_owned(),
        Gate::Available {
            pending_revocation: Some(pending),
        } => format!("available until {}: {}", pending.at, pending.cause),
        Gate::Revoked { cause, since, .. } => format!("revoked: {cause} since {since}"),
        Gate::Unknown { message } => format!("unknown: {message}"),
    };
    let facts = [
        ("id", format!("`{}`", evidence.resource_id)),
        ("SKU", registry.sku.to_string()),
        ("created", registry.created.to_string()),
        ("customer-managed key", key),
        ("state", gate),
    ];
    let facts = facts.map(|(name, value)| format!("- {name}: {value}"));
    let mut parts = vec![format!("## Registry {}", registry.name), facts.join("\n")];
    if let Encryption::Enabled { .. } = registry.encryption {
        if evidence.has_history_gap {
            parts
                .push("The oldest key versions and revocations are no longer recorded.".to_owned());
        }
        parts.extend([
            "### Key versions over time".to_owned(),
            key_periods(evidence),
            "### Who may use the key".to_owned(),
            key_users(&evidence.key_users),
            "### Revocations".to_owned(),
            revocations(&evidence.revocations),
        ]);
    }
    parts.push("### Content on disk".to_owned());
    parts.extend(storage(&evidence.storage));
    parts
}

fn key_periods(evidence: &RegistryEvidence) -> String {
    let rows = evidence.key_periods.iter().map(|period| {
        [
            period.from.to_string(),
            until(period.until),
            format!("`{}`", period.key),
            period.identity.clone(),
        ]
    });
    Table {
        heading: [
            "from",
            "until",
            "key version that wraps the DEK",
            "identity",
        ],
        rows: rows.collect(),
    }
    .render("No key version is recorded.")
}

fn key_users(users: &[KeyUser]) -> String {
    let rows = users.iter().map(|user| {
        let through = match &user.role {
            Some(role) => format!("role {role} at `{}`", user.scope),
            None => format!("access policy of `{}`", user.scope),
        };
        [user.principal.to_string(), list(&user.permissions), through]
    });
    Table {
        heading: ["principal", "permissions", "through"],
        rows: rows.collect(),
    }
    .render("Nobody: the vault is gone, or grants no permission.")
}

fn revocations(periods: &[RevocationPeriod]) -> String {
    let rows = periods.iter().map(|period| {
        [
            period.from.to_string(),
            until(period.until),
            format!("{:#}", SignedDuration::from_secs(period.seconds)),
            period.cause.to_string(),
        ]
    });
    Table {
        heading: ["from", "until", "length", "cause"],
        rows: rows.collect(),
    }
    .render("None.")
}

fn storage(storage: &StorageEvidence) -> Vec<String> {
    let lack = match storage.incomplete {
        0 => "No object lacks a layer.".to_owned(),
        1 => "One object lacks a layer.".to_owned(),
        count => format!("{count} objects lack a layer."),
    };
    if storage.objects == 0 {
        return vec!["The registry is empty.".to_owned()];
    }
    let layers = storage.layers.join(", then ");
    let sum = format!(
        "{} with {} bytes of content, each sealed by the layers: {layers}. {lack} {} drawn at random and read:",
        counted(storage.objects, "object"),
        storage.bytes,
        match storage.samples.len() {
            1 => "One was".to_owned(),
            count => format!("{count} were"),
        }
    );
    let rows = storage.samples.iter().map(|sample| {
        let finding = match sample.finding {
            SampleFinding::Sealed => {
                "sealed: every layer opens, the content has its digest, and the file does not show it"
            }
            SampleFinding::Locked => "locked: the registry is revoked",
            SampleFinding::Exposed => "EXPOSED: the file shows its content",
            SampleFinding::Damaged => "DAMAGED",
        };
        let detail = sample.detail.as_deref();
        [
            sample.object.clone(),
            format!("`{}`", sample.digest),
            sample.size.to_string(),
            sample.layers.join(", "),
            detail.map_or_else(|| finding.to_owned(), |detail| format!("{finding} ({detail})")),
        ]
    });
    let table = Table {
        heading: [
            "object",
            "digest of the content",
            "bytes",
            "layers",
            "finding",
        ],
        rows: rows.collect(),
    };
    vec![sum, table.render("No object was read.")]
}

fn key_uses(uses: &[KeyUse]) -> String {
    let rows = uses.iter().map(|of| {
        let key = match &of.key {
            Some(key) => format!("{}/{key}", of.vault),
            None => of.vault.clone(),
        };
        let caller = match &of.registry {
            Some(registry) => format!("{} for registry {registry}", of.caller),
            None => of.caller.clone(),
        };
        let result = if of.status < 400 {
            "permitted".to_owned()
        } else {
            format!("refused ({})", of.status)
        };
        [
            of.time.to_string(),
            of.operation.clone(),
            key,
            caller,
            result,
        ]
    });
    Table {
        heading: ["time", "operation", "key or vault", "caller", "result"],
        rows: rows.collect(),
    }
    .render("None in this period.")
}

fn until(end: Option<Time>) -> String {
    end.map_or_else(|| "now".to_owned(), |end| end.to_string())
}

fn list(items: &[impl Display]) -> String {
    let items: Vec<_> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bar_in_a_cell_is_escaped() {
        let table = Table {
            heading: ["a", "b"],
            rows: vec![["x|y".to_owned(), "z".to_owned()]],
        };
        assert_eq!(table.render(""), "| a | b |\n|---|---|\n| x\\|y | z |");
    }
}
