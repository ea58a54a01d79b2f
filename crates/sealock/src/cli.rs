use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, parser::ValueSource,
};
use url::Url;

use crate::{
    access::AccessCommand, app::AppCommand, audit::Audit, client::Client, clock::ClockCommand,
    completion::Completion, demo::DemoCommand, error::Error, health, hosts::Hosts,
    identity::IdentityCommand, inspect::Inspect, key::KeyCommand, man::Man, output::Output,
    registry::RegistryCommand, repair::Repair, repository::RepositoryCommand, role::RoleCommand,
    serve::Serve, status::Status, trust::Trust, vault::VaultCommand, verify::Verify, version,
    wait::Wait,
};

/// A local container registry whose content is encrypted with a key that you can take away
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Example:
  sealock serve &
  sealock demo image | docker load
  docker push localhost:5000/hello:v1
  sealock key disable
  docker pull localhost:5000/hello:v1    # denied: the key is disabled
  sealock key enable"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The emulator to talk to
    #[arg(
        long,
        global = true,
        env = "SEALOCK_EMULATOR",
        value_name = "URL",
        default_value = "http://localhost:5000",
        value_parser = emulator_url
    )]
    emulator: Url,
    /// The place of its URL: the command line, the environment, or none.
    #[arg(skip)]
    emulator_source: Option<ValueSource>,
    /// Print the control API's JSON, and errors as its problems
    #[arg(long, global = true)]
    json: bool,
    /// Show all columns of tables, also those that do not fit 80 characters
    #[arg(long, global = true)]
    wide: bool,
    /// Agree to what cannot be undone
    #[arg(long, short = 'y', global = true)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Serve),
    /// Ask whether the emulator is up
    #[command(after_help = "Example:\n  sealock health")]
    Health,
    Status(Status),
    Wait(Wait),
    /// Manage the keys of a vault: rotate them, take them away, bring them back
    #[command(subcommand, after_help = "Example:\n  sealock key disable")]
    Key(KeyCommand),
    /// Manage vaults
    #[command(
        subcommand,
        after_help = "Example:\n  sealock vault create kv1 --purge-protection"
    )]
    Vault(VaultCommand),
    /// Manage registries and the keys that encrypt them
    #[command(
        subcommand,
        after_help = "\
Example:
  sealock registry create myregistry --key sealock/registry-key --identity registry-identity"
    )]
    Registry(RegistryCommand),
    /// Look at the repositories of a registry, or delete them
    #[command(subcommand, after_help = "Example:\n  sealock repository list")]
    Repository(RepositoryCommand),
    /// Manage what an identity or application may do with a vault's keys
    #[command(
        subcommand,
        after_help = "Example:\n  sealock access revoke --permissions unwrapKey"
    )]
    Access(AccessCommand),
    /// Manage user-assigned managed identities
    #[command(
        subcommand,
        after_help = "Example:\n  sealock identity create myidentity"
    )]
    Identity(IdentityCommand),
    /// Manage applications, which log in with a client secret
    #[command(subcommand, after_help = "Example:\n  sealock app create deploy")]
    App(AppCommand),
    /// Manage the roles of identities and applications: what they may do in registries, vaults, groups and
    /// the subscription
    #[command(
        subcommand,
        after_help = "Example:\n  sealock role assign --identity registry-identity --role AcrPull"
    )]
    Role(RoleCommand),
    Audit(Audit),
    /// Look at the emulator's time, or move it
    #[command(subcommand, after_help = "Example:\n  sealock clock advance 1h")]
    Clock(ClockCommand),
    Inspect(Inspect),
    /// Make an image to push
    #[command(
        subcommand,
        after_help = "Example:\n  sealock demo image | docker load"
    )]
    Demo(DemoCommand),
    Hosts(Hosts),
    Trust(Trust),
    Verify(Verify),
    Repair(Repair),
    /// Print the version of this program, and the commit that it was built from
    #[command(after_help = "Example:\n  sealock version --json")]
    Version,
    Completion(Completion),
    Man(Man),
}

impl Cli {
    /// What this process was called with. Ends it if that is no command line of ours.
    pub(crate) fn read() -> Self {
        let matches = Self::command().get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        cli.global.emulator_source = matches.value_source("emulator");
        cli
    }

    /// Returns true if errors are to be JSON, too.
    pub(crate) fn is_json(&self) -> bool {
        self.global.json
    }

    pub(crate) fn run(self) -> Result<(), Error> {
        let Global {
            emulator,
            emulator_source,
            json,
            wide,
            yes,
        } = self.global;
        let source = emulator_source.unwrap_or(ValueSource::DefaultValue);
        let client = Client::new(&emulator, source);
        self.command.run(&client, &mut Output::new(json, wide), yes)
    }
}

impl Command {
    fn run(self, client: &Client, output: &mut Output, yes: bool) -> Result<(), Error> {
        match self {
            Self::Serve(serve) => serve.run(),
            Self::Health => health::run(client, output),
            Self::Status(status) => status.run(client, output),
            Self::Wait(wait) => wait.run(client, output),
            Self::Key(command) => command.run(client, output, yes),
            Self::Vault(command) => command.run(client, output, yes),
            Self::Registry(command) => command.run(client, output, yes),
            Self::Repository(command) => command.run(client, output, yes),
            Self::Access(command) => command.run(client, output),
            Self::Identity(command) => command.run(client, output),
            Self::App(command) => command.run(client, output),
            Self::Role(command) => command.run(client, output),
            Self::Audit(audit) => audit.run(&client.patient(), output),
            Self::Clock(command) => command.run(client, output, yes),
            Self::Inspect(inspect) => inspect.run(client, output),
            Self::Demo(command) => command.run(client, output),
            Self::Hosts(hosts) => hosts.run(client, output),
            Self::Trust(trust) => trust.run(client, output),
            Self::Verify(verify) => verify.run(&client.patient(), output),
            Self::Repair(repair) => repair.run(output),
            Self::Version => version::run(output),
            Self::Completion(completion) => completion.run(&mut Cli::command(), output),
            Self::Man(man) => man.run(Cli::command(), output),
        }
    }
}

fn emulator_url(text: &str) -> Result<Url, String> {
    let expected = "expected http://HOST:PORT, such as http://localhost:5000";
    let url = Url::parse(text).map_err(|error| format!("{error}; {expected}"))?;
    if url.scheme() == "https" {
        return Err(
            "write http://: the commands speak TLS by themselves where they show a token"
                .to_owned(),
        );
    }
    let only_origin = url.as_str().trim_end_matches('/') == url.origin().ascii_serialization();
    if url.scheme() == "http" && only_origin {
        Ok(url)
    } else {
        Err(expected.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command) {
            let name = command.get_name();
            if name == "help" {
                return;
            }
            assert!(command.get_about().is_some(), "{name}");
            let help = command.get_after_help().map(ToString::to_string);
            assert!(help.is_some_and(|help| help.contains("sealock")), "{name}");
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn global_options_go_behind_the_subcommand() {
        let cli = Cli::try_parse_from([
            "sealock",
            "key",
            "list",
            "--json",
            "--emulator",
            "http://[::1]:1/",
        ]);
        let global = cli.unwrap().global;
        assert!(global.json);
        assert_eq!(global.emulator.as_str(), "http://[::1]:1/");
    }

    #[test]
    fn an_emulator_is_an_http_origin() {
        for bad in [
            "",
            "localhost",
            "localhost:5000",
            "https://localhost",
            "http://",
            "http://u@h",
            "http://h/x",
            "http://h?x",
        ] {
            assert!(emulator_url(bad).is_err(), "{bad}");
        }
    }
}
