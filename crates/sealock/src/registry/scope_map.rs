use clap::{Args, Subcommand};
use sealock_api::{
    DeleteScopeMap, ListScopeMaps, PutScopeMap, ScopeMap, ScopeMapChange, ScopeMaps, ShowScopeMap,
};
use sealock_core::{RegistryName, ScopeMapName};

use crate::{
    client::Client,
    error::Error,
    output::{Column, Output, Screen, TITLE, record},
    target::{ParentArgs, TargetArgs},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ScopeMapCommand {
    /// List the scope maps of a registry
    #[command(after_help = "Example:\n  sealock registry scope-map list")]
    List(TargetArgs<RegistryName>),
    /// Show a scope map
    #[command(after_help = "Example:\n  sealock registry scope-map show _repositories_pull")]
    Show(Named),
    /// Create a scope map, or replace the actions of an existing one
    #[command(after_help = "\
Examples:
  sealock registry scope-map create readers --repository hello content/read metadata/read
  sealock registry scope-map create writers --repository 'team/*' content/read content/write")]
    Create(Create),
    /// Delete a scope map that no token uses
    #[command(after_help = "Example:\n  sealock registry scope-map delete readers")]
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name of the scope map
    #[arg(value_name = "SCOPE_MAP")]
    name: ScopeMapName,
    #[command(flatten)]
    registry: ParentArgs<RegistryName>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,
    /// Repository, whose name may end in *, and the actions that are permitted in it (repeatable)
    #[arg(long, num_args = 2.., value_names = ["REPOSITORY", "ACTION"], required = true)]
    repository: Vec<String>,
    /// Description of the scope map
    #[arg(long)]
    description: Option<String>,
}

/// Returns the actions in the values of `--repository`, where each repository is followed by its actions.
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

/// Returns true for a word in the form of an action. The emulator judges whether it exists.
fn is_action(value: &str) -> bool {
    value.starts_with("content/") || value.starts_with("metadata/")
}

impl ScopeMapCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List(TargetArgs { name: registry }) => {
                let screen = output.screen();
                let answer = client.ask(&ListScopeMaps { registry })?;
                output.show(&answer, |scope_maps| list(scope_maps, screen))
            }
            Self::Show(Named { name, registry }) => {
                let show = ShowScopeMap {
                    registry: registry.name,
                    scope_map: name,
                };
                output.show(&client.ask(&show)?, render)
            }
            Self::Create(create) => {
                let put = PutScopeMap {
                    registry: create.named.registry.name,
                    scope_map: create.named.name,
                };
                let change = ScopeMapChange {
                    description: create.description,
                    actions: actions(&create.repository),
                };
                let answer = client.ask_with_body(&put, &change)?;
                output.show(&answer, |scope_map: &ScopeMap| {
                    let done = if answer.is_created() {
                        "created"
                    } else {
                        "changed"
                    };
                    format!("{done} scope map {}", scope_map.name)
                })
            }
            Self::Delete(Named { name, registry }) => {
                client.ask(&DeleteScopeMap {
                    registry: registry.name,
                    scope_map: name.clone(),
                })?;
                output.done(format_args!("deleted scope map {name}"))
            }
        }
    }
}

fn list(list: &ScopeMaps, screen: Screen) -> String {
    let rows = list.scope_maps.iter().map(|scope_map| {
        let description = scope_map.description.clone();
        [
            scope_map.name.to_string(),
            scope_map.actions.len().to_string(),
            scope_map.actions.join(" "),
            description.unwrap_or_default(),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Narrow("ACTIONS"),
        Column::Wide("ACTIONS"),
        Column::Wide("DESCRIPTION"),
    ];
    screen.table(columns, rows)
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
