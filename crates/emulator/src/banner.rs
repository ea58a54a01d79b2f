use std::io::Write as _;

use anstyle::{AnsiColor, Style};

use crate::services::Services;

const NAME: Style = Style::new().bold();
const COMMAND: Style = AnsiColor::Cyan.on_default();

/// Tells a person where everything is and what to try.
pub(crate) async fn print(services: &Services, port: u16, data_dir: &str) {
    let registry = &services.default_registry;
    let key = match services.registries.get(registry) {
        Ok(registry) if registry.record.encrypted => {
            match services.custodian.status(registry.record.id).await {
                Ok((status, _)) => services.names.key_uri(&status.kid.identifier()),
                Err(error) => format!("unknown: {error}"),
            }
        }
        Ok(_) => "none: this registry has no customer-managed key".to_owned(),
        Err(error) => error.to_string(),
    };
    let at = if port == 5000 {
        String::new()
    } else {
        format!(" --emulator http://localhost:{port}")
    };
    let mut out = anstream::stdout().lock();
    // With standard output closed there is nobody to tell.
    let _ = writeln!(
        out,
        "{NAME}sealock{NAME:#} {version}
  registry  http://localhost:{port}   ({registry})
  key       {key}
  data      {data_dir}

Try, in another terminal:
  {COMMAND}docker push localhost:{port}/hello:v1{COMMAND:#}
  {COMMAND}sealock key disable{at}{COMMAND:#}
  {COMMAND}docker pull localhost:{port}/hello:v1{COMMAND:#}
",
        version = env!("CARGO_PKG_VERSION"),
    );
    let _ = out.flush();
}
