use std::slice;

use clap::{Args, Subcommand, ValueEnum};
use sealock_api::{
    DeleteToken, GeneratePassword, ListTokens, NewPassword, PasswordLife, PutScopeMap, PutToken,
    ScopeMapChange, ShowToken, Token, TokenChange, TokenPasswordName, TokenWithPasswords, Tokens,
};
use sealock_core::{InvalidName, RegistryName, ScopeMapName, TokenName};

use super::{credential::passwords, scope_map};
use crate::{
    arguments::word,
    client::{Answer, Client},
    error::Error,
    output::{Column, Output, Screen, TITLE, record},
    target::{ParentArgs, TargetArgs},
};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List the tokens of a registry
    #[command(after_help = "Example:\n  sealock registry token list")]
    List(TargetArgs<RegistryName>),
    /// Show a token
    #[command(after_help = "Example:\n  sealock registry token show reader")]
    Show(Named),
    /// Create a token with two passwords, or change the scope map of an existing one
    #[command(after_help = "\
Examples:
  sealock registry token create reader --repository hello content/read metadata/read
  sealock registry token create pusher --scope-map _repositories_push")]
    Create(Create),
    /// Enable or disable a token, or change its scope map
    #[command(after_help = "Example:\n  sealock registry token update reader --status disabled")]
    Update(Update),
    /// Renew one of a token's passwords; the old one stops working
    #[command(
        after_help = "Example:\n  sealock registry token renew reader --password-name password1 --days 30"
    )]
    Renew(Renew),
    /// Delete a token
    #[command(after_help = "Example:\n  sealock registry token delete reader")]
    Delete(Named),
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    /// Name of the token
    #[arg(value_name = "TOKEN")]
    name: TokenName,
    #[command(flatten)]
    registry: ParentArgs<RegistryName>,
}

#[derive(Debug, Args)]
#[group(id = "rights", required = true, multiple = false, args = ["scope_map", "repository"])]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,
    /// Scope map that defines what the token may do
    #[arg(long)]
    scope_map: Option<ScopeMapName>,
    /// Repository, whose name may end in *, and the actions that are permitted in it (repeatable); creates a scope map
    /// for the token
    #[arg(long, num_args = 2.., value_names = ["REPOSITORY", "ACTION"])]
    repository: Vec<String>,
    /// Days until the passwords expire [default: never]
    #[arg(long)]
    days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    named: Named,
    /// Status of the token; a disabled token cannot log in
    #[arg(long)]
    status: Option<Status>,
    /// Scope map that defines what the token may do
    #[arg(long)]
    scope_map: Option<ScopeMapName>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Status {
    Enabled,
    Disabled,
}

#[derive(Debug, Args)]
pub(crate) struct Renew {
    #[command(flatten)]
    named: Named,
    /// Password to renew
    #[arg(long, ignore_case = true, value_parser = word::<TokenPasswordName>(TokenPasswordName::WORDS))]
    password_name: TokenPasswordName,
    /// Days until the password expires [default: never]
    #[arg(long)]
    days: Option<u32>,
}

impl Named {
    fn find(&self, client: &Client) -> Result<Answer<Token>, Error> {
        client.ask(&ShowToken {
            registry: self.registry.name.clone(),
            token: self.name.clone(),
        })
    }

    fn put(
        &self,
        change: &TokenChange,
        client: &Client,
    ) -> Result<Answer<TokenWithPasswords>, Error> {
        let put = PutToken {
            registry: self.registry.name.clone(),
            token: self.name.clone(),
        };
        client.ask_with_body(&put, change)
    }
}

impl TokenCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List(TargetArgs { name: registry }) => {
                let screen = output.screen();
                let answer = client.ask(&ListTokens { registry })?;
                output.show(&answer, |tokens| list(tokens, screen))
            }
            Self::Show(named) => output.show(&named.find(client)?, render),
            Self::Create(create) => create.run(client, output),
            Self::Update(update) => update.run(client, output),
            Self::Renew(renew) => renew.run(client, output),
            Self::Delete(Named { name, registry }) => {
                client.ask(&DeleteToken {
                    registry: registry.name,
                    token: name.clone(),
                })?;
                output.done(format_args!("deleted token {name}"))
            }
        }
    }
}

