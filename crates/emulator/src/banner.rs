use std::io::Write as _;

use anstyle::{AnsiColor, Style};

use crate::services::Services;

const NAME: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// The port that the command line expects an emulator at.
const DEFAULT_PORT: u16 = 5000;

/// Tells a person where everything is and what to try.
pub(crate) async fn print(services: &Services, port: u16, data_dir: &str) {
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
    let mut commands = vec![format!("docker push {at}/hello:v1")];
    if encrypted {
        commands.push(format!("{sealock} key disable{emulator}"));
    } else {
        commands.push(format!("{sealock} inspect hello:v1{emulator}"));
    }
    commands.push(format!("docker pull {at}/hello:v1"));

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
  control   http://{at}/_sealock/v1
  key       {key}
  data      {data_dir}

Try, in another terminal:
{commands}
",
        commands = commands.join("\n"),
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
