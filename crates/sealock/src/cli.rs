use clap::{
    Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, parser::ValueSource,
};
use url::Url;

use crate::{
    access::AccessCommand, app::AppCommand, audit::Audit, az::Az, client::Client,
    clock::ClockCommand, completion::Completion, demo::DemoCommand, doctor::Doctor, env::Env,
    error::Error, exec::Exec, health, hosts::Hosts, identity::IdentityCommand, inspect::Inspect,
    key::KeyCommand, man::Man, operation::OperationCommand, output::Output,
    registry::RegistryCommand, repair::Repair, report::ReportCommand,
    repository::RepositoryCommand, reset, role::RoleCommand, serve::Serve, status::Status,
    trust::Trust, vault::VaultCommand, verify::Verify, version, wait::Wait,
};

/// A local container registry, encrypted with a key that you can revoke
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
    /// URL of the emulator
    #[arg(
        long,
        global = true,
        env = "SEALOCK_EMULATOR",
        value_name = "URL",
        default_value = "http://localhost:5000",
        value_parser = emulator_url
    )]
    emulator: Url,
    /// The source of the URL.
    #[arg(skip)]
    emulator_source: Option<ValueSource>,
    /// Print results and errors as JSON, in the control API's form
    #[arg(long, global = true)]
    json: bool,
    /// Show all table columns, even beyond 80 characters
    #[arg(long, global = true)]
    wide: bool,
    /// Confirm an action that cannot be undone
    #[arg(long, short = 'y', global = true)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Serve),
    Exec(Exec),
    /// Check that the emulator is running
    #[command(after_help = "Example:\n  sealock health")]
    Health,
    Status(Status),
    Wait(Wait),
    Doctor(Doctor),
    /// Manage a vault's keys: create, rotate, disable, delete and restore them
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
    /// List, show and delete a registry's repositories
    #[command(subcommand, after_help = "Example:\n  sealock repository list")]
    Repository(RepositoryCommand),
    /// Manage the access policies of a vault
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
    /// Manage the role assignments of identities and applications
    #[command(
        subcommand,
        after_help = "Example:\n  sealock role assign --identity registry-identity --role AcrPull"
    )]
    Role(RoleCommand),
    Audit(Audit),
    /// Write reports for auditors
    #[command(
        subcommand,
        after_help = "Example:\n  sealock report compliance > report.md"
    )]
    Report(ReportCommand),
    /// Show the emulator's clock, or move it
    #[command(subcommand, after_help = "Example:\n  sealock clock advance 1h")]
    Clock(ClockCommand),
    /// List the asynchronous operations of Resource Manager, and end those that are held
    #[command(subcommand, after_help = "Example:\n  sealock operation list")]
    Operation(OperationCommand),
    /// Restore the state after the start, in an emulator that keeps everything in memory
    #[command(after_help = "Example:\n  sealock reset --yes")]
    Reset,
    Inspect(Inspect),
    /// Generate an image to push
    #[command(
        subcommand,
        after_help = "Example:\n  sealock demo image | docker load"
    )]
    Demo(DemoCommand),
    Env(Env),
    Az(Az),
    Hosts(Hosts),
    Trust(Trust),
    Verify(Verify),
    Repair(Repair),
    /// Print the version, and the commit that it was built from
    #[command(after_help = "Example:\n  sealock version --json")]
    Version,
    Completion(Completion),
    Man(Man),
}

impl Cli {
    /// Parses the arguments of the process. Exits with clap's message if they are invalid.
    pub(crate) fn read() -> Self {
        let matches = Self::command().get_matches();
        let mut cli = Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        cli.global.emulator_source = matches.value_source("emulator");
        cli
    }

    /// Returns true if errors are printed as JSON.
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
            Self::Exec(exec) => exec.run(),
            Self::Health => health::run(client, output),
            Self::Status(status) => status.run(client, output),
            Self::Wait(wait) => wait.run(client, output),
            Self::Doctor(doctor) => doctor.run(client, output),
            Self::Key(command) => command.run(client, output, yes),
            Self::Vault(command) => command.run(client, output, yes),
            Self::Registry(command) => command.run(client, output, yes),
            Self::Repository(command) => command.run(client, output, yes),
            Self::Access(command) => command.run(client, output),
            Self::Identity(command) => command.run(client, output),
            Self::App(command) => command.run(client, output),
            Self::Role(command) => command.run(client, output),
            Self::Audit(audit) => audit.run(&client.without_timeout(), output),
            Self::Report(command) => command.run(client, output),
            Self::Clock(command) => command.run(client, output, yes),
            Self::Operation(command) => command.run(client, output),
            Self::Reset => reset::run(client, output, yes),
            Self::Inspect(inspect) => inspect.run(client, output),
            Self::Demo(command) => command.run(client, output),
            Self::Env(env) => env.run(client, output),
            Self::Az(az) => az.run(client),
            Self::Hosts(hosts) => hosts.run(client, output),
            Self::Trust(trust) => trust.run(client, output),
            Self::Verify(verify) => verify.run(&client.without_timeout(), output),
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
            "use http://; a command switches to TLS by itself before it sends a token".to_owned(),
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
    fn command_definition_passes_claps_checks() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_a_description_and_an_example() {
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
    fn global_options_are_accepted_after_the_subcommand() {
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
    fn emulator_url_that_is_no_http_origin_is_rejected() {
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
