use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write as _},
    os::unix::{fs::DirBuilderExt as _, process::CommandExt as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use clap::Args;
use fs_err as fs;
use sealock_api::{Clock, Environment, ShowClock, ShowEnvironment};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    cache::Cache, certificates::Certificates, client::Client, environment::developer_secret,
    error::Error, names, progress,
};

/// The name of the cloud.
const CLOUD: &str = "sealock";

/// The number of lines of az's error that are shown.
const ERROR_LINES: usize = 5;

/// The step of the clock in seconds after which az logs in again.
const STEP_SECONDS: i64 = 15 * 60;

/// Run the Azure CLI, logged in at the emulator
///
/// az gets a configuration directory of its own, so your usual login stays as it is. The first run registers the emulator as a
/// cloud and logs in as its developer. So does the first one after a change of the emulator's address, CA or clock, or after a
/// logout, in an empty directory.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sealock az -- account show
  sealock az -- acr list --output table")]
pub(crate) struct Az {
    /// Arguments of az
    #[arg(last = true, required = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// The az of an emulator: its configuration directory, and the environment in which it runs.
struct Configured {
    dir: PathBuf,
    bundle: PathBuf,
}

impl Az {
    pub(crate) fn run(self, client: &Client) -> Result<(), Error> {
        let environment = client.ask(&ShowEnvironment {});
        let environment = environment
            .map_err(Error::without_creation_hints)?
            .parse()?;
        let cache = Cache::open(client.emulator())?;
        let certificates = Certificates::find(client)?;
        let remedy = format!("sudo {}", client.commands().command("hosts --write"));
        names::warn_of_unresolved(&environment, &remedy)?;

        let clock = client.ask(&ShowClock {})?.parse()?;
        let login = login(&environment, &certificates, &clock)?;
        let az = Configured {
            dir: cache.path("az"),
            bundle: certificates.bundle,
        };
        let file = cache.path("az.login");
        {
            // Commands that run at once must not log in at once. The lock ends with this block.
            let lock = File::create(cache.path("az.lock")).and_then(|it| it.lock().map(|()| it));
            let _lock = lock.map_err(|error| Error::system(&error))?;
            let logged_in = std::fs::read_to_string(&file);
            if !az.has_account() || !logged_in.is_ok_and(|it| it == login) {
                progress::during("logging in", || az.log_in(&environment))?;
                cache.write("az.login", &login)?;
            }
        }
        let error = az.command().args(self.arguments).exec();
        Err(not_started(error))
    }
}

impl Configured {
    fn command(&self) -> Command {
        let mut command = Command::new("az");
        command
            .env("AZURE_CONFIG_DIR", &self.dir)
            .env("REQUESTS_CA_BUNDLE", &self.bundle)
            // az would ask Microsoft whether it knows this cloud.
            .env("AZURE_CORE_INSTANCE_DISCOVERY", "false")
            .env("AZURE_CORE_COLLECT_TELEMETRY", "false")
            .env_remove("AZURE_CLOUD_NAME");
        command
    }

    /// Returns true if az is logged in.
    fn has_account(&self) -> bool {
        let profile = std::fs::read_to_string(self.dir.join("azureProfile.json"));
        let profile = profile.unwrap_or_default();
        // az writes a byte order mark.
        let profile: Value =
            serde_json::from_str(profile.trim_start_matches('\u{feff}')).unwrap_or_default();
        let accounts = profile["subscriptions"].as_array();
        accounts.is_some_and(|accounts| !accounts.is_empty())
    }

    /// Registers the emulator and logs in, in an empty directory.
    fn log_in(&self, environment: &Environment) -> Result<(), Error> {
        let secret = developer_secret(environment)?;
        self.empty().map_err(|error| Error::system(&error))?;
        let endpoint = &environment.resource_manager;
        let register = ["cloud", "register", "--name", CLOUD];
        self.prepare(
            &[&register[..], &["--endpoint-resource-manager", endpoint]].concat(),
            "",
        )?;
        self.prepare(&["cloud", "set", "--name", CLOUD], "")?;
        let client = environment.client_id.to_string();
        let tenant = environment.tenant_id.to_string();
        let login = ["login", "--service-principal", "--username", &client];
        // Every user of the machine sees arguments, so the secret comes from the standard input.
        let credentials = ["--password", "@-", "--tenant", &tenant];
        self.prepare(&[login, credentials].concat(), secret)
    }

    fn empty(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::DirBuilder::new().mode(0o700).create(&self.dir)
    }

    /// Runs a command that must succeed, and hides what it prints.
    fn prepare(&self, arguments: &[&str], input: &str) -> Result<(), Error> {
        let mut az = self
            .command()
            .args(arguments)
            .args(["--only-show-errors", "--output", "none"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(not_started)?;
        if let Some(mut stdin) = az.stdin.take() {
            // az may end without reading; its error says more.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = az
            .wait_with_output()
            .map_err(|error| Error::system(&error))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        let last = lines[lines.len().saturating_sub(ERROR_LINES)..].join("\n");
        let command = arguments[..2.min(arguments.len())].join(" ");
        Err(Error::failed(format_args!("az {command} failed: {last}")))
    }
}

/// Identifies what a login depends on: the emulator, its CA, its clock and the developer. After a step of the clock, az would
/// use tokens whose time is over.
fn login(
    environment: &Environment,
    certificates: &Certificates,
    clock: &Clock,
) -> Result<String, Error> {
    let ca = fs::read_to_string(&certificates.ca).map_err(|error| Error::system(&error))?;
    let parts = [
        environment.resource_manager.as_str(),
        &environment.tenant_id.to_string(),
        &environment.client_id.to_string(),
        developer_secret(environment)?,
        &ca,
        &clock_step(clock).to_string(),
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    Ok(hex::encode(hash.finalize()))
}

/// Returns the number of the step in which the emulator's clock is: ahead of the system's, or at which it stands still. A step
/// is shorter than the life of a token.
fn clock_step(clock: &Clock) -> i64 {
    let seconds = clock.ahead_seconds.unwrap_or(clock.now.0.as_second());
    seconds.div_euclid(STEP_SECONDS)
}

fn not_started(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::Failed {
            message: "az, the Azure CLI, is not installed, or not in a directory of PATH"
                .to_owned(),
            hint: Some("install it with: pip install azure-cli".to_owned()),
        };
    }
    Error::NotStarted {
        program: "az".to_owned(),
        error,
    }
}
