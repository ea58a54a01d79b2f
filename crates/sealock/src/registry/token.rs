use clap::{Args, Subcommand, ValueEnum};
use sealock_core::{RegistryName, ScopeMapName, TokenName};
use serde::Deserialize;
use serde_json::json;

use super::{
    DEFAULT_REGISTRY,
    credential::{Password, passwords},
    scope_map,
};
use crate::{
    client::Client,
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
    #[arg(long)]
    password_name: PasswordName,
    /// Days until it expires; it never does, if none are given
    #[arg(long)]
    days: Option<u32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PasswordName {
    Password1,
    Password2,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    tokens: Vec<Token>,
}

#[derive(Debug, Deserialize)]
struct Token {
    name: String,
    scope_map: String,
    enabled: bool,
    passwords: Vec<TokenPassword>,
    created: String,
}

#[derive(Debug, Deserialize)]
struct TokenPassword {
    name: String,
    expires: Option<String>,
}

impl Named {
    fn path(&self) -> String {
        format!("registries/{}/tokens/{}", self.registry, self.name)
    }

    fn generate(
        &self,
        name: PasswordName,
        days: Option<u32>,
        client: &Client,
    ) -> Result<Password, Error> {
        let name = match name {
            PasswordName::Password1 => "password1",
            PasswordName::Password2 => "password2",
        };
        let path = format!("{}/passwords/{name}", self.path());
        client.post(&path, Some(&json!({ "days": days })))?.parse()
    }

    /// Passwords, which are shown this once.
    fn show(&self, made: &[Password], output: &mut Output) -> Result<(), Error> {
        if output.is_json() {
            let made = made
                .iter()
                .map(|password| json!({ "name": password.name, "value": password.value }));
            let made: Vec<_> = made.collect();
            return output.line(json!({ "username": self.name.as_str(), "passwords": made }));
        }
        output.line(passwords(self.name.as_str(), made))?;
        output.line("Keep them: they are not shown again.")
    }
}

impl TokenCommand {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        match self {
            Self::List { registry } => {
                let answer = client.get(&format!("registries/{registry}/tokens"))?;
                output.show(&answer, Tokens::render)
            }
            Self::Show(named) => output.show(&client.get(&named.path())?, Token::render),
            Self::Create(create) => create.run(client, output),
            Self::Update(update) => update.run(client, output),
            Self::Renew(renew) => {
                let made = renew
                    .named
                    .generate(renew.password_name, renew.days, client)?;
                renew.named.show(&[made], output)
            }
            Self::Delete(named) => {
                client.delete(&named.path())?;
                output.done(format_args!("deleted token {}", named.name))
            }
        }
    }
}

impl Create {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let scope_map = match self.scope_map {
            Some(scope_map) => scope_map.to_string(),
            None => {
                let name = format!("{}-scope-map", self.named.name);
                let path = format!("registries/{}/scope-maps/{name}", self.named.registry);
                let actions = scope_map::actions(&self.repository);
                client.put(&path, Some(&json!({ "actions": actions })))?;
                name
            }
        };
        let body = json!({ "scope_map": scope_map });
        let answer = client.put(&self.named.path(), Some(&body))?;
        if !answer.created() {
            return output.done(format_args!(
                "token {} has the scope map {scope_map} now, and keeps its passwords",
                self.named.name
            ));
        }
        let made = [PasswordName::Password1, PasswordName::Password2]
            .map(|name| self.named.generate(name, self.days, client));
        let made: Vec<Password> = made.into_iter().collect::<Result<_, _>>()?;
        self.named.show(&made, output)
    }
}

impl Update {
    fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        // A token that is not there is not made by it.
        client.get(&self.named.path())?;
        let enabled = self.status.map(|status| matches!(status, Status::Enabled));
        let body = json!({ "enabled": enabled, "scope_map": self.scope_map });
        let answer = client.put(&self.named.path(), Some(&body))?;
        output.show(&answer, Token::render)
    }
}

impl Tokens {
    fn render(&self) -> String {
        let rows = self.tokens.iter().map(|token| {
            let (name, scope_map) = (token.name.clone(), token.scope_map.clone());
            [
                name,
                token.status().to_owned(),
                scope_map,
                token.passwords(),
            ]
        });
        table(["NAME", "STATUS", "SCOPE MAP", "PASSWORDS"], rows)
    }
}

impl Token {
    fn status(&self) -> &'static str {
        if self.enabled { "enabled" } else { "disabled" }
    }

    fn passwords(&self) -> String {
        let passwords = self.passwords.iter().map(|password| {
            let expires = password.expires.as_deref();
            let expires = expires.map_or_else(String::new, |time| format!(" until {time}"));
            format!("{}{expires}", password.name)
        });
        passwords.collect::<Vec<_>>().join(", ")
    }

    fn render(&self) -> String {
        let fields = vec![
            ("status", self.status().to_owned()),
            ("scope map", self.scope_map.clone()),
            ("passwords", self.passwords()),
            ("created", self.created.clone()),
        ];
        record(format!("{TITLE}{}{TITLE:#}", self.name), fields)
    }
}
