use clap::{Args, Subcommand};
use sealock_api::{
    DeleteScopeMap, ListScopeMaps, PutScopeMap, ScopeMap, ScopeMapChange, ScopeMaps, ShowScopeMap,
};
use sealock_core::{RegistryName, ScopeMapName};

use crate::{
    client::Client,
    error::Error,
    output::{Column, Output, Screen, TITLE, record},
    which::{Which, Within},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ScopeMapCommand {
    /// List the scope maps of a registry
    #[command(after_help = "Example:\n  sealock registry scope-map list")]
    List(Which<RegistryName>),
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
    #[arg(value_name = "SCOPE_MAP")]
    name: ScopeMapName,
    #[command(flatten)]
    registry: Within<RegistryName>,
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,
    /// A repository, whose name may end with *, and the actions that are allowed in it
    #[arg(long, num_args = 2.., value_names = ["REPOSITORY", "ACTION"], required = true)]
    repository: Vec<String>,
    /// Its purpose
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
            Self::List(Which { name: registry }) => {
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
