use std::io::Write as _;

use anstyle::{AnsiColor, Style};

use crate::{Auth, services::Services, tls::Trust};

const NAME: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// The port that the command line expects an emulator at.
const DEFAULT_PORT: u16 = 5000;

/// Tells a person where everything is and what to try.
pub(crate) async fn print(
    services: &Services,
    port: u16,
    data_dir: &str,
    trust: &Trust,
    auth: Auth,
) {
    let registry = &services.default_registry;
    let (key, encrypted) = match services.registries.get(registry) {
        Ok(registry) if registry.record.encrypted => (key(services, &registry).await, true),
        Ok(_) => (
            "none: this registry has no customer-managed key".to_owned(),
            false,
        ),
        Err(error) => (error.to_string(), false),
    };
    let at = format!("localhost:{port}");
    let sealock = std::env::args()
        .next()
        .unwrap_or_else(|| "sealock".to_owned());
    let emulator = match port {
        DEFAULT_PORT => String::new(),
        _ => format!(" --emulator http://{at}"),
    };
    let command = |words: &str| format!("{sealock} {words}{emulator}");
    let commands = match auth {
        // There is nothing yet to log in with.
        Auth::Enforced => ["status", "key show", "audit"].map(command).to_vec(),
        Auth::Friendly => vec![
            format!("docker tag busybox {at}/hello:v1    # or any other image that you have"),
            format!("docker push {at}/hello:v1"),
            command(if encrypted {
                "key disable"
            } else {
                "inspect hello:v1"
            }),
            format!("docker pull {at}/hello:v1"),
        ],
    };
    let ca = match &trust.files {
        Some(files) => files.ca.display().to_string(),
        None => format!("http://{at}/_sealock/v1/ca.pem"),
    };

    let mut out = anstream::stdout().lock();
    let commands: Vec<_> = commands
        .iter()
        .map(|command| format!("  {COMMAND}{command}{COMMAND:#}"))
        .collect();
    // With standard output closed there is nobody to tell.
    let _ = writeln!(
        out,
        "{NAME}sealock{NAME:#} {version}
  registry  http://{at}   ({registry})
  TLS       https://{at}, with the CA {ca}
  control   http://{at}/_sealock/v1
  key       {key}
  data      {data_dir}

Try, in another terminal:
{commands}

For a client that does not trust the CA:
  {COMMAND}{trust}{COMMAND:#}
For one that does not find {registry}.azurecr.localhost:
  {COMMAND}{hosts}{COMMAND:#}
",
        commands = commands.join("\n"),
        trust = command("trust"),
        hosts = command("hosts"),
        version = env!("CARGO_PKG_VERSION"),
    );
    let _ = out.flush();
}

async fn key(services: &Services, registry: &sealock_registry::Registry) -> String {
    match services.custodian.status(registry.record.id).await {
        Ok((status, Ok(()))) => services.names.key_uri(&status.kid.identifier()),
        Ok((status, Err(revocation))) => {
            let kid = services.names.key_uri(&status.kid.identifier());
            format!("{kid} (revoked: {})", revocation.cause)
        }
        Err(error) => format!("unknown: {error}"),
    }
}
