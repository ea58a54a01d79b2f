use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fs_err as fs;
use sealock_api::{RotationPolicy, SetRotationPolicy, ShowRotationPolicy, Trigger};
use sealock_core::KeyName;

use crate::{
    client::Client,
    error::Error,
    key_reference::KeyArgs,
    output::{Output, TITLE, record},
};

#[derive(Debug, Subcommand)]
pub(crate) enum RotationPolicyCommand {
    /// Show a key's rotation policy
    #[command(after_help = "Example:\n  sealock key rotation-policy show")]
    Show(KeyArgs),
    /// Replace a key's rotation policy
    #[command(after_help = "\
Example:
  echo '{\"lifetimeActions\": [{\"trigger\": {\"timeAfterCreate\": \"P15D\"},
    \"action\": {\"type\": \"Rotate\"}}], \"attributes\": {}}' > policy.json
  sealock key rotation-policy update --file policy.json")]
    Update(Update),
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    key: KeyArgs,
    /// File with the policy in Azure's JSON, as for `az keyvault key rotation-policy update`
    #[arg(long)]
    file: PathBuf,
}

impl RotationPolicyCommand {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let (name, answer) = match self {
            Self::Show(key) => {
                let (vault, key) = key.names()?;
                let name = key.clone();
                (name, client.ask(&ShowRotationPolicy { vault, key })?)
            }
            Self::Update(Update { key, file }) => {
                let (vault, key) = key.names()?;
                let name = key.clone();
                let set = SetRotationPolicy { vault, key };
                (name, client.ask_with_body(&set, &read(&file)?)?)
            }
        };
        output.show(&answer, |policy| render(&name, policy))
    }
}

fn read(file: &Path) -> Result<RotationPolicy, Error> {
    let text = fs::read_to_string(file).map_err(|error| Error::system(&error))?;
    serde_json::from_str(&text).map_err(|error| Error::Failed {
        message: format!("{} is not a JSON object: {error}", file.display()),
        hint: Some("see an example with: sealock key rotation-policy update --help".to_owned()),
    })
}

fn render(key: &KeyName, policy: &RotationPolicy) -> String {
    // A policy in an unknown form is shown with --json only.
    let Ok(policy) = policy.members() else {
        return format!("{TITLE}{key}{TITLE:#}");
    };
    let attributes = policy.attributes.as_ref();
    let expiry = attributes.and_then(|attributes| attributes.expiry_time.as_ref());
    let actions = policy.lifetime_actions.iter().flatten();
    let actions = actions.map(|action| (action.action.kind.as_str(), time(&action.trigger)));
    let expiry = [(
        "new versions expire",
        expiry.map_or_else(
            || "never".to_owned(),
            |period| format!("{period} after creation"),
        ),
    )];
    record(format!("{TITLE}{key}{TITLE:#}"), actions.chain(expiry))
}

fn time(trigger: &Trigger) -> String {
    match (&trigger.time_after_create, &trigger.time_before_expiry) {
        (Some(period), _) => format!("{period} after creation"),
        (None, Some(period)) => format!("{period} before expiry"),
        (None, None) => "never".to_owned(),
    }
}
