use clap::{Args, Subcommand, ValueEnum};
use sealock_api::{
    DeleteToken, GeneratePassword, ListTokens, NewPassword, PasswordLife, PutScopeMap, PutToken,
    ScopeMapChange, ShowToken, Token, TokenChange, TokenPasswordName, Tokens,
};
use sealock_core::{InvalidName, RegistryName, ScopeMapName, TokenName};
use serde_json::json;

use super::{DEFAULT_REGISTRY, credential::passwords, scope_map};
use crate::{
    cli::word,
    client::{Answer, Client},
    error::Error,
    output::{Output, TITLE, record, table},
};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List the tokens of a registry
    #[command(after_help = "Example:\n  sealock registry token list")]
    List {
        /// The registry
        #[arg(long, short, default_value = DEFAULT_REGISTRY)]
        registry: RegistryName,
    },
    /// Show a token
    #[command(after_help = "Example:\n  sealock registry token show reader")]
    Show(Named),
    /// Create a token with two passwords, or give an existing one another scope map
    #[command(after_help = "\
Examples:
  sealock registry token create reader --repository hello content/read metadata/read
  sealock registry token create pusher --scope-map _repositories_push")]
    Create(Create),
    /// Enable or disable a token, or give it another scope map
    #[command(after_help = "Example:\n  sealock registry token update reader --status disabled")]
    Update(Update),
    /// Make one of a token's passwords anew; the old one ends
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
    /// The token
    name: TokenName,
    /// The registry
    #[arg(long, short, default_value = DEFAULT_REGISTRY)]
    registry: RegistryName,
}

#[derive(Debug, Args)]
#[group(id = "rights", required = true, multiple = false, args = ["scope_map", "repository"])]
pub(crate) struct Create {
    #[command(flatten)]
    named: Named,
    /// What it may do
    #[arg(long)]
    scope_map: Option<ScopeMapName>,
    /// A repository, whose name may end with *, and what may be done to it: a scope map is made of it
    #[arg(long, num_args = 2.., value_names = ["REPOSITORY", "ACTION"])]
    repository: Vec<String>,
    /// Days until the passwords expire; they never do, if none are given
    #[arg(long)]
    days: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    #[command(flatten)]
    named: Named,
    /// Whether it may log in
    #[arg(long)]
    status: Option<Status>,
    /// What it may do
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
    /// Which
    #[arg(long, ignore_case = true, value_parser = word::<TokenPasswordName>(TokenPasswordName::WORDS))]
    password_name: TokenPasswordName,
    /// Days until it expires; it never does, if none are given
    #[arg(long)]
    days: Option<u32>,
}

impl Named {
    fn find(&self, client: &Client) -> Result<Answer<Token>, Error> {
        client.ask(&ShowToken {
            registry: self.registry.clone(),
            token: self.name.clone(),
        })
    }

    fn put(&self, change: &TokenChange, client: &Client) -> Result<Answer<Token>, Error> {
        let put = PutToken {
            registry: self.registry.clone(),
            token: self.name.clone(),
        };
        client.ask_with(&put, change)
    }

    fn generate(
        &self,
        password: TokenPasswordName,
        days: Option<u32>,
        client: &Client,
    ) -> Result<NewPassword, Error> {
        let generate = GeneratePassword {
            registry: self.registry.clone(),
            token: self.name.clone(),
            password,
        };
        client.ask_with(&generate, &PasswordLife { days })?.parse()
    }

    /// Passwords, which are shown this once.
    fn show(&self, made: &[NewPassword], output: &mut Output) -> Result<(), Error> {
        if output.is_json() {
            let made = made
                .iter()
                .map(|password| json!({ "name": password.name, "value": password.value }));
            let made: Vec<_> = made.collect();
            return output.line(json!({ "username": self.name.as_str(), "passwords": made }));
        }
        let made = made.iter().map(|password| (password.name, &password.value));
        output.line(passwords(self.name.as_str(), made))?;
        output.line("Keep them: they are not shown again.")
    }
}

impl TokenCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List { registry } => output.show(&client.ask(&ListTokens { registry })?, list),
            Self::Show(named) => output.show(&named.find(client)?, render),
            Self::Create(create) => create.run(client, output),
            Self::Update(update) => update.run(client, output),
            Self::Renew(renew) => {
                let made = renew
                    .named
                    .generate(renew.password_name, renew.days, client)?;
                renew.named.show(&[made], output)
            }
            Self::Delete(Named { name, registry }) => {
                client.ask(&DeleteToken {
                    registry,
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
            None => own_scope_map(&self.named, &self.repository, client)?,
        };
        let change = TokenChange {
            scope_map: Some(scope_map.clone()),
            enabled: None,
        };
        if !self.named.put(&change, client)?.created() {
            return output.done(format_args!(
                "token {} has the scope map {scope_map} now, and keeps its passwords",
                self.named.name
            ));
        }
        let made = [TokenPasswordName::First, TokenPasswordName::Second]
            .map(|name| self.named.generate(name, self.days, client));
        let made: Vec<NewPassword> = made.into_iter().collect::<Result<_, _>>()?;
        self.named.show(&made, output)
    }
}

/// Makes a scope map of a token's own.
fn own_scope_map(
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
        registry: token.registry.clone(),
        scope_map: scope_map.clone(),
    };
    let change = ScopeMapChange {
        description: None,
        actions: scope_map::actions(repositories),
    };
    client.ask_with(&put, &change)?;
    Ok(scope_map)
}

impl Update {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        // A token that is not there is not made by it.
        self.named.find(client)?;
        let change = TokenChange {
            scope_map: self.scope_map,
            enabled: self.status.map(|status| matches!(status, Status::Enabled)),
        };
        output.show(&self.named.put(&change, client)?, render)
    }
}

fn list(list: &Tokens) -> String {
    let rows = list.tokens.iter().map(|token| {
        [
            token.name.to_string(),
            status(token).to_owned(),
            token.scope_map.to_string(),
            password_names(token),
        ]
    });
    table(["NAME", "STATUS", "SCOPE MAP", "PASSWORDS"], rows)
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
