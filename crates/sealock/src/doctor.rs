use clap::Args;
use sealock_api::{Check, Checkup, Outcome, ShowCheckup};
use sealock_core::RegistryName;

use crate::{
    client::Client,
    commands::{Commands, explain_placeholder},
    error::Error,
    output::{BAD, Column, Output, Screen, TITLE, WARNING, counted, record},
    target::TargetArgs,
};

/// Judge a registry's key by the practices that Microsoft documents, and name the remedies
///
/// Exits with code 3 if a check has a problem or an advice, and with code 1 if the registry has no customer-managed key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock doctor
  sealock doctor myregistry --json | jq '.checks[] | select(.outcome == \"problem\")'")]
pub(crate) struct Doctor {
    #[command(flatten)]
    registry: TargetArgs<RegistryName>,
}

impl Doctor {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let registry = self.registry.name;
        let answer = client.ask(&ShowCheckup { registry })?;
        let screen = output.screen();
        output.show(&answer, |checkup| {
            render(checkup, screen, client.commands())
        })?;
        if answer.parse()?.sound {
            return Ok(());
        }
        Err(Error::Unsound)
    }
}

/// Renders the checks that need attention with their remedies, and the others as a table.
fn render(checkup: &Checkup, screen: Screen, commands: &Commands) -> String {
    let count = |outcome| {
        let checks = checkup.checks.iter();
        checks.filter(|check| check.outcome == outcome).count()
    };
    let title = format!(
        "{TITLE}{}{TITLE:#}  {}, {} advice, {} passed, {} unjudged",
        checkup.registry,
        counted(count(Outcome::Problem), "problem"),
        count(Outcome::Advice),
        count(Outcome::Pass),
        count(Outcome::Unjudged)
    );
    let needs_attention =
        |check: &&Check| matches!(check.outcome, Outcome::Problem | Outcome::Advice);
    let (unsound, rest): (Vec<_>, Vec<_>) = checkup.checks.iter().partition(needs_attention);
    let rest = rest.into_iter().map(|check| {
        [
            check.practice.to_string(),
            check.outcome.to_string(),
            check.reason.clone(),
        ]
    });
    let columns = ["PRACTICE", "OUTCOME", "REASON"].map(Column::Always);
    let mut parts = vec![title];
    parts.extend(unsound.into_iter().map(|check| show(check, commands)));
    parts.push(screen.table(columns, rest));
    parts.join("\n\n")
}

fn show(check: &Check, commands: &Commands) -> String {
    let style = match check.outcome {
        Outcome::Problem => BAD,
        _ => WARNING,
    };
    let title = format!(
        "{style}{}{style:#}  {TITLE}{}{TITLE:#}",
        check.outcome, check.practice
    );
    let mut fields = vec![("reason", check.reason.clone())];
    for remedy in &check.remedies {
        fields.extend(commands.for_hint(remedy).map(|command| ("remedy", command)));
        fields.extend(explain_placeholder(remedy).map(|meaning| ("where", meaning)));
    }
    fields.push(("source", check.source.clone()));
    record(title, fields)
}
