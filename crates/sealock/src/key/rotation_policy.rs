use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fs_err as fs;
use serde::Deserialize;
use serde_json::Value;

use super::KeyArgs;
use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE, record},
};

#[derive(Debug, Subcommand)]
pub(crate) enum RotationPolicyCommand {
    /// Show a key's rotation policy
    #[command(after_help = "Example:\n  sealock key rotation-policy show")]
    Show {
        #[command(flatten)]
        key: KeyArgs,
    },
    /// Give a key another rotation policy
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
    /// The policy in Azure's JSON, as `az keyvault key rotation-policy update` takes it
    #[arg(long)]
    file: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    lifetime_actions: Vec<LifetimeAction>,
    attributes: Attributes,
}

#[derive(Deserialize)]
struct LifetimeAction {
    trigger: Trigger,
    action: Action,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Trigger {
    TimeAfterCreate(String),
    TimeBeforeExpiry(String),
}

#[derive(Deserialize)]
struct Action {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    expiry_time: Option<String>,
}

impl RotationPolicyCommand {
    pub(super) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let (key, answer) = match self {
            Self::Show { key } => {
                let answer = client.get(&path(&key))?;
                (key, answer)
            }
            Self::Update(Update { key, file }) => {
                let answer = client.put(&path(&key), Some(&read(&file)?))?;
                (key, answer)
            }
        };
        output.show(&answer, |policy: &Policy| policy.render(&key))
    }
}

fn path(key: &KeyArgs) -> String {
    format!("{}/rotation-policy", key.path())
}

fn read(file: &Path) -> Result<Value, Error> {
    let text = fs::read_to_string(file).map_err(|error| Error::system(&error))?;
    serde_json::from_str(&text).map_err(|error| Error::Failed {
        message: format!("{} is not JSON: {error}", file.display()),
        hint: Some("see an example with: sealock key rotation-policy update --help".to_owned()),
    })
}

impl Policy {
    fn render(&self, key: &KeyArgs) -> String {
        let expiry = self.attributes.expiry_time.clone();
        let actions = self.lifetime_actions.iter();
        let actions = actions
            .map(|LifetimeAction { trigger, action }| (action.kind.as_str(), trigger.sentence()));
        let expiry = [(
            "new versions expire",
            expiry.map_or_else(
                || "never".to_owned(),
                |period| format!("{period} after creation"),
            ),
        )];
        record(
            format!("{TITLE}{}{TITLE:#}", key.name),
            actions.chain(expiry),
        )
    }
}

impl Trigger {
    fn sentence(&self) -> String {
        match self {
            Self::TimeAfterCreate(period) => format!("{period} after creation"),
            Self::TimeBeforeExpiry(period) => format!("{period} before expiry"),
        }
    }
}
