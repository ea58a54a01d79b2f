use std::{env, io::Write as _, path::PathBuf};

use clap::{Args, ValueEnum};
use fs_err as fs;
use sealock_api::ShowEnvironment;

use crate::{
    certificates::Certificates,
    client::Client,
    environment::{Variable, Variables},
    error::Error,
    names,
    output::Output,
};

/// The variable that names the file with which a step of a workflow sets variables for the steps that follow.
///
/// <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#setting-an-environment-variable>
const GITHUB_ENV: &str = "GITHUB_ENV";

/// Print the environment variables with which clients of Azure use the emulator
///
/// They name the CA, joined with the system's where a client needs that; the endpoints; and the login of the emulator's
/// developer, with its secret.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eval \"$(sealock env)\"
  sealock env --format powershell | Out-String | Invoke-Expression
  sealock env --format docker > sealock.env")]
pub(crate) struct Env {
    /// Form of the variables (default: sh, or json with --json)
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Commands for a POSIX shell
    Sh,
    /// Commands for PowerShell
    Powershell,
    /// A .env file
    Dotenv,
    /// Variables for the following steps of a job in GitHub Actions, with masked secrets
    Github,
    /// An object with the variables
    Json,
    /// A file for docker run --env-file
    Docker,
}

impl Env {
    pub(crate) fn run(self, client: &Client, output: &mut Output) -> Result<(), Error> {
        let environment = client.ask(&ShowEnvironment {});
        let environment = environment
            .map_err(Error::without_creation_hints)?
            .parse()?;
        let certificates = Certificates::find(client)?;
        let variables = Variables::new(&environment, client.emulator(), &certificates)?;
        let remedy = format!("sudo {}", client.commands().command("hosts --write"));
        names::warn_of_unresolved(&environment, &remedy)?;
        let format = match self.format {
            Some(format) => format,
            None if output.is_json() => Format::Json,
            None => Format::Sh,
        };
        let line: fn(&Variable) -> Result<String, Error> = match format {
            Format::Sh => |it| Ok(sh(it)),
            Format::Powershell => |it| Ok(powershell(it)),
            Format::Dotenv => dotenv,
            Format::Docker => |it| Ok(assignment(it)),
            Format::Github => return for_github(&variables, output),
            Format::Json => {
                let json = serde_json::to_string_pretty(&variables);
                return output.line(json.map_err(std::io::Error::from)?);
            }
        };
        // All or nothing, since a shell runs what it is given.
        let lines: Result<Vec<_>, Error> = variables.iter().map(line).collect();
        lines?.iter().try_for_each(|line| output.line(line))
    }
}

fn sh(Variable { name, value, .. }: &Variable) -> String {
    format!("export {name}='{}'", value.replace('\'', r"'\''"))
}

/// Quotes for PowerShell, which takes typographic quotes for single quotes, too.
///
/// <https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_quoting_rules>
fn powershell(Variable { name, value, .. }: &Variable) -> String {
    let mut quoted = String::new();
    for c in value.chars() {
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
        quoted.push(c);
    }
    format!("$env:{name} = '{quoted}'")
}

/// Quotes so that all parsers of these files agree. They differ in what a backslash means within either quotes, and some
/// expand variables within double quotes.
fn dotenv(Variable { name, value, .. }: &Variable) -> Result<String, Error> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if value.chars().all(is_plain) {
        return Ok(format!("{name}={}", **value));
    }
    let lacks = |special: &str| !value.contains(|c| special.contains(c));
    if lacks(r"'\") {
        Ok(format!("{name}='{}'", **value))
    } else if lacks("\"\\$`") {
        Ok(format!("{name}=\"{}\"", **value))
    } else {
        Err(Error::Failed {
            message: format!(
                "the value of {name} cannot be written so that every parser of .env files reads the same"
            ),
            hint: Some(
                "choose another format, such as json, or a data directory with a plainer path"
                    .to_owned(),
            ),
        })
    }
}

/// Assigns the value as it is, for readers that take the rest of the line for it.
///
/// <https://docs.docker.com/reference/cli/docker/container/run/#env>
fn assignment(Variable { name, value, .. }: &Variable) -> String {
    format!("{name}={}", **value)
}

/// Adds the variables to the file of a step, and masks the secrets in the logs of the job.
fn for_github(variables: &Variables, output: &mut Output) -> Result<(), Error> {
    let file = env::var_os(GITHUB_ENV).map(PathBuf::from);
    let file = file.ok_or_else(|| Error::Failed {
        message: format!("{GITHUB_ENV} is not set, so there is no file to add the variables to"),
        hint: Some("use this format in a step of a GitHub Actions workflow".to_owned()),
    })?;
    for secret in variables.iter().filter(|it| it.is_secret) {
        let escaped = secret.value.replace('%', "%25");
        output.line(format_args!("::add-mask::{escaped}"))?;
    }
    let lines: Vec<_> = variables.iter().map(assignment).collect();
    let text = lines.join("\n") + "\n";
    let opened = fs::OpenOptions::new().append(true).create(true).open(&file);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Error::system(&error))?;
    output.done(format_args!(
        "added {} variables to {}",
        variables.iter().count(),
        file.display()
    ))
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn variable(value: &str) -> Variable {
        Variable {
            name: "X",
            value: Zeroizing::new(value.to_owned()),
            is_secret: false,
        }
    }

    #[test]
    fn powershell_doubles_every_character_that_it_takes_for_a_single_quote() {
        let quoted = powershell(&variable("it's \u{2018}$x\u{201b} `\""));
        assert_eq!(
            quoted,
            "$env:X = 'it''s \u{2018}\u{2018}$x\u{201b}\u{201b} `\"'"
        );
    }

    #[test]
    fn dotenv_uses_quotes_only_as_every_parser_reads_them() {
        for (value, line) in [
            (
                "https://login.localhost:5000",
                Some("X=https://login.localhost:5000"),
            ),
            ("/a b", Some("X='/a b'")),
            ("/#$x`\"", Some("X='/#$x`\"'")),
            ("/it's", Some("X=\"/it's\"")),
            (r"/a\b", None),
            ("/it's $x", None),
        ] {
            assert_eq!(dotenv(&variable(value)).ok().as_deref(), line, "{value}");
        }
    }
}
