use clap::{Args, Subcommand};
use sealock_api::{
    DeleteScopeMap, ListScopeMaps, PutScopeMap, ScopeMap, ScopeMapChange, ScopeMaps, ShowScopeMap,
};
use sealock_core::{RegistryName, ScopeMapName};

use super::DEFAULT_REGISTRY;
use crate::{
    client::Client,
    error::Error,
    output::{Output, TITLE, record, table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ScopeMapCommand {
    /// List the scope maps of a registry
    #[command(after_help = "Example:\n  sealock registry scope-map list")]
    List {
        /// The registry
        #[arg(long, short, default_value = DEFAULT_REGISTRY)]
        registry: RegistryName,
    },
    /// Show a scope map
    #[command(after_help = "Example:\n  sealock registry scope-map show _repositories_pull")]
    Show(Named),
    /// Create a scope map, or give an existing one other actions
    #[command(after_help = "\
Examples:
  sealock registry scope-map create readers --repository hello content/read metadata/read
  sealock registry scope-map create writers --repository 'team/*' content/read content/write")]
    Create(Create),
    /// Delete a scope map that no token has
    #[command(after_help = "Example:\n  sealock registry scope-map delete readers")]
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The scope map
    name: ScopeMapName,
    /// The registry
    #[arg(long, short, default_value = DEFAULT_REGISTRY)]
    registry: RegistryName,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,
    /// A repository, whose name may end with *, and what may be done to it
    #[arg(long, num_args = 2.., value_names = ["REPOSITORY", "ACTION"], required = true)]
    repository: Vec<String>,
    /// What it is for
    #[arg(long)]
    description: Option<String>,
}

/// The actions that the values of `--repository` stand for: each repository is followed by its own.
pub(super) fn actions(values: &[String]) -> Vec<String> {
    let mut repository = None;
    let mut actions = Vec::new();
    for value in values {
        match repository {
            Some(repository) if is_action(value) => {
                actions.push(format!("repositories/{repository}/{value}"));
            }
            _ => repository = Some(value),
        }
    }
    actions
}

/// Returns true for a word that is meant to be an action. The emulator knows which exist.
fn is_action(value: &str) -> bool {
    value.starts_with("content/") || value.starts_with("metadata/")
}

impl ScopeMapCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List { registry } => {
                let answer = client.ask(&ListScopeMaps { registry })?;
                output.show(&answer, list)
            }
            Self::Show(Named {
                name: scope_map,
                registry,
            }) => {
                let show = ShowScopeMap {
                    registry,
                    scope_map,
                };
                output.show(&client.ask(&show)?, render)
            }
            Self::Create(create) => {
                let put = PutScopeMap {
                    registry: create.named.registry,
                    scope_map: create.named.name,
                };
                let change = ScopeMapChange {
                    description: create.description,
                    actions: actions(&create.repository),
                };
                let answer = client.ask_with(&put, &change)?;
                output.show(&answer, |scope_map: &ScopeMap| {
                    let done = if answer.created() {
                        "created"
                    } else {
                        "changed"
                    };
                    format!("{done} scope map {}", scope_map.name)
                })
            }
            Self::Delete(Named { name, registry }) => {
                client.ask(&DeleteScopeMap {
                    registry,
                    scope_map: name.clone(),
                })?;
                output.done(format_args!("deleted scope map {name}"))
            }
        }
    }
}

fn list(list: &ScopeMaps) -> String {
    let rows = list.scope_maps.iter().map(|scope_map| {
        let description = scope_map.description.clone();
        [
            scope_map.name.to_string(),
            scope_map.actions.join(" "),
            description.unwrap_or_default(),
        ]
    });
    table(["NAME", "ACTIONS", "DESCRIPTION"], rows)
}

fn render(scope_map: &ScopeMap) -> String {
    let mut fields = Vec::new();
    fields.extend(
        scope_map
            .description
            .clone()
            .map(|text| ("description", text)),
    );
    let actions = scope_map.actions.iter();
    fields.extend(actions.map(|action| ("action", action.clone())));
    fields.extend(
        scope_map
            .created
            .map(|created| ("created", created.to_string())),
    );
    record(format!("{TITLE}{}{TITLE:#}", scope_map.name), fields)
}