impl Create {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let scope_map = match self.scope_map {
            Some(scope_map) => scope_map,
            None => create_own_scope_map(&self.named, &self.repository, client)?,
        };
        let change = TokenChange {
            scope_map: Some(scope_map.clone()),
            enabled: None,
            passwords: Some(PasswordLife { days: self.days }),
        };
        let answer = self.named.put(&change, client)?;
        let screen = output.screen();
        output.show(&answer, |put: &TokenWithPasswords| {
            if answer.is_created() {
                shown_once(&put.generated, screen)
            } else {
                format!(
                    "token {} now has scope map {scope_map}; its passwords are unchanged",
                    put.token.name
                )
            }
        })
    }
}

impl Renew {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let generate = GeneratePassword {
            registry: self.named.registry.name,
            token: self.named.name,
            password: self.password_name,
        };
        let answer = client.ask_with_body(&generate, &PasswordLife { days: self.days })?;
        let screen = output.screen();
        output.show(&answer, |made: &NewPassword| {
            shown_once(slice::from_ref(made), screen)
        })
    }
}

fn shown_once(made: &[NewPassword], screen: Screen) -> String {
    let username = made
        .first()
        .map_or("", |password| password.username.as_str());
    let made = made.iter().map(|password| (password.name, &password.value));
    let table = passwords(username, made, screen);
    format!("{table}\nSave them now: they are not shown again.")
}

/// Creates the scope map of a single token.
fn create_own_scope_map(
    token: &Named,
    repositories: &[String],
    client: &Client,
) -> Result<ScopeMapName, Error> {
    let name = format!("{}-scope-map", token.name).parse();
    let scope_map: ScopeMapName = name.map_err(|error: InvalidName| Error::Failed {
        message: error.to_string(),
        hint: None,
    })?;
    let put = PutScopeMap {
        registry: token.registry.name.clone(),
        scope_map: scope_map.clone(),
    };
    let change = ScopeMapChange {
        description: None,
        actions: scope_map::actions(repositories),
    };
    client.ask_with_body(&put, &change)?;
    Ok(scope_map)
}

impl Update {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        // A missing token must not be created.
        self.named.find(client)?;
        let change = TokenChange {
            scope_map: self.scope_map,
            enabled: self.status.map(|status| matches!(status, Status::Enabled)),
            passwords: None,
        };
        let answer = self.named.put(&change, client)?;
        output.show(&answer, |put: &TokenWithPasswords| render(&put.token))
    }
}

fn list(list: &Tokens, screen: Screen) -> String {
    let rows = list.tokens.iter().map(|token| {
        [
            token.name.to_string(),
            status(token).to_owned(),
            token.scope_map.to_string(),
            token.passwords.len().to_string(),
            password_names(token),
        ]
    });
    let columns = [
        Column::Always("NAME"),
        Column::Always("STATUS"),
        Column::Always("SCOPE MAP"),
        Column::Narrow("PASSWORDS"),
        Column::Wide("PASSWORDS"),
    ];
    screen.table(columns, rows)
}

fn status(token: &Token) -> &'static str {
    if token.enabled { "enabled" } else { "disabled" }
}

fn password_names(token: &Token) -> String {
    let passwords = token.passwords.iter().map(|password| {
        let expires = password.expires;
        let expires = expires.map_or_else(String::new, |time| format!(" until {time}"));
        format!("{}{expires}", password.name)
    });
    passwords.collect::<Vec<_>>().join(", ")
}

fn render(token: &Token) -> String {
    let fields = vec![
        ("status", status(token).to_owned()),
        ("scope map", token.scope_map.to_string()),
        ("passwords", password_names(token)),
        ("created", token.created.to_string()),
    ];
    record(format!("{TITLE}{}{TITLE:#}", token.name), fields)
}
